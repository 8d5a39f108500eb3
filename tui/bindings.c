#include "tui/bindings.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "tui/keymap.h"

struct bindings {
    struct keymap *map;
    struct keymap_action *rows;
    const struct action **actions; /* of each row */
    size_t count;
};

static void add(struct bindings *bindings, enum action_context context, const struct action *action)
{
    size_t count = bindings->count + 1;
    bindings->rows = xreallocarray(bindings->rows, count, sizeof *bindings->rows);
    bindings->actions = xreallocarray(bindings->actions, count, sizeof *bindings->actions);
    bindings->rows[bindings->count] =
        (struct keymap_action){action->name, (int)context, action->keys, action->help};
    bindings->actions[bindings->count++] = action;
}

static void collect(struct bindings *bindings)
{
    for (int context = 0; context < CONTEXTS; context++)
        for (const struct action *action = action_tables[context].rows;
             action != NULL && action->help != NULL; action++)
            if (action->name != NULL)
                add(bindings, (enum action_context)context, action);
}

int bindings_open(struct bindings **out, const char *path, struct error *error)
{
    struct bindings *bindings = xcalloc(1, sizeof *bindings);
    collect(bindings);
    int result = keymap_create(&bindings->map, bindings->rows, bindings->count, error);
    if (result == 0 && path != NULL && file_exists(path))
        result = keymap_read(bindings->map, path, error);
    if (result != 0) {
        bindings_close(bindings);
        return -1;
    }
    *out = bindings;
    return 0;
}

void bindings_close(struct bindings *bindings)
{
    if (bindings == NULL)
        return;
    if (bindings->map != NULL)
        keymap_free(bindings->map);
    free(bindings->rows);
    free(bindings->actions);
    free(bindings);
}

const struct action *bindings_find(const struct bindings *bindings, enum action_context context,
                                   const struct input_token *token)
{
    int row = keymap_find_token(bindings->map, (int)context, token);
    bool own = row >= 0 && bindings->rows[row].context == (int)context;
    return own ? bindings->actions[row] : NULL;
}

void bindings_keys(const struct bindings *bindings, const struct action *action, struct strbuf *out)
{
    for (size_t i = 0; i < bindings->count; i++)
        if (bindings->actions[i] == action)
            keymap_keys(bindings->map, (int)i, out);
}

void bindings_config(struct strbuf *out)
{
    struct bindings bindings = {0};
    collect(&bindings);
    keymap_config(bindings.rows, bindings.count, out);
    free(bindings.rows);
    free(bindings.actions);
}
