/*
 * command_chat.h - the terminal interface from the settings on, for the commands that open it.
 */
#ifndef AIRO_TUI_COMMAND_CHAT_H
#define AIRO_TUI_COMMAND_CHAT_H

#include "engine/chat/document.h"
#include "tui/command.h"

/* Loads the settings' model and runs the interface; the exit status. `attached` is taken over,
 * `scene` is played at once; either may be NULL. */
int chat_screen_run(struct settings *settings, struct document_list *attached, const char *scene);

#endif
