/*
 * attend.cu - attention of a decode step, one launch a layer: rope, append, attention over the page
 * table with the context split, and the merge of the splits.
 *
 * A block is 8 warps and has
 *   one split     256 positions at a fixed multiple of 256 (GPU_SPLIT_TOKENS), 32 for each warp
 *   8 columns     rows of a run times the query heads of one kv head, 8 at a time
 * so that the 8 rows of a draft cost one reading of the pages. blockIdx.x is the split, from the
 * run's last one back, y a kv head and its group of columns, z the run. What changes while a
 * captured launch is replayed is read from device memory; blocks beyond a run return at once.
 *
 *   copies start      of the positions of earlier steps: 16 bytes a lane, all 32 positions of the
 *                     warp at once, even while the kernel before still computes q, k and v
 *   grid_wait
 *   queries           warp w rotates column w, times log2(e) / sqrt(head_dim), to halves
 *   new rows          warp w rotates, stores and appends row w, where its position is in this
 *                     split; its bytes are kept beside and put among the copied rows when these
 *                     are there
 *   positions         scores, weights and sums of each warp's 32 positions (attend_tile.cuh)
 *   warps             8 warps' sums become one; warp w does column w (attend_merge.cuh)
 *   splits            splits' sums become one in the block that finishes last (a ticket), in the
 *                     same way
 *
 * Bytes in flight: a warp of q8 asks for 8.5 KiB, a block for 68 KiB; three blocks are on a
 * multiprocessor of the H100. Where shared memory has no room for two blocks (f16, smaller cards),
 * values are copied to where the keys were, after the scores, which halves both.
 *
 * The bits of a row do not depend on what is beside it. Columns of an mma do not touch each other;
 * a key that a column does not see weighs exactly 0 and its value is finite (zeros after the run's
 * last position); warps and splits that a column sees nothing of are left out of its sums; and
 * which warp and split a position belongs to, and the order of the sums, follow from the position.
 */
#include "kernels/cuda/attend_merge.cuh"
#include "kernels/cuda/launch.cuh"

#define THREADS (32 * ATTEND_WARPS)
#define LOG2_E  1.44269504088896340736f

/* --- copies of what earlier steps stored ------------------------------------------------------ */

/* The warp's 32 positions: two runs of 16, each within a page. */
struct warp_positions {
    uint32_t first;
    const uint8_t *head[ATTEND_TILES]; /* of the page, this kv head's first byte */
    uint32_t slot[ATTEND_TILES];
    uint32_t old[ATTEND_TILES]; /* how many were stored before: up to 16 */
};

DEVICE struct warp_positions find_positions(const struct gpu_attend_call &call,
                                            const struct block_work &work)
{
    struct warp_positions at;
    at.first = work.split * GPU_SPLIT_TOKENS + warp_index() * ATTEND_KEYS;
#pragma unroll
    for (uint32_t u = 0; u < ATTEND_TILES; u++) {
        const uint32_t position = at.first + 16 * u, before = work.run.position;
        uint32_t page = 0;
        at.old[u] = position < before ? before - position : 0;
        if (at.old[u] > 0)
            page = call.batch.pages[work.run.table + position / call.kv.page_tokens];
        at.slot[u] = position % call.kv.page_tokens;
        at.head[u] = (const uint8_t *)call.data + page * call.kv.page_bytes +
                     work.kv_head * call.kv.head_bytes;
    }
    return at;
}

/* Rows of keys (part 0) or values (1); zeros where nothing was stored before. */
template <enum kv_type type, uint32_t dim>
DEVICE void copy_rows(uint8_t *rows, const struct warp_positions &at, uint32_t page_tokens,
                      uint32_t part)
{
    typedef kv_form<type, dim> form;
#pragma unroll
    for (uint32_t u = 0; u < ATTEND_TILES; u++) {
        const struct kv_place place = kv_place_of<type, dim>(page_tokens, at.slot[u]);
        const uint8_t *from = at.head[u] + (part == 0 ? place.keys : place.values);
#pragma unroll
        for (uint32_t i = 0; i < form::row_pieces / 2; i++) {
            uint32_t piece = 32 * i + lane_index(), key = piece / form::row_pieces;
            uint32_t to = attend_offset<type, dim>(16 * u + key, piece % form::row_pieces * 16);
            copy16_async_if(rows + to, from + 16 * piece, key < at.old[u]);
        }
    }
}

/* All scales of 16 positions are contiguous; zeros after the last old one's, which others append
 * meanwhile. */
template <enum kv_type type, uint32_t dim>
DEVICE void copy_scales(uint8_t *scales, const struct warp_positions &at, uint32_t page_tokens)
{
    constexpr uint32_t pieces = 2 * kv_form<type, dim>::blocks; /* of 16 positions */
    const uint32_t lane = lane_index(), part = lane / pieces / ATTEND_TILES;
    if (part > 1)
        return;
    const bool upper = lane / pieces % ATTEND_TILES == 1;
    const struct kv_place place =
        kv_place_of<type, dim>(page_tokens, upper ? at.slot[1] : at.slot[0]);
    const uint8_t *from = upper ? at.head[1] : at.head[0];
    from += part == 0 ? place.key_scales : place.value_scales;
    const uint32_t old = upper ? at.old[1] : at.old[0], skip = lane % pieces * 16;
    const uint32_t bytes = (old < 16 ? old : 16) * kv_form<type, dim>::scales * 2;
    const uint32_t left = bytes > skip ? bytes - skip : 0;
    copy16_async_first(scales + 16 * lane, from + skip, left < 16 ? left : 16);
}

/* --- queries and new rows --------------------------------------------------------------------- */

template <enum kv_type type, uint32_t dim>
DEVICE void make_query(uint16_t *query, const float *q, const kv_angles<dim> &angles)
{
    constexpr float factor = LOG2_E * (dim == 128 ? 0.08838834764831845f : 0.125f);
    float x[dim / 32];
    kv_load<dim>(x, q);
    kv_turn<dim>(x, angles);
    if (type == KV_Q4)
        kv_rotate<dim>(x);
#pragma unroll
    for (uint32_t j = 0; j < dim / 32; j++)
        query[attend_query_place<type>(lane_index() + 32 * j)] = half_from_float(x[j] * factor);
}

/* Warp w does column w; columns that are not there are zeros. */
template <enum kv_type type, uint32_t dim>
DEVICE void make_queries(uint16_t *queries, const struct gpu_attend_call &call,
                         const struct block_work &work)
{
    const uint32_t column = warp_index();
    uint16_t *query = queries + column * (dim + 32);
    kv_angles<dim> angles = {};
    if (column < work.columns)
        angles = kv_angles_of<dim>(call.rope, work.run.position + column_row(work, column));
    grid_wait();
    if (column < work.columns) {
        size_t row = work.run.first + column_row(work, column);
        const float *q = call.q + (row * call.heads + column_head(work, column)) * dim;
        make_query<type, dim>(query, q, angles);
    } else {
#pragma unroll
        for (uint32_t j = 0; j < dim / 32; j++)
            query[lane_index() + 32 * j] = 0;
    }
}

/* From shared memory to its page. */
template <typename shape>
DEVICE void append_row(uint8_t *shared, uint8_t *rows, uint16_t *scales, uint32_t part,
                       uint32_t row)
{
    const uint32_t lane = lane_index();
    if (lane < shape::form::row_pieces)
        ((uint4 *)rows)[lane] = ((const uint4 *)new_row<shape>(shared, part, row))[lane];
    if constexpr (shape::form::scales > 0)
        if (lane < shape::form::scales)
            scales[lane] = new_scales<shape>(shared, part, row)[lane];
}

/* Warp w does row w of the run. All groups of columns need the row, the first appends it. */
template <enum kv_type type, uint32_t dim, typename shape>
DEVICE void make_new_row(uint8_t *shared, const struct gpu_attend_call &call,
                         const struct block_work &work)
{
    const uint32_t row = warp_index(), position = work.run.position + row;
    if (row >= work.run.count || position / GPU_SPLIT_TOKENS != work.split)
        return;
    const size_t from = ((size_t)(work.run.first + row) * call.kv.kv_heads + work.kv_head) * dim;
    float k[dim / 32], v[dim / 32];
    kv_load<dim>(k, call.k + from);
    kv_load<dim>(v, call.v + from);
    kv_turn<dim>(k, kv_angles_of<dim>(call.rope, position));
    if (type == KV_Q4) {
        kv_rotate<dim>(k);
        kv_rotate<dim>(v);
    }
    kv_encode<type, dim>(new_row<shape>(shared, 0, row), new_scales<shape>(shared, 0, row), k);
    kv_encode<type, dim>(new_row<shape>(shared, 1, row), new_scales<shape>(shared, 1, row), v);
    if (work.first > 0)
        return;
    warp_sync();
    const uint32_t page = call.batch.pages[work.run.table + position / call.kv.page_tokens];
    uint8_t *head =
        (uint8_t *)call.data + page * call.kv.page_bytes + work.kv_head * call.kv.head_bytes;
    const struct kv_place place =
        kv_place_of<type, dim>(call.kv.page_tokens, position % call.kv.page_tokens);
    append_row<shape>(shared, head + place.keys, (uint16_t *)(head + place.key_scales), 0, row);
    append_row<shape>(shared, head + place.values, (uint16_t *)(head + place.value_scales), 1, row);
}

/* Puts the new rows among the warp's copied ones, and zeros for scales after them. */
template <enum kv_type type, uint32_t dim, typename shape>
DEVICE void put_new_rows(uint8_t *shared, uint8_t *rows, uint16_t *scales, uint32_t part,
                         const struct block_work &work, uint32_t first)
{
    typedef kv_form<type, dim> form;
    const uint32_t lane = lane_index();
    for (uint32_t row = 0; row < work.run.count; row++) {
        const uint32_t key = work.run.position + row - first; /* wraps if it is before */
        if (key < ATTEND_KEYS && lane < form::row_pieces)
            *(uint4 *)(rows + attend_offset<type, dim>(key, 16 * lane)) =
                ((const uint4 *)new_row<shape>(shared, part, row))[lane];
    }
    if constexpr (form::scales > 0) {
        const uint32_t after = first + lane - work.run.position;
        if (first + lane < work.run.position)
            return;
#pragma unroll
        for (uint32_t j = 0; j < form::scales; j++)
            scales[lane * form::scales + j] =
                after < work.run.count ? new_scales<shape>(shared, part, after)[j] : 0;
    }
}

/* --- a warp's positions ----------------------------------------------------------------------- */

/* Waits for the copies but the latest `pending` groups, and adds the new rows. */
template <enum kv_type type, uint32_t dim, typename shape, int pending>
DEVICE void land_rows(uint8_t *shared, uint8_t *rows, uint16_t *scales, uint32_t part,
                      const struct block_work &work, uint32_t first)
{
    copy_wait<pending>();
    warp_sync();
    if (first + ATTEND_KEYS > work.run.position) {
        put_new_rows<type, dim, shape>(shared, rows, scales, part, work, first);
        warp_sync();
    }
}

/* Positions that columns 2 t and 2 t + 1 see, of the warp's. */
DEVICE void find_seen(uint32_t seen[2], const struct block_work &work, uint32_t first)
{
#pragma unroll
    for (uint32_t e = 0; e < 2; e++) {
        uint32_t end = work.run.position + column_row(work, lane_index() % 4 * 2 + e) + 1;
        end = end < work.end ? end : work.end;
        seen[e] = end > first ? end - first : 0;
    }
}

/* O and the softmax of this warp to shared memory, for all. */
template <typename shape, uint32_t dim>
DEVICE void store_part(uint8_t *shared, const float o[dim / 16][4],
                       const struct attend_softmax &softmax, uint32_t columns)
{
    const uint32_t warp = warp_index(), g = lane_index() / 4, t = lane_index() % 4;
    float *part = (float *)(shared + warp * shape::warp);
    float *row = (float *)(shared + shape::softmax_at) + warp * 2 * ATTEND_COLUMNS;
#pragma unroll
    for (uint32_t e = 0; e < 2; e++) {
        const uint32_t column = 2 * t + e;
        if (column >= columns)
            continue;
#pragma unroll
        for (uint32_t m = 0; m < dim / 16; m++) {
            part[column * shape::part_stride + 16 * m + g] = o[m][e];
            part[column * shape::part_stride + 16 * m + 8 + g] = o[m][2 + e];
        }
        if (g == 0) {
            row[2 * column] = softmax.max[e];
            row[2 * column + 1] = softmax.sum[e];
        }
    }
}

template <enum kv_type type, uint32_t dim, bool one_place>
DEVICE void attend_positions(uint8_t *shared, const struct gpu_attend_call &call,
                             const struct block_work &work, const struct warp_positions &at)
{
    typedef attend_shared<type, dim, one_place> shape;
    uint8_t *keys = shared + warp_index() * shape::warp, *values = keys + shape::values_at;
    uint16_t *key_scales = (uint16_t *)(keys + shape::scales_at);
    uint16_t *value_scales = key_scales + ATTEND_KEYS * shape::form::scales;
    uint32_t seen[2];
    attend_scores scores;
    attend_weights weights;
    float o[dim / 16][4];

    find_seen(seen, work, at.first);
    land_rows<type, dim, shape, one_place ? 0 : 1>(shared, keys, key_scales, 0, work, at.first);
    compute_scores<type, dim>(scores, keys, key_scales,
                              (const uint16_t *)(shared + shape::queries_at));
    if (one_place) {
        warp_sync(); /* all lanes have read the keys */
        copy_rows<type, dim>(values, at, call.kv.page_tokens, 1);
        copy_commit();
    }
    const struct attend_softmax softmax = compute_weights(weights, scores, seen);
    land_rows<type, dim, shape, 0>(shared, values, value_scales, 1, work, at.first);
    compute_sums<type, dim>(o, values, value_scales, weights);
    warp_sync(); /* and the values */
    store_part<shape, dim>(shared, o, softmax, work.columns);
}

/* A warp none of whose positions are in use. */
template <typename shape> DEVICE void store_nothing(uint8_t *shared)
{
    float *row = (float *)(shared + shape::softmax_at) + warp_index() * 2 * ATTEND_COLUMNS;
    if (lane_index() < ATTEND_COLUMNS) {
        row[2 * lane_index()] = -INFINITY;
        row[2 * lane_index() + 1] = 0;
    }
}

/* --- the kernel ------------------------------------------------------------------------------- */

template <enum kv_type type, uint32_t dim, bool one_place>
__global__ void __launch_bounds__(THREADS, type == KV_F16 && dim == 128 ? 2 : 3)
    attend(struct gpu_attend_call call, struct attend_scratch scratch)
{
    typedef attend_shared<type, dim, one_place> shape;
    SHARED_BYTES(shared);
    struct block_work work;
    grid_launch();
    if (!find_work(&work, call))
        return;
    const struct warp_positions at = find_positions(call, work);
    const bool active = at.first < work.end;
    uint8_t *own = shared + warp_index() * shape::warp;
    if (active) {
        if (type != KV_F16)
            copy_scales<type, dim>(own + shape::scales_at, at, call.kv.page_tokens);
        copy_rows<type, dim>(own, at, call.kv.page_tokens, 0);
        copy_commit();
        if (!one_place) {
            copy_rows<type, dim>(own + shape::values_at, at, call.kv.page_tokens, 1);
            copy_commit();
        }
    }
    make_queries<type, dim>((uint16_t *)(shared + shape::queries_at), call, work);
    make_new_row<type, dim, shape>(shared, call, work);
    block_sync();
    if (active)
        attend_positions<type, dim, one_place>(shared, call, work, at);
    else
        store_nothing<shape>(shared);
    block_sync();
    finish_columns<type, dim, shape>(shared, call, scratch, work);
}

/* --- the launch ------------------------------------------------------------------------------- */

/* blockIdx.y for each kv head: groups of columns of the longest run that the batch may have. */
static uint32_t column_groups(const struct gpu_attend_call *call)
{
    uint32_t rows = call->batch.n - call->batch.runs + 1;
    rows = rows < GPU_ATTEND_ROWS ? rows : GPU_ATTEND_ROWS;
    uint32_t columns = rows * (call->heads / call->kv.kv_heads);
    return (columns + ATTEND_COLUMNS - 1) / ATTEND_COLUMNS;
}

static uint32_t split_count(const struct gpu_attend_call *call)
{
    return call->batch.max_position / GPU_SPLIT_TOKENS + 1;
}

/* For any number of runs: a run has at most `group` groups of columns for each of its rows. */
static size_t ticket_bytes(const struct gpu_attend_call *call)
{
    return (size_t)GPU_DECODE_TOKENS * call->heads * sizeof(uint32_t);
}

extern "C" size_t gpu_attend_scratch(const struct gpu_attend_call *call)
{
    size_t parts = (size_t)call->batch.n * call->heads * split_count(call);
    return ticket_bytes(call) + parts * (2 + call->kv.head_dim) * sizeof(float);
}

template <enum kv_type type, uint32_t dim, bool one_place>
static cudaError_t launch_placed(const struct gpu_attend_call *call, cudaStream_t stream)
{
    const uint32_t splits = split_count(call);
    struct attend_scratch scratch;
    scratch.tickets = (uint32_t *)call->scratch;
    scratch.softmax = (float *)((uint8_t *)call->scratch + ticket_bytes(call));
    scratch.sums = scratch.softmax + (size_t)call->batch.n * call->heads * splits * 2;
    dim3 grid(splits, call->kv.kv_heads * column_groups(call), call->batch.runs);
    return launch(attend<type, dim, one_place>, grid, dim3(THREADS),
                  attend_shared<type, dim, one_place>::bytes, stream, true, *call, scratch);
}

/* Keys and values each at their own place where two such blocks fit into a multiprocessor: those of
 * q4 do everywhere, those of f16 with 128 dimensions nowhere. A block takes 1 KiB more than it asks
 * for. */
template <enum kv_type type, uint32_t dim>
static cudaError_t launch_typed(const struct gpu_attend_call *call, cudaStream_t stream)
{
    constexpr uint32_t two = 2 * (attend_shared<type, dim, false>::bytes + 1024);
    if constexpr (two <= 99 * 1024)
        return launch_placed<type, dim, false>(call, stream);
    else if constexpr (two > 228 * 1024)
        return launch_placed<type, dim, true>(call, stream);
    else if (call->multiprocessor_shared >= two)
        return launch_placed<type, dim, false>(call, stream);
    else
        return launch_placed<type, dim, true>(call, stream);
}

extern "C" cudaError_t gpu_attend_launch(const struct gpu_attend_call *call, cudaStream_t stream)
{
    const struct gpu_batch *batch = &call->batch;
    if (batch->runs == 0)
        return cudaSuccess;
    if (batch->n > GPU_DECODE_TOKENS || batch->runs > batch->n || call->kv.kv_heads == 0 ||
        call->heads % call->kv.kv_heads != 0 || call->kv.page_tokens % 16 != 0)
        return cudaErrorInvalidValue;
#define ATTEND(type, dim) launch_typed<type, dim>(call, stream)
    return KV_DISPATCH(call->kv, ATTEND);
#undef ATTEND
}
