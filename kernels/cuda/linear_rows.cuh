/*
 * linear_rows.cuh - the inputs of a block: its slice of every token's row, as f16 in shared memory.
 *
 * Rows are 64 bytes longer than a multiple of 128, so that the two tokens whose inputs eight lanes
 * read at once (16 bytes each, four lanes a token) lie in different banks. Normalised rows are read
 * twice from L2 (sum of squares, then values) and scattered by the layer's order, which costs about
 * three bank conflicts a store; the weights keep coming meanwhile.
 */
#ifndef AIRO_KERNELS_CUDA_LINEAR_ROWS_CUH
#define AIRO_KERNELS_CUDA_LINEAR_ROWS_CUH

#include "kernels/cuda/linear.cuh"

#define ROWS_PADDING    64
#define ROWS_SUMS_BYTES (LINEAR_TOKENS * (LINEAR_WARPS + 1) * 4)

/* f16 that no value makes infinite; not a number stays what it is. */
DEVICE uint16_t half_saturated(float value)
{
    value = value > 65504.0f ? 65504.0f : value;
    return half_from_float(value < -65504.0f ? -65504.0f : value);
}

DEVICE float4 load_floats(const float *at)
{
    uint4 bits = load16_coherent(at);
    return {float_from_bits(bits.x), float_from_bits(bits.y), float_from_bits(bits.z),
            float_from_bits(bits.w)};
}

DEVICE const float *row_of_x(const struct linear_arguments &a, uint32_t token)
{
    return a.x + (a.x_rows != NULL ? a.x_rows[token] : token) * a.x_stride;
}

/* Inputs that no value is stored to are zero. Before grid_wait. */
DEVICE void rows_clear(const struct linear_arguments &a, unsigned char *rows)
{
    for (uint32_t i = 16 * threadIdx.x; i < a.n * a.row_bytes; i += 16 * LINEAR_THREADS)
        *(uint4 *)(rows + i) = uint4{0, 0, 0, 0};
}

/* Packed rows: copied as they are. */
DEVICE void rows_copy(const struct linear_arguments &a, unsigned char *rows, uint32_t first,
                      uint32_t inputs)
{
    uint32_t pieces = inputs / 8;
    for (uint32_t i = threadIdx.x; i < a.n * pieces; i += LINEAR_THREADS) {
        uint32_t token = i / pieces, piece = i % pieces;
        copy16_async(rows + token * a.row_bytes + 16 * piece,
                     a.acts + token * a.acts_stride + first + 8 * piece);
    }
    copy_commit();
    copy_wait<0>();
}

/* sums[token][warp], then scales[token]: 1 / rms. The order is the same whatever n. */
DEVICE void rows_scales(const struct linear_arguments &a, float *sums, float *scales)
{
    for (uint32_t token = 0; token < a.n; token++) {
        const float *x = row_of_x(a, token);
        float sum = 0;
        for (uint32_t i = 4 * threadIdx.x; i < a.in; i += 4 * LINEAR_THREADS) {
            float4 v = load_floats(x + i);
            sum = fmaf(v.x, v.x, fmaf(v.y, v.y, fmaf(v.z, v.z, fmaf(v.w, v.w, sum))));
        }
        sum = warp_sum(sum);
        if (lane_index() == 0)
            sums[token * LINEAR_WARPS + warp_index()] = sum;
    }
    block_sync();
    if (threadIdx.x < a.n) {
        float sum = 0;
        for (uint32_t warp = 0; warp < LINEAR_WARPS; warp++)
            sum += sums[threadIdx.x * LINEAR_WARPS + warp];
        scales[threadIdx.x] = 1.0f / sqrtf(sum / (float)a.in + a.eps);
    }
    block_sync();
}

/* One value to its place, if that is in the slice. */
DEVICE void row_store(unsigned char *row, uint32_t place, uint32_t inputs, float value)
{
    if (place < inputs)
        *(uint16_t *)(row + 2 * place) = half_saturated(value);
}

DEVICE void rows_normalise(const struct linear_arguments &a, unsigned char *rows, uint32_t first,
                           uint32_t inputs, const float *scales)
{
    for (uint32_t i = 4 * threadIdx.x; i < a.in; i += 4 * LINEAR_THREADS) {
        int4 place = {(int)i, (int)i + 1, (int)i + 2, (int)i + 3};
        if (a.inverse != NULL)
            place = *(const int4 *)(a.inverse + i);
        float4 norm = *(const float4 *)(a.norm + i);
        for (uint32_t token = 0; token < a.n; token++) {
            float4 v = load_floats(row_of_x(a, token) + i);
            float scale = scales[token];
            unsigned char *row = rows + token * a.row_bytes;
            row_store(row, (uint32_t)place.x - first, inputs, v.x * scale * norm.x);
            row_store(row, (uint32_t)place.y - first, inputs, v.y * scale * norm.y);
            row_store(row, (uint32_t)place.z - first, inputs, v.z * scale * norm.z);
            row_store(row, (uint32_t)place.w - first, inputs, v.w * scale * norm.w);
        }
    }
}

/* After grid_wait, by all threads of the block. */
DEVICE void rows_fill(const struct linear_arguments &a, unsigned char *rows, uint32_t first,
                      uint32_t inputs)
{
    if (a.x != NULL) {
        float *scales = (float *)(rows + a.rows_bytes - ROWS_SUMS_BYTES);
        rows_scales(a, scales + LINEAR_TOKENS, scales);
        rows_normalise(a, rows, first, inputs, scales);
    } else {
        rows_copy(a, rows, first, inputs);
    }
    block_sync();
}

#endif
