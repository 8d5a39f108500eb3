/*
 * file.h - reading whole files and mapping large ones.
 *
 * A mapping survives its file being cut short: the missing pages read as zeros and
 * mapped_file_damaged says so, instead of the process dying of SIGBUS.
 */
#ifndef AIRO_BASE_FILE_H
#define AIRO_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/base/strbuf.h"

struct mapped_file {
    const unsigned char *data; /* NULL when the file is empty */
    size_t size;
    int slot; /* place in the table of guarded mappings; private to file.c */
};

/* Maps a regular file read-only. Errors name the path. */
int mapped_file_open(struct mapped_file *file, const char *path, struct error *error);
/* True when a page could not be read (truncated file, I/O error) since it was mapped. Also takes
 * SIGBUS back from a handler that was installed after mapped_file_open. */
bool mapped_file_damaged(const struct mapped_file *file);
/* Gives the pages that were read back to the system; the next read brings them again. */
void mapped_file_drop(const struct mapped_file *file);
void mapped_file_close(struct mapped_file *file);

/* Appends a regular file (or a pipe, or standard input for "-") to `out`; refuses more than
 * `max_bytes`. */
int file_read(const char *path, size_t max_bytes, struct strbuf *out, struct error *error);
/* The same for a program that must not wait: nothing but a regular file, and "-" is a name. */
int file_read_regular(const char *path, size_t max_bytes, struct strbuf *out, struct error *error);

bool file_exists(const char *path);
bool directory_exists(const char *path);

/* "a/b", to be freed. */
char *path_join(const char *directory, const char *name);
/* The last component, pointing into `path`. */
const char *path_base(const char *path);

/* Creates the directory and its parents with mode 0700 where they are missing. */
int directory_make(const char *path, struct error *error);

/* The directory that holds the running program, to be freed; NULL when it cannot be told. */
char *program_directory(void);

/* The XDG directory for airo: kind is "config", "data", "cache" or "state". To be freed. */
char *xdg_directory(const char *kind);

#endif
