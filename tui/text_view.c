#include "tui/text_view.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"
#include "tui/wrap.h"

#define PIECE_BYTES 4096 /* a longer line is taken in pieces */
#define MARGIN      2    /* columns left of the text */

void text_view_free(struct text_view *view)
{
    free(view->words);
    free(view->wanted);
    *view = (struct text_view){0};
}

void text_view_reset(struct text_view *view)
{
    int rows = view->rows, columns = view->columns;
    text_view_free(view);
    view->rows = rows;
    view->columns = columns;
}

/* --- pieces ---------------------------------------------------------------------------------- */

static bool is_inside(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

/* Where the piece that begins at `at` ends, its newline not included. */
static size_t piece_end(const char *text, size_t length, size_t at)
{
    size_t most = length - at < PIECE_BYTES ? length - at : PIECE_BYTES;
    const char *newline = memchr(text + at, '\n', most);
    if (newline != NULL)
        return (size_t)(newline - text);
    size_t end = at + most;
    if (end == length)
        return end;
    size_t space = end;
    while (space > at + PIECE_BYTES / 2 && text[space - 1] != ' ')
        space--;
    if (space > at + PIECE_BYTES / 2)
        return space;
    while (end > at + 1 && is_inside((unsigned char)text[end]))
        end--;
    return end;
}

static size_t piece_next(const char *text, size_t length, size_t at)
{
    size_t end = piece_end(text, length, at);
    return end < length && text[end] == '\n' ? end + 1 : end;
}

static size_t line_begin(const char *text, size_t at)
{
    const char *newline = at > 0 ? memrchr(text, '\n', at) : NULL;
    return newline != NULL ? (size_t)(newline - text) + 1 : 0;
}

/* The piece that holds a byte. */
static size_t piece_of(const char *text, size_t length, size_t byte)
{
    size_t at = line_begin(text, byte), next;
    while (at < byte && (next = piece_next(text, length, at)) <= byte && next < length)
        at = next;
    return at;
}

static void wrap_piece(const struct text_view *view, const char *text, size_t length, size_t at,
                       struct wrap *wrap)
{
    size_t size = piece_end(text, length, at) - at;
    int columns = view->columns - MARGIN - 1;
    wrap_update(wrap, size > 0 ? text + at : "\n", size > 0 ? size : 1, columns > 8 ? columns : 8);
}

static size_t rows_of(const struct text_view *view, const char *text, size_t length, size_t at)
{
    struct wrap wrap = {0};
    wrap_piece(view, text, length, at, &wrap);
    size_t rows = wrap.count > 0 ? wrap.count : 1;
    wrap_free(&wrap);
    return rows;
}

/* --- moving ---------------------------------------------------------------------------------- */

static bool row_up(struct text_view *view, const char *text, size_t length)
{
    if (view->row > 0) {
        view->row--;
        return true;
    }
    if (view->top == 0)
        return false;
    view->top = piece_of(text, length, view->top - 1);
    view->row = rows_of(view, text, length, view->top) - 1;
    return true;
}

static bool row_down(struct text_view *view, const char *text, size_t length)
{
    if (view->row + 1 < rows_of(view, text, length, view->top)) {
        view->row++;
        return true;
    }
    size_t next = piece_next(text, length, view->top);
    if (next >= length)
        return false;
    view->top = next;
    view->row = 0;
    return true;
}

void text_view_place(const struct text_view *view, const char *text, size_t length, char place[8])
{
    struct text_view last = *view;
    int below = 0;
    while (below < view->rows && row_down(&last, text, length))
        below++;
    bool top = view->top == 0 && view->row == 0, end = below < view->rows;
    if (top || end)
        snprintf(place, 8, "%s", top && end ? "all" : top ? "top" : "end");
    else
        snprintf(place, 8, "%u %%", (unsigned)(100 * view->top / length) % 100);
}

/* The last row stands no higher than at the view's end. */
static void settle(struct text_view *view, const char *text, size_t length)
{
    size_t top = view->top, row = view->row;
    int below = 1;
    while (below < view->rows && row_down(view, text, length))
        below++;
    view->top = top;
    view->row = row;
    while (below < view->rows && row_up(view, text, length))
        below++;
}

void text_view_scroll(struct text_view *view, const char *text, size_t length, int rows)
{
    for (; rows < 0 && row_up(view, text, length); rows++)
        ;
    for (; rows > 0 && row_down(view, text, length); rows--)
        ;
    settle(view, text, length);
}

static void go_to_end(struct text_view *view, const char *text, size_t length)
{
    view->top = piece_of(text, length, length > 0 ? length - 1 : 0);
    view->row = rows_of(view, text, length, view->top) - 1;
    settle(view, text, length);
}

bool text_view_key(struct text_view *view, const char *text, size_t length, const char *name)
{
    static const struct {
        const char *name;
        int rows, pages, ends;
    } keys[] = {{"Up", -1, 0, 0},   {"Down", 1, 0, 0},     {"k", -1, 0, 0},
                {"j", 1, 0, 0},     {"PageUp", 0, -1, 0},  {"PageDown", 0, 1, 0},
                {"Space", 0, 1, 0}, {"WheelUp", -3, 0, 0}, {"WheelDown", 3, 0, 0},
                {"Home", 0, 0, -1}, {"End", 0, 0, 1},      {"g", 0, 0, -1},
                {"G", 0, 0, 1}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if (strcmp(keys[i].name, name) != 0)
            continue;
        if (keys[i].ends < 0)
            view->top = view->row = 0;
        else if (keys[i].ends > 0)
            go_to_end(view, text, length);
        else
            text_view_scroll(view, text, length,
                             keys[i].rows + keys[i].pages * (view->rows > 2 ? view->rows - 1 : 1));
        return true;
    }
    return false;
}

/* The row that holds byte `offset` of what is shown. */
static size_t line_at(const struct wrap *wrap, size_t offset)
{
    size_t line = 0;
    while (line + 1 < wrap->count && wrap->lines[line + 1].start <= offset)
        line++;
    return line;
}

/* The row of the piece's that shows the byte, by the columns last drawn. */
static size_t row_of(const struct text_view *view, const char *text, size_t length, size_t piece,
                     size_t byte)
{
    struct wrap whole = {0}, before = {0};
    wrap_piece(view, text, length, piece, &whole);
    wrap_update(&before, text + piece, byte - piece, whole.columns);
    size_t row = whole.count > 0 ? line_at(&whole, before.shown.length) : 0;
    wrap_free(&whole);
    wrap_free(&before);
    return row;
}

static void go_to(struct text_view *view, const char *text, size_t length, size_t byte)
{
    view->top = piece_of(text, length, byte);
    view->row = row_of(view, text, length, view->top, byte);
    text_view_scroll(view, text, length, -(view->rows > 8 ? 3 : 1));
}

void text_view_show(struct text_view *view, const char *text, size_t length,
                    struct text_range passage, const struct text_range *words, size_t count)
{
    text_view_reset(view);
    view->passage = passage;
    view->words = xcalloc(count + 1, sizeof *view->words);
    for (size_t i = 0; i < count; i++)
        view->words[i] = words[i];
    view->word_count = count;
    if (passage.begin < length)
        go_to(view, text, length, passage.begin);
}

/* --- searching ------------------------------------------------------------------------------- */

static bool same(const char *a, const char *b, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (tolower((unsigned char)a[i]) != tolower((unsigned char)b[i]))
            return false;
    return true;
}

static size_t find_on(const char *text, size_t length, const char *wanted, size_t size, size_t from)
{
    for (size_t at = from; size <= length && at <= length - size; at++)
        if (same(text + at, wanted, size))
            return at;
    return length;
}

static size_t find_back(const char *text, size_t length, const char *wanted, size_t size,
                        size_t before)
{
    for (size_t at = before; at-- > 0;)
        if (size <= length - at && same(text + at, wanted, size))
            return at;
    return length;
}

bool text_view_search(struct text_view *view, const char *text, size_t length, const char *wanted,
                      bool backwards)
{
    bool fresh = wanted != NULL;
    if (fresh) {
        free(view->wanted);
        view->wanted = xstrdup(wanted);
        view->found = (struct text_range){view->top, view->top};
    }
    size_t size = view->wanted != NULL ? strlen(view->wanted) : 0, at;
    if (size == 0 || length == 0)
        return false;
    if (backwards)
        at = find_back(text, length, view->wanted, size, view->found.begin);
    else
        at = find_on(text, length, view->wanted, size, view->found.begin + !fresh);
    if (at == length)
        at = backwards ? find_back(text, length, view->wanted, size, length)
                       : find_on(text, length, view->wanted, size, 0);
    view->found = (struct text_range){0};
    if (at == length)
        return false;
    view->found = (struct text_range){at, at + size};
    go_to(view, text, length, at);
    return true;
}

/* --- drawing --------------------------------------------------------------------------------- */

/* One piece as it is drawn. */
struct piece {
    struct wrap wrap;
    size_t begin, end; /* in the text */
    char *styles;      /* one for each byte that is shown: of enum mark */
};

enum mark { MARK_NONE, MARK_WORD, MARK_FOUND, MARK_CURRENT };

static size_t shown_of(const struct piece *piece, const char *text, size_t byte)
{
    struct wrap before = {0};
    if (byte <= piece->begin)
        return 0;
    if (byte >= piece->end)
        return piece->wrap.shown.length;
    wrap_update(&before, text + piece->begin, byte - piece->begin, piece->wrap.columns);
    size_t shown = before.shown.length;
    wrap_free(&before);
    return shown < piece->wrap.shown.length ? shown : piece->wrap.shown.length;
}

static void mark(struct piece *piece, const char *text, struct text_range range, enum mark as)
{
    if (range.end <= piece->begin || range.begin >= piece->end || range.begin >= range.end)
        return;
    size_t from = shown_of(piece, text, range.begin), to = shown_of(piece, text, range.end);
    if (to > from)
        memset(piece->styles + from, as, to - from);
}

static void mark_all(const struct text_view *view, struct piece *piece, const char *text,
                     size_t length)
{
    piece->styles = xcalloc(piece->wrap.shown.length + 1, 1);
    for (size_t i = 0; i < view->word_count; i++)
        mark(piece, text, view->words[i], MARK_WORD);
    size_t size = view->wanted != NULL ? strlen(view->wanted) : 0;
    size_t at = piece->begin, end = piece->end + size < length ? piece->end + size : length;
    while (size > 0 && (at = find_on(text, end, view->wanted, size, at)) < end) {
        mark(piece, text, (struct text_range){at, at + size}, MARK_FOUND);
        at += size;
    }
    mark(piece, text, view->found, MARK_CURRENT);
}

static void draw_line(const struct piece *piece, size_t line, struct terminal *terminal,
                      const struct rect *row)
{
    static const enum style styles[] = {
        [MARK_NONE] = STYLE_TEXT,
        [MARK_WORD] = STYLE_MATCH,
        [MARK_FOUND] = STYLE_MATCH,
        [MARK_CURRENT] = STYLE_MATCH_CURRENT,
    };
    const struct wrap_line *at = &piece->wrap.lines[line];
    int column = MARGIN;
    for (size_t from = at->start, to; from < at->end; from = to) {
        for (to = from + 1; to < at->end && (piece->styles[to] == piece->styles[from] ||
                                             is_inside((unsigned char)piece->wrap.shown.data[to]));)
            to++;
        column += terminal_put(terminal, row, 0, column, styles[(int)piece->styles[from]],
                               piece->wrap.shown.data + from, to - from);
    }
}

/* The rows of a piece from `first` on; returns how many were drawn. */
static int draw_piece(const struct text_view *view, const char *text, size_t length, size_t at,
                      size_t first, struct terminal *terminal, const struct rect *area)
{
    struct piece piece = {.begin = at, .end = piece_end(text, length, at)};
    int drawn = 0;
    wrap_piece(view, text, length, at, &piece.wrap);
    mark_all(view, &piece, text, length);
    bool in_passage = view->passage.begin < view->passage.end && view->passage.begin <= piece.end &&
                      view->passage.end > piece.begin;
    size_t from = in_passage ? shown_of(&piece, text, view->passage.begin) : 0;
    size_t to = in_passage ? shown_of(&piece, text, view->passage.end) : 0;
    for (size_t i = first; i < piece.wrap.count && drawn < area->rows; i++, drawn++) {
        const struct wrap_line *line = &piece.wrap.lines[i];
        struct rect row = {area->row + drawn, area->column, 1, area->columns};
        if (in_passage && line->start < to && line->end > from)
            terminal_puts(terminal, &row, 0, 0, STYLE_ACCENT, "▎");
        draw_line(&piece, i, terminal, &row);
    }
    wrap_free(&piece.wrap);
    free(piece.styles);
    return drawn;
}

/* What is in view stays in view when the width changes: its piece does. */
static void fit(struct text_view *view, const char *text, size_t length, const struct rect *area)
{
    bool first = view->columns == 0, changed = view->columns != area->columns;
    view->columns = area->columns;
    view->rows = area->rows;
    view->length = length;
    if (view->top >= length)
        view->top = view->row = 0;
    if (first && view->passage.begin < view->passage.end)
        go_to(view, text, length, view->passage.begin);
    else if (changed && view->row >= rows_of(view, text, length, view->top))
        view->row = 0;
}

void text_view_draw(struct text_view *view, const char *text, size_t length,
                    struct terminal *terminal, const struct rect *area)
{
    if (area->rows < 1 || length == 0) {
        terminal_puts(terminal, area, 0, MARGIN, STYLE_DIM, "(empty)");
        return;
    }
    fit(view, text, length, area);
    size_t first = view->row;
    struct rect rest = *area;
    for (size_t at = view->top; at < length && rest.rows > 0; first = 0) {
        int drawn = draw_piece(view, text, length, at, first, terminal, &rest);
        rest.row += drawn;
        rest.rows -= drawn;
        at = piece_next(text, length, at);
    }
}
