#include "engine/chat/support_source.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"
#include "engine/chat/defuse.h"

static const char *const headers[] = {"Source:", "Sources:"};
#define HEADERS (sizeof headers / sizeof headers[0])

/* --- lines ------------------------------------------------------------------------------------ */

bool source_may_be_header(const char *line, size_t length)
{
    for (size_t i = 0; i < HEADERS; i++) {
        size_t header = strlen(headers[i]);
        if (memcmp(line, headers[i], length < header ? length : header) == 0)
            return true;
    }
    return false;
}

const char *source_after_header(const char *line)
{
    for (size_t i = 0; i < HEADERS; i++)
        if (strncmp(line, headers[i], strlen(headers[i])) == 0)
            return line + strlen(headers[i]);
    return NULL;
}

char *source_plain_line(const char *line, size_t length, const char *const *markers)
{
    static const char *const none[] = {NULL};
    struct strbuf out = {0};
    while (length > 0 && (*line == ' ' || *line == '\t')) {
        line++;
        length--;
    }
    while (length > 0 && (line[length - 1] == ' ' || line[length - 1] == '\t'))
        length--;
    defuse_undo(&out, line, length, markers != NULL ? markers : none);
    return strbuf_detach(&out);
}

static bool names_pair(const struct document_pair *pair, const char *line)
{
    size_t key = strlen(pair->key);
    if (strcmp(line, pair->value) == 0)
        return true;
    return strncmp(line, pair->key, key) == 0 && strncmp(line + key, ": ", 2) == 0 &&
           strcmp(line + key + 2, pair->value) == 0;
}

static bool has_pair(const struct document *document, const char *line)
{
    for (size_t i = 0; document->enabled && i < document->pair_count; i++)
        if (names_pair(&document->pairs[i], line))
            return true;
    return false;
}

int source_document(const struct document_list *documents, const char *line)
{
    for (size_t i = 0; line[0] != '\0' && i < documents->count; i++)
        if (has_pair(&documents->items[i], line))
            return (int)i;
    return -1;
}

bool source_goes_on(const char *line, int document)
{
    return line[0] != '\0' && (document >= 0 || strstr(line, ": ") != NULL);
}

/* --- sources ---------------------------------------------------------------------------------- */

/* Bytes of the key of "key: value"; 0: there is none. */
static size_t key_length(const char *line)
{
    const char *colon = strstr(line, ": ");
    return colon != NULL ? (size_t)(colon - line) : 0;
}

/* A key that comes again begins another source, as does a header. */
static bool begins_source(const struct source_list *list, const char *line)
{
    size_t key = key_length(line);
    if (list->count == 0)
        return true;
    const struct source *source = &list->sources[list->count - 1];
    for (size_t i = 0; key > 0 && i < source->count; i++) {
        const char *other = list->lines[source->first + i].text;
        if (key_length(other) == key && memcmp(other, line, key) == 0)
            return true;
    }
    return false;
}

static void add_line(struct source_list *list, struct text_range range, char *text, int document,
                     bool header)
{
    if (header || begins_source(list, text)) {
        if (list->count == list->capacity) {
            list->capacity = list->capacity ? 2 * list->capacity : 4;
            list->sources = xreallocarray(list->sources, list->capacity, sizeof *list->sources);
        }
        list->sources[list->count++] = (struct source){.first = list->line_count, .document = -1};
    }
    if (list->line_count == list->line_capacity) {
        list->line_capacity = list->line_capacity ? 2 * list->line_capacity : 8;
        list->lines = xreallocarray(list->lines, list->line_capacity, sizeof *list->lines);
    }
    list->lines[list->line_count++] = (struct source_line){range, text, document, false};
    list->sources[list->count - 1].count++;
}

/* The document with most of the lines; of equals the first. */
static void find_document(struct source_list *list, struct source *source,
                          const struct document_list *documents)
{
    size_t best = 0;
    for (size_t i = 0; i < documents->count; i++) {
        size_t found = 0;
        for (size_t k = 0; k < source->count; k++)
            found += has_pair(&documents->items[i], list->lines[source->first + k].text);
        if (found > best) {
            best = found;
            source->document = (int)i;
        }
    }
    source->exact = best == source->count;
    for (size_t k = 0; source->document >= 0 && k < source->count; k++) {
        struct source_line *line = &list->lines[source->first + k];
        line->matches = has_pair(&documents->items[source->document], line->text);
    }
}

enum state { IN_TEXT, AFTER_HEADER, IN_SOURCES };

/* One line of the reply; returns what follows. */
static enum state read_line(struct source_list *list, const char *reply, struct text_range range,
                            enum state state, const struct document_list *documents,
                            const char *const *markers)
{
    char *whole = xstrndup(reply + range.begin, range.end - range.begin);
    const char *rest = source_after_header(whole);
    if (rest != NULL) {
        if (list->answer_bytes == (size_t)-1)
            list->answer_bytes = range.begin;
        range.begin += (size_t)(rest - whole);
        state = AFTER_HEADER;
    }
    if (state == IN_TEXT) {
        free(whole);
        return state;
    }
    char *line = source_plain_line(reply + range.begin, range.end - range.begin, markers);
    int document = source_document(documents, line);
    bool bare = rest != NULL && line[0] == '\0';
    if (source_goes_on(line, document) || (state == AFTER_HEADER && line[0] != '\0')) {
        add_line(list, range, line, document, state == AFTER_HEADER);
        state = IN_SOURCES;
    } else {
        free(line);
        state = bare ? AFTER_HEADER : IN_TEXT;
    }
    free(whole);
    return state;
}

void source_list_read(struct source_list *list, const char *reply, size_t length,
                      const struct document_list *documents, const char *const *markers)
{
    enum state state = IN_TEXT;
    *list = (struct source_list){.answer_bytes = (size_t)-1};
    for (size_t at = 0; at < length;) {
        const char *newline = memchr(reply + at, '\n', length - at);
        size_t end = newline != NULL ? (size_t)(newline - reply) : length;
        state = read_line(list, reply, (struct text_range){at, end}, state, documents, markers);
        at = end + 1;
    }
    if (list->answer_bytes == (size_t)-1)
        list->answer_bytes = length;
    for (size_t i = 0; i < list->count; i++)
        find_document(list, &list->sources[i], documents);
}

void source_list_free(struct source_list *list)
{
    for (size_t i = 0; i < list->line_count; i++)
        free(list->lines[i].text);
    free(list->lines);
    free(list->sources);
    *list = (struct source_list){0};
}

/* The pair of the document under the key of a line that does not match. */
static const struct document_pair *other_value(const struct document *document, const char *line)
{
    size_t key = key_length(line);
    for (size_t i = 0; key > 0 && i < document->pair_count; i++)
        if (strlen(document->pairs[i].key) == key && memcmp(document->pairs[i].key, line, key) == 0)
            return &document->pairs[i];
    return NULL;
}

char *source_difference(const struct source_list *list, size_t source,
                        const struct document_list *documents)
{
    const struct source *one = &list->sources[source];
    struct strbuf out = {0};
    if (one->document < 0 || one->exact)
        return NULL;
    const struct document *document = &documents->items[one->document];
    for (size_t i = 0; i < one->count; i++) {
        const struct source_line *line = &list->lines[one->first + i];
        if (line->matches)
            continue;
        const struct document_pair *pair = other_value(document, line->text);
        strbuf_printf(&out, "%sthe source says %.200s, %.200s has ", out.length > 0 ? "; " : "",
                      line->text, document->name);
        if (pair != NULL)
            strbuf_printf(&out, "%s: %.200s", pair->key, pair->value);
        else
            strbuf_puts(&out, "no such line");
    }
    return strbuf_detach(&out);
}
