/*
 * pane_help.h - every key and command, drawn from the tables of actions.
 */
#ifndef AIRO_TUI_PANE_HELP_H
#define AIRO_TUI_PANE_HELP_H

#include "tui/app.h"
#include "tui/pane.h"

struct pane *pane_help_create(struct app *app);

#endif
