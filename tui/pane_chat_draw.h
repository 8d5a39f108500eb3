/*
 * pane_chat_draw.h - a chat's pane on the screen: transcript or start page, the rule with what the
 * keys do, and the line editor or the draft that waits for it.
 */
#ifndef AIRO_TUI_PANE_CHAT_DRAW_H
#define AIRO_TUI_PANE_CHAT_DRAW_H

#include "tui/pane_chat.h"

/* Notes in pane->body where the transcript stands. */
void pane_chat_draw(struct pane_chat *pane, struct terminal *terminal, const struct rect *area);

#endif
