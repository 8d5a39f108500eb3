/*
 * pane_token.h - how likely each token of a reply was, what else could have stood there, and going
 * on from that.
 *
 * Shows the reply under the transcript's cursor, or the last one, of the chat that has or last had
 * the focus. The generator is asked about one place at a time, the one under the cursor first.
 */
#ifndef AIRO_TUI_PANE_TOKEN_H
#define AIRO_TUI_PANE_TOKEN_H

#include "tui/app.h"
#include "tui/pane.h"

struct pane *pane_token_create(struct app *app);

/* --- for actions_token.c --------------------------------------------------------------------- */

/* By tokens, or among the alternatives by their rows. */
void pane_token_move(struct pane *pane, int by);
void pane_token_move_rows(struct pane *pane, int by);
void pane_token_move_words(struct pane *pane, int by);
void pane_token_move_end(struct pane *pane, bool last);
/* To the alternatives, and from one of them on with a new branch. */
void pane_token_enter(struct pane *pane);
/* Asks about all tokens, up to a limit. */
void pane_token_ask_all(struct pane *pane);
/* Stops asking; leaves the alternatives; closes the pane. */
void pane_token_leave(struct pane *pane);

#endif
