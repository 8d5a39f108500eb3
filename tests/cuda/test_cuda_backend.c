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

#include "tests/cuda/seam.h"
#include "tests/cuda/shim/shim.h"

/* The same model on both. */
struct pair {
    struct kernel_model *model;
    struct kernel_run cpu, gpu;
};

static struct pair pair_open(const struct kernel_options *options, enum kv_type type)
{
    struct pair pair = {.model = kernel_model_make(options, 1)};
    assert_int_equal(kernel_open(&pair.cpu, pair.model, "reference", 1, type, SEAM_PAGES), 0);
    pair.gpu = seam_open(pair.model, NULL, type);
    return pair;
}

static void pair_close(struct pair *pair)
{
    kernel_close(&pair->cpu);
    kernel_close(&pair->gpu);
    kernel_model_free(pair->model);
}

/* --- running ---------------------------------------------------------------------------------- */

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
    const float *expected = seam_forward(&pair->cpu, pair->model, &batch->batch, rows);
    const float *found = seam_forward(&pair->gpu, pair->model, &batch->batch, rows);
    double off = difference(expected, found, (size_t)rows * pair->model->shape.vocab);
    if (!(off <= limit))
        fail_msg("%u rows from %u: off by %g", n, batch->positions[0], off);
}

/* One sequence: a prompt in pieces of the sizes given, up to a 0. */
static void read_prompt(const struct pair *pair, const uint32_t *sizes, double limit)
{
    struct kernel_batch *batch = calloc(1, sizeof *batch);
    uint32_t position = 0;
    for (; *sizes != 0; position += *sizes++) {
        kernel_batch_init(batch, pair->model, SEAM_PAGES);
        seam_add_rows(batch, 0, position, *sizes);
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
        struct kernel_options options = seam_base;
        options.weights = table[i].weights;
        options.order = table[i].order;
        options.table = table[i].table;
        options.symmetric = table[i].symmetric;
        options.bias = table[i].bias;
        options.v2 = table[i].v2;
        options.group_size = table[i].group_size;
        struct pair pair = pair_open(&options, KV_F16);
        read_prompt(&pair, sizes, 1e-2);
        pair_close(&pair);
    }
}

/* --- pages ------------------------------------------------------------------------------------ */

static void every_kind_of_page(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {14, 1, 1, 2, 8, 9, 70, 1, 0};
    static const enum kv_type types[] = {KV_F16, KV_Q8, KV_Q4};
    static const double limits[] = {1e-2, 3e-2, 1e-1};
    for (int i = 0; i < 6; i++) {
        struct kernel_options options = seam_base;
        options.order = ORDER_SHARED;
        options.layers = 1;
        options.heads = i < 3 ? 4 : 2;
        options.head_dim = i < 3 ? 64 : 128;
        struct pair pair = pair_open(&options, types[i % 3]);
        read_prompt(&pair, sizes, limits[i % 3]);
        pair_close(&pair);
    }
}

/* Sequences of unequal length that go on together. */
static void sequences_in_one_batch(void **state)
{
    (void)state;
    static const uint32_t prompts[] = {5, 17, 1, 9};
    static const uint32_t steps[][4] = {
        {1, 1, 1, 1}, {8, 1, 0, 2}, {1, 20, 8, 1}, {1, 30, 9, 24}, {1, 60, 1, 10}};
    struct pair pair = pair_open(&seam_base, KV_F16);
    struct kernel_batch *batch = calloc(1, sizeof *batch);
    uint32_t done[4] = {0};
    for (size_t step = 0; step <= sizeof steps / sizeof steps[0]; step++) {
        kernel_batch_init(batch, pair.model, SEAM_PAGES);
        for (uint32_t i = 0; i < 4; i++) {
            uint32_t count = step == 0 ? prompts[i] : steps[step - 1][i];
            /* The tables of a batch stand eight pages apart. */
            batch->tables[i] = &batch->pages[0][16 * i];
            seam_add_rows(batch, i, done[i], count);
            done[i] += count;
        }
        both(&pair, batch, 1e-2);
    }
    free(batch);
    pair_close(&pair);
}

static void pages_are_copied_and_kept(void **state)
{
    (void)state;
    struct pair pair = pair_open(&seam_base, KV_Q8);
    const struct kernel_run *gpu = &pair.gpu;
    const struct backend_ops *ops = gpu->ops;
    struct kernel_batch *batch = calloc(1, sizeof *batch);
    size_t vocab = pair.model->shape.vocab;
    size_t bytes = ops->kv_page_bytes(&pair.model->shape, KV_Q8);
    float *expected = malloc(vocab * sizeof *expected);
    uint8_t *kept = malloc(2 * bytes);
    kernel_batch_init(batch, pair.model, SEAM_PAGES);
    seam_add_rows(batch, 0, 0, 20);
    seam_forward(gpu, pair.model, &batch->batch, 0);
    uint32_t first = batch->pages[0][0], second = batch->pages[0][1];
    assert_int_equal(ops->kv_export_page(gpu->backend, first, kept), 0);
    assert_int_equal(ops->kv_export_page(gpu->backend, second, kept + bytes), 0);
    batch->batch.n = 0;
    seam_add_rows(batch, 0, 20, 1);
    memcpy(expected, seam_forward(gpu, pair.model, &batch->batch, 1), vocab * sizeof *expected);
    /* the same positions from a copy of the tail, and from what was kept */
    for (int turn = 0; turn < 2; turn++) {
        batch->pages[0][1] = turn == 0 ? 7 : 9;
        if (turn == 0) {
            assert_int_equal(ops->kv_copy_page(gpu->backend, second, 7, 4), 0);
        } else {
            batch->pages[0][0] = 8;
            assert_int_equal(ops->kv_import_page(gpu->backend, 8, kept), 0);
            assert_int_equal(ops->kv_import_page(gpu->backend, 9, kept + bytes), 0);
        }
        const float *found = seam_forward(gpu, pair.model, &batch->batch, 1);
        assert_memory_equal(found, expected, vocab * sizeof *expected);
    }
    assert_int_equal(ops->kv_copy_page(gpu->backend, 0, SEAM_PAGES, 1), -1);
    assert_int_equal(ops->kv_export_page(gpu->backend, SEAM_PAGES, kept), -1);
    free(kept);
    free(expected);
    free(batch);
    pair_close(&pair);
}

/* --- the same bits ---------------------------------------------------------------------------- */

/* Eight rows, each the next token of a sequence of its own (or all of one): alone and together. */
static void check_one_and_eight(const struct kernel_run *gpu, const struct kernel_model *model,
                                bool together)
{
    struct kernel_batch *batch = calloc(1, sizeof *batch);
    size_t vocab = model->shape.vocab;
    float *alone = malloc(8 * vocab * sizeof *alone);
    for (int turn = 0; turn < 2; turn++) {
        kernel_batch_init(batch, model, SEAM_PAGES);
        for (uint32_t s = 0; s < 8; s++)
            batch->tables[s] = &batch->pages[0][together ? 0 : 4 * s];
        for (uint32_t s = 0; s < (together ? 1 : 8); s++) {
            batch->batch.n = 0;
            seam_add_rows(batch, s, 0, together ? 13 : 9 + s);
            seam_forward(gpu, model, &batch->batch, 0);
        }
        batch->batch.n = 0;
        for (uint32_t s = 0; s < 8; s++) {
            seam_add_rows(batch, together ? 0 : s, together ? 13 + s : 9 + s, 1);
            if (turn == 1)
                continue;
            memcpy(alone + s * vocab, seam_forward(gpu, model, &batch->batch, 1),
                   vocab * sizeof *alone);
            batch->batch.n = 0;
        }
    }
    const float *found = seam_forward(gpu, model, &batch->batch, 8);
    assert_memory_equal(found, alone, 8 * vocab * sizeof *alone);
    free(alone);
    free(batch);
}

static void one_and_eight_give_the_same_bits(void **state)
{
    (void)state;
    struct kernel_options options = seam_base;
    options.order = ORDER_SHARED;
    struct kernel_model *model = kernel_model_make(&options, 3);
    struct kernel_run gpu = seam_open(model, NULL, KV_Q8);
    check_one_and_eight(&gpu, model, false);
    check_one_and_eight(&gpu, model, true);
    kernel_close(&gpu);
    kernel_model_free(model);
}

/* --- launches and graphs ---------------------------------------------------------------------- */

static void five_launches_a_layer(void **state)
{
    (void)state;
    struct kernel_options options = seam_base;
    options.order = ORDER_SHARED;
    for (uint32_t layers = 1; layers <= 3; layers++) {
        options.layers = layers;
        struct pair pair = pair_open(&options, KV_F16);
        struct kernel_batch *batch = calloc(1, sizeof *batch);
        for (uint32_t step = 0; step < 5; step++) {
            kernel_batch_init(batch, pair.model, SEAM_PAGES);
            seam_add_rows(batch, 0, step, 1);
            size_t grids = shim_grids(), launches = shim_launches();
            seam_forward(&pair.gpu, pair.model, &batch->batch, 1);
            /* the embedding, the layers, the head */
            assert_int_equal(shim_grids() - grids, 5 * layers + 2);
            if (step >= 2)
                assert_int_equal(shim_launches() - launches, 1);
        }
        free(batch);
        pair_close(&pair);
    }
}

/* Replayed graphs read what the new batch says: other tokens, positions, pages and rows. */
static void graphs_read_the_new_batch(void **state)
{
    (void)state;
    struct kernel_options options = seam_base;
    options.max_positions = 64; /* one split, so that all steps of a size have one graph */
    struct pair pair = pair_open(&options, KV_F16);
    struct kernel_batch *batch = calloc(1, sizeof *batch);
    uint32_t done[2] = {0};
    for (uint32_t step = 0; step < 24; step++) {
        kernel_batch_init(batch, pair.model, SEAM_PAGES);
        uint32_t s = step % 3 == 2, count = step % 4 == 3 ? 3 : 1;
        batch->tables[1] = &batch->pages[0][8];
        seam_add_rows(batch, s, done[s], count);
        done[s] += count;
        both(&pair, batch, 1e-2);
    }
    free(batch);
    pair_close(&pair);
}

/* --- the head --------------------------------------------------------------------------------- */

static void best_are_those_of_the_logits(void **state)
{
    (void)state;
    struct pair pair = pair_open(&seam_base, KV_F16);
    const struct kernel_run *gpu = &pair.gpu;
    struct kernel_batch *batch = calloc(1, sizeof *batch);
    const uint32_t rows[] = {4, 0}, vocab = pair.model->shape.vocab, limit = 10;
    const struct backend_candidate *best;
    const uint32_t *counts;
    const float *logits;
    kernel_batch_init(batch, pair.model, SEAM_PAGES);
    seam_add_rows(batch, 0, 0, 5);
    seam_forward(gpu, pair.model, &batch->batch, 0);
    assert_int_equal(gpu->ops->head_best(gpu->backend, rows, 2, limit, gpu->x, &best, &counts), 0);
    assert_int_equal(gpu->ops->head(gpu->backend, rows, 2, gpu->x, &logits), 0);
    for (uint32_t row = 0; row < 2; row++) {
        const float *all = logits + row * vocab;
        assert_int_equal(counts[row], limit);
        for (uint32_t i = 0; i < limit; i++) {
            const struct backend_candidate *at = &best[row * limit + i];
            uint32_t better = 0;
            for (uint32_t id = 0; id < vocab; id++)
                better += all[id] > at->logit || (all[id] == at->logit && (int32_t)id < at->id);
            assert_int_equal(better, i);
            assert_true(all[at->id] == at->logit);
        }
    }
    assert_int_equal(gpu->ops->head_best(gpu->backend, rows, 2, 1025, gpu->x, &best, &counts), -1);
    free(batch);
    pair_close(&pair);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_weight),
        cmocka_unit_test(every_kind_of_page),
        cmocka_unit_test(sequences_in_one_batch),
        cmocka_unit_test(pages_are_copied_and_kept),
        cmocka_unit_test(one_and_eight_give_the_same_bits),
        cmocka_unit_test(five_launches_a_layer),
        cmocka_unit_test(graphs_read_the_new_batch),
        cmocka_unit_test(best_are_those_of_the_logits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
