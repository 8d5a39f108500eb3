#include "engine/model/vocab.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"

void vocab_init(struct vocab *vocab)
{
    *vocab = (struct vocab){.dummy_prefix = true,
                            .remove_extra_whitespaces = true,
                            .escape_whitespaces = true,
                            .unknown = PIECE_NONE};
    vocab->bos_name = xstrdup("<s>");
    vocab->eos_name = xstrdup("</s>");
    vocab->unknown_text = xstrdup(" \xE2\x81\x87 ");
    if (getrandom(&vocab->seed, sizeof vocab->seed, GRND_NONBLOCK) != sizeof vocab->seed)
        vocab->seed = (uint64_t)time(NULL) * 0x9E3779B97F4A7C15u;
}

void vocab_free(struct vocab *vocab)
{
    for (size_t i = 0; i < vocab->alias_count; i++)
        free(vocab->aliases[i].name);
    free(vocab->aliases);
    free(vocab->pieces);
    strbuf_free(&vocab->texts);
    free(vocab->bos_name);
    free(vocab->eos_name);
    free(vocab->unknown_text);
    free(vocab->slots);
    free(vocab->user_defined);
    *vocab = (struct vocab){0};
}

const char *vocab_text(const struct vocab *vocab, uint32_t id)
{
    return vocab->texts.data + vocab->pieces[id].text;
}

static bool text_valid(const char *text, size_t length)
{
    for (size_t i = 0; i < length;) {
        uint32_t code;
        size_t size = utf8_decode(text + i, length - i, &code);
        if (code == 0 || (code == UTF8_REPLACEMENT && size == 1))
            return false;
        i += size;
    }
    return true;
}

/* "<0x41>" -> 0x41, only in just this form; -1 for anything else. */
static int byte_of(const char *text, size_t length)
{
    static const char digits[] = "0123456789ABCDEF";
    if (length != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    const char *high = memchr(digits, text[3], 16), *low = memchr(digits, text[4], 16);
    return high != NULL && low != NULL ? (int)((high - digits) * 16 + (low - digits)) : -1;
}

static void append(struct vocab *vocab, const char *text, size_t length, struct piece piece)
{
    if (vocab->count == vocab->capacity) {
        vocab->capacity = vocab->capacity > 0 ? vocab->capacity * 2 : 1024;
        vocab->pieces = xreallocarray(vocab->pieces, vocab->capacity, sizeof *vocab->pieces);
    }
    piece.text = (uint32_t)vocab->texts.length;
    piece.length = (uint16_t)length;
    strbuf_add(&vocab->texts, text, length);
    strbuf_putc(&vocab->texts, '\0');
    vocab->pieces[vocab->count++] = piece;
}

int vocab_add(struct vocab *vocab, const char *text, size_t length, float score,
              enum piece_type type, const char *what, struct error *error)
{
    if (vocab->count >= VOCAB_PIECES_MAX)
        return error_set(error, ERROR_INPUT, "%s: more than %u pieces", what, VOCAB_PIECES_MAX);
    if (type != PIECE_ABSENT && (length == 0 || length > PIECE_BYTES_MAX))
        return error_set(error, ERROR_INPUT, "%s: piece of %zu bytes; must be 1 to %d", what,
                         length, PIECE_BYTES_MAX);
    if (!text_valid(text, length))
        return error_set(error, ERROR_INPUT, "%s: piece is not valid UTF-8, or contains NUL", what);
    int byte = type == PIECE_BYTE ? byte_of(text, length) : 0;
    if (byte < 0)
        return error_set(error, ERROR_INPUT, "%s: byte piece is not of the form <0x41>", what);
    append(vocab, text, length,
           (struct piece){.type = (uint8_t)type, .byte = (uint8_t)byte, .score = score});
    return 0;
}

void vocab_add_alias(struct vocab *vocab, const char *name, uint32_t id)
{
    vocab->aliases = xreallocarray(vocab->aliases, vocab->alias_count + 1, sizeof *vocab->aliases);
    vocab->aliases[vocab->alias_count++] = (struct alias){xstrdup(name), id};
}

/* --- looking up --------------------------------------------------------------------------------
 */

static uint64_t mix(uint64_t hash)
{
    hash ^= hash >> 32;
    hash *= 0xD6E8FEB86659FD93u;
    hash ^= hash >> 29;
    return hash * 0x9E3779B97F4A7C15u;
}

static uint32_t hash_of(const struct vocab *vocab, const char *text, size_t length)
{
    uint64_t hash = vocab->seed ^ length, word;
    for (; length >= 8; text += 8, length -= 8) {
        memcpy(&word, text, 8);
        hash = mix(hash ^ word) + vocab->seed;
    }
    word = 0;
    for (size_t i = 0; i < length; i++)
        word = word << 8 | (unsigned char)text[i];
    hash = mix(hash ^ word);
    return (uint32_t)(hash >> 32);
}

/* The slot that holds this text, or the empty one where it belongs. */
static uint32_t *slot_of(const struct vocab *vocab, const char *text, size_t length)
{
    uint32_t at = hash_of(vocab, text, length) & vocab->slot_mask;
    for (;; at = (at + 1) & vocab->slot_mask) {
        uint32_t id = vocab->slots[at];
        if (id == PIECE_NONE || (vocab->pieces[id].length == length &&
                                 memcmp(vocab_text(vocab, id), text, length) == 0))
            return &vocab->slots[at];
    }
}

static bool from_text(const struct piece *piece)
{
    return piece->type == PIECE_NORMAL || piece->type == PIECE_USER_DEFINED ||
           piece->type == PIECE_UNUSED;
}

/* All pieces share one table, since no two may be spelled alike. */
uint32_t vocab_find(const struct vocab *vocab, const char *text, size_t length)
{
    if (length > vocab->longest)
        return PIECE_NONE;
    uint32_t id = *slot_of(vocab, text, length);
    return id != PIECE_NONE && from_text(&vocab->pieces[id]) ? id : PIECE_NONE;
}

uint32_t vocab_special(const struct vocab *vocab, const char *name)
{
    for (size_t i = 0; i < vocab->alias_count; i++) {
        if (strcmp(vocab->aliases[i].name, name) == 0)
            return vocab->aliases[i].id;
    }
    uint32_t id = *slot_of(vocab, name, strlen(name));
    if (id == PIECE_NONE || from_text(&vocab->pieces[id]) || vocab->pieces[id].type == PIECE_BYTE)
        return PIECE_NONE;
    return id;
}

/* The first of user_defined[low..high) whose byte at `depth` is at least `byte`; they all share
 * what stands before it. A text that ends there sorts first, as its NUL does. */
static uint32_t narrow(const struct vocab *vocab, uint32_t low, uint32_t high, size_t depth,
                       unsigned byte)
{
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const char *text = vocab_text(vocab, vocab->user_defined[middle]);
        if ((unsigned char)text[depth] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

size_t vocab_match_user_defined(const struct vocab *vocab, const char *text, size_t length)
{
    uint32_t low = 0, high = vocab->user_defined_count;
    size_t best = 0;
    for (size_t depth = 0; depth < length && low < high; depth++) {
        unsigned byte = (unsigned char)text[depth];
        if (byte == 0)
            break;
        low = narrow(vocab, low, high, depth, byte);
        high = narrow(vocab, low, high, depth, byte + 1);
        if (low < high && vocab->pieces[vocab->user_defined[low]].length == depth + 1)
            best = depth + 1;
    }
    return best;
}

/* --- finishing ---------------------------------------------------------------------------------
 */

static int build_slots(struct vocab *vocab, const char *source, struct error *error)
{
    uint32_t slots = 1024;
    while (slots < vocab->count * 2)
        slots *= 2;
    vocab->slot_mask = slots - 1;
    vocab->slots = xreallocarray(NULL, slots, sizeof *vocab->slots);
    memset(vocab->slots, 0xFF, slots * sizeof *vocab->slots);
    for (uint32_t id = 0; id < vocab->count; id++) {
        const struct piece *piece = &vocab->pieces[id];
        if (piece->type == PIECE_ABSENT)
            continue;
        uint32_t *slot = slot_of(vocab, vocab_text(vocab, id), piece->length);
        if (*slot != PIECE_NONE)
            return error_set(error, ERROR_INPUT, "%s: pieces %u and %u are spelled alike", source,
                             *slot, id);
        *slot = id;
        if (from_text(piece) && piece->length > vocab->longest)
            vocab->longest = piece->length;
        vocab->has_unused |= piece->type == PIECE_UNUSED;
    }
    return 0;
}

static int check_types(struct vocab *vocab, const char *source, struct error *error)
{
    memset(vocab->bytes, 0xFF, sizeof vocab->bytes);
    for (uint32_t id = 0; id < vocab->count; id++) {
        const struct piece *piece = &vocab->pieces[id];
        if (piece->type == PIECE_UNKNOWN && vocab->unknown != PIECE_NONE)
            return error_set(error, ERROR_INPUT, "%s: pieces %u and %u are both UNKNOWN", source,
                             vocab->unknown, id);
        if (piece->type == PIECE_BYTE && !vocab->byte_fallback)
            return error_set(error, ERROR_INPUT,
                             "%s: piece %u is a byte piece, but byte_fallback is off", source, id);
        if (piece->type == PIECE_UNKNOWN)
            vocab->unknown = id;
        if (piece->type == PIECE_BYTE)
            vocab->bytes[piece->byte] = id;
    }
    if (vocab->unknown == PIECE_NONE)
        return error_set(error, ERROR_INPUT, "%s: there is no UNKNOWN piece", source);
    for (unsigned i = 0; i < 256 && vocab->byte_fallback; i++) {
        if (vocab->bytes[i] == PIECE_NONE)
            return error_set(error, ERROR_INPUT,
                             "%s: byte piece <0x%02X> is missing, but byte_fallback is on", source,
                             i);
    }
    return 0;
}

static int by_score(const void *a, const void *b, void *user)
{
    const struct piece *pieces = user;
    float left = pieces[*(const uint32_t *)a].score, right = pieces[*(const uint32_t *)b].score;
    return (left < right) - (left > right);
}

static void build_ranks(struct vocab *vocab, uint32_t *order)
{
    for (uint32_t i = 0; i < vocab->count; i++)
        order[i] = i;
    qsort_r(order, vocab->count, sizeof *order, by_score, vocab->pieces);
    for (uint32_t i = 0; i < vocab->count; i++) {
        struct piece *piece = &vocab->pieces[order[i]];
        if (i > 0 && vocab->pieces[order[i - 1]].score > piece->score)
            vocab->ranks++;
        piece->rank = vocab->ranks;
    }
    vocab->ranks++;
}

static int by_text(const void *a, const void *b, void *user)
{
    const struct vocab *vocab = user;
    return strcmp(vocab_text(vocab, *(const uint32_t *)a), vocab_text(vocab, *(const uint32_t *)b));
}

static void build_user_defined(struct vocab *vocab)
{
    vocab->user_defined = xreallocarray(NULL, vocab->count, sizeof(uint32_t));
    for (uint32_t id = 0; id < vocab->count; id++) {
        if (vocab->pieces[id].type == PIECE_USER_DEFINED)
            vocab->user_defined[vocab->user_defined_count++] = id;
    }
    qsort_r(vocab->user_defined, vocab->user_defined_count, sizeof(uint32_t), by_text, vocab);
}

int vocab_finish(struct vocab *vocab, const char *source, struct error *error)
{
    if (build_slots(vocab, source, error) != 0 || check_types(vocab, source, error) != 0)
        return -1;
    uint32_t *order = xreallocarray(NULL, vocab->count, sizeof *order);
    build_ranks(vocab, order);
    free(order);
    build_user_defined(vocab);
    return 0;
}
