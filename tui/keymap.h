/*
 * keymap.h - which key does what where: a table of actions with their default keys, and what the
 * section [keys] of airo.ini changes of it.
 *
 *     [keys]
 *     select-all = "Ctrl-A Alt-a"
 *     quit = ""
 *
 * The keys that a line names replace the default ones; an empty line leaves the action without a
 * key. Contexts are small numbers; 0 holds everywhere, and a key's own context comes before it. A
 * key that the user binds is taken from the action that had it by default. The rows are borrowed.
 */
#ifndef AIRO_TUI_KEYMAP_H
#define AIRO_TUI_KEYMAP_H

#include <stddef.h>

#include "engine/base/error.h"
#include "engine/base/strbuf.h"
#include "tui/input.h"

#define KEYMAP_SECTION    "keys"
#define KEYMAP_EVERYWHERE 0

struct keymap_action {
    const char *name; /* "scroll-up"; several rows may share one, in different contexts */
    int context;
    const char *keys; /* the default ones, parted by spaces; NULL: none */
    const char *help;
};

struct keymap;

/* With the default keys. An error names the row whose keys are wrong or taken. */
int keymap_create(struct keymap **out, const struct keymap_action *actions, size_t count,
                  struct error *error);
void keymap_free(struct keymap *map);

/* Applies the section of an ini file; errors are one line with file, line and the nearest name, and
 * leave the map as it was. */
int keymap_read(struct keymap *map, const char *path, struct error *error);
/* The same with the user's airo.ini, where there is one. */
int keymap_load(struct keymap *map, struct error *error);

/* The row that a key means in a context, -1: none. */
int keymap_find(const struct keymap *map, int context, const char *key);
/* The same of a key or of one character of input_split. */
int keymap_find_token(const struct keymap *map, int context, const struct input_token *token);

/* Appends the keys that reach a row, for help: "Ctrl-A, Alt-a"; nothing when none does. */
void keymap_keys(const struct keymap *map, int action, struct strbuf *out);

/* The commented section for the default airo.ini. */
void keymap_config(const struct keymap_action *actions, size_t count, struct strbuf *out);

#endif
