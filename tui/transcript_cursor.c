#include "tui/transcript_cursor.h"

#include "tui/transcript_model.h"

static struct transcript_place first_row(const struct transcript *transcript, size_t item)
{
    return (struct transcript_place){item, item_gap(transcript, item)};
}

static struct transcript_place last_row(struct transcript *transcript, size_t item)
{
    return (struct transcript_place){item,
                                     item_gap(transcript, item) + item_lines(transcript, item) - 1};
}

static bool valid(const struct transcript *transcript)
{
    return transcript->cursor_shown && transcript->cursor.item < transcript->count;
}

/* Out of gaps and footers: to the nearest row of the item's text. */
static struct transcript_place onto_text(struct transcript *transcript,
                                         struct transcript_place place)
{
    if (place.item >= transcript->count)
        return last_row(transcript, transcript->count - 1);
    struct transcript_place first = first_row(transcript, place.item);
    struct transcript_place last = last_row(transcript, place.item);
    return place_is_before(place, first) ? first : place_is_before(last, place) ? last : place;
}

static struct transcript_place view_bottom(struct transcript *transcript)
{
    struct transcript_place place = place_top(transcript);
    for (int left = transcript->rows - 1; left > 0 && place.item < transcript->count;) {
        int rows = item_rows(transcript, place.item);
        int step = rows - place.row <= left ? rows - place.row : left;
        left -= step;
        place.row += step;
        if (place.row >= rows && place.item + 1 < transcript->count)
            place = (struct transcript_place){place.item + 1, 0};
        else if (place.row >= rows)
            break;
    }
    return place;
}

void transcript_cursor_show(struct transcript *transcript, bool shown)
{
    transcript->cursor_shown = shown && transcript->count > 0;
    transcript->selecting = false;
    if (transcript->cursor_shown)
        transcript->cursor = onto_text(transcript, view_bottom(transcript));
}

bool transcript_cursor_is_shown(const struct transcript *transcript)
{
    return transcript->cursor_shown;
}

static void set_cursor(struct transcript *transcript, struct transcript_place place)
{
    transcript->cursor = place;
    transcript_reveal(transcript, place);
}

void transcript_cursor_follow(struct transcript *transcript)
{
    if (!valid(transcript))
        return;
    struct transcript_place top = place_top(transcript), bottom = view_bottom(transcript);
    if (place_is_before(transcript->cursor, top))
        transcript->cursor = onto_text(transcript, top);
    else if (place_is_before(bottom, transcript->cursor))
        transcript->cursor = onto_text(transcript, bottom);
}

void transcript_cursor_move(struct transcript *transcript, int rows)
{
    if (!valid(transcript))
        return;
    struct transcript_place place = onto_text(transcript, transcript->cursor);
    for (; rows < 0 && (place.row > first_row(transcript, place.item).row || place.item > 0);
         rows++) {
        if (place.row > first_row(transcript, place.item).row)
            place.row--;
        else
            place = last_row(transcript, place.item - 1);
    }
    for (; rows > 0; rows--) {
        if (place.row < last_row(transcript, place.item).row)
            place.row++;
        else if (place.item + 1 < transcript->count)
            place = first_row(transcript, place.item + 1);
        else
            break;
    }
    set_cursor(transcript, place);
    if (place.item + 1 == transcript->count && place.row == last_row(transcript, place.item).row)
        transcript_scroll_end(transcript, true);
}

void transcript_cursor_message(struct transcript *transcript, int messages)
{
    if (!valid(transcript))
        return;
    struct transcript_place place = transcript->cursor;
    if (messages < 0 && place.row > first_row(transcript, place.item).row)
        messages++;
    for (; messages < 0 && place.item > 0; messages++)
        place.item--;
    for (; messages > 0 && place.item + 1 < transcript->count; messages--)
        place.item++;
    set_cursor(transcript, first_row(transcript, place.item));
}

bool transcript_cursor_to(struct transcript *transcript, const struct message *message)
{
    size_t item = 0;
    while (item < transcript->count && transcript->items[item].message != message)
        item++;
    if (item == transcript->count || !valid(transcript))
        return false;
    set_cursor(transcript, first_row(transcript, item));
    return true;
}

void transcript_cursor_end(struct transcript *transcript, bool bottom)
{
    if (!valid(transcript))
        return;
    transcript->cursor =
        bottom ? last_row(transcript, transcript->count - 1) : first_row(transcript, 0);
    transcript_scroll_end(transcript, bottom);
}

bool transcript_at(struct transcript *transcript, int row, int column)
{
    struct transcript_place place = place_top(transcript);
    if (row < 0 || row >= transcript->rows || column < 0)
        return false;
    while (place.item < transcript->count) {
        int rows = item_rows(transcript, place.item) - place.row;
        if (row < rows) {
            place.row += row;
            transcript->cursor_shown = true;
            transcript->cursor = onto_text(transcript, place);
            return true;
        }
        row -= rows;
        place = (struct transcript_place){place.item + 1, 0};
    }
    return false;
}

const struct message *transcript_cursor_on(const struct transcript *transcript)
{
    return valid(transcript) ? transcript->items[transcript->cursor.item].message : NULL;
}

/* --- the row, the selection ------------------------------------------------------------------ */

static const struct flow_line *line_at(struct transcript *transcript, struct transcript_place place)
{
    item_lay_out(transcript, place.item);
    const struct flow *flow = &transcript->items[place.item].rows.flow;
    int line = place.row - item_gap(transcript, place.item);
    return line >= 0 && (size_t)line < flow->line_count ? &flow->lines[line] : NULL;
}

bool transcript_line_at_cursor(struct transcript *transcript, size_t *start, size_t *end)
{
    const struct flow_line *line =
        valid(transcript) ? line_at(transcript, transcript->cursor) : NULL;
    if (line == NULL)
        return false;
    *start = line->raw;
    *end = line->raw_end;
    return true;
}

void transcript_select(struct transcript *transcript)
{
    transcript->selecting = valid(transcript) && !transcript->selecting;
    transcript->mark = transcript->cursor;
}

bool transcript_is_selecting(const struct transcript *transcript)
{
    return transcript->selecting;
}

/* The item's bytes from row `from` to row `to`; all of them when the rows are all. */
static void add_rows(struct transcript *transcript, size_t index, struct transcript_place from,
                     struct transcript_place to, struct strbuf *out)
{
    size_t length, start = 0, end;
    const char *text = item_text(&transcript->items[index], &length);
    const struct flow_line *line;
    end = length;
    bool whole = true;
    if (from.item == index && place_is_before(first_row(transcript, index), from)) {
        whole = false;
        start = (line = line_at(transcript, from)) != NULL ? line->raw : 0;
    }
    if (to.item == index && place_is_before(to, last_row(transcript, index))) {
        whole = false;
        end = (line = line_at(transcript, to)) != NULL ? line->raw_end : length;
    }
    end = end > length ? length : end;
    while (!whole && end > start && text[end - 1] == '\n')
        end--;
    while (!whole && start < end && text[start] == '\n')
        start++;
    strbuf_add(out, text + start, end - start);
}

bool transcript_selection_text(struct transcript *transcript, struct strbuf *out)
{
    if (!valid(transcript))
        return false;
    struct transcript_place from = transcript->cursor, to = transcript->cursor;
    if (!transcript->selecting) {
        from = first_row(transcript, from.item);
        to = last_row(transcript, to.item);
    } else if (place_is_before(transcript->mark, transcript->cursor)) {
        from = transcript->mark;
    } else {
        to = transcript->mark;
    }
    for (size_t i = from.item; i <= to.item && i < transcript->count; i++) {
        if (i > from.item)
            strbuf_puts(out, "\n\n");
        add_rows(transcript, i, from, to, out);
    }
    return true;
}

bool transcript_code_at_cursor(struct transcript *transcript, struct strbuf *code,
                               struct strbuf *language)
{
    const struct flow_line *line =
        valid(transcript) ? line_at(transcript, transcript->cursor) : NULL;
    if (line == NULL || line->code == FLOW_NO_CODE)
        return false;
    const struct flow *flow = &transcript->items[transcript->cursor.item].rows.flow;
    const struct flow_code *block = &flow->codes[line->code];
    strbuf_add(code, flow->code.data + block->start, block->end - block->start);
    strbuf_add(language, flow->code.data + block->language, block->language_end - block->language);
    return true;
}

void transcript_item_removed(struct transcript *transcript, size_t index)
{
    struct transcript_place *places[] = {&transcript->top, &transcript->cursor, &transcript->mark,
                                         &transcript->current_match};
    bool hit = transcript->mark.item == index || transcript->cursor.item == index;
    transcript->selecting = transcript->selecting && !hit;
    if (transcript->current_match.item == index)
        transcript->current_match.row = -1;
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++)
        if (places[i]->item > index)
            places[i]->item--;
    /* The view began in what was the last item: it begins after the one before, where it ends. */
    if (transcript->count > 0 && transcript->top.item >= transcript->count)
        transcript->top = last_row(transcript, transcript->count - 1);
    transcript->cursor_shown = transcript->cursor_shown && transcript->count > 0;
    if (transcript->cursor_shown)
        transcript->cursor = onto_text(transcript, transcript->cursor);
}
