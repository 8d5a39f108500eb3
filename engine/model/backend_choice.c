#include "engine/model/backend_choice.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/model/fields.h"
#include "kernels/plugin.h"

#define PLUGIN "airo-cuda.so"

int backend_choice_check(const char *device, struct error *error)
{
    char shown[PRINTABLE_BYTES];
    if (device == NULL || strcmp(device, "auto") == 0 || strcmp(device, "cpu") == 0 ||
        strcmp(device, "cuda") == 0)
        return 0;
    const char *list = strncmp(device, "cuda:", 5) == 0 ? device + 5 : "";
    bool valid = list[0] != '\0' && strlen(list) < 64;
    for (size_t i = 0; list[i] != '\0'; i++) {
        bool digit = list[i] >= '0' && list[i] <= '9';
        bool comma = list[i] == ',' && i > 0 && list[i - 1] != ',' && list[i + 1] != '\0';
        valid = valid && (digit || comma);
    }
    if (valid)
        return 0;
    return error_set(error, ERROR_INPUT,
                     "device = %s: must be auto, cpu, cuda, or cuda: and the numbers of GPUs "
                     "(cuda:0,1)",
                     printable(device, shown));
}

bool backend_choice_is_auto(const char *device)
{
    return device == NULL || strcmp(device, "auto") == 0;
}

/* Device files of NVIDIA's driver, on Linux and in WSL; asking CUDA itself takes a while. */
static bool gpu_is_there(void)
{
    return access("/dev/nvidiactl", F_OK) == 0 ||
           access("/proc/driver/nvidia/version", F_OK) == 0 || access("/dev/dxg", F_OK) == 0;
}

/* The first place that has the file; where it would be when there is none. */
static char *find_plugin(bool *found)
{
    const char *named = getenv("AIRO_CUDA");
    if (named != NULL && named[0] != '\0') {
        *found = true; /* or a message that names it */
        return xstrdup(named);
    }
    char *program = program_directory();
    const char *at = program != NULL ? program : ".";
    char *places[] = {path_join(at, PLUGIN), path_join(at, "../lib/airo/" PLUGIN),
                      xstrdup(AIRO_PREFIX "/lib/airo/" PLUGIN)};
    const size_t count = sizeof places / sizeof places[0];
    size_t chosen = 0;
    free(program);
    while (chosen < count && !file_exists(places[chosen]))
        chosen++;
    *found = chosen < count;
    char *path = xstrdup(places[*found ? chosen : 0]);
    for (size_t i = 0; i < count; i++)
        free(places[i]);
    return path;
}

bool backend_choice_has_plugin(void)
{
    bool found;
    free(find_plugin(&found));
    return found;
}

/* Either of the plug-in's tables; the other is not asked for. */
struct tables {
    const struct backend_ops *backend;
    const struct dense_ops *dense;
};

static bool open_tables(struct tables *tables, bool dense, const char *path,
                        struct backend_error *reason)
{
    if (dense)
        tables->dense = plugin_open_dense(path, reason);
    else
        tables->backend = plugin_open(path, reason);
    return tables->dense != NULL || tables->backend != NULL;
}

static int choose_cuda(struct tables *tables, bool dense, bool required, char *notice,
                       struct error *error)
{
    const char *named = getenv("AIRO_CUDA");
    bool found;
    struct backend_error reason = {0};
    if (!required && (named == NULL || named[0] == '\0') && !gpu_is_there())
        return 0;
    char *path = find_plugin(&found);
    bool opened = found && open_tables(tables, dense, path, &reason);
    if (!found)
        snprintf(reason.message, sizeof reason.message,
                 "this airo was built without CUDA (no " PLUGIN " beside it or in " AIRO_PREFIX
                 "/lib/airo)");
    free(path);
    if (!opened && required)
        return error_set(error, ERROR_UNSUPPORTED, "device = cuda: %s", reason.message);
    if (!opened)
        snprintf(notice, NOTICE_BYTES, "the GPU is not used: %s", reason.message);
    return 0;
}

static int choose(struct tables *tables, bool dense, const char *device, char *notice,
                  struct error *error)
{
    notice[0] = '\0';
    if (backend_choice_check(device, error) != 0)
        return -1;
    if (device != NULL && strcmp(device, "cpu") == 0)
        return 0;
    return choose_cuda(tables, dense, !backend_choice_is_auto(device), notice, error);
}

int backend_choose(const struct backend_ops **out, const char *device, char *notice,
                   struct error *error)
{
    struct tables tables = {NULL, NULL};
    int result = choose(&tables, false, device, notice, error);
    *out = tables.backend != NULL ? tables.backend : backend_cpu();
    return result;
}

int backend_choose_dense(const struct dense_ops **out, const char *device, char *notice,
                         struct error *error)
{
    struct tables tables = {NULL, NULL};
    int result = choose(&tables, true, device, notice, error);
    *out = tables.dense;
    return result;
}
