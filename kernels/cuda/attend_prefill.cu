/*
 * attend_prefill.cu - causal attention of many rows over the page table, on tensor cores.
 *
 * A block is one run of up to 128 rows of a sequence and one head: four warps of 32 rows, each two
 * m16 tiles of mma.m16n8k16. Keys come in tiles of 64; a warp reads every tile of keys and values
 * once from shared memory for its 32 rows, so that 40 KiB are read there for 1 MFLOP, which tensor
 * cores take as long for. Queries stay in shared memory, sums (32 x head_dim) and scores (32 x 64)
 * in registers, which allows two blocks on a multiprocessor: while one waits the other computes.
 *
 *   land K(j), all meet     values of j - 1 are done with
 *   fetch V(j)              flies during the scores
 *   scores, softmax
 *   land V(j), all meet     keys of j are done with
 *   fetch K(j + 1)          flies during the sums
 *   sums
 *
 * Scores are kept times log2(e): the softmax is exp2. A tile beyond what a warp's rows see is not
 * computed by it, and masked where only part of it is seen. key_tile.cuh brings the tiles.
 */
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/key_tile.cuh"
#include "kernels/cuda/kv.cuh"
#include "kernels/cuda/launch.cuh"

#define M_TILES   (WARP_ROWS / 16)
#define KEY_TILES (KEYS / 8) /* n8 tiles of scores */
#define LOG2_E    1.44269504088896340736f
#define ROOT(dim) ((dim) == 128 ? 0.08838834764831845f : 0.125f) /* 1 / sqrt(dim) */

/* --- queries ---------------------------------------------------------------------------------- */

/* This warp's rows, times `scale`, to shared memory; zeros where there are none. */
template <uint32_t dim>
static __device__ void load_queries(uint8_t *to, const float *q, size_t stride, uint32_t count,
                                    float scale)
{
    constexpr uint32_t pieces = dim / 8;
#pragma unroll 4
    for (uint32_t i = 0; i < WARP_ROWS * pieces / 32; i++) {
        uint32_t unit = 32 * i + lane_index(), row = unit / pieces, piece = unit % pieces;
        uint4 halves = make_uint4(0, 0, 0, 0);
        if (row < count) {
            const float *from = q + row * stride + 8 * piece;
            float4 a = *(const float4 *)from, b = *(const float4 *)(from + 4);
            halves.x = half2_pack(a.x * scale, a.y * scale);
            halves.y = half2_pack(a.z * scale, a.w * scale);
            halves.z = half2_pack(b.x * scale, b.y * scale);
            halves.w = half2_pack(b.z * scale, b.w * scale);
        }
        *(uint4 *)(to + lane_piece<dim>(i)) = halves;
    }
    warp_sync();
}

/* --- scores and sums -------------------------------------------------------------------------- */

/* One lane's part of a warp's 32 rows. Rows of a lane: 16 m + 8 h + lane / 4; columns of tile n:
 * 8 n + 2 (lane % 4) + e; both at [m][n][2 h + e]. */
template <uint32_t dim> struct warp_state {
    float sums[M_TILES][dim / 8][4];
    float max[M_TILES][2], sum[M_TILES][2];
};

typedef float score_tile[M_TILES][KEY_TILES][4];
typedef uint32_t weight_tile[M_TILES][KEY_TILES][2]; /* halves; a C fragment packed is an A one */

template <uint32_t dim>
static __device__ __forceinline__ void compute_scores(score_tile scores, const uint8_t *queries,
                                                      const uint8_t *keys)
{
    const uint32_t lane = lane_index(), r = lane % 8;
    /* (2 k + x) ^ r is (x ^ r) ^ 2 k: one xor a step. */
    const uint32_t a_at = lane % 16 * 2 * dim + ((lane / 16) ^ r) * 16;
    const uint32_t b_at = (lane / 16 * 8 + r) * 2 * dim + ((lane / 8 % 2) ^ r) * 16;
#pragma unroll
    for (uint32_t m = 0; m < M_TILES; m++)
#pragma unroll
        for (uint32_t n = 0; n < KEY_TILES; n++)
#pragma unroll
            for (uint32_t i = 0; i < 4; i++)
                scores[m][n][i] = 0;
#pragma unroll
    for (uint32_t k = 0; k < dim / 16; k++) {
        uint32_t a[M_TILES][4];
#pragma unroll
        for (uint32_t m = 0; m < M_TILES; m++)
            ldmatrix_x4(a[m], queries + (a_at ^ 32 * k) + m * 16 * 2 * dim);
#pragma unroll
        for (uint32_t n = 0; n < KEY_TILES; n += 2) {
            uint32_t b[4];
            ldmatrix_x4(b, keys + (b_at ^ 32 * k) + n * 8 * 2 * dim);
#pragma unroll
            for (uint32_t m = 0; m < M_TILES; m++) {
                mma_16816(scores[m][n], a[m], b);
                mma_16816(scores[m][n + 1], a[m], b + 2);
            }
        }
    }
}

/* Key c of the tile is seen by row i where c <= i + `seen`. */
static __device__ __forceinline__ void mask_scores(score_tile scores, int32_t seen)
{
    const int32_t row = (int32_t)lane_index() / 4, column = (int32_t)lane_index() % 4 * 2;
#pragma unroll
    for (int32_t m = 0; m < M_TILES; m++)
#pragma unroll
        for (int32_t n = 0; n < KEY_TILES; n++)
#pragma unroll
            for (int32_t i = 0; i < 4; i++)
                if (8 * n + column + i % 2 > 16 * m + 8 * (i / 2) + row + seen)
                    scores[m][n][i] = -INFINITY;
}

/* Maximum over a row's 64 scores and what was before: four lanes hold the row. */
static __device__ __forceinline__ float row_max(const float (*scores)[4], uint32_t h, float before)
{
    float max = before;
#pragma unroll
    for (uint32_t n = 0; n < KEY_TILES; n++)
        max = fmaxf(max, fmaxf(scores[n][2 * h], scores[n][2 * h + 1]));
    max = fmaxf(max, warp_shuffle_xor(max, 1));
    return fmaxf(max, warp_shuffle_xor(max, 2));
}

template <uint32_t dim>
static __device__ __forceinline__ void rescale(warp_state<dim> &state, const float (*factor)[2])
{
#pragma unroll
    for (uint32_t m = 0; m < M_TILES; m++) {
        state.sum[m][0] *= factor[m][0];
        state.sum[m][1] *= factor[m][1];
#pragma unroll
        for (uint32_t n = 0; n < dim / 8; n++) {
            state.sums[m][n][0] *= factor[m][0];
            state.sums[m][n][1] *= factor[m][0];
            state.sums[m][n][2] *= factor[m][1];
            state.sums[m][n][3] *= factor[m][1];
        }
    }
}

/* Weights exp2(score - max). Where no row of the warp has a new maximum, which after the first
 * tiles is the rule, there is nothing to rescale. */
template <uint32_t dim>
static __device__ __forceinline__ void softmax(weight_tile weights, score_tile scores,
                                               warp_state<dim> &state)
{
    float factor[M_TILES][2];
    bool raised = false;
#pragma unroll
    for (uint32_t m = 0; m < M_TILES; m++)
#pragma unroll
        for (uint32_t h = 0; h < 2; h++) {
            float max = row_max(scores[m], h, state.max[m][h]);
            factor[m][h] = exp2_fast(state.max[m][h] - max); /* 0 at the start */
            raised = raised || max > state.max[m][h];
            state.max[m][h] = max;
        }
    if (warp_ballot(raised) != 0)
        rescale(state, factor);
#pragma unroll
    for (uint32_t m = 0; m < M_TILES; m++)
#pragma unroll
        for (uint32_t n = 0; n < KEY_TILES; n++)
#pragma unroll
            for (uint32_t h = 0; h < 2; h++) {
                float low = exp2_fast(scores[m][n][2 * h] - state.max[m][h]);
                float high = exp2_fast(scores[m][n][2 * h + 1] - state.max[m][h]);
                state.sum[m][h] += low + high;
                weights[m][n][h] = half2_pack(low, high);
            }
}

template <uint32_t dim>
static __device__ __forceinline__ void add_values(weight_tile weights, warp_state<dim> &state,
                                                  const uint8_t *values)
{
    const uint32_t lane = lane_index();
    const uint32_t b_at = lane % 16 * 2 * dim + ((lane / 16) ^ lane % 8) * 16;
#pragma unroll
    for (uint32_t k = 0; k < KEYS / 16; k++) {
#pragma unroll
        for (uint32_t n = 0; n < dim / 8; n += 2) {
            uint32_t b[4];
            ldmatrix_x4_trans(b, values + (b_at ^ 16 * n) + k * 16 * 2 * dim);
#pragma unroll
            for (uint32_t m = 0; m < M_TILES; m++) {
                mma_16816(state.sums[m][n], weights[m][2 * k], b);
                mma_16816(state.sums[m][n + 1], weights[m][2 * k], b + 2);
            }
        }
    }
}

/* --- results ---------------------------------------------------------------------------------- */

template <uint32_t dim> static __device__ void start(warp_state<dim> &state)
{
#pragma unroll
    for (uint32_t m = 0; m < M_TILES; m++) {
        state.max[m][0] = state.max[m][1] = -INFINITY;
        state.sum[m][0] = state.sum[m][1] = 0;
#pragma unroll
        for (uint32_t n = 0; n < dim / 8; n++)
#pragma unroll
            for (uint32_t i = 0; i < 4; i++)
                state.sums[m][n][i] = 0;
    }
}

/* Sums over weights, times `scale`. */
template <uint32_t dim> static __device__ void divide(warp_state<dim> &state, float scale)
{
    float factor[M_TILES][2];
#pragma unroll
    for (uint32_t m = 0; m < M_TILES; m++)
#pragma unroll
        for (uint32_t h = 0; h < 2; h++) {
            float sum = state.sum[m][h];
            sum += warp_shuffle_xor(sum, 1);
            sum += warp_shuffle_xor(sum, 2);
            factor[m][h] = scale / sum;
        }
    rescale(state, factor);
}

/* The butterflies of the Walsh-Hadamard transform of 16 rows. Bit 0 of the column is e, bits 1 and
 * 2 are the lane, the others n. */
template <uint32_t dim> static __device__ __forceinline__ void rotate(float (&x)[dim / 8][4])
{
    const uint32_t t = lane_index() % 4;
#pragma unroll
    for (uint32_t n = 0; n < dim / 8; n++) {
        const float a = x[n][0] + x[n][1], b = x[n][0] - x[n][1];
        const float c = x[n][2] + x[n][3], d = x[n][2] - x[n][3];
        x[n][0] = a, x[n][1] = b, x[n][2] = c, x[n][3] = d;
#pragma unroll
        for (uint32_t i = 0; i < 4; i++)
#pragma unroll
            for (uint32_t bit = 1; bit <= 2; bit *= 2) {
                float other = warp_shuffle_xor(x[n][i], bit);
                x[n][i] = (t & bit) != 0 ? other - x[n][i] : x[n][i] + other;
            }
        warp_sync(); /* few shuffles at a time, or their results take more registers than there are
                      */
    }
#pragma unroll
    for (uint32_t step = 1; step < dim / 8; step *= 2)
#pragma unroll
        for (uint32_t n = 0; n < dim / 8; n++)
#pragma unroll
            for (uint32_t i = 0; i < 4; i++)
                if ((n & step) == 0) {
                    float low = x[n][i], high = x[n + step][i];
                    x[n][i] = low + high;
                    x[n + step][i] = low - high;
                }
}

/* 16 rows to their place in shared memory, which held this warp's queries. */
template <uint32_t dim>
static __device__ __forceinline__ void stage(uint8_t *to, uint32_t first,
                                             const float (&sums)[dim / 8][4])
{
    const uint32_t g = lane_index() / 4, t = lane_index() % 4;
#pragma unroll
    for (uint32_t n = 0; n < dim / 8; n++)
#pragma unroll
        for (uint32_t h = 0; h < 2; h++)
            *(uint32_t *)(to + swizzled<dim>(first + 8 * h + g, n) + 4 * t) =
                half2_pack(sums[n][2 * h], sums[n][2 * h + 1]);
}

/* Whole rows of a head, or each value to its place in o_proj's order. */
template <uint32_t dim>
static __device__ void store(uint16_t *a, size_t stride, const int32_t *index, uint32_t head,
                             const uint8_t *from, uint32_t count)
{
    const uint32_t lane = lane_index();
    constexpr uint32_t pieces = dim / 8;
    if (index == NULL) {
        for (uint32_t unit = lane; unit < count * pieces; unit += 32)
            *(uint4 *)(a + unit / pieces * stride + head * dim + unit % pieces * 8) =
                *(const uint4 *)(from + swizzled<dim>(unit / pieces, unit % pieces));
        return;
    }
#pragma unroll
    for (uint32_t column = lane; column < dim; column += 32) {
        uint16_t *to = a + index[head * dim + column];
        for (uint32_t row = 0; row < count; row++)
            to[row * stride] =
                *(const uint16_t *)(from + swizzled<dim>(row, column / 8) + column % 8 * 2);
    }
}

/* --- the kernel ------------------------------------------------------------------------------- */

/* The rows of one warp. */
struct warp_rows {
    uint32_t first, count; /* of the run */
    uint32_t position;     /* of the first */
    uint32_t tiles;        /* that they see some of */
};

/* The last run, which has the longest context where there is one sequence, is begun with. */
static __device__ __forceinline__ gpu_run run_of_block(const gpu_attend_call &call)
{
    return call.batch.run[gridDim.x - 1 - blockIdx.x];
}

/* A shuffled index is known to be the same in all lanes, and what follows from it takes registers
 * of the warp, not of each thread. */
static __device__ __forceinline__ warp_rows rows_of_warp(const gpu_run &run)
{
    warp_rows rows = {warp_shuffle(warp_index(), 0) * WARP_ROWS, 0, run.position, 0};
    if (rows.first >= run.count)
        return rows;
    uint32_t left = run.count - rows.first;
    rows.count = left < WARP_ROWS ? left : WARP_ROWS;
    rows.position += rows.first;
    rows.tiles = (rows.position + rows.count - 1) / KEYS + 1;
    return rows;
}

static __device__ __forceinline__ key_source source_of(const gpu_attend_call &call,
                                                       const gpu_run &run)
{
    uint32_t kv_head = blockIdx.y / (call.heads / call.kv.kv_heads);
    key_source source;
    source.data = (const uint8_t *)call.data + kv_head * call.kv.head_bytes;
    source.pages = call.batch.pages + run.table;
    source.page_tokens = call.kv.page_tokens;
    source.limit = run.position + run.count;
    source.page_bytes = call.kv.page_bytes;
    return source;
}

/* Where a warp finds its things in shared memory. */
struct warp_places {
    uint8_t *queries;               /* its rows */
    uint8_t *keys, *values;         /* the tile of all */
    uint8_t *own_keys, *own_values; /* the rows of it that it brings, */
    uint8_t *raw_keys, *raw_values; /* and where they come in from pages */
};

template <enum kv_type type, uint32_t dim>
static __device__ __forceinline__ warp_places places_of_warp(uint8_t *shared)
{
    constexpr uint32_t row = 2 * dim, raw = format<type, dim>::raw;
    const uint32_t warp = warp_index();
    warp_places at;
    at.queries = shared + warp * WARP_ROWS * row;
    at.keys = shared + GPU_PREFILL_ROWS * row;
    at.values = at.keys + KEYS * row;
    at.own_keys = at.keys + warp * WARP_KEYS * row;
    at.own_values = at.values + warp * WARP_KEYS * row;
    at.raw_keys = type == KV_F16 ? at.own_keys : at.values + KEYS * row + 2 * warp * raw;
    at.raw_values = type == KV_F16 ? at.own_values : at.raw_keys + raw;
    return at;
}

/* All tiles of the run; `queries` are there. */
template <enum kv_type type, uint32_t dim>
static __device__ __forceinline__ void attend_tiles(const gpu_attend_call &call, const gpu_run &run,
                                                    const warp_places &at, const warp_rows &mine,
                                                    warp_state<dim> &state)
{
    const key_source source = source_of(call, run);
    const uint32_t tiles = (source.limit + KEYS - 1) / KEYS;
    fetch<type, dim>(at.raw_keys, source, 0, 0);
    for (uint32_t tile = 0; tile < tiles; tile++) {
        weight_tile weights;
        land<type, dim>(at.own_keys, at.raw_keys, valid_rows(source, tile));
        block_sync();
        fetch<type, dim>(at.raw_values, source, tile, 1);
        if (tile < mine.tiles) {
            score_tile scores;
            compute_scores<dim>(scores, at.queries, at.keys);
            if (tile * KEYS + KEYS - 1 > mine.position)
                mask_scores(scores, (int32_t)mine.position - (int32_t)(tile * KEYS));
            softmax(weights, scores, state);
        }
        land<type, dim>(at.own_values, at.raw_values, valid_rows(source, tile));
        block_sync();
        if (tile + 1 < tiles)
            fetch<type, dim>(at.raw_keys, source, tile + 1, 0);
        if (tile < mine.tiles)
            add_values(weights, state, at.values);
    }
}

/* A warp without rows works on nothing and stores nothing. The run is looked up anew, so that
 * neither the tiles nor the rotation need keep it in registers. */
template <enum kv_type type, uint32_t dim>
static __device__ __forceinline__ void finish(const gpu_attend_call &call, uint8_t *staged,
                                              warp_state<dim> &state)
{
    divide(state, type == KV_Q4 ? ROOT(dim) : 1.0f);
    warp_sync();
#pragma unroll
    for (uint32_t m = 0; m < M_TILES; m++) {
        if (type == KV_Q4)
            rotate<dim>(state.sums[m]);
        stage<dim>(staged, 16 * m, state.sums[m]);
    }
    warp_sync();
    const gpu_run run = run_of_block(call);
    const warp_rows mine = rows_of_warp(run);
    store<dim>(call.a + (run.first + mine.first) * call.a_stride, call.a_stride, call.a_index,
               blockIdx.y, staged, mine.count);
}

template <enum kv_type type, uint32_t dim>
static __global__ void __launch_bounds__(THREADS, 2) attend_prefill(gpu_attend_call call)
{
    SHARED_BYTES(shared);
    const warp_places at = places_of_warp<type, dim>(shared);
    grid_wait();
    grid_launch();
    const gpu_run run = run_of_block(call);
    const warp_rows mine = rows_of_warp(run);
    const size_t stride = (size_t)call.heads * dim;
    load_queries<dim>(at.queries, call.q + (run.first + mine.first) * stride + blockIdx.y * dim,
                      stride, mine.count, LOG2_E * ROOT(dim));
    warp_state<dim> state;
    start(state);
    attend_tiles<type, dim>(call, run, at, mine, state);
    finish<type, dim>(call, at.queries, state);
}

template <enum kv_type type, uint32_t dim>
static cudaError_t launch_typed(const struct gpu_attend_call *call, cudaStream_t stream)
{
    return launch(attend_prefill<type, dim>, dim3(call->batch.runs, call->heads), dim3(THREADS),
                  format<type, dim>::shared, stream, true, *call);
}

#define LAUNCH(type, dim) launch_typed<type, dim>(call, stream)

extern "C" cudaError_t gpu_attend_prefill(const struct gpu_attend_call *call, cudaStream_t stream)
{
    if (call->batch.runs == 0)
        return cudaSuccess;
    if (call->kv.page_tokens % WARP_KEYS != 0 || call->a_stride % 8 != 0)
        return cudaErrorInvalidValue;
    return KV_DISPATCH(call->kv, LAUNCH);
}
