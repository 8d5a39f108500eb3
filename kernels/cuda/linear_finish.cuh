/*
 * linear_finish.cuh - from pieces to results. A run announces its pieces by tickets, one a tile;
 * the warp whose announcement is the last of a tile sums the tile's pieces, in their order, and
 * does what the call asks of the results.
 */
#ifndef AIRO_KERNELS_CUDA_LINEAR_FINISH_CUH
#define AIRO_KERNELS_CUDA_LINEAR_FINISH_CUH

#include "kernels/cuda/linear_rows.cuh"

/* The number of pieces of a tile; lane e gets where piece skip + e of them lies. */
DEVICE uint32_t pieces_list(const struct linear_arguments &a, uint32_t tile, uint32_t skip,
                            uint32_t *number)
{
    struct run_range own = {0, 0};
    if (lane_index() < a.slices)
        own = runs_of_tile(a, slice_at(a, lane_index()), tile);
    uint32_t total = 0;
    *number = 0;
    for (uint32_t slice = 0; slice < a.slices; slice++) {
        uint32_t first = warp_shuffle(own.first, slice), count = warp_shuffle(own.count, slice);
        uint32_t place = skip + lane_index() - total;
        if (place < count)
            *number = piece_number(a, slice, first + place, tile);
        total += count;
    }
    return total;
}

template <int PARTS, int NT>
DEVICE void pieces_add(float sum[PARTS][NT][4], const uint4 values[PARTS * NT])
{
#pragma unroll
    for (int i = 0; i < PARTS * NT; i++) {
        float *c = sum[i / NT][i % NT];
        c[0] += float_from_bits(values[i].x);
        c[1] += float_from_bits(values[i].y);
        c[2] += float_from_bits(values[i].z);
        c[3] += float_from_bits(values[i].w);
    }
}

/* The pieces of a tile, by slice and run; several are read at once, added one after the other. */
template <int PARTS, int NT>
DEVICE void pieces_sum(float sum[PARTS][NT][4], const struct linear_arguments &a, uint32_t tile)
{
    constexpr uint32_t batch = PARTS * NT < 8 ? 8 / (PARTS * NT) : 1;
    uint32_t number, total = pieces_list(a, tile, 0, &number);
    for (uint32_t first = 0; first < total; first += batch) {
        uint4 values[batch][PARTS * NT];
        if (first % 32 == 0 && first > 0)
            pieces_list(a, tile, first, &number);
#pragma unroll
        for (uint32_t e = 0; e < batch; e++) {
            uint32_t own = warp_shuffle(number, (first + e) % 32);
            const float4 *piece = a.pieces + (size_t)own * (PARTS * NT * 32) + lane_index();
#pragma unroll
            for (int i = 0; i < PARTS * NT; i++)
                if (first + e < total && 8 * (i % NT) + 2 * (lane_index() % 4) < a.n)
                    values[e][i] = load16_coherent(piece + 32 * i);
                else
                    values[e][i] = uint4{0, 0, 0, 0};
        }
#pragma unroll
        for (uint32_t e = 0; e < batch; e++)
            if (first + e < total)
                pieces_add<PARTS, NT>(sum, values[e]);
    }
}

DEVICE float bias_of(const struct linear_layer &layer, uint32_t output)
{
    return layer.bias != NULL ? layer.bias[output] : 0.0f;
}

/* Where the lane's results of a tile belong: value i of group j is of token 8 j + pair + i % 2 and
 * of output row + 8 (i / 2). */
struct results {
    const struct linear_layer *layer;
    uint32_t row, pair;
};

template <int PARTS>
DEVICE struct results results_of(const struct linear_arguments &a, uint32_t tile)
{
    const struct linear_layer &layer = layer_of_tile(a, tile);
    uint32_t row = (PARTS == 1 ? tile - layer.first : tile) * GPU_TILE_ROWS + lane_index() / 4;
    return {&layer, row, lane_index() % 4 * 2};
}

DEVICE bool result_exists(const struct linear_arguments &a, const struct results &r, int j, int i)
{
    return r.row + i / 2 * 8 < r.layer->rows && 8 * j + r.pair + i % 2 < a.n;
}

/* Of GPU_STORE and GPU_ADD. */
DEVICE float *result_at(const struct results &r, int j, int i)
{
    size_t token = 8 * j + r.pair + i % 2;
    return (float *)r.layer->out + token * r.layer->out_stride + r.row + i / 2 * 8;
}

/* What the results are added to, read while the pieces come. */
template <int NT>
DEVICE void results_before(float before[NT][4], const struct linear_arguments &a,
                           const struct results &r)
{
#pragma unroll
    for (int j = 0; j < NT; j++)
#pragma unroll
        for (int i = 0; i < 4; i++) {
            before[j][i] = 0;
            if (!result_exists(a, r, j, i))
                continue;
            if (a.finish == GPU_ADD)
                before[j][i] = *result_at(r, j, i);
            before[j][i] += bias_of(*r.layer, r.row + i / 2 * 8);
        }
}

DEVICE void silu_store(const struct linear_arguments &a, uint32_t output, uint32_t token,
                       float gate, float up)
{
    gate += bias_of(a.layer[0], output);
    up += bias_of(a.layer[1], output);
    uint32_t place = a.out_index != NULL ? (uint32_t)a.out_index[output] : output;
    uint16_t *row = (uint16_t *)a.layer[0].out + token * a.layer[0].out_stride;
    row[place] = half_saturated(gate / (1.0f + expf(-gate)) * up);
}

template <int PARTS, int NT>
DEVICE void tile_finish(const struct linear_arguments &a, const float *sums, uint32_t tile)
{
    float sum[PARTS][NT][4] = {}, before[NT][4];
    struct results r = results_of<PARTS>(a, tile);
    if (PARTS == 1)
        results_before<NT>(before, a, r);
    pieces_sum<PARTS, NT>(sum, a, tile);
#pragma unroll
    for (int j = 0; j < NT; j++) {
        const float scale[2] = {row_scale(a, sums, 8 * j + r.pair),
                                row_scale(a, sums, 8 * j + r.pair + 1)};
#pragma unroll
        for (int i = 0; i < 4; i++) {
            float value = sum[0][j][i] * scale[i % 2];
            if (!result_exists(a, r, j, i))
                continue;
            if (PARTS == 1)
                *result_at(r, j, i) = before[j][i] + value;
            else
                silu_store(a, r.row + i / 2 * 8, 8 * j + r.pair + i % 2, value,
                           sum[PARTS - 1][j][i] * scale[i % 2]);
        }
    }
}

/* Runs that bring a piece of the tile. */
DEVICE uint32_t pieces_of_tile(const struct linear_arguments &a, uint32_t tile)
{
    uint32_t count = 0;
    for (uint32_t slice = 0; slice < a.slices; slice++)
        count += runs_of_tile(a, slice_at(a, slice), tile).count;
    return count;
}

/* Says of up to 32 tiles, one a lane, that this run's pieces are there, and finishes those that
 * were waiting for nothing else. `pieces`: of the lane's tile; 0: none. */
template <int PARTS, int NT>
DEVICE void tiles_announce(const struct linear_arguments &a, const float *sums, uint32_t first,
                           uint32_t pieces)
{
    bool last = false;
    if (pieces > 0) {
        uint32_t *ticket = &a.tickets[first + lane_index()];
        last = atomic_add(ticket, 1) + 1 == pieces;
        if (last)
            *ticket = 0;
    }
    uint32_t ready = warp_ballot(last);
    if (ready == 0)
        return;
    fence(); /* the tickets, before any lane reads the pieces */
    warp_sync();
    for (uint32_t i = 0; i < 32; i++)
        if (ready >> i & 1)
            tile_finish<PARTS, NT>(a, sums, first + i);
}

DEVICE uint32_t lane_pieces(const struct linear_arguments &a, uint32_t first, uint32_t end)
{
    uint32_t tile = first + lane_index();
    return tile < end ? pieces_of_tile(a, tile) : 0;
}

#endif
