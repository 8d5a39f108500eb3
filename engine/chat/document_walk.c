#include "engine/chat/document_walk.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"

/* The names of a directory in byte order, hidden ones too; to be freed with free_names. */
struct names {
    char **items;
    size_t count, capacity;
};

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void free_names(struct names *names)
{
    for (size_t i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
    *names = (struct names){0};
}

static bool read_names(struct walk_handler *handler, const char *path, struct names *names)
{
    DIR *directory = opendir(path);
    const struct dirent *entry;
    if (directory == NULL)
        return handler->skip(handler->user, path, strerror(errno));
    while ((entry = readdir(directory)) != NULL && handler->entries < WALK_ENTRIES_MAX) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        handler->entries++;
        if (names->count == names->capacity) {
            names->capacity = names->capacity ? 2 * names->capacity : 32;
            names->items = xreallocarray(names->items, names->capacity, sizeof *names->items);
        }
        names->items[names->count++] = xstrdup(entry->d_name);
    }
    closedir(directory);
    if (names->count > 1)
        qsort(names->items, names->count, sizeof *names->items, by_bytes);
    return handler->entries < WALK_ENTRIES_MAX ||
           handler->skip(handler->user, path, "too many names to look at");
}

/* --- directories ------------------------------------------------------------------------------ */

static bool walk_level(struct walk_handler *handler, const char *path, size_t depth);

static bool is_link(const char *path)
{
    struct stat status;
    return lstat(path, &status) == 0 && S_ISLNK(status.st_mode);
}

static bool walk_entry(struct walk_handler *handler, const char *path, size_t depth)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return handler->skip(handler->user, path, strerror(errno));
    if (S_ISREG(status.st_mode))
        return handler->file(handler->user, path, &status);
    if (!S_ISDIR(status.st_mode))
        return handler->skip(handler->user, path, "not a regular file");
    if (is_link(path))
        return handler->skip(handler->user, path, "a link to a directory");
    if (depth >= handler->depth_max)
        return handler->skip(handler->user, path, "too many directories deep");
    return walk_level(handler, path, depth + 1);
}

static bool walk_level(struct walk_handler *handler, const char *path, size_t depth)
{
    struct names names = {0};
    bool going = read_names(handler, path, &names);
    for (size_t i = 0; i < names.count && going; i++) {
        if (names.items[i][0] == '.')
            continue;
        char *below = path_join(path, names.items[i]);
        going = walk_entry(handler, below, depth);
        free(below);
    }
    free_names(&names);
    return going && handler->entries < WALK_ENTRIES_MAX;
}

bool walk_directory(struct walk_handler *handler, const char *path)
{
    return walk_level(handler, path, 0);
}

/* --- patterns --------------------------------------------------------------------------------- */

bool walk_is_pattern(const char *spec)
{
    return strpbrk(spec, "*?[") != NULL;
}

static bool match_rest(struct walk_handler *handler, const char *path, const char *pattern,
                       size_t depth);

/* The pattern is used up: `path` is a match. */
static bool take_match(struct walk_handler *handler, const char *path)
{
    struct stat status;
    if (stat(path, &status) != 0)
        return true;
    if (S_ISREG(status.st_mode))
        return handler->file(handler->user, path, &status);
    return handler->skip(handler->user, path,
                         S_ISDIR(status.st_mode) ? "a directory" : "not a regular file");
}

static char *below(const char *path, const char *name)
{
    return path[0] == '\0' ? xstrdup(name) : path_join(path, name);
}

/* "**": the rest here, and the same again in every directory below. */
static bool match_any_depth(struct walk_handler *handler, const char *path, const char *rest,
                            size_t depth)
{
    struct names names = {0};
    bool going = match_rest(handler, path, rest, depth);
    if (going && depth < handler->depth_max)
        going = read_names(handler, path[0] == '\0' ? "." : path, &names);
    for (size_t i = 0; i < names.count && going; i++) {
        char *next = below(path, names.items[i]);
        if (names.items[i][0] != '.' && directory_exists(next) && !is_link(next))
            going = match_any_depth(handler, next, rest, depth + 1);
        free(next);
    }
    free_names(&names);
    return going && handler->entries < WALK_ENTRIES_MAX;
}

static bool match_names(struct walk_handler *handler, const char *path, const char *component,
                        const char *rest, size_t depth)
{
    struct names names = {0};
    const char *where = path[0] == '\0' ? "." : path;
    if (!directory_exists(where))
        return true;
    bool going = read_names(handler, where, &names);
    for (size_t i = 0; i < names.count && going; i++) {
        if (fnmatch(component, names.items[i], FNM_PERIOD) != 0)
            continue;
        char *next = below(path, names.items[i]);
        going = match_rest(handler, next, rest, depth);
        free(next);
    }
    free_names(&names);
    return going && handler->entries < WALK_ENTRIES_MAX;
}

static bool match_rest(struct walk_handler *handler, const char *path, const char *pattern,
                       size_t depth)
{
    pattern += strspn(pattern, "/");
    if (*pattern == '\0')
        return take_match(handler, path);
    size_t length = strcspn(pattern, "/");
    char *component = xstrndup(pattern, length), *next = NULL;
    bool going;
    if (strcmp(component, "**") == 0) {
        const char *rest = pattern + length;
        going = match_any_depth(handler, path, rest[0] != '\0' ? rest : "*", depth);
    } else if (walk_is_pattern(component)) {
        going = match_names(handler, path, component, pattern + length, depth);
    } else {
        next = below(path, component);
        going = match_rest(handler, next, pattern + length, depth);
    }
    free(component);
    free(next);
    return going;
}

bool walk_pattern(struct walk_handler *handler, const char *pattern)
{
    return match_rest(handler, pattern[0] == '/' ? "/" : "", pattern, 0);
}
