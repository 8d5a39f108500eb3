/*
 * avx2_linear.c - linear layers with AVX2: rounding of activations, 4-bit strips, dense rows. A
 * strip is done in two halves of 8 outputs. Each output of a token is summed in the same order
 * whatever the number of tokens.
 */
#if defined(__x86_64__)
#include <string.h>

#include "kernels/cpu/avx2.h"

#define PREFETCH_BYTES 8192 /* see avx512_linear.c */
#define PART_BLOCKS    32   /* 9 KB of weights */
#define GROUP_TOKENS   16   /* share one unpacking of a block */
#define INLINE         static inline __attribute__((always_inline))

/* --- activations ------------------------------------------------------------------------------ */

INLINE float largest_of(const __m256 *v)
{
    const __m256 sign = _mm256_set1_ps(-0.0f);
    __m256 size = _mm256_andnot_ps(sign, v[0]);
    for (int i = 1; i < 4; i++)
        size = _mm256_max_ps(size, _mm256_andnot_ps(sign, v[i]));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(size), _mm256_extractf128_ps(size, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

INLINE int32_t sum_of(__m256i v)
{
    __m128i four = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    __m128i two = _mm_add_epi32(four, _mm_shuffle_epi32(four, 0x4E));
    return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 0xB1)));
}

/* 32 floats -> int8 with one scale. Packing works within 128-bit halves, the permutation puts the
 * four-byte pieces back in order. */
INLINE void round_block(const __m256 *v, int8_t *values, float *scale, int32_t *negsum)
{
    float largest = largest_of(v);
    __m256 inverse = _mm256_set1_ps(largest > 0 ? 127.0f / largest : 0.0f);
    __m256i q[4];
    for (int i = 0; i < 4; i++)
        q[i] = _mm256_cvtps_epi32(_mm256_mul_ps(v[i], inverse));
    __m256i bytes =
        _mm256_packs_epi16(_mm256_packs_epi32(q[0], q[1]), _mm256_packs_epi32(q[2], q[3]));
    bytes = _mm256_permutevar8x32_epi32(bytes, _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
    _mm256_storeu_si256((__m256i *)values, bytes);
    *negsum = -sum_of(_mm256_add_epi32(_mm256_add_epi32(q[0], q[1]), _mm256_add_epi32(q[2], q[3])));
    *scale = largest / 127.0f;
}

void avx2_quantize(const float *x, const struct cpu_order *order, uint32_t first, uint32_t end,
                   int8_t *values, float *scales, int32_t *negsums)
{
    for (uint32_t block = first; block < end; block++) {
        size_t at = (size_t)block * BLOCK_INPUTS;
        const int *index = (const int *)order->index + at;
        uint32_t count = order->count[block];
        __m256 v[4];
        for (uint32_t i = 0; i < 4; i++) {
            if (order->plain) {
                v[i] = _mm256_loadu_ps(x + at + 8 * i);
                continue;
            }
            __m256i from = _mm256_loadu_si256((const __m256i *)(index + 8 * i));
            __m256 all = _mm256_i32gather_ps(x, from, 4);
            __m256i mask = lanes256(count > 8 * i ? count - 8 * i : 0);
            v[i] = _mm256_and_ps(all, _mm256_castsi256_ps(mask));
        }
        round_block(v, values + at, scales + block, negsums + block);
    }
}

/* --- 4-bit strips ----------------------------------------------------------------------------- */

/* Eight outputs of one block; vector i holds inputs 4 i .. 4 i + 3. */
struct half_block {
    __m256i weights[8];
    __m256i zero;
    __m256 scale;
};

INLINE struct half_block load_half(const struct cpu_linear *linear, const uint8_t *tile,
                                   uint32_t number, const int half)
{
    const __m256i nibble = _mm256_set1_epi8(15);
    const uint8_t *at = tile + (size_t)number * BLOCK_BYTES + 32 * half;
    struct half_block block;
    for (int i = 0; i < 4; i++) {
        __m256i packed = _mm256_load_si256((const __m256i *)(at + 64 * i));
        block.weights[i] = _mm256_and_si256(packed, nibble);
        block.weights[4 + i] = _mm256_and_si256(_mm256_srli_epi16(packed, 4), nibble);
    }
    const uint8_t *scales = tile + TILE_SCALES + (size_t)number * BLOCK_SCALES;
    block.scale = _mm256_cvtph_ps(_mm_load_si128((const __m128i *)(scales + 16 * half)));
    block.zero = _mm256_set1_epi32(linear->zero_add);
    if (linear->has_zeros) {
        const __m256i low = _mm256_setr_epi32(0, 0, 4, 4, 8, 8, 12, 12);
        long long zeros;
        memcpy(&zeros, tile + TILE_ZEROS + (size_t)number * BLOCK_ZEROS, sizeof zeros);
        __m256i shifts = _mm256_add_epi32(low, _mm256_set1_epi32(16 * half));
        __m256i spread = _mm256_srlv_epi32(_mm256_set1_epi64x(zeros), shifts);
        spread = _mm256_and_si256(spread, _mm256_set1_epi32(15));
        block.zero = _mm256_add_epi32(block.zero, spread);
    }
    return block;
}

INLINE __m256i four_inputs(const int8_t *values)
{
    int32_t word;
    memcpy(&word, values, sizeof word);
    return _mm256_set1_epi32(word);
}

/* Keeps the compiler from adding up in an order that needs more registers than there are. */
INLINE __m256i in_order(__m256i v)
{
    __asm__("" : "+x"(v));
    return v;
}

/* sum += weight scale * activation scale * (sum of q a - zero * sum of a). A pair of products is at
 * most 2 * 15 * 128 = 3840, so eight of them fit 16 bits. The zero is the low half of its lane and
 * meets the low half of -sum(a), which is all of it. */
INLINE __m256 add_block(const struct half_block *block, const int8_t *values, float scale,
                        int32_t negsum, __m256 sum)
{
    __m256i pairs = _mm256_maddubs_epi16(block->weights[0], four_inputs(values));
    for (int i = 1; i < 8; i++)
        pairs = in_order(_mm256_add_epi16(
            pairs, _mm256_maddubs_epi16(block->weights[i], four_inputs(values + 4 * i))));
    __m256i dot = _mm256_add_epi32(_mm256_madd_epi16(pairs, _mm256_set1_epi16(1)),
                                   _mm256_madd_epi16(block->zero, _mm256_set1_epi32(negsum)));
    __m256 scales = _mm256_mul_ps(block->scale, _mm256_set1_ps(scale));
    return _mm256_fmadd_ps(_mm256_cvtepi32_ps(dot), scales, sum);
}

/* A block's share of a tile is 288 or 296 bytes, so five lines cover the stream. */
INLINE void prefetch_block(const uint8_t *at)
{
    for (int line = 0; line < 5; line++)
        _mm_prefetch((const char *)at + PREFETCH_BYTES + 64 * line, _MM_HINT_T0);
}

/* Half a strip for `tokens` (a constant where this is inlined) tokens. */
INLINE void half_strip(const struct cpu_linear *linear, const uint8_t *strip, const int half,
                       const struct cpu_acts *acts, uint32_t first, const uint32_t tokens,
                       float *tile)
{
    const int8_t *values = acts->values + first * acts->value_stride;
    const float *scales = acts->scales + first * acts->block_stride;
    const int32_t *negsums = acts->negsums + first * acts->block_stride;
    __m256 sums[4];
    for (uint32_t t = 0; t < tokens; t++)
        sums[t] = _mm256_setzero_ps();
    for (uint32_t b = 0; b < linear->order->blocks; b++) {
        const uint8_t *at = strip + b / TILE_BLOCKS * linear->tile_bytes;
        if (first == 0 && half == 0)
            prefetch_block(at + b % TILE_BLOCKS * (linear->tile_bytes / TILE_BLOCKS));
        struct half_block block = load_half(linear, at, b % TILE_BLOCKS, half);
        for (uint32_t t = 0; t < tokens; t++)
            sums[t] = add_block(&block, values + t * acts->value_stride + b * BLOCK_INPUTS,
                                scales[t * acts->block_stride + b],
                                negsums[t * acts->block_stride + b], sums[t]);
    }
    for (uint32_t t = 0; t < tokens; t++)
        _mm256_storeu_ps(tile + (size_t)(first + t) * STRIP_ROWS + 8 * half, sums[t]);
}

/* One token: both halves of a block together, so that memory is read in one stream. */
INLINE void strip_token(const struct cpu_linear *linear, const uint8_t *strip,
                        const struct cpu_acts *acts, uint32_t token, float *tile)
{
    const int8_t *values = acts->values + token * acts->value_stride;
    const float *scales = acts->scales + token * acts->block_stride;
    const int32_t *negsums = acts->negsums + token * acts->block_stride;
    __m256 left = _mm256_setzero_ps(), right = left;
    for (uint32_t b = 0; b < linear->order->blocks; b++) {
        const uint8_t *at = strip + b / TILE_BLOCKS * linear->tile_bytes;
        prefetch_block(at + b % TILE_BLOCKS * (linear->tile_bytes / TILE_BLOCKS));
        struct half_block block = load_half(linear, at, b % TILE_BLOCKS, 0);
        left = add_block(&block, values + b * BLOCK_INPUTS, scales[b], negsums[b], left);
        block = load_half(linear, at, b % TILE_BLOCKS, 1);
        right = add_block(&block, values + b * BLOCK_INPUTS, scales[b], negsums[b], right);
    }
    _mm256_storeu_ps(tile + (size_t)token * STRIP_ROWS, left);
    _mm256_storeu_ps(tile + (size_t)token * STRIP_ROWS + 8, right);
}

/* Blocks begin .. end - 1 of half a strip for many tokens: a block is unpacked once for all of
 * them, and the sums go on from what is in the tile. */
INLINE void half_group(const struct cpu_linear *linear, const uint8_t *strip, const int half,
                       uint32_t begin, uint32_t end, const struct cpu_acts *acts, uint32_t first,
                       uint32_t tokens, float *tile)
{
    tile += (size_t)first * STRIP_ROWS + 8 * half;
    for (uint32_t t = 0; begin == 0 && t < tokens; t++)
        _mm256_storeu_ps(tile + t * STRIP_ROWS, _mm256_setzero_ps());
    for (uint32_t b = begin; b < end; b++) {
        const uint8_t *at = strip + b / TILE_BLOCKS * linear->tile_bytes;
        const int8_t *values = acts->values + first * acts->value_stride + b * BLOCK_INPUTS;
        const float *scales = acts->scales + first * acts->block_stride + b;
        const int32_t *negsums = acts->negsums + first * acts->block_stride + b;
        if (first == 0 && half == 0)
            prefetch_block(at + b % TILE_BLOCKS * (linear->tile_bytes / TILE_BLOCKS));
        struct half_block block = load_half(linear, at, b % TILE_BLOCKS, half);
        for (uint32_t t = 0; t < tokens; t++, values += acts->value_stride) {
            float *sum = tile + t * STRIP_ROWS;
            _mm256_storeu_ps(sum, add_block(&block, values, scales[t * acts->block_stride],
                                            negsums[t * acts->block_stride], _mm256_loadu_ps(sum)));
        }
    }
}

INLINE void many_tokens(const struct cpu_linear *linear, const uint8_t *strip,
                        const struct cpu_acts *acts, uint32_t n, float *tile)
{
    uint32_t blocks = linear->order->blocks;
    for (uint32_t begin = 0; begin < blocks; begin += PART_BLOCKS) {
        uint32_t end = begin + PART_BLOCKS < blocks ? begin + PART_BLOCKS : blocks;
        for (uint32_t t = 0; t < n; t += GROUP_TOKENS) {
            uint32_t tokens = n - t < GROUP_TOKENS ? n - t : GROUP_TOKENS;
            half_group(linear, strip, 0, begin, end, acts, t, tokens, tile);
            half_group(linear, strip, 1, begin, end, acts, t, tokens, tile);
        }
    }
}

void avx2_linear_strips(const struct cpu_linear *linear, uint32_t strip, uint32_t count,
                        const struct cpu_acts *acts, uint32_t n, float *tile)
{
    for (uint32_t i = strip; i < strip + count; i++, tile += (size_t)n * STRIP_ROWS) {
        const uint8_t *data = (const uint8_t *)linear->data + i * linear->strip_bytes;
        uint32_t t = 0;
        if (n == 3 || n > 4) { /* measured: else what is left over is read again */
            many_tokens(linear, data, acts, n, tile);
            continue;
        }
        for (; t + 4 <= n; t += 4) {
            half_strip(linear, data, 0, acts, t, 4, tile);
            half_strip(linear, data, 1, acts, t, 4, tile);
        }
        for (; t + 2 <= n; t += 2) {
            half_strip(linear, data, 0, acts, t, 2, tile);
            half_strip(linear, data, 1, acts, t, 2, tile);
        }
        if (t < n)
            strip_token(linear, data, acts, t, tile);
    }
}

/* --- dense rows ------------------------------------------------------------------------------- */

INLINE __m256 widen(__m128i halves, enum backend_dtype dtype)
{
    if (dtype == BACKEND_F16)
        return _mm256_cvtph_ps(halves);
    return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_cvtepu16_epi32(halves), 16));
}

/* `count` weights of a row from k on; what is missing to eight is zero. */
INLINE __m256 load_weights(const void *row, enum backend_dtype dtype, uint32_t k, uint32_t count)
{
    if (dtype == BACKEND_F32)
        return count >= 8 ? _mm256_loadu_ps((const float *)row + k)
                          : _mm256_maskload_ps((const float *)row + k, lanes256(count));
    const uint16_t *at = (const uint16_t *)row + k;
    if (count >= 8)
        return widen(_mm_loadu_si128((const __m128i *)at), dtype);
    uint16_t rest[8] = {0};
    memcpy(rest, at, count * sizeof *rest);
    return widen(_mm_loadu_si128((const __m128i *)rest), dtype);
}

/* `count` weights, from k on, into one chain of each token. */
INLINE void dense_add(const void *row, enum backend_dtype dtype, uint32_t k, uint32_t count,
                      const float *x, size_t x_stride, const uint32_t tokens, __m256 *chain)
{
    __m256 w = load_weights(row, dtype, k, count);
    for (uint32_t t = 0; t < tokens; t++) {
        const float *at = x + t * x_stride + k;
        __m256 v = count >= 8 ? _mm256_loadu_ps(at) : _mm256_maskload_ps(at, lanes256(count));
        chain[4 * t] = _mm256_fmadd_ps(w, v, chain[4 * t]);
    }
}

/* One row for `tokens` (a constant) tokens. A sum goes over 4 x 8 lanes: four chains, because one
 * would wait for itself, added up at the end. */
INLINE void dense_tokens(const void *row, enum backend_dtype dtype, uint32_t in, const float *x,
                         size_t x_stride, const uint32_t tokens, float *tile)
{
    const size_t value_bytes = dtype == BACKEND_F32 ? 4 : 2;
    __m256 sums[8]; /* [tokens][4] */
    uint32_t k = 0;
    for (uint32_t i = 0; i < 4 * tokens; i++)
        sums[i] = _mm256_setzero_ps();
    for (; k + 32 <= in; k += 32) {
        const char *ahead = (const char *)row + k * value_bytes + PREFETCH_BYTES;
        for (size_t line = 0; line < value_bytes / 2; line++)
            _mm_prefetch(ahead + 64 * line, _MM_HINT_T0);
        for (uint32_t chain = 0; chain < 4; chain++)
            dense_add(row, dtype, k + 8 * chain, 8, x, x_stride, tokens, sums + chain);
    }
    for (uint32_t chain = 0; chain < 4 && k < in; chain++, k += 8)
        dense_add(row, dtype, k, in - k, x, x_stride, tokens, sums + chain);
    for (uint32_t t = 0; t < tokens; t++)
        tile[t * STRIP_ROWS] =
            sum256(_mm256_add_ps(_mm256_add_ps(sums[4 * t], sums[4 * t + 1]),
                                 _mm256_add_ps(sums[4 * t + 2], sums[4 * t + 3])));
}

INLINE void dense_strip(const uint8_t *weights, enum backend_dtype dtype, uint32_t rows,
                        uint32_t in, const float *x, size_t x_stride, uint32_t n, float *tile)
{
    size_t row_bytes = (size_t)in * (dtype == BACKEND_F32 ? 4 : 2);
    for (uint32_t r = 0; r < rows; r++, weights += row_bytes, tile++) {
        uint32_t t = 0;
        for (; t + 2 <= n; t += 2)
            dense_tokens(weights, dtype, in, x + t * x_stride, x_stride, 2,
                         tile + (size_t)t * STRIP_ROWS);
        if (t < n)
            dense_tokens(weights, dtype, in, x + t * x_stride, x_stride, 1,
                         tile + (size_t)t * STRIP_ROWS);
    }
}

void avx2_linear_dense(const void *weights, enum backend_dtype dtype, uint32_t rows, uint32_t in,
                       const float *x, size_t x_stride, uint32_t n, float *tile)
{
    if (dtype == BACKEND_F16)
        dense_strip(weights, BACKEND_F16, rows, in, x, x_stride, n, tile);
    else if (dtype == BACKEND_BF16)
        dense_strip(weights, BACKEND_BF16, rows, in, x, x_stride, n, tile);
    else
        dense_strip(weights, BACKEND_F32, rows, in, x, x_stride, n, tile);
}
#endif
