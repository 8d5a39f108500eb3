#include "tui/wrap.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "tui/sanitize.h"

static void add_line(struct wrap *wrap, size_t start, size_t end, enum wrap_kind kind, int indent)
{
    if (wrap->count == wrap->capacity) {
        wrap->capacity = wrap->capacity ? wrap->capacity * 2 : 16;
        wrap->lines = xreallocarray(wrap->lines, wrap->capacity, sizeof *wrap->lines);
    }
    wrap->lines[wrap->count++] = (struct wrap_line){start, end, kind, indent};
}

/* Greedy: fills a line with clusters, goes back to the last place where a break is allowed, or cuts
 * where there is none. Spaces hang over the edge. `breaks` NULL: cut anywhere (code). */
static void break_lines(struct wrap *wrap, size_t from, const char *breaks, enum wrap_kind kind,
                        int hang)
{
    const char *text = wrap->shown.data + from;
    size_t length = wrap->shown.length - from, start = 0, last_break = 0;
    int column = 0;
    for (size_t at = 0; at < length;) {
        size_t bytes = grapheme_next(text + at, length - at);
        int columns = grapheme_columns(text + at, bytes);
        if (breaks != NULL && at > start && breaks[at])
            last_break = at;
        bool hangs = breaks != NULL && text[at] == ' ';
        int indent = start > 0 ? hang : 0;
        if (column + columns > wrap->columns - indent && !hangs && at > start) {
            size_t cut = last_break > start ? last_break : at;
            add_line(wrap, from + start, from + cut, kind, indent);
            at = start = cut;
            column = 0;
            continue;
        }
        column += columns;
        at += bytes;
    }
    add_line(wrap, from + start, from + length, kind, start > 0 ? hang : 0);
}

static bool starts_with(const char *text, size_t length, const char *prefix)
{
    size_t size = strlen(prefix);
    return length >= size && memcmp(text, prefix, size) == 0;
}

static enum wrap_kind classify(struct wrap *wrap, const char *text, size_t length)
{
    if (!wrap->markup)
        return WRAP_TEXT;
    size_t indent = 0;
    while (indent < length && indent < 3 && text[indent] == ' ')
        indent++;
    if (starts_with(text + indent, length - indent, "```") ||
        starts_with(text + indent, length - indent, "~~~")) {
        wrap->fence = !wrap->fence;
        return WRAP_FENCE;
    }
    if (wrap->fence)
        return WRAP_CODE;
    size_t hashes = 0;
    while (hashes < length && hashes < 7 && text[hashes] == '#')
        hashes++;
    if (hashes > 0 && hashes < 7 && hashes < length && text[hashes] == ' ')
        return WRAP_HEADING;
    /* The metadata lines that follow a source line belong to it. */
    wrap->source = length > 0 && (wrap->source || starts_with(text, length, "Source:"));
    return wrap->source ? WRAP_SOURCE : WRAP_TEXT;
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

/* Columns before the text of a list's item: "- ", "* ", "12. ". */
static int hang_of(const struct wrap *wrap, const char *text, size_t length)
{
    size_t at = 0;
    if (!wrap->lists)
        return wrap->hang;
    while (at < length && text[at] == ' ')
        at++;
    size_t mark = at;
    while (at < length && text[at] >= '0' && text[at] <= '9')
        at++;
    bool numbered = at > mark && at < length && (text[at] == '.' || text[at] == ')');
    bool bulleted = at == mark && at < length && (text[at] == '-' || text[at] == '*');
    if (!(numbered || bulleted) || at + 1 >= length || text[at + 1] != ' ')
        return wrap->hang;
    return (int)at + 2 < wrap->columns / 2 ? (int)at + 2 : wrap->hang;
}

static void add_paragraph(struct wrap *wrap, const char *text, size_t length)
{
    size_t from = wrap->shown.length;
    enum wrap_kind kind = classify(wrap, text, length);
    add_shown(&wrap->shown, text, length);
    size_t shown = wrap->shown.length - from;
    if (shown == 0) {
        add_line(wrap, from, from, kind, 0);
        return;
    }
    char *breaks = NULL;
    if (kind == WRAP_TEXT || kind == WRAP_HEADING || kind == WRAP_SOURCE) {
        breaks = xmalloc(shown);
        text_line_breaks(wrap->shown.data + from, shown, breaks);
    }
    int hang = breaks != NULL ? hang_of(wrap, wrap->shown.data + from, shown) : 0;
    break_lines(wrap, from, breaks, kind, hang);
    free(breaks);
}

static void mark_done(struct wrap *wrap, size_t raw)
{
    wrap->raw_done = raw;
    wrap->shown_done = wrap->shown.length;
    wrap->lines_done = wrap->count;
    wrap->fence_done = wrap->fence;
    wrap->source_done = wrap->source;
}

static void go_back(struct wrap *wrap)
{
    if (wrap->shown.length > wrap->shown_done)
        strbuf_remove(&wrap->shown, wrap->shown_done, wrap->shown.length);
    wrap->count = wrap->lines_done;
    wrap->fence = wrap->fence_done;
    wrap->source = wrap->source_done;
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
    wrap->fence = wrap->fence_done = wrap->source = wrap->source_done = false;
    wrap->columns = 0;
}

void wrap_free(struct wrap *wrap)
{
    strbuf_free(&wrap->shown);
    free(wrap->lines);
    *wrap = (struct wrap){0};
}

size_t wrap_line_at(const struct wrap *wrap, size_t offset)
{
    size_t low = 0, high = wrap->count;
    while (low + 1 < high) {
        size_t middle = (low + high) / 2;
        if (wrap->lines[middle].start <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}
