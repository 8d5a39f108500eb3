/*
 * tiles.cuh - where each weight of a tile stands (gpu.h tells it in words).
 *
 * Functions take one chunk, 16 outputs by 128 inputs. `half` is 0 for output g and 1 for g + 8;
 * m is the mma, 0 .. 7; i is 0 .. 3, the inputs k0 .. k3 of a lane.
 */
#ifndef AIRO_KERNELS_CUDA_TILES_CUH
#define AIRO_KERNELS_CUDA_TILES_CUH

#include "kernels/cuda/device.cuh"

#define TILE_BLOCKS       4 /* blocks of 32 inputs, each with one scale an output */
#define TILE_MMAS         8
#define TILE_Q4_NIBBLES   1024
#define TILE_Q4_SCALES    128
#define TILE_Q4_ZEROS     32
#define TILE_Q4_BYTES     (TILE_Q4_NIBBLES + TILE_Q4_SCALES)
#define TILE_Q4Z_BYTES    (TILE_Q4_BYTES + TILE_Q4_ZEROS)
#define TILE_F16_BYTES    4096
#define TILE_F16_FRAGMENT 512 /* bytes of one mma's weights: 16 a lane */

/* The first of the lane's four inputs in mma m. */
DEVICE uint32_t tile_input(uint32_t lane, uint32_t m)
{
    return m / 2 * 32 + lane % 4 * 8 + m % 2 * 4;
}

/* Offset in the chunk of the word that holds the lane's eight weights of mma m. */
DEVICE uint32_t tile_q4_word(uint32_t lane, uint32_t m)
{
    return m / 4 * 512 + lane * 16 + m % 4 * 4;
}

/* Shift of one weight in that word. */
DEVICE uint32_t tile_q4_shift(uint32_t half, uint32_t i)
{
    return i % 2 * 16 + i / 2 * 8 + half * 4;
}

/* Offset of the f16 scale of output g + 8 half in a block of 32 inputs. */
DEVICE uint32_t tile_q4_scale(uint32_t g, uint32_t block, uint32_t half)
{
    return TILE_Q4_NIBBLES + g * 16 + block * 4 + half * 2;
}

/* Offset of the byte with the zeros of outputs g (low nibble) and g + 8 (high nibble). */
DEVICE uint32_t tile_q4_zero(uint32_t g, uint32_t block)
{
    return TILE_Q4_BYTES + g * 4 + block;
}

/* Offset of one f16 weight of a dense chunk. */
DEVICE uint32_t tile_f16(uint32_t lane, uint32_t m, uint32_t half, uint32_t i)
{
    return m * TILE_F16_FRAGMENT + lane * 16 + i / 2 * 8 + half * 4 + i % 2 * 2;
}

#endif
