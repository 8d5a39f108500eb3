/*
 * pane_loading.h - the pane that is there while the model loads.
 */
#ifndef AIRO_TUI_PANE_LOADING_H
#define AIRO_TUI_PANE_LOADING_H

#include "tui/app.h"
#include "tui/pane.h"

struct pane *pane_loading_create(struct app *app, struct loader *loader);
void pane_loading_progress(struct pane *pane, uint64_t done, uint64_t total);

#endif
