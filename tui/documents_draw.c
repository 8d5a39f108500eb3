#include "tui/documents_draw.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/width.h"
#include "tui/sanitize.h"

#define LEFT 1 /* the column that stays free */

/* All of it, or its beginning and "…"; returns the columns it took. */
static int put_cut(struct terminal *terminal, const struct rect *area, int row, int column,
                   int columns, enum style style, const char *text)
{
    struct strbuf clean = {0};
    sanitize_text(&clean, text, strlen(text), 0);
    const char *shown = strbuf_text(&clean);
    bool cut = text_columns(shown, clean.length) > columns;
    size_t fits = cut ? text_fit(shown, clean.length, columns - 1) : clean.length;
    int at = terminal_put(terminal, area, row, column, style, shown, fits);
    if (cut && columns > 0)
        at += terminal_puts(terminal, area, row, column + at, style, "…");
    strbuf_free(&clean);
    return at;
}

static void put_right(struct terminal *terminal, const struct rect *area, int row, enum style style,
                      const char *text)
{
    terminal_puts(terminal, area, row, area->columns - 1 - text_columns(text, strlen(text)), style,
                  text);
}

/* --- the list -------------------------------------------------------------------------------- */

/* Headings stand before the attached ones and before those sent, and a free row between. */
static size_t attached_of(const struct pane_documents *pane)
{
    return pane_documents_chat(pane)->chat->attached.count;
}

static int row_of(const struct pane_documents *pane, size_t index)
{
    size_t attached = attached_of(pane);
    if (index < attached)
        return 1 + (int)index;
    return (int)index + 1 + (attached > 0 ? 2 : 0);
}

bool documents_draw_at(const struct pane_documents *pane, int row, size_t *index)
{
    for (size_t i = 0; i < pane->list.count; i++)
        if (row_of(pane, i) == row + pane->top)
            *index = i;
    return *index < pane->list.count && row_of(pane, *index) == row + pane->top;
}

static void draw_document(const struct pane_documents *pane, const struct document_place *place,
                          bool selected, bool focused, struct terminal *terminal,
                          const struct rect *row)
{
    const struct document *document = place->document;
    bool marked = selected && focused, on = document->enabled;
    size_t tokens;
    char digits[40] = "…";
    if (document_counts_find(pane->counts, document, &tokens))
        format_count(tokens, digits);
    if (marked)
        terminal_repeat(terminal, row, 0, 0, STYLE_LIST_SELECTED, " ", row->columns);
    enum style plain = marked ? STYLE_LIST_SELECTED : on ? STYLE_TEXT : STYLE_LIST_DIM;
    enum style dim = marked ? STYLE_LIST_SELECTED : STYLE_LIST_DIM;
    terminal_puts(terminal, row, 0, LEFT,
                  marked ? plain
                  : on   ? STYLE_GOOD
                         : STYLE_LIST_DIM,
                  on ? "●" : "○");
    int columns = row->columns - LEFT - 2 - (int)strlen(digits) - 3;
    struct strbuf clean = {0};
    sanitize_text(&clean, document->name, strlen(document->name), 0);
    bool whole = text_columns(strbuf_text(&clean), clean.length) <= columns;
    put_cut(terminal, row, 0, LEFT + 2, columns, plain,
            whole ? document->name : path_base(document->name));
    strbuf_free(&clean);
    put_right(terminal, row, 0, dim, digits);
}

static void draw_heading(const struct pane_documents *pane, int row, struct terminal *terminal,
                         const struct rect *area)
{
    size_t attached = attached_of(pane);
    if (row >= 0 && row < area->rows)
        terminal_puts(terminal, area, row, LEFT, STYLE_DIM,
                      row + pane->top == 0 && attached > 0 ? "with the next message"
                                                           : "sent in this chat");
}

static void draw_list(struct pane_documents *pane, const struct document_place *places,
                      size_t count, bool focused, struct terminal *terminal,
                      const struct rect *area)
{
    size_t attached = attached_of(pane);
    int selected = row_of(pane, pane->list.selected), last = row_of(pane, count - 1);
    pane->list.rows = area->rows;
    if (area->rows < 1)
        return;
    if (selected - 1 < pane->top)
        pane->top = selected > 1 ? selected - 1 : 0;
    if (selected >= pane->top + area->rows)
        pane->top = selected - area->rows + 1;
    if (pane->top + area->rows > last + 1)
        pane->top = last + 1 > area->rows ? last + 1 - area->rows : 0;
    if (attached > 0)
        draw_heading(pane, 0 - pane->top, terminal, area);
    if (attached < count)
        draw_heading(pane, row_of(pane, attached) - 1 - pane->top, terminal, area);
    for (size_t i = 0; i < count; i++) {
        int at = row_of(pane, i) - pane->top;
        struct rect row = {area->row + at, area->column, 1, area->columns};
        if (at >= 0 && at < area->rows)
            draw_document(pane, &places[i], i == pane->list.selected, focused, terminal, &row);
    }
}

static void draw_empty(struct terminal *terminal, const struct rect *area)
{
    static const struct {
        enum style style;
        const char *text;
    } lines[] = {
        {STYLE_TEXT, "No documents yet."},
        {STYLE_DIM, ""},
        {STYLE_DIM, "a adds files and directories,"},
        {STYLE_DIM, "p pasted text. They go with"},
        {STYLE_DIM, "the next message, and it is"},
        {STYLE_DIM, "answered from them alone."},
    };
    for (int i = 0; i < (int)(sizeof lines / sizeof lines[0]) && i < area->rows; i++)
        terminal_puts(terminal, area, i, LEFT, lines[i].style, lines[i].text);
}

/* --- the foot -------------------------------------------------------------------------------- */

struct hint {
    const char *key, *what;
};

/* As many as fit into a row from `first` on; returns the next. */
static size_t draw_hints(const struct hint *hints, size_t first, struct terminal *terminal,
                         const struct rect *area, int row)
{
    int at = LEFT;
    size_t i = first;
    for (; hints[i].key != NULL; i++) {
        int columns = text_columns(hints[i].key, strlen(hints[i].key)) + 1 +
                      text_columns(hints[i].what, strlen(hints[i].what));
        if (at + columns > area->columns && i > first)
            break;
        at += terminal_puts(terminal, area, row, at, STYLE_KEY, hints[i].key) + 1;
        at += terminal_puts(terminal, area, row, at, STYLE_DIM, hints[i].what) + 2;
    }
    return i;
}

static void draw_switch(struct terminal *terminal, const struct rect *area, int row,
                        const char *key, const char *what, bool on)
{
    terminal_puts(terminal, area, row, LEFT, STYLE_KEY, key);
    put_cut(terminal, area, row, LEFT + 2, area->columns - 8, on ? STYLE_TEXT : STYLE_DIM, what);
    put_right(terminal, area, row, on ? STYLE_GOOD : STYLE_DIM, on ? "on" : "off");
}

/* What the documents that are on take, and of how much. */
static void draw_total(const struct pane_documents *pane, const struct document_place *places,
                       size_t count, struct terminal *terminal, const struct rect *area, int row)
{
    size_t total = 0, tokens, on = 0, context = pane_documents_chat(pane)->chat->gauge.context;
    const struct gauge *gauge = &pane_documents_chat(pane)->chat->gauge;
    bool known = true;
    char digits[40], all[40], line[120];
    for (size_t i = 0; i < count; i++) {
        if (!places[i].document->enabled)
            continue;
        on++;
        if (document_counts_find(pane->counts, places[i].document, &tokens))
            total += tokens;
        else
            known = false;
    }
    if (known && gauge->counted && gauge->state == GAUGE_IDLE && on > 0)
        total = gauge->parts[PART_DOCUMENT]; /* together they are not quite their sum */
    snprintf(line, sizeof line, "%zu of %zu on", on, count);
    int at = LEFT + terminal_puts(terminal, area, row, LEFT, STYLE_DIM, line);
    if (!known)
        snprintf(line, sizeof line, "counting");
    else if (context > 0)
        snprintf(line, sizeof line, "%s of %s · %.0f %%", format_count(total, digits),
                 format_count(context, all), 100.0 * (double)total / (double)context);
    bool fits = text_columns(line, strlen(line)) + at + 2 <= area->columns;
    if (known && context > 0 && !fits) /* a narrow pane: the share alone */
        snprintf(line, sizeof line, "%s · %.0f %%", digits,
                 100.0 * (double)total / (double)context);
    put_right(terminal, area, row, total >= context ? STYLE_WARN : STYLE_TEXT, line);
}

/* What goes on, or what is wrong; false: nothing. */
static bool draw_state(const struct pane_documents *pane, struct terminal *terminal,
                       const struct rect *area, int row)
{
    struct pane_chat *chat = pane_documents_chat(pane);
    struct strbuf line = {0};
    size_t overflow = documents_overflow(chat);
    bool coming = documents_are_coming(chat);
    char total[40], context[40];
    if (coming)
        documents_say_coming(chat, &line);
    else if (overflow > 0)
        strbuf_printf(&line, "does not fit: %s of %s", format_count(overflow, total),
                      format_count(chat->chat->gauge.context, context));
    bool any = line.length > 0;
    if (any)
        put_cut(terminal, area, row, LEFT, area->columns - LEFT - (coming ? 10 : 1),
                coming ? STYLE_ACCENT : STYLE_WARN, strbuf_text(&line));
    if (coming)
        put_right(terminal, area, row, STYLE_DIM, "Esc stops");
    strbuf_free(&line);
    return any;
}

static const struct hint list_hints[] = {{"a", "add"},      {"p", "paste"},    {"Space", "on/off"},
                                         {"Enter", "read"}, {"e", "metadata"}, {"d", "remove"},
                                         {"u", "undo"},     {"J K", "order"},  {NULL, NULL}};

/* Draws the foot and takes its rows off the area. */
static void draw_foot(const struct pane_documents *pane, const struct document_place *places,
                      size_t count, bool focused, struct terminal *terminal, struct rect *area)
{
    const struct settings *settings = pane_documents_chat(pane)->chat->settings;
    struct rect foot = *area;
    int hints = area->rows >= 16 && focused ? 2 : 0, switches = area->rows >= 11 ? 2 : 0;
    int total = count > 0, state = draw_state(pane, terminal, area, area->rows - 1) ? 1 : 0;
    int rows = hints + switches + total + 1, row = 1;
    if (area->rows < rows + state + 2)
        rows = total = hints = switches = 0;
    foot.rows = rows;
    foot.row = area->row + area->rows - rows - state;
    area->rows -= rows + state;
    if (rows == 0)
        return;
    terminal_repeat(terminal, &foot, 0, LEFT, STYLE_RULE, "─", area->columns - LEFT - 1);
    if (total)
        draw_total(pane, places, count, terminal, &foot, row++);
    if (switches) {
        draw_switch(terminal, &foot, row++, "!", "don't make up answers", settings->no_making_up);
        draw_switch(terminal, &foot, row++, "s", "ask for the source", settings->ask_source);
    }
    for (size_t next = 0; hints > 0; hints--)
        next = draw_hints(list_hints, next, terminal, &foot, row++);
}

/* --- metadata -------------------------------------------------------------------------------- */

static void draw_pair(void *user, size_t index, bool selected, struct terminal *terminal,
                      const struct rect *row)
{
    const struct document_pair *pair = &((const struct document *)user)->pairs[index];
    int guess = pair->guessed ? 10 : 1, at = LEFT;
    if (selected)
        terminal_repeat(terminal, row, 0, 0, STYLE_LIST_SELECTED, " ", row->columns);
    enum style key = selected ? STYLE_LIST_SELECTED : STYLE_KEY;
    enum style value = selected ? STYLE_LIST_SELECTED : pair->guessed ? STYLE_DIM : STYLE_TEXT;
    at += put_cut(terminal, row, 0, at, row->columns / 2, key, pair->key);
    at += terminal_puts(terminal, row, 0, at, key, ": ");
    put_cut(terminal, row, 0, at, row->columns - at - guess, value, pair->value);
    if (pair->guessed)
        put_right(terminal, row, 0, value, "guessed");
}

static const struct hint pair_hints[] = {
    {"Enter", "edit"}, {"n", "new"}, {"d", "delete"}, {"q", "back"}, {NULL, NULL}};

static void draw_pairs(struct pane_documents *pane, struct document *document,
                       struct terminal *terminal, const struct rect *area)
{
    struct rect rows = *area;
    put_cut(terminal, area, 0, LEFT, area->columns - 2, STYLE_HEADING, document->name);
    rows.row += 2;
    rows.rows -= area->rows >= 8 ? 5 : 2;
    list_set_count(&pane->pairs, document->pair_count);
    list_draw(&pane->pairs, terminal, &rows, draw_pair, document);
    if (document->pair_count == 0 && rows.rows > 0)
        terminal_puts(terminal, &rows, 0, LEFT, STYLE_DIM, "no metadata; n adds a pair");
    if (area->rows < 8)
        return;
    put_cut(terminal, area, area->rows - 2, LEFT, area->columns - 2, STYLE_DIM,
            "your own value replaces guesses");
    draw_hints(pair_hints, 0, terminal, area, area->rows - 1);
}

/* --- the text -------------------------------------------------------------------------------- */

static const struct hint text_hints[] = {
    {"/", "search"}, {"n N", "next"}, {"q", "back"}, {NULL, NULL}};

static void draw_text(struct pane_documents *pane, const struct document *document,
                      struct terminal *terminal, const struct rect *area)
{
    struct rect text = *area;
    bool foot = area->rows >= 6, above = area->rows >= 10;
    text.row += above;
    text.rows -= (foot ? 2 : 0) + above;
    text_view_draw(&pane->view, document->text, document->length, terminal, &text);
    if (!foot)
        return;
    char share[8];
    text_view_place(&pane->view, document->text, document->length, share);
    terminal_repeat(terminal, area, area->rows - 2, LEFT, STYLE_RULE, "─", area->columns - 2);
    draw_hints(text_hints, 0, terminal, area, area->rows - 1);
    put_right(terminal, area, area->rows - 1, STYLE_DIM, share);
}

/* --- all of it ------------------------------------------------------------------------------- */

void documents_draw(struct pane_documents *pane, struct terminal *terminal, const struct rect *area,
                    bool focused)
{
    struct document_place shown, *places;
    struct rect rest = *area;
    if (pane->mode == DOCUMENTS_TEXT && pane_documents_shown(pane, &shown)) {
        draw_text(pane, shown.document, terminal, area);
        return;
    }
    if (pane->mode == DOCUMENTS_PAIRS && pane_documents_shown(pane, &shown)) {
        draw_pairs(pane, shown.document, terminal, area);
        return;
    }
    size_t count = documents_list(pane_documents_chat(pane)->chat, &places);
    if (area->rows >= 8) {
        rest.row++;
        rest.rows--;
    }
    draw_foot(pane, places, count, focused, terminal, &rest);
    list_set_count(&pane->list, count);
    if (count == 0)
        draw_empty(terminal, &rest);
    else
        draw_list(pane, places, count, focused, terminal, &rest);
    free(places);
}
