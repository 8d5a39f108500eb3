#include "tui/pane_kinds.h"

#include <string.h>

#include "tui/library.h"
#include "tui/pane_chat.h"
#include "tui/pane_chats.h"
#include "tui/pane_documents.h"
#include "tui/pane_help.h"
#include "tui/pane_scene.h"
#include "tui/pane_prompt.h"
#include "tui/pane_token.h"
#include "tui/workspace.h"

const struct pane_kind pane_kinds[] = {
    {"chats", SPLIT_LEFT, true, pane_chats_create},
    {"documents", SPLIT_RIGHT, true, pane_documents_create},
    {"help", SPLIT_RIGHT, false, pane_help_create},
    {"scene", SPLIT_RIGHT, false, pane_scene_create},
    {"prompt", SPLIT_RIGHT, false, pane_prompt_create},
    {"token", SPLIT_RIGHT, false, pane_token_create},
    {0},
};

static const struct pane_kind *find(const char *name)
{
    for (const struct pane_kind *kind = pane_kinds; kind->name != NULL; kind++)
        if (strcmp(kind->name, name) == 0)
            return kind;
    return NULL;
}

struct pane *pane_kind_show(struct app *app, const char *name)
{
    struct workspace *workspace = app_workspace(app);
    struct pane *pane = workspace_find(workspace, name);
    const struct pane_kind *kind = find(name);
    if (pane != NULL) {
        workspace_set_focus(workspace, pane);
    } else if (kind != NULL) {
        pane = kind->create(app);
        workspace_open(workspace, &workspace_chat(workspace)->base, kind->side, pane);
    }
    return pane;
}

bool pane_kind_toggle(struct app *app, const char *name)
{
    struct workspace *workspace = app_workspace(app);
    struct pane *pane = workspace_find(workspace, name);
    if (pane != NULL && pane == workspace_focus(workspace))
        workspace_close(workspace, pane);
    else
        pane_kind_show(app, name);
    return true;
}

void pane_kind_open_beside(struct app *app, const char *name)
{
    struct workspace *workspace = app_workspace(app);
    const struct pane_kind *kind = find(name);
    struct pane *documents = workspace_find(workspace, "documents");
    if (kind == NULL || workspace_find(workspace, name) != NULL)
        return;
    /* There is room for one on that side: documents that nobody looks at make way. */
    if (documents != NULL && documents != workspace_focus(workspace))
        workspace_replace(workspace, documents, kind->create(app));
    else
        workspace_open_beside(workspace, &workspace_chat(workspace)->base, kind->side,
                              kind->create(app));
}

void pane_kinds_begin(struct app *app)
{
    struct workspace *workspace = app_workspace(app);
    struct pane *chat = &workspace_chat(workspace)->base;
    for (const struct pane_kind *kind = pane_kinds; kind->name != NULL; kind++)
        if (kind->at_start && app_library(app)->store != NULL)
            workspace_open_beside(workspace, chat, kind->side, kind->create(app));
}
