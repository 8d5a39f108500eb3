/*
 * avx512.c - the AVX-512 VNNI kernels: the table, and the steps that are one loop over a row.
 */
#if defined(__x86_64__)
#include <math.h>

#include "kernels/cpu/avx512.h"

static bool supported(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx2") &&
           __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c");
}

static void rmsnorm(float *out, const float *x, const float *weight, uint32_t n, float eps)
{
    __m512 sum = _mm512_setzero_ps();
    for (uint32_t i = 0; i < n; i += 16) {
        __m512 v = _mm512_maskz_loadu_ps(lanes(n - i), x + i);
        sum = _mm512_fmadd_ps(v, v, sum);
    }
    __m512 factor = _mm512_set1_ps(1.0f / sqrtf(_mm512_reduce_add_ps(sum) / (float)n + eps));
    for (uint32_t i = 0; i < n; i += 16) {
        __mmask16 mask = lanes(n - i);
        __m512 v = _mm512_mul_ps(_mm512_maskz_loadu_ps(mask, x + i), factor);
        _mm512_mask_storeu_ps(out + i, mask,
                              _mm512_mul_ps(v, _mm512_maskz_loadu_ps(mask, weight + i)));
    }
}

static void silu_mul(float *out, const float *gate, const float *up, uint32_t n)
{
    const __m512 one = _mm512_set1_ps(1.0f), sign = _mm512_set1_ps(-0.0f);
    for (uint32_t i = 0; i < n; i += 16) {
        __mmask16 mask = lanes(n - i);
        __m512 g = _mm512_maskz_loadu_ps(mask, gate + i);
        __m512 below = _mm512_add_ps(one, exp512(_mm512_xor_ps(g, sign)));
        __m512 h = _mm512_mul_ps(_mm512_div_ps(g, below), _mm512_maskz_loadu_ps(mask, up + i));
        _mm512_mask_storeu_ps(out + i, mask, h);
    }
}

static void f32_to_f16(uint16_t *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i += 16) {
        __mmask16 mask = lanes(n - i < 16 ? (uint32_t)(n - i) : 16);
        __m256i half = _mm512_cvtps_ph(_mm512_maskz_loadu_ps(mask, x + i),
                                       _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        _mm256_mask_storeu_epi16(out + i, mask, half);
    }
}

const struct cpu_kernels cpu_avx512 = {
    .name = "avx512",
    .label = "AVX-512 VNNI",
    .supported = supported,
    .form = FORM_STRIPS,
    .quantize = avx512_quantize,
    .linear_strips = avx512_linear_strips,
    .linear_dense = avx512_linear_dense,
    .rmsnorm = rmsnorm,
    .silu_mul = silu_mul,
    .f32_to_f16 = f32_to_f16,
    .scores = avx512_scores,
    .accumulate = avx512_accumulate,
    .exp_sum = avx512_exp_sum,
};
#endif
