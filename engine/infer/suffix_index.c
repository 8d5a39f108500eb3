#include "engine/infer/suffix_index.h"

#include <stdlib.h>

#include "engine/base/alloc.h"

#define ROOT     0
#define NO_STATE UINT32_MAX
#define END_MASK 0x7FFFFFFFu

/* The set of substrings that end in the same places; `length` is the longest one's. */
struct state {
    uint32_t length;
    uint32_t link;         /* the longest suffix that ends in more places; the root has none */
    uint32_t document : 1; /* `end` is in a document */
    uint32_t end : 31;     /* one of the places: how many tokens there are up to it */
    uint32_t edges;        /* a list by `sibling` */
};

/* Edges are found by state and token through a hash table. Number 0 is none. */
struct edge {
    uint32_t from, to;
    int32_t id;
    uint32_t sibling, next; /* of the same state; in the same bucket */
};

struct suffix_index {
    size_t capacity, count;
    bool full; /* more than `capacity` tokens were added */
    int32_t *tokens;
    struct state *states;
    struct edge *edges;
    uint32_t *buckets;
    uint32_t bucket_mask, state_count, edge_count;
    uint32_t last; /* the state of the whole text */
};

static void *allocate(size_t count, size_t bytes)
{
    size_t total;
    return checked_mul(count, bytes, &total) ? alloc_large(total, "drafts", NULL) : NULL;
}

struct suffix_index *suffix_index_create(size_t capacity)
{
    struct suffix_index *index = xcalloc(1, sizeof *index);
    size_t buckets = 16;
    if (capacity > INT32_MAX / 8)
        capacity = INT32_MAX / 8;
    while (buckets < capacity * 2)
        buckets *= 2;
    index->capacity = capacity;
    index->bucket_mask = (uint32_t)buckets - 1;
    index->tokens = allocate(capacity + 1, sizeof *index->tokens);
    index->states = allocate(2 * capacity + 2, sizeof *index->states);
    index->edges = allocate(3 * capacity + 4, sizeof *index->edges);
    index->buckets = allocate(buckets, sizeof *index->buckets);
    if (index->tokens == NULL || index->states == NULL || index->edges == NULL ||
        index->buckets == NULL) {
        suffix_index_free(index);
        return NULL;
    }
    index->states[ROOT].link = NO_STATE;
    index->state_count = 1;
    return index;
}

void suffix_index_free(struct suffix_index *index)
{
    if (index == NULL)
        return;
    free(index->tokens);
    free(index->states);
    free(index->edges);
    free(index->buckets);
    free(index);
}

/* --- edges ------------------------------------------------------------------------------------ */

static uint32_t *bucket_of(const struct suffix_index *index, uint32_t from, int32_t id)
{
    uint32_t hash = from * 0x9E3779B1u ^ (uint32_t)id * 0x85EBCA77u;
    return &index->buckets[(hash ^ hash >> 15) & index->bucket_mask];
}

static struct edge *find_edge(const struct suffix_index *index, uint32_t from, int32_t id)
{
    for (uint32_t at = *bucket_of(index, from, id); at != 0; at = index->edges[at].next)
        if (index->edges[at].from == from && index->edges[at].id == id)
            return &index->edges[at];
    return NULL;
}

static void add_edge(struct suffix_index *index, uint32_t from, int32_t id, uint32_t to)
{
    uint32_t *bucket = bucket_of(index, from, id);
    struct state *state = &index->states[from];
    uint32_t at = ++index->edge_count;
    index->edges[at] = (struct edge){from, to, id, state->edges, *bucket};
    *bucket = state->edges = at;
}

/* --- states ----------------------------------------------------------------------------------- */

/* Where the text ends now; below 2^28, see suffix_index_create. */
static uint32_t here(const struct suffix_index *index)
{
    return (uint32_t)index->count;
}

/* A state for the shorter substrings of `of`, those of at most `length` tokens, which from now on
 * end in more places than the longer ones. `from` and its links led to them. */
static uint32_t split(struct suffix_index *index, uint32_t of, uint32_t length, uint32_t from,
                      int32_t id)
{
    uint32_t clone = index->state_count++;
    struct edge *edge;
    index->states[clone] = index->states[of];
    index->states[clone].length = length;
    index->states[clone].edges = 0;
    for (uint32_t at = index->states[of].edges; at != 0; at = index->edges[at].sibling)
        add_edge(index, clone, index->edges[at].id, index->edges[at].to);
    while (from != NO_STATE && (edge = find_edge(index, from, id)) != NULL && edge->to == of) {
        edge->to = clone;
        from = index->states[from].link;
    }
    index->states[of].link = clone;
    return clone;
}

/* The state of the text with one more token; returns it. */
static uint32_t extend(struct suffix_index *index, int32_t id)
{
    uint32_t whole = index->state_count++, at = index->last;
    struct edge *edge = NULL;
    index->states[whole] = (struct state){.length = here(index), .end = here(index) & END_MASK};
    while (at != NO_STATE && (edge = find_edge(index, at, id)) == NULL) {
        add_edge(index, at, id, whole);
        at = index->states[at].link;
    }
    uint32_t link = ROOT;
    if (edge != NULL) {
        uint32_t length = index->states[at].length + 1;
        link = edge->to;
        if (index->states[link].length != length)
            link = split(index, link, length, at, id);
    }
    index->states[whole].link = link;
    return whole;
}

/* Every suffix of the text has now been seen in a document. Those of a suffix that had been are
 * marked already, so that each state is passed once in all. */
static void mark_document(struct suffix_index *index)
{
    for (uint32_t at = index->last; at != ROOT && !index->states[at].document;
         at = index->states[at].link) {
        index->states[at].document = 1;
        index->states[at].end = here(index) & END_MASK;
    }
}

void suffix_index_add(struct suffix_index *index, int32_t id, bool document)
{
    if (index->count == index->capacity) {
        index->full = true;
        return;
    }
    /* The match so far is about to lie in the past: its latest place is here. */
    struct state *matched = &index->states[index->states[index->last].link];
    if (index->count > 0 && matched != &index->states[ROOT] && !matched->document)
        matched->end = here(index) & END_MASK;
    index->tokens[index->count++] = id;
    index->last = extend(index, id);
    if (document)
        mark_document(index);
}

struct suffix_match suffix_index_match(const struct suffix_index *index)
{
    if (index->count == 0 || index->full)
        return (struct suffix_match){0};
    const struct state *state = &index->states[index->states[index->last].link];
    if (state->end == index->count) /* within a document: marked with this very place */
        return (struct suffix_match){0};
    return (struct suffix_match){state->length, state->end, state->document};
}

const int32_t *suffix_index_tokens(const struct suffix_index *index, size_t *count)
{
    *count = index->count;
    return index->tokens;
}
