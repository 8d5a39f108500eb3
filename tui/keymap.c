#include "tui/keymap.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/ini.h"
#include "tui/suggest.h"

struct binding {
    char key[KEY_NAME_BYTES];
    int action, context;
    bool user; /* from the ini file, and so before the default ones */
};

struct keymap {
    const struct keymap_action *actions;
    size_t action_count;
    struct binding *bindings;
    size_t count, capacity;
};

/* --- binding --------------------------------------------------------------------------------- */

static const struct binding *find_in(const struct keymap *map, int context, bool user,
                                     const char *key)
{
    for (size_t i = 0; i < map->count; i++) {
        const struct binding *binding = &map->bindings[i];
        if (binding->context == context && binding->user == user && strcmp(binding->key, key) == 0)
            return binding;
    }
    return NULL;
}

static int unknown_key(const char *where, const char *text, size_t length, struct error *error)
{
    char *typed = xstrndup(text, length);
    const char *nearest = key_name_nearest(typed);
    error_set(error, ERROR_INPUT, "%s: no key is named \"%.40s\"%s%s%s", where, typed,
              nearest ? "; did you mean " : "", nearest ? nearest : "", nearest ? "?" : "");
    free(typed);
    return -1;
}

static int bind(struct keymap *map, int action, bool user, const char *key, const char *where,
                struct error *error)
{
    struct binding binding = {.action = action, .user = user};
    binding.context = map->actions[action].context;
    memcpy(binding.key, key, strlen(key) + 1);
    const struct binding *taken = find_in(map, binding.context, user, key);
    if (taken != NULL && taken->action != action)
        return error_set(error, ERROR_INPUT, "%s: %s is already the key of %s", where, key,
                         map->actions[taken->action].name);
    if (taken != NULL)
        return 0;
    if (map->count == map->capacity) {
        map->capacity = map->capacity * 2 + 32;
        map->bindings = xreallocarray(map->bindings, map->capacity, sizeof *map->bindings);
    }
    map->bindings[map->count++] = binding;
    return 0;
}

static int bind_all(struct keymap *map, int action, bool user, const char *keys, const char *where,
                    struct error *error)
{
    for (const char *at = keys + strspn(keys, " \t"); *at != '\0'; at += strspn(at, " \t")) {
        size_t word = strcspn(at, " \t");
        char key[KEY_NAME_BYTES];
        if (!key_name_parse(at, word, key))
            return unknown_key(where, at, word, error);
        if (bind(map, action, user, key, where, error) != 0)
            return -1;
        at += word;
    }
    return 0;
}

int keymap_create(struct keymap **out, const struct keymap_action *actions, size_t count,
                  struct error *error)
{
    struct keymap *map = xcalloc(1, sizeof *map);
    int result = 0;
    map->actions = actions;
    map->action_count = count;
    for (size_t i = 0; i < count && result == 0; i++)
        if (actions[i].keys != NULL)
            result = bind_all(map, (int)i, false, actions[i].keys, actions[i].name, error);
    if (result != 0) {
        keymap_free(map);
        return -1;
    }
    *out = map;
    return 0;
}

void keymap_free(struct keymap *map)
{
    if (map == NULL)
        return;
    free(map->bindings);
    free(map);
}

/* --- the ini file ---------------------------------------------------------------------------- */

static void unbind(struct keymap *map, int action)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->count; i++)
        if (map->bindings[i].action != action)
            map->bindings[kept++] = map->bindings[i];
    map->count = kept;
}

static int unknown_action(const struct keymap *map, const char *where, const char *name,
                          struct error *error)
{
    struct suggestion best = suggest_begin(name);
    for (size_t i = 0; i < map->action_count; i++)
        suggest_offer(&best, map->actions[i].name);
    return error_set(error, ERROR_INPUT, "%s: no action is named \"%.60s\"%s%s%s", where, name,
                     best.found ? "; did you mean " : "", best.found ? best.found : "",
                     best.found ? "?" : "");
}

static int apply(struct keymap *map, const char *path, const struct ini_entry *entry,
                 struct error *error)
{
    char *where = xasprintf("%s: line %d: " KEYMAP_SECTION ":%.60s", path, entry->line, entry->key);
    bool known = false;
    int result = 0;
    for (size_t i = 0; i < map->action_count && result == 0; i++) {
        if (strcmp(map->actions[i].name, entry->key) != 0)
            continue;
        known = true;
        unbind(map, (int)i);
        result = bind_all(map, (int)i, true, entry->value, where, error);
    }
    if (!known)
        result = unknown_action(map, where, entry->key, error);
    free(where);
    return result;
}

int keymap_read(struct keymap *map, const char *path, struct error *error)
{
    struct ini_file file;
    if (ini_read(&file, path, error) != 0)
        return -1;
    struct keymap changed = *map;
    changed.bindings = xreallocarray(NULL, map->capacity + 1, sizeof *map->bindings);
    if (map->count > 0)
        memcpy(changed.bindings, map->bindings, map->count * sizeof *map->bindings);
    int result = 0;
    for (size_t i = 0; i < file.count && result == 0; i++)
        if (strcmp(file.entries[i].section, KEYMAP_SECTION) == 0)
            result = apply(&changed, path, &file.entries[i], error);
    free(result == 0 ? map->bindings : changed.bindings);
    if (result == 0)
        *map = changed;
    ini_free(&file);
    return result;
}

int keymap_load(struct keymap *map, struct error *error)
{
    char *directory = xdg_directory("config");
    char *path = path_join(directory, "airo.ini");
    int result = file_exists(path) ? keymap_read(map, path, error) : 0;
    free(path);
    free(directory);
    return result;
}

/* --- finding --------------------------------------------------------------------------------- */

int keymap_find(const struct keymap *map, int context, const char *key)
{
    const int contexts[] = {context, KEYMAP_EVERYWHERE};
    for (size_t i = 0; i < 2; i++) {
        const struct binding *found = find_in(map, contexts[i], true, key);
        if (found == NULL)
            found = find_in(map, contexts[i], false, key);
        if (found != NULL)
            return found->action;
    }
    return -1;
}

int keymap_find_token(const struct keymap *map, int context, const struct input_token *token)
{
    char key[KEY_NAME_BYTES];
    if (token->name != NULL)
        return keymap_find(map, context, token->name);
    if (token->kind != INPUT_TEXT || !key_name_parse(token->bytes, token->length, key))
        return -1;
    return keymap_find(map, context, key);
}

void keymap_keys(const struct keymap *map, int action, struct strbuf *out)
{
    const char *separator = "";
    for (size_t i = 0; i < map->count; i++) {
        const struct binding *binding = &map->bindings[i];
        if (binding->action != action || keymap_find(map, binding->context, binding->key) != action)
            continue;
        strbuf_printf(out, "%s%s", separator, binding->key);
        separator = ", ";
    }
}

/* A name that several rows share stands where the first of them does. */
static bool is_named_before(const struct keymap_action *actions, size_t index)
{
    for (size_t i = 0; i < index; i++)
        if (strcmp(actions[i].name, actions[index].name) == 0)
            return true;
    return false;
}

void keymap_config(const struct keymap_action *actions, size_t count, struct strbuf *out)
{
    strbuf_puts(out, "\n[" KEYMAP_SECTION "]\n\n"
                     "# Action = \"keys\", parted by spaces: \"Ctrl-X Alt-y F5 PageUp j ? Space\". "
                     "An empty value\n# leaves the action without a key.\n");
    for (size_t i = 0; i < count; i++) {
        if (is_named_before(actions, i))
            continue;
        if (actions[i].help != NULL)
            strbuf_printf(out, "\n# %s\n", actions[i].help);
        strbuf_printf(out, "#%s = \"%s\"\n", actions[i].name,
                      actions[i].keys != NULL ? actions[i].keys : "");
    }
}
