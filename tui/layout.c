#include "tui/layout.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"

static void add_row(struct layout *layout, size_t start, size_t end)
{
    if (layout->count == layout->capacity) {
        layout->capacity = layout->capacity ? layout->capacity * 2 : 8;
        layout->rows = xreallocarray(layout->rows, layout->capacity, sizeof *layout->rows);
    }
    layout->rows[layout->count++] = (struct wrap_line){start, end};
}

/* Adds a line's rows; returns the index of the first. */
static size_t add_line(struct layout *layout, const struct strbuf *line, int columns)
{
    size_t first = layout->count, base = layout->shown.length;
    struct wrap *wrap = &layout->scratch;
    wrap_reset(wrap);
    wrap_update(wrap, strbuf_text(line), line->length, columns);
    strbuf_add(&layout->shown, strbuf_text(&wrap->shown), wrap->shown.length);
    for (size_t i = 0; i < wrap->count; i++)
        add_row(layout, base + wrap->lines[i].start, base + wrap->lines[i].end);
    if (wrap->count == 0)
        add_row(layout, base, base);
    return first;
}

/* The cursor stands after `before` in the line whose rows begin at `first`. */
static void place_cursor(struct layout *layout, size_t first, const struct strbuf *before,
                         int columns)
{
    struct wrap prefix = {0};
    wrap_update(&prefix, strbuf_text(before), before->length, columns);
    size_t offset = layout->rows[first].start + prefix.shown.length;
    wrap_free(&prefix);
    size_t row = first;
    while (row + 1 < layout->count && layout->rows[row + 1].start <= offset)
        row++;
    int column = text_columns(layout->shown.data + layout->rows[row].start,
                              offset - layout->rows[row].start);
    if (column >= columns) {
        if (row + 1 == layout->count)
            add_row(layout, layout->shown.length, layout->shown.length);
        row++;
        column = 0;
    }
    layout->cursor_row = row;
    layout->cursor_column = column;
}

void layout_update(struct layout *layout, const char *prefix, const char *text, size_t length,
                   size_t point, const struct paste_list *pastes, int columns)
{
    struct strbuf line = {0}, before = {0};
    columns = columns < 1 ? 1 : columns;
    layout->count = 0;
    strbuf_clear(&layout->shown);
    strbuf_putc(&layout->shown, ' '); /* never NULL; no row shows it */
    strbuf_puts(&line, prefix);
    for (size_t at = 0;;) {
        const char *newline = length > at ? memchr(text + at, '\n', length - at) : NULL;
        size_t end = newline != NULL ? (size_t)(newline - text) : length;
        if (point >= at && point <= end) {
            strbuf_add(&before, strbuf_text(&line), line.length);
            paste_unfold(pastes, text + at, point - at, true, &before);
        }
        paste_unfold(pastes, text + at, end - at, true, &line);
        size_t first = add_line(layout, &line, columns);
        if (point >= at && point <= end)
            place_cursor(layout, first, &before, columns);
        if (newline == NULL)
            break;
        strbuf_clear(&line);
        at = end + 1;
    }
    strbuf_free(&line);
    strbuf_free(&before);
}

void layout_free(struct layout *layout)
{
    strbuf_free(&layout->shown);
    free(layout->rows);
    wrap_free(&layout->scratch);
    *layout = (struct layout){0};
}
