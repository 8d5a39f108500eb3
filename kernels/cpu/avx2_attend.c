/*
 * avx2_attend.c - attention over the rows of one page with AVX2. head_dim is a multiple of 8, so
 * there are no short vectors but in exp_sum. See avx512_attend.c.
 */
#if defined(__x86_64__)
#include "kernels/cpu/avx2.h"
#include "kernels/cpu/kv_q4.h"

#define INLINE static inline __attribute__((always_inline))
#define CHUNK  8 /* dimensions of one vector */
#define TILE   8 /* scores computed together: rows times queries */

/* A quarter of a block of q4. The bytes of 16 values are widened once for their low and their high
 * nibbles; a level is n * scale - 8 * scale, rounded once. */
INLINE __m256 load_nibbles(const struct cpu_rows *rows, size_t row, uint32_t block,
                           const uint32_t quarter)
{
    const uint8_t *from = (const uint8_t *)rows->values + row * (rows->head_dim / 2) +
                          16 * (size_t)block + 8 * (quarter % 2);
    __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)from));
    __m128i half = _mm_set1_epi16((short)rows->scales[row * rows->row_scales + block]);
    __m256 scale = _mm256_cvtph_ps(half), zero = _mm256_mul_ps(scale, _mm256_set1_ps(KV_Q4_ZERO));
    __m256i nibbles =
        quarter < 2 ? _mm256_and_si256(bytes, _mm256_set1_epi32(15)) : _mm256_srli_epi32(bytes, 4);
    return _mm256_fmsub_ps(_mm256_cvtepi32_ps(nibbles), scale, zero);
}

/* Eight values of a short block of q4, from element d: one by one. */
static __m256 short_nibbles(const struct cpu_rows *rows, size_t row, uint32_t d)
{
    const uint8_t *nibbles = (const uint8_t *)rows->values + row * (rows->head_dim / 2);
    float levels[CHUNK];
    for (uint32_t i = 0; i < CHUNK; i++)
        levels[i] = (float)kv_q4_level(nibbles, rows->head_dim, d + i);
    __m128i scale = _mm_set1_epi16((short)rows->scales[row * rows->row_scales + d / 32]);
    return _mm256_mul_ps(_mm256_loadu_ps(levels), _mm256_cvtph_ps(scale));
}

/* Eight values of a row, scaled: the `part`-th (a constant) after element d, whose block is
 * `block`, said so that the compiler sees which vectors share a scale. Of q4 d begins a block, or
 * the block is short: not `whole`. */
INLINE __m256 load_values(const struct cpu_rows *rows, enum kv_type type, size_t row, uint32_t d,
                          uint32_t block, const uint32_t part, const bool whole)
{
    if (type == KV_Q4)
        return whole ? load_nibbles(rows, row, block + part / 4, part % 4)
                     : short_nibbles(rows, row, d + CHUNK * part);
    size_t at = row * rows->head_dim + d + CHUNK * part;
    if (type == KV_F32)
        return _mm256_loadu_ps((const float *)rows->values + at);
    if (type == KV_F16)
        return _mm256_cvtph_ps(
            _mm_loadu_si128((const __m128i *)((const uint16_t *)rows->values + at)));
    __m128i bytes = _mm_loadl_epi64((const __m128i *)((const int8_t *)rows->values + at));
    __m256 v = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(bytes));
    __m128i scale = _mm_set1_epi16((short)rows->scales[row * rows->row_scales + block + part / 4]);
    return _mm256_mul_ps(v, _mm256_cvtph_ps(scale));
}

/* --- scores ----------------------------------------------------------------------------------- */

/* The eight sums over the lanes of eight vectors, each by the same tree: neighbours, pairs of them,
 * halves of the vector. */
INLINE __m256 sum_each(const __m256 *v)
{
    __m256 low = _mm256_hadd_ps(_mm256_hadd_ps(v[0], v[1]), _mm256_hadd_ps(v[2], v[3]));
    __m256 high = _mm256_hadd_ps(_mm256_hadd_ps(v[4], v[5]), _mm256_hadd_ps(v[6], v[7]));
    return _mm256_add_ps(_mm256_permute2f128_ps(low, high, 0x20),
                         _mm256_permute2f128_ps(low, high, 0x31));
}

/* sums[j][i] += q[j] . row i over `chunks` (a constant) vectors from d on. In place of the rows
 * that are missing the last is taken again. */
INLINE void score_dims(const struct cpu_rows *keys, enum kv_type type, size_t row, uint32_t count,
                       uint32_t d, const uint32_t chunks, const bool whole, const float *q,
                       size_t q_stride, const uint32_t queries, const char *ahead, __m256 *sums)
{
    const uint32_t rows = TILE / queries,
                   bytes = (uint32_t)cpu_kv_bytes(type, rows * chunks * CHUNK);
    ahead += cpu_kv_bytes(type, (size_t)rows * d);
#pragma GCC unroll 16
    for (uint32_t byte = 0; byte < bytes; byte += 64)
        _mm_prefetch(ahead + byte, _MM_HINT_T0);
#pragma GCC unroll 16
    for (uint32_t i = 0; i < rows; i++) {
        size_t at = row + (i < count ? i : count - 1);
#pragma GCC unroll 16
        for (uint32_t c = 0; c < chunks; c++) {
            __m256 k = load_values(keys, type, at, d, d / 32, c, whole);
            const float *from = q + d + CHUNK * c;
#pragma GCC unroll 16
            for (uint32_t j = 0; j < queries; j++)
                sums[j * rows + i] =
                    _mm256_fmadd_ps(_mm256_loadu_ps(from + j * q_stride), k, sums[j * rows + i]);
        }
    }
}

/* `count` rows, at most TILE / queries (a constant), for `queries` queries. */
INLINE void score_tile(const struct cpu_rows *keys, enum kv_type type, size_t row, uint32_t count,
                       const float *q, size_t q_stride, const uint32_t queries, const char *ahead,
                       float *scores, size_t score_stride)
{
    const uint32_t rows = TILE / queries;
    const bool fours = type == KV_Q4 || (type == KV_Q8 && queries <= 2);
    __m256 sums[TILE];
    uint32_t d = 0;
#pragma GCC unroll 16
    for (uint32_t i = 0; i < TILE; i++)
        sums[i] = _mm256_setzero_ps();
    for (; fours && d + 4 * CHUNK <= keys->head_dim; d += 4 * CHUNK)
        score_dims(keys, type, row, count, d, 4, true, q, q_stride, queries, ahead, sums);
    for (; d < keys->head_dim; d += CHUNK)
        score_dims(keys, type, row, count, d, 1, type != KV_Q4, q, q_stride, queries, ahead, sums);
    float results[TILE];
    _mm256_storeu_ps(results, sum_each(sums));
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

void avx2_scores(const struct cpu_rows *keys, uint32_t first, uint32_t count, const float *q,
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

/* `chunks` times 8 dimensions, the `part`-th and on after d, for `queries` queries (constants); the
 * sums stay in registers. */
INLINE void sum_rows(const struct cpu_rows *values, enum kv_type type, uint32_t first,
                     uint32_t count, uint32_t d, const uint32_t part, const uint32_t chunks,
                     const bool whole, const float *p, size_t p_stride, const uint32_t queries,
                     const char *ahead, float *sums, size_t sum_stride)
{
    const uint32_t step = (uint32_t)cpu_kv_bytes(type, chunks * CHUNK);
    __m256 acc[8];
#pragma GCC unroll 16
    for (uint32_t j = 0; j < queries; j++)
#pragma GCC unroll 16
        for (uint32_t c = 0; c < chunks; c++)
            acc[j * chunks + c] = _mm256_loadu_ps(sums + j * sum_stride + d + CHUNK * (part + c));
    for (uint32_t i = 0; i < count; i++, ahead += step) {
#pragma GCC unroll 16
        for (uint32_t byte = 0; byte < step; byte += 64)
            _mm_prefetch(ahead + byte, _MM_HINT_T0);
#pragma GCC unroll 16
        for (uint32_t c = 0; c < chunks; c++) {
            __m256 v = load_values(values, type, first + i, d, d / 32, part + c, whole);
#pragma GCC unroll 16
            for (uint32_t j = 0; j < queries; j++)
                acc[j * chunks + c] =
                    _mm256_fmadd_ps(_mm256_set1_ps(p[j * p_stride + i]), v, acc[j * chunks + c]);
        }
    }
#pragma GCC unroll 16
    for (uint32_t j = 0; j < queries; j++)
#pragma GCC unroll 16
        for (uint32_t c = 0; c < chunks; c++)
            _mm256_storeu_ps(sums + j * sum_stride + d + CHUNK * (part + c), acc[j * chunks + c]);
}

/* All dimensions for `queries` queries, `chunks` vectors at a time. */
INLINE void sum_dims(const struct cpu_rows *values, enum kv_type type, uint32_t first,
                     uint32_t count, const uint32_t chunks, const float *p, size_t p_stride,
                     const uint32_t queries, float *sums, size_t sum_stride)
{
    const char *ahead = values->ahead;
    const bool halves = type == KV_Q4 && chunks == 2;
    uint32_t d = 0, dim = values->head_dim;
    for (; halves && d + 4 * CHUNK <= dim; d += 4 * CHUNK) {
        const char *next = ahead + cpu_kv_bytes(type, (size_t)count * d);
        sum_rows(values, type, first, count, d, 0, 2, true, p, p_stride, queries, next, sums,
                 sum_stride);
        sum_rows(values, type, first, count, d, 2, 2, true, p, p_stride, queries,
                 next + cpu_kv_bytes(type, (size_t)count * 2 * CHUNK), sums, sum_stride);
    }
    for (; !halves && d + chunks * CHUNK <= dim; d += chunks * CHUNK)
        sum_rows(values, type, first, count, d, 0, chunks, true, p, p_stride, queries,
                 ahead + cpu_kv_bytes(type, (size_t)count * d), sums, sum_stride);
    for (; chunks > 4 && d + 4 * CHUNK <= dim; d += 4 * CHUNK)
        sum_rows(values, type, first, count, d, 0, 4, true, p, p_stride, queries,
                 ahead + cpu_kv_bytes(type, (size_t)count * d), sums, sum_stride);
    for (; d < dim; d += CHUNK)
        sum_rows(values, type, first, count, d, 0, 1, type != KV_Q4, p, p_stride, queries,
                 ahead + cpu_kv_bytes(type, (size_t)count * d), sums, sum_stride);
}

INLINE void sum_type(const struct cpu_rows *values, enum kv_type type, uint32_t first,
                     uint32_t count, const float *p, size_t p_stride, uint32_t queries, float *sums,
                     size_t sum_stride)
{
    uint32_t j = 0;
    for (; j + 4 <= queries; j += 4)
        sum_dims(values, type, first, count, 2, p + j * p_stride, p_stride, 4,
                 sums + j * sum_stride, sum_stride);
    for (; j + 2 <= queries; j += 2)
        sum_dims(values, type, first, count, 4, p + j * p_stride, p_stride, 2,
                 sums + j * sum_stride, sum_stride);
    for (; j < queries; j++)
        sum_dims(values, type, first, count, 8, p + j * p_stride, p_stride, 1,
                 sums + j * sum_stride, sum_stride);
}

void avx2_accumulate(const struct cpu_rows *values, uint32_t first, uint32_t count, const float *p,
                     size_t p_stride, uint32_t queries, float *sums, size_t sum_stride)
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
