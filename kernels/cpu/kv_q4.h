/*
 * kv_q4.h - keys and values in 4 bits: the rotation before, and how a row is stored. Every backend
 * that has KV_Q4 stores what is said here, so that its bytes can be compared.
 *
 * Rotation. A head's row of head_dim values is cut into runs of w values, w the largest power of
 * two that divides head_dim (128 for 128, 64 for 64, 32 for 96), and each run is multiplied by the
 * Walsh-Hadamard matrix of its size over sqrt(w). In fp32, in place: for h = 1, 2, 4 .. w / 2 the
 * elements i and i + h of every run (i / h even) become x[i] + x[i + h] and x[i] - x[i + h]; then
 * each is multiplied by the fp32 nearest to 1 / sqrt(w). It is its own inverse. Keys and queries
 * are rotated after RoPE, which leaves their products as they were; values are rotated too, and the
 * result of attention is rotated back. It spreads what stands out in a few dimensions over all, so
 * that one scale serves 32 values.
 *
 * Storing. A rotated row is cut into blocks of 32 values; where head_dim is no multiple of 32 the
 * last is short, of c = 8, 16 or 24. Of each block, with m its value of the largest size (the most
 * negative one where the smallest is as far from zero as the largest):
 *
 *     scale = f16(m / -s)             nearest, ties to even; to +-65504 if it would be infinite
 *     level = rint(clamp(x * (1 / scale), -8, 7))       in fp32, ties to even; 0 if scale is 0
 *     value = scale * level
 *
 * with the s of 7.5, 7.75, 8 .. 9.25 whose sum of (value - x)^2 over the block is the least, the
 * smaller s of equals; in fp32, from the first x on, every product and sum rounded. The scale has a
 * sign: m itself gets level -8, so that all 16 levels are in use. (On normal values the mean square
 * error is 8% less than with s = 8.25 for all, and the divergence on a model a quarter.) A level is
 * kept as the nibble level + 8. Byte i of
 * a block of c values (c / 2 bytes, blocks one after the other) holds value i in its low nibble and
 * value c / 2 + i in its high one. The scales of a row stand apart, one f16 a block.
 */
#ifndef AIRO_KERNELS_CPU_KV_Q4_H
#define AIRO_KERNELS_CPU_KV_Q4_H

#include <stdint.h>

#define KV_Q4_BLOCK 32 /* values under one scale */
#define KV_Q4_ZERO  8  /* the nibble of level 0 */

/* Rotates one head's row in place; head_dim is a multiple of 8. */
void kv_q4_rotate(float *row, uint32_t head_dim);

/* Stores a rotated row: head_dim / 2 bytes, and a scale for each block. */
void kv_q4_write(uint8_t *out, uint16_t *scales, const float *row, uint32_t head_dim);

/* Nibble + its place: element d of a row of head_dim values, as a level -8 .. 7. */
static inline int kv_q4_level(const uint8_t *row, uint32_t head_dim, uint32_t d)
{
    uint32_t block = d / KV_Q4_BLOCK * KV_Q4_BLOCK, at = d - block, half;
    half = (head_dim - block < KV_Q4_BLOCK ? head_dim - block : KV_Q4_BLOCK) / 2;
    uint8_t byte = row[block / 2 + (at < half ? at : at - half)];
    return (at < half ? byte & 15 : byte >> 4) - KV_Q4_ZERO;
}

#endif
