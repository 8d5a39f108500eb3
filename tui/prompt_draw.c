#include "tui/prompt_draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "tui/key_hints.h"
#include "tui/wrap.h"

#define MARGIN     2 /* of the text: the part's bar and a space */
#define NOTE_LINES 4 /* of what fell out, before the rest is asked for */

static const char *const part_names[PARTS] = {[PART_SYSTEM] = "system",
                                              [PART_DOCUMENT] = "documents",
                                              [PART_SCENE] = "scene",
                                              [PART_HISTORY] = "history",
                                              [PART_DRAFT] = "draft"};

/* --- the head -------------------------------------------------------------------------------- */

/* Parts that have a byte of the text. */
static void find_parts(const struct prompt_view *view, bool *present)
{
    for (size_t i = 0; i < view->stretch_count; i++)
        present[view->stretches[i].part] = true;
}

/* "▎system 42  ▎draft 7", in as many rows as it takes. */
static int draw_legend(const struct prompt_picture *picture, struct terminal *terminal,
                       const struct rect *area, int row)
{
    bool present[PARTS] = {false};
    int column = 1;
    find_parts(picture->view, present);
    for (int part = 0; part < PARTS; part++) {
        char count[32] = "";
        if (!present[part])
            continue;
        if (picture->view->token_count > 0)
            snprintf(count, sizeof count, " %zu", picture->view->parts[part]);
        int columns = 1 + (int)(strlen(part_names[part]) + strlen(count));
        if (column > 1 && column + columns > area->columns) {
            column = 1;
            row++;
        }
        enum style style = (enum style)(STYLE_PART_SYSTEM + part);
        column += terminal_puts(terminal, area, row, column, style, "▎");
        column += terminal_puts(terminal, area, row, column, style, part_names[part]);
        column += terminal_puts(terminal, area, row, column, STYLE_TEXT, count) + 2;
    }
    return row + 1;
}

static int draw_total(const struct prompt_picture *picture, struct terminal *terminal,
                      const struct rect *area, int row)
{
    const struct prompt_view *view = picture->view;
    const char *busy = picture->busy ? " · reading the change" : "";
    size_t total = view->token_count;
    if (total == 0)
        terminal_printf(terminal, area, row, 1, STYLE_DIM, "%zu bytes%s", view->text.length, busy);
    else if (total >= picture->context)
        terminal_printf(terminal, area, row, 1, STYLE_ERROR, "%zu tokens: too many for %zu%s",
                        total, picture->context, busy);
    else
        terminal_printf(terminal, area, row, 1, STYLE_DIM, "%zu of %zu tokens · %zu bytes%s", total,
                        picture->context, view->text.length, busy);
    return row + 1;
}

/* The index-th thing to say about the prompt, NULL past the last; to be freed. */
static char *note_at(const struct prompt_notes *notes, size_t index)
{
    const struct prompt_report *report = &notes->report;
    if (index < report->left_out_count)
        return xasprintf("left out: %s", report->left_out[index]);
    index -= report->left_out_count;
    if (report->pinned_documents > 0 && index-- == 0)
        return xasprintf("kept: %zu documents of turns that are left out",
                         report->pinned_documents);
    return index < notes->count ? xasprintf("made harmless: %s", notes->lines[index]) : NULL;
}

static size_t count_notes(const struct prompt_notes *notes)
{
    const struct prompt_report *report = &notes->report;
    return report->left_out_count + (report->pinned_documents > 0) + notes->count;
}

static int draw_note(struct terminal *terminal, const struct rect *area, int row, int limit,
                     const char *note)
{
    struct wrap wrap = {0};
    wrap_update(&wrap, note, strlen(note), area->columns - 4 > 8 ? area->columns - 4 : 8);
    for (size_t i = 0; i < wrap.count && row < limit; i++, row++) {
        const struct wrap_line *line = &wrap.lines[i];
        terminal_puts(terminal, area, row, 1, STYLE_WARN, "▌");
        terminal_put(terminal, area, row, 3, STYLE_WARN, wrap.shown.data + line->start,
                     line->end - line->start);
    }
    wrap_free(&wrap);
    return row;
}

static int draw_notes(const struct prompt_picture *picture, struct terminal *terminal,
                      const struct rect *area, int row)
{
    size_t count = count_notes(picture->notes);
    int most = picture->all_notes ? area->rows - 3 : row + NOTE_LINES;
    int limit = most < area->rows - 3 ? most : area->rows - 3;
    size_t i = 0;
    for (; i < count && row < limit - (i + 1 < count); i++) {
        char *note = note_at(picture->notes, i);
        row = draw_note(terminal, area, row, limit, note);
        free(note);
    }
    if (i < count && row < area->rows - 2)
        terminal_printf(terminal, area, row++, 3, STYLE_DIM, "and %zu more · o shows all",
                        count - i);
    return row;
}

static int draw_head(const struct prompt_picture *picture, struct terminal *terminal,
                     const struct rect *area)
{
    int row = draw_legend(picture, terminal, area, 0);
    row = draw_total(picture, terminal, area, row);
    row = draw_notes(picture, terminal, area, row);
    if (area->rows >= 14) {
        terminal_repeat(terminal, area, row, 1, STYLE_RULE, "─", area->columns - 2);
        row++;
    }
    return row;
}

/* --- the text -------------------------------------------------------------------------------- */

static void draw_bar(const struct prompt_view *view, struct terminal *terminal,
                     const struct rect *area, int row, size_t begin)
{
    size_t stretch = prompt_view_stretch_at(view, begin);
    if (view->stretch_count > 0)
        terminal_puts(terminal, area, row, 0,
                      (enum style)(STYLE_PART_SYSTEM + (int)view->stretches[stretch].part), "▎");
}

/* The units of a row; `left` columns of it are out of view. */
static void draw_row(const struct prompt_picture *picture, struct terminal *terminal,
                     const struct rect *text, int row, size_t begin, size_t end)
{
    struct prompt_flow flow = {0};
    int column = -picture->left;
    prompt_flow_begin(&flow, picture->view, picture->look, begin, end);
    while (column < text->columns && prompt_flow_next(&flow)) {
        if (column >= 0)
            terminal_put(terminal, text, row, column, flow.style, strbuf_text(&flow.text),
                         flow.text.length);
        column += flow.columns;
        if (column >= 0 && flow.label.length > 0)
            terminal_put(terminal, text, row, column, STYLE_DIM, flow.label.data,
                         flow.label.length);
        column += flow.label_columns;
    }
    prompt_flow_free(&flow);
}

/* So that the last row is not above the bottom where there is more above. */
static void fill_view(struct prompt_picture *picture, int rows)
{
    size_t row = picture->top;
    int below = 0;
    while (below < rows && row != PROMPT_NO_ROW) {
        row = prompt_row_next(picture->view, picture->look, row);
        below++;
    }
    for (; below < rows; below++) {
        row = prompt_row_previous(picture->view, picture->look, picture->top);
        if (row == PROMPT_NO_ROW)
            return;
        picture->top = row;
    }
}

/* So that the longest row in view is not out of it. */
static void limit_left(struct prompt_picture *picture, const struct rect *text)
{
    struct prompt_flow flow = {0};
    int widest = 0;
    size_t begin = picture->top;
    for (int row = 0; row < text->rows && begin != PROMPT_NO_ROW; row++) {
        size_t next = prompt_row_next(picture->view, picture->look, begin);
        int columns = 0;
        prompt_flow_begin(&flow, picture->view, picture->look, begin,
                          next != PROMPT_NO_ROW ? next : picture->view->text.length);
        while (prompt_flow_next(&flow))
            columns += flow.columns + flow.label_columns;
        widest = columns > widest ? columns : widest;
        begin = next;
    }
    prompt_flow_free(&flow);
    int most = widest > text->columns ? widest - text->columns : 0;
    picture->left = picture->left < most ? picture->left : most;
}

static void draw_text(struct prompt_picture *picture, struct terminal *terminal,
                      const struct rect *area)
{
    struct rect text = *area;
    text.column += MARGIN;
    text.columns -= MARGIN + 1;
    int columns = text.columns > 1 ? text.columns : 1;
    if (columns != picture->look->columns) {
        picture->look->columns = columns;
        picture->top = prompt_row_of(picture->view, picture->look, picture->top);
    }
    picture->rows = area->rows;
    fill_view(picture, area->rows);
    if (picture->left > 0)
        limit_left(picture, &text);
    size_t begin = picture->top;
    for (int row = 0; row < area->rows && begin != PROMPT_NO_ROW; row++) {
        size_t next = prompt_row_next(picture->view, picture->look, begin);
        size_t end = next != PROMPT_NO_ROW ? next : picture->view->text.length;
        draw_bar(picture->view, terminal, area, row, begin);
        draw_row(picture, terminal, &text, row, begin, end);
        begin = next;
    }
}

/* --- the whole ------------------------------------------------------------------------------- */

static void draw_foot(const struct prompt_picture *picture, struct terminal *terminal,
                      const struct rect *area)
{
    static const struct key_hint hints[] = {{"t", "tokens"}, {"#", "ids"},      {"w", "wrap"},
                                            {"/", "search"}, {"y", "copy"},     {"Y", "copy ids"},
                                            {"g G", "ends"}, {"o", "left out"}, {0}};
    if (area->rows >= 6)
        key_hints_draw(hints, terminal, area, area->rows - 1, picture->focused);
}

void prompt_draw(struct prompt_picture *picture, struct terminal *terminal, const struct rect *area)
{
    draw_foot(picture, terminal, area);
    if (picture->view == NULL) {
        const char *words = picture->error[0] != '\0' ? picture->error : "reading the prompt …";
        draw_note(terminal, area, 0, area->rows, words);
        return;
    }
    int head = draw_head(picture, terminal, area);
    struct rect text = *area;
    text.row += head;
    text.rows -= head + (area->rows >= 6);
    if (text.rows > 0)
        draw_text(picture, terminal, &text);
}
