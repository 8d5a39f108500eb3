#include "engine/model/config_quant.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/json.h"

#define QUANT_BYTES_MAX (4u << 20)
#define GROUP_SIZE_MAX  (1 << 20)

static int read_group_size(struct quant_config *quant, const struct fields *file,
                           struct error *error)
{
    const json_t *value = json_object_get(file->object, "group_size");
    json_int_t size = json_integer_value(value);
    if (!json_is_integer(value) || size < -1 || size > GROUP_SIZE_MAX || size == 0 ||
        (size > 0 && size % 8 != 0))
        return field_wrong(file, "group_size", "-1 or a positive multiple of 8", error);
    quant->group_size = size < 0 ? 0 : (uint32_t)size;
    return 0;
}

/* Which of the two meanings the stored zeros have. */
static int read_format(struct quant_config *quant, const struct fields *file, struct error *error)
{
    const char *method = "gptq", *format = "gptq";
    bool marlin = false;
    if (field_string(file, "quant_method", &method, error) != 0 ||
        field_string(file, "checkpoint_format", &format, error) != 0 ||
        field_bool(file, "is_marlin_format", &marlin, error) != 0)
        return -1;
    if (strcmp(method, "gptq") != 0)
        return field_wrong(file, "quant_method", "gptq", error);
    if (marlin)
        return field_wrong(file, "is_marlin_format", "false", error);
    if (strcmp(format, "gptq") != 0 && strcmp(format, "gptq_v2") != 0)
        return field_wrong(file, "checkpoint_format", "gptq or gptq_v2", error);
    quant->zero_offset = strcmp(format, "gptq") == 0 ? 1 : 0;
    return 0;
}

static int read_fields(struct quant_config *quant, const struct fields *file, struct error *error)
{
    *quant = (struct quant_config){.kind = QUANT_GPTQ, .symmetric = true};
    if (read_format(quant, file, error) != 0 || field_required(file, "bits", error) != 0 ||
        field_required(file, "group_size", error) != 0 ||
        field_uint(file, "bits", 4, 4, &quant->bits, error) != 0 ||
        read_group_size(quant, file, error) != 0 ||
        field_bool(file, "desc_act", &quant->desc_act, error) != 0 ||
        field_bool(file, "sym", &quant->symmetric, error) != 0)
        return -1;
    return 0;
}

static int read_embedded(struct quant_config *quant, const struct fields *config,
                         struct error *error)
{
    if (!field_present(config, "quantization_config"))
        return 0;
    struct fields embedded = {json_object_get(config->object, "quantization_config"), NULL};
    if (!json_is_object(embedded.object))
        return field_wrong(config, "quantization_config", "an object", error);
    char *source = xasprintf("%s: quantization_config", config->source);
    embedded.source = source;
    int result = read_fields(quant, &embedded, error);
    free(source);
    return result;
}

static int read_separate(struct quant_config *quant, const char *path, struct error *error)
{
    json_t *json = json_read(path, QUANT_BYTES_MAX, error);
    if (json == NULL)
        return -1;
    struct fields file = {json, path};
    int result = json_is_object(json)
                     ? read_fields(quant, &file, error)
                     : error_set(error, ERROR_INPUT, "%s: is not a JSON object", path);
    json_decref(json);
    return result;
}

/* Some writers put both; the one in config.json may leave out the format. */
static int merge(struct quant_config *quant, const struct quant_config *separate, const char *path,
                 struct error *error)
{
    if (quant->kind == QUANT_GPTQ && quant->group_size != separate->group_size)
        return error_set(error, ERROR_INPUT,
                         "%s: group_size is %u, but quantization_config in config.json says %u",
                         path, separate->group_size, quant->group_size);
    uint32_t offset = quant->zero_offset;
    bool v2 = quant->kind == QUANT_GPTQ && offset == 0;
    *quant = *separate;
    if (v2)
        quant->zero_offset = 0;
    return 0;
}

int quant_config_read(struct quant_config *quant, const struct fields *config,
                      const char *directory, struct error *error)
{
    *quant = (struct quant_config){.kind = QUANT_NONE};
    if (read_embedded(quant, config, error) != 0)
        return -1;
    char *path = path_join(directory, "quantize_config.json");
    struct quant_config separate;
    int result = 0;
    if (file_exists(path)) {
        result = read_separate(&separate, path, error);
        if (result == 0)
            result = merge(quant, &separate, path, error);
    }
    free(path);
    return result;
}
