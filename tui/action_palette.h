/*
 * action_palette.h - every action by name, as a list to pick from.
 */
#ifndef AIRO_TUI_ACTION_PALETTE_H
#define AIRO_TUI_ACTION_PALETTE_H

#include "tui/app.h"
#include "tui/pane.h"

/* The actions that mean something in `pane`, which gets the one that is picked. */
void action_palette_open(struct app *app, struct pane *pane);

#endif
