/*
 * Tests of rows.cu: embedding, RMSNorm with packing, SiLU times up and bias, against double
 * precision. Widths that are no multiple of what a thread takes, strides, orders with holes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device_memory.h"
#include "kernels/cpu/half.h"
#include "kernels/cuda/gpu.h"

static uint32_t next_word(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 32);
}

static float next_float(uint64_t *seed)
{
    return (float)next_word(seed) / 2147483648.0f - 1.0f;
}

static void random_floats(float *out, size_t n, uint64_t seed)
{
    for (size_t i = 0; i < n; i++)
        out[i] = next_float(&seed);
}

/* A permutation of in inputs among k packed ones; the places that are left are -1. */
static void random_order(int32_t *order, uint32_t k, uint32_t in, uint64_t seed)
{
    for (uint32_t i = 0; i < k; i++)
        order[i] = i < in ? (int32_t)i : -1;
    for (uint32_t i = k - 1; i > 0; i--) {
        uint32_t j = next_word(&seed) % (i + 1);
        int32_t other = order[j];
        order[j] = order[i];
        order[i] = other;
    }
}

/* One unit of the last place of an f16 of about this size. */
static double half_step(double value)
{
    return fmax(ldexp(fabs(value), -10), 0x1p-24);
}

/* --- embedding -------------------------------------------------------------------------------- */

static void check_embed(enum backend_dtype dtype, uint32_t hidden, size_t stride)
{
    enum { VOCAB = 9, N = 4 };
    const int32_t tokens[N] = {8, 0, 3, 3};
    float *values = malloc(VOCAB * hidden * sizeof *values), *x = malloc(N * stride * sizeof *x);
    uint16_t *halves = malloc(VOCAB * hidden * sizeof *halves);
    random_floats(values, (size_t)VOCAB * hidden, hidden);
    for (uint32_t i = 0; i < VOCAB * hidden; i++) {
        halves[i] = dtype == BACKEND_F16 ? f16_of_f32(values[i])
                                         : (uint16_t)(bits_of_float(values[i]) >> 16);
        if (dtype != BACKEND_F32)
            values[i] = dtype == BACKEND_F16 ? f32_of_f16(halves[i]) : f32_of_bf16(halves[i]);
    }
    const void *table = dtype == BACKEND_F32 ? (void *)values : (void *)halves;
    void *dtable = device_copy(table, (size_t)VOCAB * hidden * (dtype == BACKEND_F32 ? 4 : 2));
    void *dtokens = device_copy(tokens, sizeof tokens);
    void *dx = device_copy(NULL, N * stride * sizeof *x);
    cuda_ok(gpu_embed(dx, stride, dtokens, N, dtable, dtype, hidden, 0));
    device_read(x, dx, N * stride * sizeof *x);
    for (uint32_t t = 0; t < N; t++)
        for (uint32_t i = 0; i < stride; i++)
            assert_float_equal(x[t * stride + i],
                               i < hidden ? values[(uint32_t)tokens[t] * hidden + i] : 0, 0);
    device_free(dtable);
    device_free(dtokens);
    device_free(dx);
    free(values);
    free(halves);
    free(x);
}

static void embedding_rows_are_copied(void **state)
{
    (void)state;
    for (int dtype = BACKEND_F32; dtype <= BACKEND_BF16; dtype++) {
        check_embed((enum backend_dtype)dtype, 64, 64);
        check_embed((enum backend_dtype)dtype, 2056, 2060);
        check_embed((enum backend_dtype)dtype, 75, 77);
    }
}

/* --- norm ------------------------------------------------------------------------------------- */

struct norm_case {
    uint32_t in, k;
    size_t stride;
    bool ordered, chosen;
};

static void check_norm(const struct norm_case *c)
{
    enum { ROWS = 5, N = 3 };
    const uint32_t chosen[N] = {4, 0, 2};
    const float eps = 1e-5f;
    uint32_t in = c->in, k = c->k;
    float *x = malloc(ROWS * c->stride * sizeof *x), *norm = malloc(in * sizeof *norm);
    int32_t *order = malloc(k * sizeof *order);
    uint16_t *acts = malloc((size_t)N * k * sizeof *acts);
    random_floats(x, ROWS * c->stride, 1);
    random_floats(norm, in, 2);
    random_order(order, k, in, 3);
    void *dx = device_copy(x, ROWS * c->stride * sizeof *x);
    void *dnorm = device_copy(norm, in * sizeof *norm);
    void *dorder = device_copy(order, k * sizeof *order);
    void *drows = device_copy(chosen, sizeof chosen);
    void *dacts = device_copy(NULL, (size_t)N * k * sizeof *acts);
    cuda_ok(gpu_norm_rows(dacts, k, c->ordered ? dorder : NULL, dx, c->stride,
                          c->chosen ? drows : NULL, dnorm, eps, in, N, 0));
    device_read(acts, dacts, (size_t)N * k * sizeof *acts);
    for (uint32_t t = 0; t < N; t++) {
        const float *row = x + (c->chosen ? chosen[t] : t) * c->stride;
        double sum = 0;
        for (uint32_t i = 0; i < in; i++)
            sum += (double)row[i] * row[i];
        double factor = 1 / sqrt(sum / in + eps);
        for (uint32_t i = 0; i < k; i++) {
            int32_t from = c->ordered ? order[i] : i < in ? (int32_t)i : -1;
            double want = from >= 0 ? row[from] * factor * norm[from] : 0;
            float got = f32_of_f16(acts[(size_t)t * k + i]);
            assert_true(fabs(got - want) <= (want == 0 ? 0 : 0.51 * half_step(want)));
        }
    }
    void *all[] = {dx, dnorm, dorder, drows, dacts};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        device_free(all[i]);
    free(x);
    free(norm);
    free(order);
    free(acts);
}

static void rows_are_normalised_and_packed(void **state)
{
    (void)state;
    const struct norm_case cases[] = {
        {64, 64, 64, false, false},      {64, 128, 64, true, false}, {1032, 1088, 1032, true, true},
        {1032, 1088, 1036, false, true}, {90, 128, 90, true, false}, {90, 128, 93, false, false},
        {2304, 2304, 2304, true, false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        check_norm(&cases[i]);
}

/* --- SiLU ------------------------------------------------------------------------------------- */

static void check_silu(uint32_t ffn, uint32_t h_stride, size_t stride, bool indexed, bool biased)
{
    enum { N = 2 };
    float *gate = malloc(N * stride * sizeof *gate), *up = malloc(N * stride * sizeof *up);
    float *bias = malloc(2 * ffn * sizeof *bias);
    int32_t *order = malloc(h_stride * sizeof *order), *index = calloc(ffn, sizeof *index);
    uint16_t *h = malloc((size_t)N * h_stride * sizeof *h);
    random_floats(gate, N * stride, 1);
    random_floats(up, N * stride, 2);
    random_floats(bias, (size_t)2 * ffn, 3);
    for (uint32_t i = 0; i < N * stride; i++)
        gate[i] *= 20;
    gate[1] = -200; /* exp overflows */
    gate[2] = 300, up[2] = 400;
    up[3] = NAN;
    random_order(order, h_stride, ffn, 4);
    for (uint32_t i = 0; i < h_stride; i++)
        if (order[i] >= 0)
            index[order[i]] = (int32_t)i;
    void *dgate = device_copy(gate, N * stride * sizeof *gate);
    void *dup = device_copy(up, N * stride * sizeof *up);
    float *dbias = device_copy(bias, 2 * ffn * sizeof *bias);
    void *dindex = device_copy(index, ffn * sizeof *index);
    memset(h, 0x7F, (size_t)N * h_stride * sizeof *h);
    void *dh = device_copy(h, (size_t)N * h_stride * sizeof *h);
    cuda_ok(gpu_silu_mul(dh, h_stride, indexed ? dindex : NULL, dgate, dup, stride,
                         biased ? dbias : NULL, biased ? dbias + ffn : NULL, ffn, N, 0));
    device_read(h, dh, (size_t)N * h_stride * sizeof *h);
    for (uint32_t t = 0; t < N; t++)
        for (uint32_t i = 0; i < h_stride; i++) {
            int32_t from = indexed ? order[i] : i < ffn ? (int32_t)i : -1;
            float got = f32_of_f16(h[t * h_stride + i]);
            if (from < 0) {
                assert_float_equal(got, 0, 0);
                continue;
            }
            double g = gate[t * stride + (uint32_t)from] + (biased ? bias[from] : 0);
            double u = up[t * stride + (uint32_t)from] + (biased ? bias[ffn + (uint32_t)from] : 0);
            double want = g / (1 + exp(-g)) * u;
            want = want > 65504 ? 65504 : want;
            assert_true(isnan(want) ? isnan(got)
                                    : fabs(got - want) <= 0.52 * half_step(want) + 1e-6);
        }
    void *all[] = {dgate, dup, dbias, dindex, dh};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        device_free(all[i]);
    free(gate);
    free(up);
    free(bias);
    free(order);
    free(index);
    free(h);
}

static void silu_times_up_goes_to_its_place(void **state)
{
    (void)state;
    check_silu(1100, 1152, 1100, true, false);
    check_silu(64, 64, 80, false, false);
    check_silu(98, 128, 98, true, false);
    check_silu(96, 128, 99, true, true);
    check_silu(100, 128, 100, false, true);
}

/* --- bias ------------------------------------------------------------------------------------- */

static void bias_is_added_to_every_row(void **state)
{
    (void)state;
    enum { N = 3, OUT = 301, STRIDE = 304 };
    float y[N * STRIDE], bias[OUT], got[N * STRIDE];
    random_floats(y, N * STRIDE, 1);
    random_floats(bias, OUT, 2);
    void *dy = device_copy(y, sizeof y), *dbias = device_copy(bias, sizeof bias);
    cuda_ok(gpu_add_bias(dy, STRIDE, dbias, OUT, N, 0));
    device_read(got, dy, sizeof got);
    for (uint32_t i = 0; i < N * STRIDE; i++)
        assert_float_equal(got[i], y[i] + (i % STRIDE < OUT ? bias[i % STRIDE] : 0), 0);
    device_free(dy);
    device_free(dbias);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(embedding_rows_are_copied),
        cmocka_unit_test(rows_are_normalised_and_packed),
        cmocka_unit_test(silu_times_up_goes_to_its_place),
        cmocka_unit_test(bias_is_added_to_every_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
