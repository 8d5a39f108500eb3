/*
 * Tests of the linear steps: embed, norm_qkv, project_add, norm_gate_up, head. The reference is
 * compared with the formulas in double; each fast set of kernels with the reference.
 *
 * Tolerances. fp32 sums of a few hundred terms differ from double by about 1e-6 of the largest
 * term: 2e-5 of the size of the row is safe and far below any mistake. Fast GPTQ kernels round
 * activations to int8 in blocks of 32: an error of at most max / 254 per value, uniformly
 * distributed, so 0.3% to 0.6% of a random row; 1.2% of the row's size is allowed in all and 6% of
 * the root mean square in one value. With inputs of -1, 0 and 1 times a constant the rounding is
 * exact, and the fast kernels must meet the first tolerance.
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

#define EXACT   2e-5
#define ROUNDED 1.2e-2

#define HEAD_ROWS 8

static const char *const sets[] = {"reference", "avx2", "avx512"};
static const uint32_t batches[] = {1, 2, 3, 5, 8, 17};

/* Fails unless got is near want: the distance over the size of want, and the worst value over its
 * root mean square. */
static void assert_near(const float *got, const double *want, size_t count, double tolerance,
                        const char *what)
{
    double size = 0, distance = 0, worst = 0;
    for (size_t i = 0; i < count; i++) {
        double off = fabs((double)got[i] - want[i]);
        size += want[i] * want[i];
        distance += off * off;
        worst = off > worst || isnan(off) ? off : worst;
    }
    double mean = sqrt(size / (double)count) + 1e-9;
    double relative = sqrt(distance) / (sqrt(size) + 1e-9);
    if (!(relative <= tolerance) || !(worst <= 5 * tolerance * mean))
        fail_msg("%s: relative distance %.3g, worst %.3g of rms %.3g", what, relative, worst, mean);
}

static void fill(float *x, size_t count, uint64_t seed)
{
    uint64_t state = seed | 1;
    for (size_t i = 0; i < count; i++)
        x[i] = kernel_uniform(&state);
}

static void fill_ternary(float *x, size_t count, uint64_t seed)
{
    uint64_t state = seed | 1;
    for (size_t i = 0; i < count; i++)
        x[i] = (float)((int)(kernel_random(&state) >> 33) % 3 - 1) * 0.375f;
}

/* --- the formulas in double ------------------------------------------------------------------- */

static void norm_double(double *out, const float *x, const float *weight, uint32_t n, double eps)
{
    double sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += (double)x[i] * (double)x[i];
    for (uint32_t i = 0; i < n; i++)
        out[i] = (double)x[i] / sqrt(sum / n + eps) * (double)weight[i];
}

static void linear_double(double *out, const struct kernel_linear *linear, const double *x)
{
    for (uint32_t n = 0; n < linear->out; n++) {
        out[n] = linear->bias != NULL ? (double)linear->bias[n] : 0;
        for (uint32_t k = 0; k < linear->in; k++)
            out[n] += x[k] * kernel_weight(linear, k, n);
    }
}

/* --- what is compared ------------------------------------------------------------------------- */

static void check_qkv(const struct kernel_run *run, const struct kernel_model *model, uint32_t n,
                      double tolerance, const char *what)
{
    const struct backend_shape *s = &model->shape;
    struct backend_buffer *outs[3] = {run->q, run->k, run->v};
    double *x = calloc(s->hidden, sizeof *x), *y = calloc(4096, sizeof *y);
    for (uint32_t t = 0; t < n; t++) {
        norm_double(x, kernel_data(run->x) + t * s->hidden, kernel_norm(model, 0), s->hidden,
                    (double)s->norm_eps);
        for (int slot = LINEAR_Q; slot <= LINEAR_V; slot++) {
            const struct kernel_linear *linear = &model->linears[0][slot];
            linear_double(y, linear, x);
            assert_near(kernel_data(outs[slot]) + t * linear->out, y, linear->out, tolerance, what);
        }
    }
    free(x);
    free(y);
}

static void check_gate_up(const struct kernel_run *run, const struct kernel_model *model,
                          uint32_t n, double tolerance, const char *what)
{
    const struct backend_shape *s = &model->shape;
    double *x = calloc(s->hidden, sizeof *x), *gate = calloc(2 * (size_t)s->ffn, sizeof *gate);
    double *up = gate + s->ffn;
    for (uint32_t t = 0; t < n; t++) {
        norm_double(x, kernel_data(run->x) + t * s->hidden, kernel_norm(model, 1), s->hidden,
                    (double)s->norm_eps);
        linear_double(gate, &model->linears[0][LINEAR_GATE], x);
        linear_double(up, &model->linears[0][LINEAR_UP], x);
        for (uint32_t i = 0; i < s->ffn; i++)
            gate[i] = gate[i] / (1 + exp(-gate[i])) * up[i];
        assert_near(kernel_data(run->h) + t * s->ffn, gate, s->ffn, tolerance, what);
    }
    free(x);
    free(gate);
}

/* x = before + linear(in) */
static void check_project(const struct kernel_linear *linear, const float *in, const float *before,
                          const float *x, uint32_t n, double tolerance, const char *what)
{
    double *input = calloc(linear->in, sizeof *input), *y = calloc(linear->out, sizeof *y);
    for (uint32_t t = 0; t < n; t++) {
        for (uint32_t k = 0; k < linear->in; k++)
            input[k] = (double)in[t * linear->in + k];
        linear_double(y, linear, input);
        for (uint32_t i = 0; i < linear->out; i++)
            y[i] += (double)before[t * linear->out + i];
        assert_near(x + t * linear->out, y, linear->out, tolerance, what);
    }
    free(input);
    free(y);
}

static void project(struct kernel_run *run, const struct kernel_model *model, enum linear_slot slot,
                    const struct backend_batch *batch, bool ternary, double tolerance,
                    const char *what)
{
    const struct kernel_linear *linear = &model->linears[0][slot];
    struct backend_buffer *in = slot == LINEAR_O ? run->a : run->h;
    size_t outputs = (size_t)batch->n * linear->out;
    float *before = calloc(outputs, sizeof *before);
    (ternary ? fill_ternary : fill)(kernel_data(in), (size_t)batch->n * linear->in, 77 + batch->n);
    fill(before, outputs, 99);
    memcpy(kernel_data(run->x), before, outputs * sizeof *before);
    assert_int_equal(run->ops->project_add(run->backend, 0, slot, batch, in, run->x), 0);
    check_project(linear, kernel_data(in), before, kernel_data(run->x), batch->n, tolerance, what);
    free(before);
}

/* Every linear step of one model with one set of kernels, for every batch size. */
static void check_model(const struct kernel_options *options, const char *set, const char *name)
{
    struct kernel_model *model = kernel_model_make(options, 5);
    struct kernel_run run;
    if (kernel_open(&run, model, set, 2, KV_F32, 4) != 0) {
        kernel_model_free(model);
        return;
    }
    bool exact = options->weights != WEIGHTS_GPTQ || strcmp(set, "reference") == 0;
    double tolerance = exact ? EXACT : ROUNDED;
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        char what[128];
        snprintf(what, sizeof what, "%s, %s, %u tokens", name, set, batches[i]);
        struct backend_batch batch = {.n = batches[i]};
        fill(kernel_data(run.x), (size_t)batch.n * model->shape.hidden, 31 + i);
        assert_int_equal(run.ops->norm_qkv(run.backend, 0, &batch, run.x, run.q, run.k, run.v), 0);
        check_qkv(&run, model, batch.n, tolerance, what);
        assert_int_equal(run.ops->norm_gate_up(run.backend, 0, &batch, run.x, run.h), 0);
        check_gate_up(&run, model, batch.n, 3 * tolerance, what);
        project(&run, model, LINEAR_O, &batch, true, EXACT, what);
        project(&run, model, LINEAR_DOWN, &batch, true, EXACT, what);
        project(&run, model, LINEAR_DOWN, &batch, false, tolerance, what);
    }
    kernel_close(&run);
    kernel_model_free(model);
}

static void check_sets(const struct kernel_options *options, const char *name)
{
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
        check_model(options, sets[i], name);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void orders(void **state)
{
    (void)state;
    check_sets(&(struct kernel_options){.order = ORDER_PLAIN}, "in order");
    check_sets(&(struct kernel_options){.order = ORDER_SHARED}, "act-order");
    check_sets(&(struct kernel_options){.order = ORDER_OWN}, "act-order, one each");
    check_sets(&(struct kernel_options){.order = ORDER_UNEVEN, .group_size = 16}, "uneven groups");
}

static void group_sizes(void **state)
{
    (void)state;
    static const uint32_t sizes[] = {8, 16, 32, 64, 128, 0};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        struct kernel_options options = {.hidden = 256, .ffn = 704, .order = ORDER_OWN};
        options.group_size = sizes[i];
        char name[64];
        snprintf(name, sizeof name, "groups of %u", sizes[i]);
        check_sets(&options, name);
    }
}

/* Outputs that are no multiple of 16, inputs that are no multiple of 32. */
static void awkward_shapes(void **state)
{
    (void)state;
    struct kernel_options options = {
        .hidden = 72, .heads = 3, .head_dim = 24, .ffn = 88, .group_size = 24};
    check_sets(&options, "72 x 88");
    options.order = ORDER_SHARED;
    options.bias = true;
    check_sets(&options, "72 x 88, act-order, bias");
    check_sets(&(struct kernel_options){.hidden = 40,
                                        .heads = 5,
                                        .head_dim = 8,
                                        .ffn = 24,
                                        .group_size = 128,
                                        .order = ORDER_SHARED},
               "one short group");
}

static void zeros(void **state)
{
    (void)state;
    check_sets(&(struct kernel_options){.group_size = 32, .symmetric = true}, "symmetric");
    check_sets(&(struct kernel_options){.group_size = 32, .symmetric = true, .v2 = true},
               "symmetric v2");
    check_sets(&(struct kernel_options){.group_size = 32, .v2 = true}, "v2");
}

static void dense_layers(void **state)
{
    (void)state;
    for (int weights = WEIGHTS_F32; weights <= WEIGHTS_BF16; weights++) {
        struct kernel_options options = {
            .hidden = 60, .heads = 3, .head_dim = 24, .ffn = 93, .bias = true};
        options.weights = (enum kernel_weights)weights;
        check_sets(&options, "dense");
    }
}

/* Stored zeros of a pattern: 15 everywhere but once, which means 16 in v1 and must not wrap to 0;
 * and words that are all alike while their nibbles differ, which must not pass for a constant. */
static void zero_patterns(void **state)
{
    (void)state;
    static const uint32_t words[][2] = {{0xFFFFFF7F, 0xFFFFFFFF}, {0x12345678, 0x12345678}};
    for (size_t i = 0; i < 2 * sizeof sets / sizeof sets[0]; i++) {
        struct kernel_options options = {.group_size = 32};
        struct kernel_model *model = kernel_model_make(&options, 3);
        struct kernel_linear *linear = &model->linears[0][LINEAR_O];
        for (uint32_t w = 0; w < linear->groups * (linear->out / 8); w++)
            linear->qzeros[w] = words[i % 2][w > 0];
        struct kernel_run run;
        if (kernel_open(&run, model, sets[i / 2], 1, KV_F32, 4) == 0) {
            struct backend_batch batch = {.n = 3};
            project(&run, model, LINEAR_O, &batch, true, EXACT, sets[i / 2]);
            kernel_close(&run);
        }
        kernel_model_free(model);
    }
}

static void check_tables(const struct kernel_model *model, struct kernel_run *run)
{
    const struct backend_shape *s = &model->shape;
    const uint32_t rows[5] = {4, 0, 2, 2, 1};
    struct kernel_linear head = {.in = s->hidden, .out = s->vocab, .dense = model->head};
    struct kernel_linear embed = {.in = s->hidden, .out = s->vocab, .dense = model->embed};
    head.dtype = embed.dtype = model->options.table;
    int32_t tokens[5] = {0, (int32_t)s->vocab - 1, 7, 7, 50};
    struct backend_batch batch = {.n = 5, .tokens = tokens};
    assert_int_equal(run->ops->embed(run->backend, &batch, run->x), 0);
    for (uint32_t t = 0; t < 5; t++)
        for (uint32_t i = 0; i < s->hidden; i++)
            assert_true((double)kernel_data(run->x)[t * s->hidden + i] ==
                        kernel_weight(&embed, i, (uint32_t)tokens[t]));
    const float *logits = NULL;
    assert_int_equal(run->ops->head(run->backend, rows, 5, run->x, &logits), 0);
    double *x = calloc(s->hidden, sizeof *x), *y = calloc(s->vocab, sizeof *y);
    for (uint32_t i = 0; i < 5; i++) {
        norm_double(x, kernel_data(run->x) + rows[i] * s->hidden, kernel_norm(model, 2 * s->layers),
                    s->hidden, (double)s->norm_eps);
        linear_double(y, &head, x);
        assert_near(logits + (size_t)i * s->vocab, y, s->vocab, EXACT, "head");
    }
    free(x);
    free(y);
}

static void tables(void **state)
{
    (void)state;
    for (int dtype = BACKEND_F32; dtype <= BACKEND_BF16; dtype++)
        for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
            struct kernel_options options = {.hidden = 72, .vocab = 101, .group_size = 8};
            options.table = (enum backend_dtype)dtype;
            struct kernel_model *model = kernel_model_make(&options, 11);
            struct kernel_run run;
            if (kernel_open(&run, model, sets[i], 3, KV_F32, 4) == 0) {
                check_tables(model, &run);
                int32_t bad = 101;
                struct backend_batch batch = {.n = 1, .tokens = &bad};
                assert_int_equal(run.ops->embed(run.backend, &batch, run.x), -1);
                kernel_close(&run);
            }
            kernel_model_free(model);
        }
}

/* Large gates: exp must neither overflow to NaN nor lose the limit. */
static void silu_limits(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
        struct kernel_options options = {.weights = WEIGHTS_F32};
        struct kernel_model *model = kernel_model_make(&options, 13);
        float *gate = model->linears[0][LINEAR_GATE].dense;
        for (uint32_t k = 0; k < 96 * 64; k++)
            gate[k] *= 2000;
        struct kernel_run run;
        if (kernel_open(&run, model, sets[i], 1, KV_F32, 4) == 0) {
            struct backend_batch batch = {.n = 4};
            fill(kernel_data(run.x), 4 * 64, 3);
            assert_int_equal(run.ops->norm_gate_up(run.backend, 0, &batch, run.x, run.h), 0);
            check_gate_up(&run, model, 4, EXACT, sets[i]);
            kernel_close(&run);
        }
        kernel_model_free(model);
    }
}

/* What the loader lets through by mistake is refused before a kernel could read past its end. */
static void refusals(void **state)
{
    (void)state;
    struct kernel_model *model = kernel_model_make(&(struct kernel_options){.group_size = 32}, 1);
    const struct kernel_linear *q = &model->linears[0][LINEAR_Q];
    const char *const names[] = {"reference", "auto"};
    for (int i = 0; i < 2; i++) {
        const struct backend_ops *ops = backend_cpu();
        struct backend *backend = NULL;
        struct backend_error error = {0};
        struct backend_options options = {.threads = 1, .kernels = names[i]};
        assert_int_equal(ops->open(&backend, &model->shape, &options, &error), 0);
        struct backend_linear l = {.in = q->in,
                                   .out = q->out,
                                   .qweight = q->qweight,
                                   .qzeros = q->qzeros,
                                   .scales = q->scales,
                                   .groups = q->groups,
                                   .group_size = 32,
                                   .zero_offset = 1};
        l.out = q->out + 8;
        assert_int_equal(ops->load_linear(backend, 0, LINEAR_Q, &l, &error), -1);
        assert_int_equal(error.code, BACKEND_FAILED);
        l.out = q->out;
        uint32_t *g_idx = calloc(q->in, sizeof *g_idx);
        g_idx[q->in - 1] = q->groups;
        l.g_idx = g_idx;
        assert_int_equal(ops->load_linear(backend, 0, LINEAR_Q, &l, &error), -1);
        assert_int_equal(ops->load_linear(backend, 1, LINEAR_Q, &l, &error), -1);
        assert_int_equal(ops->load_done(backend, &error), -1);
        free(g_idx);
        ops->close(backend);
        options.kernels = "avx1024";
        assert_int_equal(ops->open(&backend, &model->shape, &options, &error), -1);
        assert_non_null(strstr(error.message, "avx1024"));
    }
    kernel_model_free(model);
}

/* What one step of n rows gives: q, the product of gate and up, x after down, and logits. */
static void linear_steps(struct kernel_run *run, const float *input, uint32_t n, uint32_t hidden)
{
    struct backend_batch batch = {.n = n};
    memcpy(kernel_data(run->x), input, (size_t)n * hidden * sizeof *input);
    assert_int_equal(run->ops->norm_qkv(run->backend, 0, &batch, run->x, run->q, run->k, run->v),
                     0);
    assert_int_equal(run->ops->norm_gate_up(run->backend, 0, &batch, run->x, run->h), 0);
    assert_int_equal(run->ops->project_add(run->backend, 0, LINEAR_DOWN, &batch, run->h, run->x),
                     0);
}

static const float *head_rows(struct kernel_run *run, uint32_t n)
{
    static const uint32_t rows[HEAD_ROWS] = {0, 1, 2, 3, 4, 5, 6, 7};
    const float *logits = NULL;
    assert_int_equal(run->ops->head(run->backend, rows, n, run->x, &logits), 0);
    return logits;
}

/* The rows of a step of n tokens have the bits that each has in a step of its own. */
static void check_rows(const struct kernel_model *model, const char *set)
{
    const uint32_t hidden = model->shape.hidden, vocab = model->shape.vocab;
    const uint32_t ffn = model->shape.ffn;
    const size_t width = (size_t)2 * hidden + ffn + vocab;
    float *input = calloc((size_t)HEAD_ROWS * hidden, sizeof *input);
    float *alone = calloc(HEAD_ROWS * width, sizeof *alone);
    struct kernel_run run;
    fill(input, (size_t)HEAD_ROWS * hidden, 41);
    const bool here = kernel_open(&run, model, set, 1, KV_F32, 4) == 0;
    for (uint32_t t = 0; here && t < HEAD_ROWS; t++) {
        float *row = alone + t * width;
        linear_steps(&run, input + t * hidden, 1, hidden);
        memcpy(row, kernel_data(run.x), hidden * sizeof *row);
        memcpy(row + hidden, kernel_data(run.q), hidden * sizeof *row);
        memcpy(row + 2 * hidden, kernel_data(run.h), ffn * sizeof *row);
        memcpy(row + 2 * hidden + ffn, head_rows(&run, 1), vocab * sizeof *row);
    }
    for (uint32_t n = 2; here && n <= HEAD_ROWS; n++) {
        linear_steps(&run, input, n, hidden);
        const float *logits = head_rows(&run, n);
        for (uint32_t t = 0; t < n; t++) {
            const float *row = alone + t * width;
            assert_memory_equal(kernel_data(run.x) + t * hidden, row, hidden * sizeof *row);
            assert_memory_equal(kernel_data(run.q) + t * hidden, row + hidden,
                                hidden * sizeof *row);
            assert_memory_equal(kernel_data(run.h) + t * ffn, row + 2 * hidden, ffn * sizeof *row);
            assert_memory_equal(logits + t * vocab, row + 2 * hidden + ffn, vocab * sizeof *row);
        }
    }
    if (here)
        kernel_close(&run);
    free(input);
    free(alone);
}

/* Layers of two sizes, because what stays in the cache may be done in another way. */
static void rows_do_not_matter(void **state)
{
    (void)state;
    static const struct kernel_options options[] = {
        {.hidden = 256, .ffn = 704, .order = ORDER_SHARED, .vocab = 101, .table = BACKEND_F16},
        {.hidden = 1152, .heads = 18, .head_dim = 64, .ffn = 1200, .table = BACKEND_F32},
        {.hidden = 72,
         .heads = 3,
         .head_dim = 24,
         .ffn = 88,
         .weights = WEIGHTS_BF16,
         .table = BACKEND_BF16},
    };
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++) {
        struct kernel_options full = options[i];
        full.heads = full.heads > 0 ? full.heads : 4;
        full.head_dim = full.hidden / full.heads;
        struct kernel_model *model = kernel_model_make(&full, 17);
        for (size_t k = 1; k < sizeof sets / sizeof sets[0]; k++)
            check_rows(model, sets[k]);
        kernel_model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(orders),         cmocka_unit_test(group_sizes),
        cmocka_unit_test(awkward_shapes), cmocka_unit_test(zeros),
        cmocka_unit_test(dense_layers),   cmocka_unit_test(zero_patterns),
        cmocka_unit_test(tables),         cmocka_unit_test(silu_limits),
        cmocka_unit_test(refusals),       cmocka_unit_test(rows_do_not_matter),
    };
    return cmocka_run_group_tests_name("linear", tests, NULL, NULL);
}
