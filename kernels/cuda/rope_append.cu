/*
 * rope_append.cu - before attention in prefill: queries are turned in place, keys turned, and keys
 * and values written to their pages. For KV_Q4 all three are also rotated by the Hadamard transform
 * (kv.cuh). A block is one row of a run; its warps share out the heads, and each works out the
 * row's angles once.
 */
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/kv.cuh"
#include "kernels/cuda/launch.cuh"

#define WARPS   8
#define THREADS (32 * WARPS)

template <enum kv_type type, uint32_t dim>
static __device__ __forceinline__ void turn_query(float *q, const kv_angles<dim> &angles)
{
    float x[dim / 32];
    kv_load<dim>(x, q);
    kv_turn<dim>(x, angles);
    if (type == KV_Q4)
        kv_rotate<dim>(x);
#pragma unroll
    for (uint32_t j = 0; j < dim / 32; j++)
        q[lane_index() + 32 * j] = x[j];
}

/* Key and value of one head, to its place in `page` (the head's part of it). */
template <enum kv_type type, uint32_t dim>
static __device__ __forceinline__ void append_head(uint8_t *page, const kv_place &at,
                                                   const float *key, const float *value,
                                                   const kv_angles<dim> &angles)
{
    float x[dim / 32], y[dim / 32];
    kv_load<dim>(x, key);
    kv_load<dim>(y, value);
    kv_turn<dim>(x, angles);
    if (type == KV_Q4) {
        kv_rotate<dim>(x);
        kv_rotate<dim>(y);
    }
    kv_encode<type, dim>(page + at.keys, (uint16_t *)(page + at.key_scales), x);
    kv_encode<type, dim>(page + at.values, (uint16_t *)(page + at.value_scales), y);
}

template <enum kv_type type, uint32_t dim> static __global__ void rope_append(gpu_attend_call call)
{
    grid_wait();
    grid_launch();
    const gpu_run run = call.batch.run[blockIdx.y];
    if (blockIdx.x >= run.count)
        return;
    const uint32_t position = run.position + blockIdx.x;
    const size_t row = run.first + blockIdx.x;
    const kv_angles<dim> angles = kv_angles_of<dim>(call.rope, position);
    const uint32_t page = call.batch.pages[run.table + position / call.kv.page_tokens];
    const kv_place at = kv_place_of<type, dim>(call.kv.page_tokens, position % call.kv.page_tokens);
    uint8_t *to = (uint8_t *)call.data + page * call.kv.page_bytes;
    for (uint32_t head = warp_index(); head < call.heads; head += WARPS)
        turn_query<type, dim>(call.q + (row * call.heads + head) * dim, angles);
    for (uint32_t head = warp_index(); head < call.kv.kv_heads; head += WARPS) {
        size_t from = (row * call.kv.kv_heads + head) * dim;
        append_head<type, dim>(to + head * call.kv.head_bytes, at, call.k + from, call.v + from,
                               angles);
    }
}

template <enum kv_type type, uint32_t dim>
static cudaError_t launch_typed(const struct gpu_attend_call *call, cudaStream_t stream)
{
    return launch(rope_append<type, dim>, dim3(GPU_PREFILL_ROWS, call->batch.runs), dim3(THREADS),
                  0, stream, true, *call);
}

#define LAUNCH(type, dim) launch_typed<type, dim>(call, stream)

extern "C" cudaError_t gpu_rope_append(const struct gpu_attend_call *call, cudaStream_t stream)
{
    if (call->batch.runs == 0)
        return cudaSuccess;
    return KV_DISPATCH(call->kv, LAUNCH);
}
