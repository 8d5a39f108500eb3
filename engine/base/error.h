/*
 * error.h - the one error convention.
 *
 * Every fallible function returns 0 or -1 (or NULL) and fills a struct error: a code that decides
 * the exit status and one line, without a newline, that names the file and the field and says what
 * to do. The caller owns the struct; it needs no release.
 */
#ifndef AIRO_BASE_ERROR_H
#define AIRO_BASE_ERROR_H

#include <stdarg.h>

enum error_code {
    ERROR_NONE = 0,
    ERROR_INPUT,       /* a file, a flag or a prompt is wrong: the user can mend it */
    ERROR_SYSTEM,      /* the operating system said no (errno) */
    ERROR_MEMORY,      /* a large allocation does not fit; the message has the numbers */
    ERROR_UNSUPPORTED, /* well-formed, but not something this program can run */
    ERROR_CANCELLED,   /* stopped on request; not a failure to show */
    ERROR_DEVICE,      /* the backend failed */
};

struct error {
    enum error_code code;
    char message[512];
};

/* Fills `error` (may be NULL) and returns -1, so that `return error_set(...)` reads well. */
int error_set(struct error *error, enum error_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Like error_set, with ": " and strerror(errno) appended. */
int error_set_errno(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Puts "prefix: " before the message that is there; returns -1. */
int error_prefix(struct error *error, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
