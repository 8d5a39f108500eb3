/*
 * avx2.h - what the AVX2 files share. Included by avx2*.c only, which are built with the
 * instruction sets on; avx2.c decides at run time whether they may be called.
 */
#ifndef AIRO_KERNELS_CPU_AVX2_H
#define AIRO_KERNELS_CPU_AVX2_H

#include <immintrin.h>

#include "kernels/cpu/cpu.h"

/* avx2_linear.c */
void avx2_quantize(const float *x, const struct cpu_order *order, uint32_t first, uint32_t end,
                   int8_t *values, float *scales, int32_t *negsums);
void avx2_linear_strips(const struct cpu_linear *linear, uint32_t strip, uint32_t count,
                        const struct cpu_acts *acts, uint32_t n, float *tile);
void avx2_linear_dense(const void *weights, enum backend_dtype dtype, uint32_t rows, uint32_t in,
                       const float *x, size_t x_stride, uint32_t n, float *tile);

/* avx2_attend.c */
void avx2_scores(const struct cpu_rows *keys, uint32_t first, uint32_t count, const float *q,
                 size_t q_stride, uint32_t queries, float *scores, size_t score_stride);
void avx2_accumulate(const struct cpu_rows *values, uint32_t first, uint32_t count, const float *p,
                     size_t p_stride, uint32_t queries, float *sums, size_t sum_stride);
float avx2_exp_sum(float *s, uint32_t n, float max);

static inline float sum256(__m256 v)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

/* The first `count` of 8 lanes, as a mask for maskload and maskstore. */
static inline __m256i lanes256(uint32_t count)
{
    const __m256i index = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
    return _mm256_cmpgt_epi32(_mm256_set1_epi32(count < 8 ? (int)count : 8), index);
}

/* exp(x) to about 2 ulp, as exp512 in avx512.h; 2^n is written into the exponent, and results
 * below the smallest normal number are 0. */
static inline __m256 exp256(__m256 x)
{
    const __m256 least = _mm256_set1_ps(-87.0f);
    __m256 zero = _mm256_cmp_ps(x, least, _CMP_LT_OQ);
    x = _mm256_min_ps(_mm256_set1_ps(88.0f), _mm256_max_ps(least, x));
    __m256 n = _mm256_round_ps(_mm256_mul_ps(x, _mm256_set1_ps(1.44269504f)),
                               _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
    __m256 r = _mm256_fnmadd_ps(n, _mm256_set1_ps(0.693359375f), x);
    r = _mm256_fnmadd_ps(n, _mm256_set1_ps(-2.12194440e-4f), r);
    __m256 p = _mm256_set1_ps(1.0f / 720);
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 120));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 24));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 6));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
    __m256i exponent = _mm256_add_epi32(_mm256_cvtps_epi32(n), _mm256_set1_epi32(127));
    p = _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(exponent, 23)));
    return _mm256_andnot_ps(zero, p);
}

#endif
