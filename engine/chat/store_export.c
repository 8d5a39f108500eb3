#include "engine/chat/store_export.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"

/* --- Markdown --------------------------------------------------------------------------------- */

static void markdown_message(const struct message *message, struct strbuf *out)
{
    strbuf_puts(out, message->role == ROLE_USER ? "## You\n\n" : "## Reply\n\n");
    for (size_t i = 0; i < message->documents.count; i++)
        if (message->documents.items[i].enabled)
            strbuf_printf(out, "> Document: %s\n\n", message->documents.items[i].name);
    strbuf_add(out, strbuf_text(&message->text), message->text.length);
    strbuf_puts(out, message->partial ? " [...]\n\n" : "\n\n");
    if (message->made_with != NULL)
        strbuf_printf(out, "<!-- %s -->\n\n", message->made_with);
}

static void write_markdown(const struct store_chat *chat, struct strbuf *out)
{
    const struct conversation *conversation = chat->conversation;
    const char *title = chat->fields[STORE_TITLE];
    strbuf_printf(out, "# %s\n\n", title != NULL ? title : "Chat");
    int *path = xcalloc(conversation->count + 1, sizeof *path);
    size_t count = conversation_path(conversation, path);
    for (size_t i = 0; i < count; i++)
        markdown_message(conversation->items[path[i]], out);
    free(path);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static bool is_plain_text(const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        uint32_t code;
        size_t taken = utf8_decode(text + at, length - at, &code);
        if (code == 0 || (code == UTF8_REPLACEMENT && taken == 1))
            return false;
        at += taken;
    }
    return true;
}

static json_t *json_text(const char *text, size_t length)
{
    if (is_plain_text(text, length))
        return json_stringn(text, length);
    static const char digits[] = "0123456789abcdef";
    char *hex = xmalloc(2 * length + 1);
    for (size_t i = 0; i < length; i++) {
        hex[2 * i] = digits[(unsigned char)text[i] >> 4];
        hex[2 * i + 1] = digits[text[i] & 15];
    }
    json_t *value = json_object();
    json_object_set_new(value, "hex", json_stringn(hex, 2 * length));
    free(hex);
    return value;
}

static void put_text(json_t *object, const char *key, const char *text)
{
    if (text != NULL)
        json_object_set_new(object, key, json_text(text, strlen(text)));
}

static void put_index(json_t *object, const char *key, int index)
{
    if (index >= 0)
        json_object_set_new(object, key, json_integer(index));
}

/* The texts of the documents, each once. */
struct contents {
    json_t *array;
    const struct document **first; /* one that has the text, for each */
    size_t count, capacity;
};

static size_t content_index(struct contents *contents, const struct document *document)
{
    for (size_t i = 0; i < contents->count; i++)
        if (contents->first[i]->length == document->length &&
            memcmp(contents->first[i]->text, document->text, document->length) == 0)
            return i;
    if (contents->count == contents->capacity) {
        contents->capacity = contents->capacity ? 2 * contents->capacity : 16;
        contents->first =
            xreallocarray(contents->first, contents->capacity, sizeof(struct document *));
    }
    json_array_append_new(contents->array, json_text(document->text, document->length));
    contents->first[contents->count] = document;
    return contents->count++;
}

static json_t *json_document(struct contents *contents, const struct document *document)
{
    json_t *object = json_object(), *pairs = json_array();
    put_text(object, "name", document->name);
    json_object_set_new(object, "content",
                        json_integer((json_int_t)content_index(contents, document)));
    json_object_set_new(object, "enabled", json_boolean(document->enabled));
    for (size_t i = 0; i < document->pair_count; i++) {
        json_t *pair = json_object();
        put_text(pair, "key", document->pairs[i].key);
        put_text(pair, "value", document->pairs[i].value);
        json_object_set_new(pair, "guessed", json_boolean(document->pairs[i].guessed));
        json_array_append_new(pairs, pair);
    }
    json_object_set_new(object, "pairs", pairs);
    return object;
}

static json_t *json_documents(struct contents *contents, const struct document_list *list)
{
    json_t *array = json_array();
    for (size_t i = 0; i < list->count; i++)
        json_array_append_new(array, json_document(contents, &list->items[i]));
    return array;
}

static json_t *json_message(struct contents *contents, const struct message *message)
{
    json_t *object = json_object(), *tokens = json_array();
    put_index(object, "parent", message->parent);
    json_object_set_new(object, "role",
                        json_string(message->role == ROLE_USER ? "user" : "assistant"));
    json_object_set_new(object, "text",
                        json_text(strbuf_text(&message->text), message->text.length));
    for (size_t i = 0; i < message->tokens.count; i++)
        json_array_append_new(tokens, json_integer(message->tokens.ids[i]));
    json_object_set_new(object, "tokens", tokens);
    json_object_set_new(object, "partial", json_boolean(message->partial));
    put_text(object, "made_with", message->made_with);
    json_object_set_new(object, "created", json_integer(message->created));
    json_object_set_new(object, "deleted", json_boolean(message->deleted));
    put_index(object, "chosen", message->chosen);
    json_object_set_new(object, "documents", json_documents(contents, &message->documents));
    return object;
}

static int dump_part(const char *bytes, size_t length, void *user)
{
    strbuf_add(user, bytes, length);
    return 0;
}

static void write_json(const struct store_chat *chat, struct strbuf *out)
{
    const struct conversation *conversation = chat->conversation;
    struct contents contents = {.array = json_array()};
    json_t *root = json_pack("{s:i}", "airo_chat", 1), *messages = json_array();
    for (int i = 0; i < STORE_FIELDS; i++)
        put_text(root, store_field_name((enum store_field)i), chat->fields[i]);
    json_object_set_new(root, "created", json_integer(chat->created));
    json_object_set_new(root, "updated", json_integer(chat->updated));
    put_index(root, "tip", conversation->tip);
    json_object_set(root, "contents", contents.array);
    json_object_set_new(root, "documents", json_documents(&contents, &chat->documents));
    for (size_t i = 0; i < conversation->count; i++)
        json_array_append_new(messages, json_message(&contents, conversation->items[i]));
    json_object_set_new(root, "messages", messages);
    json_dump_callback(root, dump_part, out, JSON_INDENT(1));
    strbuf_putc(out, '\n');
    json_decref(root);
    json_decref(contents.array);
    free(contents.first);
}

/* --- the calls -------------------------------------------------------------------------------- */

int store_export(struct store *store, int64_t chat, enum export_format format, struct strbuf *out,
                 struct error *error)
{
    struct store_chat loaded;
    if (store_load(store, chat, &loaded, error) != 0)
        return -1;
    if (format == EXPORT_JSON)
        write_json(&loaded, out);
    else
        write_markdown(&loaded, out);
    store_chat_free(&loaded);
    return 0;
}

static int write_new_file(const char *path, const struct strbuf *text, struct error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(error, "%s: cannot write", path);
    size_t at = 0;
    int result = 0;
    while (at < text->length && result == 0) {
        ssize_t put = write(fd, text->data + at, text->length - at);
        if (put < 0 && errno != EINTR)
            result = error_set_errno(error, "%s: cannot write", path);
        at += put > 0 ? (size_t)put : 0;
    }
    if (result == 0 && fsync(fd) != 0)
        result = error_set_errno(error, "%s: cannot write", path);
    if (close(fd) != 0 && result == 0)
        result = error_set_errno(error, "%s: cannot write", path);
    if (result != 0)
        unlink(path);
    return result;
}

int store_export_file(struct store *store, int64_t chat, enum export_format format,
                      const char *path, struct error *error)
{
    struct strbuf text = {0};
    int result = store_export(store, chat, format, &text, error);
    if (result == 0)
        result = write_new_file(path, &text, error);
    strbuf_free(&text);
    return result;
}
