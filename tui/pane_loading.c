#include "tui/pane_loading.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"

#define BAR_COLUMNS_MAX 48

struct pane_loading {
    struct pane base;
    struct app *app;
    struct loader *loader; /* borrowed */
    const char *name;
    uint64_t done, total;
    bool cancelled;
};

static struct pane_loading *self(struct pane *pane)
{
    return (struct pane_loading *)pane;
}

static void pane_draw(struct pane *base, struct terminal *terminal, const struct rect *area,
                      bool focused)
{
    (void)focused;
    struct pane_loading *pane = self(base);
    struct rect box = *area;
    int columns = area->columns - 4 < BAR_COLUMNS_MAX ? area->columns - 4 : BAR_COLUMNS_MAX;
    if (columns < 1)
        return;
    box.column += (area->columns - columns) / 2;
    box.columns = columns;
    int row = area->rows / 2 - 1;
    int filled =
        pane->total > 0 ? (int)((double)columns * (double)pane->done / (double)pane->total) : 0;
    char done[32], total[32];
    terminal_puts(terminal, &box, row, 0, STYLE_ACCENT, "airo");
    terminal_printf(terminal, &box, row, 6, STYLE_DIM, "%s %s",
                    pane->cancelled ? "stopping the load of" : "loading", pane->name);
    terminal_repeat(terminal, &box, row + 1, 0, STYLE_PART_HISTORY, "━", filled);
    terminal_repeat(terminal, &box, row + 1, filled, STYLE_PART_FREE, "━", columns - filled);
    if (pane->total > 0)
        terminal_printf(terminal, &box, row + 2, 0, STYLE_DIM, "%s of %s",
                        format_bytes(pane->done, done), format_bytes(pane->total, total));
}

static void pane_input(struct pane *base, const struct input_token *token)
{
    static const char *const stops[] = {"Ctrl-C", "Ctrl-D", "Esc"};
    struct pane_loading *pane = self(base);
    for (size_t i = 0; token->kind == INPUT_KEY && i < sizeof stops / sizeof stops[0]; i++)
        if (strcmp(token->name, stops[i]) == 0)
            app_quit(pane->app);
    if (token->kind == INPUT_KEY && strcmp(token->name, "Ctrl-Z") == 0)
        app_suspend(pane->app);
}

static void pane_free(struct pane *base)
{
    free(base);
}

static const struct pane_ops loading_ops = {
    .draw = pane_draw,
    .input = pane_input,
    .free = pane_free,
};

void pane_loading_progress(struct pane *base, uint64_t done, uint64_t total)
{
    self(base)->done = done;
    self(base)->total = total;
}

struct pane *pane_loading_create(struct app *app, struct loader *loader)
{
    struct pane_loading *pane = xcalloc(1, sizeof *pane);
    const char *model = app_settings(app)->model;
    pane->base.ops = &loading_ops;
    pane->app = app;
    pane->loader = loader;
    pane->name = model != NULL ? model : "vaquita";
    return &pane->base;
}
