/*
 * Tests of gemm.c and prefill.c: linear layers of many tokens against double precision. Layers that
 * need one slice and several, resident copies, orders with holes, bias, added results, gate and up;
 * the same bits on every run.
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

#include "device_memory.h"
#include "kernels/cpu/half.h"
#include "kernels/cuda/gemm.h"
#include "kernels/cuda/prefill.h"
#include "plain_layer.h"

#define TOKENS 70

static float *random_rows(size_t count, uint64_t seed)
{
    float *rows = malloc(count * sizeof *rows);
    for (size_t i = 0; i < count; i++)
        rows[i] = plain_float(&seed);
    return rows;
}

/* --- the product ------------------------------------------------------------------------------ */

static void check_product(bool add)
{
    enum { N = 5, OUT = 13, K = 64, ACTS = 72, Y = 20 };
    float *rows = random_rows((N + OUT) * ACTS + N * Y, 1), *y = rows + (N + OUT) * ACTS,
          got[N * Y];
    uint16_t halves[(N + OUT) * ACTS];
    for (uint32_t i = 0; i < (N + OUT) * ACTS; i++)
        halves[i] = f16_of_f32(rows[i]);
    uint16_t *dhalves = device_copy(halves, sizeof halves);
    float *dy = device_copy(y, sizeof got);
    void *workspace = device_copy(NULL, GPU_GEMM_WORKSPACE);
    struct gpu_gemm gemm;
    const struct gpu_gemm_call call = {.n = N,
                                       .out = OUT,
                                       .k = K,
                                       .acts = dhalves,
                                       .matrix = dhalves + N * ACTS,
                                       .acts_stride = ACTS,
                                       .y = dy,
                                       .y_stride = Y,
                                       .add = add};
    assert_int_equal(gpu_gemm_open(&gemm, workspace, 0), 0);
    assert_int_equal(gpu_gemm_run(&gemm, &call, 0), 0);
    device_read(got, dy, sizeof got);
    for (uint32_t t = 0; t < N; t++)
        for (uint32_t o = 0; o < Y; o++) {
            double want = add || o >= OUT ? y[t * Y + o] : 0;
            for (uint32_t i = 0; o < OUT && i < K; i++)
                want += (double)f32_of_f16(halves[t * ACTS + i]) *
                        f32_of_f16(halves[N * ACTS + o * K + i]);
            assert_true(fabs(got[t * Y + o] - want) < 1e-5);
        }
    gpu_gemm_close(&gemm);
    device_free(dhalves);
    device_free(dy);
    device_free(workspace);
    free(rows);
}

static void products_are_stored_or_added(void **state)
{
    (void)state;
    check_product(false);
    check_product(true);
}

static void a_refused_product_says_what_it_was(void **state)
{
    (void)state;
    struct gpu_gemm gemm;
    void *workspace = device_copy(NULL, GPU_GEMM_WORKSPACE);
    const struct gpu_gemm_call call = {
        .n = 3, .out = 8, .k = 64, .acts_stride = 32, .y_stride = 8}; /* rows overlap */
    assert_int_equal(gpu_gemm_open(&gemm, workspace, 0), 0);
    assert_int_equal(gpu_gemm_run(&gemm, &call, 0), -1);
    assert_non_null(strstr(gemm.message, "3 tokens x 64 inputs x 8 outputs"));
    assert_non_null(strstr(gemm.message, "not allowed"));
    assert_null(strchr(gemm.message, '\n'));
    gpu_gemm_close(&gemm);
    device_free(workspace);
}

/* --- layers ----------------------------------------------------------------------------------- */

struct fixture {
    struct gpu_prefill *prefill;
    void *workspace;
    cudaStream_t stream; /* not the one that it was opened with */
};

static struct fixture open_prefill(size_t slice_bytes)
{
    const struct gpu_prefill_sizes sizes = {
        .max_tokens = TOKENS, .k_max = 512, .ffn = 300, .slice_bytes = slice_bytes};
    char message[200];
    struct fixture f = {.workspace = device_copy(NULL, gpu_prefill_bytes(&sizes))};
    assert_int_equal(gpu_prefill_open(&f.prefill, &sizes, f.workspace, 0, message), 0);
    cuda_ok(cudaStreamCreateWithFlags(&f.stream, cudaStreamNonBlocking));
    return f;
}

static void close_prefill(struct fixture *f)
{
    cuda_ok(cudaDeviceSynchronize());
    gpu_prefill_close(f->prefill);
    cuda_ok(cudaStreamDestroy(f->stream));
    device_free(f->workspace);
}

/* Rows of x normalised, packed and rounded to halves: [n][k]. */
static double *packed_input(const struct plain_layer *layer, const float *x, const uint32_t *rows,
                            const float *norm, float eps, uint32_t n)
{
    uint32_t in = layer->linear.in, k = layer->linear.k;
    double *acts = calloc((size_t)n * k, sizeof *acts);
    for (uint32_t t = 0; t < n; t++) {
        const float *row = x + (size_t)rows[t] * in;
        double sum = 0;
        for (uint32_t i = 0; i < in; i++)
            sum += (double)row[i] * row[i];
        double factor = 1 / sqrt(sum / in + eps);
        for (uint32_t i = 0; i < k; i++) {
            int32_t from = layer->order != NULL ? layer->order[i] : i < in ? (int32_t)i : -1;
            float value = from < 0 ? 0 : (float)(row[from] * factor * norm[from]);
            acts[(size_t)t * k + i] = f32_of_f16(f16_of_f32(value));
        }
    }
    return acts;
}

static double product(const struct plain_layer *layer, const double *acts, uint32_t out)
{
    double sum = layer->bias != NULL ? layer->bias[out] : 0;
    for (uint32_t i = 0; i < layer->linear.k; i++)
        sum += acts[i] * plain_weight(layer, out, i);
    return sum;
}

/* Inputs of a call: TOKENS of more rows, in another order. */
struct input {
    float *x, *norm;
    void *dx, *dnorm, *drows;
    uint32_t rows[TOKENS];
};

static struct input make_input(uint32_t in)
{
    struct input input = {.x = random_rows((size_t)(TOKENS + 2) * in, 5),
                          .norm = random_rows(in, 6)};
    for (uint32_t t = 0; t < TOKENS; t++)
        input.rows[t] = (TOKENS + 1 - t) % (TOKENS + 2);
    input.dx = device_copy(input.x, (size_t)(TOKENS + 2) * in * sizeof *input.x);
    input.dnorm = device_copy(input.norm, in * sizeof *input.norm);
    input.drows = device_copy(input.rows, sizeof input.rows);
    return input;
}

static void free_input(struct input *input)
{
    free(input->x);
    free(input->norm);
    device_free(input->dx);
    device_free(input->dnorm);
    device_free(input->drows);
}

static void set_input(struct gpu_linear_call *call, const struct input *input, uint32_t in)
{
    call->n = TOKENS;
    call->x = input->dx;
    call->x_stride = in;
    call->x_rows = input->drows;
    call->norm = input->dnorm;
    call->eps = 1e-5f;
}

/* Tolerances: the fp32 factor of the norm moves a few of the packed halves by half a step. */
static void check_rows(const struct plain_layer *layer, const double *acts, const float *got,
                       size_t stride, const float *before)
{
    for (uint32_t t = 0; t < TOKENS; t++)
        for (uint32_t o = 0; o < layer->linear.out; o++) {
            double want = product(layer, acts + (size_t)t * layer->linear.k, o);
            want += before != NULL ? before[t * stride + o] : 0;
            assert_true(fabs(got[t * stride + o] - want) < 2e-3);
        }
}

/* q, k and v: one input, three layers, two calls with equal bits. */
static void check_store(size_t slice_bytes, bool resident, enum gpu_form form)
{
    struct fixture f = open_prefill(slice_bytes);
    const struct plain_options options[3] = {
        {form, 200, 310, 256, true, true, true, 1},
        {form, 200, 64, 256, true, false, false, 2},
        {form, 200, 33, 256, true, false, true, 3},
    };
    struct plain_layer layers[3];
    struct input input = make_input(200);
    struct gpu_linear_call call = {.count = 3, .finish = GPU_STORE};
    set_input(&call, &input, 200);
    for (uint32_t i = 0; i < 3; i++) {
        layers[i] = plain_layer_make(&options[i]);
        if (i > 0) { /* one order for all three */
            layers[i].linear.order = layers[0].linear.order;
            layers[i].order = layers[0].order;
        }
        if (resident) {
            struct gpu_linear *linear = &layers[i].linear;
            void *copy = device_copy(NULL, (size_t)linear->tiles * 16 * linear->k * 2);
            cuda_ok(gpu_dequantise(copy, linear, 0, linear->tiles, 0));
            linear->resident = copy;
        }
        call.linear[i] = &layers[i].linear;
        call.out_stride[i] = options[i].out + 3;
        call.out[i] = device_copy(NULL, TOKENS * call.out_stride[i] * sizeof(float));
    }
    double *acts = packed_input(&layers[0], input.x, input.rows, input.norm, call.eps, TOKENS);
    float *got = malloc(TOKENS * 400 * sizeof *got), *again = malloc(TOKENS * 400 * sizeof *got);
    for (uint32_t i = 0; i < 3; i++) {
        size_t bytes = TOKENS * call.out_stride[i] * sizeof *got;
        cuda_ok(gpu_prefill_linear(f.prefill, &call, f.stream));
        device_read(got, call.out[i], bytes);
        check_rows(&layers[i], acts, got, call.out_stride[i], NULL);
        cuda_ok(gpu_prefill_linear(f.prefill, &call, f.stream));
        device_read(again, call.out[i], bytes);
        assert_memory_equal(got, again, bytes);
    }
    for (uint32_t i = 0; i < 3; i++) {
        if (i > 0) {
            layers[i].linear.order = NULL;
            layers[i].order = NULL;
        }
        plain_layer_free(&layers[i]);
        device_free(call.out[i]);
    }
    free(acts);
    free(got);
    free(again);
    free_input(&input);
    close_prefill(&f);
}

static void slices_make_up_a_layer(void **state)
{
    (void)state;
    check_store(0, false, GPU_Q4);                /* one slice */
    check_store(3 * 16 * 256 * 2, false, GPU_Q4); /* three tiles */
    check_store(3 * 16 * 256 * 2, false, GPU_F16);
    check_store(17 * 16 * 256 * 2, false, GPU_Q4); /* 16 of 20 tiles, then the rest */
}

static void resident_copies_are_used(void **state)
{
    (void)state;
    check_store(16, true, GPU_Q4); /* no slice would hold a tile */
}

static void results_are_added(void **state)
{
    (void)state;
    struct fixture f = open_prefill(2 * 16 * 384 * 2);
    const struct plain_options options = {GPU_Q4, 320, 100, 384, false, false, true, 4};
    struct plain_layer layer = plain_layer_make(&options);
    enum { ACTS = 392, OUT = 100 };
    float *rows = random_rows(TOKENS * ACTS, 8), *x = random_rows(TOKENS * OUT, 9);
    float *got = malloc(TOKENS * OUT * sizeof *got);
    uint16_t *halves = calloc(TOKENS * ACTS, sizeof *halves);
    double *acts = calloc(TOKENS * 384, sizeof *acts);
    for (uint32_t t = 0; t < TOKENS; t++)
        for (uint32_t i = 0; i < 384; i++) {
            halves[t * ACTS + i] = f16_of_f32(rows[t * ACTS + i]);
            acts[t * 384 + i] = f32_of_f16(halves[t * ACTS + i]);
        }
    struct gpu_linear_call call = {.n = TOKENS,
                                   .linear = {&layer.linear},
                                   .count = 1,
                                   .acts = device_copy(halves, TOKENS * ACTS * sizeof *halves),
                                   .acts_stride = ACTS,
                                   .finish = GPU_ADD,
                                   .out = {device_copy(x, TOKENS * OUT * sizeof *x)},
                                   .out_stride = {OUT}};
    cuda_ok(gpu_prefill_linear(f.prefill, &call, f.stream));
    device_read(got, call.out[0], TOKENS * OUT * sizeof *got);
    check_rows(&layer, acts, got, OUT, x);
    device_free((void *)call.acts);
    device_free(call.out[0]);
    plain_layer_free(&layer);
    free(rows);
    free(x);
    free(got);
    free(halves);
    free(acts);
    close_prefill(&f);
}

static void gate_and_up_make_h(void **state)
{
    (void)state;
    enum { IN = 128, FFN = 300, H = 384 };
    struct fixture f = open_prefill(8 * 16 * IN * 2);
    const struct plain_options options[2] = {{GPU_Q4, IN, FFN, IN, true, false, false, 5},
                                             {GPU_Q4, IN, FFN, IN, true, false, true, 6}};
    struct plain_layer gate = plain_layer_make(&options[0]), up = plain_layer_make(&options[1]);
    struct input input = make_input(IN);
    int32_t index[FFN];
    uint16_t *h = malloc(TOKENS * H * sizeof *h);
    for (uint32_t i = 0; i < FFN; i++)
        index[i] = (int32_t)((7 * i + 3) % H);
    uint8_t taken[H] = {0};
    for (uint32_t i = 0; i < FFN; i++) { /* any permutation will do: settle clashes */
        while (taken[index[i]])
            index[i] = (index[i] + 1) % H;
        taken[index[i]] = 1;
    }
    struct gpu_linear_call call = {.linear = {&gate.linear, &up.linear},
                                   .count = 2,
                                   .finish = GPU_SILU_MUL,
                                   .out_stride = {H},
                                   .out_index = device_copy(index, sizeof index)};
    set_input(&call, &input, IN);
    call.out[0] = device_copy(NULL, TOKENS * H * sizeof *h);
    cuda_ok(cudaMemset(call.out[0], 0xFF, TOKENS * H * sizeof *h));
    cuda_ok(gpu_prefill_linear(f.prefill, &call, f.stream));
    device_read(h, call.out[0], TOKENS * H * sizeof *h);
    double *acts = packed_input(&gate, input.x, input.rows, input.norm, call.eps, TOKENS);
    for (uint32_t t = 0; t < TOKENS; t++) {
        for (uint32_t i = 0; i < FFN; i++) {
            double g = product(&gate, acts + t * IN, i), u = product(&up, acts + t * IN, i);
            double want = g / (1 + exp(-g)) * u, got = f32_of_f16(h[t * H + (uint32_t)index[i]]);
            assert_true(fabs(got - want) < 2e-3 * (1 + fabs(want)));
        }
        for (uint32_t i = 0; i < H; i++)
            assert_true(taken[i] || h[t * H + i] == 0);
    }
    device_free(call.out[0]);
    device_free((void *)call.out_index);
    plain_layer_free(&gate);
    plain_layer_free(&up);
    free(acts);
    free(h);
    free_input(&input);
    close_prefill(&f);
}

static void calls_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    struct fixture f = open_prefill(16);
    const struct plain_options options = {GPU_Q4, 128, 32, 128, false, false, false, 7};
    struct plain_layer layer = plain_layer_make(&options);
    struct gpu_linear_call call = {
        .n = TOKENS + 1, .linear = {&layer.linear}, .count = 1, .acts_stride = 128};
    assert_int_equal(gpu_prefill_linear(f.prefill, &call, f.stream), cudaErrorInvalidValue);
    assert_non_null(strstr(gpu_prefill_error(f.prefill), "max_tokens"));
    call.n = 1;
    assert_int_equal(gpu_prefill_linear(f.prefill, &call, f.stream), cudaErrorInvalidValue);
    assert_non_null(strstr(gpu_prefill_error(f.prefill), "a slice holds no"));
    plain_layer_free(&layer);
    close_prefill(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_are_stored_or_added),
        cmocka_unit_test(a_refused_product_says_what_it_was),
        cmocka_unit_test(slices_make_up_a_layer),
        cmocka_unit_test(resident_copies_are_used),
        cmocka_unit_test(results_are_added),
        cmocka_unit_test(gate_and_up_make_h),
        cmocka_unit_test(calls_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
