/*
 * device_kernels.h - kernels that use each wrapper of device.cuh once, for test_device, and kernels
 * that do what a real device would not survive.
 */
#ifndef AIRO_TESTS_CUDA_DEVICE_KERNELS_H
#define AIRO_TESTS_CUDA_DEVICE_KERNELS_H

#include <cuda_runtime_api.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One warp. a [16][16], b [16][8] f16 in row order, c [16][8]: c += a b, through fragments loaded
 * as the comment of mma_16816 says. */
cudaError_t run_mma(float *c, const uint16_t *a, const uint16_t *b, cudaStream_t stream);
/* The same with a from ldmatrix_x4 and b from ldmatrix_x4_trans. */
cudaError_t run_mma_ldmatrix(float *c, const uint16_t *a, const uint16_t *b, cudaStream_t stream);

/* One warp: out [6][32] of in [32]: shuffle from lane (3 l + 1) % 32, xor 5, down 7, sum, max (as
 * floats), ballot of in[l] odd. */
cudaError_t run_lanes(uint32_t *out, const uint32_t *in, cudaStream_t stream);

/* n threads: out[8 i ..] of the pair a[i], b[i], c[i]: add, sub, mul, fma, and_or, byte_permute,
 * pack of the floats' bits a and b, half_from_float(a). */
cudaError_t run_pairs(uint32_t *out, const uint32_t *a, const uint32_t *b, const uint32_t *c,
                      uint32_t n, cudaStream_t stream);

/* Blocks of 64 threads: block i writes the sum of its 1024 words of `in` to out[i], read through a
 * ring of asynchronous copies, and the last block to finish the sum of all to out[blocks];
 * `valid` words count, the others are zeros. ticket is zero before and after. */
cudaError_t run_sums(uint32_t *out, const uint32_t *in, uint32_t blocks, uint32_t valid,
                     uint32_t *ticket, cudaStream_t stream);

/* Each element of `values` (n of them) becomes 3 v + 1, in a launch that is dependent; `early`: it
 * reads before it waits. */
cudaError_t run_step(uint32_t *values, uint32_t n, int early, cudaStream_t stream);

enum fault {
    FAULT_NONE,
    FAULT_WARP_PART,    /* lane 3 does not shuffle */
    FAULT_WARP_MIXED,   /* odd lanes shuffle while even ones vote */
    FAULT_BLOCK_RETURN, /* thread 40 returns before block_sync */
    FAULT_BLOCK_STUCK,  /* warp 1 is in block_sync, warp 0's first lane in warp_sync */
    FAULT_MISALIGNED,   /* a 16-byte load from an address that is 8 more */
    FAULT_NO_WAIT,      /* copies and reads before copy_wait: writes what it saw */
    FAULT_UNWRITTEN,    /* reads shared memory that nobody wrote: writes what it saw */
    FAULT_NO_GRID_WAIT, /* dependent, and never waits */
    FAULT_NOT_SHARED    /* copies asynchronously to global memory */
};
/* Two warps. */
cudaError_t run_fault(enum fault fault, uint32_t *out, const void *in, cudaStream_t stream);
/* A launch of that shape that does nothing. */
cudaError_t run_shape(uint32_t x, uint32_t y, uint32_t z, uint32_t block, uint32_t shared);

#ifdef __cplusplus
}
#endif

#endif
