#include "engine/infer/kv_cache.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"

struct page {
    uint32_t references; /* sequences that hold it */
    uint32_t children;   /* published pages that have it as parent */
    uint32_t parent;     /* KV_NO_PAGE: holds position 0 */
    uint32_t filled;     /* positions that are final; 0: not published */
    uint32_t next;       /* in the bucket, or in the list of free pages */
    uint64_t hash;       /* of the parent's hash and the ids */
    uint64_t used;       /* the clock at the last use */
    int32_t ids[KV_PAGE_TOKENS];
};

struct kv_cache {
    const struct backend_ops *ops;
    struct backend *backend;
    struct page *pages;
    uint32_t page_count;
    uint32_t free_list;
    uint32_t *buckets; /* full published pages by hash */
    uint32_t bucket_mask;
    uint32_t held; /* pages with references */
    uint64_t clock;
    uint64_t page_bytes;
};

uint32_t kv_pages_for(size_t tokens)
{
    return (uint32_t)((tokens + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS);
}

int kv_cache_open(struct kv_cache **out, const struct model *model, uint32_t pages,
                  struct error *error)
{
    struct backend_error reason = {0};
    if (model->ops->kv_create(model->backend, model->kv_type, pages, &reason) != 0)
        return error_set(error, reason.code == BACKEND_NO_MEMORY ? ERROR_MEMORY : ERROR_DEVICE,
                         "key/value pool of %u pages of %d tokens: %s", pages, KV_PAGE_TOKENS,
                         reason.message);
    struct kv_cache *cache = xcalloc(1, sizeof *cache);
    cache->ops = model->ops;
    cache->backend = model->backend;
    cache->page_bytes = model->ops->kv_page_bytes(&model->shape, model->kv_type);
    cache->page_count = pages;
    cache->pages = xcalloc(pages, sizeof *cache->pages);
    uint32_t buckets = 16;
    while (buckets < pages && buckets < 1u << 30)
        buckets *= 2;
    cache->bucket_mask = buckets - 1;
    cache->buckets = xmalloc(buckets * sizeof *cache->buckets);
    memset(cache->buckets, 0xFF, buckets * sizeof *cache->buckets);
    for (uint32_t i = 0; i < pages; i++)
        cache->pages[i].next = i + 1 < pages ? i + 1 : KV_NO_PAGE;
    cache->free_list = pages > 0 ? 0 : KV_NO_PAGE;
    *out = cache;
    return 0;
}

void kv_cache_close(struct kv_cache *cache)
{
    if (cache == NULL)
        return;
    free(cache->pages);
    free(cache->buckets);
    free(cache);
}

/* --- publishing ------------------------------------------------------------------------------- */

/* FNV-1a over whole ids, begun with the parent's hash. */
static uint64_t hash_ids(const struct kv_cache *cache, uint32_t parent, const int32_t *ids)
{
    uint64_t hash = parent == KV_NO_PAGE ? 0xCBF29CE484222325u : cache->pages[parent].hash;
    for (int i = 0; i < KV_PAGE_TOKENS; i++)
        hash = (hash ^ (uint32_t)ids[i]) * 0x100000001B3u;
    return hash ^ hash >> 32;
}

static uint32_t *bucket_of(struct kv_cache *cache, uint64_t hash)
{
    return &cache->buckets[hash & cache->bucket_mask];
}

static void touch(struct kv_cache *cache, uint32_t page)
{
    cache->pages[page].used = ++cache->clock;
}

static void bucket_remove(struct kv_cache *cache, uint32_t page)
{
    uint32_t *link = bucket_of(cache, cache->pages[page].hash);
    while (*link != page)
        link = &cache->pages[*link].next;
    *link = cache->pages[page].next;
}

static void unpublish(struct kv_cache *cache, uint32_t page)
{
    struct page *entry = &cache->pages[page];
    if (entry->filled == KV_PAGE_TOKENS)
        bucket_remove(cache, page);
    if (entry->parent != KV_NO_PAGE)
        cache->pages[entry->parent].children--;
    entry->filled = 0;
}

static void put_free(struct kv_cache *cache, uint32_t page)
{
    cache->pages[page].next = cache->free_list;
    cache->free_list = page;
}

static uint32_t common(const int32_t *a, const int32_t *b, size_t count)
{
    uint32_t same = 0;
    while (same < count && a[same] == b[same])
        same++;
    return same;
}

/* The full page that says the same, not retained. */
static uint32_t lookup(struct kv_cache *cache, uint32_t parent, const int32_t *ids)
{
    uint64_t hash = hash_ids(cache, parent, ids);
    for (uint32_t at = *bucket_of(cache, hash); at != KV_NO_PAGE; at = cache->pages[at].next) {
        const struct page *entry = &cache->pages[at];
        if (entry->hash == hash && entry->parent == parent &&
            memcmp(entry->ids, ids, sizeof entry->ids) == 0)
            return at;
    }
    return KV_NO_PAGE;
}

/* Left-over tails that the ids now being published begin with say nothing new: their room is free.
 */
static void drop_shorter(struct kv_cache *cache, uint32_t parent, const int32_t *ids,
                         uint32_t count)
{
    for (uint32_t i = 0; i < cache->page_count; i++) {
        struct page *entry = &cache->pages[i];
        if (entry->filled == 0 || entry->filled >= count || entry->parent != parent ||
            entry->references > 0 || common(entry->ids, ids, entry->filled) < entry->filled)
            continue;
        unpublish(cache, i);
        put_free(cache, i);
    }
}

static bool covered(const struct kv_cache *cache, uint32_t parent, const int32_t *ids,
                    uint32_t count)
{
    for (uint32_t i = 0; i < cache->page_count; i++) {
        const struct page *entry = &cache->pages[i];
        if (entry->filled >= count && entry->parent == parent &&
            common(entry->ids, ids, count) == count)
            return true;
    }
    return false;
}

uint32_t kv_cache_publish(struct kv_cache *cache, uint32_t page, uint32_t parent,
                          const int32_t *ids, uint32_t count)
{
    if (count == KV_PAGE_TOKENS) {
        uint32_t there = lookup(cache, parent, ids);
        if (there != KV_NO_PAGE) {
            kv_cache_retain(cache, there);
            kv_cache_release(cache, page);
            return there;
        }
    } else if (covered(cache, parent, ids, count)) {
        return page;
    }
    drop_shorter(cache, parent, ids, count);
    struct page *entry = &cache->pages[page];
    entry->parent = parent;
    entry->filled = count;
    memcpy(entry->ids, ids, count * sizeof *ids);
    if (parent != KV_NO_PAGE)
        cache->pages[parent].children++;
    if (count == KV_PAGE_TOKENS) {
        entry->hash = hash_ids(cache, parent, ids);
        uint32_t *bucket = bucket_of(cache, entry->hash);
        entry->next = *bucket;
        *bucket = page;
    }
    touch(cache, page);
    return page;
}

/* --- taking and finding ----------------------------------------------------------------------- */

/* The least recently used page that nothing needs. A sequence that holds a page holds its parents
 * too, so wherever there is an unheld page there is an unheld one without children. */
static uint32_t evict(struct kv_cache *cache)
{
    uint32_t oldest = KV_NO_PAGE;
    for (uint32_t i = 0; i < cache->page_count; i++) {
        const struct page *entry = &cache->pages[i];
        if (entry->references > 0 || entry->children > 0)
            continue;
        if (oldest == KV_NO_PAGE || entry->used < cache->pages[oldest].used)
            oldest = i;
    }
    if (oldest != KV_NO_PAGE)
        unpublish(cache, oldest);
    return oldest;
}

uint32_t kv_cache_take(struct kv_cache *cache)
{
    uint32_t page = cache->free_list;
    if (page != KV_NO_PAGE)
        cache->free_list = cache->pages[page].next;
    else
        page = evict(cache);
    if (page == KV_NO_PAGE)
        return page;
    cache->pages[page] = (struct page){.references = 1, .parent = KV_NO_PAGE};
    cache->held++;
    return page;
}

void kv_cache_retain(struct kv_cache *cache, uint32_t page)
{
    cache->held += cache->pages[page].references++ == 0;
    touch(cache, page);
}

void kv_cache_release(struct kv_cache *cache, uint32_t page)
{
    struct page *entry = &cache->pages[page];
    touch(cache, page);
    if (--entry->references > 0)
        return;
    cache->held--;
    if (entry->filled == 0)
        put_free(cache, page);
}

bool kv_cache_writable(const struct kv_cache *cache, uint32_t page)
{
    return cache->pages[page].references == 1 && cache->pages[page].filled == 0;
}

uint32_t kv_cache_references(const struct kv_cache *cache, uint32_t page)
{
    return cache->pages[page].references;
}

int kv_cache_copy(struct kv_cache *cache, uint32_t from, uint32_t to, uint32_t tokens,
                  struct error *error)
{
    if (cache->ops->kv_copy_page(cache->backend, from, to, tokens) == 0)
        return 0;
    return error_set(error, ERROR_DEVICE, "copying a key/value page: %s",
                     cache->ops->last_error(cache->backend));
}

int kv_cache_export(const struct kv_cache *cache, uint32_t page, void *bytes, struct error *error)
{
    if (cache->ops->kv_export_page(cache->backend, page, bytes) == 0)
        return 0;
    return error_set(error, ERROR_DEVICE, "exporting a key/value page: %s",
                     cache->ops->last_error(cache->backend));
}

int kv_cache_import(struct kv_cache *cache, uint32_t page, const void *bytes, struct error *error)
{
    if (cache->ops->kv_import_page(cache->backend, page, bytes) == 0)
        return 0;
    return error_set(error, ERROR_DEVICE, "importing a key/value page: %s",
                     cache->ops->last_error(cache->backend));
}

uint64_t kv_cache_page_bytes(const struct kv_cache *cache)
{
    return cache->page_bytes;
}

uint32_t kv_cache_find(struct kv_cache *cache, uint32_t parent, const int32_t *ids)
{
    uint32_t page = lookup(cache, parent, ids);
    if (page != KV_NO_PAGE)
        kv_cache_retain(cache, page);
    return page;
}

uint32_t kv_cache_find_partial(struct kv_cache *cache, uint32_t parent, const int32_t *ids,
                               size_t count, uint32_t *matched)
{
    uint32_t best = KV_NO_PAGE;
    *matched = 0;
    for (uint32_t i = 0; i < cache->page_count; i++) {
        const struct page *entry = &cache->pages[i];
        if (entry->filled == 0 || entry->parent != parent)
            continue;
        uint32_t same = common(entry->ids, ids, count < entry->filled ? count : entry->filled);
        if (same > *matched) {
            *matched = same;
            best = i;
        }
    }
    if (best != KV_NO_PAGE)
        kv_cache_retain(cache, best);
    return best;
}

void kv_cache_usage(const struct kv_cache *cache, struct kv_usage *usage)
{
    *usage = (struct kv_usage){
        .pages = cache->page_count, .held = cache->held, .page_bytes = cache->page_bytes};
    for (uint32_t i = 0; i < cache->page_count; i++)
        usage->cached += cache->pages[i].references == 0 && cache->pages[i].filled > 0;
}

uint32_t kv_cache_spare(const struct kv_cache *cache)
{
    return cache->page_count - cache->held;
}
