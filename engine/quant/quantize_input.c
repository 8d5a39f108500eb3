#include "engine/quant/quantize_input.h"

#include <stdlib.h>

#include "engine/base/alloc.h"
#include "engine/model/gptq.h"
#include "engine/model/model_plan.h"
#include "engine/model/weights.h"
#include "engine/quant/layer_run.h"

static int check_linear(const struct weight_place *place, enum linear_slot slot,
                        struct error *error)
{
    struct backend_linear linear;
    char name[WEIGHT_NAME_BYTES];
    if (weights_linear(&linear, place, slot, NULL, error) != 0)
        return -1;
    weights_linear_name(name, place->layer, slot, ".weight");
    if (linear.in % 8 != 0 || linear.out % 8 != 0)
        return error_set(error, ERROR_UNSUPPORTED,
                         "%s: tensor %s is [%u, %u]; 4 bits need multiples of 8",
                         safetensors_source(place->set), name, linear.out, linear.in);
    return 0;
}

static int check_layers(const struct quantize_input *input, struct error *error)
{
    struct weight_place place = {input->set, &input->config, 0};
    for (; place.layer < input->config.layers; place.layer++)
        for (int slot = 0; slot < LINEAR_SLOTS; slot++)
            if (check_linear(&place, (enum linear_slot)slot, error) != 0)
                return -1;
    return 0;
}

static int open_checkpoint(struct quantize_input *input, const struct quantize_options *options,
                           struct error *error)
{
    struct model_config *config = &input->config;
    const char *directory = options->checkpoint;
    if (model_config_read(config, directory, &options->rope, error) != 0 ||
        safetensors_open(&input->set, directory, error) != 0 ||
        gptq_infer(&config->quant, input->set, error) != 0)
        return -1;
    if (config->quant.kind != QUANT_NONE)
        return error_set(error, ERROR_INPUT,
                         "%s: is quantised already (GPTQ %u-bit); give a checkpoint in fp16, bf16 "
                         "or fp32",
                         directory, config->quant.bits);
    if (weights_check(input->set, config, error) != 0)
        return -1;
    return check_layers(input, error);
}

static int read_samples(struct quantize_input *input, const struct quantize_options *options,
                        struct error *error)
{
    const struct model_config *config = &input->config;
    struct tokenizer *tokenizer = NULL;
    uint32_t length = options->length;
    if (length == 0)
        length =
            config->context < QUANTIZE_LENGTH_DEFAULT ? config->context : QUANTIZE_LENGTH_DEFAULT;
    if (length > config->context)
        return error_set(error, ERROR_INPUT, "--length %u: the model supports %u tokens at most",
                         length, config->context);
    if (tokenizer_open(&tokenizer, options->checkpoint, config->vocab, error) != 0)
        return -1;
    int result = calibration_read(&input->calibration, options->calibration, tokenizer,
                                  options->samples, length, error);
    tokenizer_close(tokenizer);
    return result;
}

int quantize_input_open(struct quantize_input *input, const struct quantize_options *options,
                        struct error *error)
{
    *input = (struct quantize_input){.set = NULL};
    if (open_checkpoint(input, options, error) != 0)
        return -1;
    return read_samples(input, options, error);
}

void quantize_input_close(struct quantize_input *input)
{
    safetensors_close(input->set);
    calibration_free(&input->calibration);
}

uint32_t quantize_widest(const struct model_config *config)
{
    uint32_t widest = config->heads * config->head_dim;
    widest = widest > config->hidden ? widest : config->hidden;
    return widest > config->ffn ? widest : config->ffn;
}

/* What can be had, as the backend counts it. */
static uint64_t available(const struct model_config *config)
{
    struct backend_shape shape;
    const struct backend_options options = {.threads = 1};
    struct backend_memory memory = {.free_bytes = UINT64_MAX};
    struct backend *backend = NULL;
    model_shape(&shape, config, 1, 1);
    if (backend_cpu()->open(&backend, &shape, &options, NULL) != 0)
        return UINT64_MAX; /* opening it for the work will say why */
    backend_cpu()->memory(backend, &memory);
    backend_cpu()->close(backend);
    return memory.free_bytes;
}

/* The largest linear layer: gate, up, down, or one of attention's. */
static uint64_t solve_bytes(const struct model_config *config, uint32_t group_size,
                            unsigned threads)
{
    uint32_t query = config->heads * config->head_dim, hidden = config->hidden, ffn = config->ffn;
    const uint32_t shapes[][2] = {{hidden, query}, {query, hidden}, {hidden, ffn}, {ffn, hidden}};
    uint64_t most = 0;
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
        uint64_t bytes = gptq_solve_bytes(shapes[i][0], shapes[i][1], group_size, threads);
        most = bytes > most ? bytes : most;
    }
    return most;
}

int quantize_check_memory(const struct quantize_input *input,
                          const struct quantize_options *options, unsigned threads,
                          uint64_t dense_bytes, struct error *error)
{
    const struct model_config *config = &input->config;
    uint64_t widest = quantize_widest(config);
    uint64_t inputs = widest * widest * sizeof(double) + dense_bytes;
    uint64_t samples = layer_run_bytes(config, &input->calibration);
    uint64_t solve = solve_bytes(config, options->gptq.group_size, threads);
    uint64_t total = inputs + samples + solve, room = available(config);
    char all[32], of_samples[32], of_inputs[32], of_layer[32], there[32];
    if (total <= room)
        return 0;
    return error_set(
        error, ERROR_MEMORY,
        "%s: needs %s (%s for %u samples of %u tokens and one layer, %s for the widest "
        "inputs' matrix, %s to quantise a layer), %s free; fewer --samples or a "
        "smaller --length take less",
        options->checkpoint, format_bytes(total, all), format_bytes(samples, of_samples),
        input->calibration.samples, input->calibration.length, format_bytes(inputs, of_inputs),
        format_bytes(solve, of_layer), format_bytes(room, there));
}
