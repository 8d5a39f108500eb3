#include "tui/pane_help.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/actions.h"
#include "tui/list.h"
#include "tui/workspace.h"
#include "tui/wrap.h"

#define TRIGGER_COLUMNS 22
#define FOOT_ROWS_MIN   8
#define BESIDE_COLUMNS  50 /* narrower, and the help stands below its key */

/* A row of the page: a title, a key with its help, or nothing. */
struct help_row {
    char *trigger, *text;
    bool title;
};

struct pane_help {
    struct pane base;
    struct app *app;
    struct help_row *rows;
    size_t count;
    int columns;               /* that the rows are of */
    enum action_context first; /* where one was when one asked */
    struct list list;
};

static struct pane_help *self(const struct pane *pane)
{
    return (struct pane_help *)(uintptr_t)pane;
}

/* --- rows ------------------------------------------------------------------------------------ */

static void forget_rows(struct pane_help *pane)
{
    for (size_t i = 0; i < pane->count; i++) {
        free(pane->rows[i].trigger);
        free(pane->rows[i].text);
    }
    pane->count = 0;
}

static void add_row(struct pane_help *pane, const char *trigger, const char *text, size_t length,
                    bool title)
{
    pane->rows = xreallocarray(pane->rows, pane->count + 1, sizeof *pane->rows);
    pane->rows[pane->count++] = (struct help_row){xstrdup(trigger), xstrndup(text, length), title};
}

/* "/doc FILE" and the keys, as a person types them. */
static void put_trigger(struct pane_help *pane, const struct action *action, struct strbuf *out)
{
    struct strbuf keys = {0};
    actions_keys(pane->app, action, &keys);
    if (action->command != NULL)
        strbuf_printf(out, "%s%s%s", action->command, action->argument != NULL ? " " : "",
                      action->argument != NULL ? action->argument : "");
    if (action->command != NULL && keys.length > 0)
        strbuf_puts(out, ", ");
    strbuf_puts(out, strbuf_text(&keys));
    strbuf_free(&keys);
}

static void add_action(struct pane_help *pane, const struct action *action, int columns)
{
    struct strbuf trigger = {0};
    struct wrap wrap = {0};
    put_trigger(pane, action, &trigger);
    wrap_update(&wrap, action->help, strlen(action->help),
                columns >= BESIDE_COLUMNS ? columns - TRIGGER_COLUMNS - 2 : columns - 4);
    bool beside = columns >= BESIDE_COLUMNS && trigger.length < TRIGGER_COLUMNS;
    if (!beside)
        add_row(pane, strbuf_text(&trigger), "", 0, false);
    for (size_t i = 0; i < wrap.count; i++)
        add_row(pane, beside && i == 0 ? strbuf_text(&trigger) : "",
                wrap.shown.data + wrap.lines[i].start, wrap.lines[i].end - wrap.lines[i].start,
                false);
    wrap_free(&wrap);
    strbuf_free(&trigger);
}

static void add_table(struct pane_help *pane, const struct action_table *table, int columns)
{
    if (table->rows == NULL)
        return;
    if (pane->count > 0)
        add_row(pane, "", "", 0, false);
    add_row(pane, table->title, "", 0, true);
    for (const struct action *action = table->rows; action->help != NULL; action++)
        add_action(pane, action, columns);
}

/* What can be done where one was stands before all the rest. */
static void make_rows(struct pane_help *pane, int columns)
{
    forget_rows(pane);
    pane->columns = columns;
    add_table(pane, &action_tables[pane->first], columns);
    for (int context = 0; context < CONTEXTS; context++)
        if (context != (int)pane->first)
            add_table(pane, &action_tables[context], columns);
}

/* --- the pane -------------------------------------------------------------------------------- */

static enum action_context pane_context(const struct pane *pane)
{
    (void)pane;
    return CONTEXT_HELP;
}

static void pane_title(const struct pane *pane, struct strbuf *out)
{
    (void)pane;
    strbuf_puts(out, "Help");
}

static void draw_row(void *user, size_t index, bool selected, struct terminal *terminal,
                     const struct rect *area)
{
    const struct pane_help *pane = user;
    const struct help_row *row = &pane->rows[index];
    (void)selected;
    bool beside = pane->columns >= BESIDE_COLUMNS;
    terminal_puts(terminal, area, 0, 1, row->title ? STYLE_HEADING : STYLE_KEY, row->trigger);
    terminal_puts(terminal, area, 0, beside ? TRIGGER_COLUMNS + 1 : 3, STYLE_TEXT, row->text);
}

/* "j k move  q closes         42 %" */
static void draw_foot(const struct pane_help *pane, struct terminal *terminal,
                      const struct rect *area)
{
    static const struct {
        const char *key, *word;
    } hints[] = {{"j k", "move"}, {"q", "closes"}};
    int row = area->rows - 1, at = 1;
    size_t below = pane->list.top + (size_t)pane->list.rows;
    terminal_repeat(terminal, area, row - 1, 1, STYLE_RULE, "─", area->columns - 2);
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        at += terminal_puts(terminal, area, row, at, STYLE_KEY, hints[i].key) + 1;
        at += terminal_puts(terminal, area, row, at, STYLE_DIM, hints[i].word) + 2;
    }
    if (below < pane->count)
        terminal_printf(terminal, area, row, area->columns - 5, STYLE_DIM, "%zu %%",
                        100 * below / pane->count);
}

static void pane_draw(struct pane *base, struct terminal *terminal, const struct rect *area,
                      bool focused)
{
    struct pane_help *pane = self(base);
    (void)focused;
    if (area->columns != pane->columns)
        make_rows(pane, area->columns);
    pane->list.count = pane->count;
    struct rect page = *area;
    bool foot = area->rows >= FOOT_ROWS_MIN;
    page.rows -= foot ? 2 : 0;
    list_draw(&pane->list, terminal, &page, draw_row, pane);
    if (foot)
        draw_foot(pane, terminal, area);
}

/* A page without a cursor: the selection that moves is the view. */
static void pane_input(struct pane *base, const struct input_token *token)
{
    struct pane_help *pane = self(base);
    char key[8] = "";
    if (token->name == NULL && token->length < sizeof key)
        memcpy(key, token->bytes, token->length);
    const char *name = token->name != NULL ? token->name : key;
    bool down =
        strcmp(name, "Down") == 0 || strcmp(name, "j") == 0 || strcmp(name, "PageDown") == 0;
    size_t rows = pane->list.rows > 0 ? (size_t)pane->list.rows : 1;
    if (down && pane->list.selected < pane->list.top + rows - 1)
        list_select(&pane->list, pane->list.top + rows - 1);
    else if (!down && pane->list.selected > pane->list.top)
        list_select(&pane->list, pane->list.top);
    list_key(&pane->list, name, true);
}

static void pane_free(struct pane *base)
{
    struct pane_help *pane = self(base);
    forget_rows(pane);
    free(pane->rows);
    free(pane);
}

static const struct pane_ops help_ops = {
    .kind = "help",
    .columns_min = 24,
    .rows_min = 5,
    .columns_wanted = 60,
    .context = pane_context,
    .title = pane_title,
    .draw = pane_draw,
    .input = pane_input,
    .free = pane_free,
};

struct pane *pane_help_create(struct app *app)
{
    struct pane_help *pane = xcalloc(1, sizeof *pane);
    pane->base.ops = &help_ops;
    pane->app = app;
    const struct pane *at = workspace_focus(app_workspace(app));
    pane->first = at != NULL ? at->ops->context(at) : CONTEXT_ANYWHERE;
    if (pane->first == CONTEXT_COMPOSER) /* most of its keys are the line editor's */
        pane->first = CONTEXT_ANYWHERE;
    return &pane->base;
}
