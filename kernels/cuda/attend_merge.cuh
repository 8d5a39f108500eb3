/*
 * attend_merge.cuh - the end of decode attention: the sums of a block's eight warps become one for
 * each column, and those of a run's splits become one in the block that is done last.
 *
 * Both times the parts stand in shared memory in the same way, so that one function adds them. What
 * a block leaves for the last one lies in the scratch, and a ticket says that it is there.
 */
#ifndef AIRO_KERNELS_CUDA_ATTEND_MERGE_CUH
#define AIRO_KERNELS_CUDA_ATTEND_MERGE_CUH

#include "kernels/cuda/attend_work.cuh"

/* --- many parts become one -------------------------------------------------------------------- */

/* Of one column, a lane's share of its sums: values lane + 32 i of O's order. */
template <uint32_t dim> struct column_sum {
    float max, sum, o[dim / 32];
};

template <uint32_t dim> DEVICE void sum_start(struct column_sum<dim> &total)
{
    total.max = -INFINITY;
    total.sum = 0;
#pragma unroll
    for (uint32_t i = 0; i < dim / 32; i++)
        total.o[i] = 0;
}

/* One part more; total.max is that of all parts already. Parts of nothing are left out. */
template <uint32_t dim>
DEVICE void sum_add(struct column_sum<dim> &total, float max, float sum, const float *o)
{
    if (max == -INFINITY)
        return;
    const float factor = exp2_fast(max - total.max);
    total.sum += factor * sum;
#pragma unroll
    for (uint32_t i = 0; i < dim / 32; i++)
        total.o[i] += factor * o[lane_index() + 32 * i];
}

/* Of the eight parts in shared memory, warp 0's first. */
template <typename shape, uint32_t dim>
DEVICE struct column_sum<dim> sum_warps(const uint8_t *shared, uint32_t column) {
    const float *softmax = (const float *)(shared + shape::softmax_at) + 2 * column;
    struct column_sum<dim> total;
    sum_start<dim>(total);
#pragma unroll
    for (uint32_t w = 0; w < ATTEND_WARPS; w++)
        total.max = fmaxf(total.max, softmax[w * 2 * ATTEND_COLUMNS]);
#pragma unroll
    for (uint32_t w = 0; w < ATTEND_WARPS; w++) {
        const float *part = (const float *)(shared + w * shape::warp);
        sum_add<dim>(total, softmax[w * 2 * ATTEND_COLUMNS], softmax[w * 2 * ATTEND_COLUMNS + 1],
                     part + column * shape::part_stride);
    }
    return total;
}

/* Splits w, w + 8, ... of a column, for warp w. */
template <uint32_t dim>
DEVICE struct column_sum<dim> sum_splits(const struct attend_scratch &scratch, size_t parts,
                                         uint32_t splits) {
    const float *softmax = scratch.softmax + 2 * parts, *sums = scratch.sums + parts * dim;
    struct column_sum<dim> total;
    sum_start<dim>(total);
#pragma unroll 4
    for (uint32_t s = warp_index(); s < splits; s += ATTEND_WARPS)
        total.max = fmaxf(total.max, softmax[2 * s]);
#pragma unroll 4
    for (uint32_t s = warp_index(); s < splits; s += ATTEND_WARPS)
        sum_add<dim>(total, softmax[2 * s], softmax[2 * s + 1], sums + (size_t)s * dim);
    return total;
}

/* --- the merge -------------------------------------------------------------------------------- */

/* Splits that a column sees something of. */
DEVICE uint32_t
column_splits(const struct block_work &work, uint32_t column)
{
    return (work.run.position + column_row(work, column)) / GPU_SPLIT_TOKENS + 1;
}

/* This block's sums of warp w's column to the scratch. */
template <uint32_t dim>
DEVICE void store_split(const struct attend_scratch &scratch, size_t part,
                        const struct column_sum<dim> &total)
{
#pragma unroll
    for (uint32_t i = 0; i < dim / 32; i++)
        scratch.sums[part * dim + lane_index() + 32 * i] = total.o[i];
    if (lane_index() == 0) {
        scratch.softmax[2 * part] = total.max;
        scratch.softmax[2 * part + 1] = total.sum;
    }
}

/* Whether this is the last block of its run and columns to come here; what the others wrote is then
 * seen. The ticket is zero again after the last. */
DEVICE bool is_last(uint32_t *last, uint32_t *ticket, uint32_t blocks)
{
    block_sync();
    if (threadIdx.x == 0) {
        fence();
        *last = atomic_add(ticket, 1) == blocks - 1;
        if (*last)
            *ticket = 0;
        fence();
    }
    block_sync();
    return *last != 0;
}

/* Warp w's column from all splits. Everything is computed as if the splits were the warps' parts.
 */
template <typename shape, uint32_t dim>
DEVICE struct column_sum<dim> merge_splits(uint8_t *shared, const struct gpu_attend_call &call,
                                           const struct attend_scratch &scratch,
                                           const struct block_work &work) {
    const uint32_t warp = warp_index();
    float *softmax = (float *)(shared + shape::softmax_at) + warp * 2 * ATTEND_COLUMNS;
    float *part = (float *)(shared + warp * shape::warp);
    for (uint32_t column = 0; column < work.columns; column++) {
        const struct column_sum<dim> total =
            sum_splits<dim>(scratch, column_parts(call, work, column), column_splits(work, column));
#pragma unroll
        for (uint32_t i = 0; i < dim / 32; i++)
            part[column * shape::part_stride + lane_index() + 32 * i] = total.o[i];
        if (lane_index() == 0) {
            softmax[2 * column] = total.max;
            softmax[2 * column + 1] = total.sum;
        }
    }
    block_sync();
    struct column_sum<dim> total;
    sum_start<dim>(total);
    if (warp < work.columns)
        total = sum_warps<shape, dim>(shared, warp);
    return total;
}

/* Warp w's column to its row of a. `ordered` is dim floats in shared memory for this warp alone. */
template <enum kv_type type, uint32_t dim>
DEVICE void store_result(float *ordered, const struct gpu_attend_call &call,
                         const struct block_work &work, const struct column_sum<dim> &total)
{
    const uint32_t column = warp_index(), lane = lane_index();
    const float inverse = 1.0f / total.sum;
    warp_sync(); /* what stood in `ordered` has been read */
#pragma unroll
    for (uint32_t i = 0; i < dim / 32; i++)
        ordered[attend_dimension<type, dim>(2 * i + lane / 16, lane % 16)] = total.o[i] * inverse;
    warp_sync();
    float x[dim / 32];
    kv_load<dim>(x, ordered);
    if (type == KV_Q4)
        kv_rotate<dim>(x);
    uint16_t *a = call.a + (work.run.first + column_row(work, column)) * call.a_stride;
#pragma unroll
    for (uint32_t j = 0; j < dim / 32; j++) {
        const uint32_t at = column_head(work, column) * dim + lane + 32 * j;
        a[call.a_index != NULL ? (uint32_t)call.a_index[at] : at] = half_from_float(x[j]);
    }
}

/* Of all warps' parts in shared memory to a, over the other splits' blocks if there are any. */
template <enum kv_type type, uint32_t dim, typename shape>
DEVICE void finish_columns(uint8_t *shared, const struct gpu_attend_call &call,
                           const struct attend_scratch &scratch, const struct block_work &work)
{
    const uint32_t column = warp_index();
    struct column_sum<dim> total;
    sum_start<dim>(total);
    if (column < work.columns)
        total = sum_warps<shape, dim>(shared, column);
    if (work.splits > 1) {
        if (column < work.columns && work.split < column_splits(work, column))
            store_split<dim>(scratch, column_parts(call, work, column) + work.split, total);
        if (!is_last((uint32_t *)(shared + shape::last_at),
                     scratch.tickets + blockIdx.z * gridDim.y + blockIdx.y, work.splits))
            return;
        total = merge_splits<shape, dim>(shared, call, scratch, work);
    }
    if (column < work.columns)
        store_result<type, dim>((float *)shared + column * shape::part_stride, call, work, total);
}
#endif
