#include "engine/chat/scene_file.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/card_file.h"
#include "engine/chat/scene_ini.h"
#include "engine/chat/scene_json.h"

#ifndef AIRO_PREFIX
#define AIRO_PREFIX "/usr/local"
#endif

static const char *const suffixes[] = {".ini", ".json", ".png"};
#define SUFFIXES   (sizeof suffixes / sizeof suffixes[0])
#define PLACES_MAX 5

/* --- where files are -------------------------------------------------------------------------- */

struct places {
    char *directories[PLACES_MAX];
    size_t count;
};

static void add_place(struct places *places, char *directory)
{
    if (directory != NULL)
        places->directories[places->count++] = directory;
}

static char *user_directory(enum scene_kind kind)
{
    char *config = xdg_directory("config");
    char *directory = path_join(config, kind == SCENE_SCENES ? "scenes" : "characters");
    free(config);
    return directory;
}

/* The user's own first. */
static void find_places(enum scene_kind kind, struct places *out)
{
    const char *name = kind == SCENE_SCENES ? "scenes" : "characters";
    char *program = program_directory();
    *out = (struct places){0};
    add_place(out, user_directory(kind));
    if (program != NULL) {
        add_place(out, xasprintf("%s/../prompts/%s", program, name));
        add_place(out, xasprintf("%s/../share/airo/prompts/%s", program, name));
    }
    add_place(out, xasprintf("%s/share/airo/prompts/%s", AIRO_PREFIX, name));
    add_place(out, xasprintf("./prompts/%s", name));
    free(program);
}

static void places_free(struct places *places)
{
    for (size_t i = 0; i < places->count; i++)
        free(places->directories[i]);
}

static bool has_suffix(const char *name, const char *suffix)
{
    size_t length = strlen(name), tail = strlen(suffix);
    return length > tail && strcmp(name + length - tail, suffix) == 0;
}

/* DIRECTORY/NAME with one of the suffixes, or as it is when it has one; NULL when there is none. */
static char *look_in(const char *directory, const char *name)
{
    for (size_t i = 0; i < SUFFIXES; i++) {
        char *path =
            xasprintf("%s/%s%s", directory, name, has_suffix(name, suffixes[i]) ? "" : suffixes[i]);
        if (file_exists(path))
            return path;
        free(path);
    }
    return NULL;
}

static const char *kind_name(enum scene_kind kind)
{
    return kind == SCENE_SCENES ? "scene" : "character";
}

/* Names those that there are, or else where they would be looked for. */
static void say_not_found(enum scene_kind kind, const char *name, const struct places *places,
                          struct error *error)
{
    struct strbuf text = {0};
    struct scene_list list;
    scene_list(kind, &list);
    strbuf_puts(&text, list.count > 0 ? "there are " : "no .ini, .json or .png in ");
    for (size_t i = 0; i < list.count; i++)
        strbuf_printf(&text, "%s%s", i > 0 ? ", " : "", list.items[i].name);
    for (size_t i = 0; i < places->count && list.count == 0; i++)
        strbuf_printf(&text, "%s%s", i > 0 ? ", " : "", places->directories[i]);
    error_set(error, ERROR_INPUT, "%s %s: not found; %s", kind_name(kind), name,
              strbuf_text(&text));
    scene_list_free(&list);
    strbuf_free(&text);
}

/* `beside` (may be NULL) is a file in whose directory is looked first. */
static char *find_file(enum scene_kind kind, const char *name, const char *beside,
                       struct error *error)
{
    struct places places;
    char *found = NULL;
    if (!scene_file_name_ok(name)) {
        error_set(error, ERROR_INPUT,
                  "%s: a name is letters, digits, '.', '_' and '-'; a path has a '/'",
                  kind_name(kind));
        return NULL;
    }
    if (beside != NULL && strchr(beside, '/') != NULL) {
        char *directory = xstrndup(beside, (size_t)(strrchr(beside, '/') - beside));
        found = look_in(directory, name);
        free(directory);
    }
    find_places(kind, &places);
    for (size_t i = 0; i < places.count && found == NULL; i++)
        found = look_in(places.directories[i], name);
    if (found == NULL)
        say_not_found(kind, name, &places, error);
    places_free(&places);
    return found;
}

/* --- opening ---------------------------------------------------------------------------------- */

/* A scene's file names characters of its own directory or of the places, never a path. */
static int find_character(struct scene *scene, const char *file, const char *beside,
                          struct error *error)
{
    char *path = find_file(SCENE_CHARACTERS, file, beside, error);
    if (path == NULL)
        return -1;
    int result = scene_add_file(scene, path, error);
    free(path);
    return result;
}

int scene_add_file(struct scene *scene, const char *name, struct error *error)
{
    if (strchr(name, '/') == NULL)
        return find_character(scene, name, NULL, error);
    if (has_suffix(name, ".ini"))
        return scene_read_character_ini(scene, name, error);
    struct card *card = card_open(name, error);
    if (card == NULL)
        return -1;
    return scene_add_card(scene, card, error) == 0 ? 0 : error_prefix(error, "%s", name);
}

static struct scene *open_ini(const char *path, struct error *error)
{
    struct scene *scene = scene_create();
    if (scene_read_ini(scene, path, find_character, error) == 0)
        return scene;
    scene_free(scene);
    return NULL;
}

static struct scene *open_card(const char *path, struct error *error)
{
    struct card *card = card_open(path, error);
    struct scene *scene = card != NULL ? scene_from_card(card, error) : NULL;
    if (card != NULL && scene == NULL)
        error_prefix(error, "%s", path);
    return scene;
}

static struct scene *open_json(const char *path, struct error *error)
{
    struct strbuf text = {0};
    struct scene *scene = NULL;
    if (file_read_regular(path, CARD_BYTES_MAX, &text, error) == 0)
        scene = scene_json_is(strbuf_text(&text), text.length)
                    ? scene_parse(text.data, text.length, path, error)
                    : open_card(path, error);
    strbuf_free(&text);
    return scene;
}

static struct scene *open_path(const char *path, struct error *error)
{
    struct scene *scene = has_suffix(path, ".ini")    ? open_ini(path, error)
                          : has_suffix(path, ".json") ? open_json(path, error)
                                                      : open_card(path, error);
    if (scene == NULL)
        return NULL;
    const char *base = path_base(path);
    const char *dot = strrchr(base, '.');
    char *name = xstrndup(base, dot != NULL && dot != base ? (size_t)(dot - base) : strlen(base));
    scene_put(&scene->name, name);
    if (scene->title[0] == '\0')
        scene_put(&scene->title, name);
    free(name);
    return scene;
}

struct scene *scene_open(const char *name, struct error *error)
{
    char *path =
        strchr(name, '/') != NULL ? xstrdup(name) : find_file(SCENE_SCENES, name, NULL, error);
    struct scene *scene = path != NULL ? open_path(path, error) : NULL;
    free(path);
    return scene;
}

/* --- saving ----------------------------------------------------------------------------------- */

int scene_save(struct scene *scene, const char *name, bool replace, struct error *error)
{
    if (!scene_file_name_ok(name) || strchr(name, '.') != NULL)
        return error_set(error, ERROR_INPUT, "scene: a name is letters, digits, '_' and '-'");
    char *directory = user_directory(SCENE_SCENES);
    char *path = xasprintf("%s/%s.json", directory, name);
    struct strbuf text = {0};
    char *before = xstrdup(scene->name);
    scene_put(&scene->name, name);
    scene_write(scene, &text);
    int result = directory_make(directory, error);
    if (result == 0)
        result = card_write_file(path, &text, replace, error);
    if (result != 0)
        scene_put(&scene->name, before);
    free(before);
    strbuf_free(&text);
    free(path);
    free(directory);
    return result;
}

/* --- listing ---------------------------------------------------------------------------------- */

static bool listed(const struct scene_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].name, name) == 0)
            return true;
    return false;
}

/* NULL when the file is no scene or character. */
static char *file_title(const char *path)
{
    if (has_suffix(path, ".ini"))
        return scene_ini_title(path);
    struct scene *scene = open_path(path, NULL);
    char *title = scene != NULL ? xstrdup(scene->title) : NULL;
    scene_free(scene);
    return title;
}

static void list_file(struct scene_list *list, const char *directory, const char *file,
                      const char *suffix)
{
    char *name = xstrndup(file, strlen(file) - strlen(suffix));
    char *path = path_join(directory, file);
    char *title = NULL;
    if (!listed(list, name) && file_exists(path))
        title = file_title(path);
    if (title == NULL) {
        free(name);
        free(path);
        return;
    }
    list->items = xreallocarray(list->items, list->count + 1, sizeof *list->items);
    list->items[list->count++] = (struct scene_entry){name, path, title};
}

/* In the order in which a name is looked for, so that each name lists the file that it opens. */
static void list_place(struct scene_list *list, const char *directory)
{
    DIR *open = opendir(directory);
    if (open == NULL)
        return;
    for (size_t i = 0; i < SUFFIXES; i++) {
        rewinddir(open);
        for (const struct dirent *entry; (entry = readdir(open)) != NULL;)
            if (has_suffix(entry->d_name, suffixes[i]) && scene_file_name_ok(entry->d_name))
                list_file(list, directory, entry->d_name, suffixes[i]);
    }
    closedir(open);
}

static int by_name(const void *a, const void *b)
{
    const struct scene_entry *x = a, *y = b;
    return strcmp(x->name, y->name);
}

void scene_list(enum scene_kind kind, struct scene_list *out)
{
    struct places places;
    *out = (struct scene_list){0};
    find_places(kind, &places);
    for (size_t i = 0; i < places.count; i++)
        list_place(out, places.directories[i]);
    places_free(&places);
    if (out->count > 0)
        qsort(out->items, out->count, sizeof *out->items, by_name);
}

void scene_list_free(struct scene_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].name);
        free(list->items[i].path);
        free(list->items[i].title);
    }
    free(list->items);
    *list = (struct scene_list){0};
}
