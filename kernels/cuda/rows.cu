/*
 * rows.cu - what is done to rows of activations between the matrix products of prefill: embedding,
 * RMSNorm with packing, SiLU times up, bias. All are bound by memory, so each is one block a row
 * that reads and writes 16 bytes a thread at a time; a permutation goes through shared memory, so
 * that global memory sees whole lines.
 */
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/launch.cuh"

#define ROW_THREADS 256
#define ROW_WARPS   (ROW_THREADS / 32)
#define ROW_PARTS   (ROW_WARPS * sizeof(float)) /* bytes of shared memory */
#define HALF_MAX    65504.0f

/* --- embedding -------------------------------------------------------------------------------- */

template <int dtype> static __device__ float table_value(const void *table, size_t at)
{
    if (dtype == BACKEND_F32)
        return ((const float *)table)[at];
    uint16_t half = ((const uint16_t *)table)[at];
    if (dtype == BACKEND_F16)
        return half_to_float(half);
    return float_from_bits((uint32_t)half << 16);
}

/* Two values of 16 bits from one word of the table. */
template <int dtype> static __device__ float2 table_pair(uint32_t word)
{
    if (dtype == BACKEND_F16)
        return make_float2(half2_low(word), half2_high(word));
    return make_float2(float_from_bits(word << 16), float_from_bits(word & 0xFFFF0000u));
}

/* `wide`: rows begin at multiples of 16 bytes and have a multiple of 8 values. */
template <int dtype>
static __global__ void embed_rows(float *x, size_t x_stride, const int32_t *tokens,
                                  const void *table, uint32_t hidden, bool wide)
{
    grid_wait();
    grid_launch();
    float *out = x + blockIdx.x * x_stride;
    size_t row = (size_t)tokens[blockIdx.x] * hidden;
    if (!wide) {
        for (uint32_t i = threadIdx.x; i < hidden; i += ROW_THREADS)
            out[i] = table_value<dtype>(table, row + i);
        return;
    }
    if constexpr (dtype == BACKEND_F32) {
        for (uint32_t i = 4 * threadIdx.x; i < hidden; i += 4 * ROW_THREADS)
            *(float4 *)(out + i) = *(const float4 *)((const float *)table + row + i);
    } else {
        for (uint32_t i = 8 * threadIdx.x; i < hidden; i += 8 * ROW_THREADS) {
            uint4 words = load16_stream((const uint16_t *)table + row + i);
            float2 a = table_pair<dtype>(words.x), b = table_pair<dtype>(words.y);
            float2 c = table_pair<dtype>(words.z), d = table_pair<dtype>(words.w);
            *(float4 *)(out + i) = make_float4(a.x, a.y, b.x, b.y);
            *(float4 *)(out + i + 4) = make_float4(c.x, c.y, d.x, d.y);
        }
    }
}

extern "C" cudaError_t gpu_embed(float *x, size_t x_stride, const int32_t *tokens, uint32_t n,
                                 const void *table, enum backend_dtype dtype, uint32_t hidden,
                                 cudaStream_t stream)
{
    bool wide = hidden % 8 == 0 && x_stride % 4 == 0 && (uintptr_t)table % 16 == 0;
    if (n == 0)
        return cudaSuccess;
    if (dtype == BACKEND_F32)
        return launch(embed_rows<BACKEND_F32>, dim3(n), dim3(ROW_THREADS), 0, stream, true, x,
                      x_stride, tokens, table, hidden, wide);
    if (dtype == BACKEND_F16)
        return launch(embed_rows<BACKEND_F16>, dim3(n), dim3(ROW_THREADS), 0, stream, true, x,
                      x_stride, tokens, table, hidden, wide);
    return launch(embed_rows<BACKEND_BF16>, dim3(n), dim3(ROW_THREADS), 0, stream, true, x,
                  x_stride, tokens, table, hidden, wide);
}

/* --- RMSNorm ---------------------------------------------------------------------------------- */

/* The sum over the block, to every thread; `parts` is shared memory for ROW_WARPS floats. Always
 * added in the same order. */
static __device__ float block_sum(float value, float *parts)
{
    value = warp_sum(value);
    if (threadIdx.x % 32 == 0)
        parts[threadIdx.x / 32] = value;
    block_sync();
    float sum = 0;
#pragma unroll
    for (uint32_t i = 0; i < ROW_WARPS; i++)
        sum += parts[i];
    return sum;
}

static __device__ float square_sum(const float *x, uint32_t in, bool wide)
{
    float sum = 0;
    if (!wide)
        for (uint32_t i = threadIdx.x; i < in; i += ROW_THREADS)
            sum += x[i] * x[i];
    else
        for (uint32_t i = 4 * threadIdx.x; i < in; i += 4 * ROW_THREADS) {
            float4 v = *(const float4 *)(x + i);
            sum += (v.x * v.x + v.y * v.y) + (v.z * v.z + v.w * v.w);
        }
    return sum;
}

/* halves[i] = x[i] * factor * norm[i], in the order of the file. */
static __device__ void scale_row(uint16_t *halves, const float *x, const float *norm, float factor,
                                 uint32_t in, bool wide)
{
    if (!wide)
        for (uint32_t i = threadIdx.x; i < in; i += ROW_THREADS)
            halves[i] = half_from_float(x[i] * factor * norm[i]);
    else
        for (uint32_t i = 4 * threadIdx.x; i < in; i += 4 * ROW_THREADS) {
            float4 v = *(const float4 *)(x + i), w = *(const float4 *)(norm + i);
            *(uint2 *)(halves + i) = make_uint2(half2_pack(v.x * factor * w.x, v.y * factor * w.y),
                                                half2_pack(v.z * factor * w.z, v.w * factor * w.w));
        }
}

static __device__ uint32_t packed_pair(const uint16_t *halves, int32_t low, int32_t high)
{
    uint32_t a = low >= 0 ? halves[low] : 0, b = high >= 0 ? halves[high] : 0;
    return a | b << 16;
}

/* Eight packed values from `at` on. */
static __device__ uint4 packed_eight(const uint16_t *halves, const int32_t *order, uint32_t at,
                                     uint32_t in)
{
    int4 a, b;
    if (order != NULL) {
        a = *(const int4 *)(order + at);
        b = *(const int4 *)(order + at + 4);
    } else if (at + 8 <= in) {
        return *(const uint4 *)(halves + at);
    } else {
        int32_t i = (int32_t)at, end = (int32_t)in;
        a = make_int4(i < end ? i : -1, i + 1 < end ? i + 1 : -1, i + 2 < end ? i + 2 : -1,
                      i + 3 < end ? i + 3 : -1);
        b = make_int4(i + 4 < end ? i + 4 : -1, i + 5 < end ? i + 5 : -1, i + 6 < end ? i + 6 : -1,
                      i + 7 < end ? i + 7 : -1);
    }
    return make_uint4(packed_pair(halves, a.x, a.y), packed_pair(halves, a.z, a.w),
                      packed_pair(halves, b.x, b.y), packed_pair(halves, b.z, b.w));
}

struct norm_job {
    uint16_t *acts;
    const int32_t *order;
    const float *x;
    size_t x_stride;
    const uint32_t *x_rows;
    const float *norm;
    float eps;
    uint32_t k, in;
    bool wide; /* rows of x begin at multiples of 16 bytes and have a multiple of 4 values */
};

static __global__ void norm_rows(norm_job job)
{
    SHARED_BYTES(bytes);
    float *parts = (float *)bytes;
    uint16_t *halves = (uint16_t *)(bytes + ROW_PARTS);
    grid_wait();
    grid_launch();
    uint32_t row = job.x_rows != NULL ? job.x_rows[blockIdx.x] : blockIdx.x;
    const float *x = job.x + row * job.x_stride;
    float sum = block_sum(square_sum(x, job.in, job.wide), parts);
    float factor = 1.0f / sqrtf(sum / (float)job.in + job.eps);
    scale_row(halves, x, job.norm, factor, job.in, job.wide);
    block_sync();
    uint16_t *out = job.acts + (size_t)blockIdx.x * job.k;
    for (uint32_t i = 8 * threadIdx.x; i < job.k; i += 8 * ROW_THREADS)
        *(uint4 *)(out + i) = packed_eight(halves, job.order, i, job.in);
}

extern "C" cudaError_t gpu_norm_rows(uint16_t *acts, uint32_t k, const int32_t *order,
                                     const float *x, size_t x_stride, const uint32_t *x_rows,
                                     const float *norm, float eps, uint32_t in, uint32_t n,
                                     cudaStream_t stream)
{
    if (n == 0)
        return cudaSuccess;
    if (k % 8 != 0)
        return cudaErrorInvalidValue;
    struct norm_job job = {acts, order, x, x_stride, x_rows, norm, eps, k, in, false};
    job.wide =
        in % 4 == 0 && x_stride % 4 == 0 && (uintptr_t)x % 16 == 0 && (uintptr_t)norm % 16 == 0;
    size_t shared = ROW_PARTS + ((size_t)in * sizeof *acts + 15) / 16 * 16;
    return launch(norm_rows, dim3(n), dim3(ROW_THREADS), shared, stream, true, job);
}

/* --- SiLU times up ---------------------------------------------------------------------------- */

struct silu_job {
    uint16_t *h;
    size_t h_stride;
    const int32_t *h_index;
    const float *gate, *up;
    size_t stride;
    const float *gate_bias, *up_bias;
    uint32_t ffn;
    bool wide;
};

/* A product beyond the largest half is kept there; NaN stays NaN. */
static __device__ uint16_t silu_mul(float gate, float up)
{
    float value = gate / (1.0f + expf(-gate)) * up;
    value = value > HALF_MAX ? HALF_MAX : value < -HALF_MAX ? -HALF_MAX : value;
    return half_from_float(value);
}

static __device__ void silu_one(const silu_job &job, const float *gate, const float *up,
                                uint16_t *halves, uint32_t i)
{
    float g = gate[i] + (job.gate_bias != NULL ? job.gate_bias[i] : 0.0f);
    float u = up[i] + (job.up_bias != NULL ? job.up_bias[i] : 0.0f);
    halves[job.h_index != NULL ? (uint32_t)job.h_index[i] : i] = silu_mul(g, u);
}

/* Four at a time; `wide` says that nothing but the index is added to them. */
static __device__ void silu_four(const silu_job &job, const float *gate, const float *up,
                                 uint16_t *halves, uint32_t i)
{
    float4 g = *(const float4 *)(gate + i), u = *(const float4 *)(up + i);
    int4 to = make_int4((int)i, (int)i + 1, (int)i + 2, (int)i + 3);
    if (job.h_index != NULL)
        to = *(const int4 *)(job.h_index + i);
    halves[to.x] = silu_mul(g.x, u.x);
    halves[to.y] = silu_mul(g.y, u.y);
    halves[to.z] = silu_mul(g.z, u.z);
    halves[to.w] = silu_mul(g.w, u.w);
}

static __global__ void silu_rows(silu_job job)
{
    SHARED_BYTES(bytes);
    uint16_t *halves = (uint16_t *)bytes;
    const uint32_t stride = (uint32_t)job.h_stride;
    for (uint32_t i = 8 * threadIdx.x; i < stride; i += 8 * ROW_THREADS)
        *(uint4 *)(halves + i) = make_uint4(0, 0, 0, 0);
    grid_wait();
    grid_launch();
    block_sync();
    const float *gate = job.gate + blockIdx.x * job.stride, *up = job.up + blockIdx.x * job.stride;
    if (job.wide)
        for (uint32_t i = 4 * threadIdx.x; i < job.ffn; i += 4 * ROW_THREADS)
            silu_four(job, gate, up, halves, i);
    else
        for (uint32_t i = threadIdx.x; i < job.ffn; i += ROW_THREADS)
            silu_one(job, gate, up, halves, i);
    block_sync();
    uint16_t *out = job.h + blockIdx.x * job.h_stride;
    for (uint32_t i = 8 * threadIdx.x; i < stride; i += 8 * ROW_THREADS)
        *(uint4 *)(out + i) = *(const uint4 *)(halves + i);
}

extern "C" cudaError_t gpu_silu_mul(uint16_t *h, size_t h_stride, const int32_t *h_index,
                                    const float *gate, const float *up, size_t stride,
                                    const float *gate_bias, const float *up_bias, uint32_t ffn,
                                    uint32_t n, cudaStream_t stream)
{
    if (n == 0)
        return cudaSuccess;
    if (h_stride % 8 != 0 || h_stride < ffn)
        return cudaErrorInvalidValue;
    struct silu_job job = {h, h_stride, h_index, gate, up, stride, gate_bias, up_bias, ffn, false};
    job.wide = ffn % 4 == 0 && stride % 4 == 0 && gate_bias == NULL && up_bias == NULL &&
               ((uintptr_t)gate | (uintptr_t)up | (uintptr_t)h_index) % 16 == 0;
    return launch(silu_rows, dim3(n), dim3(ROW_THREADS), h_stride * sizeof *h, stream, true, job);
}

/* --- bias ------------------------------------------------------------------------------------- */

static __global__ void bias_rows(float *y, size_t stride, const float *bias, uint32_t out)
{
    grid_wait();
    grid_launch();
    float *row = y + blockIdx.x * stride;
    for (uint32_t i = threadIdx.x; i < out; i += ROW_THREADS)
        row[i] += bias[i];
}

extern "C" cudaError_t gpu_add_bias(float *y, size_t stride, const float *bias, uint32_t out,
                                    uint32_t n, cudaStream_t stream)
{
    if (n == 0)
        return cudaSuccess;
    return launch(bias_rows, dim3(n), dim3(ROW_THREADS), 0, stream, true, y, stride, bias, out);
}
