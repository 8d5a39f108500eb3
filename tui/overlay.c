#include "tui/overlay.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "tui/actions.h"
#include "tui/box.h"
#include "tui/composer.h"
#include "tui/fuzzy.h"
#include "tui/list.h"
#include "tui/sanitize.h"
#include "tui/workspace.h"

#define BOX_COLUMNS     76
#define BOX_COLUMNS_MIN 50 /* on a narrower screen it takes all */
#define BOX_ROWS        18

struct overlay {
    struct pane base;
    struct app *app;
    struct composer_draft draft; /* while another has the editor */
    char *title, *note;          /* placeholder or hint */
    bool is_picker;
    struct picker picker;
    struct fuzzy_match *found; /* the items that what is typed matches, the best first */
    struct list list;
    struct rect box, rows; /* as last drawn, from the corner of the screen */
    unsigned long version; /* of the line that `found` is of */
    struct question question;
};

static struct overlay *self(const struct pane *pane)
{
    return (struct overlay *)(uintptr_t)pane;
}

/* --- finding --------------------------------------------------------------------------------- */

/* What is typed stands in the detail: a key, a date. */
static bool in_detail(const struct picker_item *item, const char *typed)
{
    return typed[0] != '\0' && item->detail != NULL && strcasestr(item->detail, typed) != NULL;
}

/* Of equals the earlier comes first: whoever made the list knew why. */
static int compare(const void *a, const void *b)
{
    const struct fuzzy_match *one = a, *two = b;
    if (one->score != two->score)
        return one->score > two->score ? -1 : 1;
    return one->index < two->index ? -1 : one->index > two->index;
}

/* The best first; then those of which only the detail matches. */
static size_t rank(const struct picker *picker, const char *typed, struct fuzzy_match *found)
{
    const char **labels = xcalloc(picker->count + 1, sizeof *labels);
    bool *taken = xcalloc(picker->count + 1, sizeof *taken);
    for (size_t i = 0; i < picker->count; i++)
        labels[i] = picker->items[i].label;
    size_t count = fuzzy_rank(typed, labels, picker->count, found);
    qsort(found, count, sizeof *found, compare);
    for (size_t i = 0; i < count; i++)
        taken[found[i].index] = true;
    for (size_t i = 0; i < picker->count; i++)
        if (!taken[i] && in_detail(&picker->items[i], typed))
            found[count++] = (struct fuzzy_match){.index = i};
    free(taken);
    free(labels);
    return count;
}

static void preview(struct overlay *overlay)
{
    const struct picker *picker = &overlay->picker;
    if (picker->preview != NULL && overlay->list.count > 0)
        picker->preview(overlay->app, picker->user, overlay->found[overlay->list.selected].index);
}

static void find(struct overlay *overlay)
{
    struct strbuf typed = {0};
    if (overlay->version == composer_version())
        return;
    overlay->version = composer_version();
    composer_text(&typed);
    overlay->list.count = rank(&overlay->picker, strbuf_text(&typed), overlay->found);
    strbuf_free(&typed);
    list_select(&overlay->list, 0);
    preview(overlay);
}

/* --- keys ------------------------------------------------------------------------------------ */

static enum action_context pane_context(const struct pane *pane)
{
    (void)pane;
    return CONTEXT_OVERLAY;
}

static bool inside(const struct rect *area, const struct input_mouse *mouse)
{
    return mouse->row >= area->row && mouse->row < area->row + area->rows &&
           mouse->column >= area->column && mouse->column < area->column + area->columns;
}

/* A click selects, another takes it; one beside the box leaves. */
static void click(struct overlay *overlay, const struct input_mouse *mouse)
{
    size_t index;
    if (mouse->kind != MOUSE_PRESS)
        return;
    if (!inside(&overlay->box, mouse)) {
        overlay_cancel(&overlay->base);
    } else if (overlay->is_picker && inside(&overlay->rows, mouse) &&
               list_at(&overlay->list, mouse->row - overlay->rows.row, &index)) {
        bool again = index == overlay->list.selected;
        list_select(&overlay->list, index);
        if (again)
            overlay_accept(&overlay->base);
        else
            preview(overlay);
    }
}

static void pane_input(struct pane *pane, const struct input_token *token)
{
    struct overlay *overlay = self(pane);
    bool wheel = token->name != NULL && strncmp(token->name, "Wheel", 5) == 0;
    if (token->kind == INPUT_MOUSE && (!wheel || !overlay->is_picker)) {
        if (!wheel)
            click(overlay, &token->mouse);
        return;
    }
    if (token->kind == INPUT_PASTE)
        composer_paste(token->bytes, token->length);
    else if (overlay->is_picker && token->name != NULL &&
             list_key(&overlay->list, token->name, false))
        preview(overlay);
    else
        composer_feed(token->bytes, token->length);
    if (overlay->is_picker)
        find(overlay);
}

static void pane_focus(struct pane *pane, bool focused)
{
    struct overlay *overlay = self(pane);
    if (focused)
        composer_load(&overlay->draft);
    else
        composer_store(&overlay->draft);
}

static void close_overlay(struct overlay *overlay)
{
    workspace_set_overlay(app_workspace(overlay->app), NULL);
}

void overlay_accept(struct pane *pane)
{
    struct overlay *overlay = self(pane);
    struct strbuf text = {0};
    if (overlay->is_picker)
        find(overlay);
    size_t picked = overlay->is_picker && overlay->list.count > 0
                        ? overlay->found[overlay->list.selected].index
                        : overlay->picker.count;
    composer_text(&text);
    close_overlay(overlay); /* freed later: when the key has been dealt with */
    if (!overlay->is_picker)
        overlay->question.answer(overlay->app, overlay->question.user, strbuf_text(&text));
    else if (picked < overlay->picker.count)
        overlay->picker.choose(overlay->app, overlay->picker.user, picked);
    strbuf_free(&text);
}

void overlay_cancel(struct pane *pane)
{
    struct overlay *overlay = self(pane);
    close_overlay(overlay);
    if (overlay->is_picker && overlay->picker.preview != NULL)
        overlay->picker.preview(overlay->app, overlay->picker.user, overlay->picker.count);
}

ACTION(do_accept)
{
    overlay_accept(pane);
    return true;
}

ACTION(do_cancel)
{
    overlay_cancel(pane);
    return true;
}

const struct action actions_overlay[] = {
    {"accept", NULL, NULL, "Enter", "take it", do_accept},
    {"cancel", NULL, NULL, "Esc Ctrl-C F9", "leave it", do_cancel},
    {NULL, NULL, NULL, "Up Down PageUp PageDown", "move in a list", NULL},
    {0},
};

/* --- drawing --------------------------------------------------------------------------------- */

static struct rect box_in(const struct rect *area, int rows)
{
    int columns = area->columns - 4 < BOX_COLUMNS ? area->columns - 4 : BOX_COLUMNS;
    if (columns < BOX_COLUMNS_MIN)
        columns = area->columns;
    if (rows > area->rows)
        rows = area->rows;
    return (struct rect){area->row + (area->rows - rows) / 3,
                         area->column + (area->columns - columns) / 2, rows, columns};
}

/* The box, blank but for its frame. */
static void draw_box(struct overlay *overlay, struct terminal *terminal, const struct rect *area,
                     struct rect box)
{
    overlay->box = box;
    overlay->box.row -= area->row;
    overlay->box.column -= area->column;
    box_fill(terminal, &box, STYLE_TEXT);
    box_draw(terminal, &box, STYLE_BORDER_FOCUS, STYLE_ACCENT, overlay->title);
    terminal_puts(terminal, &box, 1, 2, STYLE_USER_MARK, "›");
}

/* The letters that were found, over the label that is drawn already. */
static void draw_matches(const struct fuzzy_match *match, const char *label,
                         struct terminal *terminal, const struct rect *row)
{
    size_t length = strlen(label);
    for (size_t i = 0; i < match->count; i++) {
        size_t at = match->positions[i];
        if (at < length)
            terminal_put(terminal, row, 0, 1 + text_columns(label, at), STYLE_MATCH, label + at,
                         grapheme_next(label + at, length - at));
    }
}

static void draw_item(void *user, size_t index, bool selected, struct terminal *terminal,
                      const struct rect *row)
{
    const struct overlay *overlay = user;
    const struct fuzzy_match *match = &overlay->found[index];
    const struct picker_item *item = &overlay->picker.items[match->index];
    const char *detail = item->detail != NULL ? item->detail : "";
    int columns = text_columns(detail, strlen(detail));
    bool both = columns > 0 && columns + 12 < row->columns;
    if (selected)
        terminal_repeat(terminal, row, 0, 0, STYLE_LIST_SELECTED, " ", row->columns);
    struct rect left = *row;
    if (both)
        left.columns -= columns + 3;
    int shown = terminal_puts(terminal, &left, 0, 1, selected ? STYLE_LIST_SELECTED : STYLE_TEXT,
                              item->label);
    draw_matches(match, item->label, terminal, &left);
    if (shown < text_columns(item->label, strlen(item->label)) && left.columns > 0)
        terminal_puts(terminal, &left, 0, left.columns - 1,
                      selected ? STYLE_LIST_SELECTED : STYLE_DIM, "…");
    if (both)
        terminal_puts(terminal, row, 0, row->columns - columns - 1,
                      selected ? STYLE_LIST_SELECTED : STYLE_LIST_DIM, detail);
}

/* Where one is in a list that is longer than the box, at the right end of the lower line. */
static void draw_position(const struct overlay *overlay, struct terminal *terminal,
                          const struct rect *box)
{
    if (overlay->list.count <= (size_t)(overlay->list.rows > 0 ? overlay->list.rows : 0))
        return;
    char *words = xasprintf(" %zu of %zu ", overlay->list.selected + 1, overlay->list.count);
    int columns = (int)strlen(words);
    if (columns + 6 < box->columns)
        terminal_puts(terminal, box, box->rows - 1, box->columns - columns - 2, STYLE_DIM, words);
    free(words);
}

static void draw_picker(struct overlay *overlay, struct terminal *terminal, const struct rect *area)
{
    int wanted = (int)overlay->picker.count + 4;
    struct rect box = box_in(area, wanted < BOX_ROWS ? wanted : BOX_ROWS);
    struct rect line = {box.row + 1, box.column + 4, 1, box.columns - 6};
    struct rect list = {box.row + 3, box.column + 1, box.rows - 4, box.columns - 2};
    draw_box(overlay, terminal, area, box);
    overlay->rows = list;
    overlay->rows.row -= area->row;
    overlay->rows.column -= area->column;
    if (box.rows > 2) {
        terminal_puts(terminal, &box, 2, 0, STYLE_BORDER_FOCUS, "├");
        terminal_repeat(terminal, &box, 2, 1, STYLE_BORDER_FOCUS, "─", box.columns - 2);
        terminal_puts(terminal, &box, 2, box.columns - 1, STYLE_BORDER_FOCUS, "┤");
    }
    find(overlay);
    list_draw(&overlay->list, terminal, &list, draw_item, overlay);
    if (overlay->list.count == 0 && list.rows > 0)
        terminal_puts(terminal, &list, 0, 1, STYLE_DIM, "nothing matches");
    draw_position(overlay, terminal, &box);
    composer_draw(terminal, &line, true, overlay->note);
}

static void draw_question(struct overlay *overlay, struct terminal *terminal,
                          const struct rect *area)
{
    int rows = composer_rows((area->columns < BOX_COLUMNS ? area->columns : BOX_COLUMNS) - 10);
    rows = rows < 1 ? 1 : rows > 8 ? 8 : rows;
    bool hint = overlay->note[0] != '\0';
    struct rect box = box_in(area, rows + 2 + hint);
    struct rect line = {box.row + 1, box.column + 4, rows, box.columns - 6};
    draw_box(overlay, terminal, area, box);
    if (hint)
        terminal_puts(terminal, &box, box.rows - 2, 4, STYLE_DIM, overlay->note);
    composer_draw(terminal, &line, true, "");
}

static void pane_draw(struct pane *pane, struct terminal *terminal, const struct rect *area,
                      bool focused)
{
    struct overlay *overlay = self(pane);
    (void)focused;
    if (overlay->is_picker)
        draw_picker(overlay, terminal, area);
    else
        draw_question(overlay, terminal, area);
}

/* --- life ------------------------------------------------------------------------------------ */

static void pane_title(const struct pane *pane, struct strbuf *out)
{
    strbuf_puts(out, self(pane)->title);
}

static void pane_free(struct pane *pane)
{
    struct overlay *overlay = self(pane);
    struct picker *picker = &overlay->picker;
    for (size_t i = 0; i < picker->count; i++) {
        free(picker->items[i].label);
        free(picker->items[i].detail);
    }
    free(picker->items);
    if (picker->free_user != NULL)
        picker->free_user(picker->user);
    if (overlay->question.free_user != NULL)
        overlay->question.free_user(overlay->question.user);
    composer_draft_free(&overlay->draft);
    free(overlay->found);
    free(overlay->title);
    free(overlay->note);
    free(overlay);
}

static const struct pane_ops overlay_ops = {
    .kind = "overlay",
    .context = pane_context,
    .title = pane_title,
    .draw = pane_draw,
    .input = pane_input,
    .focus = pane_focus,
    .free = pane_free,
};

static struct overlay *create(struct app *app, const char *title, const char *note)
{
    struct overlay *overlay = xcalloc(1, sizeof *overlay);
    overlay->base.ops = &overlay_ops;
    overlay->app = app;
    overlay->title = xstrdup(title);
    overlay->note = xstrdup(note != NULL ? note : "");
    return overlay;
}

static void make_harmless(char **text)
{
    struct strbuf clean = {0};
    sanitize_text(&clean, *text, strlen(*text), 0);
    free(*text);
    *text = strbuf_detach(&clean);
}

void picker_open(struct app *app, const struct picker *picker)
{
    struct overlay *overlay = create(app, picker->title, picker->placeholder);
    overlay->is_picker = true;
    overlay->picker = *picker;
    for (size_t i = 0; i < picker->count; i++) /* so that a letter's bytes tell its column */
        make_harmless(&picker->items[i].label);
    overlay->found = xcalloc(picker->count + 1, sizeof *overlay->found);
    workspace_set_overlay(app_workspace(app), &overlay->base);
    overlay->version = composer_version() - 1;
    find(overlay);
}

void question_open(struct app *app, const struct question *question)
{
    struct overlay *overlay = create(app, question->title, question->hint);
    overlay->question = *question;
    if (question->initial != NULL) {
        overlay->draft.text = xstrdup(question->initial);
        overlay->draft.point = (int)strlen(question->initial);
    }
    workspace_set_overlay(app_workspace(app), &overlay->base);
}

bool question_takes_files(const struct pane *pane)
{
    return pane != NULL && pane->ops == &overlay_ops && self(pane)->question.files;
}
