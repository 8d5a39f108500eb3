/*
 * avx512_linear.c - linear layers with AVX-512 VNNI: rounding of activations, 4-bit strips, dense
 * rows. Each output of a token is summed in the same order whatever the number of tokens.
 */
#if defined(__x86_64__)
#include <string.h>

#include "kernels/cpu/avx512.h"

#define INLINE static inline __attribute__((always_inline))

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

INLINE struct block load_block(const struct cpu_linear *linear, const uint8_t *strip,
                               uint32_t number)
{
    const __m512i nibble = _mm512_set1_epi8(15);
    const __m512i shifts =
        _mm512_setr_epi32(0, 0, 4, 4, 8, 8, 12, 12, 16, 16, 20, 20, 24, 24, 28, 28);
    const uint8_t *at = strip + (size_t)number * BLOCK_BYTES;
    struct block block;
    for (int i = 0; i < 4; i++) {
        __m512i packed = _mm512_load_si512(at + 64 * i);
        block.weights[i] = _mm512_and_si512(packed, nibble);
        block.weights[4 + i] = _mm512_and_si512(_mm512_srli_epi16(packed, 4), nibble);
    }
    const uint8_t *scales = strip + linear->scales_at + (size_t)number * STRIP_ROWS * 2;
    block.scale = _mm512_cvtph_ps(_mm256_load_si256((const __m256i *)scales));
    block.zero = _mm512_set1_epi32(linear->zero_add);
    if (linear->has_zeros) {
        long long zeros;
        memcpy(&zeros, strip + linear->zeros_at + (size_t)number * 8, sizeof zeros);
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

/* One strip for `tokens` (a constant where this is inlined) tokens. */
INLINE void strip_tokens(const struct cpu_linear *linear, const uint8_t *strip,
                         const struct cpu_acts *acts, uint32_t first, const uint32_t tokens,
                         float *tile)
{
    const int8_t *values = acts->values + first * acts->value_stride;
    const float *scales = acts->scales + first * acts->block_stride;
    const int32_t *negsums = acts->negsums + first * acts->block_stride;
    __m512 sums[8];
    for (uint32_t t = 0; t < tokens; t++)
        sums[t] = _mm512_setzero_ps();
    for (uint32_t b = 0; b < linear->order->blocks; b++) {
        struct block block = load_block(linear, strip, b);
        for (uint32_t t = 0; t < tokens; t++)
            sums[t] = add_block(&block, values + t * acts->value_stride + b * BLOCK_INPUTS,
                                scales[t * acts->block_stride + b],
                                negsums[t * acts->block_stride + b], sums[t]);
    }
    for (uint32_t t = 0; t < tokens; t++)
        _mm512_storeu_ps(tile + (size_t)(first + t) * STRIP_ROWS, sums[t]);
}

void avx512_linear_strips(const struct cpu_linear *linear, uint32_t strip,
                          const struct cpu_acts *acts, uint32_t n, float *tile)
{
    const uint8_t *data = (const uint8_t *)linear->data + strip * linear->strip_bytes;
    uint32_t t = 0;
    for (; t + 8 <= n; t += 8)
        strip_tokens(linear, data, acts, t, 8, tile);
    if (t + 4 <= n) {
        strip_tokens(linear, data, acts, t, 4, tile);
        t += 4;
    }
    if (t + 2 <= n) {
        strip_tokens(linear, data, acts, t, 2, tile);
        t += 2;
    }
    if (t < n)
        strip_tokens(linear, data, acts, t, 1, tile);
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

/* `rows` x `tokens` sums (constants), each over 16 lanes that are added up at the end. */
INLINE void dense_tile(const uint8_t *weights, enum backend_dtype dtype, const uint32_t rows,
                       uint32_t in, const float *x, size_t x_stride, const uint32_t tokens,
                       float *tile)
{
    size_t row_bytes = (size_t)in * (dtype == BACKEND_F32 ? 4 : 2);
    __m512 sums[4][4];
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t t = 0; t < tokens; t++)
            sums[r][t] = _mm512_setzero_ps();
    for (uint32_t k = 0; k < in; k += 16) {
        __mmask16 mask = lanes(in - k);
        __m512 v[4];
        for (uint32_t t = 0; t < tokens; t++)
            v[t] = _mm512_maskz_loadu_ps(mask, x + t * x_stride + k);
        for (uint32_t r = 0; r < rows; r++) {
            __m512 w = load_weights(weights + r * row_bytes, dtype, k, mask);
            for (uint32_t t = 0; t < tokens; t++)
                sums[r][t] = _mm512_fmadd_ps(w, v[t], sums[r][t]);
        }
    }
    for (uint32_t r = 0; r < rows; r++)
        for (uint32_t t = 0; t < tokens; t++)
            tile[t * STRIP_ROWS + r] = _mm512_reduce_add_ps(sums[r][t]);
}

INLINE void dense_rows(const uint8_t *weights, enum backend_dtype dtype, const uint32_t rows,
                       uint32_t in, const float *x, size_t x_stride, uint32_t n, float *tile)
{
    uint32_t t = 0;
    for (; t + 4 <= n; t += 4)
        dense_tile(weights, dtype, rows, in, x + t * x_stride, x_stride, 4,
                   tile + (size_t)t * STRIP_ROWS);
    for (; t < n; t++)
        dense_tile(weights, dtype, rows, in, x + t * x_stride, x_stride, 1,
                   tile + (size_t)t * STRIP_ROWS);
}

INLINE void dense_strip(const uint8_t *weights, enum backend_dtype dtype, uint32_t rows,
                        uint32_t in, const float *x, size_t x_stride, uint32_t n, float *tile)
{
    size_t row_bytes = (size_t)in * (dtype == BACKEND_F32 ? 4 : 2);
    uint32_t r = 0;
    for (; r + 4 <= rows; r += 4)
        dense_rows(weights + r * row_bytes, dtype, 4, in, x, x_stride, n, tile + r);
    for (; r < rows; r++)
        dense_rows(weights + r * row_bytes, dtype, 1, in, x, x_stride, n, tile + r);
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
