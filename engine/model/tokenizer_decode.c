#include "engine/model/tokenizer.h"

#include <string.h>

#include "engine/base/utf8.h"
#include "engine/model/tokenizer_vocab.h"

#define SPACE_MARK  "\xE2\x96\x81" /* U+2581 */
#define REPLACEMENT "\xEF\xBF\xBD"

/* --- bytes: whole characters only --------------------------------------------------------------
 */

/* Releases what the pending bytes begin with, and U+FFFD for each byte that cannot begin anything;
 * `end`: nothing will follow. */
static void release(struct token_decoder *decoder, bool end, struct strbuf *out)
{
    while (decoder->pending_length > 0) {
        uint32_t code;
        size_t size = utf8_decode(decoder->pending, decoder->pending_length, &code);
        bool invalid = code == UTF8_REPLACEMENT && size == 1;
        if (invalid && !end && utf8_whole(decoder->pending, decoder->pending_length) == 0)
            return;
        if (invalid)
            strbuf_puts(out, REPLACEMENT);
        else
            strbuf_add(out, decoder->pending, size);
        decoder->pending_length -= size;
        memmove(decoder->pending, decoder->pending + size, decoder->pending_length);
    }
}

/* --- pieces ------------------------------------------------------------------------------------
 */

/* A piece as text, spaces for U+2581. */
static void add_spaced(const char *piece, struct strbuf *out)
{
    for (const char *mark; (mark = strstr(piece, SPACE_MARK)) != NULL;) {
        strbuf_add(out, piece, (size_t)(mark - piece));
        strbuf_putc(out, ' ');
        piece = mark + strlen(SPACE_MARK);
    }
    strbuf_puts(out, piece);
}

/* What a piece that is not a byte shows. */
static void add_piece(const struct vocab *vocab, uint32_t id, struct strbuf *out)
{
    switch (vocab->pieces[id].type) {
    case PIECE_CONTROL:
    case PIECE_ABSENT:
        return;
    case PIECE_UNKNOWN:
        strbuf_puts(out, vocab->unknown_text);
        return;
    case PIECE_ADDED:
        strbuf_puts(out, vocab_text(vocab, id));
        return;
    default:
        add_spaced(vocab_text(vocab, id), out);
    }
}

/* Appends what the id adds, bytes through the decoder's pending ones; false: out of range. */
static bool push(struct token_decoder *decoder, const struct vocab *vocab, int32_t id,
                 struct strbuf *out)
{
    if (id < 0 || (uint32_t)id >= vocab->count)
        return false;
    const struct piece *piece = &vocab->pieces[id];
    if (piece->type == PIECE_BYTE) {
        decoder->pending[decoder->pending_length++] = (char)piece->byte;
        release(decoder, false, out);
        return true;
    }
    release(decoder, true, out);
    add_piece(vocab, (uint32_t)id, out);
    return true;
}

/* --- a whole list ------------------------------------------------------------------------------
 */

static bool spaced(const struct vocab *vocab, int32_t id)
{
    if (id < 0 || (uint32_t)id >= vocab->count)
        return false;
    unsigned type = vocab->pieces[id].type;
    return (type == PIECE_NORMAL || type == PIECE_USER_DEFINED || type == PIECE_UNUSED) &&
           strncmp(vocab_text(vocab, (uint32_t)id), SPACE_MARK, strlen(SPACE_MARK)) == 0;
}

void tokenizer_decode(const struct tokenizer *tokenizer, const int32_t *ids, size_t count,
                      struct strbuf *out)
{
    const struct vocab *vocab = &tokenizer->vocab;
    struct token_decoder decoder = {0};
    size_t begin = out->length;
    /* The library drops the space of the first piece that shows anything, and when it squeezes
     * spaces, of every piece until something is shown. */
    bool strip = vocab->dummy_prefix || vocab->remove_extra_whitespaces;
    for (size_t i = 0; i < count; i++) {
        size_t before = out->length;
        bool first = before == begin && decoder.pending_length == 0;
        push(&decoder, vocab, ids[i], out);
        if (!strip || !first || !spaced(vocab, ids[i]))
            continue;
        strbuf_remove(out, before, 1);
        strip = vocab->remove_extra_whitespaces;
    }
    release(&decoder, true, out);
}

/* --- streaming ---------------------------------------------------------------------------------
 */

static void strip_space(struct token_decoder *decoder, struct strbuf *out, size_t before)
{
    if (!decoder->strip_leading_space || out->length == before)
        return;
    decoder->strip_leading_space = false;
    if (out->data[before] == ' ')
        strbuf_remove(out, before, 1);
}

void token_decoder_push(struct token_decoder *decoder, const struct tokenizer *tokenizer,
                        int32_t id, struct strbuf *out)
{
    size_t before = out->length;
    push(decoder, &tokenizer->vocab, id, out);
    strip_space(decoder, out, before);
}

void token_decoder_flush(struct token_decoder *decoder, struct strbuf *out)
{
    size_t before = out->length;
    release(decoder, true, out);
    strip_space(decoder, out, before);
}
