#include "tui/chats_rows.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/strbuf.h"
#include "engine/base/width.h"
#include "tui/age.h"
#include "tui/sanitize.h"

#define MARK_COLUMNS  3 /* a blank, the mark, a blank */
#define COUNT_COLUMNS 5
#define NUMBER_BYTES  24
#define TITLE_COLUMNS 20 /* the least, or numbers are left out */

static enum style or_selected(const struct chats_row_state *state, enum style style)
{
    return state->selected ? STYLE_LIST_SELECTED : style;
}

/* As one line, harmless, with an ellipsis where it does not fit. */
static void put_fitted(struct terminal *terminal, const struct rect *row, int column, int columns,
                       enum style style, const char *text)
{
    struct strbuf shown = {0};
    struct rect part = {row->row, row->column + column, 1, columns};
    if (columns < 1)
        return;
    sanitize_text(&shown, text, strlen(text), 0);
    bool whole = text_columns(strbuf_text(&shown), shown.length) <= columns;
    size_t fits = text_fit(strbuf_text(&shown), shown.length, whole ? columns : columns - 1);
    int at = terminal_put(terminal, &part, 0, 0, style, strbuf_text(&shown), fits);
    if (!whole)
        terminal_puts(terminal, &part, 0, at, style, "…");
    strbuf_free(&shown);
}

static void draw_background(struct terminal *terminal, const struct rect *area,
                            const struct chats_row_state *state)
{
    for (int row = 0; state->selected && row < area->rows; row++)
        terminal_repeat(terminal, area, row, 0, STYLE_LIST_SELECTED, " ", area->columns);
}

static void draw_mark(struct terminal *terminal, const struct rect *row,
                      const struct chats_row_state *state)
{
    if (state->replying)
        terminal_puts(terminal, row, 0, 1, or_selected(state, STYLE_REPLY_MARK), "◆");
    else if (state->open)
        terminal_puts(terminal, row, 0, 1,
                      or_selected(state, state->current ? STYLE_ACCENT : STYLE_DIM), "●");
}

static void draw_title(struct terminal *terminal, const struct rect *row, int columns,
                       const char *title, const struct chats_row_state *state)
{
    bool named = title != NULL && title[strspn(title, " \t\n")] != '\0';
    enum style style = !named ? STYLE_DIM : state->current ? STYLE_ACCENT : STYLE_TEXT;
    put_fitted(terminal, row, MARK_COLUMNS, columns, or_selected(state, style),
               named ? title : "Untitled");
}

/* "1234", "12k" */
static void put_number(char out[NUMBER_BYTES], size_t number)
{
    if (number < 10000)
        snprintf(out, NUMBER_BYTES, "%zu", number);
    else
        snprintf(out, NUMBER_BYTES, "%zuk", number / 1000);
}

void chats_row_draw(struct terminal *terminal, const struct rect *row,
                    const struct store_entry *entry, const struct chats_row_state *state)
{
    char age[AGE_BYTES], number[NUMBER_BYTES];
    int numbers = AGE_COLUMNS + 1 + COUNT_COLUMNS + 1;
    if (row->columns < MARK_COLUMNS + TITLE_COLUMNS + numbers)
        numbers = row->columns < MARK_COLUMNS + TITLE_COLUMNS + AGE_COLUMNS ? 1 : AGE_COLUMNS + 2;
    int title = row->columns - MARK_COLUMNS - numbers;
    draw_background(terminal, row, state);
    draw_mark(terminal, row, state);
    draw_title(terminal, row, title, entry->title, state);
    if (numbers == 1)
        return;
    enum style style = or_selected(state, STYLE_LIST_DIM);
    age_text(age, entry->deleted_at != 0 ? entry->deleted_at : entry->updated, state->now_s);
    terminal_printf(terminal, row, 0, row->columns - AGE_COLUMNS - 1, style, "%*s", AGE_COLUMNS,
                    age);
    if (numbers <= AGE_COLUMNS + 2)
        return;
    put_number(number, entry->messages);
    terminal_printf(terminal, row, 0, MARK_COLUMNS + title, style, "%*s", COUNT_COLUMNS, number);
}

/* --- what was found -------------------------------------------------------------------------- */

/* Where the part of the snippet begins that is shown: so that the first word found is seen. */
static size_t begin_at(const struct store_hit *hit, int columns)
{
    size_t mark = hit->mark_count > 0 ? hit->marks[0].begin : 0, at = 0;
    size_t end = hit->mark_count > 0 ? mark + hit->marks[0].length : 0;
    if (text_columns(hit->snippet, end) < columns - 1)
        return 0;
    while (at < mark && text_columns(hit->snippet + at, mark - at) > columns / 3)
        at += grapheme_next(hit->snippet + at, mark - at);
    size_t space = at;
    while (space < mark && hit->snippet[space] != ' ')
        space++;
    return space < mark ? space + 1 : at; /* at a word, where there is one */
}

static int put_piece(struct terminal *terminal, const struct rect *row, int column,
                     enum style style, const char *text, size_t length)
{
    struct strbuf line = {0};
    strbuf_add(&line, text, length);
    for (size_t i = 0; i < line.length; i++)
        if (line.data[i] == '\n' || line.data[i] == '\t' || line.data[i] == '\r')
            line.data[i] = ' ';
    int columns = terminal_put(terminal, row, 0, column, style, strbuf_text(&line), line.length);
    strbuf_free(&line);
    return columns;
}

static void draw_snippet(struct terminal *terminal, const struct rect *row,
                         const struct store_hit *hit, enum style style)
{
    size_t length = strlen(hit->snippet), at = begin_at(hit, row->columns);
    int column = at > 0 ? terminal_puts(terminal, row, 0, 0, style, "…") : 0;
    for (size_t i = 0; i < hit->mark_count && column < row->columns; i++) {
        const struct store_mark *mark = &hit->marks[i];
        if (mark->begin < at || mark->begin + mark->length > length)
            continue;
        column += put_piece(terminal, row, column, style, hit->snippet + at, mark->begin - at);
        column +=
            put_piece(terminal, row, column, STYLE_MATCH, hit->snippet + mark->begin, mark->length);
        at = mark->begin + mark->length;
    }
    put_piece(terminal, row, column, style, hit->snippet + at, length - at);
}

void chats_hit_draw(struct terminal *terminal, const struct rect *area, const struct store_hit *hit,
                    const struct chats_row_state *state)
{
    struct rect first = {area->row, area->column, 1, area->columns};
    struct rect second = {area->row + 1, area->column + MARK_COLUMNS, 1,
                          area->columns - MARK_COLUMNS - 1};
    draw_background(terminal, area, state);
    draw_mark(terminal, &first, state);
    draw_title(terminal, &first, area->columns - MARK_COLUMNS - 1, hit->title, state);
    if (area->rows > 1)
        draw_snippet(terminal, &second, hit, or_selected(state, STYLE_LIST_DIM));
}
