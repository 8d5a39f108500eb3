#include "engine/model/config.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/model/config_quant.h"
#include "engine/model/config_rope.h"
#include "engine/model/fields.h"

#define CONFIG_BYTES_MAX (4u << 20)

/* The bounds table. A field that is not required keeps the default set before the table is run. */
static const struct dimension {
    const char *name;
    size_t offset;
    uint32_t min, max;
    bool required;
} dimensions[] = {
    {"num_hidden_layers", offsetof(struct model_config, layers), 1, 512, true},
    {"hidden_size", offsetof(struct model_config, hidden), 8, 1u << 17, true},
    {"num_attention_heads", offsetof(struct model_config, heads), 1, 1024, true},
    {"num_key_value_heads", offsetof(struct model_config, kv_heads), 1, 1024, false},
    {"head_dim", offsetof(struct model_config, head_dim), 8, 1024, false},
    {"intermediate_size", offsetof(struct model_config, ffn), 8, 1u << 20, true},
    {"vocab_size", offsetof(struct model_config, vocab), 1, 1u << 20, true},
    {"max_position_embeddings", offsetof(struct model_config, context), 1, POSITIONS_MAX, false},
};

/* Architectures whose decoder is Llama's, tensor for tensor. */
static int check_architecture(const struct fields *file, struct error *error)
{
    const char *type = NULL;
    if (field_string(file, "model_type", &type, error) != 0)
        return -1;
    if (type == NULL) {
        const json_t *list = json_object_get(file->object, "architectures");
        const char *first = json_string_value(json_array_get(list, 0));
        if (first == NULL)
            return field_required(file, "model_type", error);
        if (strcasecmp(first, "LlamaForCausalLM") != 0)
            return field_wrong(file, "architectures", "LlamaForCausalLM", error);
        return 0;
    }
    if (strcmp(type, "llama") != 0 && strcmp(type, "mistral") != 0)
        return field_wrong(file, "model_type", "llama, or mistral without a sliding window", error);
    if (strcmp(type, "mistral") == 0 && field_present(file, "sliding_window"))
        return field_wrong(file, "sliding_window", "null: windowed attention is not supported",
                           error);
    return 0;
}

static int check_variant(const struct fields *file, struct error *error)
{
    const char *activation = "silu";
    double rotary = 1.0;
    if (field_string(file, "hidden_act", &activation, error) != 0 ||
        field_number(file, "partial_rotary_factor", 0.0, 1.0, &rotary, error) != 0)
        return -1;
    if (strcmp(activation, "silu") != 0 && strcmp(activation, "swish") != 0)
        return field_wrong(file, "hidden_act", "silu", error);
    if (rotary < 1.0)
        return field_wrong(file, "partial_rotary_factor", "1", error);
    return 0;
}

/* kv_heads and head_dim follow from the others where the file leaves them out. */
static int check_heads(struct model_config *config, const struct fields *file, struct error *error)
{
    if (config->kv_heads == 0)
        config->kv_heads = config->heads;
    if (config->heads % config->kv_heads != 0)
        return error_set(error, ERROR_INPUT,
                         "%s: num_key_value_heads %u does not divide num_attention_heads %u",
                         file->source, config->kv_heads, config->heads);
    if (config->head_dim == 0 && config->hidden % config->heads != 0)
        return error_set(error, ERROR_INPUT,
                         "%s: num_attention_heads %u does not divide hidden_size %u", file->source,
                         config->heads, config->hidden);
    if (config->head_dim == 0)
        config->head_dim = config->hidden / config->heads;
    if (config->head_dim < 8 || config->head_dim > 1024 || config->head_dim % 2 != 0)
        return error_set(error, ERROR_INPUT,
                         "%s: head_dim (or hidden_size / num_attention_heads) is %u; must be an "
                         "even number from 8 to 1024",
                         file->source, config->head_dim);
    return 0;
}

static int read_dimensions(struct model_config *config, const struct fields *file,
                           struct error *error)
{
    config->context = 2048; /* the library's default, and that of the first Llama files */
    for (size_t i = 0; i < sizeof dimensions / sizeof dimensions[0]; i++) {
        const struct dimension *at = &dimensions[i];
        uint32_t *out = (uint32_t *)(void *)((char *)config + at->offset);
        if ((at->required && field_required(file, at->name, error) != 0) ||
            field_uint(file, at->name, at->min, at->max, out, error) != 0)
            return -1;
    }
    return check_heads(config, file, error);
}

/* An id, a list of them (the first counts), null or -1: none. */
static int read_id(const struct fields *file, const char *name, uint32_t vocab, int32_t *id,
                   struct error *error)
{
    const json_t *value = json_object_get(file->object, name);
    *id = -1;
    if (json_is_array(value) && json_array_size(value) > 0)
        value = json_array_get(value, 0);
    if (value == NULL || json_is_null(value))
        return 0;
    json_int_t number = json_integer_value(value);
    if (!json_is_integer(value) || number < -1 || number >= (json_int_t)vocab)
        return field_wrong(file, name, "a token id below vocab_size", error);
    *id = (int32_t)number;
    return 0;
}

static int read_rest(struct model_config *config, const struct fields *file, struct error *error)
{
    double eps = 1e-6;
    if (field_number(file, "rms_norm_eps", 1e-12, 0.1, &eps, error) != 0 ||
        field_bool(file, "tie_word_embeddings", &config->tied_embeddings, error) != 0 ||
        field_bool(file, "attention_bias", &config->attention_bias, error) != 0 ||
        field_bool(file, "mlp_bias", &config->mlp_bias, error) != 0 ||
        read_id(file, "bos_token_id", config->vocab, &config->bos_id, error) != 0 ||
        read_id(file, "eos_token_id", config->vocab, &config->eos_id, error) != 0)
        return -1;
    config->norm_eps = (float)eps;
    return 0;
}

static int read_rope(struct model_config *config, const struct fields *file,
                     const struct rope_override *override, struct error *error)
{
    uint32_t max_positions = config->context;
    if (rope_config_read(&config->rope, file, max_positions, error) != 0 ||
        rope_config_override(&config->rope, override, file->source, error) != 0)
        return -1;
    return rope_config_resolve(&config->rope, max_positions, &config->context, file->source, error);
}

static int read_all(struct model_config *config, const struct fields *file, const char *directory,
                    const struct rope_override *override, struct error *error)
{
    if (!json_is_object(file->object))
        return error_set(error, ERROR_INPUT, "%s: is not a JSON object", file->source);
    if (check_architecture(file, error) != 0 || check_variant(file, error) != 0 ||
        read_dimensions(config, file, error) != 0 || read_rest(config, file, error) != 0 ||
        read_rope(config, file, override, error) != 0 ||
        quant_config_read(&config->quant, file, directory, error) != 0)
        return -1;
    return 0;
}

int model_config_read(struct model_config *config, const char *directory,
                      const struct rope_override *override, struct error *error)
{
    struct model_config read = {0};
    char *path = path_join(directory, "config.json");
    json_t *json = NULL;
    int result = -1;
    if (!file_exists(path)) /* a pipe would be waited for */
        error_set(error, ERROR_INPUT, "%s: no such file, or not a regular one", path);
    else
        json = json_read(path, CONFIG_BYTES_MAX, error);
    if (json != NULL) {
        struct fields file = {json, path};
        result = read_all(&read, &file, directory, override, error);
    }
    json_decref(json);
    free(path);
    if (result == 0)
        *config = read;
    return result;
}
