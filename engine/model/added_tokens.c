#include "engine/model/added_tokens.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/model/fields.h"

#define JSON_BYTES_MAX (16u << 20)

struct added {
    uint32_t id;
    const char *text; /* owned by the JSON it came from */
    bool special;
    const char *source;
};

struct added_list {
    struct added *items;
    size_t count, capacity;
    uint32_t rows;
};

static void list_add(struct added_list *list, struct added added)
{
    if (added.id >= list->rows)
        return;
    if (list->count == list->capacity) {
        list->capacity = list->capacity > 0 ? list->capacity * 2 : 16;
        list->items = xreallocarray(list->items, list->capacity, sizeof *list->items);
    }
    list->items[list->count++] = added;
}

/* added_tokens.json knows no "special"; what it lists are the markers of chat formats. */
static int collect_plain(struct added_list *list, const struct fields *file, struct error *error)
{
    const char *name;
    json_t *value;
    if (!json_is_object(file->object))
        return error_set(error, ERROR_INPUT, "%s: is not a JSON object", file->source);
    json_object_foreach((json_t *)(uintptr_t)file->object, name, value)
    {
        json_int_t id = json_integer_value(value);
        if (!json_is_integer(value) || id < 0 || id >= VOCAB_PIECES_MAX)
            return field_wrong(file, name, "a token id", error);
        list_add(list, (struct added){(uint32_t)id, name, true, file->source});
    }
    return 0;
}

static int parse_id(const struct fields *file, const char *key, uint32_t *id, struct error *error)
{
    char *end;
    unsigned long value = strtoul(key, &end, 10);
    if (key[0] < '0' || key[0] > '9' || *end != '\0' || value >= VOCAB_PIECES_MAX)
        return field_wrong(file, key, "under a key that is a token id", error);
    *id = (uint32_t)value;
    return 0;
}

static int collect_entry(struct added_list *list, const struct fields *decoder, const char *key,
                         const json_t *value, const char *source, struct error *error)
{
    struct added added = {.source = source};
    const struct fields entry = {value, decoder->source};
    if (parse_id(decoder, key, &added.id, error) != 0)
        return -1;
    if (!json_is_object(value))
        return field_wrong(decoder, key, "an object", error);
    if (field_required(&entry, "content", error) != 0 ||
        field_string(&entry, "content", &added.text, error) != 0 ||
        field_bool(&entry, "special", &added.special, error) != 0)
        return -1;
    list_add(list, added);
    return 0;
}

static int collect_decoder(struct added_list *list, const struct fields *file, struct error *error)
{
    static const char key[] = "added_tokens_decoder";
    if (!json_is_object(file->object))
        return error_set(error, ERROR_INPUT, "%s: is not a JSON object", file->source);
    if (!field_present(file, key))
        return 0;
    char *where = xasprintf("%s: %s", file->source, key);
    struct fields decoder = {json_object_get(file->object, key), where};
    int result = 0;
    const char *name;
    json_t *value;
    if (!json_is_object(decoder.object))
        result = field_wrong(file, key, "an object", error);
    json_object_foreach((json_t *)(uintptr_t)decoder.object, name, value)
    {
        if (result == 0)
            result = collect_entry(list, &decoder, name, value, file->source, error);
    }
    free(where);
    return result;
}

/* By id; of the same id, added_tokens.json first. Merge sort is stable, qsort need not be, so the
 * source decides. */
static int by_id(const void *a, const void *b)
{
    const struct added *left = a, *right = b;
    if (left->id != right->id)
        return left->id < right->id ? -1 : 1;
    return strcmp(left->source, right->source);
}

/* A token that tokenizer.model has as well. */
static int apply_known(struct vocab *vocab, const struct added *added, struct error *error)
{
    struct piece *piece = &vocab->pieces[added->id];
    const char *text = vocab_text(vocab, added->id);
    bool reserved = piece->type == PIECE_CONTROL || piece->type == PIECE_UNKNOWN;
    char shown[PRINTABLE_BYTES];
    if (strcmp(text, added->text) != 0) {
        if (!reserved)
            return error_set(error, ERROR_INPUT,
                             "%s: token %u is \"%s\", which is another piece in tokenizer.model",
                             added->source, added->id, printable(added->text, shown));
        vocab_add_alias(vocab, added->text, added->id);
    } else if (added->special && !reserved && piece->type != PIECE_BYTE) {
        piece->type = PIECE_CONTROL;
    }
    return 0;
}

static int apply_new(struct vocab *vocab, const struct added *added, struct error *error)
{
    int result = 0;
    while (result == 0 && vocab->count < added->id)
        result = vocab_add(vocab, "", 0, 0, PIECE_ABSENT, added->source, error);
    if (result != 0)
        return -1;
    return vocab_add(vocab, added->text, strlen(added->text), 0,
                     added->special ? PIECE_CONTROL : PIECE_ADDED, added->source, error);
}

/* The two files together name every token once, or twice alike; the later may say that it is not
 * special. */
static int apply(struct vocab *vocab, struct added_list *list, struct error *error)
{
    uint32_t known = vocab->count;
    if (list->count > 0)
        qsort(list->items, list->count, sizeof *list->items, by_id);
    for (size_t i = 0; i < list->count; i++) {
        const struct added *added = &list->items[i];
        bool twice = i + 1 < list->count && list->items[i + 1].id == added->id;
        if (twice && strcmp(list->items[i + 1].text, added->text) != 0)
            return error_set(error, ERROR_INPUT, "%s: token %u has two spellings", added->source,
                             added->id);
        if (twice)
            continue;
        if ((added->id < known ? apply_known : apply_new)(vocab, added, error) != 0)
            return -1;
    }
    return 0;
}

/* Reads DIRECTORY/NAME into *json (NULL when it is not there) and its path into *path. */
static int read_optional(const char *directory, const char *name, char **path, json_t **json,
                         struct error *error)
{
    *path = path_join(directory, name);
    *json = NULL;
    if (!file_exists(*path))
        return 0;
    *json = json_read(*path, JSON_BYTES_MAX, error);
    return *json != NULL ? 0 : -1;
}

int added_tokens_read(struct vocab *vocab, const char *directory, uint32_t rows,
                      struct error *error)
{
    struct added_list list = {.rows = rows};
    char *plain_path, *config_path = NULL;
    json_t *plain, *config = NULL;
    int result = read_optional(directory, "added_tokens.json", &plain_path, &plain, error);
    if (result == 0)
        result = read_optional(directory, "tokenizer_config.json", &config_path, &config, error);
    if (result == 0 && plain != NULL)
        result = collect_plain(&list, &(struct fields){plain, plain_path}, error);
    if (result == 0 && config != NULL)
        result = collect_decoder(&list, &(struct fields){config, config_path}, error);
    if (result == 0)
        result = apply(vocab, &list, error);
    free(list.items);
    json_decref(plain);
    json_decref(config);
    free(plain_path);
    free(config_path);
    return result;
}
