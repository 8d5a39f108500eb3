#include "tui/settings.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/ini.h"
#include "engine/infer/generator.h"
#include "engine/infer/sampling_file.h"
#include "tui/keymap.h"
#include "tui/options.h"
#include "tui/suggest.h"

void settings_defaults(struct settings *settings)
{
    *settings = (struct settings){.sampling = sampling_defaults()};
    for (const struct option *option = options_table; option->name != NULL; option++)
        if (option->ini != NULL && option->initial != NULL)
            option_set(option, settings, option->name, option->initial, NULL);
    settings->given = 0;
}

/* An unknown key, with the nearest known one of any section. */
static int unknown_key(const struct ini_file *file, const struct ini_entry *entry,
                       struct error *error)
{
    char *written = xasprintf("%s:%s", entry->section, entry->key);
    struct suggestion best = suggest_begin(written);
    for (const struct option *option = options_table; option->name != NULL; option++)
        if (option->ini != NULL)
            suggest_offer(&best, option->ini);
    error_set(error, ERROR_INPUT, "%s: line %d: unknown key %.100s%s%s%s", file->path, entry->line,
              written, best.found ? "; did you mean " : "", best.found ? best.found : "",
              best.found ? "?" : "");
    free(written);
    return -1;
}

int settings_read(struct settings *settings, const char *path, struct error *error)
{
    struct ini_file file;
    if (ini_read(&file, path, error) != 0)
        return -1;
    int result = 0;
    for (size_t i = 0; i < file.count && result == 0; i++) {
        const struct ini_entry *entry = &file.entries[i];
        if (strcmp(entry->section, KEYMAP_SECTION) == 0)
            continue; /* keymap.c's */
        const struct option *option = options_find_ini(entry->section, entry->key);
        const struct option_section *section = options_find_section(entry->section);
        if (option == NULL && section != NULL) {
            result = section->set(settings, entry->key, entry->value, error);
            if (result != 0)
                error_prefix(error, "%s: line %d", path, entry->line);
            continue;
        }
        if (option == NULL) {
            result = unknown_key(&file, entry, error);
            continue;
        }
        char *where = xasprintf("%s: line %d: %s", path, entry->line, option->ini);
        result = option_set(option, settings, where, entry->value, error);
        free(where);
    }
    ini_free(&file);
    return result;
}

int settings_load(struct settings *settings, struct error *error)
{
    settings_defaults(settings);
    char *directory = xdg_directory("config");
    char *path = path_join(directory, "airo.ini");
    int result = file_exists(path) ? settings_read(settings, path, error) : 0;
    free(path);
    free(directory);
    return result;
}

int settings_take_model(struct settings *settings, struct error *error)
{
    static const struct {
        const char *option;
        size_t offset, size;
    } table[] = {
#define FIELD(option, name)                                                                        \
    {option, offsetof(struct sampling, name), sizeof(((struct sampling *)NULL)->name)}
        FIELD("temperature", temperature),
        FIELD("top-k", top_k),
        FIELD("top-p", top_p),
        FIELD("min-p", min_p),
        FIELD("typical-p", typical_p),
        FIELD("repeat-penalty", repeat_penalty),
#undef FIELD
    };
    char *directory = model_find(settings->model, NULL);
    struct sampling recommended = settings->sampling;
    int result = directory != NULL ? sampling_read(&recommended, directory, error) : 0;
    for (size_t i = 0; result == 0 && i < sizeof table / sizeof table[0]; i++)
        if (!option_given(settings, table[i].option))
            memcpy((char *)&settings->sampling + table[i].offset,
                   (char *)&recommended + table[i].offset, table[i].size);
    free(directory);
    return result;
}

int settings_draft(const struct settings *settings)
{
    if (settings->draft == NULL || strcmp(settings->draft, "auto") == 0)
        return DRAFT_AUTO;
    return strcmp(settings->draft, "off") == 0 ? DRAFT_OFF : (int)strtol(settings->draft, NULL, 10);
}

void settings_free(struct settings *settings)
{
    converter_table_free(&settings->converters);
    for (const struct option *option = options_table; option->name != NULL; option++) {
        if (option->ini == NULL || !option_is_text(option))
            continue;
        char **text = (char **)(void *)((char *)settings + option->offset);
        free(*text);
        *text = NULL;
    }
}
