#include "engine/quant/quantize_files.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/model/weights.h"
#include "kernels/cpu/half.h"

#define JSON_BYTES_MAX (16u << 20)
#define COPY_BYTES_MAX (256u << 20)
#define PIECE          4096 /* elements turned into fp16 at a time */
#define EMBED_NAME     "model.embed_tokens.weight"
#define HEAD_NAME      "lm_head.weight"

/* --- the plan --------------------------------------------------------------------------------- */

static void plan_part(struct checkpoint_writer *writer, uint32_t layer, enum linear_slot slot,
                      const char *part, enum tensor_dtype dtype, uint64_t rows, uint64_t cols)
{
    char name[WEIGHT_NAME_BYTES];
    weights_linear_name(name, layer, slot, part);
    checkpoint_writer_plan(writer, name, dtype, rows, cols);
}

static void plan_linear(struct checkpoint_writer *writer, const struct weight_place *place,
                        enum linear_slot slot, uint32_t group_size)
{
    struct backend_linear linear;
    if (weights_linear(&linear, place, slot, NULL, NULL) != 0)
        return; /* it was checked */
    uint64_t in = linear.in, out = linear.out, size = group_size;
    size = size == 0 || size > in ? in : size;
    uint64_t groups = (in + size - 1) / size;
    plan_part(writer, place->layer, slot, ".qweight", TENSOR_I32, in / 8, out);
    plan_part(writer, place->layer, slot, ".qzeros", TENSOR_I32, groups, out / 8);
    plan_part(writer, place->layer, slot, ".scales", TENSOR_F16, groups, out);
    plan_part(writer, place->layer, slot, ".g_idx", TENSOR_I32, in, 0);
    plan_part(writer, place->layer, slot, ".bias", TENSOR_F16, out, 0);
}

static void plan_norm(struct checkpoint_writer *writer, const struct model_config *config,
                      uint32_t layer, enum norm_slot slot)
{
    char name[WEIGHT_NAME_BYTES];
    weights_norm_name(name, layer, slot);
    checkpoint_writer_plan(writer, name, TENSOR_F16, config->hidden, 0);
}

void quantize_plan_tensors(struct checkpoint_writer *writer, const struct quantize_input *input,
                           const struct gptq_settings *settings)
{
    const struct model_config *config = &input->config;
    struct weight_place place = {input->set, config, 0};
    checkpoint_writer_plan(writer, EMBED_NAME, TENSOR_F16, config->vocab, config->hidden);
    for (; place.layer < config->layers; place.layer++) {
        for (int slot = 0; slot < LINEAR_SLOTS; slot++)
            plan_linear(writer, &place, (enum linear_slot)slot, settings->group_size);
        plan_norm(writer, config, place.layer, NORM_ATTENTION);
        plan_norm(writer, config, place.layer, NORM_MLP);
    }
    plan_norm(writer, config, 0, NORM_FINAL);
    if (!config->tied_embeddings)
        checkpoint_writer_plan(writer, HEAD_NAME, TENSOR_F16, config->vocab, config->hidden);
}

/* --- tensors ---------------------------------------------------------------------------------- */

static uint16_t half_at(const struct backend_tensor *tensor, size_t index)
{
    const uint8_t *data = tensor->data;
    uint16_t half;
    float value;
    if (tensor->dtype == BACKEND_F32) {
        memcpy(&value, data + 4 * index, sizeof value);
        return f16_of_f32(value);
    }
    memcpy(&half, data + 2 * index, sizeof half);
    return tensor->dtype == BACKEND_F16 ? half : f16_of_f32(f32_of_bf16(half));
}

/* The tensor in fp16; NaN, infinity and what fp16 cannot hold are refused. */
static int put_half(struct checkpoint_writer *writer, const struct quantize_input *input,
                    const char *name, const struct backend_tensor *tensor, struct error *error)
{
    uint16_t piece[PIECE];
    size_t count = (size_t)tensor->rows * tensor->cols;
    for (size_t at = 0, n; at < count; at += n) {
        n = count - at < PIECE ? count - at : PIECE;
        for (size_t i = 0; i < n; i++) {
            piece[i] = half_at(tensor, at + i);
            if ((piece[i] & 0x7C00) == 0x7C00)
                return error_set(error, ERROR_INPUT,
                                 "%s: tensor %s: element %zu is not finite, or too large for fp16",
                                 safetensors_source(input->set), name, at + i);
        }
        if (checkpoint_writer_put(writer, name, piece, n * sizeof *piece, error) != 0)
            return -1;
    }
    return 0;
}

int quantize_put_table(struct checkpoint_writer *writer, const struct quantize_input *input,
                       enum table_slot slot, struct error *error)
{
    struct weight_place place = {input->set, &input->config, 0};
    struct backend_tensor table;
    if (weights_table(&table, &place, slot, error) != 0)
        return -1;
    return put_half(writer, input, slot == TABLE_EMBED ? EMBED_NAME : HEAD_NAME, &table, error);
}

int quantize_put_norm(struct checkpoint_writer *writer, const struct quantize_input *input,
                      uint32_t layer, enum norm_slot slot, struct error *error)
{
    struct weight_place place = {input->set, &input->config, layer};
    struct backend_tensor norm;
    char name[WEIGHT_NAME_BYTES];
    if (weights_norm(&norm, &place, slot, error) != 0)
        return -1;
    weights_norm_name(name, layer, slot);
    return put_half(writer, input, name, &norm, error);
}

static int put_bias(struct checkpoint_writer *writer, const struct quantize_input *input,
                    uint32_t number, enum linear_slot slot, struct error *error)
{
    struct weight_place place = {input->set, &input->config, number};
    struct backend_linear linear;
    char name[WEIGHT_NAME_BYTES];
    if (weights_linear(&linear, &place, slot, NULL, error) != 0)
        return -1;
    weights_linear_name(name, number, slot, ".bias");
    if (linear.bias.data != NULL)
        return put_half(writer, input, name, &linear.bias, error);
    uint16_t *zeros = xcalloc(linear.out, sizeof *zeros);
    int result = checkpoint_writer_put(writer, name, zeros, 2ull * linear.out, error);
    free(zeros);
    return result;
}

int quantize_put_linear(struct checkpoint_writer *writer, const struct quantize_input *input,
                        uint32_t number, enum linear_slot slot, const struct gptq_layer *layer,
                        struct error *error)
{
    uint64_t in = layer->in, out = layer->out, groups = layer->groups;
    const struct {
        const char *part;
        const void *data;
        uint64_t bytes;
    } parts[] = {
        {".qweight", layer->qweight, in / 8 * out * 4},
        {".qzeros", layer->qzeros, groups * (out / 8) * 4},
        {".scales", layer->scales, groups * out * 2},
        {".g_idx", layer->g_idx, in * 4},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        char name[WEIGHT_NAME_BYTES];
        weights_linear_name(name, number, slot, parts[i].part);
        if (checkpoint_writer_put(writer, name, parts[i].data, parts[i].bytes, error) != 0)
            return -1;
    }
    return put_bias(writer, input, number, slot, error);
}

/* --- the other files -------------------------------------------------------------------------- */

static int write_json(const char *directory, const char *name, const json_t *value,
                      struct error *error)
{
    struct strbuf text = {0};
    char *dumped = json_dumps(value, JSON_INDENT(2) | JSON_REAL_PRECISION(16));
    strbuf_printf(&text, "%s\n", dumped);
    free(dumped);
    int result = file_write_new(directory, name, text.data, text.length, error);
    strbuf_free(&text);
    return result;
}

static json_t *quantize_config(const struct gptq_settings *settings)
{
    json_int_t size = settings->group_size > 0 ? (json_int_t)settings->group_size : -1;
    return json_pack("{s:i, s:I, s:f, s:b, s:b, s:b, s:b, s:s, s:s}", "bits", 4, "group_size", size,
                     "damp_percent", settings->damp, "desc_act", settings->act_order,
                     "static_groups", settings->static_groups, "sym", settings->symmetric,
                     "true_sequential", true, "quant_method", "gptq", "checkpoint_format", "gptq");
}

/* The checkpoint's own, with what has changed. */
static int write_config(const struct quantize_options *options, const char *directory,
                        json_t *quant, struct error *error)
{
    char *path = path_join(options->checkpoint, "config.json");
    json_t *config = json_read(path, JSON_BYTES_MAX, error);
    int result = -1;
    free(path);
    if (config != NULL) {
        json_object_set_new(config, "torch_dtype", json_string("float16"));
        if (json_object_get(config, "dtype") != NULL)
            json_object_set_new(config, "dtype", json_string("float16"));
        json_object_set(config, "quantization_config", quant);
        result = write_json(directory, "config.json", config, error);
    }
    json_decref(config);
    return result;
}

static int copy_file(const char *from, const char *directory, const char *name, struct error *error)
{
    struct strbuf bytes = {0};
    char *path = path_join(from, name);
    int result = 0;
    if (file_exists(path)) {
        result = file_read_regular(path, COPY_BYTES_MAX, &bytes, error);
        if (result == 0)
            result = file_write_new(directory, name, bytes.data, bytes.length, error);
    }
    strbuf_free(&bytes);
    free(path);
    return result;
}

int quantize_write_settings(const struct quantize_options *options, const char *directory,
                            struct error *error)
{
    static const char *const copied[] = {
        "tokenizer.model",   "tokenizer.json",          "tokenizer_config.json",
        "added_tokens.json", "special_tokens_map.json", "generation_config.json",
    };
    json_t *quant = quantize_config(&options->gptq);
    int result = write_config(options, directory, quant, error);
    if (result == 0)
        result = write_json(directory, "quantize_config.json", quant, error);
    json_decref(quant);
    for (size_t i = 0; i < sizeof copied / sizeof copied[0] && result == 0; i++)
        result = copy_file(options->checkpoint, directory, copied[i], error);
    return result;
}
