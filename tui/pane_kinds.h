/*
 * pane_kinds.h - the side panes by name, and where each opens.
 */
#ifndef AIRO_TUI_PANE_KINDS_H
#define AIRO_TUI_PANE_KINDS_H

#include "tui/app.h"
#include "tui/pane.h"
#include "tui/split.h"

struct pane_kind {
    const char *name;
    enum split_side side; /* of the chat */
    bool at_start;        /* opened with the program where chats are kept */
    struct pane *(*create)(struct app *app);
};

/* Ended by a row without a name. */
extern const struct pane_kind pane_kinds[];

/* Opens the pane and goes there; closes it where it is shown with the focus; goes there where it
 * is open without. Always true, for actions. */
bool pane_kind_toggle(struct app *app, const char *name);
/* The pane of this kind with the focus, opened where it was not. */
struct pane *pane_kind_show(struct app *app, const char *name);
/* Opens the pane, where it is not, without the focus. */
void pane_kind_open_beside(struct app *app, const char *name);
/* Those of the start, without the focus. */
void pane_kinds_begin(struct app *app);

#endif
