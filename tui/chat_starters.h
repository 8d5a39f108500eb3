/*
 * chat_starters.h - the offers of the start page (starters.h) in a chat's pane: what they type,
 * attach and play, and how that is taken back. Which one is typed is pane->starter.
 */
#ifndef AIRO_TUI_CHAT_STARTERS_H
#define AIRO_TUI_CHAT_STARTERS_H

#include "tui/pane_chat.h"

/* Types the next offer of the start page; false when there is none to be seen, or something else
 * has been typed. */
bool chat_starters_next(struct pane_chat *pane);

#endif
