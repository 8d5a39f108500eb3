/*
 * kv_disk.h - keys and values kept between runs: what to save, when, and what to bring back.
 *
 * The engine thread owns everything but the disk: while it has nothing else to do it copies pages,
 * one each turn, into a buffer of a block, and a thread of kv_disk writes full blocks
 * (kv_store.h), so that a slow disk delays no prompt. Before a prompt is read, pages that the cache
 * lacks and the disk has are read into the pool, one each turn. Pages to be saved are not held: one
 * that the cache has given to others by then ends the save there.
 *
 * All calls are the engine thread's but kv_disk_unsaved_bytes.
 */
#ifndef AIRO_INFER_KV_DISK_H
#define AIRO_INFER_KV_DISK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/infer/generator.h"
#include "engine/infer/kv_cache.h"

#define KV_DISK_TOKENS_MIN 256 /* shorter ones are read again sooner than looked for */

struct kv_disk;

/* Model and cache are borrowed. `wake` is called from the writing thread whenever kv_disk_ready may
 * have become true. */
int kv_disk_open(struct kv_disk **out, const struct kv_disk_options *options,
                 const struct model *model, struct kv_cache *cache, void (*wake)(void *user),
                 void *user, struct error *error);
/* Drops what is not written yet; waits for the write that is under way to notice. NULL is allowed.
 */
void kv_disk_close(struct kv_disk *disk);

/* A sequence has ended after `count` evaluated tokens: to be saved when it is long enough to pay,
 * given that evaluating one takes token_seconds (0: not known). */
void kv_disk_remember(struct kv_disk *disk, const int32_t *tokens, size_t count,
                      double token_seconds);
/* Whether kv_disk_work has something to do now. Also by other threads than the engine's. */
bool kv_disk_ready(const struct kv_disk *disk);
/* A few milliseconds of saving: at most one page is copied. */
void kv_disk_work(struct kv_disk *disk);
uint64_t kv_disk_unsaved_bytes(const struct kv_disk *disk);
/* The disk was full or failed: nothing more is saved. */
bool kv_disk_stopped(const struct kv_disk *disk);

/* --- bringing back ---------------------------------------------------------------------------- */

struct kv_restore;

/* NULL: the disk knows nothing of these tokens that the cache does not have. They are borrowed. */
struct kv_restore *kv_disk_restore(struct kv_disk *disk, const int32_t *tokens, size_t count);
/* Reads one page; false: there is nothing more to read. `stop` ends it early, to be called again.
 */
bool kv_restore_step(struct kv_restore *restore, const atomic_bool *stop);
/* In tokens: found in the cache and read so far; and of those, read. */
size_t kv_restore_done(const struct kv_restore *restore);
size_t kv_restore_read(const struct kv_restore *restore);
/* Lets go of the pages, which stay in the cache; after the sequence has taken them. */
void kv_restore_free(struct kv_restore *restore);

#endif
