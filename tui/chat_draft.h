/*
 * chat_draft.h - what is typed in a chat's pane, whether the pane has the line editor or not: edits
 * of messages, beside which the draft waits, and the draft on the disk.
 *
 * All of it is the pane's (draft, aside, editing, draft_kept, kept_version, draft_due_ms). What
 * other modules call is in pane_chat.h: pane_chat_draft, _type, _give_back, _edit, _leave_edit.
 */
#ifndef AIRO_TUI_CHAT_DRAFT_H
#define AIRO_TUI_CHAT_DRAFT_H

#include "tui/pane_chat.h"

bool chat_draft_is_blank(const char *text);
/* What was typed in place of the message that is edited: kept beside it, and answered. */
void chat_draft_accept_edit(struct pane_chat *pane, const char *text);
/* The draft to the library's writer. */
void chat_draft_keep(struct pane_chat *pane);
/* The pane leaves its chat. What is typed in a new one makes it one of the library. */
void chat_draft_leave(struct pane_chat *pane);
/* Milliseconds until chat_draft_keep is due, -1: there is nothing new. */
int chat_draft_wait(const struct pane_chat *pane, uint64_t now_ms);

#endif
