/*
 * avx2_attend.c - attention over the rows of one page with AVX2, as in avx512_attend.c. head_dim is
 * a multiple of 8, so there are no short vectors but in exp_sum.
 *
 * There is no permutation of 16 floats here, so the nibbles of q4 are multiplied as they are, 0 to
 * 15, and eight times what they were multiplied with, the sum over a block, is taken away.
 */
#if defined(__x86_64__)
#include "kernels/cpu/avx2.h"
#include "kernels/cpu/kv_q4.h"

#define INLINE      static inline __attribute__((always_inline))
#define CHUNK       8   /* dimensions of one vector */
#define BLOCK       4   /* vectors of 32 values */
#define TILE        8   /* scores computed together: rows times queries */
#define USUAL_DIM   128 /* of a head */
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
    uint32_t all = has_scales(type) ? count * span.blocks : 0, i = 0;
    for (; i + 8 <= all; i += 8)
        _mm256_storeu_ps(scales + i,
                         _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(halves + i))));
    for (; i < all; i++)
        scales[i] = _cvtsh_ss(halves[i]);
    return span;
}

/* --- reading a row ---------------------------------------------------------------------------- */

/* Eight values of a short block of q4, from element d: one by one. */
static __m256 short_levels(const uint8_t *row, uint32_t dim, uint32_t d)
{
    float levels[CHUNK];
    for (uint32_t i = 0; i < CHUNK; i++)
        levels[i] = (float)kv_q4_level(row, dim, d + i);
    return _mm256_loadu_ps(levels);
}

/* Eight values of the row at `from`, without their scale: the `part`-th (a constant) after element
 * d. Of q4 d begins a block and nibbles come as they are; or the block is short, not `whole`, and
 * they come as levels. */
INLINE __m256 load_values(const struct span *span, enum kv_type type, const uint8_t *from, size_t d,
                          const uint32_t part, const bool whole)
{
    size_t at = d + CHUNK * part;
    if (type == KV_F32)
        return _mm256_loadu_ps((const float *)(const void *)from + at);
    if (type == KV_F16)
        return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(from + 2 * at)));
    if (type == KV_Q8)
        return _mm256_cvtepi32_ps(
            _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(from + at))));
    if (!whole)
        return short_levels(from, span->dim, (uint32_t)at);
    from += d / 2 + part / BLOCK * 16 + part % 2 * CHUNK;
    __m256i bytes = _mm256_cvtepu8_epi32(_mm_loadl_epi64((const __m128i *)from));
    return _mm256_cvtepi32_ps(part % BLOCK < 2 ? _mm256_and_si256(bytes, _mm256_set1_epi32(15))
                                               : _mm256_srli_epi32(bytes, 4));
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

INLINE void prefetch_bytes(const char *at, const uint32_t bytes)
{
#pragma GCC unroll 16
    for (uint32_t byte = 0; byte < bytes; byte += 64)
        _mm_prefetch(at + byte, _MM_HINT_T0);
}

/* sums[j][i] += q[j] . row i over one block of q8 or q4: the scale is multiplied in once for 32
 * values. zeros[j]: what the products with the nibbles of q4 start from. In place of the rows that
 * are missing the last is taken again. */
INLINE void score_block(const struct span *keys, enum kv_type type, size_t row, uint32_t count,
                        size_t d, const float *q, size_t q_stride, const uint32_t queries,
                        const float (*zeros)[SCALES_MOST * CHUNK], __m256 *sums)
{
    const uint32_t rows = TILE / queries;
    const size_t row_bytes = cpu_kv_bytes(type, keys->dim);
    const uint8_t *values = keys->values + row * row_bytes;
    const float *scales = keys->scales + row * keys->blocks + d / 32;
    prefetch_bytes(keys->ahead + cpu_kv_bytes(type, row * keys->dim + rows * d),
                   (uint32_t)cpu_kv_bytes(type, rows * BLOCK * CHUNK));
#pragma GCC unroll 16
    for (uint32_t i = 0; i < rows; i++) {
        size_t at = i < count ? i : count - 1;
        __m256 k[BLOCK], scale = _mm256_broadcast_ss(scales + at * keys->blocks);
#pragma GCC unroll 16
        for (uint32_t c = 0; c < BLOCK; c++)
            k[c] = load_values(keys, type, values + at * row_bytes, d, c, true);
#pragma GCC unroll 16
        for (uint32_t j = 0; j < queries; j++) {
            const float *from = q + j * q_stride + d;
            __m256 dot =
                type == KV_Q4 ? _mm256_loadu_ps(zeros[j] + d / 32 * CHUNK) : _mm256_setzero_ps();
#pragma GCC unroll 16
            for (uint32_t c = 0; c < BLOCK; c++)
                dot = _mm256_fmadd_ps(_mm256_loadu_ps(from + CHUNK * c), k[c], dot);
            sums[j * rows + i] = _mm256_fmadd_ps(dot, scale, sums[j * rows + i]);
        }
    }
}

/* The same over one vector of any type. */
INLINE void score_chunk(const struct span *keys, enum kv_type type, size_t row, uint32_t count,
                        size_t d, const float *q, size_t q_stride, const uint32_t queries,
                        __m256 *sums)
{
    const uint32_t rows = TILE / queries;
    const size_t row_bytes = cpu_kv_bytes(type, keys->dim);
    const uint8_t *values = keys->values + row * row_bytes;
    prefetch_bytes(keys->ahead + cpu_kv_bytes(type, row * keys->dim + rows * d),
                   (uint32_t)cpu_kv_bytes(type, rows * CHUNK));
#pragma GCC unroll 16
    for (uint32_t i = 0; i < rows; i++) {
        size_t at = i < count ? i : count - 1;
        __m256 k = load_values(keys, type, values + at * row_bytes, d, 0, false);
        if (has_scales(type))
            k = _mm256_mul_ps(
                k, _mm256_broadcast_ss(keys->scales + (row + at) * keys->blocks + d / 32));
#pragma GCC unroll 16
        for (uint32_t j = 0; j < queries; j++)
            sums[j * rows + i] =
                _mm256_fmadd_ps(_mm256_loadu_ps(q + j * q_stride + d), k, sums[j * rows + i]);
    }
}

/* `count` rows, at most TILE / queries (a constant), for `queries` queries. */
INLINE void score_tile(const struct span *keys, enum kv_type type, size_t row, uint32_t count,
                       const float *q, size_t q_stride, const uint32_t queries,
                       const float (*zeros)[SCALES_MOST * CHUNK], float *scores,
                       size_t score_stride)
{
    const uint32_t rows = TILE / queries;
    __m256 sums[TILE];
    size_t d = 0;
#pragma GCC unroll 16
    for (uint32_t i = 0; i < TILE; i++)
        sums[i] = _mm256_setzero_ps();
    for (; has_scales(type) && d + BLOCK * CHUNK <= keys->dim; d += BLOCK * CHUNK)
        score_block(keys, type, row, count, d, q, q_stride, queries, zeros, sums);
    for (; d < keys->dim; d += CHUNK)
        score_chunk(keys, type, row, count, d, q, q_stride, queries, sums);
    float results[TILE];
    _mm256_storeu_ps(results, sum_each(sums));
    scores += row;
    for (uint32_t j = 0; j < queries; j++)
        for (uint32_t i = 0; i < rows && i < count; i++)
            scores[j * score_stride + i] = results[j * rows + i];
}

INLINE void score_rows(const struct span *keys, enum kv_type type, uint32_t count, const float *q,
                       size_t q_stride, const uint32_t queries,
                       const float (*zeros)[SCALES_MOST * CHUNK], float *scores,
                       size_t score_stride)
{
    const uint32_t rows = TILE / queries;
    uint32_t i = 0;
    for (; i + rows <= count; i += rows)
        score_tile(keys, type, i, rows, q, q_stride, queries, zeros, scores, score_stride);
    if (i < count)
        score_tile(keys, type, i, count - i, q, q_stride, queries, zeros, scores, score_stride);
}

/* -8 times the sum of a block of q, lane by lane. */
INLINE void query_zeros(const float *q, uint32_t dim, float *zeros)
{
    for (uint32_t b = 0; b < dim / 32; b++, q += BLOCK * CHUNK) {
        __m256 low = _mm256_add_ps(_mm256_loadu_ps(q), _mm256_loadu_ps(q + CHUNK));
        __m256 high = _mm256_add_ps(_mm256_loadu_ps(q + 2 * CHUNK), _mm256_loadu_ps(q + 3 * CHUNK));
        _mm256_storeu_ps(zeros + b * CHUNK,
                         _mm256_mul_ps(_mm256_add_ps(low, high), _mm256_set1_ps(-KV_Q4_ZERO)));
    }
}

INLINE void score_dim(const struct cpu_rows *rows, enum kv_type type, const uint32_t dim,
                      uint32_t first, uint32_t count, const float *q, size_t q_stride,
                      uint32_t queries, float *scores, size_t score_stride)
{
    float scales[ATTEND_BLOCK * SCALES_MOST], zeros[ATTEND_QUERIES][SCALES_MOST * CHUNK];
    struct span keys = span_of(rows, type, dim, first, count, scales);
    uint32_t j = 0;
    for (uint32_t i = 0; type == KV_Q4 && i < queries; i++)
        query_zeros(q + i * q_stride, dim, zeros[i]);
    for (; j + 4 <= queries; j += 4)
        score_rows(&keys, type, count, q + j * q_stride, q_stride, 4, zeros + j,
                   scores + j * score_stride, score_stride);
    for (; j + 2 <= queries; j += 2)
        score_rows(&keys, type, count, q + j * q_stride, q_stride, 2, zeros + j,
                   scores + j * score_stride, score_stride);
    for (; j < queries; j++)
        score_rows(&keys, type, count, q + j * q_stride, q_stride, 1, zeros + j,
                   scores + j * score_stride, score_stride);
}

INLINE void score_type(const struct cpu_rows *keys, enum kv_type type, uint32_t first,
                       uint32_t count, const float *q, size_t q_stride, uint32_t queries,
                       float *scores, size_t score_stride)
{
    if (keys->head_dim == USUAL_DIM)
        score_dim(keys, type, USUAL_DIM, first, count, q, q_stride, queries, scores, score_stride);
    else
        score_dim(keys, type, keys->head_dim, first, count, q, q_stride, queries, scores,
                  score_stride);
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

/* What rows are multiplied with: w[j * stride + i * blocks + block], and eight times its sum over
 * the rows; where there are no scales, the weights as they are, and no blocks. */
struct factors {
    const float *w;
    size_t stride;
    uint32_t blocks;
    float zeros[ATTEND_QUERIES][SCALES_MOST];
};

/* `chunks` times 8 dimensions, the `part`-th and on after d, for `queries` queries from `query` on
 * (constants); the sums stay in registers. */
INLINE void sum_rows(const struct span *values, enum kv_type type, uint32_t count, size_t d,
                     const uint32_t part, const uint32_t chunks, const bool whole,
                     const struct factors *factors, uint32_t query, const uint32_t queries,
                     float *sums, size_t sum_stride)
{
    const size_t row_bytes = cpu_kv_bytes(type, values->dim);
    const uint32_t step = (uint32_t)cpu_kv_bytes(type, chunks * CHUNK);
    const uint8_t *row = values->values;
    const char *ahead = values->ahead + cpu_kv_bytes(type, count * (d + part * CHUNK));
    const float *w = factors->w + query * factors->stride + (has_scales(type) ? d / 32 : 0);
    const uint32_t blocks = has_scales(type) ? factors->blocks : 1;
    __m256 acc[8];
    sums += query * sum_stride + d + part * CHUNK;
#pragma GCC unroll 16
    for (uint32_t j = 0; j < queries; j++)
#pragma GCC unroll 16
        for (uint32_t c = 0; c < chunks; c++) {
            acc[j * chunks + c] = _mm256_loadu_ps(sums + j * sum_stride + CHUNK * c);
            if (type == KV_Q4 && whole)
                acc[j * chunks + c] = _mm256_sub_ps(
                    acc[j * chunks + c],
                    _mm256_broadcast_ss(&factors->zeros[query + j][d / 32 + (part + c) / BLOCK]));
        }
    for (uint32_t i = 0; i < count; i++, w += blocks, row += row_bytes, ahead += step) {
        prefetch_bytes(ahead, step);
#pragma GCC unroll 16
        for (uint32_t c = 0; c < chunks; c++) {
            __m256 v = load_values(values, type, row, d, part + c, whole);
            const float *factor = w + (has_scales(type) ? (part + c) / BLOCK : 0);
#pragma GCC unroll 16
            for (uint32_t j = 0; j < queries; j++)
                acc[j * chunks + c] = _mm256_fmadd_ps(
                    _mm256_broadcast_ss(factor + j * factors->stride), v, acc[j * chunks + c]);
        }
    }
#pragma GCC unroll 16
    for (uint32_t j = 0; j < queries; j++)
#pragma GCC unroll 16
        for (uint32_t c = 0; c < chunks; c++)
            _mm256_storeu_ps(sums + j * sum_stride + CHUNK * c, acc[j * chunks + c]);
}

/* All dimensions for `queries` queries, `chunks` vectors at a time; two are half a block. */
INLINE void sum_dims(const struct span *values, enum kv_type type, uint32_t count,
                     const uint32_t chunks, const struct factors *factors, uint32_t query,
                     const uint32_t queries, float *sums, size_t sum_stride)
{
    size_t d = 0, dim = values->dim;
    for (; chunks == 2 && d + BLOCK * CHUNK <= dim; d += BLOCK * CHUNK) {
        sum_rows(values, type, count, d, 0, 2, true, factors, query, queries, sums, sum_stride);
        sum_rows(values, type, count, d, 2, 2, true, factors, query, queries, sums, sum_stride);
    }
    for (; chunks > 2 && d + chunks * CHUNK <= dim; d += chunks * CHUNK)
        sum_rows(values, type, count, d, 0, chunks, true, factors, query, queries, sums,
                 sum_stride);
    for (; chunks > 4 && d + BLOCK * CHUNK <= dim; d += BLOCK * CHUNK)
        sum_rows(values, type, count, d, 0, BLOCK, true, factors, query, queries, sums, sum_stride);
    for (; d < dim; d += CHUNK)
        sum_rows(values, type, count, d, 0, 1, false, factors, query, queries, sums, sum_stride);
}

/* out[j][i][block] = p[j][i] * scale of the block of row i */
INLINE void scaled_factors(struct factors *factors, const struct span *values, uint32_t count,
                           const float *p, size_t p_stride, uint32_t queries, float *out)
{
    const uint32_t blocks = values->blocks;
    factors->w = out;
    factors->stride = (size_t)ATTEND_BLOCK * blocks;
    factors->blocks = blocks;
    for (uint32_t j = 0; j < queries; j++, out += factors->stride) {
        float zeros[SCALES_MOST] = {0};
        for (uint32_t i = 0; i < count; i++)
            for (uint32_t b = 0; b < blocks; b++) {
                out[i * blocks + b] = p[j * p_stride + i] * values->scales[i * blocks + b];
                zeros[b] += out[i * blocks + b];
            }
        for (uint32_t b = 0; b < blocks; b++)
            factors->zeros[j][b] = KV_Q4_ZERO * zeros[b];
    }
}

INLINE void sum_dim(const struct cpu_rows *rows, enum kv_type type, const uint32_t dim,
                    uint32_t first, uint32_t count, const float *p, size_t p_stride,
                    uint32_t queries, float *sums, size_t sum_stride)
{
    float scales[ATTEND_BLOCK * SCALES_MOST];
    float products[ATTEND_QUERIES * ATTEND_BLOCK * SCALES_MOST];
    struct span values = span_of(rows, type, dim, first, count, scales);
    struct factors factors;
    uint32_t j = 0;
    factors.w = p;
    factors.stride = p_stride;
    if (has_scales(type))
        scaled_factors(&factors, &values, count, p, p_stride, queries, products);
    for (; j + 4 <= queries; j += 4)
        sum_dims(&values, type, count, 2, &factors, j, 4, sums, sum_stride);
    for (; j + 2 <= queries; j += 2)
        sum_dims(&values, type, count, 4, &factors, j, 2, sums, sum_stride);
    for (; j < queries; j++)
        sum_dims(&values, type, count, 8, &factors, j, 1, sums, sum_stride);
}

INLINE void sum_type(const struct cpu_rows *values, enum kv_type type, uint32_t first,
                     uint32_t count, const float *p, size_t p_stride, uint32_t queries, float *sums,
                     size_t sum_stride)
{
    if (values->head_dim == USUAL_DIM)
        sum_dim(values, type, USUAL_DIM, first, count, p, p_stride, queries, sums, sum_stride);
    else
        sum_dim(values, type, values->head_dim, first, count, p, p_stride, queries, sums,
                sum_stride);
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
