#include "tui/overlay.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "tui/actions.h"
#include "tui/composer.h"
#include "tui/list.h"
#include "tui/workspace.h"

#define BOX_COLUMNS 76
#define BOX_ROWS    18

struct overlay {
    struct pane base;
    struct app *app;
    struct composer_draft draft; /* while another has the editor */
    char *title, *note;          /* placeholder or hint */
    bool is_picker;
    struct picker picker;
    size_t *found; /* indices of the items that what is typed matches */
    struct list list;
    unsigned long version; /* of the line that `found` is of */
    struct question question;
};

static struct overlay *self(const struct pane *pane)
{
    return (struct overlay *)(uintptr_t)pane;
}

/* --- finding --------------------------------------------------------------------------------- */

/* Every word stands somewhere in label or detail, whatever its case. */
static bool matches(const struct picker_item *item, const char *typed)
{
    while (*(typed += strspn(typed, " ")) != '\0') {
        size_t length = strcspn(typed, " ");
        char *word = xstrndup(typed, length);
        bool found = strcasestr(item->label, word) != NULL ||
                     (item->detail != NULL && strcasestr(item->detail, word) != NULL);
        free(word);
        if (!found)
            return false;
        typed += length;
    }
    return true;
}

static void preview(struct overlay *overlay)
{
    const struct picker *picker = &overlay->picker;
    if (picker->preview != NULL && overlay->list.count > 0)
        picker->preview(overlay->app, picker->user, overlay->found[overlay->list.selected]);
}

static void find(struct overlay *overlay)
{
    struct strbuf typed = {0};
    size_t count = 0;
    if (overlay->version == composer_version())
        return;
    overlay->version = composer_version();
    composer_text(&typed);
    for (size_t i = 0; i < overlay->picker.count; i++)
        if (matches(&overlay->picker.items[i], strbuf_text(&typed)))
            overlay->found[count++] = i;
    strbuf_free(&typed);
    overlay->list.count = count;
    list_select(&overlay->list, 0);
    preview(overlay);
}

/* --- keys ------------------------------------------------------------------------------------ */

static enum action_context pane_context(const struct pane *pane)
{
    (void)pane;
    return CONTEXT_OVERLAY;
}

static void pane_input(struct pane *pane, const struct input_token *token)
{
    struct overlay *overlay = self(pane);
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
                        ? overlay->found[overlay->list.selected]
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
    {"cancel", NULL, NULL, "Esc Ctrl-C", "leave it", do_cancel},
    {NULL, NULL, NULL, "Up Down PageUp PageDown", "move in a list", NULL},
    {0},
};

/* --- drawing --------------------------------------------------------------------------------- */

static void frame(struct terminal *terminal, const struct rect *box, const char *title)
{
    int across = box->columns - 2;
    for (int row = 0; row < box->rows; row++) {
        bool top = row == 0, bottom = row == box->rows - 1;
        terminal_puts(terminal, box, row, 0, STYLE_BORDER_FOCUS, top ? "╭" : bottom ? "╰" : "│");
        terminal_repeat(terminal, box, row, 1, top || bottom ? STYLE_BORDER_FOCUS : STYLE_TEXT,
                        top || bottom ? "─" : " ", across);
        terminal_puts(terminal, box, row, box->columns - 1, STYLE_BORDER_FOCUS,
                      top      ? "╮"
                      : bottom ? "╯"
                               : "│");
    }
    int at = 2;
    at += terminal_puts(terminal, box, 0, at, STYLE_TEXT, " ");
    at += terminal_puts(terminal, box, 0, at, STYLE_ACCENT, title);
    terminal_puts(terminal, box, 0, at, STYLE_TEXT, " ");
}

static struct rect box_in(const struct rect *area, int rows)
{
    int columns = area->columns - 4 < BOX_COLUMNS ? area->columns - 4 : BOX_COLUMNS;
    if (columns < 20)
        columns = area->columns;
    if (rows > area->rows)
        rows = area->rows;
    return (struct rect){area->row + (area->rows - rows) / 3,
                         area->column + (area->columns - columns) / 2, rows, columns};
}

static void draw_item(void *user, size_t index, bool selected, struct terminal *terminal,
                      const struct rect *row)
{
    const struct overlay *overlay = user;
    const struct picker_item *item = &overlay->picker.items[overlay->found[index]];
    const char *detail = item->detail != NULL ? item->detail : "";
    int columns = text_columns(detail, strlen(detail));
    if (selected)
        terminal_repeat(terminal, row, 0, 0, STYLE_LIST_SELECTED, " ", row->columns);
    struct rect left = *row;
    if (columns + 12 < row->columns)
        left.columns -= columns + 2;
    terminal_puts(terminal, &left, 0, 1, selected ? STYLE_LIST_SELECTED : STYLE_TEXT, item->label);
    if (columns + 12 < row->columns)
        terminal_puts(terminal, row, 0, row->columns - columns - 1,
                      selected ? STYLE_LIST_SELECTED : STYLE_LIST_DIM, detail);
}

static void draw_picker(struct overlay *overlay, struct terminal *terminal, const struct rect *area)
{
    int wanted = (int)overlay->picker.count + 4;
    struct rect box = box_in(area, wanted < BOX_ROWS ? wanted : BOX_ROWS);
    frame(terminal, &box, overlay->title);
    struct rect line = {box.row + 1, box.column + 4, 1, box.columns - 6};
    struct rect list = {box.row + 3, box.column + 1, box.rows - 4, box.columns - 2};
    terminal_puts(terminal, &box, 1, 2, STYLE_USER_MARK, "›");
    terminal_repeat(terminal, &box, 2, 1, STYLE_RULE, "─", box.columns - 2);
    find(overlay);
    list_draw(&overlay->list, terminal, &list, draw_item, overlay);
    if (overlay->list.count == 0)
        terminal_puts(terminal, &list, 0, 1, STYLE_DIM, "nothing matches");
    composer_draw(terminal, &line, overlay->note);
}

static void draw_question(struct overlay *overlay, struct terminal *terminal,
                          const struct rect *area)
{
    int rows = composer_rows((area->columns < BOX_COLUMNS ? area->columns : BOX_COLUMNS) - 10);
    rows = rows < 1 ? 1 : rows > 8 ? 8 : rows;
    bool hint = overlay->note[0] != '\0';
    struct rect box = box_in(area, rows + 2 + hint);
    frame(terminal, &box, overlay->title);
    struct rect line = {box.row + 1, box.column + 4, rows, box.columns - 6};
    terminal_puts(terminal, &box, 1, 2, STYLE_USER_MARK, "›");
    if (hint)
        terminal_puts(terminal, &box, box.rows - 2, 4, STYLE_DIM, overlay->note);
    composer_draw(terminal, &line, "");
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

void picker_open(struct app *app, const struct picker *picker)
{
    struct overlay *overlay = create(app, picker->title, picker->placeholder);
    overlay->is_picker = true;
    overlay->picker = *picker;
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
