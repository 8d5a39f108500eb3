/*
 * repack.cu - weights as they lie in a file -> tiles. One warp makes one chunk; the outputs of
 * eight lanes stand side by side in the file, so that every sector that is read is used, and what
 * act-order scatters over rows is caught by L2. Runs once a layer, at loading.
 */
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/tiles.cuh"

#define REPACK_WARPS 4 /* in a block */

struct repack_q4_arguments {
    unsigned char *data;
    struct gpu_repack source;
    uint32_t out, chunks, chunk_bytes, has_zeros;
};

DEVICE void store_word(unsigned char *at, uint32_t word)
{
    *(uint32_t *)at = word;
}

DEVICE uint32_t weight_of(const struct repack_q4_arguments &a, int32_t input, uint32_t output)
{
    if (input < 0 || output >= a.out)
        return 0;
    uint32_t row = (uint32_t)input / 8, shift = (uint32_t)input % 8 * 4;
    return a.source.qweight[(size_t)row * a.out + output] >> shift & 15;
}

DEVICE uint32_t word_of(const struct repack_q4_arguments &a, uint32_t output, uint32_t packed)
{
    uint32_t word = 0;
    for (uint32_t i = 0; i < 4; i++) {
        int32_t input = a.source.order[packed + i];
        for (uint32_t half = 0; half < 2; half++)
            word |= weight_of(a, input, output + 8 * half) << tile_q4_shift(half, i);
    }
    return word;
}

DEVICE uint32_t scale_of(const struct repack_q4_arguments &a, uint32_t block, uint32_t output)
{
    bool padding = a.source.order[block * 32] < 0 || output >= a.out;
    return padding ? 0 : a.source.scales[(size_t)a.source.group[block] * a.out + output];
}

DEVICE uint32_t zero_of(const struct repack_q4_arguments &a, uint32_t block, uint32_t output)
{
    if (a.source.order[block * 32] < 0 || output >= a.out)
        return 0;
    size_t word = (size_t)a.source.group[block] * (a.out / 8) + output / 8;
    return a.source.qzeros[word] >> output % 8 * 4 & 15;
}

/* Lane g * 4 + b does the scales and zeros of block b of outputs g and g + 8. */
DEVICE void pack_chunk(const struct repack_q4_arguments &a, unsigned char *chunk, uint32_t tile,
                       uint32_t number)
{
    uint32_t lane = lane_index(), g = lane / 4, output = tile * GPU_TILE_ROWS + g;
    for (uint32_t m = 0; m < TILE_MMAS; m++) {
        uint32_t packed = number * GPU_CHUNK_INPUTS + tile_input(lane, m);
        store_word(chunk + tile_q4_word(lane, m), word_of(a, output, packed));
    }
    uint32_t b = lane % 4, block = number * TILE_BLOCKS + b;
    uint32_t scales = scale_of(a, block, output) | scale_of(a, block, output + 8) << 16;
    store_word(chunk + tile_q4_scale(g, b, 0), scales);
    if (a.has_zeros)
        chunk[tile_q4_zero(g, b)] =
            (unsigned char)(zero_of(a, block, output) | zero_of(a, block, output + 8) << 4);
}

__global__ void repack_q4(struct repack_q4_arguments a)
{
    uint32_t number = blockIdx.x * REPACK_WARPS + warp_index(), tile = blockIdx.y;
    if (number >= a.chunks)
        return;
    pack_chunk(a, a.data + ((size_t)tile * a.chunks + number) * a.chunk_bytes, tile, number);
}

struct repack_f16_arguments {
    unsigned char *data;
    const void *weight;
    enum backend_dtype dtype;
    uint32_t in, out, chunks;
};

/* A weight that is too large for f16 becomes the largest. */
DEVICE uint16_t half_clamped(float value)
{
    value = value > 65504.0f ? 65504.0f : value;
    return half_from_float(value < -65504.0f ? -65504.0f : value);
}

DEVICE uint32_t dense_weight(const struct repack_f16_arguments &a, uint32_t output, uint32_t input)
{
    if (output >= a.out || input >= a.in)
        return 0;
    size_t at = (size_t)output * a.in + input;
    if (a.dtype == BACKEND_F16)
        return ((const uint16_t *)a.weight)[at];
    if (a.dtype == BACKEND_BF16)
        return half_clamped(bfloat_to_float(((const uint16_t *)a.weight)[at]));
    return half_clamped(((const float *)a.weight)[at]);
}

__global__ void repack_f16(struct repack_f16_arguments a)
{
    uint32_t number = blockIdx.x * REPACK_WARPS + warp_index(), tile = blockIdx.y;
    if (number >= a.chunks)
        return;
    uint32_t lane = lane_index(), output = tile * GPU_TILE_ROWS + lane / 4;
    unsigned char *chunk = a.data + ((size_t)tile * a.chunks + number) * TILE_F16_BYTES;
    for (uint32_t m = 0; m < TILE_MMAS; m++)
        for (uint32_t half = 0; half < 2; half++)
            for (uint32_t i = 0; i < 4; i += 2) {
                uint32_t input = number * GPU_CHUNK_INPUTS + tile_input(lane, m) + i;
                uint32_t low = dense_weight(a, output + 8 * half, input);
                uint32_t high = dense_weight(a, output + 8 * half, input + 1);
                store_word(chunk + tile_f16(lane, m, half, i), low | high << 16);
            }
}

/* --- launches --------------------------------------------------------------------------------- */

static dim3 repack_grid(const struct gpu_linear *linear)
{
    return dim3((linear->k / GPU_CHUNK_INPUTS + REPACK_WARPS - 1) / REPACK_WARPS, linear->tiles);
}

/* The grid's second dimension ends at 65535. */
static bool repack_possible(const struct gpu_linear *linear)
{
    return linear->k > 0 && linear->k % GPU_CHUNK_INPUTS == 0 && linear->tiles > 0 &&
           linear->tiles <= 65535;
}

cudaError_t gpu_repack_q4(const struct gpu_linear *linear, const struct gpu_repack *source,
                          cudaStream_t stream)
{
    uint32_t bytes = linear->has_zeros ? TILE_Q4Z_BYTES : TILE_Q4_BYTES;
    if (!repack_possible(linear) || linear->chunk_bytes != bytes)
        return cudaErrorInvalidValue;
    struct repack_q4_arguments a = {};
    a.data = (unsigned char *)linear->data;
    a.source = *source;
    a.out = linear->out;
    a.chunks = linear->k / GPU_CHUNK_INPUTS;
    a.chunk_bytes = bytes;
    a.has_zeros = linear->has_zeros;
    return launch(repack_q4, repack_grid(linear), dim3(32 * REPACK_WARPS), 0, stream, false, a);
}

cudaError_t gpu_repack_f16(const struct gpu_linear *linear, const void *weight,
                           enum backend_dtype dtype, cudaStream_t stream)
{
    if (!repack_possible(linear) || linear->chunk_bytes != TILE_F16_BYTES)
        return cudaErrorInvalidValue;
    struct repack_f16_arguments a = {};
    a.data = (unsigned char *)linear->data;
    a.weight = weight;
    a.dtype = dtype;
    a.in = linear->in;
    a.out = linear->out;
    a.chunks = linear->k / GPU_CHUNK_INPUTS;
    return launch(repack_f16, repack_grid(linear), dim3(32 * REPACK_WARPS), 0, stream, false, a);
}
