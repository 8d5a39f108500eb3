#include "engine/base/alloc.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *checked(void *pointer)
{
    if (pointer == NULL) {
        fputs("airo: out of memory\n", stderr);
        abort();
    }
    return pointer;
}

void *xmalloc(size_t bytes)
{
    return checked(malloc(bytes ? bytes : 1));
}

void *xcalloc(size_t count, size_t bytes)
{
    return checked(calloc(count ? count : 1, bytes ? bytes : 1));
}

void *xrealloc(void *old, size_t bytes)
{
    return checked(realloc(old, bytes ? bytes : 1));
}

void *xreallocarray(void *old, size_t count, size_t bytes)
{
    size_t total = 0;
    if (!checked_mul(count, bytes, &total))
        return checked(NULL);
    return xrealloc(old, total);
}

char *xstrdup(const char *text)
{
    return checked(strdup(text));
}

char *xstrndup(const char *text, size_t length)
{
    return checked(strndup(text, length));
}

char *xasprintf(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    int written = vasprintf(&text, format, args);
    va_end(args);
    return checked(written < 0 ? NULL : text);
}

void *alloc_large(size_t bytes, const char *what, struct error *error)
{
    void *memory = NULL;
    size_t rounded = 0;
    char size[32];
    if (!checked_add(bytes, 63, &rounded) ||
        posix_memalign(&memory, 64, (rounded & ~(size_t)63) + 64) != 0) {
        error_set(error, ERROR_MEMORY, "cannot allocate %s for %s", format_bytes(bytes, size),
                  what);
        return NULL;
    }
    memset(memory, 0, bytes);
    return memory;
}

bool checked_mul(size_t a, size_t b, size_t *out)
{
    size_t result;
    if (__builtin_mul_overflow(a, b, &result))
        return false;
    *out = result;
    return true;
}

bool checked_add(size_t a, size_t b, size_t *out)
{
    size_t result;
    if (__builtin_add_overflow(a, b, &result))
        return false;
    *out = result;
    return true;
}

char *format_bytes(uint64_t bytes, char *out)
{
    static const char *const units[] = {"bytes", "KiB", "MiB", "GiB", "TiB"};
    double value = (double)bytes;
    unsigned unit = 0;
    while (value >= 1024.0 && unit < 4) {
        value /= 1024.0;
        unit++;
    }
    snprintf(out, 32, unit == 0 ? "%.0f %s" : "%.1f %s", value, units[unit]);
    return out;
}

char *format_count(size_t count, char *out)
{
    char digits[24];
    int length = snprintf(digits, sizeof digits, "%zu", count), at = 0;
    for (int i = 0; i < length; i++) {
        if (i > 0 && (length - i) % 3 == 0)
            out[at++] = ',';
        out[at++] = digits[i];
    }
    out[at] = '\0';
    return out;
}
