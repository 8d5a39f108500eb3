/*
 * avx512_attend.c - attention over the rows of one page with AVX-512: keys and values are widened
 * in registers and shared by up to eight queries. Scores are summed up 16 at a time, rows times
 * queries, by one transposition. While rows are read, as many bytes of `ahead` are asked for.
 *
 * The scales of q8 and q4 are widened to fp32 for all rows of a call. Of keys they are multiplied
 * into the values; of values into the weights, one product for 32 values. Rows of 64 and 128
 * values, the usual, have code of their own, in which every address is a constant beside one
 * pointer.
 */
#if defined(__x86_64__)
#include <string.h>

#include "kernels/cpu/avx512.h"
#include "kernels/cpu/kv_q4.h"

#define INLINE      static inline __attribute__((always_inline))
#define CHUNK       16  /* dimensions of one vector */
#define TILE        16  /* scores computed together: rows times queries */
#define USUAL_DIM   128 /* of a head */
#define SMALL_DIM   64  /* of small models */
#define SCALES_MOST 8   /* of a row: head_dim is at most 256 */

/* The rows of one call, from the first on; `dim` and `blocks` (scales of a row) are constants where
 * they can be. */
struct span {
    const uint8_t *values;
    const float *scales; /* [rows][blocks]; q8 and q4 */
    const char *ahead;
    uint32_t dim, blocks;
};

INLINE bool has_scales(enum kv_type type)
{
    return type == KV_Q8 || type == KV_Q4;
}

INLINE struct span span_of(const struct cpu_rows *rows, enum kv_type type, const uint32_t dim,
                           uint32_t first, uint32_t count, float *scales)
{
    struct span span = {.dim = dim, .blocks = (dim + 31) / 32, .scales = scales};
    span.values = (const uint8_t *)rows->values + cpu_kv_bytes(type, (size_t)first * dim);
    span.ahead = rows->ahead;
    const uint16_t *halves = rows->scales + (size_t)first * span.blocks;
    for (uint32_t i = 0; has_scales(type) && i < count * span.blocks; i += 16) {
        __mmask16 mask = lanes(count * span.blocks - i);
        _mm512_storeu_ps(scales + i, _mm512_cvtph_ps(_mm256_maskz_loadu_epi16(mask, halves + i)));
    }
    return span;
}

/* --- reading a row ---------------------------------------------------------------------------- */

/* 16 values of a short block of q4, from element d: one by one. */
static __m512 short_levels(const uint8_t *row, uint32_t dim, uint32_t d)
{
    float levels[CHUNK] = {0};
    for (uint32_t i = 0; i < CHUNK && d + i < dim; i++)
        levels[i] = (float)kv_q4_level(row, dim, d + i);
    return _mm512_loadu_ps(levels);
}

/* 16 values of the row at `from`, times `scale` (1 where it is not to be): the `part`-th (a
 * constant) after element d. `whole`: all lanes are in use, and of q4 the block is not short. */
INLINE __m512 load_values(const struct span *span, enum kv_type type, const uint8_t *from, size_t d,
                          const uint32_t part, const bool whole, const bool scaled, __m512 scale)
{
    size_t at = d + CHUNK * part;
    __mmask16 mask = whole ? 0xFFFF : lanes((uint32_t)(span->dim - at));
    if (type == KV_Q4 && whole) {
        /* A permutation looks each nibble up among the 16 levels; it reads no more than the low
         * four bits of a lane. */
        __m512 levels = _mm512_setr_ps(-8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7);
        __m512i bytes = _mm512_cvtepu8_epi32(
            _mm_loadu_si128((const __m128i *)(from + d / 2 + CHUNK * (part / 2))));
        if (scaled)
            levels = _mm512_mul_ps(levels, scale);
        return _mm512_permutexvar_ps(part % 2 ? _mm512_srli_epi32(bytes, 4) : bytes, levels);
    }
    __m512 v;
    if (type == KV_Q4) {
        v = short_levels(from, span->dim, (uint32_t)at);
    } else if (type == KV_Q8) {
        from += at;
        __m128i bytes =
            whole ? _mm_loadu_si128((const __m128i *)from) : _mm_maskz_loadu_epi8(mask, from);
        v = _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
    } else if (type == KV_F16) {
        from += 2 * at;
        v = _mm512_cvtph_ps(whole ? _mm256_loadu_si256((const __m256i *)from)
                                  : _mm256_maskz_loadu_epi16(mask, from));
    } else {
        from += 4 * at;
        v = whole ? _mm512_loadu_ps(from) : _mm512_maskz_loadu_ps(mask, from);
    }
    return scaled && has_scales(type) ? _mm512_mul_ps(v, scale) : v;
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

/* 16 values of key i, from d on the c-th. */
INLINE __m512 load_key(const struct span *keys, enum kv_type type, const uint8_t *values,
                       const float *scales, size_t i, size_t d, const uint32_t c, const bool whole)
{
    __m512 scale = _mm512_setzero_ps();
    if (has_scales(type))
        scale = _mm512_set1_ps(scales[i * keys->blocks]);
    return load_values(keys, type, values + i * cpu_kv_bytes(type, keys->dim), d, c, whole, true,
                       scale);
}

/* sums[j][i] += q[j] . row i over `chunks` (a constant, of one block where there are scales)
 * vectors from d on. In place of the rows that are missing the last is taken again. */
INLINE void score_dims(const struct span *keys, enum kv_type type, size_t row, uint32_t count,
                       size_t d, const uint32_t chunks, const bool whole, const float *q,
                       size_t q_stride, const uint32_t queries, __m512 *sums)
{
    const uint32_t rows = TILE / queries;
    const uint32_t bytes = (uint32_t)cpu_kv_bytes(type, rows * chunks * CHUNK);
    const size_t row_bytes = cpu_kv_bytes(type, keys->dim);
    const uint8_t *values = keys->values + row * row_bytes;
    const float *scales = keys->scales + row * keys->blocks + d / 32;
    __mmask16 mask = whole ? 0xFFFF : lanes((uint32_t)(keys->dim - d));
    const char *ahead = keys->ahead + cpu_kv_bytes(type, row * keys->dim + rows * d);
#pragma GCC unroll 16
    for (uint32_t byte = 0; byte < bytes; byte += 64)
        _mm_prefetch(ahead + byte, _MM_HINT_T0);
    if (queries < 4) {
#pragma GCC unroll 16
        for (uint32_t i = 0; i < rows; i++)
#pragma GCC unroll 16
            for (uint32_t c = 0; c < chunks; c++) {
                __m512 k =
                    load_key(keys, type, values, scales, i < count ? i : count - 1, d, c, whole);
#pragma GCC unroll 16
                for (uint32_t j = 0; j < queries; j++)
                    sums[j * rows + i] =
                        _mm512_fmadd_ps(load_floats(q + j * q_stride + d + CHUNK * c, whole, mask),
                                        k, sums[j * rows + i]);
            }
        return;
    }
#pragma GCC unroll 16
    for (uint32_t c = 0; c < chunks; c++) { /* few rows: a query is read once for all of them */
        __m512 k[4];
#pragma GCC unroll 16
        for (uint32_t i = 0; i < rows; i++)
            k[i] = load_key(keys, type, values, scales, i < count ? i : count - 1, d, c, whole);
#pragma GCC unroll 16
        for (uint32_t j = 0; j < queries; j++) {
            __m512 v = load_floats(q + j * q_stride + d + CHUNK * c, whole, mask);
#pragma GCC unroll 16
            for (uint32_t i = 0; i < rows; i++)
                sums[j * rows + i] = _mm512_fmadd_ps(v, k[i], sums[j * rows + i]);
        }
    }
}

/* `count` rows, at most TILE / queries (a constant), for `queries` queries. */
INLINE void score_tile(const struct span *keys, enum kv_type type, size_t row, uint32_t count,
                       const float *q, size_t q_stride, const uint32_t queries, float *scores,
                       size_t score_stride)
{
    const uint32_t rows = TILE / queries, dim = keys->dim;
    __m512 sums[TILE];
    size_t d = 0;
#pragma GCC unroll 16
    for (uint32_t i = 0; i < TILE; i++)
        sums[i] = _mm512_setzero_ps();
    for (; has_scales(type) && d + 2 * CHUNK <= dim; d += 2 * CHUNK)
        score_dims(keys, type, row, count, d, 2, true, q, q_stride, queries, sums);
    for (; d + CHUNK <= dim; d += CHUNK)
        score_dims(keys, type, row, count, d, 1, type != KV_Q4, q, q_stride, queries, sums);
    if (d < dim)
        score_dims(keys, type, row, count, d, 1, false, q, q_stride, queries, sums);
    float results[TILE];
    __m512 all = sum_each(sums);
    scores += row;
    if (queries == 1) {
        _mm512_mask_storeu_ps(scores, lanes(count), all);
        return;
    }
    _mm512_storeu_ps(results, all);
    if (count == rows) {
#pragma GCC unroll 16
        for (uint32_t j = 0; j < queries; j++)
            memcpy(scores + j * score_stride, results + j * rows, rows * sizeof *scores);
        return;
    }
    for (uint32_t j = 0; j < queries; j++)
        for (uint32_t i = 0; i < rows && i < count; i++)
            scores[j * score_stride + i] = results[j * rows + i];
}

INLINE void score_rows(const struct span *keys, enum kv_type type, uint32_t count, const float *q,
                       size_t q_stride, const uint32_t queries, float *scores, size_t score_stride)
{
    const uint32_t rows = TILE / queries;
    uint32_t i = 0;
    for (; i + rows <= count; i += rows)
        score_tile(keys, type, i, rows, q, q_stride, queries, scores, score_stride);
    if (i < count)
        score_tile(keys, type, i, count - i, q, q_stride, queries, scores, score_stride);
}

INLINE void score_dim(const struct cpu_rows *rows, enum kv_type type, const uint32_t dim,
                      uint32_t first, uint32_t count, const float *q, size_t q_stride,
                      uint32_t queries, float *scores, size_t score_stride)
{
    float scales[ATTEND_BLOCK * SCALES_MOST];
    struct span keys = span_of(rows, type, dim, first, count, scales);
    uint32_t j = 0;
    for (; j + 8 <= queries; j += 8)
        score_rows(&keys, type, count, q + j * q_stride, q_stride, 8, scores + j * score_stride,
                   score_stride);
    for (; j + 4 <= queries; j += 4)
        score_rows(&keys, type, count, q + j * q_stride, q_stride, 4, scores + j * score_stride,
                   score_stride);
    for (; j + 2 <= queries; j += 2)
        score_rows(&keys, type, count, q + j * q_stride, q_stride, 2, scores + j * score_stride,
                   score_stride);
    for (; j < queries; j++)
        score_rows(&keys, type, count, q + j * q_stride, q_stride, 1, scores + j * score_stride,
                   score_stride);
}

INLINE void score_type(const struct cpu_rows *keys, enum kv_type type, uint32_t first,
                       uint32_t count, const float *q, size_t q_stride, uint32_t queries,
                       float *scores, size_t score_stride)
{
    if (keys->head_dim == SMALL_DIM)
        score_dim(keys, type, SMALL_DIM, first, count, q, q_stride, queries, scores, score_stride);
    else if (keys->head_dim == USUAL_DIM)
        score_dim(keys, type, USUAL_DIM, first, count, q, q_stride, queries, scores, score_stride);
    else
        score_dim(keys, type, keys->head_dim, first, count, q, q_stride, queries, scores,
                  score_stride);
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

/* What rows are multiplied with: w[j * stride + i * blocks + block]; where there are no scales,
 * the weights as they are, and no blocks. */
struct factors {
    const float *w;
    size_t stride;
    uint32_t blocks;
};

/* `chunks` times 16 dimensions from d for `queries` queries (constants); the sums stay in
 * registers. */
INLINE void sum_rows(const struct span *values, enum kv_type type, uint32_t count, size_t d,
                     const uint32_t chunks, const bool whole, const struct factors *factors,
                     const uint32_t queries, float *sums, size_t sum_stride)
{
    const uint32_t step = (uint32_t)cpu_kv_bytes(type, chunks * CHUNK);
    const size_t row_bytes = cpu_kv_bytes(type, values->dim);
    const uint8_t *row = values->values;
    const char *ahead = values->ahead + cpu_kv_bytes(type, count * d);
    const float *w = factors->w + (has_scales(type) ? d / 32 : 0);
    const uint32_t blocks = has_scales(type) ? factors->blocks : 1;
    __m512 acc[16];
    __mmask16 mask = whole ? 0xFFFF : lanes((uint32_t)(values->dim - d));
#pragma GCC unroll 16
    for (uint32_t j = 0; j < queries; j++)
#pragma GCC unroll 16
        for (uint32_t c = 0; c < chunks; c++)
            acc[j * chunks + c] = load_floats(sums + j * sum_stride + d + CHUNK * c, whole, mask);
    for (uint32_t i = 0; i < count; i++, w += blocks, row += row_bytes, ahead += step) {
#pragma GCC unroll 16
        for (uint32_t byte = 0; byte < step; byte += 64)
            _mm_prefetch(ahead + byte, _MM_HINT_T0);
        __m512 v[8];
#pragma GCC unroll 16
        for (uint32_t c = 0; c < chunks; c++)
            v[c] = load_values(values, type, row, d, c, whole, false, _mm512_setzero_ps());
#pragma GCC unroll 16
        for (uint32_t j = 0; j < queries; j++)
#pragma GCC unroll 16
            for (uint32_t c = 0; c < chunks; c++) {
                const float *factor = w + j * factors->stride + (has_scales(type) ? c / 2 : 0);
                acc[j * chunks + c] =
                    _mm512_fmadd_ps(_mm512_set1_ps(*factor), v[c], acc[j * chunks + c]);
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
INLINE void sum_dims(const struct span *values, enum kv_type type, uint32_t count,
                     const uint32_t chunks, const struct factors *factors, uint32_t first,
                     const uint32_t queries, float *sums, size_t sum_stride)
{
    struct factors own = *factors;
    size_t d = 0, dim = values->dim;
    own.w += first * own.stride;
    sums += first * sum_stride;
    for (; d + chunks * CHUNK <= dim; d += chunks * CHUNK)
        sum_rows(values, type, count, d, chunks, true, &own, queries, sums, sum_stride);
    for (; d + 2 * CHUNK <= dim; d += 2 * CHUNK)
        sum_rows(values, type, count, d, 2, true, &own, queries, sums, sum_stride);
    for (; d + CHUNK <= dim; d += CHUNK)
        sum_rows(values, type, count, d, 1, type != KV_Q4, &own, queries, sums, sum_stride);
    if (d < dim)
        sum_rows(values, type, count, d, 1, false, &own, queries, sums, sum_stride);
}

/* out[j][i][block] = p[j][i] * scale of the block of row i */
INLINE struct factors scaled_factors(const struct span *values, uint32_t count, const float *p,
                                     size_t p_stride, uint32_t queries, float *out)
{
    const uint32_t blocks = values->blocks;
    struct factors factors = {out, (size_t)ATTEND_BLOCK * blocks, blocks};
    for (uint32_t j = 0; j < queries; j++)
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t b = 0; b < blocks; b++)
                out[j * factors.stride + i * blocks + b] =
                    p[j * p_stride + i] * values->scales[i * blocks + b];
    return factors;
}

INLINE void sum_dim(const struct cpu_rows *rows, enum kv_type type, const uint32_t dim,
                    uint32_t first, uint32_t count, const float *p, size_t p_stride,
                    uint32_t queries, float *sums, size_t sum_stride)
{
    float scales[ATTEND_BLOCK * SCALES_MOST];
    float products[ATTEND_QUERIES * ATTEND_BLOCK * SCALES_MOST];
    struct span values = span_of(rows, type, dim, first, count, scales);
    struct factors factors = {p, p_stride, 0};
    uint32_t j = 0;
    if (has_scales(type))
        factors = scaled_factors(&values, count, p, p_stride, queries, products);
    for (; j + 8 <= queries; j += 8)
        sum_dims(&values, type, count, 2, &factors, j, 8, sums, sum_stride);
    for (; j + 4 <= queries; j += 4)
        sum_dims(&values, type, count, 4, &factors, j, 4, sums, sum_stride);
    for (; j + 2 <= queries; j += 2)
        sum_dims(&values, type, count, 8, &factors, j, 2, sums, sum_stride);
    for (; j < queries; j++)
        sum_dims(&values, type, count, 8, &factors, j, 1, sums, sum_stride);
}

INLINE void sum_type(const struct cpu_rows *values, enum kv_type type, uint32_t first,
                     uint32_t count, const float *p, size_t p_stride, uint32_t queries, float *sums,
                     size_t sum_stride)
{
    if (values->head_dim == SMALL_DIM)
        sum_dim(values, type, SMALL_DIM, first, count, p, p_stride, queries, sums, sum_stride);
    else if (values->head_dim == USUAL_DIM)
        sum_dim(values, type, USUAL_DIM, first, count, p, p_stride, queries, sums, sum_stride);
    else
        sum_dim(values, type, values->head_dim, first, count, p, p_stride, queries, sums,
                sum_stride);
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
