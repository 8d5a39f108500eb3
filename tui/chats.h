/*
 * chats.h - what is done with the chats of the library from any pane: opening, naming, deleting,
 * copying, taking away and bringing in. Says what came of it in a flash.
 *
 * Chats are named by their row in the store. What is open in a pane is changed there, the rest
 * through the library's writer.
 */
#ifndef AIRO_TUI_CHATS_H
#define AIRO_TUI_CHATS_H

#include <stdbool.h>

#include "engine/chat/store_export.h"
#include "tui/app.h"
#include "tui/pane.h"

struct pane_chat;

/* The pane that shows the chat; NULL: none. */
struct pane_chat *chats_find_pane(struct app *app, int64_t row);

/* Goes to the pane that shows the chat, or shows it in the chat pane that had the focus last.
 * `message` (its row; 0: none) comes onto the path, and is where reading begins. */
bool chats_open(struct app *app, int64_t row, int64_t message);
bool chats_open_beside(struct app *app, int64_t row);
/* The one that was last updated; nothing where there is none. */
void chats_open_last(struct app *app);
/* A new chat in the pane that had the focus last. */
void chats_begin_new(struct app *app);

/* `title` is what the line begins with. */
void chats_ask_title(struct app *app, int64_t row, const char *title);
void chats_rename(struct app *app, int64_t row, const char *title);
/* The pane that shows it begins a new chat. False, with a flash: a reply runs there. */
bool chats_delete(struct app *app, int64_t row);
void chats_undelete(struct app *app, int64_t row);
/* The chat that was deleted last, here or, where none was, at all. */
void chats_undelete_last(struct app *app);
/* The copy's row; 0, with a flash: an error. */
int64_t chats_duplicate(struct app *app, int64_t row);

/* JSON where the path ends in .json, else Markdown. */
enum export_format chats_format_of(const char *path);
/* A name for the file made from the title: "A vaquita?" -> "a-vaquita.md". To be freed. */
char *chats_file_name(const char *title);
void chats_ask_export(struct app *app, int64_t row, const char *title);
void chats_export(struct app *app, int64_t row, const char *path);
void chats_ask_import(struct app *app);
/* The new chat's row; 0, with a flash: an error. */
int64_t chats_import(struct app *app, const char *path);

/* What the /commands do; `pane` is the chat that they were typed in. */
bool command_find(struct app *app, struct pane *pane, const char *argument);
bool command_rename(struct app *app, struct pane *pane, const char *argument);
bool command_delete(struct app *app, struct pane *pane, const char *argument);
bool command_undelete(struct app *app, struct pane *pane, const char *argument);
bool command_duplicate(struct app *app, struct pane *pane, const char *argument);
bool command_export(struct app *app, struct pane *pane, const char *argument);
bool command_import(struct app *app, struct pane *pane, const char *argument);

#endif
