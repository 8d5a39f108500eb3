/*
 * avx2.c - the AVX2 kernels: the table, and the steps that are one loop over a row.
 */
#if defined(__x86_64__)
#include <math.h>

#include "kernels/cpu/avx2.h"

static bool supported(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
           __builtin_cpu_supports("f16c");
}

static void rmsnorm(float *out, const float *x, const float *weight, uint32_t n, float eps)
{
    __m256 sum = _mm256_setzero_ps();
    for (uint32_t i = 0; i < n; i += 8) {
        __m256 v = _mm256_maskload_ps(x + i, lanes256(n - i));
        sum = _mm256_fmadd_ps(v, v, sum);
    }
    __m256 factor = _mm256_set1_ps(1.0f / sqrtf(sum256(sum) / (float)n + eps));
    for (uint32_t i = 0; i < n; i += 8) {
        __m256i mask = lanes256(n - i);
        __m256 v = _mm256_mul_ps(_mm256_maskload_ps(x + i, mask), factor);
        _mm256_maskstore_ps(out + i, mask, _mm256_mul_ps(v, _mm256_maskload_ps(weight + i, mask)));
    }
}

static void silu_mul(float *out, const float *gate, const float *up, uint32_t n)
{
    const __m256 one = _mm256_set1_ps(1.0f), sign = _mm256_set1_ps(-0.0f);
    for (uint32_t i = 0; i < n; i += 8) {
        __m256i mask = lanes256(n - i);
        __m256 g = _mm256_maskload_ps(gate + i, mask);
        __m256 below = _mm256_add_ps(one, exp256(_mm256_xor_ps(g, sign)));
        __m256 h = _mm256_mul_ps(_mm256_div_ps(g, below), _mm256_maskload_ps(up + i, mask));
        _mm256_maskstore_ps(out + i, mask, h);
    }
}

static void f32_to_f16(uint16_t *out, const float *x, size_t n)
{
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        _mm_storeu_si128((__m128i *)(out + i),
                         _mm256_cvtps_ph(_mm256_loadu_ps(x + i), _MM_FROUND_TO_NEAREST_INT));
    for (; i < n; i++)
        out[i] = _cvtss_sh(x[i], _MM_FROUND_TO_NEAREST_INT);
}

const struct cpu_kernels cpu_avx2 = {
    .name = "avx2",
    .label = "AVX2",
    .supported = supported,
    .form = FORM_STRIPS,
    .quantize = avx2_quantize,
    .linear_strips = avx2_linear_strips,
    .linear_dense = avx2_linear_dense,
    .rmsnorm = rmsnorm,
    .silu_mul = silu_mul,
    .f32_to_f16 = f32_to_f16,
    .scores = avx2_scores,
    .accumulate = avx2_accumulate,
    .exp_sum = avx2_exp_sum,
};
#endif
