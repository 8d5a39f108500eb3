/*
 * linear_step.cuh - the arithmetic of the decode linear kernel: one step of a warp, 16 outputs by
 * the inputs of one stage of its ring, times up to 8 NT tokens.
 *
 * 4-bit weights become halves by (w & mask) | 0x6400: the halves from 1024 to 2047 have a unit of
 * 1, so a low nibble makes 1024 + q and a high nibble 1024 + 16 q. One subtraction of halves,
 * exact, takes the 1024 and the zero away: q - z for output g, 16 (q - z) for output g + 8, whose
 * sums are divided by 16 once, at the end of the run. Products with the f16 inputs are exact, a
 * block of 32 inputs is summed in fp32 by the tensor cores, and its scale is applied in fp32.
 */
#ifndef AIRO_KERNELS_CUDA_LINEAR_STEP_CUH
#define AIRO_KERNELS_CUDA_LINEAR_STEP_CUH

#include "kernels/cuda/tiles.cuh"

enum weights { WEIGHTS_Q4, WEIGHTS_Q4_ZEROS, WEIGHTS_F16, WEIGHTS_FORMS };

/* What a kernel is compiled for: the form of the weights, PARTS layers that share the inputs of a
 * step (2: gate and up), NT groups of 8 tokens. A stage is what a step reads of every part. */
template <int FORM, int PARTS> struct stage_of {
    static constexpr uint32_t inputs = FORM == WEIGHTS_F16 ? 64 : 128;
    static constexpr uint32_t part_bytes = FORM == WEIGHTS_F16  ? TILE_F16_BYTES / 2
                                           : FORM == WEIGHTS_Q4 ? TILE_Q4_BYTES
                                                                : TILE_Q4Z_BYTES;
    static constexpr uint32_t bytes = PARTS * part_bytes;
};

DEVICE uint4 load16_shared(const unsigned char *at)
{
    return *(const uint4 *)at;
}

DEVICE uint32_t load4_shared(const unsigned char *at)
{
    return *(const uint32_t *)at;
}

/* Word i of four; i is known when the loop around it is unrolled. */
DEVICE uint32_t word_of(const uint4 &v, int i)
{
    return i == 0 ? v.x : i == 1 ? v.y : i == 2 ? v.z : v.w;
}

/* What is to be taken from both halves of a pair: 1024 + zero, and 1024 + 16 zero. */
struct q4_zero {
    uint32_t low, high;
};

DEVICE struct q4_zero q4_zero_of(uint32_t zero)
{
    return {0x64006400u + zero * 0x00010001u, 0x64006400u + zero * 0x00100010u};
}

/* ... with the byte of zeros of two outputs: the high nibble is 16 zero as it stands. */
DEVICE struct q4_zero q4_zero_add(struct q4_zero zero, uint32_t byte)
{
    return {zero.low + (byte & 0x0F) * 0x00010001u, zero.high + (byte & 0xF0) * 0x00010001u};
}

DEVICE void q4_fragment(uint32_t a[4], uint32_t word, struct q4_zero zero)
{
    uint32_t next = word >> 8;
    a[0] = half2_sub(and_or(word, 0x000F000F, 0x64006400), zero.low);
    a[1] = half2_sub(and_or(word, 0x00F000F0, 0x64006400), zero.high);
    a[2] = half2_sub(and_or(next, 0x000F000F, 0x64006400), zero.low);
    a[3] = half2_sub(and_or(next, 0x00F000F0, 0x64006400), zero.high);
}

/* Two mma of one block of 32 inputs; x holds the lane's eight inputs of each group of tokens. */
template <int NT>
DEVICE void q4_block(float sum[NT][4], uint32_t first, uint32_t second, struct q4_zero zero,
                     const uint4 x[NT], uint32_t scales)
{
    uint32_t a[2][4];
    q4_fragment(a[0], first, zero);
    q4_fragment(a[1], second, zero);
    float low = half2_low(scales), high = half2_high(scales);
#pragma unroll
    for (int j = 0; j < NT; j++) {
        float block[4] = {0, 0, 0, 0};
        const uint32_t b[2][2] = {{x[j].x, x[j].y}, {x[j].z, x[j].w}};
        mma_16816(block, a[0], b[0]);
        mma_16816(block, a[1], b[1]);
        sum[j][0] = fmaf(low, block[0], sum[j][0]);
        sum[j][1] = fmaf(low, block[1], sum[j][1]);
        sum[j][2] = fmaf(high, block[2], sum[j][2]);
        sum[j][3] = fmaf(high, block[3], sum[j][3]);
    }
}

/* zero[part]: of every output (no zeros), or what is added to each. x[j] is the lane's address of
 * the inputs of its token in group j, of the slice; `offset` is where the step's begin. */
template <int FORM, int PARTS, int NT>
DEVICE void q4_step(float sum[PARTS][NT][4], const unsigned char *stage,
                    const unsigned char *const x[NT], uint32_t offset,
                    const struct q4_zero zero[PARTS])
{
    uint32_t lane = lane_index(), g = lane / 4, zeros[PARTS];
    uint4 words[PARTS][2], scales[PARTS];
#pragma unroll
    for (int p = 0; p < PARTS; p++) {
        const unsigned char *chunk = stage + p * stage_of<FORM, PARTS>::part_bytes;
        words[p][0] = load16_shared(chunk + tile_q4_word(lane, 0));
        words[p][1] = load16_shared(chunk + tile_q4_word(lane, 4));
        scales[p] = load16_shared(chunk + tile_q4_scale(g, 0, 0));
        zeros[p] = FORM == WEIGHTS_Q4 ? 0 : load4_shared(chunk + tile_q4_zero(g, 0));
    }
#pragma unroll
    for (int block = 0; block < TILE_BLOCKS; block++) {
        uint4 inputs[NT];
#pragma unroll
        for (int j = 0; j < NT; j++)
            inputs[j] = load16_shared(x[j] + offset + block * 64);
#pragma unroll
        for (int p = 0; p < PARTS; p++) {
            struct q4_zero own = zero[p];
            if (FORM == WEIGHTS_Q4_ZEROS)
                own = q4_zero_add(own, zeros[p] >> block * 8);
            q4_block<NT>(sum[p], word_of(words[p][block / 2], block % 2 * 2),
                         word_of(words[p][block / 2], block % 2 * 2 + 1), own, inputs,
                         word_of(scales[p], block));
        }
    }
}

/* 64 inputs; summed apart first, so that the long sum is rounded as fp32 additions are. */
template <int PARTS, int NT>
DEVICE void f16_step(float sum[PARTS][NT][4], const unsigned char *stage,
                     const unsigned char *const x[NT], uint32_t offset)
{
    uint4 inputs[NT][2];
#pragma unroll
    for (int j = 0; j < NT; j++) {
        inputs[j][0] = load16_shared(x[j] + offset);
        inputs[j][1] = load16_shared(x[j] + offset + 64);
    }
#pragma unroll
    for (int p = 0; p < PARTS; p++) {
        float block[NT][4] = {};
#pragma unroll
        for (int m = 0; m < 4; m++) {
            const unsigned char *at = stage + p * stage_of<WEIGHTS_F16, PARTS>::part_bytes;
            uint4 w = load16_shared(at + tile_f16(lane_index(), (uint32_t)m, 0, 0));
            const uint32_t a[4] = {w.x, w.y, w.z, w.w};
#pragma unroll
            for (int j = 0; j < NT; j++) {
                uint4 v = inputs[j][m / 2];
                const uint32_t b[2] = {m % 2 ? v.z : v.x, m % 2 ? v.w : v.y};
                mma_16816(block[j], a, b);
            }
        }
#pragma unroll
        for (int j = 0; j < NT; j++)
            for (int i = 0; i < 4; i++)
                sum[p][j][i] += block[j][i];
    }
}

#endif
