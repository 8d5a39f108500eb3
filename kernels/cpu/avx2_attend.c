/*
 * avx2_attend.c - attention over the rows of one page with AVX2. head_dim is a multiple of 8, so
 * there are no short vectors but in exp_sum.
 */
#if defined(__x86_64__)
#include "kernels/cpu/avx2.h"

#define INLINE static inline __attribute__((always_inline))

/* Eight values of a row from element d on, scaled. */
INLINE __m256 load_values(const struct cpu_rows *rows, enum kv_type type, size_t row, uint32_t d)
{
    size_t at = row * rows->head_dim + d;
    if (type == KV_F32)
        return _mm256_loadu_ps((const float *)rows->values + at);
    if (type == KV_F16)
        return _mm256_cvtph_ps(
            _mm_loadu_si128((const __m128i *)((const uint16_t *)rows->values + at)));
    __m128i bytes = _mm_loadl_epi64((const __m128i *)((const int8_t *)rows->values + at));
    __m256 v = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    uint16_t scale = rows->scales[row * rows->row_scales + d / 32];
    return _mm256_mul_ps(v, _mm256_set1_ps(_cvtsh_ss(scale)));
}

INLINE void score_rows(const struct cpu_rows *keys, enum kv_type type, uint32_t first,
                       uint32_t count, const float *q, size_t q_stride, const uint32_t queries,
                       float *scores, size_t score_stride)
{
    for (uint32_t i = 0; i < count; i++) {
        __m256 sums[4];
        for (uint32_t j = 0; j < queries; j++)
            sums[j] = _mm256_setzero_ps();
        for (uint32_t d = 0; d < keys->head_dim; d += 8) {
            __m256 k = load_values(keys, type, first + i, d);
            for (uint32_t j = 0; j < queries; j++)
                sums[j] = _mm256_fmadd_ps(_mm256_loadu_ps(q + j * q_stride + d), k, sums[j]);
        }
        for (uint32_t j = 0; j < queries; j++)
            scores[j * score_stride + i] = sum256(sums[j]);
    }
}

INLINE void score_type(const struct cpu_rows *keys, enum kv_type type, uint32_t first,
                       uint32_t count, const float *q, size_t q_stride, uint32_t queries,
                       float *scores, size_t score_stride)
{
    uint32_t j = 0;
    for (; j + 4 <= queries; j += 4)
        score_rows(keys, type, first, count, q + j * q_stride, q_stride, 4,
                   scores + j * score_stride, score_stride);
    for (; j < queries; j++)
        score_rows(keys, type, first, count, q + j * q_stride, q_stride, 1,
                   scores + j * score_stride, score_stride);
}

void avx2_scores(const struct cpu_rows *keys, uint32_t first, uint32_t count, const float *q,
                 size_t q_stride, uint32_t queries, float *scores, size_t score_stride)
{
    if (keys->type == KV_F16)
        score_type(keys, KV_F16, first, count, q, q_stride, queries, scores, score_stride);
    else if (keys->type == KV_Q8)
        score_type(keys, KV_Q8, first, count, q, q_stride, queries, scores, score_stride);
    else
        score_type(keys, KV_F32, first, count, q, q_stride, queries, scores, score_stride);
}

/* `chunks` times 8 dimensions from d for `queries` queries (constants). */
INLINE void sum_rows(const struct cpu_rows *values, enum kv_type type, uint32_t first,
                     uint32_t count, uint32_t d, const uint32_t chunks, const float *p,
                     size_t p_stride, const uint32_t queries, float *sums, size_t sum_stride)
{
    __m256 acc[8];
    for (uint32_t j = 0; j < queries; j++)
        for (uint32_t c = 0; c < chunks; c++)
            acc[j * chunks + c] = _mm256_loadu_ps(sums + j * sum_stride + d + 8 * c);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t c = 0; c < chunks; c++) {
            __m256 v = load_values(values, type, first + i, d + 8 * c);
            for (uint32_t j = 0; j < queries; j++)
                acc[j * chunks + c] =
                    _mm256_fmadd_ps(_mm256_set1_ps(p[j * p_stride + i]), v, acc[j * chunks + c]);
        }
    for (uint32_t j = 0; j < queries; j++)
        for (uint32_t c = 0; c < chunks; c++)
            _mm256_storeu_ps(sums + j * sum_stride + d + 8 * c, acc[j * chunks + c]);
}

INLINE void sum_type(const struct cpu_rows *values, enum kv_type type, uint32_t first,
                     uint32_t count, const float *p, size_t p_stride, uint32_t queries, float *sums,
                     size_t sum_stride)
{
    uint32_t j = 0, dim = values->head_dim;
    for (; j + 4 <= queries; j += 4)
        for (uint32_t d = 0; d < dim; d += 8)
            sum_rows(values, type, first, count, d, 1, p + j * p_stride, p_stride, 4,
                     sums + j * sum_stride, sum_stride);
    for (; j < queries; j++) {
        uint32_t d = 0;
        for (; d + 64 <= dim; d += 64)
            sum_rows(values, type, first, count, d, 8, p + j * p_stride, p_stride, 1,
                     sums + j * sum_stride, sum_stride);
        for (; d < dim; d += 8)
            sum_rows(values, type, first, count, d, 1, p + j * p_stride, p_stride, 1,
                     sums + j * sum_stride, sum_stride);
    }
}

void avx2_accumulate(const struct cpu_rows *values, uint32_t first, uint32_t count, const float *p,
                     size_t p_stride, uint32_t queries, float *sums, size_t sum_stride)
{
    if (values->type == KV_F16)
        sum_type(values, KV_F16, first, count, p, p_stride, queries, sums, sum_stride);
    else if (values->type == KV_Q8)
        sum_type(values, KV_Q8, first, count, p, p_stride, queries, sums, sum_stride);
    else
        sum_type(values, KV_F32, first, count, p, p_stride, queries, sums, sum_stride);
}

float avx2_exp_sum(float *s, uint32_t n, float max)
{
    __m256 sum = _mm256_setzero_ps(), top = _mm256_set1_ps(max);
    for (uint32_t i = 0; i < n; i += 8) {
        __m256i mask = lanes256(n - i);
        __m256 e = exp256(_mm256_sub_ps(_mm256_maskload_ps(s + i, mask), top));
        _mm256_maskstore_ps(s + i, mask, e);
        sum = _mm256_add_ps(sum, _mm256_and_ps(e, _mm256_castsi256_ps(mask)));
    }
    return sum256(sum);
}
#endif
