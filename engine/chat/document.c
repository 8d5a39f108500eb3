#include "engine/chat/document.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/strbuf.h"
#include "engine/base/utf8.h"

static bool is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029;
}

/* Valid UTF-8 with plain line ends: no byte order mark, CR LF and lone CR become LF, invalid
 * bytes U+FFFD. */
static void add_clean(struct strbuf *out, const char *text, size_t length)
{
    size_t at = 0;
    if (length >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0)
        at = 3;
    while (at < length) {
        uint32_t code;
        char bytes[4];
        size_t taken = utf8_decode(text + at, length - at, &code);
        at += taken;
        if (code == '\r') {
            strbuf_putc(out, '\n');
            at += at < length && text[at] == '\n';
        } else {
            strbuf_add(out, bytes, utf8_encode(code, bytes));
        }
    }
}

/* One line for a pair: control characters and line separators become spaces. */
static char *one_line(const char *text, size_t length)
{
    struct strbuf out = {0};
    for (size_t at = 0; at < length;) {
        uint32_t code;
        char bytes[4];
        at += utf8_decode(text + at, length - at, &code);
        strbuf_add(&out, bytes, utf8_encode(is_control(code) ? ' ' : code, bytes));
    }
    return strbuf_detach(&out);
}

static bool has_control(const char *text)
{
    size_t length = strlen(text);
    for (size_t at = 0; at < length;) {
        uint32_t code;
        at += utf8_decode(text + at, length - at, &code);
        if (is_control(code))
            return true;
    }
    return false;
}

static void pair_put(struct document *document, const char *key, const char *value, bool guessed)
{
    struct document_pair *pair = &document->pairs[document->pair_count++];
    pair->key = one_line(key, strlen(key));
    pair->value = one_line(value, strlen(value));
    pair->guessed = guessed;
}

static void pair_clear(struct document_pair *pair)
{
    free(pair->key);
    free(pair->value);
    *pair = (struct document_pair){0};
}

static void guess_pairs(struct document *document, const char *path)
{
    struct stat status;
    struct tm local;
    char date[32];
    if (strcmp(path, "-") == 0) {
        pair_put(document, "url", "stdin", true);
        return;
    }
    if (stat(path, &status) == 0 && localtime_r(&status.st_mtime, &local) != NULL &&
        strftime(date, sizeof date, "%Y-%m-%d", &local) > 0)
        pair_put(document, "date", date, true);
    pair_put(document, "url", path_base(path), true);
}

static struct document *list_add(struct document_list *list, const char *name)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 4;
        list->items = xreallocarray(list->items, list->capacity, sizeof *list->items);
    }
    struct document *document = &list->items[list->count++];
    *document = (struct document){.name = xstrdup(name), .enabled = true};
    return document;
}

char *document_origin(const char *path)
{
    struct stat status;
    if (strcmp(path, "-") == 0)
        return xstrdup(path);
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) ? realpath(path, NULL) : NULL;
}

void document_add_from(struct document_list *list, const char *path, const char *text,
                       size_t length)
{
    document_add_text(list, path, text, length);
    struct document *document = &list->items[list->count - 1];
    document->origin = document_origin(path);
    guess_pairs(document, path);
}

typedef int (*read_file)(const char *path, size_t max_bytes, struct strbuf *out,
                         struct error *error);

static int add_read(struct document_list *list, const char *path, read_file read,
                    struct error *error)
{
    struct strbuf bytes = {0};
    int result = read(path, DOCUMENT_BYTES_MAX, &bytes, error);
    if (result == 0 && bytes.length > 0 && memchr(bytes.data, '\0', bytes.length) != NULL)
        result = error_set(error, ERROR_INPUT, "%s: not text (it has NUL bytes)", path);
    if (result == 0)
        document_add_from(list, path, strbuf_text(&bytes), bytes.length);
    strbuf_free(&bytes);
    return result;
}

int document_add_file(struct document_list *list, const char *path, struct error *error)
{
    return add_read(list, path, file_read, error);
}

int document_add_regular(struct document_list *list, const char *path, struct error *error)
{
    return add_read(list, path, file_read_regular, error);
}

void document_add_text(struct document_list *list, const char *name, const char *text,
                       size_t length)
{
    struct document *document = list_add(list, name);
    struct strbuf clean = {0};
    add_clean(&clean, text, length);
    document->length = clean.length;
    document->text = strbuf_detach(&clean);
}

void document_add_exact(struct document_list *list, const char *name, const char *text,
                        size_t length)
{
    struct document *document = list_add(list, name);
    document->text = xmalloc(length + 1);
    if (length > 0)
        memcpy(document->text, text, length);
    document->text[length] = '\0';
    document->length = length;
}

static void drop_guesses(struct document *document)
{
    size_t kept = 0;
    for (size_t i = 0; i < document->pair_count; i++) {
        if (document->pairs[i].guessed)
            pair_clear(&document->pairs[i]);
        else
            document->pairs[kept++] = document->pairs[i];
    }
    document->pair_count = kept;
}

int document_set_pair(struct document *document, const char *key, const char *value,
                      struct error *error)
{
    if (key[0] == '\0' || key[0] == ' ' || strchr(key, ':') != NULL || has_control(key))
        return error_set(
            error, ERROR_INPUT,
            "%s: a key is one line without ':', not empty and without a space in front",
            document->name);
    if (has_control(value))
        return error_set(error, ERROR_INPUT, "%s: %.64s: the value must be one line",
                         document->name, key);
    drop_guesses(document);
    for (size_t i = 0; i < document->pair_count; i++) {
        if (strcmp(document->pairs[i].key, key) != 0)
            continue;
        free(document->pairs[i].value);
        document->pairs[i].value = one_line(value, strlen(value));
        return 0;
    }
    if (document->pair_count == DOCUMENT_PAIRS_MAX)
        return error_set(error, ERROR_INPUT, "%s: more than %d key=value pairs", document->name,
                         DOCUMENT_PAIRS_MAX);
    pair_put(document, key, value, false);
    return 0;
}

static void document_clear(struct document *document)
{
    for (size_t i = 0; i < document->pair_count; i++)
        pair_clear(&document->pairs[i]);
    free(document->name);
    free(document->origin);
    free(document->text);
}

void document_remove(struct document_list *list, size_t index)
{
    if (index >= list->count)
        return;
    document_clear(&list->items[index]);
    list->count--;
    memmove(&list->items[index], &list->items[index + 1],
            (list->count - index) * sizeof *list->items);
}

bool document_remove_pair(struct document *document, const char *key)
{
    for (size_t i = 0; i < document->pair_count; i++) {
        if (strcmp(document->pairs[i].key, key) != 0)
            continue;
        pair_clear(&document->pairs[i]);
        document->pair_count--;
        memmove(&document->pairs[i], &document->pairs[i + 1],
                (document->pair_count - i) * sizeof *document->pairs);
        return true;
    }
    return false;
}

int document_find(const struct document_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0)
            return (int)i;
    return -1;
}

void document_move(struct document_list *list, size_t from, size_t to)
{
    if (from >= list->count || to >= list->count || from == to)
        return;
    struct document moved = list->items[from];
    if (from < to)
        memmove(&list->items[from], &list->items[from + 1], (to - from) * sizeof moved);
    else
        memmove(&list->items[to + 1], &list->items[to], (from - to) * sizeof moved);
    list->items[to] = moved;
}

void document_add_copy(struct document_list *list, const struct document *source, const char *text,
                       size_t length)
{
    document_add_exact(list, source->name, text, length);
    struct document *copy = &list->items[list->count - 1];
    copy->enabled = source->enabled;
    copy->origin = source->origin != NULL ? xstrdup(source->origin) : NULL;
    for (size_t k = 0; k < source->pair_count; k++)
        pair_put(copy, source->pairs[k].key, source->pairs[k].value, source->pairs[k].guessed);
}

void document_list_copy(struct document_list *to, const struct document_list *from)
{
    *to = (struct document_list){0};
    for (size_t i = 0; i < from->count; i++) {
        const struct document *source = &from->items[i];
        document_add_copy(to, source, source->text, source->length);
    }
}

void document_list_free(struct document_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        document_clear(&list->items[i]);
    free(list->items);
    *list = (struct document_list){0};
}
