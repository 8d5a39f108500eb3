/*
 * prefill.h - linear layers of many tokens: weights widened to f16 and multiplied by cuBLAS.
 *
 * A layer that has a resident f16 copy is one product. Any other is taken in slices of outputs:
 * each is widened into one of two places of the workspace on a stream of its own and multiplied on
 * the caller's, so that the next slice (of this layer, or of the next one called) is widened while
 * the last is multiplied. Act-order costs nothing here: activations are packed by the layer's order
 * on the way in.
 *
 * A gpu_prefill owns a cuBLAS handle, a stream and events. The workspace is the caller's. Calls are
 * not for a stream that is being captured.
 */
#ifndef AIRO_KERNELS_CUDA_PREFILL_H
#define AIRO_KERNELS_CUDA_PREFILL_H

#include "kernels/cuda/gpu.h"

struct gpu_prefill;

struct gpu_prefill_sizes {
    uint32_t max_tokens;
    uint32_t k_max;     /* packed inputs of the widest layer whose input is normalised */
    uint32_t ffn;       /* outputs of gate and up */
    size_t slice_bytes; /* of each of the two slices; 0: 64 MiB */
};

/* Device memory of the workspace; with room for the alignment inside it. */
size_t gpu_prefill_bytes(const struct gpu_prefill_sizes *sizes);
/* The device is current; `workspace` is gpu_prefill_bytes of its memory, as cudaMalloc gives it,
 * and outlives the gpu_prefill. `stream` is the one that calls will come with. 0, or -1 and one
 * line. */
int gpu_prefill_open(struct gpu_prefill **out, const struct gpu_prefill_sizes *sizes,
                     void *workspace, cudaStream_t stream, char message[200]);
/* Nothing that was called may still run. */
void gpu_prefill_close(struct gpu_prefill *prefill);

/* Like gpu_linear_launch, for any n up to max_tokens; call->scratch and multiprocessors are not
 * used. With SILU_MUL whole rows of out[0] are written, zeros where out_index does not point. */
cudaError_t gpu_prefill_linear(struct gpu_prefill *prefill, const struct gpu_linear_call *call,
                               cudaStream_t stream);
/* One line about the last failure of gpu_prefill_linear. */
const char *gpu_prefill_error(const struct gpu_prefill *prefill);

#endif
