/*
 * reference.c - the readable twin: every inner kernel in plain C and fp32, from the formulas. GPTQ
 * layers stay as they lie in the file and activations are not rounded. The fast kernels are tested
 * against these, and a CPU without AVX2 runs on them.
 */
#include <math.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/half.h"
#include "kernels/cpu/kv_q4.h"

static bool always(void)
{
    return true;
}

/* y[n] = sum over k of x[k] * scales[g][n] * (q[k][n] - (zero[g][n] + offset)), g = g_idx[k]; this
 * row of weights, for the strip's outputs. */
static void weights_of_input(float *w, const struct cpu_linear *linear, uint32_t input,
                             uint32_t first, uint32_t outputs)
{
    size_t group = linear->g_idx[input];
    const uint32_t *q = linear->qweight + (size_t)(input / 8) * linear->out + first;
    const uint32_t *zeros = linear->qzeros + group * (linear->out / 8);
    const uint16_t *scales = linear->scales + group * linear->out + first;
    for (uint32_t i = 0; i < outputs; i++) {
        uint32_t column = first + i;
        int32_t zero = (int32_t)(zeros[column / 8] >> 4 * (column % 8) & 15) + linear->zero_add;
        int32_t level = (int32_t)(q[i] >> 4 * (input % 8) & 15);
        w[i] = f32_of_f16(scales[i]) * (float)(level - zero);
    }
}

static void linear_file(const struct cpu_linear *linear, uint32_t strip, const float *x,
                        size_t x_stride, uint32_t n, float *tile)
{
    uint32_t first = strip * STRIP_ROWS, outputs = linear->out - first;
    if (outputs > STRIP_ROWS)
        outputs = STRIP_ROWS;
    float w[STRIP_ROWS] = {0};
    memset(tile, 0, (size_t)n * STRIP_ROWS * sizeof *tile);
    for (uint32_t k = 0; k < linear->in; k++) {
        weights_of_input(w, linear, k, first, outputs);
        for (uint32_t t = 0; t < n; t++)
            for (uint32_t i = 0; i < STRIP_ROWS; i++)
                tile[t * STRIP_ROWS + i] += x[t * x_stride + k] * w[i];
    }
}

static float value_at(const void *values, enum backend_dtype dtype, size_t index)
{
    if (dtype == BACKEND_F32)
        return ((const float *)values)[index];
    uint16_t half = ((const uint16_t *)values)[index];
    return dtype == BACKEND_F16 ? f32_of_f16(half) : f32_of_bf16(half);
}

static void linear_dense(const void *weights, enum backend_dtype dtype, uint32_t rows, uint32_t in,
                         const float *x, size_t x_stride, uint32_t n, float *tile)
{
    memset(tile, 0, (size_t)n * STRIP_ROWS * sizeof *tile);
    for (uint32_t row = 0; row < rows; row++)
        for (uint32_t k = 0; k < in; k++) {
            float w = value_at(weights, dtype, (size_t)row * in + k);
            for (uint32_t t = 0; t < n; t++)
                tile[t * STRIP_ROWS + row] += x[t * x_stride + k] * w;
        }
}

/* out = x / sqrt(mean(x^2) + eps) * weight */
static void rmsnorm(float *out, const float *x, const float *weight, uint32_t n, float eps)
{
    float sum = 0;
    for (uint32_t i = 0; i < n; i++)
        sum += x[i] * x[i];
    float factor = 1.0f / sqrtf(sum / (float)n + eps);
    for (uint32_t i = 0; i < n; i++)
        out[i] = x[i] * factor * weight[i];
}

/* silu(g) = g / (1 + exp(-g)) */
static void silu_mul(float *out, const float *gate, const float *up, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = gate[i] / (1.0f + expf(-gate[i])) * up[i];
}

static void f32_to_f16(uint16_t *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = f16_of_f32(x[i]);
}

static float row_value(const struct cpu_rows *rows, size_t row, uint32_t d)
{
    size_t index = row * rows->head_dim + d;
    if (rows->type == KV_F32)
        return ((const float *)rows->values)[index];
    if (rows->type == KV_F16)
        return f32_of_f16(((const uint16_t *)rows->values)[index]);
    float scale = f32_of_f16(rows->scales[row * rows->row_scales + d / 32]);
    if (rows->type == KV_Q8)
        return scale * (float)((const int8_t *)rows->values)[index];
    const uint8_t *nibbles = (const uint8_t *)rows->values + row * rows->head_dim / 2;
    return scale * (float)kv_q4_level(nibbles, rows->head_dim, d);
}

static void scores(const struct cpu_rows *keys, uint32_t first, uint32_t count, const float *q,
                   size_t q_stride, uint32_t queries, float *out, size_t out_stride)
{
    for (uint32_t j = 0; j < queries; j++)
        for (uint32_t i = 0; i < count; i++) {
            float sum = 0;
            for (uint32_t d = 0; d < keys->head_dim; d++)
                sum += q[j * q_stride + d] * row_value(keys, first + i, d);
            out[j * out_stride + i] = sum;
        }
}

static void accumulate(const struct cpu_rows *values, uint32_t first, uint32_t count,
                       const float *p, size_t p_stride, uint32_t queries, float *sums,
                       size_t sum_stride)
{
    for (uint32_t j = 0; j < queries; j++)
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t d = 0; d < values->head_dim; d++)
                sums[j * sum_stride + d] += p[j * p_stride + i] * row_value(values, first + i, d);
}

static float exp_sum(float *s, uint32_t n, float max)
{
    float sum = 0;
    for (uint32_t i = 0; i < n; i++) {
        s[i] = expf(s[i] - max);
        sum += s[i];
    }
    return sum;
}

const struct cpu_kernels cpu_reference = {
    .name = "reference",
    .label = "plain C",
    .supported = always,
    .form = FORM_FILE,
    .linear_file = linear_file,
    .linear_dense = linear_dense,
    .rmsnorm = rmsnorm,
    .silu_mul = silu_mul,
    .f32_to_f16 = f32_to_f16,
    .scores = scores,
    .accumulate = accumulate,
    .exp_sum = exp_sum,
};
