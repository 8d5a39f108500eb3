#include "tests/gpu/models.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"

#define TEXT           "tests/golden/text.txt"
#define FIRST_ORDINARY 3

int setup_open(struct model **out, const struct setup *setup, struct error *error)
{
    struct model_options options = {.context = setup->context,
                                    .kv_type = setup->kv_type,
                                    .chunk = setup->chunk,
                                    .device = setup->device,
                                    .kernels = setup->kernels};
    return model_open(out, setup->directory, &options, error);
}

static void text_tokens(const struct model *model, struct token_list *out)
{
    struct strbuf bytes = {0};
    struct error error;
    if (file_read(TEXT, 1 << 20, &bytes, &error) != 0)
        fprintf(stderr, "gpu_check: %s\n", error.message);
    else
        tokenizer_encode(model->tokenizer, bytes.data, bytes.length, true, out);
    strbuf_free(&bytes);
}

void setup_tokens(const struct model *model, bool text, size_t count, int32_t *out)
{
    struct token_list list = {0};
    uint64_t state = 88172645463325252u;
    if (text)
        text_tokens(model, &list);
    for (size_t i = 0; i < count; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        uint32_t ordinary = (uint32_t)(state >> 33) % (model->shape.vocab - FIRST_ORDINARY);
        out[i] = list.count > 0 ? list.ids[i % list.count] : (int32_t)(FIRST_ORDINARY + ordinary);
    }
    if (text && count > 0)
        out[0] = tokenizer_bos(model->tokenizer);
    token_list_free(&list);
}

/* --- made models ------------------------------------------------------------------------------ */

static const char *const made_files[] = {"config.json", "quantize_config.json", "tokenizer.model",
                                         "model.safetensors"};

void made_model_remove(const char *path)
{
    for (size_t i = 0; i < sizeof made_files / sizeof made_files[0]; i++) {
        char *file = xasprintf("%s/%s", path, made_files[i]);
        unlink(file);
        free(file);
    }
    rmdir(path);
}

static bool has_room(struct check *check, const struct made_model *made)
{
    struct statvfs info;
    double needed = 0.2e9 * made->layers + 1e9, free_bytes = 0;
    if (statvfs(check_options(check)->directory, &info) == 0)
        free_bytes = (double)info.f_bavail * (double)info.f_frsize;
    if (check_options(check)->tiny || free_bytes >= needed)
        return true;
    check_not_run(check, made->name, "%s has %.1f GB free, and the model needs %.1f GB",
                  check_options(check)->directory, free_bytes / 1e9, needed / 1e9);
    return false;
}

char *made_model_path(struct check *check, const struct made_model *made)
{
    const struct check_options *options = check_options(check);
    struct stat info;
    if (access(options->make_model, X_OK) != 0) {
        check_not_run(check, made->name, "%s is not there to make the model", options->make_model);
        return NULL;
    }
    if (!has_room(check, made))
        return NULL;
    char *path = xasprintf("%s/airo-check-%s", options->directory, made->name);
    char *weights = xasprintf("%s/model.safetensors", path);
    const char *shape =
        options->tiny ? "--hidden 128 --ffn 160 --heads 1 --vocab 4096" : "--hidden 5120";
    char *command = xasprintf("'%s' '%s' --layers %u %s --tokenizer '%s/tokenizer.model' %s",
                              options->make_model, path, made->layers, shape, options->vaquita,
                              made->act_order ? "" : "--no-act-order");
    if (stat(weights, &info) != 0 && system(command) != 0) {
        check_not_run(check, made->name, "%s failed", options->make_model);
        made_model_remove(path);
        free(path);
        path = NULL;
    }
    free(weights);
    free(command);
    return path;
}
