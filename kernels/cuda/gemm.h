/*
 * gemm.h - products of f16 matrices on tensor cores, by cuBLAS.
 *
 * The owner of a gpu_gemm owns one cuBLAS handle; the workspace is the caller's and must outlive
 * it. Sums are fp32, no atomics are allowed, and the workspace is set explicitly, so that equal
 * calls give equal bits and a stream that is being captured meets no allocation.
 */
#ifndef AIRO_KERNELS_CUDA_GEMM_H
#define AIRO_KERNELS_CUDA_GEMM_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GPU_GEMM_WORKSPACE ((size_t)32 << 20) /* what NVIDIA advises for sm_90 */

struct gpu_gemm {
    void *handle; /* cublasHandle_t */
    void *workspace;
    cudaStream_t stream;
    char message[200]; /* of the last failure: one line */
};

/* y float [n][y_stride] = acts f16 [n][acts_stride] x (matrix f16 [out][k])^T, or += where `add`.
 * Strides in elements. Device memory; rows of acts and matrix begin at multiples of 16 bytes. */
struct gpu_gemm_call {
    uint32_t n, out, k;
    const uint16_t *acts, *matrix;
    size_t acts_stride;
    float *y;
    size_t y_stride;
    bool add;
};

/* workspace: GPU_GEMM_WORKSPACE bytes of the current device, at a multiple of 256. 0, or -1 with
 * gemm->message. */
int gpu_gemm_open(struct gpu_gemm *gemm, void *workspace, cudaStream_t stream);
void gpu_gemm_close(struct gpu_gemm *gemm);
int gpu_gemm_run(struct gpu_gemm *gemm, const struct gpu_gemm_call *call, cudaStream_t stream);

/* What a cublasStatus_t means, in a few words. */
const char *gpu_cublas_text(int status);

#endif
