/*
 * converter_table.h - which program turns which kind of file into text.
 *
 * The user's own rows (airo.ini, [converters]) come first, then a built-in list of programs that
 * are tried in order when they are on PATH. Commands are split into words here, no shell ever sees
 * them: white space parts words, '...' and "..." keep them together, %s is the file's absolute
 * path, %% a percent sign.
 */
#ifndef AIRO_CHAT_CONVERTER_TABLE_H
#define AIRO_CHAT_CONVERTER_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"

struct converter_row {
    char *kind;    /* "pdf": as extensions are written, in lower case */
    char *command; /* "pdftotext -layout %s -"; empty: such a file is text as it is */
};

/* The user's rows. Zero-initialise; converter_table_free. */
struct converter_table {
    struct converter_row *rows;
    size_t count, capacity;
};

/* Sets a row, replacing one of that kind. Errors name what is wrong with the command. */
int converter_table_set(struct converter_table *table, const char *kind, const char *command,
                        struct error *error);
void converter_table_free(struct converter_table *table);

/* What kind of file this is, by its first bytes and its extension: "pdf", "html", ... or a kind of
 * the user's own; NULL: text, or nothing known. `head` holds the first `length` bytes, a few
 * hundred are enough. `table` may be NULL. */
const char *converter_kind(const struct converter_table *table, const char *path, const char *head,
                           size_t length);
/* The same, reading the file's beginning. NULL also when it cannot be read. */
const char *converter_kind_of_file(const struct converter_table *table, const char *path);

/* The command for a kind as words ending in NULL, with `path` (absolute) put in; to be freed with
 * converter_words_free. NULL and an error that says what to install when there is no program. */
char **converter_words(const struct converter_table *table, const char *kind, const char *path,
                       struct error *error);
void converter_words_free(char **words);

#endif
