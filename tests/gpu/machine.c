/* machine.c - the machine's own limits: how fast its memory copies, how fast cuBLAS multiplies. */
#include <cublas_v2.h>
#include <cuda_runtime_api.h>
#include <stdio.h>

#include "check.h"

bool machine_describe(char *line, size_t bytes)
{
    int count = 0, runtime = 0, driver = 0;
    cudaError_t status = cudaGetDeviceCount(&count);
    if (status != cudaSuccess || count == 0) {
        bool has_driver = cudaDriverGetVersion(&driver) == cudaSuccess && driver > 0;
        snprintf(line, bytes, "%s",
                 !has_driver             ? "no NVIDIA driver was found"
                 : status == cudaSuccess ? "none is there"
                                         : cudaGetErrorString(status));
        return false;
    }
    struct cudaDeviceProp device;
    cudaGetDeviceProperties(&device, 0);
    cudaRuntimeGetVersion(&runtime);
    cudaDriverGetVersion(&driver);
    snprintf(line, bytes,
             "%s, compute capability %d.%d, %d multiprocessors, %.1f GiB, CUDA %d.%d, driver for "
             "%d.%d, %d device%s",
             device.name, device.major, device.minor, device.multiProcessorCount,
             (double)device.totalGlobalMem / (1 << 30), runtime / 1000, runtime % 1000 / 10,
             driver / 1000, driver % 1000 / 10, count, count == 1 ? "" : "s");
    return true;
}

/* Seconds of the best of five runs of `run`, by the device's clock. */
typedef cudaError_t (*timed)(void *user, cudaStream_t stream);
static double best_seconds(timed run, void *user)
{
    cudaStream_t stream;
    cudaEvent_t start, end;
    float best = 0, milliseconds;
    if (cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking) != cudaSuccess)
        return 0;
    cudaEventCreate(&start);
    cudaEventCreate(&end);
    for (int i = 0; i < 6; i++) { /* the first warms up */
        cudaEventRecord(start, stream);
        if (run(user, stream) != cudaSuccess)
            break;
        cudaEventRecord(end, stream);
        if (cudaStreamSynchronize(stream) != cudaSuccess ||
            cudaEventElapsedTime(&milliseconds, start, end) != cudaSuccess)
            break;
        if (i > 0 && (best == 0 || milliseconds < best))
            best = milliseconds;
    }
    cudaEventDestroy(start);
    cudaEventDestroy(end);
    cudaStreamDestroy(stream);
    return best / 1e3;
}

/* --- copy ------------------------------------------------------------------------------------- */

struct copy {
    void *to, *from;
    size_t bytes;
};

static cudaError_t run_copy(void *user, cudaStream_t stream)
{
    const struct copy *copy = user;
    return cudaMemcpyAsync(copy->to, copy->from, copy->bytes, cudaMemcpyDeviceToDevice, stream);
}

static double copy_rate(size_t bytes)
{
    struct copy copy = {.bytes = bytes};
    double rate = 0;
    if (cudaMalloc(&copy.to, bytes) == cudaSuccess &&
        cudaMalloc(&copy.from, bytes) == cudaSuccess &&
        cudaMemset(copy.from, 1, bytes) == cudaSuccess) {
        double seconds = best_seconds(run_copy, &copy);
        rate = seconds > 0 ? 2 * (double)bytes / seconds : 0;
    }
    cudaFree(copy.to);
    cudaFree(copy.from);
    return rate;
}

/* --- cuBLAS ----------------------------------------------------------------------------------- */

struct product {
    cublasHandle_t handle;
    int m, n, k;
    void *a, *b, *c;
};

/* c [n][m] = b [n][k] a [m][k]: as prefill multiplies n rows by a layer. */
static cudaError_t run_product(void *user, cudaStream_t stream)
{
    const struct product *p = user;
    const float one = 1, zero = 0;
    cublasSetStream(p->handle, stream);
    cublasStatus_t status = cublasGemmEx(
        p->handle, CUBLAS_OP_T, CUBLAS_OP_N, p->m, p->n, p->k, &one, p->a, CUDA_R_16F, p->k, p->b,
        CUDA_R_16F, p->k, &zero, p->c, CUDA_R_32F, p->m, CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT);
    return status == CUBLAS_STATUS_SUCCESS ? cudaSuccess : cudaErrorUnknown;
}

static double product_rate(int m, int n, int k)
{
    struct product p = {.m = m, .n = n, .k = k};
    double rate = 0;
    size_t a = (size_t)m * (size_t)k * 2, b = (size_t)n * (size_t)k * 2;
    if (cublasCreate(&p.handle) != CUBLAS_STATUS_SUCCESS)
        return 0;
    if (cudaMalloc(&p.a, a) == cudaSuccess && cudaMalloc(&p.b, b) == cudaSuccess &&
        cudaMalloc(&p.c, (size_t)m * (size_t)n * 4) == cudaSuccess &&
        cudaMemset(p.a, 0x2C, a) == cudaSuccess && cudaMemset(p.b, 0x2C, b) == cudaSuccess) {
        double seconds = best_seconds(run_product, &p);
        rate = seconds > 0 ? 2.0 * m * n * k / seconds : 0;
    }
    cudaFree(p.a);
    cudaFree(p.b);
    cudaFree(p.c);
    cublasDestroy(p.handle);
    return rate;
}

void machine_measure(struct check *check, struct machine *machine)
{
    bool tiny = check_options(check)->tiny;
    machine->copy_bytes = copy_rate(tiny ? 1 << 20 : (size_t)1 << 30);
    int n = tiny ? 16 : 4096, hidden = tiny ? 64 : 5120, ffn = tiny ? 96 : 13824;
    double up = product_rate(ffn, n, hidden), down = product_rate(hidden, n, ffn);
    machine->matrix_flops = up > 0 && down > 0 ? 2 / (1 / up + 1 / down) : 0;
    cudaDeviceSynchronize();
    if (machine->copy_bytes > 0)
        check_figure(check, "copy on the device, read and written", tiny ? "1 MiB" : "1 GiB",
                     machine->copy_bytes / 1e9, "GB/s");
    else
        check_not_run(check, "copy on the device", "%s", cudaGetErrorString(cudaGetLastError()));
    if (machine->matrix_flops > 0)
        check_figure(check, "cuBLAS, f16 with sums in f32", tiny ? "16 rows" : "4096 rows, 13B",
                     machine->matrix_flops / 1e12, "TFLOP/s");
    else
        check_not_run(check, "cuBLAS", "%s", cudaGetErrorString(cudaGetLastError()));
}
