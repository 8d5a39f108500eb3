#include "engine/base/strbuf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"

static void reserve(struct strbuf *buffer, size_t extra)
{
    size_t need = buffer->length + extra + 1;
    if (need <= buffer->capacity)
        return;
    size_t capacity = buffer->capacity ? buffer->capacity : 64;
    while (capacity < need)
        capacity *= 2;
    buffer->data = xrealloc(buffer->data, capacity);
    buffer->capacity = capacity;
}

void strbuf_add(struct strbuf *buffer, const void *bytes, size_t length)
{
    reserve(buffer, length);
    if (length > 0)
        memcpy(buffer->data + buffer->length, bytes, length);
    buffer->length += length;
    buffer->data[buffer->length] = '\0';
}

void strbuf_puts(struct strbuf *buffer, const char *text)
{
    strbuf_add(buffer, text, strlen(text));
}

void strbuf_putc(struct strbuf *buffer, char byte)
{
    strbuf_add(buffer, &byte, 1);
}

void strbuf_printf(struct strbuf *buffer, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int length = vsnprintf(NULL, 0, format, args);
    va_end(args);
    if (length < 0)
        return;
    reserve(buffer, (size_t)length);
    va_start(args, format);
    vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, args);
    va_end(args);
    buffer->length += (size_t)length;
}

void strbuf_remove(struct strbuf *buffer, size_t offset, size_t length)
{
    if (offset >= buffer->length)
        return;
    if (length > buffer->length - offset)
        length = buffer->length - offset;
    memmove(buffer->data + offset, buffer->data + offset + length,
            buffer->length - offset - length + 1);
    buffer->length -= length;
}

void strbuf_clear(struct strbuf *buffer)
{
    buffer->length = 0;
    if (buffer->data != NULL)
        buffer->data[0] = '\0';
}

void strbuf_free(struct strbuf *buffer)
{
    free(buffer->data);
    *buffer = (struct strbuf){0};
}

const char *strbuf_text(const struct strbuf *buffer)
{
    return buffer->data != NULL ? buffer->data : "";
}

char *strbuf_detach(struct strbuf *buffer)
{
    reserve(buffer, 0);
    char *data = buffer->data;
    data[buffer->length] = '\0';
    *buffer = (struct strbuf){0};
    return data;
}
