/*
 * ini.h - small ini files, read with iniparser, within bounds and with line numbers.
 *
 * Versions of iniparser differ in what a backslash means and all of them are silent about much
 * that is wrong, so every line is checked first: no line over INI_LINE_MAX bytes, no backslash in a
 * value, quotes closed, no key twice. What passes reads the same everywhere. Sections and keys
 * come out in lower case. The file owns its entries: ini_free.
 */
#ifndef AIRO_BASE_INI_H
#define AIRO_BASE_INI_H

#include <stddef.h>

#include "engine/base/error.h"

#define INI_LINE_MAX  1000
#define INI_BYTES_MAX (1u << 20)

struct ini_entry {
    char *section, *key, *value;
    int line;
};

/* Entries in the order of the file. */
struct ini_file {
    char *path;
    struct ini_entry *entries;
    size_t count, capacity;
};

/* Errors name the path and the line. */
int ini_read(struct ini_file *file, const char *path, struct error *error);
void ini_free(struct ini_file *file);

/* NULL when there is no such entry. */
const struct ini_entry *ini_find(const struct ini_file *file, const char *section, const char *key);

#endif
