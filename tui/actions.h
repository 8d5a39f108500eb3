/*
 * actions.h - everything a person can do, in one table: keys, /commands and help are drawn from it.
 */
#ifndef AIRO_TUI_ACTIONS_H
#define AIRO_TUI_ACTIONS_H

#include <stdbool.h>

#include "tui/pane_chat.h"

struct action {
    const char *command;  /* "/save", NULL: by key only */
    const char *argument; /* "FILE" */
    const char *keys;     /* names as in input.c, parted by spaces; NULL: by command only */
    const char *help;
    /* False: this key means nothing now, and goes to the line editor. NULL: the line editor's own
     * key, named here for help. */
    bool (*run)(struct pane_chat *pane, const char *argument);
};

/* Ended by a row without help. */
extern const struct action actions_table[];

/* The action of a key or of a "/command", NULL when it has none. */
const struct action *actions_find_key(const char *key);
const struct action *actions_find_command(const char *name);
/* True when the line has the form of a command, "/name argument"; name and argument are to be
 * freed. */
bool actions_parse_line(const char *line, char **name, char **argument);
/* True when the line is a command; it has been carried out or complained about. */
bool actions_run_line(struct pane_chat *pane, const char *line);
/* Completion, for composer_options. */
char *actions_complete(void *user, const char *line, int start, unsigned index, bool *files);

#endif
