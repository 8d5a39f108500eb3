#include "kernels/cuda/gemm.h"

#include <cublas_v2.h>
#include <limits.h>
#include <stdio.h>

/* cublasGetStatusString came with CUDA 11.4.2; the names that people will search for are few. */
const char *gpu_cublas_text(int status)
{
    static const struct {
        cublasStatus_t status;
        const char *text;
    } texts[] = {
        {CUBLAS_STATUS_NOT_INITIALIZED, "not initialised: no driver or a lost device"},
        {CUBLAS_STATUS_ALLOC_FAILED, "out of device memory"},
        {CUBLAS_STATUS_INVALID_VALUE, "an argument is not allowed"},
        {CUBLAS_STATUS_EXECUTION_FAILED, "the launch failed"},
        {CUBLAS_STATUS_INTERNAL_ERROR, "an internal error"},
        {CUBLAS_STATUS_NOT_SUPPORTED, "not supported on this device"},
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        if ((int)texts[i].status == status)
            return texts[i].text;
    return "an unknown error";
}

static int gemm_error(struct gpu_gemm *gemm, const char *what, cublasStatus_t status)
{
    snprintf(gemm->message, sizeof gemm->message, "cuBLAS: %s: %s (status %d)", what,
             gpu_cublas_text((int)status), (int)status);
    return -1;
}

/* Setting the stream puts cuBLAS' own workspace back, so ours is set after it. */
static cublasStatus_t set_stream(struct gpu_gemm *gemm, cudaStream_t stream)
{
    cublasHandle_t handle = gemm->handle;
    cublasStatus_t status = cublasSetStream(handle, stream);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublasSetWorkspace(handle, gemm->workspace, GPU_GEMM_WORKSPACE);
    gemm->stream = stream;
    return status;
}

int gpu_gemm_open(struct gpu_gemm *gemm, void *workspace, cudaStream_t stream)
{
    cublasHandle_t handle = NULL;
    *gemm = (struct gpu_gemm){.workspace = workspace};
    cublasStatus_t status = cublasCreate(&handle);
    if (status != CUBLAS_STATUS_SUCCESS)
        return gemm_error(gemm, "cannot start", status);
    gemm->handle = handle;
    status = set_stream(gemm, stream);
    if (status == CUBLAS_STATUS_SUCCESS)
        status = cublasSetMathMode(handle, CUBLAS_MATH_DISALLOW_REDUCED_PRECISION_REDUCTION);
    if (status == CUBLAS_STATUS_SUCCESS)
        return 0;
    gpu_gemm_close(gemm);
    return gemm_error(gemm, "cannot set up", status);
}

void gpu_gemm_close(struct gpu_gemm *gemm)
{
    if (gemm->handle != NULL)
        cublasDestroy(gemm->handle);
    gemm->handle = NULL;
}

/* Rows of ours are columns of cuBLAS: y^T [out, n] = matrix (transposed twice) x acts^T. */
int gpu_gemm_run(struct gpu_gemm *gemm, const struct gpu_gemm_call *call, cudaStream_t stream)
{
    const float one = 1, beta = call->add ? 1 : 0;
    cublasStatus_t status = CUBLAS_STATUS_SUCCESS;
    char what[96];
    if (call->n == 0 || call->out == 0)
        return 0;
    if (call->acts_stride > INT_MAX || call->y_stride > INT_MAX)
        return gemm_error(gemm, "a row is too long", CUBLAS_STATUS_INVALID_VALUE);
    if (stream != gemm->stream)
        status = set_stream(gemm, stream);
    if (status == CUBLAS_STATUS_SUCCESS)
        status =
            cublasGemmEx(gemm->handle, CUBLAS_OP_T, CUBLAS_OP_N, (int)call->out, (int)call->n,
                         (int)call->k, &one, call->matrix, CUDA_R_16F, (int)call->k, call->acts,
                         CUDA_R_16F, (int)call->acts_stride, &beta, call->y, CUDA_R_32F,
                         (int)call->y_stride, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
    if (status == CUBLAS_STATUS_SUCCESS)
        return 0;
    snprintf(what, sizeof what, "%u tokens x %u inputs x %u outputs", call->n, call->k, call->out);
    return gemm_error(gemm, what, status);
}
