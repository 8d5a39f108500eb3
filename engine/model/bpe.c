#include "engine/model/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"
#include "engine/model/bpe_queue.h"

/* Positions are 32-bit; a longer text is merged in blocks of this many bytes. */
#define BLOCK_BYTES (1u << 30)

/* In `ids`: a user-defined piece, which takes part in no merge. */
#define FROZEN (PIECE_NONE - 1)

/*
 * Symbols are known by the byte at which they begin. span[] holds a symbol's length at its first
 * and at its last byte, so both neighbours are found without links.
 */
struct merger {
    const struct vocab *vocab;
    const char *text;
    uint32_t length;
    uint32_t *span;
    uint32_t *pair;  /* by first byte: the piece that this symbol and the next make, or none */
    uint32_t *ids;   /* by first byte: the piece it was merged into, none before, or FROZEN */
    uint32_t *split; /* by unused piece: bytes of the left half it was last made of; or NULL */
    struct bpe_queue queue;
    struct token_list *out;
    bool after_unknown;
};

static void merger_init(struct merger *merger, const struct vocab *vocab, uint32_t length)
{
    merger->vocab = vocab;
    merger->span = xreallocarray(NULL, length, sizeof(uint32_t));
    merger->pair = xreallocarray(NULL, length, sizeof(uint32_t));
    merger->ids = xreallocarray(NULL, length, sizeof(uint32_t));
    if (vocab->has_unused)
        merger->split = xcalloc(vocab->count, sizeof(uint32_t));
    bpe_queue_init(&merger->queue, vocab->ranks);
}

static void merger_free(struct merger *merger)
{
    free(merger->span);
    free(merger->pair);
    free(merger->ids);
    free(merger->split);
    bpe_queue_free(&merger->queue);
}

static void set_span(struct merger *merger, uint32_t at, uint32_t length)
{
    merger->span[at] = length;
    merger->span[at + length - 1] = length;
}

/* Characters and user-defined pieces are the first symbols. */
static void split_symbols(struct merger *merger)
{
    for (uint32_t at = 0; at < merger->length;) {
        const char *text = merger->text + at;
        size_t left = merger->length - at, size = 0;
        uint32_t code;
        if (merger->vocab->user_defined_count > 0)
            size = vocab_match_user_defined(merger->vocab, text, left);
        merger->ids[at] = size > 0 ? FROZEN : PIECE_NONE;
        if (size == 0)
            size = utf8_decode(text, left, &code);
        set_span(merger, at, (uint32_t)size);
        at += (uint32_t)size;
    }
}

/* Queues the pair of the symbol at `left` and the next, if the two make a piece. */
static void consider(struct merger *merger, uint32_t left)
{
    const struct vocab *vocab = merger->vocab;
    uint32_t right = left + merger->span[left];
    merger->pair[left] = PIECE_NONE;
    if (right >= merger->length || merger->ids[left] == FROZEN || merger->ids[right] == FROZEN)
        return;
    uint32_t id = vocab_find(vocab, merger->text + left, merger->span[left] + merger->span[right]);
    if (id == PIECE_NONE)
        return;
    merger->pair[left] = id;
    if (vocab->pieces[id].type == PIECE_UNUSED)
        merger->split[id] = merger->span[left];
    bpe_queue_push(&merger->queue, vocab->pieces[id].rank, left);
}

static void merge(struct merger *merger, uint32_t left)
{
    uint32_t right = left + merger->span[left];
    merger->ids[left] = merger->pair[left];
    merger->pair[right] = PIECE_NONE;
    set_span(merger, left, merger->span[left] + merger->span[right]);
    if (left > 0)
        consider(merger, left - merger->span[left - 1]);
    consider(merger, left);
}

/* An entry is out of date when its symbol was merged away or now has another pair. One of the same
 * rank is as good as the newer entry, which comes out next to it. */
static void merge_all(struct merger *merger)
{
    uint32_t rank, left;
    for (uint32_t at = 0; at < merger->length; at += merger->span[at])
        consider(merger, at);
    while (bpe_queue_pop(&merger->queue, &rank, &left)) {
        uint32_t id = merger->pair[left];
        if (id != PIECE_NONE && merger->vocab->pieces[id].rank == rank)
            merge(merger, left);
    }
}

static void emit_unknown(struct merger *merger, const char *text, uint32_t length)
{
    if (!merger->vocab->byte_fallback) {
        if (!merger->after_unknown)
            token_list_add(merger->out, (int32_t)merger->vocab->unknown);
        merger->after_unknown = true;
        return;
    }
    for (uint32_t i = 0; i < length; i++)
        token_list_add(merger->out, (int32_t)merger->vocab->bytes[(unsigned char)text[i]]);
}

/* Unused pieces serve only as steps of merging and come apart again. At most PIECE_BYTES_MAX deep,
 * as both halves are shorter. */
static void emit(struct merger *merger, const char *text, uint32_t length)
{
    const struct vocab *vocab = merger->vocab;
    uint32_t id = vocab_find(vocab, text, length);
    if (id == PIECE_NONE) {
        emit_unknown(merger, text, length);
        return;
    }
    merger->after_unknown = false;
    uint32_t left = vocab->pieces[id].type == PIECE_UNUSED ? merger->split[id] : 0;
    if (left == 0) {
        token_list_add(merger->out, (int32_t)id);
        return;
    }
    emit(merger, text, left);
    emit(merger, text + left, length - left);
}

static void encode_block(struct merger *merger)
{
    split_symbols(merger);
    merge_all(merger);
    for (uint32_t at = 0; at < merger->length; at += merger->span[at])
        emit(merger, merger->text + at, merger->span[at]);
}

void bpe_encode(const struct vocab *vocab, const char *text, size_t length, struct token_list *out)
{
    if (length == 0)
        return;
    struct merger merger = {.out = out};
    merger_init(&merger, vocab, (uint32_t)(length < BLOCK_BYTES ? length : BLOCK_BYTES));
    while (length > 0) {
        size_t block = length < BLOCK_BYTES ? length : utf8_whole(text, BLOCK_BYTES);
        merger.text = text;
        merger.length = (uint32_t)block;
        encode_block(&merger);
        text += block;
        length -= block;
    }
    merger_free(&merger);
}
