#include "engine/model/safetensors.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/model/fields.h"
#include "engine/model/safetensors_header.h"

#define SHARDS_MAX      512
#define INDEX_BYTES_MAX (64u << 20)
#define WHOLE_NAME      "model.safetensors"
#define INDEX_NAME      "model.safetensors.index.json"
#define SUFFIX          ".safetensors"

struct shard {
    char *name, *path;
    struct mapped_file file;
};

struct safetensors {
    struct shard *shards;
    size_t shard_count;
    char *source;
    struct tensor_list tensors; /* sorted by name */
    uint64_t bytes;
};

static bool has_suffix(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);
    return length > tail && strcmp(text + length - tail, suffix) == 0;
}

static struct shard *find_shard(const struct safetensors *set, const char *name)
{
    for (size_t i = 0; i < set->shard_count; i++) {
        if (strcmp(set->shards[i].name, name) == 0)
            return &set->shards[i];
    }
    return NULL;
}

static int add_shard(struct safetensors *set, const char *directory, const char *name,
                     struct error *error)
{
    set->shards = xreallocarray(set->shards, set->shard_count + 1, sizeof *set->shards);
    struct shard *shard = &set->shards[set->shard_count++];
    *shard = (struct shard){xstrdup(name), path_join(directory, name), {.slot = -1}};
    if (mapped_file_open(&shard->file, shard->path, error) != 0 ||
        safetensors_read_header(&shard->file, shard->path, &set->tensors, error) != 0)
        return -1;
    return 0;
}

/* A name from the index is a plain file name in the same directory, never a path. */
static bool shard_name_allowed(const char *name)
{
    return name[0] != '.' && name[0] != '-' && strpbrk(name, "/\\") == NULL &&
           has_suffix(name, SUFFIX);
}

static int open_shards_of(struct safetensors *set, const char *directory, const char *index_path,
                          const json_t *map, struct error *error)
{
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value)
    {
        char shown[PRINTABLE_BYTES], shown_name[PRINTABLE_BYTES];
        const char *name = json_string_value(value);
        if (name == NULL || !shard_name_allowed(name))
            return error_set(error, ERROR_INPUT,
                             "%s: weight_map: %s: '%s' is not a plain *.safetensors file name",
                             index_path, printable(tensor, shown),
                             printable(name != NULL ? name : "?", shown_name));
        if (find_shard(set, name) != NULL)
            continue;
        if (set->shard_count == SHARDS_MAX)
            return error_set(error, ERROR_INPUT, "%s: weight_map names more than %d files",
                             index_path, SHARDS_MAX);
        if (add_shard(set, directory, name, error) != 0)
            return error_prefix(error, "%s: weight_map", path_base(index_path));
    }
    if (set->shard_count == 0)
        return error_set(error, ERROR_INPUT, "%s: weight_map is empty", index_path);
    return 0;
}

static int by_name(const void *left, const void *right)
{
    const struct tensor_view *a = left, *b = right;
    return strcmp(a->name, b->name);
}

static int sort_tensors(struct safetensors *set, struct error *error)
{
    struct tensor_list *list = &set->tensors;
    qsort(list->views, list->count, sizeof *list->views, by_name);
    for (size_t i = 0; i < list->count; i++) {
        char shown[PRINTABLE_BYTES];
        const struct tensor_view *view = &list->views[i];
        if (i > 0 && strcmp(view[-1].name, view->name) == 0)
            return error_set(error, ERROR_INPUT, "%s: tensor %s is in %s too", view->file,
                             printable(view->name, shown), path_base(view[-1].file));
        set->bytes += view->bytes; /* no overflow: each is part of a mapping of its own */
    }
    return 0;
}

/* Every tensor must lie where the index says. */
static int check_map(const struct safetensors *set, const char *index_path, const json_t *map,
                     struct error *error)
{
    const char *tensor;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)map, tensor, value)
    {
        char shown[PRINTABLE_BYTES], shown_name[PRINTABLE_BYTES];
        const struct tensor_view *view = safetensors_find(set, tensor);
        const char *name = json_string_value(value);
        if (view == NULL || strcmp(path_base(view->file), name) != 0)
            return error_set(error, ERROR_INPUT, "%s: weight_map: %s is not in %s", index_path,
                             printable(tensor, shown), printable(name, shown_name));
    }
    return 0;
}

static int open_index(struct safetensors *set, const char *directory, const char *index_path,
                      struct error *error)
{
    set->source = xstrdup(index_path);
    json_t *index = json_read(index_path, INDEX_BYTES_MAX, error);
    if (index == NULL)
        return -1;
    const json_t *map = json_object_get(index, "weight_map");
    int result = -1;
    if (!json_is_object(map))
        error_set(error, ERROR_INPUT, "%s: weight_map is missing or not an object", index_path);
    else if (open_shards_of(set, directory, index_path, map, error) == 0 &&
             sort_tensors(set, error) == 0)
        result = check_map(set, index_path, map, error);
    json_decref(index);
    return result;
}

/* The only regular file of the directory with this suffix: its name, to be freed, and how many
 * there are. */
static char *only_entry(const char *directory, const char *suffix, size_t *count)
{
    char *found = NULL;
    *count = 0;
    DIR *stream = opendir(directory);
    if (stream == NULL)
        return NULL;
    for (struct dirent *at = readdir(stream); at != NULL; at = readdir(stream)) {
        if (at->d_name[0] == '.' || !has_suffix(at->d_name, suffix))
            continue;
        char *path = path_join(directory, at->d_name);
        if (file_exists(path) && (*count)++ == 0)
            found = xstrdup(at->d_name);
        free(path);
    }
    closedir(stream);
    if (*count != 1) {
        free(found);
        found = NULL;
    }
    return found;
}

static int no_weights(const char *directory, size_t candidates, struct error *error)
{
    static const char *const foreign[] = {".bin", ".pt", ".pth", ".gguf", ".ckpt"};
    if (candidates > 1)
        return error_set(error, ERROR_INPUT, "%s: %zu *.safetensors files and no %s to say which",
                         directory, candidates, INDEX_NAME);
    for (size_t i = 0; i < sizeof foreign / sizeof foreign[0]; i++) {
        size_t count;
        free(only_entry(directory, foreign[i], &count));
        if (count > 0)
            return error_set(error, ERROR_UNSUPPORTED,
                             "%s: no *.safetensors file; %s weights cannot be read, convert them",
                             directory, foreign[i]);
    }
    return error_set(error, ERROR_INPUT, "%s: no *.safetensors file", directory);
}

static int open_single(struct safetensors *set, const char *directory, const char *name,
                       struct error *error)
{
    if (add_shard(set, directory, name, error) != 0)
        return -1;
    set->source = xstrdup(set->shards[0].path);
    return sort_tensors(set, error);
}

/* An index or a file under another name than the usual: GPTQ writers name files for their
 * settings. */
static int open_odd_name(struct safetensors *set, const char *directory, struct error *error)
{
    size_t count = 0;
    char *name = only_entry(directory, SUFFIX ".index.json", &count);
    int result;
    if (name != NULL) {
        char *path = path_join(directory, name);
        result = open_index(set, directory, path, error);
        free(path);
    } else {
        name = only_entry(directory, SUFFIX, &count);
        result = name != NULL ? open_single(set, directory, name, error)
                              : no_weights(directory, count, error);
    }
    free(name);
    return result;
}

int safetensors_open(struct safetensors **out, const char *directory, struct error *error)
{
    struct safetensors *set = xcalloc(1, sizeof *set);
    char *whole = path_join(directory, WHOLE_NAME);
    char *index = path_join(directory, INDEX_NAME);
    int result;
    if (file_exists(whole))
        result = open_single(set, directory, WHOLE_NAME, error);
    else if (file_exists(index))
        result = open_index(set, directory, index, error);
    else
        result = open_odd_name(set, directory, error);
    free(whole);
    free(index);
    if (result != 0) {
        safetensors_close(set);
        return -1;
    }
    *out = set;
    return 0;
}

void safetensors_close(struct safetensors *set)
{
    if (set == NULL)
        return;
    tensor_list_release(&set->tensors);
    for (size_t i = 0; i < set->shard_count; i++) {
        mapped_file_close(&set->shards[i].file);
        free(set->shards[i].name);
        free(set->shards[i].path);
    }
    free(set->shards);
    free(set->source);
    free(set);
}

const struct tensor_view *safetensors_find(const struct safetensors *set, const char *name)
{
    struct tensor_view key = {.name = name};
    return bsearch(&key, set->tensors.views, set->tensors.count, sizeof key, by_name);
}

size_t safetensors_count(const struct safetensors *set)
{
    return set->tensors.count;
}

const struct tensor_view *safetensors_at(const struct safetensors *set, size_t index)
{
    return index < set->tensors.count ? &set->tensors.views[index] : NULL;
}

uint64_t safetensors_bytes(const struct safetensors *set)
{
    return set->bytes;
}

const char *safetensors_source(const struct safetensors *set)
{
    return set->source;
}

int safetensors_check(const struct safetensors *set, struct error *error)
{
    for (size_t i = 0; i < set->shard_count; i++) {
        if (mapped_file_damaged(&set->shards[i].file))
            return error_set(error, ERROR_INPUT,
                             "%s: cut short or unreadable since it was opened; load it again",
                             set->shards[i].path);
    }
    return 0;
}

void safetensors_drop(const struct safetensors *set)
{
    for (size_t i = 0; i < set->shard_count; i++)
        mapped_file_drop(&set->shards[i].file);
}
