#include "engine/model/model.h"

#include <ctype.h>
#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/model/fields.h"

#define DEFAULT_MODEL "vaquita"

/* A search: the directories tried so far, for the message when none has the model. */
struct search {
    struct strbuf tried;
};

/* Takes `directory` over; returns it when it holds a model, or notes it and frees it. */
static char *try_directory(struct search *search, char *directory)
{
    char *config = path_join(directory, "config.json");
    bool found = file_exists(config);
    free(config);
    if (found)
        return directory;
    strbuf_printf(&search->tried, "%s%s", search->tried.length > 0 ? ", " : "", directory);
    free(directory);
    return NULL;
}

/* One part of a name: letters, digits, '.', '_' and '-', not beginning with '.' or '-'. */
static bool part_allowed(const char *part, size_t length)
{
    if (length == 0 || length > 96 || part[0] == '.' || part[0] == '-')
        return false;
    for (size_t i = 0; i < length; i++) {
        unsigned char byte = (unsigned char)part[i];
        if (byte >= 128 || (!isalnum(byte) && strchr("._-", byte) == NULL))
            return false;
        if (i > 0 && part[i] == '.' && part[i - 1] == '.')
            return false;
    }
    return true;
}

/* NAME, or ORG/NAME when `parts` is 2. */
static bool name_allowed(const char *name, int parts)
{
    const char *slash = strchr(name, '/');
    if (parts == 1)
        return slash == NULL && part_allowed(name, strlen(name));
    return slash != NULL && strchr(slash + 1, '/') == NULL &&
           part_allowed(name, (size_t)(slash - name)) && part_allowed(slash + 1, strlen(slash + 1));
}

/* Beside the program: a build directory's ../models, or an installation's ../share/airo/models. */
static char *find_beside_program(struct search *search, const char *name)
{
    static const char *const places[] = {"../models", "../share/airo/models"};
    char *program = program_directory();
    char *found = NULL;
    for (size_t i = 0; program != NULL && found == NULL && i < 2; i++)
        found = try_directory(search, xasprintf("%s/%s/%s", program, places[i], name));
    free(program);
    return found;
}

static char *find_by_name(struct search *search, const char *name)
{
    char *found = find_beside_program(search, name);
    if (found == NULL)
        found = try_directory(search, xasprintf("models/%s", name));
    if (found == NULL)
        found = try_directory(search, xasprintf("%s/share/airo/models/%s", AIRO_PREFIX, name));
    if (found == NULL) {
        char *data = xdg_directory("data");
        found = try_directory(search, xasprintf("%s/models/%s", data, name));
        free(data);
    }
    return found;
}

/* Where the hub's own tools keep what they download: HF_HUB_CACHE, HF_HOME/hub, or the cache
 * directory's huggingface/hub. */
static char *hub_directory(void)
{
    const char *cache = getenv("HF_HUB_CACHE"), *home = getenv("HF_HOME");
    if (cache != NULL && cache[0] == '/')
        return xstrdup(cache);
    if (home != NULL && home[0] == '/')
        return path_join(home, "hub");
    const char *xdg = getenv("XDG_CACHE_HOME"), *user = getenv("HOME");
    if (xdg != NULL && xdg[0] == '/')
        return path_join(xdg, "huggingface/hub");
    return xasprintf("%s/.cache/huggingface/hub", user != NULL ? user : "/tmp");
}

/* The snapshot that refs/main names, or NULL. */
static char *main_snapshot(const char *repository)
{
    char *path = path_join(repository, "refs/main");
    struct strbuf text = {0};
    char *found = NULL;
    if (file_exists(path) && file_read(path, 256, &text, NULL) == 0) {
        while (text.length > 0 && isspace((unsigned char)text.data[text.length - 1]))
            text.data[--text.length] = '\0';
        if (name_allowed(strbuf_text(&text), 1))
            found = xasprintf("%s/snapshots/%s", repository, strbuf_text(&text));
    }
    strbuf_free(&text);
    free(path);
    return found;
}

/* The snapshot changed last, or NULL. */
static char *latest_snapshot(const char *repository)
{
    char *snapshots = path_join(repository, "snapshots");
    DIR *stream = opendir(snapshots);
    char *found = NULL;
    time_t newest = 0;
    for (struct dirent *at = stream ? readdir(stream) : NULL; at != NULL; at = readdir(stream)) {
        char *path = path_join(snapshots, at->d_name);
        struct stat status;
        if (at->d_name[0] != '.' && stat(path, &status) == 0 && S_ISDIR(status.st_mode) &&
            (found == NULL || status.st_mtime > newest)) {
            newest = status.st_mtime;
            free(found);
            found = path;
            path = NULL;
        }
        free(path);
    }
    if (stream != NULL)
        closedir(stream);
    free(snapshots);
    return found;
}

static char *find_in_hub(struct search *search, const char *name)
{
    char *hub = hub_directory();
    const char *slash = strchr(name, '/');
    char *repository = xasprintf("%s/models--%.*s--%s", hub, (int)(slash - name), name, slash + 1);
    char *snapshot = main_snapshot(repository);
    char *found = snapshot != NULL ? try_directory(search, snapshot) : NULL;
    if (found == NULL && (snapshot = latest_snapshot(repository)) != NULL)
        found = try_directory(search, snapshot);
    if (found == NULL)
        found = try_directory(search, xstrdup(repository));
    free(repository);
    free(hub);
    return found;
}

/* A path is taken as one first; then a plain name, or ORG/NAME, is looked up. */
static char *find_given(struct search *search, const char *name)
{
    char *found = name[0] != '\0' ? try_directory(search, xstrdup(name)) : NULL;
    if (found == NULL && name_allowed(name, 1))
        found = find_by_name(search, name);
    if (found == NULL && name_allowed(name, 2)) {
        found = find_by_name(search, name);
        if (found == NULL)
            found = find_in_hub(search, name);
    }
    return found;
}

/* Names come from people and environment: a line break in one must not break the line. */
static void not_found(const char *name, struct search *search, struct error *error)
{
    char shown[PRINTABLE_BYTES];
    for (size_t i = 0; i < search->tried.length; i++) {
        if (iscntrl((unsigned char)search->tried.data[i]))
            search->tried.data[i] = '?';
    }
    error_set(error, ERROR_INPUT, "model '%s': no config.json in %s", printable(name, shown),
              search->tried.length > 0 ? search->tried.data : "any model directory");
}

char *model_find(const char *name, struct error *error)
{
    struct search search = {0};
    char *found = name != NULL ? find_given(&search, name) : find_by_name(&search, DEFAULT_MODEL);
    if (found == NULL)
        not_found(name != NULL ? name : DEFAULT_MODEL, &search, error);
    strbuf_free(&search.tried);
    return found;
}
