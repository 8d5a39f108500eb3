#include "device_kernels.h"

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/launch.cuh"

/* --- matrices ----------------------------------------------------------------------------------*/

static __device__ uint32_t pair_at(const uint16_t *m, uint32_t first, uint32_t second)
{
    return (uint32_t)m[first] | (uint32_t)m[second] << 16;
}

__global__ void mma_kernel(float *c, const uint16_t *a, const uint16_t *b)
{
    uint32_t g = lane_index() / 4, t = lane_index() % 4, fa[4], fb[2];
    for (uint32_t i = 0; i < 4; i++) {
        uint32_t row = g + i % 2 * 8, col = 2 * t + i / 2 * 8;
        fa[i] = pair_at(a, row * 16 + col, row * 16 + col + 1);
    }
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t row = 2 * t + i * 8;
        fb[i] = pair_at(b, row * 8 + g, (row + 1) * 8 + g);
    }
    float *at = c + g * 8 + 2 * t, fc[4] = {at[0], at[1], at[64], at[65]};
    mma_16816(fc, fa, fb);
    at[0] = fc[0], at[1] = fc[1], at[64] = fc[2], at[65] = fc[3];
}

__global__ void ldmatrix_kernel(float *c, const uint16_t *a, const uint16_t *b)
{
    SHARED_BYTES(shared);
    uint16_t *sa = (uint16_t *)shared, *sb = sa + 256;
    for (uint32_t i = lane_index(); i < 256; i += 32)
        sa[i] = a[i];
    for (uint32_t i = lane_index(); i < 128; i += 32)
        sb[i] = b[i];
    warp_sync();
    uint32_t l = lane_index(), fa[4], fb[4];
    /* Matrices of A: rows 0-7 then 8-15 of columns 0-7, then of columns 8-15; of B: rows 0-7, 8-15,
     * and both again, which nobody uses. */
    ldmatrix_x4(fa, sa + l % 16 * 16 + l / 16 * 8);
    ldmatrix_x4_trans(fb, sb + l % 16 * 8);
    float *at = c + l / 4 * 8 + 2 * (l % 4), fc[4] = {at[0], at[1], at[64], at[65]};
    mma_16816(fc, fa, fb);
    at[0] = fc[0], at[1] = fc[1], at[64] = fc[2], at[65] = fc[3];
}

cudaError_t run_mma(float *c, const uint16_t *a, const uint16_t *b, cudaStream_t stream)
{
    return launch(mma_kernel, dim3(1), dim3(32), 0, stream, false, c, a, b);
}

cudaError_t run_mma_ldmatrix(float *c, const uint16_t *a, const uint16_t *b, cudaStream_t stream)
{
    return launch(ldmatrix_kernel, dim3(1), dim3(32), 768, stream, false, c, a, b);
}

/* --- lanes and numbers -------------------------------------------------------------------------*/

__global__ void lanes_kernel(uint32_t *out, const uint32_t *in)
{
    uint32_t l = lane_index(), v = in[l];
    out[l] = warp_shuffle(v, (3 * l + 1) % 32);
    out[32 + l] = warp_shuffle_xor(v, 5);
    out[64 + l] = warp_shuffle_down(v, 7);
    out[96 + l] = float_bits(warp_sum((float)v));
    out[128 + l] = float_bits(warp_max((float)v));
    out[160 + l] = warp_ballot(v % 2 == 1);
}

__global__ void pairs_kernel(uint32_t *out, const uint32_t *a, const uint32_t *b, const uint32_t *c,
                             uint32_t n)
{
    uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    if (i >= n)
        return;
    uint32_t x = a[i], y = b[i], z = c[i];
    float fx = float_from_bits(x), fy = float_from_bits(y);
    uint32_t results[8] = {half2_add(x, y),    half2_sub(x, y),
                           half2_mul(x, y),    half2_fma(x, y, z),
                           and_or(x, y, z),    byte_permute(x, y, 0x2715),
                           half2_pack(fx, fy), (uint32_t)half_from_float(fx)};
    for (uint32_t k = 0; k < 8; k++)
        out[8 * i + k] = results[k];
}

cudaError_t run_lanes(uint32_t *out, const uint32_t *in, cudaStream_t stream)
{
    return launch(lanes_kernel, dim3(1), dim3(32), 0, stream, false, out, in);
}

cudaError_t run_pairs(uint32_t *out, const uint32_t *a, const uint32_t *b, const uint32_t *c,
                      uint32_t n, cudaStream_t stream)
{
    return launch(pairs_kernel, dim3((n + 63) / 64), dim3(64), 0, stream, false, out, a, b, c, n);
}

/* --- copies and tickets ------------------------------------------------------------------------*/

#define RING 3 /* pieces of 1 KiB: 64 threads, 16 bytes each */

static __device__ void sums_fetch(unsigned char *ring, const uint32_t *in, uint32_t piece,
                                  uint32_t valid)
{
    if (piece < 4) {
        uint32_t word = (blockIdx.x * 4 + piece) * 256 + threadIdx.x * 4;
        copy16_async_if(ring + piece % RING * 1024 + threadIdx.x * 16, in + word, word < valid);
    }
    copy_commit();
}

__global__ void sums_kernel(uint32_t *out, const uint32_t *in, uint32_t valid, uint32_t *ticket)
{
    SHARED_BYTES(ring);
    __shared__ uint32_t last;
    uint32_t *parts = (uint32_t *)(ring + RING * 1024);
    uint32_t sum = 0;
    for (uint32_t piece = 0; piece < RING - 1; piece++)
        sums_fetch(ring, in, piece, valid);
    for (uint32_t piece = 0; piece < 4; piece++) {
        copy_wait<RING - 2>();
        block_sync();
        const uint32_t *words = (const uint32_t *)(ring + piece % RING * 1024);
        for (uint32_t i = 0; i < 4; i++) /* those of another thread's copy */
            sum += words[(63 - threadIdx.x) * 4 + i];
        sums_fetch(ring, in, piece + RING - 1, valid);
    }
    parts[threadIdx.x] = sum;
    block_sync();
    if (threadIdx.x == 0) {
        for (uint32_t i = 1; i < 64; i++)
            sum += parts[i];
        out[blockIdx.x] = sum;
        fence();
        last = atomic_add(ticket, 1) == gridDim.x - 1;
    }
    block_sync();
    if (!last || threadIdx.x != 0)
        return;
    fence();
    uint32_t total = 0;
    for (uint32_t i = 0; i < gridDim.x; i++)
        total += *(volatile uint32_t *)(out + i);
    out[gridDim.x] = total;
    *ticket = 0;
}

cudaError_t run_sums(uint32_t *out, const uint32_t *in, uint32_t blocks, uint32_t valid,
                     uint32_t *ticket, cudaStream_t stream)
{
    return launch(sums_kernel, dim3(blocks), dim3(64), RING * 1024 + 256, stream, false, out, in,
                  valid, ticket);
}

/* --- dependent launches ------------------------------------------------------------------------*/

__global__ void step_kernel(uint32_t *values, uint32_t n, int early)
{
    uint32_t i = blockIdx.x * blockDim.x + threadIdx.x, value = 0;
    grid_launch();
    if (early && i < n)
        value = values[i];
    grid_wait();
    if (i >= n)
        return;
    if (!early)
        value = values[i];
    values[i] = 3 * value + 1;
}

cudaError_t run_step(uint32_t *values, uint32_t n, int early, cudaStream_t stream)
{
    return launch(step_kernel, dim3((n + 31) / 32), dim3(32), 0, stream, true, values, n, early);
}

/* --- faults ------------------------------------------------------------------------------------*/

static __device__ uint32_t do_fault(enum fault fault, unsigned char *shared, const void *in)
{
    uint32_t lane = lane_index(), thread = threadIdx.x;
    switch (fault) {
    case FAULT_WARP_PART:
        return lane == 3 ? 0 : warp_shuffle(thread, 0);
    case FAULT_WARP_MIXED:
        return lane % 2 ? warp_shuffle(thread, 0) : warp_ballot(true);
    case FAULT_BLOCK_RETURN:
        if (thread != 40)
            block_sync();
        return 0;
    case FAULT_BLOCK_STUCK:
        if (thread == 0)
            warp_sync();
        else
            block_sync();
        return 0;
    case FAULT_MISALIGNED:
        return load16_stream((const char *)in + (thread == 5 ? 8 : 0)).x;
    case FAULT_NO_WAIT:
        copy16_async(shared + thread * 16, in);
        copy_commit();
        copy_wait<1>();
        return ((uint32_t *)shared)[thread * 4];
    case FAULT_UNWRITTEN:
        return ((uint32_t *)shared)[thread * 4];
    case FAULT_NOT_SHARED:
        copy16_async((void *)(uintptr_t)in, in);
        return 0;
    default:
        return 7;
    }
}

__global__ void fault_kernel(enum fault fault, uint32_t *out, const void *in)
{
    SHARED_BYTES(shared);
    out[threadIdx.x] = do_fault(fault, shared, in);
}

__global__ void empty_kernel()
{
}

cudaError_t run_fault(enum fault fault, uint32_t *out, const void *in, cudaStream_t stream)
{
    return launch(fault_kernel, dim3(1), dim3(64), 1024, stream, fault == FAULT_NO_GRID_WAIT, fault,
                  out, in);
}

cudaError_t run_shape(uint32_t x, uint32_t y, uint32_t z, uint32_t block, uint32_t shared)
{
    return launch(empty_kernel, dim3(x, y, z), dim3(block), shared, 0, false);
}
