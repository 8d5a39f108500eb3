#include "tui/wrap.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "tui/sanitize.h"

static void add_line(struct wrap *wrap, size_t start, size_t end)
{
    if (wrap->count == wrap->capacity) {
        wrap->capacity = wrap->capacity ? wrap->capacity * 2 : 16;
        wrap->lines = xreallocarray(wrap->lines, wrap->capacity, sizeof *wrap->lines);
    }
    wrap->lines[wrap->count++] = (struct wrap_line){start, end};
}

/* Greedy: fills a line with clusters, goes back to the last place where a break is allowed, or cuts
 * where there is none. Spaces hang over the edge. */
static void break_lines(struct wrap *wrap, size_t from, const char *breaks)
{
    const char *text = wrap->shown.data + from;
    size_t length = wrap->shown.length - from, start = 0, last_break = 0;
    int column = 0;
    for (size_t at = 0; at < length;) {
        size_t bytes = grapheme_next(text + at, length - at);
        int columns = grapheme_columns(text + at, bytes);
        if (at > start && breaks[at])
            last_break = at;
        if (column + columns > wrap->columns && text[at] != ' ' && at > start) {
            size_t cut = last_break > start ? last_break : at;
            add_line(wrap, from + start, from + cut);
            at = start = cut;
            column = 0;
            continue;
        }
        column += columns;
        at += bytes;
    }
    add_line(wrap, from + start, from + length);
}

/* Sanitised, with tabs as spaces up to the next stop. */
static void add_shown(struct strbuf *shown, const char *text, size_t length)
{
    size_t start = shown->length, at = 0;
    const char *tab;
    while (at < length && (tab = memchr(text + at, '\t', length - at)) != NULL) {
        size_t run = (size_t)(tab - (text + at));
        sanitize_text(shown, text + at, run, 0);
        int column = text_columns(shown->data + start, shown->length - start);
        for (int i = column % WRAP_TAB_COLUMNS; i < WRAP_TAB_COLUMNS; i++)
            strbuf_putc(shown, ' ');
        at += run + 1;
    }
    sanitize_text(shown, text + at, length - at, 0);
}

static void add_paragraph(struct wrap *wrap, const char *text, size_t length)
{
    size_t from = wrap->shown.length;
    add_shown(&wrap->shown, text, length);
    size_t shown = wrap->shown.length - from;
    if (shown == 0) {
        add_line(wrap, from, from);
        return;
    }
    char *breaks = xmalloc(shown);
    text_line_breaks(wrap->shown.data + from, shown, breaks);
    break_lines(wrap, from, breaks);
    free(breaks);
}

static void mark_done(struct wrap *wrap, size_t raw)
{
    wrap->raw_done = raw;
    wrap->shown_done = wrap->shown.length;
    wrap->lines_done = wrap->count;
}

static void go_back(struct wrap *wrap)
{
    if (wrap->shown.length > wrap->shown_done)
        strbuf_remove(&wrap->shown, wrap->shown_done, wrap->shown.length);
    wrap->count = wrap->lines_done;
}

void wrap_update(struct wrap *wrap, const char *text, size_t length, int columns)
{
    columns = columns < 1 ? 1 : columns;
    if (columns != wrap->columns)
        wrap_reset(wrap);
    else if (length == wrap->raw_seen)
        return;
    wrap->columns = columns;
    wrap->raw_seen = length;
    go_back(wrap);
    for (size_t at = wrap->raw_done; at < length;) {
        const char *newline = memchr(text + at, '\n', length - at);
        size_t end = newline != NULL ? (size_t)(newline - text) : length;
        add_paragraph(wrap, text + at, end - at);
        at = newline != NULL ? end + 1 : end;
        if (newline != NULL)
            mark_done(wrap, at);
    }
}

void wrap_reset(struct wrap *wrap)
{
    strbuf_clear(&wrap->shown);
    wrap->count = wrap->raw_seen = wrap->raw_done = wrap->shown_done = wrap->lines_done = 0;
    wrap->columns = 0;
}

void wrap_free(struct wrap *wrap)
{
    strbuf_free(&wrap->shown);
    free(wrap->lines);
    *wrap = (struct wrap){0};
}
