#include "engine/base/ini.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#if __has_include(<iniparser/iniparser.h>)
#include <iniparser/iniparser.h>
#else
#include <iniparser.h>
#endif

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/strbuf.h"

struct scan {
    struct ini_file *file;
    char *section; /* owned; NULL before the first */
    int line;
    struct error *error;
};

static char *trimmed_lower(const char *text, size_t length)
{
    while (length > 0 && isspace((unsigned char)text[length - 1]))
        length--;
    while (length > 0 && isspace((unsigned char)*text)) {
        text++;
        length--;
    }
    char *copy = xstrndup(text, length);
    for (char *at = copy; *at != '\0'; at++)
        *at = (char)tolower((unsigned char)*at);
    return copy;
}

static int complain(const struct scan *scan, const char *what)
{
    return error_set(scan->error, ERROR_INPUT, "%s: line %d: %s", scan->file->path, scan->line,
                     what);
}

static int scan_section(struct scan *scan, const char *line, size_t length)
{
    if (line[length - 1] != ']')
        return complain(scan, "a section is written [name], with nothing after it");
    free(scan->section);
    scan->section = trimmed_lower(line + 1, length - 2);
    if (scan->section[0] == '\0' || strpbrk(scan->section, "[]:") != NULL)
        return complain(scan, "a section needs a name without brackets and colons");
    return 0;
}

/* A quoted value must end on its line, with nothing but a comment after it. */
static int check_value(const struct scan *scan, const char *value, const char *end)
{
    if (memchr(value, '\\', (size_t)(end - value)) != NULL)
        return complain(scan, "a value cannot hold a backslash");
    while (value < end && isspace((unsigned char)*value))
        value++;
    if (value == end || (*value != '"' && *value != '\''))
        return 0;
    const char *close = memchr(value + 1, *value, (size_t)(end - value - 1));
    if (close == NULL)
        return complain(scan, "the quoted value does not end on its line");
    for (close++; close < end && isspace((unsigned char)*close);)
        close++;
    if (close < end && *close != ';' && *close != '#')
        return complain(scan, "there is text after the quoted value");
    return 0;
}

static int scan_entry(struct scan *scan, const char *line, size_t length)
{
    const char *equals = memchr(line, '=', length);
    if (equals == NULL)
        return complain(scan, "expected [section] or key = value");
    if (scan->section == NULL)
        return complain(scan, "a key stands before the first [section]");
    if (check_value(scan, equals + 1, line + length) != 0)
        return -1;
    char *key = trimmed_lower(line, (size_t)(equals - line));
    const struct ini_entry *twice = ini_find(scan->file, scan->section, key);
    if (key[0] == '\0' || strchr(key, ':') != NULL || twice != NULL) {
        free(key);
        return complain(scan, twice != NULL ? "this key has been set before"
                                            : "a key needs a name without colons");
    }
    struct ini_file *file = scan->file;
    if (file->count == file->capacity) {
        file->capacity = file->capacity ? 2 * file->capacity : 16;
        file->entries = xreallocarray(file->entries, file->capacity, sizeof *file->entries);
    }
    file->entries[file->count++] =
        (struct ini_entry){xstrdup(scan->section), key, NULL, scan->line};
    return 0;
}

static int scan_line(struct scan *scan, const char *line, size_t length)
{
    scan->line++;
    if (length > INI_LINE_MAX)
        return error_set(scan->error, ERROR_INPUT, "%s: line %d: longer than %d bytes",
                         scan->file->path, scan->line, INI_LINE_MAX);
    if (memchr(line, '\0', length) != NULL)
        return complain(scan, "not text");
    while (length > 0 && isspace((unsigned char)line[length - 1]))
        length--;
    while (length > 0 && isspace((unsigned char)*line)) {
        line++;
        length--;
    }
    if (length > 0 && line[length - 1] == '\\')
        return complain(scan, "a line cannot end in a backslash");
    if (length == 0 || *line == '#' || *line == ';')
        return 0;
    return *line == '[' ? scan_section(scan, line, length) : scan_entry(scan, line, length);
}

static int scan_file(struct ini_file *file, struct error *error)
{
    struct strbuf text = {0};
    int result = file_read(file->path, INI_BYTES_MAX, &text, error);
    struct scan scan = {file, NULL, 0, error};
    const char *at = strbuf_text(&text), *end = at + text.length;
    while (result == 0 && at < end) {
        const char *newline = memchr(at, '\n', (size_t)(end - at));
        const char *stop = newline != NULL ? newline : end;
        result = scan_line(&scan, at, (size_t)(stop - at));
        at = stop + 1;
    }
    free(scan.section);
    strbuf_free(&text);
    return result;
}

static int keep_quiet(const char *format, ...)
{
    (void)format;
    return 0;
}

/* The values as iniparser has them. */
static int read_values(struct ini_file *file, struct error *error)
{
    iniparser_set_error_callback(keep_quiet);
    dictionary *ini = iniparser_load(file->path);
    iniparser_set_error_callback(NULL);
    if (ini == NULL)
        return error_set(error, ERROR_INPUT, "%s: iniparser cannot read it", file->path);
    for (size_t i = 0; i < file->count; i++) {
        char *name = xasprintf("%s:%s", file->entries[i].section, file->entries[i].key);
        file->entries[i].value = xstrdup(iniparser_getstring(ini, name, ""));
        free(name);
    }
    iniparser_freedict(ini);
    return 0;
}

int ini_read(struct ini_file *file, const char *path, struct error *error)
{
    *file = (struct ini_file){.path = xstrdup(path)};
    if (scan_file(file, error) == 0 && read_values(file, error) == 0)
        return 0;
    ini_free(file);
    return -1;
}

void ini_free(struct ini_file *file)
{
    for (size_t i = 0; i < file->count; i++) {
        free(file->entries[i].section);
        free(file->entries[i].key);
        free(file->entries[i].value);
    }
    free(file->entries);
    free(file->path);
    *file = (struct ini_file){0};
}

const struct ini_entry *ini_find(const struct ini_file *file, const char *section, const char *key)
{
    for (size_t i = 0; i < file->count; i++)
        if (strcmp(file->entries[i].section, section) == 0 &&
            strcmp(file->entries[i].key, key) == 0)
            return &file->entries[i];
    return NULL;
}
