/*
 * commands.h - what the /commands of the chat do. Part of the table in actions_chat.c.
 */
#ifndef AIRO_TUI_COMMANDS_H
#define AIRO_TUI_COMMANDS_H

#include <stdbool.h>

#include "tui/options.h"
#include "tui/pane_chat.h"

/* True for the settings that may change while a model is loaded. */
bool commands_is_changeable(const struct option *option);
/* What /set does: "" lists them, "NAME" shows one, "NAME VALUE" changes it. Rows go to `table`. */
int commands_change_setting(struct settings *settings, const char *argument, struct strbuf *table,
                            struct error *error);

/* `pane` is the chat; `argument` is what stands behind the command, "" for nothing. */
bool command_new(struct app *app, struct pane *pane, const char *argument);
bool command_retry(struct app *app, struct pane *pane, const char *argument);
bool command_continue(struct app *app, struct pane *pane, const char *argument);
bool command_save(struct app *app, struct pane *pane, const char *argument);
bool command_system(struct app *app, struct pane *pane, const char *argument);
bool command_doc(struct app *app, struct pane *pane, const char *argument);
bool command_docs(struct app *app, struct pane *pane, const char *argument);
bool command_undoc(struct app *app, struct pane *pane, const char *argument);
bool command_set(struct app *app, struct pane *pane, const char *argument);
bool command_theme(struct app *app, struct pane *pane, const char *argument);

#endif
