#include "engine/infer/sequence.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"

struct sequence {
    struct kv_cache *cache;
    uint32_t context;
    int32_t *tokens; /* [context] */
    size_t count, done;
    uint32_t *pages; /* [kv_pages_for(context)] */
    size_t page_count;
};

struct sequence *sequence_create(struct kv_cache *cache, uint32_t context)
{
    struct sequence *sequence = xcalloc(1, sizeof *sequence);
    sequence->cache = cache;
    sequence->context = context;
    sequence->tokens = xcalloc(context, sizeof *sequence->tokens);
    sequence->pages = xcalloc(kv_pages_for(context), sizeof *sequence->pages);
    return sequence;
}

/* The page before pages[index]: its parent in the cache. */
static uint32_t parent_of(const struct sequence *sequence, size_t index)
{
    return index > 0 ? sequence->pages[index - 1] : KV_NO_PAGE;
}

static void release_from(struct sequence *sequence, size_t index)
{
    while (sequence->page_count > index)
        kv_cache_release(sequence->cache, sequence->pages[--sequence->page_count]);
}

/* Leaves the unfinished last page in the cache, for a sequence that goes on from here. */
static void leave_tail(struct sequence *sequence)
{
    size_t index = sequence->done / KV_PAGE_TOKENS, tail = sequence->done % KV_PAGE_TOKENS;
    if (tail == 0 || index >= sequence->page_count ||
        !kv_cache_writable(sequence->cache, sequence->pages[index]))
        return;
    kv_cache_publish(sequence->cache, sequence->pages[index], parent_of(sequence, index),
                     sequence->tokens + index * KV_PAGE_TOKENS, (uint32_t)tail);
}

void sequence_free(struct sequence *sequence)
{
    if (sequence == NULL)
        return;
    leave_tail(sequence);
    release_from(sequence, 0);
    free(sequence->tokens);
    free(sequence->pages);
    free(sequence);
}

/* --- sync ------------------------------------------------------------------------------------- */

/* How far the evaluated tokens agree with the wanted ones. */
static size_t common_prefix(const struct sequence *sequence, const int32_t *tokens, size_t count)
{
    size_t limit = sequence->done < count ? sequence->done : count, same = 0;
    while (same < limit && sequence->tokens[same] == tokens[same])
        same++;
    return same;
}

static void rewind_to(struct sequence *sequence, size_t keep)
{
    if (keep < sequence->done)
        leave_tail(sequence);
    sequence->done = keep;
    release_from(sequence, kv_pages_for(keep));
}

/* Whole pages that somebody has computed, from the page that `done` is in. */
static void adopt_pages(struct sequence *sequence)
{
    for (size_t index = sequence->done / KV_PAGE_TOKENS;
         (index + 1) * KV_PAGE_TOKENS <= sequence->count; index++) {
        uint32_t page = kv_cache_find(sequence->cache, parent_of(sequence, index),
                                      sequence->tokens + index * KV_PAGE_TOKENS);
        if (page == KV_NO_PAGE)
            return;
        release_from(sequence, index);
        sequence->pages[sequence->page_count++] = page;
        sequence->done = (index + 1) * KV_PAGE_TOKENS;
    }
}

/* Replaces the page at `index`, or adds it, by a writable one with the first `tokens` positions of
 * `from`. Drops nothing when there is no page to be had. */
static int copy_page(struct sequence *sequence, size_t index, uint32_t from, uint32_t tokens,
                     struct error *error)
{
    uint32_t page = kv_cache_take(sequence->cache);
    if (page == KV_NO_PAGE)
        return error_set(error, ERROR_MEMORY, "no page to copy to");
    if (tokens > 0 && kv_cache_copy(sequence->cache, from, page, tokens, error) != 0) {
        kv_cache_release(sequence->cache, page);
        return -1;
    }
    release_from(sequence, index);
    sequence->pages[sequence->page_count++] = page;
    return 0;
}

/* A page that agrees for a while: its beginning is copied. A failure costs only the evaluation of
 * up to a page of tokens. */
static void adopt_tail(struct sequence *sequence)
{
    size_t index = sequence->done / KV_PAGE_TOKENS, begin = index * KV_PAGE_TOKENS;
    uint32_t matched = 0;
    uint32_t page =
        kv_cache_find_partial(sequence->cache, parent_of(sequence, index), sequence->tokens + begin,
                              sequence->count - 1 - begin, &matched);
    if (page == KV_NO_PAGE)
        return;
    if (begin + matched > sequence->done && copy_page(sequence, index, page, matched, NULL) == 0)
        sequence->done = begin + matched;
    kv_cache_release(sequence->cache, page);
}

static int out_of_pages(const struct sequence *sequence, struct error *error)
{
    struct kv_usage usage;
    kv_cache_usage(sequence->cache, &usage);
    return error_set(error, ERROR_MEMORY,
                     "out of key/value pages: %zu tokens need %u pages of %d tokens, of %u in the "
                     "pool %u are in use, %zu of them by this sequence",
                     sequence->count, kv_pages_for(sequence->count), KV_PAGE_TOKENS, usage.pages,
                     usage.held, sequence->page_count);
}

/* Pages for all tokens; the one that `done` is in must be ours to write. */
static int reserve(struct sequence *sequence, struct error *error)
{
    size_t index = sequence->done / KV_PAGE_TOKENS;
    if (index < sequence->page_count &&
        !kv_cache_writable(sequence->cache, sequence->pages[index])) {
        struct error reason = {0};
        if (copy_page(sequence, index, sequence->pages[index],
                      (uint32_t)(sequence->done % KV_PAGE_TOKENS), &reason) != 0) {
            if (reason.code == ERROR_MEMORY)
                return out_of_pages(sequence, error);
            return error_set(error, reason.code, "%s", reason.message);
        }
    }
    while (sequence->page_count < kv_pages_for(sequence->count)) {
        uint32_t page = kv_cache_take(sequence->cache);
        if (page == KV_NO_PAGE)
            return out_of_pages(sequence, error);
        sequence->pages[sequence->page_count++] = page;
    }
    return 0;
}

int sequence_sync(struct sequence *sequence, const int32_t *tokens, size_t count, size_t *reused,
                  struct error *error)
{
    if (count == 0)
        return error_set(error, ERROR_INPUT, "no tokens to evaluate");
    if (count > sequence->context)
        return error_set(error, ERROR_INPUT, "%zu tokens do not fit in a context of %u", count,
                         sequence->context);
    rewind_to(sequence, common_prefix(sequence, tokens, count));
    memmove(sequence->tokens, tokens, count * sizeof *tokens);
    sequence->count = count;
    adopt_pages(sequence);
    if (sequence->done < count)
        adopt_tail(sequence);
    if (sequence->done == count)
        sequence->done = count - 1;
    if (reused != NULL)
        *reused = sequence->done;
    return reserve(sequence, error);
}

int sequence_push(struct sequence *sequence, int32_t id, struct error *error)
{
    if (sequence->count >= sequence->context)
        return error_set(error, ERROR_INPUT, "the context of %u tokens is full", sequence->context);
    sequence->tokens[sequence->count++] = id;
    if (reserve(sequence, error) == 0)
        return 0;
    sequence->count--;
    return -1;
}

uint32_t sequence_draft(struct sequence *sequence, const int32_t *ids, uint32_t count,
                        uint32_t leave)
{
    size_t room = sequence->context - sequence->count;
    if (count > room)
        count = (uint32_t)room;
    while (sequence->page_count < kv_pages_for(sequence->count + count)) {
        uint32_t page =
            kv_cache_spare(sequence->cache) > leave ? kv_cache_take(sequence->cache) : KV_NO_PAGE;
        if (page == KV_NO_PAGE) {
            count = (uint32_t)(sequence->page_count * KV_PAGE_TOKENS - sequence->count);
            break;
        }
        sequence->pages[sequence->page_count++] = page;
    }
    memcpy(sequence->tokens + sequence->count, ids, count * sizeof *ids);
    sequence->count += count;
    return count;
}

void sequence_take_back(struct sequence *sequence, size_t count)
{
    sequence->count = count;
    release_from(sequence, kv_pages_for(count));
}

void sequence_advance(struct sequence *sequence, size_t count)
{
    size_t first = sequence->done / KV_PAGE_TOKENS;
    sequence->done += count;
    for (size_t i = first; i < sequence->done / KV_PAGE_TOKENS; i++)
        sequence->pages[i] =
            kv_cache_publish(sequence->cache, sequence->pages[i], parent_of(sequence, i),
                             sequence->tokens + i * KV_PAGE_TOKENS, KV_PAGE_TOKENS);
}

const int32_t *sequence_tokens(const struct sequence *sequence, size_t *count)
{
    if (count != NULL)
        *count = sequence->count;
    return sequence->tokens;
}

size_t sequence_done(const struct sequence *sequence)
{
    return sequence->done;
}

const uint32_t *sequence_pages(const struct sequence *sequence, size_t *count)
{
    if (count != NULL)
        *count = sequence->page_count;
    return sequence->pages;
}
