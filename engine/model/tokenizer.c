#include "engine/model/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/utf8.h"
#include "engine/model/added_tokens.h"
#include "engine/model/bpe.h"
#include "engine/model/tokenizer_vocab.h"
#include "engine/model/vocab_read.h"

#define SPACE_MARK "\xE2\x96\x81" /* U+2581 */

void token_list_append(struct token_list *list, const int32_t *ids, size_t count)
{
    if (count == 0)
        return;
    if (list->capacity - list->count < count) {
        size_t capacity = list->capacity > 0 ? list->capacity : 64;
        while (capacity < list->count + count)
            capacity *= 2;
        list->ids = xreallocarray(list->ids, capacity, sizeof *list->ids);
        list->capacity = capacity;
    }
    memcpy(list->ids + list->count, ids, count * sizeof *ids);
    list->count += count;
}

void token_list_add(struct token_list *list, int32_t id)
{
    token_list_append(list, &id, 1);
}

void token_list_free(struct token_list *list)
{
    free(list->ids);
    *list = (struct token_list){0};
}

/* --- opening -----------------------------------------------------------------------------------
 */

static int32_t control_id(const struct vocab *vocab, const char *name)
{
    uint32_t id = vocab_special(vocab, name);
    return id != PIECE_NONE && vocab->pieces[id].type == PIECE_CONTROL ? (int32_t)id : -1;
}

/* Many newer checkpoints have only the other library's file. */
static int refuse_missing(const char *directory, const char *path, struct error *error)
{
    char *other = path_join(directory, "tokenizer.json");
    bool there = file_exists(other);
    free(other);
    if (!there)
        return error_set(error, ERROR_INPUT, "%s: not found", path);
    return error_set(error, ERROR_UNSUPPORTED,
                     "%s: not found; tokenizer.json alone is not supported, so put the base "
                     "model's SentencePiece tokenizer.model beside it",
                     path);
}

static int read_all(struct tokenizer *tokenizer, const char *directory, const char *path,
                    uint32_t rows, struct error *error)
{
    struct vocab *vocab = &tokenizer->vocab;
    if (!file_exists(path))
        return refuse_missing(directory, path, error);
    if (vocab_read(vocab, path, rows, error) != 0 ||
        added_tokens_read(vocab, directory, rows, error) != 0 ||
        vocab_finish(vocab, path, error) != 0)
        return -1;
    tokenizer->bos = control_id(vocab, vocab->bos_name);
    tokenizer->eos = control_id(vocab, vocab->eos_name);
    return 0;
}

int tokenizer_open(struct tokenizer **out, const char *directory, uint32_t vocab,
                   struct error *error)
{
    struct tokenizer *tokenizer = xcalloc(1, sizeof *tokenizer);
    char *path = path_join(directory, "tokenizer.model");
    vocab_init(&tokenizer->vocab);
    int result = read_all(tokenizer, directory, path, vocab, error);
    free(path);
    if (result != 0) {
        tokenizer_close(tokenizer);
        return -1;
    }
    *out = tokenizer;
    return 0;
}

void tokenizer_close(struct tokenizer *tokenizer)
{
    if (tokenizer == NULL)
        return;
    vocab_free(&tokenizer->vocab);
    free(tokenizer);
}

/* --- encoding ----------------------------------------------------------------------------------
 */

static void add_space(const struct vocab *vocab, struct strbuf *out)
{
    strbuf_puts(out, vocab->escape_whitespaces ? SPACE_MARK : " ");
}

/* The next unit of raw text: a user-defined piece, a character, or one invalid byte, which reads as
 * U+FFFD. Returns the bytes it takes. */
static size_t next_unit(const struct vocab *vocab, const char *text, size_t length,
                        const char **unit, size_t *unit_length)
{
    size_t size = 0;
    uint32_t code = 0;
    if (vocab->user_defined_count > 0)
        size = vocab_match_user_defined(vocab, text, length);
    bool known = size > 0;
    if (!known)
        size = utf8_decode(text, length, &code);
    bool invalid = !known && code == UTF8_REPLACEMENT && size == 1;
    *unit = invalid ? "\xEF\xBF\xBD" : text;
    *unit_length = invalid ? 3 : size;
    return size;
}

static void add_unit(const struct vocab *vocab, const char *unit, size_t length, struct strbuf *out)
{
    for (size_t i = 0; i < length; i++) {
        if (unit[i] == ' ')
            add_space(vocab, out);
        else
            strbuf_putc(out, unit[i]);
    }
}

static void trim_end(const struct vocab *vocab, struct strbuf *out)
{
    size_t size = vocab->escape_whitespaces ? strlen(SPACE_MARK) : 1;
    const char *space = vocab->escape_whitespaces ? SPACE_MARK : " ";
    while (out->length >= size && memcmp(out->data + out->length - size, space, size) == 0)
        strbuf_remove(out, out->length - size, size);
}

/* The library's normaliser without its tables. Text that continues an earlier run keeps one of its
 * leading spaces, which separates it. */
static void normalize(const struct vocab *vocab, const char *text, size_t length, bool whole,
                      struct strbuf *out)
{
    bool squeeze = vocab->remove_extra_whitespaces;
    if (length == 0)
        return;
    if (whole && vocab->dummy_prefix)
        add_space(vocab, out);
    bool after_space = squeeze && whole;
    for (size_t at = 0; at < length;) {
        const char *unit;
        size_t unit_length;
        at += next_unit(vocab, text + at, length - at, &unit, &unit_length);
        while (after_space && unit_length > 0 && *unit == ' ') {
            unit++;
            unit_length--;
        }
        if (unit_length == 0)
            continue;
        add_unit(vocab, unit, unit_length, out);
        after_space = squeeze && unit[unit_length - 1] == ' ';
    }
    if (squeeze)
        trim_end(vocab, out);
}

void tokenizer_encode(const struct tokenizer *tokenizer, const char *text, size_t length,
                      bool dummy_prefix, struct token_list *out)
{
    struct strbuf normal = {0};
    normalize(&tokenizer->vocab, text, length, dummy_prefix, &normal);
    bpe_encode(&tokenizer->vocab, normal.data, normal.length, out);
    strbuf_free(&normal);
}

/* --- asking ------------------------------------------------------------------------------------
 */

uint32_t tokenizer_size(const struct tokenizer *tokenizer)
{
    return tokenizer->vocab.count;
}

int32_t tokenizer_bos(const struct tokenizer *tokenizer)
{
    return tokenizer->bos;
}

int32_t tokenizer_eos(const struct tokenizer *tokenizer)
{
    return tokenizer->eos;
}

int32_t tokenizer_special(const struct tokenizer *tokenizer, const char *name)
{
    uint32_t id = vocab_special(&tokenizer->vocab, name);
    return id != PIECE_NONE ? (int32_t)id : -1;
}

static bool known(const struct tokenizer *tokenizer, int32_t id)
{
    return id >= 0 && (uint32_t)id < tokenizer->vocab.count;
}

bool tokenizer_is_special(const struct tokenizer *tokenizer, int32_t id)
{
    if (!known(tokenizer, id))
        return true;
    unsigned type = tokenizer->vocab.pieces[id].type;
    return type == PIECE_CONTROL || type == PIECE_UNKNOWN || type == PIECE_ABSENT;
}

const char *tokenizer_piece(const struct tokenizer *tokenizer, int32_t id)
{
    return known(tokenizer, id) ? vocab_text(&tokenizer->vocab, (uint32_t)id) : "";
}
