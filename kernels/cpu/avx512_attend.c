/*
 * avx512_attend.c - attention over the rows of one page with AVX-512: keys and values are widened
 * in registers and shared by up to eight queries. Scores are summed up 16 at a time, rows times
 * queries, by one transposition. While rows are read, as many bytes of `ahead` are asked for.
 */
#if defined(__x86_64__)
#include "kernels/cpu/avx512.h"
#include "kernels/cpu/kv_q4.h"

#define INLINE static inline __attribute__((always_inline))
#define CHUNK  16 /* dimensions of one vector */
#define TILE   16 /* scores computed together: rows times queries */

/* Levels of nibbles: lane n is n - 8. */
INLINE __m512 nibble_levels(void)
{
    return _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
}

/* Half a block of q4: a permutation looks each nibble up among the 16 scaled levels, and reads no
 * more than the low four bits of a lane. */
INLINE __m512 load_nibbles(const struct cpu_rows *rows, size_t row, uint32_t block,
                           const uint32_t high)
{
    size_t at = row * (rows->head_dim / 2) + 16 * (size_t)block;
    __m512i bytes = _mm512_cvtepu8_epi32(
        _mm_loadu_si128((const __m128i *)((const uint8_t *)rows->values + at)));
    __m256i scale = _mm256_set1_epi16((short)rows->scales[row * rows->row_scales + block]);
    __m512 levels = _mm512_mul_ps(nibble_levels(), _mm512_cvtph_ps(scale));
    return _mm512_permutexvar_ps(high ? _mm512_srli_epi32(bytes, 4) : bytes, levels);
}

/* 16 values of a short block of q4, from element d: one by one. */
static __m512 short_nibbles(const struct cpu_rows *rows, size_t row, uint32_t d)
{
    const uint8_t *nibbles = (const uint8_t *)rows->values + row * (rows->head_dim / 2);
    float levels[CHUNK] = {0};
    for (uint32_t i = 0; i < CHUNK && d + i < rows->head_dim; i++)
        levels[i] = (float)kv_q4_level(nibbles, rows->head_dim, d + i);
    __m256i scale = _mm256_set1_epi16((short)rows->scales[row * rows->row_scales + d / 32]);
    return _mm512_mul_ps(_mm512_loadu_ps(levels), _mm512_cvtph_ps(scale));
}

/* 16 values of a row, scaled: the `part`-th (a constant) after element d, whose block is `block`,
 * said so that the compiler sees which vectors share a scale. `whole`: all lanes are in use, and of
 * q4 the whole block is. */
INLINE __m512 load_values(const struct cpu_rows *rows, enum kv_type type, size_t row, uint32_t d,
                          uint32_t block, const uint32_t part, const bool whole)
{
    if (type == KV_Q4)
        return whole ? load_nibbles(rows, row, block + part / 2, part % 2)
                     : short_nibbles(rows, row, d + CHUNK * part);
    size_t at = row * rows->head_dim + d + CHUNK * part;
    __mmask16 mask = whole ? 0xFFFF : lanes(rows->head_dim - d - CHUNK * part);
    const uint8_t *from = (const uint8_t *)rows->values + cpu_kv_bytes(type, at);
    if (type == KV_F32)
        return whole ? _mm512_loadu_ps(from) : _mm512_maskz_loadu_ps(mask, from);
    if (type == KV_F16)
        return _mm512_cvtph_ps(whole ? _mm256_loadu_si256((const __m256i *)from)
                                     : _mm256_maskz_loadu_epi16(mask, from));
    __m128i bytes =
        whole ? _mm_loadu_si128((const __m128i *)from) : _mm_maskz_loadu_epi8(mask, from);
    __m512 v = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
    __m256i scale =
        _mm256_set1_epi16((short)rows->scales[row * rows->row_scales + block + part / 2]);
    return _mm512_mul_ps(v, _mm512_cvtph_ps(scale));
}

INLINE __m512 load_floats(const float *at, const bool whole, __mmask16 mask)
{
    return whole ? _mm512_loadu_ps(at) : _mm512_maskz_loadu_ps(mask, at);
}

/* --- scores ----------------------------------------------------------------------------------- */

/* The 16 sums over the lanes of 16 vectors, each by the same tree: the halves of every four lanes,
 * pairs, then the quarters of the vector. */
INLINE __m512 sum_each(const __m512 *v)
{
    __m512 two[8], four[4], eight[2];
#pragma GCC unroll 16
    for (int i = 0; i < 8; i++)
        two[i] = _mm512_add_ps(_mm512_unpacklo_ps(v[2 * i], v[2 * i + 1]),
                               _mm512_unpackhi_ps(v[2 * i], v[2 * i + 1]));
#pragma GCC unroll 16
    for (int i = 0; i < 4; i++) {
        __m512d a = _mm512_castps_pd(two[2 * i]), b = _mm512_castps_pd(two[2 * i + 1]);
        four[i] = _mm512_add_ps(_mm512_castpd_ps(_mm512_unpacklo_pd(a, b)),
                                _mm512_castpd_ps(_mm512_unpackhi_pd(a, b)));
    }
#pragma GCC unroll 16
    for (int i = 0; i < 2; i++)
        eight[i] = _mm512_add_ps(_mm512_shuffle_f32x4(four[2 * i], four[2 * i + 1], 0x88),
                                 _mm512_shuffle_f32x4(four[2 * i], four[2 * i + 1], 0xDD));
    return _mm512_add_ps(_mm512_shuffle_f32x4(eight[0], eight[1], 0x88),
                         _mm512_shuffle_f32x4(eight[0], eight[1], 0xDD));
}

/* sums[j][i] += q[j] . row i over `chunks` (a constant) vectors from d on. In place of the rows
 * that are missing the last is taken again. */
INLINE void score_dims(const struct cpu_rows *keys, enum kv_type type, size_t row, uint32_t count,
                       uint32_t d, const uint32_t chunks, const bool whole, const float *q,
                       size_t q_stride, const uint32_t queries, const char *ahead, __m512 *sums)
{
    const uint32_t rows = TILE / queries,
                   bytes = (uint32_t)cpu_kv_bytes(type, rows * chunks * CHUNK);
    __mmask16 mask = whole ? 0xFFFF : lanes(keys->head_dim - d);
    ahead += cpu_kv_bytes(type, (size_t)rows * d);
#pragma GCC unroll 16
    for (uint32_t byte = 0; byte < bytes; byte += 64)
        _mm_prefetch(ahead + byte, _MM_HINT_T0);
#pragma GCC unroll 16
    for (uint32_t i = 0; i < rows; i++) {
        size_t at = row + (i < count ? i : count - 1);
#pragma GCC unroll 16
        for (uint32_t c = 0; c < chunks; c++) {
            __m512 k = load_values(keys, type, at, d, d / 32, c, whole);
            const float *from = q + d + CHUNK * c;
#pragma GCC unroll 16
            for (uint32_t j = 0; j < queries; j++)
                sums[j * rows + i] = _mm512_fmadd_ps(load_floats(from + j * q_stride, whole, mask),
                                                     k, sums[j * rows + i]);
        }
    }
}

/* `count` rows, at most TILE / queries (a constant), for `queries` queries. */
INLINE void score_tile(const struct cpu_rows *keys, enum kv_type type, size_t row, uint32_t count,
                       const float *q, size_t q_stride, const uint32_t queries, const char *ahead,
                       float *scores, size_t score_stride)
{
    const uint32_t rows = TILE / queries, dim = keys->head_dim;
    __m512 sums[TILE];
    uint32_t d = 0;
#pragma GCC unroll 16
    for (uint32_t i = 0; i < TILE; i++)
        sums[i] = _mm512_setzero_ps();
    for (; (type == KV_Q8 || type == KV_Q4) && d + 2 * CHUNK <= dim; d += 2 * CHUNK)
        score_dims(keys, type, row, count, d, 2, true, q, q_stride, queries, ahead, sums);
    for (; d + CHUNK <= dim; d += CHUNK)
        score_dims(keys, type, row, count, d, 1, type != KV_Q4, q, q_stride, queries, ahead, sums);
    if (d < dim)
        score_dims(keys, type, row, count, d, 1, false, q, q_stride, queries, ahead, sums);
    float results[TILE];
    __m512 all = sum_each(sums);
    if (queries == 1) {
        _mm512_mask_storeu_ps(scores, lanes(count), all);
        return;
    }
    _mm512_storeu_ps(results, all);
#pragma GCC unroll 16
    for (uint32_t j = 0; j < queries; j++)
        for (uint32_t i = 0; i < rows && i < count; i++)
            scores[j * score_stride + i] = results[j * rows + i];
}

INLINE void score_rows(const struct cpu_rows *keys, enum kv_type type, uint32_t first,
                       uint32_t count, const float *q, size_t q_stride, const uint32_t queries,
                       float *scores, size_t score_stride)
{
    const uint32_t rows = TILE / queries;
    const size_t row_bytes = cpu_kv_bytes(type, keys->head_dim);
    const char *ahead = keys->ahead;
    uint32_t i = 0;
    for (; i + rows <= count; i += rows)
        score_tile(keys, type, first + i, rows, q, q_stride, queries, ahead + i * row_bytes,
                   scores + i, score_stride);
    if (i < count)
        score_tile(keys, type, first + i, count - i, q, q_stride, queries, ahead + i * row_bytes,
                   scores + i, score_stride);
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
    for (; j + 2 <= queries; j += 2)
        score_rows(keys, type, first, count, q + j * q_stride, q_stride, 2,
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
    else if (keys->type == KV_Q4)
        score_type(keys, KV_Q4, first, count, q, q_stride, queries, scores, score_stride);
    else
        score_type(keys, KV_F32, first, count, q, q_stride, queries, scores, score_stride);
}

/* --- values ----------------------------------------------------------------------------------- */

/* `chunks` times 16 dimensions from d for `queries` queries (constants); the sums stay in
 * registers. */
INLINE void sum_rows(const struct cpu_rows *values, enum kv_type type, uint32_t first,
                     uint32_t count, uint32_t d, const uint32_t chunks, const bool whole,
                     const float *p, size_t p_stride, const uint32_t queries, const char *ahead,
                     float *sums, size_t sum_stride)
{
    const uint32_t step = (uint32_t)cpu_kv_bytes(type, chunks * CHUNK);
    __m512 acc[16];
    __mmask16 mask = whole ? 0xFFFF : lanes(values->head_dim - d);
#pragma GCC unroll 16
    for (uint32_t j = 0; j < queries; j++)
#pragma GCC unroll 16
        for (uint32_t c = 0; c < chunks; c++)
            acc[j * chunks + c] = load_floats(sums + j * sum_stride + d + CHUNK * c, whole, mask);
    for (uint32_t i = 0; i < count; i++) {
#pragma GCC unroll 16
        for (uint32_t byte = 0; byte < step; byte += 64)
            _mm_prefetch(ahead + i * step + byte, _MM_HINT_T0);
#pragma GCC unroll 16
        for (uint32_t c = 0; c < chunks; c++) {
            __m512 v = load_values(values, type, first + i, d, d / 32, c, whole);
#pragma GCC unroll 16
            for (uint32_t j = 0; j < queries; j++)
                acc[j * chunks + c] =
                    _mm512_fmadd_ps(_mm512_set1_ps(p[j * p_stride + i]), v, acc[j * chunks + c]);
        }
    }
#pragma GCC unroll 16
    for (uint32_t j = 0; j < queries; j++)
#pragma GCC unroll 16
        for (uint32_t c = 0; c < chunks; c++) {
            float *at = sums + j * sum_stride + d + CHUNK * c;
            if (whole)
                _mm512_storeu_ps(at, acc[j * chunks + c]);
            else
                _mm512_mask_storeu_ps(at, mask, acc[j * chunks + c]);
        }
}

/* All dimensions for `queries` queries, `chunks` vectors at a time. */
INLINE void sum_dims(const struct cpu_rows *values, enum kv_type type, uint32_t first,
                     uint32_t count, const uint32_t chunks, const float *p, size_t p_stride,
                     const uint32_t queries, float *sums, size_t sum_stride)
{
    const char *ahead = values->ahead;
    uint32_t d = 0, dim = values->head_dim;
    for (; d + chunks * CHUNK <= dim; d += chunks * CHUNK)
        sum_rows(values, type, first, count, d, chunks, true, p, p_stride, queries,
                 ahead + cpu_kv_bytes(type, (size_t)count * d), sums, sum_stride);
    for (; d + 2 * CHUNK <= dim; d += 2 * CHUNK)
        sum_rows(values, type, first, count, d, 2, true, p, p_stride, queries,
                 ahead + cpu_kv_bytes(type, (size_t)count * d), sums, sum_stride);
    for (; d + CHUNK <= dim; d += CHUNK)
        sum_rows(values, type, first, count, d, 1, type != KV_Q4, p, p_stride, queries,
                 ahead + cpu_kv_bytes(type, (size_t)count * d), sums, sum_stride);
    if (d < dim)
        sum_rows(values, type, first, count, d, 1, false, p, p_stride, queries,
                 ahead + cpu_kv_bytes(type, (size_t)count * d), sums, sum_stride);
}

INLINE void sum_type(const struct cpu_rows *values, enum kv_type type, uint32_t first,
                     uint32_t count, const float *p, size_t p_stride, uint32_t queries, float *sums,
                     size_t sum_stride)
{
    uint32_t j = 0;
    for (; j + 8 <= queries; j += 8)
        sum_dims(values, type, first, count, 2, p + j * p_stride, p_stride, 8,
                 sums + j * sum_stride, sum_stride);
    for (; j + 4 <= queries; j += 4)
        sum_dims(values, type, first, count, 4, p + j * p_stride, p_stride, 4,
                 sums + j * sum_stride, sum_stride);
    for (; j + 2 <= queries; j += 2)
        sum_dims(values, type, first, count, 8, p + j * p_stride, p_stride, 2,
                 sums + j * sum_stride, sum_stride);
    for (; j < queries; j++)
        sum_dims(values, type, first, count, 8, p + j * p_stride, p_stride, 1,
                 sums + j * sum_stride, sum_stride);
}

void avx512_accumulate(const struct cpu_rows *values, uint32_t first, uint32_t count,
                       const float *p, size_t p_stride, uint32_t queries, float *sums,
                       size_t sum_stride)
{
    if (values->type == KV_F16)
        sum_type(values, KV_F16, first, count, p, p_stride, queries, sums, sum_stride);
    else if (values->type == KV_Q8)
        sum_type(values, KV_Q8, first, count, p, p_stride, queries, sums, sum_stride);
    else if (values->type == KV_Q4)
        sum_type(values, KV_Q4, first, count, p, p_stride, queries, sums, sum_stride);
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
