/*
 * bindings.h - the tables of actions as a map of keys, with what airo.ini changes of it.
 */
#ifndef AIRO_TUI_BINDINGS_H
#define AIRO_TUI_BINDINGS_H

#include "engine/base/error.h"
#include "engine/base/strbuf.h"
#include "tui/actions.h"

struct bindings;

/* `path`: an airo.ini whose section [keys] is applied; NULL: none. */
int bindings_open(struct bindings **out, const char *path, struct error *error);
void bindings_close(struct bindings *bindings);

/* The action that a key, or one character, means in a context alone (not everywhere). */
const struct action *bindings_find(const struct bindings *bindings, enum action_context context,
                                   const struct input_token *token);
/* Appends the keys of an action as they are now: "F9, Alt-x". */
void bindings_keys(const struct bindings *bindings, const struct action *action,
                   struct strbuf *out);
/* The commented section [keys] of the default airo.ini. */
void bindings_config(struct strbuf *out);

#endif
