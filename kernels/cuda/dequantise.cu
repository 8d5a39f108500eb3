/*
 * dequantise.cu - tiles of a layer (gpu.h) -> a plain f16 matrix, for cuBLAS.
 *
 * A warp takes CHUNKS chunks that follow each other in memory and asks for all of them before it
 * uses the first: with 32 warps on a multiprocessor that is 32 x 2 x 1152 bytes = 72 KiB in flight,
 * more than memory needs. A lane owns 8 inputs of outputs g and g + 8 in each block of 32, which
 * are 16 bytes of a row of the matrix; the four lanes of a row write 64 bytes together.
 *
 * q - zero is a small integer, exact in f16, and f16 times it is rounded once by the
 * multiplication: the result is scale * (q - zero) computed in fp32 and rounded once.
 */
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/tiles.cuh"

#define THREADS 256
#define CHUNKS  2 /* of one warp */

struct dequantise_job {
    uint16_t *matrix;
    const uint8_t *data; /* of the first chunk that is wanted */
    uint32_t chunks;     /* all that are wanted */
    uint32_t row_chunks; /* of a tile: k / 128 */
    uint32_t k, chunk_bytes;
    int32_t zero_add;
};

/* Where chunk `chunk` of the wanted ones goes: its outputs g = 0, first input. */
static __device__ uint16_t *chunk_target(const dequantise_job &job, uint32_t chunk)
{
    uint32_t tile = chunk / job.row_chunks, at = chunk % job.row_chunks;
    return job.matrix + (size_t)tile * GPU_TILE_ROWS * job.k + at * GPU_CHUNK_INPUTS;
}

/* --- four bits -------------------------------------------------------------------------------- */

/* A lane's part of a chunk. */
struct q4_piece {
    uint4 nibbles[2]; /* word m % 4 of piece m / 4 */
    uint4 scales;     /* word b: of block b, output g in the low half, g + 8 in the high one */
    uint32_t zeros;   /* byte b: likewise in nibbles */
};

template <bool has_zeros>
static __device__ q4_piece q4_load(const dequantise_job &job, uint32_t chunk)
{
    const uint32_t lane = lane_index(), g = lane / 4;
    const uint8_t *from = job.data + (size_t)chunk * job.chunk_bytes;
    q4_piece piece;
    piece.nibbles[0] = load16_stream(from + tile_q4_word(lane, 0));
    piece.nibbles[1] = load16_stream(from + tile_q4_word(lane, 4));
    piece.scales = *(const uint4 *)(from + tile_q4_scale(g, 0, 0));
    piece.zeros = has_zeros ? *(const uint32_t *)(from + tile_q4_zero(g, 0)) : 0;
    return piece;
}

/* The eight weights of one output in a block; `shift` is 0 for output g, 4 for g + 8. */
static __device__ uint4 q4_weights(uint32_t first, uint32_t second, uint32_t shift, uint32_t zero,
                                   uint32_t scale)
{
    const uint32_t mask = 0x000F000F, thousand = 0x64006400; /* 0x6400 | n is 1024 + n */
    uint32_t zeros = thousand + zero * 0x00010001u;
    first >>= shift;
    second >>= shift;
    uint4 out;
    out.x = half2_mul(half2_sub(and_or(first, mask, thousand), zeros), scale);
    out.y = half2_mul(half2_sub(and_or(first >> 8, mask, thousand), zeros), scale);
    out.z = half2_mul(half2_sub(and_or(second, mask, thousand), zeros), scale);
    out.w = half2_mul(half2_sub(and_or(second >> 8, mask, thousand), zeros), scale);
    return out;
}

/* A block of 32: 16 bytes of output g at `to`, of output g + 8 eight rows further. */
static __device__ void q4_block(const dequantise_job &job, uint16_t *to, uint32_t first,
                                uint32_t second, uint32_t zeros, uint32_t scales)
{
    uint32_t zero_low = (zeros & 15) + (uint32_t)job.zero_add;
    uint32_t zero_high = (zeros >> 4) + (uint32_t)job.zero_add;
    *(uint4 *)to = q4_weights(first, second, 0, zero_low, byte_permute(scales, scales, 0x1010));
    *(uint4 *)(to + (size_t)8 * job.k) =
        q4_weights(first, second, 4, zero_high, byte_permute(scales, scales, 0x3232));
}

template <bool has_zeros> static __global__ void dequantise_q4(dequantise_job job)
{
    const uint32_t lane = lane_index();
    uint32_t chunk = (blockIdx.x * (THREADS / 32) + warp_index()) * CHUNKS;
    q4_piece pieces[CHUNKS];
#pragma unroll
    for (uint32_t i = 0; i < CHUNKS; i++)
        if (chunk + i < job.chunks)
            pieces[i] = q4_load<has_zeros>(job, chunk + i);
#pragma unroll
    for (uint32_t i = 0; i < CHUNKS; i++)
        if (chunk + i < job.chunks) {
            const q4_piece &piece = pieces[i];
            uint16_t *to = chunk_target(job, chunk + i) + (size_t)(lane / 4) * job.k + lane % 4 * 8;
            const uint4 *n = piece.nibbles, &scales = piece.scales;
            q4_block(job, to, n[0].x, n[0].y, piece.zeros & 255, scales.x);
            q4_block(job, to + 32, n[0].z, n[0].w, piece.zeros >> 8 & 255, scales.y);
            q4_block(job, to + 64, n[1].x, n[1].y, piece.zeros >> 16 & 255, scales.z);
            q4_block(job, to + 96, n[1].z, n[1].w, piece.zeros >> 24, scales.w);
        }
}

/* --- halves ----------------------------------------------------------------------------------- */

/* A chunk is 4096 bytes, more than a warp's two chunks of four bits: one at a time. */
static __global__ void dequantise_f16(dequantise_job job)
{
    const uint32_t lane = lane_index();
    uint32_t chunk = blockIdx.x * (THREADS / 32) + warp_index();
    if (chunk >= job.chunks)
        return;
    const uint8_t *from = job.data + (size_t)chunk * job.chunk_bytes;
    uint4 pieces[TILE_MMAS];
#pragma unroll
    for (uint32_t m = 0; m < TILE_MMAS; m++)
        pieces[m] = load16_stream(from + tile_f16(lane, m, 0, 0));
    uint16_t *to = chunk_target(job, chunk) + (size_t)(lane / 4) * job.k + lane % 4 * 8;
#pragma unroll
    for (uint32_t block = 0; block < TILE_BLOCKS; block++, to += 32) {
        const uint4 a = pieces[2 * block], b = pieces[2 * block + 1];
        *(uint4 *)to = make_uint4(a.x, a.z, b.x, b.z);
        *(uint4 *)(to + (size_t)8 * job.k) = make_uint4(a.y, a.w, b.y, b.w);
    }
}

/* Not launched `dependent`: what it overwrites may still be read, and weights do not change. */
extern "C" cudaError_t gpu_dequantise(uint16_t *matrix, const struct gpu_linear *linear,
                                      uint32_t first, uint32_t end, cudaStream_t stream)
{
    if (first >= end)
        return cudaSuccess;
    if (end > linear->tiles)
        return cudaErrorInvalidValue;
    uint32_t row_chunks = linear->k / GPU_CHUNK_INPUTS;
    struct dequantise_job job = {matrix,
                                 (const uint8_t *)linear->data +
                                     (size_t)first * row_chunks * linear->chunk_bytes,
                                 (end - first) * row_chunks,
                                 row_chunks,
                                 linear->k,
                                 linear->chunk_bytes,
                                 linear->zero_add};
    uint32_t of_block = THREADS / 32 * (linear->form == GPU_Q4 ? CHUNKS : 1);
    dim3 grid((job.chunks + of_block - 1) / of_block), block(THREADS);
    if (linear->form == GPU_F16)
        return launch(dequantise_f16, grid, block, 0, stream, false, job);
    if (linear->has_zeros)
        return launch(dequantise_q4<true>, grid, block, 0, stream, false, job);
    return launch(dequantise_q4<false>, grid, block, 0, stream, false, job);
}
