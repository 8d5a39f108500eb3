/*
 * linear_rows.cuh - the inputs of a block: its slice of every token's row, as f16 in shared memory.
 *
 * Rows are 64 bytes longer than a multiple of 128, so that the two tokens whose inputs eight lanes
 * read at once (16 bytes each, four lanes a token) lie in different banks.
 *
 * A norm is x * norm / rms(x): the products x * norm, scattered by the layer's order, are what the
 * weights meet, and 1 / rms is left for the finished sums. So x is read once, and nothing waits for
 * the sum of the squares. Residuals of Llama models times their norms are some 1e-4 to 1e3, which
 * f16 holds as well before the division as after it. A scattered store costs about three bank
 * conflicts; the weights keep coming meanwhile.
 */
#ifndef AIRO_KERNELS_CUDA_LINEAR_ROWS_CUH
#define AIRO_KERNELS_CUDA_LINEAR_ROWS_CUH

#include "kernels/cuda/linear.cuh"

#define ROWS_PADDING    64
#define ROWS_SUMS_BYTES (LINEAR_TOKENS * LINEAR_WARPS * 4)
#define COLUMNS         5 /* float4 of a row that a thread has at once: 5120 inputs a block */

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

/* The columns that a thread has: float4 number i of a batch is column first + 1024 i. */
struct columns {
    int4 place[COLUMNS];
    float4 norm[COLUMNS];
    uint32_t first, in;
};

DEVICE bool column_exists(const struct columns &c, int i)
{
    return c.first + 4 * LINEAR_THREADS * i < c.in;
}

DEVICE void columns_load(struct columns *c, const struct linear_arguments &a, uint32_t first)
{
    c->first = first;
    c->in = a.in;
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) {
        uint32_t at = first + 4 * LINEAR_THREADS * i;
        c->place[i] = int4{(int)at, (int)at + 1, (int)at + 2, (int)at + 3};
        c->norm[i] = float4{0, 0, 0, 0};
        if (!column_exists(*c, i))
            continue;
        if (a.inverse != NULL)
            c->place[i] = *(const int4 *)(a.inverse + at);
        c->norm[i] = *(const float4 *)(a.norm + at);
    }
}

DEVICE void values_load(float4 values[COLUMNS], const struct linear_arguments &a,
                        const struct columns &c, uint32_t token)
{
    if (token >= a.n)
        return;
    const float *x = row_of_x(a, token) + c.first;
#pragma unroll
    for (int i = 0; i < COLUMNS; i++)
        values[i] =
            column_exists(c, i) ? load_floats(x + 4 * LINEAR_THREADS * i) : float4{0, 0, 0, 0};
}

/* One value to its place, if that is in the slice. */
DEVICE void row_store(unsigned char *row, uint32_t place, uint32_t inputs, float value)
{
    if (place < inputs)
        *(uint16_t *)(row + 2 * place) = half_saturated(value);
}

/* Stores a token's values and gives the thread's sum of squares. */
DEVICE float values_store(const float4 values[COLUMNS], const struct columns &c, unsigned char *row,
                          uint32_t first, uint32_t inputs)
{
    float sum = 0;
#pragma unroll
    for (int i = 0; i < COLUMNS; i++) {
        float4 v = values[i], norm = c.norm[i];
        sum = fmaf(v.x, v.x, fmaf(v.y, v.y, fmaf(v.z, v.z, fmaf(v.w, v.w, sum))));
        if (!column_exists(c, i))
            continue;
        row_store(row, (uint32_t)c.place[i].x - first, inputs, v.x * norm.x);
        row_store(row, (uint32_t)c.place[i].y - first, inputs, v.y * norm.y);
        row_store(row, (uint32_t)c.place[i].z - first, inputs, v.z * norm.z);
        row_store(row, (uint32_t)c.place[i].w - first, inputs, v.w * norm.w);
    }
    return sum;
}

/* x * norm to its places, and the sums of the squares of x: sums[token][warp]. The next token's
 * values are on their way while one's are stored. */
DEVICE void rows_scatter(const struct linear_arguments &a, unsigned char *rows, float *sums,
                         uint32_t first, uint32_t inputs)
{
    for (uint32_t column = 4 * threadIdx.x; column < a.in + 4 * threadIdx.x;
         column += COLUMNS * 4 * LINEAR_THREADS) {
        struct columns c;
        float4 values[COLUMNS], next[COLUMNS] = {};
        columns_load(&c, a, column);
        if (column == 4 * threadIdx.x)
            grid_wait();
        values_load(values, a, c, 0);
        for (uint32_t token = 0; token < a.n; token++) {
            values_load(next, a, c, token + 1);
            float sum = values_store(values, c, rows + token * a.row_bytes, first, inputs);
            float *warp = sums + token * LINEAR_WARPS + warp_index();
            sum = warp_sum(sum);
            if (lane_index() == 0)
                *warp = sum + (column == 4 * threadIdx.x ? 0 : *warp);
#pragma unroll
            for (int i = 0; i < COLUMNS; i++)
                values[i] = next[i];
        }
    }
}

DEVICE float *rows_sums(const struct linear_arguments &a, unsigned char *rows)
{
    return (float *)(rows + a.rows_bytes - ROWS_SUMS_BYTES);
}

/* What a token's results are to be multiplied by: 1 / rms of its x. */
DEVICE float row_scale(const struct linear_arguments &a, const float *sums, uint32_t token)
{
    float sum = 0;
    if (a.x == NULL || token >= a.n)
        return 1;
    for (uint32_t warp = 0; warp < LINEAR_WARPS; warp++)
        sum += sums[token * LINEAR_WARPS + warp];
    return 1.0f / sqrtf(sum / (float)a.in + a.eps);
}

/* By all threads of the block; waits for the grid before. */
DEVICE void rows_fill(const struct linear_arguments &a, unsigned char *rows, uint32_t first,
                      uint32_t inputs)
{
    if (a.x != NULL) {
        rows_clear(a, rows);
        block_sync();
        rows_scatter(a, rows, rows_sums(a, rows), first, inputs);
    } else {
        grid_wait();
        rows_copy(a, rows, first, inputs);
    }
    block_sync();
}

#endif
