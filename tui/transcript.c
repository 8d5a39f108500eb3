#include "tui/transcript.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "tui/wrap.h"

#define GUTTER_COLUMNS 3
#define NARROW_COLUMNS 40          /* below, the gutter is one column smaller */
#define FOLDED_BYTES   (32u << 10) /* of a longer message of the user's only the start is shown */

struct item {
    enum transcript_kind kind;
    const struct message *message; /* NULL: `text` is shown */
    char *text;
    char *note;
    struct wrap wrap;
};

struct transcript {
    struct item *items;
    size_t count, capacity;
    bool follow, unseen, show_last;
    size_t top_item; /* when not following: the first row in view */
    int top_row;
    int rows, columns; /* as last drawn; columns of text */
};

/* How each kind looks. `mark` stands in the gutter of the first row, or of every row. */
static const struct {
    const char *mark;
    bool every_row, tight; /* tight: no empty row before it after one of its kind */
    enum style mark_style, style;
} looks[TRANSCRIPT_KINDS] = {
    [TRANSCRIPT_USER] = {"▌", true, false, STYLE_USER_MARK, STYLE_USER},
    [TRANSCRIPT_REPLY] = {"◆", false, false, STYLE_REPLY_MARK, STYLE_REPLY},
    [TRANSCRIPT_NOTICE] = {"·", false, true, STYLE_NOTICE, STYLE_NOTICE},
    [TRANSCRIPT_TABLE] = {"·", false, true, STYLE_NOTICE, STYLE_NOTICE},
    [TRANSCRIPT_ERROR] = {"!", false, true, STYLE_ERROR, STYLE_ERROR},
    [TRANSCRIPT_QUEUED] = {"▏", true, true, STYLE_DIM, STYLE_DIM},
};

static const enum style line_styles[] = {
    [WRAP_TEXT] = STYLE_REPLY,      [WRAP_CODE] = STYLE_CODE,     [WRAP_FENCE] = STYLE_DIM,
    [WRAP_HEADING] = STYLE_HEADING, [WRAP_SOURCE] = STYLE_SOURCE,
};

/* --- items ----------------------------------------------------------------------------------- */

struct transcript *transcript_create(void)
{
    struct transcript *transcript = xcalloc(1, sizeof *transcript);
    transcript->follow = true;
    transcript->rows = 1;
    transcript->columns = 76;
    return transcript;
}

static void item_free(struct item *item)
{
    free(item->text);
    free(item->note);
    wrap_free(&item->wrap);
}

void transcript_clear(struct transcript *transcript)
{
    for (size_t i = 0; i < transcript->count; i++)
        item_free(&transcript->items[i]);
    transcript->count = 0;
    transcript->follow = true;
    transcript->unseen = false;
}

void transcript_free(struct transcript *transcript)
{
    transcript_clear(transcript);
    free(transcript->items);
    free(transcript);
}

bool transcript_is_empty(const struct transcript *transcript)
{
    return transcript->count == 0;
}

static struct item *add_item(struct transcript *transcript, enum transcript_kind kind)
{
    if (transcript->count == transcript->capacity) {
        transcript->capacity = transcript->capacity ? transcript->capacity * 2 : 16;
        transcript->items =
            xreallocarray(transcript->items, transcript->capacity, sizeof *transcript->items);
    }
    struct item *item = &transcript->items[transcript->count++];
    *item = (struct item){.kind = kind};
    item->wrap.markup = kind == TRANSCRIPT_REPLY;
    item->wrap.lists = kind == TRANSCRIPT_REPLY || kind == TRANSCRIPT_USER;
    return item;
}

static char *attachments_note(const struct document_list *documents)
{
    struct strbuf note = {0};
    for (size_t i = 0; i < documents->count; i++)
        strbuf_printf(&note, "%s%s", i == 0 ? "with " : ", ", documents->items[i].name);
    return note.length > 0 ? strbuf_detach(&note) : NULL;
}

void transcript_add_message(struct transcript *transcript, const struct message *message)
{
    bool user = message->role == ROLE_USER;
    struct item *item = add_item(transcript, user ? TRANSCRIPT_USER : TRANSCRIPT_REPLY);
    item->message = message;
    if (user)
        item->note = attachments_note(&message->documents);
    transcript_grew(transcript);
}

void transcript_add_text(struct transcript *transcript, enum transcript_kind kind, const char *text)
{
    add_item(transcript, kind)->text = xstrdup(text);
    transcript_grew(transcript);
}

void transcript_set_note(struct transcript *transcript, const struct message *message,
                         const char *note)
{
    for (size_t i = 0; i < transcript->count; i++) {
        struct item *item = &transcript->items[i];
        if (item->message != message)
            continue;
        free(item->note);
        item->note = note != NULL && note[0] != '\0' ? xstrdup(note) : NULL;
    }
}

static void remove_item(struct transcript *transcript, size_t index)
{
    item_free(&transcript->items[index]);
    memmove(&transcript->items[index], &transcript->items[index + 1],
            (transcript->count - index - 1) * sizeof *transcript->items);
    transcript->count--;
    if (transcript->top_item > index)
        transcript->top_item--;
}

void transcript_remove_kind(struct transcript *transcript, enum transcript_kind kind)
{
    for (size_t i = transcript->count; i-- > 0;)
        if (transcript->items[i].kind == kind)
            remove_item(transcript, i);
}

void transcript_remove_message(struct transcript *transcript, const struct message *message)
{
    for (size_t i = transcript->count; i-- > 0;)
        if (transcript->items[i].message == message)
            remove_item(transcript, i);
}

void transcript_grew(struct transcript *transcript)
{
    transcript->unseen = !transcript->follow;
}

/* --- rows ------------------------------------------------------------------------------------ */

static void item_wrap(const struct transcript *transcript, struct item *item)
{
    const char *text = item->text;
    size_t length = 0;
    if (item->message != NULL) {
        text = strbuf_text(&item->message->text);
        length = item->message->text.length;
    } else {
        length = strlen(text);
    }
    if (item->kind == TRANSCRIPT_TABLE)
        item->wrap.hang =
            transcript->columns > 2 * TRANSCRIPT_NAME_COLUMNS ? TRANSCRIPT_NAME_COLUMNS : 2;
    if (item->kind != TRANSCRIPT_REPLY && length > FOLDED_BYTES)
        length = FOLDED_BYTES;
    wrap_update(&item->wrap, text, length, transcript->columns);
}

static bool item_is_folded(const struct item *item)
{
    return item->message != NULL && item->kind != TRANSCRIPT_REPLY &&
           item->message->text.length > FOLDED_BYTES;
}

static int item_gap(const struct transcript *transcript, size_t index)
{
    if (index == 0)
        return 0;
    enum transcript_kind kind = transcript->items[index].kind;
    return looks[kind].tight && transcript->items[index - 1].kind == kind ? 0 : 1;
}

/* Rows of an item: the gap before it, its lines (one at least), what was folded away, its note. */
static int item_rows(struct transcript *transcript, size_t index)
{
    struct item *item = &transcript->items[index];
    item_wrap(transcript, item);
    int lines = item->wrap.count > 0 ? (int)item->wrap.count : 1;
    return item_gap(transcript, index) + lines + item_is_folded(item) + (item->note != NULL);
}

/* Moves a place up by `rows`; stops at the first row of all. Returns the rows it could not go. */
static int move_up(struct transcript *transcript, size_t *item, int *row, int rows)
{
    while (rows > *row && *item > 0) {
        rows -= *row;
        (*item)--;
        *row = item_rows(transcript, *item);
    }
    int step = rows < *row ? rows : *row;
    *row -= step;
    return rows - step;
}

/* The first row in view when the last one of all is at the bottom. */
static void bottom_place(struct transcript *transcript, size_t *item, int *row)
{
    *item = *row = 0;
    if (transcript->count == 0)
        return;
    *item = transcript->count - 1;
    *row = item_rows(transcript, *item);
    move_up(transcript, item, row, transcript->rows);
}

static bool is_before(size_t item_a, int row_a, size_t item_b, int row_b)
{
    return item_a < item_b || (item_a == item_b && row_a < row_b);
}

void transcript_scroll(struct transcript *transcript, int rows)
{
    size_t last_item;
    int last_row;
    bottom_place(transcript, &last_item, &last_row);
    if (transcript->follow) {
        transcript->top_item = last_item;
        transcript->top_row = last_row;
    }
    if (rows < 0)
        move_up(transcript, &transcript->top_item, &transcript->top_row, -rows);
    for (; rows > 0 && is_before(transcript->top_item, transcript->top_row, last_item, last_row);
         rows--) {
        if (++transcript->top_row >= item_rows(transcript, transcript->top_item)) {
            transcript->top_item++;
            transcript->top_row = 0;
        }
    }
    transcript->follow = !is_before(transcript->top_item, transcript->top_row, last_item, last_row);
    transcript->unseen = transcript->unseen && !transcript->follow;
}

void transcript_scroll_pages(struct transcript *transcript, int pages)
{
    int rows = transcript->rows > 3 ? transcript->rows - 2 : 1;
    transcript_scroll(transcript, pages * rows);
}

void transcript_scroll_end(struct transcript *transcript, bool bottom)
{
    transcript->follow = bottom;
    transcript->top_item = 0;
    transcript->top_row = 0;
    if (bottom)
        transcript->unseen = false;
    else
        transcript_scroll(transcript, 0);
}

void transcript_show_last(struct transcript *transcript)
{
    transcript_scroll_end(transcript, true);
    transcript->show_last = true; /* when the height is known: as it is drawn */
}

static void place_last(struct transcript *transcript)
{
    size_t last = transcript->count - 1;
    bool wanted = transcript->show_last;
    transcript->show_last = false;
    if (!wanted || transcript->count == 0 || item_rows(transcript, last) <= transcript->rows)
        return;
    transcript->follow = false;
    transcript->top_item = last;
    transcript->top_row = item_gap(transcript, last);
}

bool transcript_at_bottom(const struct transcript *transcript)
{
    return transcript->follow;
}

/* --- drawing --------------------------------------------------------------------------------- */

static int gutter(const struct rect *area)
{
    return area->columns < NARROW_COLUMNS ? GUTTER_COLUMNS - 1 : GUTTER_COLUMNS;
}

/* A new width: the text at the top of the view stays there. */
static void set_columns(struct transcript *transcript, int columns)
{
    if (columns == transcript->columns)
        return;
    struct item *item = NULL;
    size_t offset = 0;
    if (!transcript->follow && transcript->top_item < transcript->count) {
        item = &transcript->items[transcript->top_item];
        int line = transcript->top_row - item_gap(transcript, transcript->top_item);
        if (line > 0 && (size_t)line < item->wrap.count)
            offset = item->wrap.lines[line].start;
        else if (line > 0)
            offset = item->wrap.shown.length;
    }
    transcript->columns = columns;
    if (item == NULL)
        return;
    item_wrap(transcript, item);
    if (transcript->top_row > 0)
        transcript->top_row =
            item_gap(transcript, transcript->top_item) + (int)wrap_line_at(&item->wrap, offset);
}

static void draw_mark(struct terminal *terminal, const struct rect *area, int row,
                      const struct item *item, bool first)
{
    if (first || looks[item->kind].every_row)
        terminal_puts(terminal, area, row, gutter(area) - 2, looks[item->kind].mark_style,
                      looks[item->kind].mark);
}

static void draw_line(struct terminal *terminal, const struct rect *text, int row,
                      const struct item *item, size_t index)
{
    const struct wrap_line *line = &item->wrap.lines[index];
    enum style style =
        item->kind == TRANSCRIPT_REPLY ? line_styles[line->kind] : looks[item->kind].style;
    const char *bytes = item->wrap.shown.data + line->start;
    size_t length = line->end - line->start;
    int used = line->indent;
    if (item->kind == TRANSCRIPT_TABLE && line->indent == 0) {
        size_t name = text_fit(bytes, length, TRANSCRIPT_NAME_COLUMNS);
        used = terminal_put(terminal, text, row, 0, STYLE_KEY, bytes, name);
        bytes += name;
        length -= name;
    }
    used += terminal_put(terminal, text, row, used, style, bytes, length);
    if (line->kind == WRAP_CODE)
        terminal_repeat(terminal, text, row, used, style, " ", text->columns - used);
}

/* Row `row` of an item, counted without its gap. */
static void draw_item_row(struct terminal *terminal, const struct rect *area,
                          const struct rect *text, int at, const struct item *item, int row)
{
    int lines = item->wrap.count > 0 ? (int)item->wrap.count : 1;
    draw_mark(terminal, area, at, item, row == 0);
    if (row < lines) {
        if (item->wrap.count > 0)
            draw_line(terminal, text, at, item, (size_t)row);
        return;
    }
    char size[32];
    if (item_is_folded(item) && row == lines)
        terminal_printf(terminal, text, at, 0, STYLE_DIM, "… %s in all",
                        format_bytes(item->message->text.length, size));
    else
        terminal_puts(terminal, text, at, 0,
                      item->kind == TRANSCRIPT_USER ? STYLE_SOURCE : STYLE_DIM, item->note);
}

static void draw_indicator(const struct transcript *transcript, struct terminal *terminal,
                           const struct rect *area)
{
    if (transcript->follow)
        return;
    const char *label = transcript->unseen ? " ↓ new text " : " ↓ ";
    int columns = text_columns(label, strlen(label));
    terminal_puts(terminal, area, area->rows - 1, area->columns - columns - 1,
                  transcript->unseen ? STYLE_NEW : STYLE_DIM, label);
}

void transcript_draw(struct transcript *transcript, struct terminal *terminal,
                     const struct rect *area)
{
    struct rect text = *area;
    text.column += gutter(area);
    text.columns -= gutter(area) + 1;
    transcript->rows = area->rows;
    set_columns(transcript, text.columns < 1 ? 1 : text.columns);
    place_last(transcript);
    size_t item, last_item;
    int row, last_row;
    bottom_place(transcript, &last_item, &last_row);
    /* Also when what was below has gone: never show less than there is. */
    if (!transcript->follow &&
        !is_before(transcript->top_item, transcript->top_row, last_item, last_row))
        transcript_scroll_end(transcript, true);
    item = transcript->follow ? last_item : transcript->top_item;
    row = transcript->follow ? last_row : transcript->top_row;
    for (int at = 0; at < area->rows && item < transcript->count; at++) {
        int gap = item_gap(transcript, item), rows = item_rows(transcript, item);
        if (row >= gap)
            draw_item_row(terminal, area, &text, at, &transcript->items[item], row - gap);
        if (++row >= rows) {
            item++;
            row = 0;
        }
    }
    draw_indicator(transcript, terminal, area);
}
