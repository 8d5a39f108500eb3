/*
 * avx512.h - what the AVX-512 files share. Included by avx512*.c only, which are built with the
 * instruction sets on; avx512.c decides at run time whether they may be called.
 */
#ifndef AIRO_KERNELS_CPU_AVX512_H
#define AIRO_KERNELS_CPU_AVX512_H

#include <immintrin.h>

#include "kernels/cpu/cpu.h"

/* avx512_linear.c */
void avx512_quantize(const float *x, const struct cpu_order *order, uint32_t first, uint32_t end,
                     int8_t *values, float *scales, int32_t *negsums);
void avx512_linear_strips(const struct cpu_linear *linear, uint32_t strip, uint32_t count,
                          const struct cpu_acts *acts, uint32_t n, float *tile);
void avx512_linear_dense(const void *weights, enum backend_dtype dtype, uint32_t rows, uint32_t in,
                         const float *x, size_t x_stride, uint32_t n, float *tile);

/* avx512_attend.c */
void avx512_scores(const struct cpu_rows *keys, uint32_t first, uint32_t count, const float *q,
                   size_t q_stride, uint32_t queries, float *scores, size_t score_stride);
void avx512_accumulate(const struct cpu_rows *values, uint32_t first, uint32_t count,
                       const float *p, size_t p_stride, uint32_t queries, float *sums,
                       size_t sum_stride);
float avx512_exp_sum(float *s, uint32_t n, float max);

/* The first `count` of 16 lanes. */
static inline __mmask16 lanes(uint32_t count)
{
    return count >= 16 ? (__mmask16)0xFFFF : (__mmask16)((1u << count) - 1);
}

/*
 * exp(x) to about 2 ulp: x = n ln 2 + r, |r| <= ln 2 / 2, exp(x) = 2^n p(r). p is the Taylor
 * polynomial of degree 6, whose first missing term is below 1.2e-7; ln 2 is in two parts so that r
 * keeps its bits (Cody and Waite). Below -104 the result is 0; a NaN stays one.
 */
static inline __m512 exp512(__m512 x)
{
    x = _mm512_min_ps(_mm512_set1_ps(89.0f), _mm512_max_ps(_mm512_set1_ps(-105.0f), x));
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 8);
    __m512 r = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
    r = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), r);
    __m512 p = _mm512_set1_ps(1.0f / 720);
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 120));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 24));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f / 6));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(0.5f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    p = _mm512_fmadd_ps(p, r, _mm512_set1_ps(1.0f));
    return _mm512_scalef_ps(p, n);
}

#endif
