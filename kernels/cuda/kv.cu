/*
 * kv.cu - pages outside of decode: rope and append of many rows, and the copy of a page.
 *
 * Keeping a page elsewhere needs no kernel: a layer's page is page_bytes contiguous bytes.
 */
#include "kernels/cuda/kv.cuh"

#include "kernels/cuda/launch.cuh"

#define WARPS       8
#define SLICE_HEADS 16 /* heads, of q and then of k and v, that one warp does for its row */

/* --- rope and append -------------------------------------------------------------------------- */

struct append_row {
    uint32_t row;   /* of the batch */
    uint8_t *heads; /* the first head of the page that holds its position */
    uint32_t slot;
};

template <enum kv_type type, uint32_t dim>
DEVICE void turn_query(float *q, const kv_angles<dim> &angles)
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

template <enum kv_type type, uint32_t dim>
DEVICE void append_head(const struct gpu_attend_call &call, const struct append_row &at,
                        uint32_t head, const kv_angles<dim> &angles)
{
    const size_t from = ((size_t)at.row * call.kv.kv_heads + head) * dim;
    const struct kv_place place = kv_place_of<type, dim>(call.kv.page_tokens, at.slot);
    uint8_t *to = at.heads + head * call.kv.head_bytes;
    float k[dim / 32], v[dim / 32];
    kv_load<dim>(k, call.k + from);
    kv_load<dim>(v, call.v + from);
    kv_turn<dim>(k, angles);
    if (type == KV_Q4) {
        kv_rotate<dim>(k);
        kv_rotate<dim>(v);
    }
    kv_encode<type, dim>(to + place.keys, (uint16_t *)(to + place.key_scales), k);
    kv_encode<type, dim>(to + place.values, (uint16_t *)(to + place.value_scales), v);
}

/* Blocks: 8 rows of a run, runs, slices of heads. A warp has one row. */
template <enum kv_type type, uint32_t dim>
__global__ void __launch_bounds__(32 * WARPS) rope_append(struct gpu_attend_call call)
{
    grid_launch();
    grid_wait();
    const struct gpu_run run = call.batch.run[blockIdx.y];
    const uint32_t row = blockIdx.x * WARPS + warp_index();
    if (row >= run.count)
        return;
    const uint32_t position = run.position + row;
    const uint32_t page = call.batch.pages[run.table + position / call.kv.page_tokens];
    struct append_row at;
    at.row = run.first + row;
    at.heads = (uint8_t *)call.data + page * call.kv.page_bytes;
    at.slot = position % call.kv.page_tokens;
    const kv_angles<dim> angles = kv_angles_of<dim>(call.rope, position);
    const uint32_t first = blockIdx.z * SLICE_HEADS, all = call.heads + call.kv.kv_heads;
    for (uint32_t head = first; head < first + SLICE_HEADS && head < all; head++)
        if (head < call.heads)
            turn_query<type, dim>(call.q + ((size_t)at.row * call.heads + head) * dim, angles);
        else
            append_head<type, dim>(call, at, head - call.heads, angles);
}

template <enum kv_type type, uint32_t dim>
static cudaError_t append_typed(const struct gpu_attend_call *call, cudaStream_t stream)
{
    uint32_t slices = (call->heads + call->kv.kv_heads + SLICE_HEADS - 1) / SLICE_HEADS;
    dim3 grid(GPU_PREFILL_ROWS / WARPS, call->batch.runs, slices);
    return launch(rope_append<type, dim>, grid, dim3(32 * WARPS), 0, stream, true, *call);
}

extern "C" cudaError_t gpu_rope_append(const struct gpu_attend_call *call, cudaStream_t stream)
{
    if (call->batch.runs == 0)
        return cudaSuccess;
#define APPEND(type, dim) append_typed<type, dim>(call, stream)
    return KV_DISPATCH(call->kv, APPEND);
#undef APPEND
}

/* --- copies ----------------------------------------------------------------------------------- */

struct copy_part {
    size_t offset, bytes; /* from the first byte of a head */
};

/* Rows of keys and values are multiples of 16 bytes, a row's scales of 4. */
DEVICE void copy_part_of_head(uint8_t *to, const uint8_t *from, const struct copy_part &part)
{
    const size_t wide = part.bytes / 16 * 16;
    for (size_t at = threadIdx.x * 16; at < wide; at += (size_t)blockDim.x * 16)
        *(uint4 *)(to + part.offset + at) = *(const uint4 *)(from + part.offset + at);
    for (size_t at = wide + threadIdx.x * 4; at < part.bytes; at += (size_t)blockDim.x * 4)
        *(uint32_t *)(to + part.offset + at) = *(const uint32_t *)(from + part.offset + at);
}

/* Blocks: the four parts of a head, heads. */
__global__ void __launch_bounds__(128)
    copy_page(struct gpu_kv kv, uint8_t *data, uint32_t from, uint32_t to, uint32_t tokens)
{
    const size_t scale_bytes = kv.head_bytes / (2 * kv.page_tokens) - kv.row_bytes; /* of a row */
    const size_t head = blockIdx.y * kv.head_bytes, rows = kv.page_tokens * kv.row_bytes;
    struct copy_part part;
    if (blockIdx.x < 2) {
        part.offset = blockIdx.x * rows;
        part.bytes = tokens * kv.row_bytes;
    } else {
        part.offset = 2 * rows + (blockIdx.x - 2) * kv.page_tokens * scale_bytes;
        part.bytes = tokens * scale_bytes;
    }
    copy_part_of_head(data + to * kv.page_bytes + head, data + from * kv.page_bytes + head, part);
}

extern "C" cudaError_t gpu_kv_copy(const struct gpu_kv *kv, void *data, uint32_t from, uint32_t to,
                                   uint32_t tokens, cudaStream_t stream)
{
    if (from >= kv->pages || to >= kv->pages || tokens > kv->page_tokens)
        return cudaErrorInvalidValue;
    if (from == to || tokens == 0)
        return cudaSuccess;
    return launch(copy_page, dim3(4, kv->kv_heads), dim3(128), 0, stream, false, *kv,
                  (uint8_t *)data, from, to, tokens);
}
