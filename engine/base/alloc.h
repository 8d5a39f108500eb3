/*
 * alloc.h - small allocations, which may abort, and large ones, which may not.
 *
 * xmalloc and friends are for things of kilobytes: when they fail there is nothing sensible left
 * to do and the program says so and aborts. Whatever a file's size or a context length decides goes
 * through alloc_large, which returns an error with numbers.
 */
#ifndef AIRO_BASE_ALLOC_H
#define AIRO_BASE_ALLOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

void *xmalloc(size_t bytes);
void *xcalloc(size_t count, size_t bytes);
void *xrealloc(void *old, size_t bytes);
void *xreallocarray(void *old, size_t count, size_t bytes);
char *xstrdup(const char *text);
char *xstrndup(const char *text, size_t length);
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Zeroed memory, 64-byte aligned, freed with free(). NULL and `error` ("cannot allocate 1.5 GiB for
 * WHAT") when it does not fit. */
void *alloc_large(size_t bytes, const char *what, struct error *error);

/* Checked arithmetic: false when the result does not fit, *out untouched. */
bool checked_mul(size_t a, size_t b, size_t *out);
bool checked_add(size_t a, size_t b, size_t *out);

/* "13.4 GiB", "512 KiB": for messages. `out` holds at least 32 bytes; returned. */
char *format_bytes(uint64_t bytes, char *out);
/* "16,384" into `out`, which holds at least 32 bytes and is returned. */
char *format_count(size_t count, char *out);

#endif
