#include "tui/pane_frame.h"

#include <string.h>

#include "engine/base/width.h"
#include "tui/sanitize.h"

#define TITLE_COLUMN 2  /* after a bit of line and a space */
#define NOTE_ROOM    16 /* columns of a header that a note leaves at least */
#define LINE_AFTER   2  /* columns of line that a long title leaves */

/* How strong a line is. */
enum weight { WEIGHT_NONE, WEIGHT_LIGHT, WEIGHT_HEAVY };

/* By what goes up (1) and down (2), then by the weight to the left and to the right. */
static const char *const corners[4][3][3] = {
    {{" ", "╶", "╺"}, {"╴", "─", "╼"}, {"╸", "╾", "━"}},
    {{"│", "└", "┕"}, {"┘", "┴", "┶"}, {"┙", "┵", "┷"}},
    {{"│", "┌", "┍"}, {"┐", "┬", "┮"}, {"┑", "┭", "┯"}},
    {{"│", "├", "┝"}, {"┤", "┼", "┾"}, {"┥", "┽", "┿"}},
};

static bool covers(int from, int count, int at)
{
    return at >= from && at < from + count;
}

/* The title as it is shown, cut where it is too long; sanitised. */
static void put_title(const struct pane *pane, int room, struct strbuf *out)
{
    struct strbuf title = {0};
    pane->ops->title(pane, &title);
    sanitize_text(out, strbuf_text(&title), title.length, 0);
    strbuf_free(&title);
    if (out->length == 0 || text_columns(out->data, out->length) <= room)
        return;
    size_t fits = room > 1 ? text_fit(out->data, out->length, room - 1) : 0;
    strbuf_remove(out, fits, out->length - fits);
    if (room > 0)
        strbuf_puts(out, "…");
}

/* Columns of the note in the header of the pane that has the keys, where there is room. */
static int note_columns(const struct pane_frame *frame, const struct split_place *place)
{
    int columns = text_columns(frame->note, strlen(frame->note));
    bool shown =
        columns > 0 && place->pane == frame->focus && columns + NOTE_ROOM < place->area.columns;
    return shown ? columns + 2 : 0;
}

static int title_room(const struct pane_frame *frame, const struct split_place *place)
{
    return place->area.columns - TITLE_COLUMN - 1 - LINE_AFTER - note_columns(frame, place);
}

/* The header's line in a cell; none below its title. */
static enum weight header_at(const struct pane_frame *frame, int row, int column)
{
    for (size_t i = 0; i < frame->count; i++) {
        const struct split_place *place = &frame->places[i];
        if (place->area.row != row || !covers(place->area.column, place->area.columns, column))
            continue;
        struct strbuf title = {0};
        put_title(place->pane, title_room(frame, place), &title);
        int columns = title.length > 0 ? text_columns(title.data, title.length) + 2 : 0;
        strbuf_free(&title);
        int note = note_columns(frame, place);
        if (covers(place->area.column + TITLE_COLUMN - 1, columns, column) ||
            covers(place->area.column + place->area.columns - note - 1, note, column))
            return WEIGHT_NONE;
        return place->pane == frame->focus ? WEIGHT_HEAVY : WEIGHT_LIGHT;
    }
    return WEIGHT_NONE;
}

static bool divider_at(const struct pane_frame *frame, int row, int column)
{
    for (size_t i = 0; i < frame->count; i++) {
        const struct rect *area = &frame->places[i].area;
        if (area->column - 1 == column && covers(area->row, area->rows, row))
            return true;
    }
    return false;
}

/* The cell lies beside the pane that has the keys. */
static bool borders_focus(const struct pane_frame *frame, int row, int column)
{
    for (size_t i = 0; i < frame->count; i++) {
        const struct rect *area = &frame->places[i].area;
        if (frame->places[i].pane == frame->focus && covers(area->row, area->rows, row) &&
            (area->column - 1 == column || area->column + area->columns == column))
            return true;
    }
    return false;
}

static void draw_header(const struct pane_frame *frame, struct terminal *terminal,
                        const struct split_place *place)
{
    bool focused = place->pane == frame->focus;
    struct rect area = {place->area.row, place->area.column, 1, place->area.columns};
    struct strbuf title = {0};
    put_title(place->pane, title_room(frame, place), &title);
    terminal_repeat(terminal, &area, 0, 0, focused ? STYLE_BORDER_FOCUS : STYLE_BORDER,
                    focused ? "━" : "─", area.columns);
    if (title.length > 0)
        terminal_printf(terminal, &area, 0, TITLE_COLUMN - 1, focused ? STYLE_ACCENT : STYLE_DIM,
                        " %s ", strbuf_text(&title));
    int note = note_columns(frame, place);
    if (note > 0)
        terminal_printf(terminal, &area, 0, area.columns - note - 1, STYLE_DIM, " %s ",
                        frame->note);
    strbuf_free(&title);
}

/* What a line from above, or a divider, makes of a cell. */
static void draw_corner(const struct pane_frame *frame, struct terminal *terminal, int row,
                        int column)
{
    struct rect cell = {row, column, 1, 1};
    bool divider = divider_at(frame, row, column), up = divider_at(frame, row - 1, column);
    bool down = divider && divider_at(frame, row + 1, column);
    enum weight own = header_at(frame, row, column);
    if (!divider && own == WEIGHT_NONE)
        return;
    enum weight left = divider ? header_at(frame, row, column - 1) : own;
    enum weight right = divider ? header_at(frame, row, column + 1) : own;
    bool focus = own == WEIGHT_HEAVY || borders_focus(frame, row, column);
    terminal_puts(terminal, &cell, 0, 0, focus ? STYLE_BORDER_FOCUS : STYLE_BORDER,
                  corners[up + 2 * down][left][right]);
}

static void draw_divider(const struct pane_frame *frame, struct terminal *terminal,
                         const struct rect *screen, const struct rect *place)
{
    int column = place->column - 1, end = place->row + place->rows;
    if (column < screen->column)
        return;
    for (int row = place->row; row < end; row++)
        draw_corner(frame, terminal, row, column);
    if (end < screen->row + screen->rows && !divider_at(frame, end, column))
        draw_corner(frame, terminal, end, column);
}

/* A pane alone has no lines: its title, and the note. */
static void draw_alone(const struct pane_frame *frame, struct terminal *terminal)
{
    const struct split_place *place = &frame->places[0];
    struct rect area = {place->area.row, place->area.column, 1, place->area.columns};
    int note = text_columns(frame->note, strlen(frame->note));
    struct strbuf title = {0};
    bool both = note > 0 && note + 12 < area.columns;
    put_title(place->pane, area.columns - 2 - (both ? note + 2 : 0), &title);
    terminal_puts(terminal, &area, 0, 1, STYLE_DIM, strbuf_text(&title));
    if (both)
        terminal_puts(terminal, &area, 0, area.columns - note - 1, STYLE_DIM, frame->note);
    strbuf_free(&title);
}

void pane_frame_draw(const struct pane_frame *frame, struct terminal *terminal,
                     const struct rect *area)
{
    if (frame->count == 1) {
        draw_alone(frame, terminal);
        return;
    }
    for (size_t i = 0; i < frame->count; i++)
        draw_header(frame, terminal, &frame->places[i]);
    for (size_t i = 0; i < frame->count; i++)
        draw_divider(frame, terminal, area, &frame->places[i].area);
}
