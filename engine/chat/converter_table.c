#include "engine/chat/converter_table.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>
#include <sys/stat.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/strbuf.h"

#define WORDS_MAX    64
#define COUNT(table) (sizeof(table) / sizeof(table)[0])

static const struct {
    const char *kind, *command, *package; /* Debian's */
} known[] = {
    {"pdf", "pdftotext -layout -enc UTF-8 %s -", "poppler-utils"},
    {"pdf", "mutool draw -F txt -o - %s", "mupdf-tools"},
    {"html", "w3m -dump -T text/html -O UTF-8 %s", "w3m"},
    {"html", "lynx -dump -nolist -force_html -display_charset=UTF-8 %s", "lynx"},
    {"html", "pandoc -f html -t plain --wrap=none %s", "pandoc"},
    {"html", "html2text %s", "html2text"},
    {"docx", "pandoc -f docx -t plain --wrap=none %s", "pandoc"},
    {"docx", "docx2txt %s -", "docx2txt"},
    {"odt", "pandoc -f odt -t plain --wrap=none %s", "pandoc"},
    {"odt", "odt2txt --encoding=UTF-8 %s", "odt2txt"},
    {"epub", "pandoc -f epub -t plain --wrap=none %s", "pandoc"},
    {"rtf", "pandoc -f rtf -t plain --wrap=none %s", "pandoc"},
    {"rtf", "unrtf --text %s", "unrtf"},
    {"doc", "antiword -m UTF-8.txt %s", "antiword"},
    {"doc", "catdoc -d utf-8 %s", "catdoc"},
};

/* --- commands --------------------------------------------------------------------------------- */

/* One character of a command at *at, past it; %s and %% are resolved. */
static void put_character(const char **at, const char *path, struct strbuf *word, bool *placed)
{
    if ((*at)[0] == '%' && (*at)[1] == 's') {
        strbuf_puts(word, path);
        *placed = true;
        *at += 2;
    } else if ((*at)[0] == '%' && (*at)[1] == '%') {
        strbuf_putc(word, '%');
        *at += 2;
    } else {
        strbuf_putc(word, *(*at)++);
    }
}

/* The word at *at; false when a quote in it stays open. */
static bool read_word(const char **at, const char *path, struct strbuf *word, bool *placed)
{
    char quote = '\0';
    while (**at != '\0' && (quote != '\0' || strchr(" \t", **at) == NULL)) {
        if (**at == quote)
            quote = '\0';
        else if (quote == '\0' && (**at == '"' || **at == '\''))
            quote = **at;
        else {
            put_character(at, path, word, placed);
            continue;
        }
        ++*at;
    }
    return quote == '\0';
}

static char **split(const char *kind, const char *command, const char *path, struct error *error)
{
    char **words = xcalloc(WORDS_MAX + 1, sizeof *words);
    const char *wrong = NULL;
    bool placed = false;
    size_t count = 0;
    for (const char *at = command + strspn(command, " \t"); *at != '\0' && wrong == NULL;
         at += strspn(at, " \t")) {
        struct strbuf word = {0};
        if (count == WORDS_MAX)
            wrong = "has too many words";
        else if (!read_word(&at, path, &word, &placed))
            wrong = "has a quote that does not end";
        if (wrong == NULL)
            words[count++] = strbuf_detach(&word);
        strbuf_free(&word);
    }
    if (wrong == NULL && (count == 0 || words[0][0] == '\0'))
        wrong = "names no program";
    else if (wrong == NULL && !placed)
        wrong = "needs %s where the path goes";
    if (wrong == NULL)
        return words;
    error_set(error, ERROR_INPUT, "converters:%.32s: \"%.100s\" %s", kind, command, wrong);
    converter_words_free(words);
    return NULL;
}

void converter_words_free(char **words)
{
    for (size_t i = 0; words != NULL && words[i] != NULL; i++)
        free(words[i]);
    free(words);
}

static bool is_program(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && access(path, X_OK) == 0;
}

/* Whether a command's program is there: as a path, or in a directory of PATH. */
static bool on_path(const char *program)
{
    const char *at = getenv("PATH");
    if (strchr(program, '/') != NULL)
        return is_program(program);
    for (bool found; at != NULL && *at != '\0'; at += *at == ':') {
        size_t length = strcspn(at, ":");
        char *path = xasprintf("%.*s/%s", (int)length, at, program);
        found = length > 0 && is_program(path);
        free(path);
        if (found)
            return true;
        at += length;
    }
    return false;
}

/* --- the table -------------------------------------------------------------------------------- */

static struct converter_row *find_row(const struct converter_table *table, const char *kind)
{
    for (size_t i = 0; table != NULL && i < table->count; i++)
        if (strcasecmp(table->rows[i].kind, kind) == 0)
            return &table->rows[i];
    return NULL;
}

int converter_table_set(struct converter_table *table, const char *kind, const char *command,
                        struct error *error)
{
    if (command[strspn(command, " \t")] != '\0') {
        char **words = split(kind, command, "/", error);
        if (words == NULL)
            return -1;
        converter_words_free(words);
    }
    struct converter_row *row = find_row(table, kind);
    if (row == NULL) {
        if (table->count == table->capacity) {
            table->capacity = table->capacity ? 2 * table->capacity : 8;
            table->rows = xreallocarray(table->rows, table->capacity, sizeof *table->rows);
        }
        row = &table->rows[table->count++];
        *row = (struct converter_row){.kind = xstrdup(kind)};
    }
    free(row->command);
    row->command = xstrdup(command + strspn(command, " \t"));
    return 0;
}

void converter_table_free(struct converter_table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        free(table->rows[i].kind);
        free(table->rows[i].command);
    }
    free(table->rows);
    *table = (struct converter_table){0};
}

/* "to read PDF install pdftotext (Debian: poppler-utils), or set converters:pdf in airo.ini" */
static void say_missing(const char *kind, struct error *error)
{
    char upper[16] = "";
    for (size_t i = 0; kind[i] != '\0' && i + 1 < sizeof upper; i++)
        upper[i] = (char)(kind[i] >= 'a' && kind[i] <= 'z' ? kind[i] - 'a' + 'A' : kind[i]);
    for (size_t i = 0; i < COUNT(known); i++) {
        if (strcmp(known[i].kind, kind) != 0)
            continue;
        error_set(error, ERROR_INPUT,
                  "to read %s install %.*s (Debian: %s), or set converters:%s in airo.ini", upper,
                  (int)strcspn(known[i].command, " "), known[i].command, known[i].package, kind);
        return;
    }
    error_set(error, ERROR_INPUT, "to read %s set converters:%s in airo.ini", upper, kind);
}

char **converter_words(const struct converter_table *table, const char *kind, const char *path,
                       struct error *error)
{
    const struct converter_row *row = find_row(table, kind);
    if (row != NULL) {
        char **words = split(kind, row->command, path, error);
        if (words != NULL && !on_path(words[0])) {
            error_set(error, ERROR_INPUT, "converters:%s: there is no program %.200s", row->kind,
                      words[0]);
            converter_words_free(words);
            words = NULL;
        }
        return words;
    }
    for (size_t i = 0; i < COUNT(known); i++) {
        if (strcmp(known[i].kind, kind) != 0)
            continue;
        char **words = split(kind, known[i].command, path, error);
        if (words != NULL && on_path(words[0]))
            return words;
        converter_words_free(words);
    }
    say_missing(kind, error);
    return NULL;
}

/* --- kinds ------------------------------------------------------------------------------------ */

static bool has(const char *head, size_t length, const char *bytes)
{
    return memmem(head, length, bytes, strlen(bytes)) != NULL;
}

static bool begins(const char *head, size_t length, const char *bytes)
{
    size_t count = strlen(bytes);
    return length >= count && strncasecmp(head, bytes, count) == 0;
}

static const char *kind_of_bytes(const char *head, size_t length)
{
    if (begins(head, length, "%PDF-"))
        return "pdf";
    if (begins(head, length, "{\\rtf"))
        return "rtf";
    if (begins(head, length, "PK\x03\x04")) {
        if (has(head, length, "mimetypeapplication/epub+zip"))
            return "epub";
        if (has(head, length, "mimetypeapplication/vnd.oasis.opendocument.text"))
            return "odt";
        return has(head, length, "word/") ? "docx" : NULL;
    }
    while (length > 0 && strchr(" \t\r\n\xEF\xBB\xBF", *head) != NULL && *head != '\0') {
        head++;
        length--;
    }
    return begins(head, length, "<!doctype html") || begins(head, length, "<html") ? "html" : NULL;
}

static const char *kind_of_name(const char *path)
{
    static const char *const html[] = {".html", ".htm", ".xhtml"};
    const char *dot = strrchr(path_base(path), '.');
    if (dot == NULL)
        return NULL;
    for (size_t i = 0; i < COUNT(html); i++)
        if (strcasecmp(dot, html[i]) == 0)
            return "html";
    for (size_t i = 0; i < COUNT(known); i++)
        if (strcasecmp(dot + 1, known[i].kind) == 0)
            return known[i].kind;
    return NULL;
}

const char *converter_kind(const struct converter_table *table, const char *path, const char *head,
                           size_t length)
{
    const char *dot = strrchr(path_base(path), '.');
    const struct converter_row *row = dot != NULL ? find_row(table, dot + 1) : NULL;
    const char *kind = row != NULL ? row->kind : kind_of_bytes(head, length);
    bool binary = memchr(head, '\0', length < 512 ? length : 512) != NULL;
    /* A name alone does not make text a PDF; for formats without a mark of their own it must do. */
    if (kind == NULL)
        kind = kind_of_name(path);
    if (kind != NULL && row == NULL && strcmp(kind, "html") != 0 && !binary &&
        kind_of_bytes(head, length) == NULL)
        kind = NULL;
    row = kind != NULL ? find_row(table, kind) : NULL;
    return row != NULL && row->command[0] == '\0' ? NULL : kind;
}

const char *converter_kind_of_file(const struct converter_table *table, const char *path)
{
    char head[4096];
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return NULL;
    ssize_t length = -1;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
        length = read(fd, head, sizeof head);
    close(fd);
    return length >= 0 ? converter_kind(table, path, head, (size_t)length) : NULL;
}
