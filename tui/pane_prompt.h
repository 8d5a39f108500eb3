/*
 * pane_prompt.h - exactly what the model gets: for the draft of the chat that has or last had the
 * focus, or for a reply to its last message when nothing is typed.
 *
 * The prompt is put together again when the draft, the chat or the settings have changed; a thread
 * of its own (prompt_job.h) makes it ready, and until then the one before is shown.
 */
#ifndef AIRO_TUI_PANE_PROMPT_H
#define AIRO_TUI_PANE_PROMPT_H

#include "tui/app.h"
#include "tui/pane.h"

struct pane *pane_prompt_create(struct app *app);

/* --- for actions_prompt.c -------------------------------------------------------------------- */

void pane_prompt_scroll(struct pane *pane, int rows);
void pane_prompt_scroll_pages(struct pane *pane, int pages);
void pane_prompt_scroll_end(struct pane *pane, bool bottom);
/* Columns to the right (left when negative), while lines are not wrapped. */
void pane_prompt_scroll_sideways(struct pane *pane, int columns);
void pane_prompt_toggle_tokens(struct pane *pane);
void pane_prompt_toggle_ids(struct pane *pane);
void pane_prompt_toggle_wrap(struct pane *pane);
/* All that was left out or made harmless, or the first few lines of it. */
void pane_prompt_toggle_notes(struct pane *pane);
void pane_prompt_search(struct pane *pane);
void pane_prompt_search_next(struct pane *pane, bool backwards);
void pane_prompt_copy_text(struct pane *pane);
void pane_prompt_copy_ids(struct pane *pane);

#endif
