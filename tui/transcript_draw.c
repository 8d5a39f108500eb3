#include "tui/transcript_draw.h"

#include <stdio.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "tui/transcript_cursor.h"

#define ALTERNATIVE_COLUMNS 10 /* "  ‹ 2/3 ›", and a little */
#define GUTTER_COLUMNS      3
#define NARROW_COLUMNS      40 /* below, the gutter is one column smaller */
#define CODE_HINT           " Y copies "

/* How each kind looks. `mark` stands in the gutter of the first row, or of every row. */
static const struct {
    const char *mark;
    bool every_row;
    enum style style;
} looks[TRANSCRIPT_KINDS] = {
    [TRANSCRIPT_USER] = {"▌", true, STYLE_USER_MARK},
    [TRANSCRIPT_REPLY] = {"◆", false, STYLE_REPLY_MARK},
    [TRANSCRIPT_NOTICE] = {"·", false, STYLE_NOTICE},
    [TRANSCRIPT_TABLE] = {"·", false, STYLE_NOTICE},
    [TRANSCRIPT_ERROR] = {"!", false, STYLE_ERROR},
    [TRANSCRIPT_QUEUED] = {"▏", true, STYLE_DIM},
};

/* What the functions below draw with. */
struct canvas {
    struct transcript *transcript;
    struct terminal *terminal;
    const struct rect *area, *text; /* the text's stands beside the gutter */
    int gutter;
};

static int gutter(const struct rect *area)
{
    return area->columns < NARROW_COLUMNS ? GUTTER_COLUMNS - 1 : GUTTER_COLUMNS;
}

/* --- spans ----------------------------------------------------------------------------------- */

/* The first match that ends after `raw`. */
static size_t first_match(const struct transcript_item *item, size_t raw)
{
    size_t low = 0, high = item->match_count;
    while (low < high) {
        size_t middle = (low + high) / 2;
        if (item->matches[middle].end <= raw)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* The style of bytes raw..raw_end of the message: a match before a mark before the text's own. */
static enum style style_at(const struct canvas *canvas, size_t index, const struct flow_span *span,
                           size_t raw, size_t raw_end)
{
    const struct transcript *transcript = canvas->transcript;
    const struct transcript_item *item = &transcript->items[index];
    size_t match = first_match(item, raw);
    if (match < item->match_count && item->matches[match].start < raw_end)
        return transcript->current_match.item == index &&
                       transcript->current_match.row == (int)match
                   ? STYLE_MATCH_CURRENT
                   : STYLE_MATCH;
    for (size_t i = 0; i < item->mark_count; i++)
        if (item->marks[i].start < raw_end && item->marks[i].end > raw)
            return item->marks[i].style;
    return span->style;
}

/* Cluster by cluster where something lies over the text; returns the columns. */
static int draw_covered(const struct canvas *canvas, size_t index, const struct flow_span *span,
                        int row, int column)
{
    const char *text = canvas->transcript->items[index].rows.flow.text.data;
    bool same = span->raw_end - span->raw == span->end - span->start;
    size_t from = span->start;
    enum style style = span->style;
    int used = 0;
    for (size_t at = span->start; at < span->end;) {
        size_t bytes = grapheme_next(text + at, span->end - at);
        size_t raw = same ? span->raw + (at - span->start) : span->raw;
        enum style here = style_at(canvas, index, span, raw, same ? raw + bytes : span->raw_end);
        if (here != style && at > from) {
            used += terminal_put_with(canvas->terminal, canvas->text, row, column + used, style,
                                      span->attributes, text + from, at - from);
            from = at;
        }
        style = here;
        at += bytes;
    }
    return used + terminal_put_with(canvas->terminal, canvas->text, row, column + used, style,
                                    span->attributes, text + from, span->end - from);
}

static bool is_covered(const struct transcript_item *item, const struct flow_span *span)
{
    return span->raw_end > span->raw && (item->match_count > 0 || item->mark_count > 0);
}

static int draw_spans(const struct canvas *canvas, size_t index, const struct flow_line *line,
                      int row, bool selected)
{
    const struct transcript_item *item = &canvas->transcript->items[index];
    const struct flow *flow = &item->rows.flow;
    int used = 0;
    for (size_t i = 0; i < line->count; i++) {
        const struct flow_span *span = &flow->spans[line->first + i];
        enum style style = selected ? STYLE_SELECTION : span->style;
        used += is_covered(item, span) && !selected
                    ? draw_covered(canvas, index, span, row, used)
                    : terminal_put_with(canvas->terminal, canvas->text, row, used, style,
                                        span->attributes, flow->text.data + span->start,
                                        span->end - span->start);
    }
    return used;
}

/* --- rows ------------------------------------------------------------------------------------ */

static bool is_selected(const struct transcript *transcript, struct transcript_place place)
{
    if (!transcript->selecting)
        return false;
    bool down = place_is_before(transcript->mark, transcript->cursor);
    struct transcript_place from = down ? transcript->mark : transcript->cursor;
    struct transcript_place to = down ? transcript->cursor : transcript->mark;
    return !place_is_before(place, from) && !place_is_before(to, place);
}

static void draw_code_hint(const struct canvas *canvas, int row)
{
    int columns = (int)strlen(CODE_HINT);
    if (canvas->text->columns > columns * 3)
        terminal_puts(canvas->terminal, canvas->text, row, canvas->text->columns - columns - 2,
                      STYLE_DIM, CODE_HINT);
}

static void draw_line(const struct canvas *canvas, struct transcript_place place, int line, int row)
{
    struct transcript *transcript = canvas->transcript;
    const struct flow *flow = &transcript->items[place.item].rows.flow;
    bool selected = is_selected(transcript, place);
    if ((size_t)line < flow->line_count) {
        const struct flow_line *shown = &flow->lines[line];
        int used = draw_spans(canvas, place.item, shown, row, selected);
        if (selected && used == 0)
            terminal_puts(canvas->terminal, canvas->text, row, 0, STYLE_SELECTION, " ");
        if (transcript->cursor_shown && shown->kind == FLOW_CODE_TOP && !selected)
            draw_code_hint(canvas, row);
    }
    if (!transcript->cursor_shown || place.item != transcript->cursor.item ||
        place.row != transcript->cursor.row)
        return;
    int column = canvas->gutter > 2 ? 0 : 1;
    terminal_puts(canvas->terminal, canvas->area, row, column, STYLE_ACCENT, "▸");
    terminal_cursor(canvas->terminal, canvas->area, row, column);
}

/* Cut where `kept` columns begin at the right. Returns its columns. */
static int draw_note(const struct canvas *canvas, const struct transcript_item *item, int row,
                     int kept)
{
    enum style style = item->kind == TRANSCRIPT_USER ? STYLE_SOURCE : STYLE_DIM;
    int room = canvas->text->columns - kept;
    size_t length = strlen(item->note);
    if (text_columns(item->note, length) <= room)
        return terminal_puts(canvas->terminal, canvas->text, row, 0, style, item->note);
    size_t fits = text_fit(item->note, length, room > 1 ? room - 1 : 0);
    int used = terminal_put(canvas->terminal, canvas->text, row, 0, style, item->note, fits);
    return used + terminal_puts(canvas->terminal, canvas->text, row, used, style, "…");
}

/* "note          ‹ 2/3 ›" */
static void draw_footer(const struct canvas *canvas, const struct transcript_item *item, int row)
{
    char choice[48];
    int used = 0;
    if (item->note != NULL)
        used = draw_note(canvas, item, row, item->alternatives > 1 ? ALTERNATIVE_COLUMNS : 0);
    if (item->alternatives < 2)
        return;
    snprintf(choice, sizeof choice, "‹ %u/%u ›", item->alternative + 1, item->alternatives);
    int columns = text_columns(choice, strlen(choice));
    int column = canvas->text->columns - columns;
    if (column >= (used > 0 ? used + 2 : 0))
        terminal_puts(canvas->terminal, canvas->text, row, column, STYLE_DIM, choice);
}

/* Row `row` of an item, counted without its gap. */
static void draw_item_row(const struct canvas *canvas, struct transcript_place place, int row,
                          int at)
{
    struct transcript_item *item = &canvas->transcript->items[place.item];
    int lines = item->rows.flow.line_count > 0 ? (int)item->rows.flow.line_count : 1;
    char size[32];
    if (row == 0 || looks[item->kind].every_row)
        terminal_puts(canvas->terminal, canvas->area, at, canvas->gutter - 2,
                      looks[item->kind].style, looks[item->kind].mark);
    if (row < lines)
        draw_line(canvas, place, row, at);
    else if (item_is_folded(item) && row == lines)
        terminal_printf(canvas->terminal, canvas->text, at, 0, STYLE_DIM, "… %s in all",
                        format_bytes(item->message->text.length, size));
    else
        draw_footer(canvas, item, at);
}

static void draw_indicator(const struct canvas *canvas)
{
    const struct transcript *transcript = canvas->transcript;
    if (transcript->follow)
        return;
    const char *label = transcript->unseen ? " ↓ new text " : " ↓ ";
    int columns = text_columns(label, strlen(label));
    terminal_puts(canvas->terminal, canvas->area, canvas->area->rows - 1,
                  canvas->area->columns - columns - 1, transcript->unseen ? STYLE_NEW : STYLE_DIM,
                  label);
}

/* --- the view -------------------------------------------------------------------------------- */

/* The byte that a place shows, to find it again at another width. */
static size_t place_raw(struct transcript *transcript, struct transcript_place place)
{
    const struct flow *flow = &transcript->items[place.item].rows.flow;
    int line = place.row - item_gap(transcript, place.item);
    if (line <= 0 || flow->line_count == 0)
        return 0;
    return (size_t)line < flow->line_count ? flow->lines[line].raw : FLOW_NO_RAW;
}

static void place_restore(struct transcript *transcript, struct transcript_place *place, size_t raw)
{
    int lines = item_lines(transcript, place->item), gap = item_gap(transcript, place->item);
    if (raw == FLOW_NO_RAW)
        place->row = gap + lines;
    else if (place->row > gap)
        place->row = gap + (int)flow_line_at(&transcript->items[place->item].rows.flow, raw);
    int rows = item_rows(transcript, place->item);
    place->row = place->row < rows ? place->row : rows - 1;
}

/* A new width: the text at the top of the view, and under the cursor, stays there. */
static void set_columns(struct transcript *transcript, int columns)
{
    struct transcript_place *places[] = {&transcript->top, &transcript->cursor, &transcript->mark};
    size_t raw[3];
    if (columns == transcript->columns || transcript->count == 0) {
        transcript->columns = columns;
        return;
    }
    bool wanted[3] = {!transcript->follow, transcript->cursor_shown, transcript->selecting};
    for (int i = 0; i < 3; i++)
        if (wanted[i])
            raw[i] = place_raw(transcript, *places[i]);
    transcript->columns = columns;
    for (int i = 0; i < 3; i++)
        if (wanted[i])
            place_restore(transcript, places[i], raw[i]);
}

static void place_last(struct transcript *transcript)
{
    bool wanted = transcript->show_last;
    transcript->show_last = false;
    if (!wanted || transcript->count == 0 ||
        item_rows(transcript, transcript->count - 1) <= transcript->rows)
        return;
    transcript->follow = false;
    transcript->top.item = transcript->count - 1;
    transcript->top.row = item_gap(transcript, transcript->top.item);
}

void transcript_draw(struct transcript *transcript, struct terminal *terminal,
                     const struct rect *area)
{
    struct rect text = *area;
    struct canvas canvas = {transcript, terminal, area, &text, gutter(area)};
    text.column += canvas.gutter;
    text.columns -= canvas.gutter + 1;
    transcript->rows = area->rows;
    set_columns(transcript, text.columns < 1 ? 1 : text.columns);
    place_last(transcript);
    struct transcript_place last = place_bottom(transcript);
    /* Also when what was below has gone: never show less than there is. */
    if (!transcript->follow && !place_is_before(transcript->top, last))
        transcript_scroll_end(transcript, true);
    struct transcript_place place = transcript->follow ? last : transcript->top;
    for (int at = 0; at < area->rows && place.item < transcript->count; at++) {
        int gap = item_gap(transcript, place.item), rows = item_rows(transcript, place.item);
        if (place.row >= gap)
            draw_item_row(&canvas, place, place.row - gap, at);
        if (++place.row >= rows) {
            place.item++;
            place.row = 0;
        }
    }
    draw_indicator(&canvas);
}
