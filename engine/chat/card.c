#include "engine/chat/card.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/json.h"

static const char *const names[CARD_FIELDS] = {
    "name",          "description", "personality",       "scenario",
    "first_mes",     "mes_example", "system_prompt",     "post_history_instructions",
    "creator_notes", "creator",     "character_version",
};

const char *card_field_name(enum card_field field)
{
    return names[field];
}

/* --- JSON -> card ----------------------------------------------------------------------------- */

/* null counts as absent: cards are full of it. */
static json_t *present(const json_t *object, const char *name)
{
    json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

static int read_text(const json_t *data, const char *name, char **out, const char *source,
                     struct error *error)
{
    const json_t *value = present(data, name);
    if (value != NULL && !json_is_string(value))
        return error_set(error, ERROR_INPUT, "%s: %s: not a string", source, name);
    if (value != NULL && json_string_length(value) > CARD_TEXT_MAX)
        return error_set(error, ERROR_INPUT, "%s: %s: longer than 1 MiB", source, name);
    free(*out);
    *out = xstrdup(value != NULL ? json_string_value(value) : "");
    return 0;
}

static int read_greetings(struct card *card, const json_t *data, const char *source,
                          struct error *error)
{
    const json_t *list = present(data, "alternate_greetings");
    if (list == NULL)
        return 0;
    if (!json_is_array(list) || json_array_size(list) > CARD_GREETINGS_MAX)
        return error_set(error, ERROR_INPUT,
                         "%s: alternate_greetings: not a list of at most %d strings", source,
                         CARD_GREETINGS_MAX);
    card->greetings = xcalloc(json_array_size(list), sizeof *card->greetings);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *text = json_array_get(list, i);
        if (!json_is_string(text) || json_string_length(text) > CARD_TEXT_MAX)
            return error_set(error, ERROR_INPUT,
                             "%s: alternate_greetings[%zu]: not a string of at most 1 MiB", source,
                             i);
        card->greetings[card->greeting_count++] = xstrdup(json_string_value(text));
    }
    return 0;
}

/* Which object holds the fields; NULL and an error when this is no card. */
static json_t *find_data(struct card *card, const char *source, struct error *error)
{
    static const struct {
        const char *spec;
        int version;
    } specs[] = {{"chara_card_v2", 2}, {"chara_card_v3", 3}};
    const char *spec = json_string_value(present(card->root, "spec"));
    json_t *data = present(card->root, "data");
    card->version = json_is_object(data) ? 2 : 1;
    if (!json_is_object(card->root)) {
        error_set(error, ERROR_INPUT, "%s: not a JSON object", source);
        return NULL;
    }
    for (size_t i = 0; spec != NULL && i < sizeof specs / sizeof specs[0]; i++)
        if (strcmp(spec, specs[i].spec) == 0) {
            card->version = specs[i].version;
            if (json_is_object(data))
                return data;
            error_set(error, ERROR_INPUT, "%s: data: not an object", source);
            return NULL;
        }
    if (spec != NULL) {
        error_set(error, ERROR_UNSUPPORTED, "%s: spec: neither chara_card_v2 nor chara_card_v3",
                  source);
        return NULL;
    }
    return json_is_object(data) ? data : card->root;
}

static int read_card(struct card *card, const char *source, struct error *error)
{
    json_t *data = find_data(card, source, error);
    if (data == NULL)
        return -1;
    for (int i = 0; i < CARD_FIELDS; i++)
        if (read_text(data, names[i], &card->fields[i], source, error) != 0)
            return -1;
    if (card->fields[CARD_NAME][0] == '\0')
        return error_set(error, ERROR_INPUT, "%s: name: missing; is this a character card?",
                         source);
    if (read_greetings(card, data, source, error) != 0)
        return -1;
    const json_t *book = present(data, "character_book");
    return book == NULL || (card->book = lorebook_parse(book, source, error)) != NULL ? 0 : -1;
}

struct card *card_from_json(json_t *root, const char *source, struct error *error)
{
    struct card *card = xcalloc(1, sizeof *card);
    card->root = root;
    if (read_card(card, source, error) == 0)
        return card;
    card_free(card);
    return NULL;
}

static size_t depth_of(const json_t *value)
{
    size_t deepest = 0, i;
    const char *key;
    json_t *item;
    json_array_foreach(value, i, item)
    {
        size_t depth = depth_of(item);
        deepest = depth > deepest ? depth : deepest;
    }
    json_object_foreach((json_t *)(uintptr_t)value, key, item)
    {
        size_t depth = depth_of(item);
        deepest = depth > deepest ? depth : deepest;
    }
    return deepest + 1;
}

struct card *card_parse(const char *text, size_t length, const char *source, struct error *error)
{
    if (length > CARD_BYTES_MAX) {
        error_set(error, ERROR_INPUT, "%s: larger than 16 MiB", source);
        return NULL;
    }
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
        text += 3;
        length -= 3;
    }
    json_t *root = json_parse(text, length, source, error);
    if (root != NULL && depth_of(root) > CARD_DEPTH_MAX) {
        error_set(error, ERROR_INPUT, "%s: JSON nested deeper than %d levels", source,
                  CARD_DEPTH_MAX);
        json_decref(root);
        return NULL;
    }
    return root != NULL ? card_from_json(root, source, error) : NULL;
}

struct card *card_create(const char *name)
{
    json_t *data = json_pack("{s:s%}", "name", name, strlen(name));
    if (data == NULL) /* not UTF-8 */
        data = json_pack("{s:s}", "name", "character");
    return card_from_json(data, name, NULL);
}

struct card *card_copy(const struct card *card)
{
    struct card *copy = card_from_json(card_json(card, 0), card->fields[CARD_NAME], NULL);
    if (copy != NULL)
        copy->version = card->version > 1 ? card->version : 2;
    return copy;
}

void card_free(struct card *card)
{
    if (card == NULL)
        return;
    for (int i = 0; i < CARD_FIELDS; i++)
        free(card->fields[i]);
    for (size_t i = 0; i < card->greeting_count; i++)
        free(card->greetings[i]);
    free(card->greetings);
    lorebook_free(card->book);
    json_decref(card->root);
    free(card);
}

void card_set(struct card *card, enum card_field field, const char *text)
{
    if (field == CARD_NAME && text[0] == '\0')
        return;
    char *copy = xstrdup(text);
    free(card->fields[field]);
    card->fields[field] = copy;
}

/* --- card -> JSON ----------------------------------------------------------------------------- */

/* An absent field stays absent while it is empty. */
static void put_fields(const struct card *card, json_t *object, int count, bool only_present)
{
    for (int i = 0; i < count; i++) {
        const char *text = card->fields[i];
        if (present(object, names[i]) != NULL || (!only_present && text[0] != '\0'))
            json_object_set_new(object, names[i], json_string(text));
    }
}

static void put_default(json_t *object, const char *name, json_t *value)
{
    if (present(object, name) == NULL)
        json_object_set_new(object, name, value);
    else
        json_decref(value);
}

/* The fields that the form demands. */
static void put_defaults(json_t *data, int version)
{
    for (int i = 0; i < CARD_FIELDS; i++)
        put_default(data, names[i], json_string(""));
    put_default(data, "alternate_greetings", json_array());
    put_default(data, "tags", json_array());
    put_default(data, "extensions", json_object());
    if (version == 3)
        put_default(data, "group_only_greetings", json_array());
}

json_t *card_json(const struct card *card, int version)
{
    json_t *root = json_deep_copy(card->root);
    json_t *data = present(root, "data");
    int form = version != 0 ? version : card->version > 1 ? card->version : 2;
    if (json_is_object(data)) {
        put_fields(card, root, CARD_FIELDS, true); /* the flat copies that some programs keep */
    } else {
        data = root;
        root = json_pack("{s:o}", "data", data);
    }
    put_fields(card, data, CARD_FIELDS, false);
    if (form != card->version)
        put_defaults(data, form);
    if (card->book != NULL)
        lorebook_write(card->book, json_object_get(data, "character_book"));
    json_object_set_new(root, "spec", json_string(form == 3 ? "chara_card_v3" : "chara_card_v2"));
    json_object_set_new(root, "spec_version", json_string(form == 3 ? "3.0" : "2.0"));
    return root;
}

void card_write(const struct card *card, int version, struct strbuf *out)
{
    json_t *root = card_json(card, version);
    char *text = json_dumps(root, JSON_INDENT(2));
    if (text != NULL)
        strbuf_puts(out, text);
    strbuf_putc(out, '\n');
    free(text);
    json_decref(root);
}
