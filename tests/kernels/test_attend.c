/*
 * Tests of rope_append, attend, the pages, and of whole decoders: every set of kernels against the
 * formulas in double, and batches against single tokens.
 *
 * Tolerances, relative to the root mean square of the result: fp32 pages 2e-5 (sums of a few
 * hundred terms, and exp to 2 ulp); f16 pages 1e-3 (11 bits a value); q8 pages 1.5e-2 (an error of
 * at most max / 254 per value); q4 pages 0.3 (max / 15), and exactly in test_kv_q4.c.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/kernel_model.h"

static const char *const sets[] = {"reference", "avx2", "avx512"};
static const double tolerances[KV_TYPES] = {
    [KV_F32] = 2e-5, [KV_F16] = 1e-3, [KV_Q8] = 1.5e-2, [KV_Q4] = 0.3};

/* One sequence's history as it was given, in double after RoPE. */
struct history {
    double *keys, *values; /* [positions][kv_heads * head_dim] */
};

static void rope_double(double *out, const float *x, const struct kernel_model *model,
                        uint32_t position)
{
    uint32_t half = model->shape.head_dim / 2;
    for (uint32_t i = 0; i < half; i++) {
        double angle = (double)((float)position * model->inv_freq[i]);
        out[i] = (double)x[i] * cos(angle) - (double)x[i + half] * sin(angle);
        out[i + half] = (double)x[i + half] * cos(angle) + (double)x[i] * sin(angle);
    }
}

/* softmax(q K^T / sqrt(d)) V over positions 0 .. position of one head */
static void attend_double(double *out, const struct kernel_model *model, const float *q,
                          uint32_t head, const struct history *history, uint32_t position)
{
    const struct backend_shape *s = &model->shape;
    uint32_t dim = s->head_dim, width = s->kv_heads * dim;
    size_t at = (size_t)head / (s->heads / s->kv_heads) * dim;
    double rotated[256], sum = 0, *p = calloc(position + 1, sizeof *p), max = -INFINITY;
    rope_double(rotated, q, model, position);
    for (uint32_t i = 0; i <= position; i++) {
        for (uint32_t d = 0; d < dim; d++)
            p[i] += rotated[d] * history->keys[(size_t)i * width + at + d];
        p[i] /= sqrt(dim);
        max = p[i] > max ? p[i] : max;
    }
    memset(out, 0, dim * sizeof *out);
    for (uint32_t i = 0; i <= position; i++) {
        double weight = exp(p[i] - max);
        sum += weight;
        for (uint32_t d = 0; d < dim; d++)
            out[d] += weight * history->values[(size_t)i * width + at + d];
    }
    for (uint32_t d = 0; d < dim; d++)
        out[d] /= sum;
    free(p);
}

struct scene {
    const struct kernel_model *model;
    struct kernel_run run;
    struct kernel_batch batch;
    struct history history[8];
    uint32_t length[8];
    uint64_t state;
    uint32_t pages;
};

/* Puts `count` more positions of random q, k, v into the batch's rows and the history. */
static void scene_add(struct scene *scene, uint32_t sequence, uint32_t count)
{
    const struct backend_shape *s = &scene->model->shape;
    uint32_t dim = s->head_dim, width = s->kv_heads * dim;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t row = scene->batch.batch.n, position = scene->length[sequence]++;
        kernel_batch_add(&scene->batch, sequence, position, 0);
        float *q = kernel_data(scene->run.q) + (size_t)row * s->heads * dim;
        float *k = kernel_data(scene->run.k) + (size_t)row * width;
        float *v = kernel_data(scene->run.v) + (size_t)row * width;
        for (uint32_t d = 0; d < s->heads * dim; d++)
            q[d] = 2 * kernel_uniform(&scene->state);
        for (uint32_t d = 0; d < width; d++) {
            k[d] = 2 * kernel_uniform(&scene->state);
            v[d] = kernel_uniform(&scene->state);
            scene->history[sequence].values[(size_t)position * width + d] = (double)v[d];
        }
        for (uint32_t head = 0; head < s->kv_heads; head++)
            rope_double(scene->history[sequence].keys + (size_t)position * width + head * dim,
                        k + head * dim, scene->model, position);
    }
}

static int scene_open(struct scene *scene, const struct kernel_model *model, const char *set,
                      unsigned threads, enum kv_type type)
{
    const struct backend_shape *s = &model->shape;
    uint32_t each = (s->max_positions + s->page_tokens - 1) / s->page_tokens;
    memset(scene, 0, sizeof *scene);
    scene->model = model;
    scene->state = 4711;
    scene->pages = 8 * each;
    if (kernel_open(&scene->run, model, set, threads, type, scene->pages) != 0)
        return -1;
    kernel_batch_init(&scene->batch, model, scene->pages);
    size_t values = (size_t)s->max_positions * s->kv_heads * s->head_dim;
    for (int i = 0; i < 8; i++) {
        scene->history[i].keys = calloc(values, sizeof(double));
        scene->history[i].values = calloc(values, sizeof(double));
    }
    return 0;
}

static void scene_close(struct scene *scene)
{
    for (int i = 0; i < 8; i++) {
        free(scene->history[i].keys);
        free(scene->history[i].values);
    }
    kernel_close(&scene->run);
}

/* Runs the rows that were added and compares each with the formula. */
static void scene_step(struct scene *scene, double tolerance, const char *what)
{
    const struct backend_shape *s = &scene->model->shape;
    struct kernel_run *run = &scene->run;
    const struct backend_batch *batch = &scene->batch.batch;
    size_t width = (size_t)s->heads * s->head_dim, all = batch->n * width;
    float *q = malloc(all * sizeof *q);
    double want[256], size = 0, worst = 0;
    memcpy(q, kernel_data(run->q), all * sizeof *q);
    assert_int_equal(run->ops->rope_append(run->backend, 0, batch, run->q, run->k, run->v), 0);
    assert_int_equal(run->ops->attend(run->backend, 0, batch, run->q, run->a), 0);
    for (uint32_t t = 0; t < batch->n; t++)
        for (uint32_t head = 0; head < s->heads; head++) {
            size_t at = t * width + (size_t)head * s->head_dim;
            attend_double(want, scene->model, q + at, head, &scene->history[batch->sequences[t]],
                          batch->positions[t]);
            for (uint32_t d = 0; d < s->head_dim; d++) {
                double off = fabs((double)kernel_data(run->a)[at + d] - want[d]);
                worst = off > worst || isnan(off) ? off : worst;
                size += want[d] * want[d];
            }
        }
    free(q);
    double mean = sqrt(size / (double)all);
    if (!(worst <= 5 * tolerance * mean))
        fail_msg("%s, %u rows: off by %.3g of rms %.3g", what, batch->n, worst, mean);
    scene->batch.batch.n = 0;
}

/* Two sequences in single tokens, drafts, chunks over page borders, and mixed batches. */
static void play(const struct kernel_options *options, unsigned threads)
{
    struct kernel_model *model = kernel_model_make(options, 21);
    static const uint32_t chunks[] = {1, 1, 2, 3, 5, 8, 17, 15, 1, 32, 31, 1};
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        for (int type = 0; type < KV_TYPES; type++) {
            struct scene scene;
            char what[96];
            snprintf(what, sizeof what, "head_dim %u, %u over %u heads, %s, type %d",
                     model->shape.head_dim, model->shape.heads, model->shape.kv_heads, sets[i],
                     type);
            if (scene_open(&scene, model, sets[i], threads, (enum kv_type)type) != 0)
                continue;
            for (size_t c = 0; c < sizeof chunks / sizeof chunks[0]; c++) {
                scene_add(&scene, 0, chunks[c]);
                scene_step(&scene, tolerances[type], what);
            }
            for (uint32_t turn = 0; turn < 6; turn++) {
                scene_add(&scene, 3, 1 + turn % 3);
                scene_add(&scene, 0, 1 + turn);
                scene_add(&scene, 1, 2);
                scene_step(&scene, tolerances[type], what);
            }
            scene_close(&scene);
        }
    kernel_model_free(model);
}

static void head_dims(void **state)
{
    (void)state;
    static const uint32_t dims[] = {8, 16, 24, 40, 64, 80, 128, 256};
    for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++)
        play(&(struct kernel_options){.weights = WEIGHTS_F32, .heads = 2, .head_dim = dims[i]}, 2);
}

static void grouped_queries(void **state)
{
    (void)state;
    static const uint32_t heads[][2] = {{8, 2}, {6, 2}, {9, 1}, {16, 1}, {5, 5}};
    for (size_t i = 0; i < sizeof heads / sizeof heads[0]; i++) {
        struct kernel_options options = {.weights = WEIGHTS_F32, .head_dim = 32};
        options.heads = heads[i][0];
        options.kv_heads = heads[i][1];
        options.page_tokens = i % 2 ? 32 : 16;
        play(&options, 3);
    }
}

/* Several segments: shared out to threads (one token) and one after the other (many), the same bits
 * whatever the batch and the threads. */
static void long_context(void **state)
{
    (void)state;
    struct kernel_options options = {.weights = WEIGHTS_F32,
                                     .heads = 2,
                                     .head_dim = 16,
                                     .max_positions = 2600,
                                     .page_tokens = 32};
    struct kernel_model *model = kernel_model_make(&options, 23);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        struct scene many, one;
        if (scene_open(&many, model, sets[i], 1, KV_F16) != 0)
            continue;
        assert_int_equal(scene_open(&one, model, sets[i], 7, KV_F16), 0);
        while (many.length[0] < 2560) {
            scene_add(&many, 0, 32);
            scene_step(&many, tolerances[KV_F16], sets[i]);
            uint32_t edge = many.length[0] > 2500 || many.length[0] % 1024 == 32;
            for (uint32_t t = 0; t < 32; t++) {
                scene_add(&one, 0, 1);
                if (edge)
                    scene_step(&one, tolerances[KV_F16], sets[i]);
                else
                    one.run.ops->rope_append(one.run.backend, 0, &one.batch.batch, one.run.q,
                                             one.run.k, one.run.v);
                one.batch.batch.n = 0;
                if (edge)
                    assert_memory_equal(kernel_data(one.run.a),
                                        kernel_data(many.run.a) + (size_t)t * 32, 32 * 4);
            }
        }
        scene_close(&many);
        scene_close(&one);
    }
    kernel_model_free(model);
}

/* The same bits whatever number of queries share a reading: chunks of every size against single
 * tokens, with full and short vectors of dimensions. */
static void tiles_do_not_matter(void **state)
{
    (void)state;
    static const uint32_t dims[] = {8, 40, 72, 128};
    for (size_t i = 0; i < sizeof dims / sizeof dims[0] * sizeof sets / sizeof sets[0]; i++)
        for (int type = 0; type < KV_TYPES; type++) {
            struct kernel_options options = {.weights = WEIGHTS_F32, .heads = 6, .kv_heads = 3};
            options.head_dim = dims[i % (sizeof dims / sizeof dims[0])];
            options.kv_heads = i % 2 ? 6 : 3;
            struct kernel_model *model = kernel_model_make(&options, 37);
            const char *set = sets[i / (sizeof dims / sizeof dims[0])];
            size_t width = 6 * (size_t)options.head_dim;
            struct scene many, one;
            if (scene_open(&many, model, set, 2, (enum kv_type)type) == 0) {
                assert_int_equal(scene_open(&one, model, set, 1, (enum kv_type)type), 0);
                for (uint32_t chunk = 1; chunk < 18; chunk++) {
                    scene_add(&many, 0, chunk);
                    scene_step(&many, tolerances[type], set);
                    for (uint32_t t = 0; t < chunk; t++) {
                        scene_add(&one, 0, 1);
                        scene_step(&one, 2 * tolerances[type], set);
                        assert_memory_equal(kernel_data(one.run.a),
                                            kernel_data(many.run.a) + t * width, width * 4);
                    }
                }
                scene_close(&one);
                scene_close(&many);
            }
            kernel_model_free(model);
        }
}

static void copied_pages(void **state)
{
    (void)state;
    struct kernel_options options = {.layers = 3, .weights = WEIGHTS_F32, .head_dim = 40};
    struct kernel_model *model = kernel_model_make(&options, 25);
    for (int type = 0; type < KV_TYPES; type++) {
        struct kernel_run run;
        assert_int_equal(kernel_open(&run, model, "auto", 2, (enum kv_type)type, 128), 0);
        struct kernel_batch batch;
        kernel_batch_init(&batch, model, 128);
        for (uint32_t i = 0; i < 27; i++)
            kernel_batch_add(&batch, 0, i, (int32_t)i);
        kernel_forward(&run, model, &batch.batch);
        /* Sequence 5 shares the first page, and owns a copy of the second as far as it goes. */
        uint32_t fork[2] = {batch.pages[0][0], 99};
        batch.tables[5] = fork;
        batch.batch.n = 0;
        assert_int_equal(run.ops->kv_copy_page(run.backend, batch.pages[0][1], 99, 11), 0);
        assert_int_equal(run.ops->kv_copy_page(run.backend, 128, 99, 1), -1);
        assert_int_equal(run.ops->kv_copy_page(run.backend, 0, 99, 17), -1);
        kernel_batch_add(&batch, 0, 27, 50);
        float want[100];
        memcpy(want, kernel_forward(&run, model, &batch.batch), sizeof want);
        batch.sequences[0] = 5;
        assert_memory_equal(want, kernel_forward(&run, model, &batch.batch), sizeof want);
        kernel_close(&run);
    }
    kernel_model_free(model);
}

/* A row that was never written may hold anything: it must not reach a result. */
static void unwritten_rows(void **state)
{
    (void)state;
    struct kernel_options options = {.weights = WEIGHTS_F32, .heads = 1, .head_dim = 16};
    struct kernel_model *model = kernel_model_make(&options, 27);
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        struct scene scene;
        if (scene_open(&scene, model, sets[i], 1, KV_F32) != 0)
            continue;
        scene_add(&scene, 0, 16);
        for (uint32_t d = 0; d < 16 * 16; d++)
            kernel_data(scene.run.k)[d] = kernel_data(scene.run.v)[d] = NAN;
        scene.run.ops->rope_append(scene.run.backend, 0, &scene.batch.batch, scene.run.q,
                                   scene.run.k, scene.run.v);
        scene.batch.batch.n = scene.length[0] = 0;
        scene_add(&scene, 0, 5);
        scene_step(&scene, tolerances[KV_F32], sets[i]);
        scene_close(&scene);
    }
    kernel_model_free(model);
}

/* The same token gives the same bits alone, in a batch, and with any number of threads. */
static void batches_do_not_matter(void **state)
{
    (void)state;
    for (int weights = WEIGHTS_GPTQ; weights <= WEIGHTS_BF16; weights++) {
        struct kernel_options options = {.layers = 2,
                                         .hidden = 128,
                                         .heads = 4,
                                         .kv_heads = 2,
                                         .head_dim = 32,
                                         .ffn = 200,
                                         .group_size = 32,
                                         .order = ORDER_SHARED,
                                         .table = BACKEND_F16};
        options.weights = (enum kernel_weights)weights;
        struct kernel_model *model = kernel_model_make(&options, 29);
        for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
            struct kernel_run alone, together;
            struct kernel_batch batch;
            float want[21][100], hidden[21][128];
            if (kernel_open(&alone, model, sets[i], 1, KV_Q8, 128) != 0)
                continue;
            assert_int_equal(kernel_open(&together, model, sets[i], 3, KV_Q8, 128), 0);
            kernel_batch_init(&batch, model, 128);
            for (uint32_t t = 0; t < 21; t++) {
                batch.batch.n = 0;
                kernel_batch_add(&batch, t % 2, t / 2, (int32_t)(t * 37 % 100));
                memcpy(want[t], kernel_forward(&alone, model, &batch.batch), sizeof want[t]);
                memcpy(hidden[t], kernel_data(alone.x), sizeof hidden[t]);
            }
            batch.batch.n = 0;
            for (uint32_t s = 0; s < 2; s++)
                for (uint32_t t = s; t < 21; t += 2)
                    kernel_batch_add(&batch, s, t / 2, (int32_t)(t * 37 % 100));
            const float *logits = kernel_forward(&together, model, &batch.batch);
            assert_memory_equal(logits, want[19], sizeof want[19]);
            for (uint32_t row = 0; row < 21; row++)
                assert_memory_equal(kernel_data(together.x) + row * 128,
                                    hidden[row < 11 ? 2 * row : 2 * (row - 11) + 1],
                                    sizeof hidden[0]);
            kernel_close(&alone);
            kernel_close(&together);
        }
        kernel_model_free(model);
    }
}

/* Whole decoders: fast GPTQ kernels stay near the reference through several layers. */
static void decoders_agree(void **state)
{
    (void)state;
    struct kernel_options options = {.layers = 3,
                                     .hidden = 256,
                                     .heads = 8,
                                     .head_dim = 32,
                                     .ffn = 352,
                                     .group_size = 32,
                                     .order = ORDER_OWN,
                                     .table = BACKEND_F16};
    struct kernel_model *model = kernel_model_make(&options, 31);
    struct kernel_run reference, fast;
    assert_int_equal(kernel_open(&reference, model, "reference", 2, KV_F32, 128), 0);
    for (size_t i = 1; i < sizeof sets / sizeof sets[0]; i++) {
        if (kernel_open(&fast, model, sets[i], 2, KV_F32, 128) != 0)
            continue;
        struct kernel_batch batch;
        kernel_batch_init(&batch, model, 128);
        for (uint32_t t = 0; t < 24; t++)
            kernel_batch_add(&batch, 0, t, (int32_t)t);
        const float *want = kernel_forward(&reference, model, &batch.batch);
        const float *got = kernel_forward(&fast, model, &batch.batch);
        double size = 0, distance = 0;
        for (int n = 0; n < 100; n++) {
            size += (double)want[n] * (double)want[n];
            distance += ((double)want[n] - (double)got[n]) * ((double)want[n] - (double)got[n]);
        }
        assert_true(distance <= 0.03 * 0.03 * size);
        kernel_close(&fast);
    }
    kernel_close(&reference);
    kernel_model_free(model);
}

static void bad_batches_are_refused(void **state)
{
    (void)state;
    struct kernel_options options = {.weights = WEIGHTS_F32};
    struct kernel_model *model = kernel_model_make(&options, 33);
    struct kernel_run run;
    struct kernel_batch batch;
    assert_int_equal(kernel_open(&run, model, "auto", 2, KV_F32, 16), 0);
    kernel_batch_init(&batch, model, 16);
    kernel_batch_add(&batch, 0, 256, 0);
    assert_int_equal(run.ops->rope_append(run.backend, 0, &batch.batch, run.q, run.k, run.v), -1);
    batch.positions[0] = 17;
    batch.pages[0][1] = 16;
    assert_int_equal(run.ops->rope_append(run.backend, 0, &batch.batch, run.q, run.k, run.v), -1);
    assert_non_null(strstr(run.ops->last_error(run.backend), "page"));
    batch.batch.n = 33;
    assert_int_equal(run.ops->norm_qkv(run.backend, 0, &batch.batch, run.x, run.q, run.k, run.v),
                     -1);
    kernel_close(&run);
    kernel_model_free(model);
}

static void memory_is_counted(void **state)
{
    (void)state;
    struct kernel_options options = {.layers = 2, .group_size = 32};
    struct kernel_model *model = kernel_model_make(&options, 35);
    struct kernel_run run;
    struct backend_memory memory;
    assert_int_equal(kernel_open(&run, model, "auto", 1, KV_Q8, 10), 0);
    run.ops->memory(run.backend, &memory);
    /* 2 layers, 4 heads, 16 positions, keys and values, 16 int8 and one f16 scale */
    assert_int_equal(run.ops->kv_page_bytes(&model->shape, KV_Q8), 2 * 4 * 16 * 2 * 18);
    assert_int_equal(memory.kv_bytes, 10 * run.ops->kv_page_bytes(&model->shape, KV_Q8));
    assert_true(memory.weight_bytes > 0 && memory.scratch_bytes > 0);
    assert_true(memory.free_bytes > 0 && memory.free_bytes <= memory.total_bytes);
    struct backend_error error = {0};
    assert_int_equal(run.ops->kv_create(run.backend, KV_F32, UINT32_MAX, &error), -1);
    assert_int_equal(error.code, BACKEND_NO_MEMORY);
    assert_non_null(strstr(error.message, "MiB"));
    kernel_close(&run);
    kernel_model_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(head_dims),
        cmocka_unit_test(grouped_queries),
        cmocka_unit_test(long_context),
        cmocka_unit_test(tiles_do_not_matter),
        cmocka_unit_test(copied_pages),
        cmocka_unit_test(unwritten_rows),
        cmocka_unit_test(batches_do_not_matter),
        cmocka_unit_test(decoders_agree),
        cmocka_unit_test(bad_batches_are_refused),
        cmocka_unit_test(memory_is_counted),
    };
    return cmocka_run_group_tests_name("attend", tests, NULL, NULL);
}
