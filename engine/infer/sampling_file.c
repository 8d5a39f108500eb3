#include "engine/infer/sampling_file.h"

#include <stddef.h>
#include <stdlib.h>

#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/model/fields.h"

#define FILE_BYTES_MAX (1u << 20)

static const struct {
    const char *name;
    double min, max;
    size_t offset;
} number_fields[] = {
    {"temperature", 0, 10, offsetof(struct sampling, temperature)},
    {"top_p", 0, 1, offsetof(struct sampling, top_p)},
    {"min_p", 0, 1, offsetof(struct sampling, min_p)},
    {"typical_p", 0, 1, offsetof(struct sampling, typical_p)},
    {"repetition_penalty", 0.01, 10, offsetof(struct sampling, repeat_penalty)},
};

static int read_fields(struct sampling *sampling, const struct fields *fields, struct error *error)
{
    for (size_t i = 0; i < sizeof number_fields / sizeof number_fields[0]; i++) {
        float *to = (float *)(void *)((char *)sampling + number_fields[i].offset);
        double value = *to;
        if (field_number(fields, number_fields[i].name, number_fields[i].min, number_fields[i].max,
                         &value, error) != 0)
            return -1;
        *to = (float)value;
    }
    bool do_sample = true;
    if (field_uint(fields, "top_k", 0, 1u << 20, &sampling->top_k, error) != 0 ||
        field_bool(fields, "do_sample", &do_sample, error) != 0)
        return -1;
    if (!do_sample)
        sampling->temperature = 0;
    return 0;
}

int sampling_read(struct sampling *sampling, const char *directory, struct error *error)
{
    char *path = path_join(directory, "generation_config.json");
    int result = 0;
    if (file_exists(path)) {
        json_t *root = json_read(path, FILE_BYTES_MAX, error);
        struct sampling read = *sampling;
        if (root != NULL && !json_is_object(root))
            result = error_set(error, ERROR_INPUT, "%s: not a JSON object", path);
        else
            result =
                root == NULL
                    ? -1
                    : read_fields(&read, &(struct fields){.object = root, .source = path}, error);
        if (result == 0)
            *sampling = read;
        json_decref(root);
    }
    free(path);
    return result;
}
