#include "tui/action_palette.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/actions.h"
#include "tui/overlay.h"
#include "tui/pane_chat.h"
#include "tui/workspace.h"

struct palette {
    const struct action **actions; /* of each item */
    size_t count;
    struct picker_item *items;
    struct pane *pane;
};

static void free_palette(void *user)
{
    struct palette *palette = user;
    free(palette->actions);
    free(palette);
}

/* Picked an action that wants an argument: the command is typed, and waits for it. */
static void type_command(struct app *app, const struct action *action)
{
    struct workspace *workspace = app_workspace(app);
    struct pane_chat *chat = workspace_chat(workspace);
    char *line = xasprintf("%s ", action->command);
    workspace_set_focus(workspace, &chat->base);
    pane_chat_type(chat, line);
    free(line);
}

static void choose(struct app *app, void *user, size_t index)
{
    struct palette *palette = user;
    const struct action *action = palette->actions[index];
    if (action->argument != NULL && action->argument[0] != '[')
        type_command(app, action);
    else
        action->run(app, palette->pane, "");
}

static void offer(struct app *app, struct palette *palette, enum action_context context)
{
    const struct action *rows = action_tables[context].rows;
    for (const struct action *action = rows; rows != NULL && action->help != NULL; action++) {
        if (action->run == NULL || action->name == NULL || strcmp(action->name, "palette") == 0)
            continue;
        struct strbuf keys = {0};
        actions_keys(app, action, &keys);
        char *name = xasprintf("%s%s%s", action->name, action->argument != NULL ? " " : "",
                               action->argument != NULL ? action->argument : "");
        char *label = xasprintf("%-18s %s", name, action->help);
        free(name);
        size_t first = strcspn(strbuf_text(&keys), ",");
        palette->actions =
            xreallocarray(palette->actions, palette->count + 1, sizeof(struct action *));
        palette->items = xreallocarray(palette->items, palette->count + 1, sizeof *palette->items);
        palette->actions[palette->count] = action;
        palette->items[palette->count++] =
            (struct picker_item){label, xstrndup(strbuf_text(&keys), first)};
        strbuf_free(&keys);
    }
}

void action_palette_open(struct app *app, struct pane *pane)
{
    struct palette *palette = xcalloc(1, sizeof *palette);
    enum action_context context = pane->ops->context(pane);
    palette->pane = pane;
    if (context != CONTEXT_ANYWHERE)
        offer(app, palette, context);
    offer(app, palette, CONTEXT_ANYWHERE);
    const struct picker picker = {.title = "What do you want to do?",
                                  .placeholder = "type a part of its name",
                                  .items = palette->items,
                                  .count = palette->count,
                                  .choose = choose,
                                  .free_user = free_palette,
                                  .user = palette};
    picker_open(app, &picker);
}
