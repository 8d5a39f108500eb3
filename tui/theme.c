#include "tui/theme.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/ini.h"
#include "tui/home_path.h"

/* The roles' names in the ini file and their plain looks. */
static const struct {
    const char *name, *plain;
} roles[STYLES] = {
    [STYLE_TEXT] = {"text", "default"},
    [STYLE_DIM] = {"dim", "default dim"},
    [STYLE_TITLE] = {"title", "default bold"},
    [STYLE_ACCENT] = {"accent", "cyan bold"},
    [STYLE_RULE] = {"rule", "default dim"},
    [STYLE_KEY] = {"key", "cyan"},
    [STYLE_USER_MARK] = {"user-mark", "yellow bold"},
    [STYLE_USER] = {"user", "default bold"},
    [STYLE_REPLY_MARK] = {"reply-mark", "cyan bold"},
    [STYLE_REPLY] = {"reply", "default"},
    [STYLE_HEADING] = {"heading", "default bold underline"},
    [STYLE_CODE] = {"code", "green"},
    [STYLE_SOURCE] = {"source", "blue"},
    [STYLE_NOTICE] = {"notice", "default dim"},
    [STYLE_ERROR] = {"error", "red bold"},
    [STYLE_COMPOSER] = {"composer", "default"},
    [STYLE_CHIP] = {"chip", "default reverse"},
    [STYLE_NEW] = {"new", "default reverse"},
    [STYLE_GAUGE] = {"gauge", "default"},
    [STYLE_GAUGE_DIM] = {"gauge-dim", "default dim"},
    [STYLE_PART_SYSTEM] = {"part-system", "white"},
    [STYLE_PART_DOCUMENT] = {"part-document", "blue"},
    [STYLE_PART_SCENE] = {"part-scene", "magenta"},
    [STYLE_PART_HISTORY] = {"part-history", "cyan"},
    [STYLE_PART_DRAFT] = {"part-draft", "yellow"},
    [STYLE_PART_RESERVE] = {"part-reserve", "default dim"},
    [STYLE_PART_FREE] = {"part-free", "default dim"},
    [STYLE_SPEAKER_1] = {"speaker-1", "yellow"},
    [STYLE_SPEAKER_2] = {"speaker-2", "cyan"},
    [STYLE_SPEAKER_3] = {"speaker-3", "magenta"},
    [STYLE_SPEAKER_4] = {"speaker-4", "green"},
    [STYLE_SPEAKER_5] = {"speaker-5", "bright-blue"},
    [STYLE_SPEAKER_6] = {"speaker-6", "bright-red"},
    [STYLE_UNSUPPORTED] = {"unsupported", "red underline"},
    [STYLE_SELECTION] = {"selection", "default reverse"},
    [STYLE_MATCH] = {"match", "yellow reverse"},
    [STYLE_MATCH_CURRENT] = {"match-current", "yellow bold underline reverse"},
    [STYLE_LINK] = {"link", "cyan underline"},
    [STYLE_QUOTE] = {"quote", "default italic"},
    [STYLE_STRONG] = {"strong", "default bold"},
    [STYLE_TABLE] = {"table", "default"},
    [STYLE_BORDER] = {"border", "default dim"},
    [STYLE_BORDER_FOCUS] = {"border-focus", "cyan bold"},
    [STYLE_LIST_SELECTED] = {"list-selected", "default bold reverse"},
    [STYLE_LIST_DIM] = {"list-dim", "default dim"},
    [STYLE_BADGE] = {"badge", "cyan bold reverse"},
    [STYLE_TOKEN_A] = {"token-a", "default"},
    [STYLE_TOKEN_B] = {"token-b", "default reverse"},
    [STYLE_GOOD] = {"good", "green bold"},
    [STYLE_WARN] = {"warn", "yellow bold"},
};

static const char *const colour_names[16] = {
    "black",        "red",           "green",       "yellow",         "blue",
    "magenta",      "cyan",          "white",       "bright-black",   "bright-red",
    "bright-green", "bright-yellow", "bright-blue", "bright-magenta", "bright-cyan",
    "bright-white",
};

static const struct {
    const char *name;
    unsigned bit;
} attributes[] = {
    {"bold", THEME_BOLD},           {"dim", THEME_DIM},         {"italic", THEME_ITALIC},
    {"underline", THEME_UNDERLINE}, {"reverse", THEME_REVERSE},
};

static bool parse_colour(const char *word, int32_t *colour)
{
    unsigned rgb;
    int used = 0;
    if (strcmp(word, "default") == 0) {
        *colour = THEME_COLOUR_DEFAULT;
        return true;
    }
    if (word[0] == '#') {
        if (strlen(word) != 7 || strspn(word + 1, "0123456789abcdefABCDEF") != 6 ||
            sscanf(word + 1, "%x%n", &rgb, &used) != 1)
            return false;
        *colour = (int32_t)(THEME_COLOUR_RGB | rgb);
        return true;
    }
    for (int32_t i = 0; i < 16; i++) {
        if (strcmp(word, colour_names[i]) == 0) {
            *colour = i;
            return true;
        }
    }
    return false;
}

static bool parse_attribute(const char *word, unsigned *bits)
{
    for (size_t i = 0; i < sizeof attributes / sizeof attributes[0]; i++) {
        if (strcmp(word, attributes[i].name) == 0) {
            *bits |= attributes[i].bit;
            return true;
        }
    }
    return false;
}

/* "#e8c07d on #101010 bold"; `text` is cut up. */
static bool parse_look(char *text, struct theme_look *look)
{
    char *rest = NULL;
    int32_t *colour = &look->foreground;
    *look = (struct theme_look){THEME_COLOUR_DEFAULT, THEME_COLOUR_DEFAULT, 0};
    for (char *word = strtok_r(text, " \t", &rest); word; word = strtok_r(NULL, " \t", &rest)) {
        if (strcmp(word, "on") == 0) {
            colour = &look->background;
            continue;
        }
        if (!parse_attribute(word, &look->attributes) && !parse_colour(word, colour))
            return false;
    }
    return true;
}

static bool parse_style(const char *value, struct theme_style *style)
{
    char *copy = xstrdup(value);
    char *bar = strchr(copy, '|');
    if (bar != NULL)
        *bar = '\0';
    bool good = parse_look(copy, &style->full);
    style->basic =
        (struct theme_look){THEME_COLOUR_DEFAULT, THEME_COLOUR_DEFAULT, style->full.attributes};
    if (good && bar != NULL)
        good = parse_look(bar + 1, &style->basic);
    free(copy);
    return good;
}

void theme_plain(struct theme *theme)
{
    *theme = (struct theme){.name = "plain"};
    for (int i = 0; i < STYLES; i++) {
        char text[64];
        snprintf(text, sizeof text, "%s", roles[i].plain);
        parse_look(text, &theme->styles[i].full);
        theme->styles[i].basic = theme->styles[i].full;
    }
}

/* --- finding --------------------------------------------------------------------------------- */

/* The directories that hold themes, the user's first; to be freed. NULL past the last. */
static char *theme_directory(unsigned index)
{
    static const char *const beside[] = {"../themes", "../share/airo/themes"};
    if (index == 0) {
        char *config = xdg_directory("config");
        char *path = path_join(config, "themes");
        free(config);
        return path;
    }
    char *program = index <= 2 ? program_directory() : NULL;
    if (program != NULL) {
        char *path = path_join(program, beside[index - 1]);
        free(program);
        return path;
    }
    return index <= 3 ? xstrdup(AIRO_PREFIX "/share/airo/themes") : NULL;
}

static bool name_is_safe(const char *name)
{
    return name[0] != '\0' && strlen(name) < 64 &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") ==
               strlen(name);
}

static char *theme_find(const char *name, struct error *error)
{
    if (strchr(name, '/') != NULL)
        return home_path(name);
    char *directory;
    for (unsigned i = 0; name_is_safe(name) && (directory = theme_directory(i)) != NULL; i++) {
        char *path = xasprintf("%s/%s.ini", directory, name);
        free(directory);
        if (file_exists(path))
            return path;
        free(path);
    }
    error_set(error, ERROR_INPUT, "no theme \"%s\"", name);
    return NULL;
}

/* True when a directory before the index-th has a theme of this file name. */
static bool is_shadowed(unsigned index, const char *file)
{
    bool shadowed = false;
    for (unsigned i = 0; i < index && !shadowed; i++) {
        char *directory = theme_directory(i), *path = path_join(directory, file);
        shadowed = file_exists(path);
        free(path);
        free(directory);
    }
    return shadowed;
}

char *theme_list(unsigned index)
{
    char *directory, *found = NULL;
    for (unsigned i = 0; found == NULL && (directory = theme_directory(i)) != NULL; i++) {
        DIR *stream = opendir(directory);
        struct dirent *entry;
        while (stream != NULL && found == NULL && (entry = readdir(stream)) != NULL) {
            const char *dot = strrchr(entry->d_name, '.');
            if (dot != NULL && strcmp(dot, ".ini") == 0 && !is_shadowed(i, entry->d_name) &&
                index-- == 0)
                found = xstrndup(entry->d_name, (size_t)(dot - entry->d_name));
        }
        if (stream != NULL)
            closedir(stream);
        free(directory);
    }
    return found;
}

/* --- reading --------------------------------------------------------------------------------- */

static int read_style(struct theme *theme, const struct ini_entry *entry, const char *path,
                      struct error *error)
{
    for (int i = 0; i < STYLES; i++) {
        if (strcmp(entry->key, roles[i].name) != 0)
            continue;
        if (parse_style(entry->value, &theme->styles[i]))
            return 0;
        return error_set(error, ERROR_INPUT, "%s: line %d: %s: cannot read \"%.60s\"", path,
                         entry->line, entry->key, entry->value);
    }
    return error_set(error, ERROR_INPUT, "%s: line %d: no such role: %.60s", path, entry->line,
                     entry->key);
}

static int read_file(struct theme *theme, const char *path, struct error *error)
{
    struct ini_file file;
    if (ini_read(&file, path, error) != 0)
        return -1;
    const struct ini_entry *name = ini_find(&file, "theme", "name");
    snprintf(theme->name, sizeof theme->name, "%s", name ? name->value : path_base(path));
    int result = 0;
    for (size_t i = 0; i < file.count && result == 0; i++)
        if (strcmp(file.entries[i].section, "styles") == 0)
            result = read_style(theme, &file.entries[i], path, error);
    ini_free(&file);
    return result;
}

int theme_open(struct theme *theme, const char *name, struct error *error)
{
    char *path = theme_find(name, error);
    if (path == NULL)
        return -1;
    struct theme read;
    theme_plain(&read);
    int result = read_file(&read, path, error);
    if (result == 0)
        *theme = read;
    free(path);
    return result;
}
