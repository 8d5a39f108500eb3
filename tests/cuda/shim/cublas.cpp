/* cuBLAS's products in plain loops, run in the stream like everything else. */
#include <cublas_v2.h>

#include "runtime.h"

#include <vector>

#include "blas.h"
#include "kernels/cpu/half.h"

cublasStatus_t cublasCreate(cublasHandle_t *handle)
{
    if (shim_ready() != cudaSuccess)
        return CUBLAS_STATUS_NOT_INITIALIZED;
    *handle = new cublasContext{NULL, device_current()};
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy(cublasHandle_t handle)
{
    delete handle;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream(cublasHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace(cublasHandle_t, void *workspace, size_t)
{
    return (uintptr_t)workspace % 256 == 0 ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_INVALID_VALUE;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t)
{
    return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetVersion(cublasHandle_t, int *version)
{
    *version = CUDART_VERSION * 10;
    return CUBLAS_STATUS_SUCCESS;
}

const char *cublasGetStatusString(cublasStatus_t status)
{
    return status == CUBLAS_STATUS_SUCCESS         ? "success"
           : status == CUBLAS_STATUS_INVALID_VALUE ? "an unsupported value or parameter was passed"
           : status == CUBLAS_STATUS_NOT_SUPPORTED ? "the functionality requested is not supported"
                                                   : "the function failed to launch on the GPU";
}

struct gemm {
    bool transpose_a, transpose_b;
    int m, n, k, lda, ldb, ldc;
    float alpha, beta;
    const uint16_t *a, *b;
    void *c;
    bool half_result;
};

/* [rows][k] of op(A) or columns of op(B), widened, k running. */
static std::vector<float> widened(const uint16_t *matrix, int ld, int rows, int k, bool k_runs)
{
    std::vector<float> out((size_t)rows * (size_t)k);
    for (int r = 0; r < rows; r++)
        for (int i = 0; i < k; i++)
            out[(size_t)r * (size_t)k + (size_t)i] =
                f32_of_f16(k_runs ? matrix[(size_t)r * (size_t)ld + (size_t)i]
                                  : matrix[(size_t)i * (size_t)ld + (size_t)r]);
    return out;
}

static void multiply(const struct gemm *g)
{
    std::vector<float> a = widened(g->a, g->lda, g->m, g->k, g->transpose_a);
    std::vector<float> b = widened(g->b, g->ldb, g->n, g->k, !g->transpose_b);
    for (int n = 0; n < g->n; n++)
        for (int m = 0; m < g->m; m++) {
            const float *x = &a[(size_t)m * (size_t)g->k], *y = &b[(size_t)n * (size_t)g->k];
            float sums[8] = {};
            for (int i = 0; i < g->k; i++)
                sums[i % 8] += x[i] * y[i];
            float sum = 0;
            for (float part : sums)
                sum += part;
            size_t at = (size_t)n * (size_t)g->ldc + (size_t)m;
            float *out = (float *)g->c;
            uint16_t *half = (uint16_t *)g->c;
            float old = g->beta == 0 ? 0 : g->half_result ? f32_of_f16(half[at]) : out[at];
            float value = g->alpha * sum + (g->beta == 0 ? 0 : g->beta * old);
            if (g->half_result)
                half[at] = f16_of_f32(value);
            else
                out[at] = value;
        }
}

cublasStatus_t cublasGemmEx(cublasHandle_t handle, cublasOperation_t transa,
                            cublasOperation_t transb, int m, int n, int k, const void *alpha,
                            const void *a, cudaDataType a_type, int lda, const void *b,
                            cudaDataType b_type, int ldb, const void *beta, void *c,
                            cudaDataType c_type, int ldc, cublasComputeType_t compute,
                            cublasGemmAlgo_t)
{
    shim_guard guard(shim_lock());
    if (a_type != CUDA_R_16F || b_type != CUDA_R_16F || compute != CUBLAS_COMPUTE_32F ||
        (c_type != CUDA_R_32F && c_type != CUDA_R_16F))
        return CUBLAS_STATUS_NOT_SUPPORTED;
    bool ta = transa != CUBLAS_OP_N, tb = transb != CUBLAS_OP_N;
    if (m < 0 || n < 0 || k < 0 || lda < (ta ? k : m) || ldb < (tb ? n : k) || ldc < m || lda < 1 ||
        ldb < 1 || ldc < 1)
        return CUBLAS_STATUS_INVALID_VALUE;
    if (shim_ready() != cudaSuccess || handle->device != device_current() ||
        fault_count(FAULT_LAUNCH) != HIT_NOTHING)
        return CUBLAS_STATUS_EXECUTION_FAILED;
    struct gemm gemm = {ta,
                        tb,
                        m,
                        n,
                        k,
                        lda,
                        ldb,
                        ldc,
                        *(const float *)alpha,
                        *(const float *)beta,
                        (const uint16_t *)a,
                        (const uint16_t *)b,
                        c,
                        c_type == CUDA_R_16F};
    cudaError_t status = stream_put(stream_or_default(handle->stream), {nullptr,
                                                                        [gemm] {
                                                                            multiply(&gemm);
                                                                            return cudaSuccess;
                                                                        },
                                                                        NULL});
    return status == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}
