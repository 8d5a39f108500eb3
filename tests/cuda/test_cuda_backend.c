/*
 * The whole seam of the CUDA backend on the shim's devices, against the CPU's plain kernels: random
 * models of every kind of weight, order and page; batches of all sizes; pages copied and kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/shim/shim.h"
#include "tests/kernel_model.h"

#define PAGES 64

const struct backend_ops *airo_backend(void);

/* The same model on both. */
struct pair {
    struct kernel_model *model;
    struct kernel_run cpu, gpu;
};

static const struct kernel_options base = {
    .layers = 2,
    .hidden = 128,
    .heads = 2,
    .kv_heads = 1,
    .head_dim = 64,
    .ffn = 192,
    .vocab = 100,
    .max_tokens = 96,
    .max_positions = 512,
    .page_tokens = 16,
    .group_size = 32,
};

static struct kernel_run open_gpu(const struct kernel_model *model, const char *device,
                                  enum kv_type type)
{
    const struct backend_options options = {.device = device};
    struct backend_error error = {0};
    struct kernel_run run;
    if (kernel_open_on(&run, model, airo_backend(), &options, type, PAGES, &error) != 0)
        fail_msg("%s", error.message);
    return run;
}

static struct pair pair_open(const struct kernel_options *options, enum kv_type type)
{
    struct pair pair = {.model = kernel_model_make(options, 1)};
    assert_int_equal(kernel_open(&pair.cpu, pair.model, "reference", 1, type, PAGES), 0);
    pair.gpu = open_gpu(pair.model, NULL, type);
    return pair;
}

static void pair_close(struct pair *pair)
{
    kernel_close(&pair->cpu);
    kernel_close(&pair->gpu);
    kernel_model_free(pair->model);
}

/* --- running ---------------------------------------------------------------------------------- */

/* All layers; the logits of the last `count` rows (at most 8), or of none. */
static const float *forward(const struct kernel_run *run, const struct kernel_model *model,
                            const struct backend_batch *batch, uint32_t count)
{
    const struct backend_ops *ops = run->ops;
    struct backend *b = run->backend;
    const float *logits = NULL;
    uint32_t rows[8];
    int bad = ops->embed(b, batch, run->x);
    for (uint32_t layer = 0; layer < model->shape.layers; layer++) {
        bad |= ops->norm_qkv(b, layer, batch, run->x, run->q, run->k, run->v);
        bad |= ops->rope_append(b, layer, batch, run->q, run->k, run->v);
        bad |= ops->attend(b, layer, batch, run->q, run->a);
        bad |= ops->project_add(b, layer, LINEAR_O, batch, run->a, run->x);
        bad |= ops->norm_gate_up(b, layer, batch, run->x, run->h);
        bad |= ops->project_add(b, layer, LINEAR_DOWN, batch, run->h, run->x);
    }
    for (uint32_t i = 0; i < count; i++)
        rows[i] = batch->n - count + i;
    if (bad == 0 && count > 0)
        bad = ops->head(b, rows, count, run->x, &logits);
    if (bad != 0)
        fail_msg("step: %s", ops->last_error(b));
    return logits;
}

/* Root of the mean square difference over that of the values. */
static double difference(const float *a, const float *b, size_t count)
{
    double error = 0, size = 0;
    for (size_t i = 0; i < count; i++) {
        assert_true(isfinite(a[i]) && isfinite(b[i]));
        error += pow((double)a[i] - (double)b[i], 2);
        size += pow((double)a[i], 2);
    }
    assert_true(size > 0);
    return sqrt(error / size);
}

static void both(const struct pair *pair, const struct kernel_batch *batch, double limit)
{
    uint32_t n = batch->batch.n, rows = n < 8 ? n : 8;
    const float *expected = forward(&pair->cpu, pair->model, &batch->batch, rows);
    const float *found = forward(&pair->gpu, pair->model, &batch->batch, rows);
    double off = difference(expected, found, (size_t)rows * pair->model->shape.vocab);
    if (!(off <= limit))
        fail_msg("%u rows from %u: off by %g", n, batch->positions[0], off);
    print_message("# %u rows from %u: off by %g\n", n, batch->positions[0], off);
}

static int32_t token_at(uint32_t sequence, uint32_t position)
{
    return (int32_t)((position * 37 + sequence * 11 + 5) % 100);
}

static void add_rows(struct kernel_batch *batch, uint32_t sequence, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        kernel_batch_add(batch, sequence, first + i, token_at(sequence, first + i));
}

/* One sequence: a prompt in pieces of the sizes given, up to a 0. */
static void read_prompt(const struct pair *pair, const uint32_t *sizes, double limit)
{
    struct kernel_batch *batch = calloc(1, sizeof *batch);
    uint32_t position = 0;
    for (; *sizes != 0; position += *sizes++) {
        kernel_batch_init(batch, pair->model, PAGES);
        add_rows(batch, 0, position, *sizes);
        both(pair, batch, limit);
    }
    free(batch);
}

/* --- weights and orders ----------------------------------------------------------------------- */

static void every_kind_of_weight(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {9, 1, 3, 0};
    const struct {
        enum kernel_weights weights;
        enum kernel_order order;
        enum backend_dtype table;
        bool symmetric, bias, v2;
        uint32_t group_size;
    } table[] = {
        {WEIGHTS_GPTQ, ORDER_PLAIN, BACKEND_F16, false, false, false, 32},
        {WEIGHTS_GPTQ, ORDER_SHARED, BACKEND_F16, true, true, false, 32},
        {WEIGHTS_GPTQ, ORDER_OWN, BACKEND_BF16, false, false, true, 64},
        {WEIGHTS_GPTQ, ORDER_UNEVEN, BACKEND_F32, false, true, false, 32},
        {WEIGHTS_GPTQ, ORDER_SHARED, BACKEND_F16, true, false, true, 8},
        {WEIGHTS_GPTQ, ORDER_OWN, BACKEND_F16, false, false, false, 4},
        {WEIGHTS_F32, ORDER_PLAIN, BACKEND_F32, false, true, false, 32},
        {WEIGHTS_F16, ORDER_PLAIN, BACKEND_F16, false, false, false, 32},
        {WEIGHTS_BF16, ORDER_PLAIN, BACKEND_BF16, false, false, false, 32},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        struct kernel_options options = base;
        options.weights = table[i].weights;
        options.order = table[i].order;
        options.table = table[i].table;
        options.symmetric = table[i].symmetric;
        options.bias = table[i].bias;
        options.v2 = table[i].v2;
        options.group_size = table[i].group_size;
        print_message("# weights %zu\n", i);
        struct pair pair = pair_open(&options, KV_F16);
        read_prompt(&pair, sizes, 2e-2);
        pair_close(&pair);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_weight),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
