/* What can be done in every pane: panes themselves, the palette, leaving. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/actions.h"
#include "tui/action_palette.h"
#include "tui/composer.h"
#include "tui/pane_chat.h"
#include "tui/pane_kinds.h"
#include "tui/workspace.h"

/* --- side panes ------------------------------------------------------------------------------ */

ACTION(do_help)
{
    return pane_kind_toggle(app, "help");
}

ACTION(do_chats)
{
    return pane_kind_toggle(app, "chats");
}

ACTION(do_documents)
{
    return pane_kind_toggle(app, "documents");
}

ACTION(do_scene)
{
    return pane_kind_toggle(app, "scene");
}

ACTION(do_prompt)
{
    return pane_kind_toggle(app, "prompt");
}

ACTION(do_tokens)
{
    return pane_kind_toggle(app, "token");
}

/* --- moving about ---------------------------------------------------------------------------- */

static bool step(struct app *app, int by)
{
    struct workspace *workspace = app_workspace(app);
    size_t count = workspace_count(workspace), at = 0;
    while (at < count && workspace_pane(workspace, at) != workspace_focus(workspace))
        at++;
    at = (at + count + (size_t)(by + (int)count)) % count;
    workspace_set_focus(workspace, workspace_pane(workspace, at));
    return true;
}

ACTION(do_next)
{
    return step(app, 1);
}

ACTION(do_previous)
{
    return step(app, -1);
}

static bool go(struct app *app, enum split_side side)
{
    struct workspace *workspace = app_workspace(app);
    struct pane *to = split_neighbour(workspace_split(workspace), workspace_focus(workspace), side);
    if (to != NULL)
        workspace_set_focus(workspace, to);
    return true;
}

ACTION(do_go_left)
{
    return go(app, SPLIT_LEFT);
}

ACTION(do_go_right)
{
    return go(app, SPLIT_RIGHT);
}

ACTION(do_go_up)
{
    return go(app, SPLIT_ABOVE);
}

ACTION(do_go_down)
{
    return go(app, SPLIT_BELOW);
}

/* --- the tree -------------------------------------------------------------------------------- */

static bool split_off(struct app *app, enum split_side side)
{
    struct error error;
    struct workspace *workspace = app_workspace(app);
    struct pane *at = &workspace_chat(workspace)->base, *pane;
    if (pane_chat_create(&pane, app, &error) != 0)
        workspace_flash(workspace, STYLE_ERROR, "%s", error.message);
    else
        workspace_open(workspace, at, side, pane);
    return true;
}

ACTION(do_split)
{
    bool below = strcmp(argument, "below") == 0;
    return split_off(app, below ? SPLIT_BELOW : SPLIT_RIGHT);
}

ACTION(do_split_below)
{
    return split_off(app, SPLIT_BELOW);
}

ACTION(do_close)
{
    workspace_close(app_workspace(app), workspace_focus(app_workspace(app)));
    return true;
}

ACTION(do_zoom)
{
    workspace_zoom(app_workspace(app));
    return true;
}

ACTION(do_swap)
{
    struct workspace *workspace = app_workspace(app);
    size_t count = workspace_count(workspace), at = 0;
    struct pane *own = workspace_focus(workspace);
    while (at < count && workspace_pane(workspace, at) != own)
        at++;
    if (count > 1)
        split_swap(workspace_split(workspace), own, workspace_pane(workspace, (at + 1) % count));
    app_redraw(app, true);
    return true;
}

#define GROW_COLUMNS 4
#define GROW_ROWS    2

static bool grow(struct app *app, enum split_side side)
{
    struct workspace *workspace = app_workspace(app);
    bool rows = side == SPLIT_ABOVE || side == SPLIT_BELOW;
    split_grow(workspace_split(workspace), workspace_focus(workspace), side,
               rows ? GROW_ROWS : GROW_COLUMNS);
    app_redraw(app, true);
    return true;
}

ACTION(do_grow_left)
{
    return grow(app, SPLIT_LEFT);
}

ACTION(do_grow_right)
{
    return grow(app, SPLIT_RIGHT);
}

ACTION(do_grow_up)
{
    return grow(app, SPLIT_ABOVE);
}

ACTION(do_grow_down)
{
    return grow(app, SPLIT_BELOW);
}

ACTION(do_even)
{
    split_even(workspace_split(app_workspace(app)));
    app_redraw(app, true);
    return true;
}

/* --- the program ----------------------------------------------------------------------------- */

ACTION(do_palette)
{
    action_palette_open(app, pane);
    return true;
}

ACTION(do_quit)
{
    app_quit(app);
    return true;
}

ACTION(do_suspend)
{
    app_suspend(app);
    return true;
}

ACTION(do_repaint)
{
    app_repaint(app);
    return true;
}

const struct action actions_anywhere[] = {
    {"palette", "/palette", NULL, "F9 Alt-x", "every action by name", do_palette},
    {"help", "/help", NULL, "F1", "show or hide this help", do_help},
    {"chats", "/chats", NULL, "F2", "show or hide the chats", do_chats},
    {"documents", "/docs", NULL, "F3", "show or hide the documents", do_documents},
    {"scene", "/cast", NULL, "F4", "show or hide the scene", do_scene},
    {"prompt", "/prompt", NULL, "F5", "show or hide exactly what the model gets", do_prompt},
    {"tokens", "/tokens", NULL, NULL, "how likely each token of a reply was", do_tokens},
    {"next-pane", NULL, NULL, "F6", "to the next pane", do_next},
    {"previous-pane", NULL, NULL, "Shift-F6", "to the pane before", do_previous},
    {"go-left", NULL, NULL, "Alt-Shift-Left", "to the pane on the left", do_go_left},
    {"go-right", NULL, NULL, "Alt-Shift-Right", "to the pane on the right", do_go_right},
    {"go-up", NULL, NULL, "Alt-Shift-Up", "to the pane above", do_go_up},
    {"go-down", NULL, NULL, "Alt-Shift-Down", "to the pane below", do_go_down},
    {"split", "/split", "[below]", "F7", "another chat beside this one", do_split},
    {"split-below", NULL, NULL, "Shift-F7", "another chat below this one", do_split_below},
    {"close", "/close", NULL, "F8", "close this pane; its chat is kept", do_close},
    {"zoom", "/zoom", NULL, "F12", "this pane alone, or all of them again", do_zoom},
    {"swap", "/swap", NULL, NULL, "change places with the next pane", do_swap},
    {"grow-left", NULL, NULL, "Ctrl-Shift-Left", "move the border left", do_grow_left},
    {"grow-right", NULL, NULL, "Ctrl-Shift-Right", "move the border right", do_grow_right},
    {"grow-up", NULL, NULL, "Ctrl-Shift-Up", "move the border up", do_grow_up},
    {"grow-down", NULL, NULL, "Ctrl-Shift-Down", "move the border down", do_grow_down},
    {"even", "/even", NULL, NULL, "panes of equal size", do_even},
    {"repaint", NULL, NULL, "Ctrl-L", "draw the screen anew", do_repaint},
    {"suspend", NULL, NULL, "Ctrl-Z", "to the shell; fg comes back", do_suspend},
    {"quit", "/quit", NULL, NULL, "leave", do_quit},
    {0},
};
