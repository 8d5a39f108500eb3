/*
 * strbuf.h - a growing byte string, always NUL-terminated. Owned by whoever holds the struct;
 * zero-initialise to begin, strbuf_free to end.
 */
#ifndef AIRO_BASE_STRBUF_H
#define AIRO_BASE_STRBUF_H

#include <stddef.h>

struct strbuf {
    char *data; /* NULL while empty and never written; use strbuf_text */
    size_t length;
    size_t capacity;
};

void strbuf_add(struct strbuf *buffer, const void *bytes, size_t length);
void strbuf_puts(struct strbuf *buffer, const char *text);
void strbuf_putc(struct strbuf *buffer, char byte);
void strbuf_printf(struct strbuf *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void strbuf_remove(struct strbuf *buffer, size_t offset, size_t length);
void strbuf_clear(struct strbuf *buffer);
void strbuf_free(struct strbuf *buffer);

/* The text, never NULL; valid until the next write. */
const char *strbuf_text(const struct strbuf *buffer);

/* Hands the bytes over (free() them) and empties the buffer. */
char *strbuf_detach(struct strbuf *buffer);

#endif
