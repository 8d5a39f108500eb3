/*
 * kv_cache.h - the pool of key/value pages: reference-counted, and found again by token ids.
 *
 * A page holds KV_PAGE_TOKENS positions of all layers. Sequences hold references; a page that is
 * published (its ids are known and its contents final) stays findable after the last reference is
 * gone, until its room is needed: the least recently used goes first, children before parents. A
 * published page is never written again: who wants to go on in the middle of one copies it.
 *
 * What identifies a page is its parent page and its ids, compared one by one; the hash only finds
 * candidates. Since parents are canonical (publish returns the page that already says the same),
 * equal parent and equal ids mean an equal prefix from position 0.
 *
 * The cache owns the bookkeeping, the backend owns the memory. One thread: the engine's.
 */
#ifndef AIRO_INFER_KV_CACHE_H
#define AIRO_INFER_KV_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/model/model.h"

#define KV_NO_PAGE UINT32_MAX

struct kv_cache;

struct kv_usage {
    uint32_t pages;      /* in all */
    uint32_t held;       /* referenced by at least one sequence; the rest can be had */
    uint32_t cached;     /* published, and not held */
    uint64_t page_bytes; /* of one page */
};

/* Pages for `tokens` positions of one sequence. */
uint32_t kv_pages_for(size_t tokens);

/* Creates the pool in the model's backend. ERROR_MEMORY when it does not fit. */
int kv_cache_open(struct kv_cache **out, const struct model *model, uint32_t pages,
                  struct error *error);
void kv_cache_close(struct kv_cache *cache);

/* A page to write to, with one reference; KV_NO_PAGE when every page is held. */
uint32_t kv_cache_take(struct kv_cache *cache);
void kv_cache_retain(struct kv_cache *cache, uint32_t page);
void kv_cache_release(struct kv_cache *cache, uint32_t page);
/* True when the page has one holder and is not published. */
bool kv_cache_writable(const struct kv_cache *cache, uint32_t page);
uint32_t kv_cache_references(const struct kv_cache *cache, uint32_t page);
/* Copies the first `tokens` positions of one page to another. */
int kv_cache_copy(struct kv_cache *cache, uint32_t from, uint32_t to, uint32_t tokens,
                  struct error *error);

/* A page as bytes [page_bytes], in the backend's layout: kernels/backend.h. */
int kv_cache_export(const struct kv_cache *cache, uint32_t page, void *bytes, struct error *error);
int kv_cache_import(struct kv_cache *cache, uint32_t page, const void *bytes, struct error *error);
uint64_t kv_cache_page_bytes(const struct kv_cache *cache);

/* The full page with these ids [KV_PAGE_TOKENS] after `parent` (KV_NO_PAGE: position 0), retained
 * for the caller; or KV_NO_PAGE. */
uint32_t kv_cache_find(struct kv_cache *cache, uint32_t parent, const int32_t *ids);
/* The published page after `parent` that agrees with ids [count] for the most tokens (*matched, at
 * least 1), retained for the caller, to be copied from; or KV_NO_PAGE. */
uint32_t kv_cache_find_partial(struct kv_cache *cache, uint32_t parent, const int32_t *ids,
                               size_t count, uint32_t *matched);

/* Makes the page findable; `count` of its positions are final. Returns the page to hold from now
 * on: this one, or the one that was there first (the reference moves over). A page of less than
 * KV_PAGE_TOKENS is what a sequence leaves behind: it may be copied from, not held. */
uint32_t kv_cache_publish(struct kv_cache *cache, uint32_t page, uint32_t parent,
                          const int32_t *ids, uint32_t count);

void kv_cache_usage(const struct kv_cache *cache, struct kv_usage *usage);
/* Pages that can be had: held by nobody. */
uint32_t kv_cache_spare(const struct kv_cache *cache);

#endif
