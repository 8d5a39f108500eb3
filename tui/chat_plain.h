/*
 * chat_plain.h - `airo chat --plain`: the chat line by line, for screen readers, pipes and dumb
 * terminals. No alternate screen, nothing is drawn twice.
 */
#ifndef AIRO_TUI_CHAT_PLAIN_H
#define AIRO_TUI_CHAT_PLAIN_H

#include "engine/chat/document.h"
#include "tui/settings.h"

/* Runs to the end of standard input; the exit status. `attached` is taken over, `scene` is played;
 * either may be NULL. /set and /system change the settings. */
int chat_plain_run(struct settings *settings, struct document_list *attached, const char *scene);

#endif
