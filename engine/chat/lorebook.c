#include "engine/chat/lorebook.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"

struct reader {
    const char *source;
    size_t keys; /* so far, of all entries */
    struct error *error;
};

/* --- fields ----------------------------------------------------------------------------------- */

static int complain(const struct reader *reader, size_t entry, const char *field, const char *what)
{
    return error_set(reader->error, ERROR_INPUT, "%s: character_book.entries[%zu].%s: %s",
                     reader->source, entry, field, what);
}

/* null counts as absent everywhere: cards are full of it. */
static const json_t *field(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    return json_is_null(value) ? NULL : value;
}

static int read_bool(const struct reader *reader, size_t entry, const json_t *object,
                     const char *name, bool *out)
{
    const json_t *value = field(object, name);
    if (value == NULL)
        return 0;
    if (!json_is_boolean(value))
        return complain(reader, entry, name, "not true or false");
    *out = json_is_true(value);
    return 0;
}

static int read_long(const struct reader *reader, size_t entry, const json_t *object,
                     const char *name, long *out)
{
    const json_t *value = field(object, name);
    if (value == NULL)
        return 0;
    if (!json_is_number(value))
        return complain(reader, entry, name, "not a number");
    double number = json_number_value(value);
    *out = number > 1e9 ? 1000000000 : number < -1e9 ? -1000000000 : (long)number;
    return 0;
}

static int read_text(const struct reader *reader, size_t entry, const json_t *object,
                     const char *name, char **out)
{
    const json_t *value = field(object, name);
    if (value != NULL && !json_is_string(value))
        return complain(reader, entry, name, "not a string");
    if (value != NULL && json_string_length(value) > LORE_TEXT_MAX)
        return complain(reader, entry, name, "longer than 1 MiB");
    *out = xstrdup(value != NULL ? json_string_value(value) : "");
    return 0;
}

static int read_keys(struct reader *reader, size_t entry, const json_t *object, const char *name,
                     char ***out, size_t *count)
{
    const json_t *list = field(object, name);
    if (list == NULL)
        return 0;
    if (!json_is_array(list))
        return complain(reader, entry, name, "not a list");
    reader->keys += json_array_size(list);
    if (reader->keys > LORE_KEYS_MAX)
        return complain(reader, entry, name, "more than 8192 keys in the book");
    *out = xcalloc(json_array_size(list), sizeof **out);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *key = json_array_get(list, i);
        if (!json_is_string(key))
            return complain(reader, entry, name, "not a list of strings");
        if (json_string_length(key) > 0) /* an empty key would match everything */
            (*out)[(*count)++] = xstrdup(json_string_value(key));
    }
    return 0;
}

static char *entry_name(const json_t *object, const struct lore_entry *entry, size_t index)
{
    static const char *const fields[] = {"name", "comment"};
    for (size_t i = 0; i < 2; i++) {
        const char *name = json_string_value(json_object_get(object, fields[i]));
        if (name != NULL && name[0] != '\0' && strlen(name) <= 256)
            return xstrdup(name);
    }
    return entry->key_count > 0 ? xstrdup(entry->keys[0]) : xasprintf("entry %zu", index + 1);
}

static int read_entry(struct reader *reader, size_t index, const json_t *object,
                      struct lore_entry *entry)
{
    const char *position = json_string_value(json_object_get(object, "position"));
    *entry = (struct lore_entry){.enabled = true, .position = LORE_BEFORE};
    if (!json_is_object(object))
        return complain(reader, index, "", "not an object");
    if (position != NULL && strcmp(position, "after_char") == 0)
        entry->position = LORE_AFTER;
    const struct {
        const char *name;
        bool *out;
    } flags[] = {{"enabled", &entry->enabled},
                 {"constant", &entry->constant},
                 {"selective", &entry->selective},
                 {"case_sensitive", &entry->case_sensitive},
                 {"use_regex", &entry->use_regex}};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++)
        if (read_bool(reader, index, object, flags[i].name, flags[i].out) != 0)
            return -1;
    if (read_long(reader, index, object, "insertion_order", &entry->insertion_order) != 0 ||
        read_long(reader, index, object, "priority", &entry->priority) != 0 ||
        read_text(reader, index, object, "content", &entry->content) != 0 ||
        read_keys(reader, index, object, "keys", &entry->keys, &entry->key_count) != 0 ||
        read_keys(reader, index, object, "secondary_keys", &entry->secondary_keys,
                  &entry->secondary_count) != 0)
        return -1;
    entry->name = entry_name(object, entry, index);
    return 0;
}

static int read_size(const struct reader *reader, const json_t *object, const char *name,
                     size_t max, size_t *out)
{
    const json_t *value = field(object, name);
    if (value == NULL)
        return 0;
    if (!json_is_number(value))
        return error_set(reader->error, ERROR_INPUT, "%s: character_book.%s: not a number",
                         reader->source, name);
    double number = json_number_value(value);
    *out = number <= 0 ? 0 : number >= (double)max ? max : (size_t)number;
    return 0;
}

static int read_book(struct reader *reader, const json_t *value, struct lorebook *book)
{
    const json_t *entries = field(value, "entries");
    const char *name = json_string_value(json_object_get(value, "name"));
    book->name = xstrdup(name != NULL ? name : "");
    book->recursive = json_is_true(json_object_get(value, "recursive_scanning"));
    if (!json_is_array(entries) || json_array_size(entries) > LORE_ENTRIES_MAX)
        return error_set(reader->error, ERROR_INPUT,
                         "%s: character_book.entries: not a list of at most %d entries",
                         reader->source, LORE_ENTRIES_MAX);
    if (read_size(reader, value, "scan_depth", LORE_DEPTH_MAX, &book->scan_depth) != 0 ||
        read_size(reader, value, "token_budget", INT_MAX, &book->token_budget) != 0)
        return -1;
    book->entries = xcalloc(json_array_size(entries), sizeof *book->entries);
    for (size_t i = 0; i < json_array_size(entries); i++) {
        book->count = i + 1; /* a half-read entry is freed with the others */
        if (read_entry(reader, i, json_array_get(entries, i), &book->entries[i]) != 0)
            return -1;
    }
    return 0;
}

struct lorebook *lorebook_parse(const json_t *value, const char *source, struct error *error)
{
    struct reader reader = {source, 0, error};
    if (!json_is_object(value)) {
        error_set(error, ERROR_INPUT, "%s: character_book: not an object", source);
        return NULL;
    }
    struct lorebook *book = xcalloc(1, sizeof *book);
    book->scan_depth = LORE_SCAN_DEPTH;
    book->token_budget = LORE_BUDGET_TOKENS;
    if (read_book(&reader, value, book) == 0)
        return book;
    lorebook_free(book);
    return NULL;
}

static void keys_free(char **keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(keys[i]);
    free(keys);
}

void lorebook_free(struct lorebook *book)
{
    if (book == NULL)
        return;
    for (size_t i = 0; i < book->count; i++) {
        struct lore_entry *entry = &book->entries[i];
        keys_free(entry->keys, entry->key_count);
        keys_free(entry->secondary_keys, entry->secondary_count);
        free(entry->name);
        free(entry->content);
    }
    free(book->entries);
    free(book->name);
    free(book);
}

void lorebook_write(const struct lorebook *book, json_t *value)
{
    json_t *entries = json_object_get(value, "entries");
    for (size_t i = 0; i < book->count && i < json_array_size(entries); i++) {
        json_t *object = json_array_get(entries, i);
        const json_t *enabled = field(object, "enabled");
        if ((enabled == NULL || json_is_true(enabled)) != book->entries[i].enabled)
            json_object_set_new(object, "enabled", json_boolean(book->entries[i].enabled));
    }
}

const char *lore_content(const struct lore_entry *entry)
{
    const char *content = entry->content;
    while (strncmp(content, "@@", 2) == 0) {
        const char *newline = strchr(content, '\n');
        content = newline != NULL ? newline + 1 : content + strlen(content);
    }
    return content;
}
