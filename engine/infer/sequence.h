/*
 * sequence.h - token ids plus page table: one mutable timeline.
 *
 * Callers hand over the whole prompt with sequence_sync, which keeps what the sequence already has,
 * rewinds past what differs, and looks in the cache for pages that other sequences computed. The
 * sequence owns its ids and one reference to each of its pages; what it leaves behind when freed
 * stays in the cache. One thread: the engine's.
 *
 *     0 ........ done ........ count        done: keys and values are in the pages
 *                                           done .. count: to be evaluated, pages are reserved
 *
 * Drafted tokens stand at the end for one step and are taken back, or those that were right kept,
 * before anything else is done with the sequence; only what was kept is ever published.
 */
#ifndef AIRO_INFER_SEQUENCE_H
#define AIRO_INFER_SEQUENCE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/infer/kv_cache.h"

struct sequence;

/* Room for `context` tokens. */
struct sequence *sequence_create(struct kv_cache *cache, uint32_t context);
void sequence_free(struct sequence *sequence);

/* Makes the sequence `tokens` [count >= 1] and reserves pages for all of them. *reused (may be
 * NULL) receives how many need no evaluation, at most count - 1. ERROR_INPUT when they are more
 * than the context, ERROR_MEMORY when the pool is out of pages (the sequence stays usable). */
int sequence_sync(struct sequence *sequence, const int32_t *tokens, size_t count, size_t *reused,
                  struct error *error);
/* One more token, to be evaluated; errors as for sync. */
int sequence_push(struct sequence *sequence, int32_t id, struct error *error);
/* Up to `count` drafted tokens, to be evaluated after those that wait. Returns how many: fewer
 * where the context ends, or where they would take one of the last `leave` pages that can be had.
 */
uint32_t sequence_draft(struct sequence *sequence, const int32_t *ids, uint32_t count,
                        uint32_t leave);
/* Takes back all tokens but the first `count`, none of which has been evaluated. */
void sequence_take_back(struct sequence *sequence, size_t count);
/* `count` more tokens have been evaluated: pages that became full are published. */
void sequence_advance(struct sequence *sequence, size_t count);

const int32_t *sequence_tokens(const struct sequence *sequence, size_t *count);
size_t sequence_done(const struct sequence *sequence);
/* [position / KV_PAGE_TOKENS] -> page, covering every token of the sequence. */
const uint32_t *sequence_pages(const struct sequence *sequence, size_t *count);

#endif
