/* INTERIM (from the lead, so that others can run): the tokenizer engineer overwrites or deletes tokenizer.c, tokenizer_{encode,decode,model,private}.[ch]; keep whichever is better, not both. */
/*
 * tokenizer_encode.c - text -> ids: normalise, split into characters, merge the best pair until
 * none is left.
 *
 * The pair with the best score merges first, the leftmost of equals. Candidates wait in one bucket
 * per score, so that the usual case costs no comparisons: within a bucket they arrive mostly from
 * left to right, and a sorted list is a queue. When one arrives out of order, the list (sorted, so
 * a valid heap already) goes on as a binary heap until it is empty.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"
#include "engine/model/tokenizer_private.h"

#define SPACE_SYMBOL "\xE2\x96\x81" /* U+2581 */
#define NOTHING      UINT32_MAX

/* --- normalising ------------------------------------------------------------------------------ */

/* Takes one unit of the input: a user-defined piece, a character, or an invalid byte. Returns the
 * bytes taken; *unit and *unit_length are what stands for it. */
static size_t next_unit(const struct tokenizer *t, const char *text, size_t length,
                        const char **unit, size_t *unit_length)
{
    size_t taken = tokenizer_defined_prefix(t, text, length);
    *unit = text;
    *unit_length = taken;
    if (taken > 0)
        return taken;
    uint32_t code;
    taken = *unit_length = utf8_decode(text, length, &code);
    if (code == UTF8_REPLACEMENT && taken == 1) {
        *unit = "\xEF\xBF\xBD";
        *unit_length = 3;
    }
    return taken;
}

static size_t skip_spaces(const struct tokenizer *t, const char *text, size_t length)
{
    size_t at = 0;
    while (at < length && text[at] == ' ') {
        const char *unit;
        size_t unit_length, taken = next_unit(t, text + at, length - at, &unit, &unit_length);
        if (unit_length != 1)
            break;
        at += taken;
    }
    return at;
}

/* Appends a unit with its spaces escaped; leading ones are dropped after a space when extra white
 * space is removed. */
static bool add_unit(const struct tokenizer *t, const char *unit, size_t length,
                     bool previous_space, struct strbuf *out)
{
    while (previous_space && length > 0 && *unit == ' ') {
        unit++;
        length--;
    }
    for (size_t i = 0; i < length; i++) {
        if (unit[i] == ' ' && t->model.escape_whitespaces)
            strbuf_puts(out, SPACE_SYMBOL);
        else
            strbuf_putc(out, unit[i]);
    }
    return length > 0 ? unit[length - 1] == ' ' : previous_space;
}

void tokenizer_normalize(const struct tokenizer *t, const char *text, size_t length,
                         bool dummy_prefix, struct strbuf *out)
{
    const char *space = t->model.escape_whitespaces ? SPACE_SYMBOL : " ";
    bool trim = t->model.remove_extra_whitespaces;
    size_t at = trim ? skip_spaces(t, text, length) : 0;
    if (at == length)
        return;
    if (dummy_prefix && t->model.add_dummy_prefix)
        strbuf_puts(out, space);
    bool previous_space = trim;
    while (at < length) {
        const char *unit;
        size_t unit_length;
        at += next_unit(t, text + at, length - at, &unit, &unit_length);
        previous_space = add_unit(t, unit, unit_length, previous_space, out) && trim;
    }
    size_t width = strlen(space);
    while (trim && out->length >= width &&
           memcmp(out->data + out->length - width, space, width) == 0)
        strbuf_remove(out, out->length - width, width);
}

/* --- merging ---------------------------------------------------------------------------------- */

struct symbol {
    uint32_t start, size; /* bytes of the normalised text; size 0: merged into its left */
    uint32_t previous, next;
    bool frozen; /* a user-defined piece: never merged */
};

/* Two neighbours that form a piece: the left one, and the bytes of both when they met. */
struct pair {
    uint32_t left, size;
};

struct bucket {
    struct pair *pairs; /* [head .. count) */
    uint32_t head, count, capacity;
    bool heap;
};

struct merger {
    const struct tokenizer *tokenizer;
    const char *text;
    struct symbol *symbols;
    struct bucket *buckets; /* [rank_count], zeroed: only those that are touched cost anything */
    uint32_t *ranks;        /* a heap of the ranks whose buckets are not empty */
    uint32_t rank_count, rank_capacity;
    uint32_t *splits; /* [pieces] bytes of the left half an UNUSED piece was made of; or NULL */
};

static void heap_up(struct pair *pairs, uint32_t at)
{
    while (at > 0 && pairs[at].left < pairs[(at - 1) / 2].left) {
        struct pair kept = pairs[at];
        pairs[at] = pairs[(at - 1) / 2];
        pairs[(at - 1) / 2] = kept;
        at = (at - 1) / 2;
    }
}

static void heap_down(struct pair *pairs, uint32_t count)
{
    for (uint32_t at = 0;;) {
        uint32_t child = 2 * at + 1;
        if (child >= count)
            return;
        if (child + 1 < count && pairs[child + 1].left < pairs[child].left)
            child++;
        if (pairs[at].left <= pairs[child].left)
            return;
        struct pair kept = pairs[at];
        pairs[at] = pairs[child];
        pairs[child] = kept;
        at = child;
    }
}

static void ranks_push(struct merger *m, uint32_t rank)
{
    if (m->rank_count == m->rank_capacity) {
        m->rank_capacity = m->rank_capacity ? 2 * m->rank_capacity : 64;
        m->ranks = xreallocarray(m->ranks, m->rank_capacity, sizeof *m->ranks);
    }
    uint32_t at = m->rank_count++;
    while (at > 0 && rank < m->ranks[(at - 1) / 2]) {
        m->ranks[at] = m->ranks[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    m->ranks[at] = rank;
}

static void ranks_pop(struct merger *m)
{
    uint32_t last = m->ranks[--m->rank_count], at = 0;
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= m->rank_count)
            break;
        if (child + 1 < m->rank_count && m->ranks[child + 1] < m->ranks[child])
            child++;
        if (last <= m->ranks[child])
            break;
        m->ranks[at] = m->ranks[child];
        at = child;
    }
    m->ranks[at] = last;
}

static void bucket_push(struct merger *m, uint32_t rank, struct pair pair)
{
    struct bucket *b = &m->buckets[rank];
    if (b->head == b->count) {
        b->head = b->count = 0;
        b->heap = false;
        ranks_push(m, rank);
    }
    if (!b->heap && b->count > b->head && pair.left < b->pairs[b->count - 1].left) {
        memmove(b->pairs, b->pairs + b->head, (b->count - b->head) * sizeof *b->pairs);
        b->count -= b->head;
        b->head = 0;
        b->heap = true;
    }
    if (b->count == b->capacity) {
        b->capacity = b->capacity ? 2 * b->capacity : 8;
        b->pairs = xreallocarray(b->pairs, b->capacity, sizeof *b->pairs);
    }
    b->pairs[b->count++] = pair;
    if (b->heap)
        heap_up(b->pairs, b->count - 1);
}

/* The best pair of all; false when there is none. */
static bool take_best(struct merger *m, struct pair *pair)
{
    if (m->rank_count == 0)
        return false;
    struct bucket *b = &m->buckets[m->ranks[0]];
    *pair = b->pairs[b->head];
    if (b->heap) {
        b->pairs[0] = b->pairs[--b->count];
        heap_down(b->pairs, b->count);
    } else {
        b->head++;
    }
    if (b->head == b->count) {
        ranks_pop(m);
        free(b->pairs);
        *b = (struct bucket){0};
    }
    return true;
}

static void consider(struct merger *m, uint32_t left)
{
    if (left == NOTHING || m->symbols[left].next == NOTHING)
        return;
    const struct symbol *l = &m->symbols[left], *r = &m->symbols[l->next];
    if (l->frozen || r->frozen)
        return;
    const struct tokenizer *t = m->tokenizer;
    int32_t id = tokenizer_lookup(t, m->text + l->start, l->size + r->size);
    if (id < 0)
        return;
    if (t->model.pieces[id].type == PIECE_UNUSED) {
        if (m->splits == NULL)
            m->splits = xcalloc(t->model.count, sizeof *m->splits);
        m->splits[id] = l->size;
    }
    bucket_push(m, t->rank[id], (struct pair){left, l->size + r->size});
}

static uint32_t split_symbols(struct merger *m, size_t length)
{
    uint32_t count = 0;
    m->symbols = xreallocarray(NULL, length, sizeof *m->symbols);
    for (size_t at = 0; at < length; count++) {
        size_t size = tokenizer_defined_prefix(m->tokenizer, m->text + at, length - at);
        bool frozen = size > 0;
        uint32_t code;
        if (!frozen)
            size = utf8_decode(m->text + at, length - at, &code);
        m->symbols[count] = (struct symbol){(uint32_t)at, (uint32_t)size, count - 1, count + 1,
                                            frozen};
        at += size;
    }
    m->symbols[0].previous = NOTHING;
    m->symbols[count - 1].next = NOTHING;
    return count;
}

static void merge_all(struct merger *m, uint32_t count)
{
    for (uint32_t i = 0; i + 1 < count; i++)
        consider(m, i);
    struct pair pair;
    while (take_best(m, &pair)) {
        struct symbol *left = &m->symbols[pair.left];
        if (left->size == 0 || left->next == NOTHING ||
            left->size + m->symbols[left->next].size != pair.size)
            continue; /* one of the two has merged with another since */
        struct symbol *right = &m->symbols[left->next];
        left->size = pair.size;
        left->next = right->next;
        right->size = 0;
        if (left->next != NOTHING)
            m->symbols[left->next].previous = pair.left;
        consider(m, left->previous);
        consider(m, pair.left);
    }
}

/* --- output ----------------------------------------------------------------------------------- */

static void add_unknown(const struct merger *m, const char *text, size_t length, bool *unknown,
                        struct token_list *out)
{
    const struct tokenizer_model *model = &m->tokenizer->model;
    if (model->byte_fallback) {
        for (size_t i = 0; i < length; i++)
            token_list_add(out, model->byte_ids[(unsigned char)text[i]]);
    } else if (!*unknown) { /* a run of unknown characters is one unknown piece */
        token_list_add(out, model->unknown_id);
    }
    *unknown = true;
}

/* One merged symbol. An UNUSED piece is taken apart again the way it was put together; the depth
 * is at most the characters of a piece, and each half is shorter. */
static void add_symbol(const struct merger *m, const char *text, size_t length, bool *unknown,
                       struct token_list *out)
{
    int32_t id = tokenizer_lookup(m->tokenizer, text, length);
    if (id < 0) {
        add_unknown(m, text, length, unknown, out);
        return;
    }
    uint32_t split = m->splits != NULL ? m->splits[id] : 0;
    if (m->tokenizer->model.pieces[id].type == PIECE_UNUSED && split > 0) {
        add_symbol(m, text, split, unknown, out);
        add_symbol(m, text + split, length - split, unknown, out);
        return;
    }
    token_list_add(out, id);
    *unknown = false;
}

static void merger_free(struct merger *m)
{
    free(m->symbols);
    free(m->buckets); /* each bucket was emptied, and freed then */
    free(m->ranks);
    free(m->splits);
}

void tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length,
                      bool dummy_prefix, struct token_list *out)
{
    struct strbuf normal = {0};
    tokenizer_normalize(tokenizer, text, length, dummy_prefix, &normal);
    if (normal.length > 0) {
        struct merger merger = {.tokenizer = tokenizer, .text = normal.data};
        merger.buckets = xcalloc(tokenizer->rank_count, sizeof *merger.buckets);
        uint32_t count = split_symbols(&merger, normal.length);
        merge_all(&merger, count);
        bool unknown = false;
        for (uint32_t i = 0; i != NOTHING; i = merger.symbols[i].next)
            add_symbol(&merger, normal.data + merger.symbols[i].start, merger.symbols[i].size,
                       &unknown, out);
        merger_free(&merger);
    }
    strbuf_free(&normal);
}
