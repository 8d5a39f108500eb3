/*
 * pack.h - GPTQ layers -> strips.
 *
 * A strip is 16 outputs and all inputs, a run of tiles; a tile is eight blocks, a block 16 outputs
 * by 32 inputs. One stream of whole cache lines, so that the prefetcher has one thing to follow:
 *
 *   weights  [8 blocks][256 bytes]
 *   scales   [8 blocks][16 f16]
 *   zeros    [8 blocks][16 nibbles]     left out when every stored zero is the same
 *
 * The last tile of a strip may have unused blocks.
 *
 * A block is four vectors of 64 bytes. Byte 4 l + j of vector v holds two weights of output l: in
 * the low nibble input 4 v + j of the block, in the high nibble input 16 + 4 v + j:
 *
 *              output 0      output 1            output 15
 *   vector 0   0  1  2  3    0  1  2  3   ...    0  1  2  3      low nibbles
 *             16 17 18 19   16 17 18 19         16 17 18 19      high nibbles
 *   vector 1   4  5  6  7    4  5  6  7   ...
 *
 * so that one masked vector is an operand of vpdpbusd, four inputs to a 32-bit lane, against the
 * same four activations in every lane. The zero of output l is nibble l / 2 of the block's 32-bit
 * word l % 2: broadcast 64 bits, shift each lane by its own amount, mask.
 */
#ifndef AIRO_KERNELS_CPU_PACK_H
#define AIRO_KERNELS_CPU_PACK_H

#include "kernels/cpu/cpu.h"

/* The order of a layer. NULL and `error` when memory is short or a group number is not below
 * linear->groups. To be freed with order_free. */
struct cpu_order *order_make(const struct backend_linear *linear, struct backend_error *error);
void order_free(struct cpu_order *order);
bool order_equal(const struct cpu_order *a, const struct cpu_order *b);
/* Blocks the layer will have, without making the order; g_idx NULL is in order. */
uint64_t order_blocks(const struct backend_linear *linear);

/* Bytes of all strips. */
uint64_t strips_bytes(uint32_t out, uint64_t blocks, bool has_zeros);

/* Fills `packed` (form, sizes, data) from a checked layer, on all threads of the pool. */
int strips_pack(struct cpu_linear *packed, const struct backend_linear *linear,
                const struct cpu_order *order, struct thread_pool *pool,
                struct backend_error *error);

#endif
