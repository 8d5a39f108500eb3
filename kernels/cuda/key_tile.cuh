/*
 * key_tile.cuh - a tile of 64 keys or values on its way from pages to rows of halves in shared
 * memory, by a block of four warps (attend_prefill.cu).
 *
 * f16 pages are copied straight into place. q8 and q4 are copied as they are to a place of each
 * warp's own and widened by it when they land. A warp brings 16 of the tile's 64 positions: pages
 * are multiples of 16 tokens, so these lie in one page and follow each other there. Positions from
 * the source's limit on become zeros, since a weight of zero would still let a NaN in an unwritten
 * row through.
 *
 * Shared memory is in rows of head_dim halves; piece p (16 bytes) of row r stands at p ^ (r % 8),
 * so that ldmatrix, which reads one piece of eight rows, meets all banks.
 */
#ifndef AIRO_KERNELS_CUDA_KEY_TILE_CUH
#define AIRO_KERNELS_CUDA_KEY_TILE_CUH

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/kv.cuh"

#define WARPS     4
#define THREADS   (32 * WARPS)
#define WARP_ROWS (GPU_PREFILL_ROWS / WARPS)
#define KEYS      64             /* of a tile */
#define WARP_KEYS (KEYS / WARPS) /* that one warp brings */

/* Bytes of a row in a page, of its scales, of what a warp keeps of its 16 rows before they are
 * widened (rows, then scales), and of a block's shared memory. */
template <enum kv_type type, uint32_t dim> struct format {
    static constexpr uint32_t row = kv_form<type, dim>::row_bytes;
    static constexpr uint32_t scales = 2 * kv_form<type, dim>::scales;
    static constexpr uint32_t raw = type == KV_F16 ? 0 : WARP_KEYS * (row + scales);
    static constexpr uint32_t shared = (GPU_PREFILL_ROWS + 2 * KEYS) * 2 * dim + 2 * WARPS * raw;
};

/* Piece `piece` of row `row` in a matrix of rows of `dim` halves. */
template <uint32_t dim> DEVICE uint32_t swizzled(uint32_t row, uint32_t piece)
{
    return row * 2 * dim + (piece ^ row % 8) * 16;
}

/* --- bringing keys and values ----------------------------------------------------------------- */

struct key_source {
    const uint8_t *data; /* this layer's pages, moved on to the head */
    const uint32_t *pages;
    uint32_t page_tokens, limit; /* positions from `limit` on are not read */
    size_t page_bytes;
};

/* How many of the 16 positions of a tile that this warp brings are seen by anyone; may be more. */
DEVICE uint32_t valid_rows(const key_source &source, uint32_t tile)
{
    uint32_t position = tile * KEYS + warp_index() * WARP_KEYS;
    return position < source.limit ? source.limit - position : 0;
}

/* The piece of a lane in a widened 16-row piece of a tile: lanes go along rows. In step i it is
 * (lane_piece ^ i-th rows' swizzle) + i-th rows' offset, since the lane's row is below `rows`. */
template <uint32_t dim> DEVICE uint32_t lane_piece(uint32_t step)
{
    constexpr uint32_t pieces = dim / 8, rows = 32 / pieces;
    const uint32_t lane = lane_index(), row = lane / pieces;
    uint32_t at = row * 2 * dim + ((lane % pieces) ^ row) * 16;
    return (at ^ step * rows % 8 * 16) + step * rows * 2 * dim;
}

/* Starts the copy of this warp's rows of a tile, keys or `values`, into `to`: the tile itself for
 * f16, else the warp's own place. A page holds keys, values, scales of keys, scales of values. */
template <enum kv_type type, uint32_t dim>
DEVICE void fetch(uint8_t *to, const key_source &source, uint32_t tile, uint32_t values)
{
    typedef format<type, dim> format;
    const uint32_t lane = lane_index(), valid = valid_rows(source, tile);
    const uint8_t *rows = source.data, *scales = rows;
    if (valid > 0) {
        uint32_t position = tile * KEYS + warp_index() * WARP_KEYS;
        uint32_t page = position / source.page_tokens, slot = position % source.page_tokens;
        rows += source.pages[page] * source.page_bytes;
        scales = rows + (2 * format::row + values * format::scales) * source.page_tokens +
                 slot * format::scales;
        rows += (values * source.page_tokens + slot) * format::row;
    }
#pragma unroll
    for (uint32_t i = 0; i < WARP_KEYS * format::row / 512; i++) {
        bool seen = (512 * i + 16 * lane) / format::row < valid;
        copy16_async_if(to + (type == KV_F16 ? lane_piece<dim>(i) : 512 * i + 16 * lane),
                        seen ? rows + 512 * i + 16 * lane : source.data, seen);
    }
    if (type != KV_F16 && lane < WARP_KEYS * format::scales / 16 &&
        16 * lane < valid * format::scales)
        copy16_async(to + WARP_KEYS * format::row + 16 * lane, scales + 16 * lane);
    copy_commit();
}

/* Eight values from eight bytes of int8: 1024 + (value + 128) in halves, exactly, less 1152. */
DEVICE uint4 widen_q8(uint2 bytes, uint32_t scale)
{
    const uint32_t thousand = 0x64646464, zero = 0x64806480;
    uint32_t a = bytes.x ^ 0x80808080u, b = bytes.y ^ 0x80808080u;
    uint4 out;
    out.x = half2_mul(half2_sub(byte_permute(a, thousand, 0x4140), zero), scale);
    out.y = half2_mul(half2_sub(byte_permute(a, thousand, 0x4342), zero), scale);
    out.z = half2_mul(half2_sub(byte_permute(b, thousand, 0x4140), zero), scale);
    out.w = half2_mul(half2_sub(byte_permute(b, thousand, 0x4342), zero), scale);
    return out;
}

/* Eight values from the low (shift 0) or high (4) nibbles of eight bytes: level + 8. */
DEVICE uint4 widen_q4(uint2 bytes, uint32_t shift, uint32_t scale)
{
    const uint32_t thousand = 0x64646464, zero = 0x64086408;
    uint32_t a = bytes.x >> shift & 0x0F0F0F0Fu, b = bytes.y >> shift & 0x0F0F0F0Fu;
    uint4 out;
    out.x = half2_mul(half2_sub(byte_permute(a, thousand, 0x4140), zero), scale);
    out.y = half2_mul(half2_sub(byte_permute(a, thousand, 0x4342), zero), scale);
    out.z = half2_mul(half2_sub(byte_permute(b, thousand, 0x4140), zero), scale);
    out.w = half2_mul(half2_sub(byte_permute(b, thousand, 0x4342), zero), scale);
    return out;
}

/* Waits for this warp's rows, and widens them from `raw` into its rows of the tile. */
template <enum kv_type type, uint32_t dim>
DEVICE void land(uint8_t *to, const uint8_t *raw, uint32_t valid)
{
    copy_wait<0>();
    if (type == KV_F16)
        return;
    warp_sync();
    typedef format<type, dim> format;
    constexpr uint32_t pieces = dim / 8, rows = 32 / pieces; /* a widened row; done in one step */
    const uint32_t row = lane_index() / pieces, piece = lane_index() % pieces;
    const uint32_t shift = piece % 4 / 2 * 4;
    const uint8_t *from =
        raw + row * format::row + (type == KV_Q8 ? 8 * piece : piece / 4 * 16 + piece % 2 * 8);
    const uint8_t *scales = raw + WARP_KEYS * format::row + row * format::scales + piece / 4 * 2;
#pragma unroll
    for (uint32_t i = 0; i < WARP_KEYS / rows; i++) {
        uint2 bytes = *(const uint2 *)(from + i * rows * format::row);
        uint32_t scale = *(const uint16_t *)(scales + i * rows * format::scales) * 0x00010001u;
        uint4 values = type == KV_Q8 ? widen_q8(bytes, scale) : widen_q4(bytes, shift, scale);
        if (row + i * rows >= valid)
            values = make_uint4(0, 0, 0, 0);
        *(uint4 *)(to + lane_piece<dim>(i)) = values;
    }
}

#endif
