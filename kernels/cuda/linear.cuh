/*
 * linear.cuh - what the host gives the decode linear kernel, and how the work is cut.
 *
 * The inputs of a layer are cut into slices, so that the rows of a slice fit a block's shared
 * memory; a block works on one slice. The steps of a slice, tile after tile, are one long line,
 * which is cut evenly into runs, one a warp, wherever the cuts fall. A piece is what one run adds
 * to one tile: the pieces of a tile, by slice and run, are summed in that order by whichever warp
 * finishes the tile last. So all warps have the same work to within one step, and the order of
 * every sum follows from the layer and the number of multiprocessors alone.
 */
#ifndef AIRO_KERNELS_CUDA_LINEAR_CUH
#define AIRO_KERNELS_CUDA_LINEAR_CUH

#include "kernels/cuda/gpu.h"
#include "kernels/cuda/linear_step.cuh"

#define LINEAR_WARPS   8
#define LINEAR_THREADS (32 * LINEAR_WARPS)
#define LINEAR_TOKENS  32    /* of one launch */
#define LINEAR_SLICES  32    /* at most: a lane knows one */
#define LINEAR_TICKETS 32768 /* tiles of one launch: a counter each at the start of the scratch */

struct linear_layer {
    const unsigned char *data;
    const float *bias;
    void *out;
    size_t out_stride;
    uint32_t first; /* tile of the launch that is the layer's first */
    uint32_t rows;  /* outputs */
    uint32_t zero_add;
};

struct linear_arguments {
    struct linear_layer layer[3];
    uint32_t count, n, finish;
    const int32_t *out_index;
    /* the cut */
    uint32_t steps;  /* of a tile, all slices */
    uint32_t tiles;  /* of the launch; with two parts, of one of them */
    uint32_t slices; /* slice s has the steps from steps * s / slices on */
    uint32_t runs;   /* of a slice: run r has its steps from length * r / runs on */
    uint32_t blocks; /* of a slice */
    uint32_t *tickets;
    float4 *pieces;
    /* the inputs */
    const float *x, *norm;
    size_t x_stride;
    const uint32_t *x_rows;
    const int32_t *inverse;
    float eps;
    uint32_t in;
    const uint16_t *acts;
    size_t acts_stride;
    uint32_t row_bytes;  /* of a row of inputs in shared memory */
    uint32_t rows_bytes; /* of all of them and the sums of their squares */
};

/* A slice as a block sees it. */
struct linear_slice {
    uint32_t number, first, steps; /* its steps: first .. first + steps - 1 of every tile */
    uint32_t length;               /* of its line: tiles * steps */
};

DEVICE struct linear_slice slice_at(const struct linear_arguments &a, uint32_t number)
{
    uint32_t first = a.steps * number / a.slices;
    uint32_t steps = a.steps * (number + 1) / a.slices - first;
    return {number, first, steps, steps * a.tiles};
}

/* length * (runs + 1) < 2^32: the host sees to it. */
DEVICE uint32_t run_start(const struct linear_arguments &a, uint32_t length, uint32_t run)
{
    return length * run / a.runs;
}

/* The run that has a step of the line: the last that starts at or before it. */
DEVICE uint32_t run_of(const struct linear_arguments &a, uint32_t length, uint32_t step)
{
    return ((step + 1) * a.runs - 1) / length;
}

struct run_range {
    uint32_t first, count;
};

/* The runs that a tile's steps of a slice belong to. Runs are never empty: runs <= length. */
DEVICE struct run_range runs_of_tile(const struct linear_arguments &a, struct linear_slice slice,
                                     uint32_t tile)
{
    uint32_t first = run_of(a, slice.length, tile * slice.steps);
    return {first, run_of(a, slice.length, (tile + 1) * slice.steps - 1) - first + 1};
}

/* Pieces are numbered along the lines: each new one has the next run or the next tile, or both. A
 * piece is [part][group of 8 tokens][32 lanes] float4, as an mma leaves them. */
DEVICE uint32_t piece_number(const struct linear_arguments &a, uint32_t slice, uint32_t run,
                             uint32_t tile)
{
    return slice * (a.runs + a.tiles) + run + tile;
}

DEVICE const struct linear_layer &layer_of_tile(const struct linear_arguments &a, uint32_t tile)
{
    uint32_t i = a.count > 1 && tile >= a.layer[1].first;
    return a.layer[i + (a.count > 2 && tile >= a.layer[2].first)];
}

#endif
