/*
 * attend_work.cuh - a block of decode attention: which rows, heads and positions it has, and where
 * its things lie in shared memory and in the scratch (attend.cu tells the whole).
 */
#ifndef AIRO_KERNELS_CUDA_ATTEND_WORK_CUH
#define AIRO_KERNELS_CUDA_ATTEND_WORK_CUH

#include "kernels/cuda/attend_tile.cuh"

/* --- shared memory ---------------------------------------------------------------------------- */

/* Of a block, in bytes. Each warp has its own rows; where they were its part of O stands later:
 * floats [column][dim + 4], the values of a column in the order of O's tiles. */
template <enum kv_type type, uint32_t dim, bool one_place> struct attend_shared {
    typedef kv_form<type, dim> form;
    static constexpr uint32_t rows = ATTEND_KEYS * form::row_bytes;
    static constexpr uint32_t scales = ATTEND_KEYS * form::scales * 2;
    static constexpr uint32_t values_at = one_place ? 0 : rows;
    static constexpr uint32_t scales_at = values_at + rows;
    static constexpr uint32_t part_stride = dim + 4;
    static constexpr uint32_t part = ATTEND_COLUMNS * part_stride * sizeof(float);
    static constexpr uint32_t warp = scales_at + 2 * scales < part ? part : scales_at + 2 * scales;

    static constexpr uint32_t queries_at = ATTEND_WARPS * warp;
    static constexpr uint32_t new_at = queries_at + ATTEND_COLUMNS * (dim + 32) * 2;
    static constexpr uint32_t new_scales_at = new_at + 2 * GPU_ATTEND_ROWS * form::row_bytes;
    static constexpr uint32_t softmax_at = new_scales_at + 4 * GPU_ATTEND_ROWS * form::scales;
    static constexpr uint32_t last_at = softmax_at + 8 * ATTEND_WARPS * ATTEND_COLUMNS;
    static constexpr uint32_t bytes = last_at + 16;
};

/* The new row `row` of the run, keys (part 0) or values (1), as it is stored. */
template <typename shape> DEVICE uint8_t *new_row(uint8_t *shared, uint32_t part, uint32_t row)
{
    return shared + shape::new_at + (part * GPU_ATTEND_ROWS + row) * shape::form::row_bytes;
}

template <typename shape> DEVICE uint16_t *new_scales(uint8_t *shared, uint32_t part, uint32_t row)
{
    return (uint16_t *)(shared + shape::new_scales_at) +
           (part * GPU_ATTEND_ROWS + row) * shape::form::scales;
}

/* --- the block's part of the work ------------------------------------------------------------- */

struct attend_scratch {
    uint32_t *tickets; /* [blockIdx.z][blockIdx.y], zero between launches */
    float *softmax;    /* [row of the batch][head][split] maximum and sum of weights */
    float *sums;       /* [row of the batch][head][split][dim] in the order of O's tiles */
};

struct block_work {
    struct gpu_run run;
    uint32_t kv_head, group; /* group: query heads of a kv head */
    uint32_t first, columns; /* of the run's run.count * group columns: row * group + head */
    uint32_t split, splits;  /* of the run's */
    uint32_t end;            /* of the split's positions that are in use, exclusive */
};

DEVICE bool find_work(struct block_work *work, const struct gpu_attend_call &call)
{
    work->run = call.batch.run[blockIdx.z];
    work->group = call.heads / call.kv.kv_heads;
    const uint32_t tiles = gridDim.y / call.kv.kv_heads, all = work->run.count * work->group;
    work->kv_head = blockIdx.y / tiles;
    work->first = blockIdx.y % tiles * ATTEND_COLUMNS;
    if (work->first >= all)
        return false;
    work->columns = all - work->first < ATTEND_COLUMNS ? all - work->first : ATTEND_COLUMNS;
    const uint32_t end = work->run.position + work->run.count;
    work->splits = (end - 1) / GPU_SPLIT_TOKENS + 1;
    if (blockIdx.x >= work->splits)
        return false;
    work->split = work->splits - 1 - blockIdx.x;
    const uint32_t full = (work->split + 1) * GPU_SPLIT_TOKENS;
    work->end = end < full ? end : full;
    return true;
}

DEVICE uint32_t column_row(const struct block_work &work, uint32_t column)
{
    return (work.first + column) / work.group; /* of the run */
}

DEVICE uint32_t column_head(const struct block_work &work, uint32_t column)
{
    return work.kv_head * work.group + (work.first + column) % work.group;
}

/* Index in the scratch of a column's split 0. */
DEVICE size_t column_parts(const struct gpu_attend_call &call, const struct block_work &work,
                           uint32_t column)
{
    size_t row = work.run.first + column_row(work, column);
    return (row * call.heads + column_head(work, column)) * gridDim.x;
}
#endif
