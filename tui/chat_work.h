/*
 * chat_work.h - what goes on in the background for a chat's pane: documents that are being added,
 * replies that are checked, passages that are looked for. Each belongs to its own module.
 */
#ifndef AIRO_TUI_CHAT_WORK_H
#define AIRO_TUI_CHAT_WORK_H

#include "tui/pane_chat.h"

/* Milliseconds until chat_work_tick wants to be called, -1: never. */
int chat_work_wait(const struct pane_chat *pane, uint64_t now_ms);
void chat_work_tick(struct pane_chat *pane, uint64_t now_ms);
void chat_work_free(struct pane_chat *pane);

/* True when a text must wait because documents are still coming; the person has been told. */
bool chat_work_holds(struct pane_chat *pane, const char *text);

#endif
