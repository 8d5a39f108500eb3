/*
 * out_directory.h - a directory that appears whole or not at all: files are made in one beside it,
 * which is renamed at the end. Never overwrites.
 */
#ifndef AIRO_QUANT_OUT_DIRECTORY_H
#define AIRO_QUANT_OUT_DIRECTORY_H

#include <stdint.h>

#include "engine/base/error.h"

struct out_directory {
    char *path;      /* where it shall be */
    char *temporary; /* where it is made; NULL before begin and after the end */
};

/* -1 and an error when something stands at `path` already, or its parent is missing. Nothing is
 * made yet. out_directory_free ends every one. */
int out_directory_init(struct out_directory *out, const char *path, struct error *error);
/* Refuses with numbers when the file system has less room than `bytes`. */
int out_directory_begin(struct out_directory *out, uint64_t bytes, struct error *error);
/* Gives it its name. */
int out_directory_commit(struct out_directory *out, struct error *error);
/* Removes what was begun and not committed. */
void out_directory_free(struct out_directory *out);

#endif
