/*
 * scene_commands.h - what the chat's /commands about scenes do. Part of the table in
 * actions_chat.c.
 */
#ifndef AIRO_TUI_SCENE_COMMANDS_H
#define AIRO_TUI_SCENE_COMMANDS_H

#include <stdbool.h>

#include "tui/app.h"
#include "tui/pane.h"

/* `pane` is the chat. "NAME" plays a scene, "none" takes it away, "" offers a list. */
bool command_scene(struct app *app, struct pane *pane, const char *argument);
/* The next reply without a word of the user's; "NAME": by that character. */
bool command_next(struct app *app, struct pane *pane, const char *argument);
/* The model writes the user's next line into the composer. */
bool command_mine(struct app *app, struct pane *pane, const char *argument);

#endif
