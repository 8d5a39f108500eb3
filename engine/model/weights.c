#include "engine/model/weights.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/model/gptq.h"
#include "engine/model/tensor_expect.h"

/* Indexed by enum linear_slot. */
static const char *const linear_names[] = {
    [LINEAR_Q] = "self_attn.q_proj", [LINEAR_K] = "self_attn.k_proj",
    [LINEAR_V] = "self_attn.v_proj", [LINEAR_O] = "self_attn.o_proj",
    [LINEAR_GATE] = "mlp.gate_proj", [LINEAR_UP] = "mlp.up_proj",
    [LINEAR_DOWN] = "mlp.down_proj",
};

void weights_linear_name(char *out, uint32_t layer, enum linear_slot slot, const char *part)
{
    snprintf(out, WEIGHT_NAME_BYTES, "model.layers.%u.%s%s", layer, linear_names[slot], part);
}

static void linear_size(const struct model_config *config, enum linear_slot slot, uint32_t *in,
                        uint32_t *out)
{
    uint32_t query = config->heads * config->head_dim;
    uint32_t key = config->kv_heads * config->head_dim;
    const uint32_t sizes[LINEAR_SLOTS][2] = {
        [LINEAR_Q] = {config->hidden, query},
        [LINEAR_K] = {config->hidden, key},
        [LINEAR_V] = {config->hidden, key},
        [LINEAR_O] = {query, config->hidden},
        [LINEAR_GATE] = {config->hidden, config->ffn},
        [LINEAR_UP] = {config->hidden, config->ffn},
        [LINEAR_DOWN] = {config->ffn, config->hidden},
    };
    *in = sizes[slot][0];
    *out = sizes[slot][1];
}

static enum backend_dtype backend_dtype_of(enum tensor_dtype dtype)
{
    return dtype == TENSOR_F32 ? BACKEND_F32 : dtype == TENSOR_F16 ? BACKEND_F16 : BACKEND_BF16;
}

uint64_t backend_tensor_bytes(const struct backend_tensor *tensor)
{
    uint64_t element = tensor->dtype == BACKEND_F32 ? 4 : 2;
    return tensor->data != NULL ? element * tensor->rows * tensor->cols : 0;
}

static int need_vector(struct backend_tensor *out, const struct safetensors *set, const char *name,
                       uint32_t length, struct error *error)
{
    const struct tensor_view *view = tensor_need(set, name, error);
    if (view == NULL || tensor_expect_dtype(view, DTYPES_FLOAT, error) != 0 ||
        tensor_expect_vector(view, length, error) != 0)
        return -1;
    *out = (struct backend_tensor){view->data, backend_dtype_of(view->dtype), 1, length};
    return 0;
}

static int need_matrix(struct backend_tensor *out, const struct safetensors *set, const char *name,
                       uint32_t rows, uint32_t cols, struct error *error)
{
    const struct tensor_view *view = tensor_need(set, name, error);
    if (view == NULL || tensor_expect_dtype(view, DTYPES_FLOAT, error) != 0 ||
        tensor_expect_matrix(view, rows, cols, error) != 0)
        return -1;
    *out = (struct backend_tensor){view->data, backend_dtype_of(view->dtype), rows, cols};
    return 0;
}

/* A bias is used wherever there is one, and required where the configuration promises it. */
static int find_bias(struct backend_linear *linear, const struct weight_place *place,
                     enum linear_slot slot, struct error *error)
{
    char name[WEIGHT_NAME_BYTES];
    weights_linear_name(name, place->layer, slot, ".bias");
    bool promised = slot <= LINEAR_O ? place->config->attention_bias : place->config->mlp_bias;
    if (!promised && safetensors_find(place->set, name) == NULL)
        return 0;
    return need_vector(&linear->bias, place->set, name, linear->out, error);
}

/* Bytes of the parts that a layer has. */
static uint64_t parts_bytes(const struct weight_place *place, enum linear_slot slot)
{
    static const char *const parts[] = {".weight", ".qweight", ".qzeros",
                                        ".scales", ".g_idx",   ".bias"};
    uint64_t bytes = 0;
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char name[WEIGHT_NAME_BYTES];
        weights_linear_name(name, place->layer, slot, parts[i]);
        const struct tensor_view *view = safetensors_find(place->set, name);
        bytes += view != NULL ? view->bytes : 0;
    }
    return bytes;
}

int weights_linear(struct backend_linear *linear, const struct weight_place *place,
                   enum linear_slot slot, uint64_t *file_bytes, struct error *error)
{
    char prefix[WEIGHT_NAME_BYTES], dense[WEIGHT_NAME_BYTES];
    uint32_t in, out;
    weights_linear_name(prefix, place->layer, slot, "");
    weights_linear_name(dense, place->layer, slot, ".weight");
    linear_size(place->config, slot, &in, &out);
    *linear = (struct backend_linear){.in = in, .out = out};
    bool quantised = gptq_present(place->set, prefix);
    if (quantised && safetensors_find(place->set, dense) != NULL)
        return error_set(error, ERROR_INPUT, "%s: tensor %s is there beside its qweight",
                         safetensors_source(place->set), dense);
    int result = quantised
                     ? gptq_find(linear, place->set, prefix, in, out, &place->config->quant, error)
                     : need_matrix(&linear->dense, place->set, dense, out, in, error);
    if (result != 0 || find_bias(linear, place, slot, error) != 0)
        return -1;
    if (file_bytes != NULL)
        *file_bytes = parts_bytes(place, slot);
    return 0;
}

/* AutoGPTQ writes a bias of zeros for layers that have none. */
static int read_bias(struct backend_linear *linear, const struct weight_place *place,
                     enum linear_slot slot, struct error *error)
{
    char name[WEIGHT_NAME_BYTES];
    weights_linear_name(name, place->layer, slot, ".bias");
    if (linear->bias.data == NULL)
        return 0;
    const unsigned char *data = linear->bias.data;
    uint64_t bytes = backend_tensor_bytes(&linear->bias);
    unsigned char any = 0;
    for (uint64_t i = 0; i < bytes; i++)
        any |= data[i];
    if (any == 0)
        linear->bias = (struct backend_tensor){0};
    return tensor_expect_finite(safetensors_find(place->set, name), error);
}

int weights_linear_contents(struct backend_linear *linear, const struct weight_place *place,
                            enum linear_slot slot, int32_t **order, struct error *error)
{
    char prefix[WEIGHT_NAME_BYTES];
    weights_linear_name(prefix, place->layer, slot, "");
    *order = NULL;
    if (read_bias(linear, place, slot, error) != 0)
        return -1;
    if (linear->dense.data != NULL)
        return 0;
    return gptq_read_order(linear, place->set, prefix, order, error);
}

void weights_norm_name(char *out, uint32_t layer, enum norm_slot slot)
{
    if (slot == NORM_FINAL)
        snprintf(out, WEIGHT_NAME_BYTES, "model.norm.weight");
    else
        snprintf(out, WEIGHT_NAME_BYTES, "model.layers.%u.%s_layernorm.weight", layer,
                 slot == NORM_ATTENTION ? "input" : "post_attention");
}

int weights_norm(struct backend_tensor *weight, const struct weight_place *place,
                 enum norm_slot slot, struct error *error)
{
    char name[WEIGHT_NAME_BYTES];
    weights_norm_name(name, place->layer, slot);
    if (need_vector(weight, place->set, name, place->config->hidden, error) != 0)
        return -1;
    return tensor_expect_finite(safetensors_find(place->set, name), error);
}

int weights_table(struct backend_tensor *weight, const struct weight_place *place,
                  enum table_slot slot, struct error *error)
{
    const struct model_config *config = place->config;
    bool embed = slot == TABLE_EMBED || config->tied_embeddings;
    const char *name = embed ? "model.embed_tokens.weight" : "lm_head.weight";
    if (need_matrix(weight, place->set, name, config->vocab, config->hidden, error) == 0)
        return 0;
    if (!embed && safetensors_find(place->set, name) == NULL)
        return error_set(error, ERROR_INPUT,
                         "%s: tensor %s is missing, and config.json does not set "
                         "tie_word_embeddings",
                         safetensors_source(place->set), name);
    return -1;
}

static int check_layer(const struct weight_place *place, struct error *error)
{
    struct backend_tensor weight;
    struct backend_linear linear;
    for (int slot = 0; slot < LINEAR_SLOTS; slot++) {
        if (weights_linear(&linear, place, (enum linear_slot)slot, NULL, error) != 0)
            return -1;
    }
    if (weights_norm(&weight, place, NORM_ATTENTION, error) != 0)
        return -1;
    return weights_norm(&weight, place, NORM_MLP, error);
}

int weights_check(const struct safetensors *set, const struct model_config *config,
                  struct error *error)
{
    struct weight_place place = {set, config, 0};
    struct backend_tensor weight;
    if (weights_table(&weight, &place, TABLE_EMBED, error) != 0 ||
        weights_table(&weight, &place, TABLE_HEAD, error) != 0 ||
        weights_norm(&weight, &place, NORM_FINAL, error) != 0)
        return -1;
    for (; place.layer < config->layers; place.layer++) {
        if (check_layer(&place, error) != 0)
            return -1;
    }
    char name[WEIGHT_NAME_BYTES];
    weights_norm_name(name, place.layer, NORM_ATTENTION);
    if (safetensors_find(set, name) != NULL)
        return error_set(error, ERROR_INPUT,
                         "%s: tensor %s is there, but num_hidden_layers in config.json is %u",
                         safetensors_source(set), name, config->layers);
    return 0;
}
