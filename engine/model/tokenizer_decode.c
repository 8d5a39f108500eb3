/* INTERIM (from the lead, so that others can run): the tokenizer engineer overwrites or deletes tokenizer.c, tokenizer_{encode,decode,model,private}.[ch]; keep whichever is better, not both. */
/*
 * tokenizer_decode.c - ids -> text, whole and streaming.
 */
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"
#include "engine/model/tokenizer_private.h"

#define SPACE_SYMBOL "\xE2\x96\x81" /* U+2581 */

void token_list_add(struct token_list *list, int32_t id)
{
    token_list_append(list, &id, 1);
}

void token_list_append(struct token_list *list, const int32_t *ids, size_t count)
{
    if (list->count + count > list->capacity) {
        size_t capacity = list->capacity ? list->capacity : 16;
        while (capacity < list->count + count)
            capacity *= 2;
        list->ids = xreallocarray(list->ids, capacity, sizeof *list->ids);
        list->capacity = capacity;
    }
    if (count > 0)
        memcpy(list->ids + list->count, ids, count * sizeof *ids);
    list->count += count;
}

void token_list_free(struct token_list *list)
{
    free(list->ids);
    *list = (struct token_list){0};
}

/* Appends bytes, each invalid one as U+FFFD; all but an unfinished sequence at the end when
 * `keep_unfinished`. Returns the bytes used. */
static size_t add_bytes(const char *bytes, size_t length, bool keep_unfinished,
                        struct strbuf *out)
{
    size_t at = 0, usable = keep_unfinished ? utf8_whole(bytes, length) : length;
    while (at < usable) {
        uint32_t code;
        char character[4];
        at += utf8_decode(bytes + at, usable - at, &code);
        strbuf_add(out, character, utf8_encode(code, character));
    }
    return at;
}

static void add_piece(const char *piece, size_t length, struct strbuf *out)
{
    for (size_t i = 0; i < length;) {
        if (length - i >= 3 && memcmp(piece + i, SPACE_SYMBOL, 3) == 0) {
            strbuf_putc(out, ' ');
            i += 3;
        } else {
            strbuf_putc(out, piece[i++]);
        }
    }
}

static const struct piece *piece_of(const struct tokenizer *t, int32_t id)
{
    return id >= 0 && (uint32_t)id < t->model.count ? &t->model.pieces[id] : NULL;
}

void token_decoder_flush(struct token_decoder *decoder, struct strbuf *out)
{
    add_bytes(decoder->pending, decoder->pending_length, false, out);
    decoder->pending_length = 0;
}

static void push_byte(struct token_decoder *decoder, char byte, struct strbuf *out)
{
    decoder->pending[decoder->pending_length++] = byte;
    size_t used = add_bytes(decoder->pending, decoder->pending_length, true, out);
    decoder->pending_length -= used;
    memmove(decoder->pending, decoder->pending + used, decoder->pending_length);
}

void token_decoder_push(struct token_decoder *decoder, const struct tokenizer *t, int32_t id,
                        struct strbuf *out)
{
    const struct piece *piece = piece_of(t, id);
    if (piece == NULL || piece->type == PIECE_CONTROL)
        return;
    if (piece->type == PIECE_BYTE) {
        decoder->strip_leading_space &= piece->byte != ' ';
        push_byte(decoder, (char)piece->byte, out);
        return;
    }
    token_decoder_flush(decoder, out);
    if (piece->type == PIECE_UNKNOWN) {
        strbuf_puts(out, t->model.unknown_surface);
    } else {
        const char *text = piece_text(&t->model, (uint32_t)id);
        size_t skip = decoder->strip_leading_space && piece->length >= 3 &&
                              memcmp(text, SPACE_SYMBOL, 3) == 0
                          ? 3
                          : 0;
        add_piece(text + skip, piece->length - skip, out);
    }
    decoder->strip_leading_space = false;
}

/* The library drops the white space that encoding may have put in front: one dummy space, or, when
 * extra white space is removed, whatever stands before the first text. */
void tokenizer_decode(const struct tokenizer *t, const int32_t *ids, size_t count,
                      struct strbuf *out)
{
    bool strips = t->model.add_dummy_prefix || t->model.remove_extra_whitespaces;
    bool stripped = false; /* the dummy space has been seen */
    size_t begin = out->length;
    struct token_decoder decoder = {0};
    for (size_t i = 0; i < count; i++) {
        const struct piece *piece = piece_of(t, ids[i]);
        if (piece != NULL && piece->type != PIECE_BYTE)
            token_decoder_flush(&decoder, out);
        bool first = strips && !stripped && out->length == begin &&
                     (piece == NULL || piece->type != PIECE_BYTE) && decoder.pending_length == 0;
        decoder.strip_leading_space = first;
        bool has_space = piece != NULL && piece->type != PIECE_CONTROL && piece->length >= 3 &&
                         memcmp(piece_text(&t->model, (uint32_t)ids[i]), SPACE_SYMBOL, 3) == 0;
        token_decoder_push(&decoder, t, ids[i], out);
        if (first)
            stripped = has_space && !t->model.remove_extra_whitespaces;
    }
    token_decoder_flush(&decoder, out);
}
