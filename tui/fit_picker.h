/*
 * fit_picker.h - what to leave out when a message does not fit into the context: the choice, with
 * the numbers, is the person's. The text stays in the composer until it is sent.
 */
#ifndef AIRO_TUI_FIT_PICKER_H
#define AIRO_TUI_FIT_PICKER_H

#include <stdbool.h>

#include "tui/pane_chat.h"

struct fit_passages;

/* Opens the choice when sending `text` does not fit. False: it fits, or the count failed. */
bool fit_picker_open(struct pane_chat *pane, const char *text);

/* For pane_chat.c: passages are looked for on a thread (the pane's field `passages`). */
bool fit_picker_runs(const struct pane_chat *pane);
void fit_picker_tick(struct pane_chat *pane);
void fit_passages_free(struct fit_passages *passages);

#endif
