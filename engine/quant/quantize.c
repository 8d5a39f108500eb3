#include "engine/quant/quantize.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/model/backend_choice.h"
#include "engine/model/tensor_expect.h"
#include "engine/model/weights.h"
#include "engine/quant/layer_run.h"
#include "engine/quant/out_directory.h"
#include "engine/quant/quantize_files.h"
#include "engine/quant/quantize_input.h"

struct quantizing {
    const struct quantize_options *options;
    struct quantize_input input;
    struct out_directory out;
    struct checkpoint_writer *writer;
    struct dense *dense;
    struct layer_run *run;
    double *h; /* [widest, widest] */
    uint64_t done, total;
    char what[96];
    double error_squares, rounding_squares;
    uint32_t linears;
    bool stopped; /* the caller said so, once */
    struct error *error;
};

/* The layers that one stage's inputs feed. */
static const struct {
    int first; /* an enum linear_slot */
    int count;
} stages[LAYER_STAGES] = {
    [STAGE_QKV] = {LINEAR_Q, 3},
    [STAGE_O] = {LINEAR_O, 1},
    [STAGE_GATE_UP] = {LINEAR_GATE, 2},
    [STAGE_DOWN] = {LINEAR_DOWN, 1},
};

/* --- progress --------------------------------------------------------------------------------- */

static bool tell(struct quantizing *z)
{
    const struct quantize_progress progress = {z->what, z->done, z->total};
    if (!z->stopped && z->options->progress != NULL)
        z->stopped = !z->options->progress(z->options->user, &progress);
    return !z->stopped;
}

static bool stopped(void *user)
{
    return !tell(user);
}

static bool advance(void *user, uint64_t products)
{
    struct quantizing *z = user;
    z->done += products;
    return tell(z);
}

/* Products to factor [in, in], and to quantise [out, in] with it. */
static uint64_t factor_products(uint64_t in)
{
    return in * in * in / 3;
}

static uint64_t solve_products(uint64_t in, uint64_t out)
{
    return in * in / 2 * out + 64 * in * out;
}

static uint64_t layer_products(const struct quantize_input *input)
{
    struct weight_place place = {input->set, &input->config, 0};
    uint64_t products = layer_run_products(&input->config, &input->calibration);
    for (int stage = 0; stage < LAYER_STAGES; stage++)
        for (int i = 0; i < stages[stage].count; i++) {
            struct backend_linear linear;
            enum linear_slot slot = (enum linear_slot)(stages[stage].first + i);
            if (weights_linear(&linear, &place, slot, NULL, NULL) != 0)
                continue; /* it was checked */
            products += solve_products(linear.in, linear.out);
            products += i == 0 ? factor_products(linear.in) : 0;
        }
    return products;
}

static void name_work(struct quantizing *z, uint32_t layer, enum linear_slot slot)
{
    char name[WEIGHT_NAME_BYTES], skipped[32];
    weights_linear_name(name, layer, slot, "");
    int skip = snprintf(skipped, sizeof skipped, "model.layers.%u.", layer);
    snprintf(z->what, sizeof z->what, "layer %u of %u: %s", layer + 1, z->input.config.layers,
             name + skip);
}

/* --- one layer -------------------------------------------------------------------------------- */

static void count_result(struct quantizing *z, const char *name, const struct gptq_layer *layer)
{
    const struct quantize_result result = {name, layer->error, layer->rounding};
    z->error_squares += layer->error * layer->error;
    z->rounding_squares += layer->rounding * layer->rounding;
    z->linears++;
    if (z->options->result != NULL)
        z->options->result(z->options->user, &result);
}

static int do_linear(struct quantizing *z, uint32_t number, enum linear_slot slot,
                     const struct gptq_inputs *inputs)
{
    struct weight_place place = {z->input.set, &z->input.config, number};
    struct backend_linear linear;
    struct gptq_layer layer;
    char name[WEIGHT_NAME_BYTES];
    name_work(z, number, slot);
    weights_linear_name(name, number, slot, "");
    if (weights_linear(&linear, &place, slot, NULL, z->error) != 0 ||
        gptq_solve(&layer, &linear.dense, inputs, &z->options->gptq, z->dense, name, z->error) != 0)
        return -1;
    int result = layer_run_replace(z->run, slot, layer.weights, z->error);
    if (result == 0)
        result = quantize_put_linear(z->writer, &z->input, number, slot, &layer, z->error);
    if (result == 0)
        count_result(z, name, &layer);
    gptq_layer_free(&layer);
    if (result == 0 && !advance(z, solve_products(linear.in, linear.out)))
        return error_set(z->error, ERROR_CANCELLED, "stopped");
    return result;
}

static uint32_t stage_inputs(const struct model_config *config, enum layer_stage stage)
{
    return stage == STAGE_O      ? config->heads * config->head_dim
           : stage == STAGE_DOWN ? config->ffn
                                 : config->hidden;
}

static int do_stage(struct quantizing *z, uint32_t layer, enum layer_stage stage)
{
    struct gptq_inputs inputs = {.in = stage_inputs(&z->input.config, stage), .h = z->h};
    char name[WEIGHT_NAME_BYTES];
    name_work(z, layer, (enum linear_slot)stages[stage].first);
    weights_linear_name(name, layer, (enum linear_slot)stages[stage].first, "");
    memset(z->h, 0, (size_t)inputs.in * inputs.in * sizeof *z->h);
    int result = layer_run_gather(z->run, stage, &inputs, z->error);
    if (result == 0)
        result = gptq_factor(&inputs, &z->options->gptq, z->dense, name, z->error);
    if (result == 0 && !advance(z, factor_products(inputs.in)))
        result = error_set(z->error, ERROR_CANCELLED, "stopped");
    for (int i = 0; i < stages[stage].count && result == 0; i++)
        result = do_linear(z, layer, (enum linear_slot)(stages[stage].first + i), &inputs);
    gptq_inputs_free(&inputs);
    return result;
}

/* The values themselves: shapes and types were checked when it was opened. */
static int check_values(const struct quantizing *z, uint32_t layer)
{
    for (int slot = 0; slot < LINEAR_SLOTS; slot++) {
        char name[WEIGHT_NAME_BYTES];
        weights_linear_name(name, layer, (enum linear_slot)slot, ".weight");
        if (tensor_expect_finite(safetensors_find(z->input.set, name), z->error) != 0)
            return -1;
    }
    return 0;
}

static int do_layer(struct quantizing *z, uint32_t layer)
{
    if (check_values(z, layer) != 0 || layer_run_load(z->run, layer, z->error) != 0)
        return -1;
    for (int stage = 0; stage < LAYER_STAGES; stage++)
        if (do_stage(z, layer, (enum layer_stage)stage) != 0)
            return -1;
    if (layer_run_finish(z->run, z->error) != 0 ||
        quantize_put_norm(z->writer, &z->input, layer, NORM_ATTENTION, z->error) != 0 ||
        quantize_put_norm(z->writer, &z->input, layer, NORM_MLP, z->error) != 0 ||
        safetensors_check(z->input.set, z->error) != 0)
        return -1;
    safetensors_drop(z->input.set);
    return 0;
}

/* --- the whole -------------------------------------------------------------------------------- */

static void notice(void *user, const char *line)
{
    const struct quantizing *z = user;
    if (z->options->notice != NULL)
        z->options->notice(z->options->user, line);
}

/* A device that was asked for by name and is not there is an error; what only lacks memory, or is
 * there by chance, leaves the work to the CPU. */
static int attach(struct quantizing *z)
{
    const struct quantize_options *options = z->options;
    const struct dense_device_options device = {options->device, notice, z};
    struct backend_error reason = {0};
    const struct dense_ops *ops;
    char line[NOTICE_BYTES];
    if (backend_choose_dense(&ops, options->device, line, z->error) != 0)
        return -1;
    if (ops != NULL && dense_attach(z->dense, ops, &device, &reason) != 0) {
        if (!backend_choice_is_auto(options->device) && reason.code != BACKEND_NO_MEMORY)
            return error_set(z->error, ERROR_UNSUPPORTED, "device = %s: %s", options->device,
                             reason.message);
        snprintf(line, sizeof line, "the GPU is not used: %s", reason.message);
    }
    if (line[0] != '\0')
        notice(z, line);
    return 0;
}

/* With a device's share of memory, or without the device. */
static int check_memory(struct quantizing *z, size_t widest)
{
    unsigned threads = dense_threads(z->dense);
    uint64_t bytes = dense_bytes(threads, widest), more = dense_attach_bytes(widest);
    if (dense_attached(z->dense) &&
        quantize_check_memory(&z->input, z->options, threads, bytes + more, z->error) == 0)
        return 0;
    if (quantize_check_memory(&z->input, z->options, threads, bytes, z->error) != 0)
        return -1;
    if (z->error != NULL)
        *z->error = (struct error){0}; /* it fits without the GPU */
    if (dense_attached(z->dense))
        notice(z, "the GPU is not used: too little memory for its results");
    dense_detach(z->dense);
    return 0;
}

static int prepare(struct quantizing *z)
{
    const struct quantize_options *options = z->options;
    if (out_directory_init(&z->out, options->out, z->error) != 0 ||
        quantize_input_open(&z->input, options, z->error) != 0)
        return -1;
    size_t widest = quantize_widest(&z->input.config);
    z->dense = dense_open(options->threads, widest, stopped, z);
    if (z->dense == NULL)
        return error_set(z->error, ERROR_MEMORY, "%s: cannot start %u threads", options->checkpoint,
                         options->threads);
    if (attach(z) != 0 || check_memory(z, widest) != 0)
        return -1;
    z->h = alloc_large(widest * widest * sizeof *z->h, "the inputs' matrix", z->error);
    z->total = z->input.config.layers * layer_products(&z->input);
    snprintf(z->what, sizeof z->what, "reading the samples");
    return z->h != NULL ? 0 : -1;
}

static int open_run(struct quantizing *z)
{
    const struct layer_run_options options = {
        .directory = z->options->checkpoint,
        .set = z->input.set,
        .config = &z->input.config,
        .calibration = &z->input.calibration,
        .threads = z->options->threads,
        .kernels = z->options->kernels,
        .dense = z->dense,
        .advance = advance,
        .user = z,
    };
    return layer_run_open(&z->run, &options, z->error);
}

static int begin_files(struct quantizing *z)
{
    z->writer = checkpoint_writer_create("");
    quantize_plan_tensors(z->writer, &z->input, &z->options->gptq);
    uint64_t bytes = checkpoint_writer_bytes(z->writer);
    checkpoint_writer_free(z->writer);
    z->writer = NULL;
    if (out_directory_begin(&z->out, bytes, z->error) != 0)
        return -1;
    z->writer = checkpoint_writer_create(z->out.temporary);
    quantize_plan_tensors(z->writer, &z->input, &z->options->gptq);
    return checkpoint_writer_begin(z->writer, z->options->shard_bytes, z->error);
}

static int write_all(struct quantizing *z)
{
    if (quantize_put_table(z->writer, &z->input, TABLE_EMBED, z->error) != 0)
        return -1;
    for (uint32_t layer = 0; layer < z->input.config.layers; layer++)
        if (do_layer(z, layer) != 0)
            return -1;
    if (quantize_put_norm(z->writer, &z->input, 0, NORM_FINAL, z->error) != 0)
        return -1;
    if (!z->input.config.tied_embeddings &&
        quantize_put_table(z->writer, &z->input, TABLE_HEAD, z->error) != 0)
        return -1;
    if (checkpoint_writer_end(z->writer, z->error) != 0 ||
        safetensors_check(z->input.set, z->error) != 0 ||
        quantize_write_settings(z->options, z->out.temporary, z->error) != 0)
        return -1;
    return 0;
}

static void make_report(const struct quantizing *z, struct quantize_report *report)
{
    *report = (struct quantize_report){
        .layers = z->input.config.layers,
        .samples = z->input.calibration.samples,
        .length = z->input.calibration.length,
        .bytes_before = safetensors_bytes(z->input.set),
        .bytes_after = checkpoint_writer_bytes(z->writer),
        .error = sqrt(z->error_squares / z->linears),
        .rounding = sqrt(z->rounding_squares / z->linears),
    };
    snprintf(report->algebra, sizeof report->algebra, "%s", dense_describe(z->dense));
}

int quantize(const struct quantize_options *options, struct quantize_report *report,
             struct error *error)
{
    struct quantizing z = {.options = options, .error = error};
    int result = -1;
    if (prepare(&z) == 0 && open_run(&z) == 0 && begin_files(&z) == 0 && write_all(&z) == 0) {
        make_report(&z, report);
        result = out_directory_commit(&z.out, error);
    }
    layer_run_close(z.run);
    checkpoint_writer_free(z.writer);
    dense_close(z.dense);
    free(z.h);
    quantize_input_close(&z.input);
    out_directory_free(&z.out);
    return result;
}
