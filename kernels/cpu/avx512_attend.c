/*
 * avx512_attend.c - attention over the rows of one page with AVX-512: keys and values are widened
 * in registers and shared by up to eight queries.
 */
#if defined(__x86_64__)
#include "kernels/cpu/avx512.h"

#define INLINE static inline __attribute__((always_inline))

/* 16 values of a row from element d, without the scale of q8. */
INLINE __m512 load_values(const struct cpu_rows *rows, enum kv_type type, size_t row, uint32_t d,
                          __mmask16 mask)
{
    size_t at = row * rows->head_dim + d;
    if (type == KV_F32)
        return _mm512_maskz_loadu_ps(mask, (const float *)rows->values + at);
    if (type == KV_F16)
        return _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, (const uint16_t *)rows->values + at));
    __m128i bytes = _mm_maskz_loadu_epi8(mask, (const int8_t *)rows->values + at);
    return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}

INLINE __m512 load_scaled(const struct cpu_rows *rows, enum kv_type type, size_t row, uint32_t d,
                          __mmask16 mask)
{
    __m512 v = load_values(rows, type, row, d, mask);
    if (type != KV_Q8)
        return v;
    uint16_t scale = rows->scales[row * rows->row_scales + d / 32];
    return _mm512_mul_ps(v, _mm512_set1_ps(_cvtsh_ss(scale)));
}

/* --- scores ----------------------------------------------------------------------------------- */

INLINE void score_rows(const struct cpu_rows *keys, enum kv_type type, uint32_t first,
                       uint32_t count, const float *q, size_t q_stride, const uint32_t queries,
                       float *scores, size_t score_stride)
{
    for (uint32_t i = 0; i < count; i++) {
        __m512 sums[ATTEND_QUERIES];
        for (uint32_t j = 0; j < queries; j++)
            sums[j] = _mm512_setzero_ps();
        for (uint32_t d = 0; d < keys->head_dim; d += 16) {
            __mmask16 mask = lanes(keys->head_dim - d);
            __m512 k = load_scaled(keys, type, first + i, d, mask);
            for (uint32_t j = 0; j < queries; j++)
                sums[j] =
                    _mm512_fmadd_ps(_mm512_maskz_loadu_ps(mask, q + j * q_stride + d), k, sums[j]);
        }
        for (uint32_t j = 0; j < queries; j++)
            scores[j * score_stride + i] = _mm512_reduce_add_ps(sums[j]);
    }
}

INLINE void score_type(const struct cpu_rows *keys, enum kv_type type, uint32_t first,
                       uint32_t count, const float *q, size_t q_stride, uint32_t queries,
                       float *scores, size_t score_stride)
{
    uint32_t j = 0;
    for (; j + 8 <= queries; j += 8)
        score_rows(keys, type, first, count, q + j * q_stride, q_stride, 8,
                   scores + j * score_stride, score_stride);
    for (; j + 4 <= queries; j += 4)
        score_rows(keys, type, first, count, q + j * q_stride, q_stride, 4,
                   scores + j * score_stride, score_stride);
    for (; j < queries; j++)
        score_rows(keys, type, first, count, q + j * q_stride, q_stride, 1,
                   scores + j * score_stride, score_stride);
}

void avx512_scores(const struct cpu_rows *keys, uint32_t first, uint32_t count, const float *q,
                   size_t q_stride, uint32_t queries, float *scores, size_t score_stride)
{
    if (keys->type == KV_F16)
        score_type(keys, KV_F16, first, count, q, q_stride, queries, scores, score_stride);
    else if (keys->type == KV_Q8)
        score_type(keys, KV_Q8, first, count, q, q_stride, queries, scores, score_stride);
    else
        score_type(keys, KV_F32, first, count, q, q_stride, queries, scores, score_stride);
}

/* --- values ----------------------------------------------------------------------------------- */

/* `chunks` times 16 dimensions from d for `queries` queries (constants); the sums stay in
 * registers. */
INLINE void sum_rows(const struct cpu_rows *values, enum kv_type type, uint32_t first,
                     uint32_t count, uint32_t d, const uint32_t chunks, const float *p,
                     size_t p_stride, const uint32_t queries, float *sums, size_t sum_stride)
{
    __m512 acc[8];
    __mmask16 mask = lanes(values->head_dim - d);
    for (uint32_t j = 0; j < queries; j++)
        for (uint32_t c = 0; c < chunks; c++)
            acc[j * chunks + c] = _mm512_maskz_loadu_ps(mask, sums + j * sum_stride + d + 16 * c);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t c = 0; c < chunks; c++) {
            __m512 v = load_scaled(values, type, first + i, d + 16 * c, mask);
            for (uint32_t j = 0; j < queries; j++)
                acc[j * chunks + c] =
                    _mm512_fmadd_ps(_mm512_set1_ps(p[j * p_stride + i]), v, acc[j * chunks + c]);
        }
    for (uint32_t j = 0; j < queries; j++)
        for (uint32_t c = 0; c < chunks; c++)
            _mm512_mask_storeu_ps(sums + j * sum_stride + d + 16 * c, mask, acc[j * chunks + c]);
}

INLINE void sum_type(const struct cpu_rows *values, enum kv_type type, uint32_t first,
                     uint32_t count, const float *p, size_t p_stride, uint32_t queries, float *sums,
                     size_t sum_stride)
{
    uint32_t j = 0, dim = values->head_dim;
    for (; j + 8 <= queries; j += 8)
        for (uint32_t d = 0; d < dim; d += 16)
            sum_rows(values, type, first, count, d, 1, p + j * p_stride, p_stride, 8,
                     sums + j * sum_stride, sum_stride);
    for (; j < queries; j++) {
        uint32_t d = 0;
        for (; d + 128 <= dim; d += 128)
            sum_rows(values, type, first, count, d, 8, p + j * p_stride, p_stride, 1,
                     sums + j * sum_stride, sum_stride);
        for (; d < dim; d += 16)
            sum_rows(values, type, first, count, d, 1, p + j * p_stride, p_stride, 1,
                     sums + j * sum_stride, sum_stride);
    }
}

void avx512_accumulate(const struct cpu_rows *values, uint32_t first, uint32_t count,
                       const float *p, size_t p_stride, uint32_t queries, float *sums,
                       size_t sum_stride)
{
    if (values->type == KV_F16)
        sum_type(values, KV_F16, first, count, p, p_stride, queries, sums, sum_stride);
    else if (values->type == KV_Q8)
        sum_type(values, KV_Q8, first, count, p, p_stride, queries, sums, sum_stride);
    else
        sum_type(values, KV_F32, first, count, p, p_stride, queries, sums, sum_stride);
}

float avx512_exp_sum(float *s, uint32_t n, float max)
{
    __m512 sum = _mm512_setzero_ps(), top = _mm512_set1_ps(max);
    for (uint32_t i = 0; i < n; i += 16) {
        __mmask16 mask = lanes(n - i);
        __m512 e = exp512(_mm512_sub_ps(_mm512_maskz_loadu_ps(mask, s + i), top));
        _mm512_mask_storeu_ps(s + i, mask, e);
        sum = _mm512_mask_add_ps(sum, mask, sum, e);
    }
    return _mm512_reduce_add_ps(sum);
}
#endif
