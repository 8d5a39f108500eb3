/*
 * avx512_linear.c - linear layers with AVX-512 VNNI: rounding of activations, 4-bit strips, dense
 * rows. Each output of a token is summed in the same order whatever the number of tokens.
 */
#if defined(__x86_64__)
#include <string.h>

#include "kernels/cpu/avx512.h"

/* Decoding waits for memory alone; asking this far ahead reads at the full rate of one core
 * (measured: 21 GB/s without, 28 with 2048, 36 with 8192, against 37 for a plain read). */
#define PREFETCH_BYTES 8192
#define DENSE_ROWS     4  /* rows of a dense layer that share activations */
#define DENSE_SUMS     16 /* and sums of them in registers */
#define DENSE_TOKENS   8
#define CACHED_BYTES   (512u << 10) /* a layer of so many does not come from memory */
#define PART_BLOCKS    32           /* 19 KB of weights of two strips */
#define INLINE         static inline __attribute__((always_inline))

/* --- activations ------------------------------------------------------------------------------ */

/* 32 floats -> int8 with one scale; lanes past the block's end must be zero. */
INLINE void round_block(__m512 a, __m512 b, int8_t *values, float *scale, int32_t *negsum)
{
    __m512 size = _mm512_max_ps(_mm512_abs_ps(a), _mm512_abs_ps(b));
    float largest = _mm512_reduce_max_ps(size);
    __m512 inverse = _mm512_set1_ps(largest > 0 ? 127.0f / largest : 0.0f);
    __m512i low = _mm512_cvtps_epi32(_mm512_mul_ps(a, inverse));
    __m512i high = _mm512_cvtps_epi32(_mm512_mul_ps(b, inverse));
    _mm_storeu_si128((__m128i *)values, _mm512_cvtsepi32_epi8(low));
    _mm_storeu_si128((__m128i *)(values + 16), _mm512_cvtsepi32_epi8(high));
    *negsum = -_mm512_reduce_add_epi32(_mm512_add_epi32(low, high));
    *scale = largest / 127.0f;
}

void avx512_quantize(const float *x, const struct cpu_order *order, uint32_t first, uint32_t end,
                     int8_t *values, float *scales, int32_t *negsums)
{
    for (uint32_t block = first; block < end; block++) {
        size_t at = (size_t)block * BLOCK_INPUTS;
        __m512 a, b;
        if (order->plain) {
            a = _mm512_loadu_ps(x + at);
            b = _mm512_loadu_ps(x + at + 16);
        } else {
            uint32_t mask = order->count[block] == 32 ? ~0u : (1u << order->count[block]) - 1;
            __m512i low = _mm512_loadu_si512(order->index + at);
            __m512i high = _mm512_loadu_si512(order->index + at + 16);
            a = _mm512_maskz_mov_ps((__mmask16)mask, _mm512_i32gather_ps(low, x, 4));
            b = _mm512_maskz_mov_ps((__mmask16)(mask >> 16), _mm512_i32gather_ps(high, x, 4));
        }
        round_block(a, b, values + at, scales + block, negsums + block);
    }
}

/* --- 4-bit strips ----------------------------------------------------------------------------- */

/* One block of a strip, widened: 16 outputs in the lanes, vector i holds inputs 4 i .. 4 i + 3. */
struct block {
    __m512i weights[8];
    __m512i zero;
    __m512 scale;
};

INLINE struct block load_block(const struct cpu_linear *linear, const uint8_t *tile,
                               uint32_t number)
{
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i shifts =
        _mm512_setr_epi32(0, 0, 4, 4, 8, 8, 12, 12, 16, 16, 20, 20, 24, 24, 28, 28);
    const uint8_t *at = tile + (size_t)number * BLOCK_BYTES;
    struct block block;
    for (int i = 0; i < 4; i++) {
        __m512i packed = _mm512_load_si512(at + 64 * i);
        block.weights[i] = _mm512_and_si512(packed, nibble);
        block.weights[4 + i] = _mm512_and_si512(_mm512_srli_epi16(packed, 4), nibble);
    }
    const uint8_t *scales = tile + TILE_SCALES + (size_t)number * BLOCK_SCALES;
    block.scale = _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)scales));
    block.zero = _mm512_set1_epi32(linear->zero_add);
    if (linear->has_zeros) {
        long long zeros;
        memcpy(&zeros, tile + TILE_ZEROS + (size_t)number * BLOCK_ZEROS, sizeof zeros);
        __m512i spread = _mm512_srlv_epi32(_mm512_set1_epi64(zeros), shifts);
        spread = _mm512_and_si512(spread, _mm512_set1_epi32(15));
        block.zero = _mm512_add_epi32(block.zero, spread);
    }
    return block;
}

INLINE __m512i four_inputs(const int8_t *values)
{
    int32_t word;
    memcpy(&word, values, sizeof word);
    return _mm512_set1_epi32(word);
}

/* sum += weight scale * activation scale * (sum of q a - zero * sum of a). The zero is the low half
 * of its lane, so vpdpwssd multiplies it by the low half of -sum(a), which is all of it. */
INLINE __m512 add_block(const struct block *block, const int8_t *values, float scale,
                        int32_t negsum, __m512 sum)
{
    __m512i dot =
        _mm512_dpwssd_epi32(_mm512_setzero_si512(), block->zero, _mm512_set1_epi32(negsum));
    for (int i = 0; i < 8; i++)
        dot = _mm512_dpbusd_epi32(dot, block->weights[i], four_inputs(values + 4 * i));
    __m512 scales = _mm512_mul_ps(block->scale, _mm512_set1_ps(scale));
    return _mm512_fmadd_ps(_mm512_cvtepi32_ps(dot), scales, sum);
}

/* A block's share of a tile is 288 or 296 bytes, so five lines cover the stream. */
INLINE void prefetch_block(const uint8_t *at)
{
    for (int line = 0; line < 5; line++)
        _mm_prefetch((const char *)at + PREFETCH_BYTES + 64 * line, _MM_HINT_T0);
}

/* add_block for two strips: each group of four activations is loaded once for both. */
INLINE void add_pair(const struct block *a, const struct block *b, const int8_t *values,
                     float scale, int32_t negsum, __m512 *sums)
{
    __m512i sum = _mm512_set1_epi32(negsum), zero = _mm512_setzero_si512();
    __m512i left = _mm512_dpwssd_epi32(zero, a->zero, sum);
    __m512i right = _mm512_dpwssd_epi32(zero, b->zero, sum);
    for (int i = 0; i < 8; i++) {
        __m512i four = four_inputs(values + 4 * i);
        left = _mm512_dpbusd_epi32(left, a->weights[i], four);
        right = _mm512_dpbusd_epi32(right, b->weights[i], four);
    }
    __m512 factor = _mm512_set1_ps(scale);
    sums[0] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(left), _mm512_mul_ps(a->scale, factor), sums[0]);
    sums[1] = _mm512_fmadd_ps(_mm512_cvtepi32_ps(right), _mm512_mul_ps(b->scale, factor), sums[1]);
}

/* Blocks begin .. end - 1 of a strip for `tokens` (a constant where this is inlined) tokens; the
 * sums go on from what is in the tile. */
INLINE void strip_tokens(const struct cpu_linear *linear, const uint8_t *strip, uint32_t begin,
                         uint32_t end, const struct cpu_acts *acts, uint32_t first,
                         const uint32_t tokens, float *tile)
{
    const int8_t *values = acts->values + first * acts->value_stride;
    const float *scales = acts->scales + first * acts->block_stride;
    const int32_t *negsums = acts->negsums + first * acts->block_stride;
    __m512 sums[8];
    tile += (size_t)first * STRIP_ROWS;
    for (uint32_t t = 0; t < tokens; t++)
        sums[t] = begin > 0 ? _mm512_loadu_ps(tile + t * STRIP_ROWS) : _mm512_setzero_ps();
    for (uint32_t b = begin; b < end; b++) {
        const uint8_t *at = strip + b / TILE_BLOCKS * linear->tile_bytes;
        if (first == 0)
            prefetch_block(at + b % TILE_BLOCKS * (linear->tile_bytes / TILE_BLOCKS));
        struct block block = load_block(linear, at, b % TILE_BLOCKS);
        for (uint32_t t = 0; t < tokens; t++)
            sums[t] = add_block(&block, values + t * acts->value_stride + b * BLOCK_INPUTS,
                                scales[t * acts->block_stride + b],
                                negsums[t * acts->block_stride + b], sums[t]);
    }
    for (uint32_t t = 0; t < tokens; t++)
        _mm512_storeu_ps(tile + t * STRIP_ROWS, sums[t]);
}

/* The same for two neighbouring strips and four tokens; the second strip's tile is `next` floats
 * behind the first's. */
INLINE void pair_tokens(const struct cpu_linear *linear, const uint8_t *strip, uint32_t begin,
                        uint32_t end, const struct cpu_acts *acts, uint32_t first, float *tile,
                        size_t next)
{
    const int8_t *values = acts->values + first * acts->value_stride;
    const float *scales = acts->scales + first * acts->block_stride;
    const int32_t *negsums = acts->negsums + first * acts->block_stride;
    __m512 sums[8]; /* [4 tokens][2 strips] */
    tile += (size_t)first * STRIP_ROWS;
    for (uint32_t i = 0; i < 8; i++)
        sums[i] = begin > 0 ? _mm512_loadu_ps(tile + i / 2 * STRIP_ROWS + i % 2 * next)
                            : _mm512_setzero_ps();
    for (uint32_t b = begin; b < end; b++) {
        const uint8_t *at = strip + b / TILE_BLOCKS * linear->tile_bytes;
        struct block left = load_block(linear, at, b % TILE_BLOCKS);
        struct block right = load_block(linear, at + linear->strip_bytes, b % TILE_BLOCKS);
        for (uint32_t t = 0; t < 4; t++)
            add_pair(&left, &right, values + t * acts->value_stride + b * BLOCK_INPUTS,
                     scales[t * acts->block_stride + b], negsums[t * acts->block_stride + b],
                     sums + 2 * t);
    }
    for (uint32_t i = 0; i < 8; i++)
        _mm512_storeu_ps(tile + i / 2 * STRIP_ROWS + i % 2 * next, sums[i]);
}

/* Two neighbouring strips of a layer in the cache for a few tokens: both are unpacked once for all
 * of them. The sums wait in the tile, because the registers are full of weights. */
INLINE void pair_few(const struct cpu_linear *linear, const uint8_t *strip,
                     const struct cpu_acts *acts, uint32_t n, float *tile)
{
    const size_t next = (size_t)n * STRIP_ROWS;
    for (uint32_t i = 0; i < 2 * n; i++)
        _mm512_storeu_ps(tile + i * STRIP_ROWS, _mm512_setzero_ps());
    for (uint32_t b = 0; b < linear->order->blocks; b++) {
        const uint8_t *at = strip + b / TILE_BLOCKS * linear->tile_bytes;
        const int8_t *values = acts->values + b * BLOCK_INPUTS;
        const float *scales = acts->scales + b;
        const int32_t *negsums = acts->negsums + b;
        float *sum = tile;
        struct block left = load_block(linear, at, b % TILE_BLOCKS);
        struct block right = load_block(linear, at + linear->strip_bytes, b % TILE_BLOCKS);
        for (uint32_t t = 0; t < n; t++, sum += STRIP_ROWS) {
            __m512 sums[2] = {_mm512_loadu_ps(sum), _mm512_loadu_ps(sum + next)};
            add_pair(&left, &right, values, *scales, *negsums, sums);
            _mm512_storeu_ps(sum, sums[0]);
            _mm512_storeu_ps(sum + next, sums[1]);
            values += acts->value_stride;
            scales += acts->block_stride;
            negsums += acts->block_stride;
        }
    }
}

/* Tokens t .. n - 1 of one strip, up to eight in one reading. */
INLINE void single_tokens(const struct cpu_linear *linear, const uint8_t *strip, uint32_t begin,
                          uint32_t end, const struct cpu_acts *acts, uint32_t t, uint32_t n,
                          float *tile)
{
    for (; t + 8 <= n; t += 8)
        strip_tokens(linear, strip, begin, end, acts, t, 8, tile);
    switch (n - t) {
    case 7:
        strip_tokens(linear, strip, begin, end, acts, t, 7, tile);
        break;
    case 6:
        strip_tokens(linear, strip, begin, end, acts, t, 6, tile);
        break;
    case 5:
        strip_tokens(linear, strip, begin, end, acts, t, 5, tile);
        break;
    case 4:
        strip_tokens(linear, strip, begin, end, acts, t, 4, tile);
        break;
    case 3:
        strip_tokens(linear, strip, begin, end, acts, t, 3, tile);
        break;
    case 2:
        strip_tokens(linear, strip, begin, end, acts, t, 2, tile);
        break;
    case 1:
        strip_tokens(linear, strip, begin, end, acts, t, 1, tile);
        break;
    default:
        break;
    }
}

/* Many tokens go by over a part of the inputs so short that its weights stay in the first-level
 * cache; few read the strips from end to end. */
void avx512_linear_strips(const struct cpu_linear *linear, uint32_t strip, uint32_t count,
                          const struct cpu_acts *acts, uint32_t n, float *tile)
{
    const uint8_t *data = (const uint8_t *)linear->data + strip * linear->strip_bytes;
    uint32_t blocks = linear->order->blocks, part = n > 8 ? PART_BLOCKS : blocks;
    size_t next = (size_t)n * STRIP_ROWS;
    if (count == 2 && n >= 3 && n <= 8 && linear->bytes <= CACHED_BYTES) {
        pair_few(linear, data, acts, n, tile);
        return;
    }
    for (uint32_t begin = 0; begin < blocks; begin += part) {
        uint32_t end = begin + part < blocks ? begin + part : blocks, t = 0;
        for (; count == 2 && n > 8 && t + 4 <= n; t += 4)
            pair_tokens(linear, data, begin, end, acts, t, tile, next);
        for (uint32_t i = 0; i < count && t < n; i++)
            single_tokens(linear, data + i * linear->strip_bytes, begin, end, acts, t, n,
                          tile + i * next);
    }
}

/* --- dense rows ------------------------------------------------------------------------------- */

INLINE __m512 load_weights(const void *row, enum backend_dtype dtype, size_t at, __mmask16 mask)
{
    if (dtype == BACKEND_F32)
        return _mm512_maskz_loadu_ps(mask, (const float *)row + at);
    __m256i half = _mm256_maskz_loadu_epi16(mask, (const uint16_t *)row + at);
    if (dtype == BACKEND_F16)
        return _mm512_cvtph_ps(half);
    return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16));
}

/* 16 inputs from k on of `rows` rows for `tokens` tokens (constants). */
INLINE void dense_add(const uint8_t *weights, size_t row_bytes, enum backend_dtype dtype,
                      uint32_t k, __mmask16 mask, const float *x, size_t x_stride,
                      const uint32_t rows, const uint32_t tokens, __m512 *sums)
{
    __m512 w[DENSE_ROWS];
    for (uint32_t r = 0; r < rows; r++)
        w[r] = load_weights(weights + r * row_bytes, dtype, k, mask);
    for (uint32_t t = 0; t < tokens; t++) {
        __m512 v = _mm512_maskz_loadu_ps(mask, x + t * x_stride + k);
        for (uint32_t r = 0; r < rows; r++)
            sums[t * rows + r] = _mm512_fmadd_ps(w[r], v, sums[t * rows + r]);
    }
}

/* `rows` rows for `tokens` tokens (constants), at most 16 sums: a sum goes over 16 lanes, which are
 * left; out is [tokens][STRIP_ROWS]. */
INLINE void dense_block(const uint8_t *weights, size_t row_bytes, enum backend_dtype dtype,
                        uint32_t in, const float *x, size_t x_stride, const uint32_t rows,
                        const uint32_t tokens, __m512 *out)
{
    const size_t value_bytes = dtype == BACKEND_F32 ? 4 : 2;
    const size_t distance = PREFETCH_BYTES / (rows * value_bytes);
    __m512 sums[DENSE_SUMS]; /* [tokens][rows] */
    uint32_t k = 0;
    for (uint32_t i = 0; i < rows * tokens; i++)
        sums[i] = _mm512_setzero_ps();
    for (; k + 32 <= in; k += 32) {
        const uint8_t *ahead = weights + (k + distance) * value_bytes;
        if (k + distance >= in) /* the rows that come next */
            ahead += (rows - 1) * row_bytes;
        for (uint32_t r = 0; r < rows; r++, ahead += row_bytes)
            for (size_t line = 0; line < value_bytes / 2; line++)
                _mm_prefetch((const char *)ahead + 64 * line, _MM_HINT_T0);
        dense_add(weights, row_bytes, dtype, k, 0xFFFF, x, x_stride, rows, tokens, sums);
        dense_add(weights, row_bytes, dtype, k + 16, 0xFFFF, x, x_stride, rows, tokens, sums);
    }
    for (; k < in; k += 16)
        dense_add(weights, row_bytes, dtype, k, lanes(in - k), x, x_stride, rows, tokens, sums);
    for (uint32_t t = 0; t < tokens; t++)
        for (uint32_t r = 0; r < rows; r++)
            out[t * STRIP_ROWS + r] = sums[t * rows + r];
}

/* The 16 sums over the lanes of 16 vectors, each by the same tree: halves, quarters, pairs. */
INLINE __m512 sum_each(const __m512 *v)
{
    const __m512i order = _mm512_setr_epi32(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
    __m512 half[8], quarter[4], pair[2];
    for (int i = 0; i < 8; i++)
        half[i] = _mm512_add_ps(_mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0x44),
                                _mm512_shuffle_f32x4(v[2 * i], v[2 * i + 1], 0xEE));
    for (int i = 0; i < 4; i++)
        quarter[i] = _mm512_add_ps(_mm512_shuffle_f32x4(half[2 * i], half[2 * i + 1], 0x88),
                                   _mm512_shuffle_f32x4(half[2 * i], half[2 * i + 1], 0xDD));
    for (int i = 0; i < 2; i++)
        pair[i] = _mm512_add_ps(_mm512_shuffle_ps(quarter[2 * i], quarter[2 * i + 1], 0x44),
                                _mm512_shuffle_ps(quarter[2 * i], quarter[2 * i + 1], 0xEE));
    __m512 all = _mm512_add_ps(_mm512_shuffle_ps(pair[0], pair[1], 0x88),
                               _mm512_shuffle_ps(pair[0], pair[1], 0xDD));
    return _mm512_permutexvar_ps(order, all);
}

/* Up to 16 rows for `tokens` tokens (a constant); lanes of rows that are not there come to 0. */
INLINE void dense_group(const uint8_t *weights, enum backend_dtype dtype, uint32_t rows,
                        uint32_t in, const float *x, size_t x_stride, const uint32_t tokens,
                        float *tile)
{
    const uint32_t together = tokens <= DENSE_SUMS / DENSE_ROWS ? DENSE_ROWS : 2;
    const size_t row_bytes = (size_t)in * (dtype == BACKEND_F32 ? 4 : 2);
    __m512 sums[DENSE_TOKENS * STRIP_ROWS]; /* [tokens][rows] */
    uint32_t r = 0;
    for (; r + together <= rows; r += together)
        dense_block(weights + r * row_bytes, row_bytes, dtype, in, x, x_stride, together, tokens,
                    sums + r);
    for (; r < rows; r++)
        dense_block(weights + r * row_bytes, row_bytes, dtype, in, x, x_stride, 1, tokens,
                    sums + r);
    for (uint32_t t = 0; t < tokens; t++) {
        for (r = rows; r < STRIP_ROWS; r++)
            sums[t * STRIP_ROWS + r] = _mm512_setzero_ps();
        _mm512_storeu_ps(tile + t * STRIP_ROWS, sum_each(sums + t * STRIP_ROWS));
    }
}

INLINE void dense_strip(const uint8_t *weights, enum backend_dtype dtype, uint32_t rows,
                        uint32_t in, const float *x, size_t x_stride, uint32_t n, float *tile)
{
    for (uint32_t t = 0, some; t < n; t += some, x += some * x_stride, tile += some * STRIP_ROWS) {
        some = n - t;
        if (some >= 8)
            dense_group(weights, dtype, rows, in, x, x_stride, some = 8, tile);
        else if (some >= 6)
            dense_group(weights, dtype, rows, in, x, x_stride, some = 6, tile);
        else if (some >= 4)
            dense_group(weights, dtype, rows, in, x, x_stride, some = 4, tile);
        else if (some == 3)
            dense_group(weights, dtype, rows, in, x, x_stride, some = 3, tile);
        else if (some == 2)
            dense_group(weights, dtype, rows, in, x, x_stride, some = 2, tile);
        else
            dense_group(weights, dtype, rows, in, x, x_stride, some = 1, tile);
    }
}

void avx512_linear_dense(const void *weights, enum backend_dtype dtype, uint32_t rows, uint32_t in,
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
