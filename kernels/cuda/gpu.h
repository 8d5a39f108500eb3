/*
 * gpu.h - what the files of the CUDA backend share: how weights, activations and pages lie in
 * device memory, and the launches that the host code calls.
 *
 *   device.cuh   the wrappers of PTX and of CUDA's built-ins, each with a plain host twin
 *   *.cu         kernels, and for each a launch function declared here (C linkage)
 *   *.c          host code: plain C over the CUDA runtime and cuBLAS
 *
 * The kernels' source is also compiled by the host's C++ compiler and run thread by thread in the
 * tests (tests/cuda/shim), so it uses nothing of CUDA but what device.cuh wraps.
 *
 * Decode (n <= GPU_DECODE_TOKENS) computes every result of a token in one fixed order, whatever
 * stands beside it: no floating-point atomics, splits that depend on positions only.
 */
#ifndef AIRO_KERNELS_CUDA_GPU_H
#define AIRO_KERNELS_CUDA_GPU_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/backend.h"

#ifdef __cplusplus
extern "C" {
#endif

#define GPU_DECODE_TOKENS 64  /* above it a step is prefill */
#define GPU_TILE_ROWS     16  /* outputs of one tile: m of mma.m16n8k16 */
#define GPU_CHUNK_INPUTS  128 /* inputs of one chunk: eight mma, four blocks of 32 */
#define GPU_SPLIT_TOKENS  256 /* positions that one block of decode attention reads */
#define GPU_ATTEND_ROWS   8   /* rows of one sequence that share one reading of the pages */

/*
 * A linear layer. Inputs are packed: sorted by group (stable), each group padded to a multiple of
 * 32, all to a multiple of 128; order[i] is the input that packed input i reads, -1 a padding that
 * reads as zero; inverse[i] is where input i stands among the packed ones. A layer in file order
 * has neither (padding at the end alone needs none). Dense layers pack nothing but the padding.
 *
 * Weights are tiles of 16 outputs, a tile a run of k / 128 chunks, a chunk one contiguous piece:
 *
 *   GPU_Q4   1024 bytes of nibbles; 128 of scales; 32 of zeros where has_zeros
 *   GPU_F16  4096 bytes of halves
 *
 * In a chunk lane l of a warp, g = l / 4, t = l % 4, owns for mma m = 0 .. 7 the packed inputs
 *   k0 .. k3 = 32 (m / 2) + 8 t + 4 (m % 2) + 0 .. 3    of outputs g and g + 8:
 *   A fragment   a0 = (g; k0, k1)  a1 = (g + 8; k0, k1)  a2 = (g; k2, k3)  a3 = (g + 8; k2, k3)
 *   B fragment   b0 = (k0, k1)  b1 = (k2, k3)            of token g
 * so that a lane reads its activations of a block of 32 as 16 contiguous bytes.
 *   nibbles  [m / 4][32 lanes] 16 bytes: word m % 4; a0 = nibbles 0, 4; a1 = 1, 5; a2 = 2, 6;
 *            a3 = 3, 7: output g has the low nibbles of the bytes, output g + 8 the high ones
 *   scales   f16 [8 g][4 blocks][2: output g, g + 8]
 *   zeros    bytes [8 g][4 blocks]: low nibble output g, high nibble output g + 8
 *   halves   [8 m][32 lanes] 16 bytes: a0, a1, a2, a3
 *   w = scale * (q - (zero + zero_add)); without zeros every zero is 0 and zero_add says it all
 * Padding has nibbles, scales and halves of zero. tiles.cuh says the same in code.
 */
enum gpu_form { GPU_Q4, GPU_F16 };

struct gpu_linear {
    enum gpu_form form;
    uint32_t in, out;     /* of the file */
    uint32_t k, tiles;    /* packed inputs, a multiple of 128; tiles of 16 outputs */
    uint32_t chunk_bytes; /* 1152, 1184 or 4096 */
    bool has_zeros;
    int32_t zero_add;       /* 0 .. 16 */
    const void *data;       /* device [tiles][k / 128][chunk_bytes], 16-byte aligned */
    const int32_t *order;   /* device [k] or NULL; layers with equal orders share one */
    const int32_t *inverse; /* device [in], 16-byte aligned, or NULL as order */
    const float *bias;      /* device [out] or NULL */
    size_t bytes;
    const uint16_t *resident; /* device f16 [tiles * 16][k] as gpu_dequantise writes it, for
                                 prefill where the card has room for it, or NULL */
};

/* --- loading: repack.cu ----------------------------------------------------------------------- */

/* Q4: from the file's arrays on the device; `order` and `group` [k / 32] are device arrays of the
 * packed inputs, linear->data the destination. */
struct gpu_repack {
    const uint32_t *qweight, *qzeros; /* device, as in struct backend_linear */
    const uint16_t *scales;
    const int32_t *order;  /* device [k], never NULL here */
    const uint32_t *group; /* device [k / 32]: the group of each block */
};
cudaError_t gpu_repack_q4(const struct gpu_linear *linear, const struct gpu_repack *source,
                          cudaStream_t stream);
/* Dense: weight [out, in] of any dtype on the device. */
cudaError_t gpu_repack_f16(const struct gpu_linear *linear, const void *weight,
                           enum backend_dtype dtype, cudaStream_t stream);

/* --- decode: linear.cu ------------------------------------------------------------------------ */

enum gpu_finish {
    GPU_STORE,    /* out[i] float [n][out_stride[i]] = y (+ bias) */
    GPU_ADD,      /* out[0] += y */
    GPU_SILU_MUL, /* linears are gate and up; out[0] f16 [n][out_stride[0]] at out_index */
};

/* Up to three layers with one order that read the same rows, in one launch; of the same form, k
 * and has_zeros. */
struct gpu_linear_call {
    uint32_t n; /* 1 .. GPU_DECODE_TOKENS */
    const struct gpu_linear *linear[3];
    uint32_t count;
    /* Input: rows of x, normalised (rmsnorm) and packed by the kernel ... */
    const float *x; /* device [.., x_stride], 16-byte aligned rows */
    size_t x_stride;
    const uint32_t *x_rows; /* device [n]: which rows of x, or NULL: 0 .. n - 1 */
    const float *norm;      /* device [in], 16-byte aligned */
    float eps;
    /* ... or, where x is NULL, packed rows of f16. */
    const uint16_t *acts; /* device [n][acts_stride], 16-byte aligned rows */
    size_t acts_stride;
    enum gpu_finish finish;
    void *out[3];
    size_t out_stride[3];     /* in elements */
    const int32_t *out_index; /* SILU_MUL: device [out]: where each output stands in a row of h;
                                 NULL: as it is */
    /* Scratch of gpu_linear_scratch bytes, zero before the first call; it is left zero where it
     * must be. All calls on one stream may share it. */
    void *scratch;
    uint32_t multiprocessors;
    uint32_t shared_bytes; /* that a block may have: cudaDevAttrMaxSharedMemoryPerBlockOptin */
};
size_t gpu_linear_scratch(const struct gpu_linear_call *call);
/* One launch for up to 32 tokens, as many as shared memory holds the inputs of. The bits of a
 * token's results depend on the layer, on count and on multiprocessors, not on n.
 * cudaErrorInvalidValue: layers that do not fit together; cudaErrorInvalidConfiguration: more
 * outputs than the scratch has tickets for, or less than 99 KiB of shared memory. */
cudaError_t gpu_linear_launch(const struct gpu_linear_call *call, cudaStream_t stream);

/* --- the batch on the device ------------------------------------------------------------------ */

/* One run of up to GPU_ATTEND_ROWS (decode) or GPU_PREFILL_ROWS rows of one sequence. */
struct gpu_run {
    uint32_t first, count; /* rows of the batch */
    uint32_t position;     /* of row `first`; the others follow */
    uint32_t table;        /* index of the first entry of its page table in pages[] */
};

/* Copied to fixed addresses before each step, so that a captured graph reads the new batch. */
struct gpu_batch {
    uint32_t n, runs;
    const int32_t *tokens;     /* device [n] */
    const uint32_t *positions; /* device [n] */
    const uint32_t *tables;    /* device [n]: index into pages[] of the row's sequence */
    const uint32_t *pages;     /* device: page tables, one after the other */
    const struct gpu_run *run; /* device [runs] */
    uint32_t max_position;     /* largest in the batch: bounds the splits */
};

/* --- keys and values: kv.cu, attend.cu, attend_prefill.cu ------------------------------------- */

/*
 * Pages. One allocation a layer; in it [page][kv_head][K rows, V rows, K scales, V scales], a row
 * being head_dim values of one position, as in the CPU backend (q8: int8; q4: nibbles of rows
 * rotated by Hadamard; one f16 scale per 32 values). KV_F32 is not offered.
 */
struct gpu_kv {
    enum kv_type type;
    uint32_t pages, page_tokens, head_dim, kv_heads;
    size_t row_bytes, head_bytes, page_bytes;
};

struct gpu_rope {
    const float *inv_freq; /* device [head_dim / 2] */
    float scale;
};

/* One layer's attention for every run of the batch. q, k, v are the raw projections. */
struct gpu_attend_call {
    struct gpu_batch batch;
    struct gpu_kv kv;
    void *data; /* device: this layer's pages */
    struct gpu_rope rope;
    uint32_t heads;
    float *q;           /* device [n][heads * head_dim] */
    const float *k, *v; /* device [n][kv_heads * head_dim] */
    uint16_t *a;        /* device f16 [n][a_stride] */
    size_t a_stride;
    const int32_t *a_index; /* device [heads * head_dim]: where each value stands in a row of a
                               (o_proj's packed order), or NULL */
    void *scratch;          /* of gpu_attend_scratch bytes, zero before the first call */
    /* Of a multiprocessor (cudaDevAttrMaxSharedMemoryPerMultiprocessor), in bytes; 0: not known. */
    uint32_t multiprocessor_shared;
};
/* Decode: rotates, appends the batch's rows to their pages, attends with split context, merges:
 * one launch, of at most GPU_DECODE_TOKENS rows. Runs have at most GPU_ATTEND_ROWS rows, one run a
 * sequence; rows outside of runs are not touched. head_dim 64 or 128, else cudaErrorInvalidValue.
 * batch.max_position may be larger than any position, so that a captured launch serves while
 * contexts grow. run[], pages[] and what earlier steps put into the pages are read while the kernel
 * before may still run: they are written by copies, or by kernels that a copy comes after.
 * The scratch holds tickets, which are left zero, and grows with batch.n and max_position. */
size_t gpu_attend_scratch(const struct gpu_attend_call *call);
cudaError_t gpu_attend_launch(const struct gpu_attend_call *call, cudaStream_t stream);

/* Prefill: rope_append rotates q in place and writes k and v; attend is tiled over the rows. Both
 * are also what decode uses where a sequence has more than GPU_ATTEND_ROWS rows, touch only rows
 * that are in a run, and take several runs of one sequence. A run is one block's rows, so few long
 * runs are better than many short ones; the last run is begun with, so that the longest context
 * does not come alone at the end. KV_Q4: q is left rotated by the Hadamard transform as well. */
#define GPU_PREFILL_ROWS 128
cudaError_t gpu_rope_append(const struct gpu_attend_call *call, cudaStream_t stream);
cudaError_t gpu_attend_prefill(const struct gpu_attend_call *call, cudaStream_t stream);

/* Copies the first `tokens` positions of one page to another. */
cudaError_t gpu_kv_copy(const struct gpu_kv *kv, void *data, uint32_t from, uint32_t to,
                        uint32_t tokens, cudaStream_t stream);

/* --- prefill and the rest: rows.cu, dequantise.cu, best.cu ------------------------------------ */

/* x float [n][x_stride] = rows of the embedding (of any dtype). */
cudaError_t gpu_embed(float *x, size_t x_stride, const int32_t *tokens, uint32_t n,
                      const void *table, enum backend_dtype dtype, uint32_t hidden,
                      cudaStream_t stream);
/* acts f16 [n][k] = rmsnorm(x[rows]) packed by order; 0 where order is -1. */
cudaError_t gpu_norm_rows(uint16_t *acts, uint32_t k, const int32_t *order, const float *x,
                          size_t x_stride, const uint32_t *x_rows, const float *norm, float eps,
                          uint32_t in, uint32_t n, cudaStream_t stream);
/* h f16 [n][h_stride] at h_index = silu(gate) * up, both float [n][stride]; biases may be NULL.
 * Whole rows of h are written: zeros where no h_index points. */
cudaError_t gpu_silu_mul(uint16_t *h, size_t h_stride, const int32_t *h_index, const float *gate,
                         const float *up, size_t stride, const float *gate_bias,
                         const float *up_bias, uint32_t ffn, uint32_t n, cudaStream_t stream);
/* y float [n][out] += bias */
cudaError_t gpu_add_bias(float *y, size_t stride, const float *bias, uint32_t out, uint32_t n,
                         cudaStream_t stream);
/* Tiles first .. end - 1 of a layer as a plain f16 matrix [rows][k], packed inputs. */
cudaError_t gpu_dequantise(uint16_t *matrix, const struct gpu_linear *linear, uint32_t first,
                           uint32_t end, cudaStream_t stream);
/* Of each of n rows of logits [n][vocab] the `limit` (<= 1024) best, by falling logit, ties by
 * rising id, non-finite ones left out: counts[row] of them at best[row * limit]. The scratch is
 * zero before the first call and left zero where it must be. */
#define GPU_BEST_MAX 1024
struct gpu_candidate {
    int32_t id;
    float logit;
};
size_t gpu_best_scratch(uint32_t n, uint32_t vocab, uint32_t limit);
cudaError_t gpu_best(struct gpu_candidate *best, uint32_t *counts, const float *logits, uint32_t n,
                     uint32_t vocab, uint32_t limit, void *scratch, cudaStream_t stream);

#ifdef __cplusplus
}
#endif

#endif
