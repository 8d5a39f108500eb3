#include "tui/paste.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"

#define FIRST     0xF0000u
#define LAST      0xFFFFDu
#define LEAD_BYTE 0xF3 /* of all of them in UTF-8 */

void paste_clean(struct strbuf *out, const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        size_t run = 0;
        while (at + run < length && text[at + run] > '\r')
            run++;
        strbuf_add(out, text + at, run);
        at += run;
        if (at >= length)
            break;
        uint32_t code;
        size_t bytes = utf8_decode(text + at, length - at, &code);
        if (code == '\r')
            strbuf_putc(out, '\n');
        else if (code == 0 || (code >= FIRST && code <= LAST) || code == UTF8_REPLACEMENT)
            strbuf_puts(out, "\xEF\xBF\xBD");
        else
            strbuf_add(out, text + at, bytes);
        at += bytes;
        if (code == '\r' && at < length && text[at] == '\n')
            at++;
    }
}

static size_t count_lines(const char *text, size_t length)
{
    size_t lines = 1;
    const char *end = text + length, *newline;
    while (text < end && (newline = memchr(text, '\n', (size_t)(end - text))) != NULL) {
        text = newline + 1;
        lines += text < end;
    }
    return lines;
}

bool paste_is_large(const char *text, size_t length)
{
    return length > PASTE_FOLD_BYTES || count_lines(text, length) > PASTE_FOLD_LINES;
}

void paste_fold(struct paste_list *list, struct strbuf *text, char *character)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 4;
        list->items = xreallocarray(list->items, list->capacity, sizeof *list->items);
    }
    character[utf8_encode(FIRST + (uint32_t)list->count, character)] = '\0';
    list->items[list->count++] = *text;
    *text = (struct strbuf){0};
}

const struct strbuf *paste_find(const struct paste_list *list, uint32_t code)
{
    return code >= FIRST && code - FIRST < list->count ? &list->items[code - FIRST] : NULL;
}

static void put_label(const struct strbuf *paste, struct strbuf *out)
{
    char size[32];
    size_t lines = count_lines(strbuf_text(paste), paste->length);
    strbuf_printf(out, "[pasted: %zu line%s, %s]", lines, lines == 1 ? "" : "s",
                  format_bytes(paste->length, size));
}

void paste_unfold(const struct paste_list *list, const char *text, size_t length, bool labels,
                  struct strbuf *out)
{
    for (size_t at = 0; at < length;) {
        const char *lead = memchr(text + at, LEAD_BYTE, length - at);
        size_t run = lead != NULL ? (size_t)(lead - (text + at)) : length - at;
        strbuf_add(out, text + at, run);
        at += run;
        if (at >= length)
            break;
        uint32_t code;
        size_t bytes = utf8_decode(text + at, length - at, &code);
        const struct strbuf *paste = paste_find(list, code);
        if (paste == NULL)
            strbuf_add(out, text + at, bytes);
        else if (labels)
            put_label(paste, out);
        else
            strbuf_add(out, strbuf_text(paste), paste->length);
        at += bytes;
    }
}

void paste_list_free(struct paste_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        strbuf_free(&list->items[i]);
    free(list->items);
    *list = (struct paste_list){0};
}
