/* INTERIM (from the lead, so that others can run): the tokenizer engineer overwrites or deletes tokenizer.c, tokenizer_{encode,decode,model,private}.[ch]; keep whichever is better, not both. */
#include "engine/model/tokenizer.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/model/tokenizer_private.h"

#define ADDED_BYTES_MAX (32u << 20)

/* --- the table of pieces ---------------------------------------------------------------------- */

static bool from_text(const struct piece *piece)
{
    return piece->type == PIECE_NORMAL || piece->type == PIECE_USER_DEFINED ||
           piece->type == PIECE_UNUSED;
}

/* FNV-1a */
static uint32_t hash_text(const char *text, size_t length)
{
    uint32_t hash = 0x811C9DC5u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x01000193u;
    return hash ^ hash >> 15;
}

/* The place where the text stands, or the empty one where it would. */
static uint32_t find_slot(const struct tokenizer *t, const char *text, size_t length)
{
    uint32_t slot = hash_text(text, length) & t->table_mask;
    while (t->table[slot] >= 0) {
        const struct piece *piece = &t->model.pieces[t->table[slot]];
        if (piece->length == length &&
            memcmp(piece_text(&t->model, (uint32_t)t->table[slot]), text, length) == 0)
            break;
        slot = (slot + 1) & t->table_mask;
    }
    return slot;
}

int32_t tokenizer_lookup(const struct tokenizer *t, const char *text, size_t length)
{
    return length <= t->longest ? t->table[find_slot(t, text, length)] : -1;
}

static int build_table(struct tokenizer *t, const char *path, struct error *error)
{
    uint32_t size = 16;
    while (size < 2 * t->model.count)
        size *= 2;
    t->table_mask = size - 1;
    t->table = xreallocarray(NULL, size, sizeof *t->table);
    memset(t->table, 0xFF, size * sizeof *t->table);
    for (uint32_t id = 0; id < t->model.count; id++) {
        const struct piece *piece = &t->model.pieces[id];
        if (!from_text(piece))
            continue;
        if (piece->length > t->longest)
            t->longest = piece->length;
        uint32_t slot = find_slot(t, piece_text(&t->model, id), piece->length);
        if (t->table[slot] >= 0)
            return error_set(error, ERROR_INPUT, "%s: piece %u: the same text as piece %d", path,
                             id, t->table[slot]);
        t->table[slot] = (int32_t)id;
    }
    return 0;
}

static int by_score_descending(const void *a, const void *b, void *user)
{
    const struct piece *pieces = user;
    float x = pieces[*(const uint32_t *)a].score, y = pieces[*(const uint32_t *)b].score;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void build_ranks(struct tokenizer *t)
{
    uint32_t *order = xreallocarray(NULL, t->model.count, sizeof *order);
    t->rank = xreallocarray(NULL, t->model.count, sizeof *t->rank);
    for (uint32_t i = 0; i < t->model.count; i++)
        order[i] = i;
    qsort_r(order, t->model.count, sizeof *order, by_score_descending, t->model.pieces);
    uint32_t rank = 0;
    for (uint32_t i = 0; i < t->model.count; i++) {
        if (i > 0 && t->model.pieces[order[i]].score < t->model.pieces[order[i - 1]].score)
            rank++;
        t->rank[order[i]] = rank;
    }
    t->rank_count = rank + 1;
    free(order);
}

/* --- user-defined pieces ---------------------------------------------------------------------- */

static int by_length_descending(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? 1 : x > y ? -1 : 0;
}

static void build_defined(struct tokenizer *t)
{
    bool *seen = xcalloc(t->longest + 1, sizeof *seen);
    for (uint32_t id = 0; id < t->model.count; id++) {
        const struct piece *piece = &t->model.pieces[id];
        if (piece->type != PIECE_USER_DEFINED)
            continue;
        t->defined_first[(unsigned char)piece_text(&t->model, id)[0]] = true;
        if (seen[piece->length])
            continue;
        seen[piece->length] = true;
        t->defined_lengths = xreallocarray(t->defined_lengths, t->defined_length_count + 1,
                                           sizeof *t->defined_lengths);
        t->defined_lengths[t->defined_length_count++] = piece->length;
    }
    free(seen);
    if (t->defined_length_count > 1)
        qsort(t->defined_lengths, t->defined_length_count, sizeof *t->defined_lengths,
              by_length_descending);
}

size_t tokenizer_defined_prefix(const struct tokenizer *t, const char *text, size_t length)
{
    if (length == 0 || !t->defined_first[(unsigned char)text[0]])
        return 0;
    for (size_t i = 0; i < t->defined_length_count; i++) {
        size_t candidate = t->defined_lengths[i];
        if (candidate > length)
            continue;
        int32_t id = tokenizer_lookup(t, text, candidate);
        if (id >= 0 && t->model.pieces[id].type == PIECE_USER_DEFINED)
            return candidate;
    }
    return 0;
}

/* --- added tokens ----------------------------------------------------------------------------- */

static int add_token(struct tokenizer *t, const char *path, const char *text, json_int_t id,
                     struct error *error)
{
    if (id < 0 || id >= TOKENIZER_PIECES_MAX)
        return error_set(error, ERROR_INPUT, "%s: token \"%.40s\": id %lld is out of range", path,
                         text, (long long)id);
    if (id < t->model.count) /* repeats what tokenizer.model has */
        return 0;
    for (size_t i = 0; i < t->added_count; i++)
        if (t->added[i].id == id || strcmp(t->added[i].text, text) == 0)
            return 0;
    t->added = xreallocarray(t->added, t->added_count + 1, sizeof *t->added);
    t->added[t->added_count++] = (struct added_token){xstrdup(text), (int32_t)id};
    if ((uint32_t)id >= t->size)
        t->size = (uint32_t)id + 1;
    return 0;
}

/* added_tokens.json: {"<|im_start|>": 32000, ...} */
static int read_added(struct tokenizer *t, const char *path, struct error *error)
{
    json_t *root = json_read(path, ADDED_BYTES_MAX, error);
    if (root == NULL)
        return -1;
    int result = 0;
    const char *text;
    json_t *id;
    if (!json_is_object(root))
        result = error_set(error, ERROR_INPUT, "%s: not an object of token: id", path);
    json_object_foreach(root, text, id)
    {
        if (result == 0 && !json_is_integer(id))
            result = error_set(error, ERROR_INPUT, "%s: token \"%.40s\": the id is not a number",
                               path, text);
        if (result == 0)
            result = add_token(t, path, text, json_integer_value(id), error);
    }
    json_decref(root);
    return result;
}

static int read_decoder(struct tokenizer *t, const char *path, json_t *decoder,
                        struct error *error)
{
    const char *key;
    json_t *entry;
    json_object_foreach(decoder, key, entry)
    {
        char *end;
        long long id = strtoll(key, &end, 10);
        const char *content = json_string_value(json_object_get(entry, "content"));
        if (end == key || *end != '\0' || content == NULL)
            return error_set(error, ERROR_INPUT,
                             "%s: added_tokens_decoder: \"%.40s\" is not an id with a content",
                             path, key);
        if (add_token(t, path, content, id, error) != 0)
            return -1;
    }
    return 0;
}

/* tokenizer_config.json: {"added_tokens_decoder": {"32000": {"content": "..."}, ...}} */
static int read_tokenizer_config(struct tokenizer *t, const char *path, struct error *error)
{
    json_t *root = json_read(path, ADDED_BYTES_MAX, error);
    if (root == NULL)
        return -1;
    int result = read_decoder(t, path, json_object_get(root, "added_tokens_decoder"), error);
    json_decref(root);
    return result;
}

static int read_optional(struct tokenizer *t, const char *directory, const char *name,
                         int (*read)(struct tokenizer *, const char *, struct error *),
                         struct error *error)
{
    char *path = path_join(directory, name);
    int result = file_exists(path) ? read(t, path, error) : 0;
    free(path);
    return result;
}

/* --- open and close --------------------------------------------------------------------------- */

static int32_t control_id(const struct tokenizer *t, const char *name)
{
    int32_t id = tokenizer_special(t, name);
    return id >= 0 && (uint32_t)id < t->model.count && t->model.pieces[id].type == PIECE_CONTROL
               ? id
               : -1;
}

static int build(struct tokenizer *t, const char *directory, const char *path, uint32_t vocab,
                 struct error *error)
{
    t->size = t->model.count;
    if (build_table(t, path, error) != 0 ||
        read_optional(t, directory, "added_tokens.json", read_added, error) != 0 ||
        read_optional(t, directory, "tokenizer_config.json", read_tokenizer_config, error) != 0)
        return -1;
    if (t->size > vocab)
        return error_set(error, ERROR_INPUT, "%s: %u tokens, but the embedding has %u rows", path,
                         t->size, vocab);
    build_ranks(t);
    build_defined(t);
    t->bos_id = control_id(t, t->model.bos_piece);
    t->eos_id = control_id(t, t->model.eos_piece);
    return 0;
}

int tokenizer_open(struct tokenizer **out, const char *directory, uint32_t vocab,
                   struct error *error)
{
    struct tokenizer *tokenizer = xcalloc(1, sizeof *tokenizer);
    char *path = path_join(directory, "tokenizer.model"), *fast = path_join(directory,
                                                                            "tokenizer.json");
    int result;
    if (!file_exists(path) && file_exists(fast))
        result = error_set(error, ERROR_UNSUPPORTED,
                           "%s: is missing; tokenizer.json alone is not supported, copy "
                           "tokenizer.model of the original model here",
                           path);
    else if ((result = tokenizer_model_read(&tokenizer->model, path, error)) == 0)
        result = build(tokenizer, directory, path, vocab, error);
    free(path);
    free(fast);
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
    for (size_t i = 0; i < tokenizer->added_count; i++)
        free(tokenizer->added[i].text);
    free(tokenizer->added);
    free(tokenizer->table);
    free(tokenizer->rank);
    free(tokenizer->defined_lengths);
    tokenizer_model_free(&tokenizer->model);
    free(tokenizer);
}

/* --- questions -------------------------------------------------------------------------------- */

uint32_t tokenizer_size(const struct tokenizer *tokenizer)
{
    return tokenizer->size;
}

int32_t tokenizer_bos(const struct tokenizer *tokenizer)
{
    return tokenizer->bos_id;
}

int32_t tokenizer_eos(const struct tokenizer *tokenizer)
{
    return tokenizer->eos_id;
}

int32_t tokenizer_special(const struct tokenizer *t, const char *name)
{
    for (size_t i = 0; i < t->added_count; i++)
        if (strcmp(t->added[i].text, name) == 0)
            return t->added[i].id;
    for (uint32_t id = 0; id < t->model.count; id++) {
        uint8_t type = t->model.pieces[id].type;
        if ((type == PIECE_CONTROL || type == PIECE_UNKNOWN || type == PIECE_USER_DEFINED) &&
            strcmp(piece_text(&t->model, id), name) == 0)
            return (int32_t)id;
    }
    return -1;
}

bool tokenizer_is_special(const struct tokenizer *t, int32_t id)
{
    if (id < 0 || (uint32_t)id >= t->model.count)
        return true;
    uint8_t type = t->model.pieces[id].type;
    return type == PIECE_CONTROL || type == PIECE_UNKNOWN;
}

const char *tokenizer_piece(const struct tokenizer *t, int32_t id)
{
    if (id >= 0 && (uint32_t)id < t->model.count)
        return piece_text(&t->model, (uint32_t)id);
    for (size_t i = 0; i < t->added_count; i++)
        if (t->added[i].id == id)
            return t->added[i].text;
    return "";
}
