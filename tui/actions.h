/*
 * actions.h - everything a person can do, in tables: keys, /commands, the palette, help and the
 * manual are drawn from them. One table for each context that keys can have.
 */
#ifndef AIRO_TUI_ACTIONS_H
#define AIRO_TUI_ACTIONS_H

#include <stdbool.h>

#include "tui/app.h"
#include "tui/pane.h"

struct pane_chat;

struct action {
    const char *name;    /* "split-right": in airo.ini and the palette; NULL: named for help only */
    const char *command; /* "/save", NULL: by key only */
    const char *argument; /* "FILE" */
    const char *keys; /* names as in input.c, parted by spaces; NULL: none unless airo.ini says */
    const char *help;
    /* `pane` has the focus, or is the overlay; for a command, the chat that it was typed in. False:
     * this key means nothing now, and goes on to the pane. NULL: the line editor's own key. */
    bool (*run)(struct app *app, struct pane *pane, const char *argument);
};

/* The head of a run function that leaves some of its parameters alone. */
#define ACTION(function)                                                                           \
    static bool function(struct app *app __attribute__((unused)),                                  \
                         struct pane *pane __attribute__((unused)),                                \
                         const char *argument __attribute__((unused)))

struct action_table {
    const char *title;         /* "In the transcript" */
    const struct action *rows; /* ended by one without help */
};

extern const struct action_table action_tables[CONTEXTS];

/* One file each: actions_window.c, actions_chat.c, ... */
extern const struct action actions_anywhere[], actions_help[], actions_composer[],
    actions_transcript[], actions_chats[], actions_documents[], actions_scene[], actions_prompt[],
    actions_token[], actions_overlay[];

/* Looks the key up in the pane's context, then everywhere. True when an action took it. */
bool actions_run_key(struct app *app, struct pane *pane, const struct input_token *token);
/* The action of a "/command", NULL when there is none. */
const struct action *actions_find_command(const char *name);
/* True when the line has the form of a command, "/name argument"; name and argument are to be
 * freed. */
bool actions_parse_line(const char *line, char **name, char **argument);
/* True when the line is a command; it has been carried out or complained about. */
bool actions_run_line(struct app *app, struct pane_chat *pane, const char *line);
/* The keys of an action as they are now, for help: "F7", or "" for none. Appends. */
void actions_keys(struct app *app, const struct action *action, struct strbuf *out);
/* True where each character that is typed is a key. */
bool actions_take_letters(const struct pane *pane);
/* Completion, for composer_options. */
char *actions_complete(void *user, const char *line, int start, unsigned index, bool *files);

#endif
