#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/chat/store_export.h"
#include "engine/model/fields.h"

/* One object being read: its name for messages ("PATH: messages[3]") and its fields. */
struct reader {
    const json_t *object;
    const char *source;
    struct error *error;
};

static const char *const root_keys[] = {"airo_chat", "title",     "template", "system",  "scene",
                                        "model",     "draft",     "created",  "updated", "tip",
                                        "contents",  "documents", "messages", NULL};
static const char *const message_keys[] = {"parent",  "role",      "text",    "tokens",
                                           "partial", "made_with", "created", "deleted",
                                           "chosen",  "documents", NULL};
static const char *const document_keys[] = {"name", "content", "enabled", "pairs", NULL};
static const char *const pair_keys[] = {"key", "value", "guessed", NULL};

static int wrong(const struct reader *reader, const char *field, const char *what)
{
    return error_set(reader->error, ERROR_INPUT, "%s: %s: must be %s", reader->source, field, what);
}

static int open_object(const struct reader *reader, const char *const *keys)
{
    char name[PRINTABLE_BYTES];
    if (!json_is_object(reader->object))
        return error_set(reader->error, ERROR_INPUT, "%s: must be an object", reader->source);
    for (void *at = json_object_iter((json_t *)(uintptr_t)reader->object); at != NULL;
         at = json_object_iter_next((json_t *)(uintptr_t)reader->object, at)) {
        int i = 0;
        while (keys[i] != NULL && strcmp(keys[i], json_object_iter_key(at)) != 0)
            i++;
        if (keys[i] == NULL)
            return error_set(reader->error, ERROR_INPUT, "%s: %s: no such field", reader->source,
                             printable(json_object_iter_key(at), name));
    }
    return 0;
}

static int hex_value(char digit)
{
    const char *digits = "0123456789abcdef", *at = strchr(digits, digit);
    return digit != '\0' && at != NULL ? (int)(at - digits) : -1;
}

static int add_hex(struct strbuf *out, const char *hex)
{
    for (; hex[0] != '\0'; hex += 2) {
        int high = hex_value(hex[0]), low = hex[1] != '\0' ? hex_value(hex[1]) : -1;
        if (high < 0 || low < 0)
            return -1;
        strbuf_putc(out, (char)(high << 4 | low));
    }
    return 0;
}

/* A string or {"hex": ...}. */
static int add_text(const struct reader *reader, const char *field, const json_t *value,
                    struct strbuf *out)
{
    const json_t *hex = json_object_get(value, "hex");
    if (json_is_string(value)) {
        strbuf_add(out, json_string_value(value), json_string_length(value));
        return 0;
    }
    if (json_object_size(value) == 1 && json_is_string(hex) &&
        add_hex(out, json_string_value(hex)) == 0)
        return 0;
    return wrong(reader, field, "a string or {\"hex\": \"...\"}");
}

/* Text without NUL bytes, to be freed; NULL stays where the field is absent. */
static int read_string(const struct reader *reader, const char *field, bool required, char **out)
{
    struct strbuf text = {0};
    const json_t *value = json_object_get(reader->object, field);
    if (value == NULL)
        return required ? wrong(reader, field, "present") : 0;
    int result = add_text(reader, field, value, &text);
    if (result == 0 && memchr(strbuf_text(&text), '\0', text.length) != NULL)
        result = wrong(reader, field, "without NUL bytes");
    if (result == 0)
        *out = xstrdup(strbuf_text(&text));
    strbuf_free(&text);
    return result;
}

static int read_bool(const struct reader *reader, const char *field, bool *out)
{
    const json_t *value = json_object_get(reader->object, field);
    if (!json_is_boolean(value))
        return wrong(reader, field, "true or false");
    *out = json_is_true(value);
    return 0;
}

static int read_time(const struct reader *reader, const char *field, int64_t *out)
{
    const json_t *value = json_object_get(reader->object, field);
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        json_integer_value(value) > INT64_C(1) << 40)
        return wrong(reader, field, "a time in seconds since 1970");
    *out = json_integer_value(value);
    return 0;
}

/* An index below `end`; absent: -1. */
static int read_index(const struct reader *reader, const char *field, size_t end, int *out)
{
    const json_t *value = json_object_get(reader->object, field);
    *out = -1;
    if (value == NULL)
        return 0;
    if (!json_is_integer(value) || json_integer_value(value) < 0 ||
        (uint64_t)json_integer_value(value) >= end)
        return wrong(reader, field, "the index of one that is there (a parent: before its child)");
    *out = (int)json_integer_value(value);
    return 0;
}

static int read_array(const struct reader *reader, const char *field, size_t max,
                      const json_t **out)
{
    *out = json_object_get(reader->object, field);
    if (!json_is_array(*out))
        return wrong(reader, field, "a list");
    if (json_array_size(*out) > max)
        return error_set(reader->error, ERROR_INPUT, "%s: %s: %zu entries; at most %zu",
                         reader->source, field, json_array_size(*out), max);
    return 0;
}

/* --- documents -------------------------------------------------------------------------------- */

static int read_pair(const struct reader *reader, struct document *document)
{
    /* Counted first, so that it is freed with the document whatever happens. */
    struct document_pair *pair = &document->pairs[document->pair_count++];
    if (open_object(reader, pair_keys) != 0 || read_string(reader, "key", true, &pair->key) != 0 ||
        read_string(reader, "value", true, &pair->value) != 0 ||
        read_bool(reader, "guessed", &pair->guessed) != 0)
        return -1;
    if (pair->key[0] == '\0' || strpbrk(pair->key, ":\r\n") != NULL)
        return wrong(reader, "key", "one line without ':'");
    return strpbrk(pair->value, "\r\n") == NULL ? 0 : wrong(reader, "value", "one line");
}

static int read_pairs(const struct reader *reader, struct document *document)
{
    const json_t *pairs;
    if (read_array(reader, "pairs", DOCUMENT_PAIRS_MAX, &pairs) != 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < json_array_size(pairs) && result == 0; i++) {
        char *source = xasprintf("%s: pairs[%zu]", reader->source, i);
        const struct reader inner = {json_array_get(pairs, i), source, reader->error};
        result = read_pair(&inner, document);
        free(source);
    }
    return result;
}

static int read_document(const struct reader *reader, const json_t *contents,
                         struct document_list *list)
{
    int content;
    char *name = NULL;
    struct strbuf text = {0};
    if (open_object(reader, document_keys) != 0 || read_string(reader, "name", true, &name) != 0)
        return -1;
    int result = read_index(reader, "content", json_array_size(contents), &content);
    if (result == 0 && content < 0)
        result = wrong(reader, "content", "present");
    if (result == 0)
        result = add_text(reader, "content", json_array_get(contents, (size_t)content), &text);
    if (result == 0 && text.length > DOCUMENT_BYTES_MAX)
        result = wrong(reader, "content", "at most 64 MiB");
    if (result == 0) {
        document_add_exact(list, name, strbuf_text(&text), text.length);
        struct document *document = &list->items[list->count - 1];
        result = read_bool(reader, "enabled", &document->enabled);
        if (result == 0)
            result = read_pairs(reader, document);
    }
    strbuf_free(&text);
    free(name);
    return result;
}

/* `total` bounds what one file may unfold to: a content may be used many times. */
static int read_documents(const struct reader *reader, const json_t *contents, size_t *total,
                          struct document_list *list)
{
    const json_t *documents;
    if (read_array(reader, "documents", IMPORT_DOCUMENTS_MAX, &documents) != 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < json_array_size(documents) && result == 0; i++) {
        char *source = xasprintf("%s: documents[%zu]", reader->source, i);
        const struct reader inner = {json_array_get(documents, i), source, reader->error};
        result = read_document(&inner, contents, list);
        if (result == 0)
            *total += list->items[list->count - 1].length;
        if (result == 0 && *total > IMPORT_BYTES_MAX)
            result = error_set(reader->error, ERROR_INPUT, "%s: documents of more than %u MiB",
                               source, IMPORT_BYTES_MAX >> 20);
        free(source);
    }
    return result;
}

/* --- messages --------------------------------------------------------------------------------- */

static int read_tokens(const struct reader *reader, struct token_list *out)
{
    const json_t *tokens;
    if (read_array(reader, "tokens", IMPORT_TOKENS_MAX, &tokens) != 0)
        return -1;
    for (size_t i = 0; i < json_array_size(tokens); i++) {
        const json_t *id = json_array_get(tokens, i);
        if (!json_is_integer(id) || json_integer_value(id) < 0 ||
            json_integer_value(id) > INT32_MAX)
            return wrong(reader, "tokens", "a list of token ids");
        token_list_add(out, (int32_t)json_integer_value(id));
    }
    return 0;
}

static int read_role(const struct reader *reader, enum role *out)
{
    const char *role = json_string_value(json_object_get(reader->object, "role"));
    if (role == NULL || (strcmp(role, "user") != 0 && strcmp(role, "assistant") != 0))
        return wrong(reader, "role", "\"user\" or \"assistant\"");
    *out = strcmp(role, "user") == 0 ? ROLE_USER : ROLE_ASSISTANT;
    return 0;
}

static int read_message(const struct reader *reader, const json_t *contents, size_t *total,
                        struct conversation *conversation)
{
    int parent;
    enum role role = ROLE_USER;
    if (open_object(reader, message_keys) != 0 ||
        read_index(reader, "parent", conversation->count, &parent) != 0 ||
        read_role(reader, &role) != 0)
        return -1;
    struct message *message = conversation_add(conversation, parent, role, "", 0);
    const json_t *text = json_object_get(reader->object, "text");
    if (add_text(reader, "text", text, &message->text) != 0 ||
        read_tokens(reader, &message->tokens) != 0 ||
        read_bool(reader, "partial", &message->partial) != 0 ||
        read_string(reader, "made_with", false, &message->made_with) != 0 ||
        read_time(reader, "created", &message->created) != 0 ||
        read_bool(reader, "deleted", &message->deleted) != 0)
        return -1;
    return read_documents(reader, contents, total, &message->documents);
}

/* `chosen` points ahead, so it is read when all messages are there. */
static int read_chosen(const struct reader *reader, struct conversation *conversation, int id)
{
    int chosen;
    if (read_index(reader, "chosen", conversation->count, &chosen) != 0)
        return -1;
    if (chosen >= 0 && conversation->items[chosen]->parent != id)
        return wrong(reader, "chosen", "a message whose parent this is");
    conversation->items[id]->chosen = chosen;
    return 0;
}

static int read_messages(const struct reader *reader, const json_t *contents, size_t *total,
                         struct conversation *conversation)
{
    const json_t *messages;
    if (read_array(reader, "messages", IMPORT_MESSAGES_MAX, &messages) != 0)
        return -1;
    size_t count = json_array_size(messages);
    int result = 0;
    for (size_t i = 0; i < 2 * count && result == 0; i++) {
        char *source = xasprintf("%s: messages[%zu]", reader->source, i % count);
        const struct reader inner = {json_array_get(messages, i % count), source, reader->error};
        result = i < count ? read_message(&inner, contents, total, conversation)
                           : read_chosen(&inner, conversation, (int)(i - count));
        free(source);
    }
    return result;
}

/* --- the chat --------------------------------------------------------------------------------- */

static int read_fields(const struct reader *reader, struct store_chat *chat)
{
    for (int i = 0; i < STORE_FIELDS; i++)
        if (read_string(reader, store_field_name((enum store_field)i), false, &chat->fields[i]) !=
            0)
            return -1;
    if (read_time(reader, "created", &chat->created) != 0)
        return -1;
    return read_time(reader, "updated", &chat->updated);
}

static int read_chat(const struct reader *reader, struct store_chat *chat)
{
    const json_t *version = json_object_get(reader->object, "airo_chat"), *contents;
    size_t total = 0;
    if (!json_is_object(reader->object) || !json_is_integer(version))
        return error_set(reader->error, ERROR_INPUT,
                         "%s: airo_chat: missing; this is no chat that airo exported",
                         reader->source);
    if (json_integer_value(version) != 1)
        return error_set(reader->error, ERROR_UNSUPPORTED,
                         "%s: airo_chat: written by another version of airo; this one knows 1",
                         reader->source);
    if (open_object(reader, root_keys) != 0 || read_fields(reader, chat) != 0 ||
        read_array(reader, "contents", IMPORT_DOCUMENTS_MAX, &contents) != 0 ||
        read_documents(reader, contents, &total, &chat->documents) != 0 ||
        read_messages(reader, contents, &total, chat->conversation) != 0)
        return -1;
    return read_index(reader, "tip", chat->conversation->count, &chat->conversation->tip);
}

/* A parsed value takes many times the two bytes that it may have in the file, so they are counted
 * before any is made. */
static int check_values(const char *text, size_t length, const char *source, struct error *error)
{
    size_t count = 0;
    bool in_string = false;
    for (size_t i = 0; i < length; i++) {
        if (in_string && text[i] == '\\')
            i++;
        else if (text[i] == '"')
            in_string = !in_string;
        else if (!in_string && (text[i] == ',' || text[i] == '[' || text[i] == '{'))
            count++;
    }
    if (count <= IMPORT_VALUES_MAX)
        return 0;
    return error_set(error, ERROR_INPUT, "%s: %zu values; at most %u", source, count,
                     IMPORT_VALUES_MAX);
}

int chat_from_json(struct store_chat *out, const char *text, size_t length, const char *source,
                   struct error *error)
{
    *out = (struct store_chat){0};
    if (check_values(text, length, source, error) != 0)
        return -1;
    json_t *root = json_parse(text, length, source, error);
    if (root == NULL)
        return -1;
    out->conversation = conversation_create();
    const struct reader reader = {root, source, error};
    int result = read_chat(&reader, out);
    json_decref(root);
    if (result != 0)
        store_chat_free(out);
    return result;
}

int store_import_file(struct store *store, const char *path, int64_t *chat, struct error *error)
{
    struct strbuf text = {0};
    struct store_chat read;
    int result = file_read_regular(path, IMPORT_BYTES_MAX, &text, error);
    if (result == 0)
        result = chat_from_json(&read, strbuf_text(&text), text.length, path, error);
    strbuf_free(&text);
    if (result != 0)
        return -1;
    result = store_save_copy(store, &read, error);
    if (result == 0)
        *chat = read.id;
    store_chat_free(&read);
    return result;
}
