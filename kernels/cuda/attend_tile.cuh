/*
 * attend_tile.cuh - what one warp of decode attention does with its 32 positions: scores and sums
 * on tensor cores, from rows that lie in shared memory as they are stored in pages.
 *
 * Columns are up to 8 queries: n of mma.m16n8k16. Keys are widened to halves on the way into the
 * fragments, two tiles of 16 rows each:
 *
 *   scores   S = K Q^T     a row of the tile is a key, k are dimensions
 *   sums     O^T = V^T P^T  a row is a dimension, k are the 16 keys of a tile
 *
 * Which dimension or key stands at which k or row is free as long as both operands agree, and is
 * chosen so that a lane reads whole words. With g = lane / 4, t = lane % 4:
 *
 *   Row r of a tile is key 8 (r / 8) + 4 (r % 2) + r / 2 % 4, so that the four keys of a lane in
 *   V^T are t, t + 4, t + 8, t + 12.
 *   Mma 2 i and 2 i + 1 of a score take dimensions 32 i .. 32 i + 31, a block with one scale of q8
 *   and q4: their sum is multiplied by the key's scale in fp32. A lane has 8 of them: 8 t .. 8 t +
 * 7, with q4 those of its 4 bytes, 4 t .. 4 t + 3 and 16 more (bytes 0, 2, then 1, 3 of the word:
 *   the order in which nibbles come out in pairs).
 *   A lane's rows of V^T are dimensions of 1 / 8 of a stored row, which are in one block: its
 * values are multiplied by the scale as halves. attend_dimension says where they stand in O.
 *
 * Shared memory: 16-byte piece p of the row of key k stands at p ^ attend_swizzle(k), which keeps
 * all of these reads free of bank conflicts for rows of 128 dimensions, and for 64.
 */
#ifndef AIRO_KERNELS_CUDA_ATTEND_TILE_CUH
#define AIRO_KERNELS_CUDA_ATTEND_TILE_CUH

#include "kernels/cuda/kv.cuh"

#define ATTEND_WARPS   8
#define ATTEND_COLUMNS 8                                 /* n of the mma */
#define ATTEND_KEYS    (GPU_SPLIT_TOKENS / ATTEND_WARPS) /* of a warp */
#define ATTEND_TILES   (ATTEND_KEYS / 16)

/* The key at row `row` of a tile, 0 .. 15. */
DEVICE uint32_t attend_key(uint32_t row)
{
    return (row & 8) + 4 * (row & 1) + (row >> 1 & 3);
}

template <enum kv_type type, uint32_t dim> DEVICE uint32_t attend_swizzle(uint32_t key)
{
    constexpr uint32_t pieces = kv_form<type, dim>::row_pieces;
    if (type == KV_F16)
        return key & 7;
    if (type == KV_Q8)
        return pieces == 8 ? (key & 1) << 1 | ((key >> 1 ^ key >> 2) & 1) << 2
                           : ((key >> 1 ^ key >> 2) & 1) << 1;
    return pieces == 4 ? (key & 2) | (key >> 2 & 1) : key >> 2 & 1;
}

/* Offset of byte `byte` of a key's row in the warp's rows. */
template <enum kv_type type, uint32_t dim>
DEVICE uint32_t attend_offset(uint32_t key, uint32_t byte)
{
    constexpr uint32_t pieces = kv_form<type, dim>::row_pieces;
    return (key * pieces + (byte / 16 ^ attend_swizzle<type, dim>(key))) * 16 + byte % 16;
}

/* Where dimension d of a query stands among its halves, so that a lane's eight of block i are the
 * 16 bytes from 32 i + 8 t on, in the order of its fragments. */
template <enum kv_type type> DEVICE uint32_t attend_query_place(uint32_t d)
{
    const uint32_t block = d & ~31u, in = d & 15, byte = in & 3;
    if (type != KV_Q4)
        return d;
    return block + in / 4 * 8 + (d >> 4 & 1) * 4 + (byte & 1) * 2 + byte / 2;
}

/* The dimension of row `row` (0 .. 15) of tile m of O^T. */
template <enum kv_type type, uint32_t dim>
DEVICE uint32_t attend_dimension(uint32_t m, uint32_t row)
{
    const uint32_t g = row & 7, upper = row >> 3;
    if (type == KV_F16)
        return 16 * m + row;
    if (type == KV_Q8)
        return dim / 8 * g + 2 * m + upper;
    const uint32_t byte = dim / 16 * g + m;
    return byte / 16 * 32 + byte % 16 + 16 * upper;
}

/* --- widening --------------------------------------------------------------------------------- */

/* Two bytes of a word that holds int8 + 128: 1024 + that in halves, exactly, less 1152. */
DEVICE uint32_t widen_bytes(uint32_t word, uint32_t selector)
{
    return half2_sub(byte_permute(word, 0x64646464, selector), 0x64806480);
}

/* The low nibbles (level + 8) of bytes 0 and 2: 1024 + nibble, less 1032. */
DEVICE uint32_t widen_low(uint32_t word)
{
    return half2_sub(and_or(word, 0x000F000F, 0x64006400), 0x64086408);
}

/* The high ones: (1024 + 16 nibble) / 16 - 72. */
DEVICE uint32_t widen_high(uint32_t word)
{
    return half2_fma(and_or(word, 0x00F000F0, 0x64006400), 0x2C002C00, 0xD480D480);
}

/* --- scores ----------------------------------------------------------------------------------- */

/* A key's eight halves of block i that this lane has: k0 k1, k2 k3 of the first mma, and of the
 * second. */
template <enum kv_type type, uint32_t dim>
DEVICE void key_fragment(uint32_t pairs[4], const uint8_t *rows, uint32_t key, uint32_t i)
{
    const uint32_t t = lane_index() % 4;
    if constexpr (type == KV_F16) {
        uint4 w = *(const uint4 *)(rows + attend_offset<type, dim>(key, 64 * i + 16 * t));
        pairs[0] = w.x, pairs[1] = w.y, pairs[2] = w.z, pairs[3] = w.w;
    } else if constexpr (type == KV_Q8) {
        uint2 w = *(const uint2 *)(rows + attend_offset<type, dim>(key, 32 * i + 8 * t));
        w.x ^= 0x80808080, w.y ^= 0x80808080;
        pairs[0] = widen_bytes(w.x, 0x4140), pairs[1] = widen_bytes(w.x, 0x4342);
        pairs[2] = widen_bytes(w.y, 0x4140), pairs[3] = widen_bytes(w.y, 0x4342);
    } else {
        uint32_t w = *(const uint32_t *)(rows + attend_offset<type, dim>(key, 16 * i + 4 * t));
        pairs[0] = widen_low(w), pairs[1] = widen_low(w >> 8);
        pairs[2] = widen_high(w), pairs[3] = widen_high(w >> 8);
    }
}

/* The scale of block i of a key's row. */
template <uint32_t dim> DEVICE float key_scale(const uint16_t *scales, uint32_t key, uint32_t i)
{
    uint32_t pair = *(const uint32_t *)(scales + key * (dim / 32) + (i & ~1u));
    return (i & 1) != 0 ? half2_high(pair) : half2_low(pair);
}

typedef float attend_scores[ATTEND_TILES][4]; /* C fragments */

/* Queries are rows of dim + 32 halves. */
template <enum kv_type type, uint32_t dim>
DEVICE void compute_scores(attend_scores s, const uint8_t *rows, const uint16_t *scales,
                           const uint16_t *queries)
{
    const uint32_t g = lane_index() / 4, t = lane_index() % 4;
#pragma unroll
    for (uint32_t u = 0; u < ATTEND_TILES; u++)
        s[u][0] = s[u][1] = s[u][2] = s[u][3] = 0;
#pragma unroll
    for (uint32_t i = 0; i < dim / 32; i++) {
        const uint4 q = *(const uint4 *)(queries + g * (dim + 32) + 32 * i + 8 * t);
        const uint32_t first[2] = {q.x, q.y}, second[2] = {q.z, q.w};
#pragma unroll
        for (uint32_t u = 0; u < ATTEND_TILES; u++) {
            const uint32_t low = 16 * u + attend_key(g), high = low + 8;
            uint32_t x[4], y[4];
            key_fragment<type, dim>(x, rows, low, i);
            key_fragment<type, dim>(y, rows, high, i);
            const uint32_t a[4] = {x[0], y[0], x[1], y[1]}, b[4] = {x[2], y[2], x[3], y[3]};
            if constexpr (type == KV_F16) {
                mma_16816(s[u], a, first);
                mma_16816(s[u], b, second);
            } else {
                const float x_scale = key_scale<dim>(scales, low, i);
                const float y_scale = key_scale<dim>(scales, high, i);
                float c[4] = {0, 0, 0, 0};
                mma_16816(c, a, first);
                mma_16816(c, b, second);
                s[u][0] += x_scale * c[0], s[u][1] += x_scale * c[1];
                s[u][2] += y_scale * c[2], s[u][3] += y_scale * c[3];
            }
        }
    }
}

/* --- weights ---------------------------------------------------------------------------------- */

typedef uint32_t attend_weights[ATTEND_TILES][2]; /* B fragments of P^T */

/* Lane (g, t) holds row g, columns 2 t and 2 t + 1, of an 8x8 matrix of halves; after this, rows
 * 2 t and 2 t + 1 of column g. */
DEVICE uint32_t transpose(uint32_t pair)
{
    const uint32_t g = lane_index() / 4, t = lane_index() % 4;
    uint32_t low = warp_shuffle(pair, 8 * t + g / 2), high = warp_shuffle(pair, 8 * t + 4 + g / 2);
    return byte_permute(low, high, (g & 1) != 0 ? 0x7632 : 0x5410);
}

/* Over the eight lanes that hold other keys of the same columns. */
DEVICE float keys_max(float x)
{
    x = fmaxf(x, warp_shuffle_xor(x, 4));
    x = fmaxf(x, warp_shuffle_xor(x, 8));
    return fmaxf(x, warp_shuffle_xor(x, 16));
}

DEVICE float keys_sum(float x)
{
    x += warp_shuffle_xor(x, 4);
    x += warp_shuffle_xor(x, 8);
    return x + warp_shuffle_xor(x, 16);
}

/* Of the lane's columns 2 t and 2 t + 1, over the warp's keys. */
struct attend_softmax {
    float max[2], sum[2];
};

/* exp2(score - max) of the keys that a column sees: those before seen[e] of the warp's 32. The
 * others weigh nothing, also where a column sees none and its maximum is -inf. */
DEVICE struct attend_softmax compute_weights(attend_weights p, attend_scores s,
                                             const uint32_t seen[2])
{
    const uint32_t key = attend_key(lane_index() / 4);
    struct attend_softmax out;
#pragma unroll
    for (uint32_t e = 0; e < 2; e++) {
        float max = -INFINITY, sum = 0;
#pragma unroll
        for (uint32_t u = 0; u < ATTEND_TILES; u++)
#pragma unroll
            for (uint32_t h = 0; h < 2; h++) {
                float *score = &s[u][2 * h + e];
                *score = 16 * u + 8 * h + key < seen[e] ? *score : -INFINITY;
                max = fmaxf(max, *score);
            }
        out.max[e] = max = keys_max(max);
        const float from = max == -INFINITY ? 0 : max;
#pragma unroll
        for (uint32_t u = 0; u < ATTEND_TILES; u++)
#pragma unroll
            for (uint32_t h = 0; h < 2; h++)
                sum += s[u][2 * h + e] = exp2_fast(s[u][2 * h + e] - from);
        out.sum[e] = keys_sum(sum);
    }
#pragma unroll
    for (uint32_t u = 0; u < ATTEND_TILES; u++)
#pragma unroll
        for (uint32_t h = 0; h < 2; h++)
            p[u][h] = transpose(half2_pack(s[u][2 * h], s[u][2 * h + 1]));
    return out;
}

/* --- sums ------------------------------------------------------------------------------------- */

template <uint32_t words> DEVICE void load_words(uint32_t w[words], const uint8_t *from)
{
    if constexpr (words == 4) {
        uint4 v = *(const uint4 *)from;
        w[0] = v.x, w[1] = v.y, w[2] = v.z, w[3] = v.w;
    } else if constexpr (words == 2) {
        uint2 v = *(const uint2 *)from;
        w[0] = v.x, w[1] = v.y;
    } else {
        w[0] = *(const uint32_t *)from;
    }
}

/* Rows g and g + 8 of tile m of V^T for two keys, from their words m / 2 (q8) or m / 4 (q4) of the
 * lane's part of the row. */
template <enum kv_type type>
DEVICE void value_pairs(uint32_t *low, uint32_t *high, uint32_t a, uint32_t b, uint32_t m)
{
    if constexpr (type == KV_Q8) {
        uint32_t bytes = byte_permute(a, b, m % 2 == 0 ? 0x5140 : 0x7362) ^ 0x80808080;
        *low = widen_bytes(bytes, 0x4140);
        *high = widen_bytes(bytes, 0x4342);
    } else {
        uint32_t bytes = byte_permute(a, b, m % 4 < 2 ? 0x5410 : 0x7632) >> m % 2 * 8;
        *low = widen_low(bytes);
        *high = widen_high(bytes);
    }
}

/* A tile of 16 positions from `base` on of q8 or q4: the lane's eighth of four rows. */
template <enum kv_type type, uint32_t dim>
DEVICE void add_scaled(float o[dim / 16][4], const uint8_t *rows, const uint16_t *scales,
                       uint32_t base, const uint32_t p[2])
{
    constexpr uint32_t words = kv_form<type, dim>::row_bytes / 32, tiles = dim / 16 / words;
    const uint32_t g = lane_index() / 4, t = lane_index() % 4, block = g * (dim / 32) / 8;
    uint32_t w[4][words], scale[2];
#pragma unroll
    for (uint32_t k = 0; k < 4; k++)
        load_words<words>(w[k], rows + attend_offset<type, dim>(base + t + 4 * k, 4 * words * g));
#pragma unroll
    for (uint32_t k = 0; k < 2; k++) {
        const uint16_t *at = scales + (base + t + 8 * k) * (dim / 32) + block;
        scale[k] = (uint32_t)at[0] | (uint32_t)at[4 * (dim / 32)] << 16;
    }
#pragma unroll
    for (uint32_t m = 0; m < dim / 16; m++) {
        uint32_t a[4];
        value_pairs<type>(&a[0], &a[1], w[0][m / tiles], w[1][m / tiles], m);
        value_pairs<type>(&a[2], &a[3], w[2][m / tiles], w[3][m / tiles], m);
#pragma unroll
        for (uint32_t i = 0; i < 4; i++)
            a[i] = half2_mul(a[i], scale[i / 2]);
        mma_16816(o[m], a, p);
    }
}

/* As it is for f16, which ldmatrix turns over. */
template <uint32_t dim>
DEVICE void add_f16(float o[dim / 16][4], const uint8_t *rows, uint32_t base, const uint32_t p[2])
{
    const uint32_t lane = lane_index(), key = base + attend_key(lane % 8) + lane / 16 * 8;
#pragma unroll
    for (uint32_t m = 0; m < dim / 16; m++) {
        uint32_t a[4];
        ldmatrix_x4_trans(a, rows + attend_offset<KV_F16, dim>(key, 32 * m + lane / 8 % 2 * 16));
        mma_16816(o[m], a, p);
    }
}

template <enum kv_type type, uint32_t dim>
DEVICE void compute_sums(float o[dim / 16][4], const uint8_t *rows, const uint16_t *scales,
                         const attend_weights p)
{
#pragma unroll
    for (uint32_t m = 0; m < dim / 16; m++)
        o[m][0] = o[m][1] = o[m][2] = o[m][3] = 0;
#pragma unroll
    for (uint32_t u = 0; u < ATTEND_TILES; u++)
        if constexpr (type == KV_F16)
            add_f16<dim>(o, rows, 16 * u, p[u]);
        else
            add_scaled<type, dim>(o, rows, scales, 16 * u, p[u]);
}

#endif
