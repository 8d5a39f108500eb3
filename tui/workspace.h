/*
 * workspace.h - the panes of the screen: their tree, who has the focus, the overlay, the gauge
 * line, and the way of a key to its action.
 *
 * A key goes to the overlay while there is one; otherwise to the table of actions of the focused
 * pane's context, then to the table of all panes, then to the pane itself. The workspace owns the
 * panes and the overlay.
 */
#ifndef AIRO_TUI_WORKSPACE_H
#define AIRO_TUI_WORKSPACE_H

#include "tui/app.h"
#include "tui/pane.h"
#include "tui/split.h"

struct pane_chat;
struct workspace;

struct workspace *workspace_create(struct app *app);
void workspace_free(struct workspace *workspace);

/* The first chat; every other pane is opened beside one that is there. */
void workspace_begin(struct workspace *workspace, struct pane *chat);

/* --- for app.c ------------------------------------------------------------------------------- */

void workspace_draw(struct workspace *workspace, struct terminal *terminal,
                    const struct rect *area);
void workspace_input(struct workspace *workspace, const struct input_token *token);
void workspace_event(struct workspace *workspace, const struct event *event);
int workspace_timeout(const struct workspace *workspace, uint64_t now_ms);
void workspace_tick(struct workspace *workspace, uint64_t now_ms);

/* --- for panes and actions ------------------------------------------------------------------- */

/* The pane that has the focus; the overlay is not one. */
struct pane *workspace_focus(const struct workspace *workspace);
void workspace_set_focus(struct workspace *workspace, struct pane *pane);
/* The chat that has or last had the focus: what side panes show. */
struct pane_chat *workspace_chat(const struct workspace *workspace);
/* The first pane of this kind, or NULL. */
struct pane *workspace_find(const struct workspace *workspace, const char *kind);
size_t workspace_count(const struct workspace *workspace);
struct pane *workspace_pane(const struct workspace *workspace, size_t index);
struct split *workspace_split(struct workspace *workspace);

/* Takes the pane over and gives it the focus. */
void workspace_open(struct workspace *workspace, struct pane *at, enum split_side side,
                    struct pane *pane);
/* The same without the focus. */
void workspace_open_beside(struct workspace *workspace, struct pane *at, enum split_side side,
                           struct pane *pane);
/* The new pane stands where the old one stood, which is freed. */
void workspace_replace(struct workspace *workspace, struct pane *old, struct pane *pane);
/* Closes a pane; the last chat stays, and says so. */
void workspace_close(struct workspace *workspace, struct pane *pane);
/* Only the focus, or all of them again. */
void workspace_zoom(struct workspace *workspace);
bool workspace_is_zoomed(const struct workspace *workspace);

/* Lays a pane over the others (taken over), in place of the one that is there; NULL takes it away.
 * An overlay that closes itself is freed when its call has returned. */
void workspace_set_overlay(struct workspace *workspace, struct pane *overlay);
struct pane *workspace_overlay(const struct workspace *workspace);

/* Keys that have come so far: two things that differ by one came one after the other. */
unsigned long workspace_keys(const struct workspace *workspace);

/* One line in place of the gauge until the next key. */
void workspace_flash(struct workspace *workspace, enum style style, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif
