/*
 * Tests of the shim itself: that it finds what a kernel or a caller does wrong, runs streams as
 * late as it may, fails on request, and multiplies matrices. Only for the host.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <cublas_v2.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device_kernels.h"
#include "device_memory.h"
#include "kernels/cpu/half.h"
#include "shim/shim.h"

static int fresh_device(void **state)
{
    (void)state;
    static const char *const names[] = {"AIRO_SHIM_FAIL", "AIRO_SHIM_DEVICES", "AIRO_SHIM_MEMORY",
                                        "AIRO_SHIM_REVERSE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    cudaDeviceReset();
    shim_quiet(1);
    return 0;
}

/* --- what kernels do wrong -------------------------------------------------------------------- */

static const struct {
    enum fault fault;
    cudaError_t error;
    const char *report;
} faults[] = {
    {FAULT_WARP_PART, cudaErrorLaunchFailure, "returned while lanes of its warp wait"},
    {FAULT_WARP_MIXED, cudaErrorLaunchFailure, "is in warp_"},
    {FAULT_BLOCK_RETURN, cudaErrorLaunchFailure, "block_sync"},
    {FAULT_BLOCK_STUCK, cudaErrorLaunchFailure, "for ever"},
    {FAULT_MISALIGNED, cudaErrorMisalignedAddress, "block (0, 0, 0) thread 5 gave load16_stream"},
    {FAULT_NO_GRID_WAIT, cudaErrorLaunchFailure, "never in grid_wait"},
    {FAULT_NOT_SHARED, cudaErrorIllegalAddress, "not shared memory"},
};

static void faults_are_found_and_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        void *out = device_copy(NULL, 64 * 4), *in = device_copy(NULL, 1024);
        cuda_ok(run_fault(faults[i].fault, out, in, 0));
        assert_int_equal(cudaDeviceSynchronize(), faults[i].error);
        if (!strstr(shim_last_report(), faults[i].report) ||
            !strstr(shim_last_report(), "kernel fault_kernel: "))
            fail_msg("fault %d: %s", (int)faults[i].fault, shim_last_report());
        void *more; /* the device is lost */
        assert_int_equal(cudaMalloc(&more, 16), faults[i].error);
        assert_int_equal(run_shape(1, 1, 1, 32, 0), faults[i].error);
        cuda_ok(cudaDeviceReset());
        assert_int_equal(shim_device_allocations(0), 0);
    }
    void *out = device_copy(NULL, 64 * 4), *in = device_copy(NULL, 1024);
    uint32_t got[64];
    cuda_ok(run_fault(FAULT_NONE, out, in, 0));
    device_read(got, out, sizeof got);
    assert_int_equal(got[63], 7);
}

static void what_was_not_waited_for_is_not_there(void **state)
{
    (void)state;
    static const enum fault both[] = {FAULT_NO_WAIT, FAULT_UNWRITTEN};
    for (size_t i = 0; i < 2; i++) {
        void *out = device_copy(NULL, 64 * 4), *in = device_copy(NULL, 1024);
        uint32_t got[64];
        cuda_ok(run_fault(both[i], out, in, 0));
        device_read(got, out, sizeof got);
        for (int t = 0; t < 64; t++)
            assert_int_equal(got[t], 0xFFFFFFFF);
        device_free(out);
        device_free(in);
    }
}

static void host_memory_is_out_of_reach(void **state)
{
    (void)state;
    uint32_t values[32] = {0}, *pinned;
    cuda_ok(cudaMallocHost((void **)&pinned, sizeof values));
    memset(pinned, 0, sizeof values);
    cuda_ok(run_step(pinned, 32, 0, 0));
    cuda_ok(cudaDeviceSynchronize());
    assert_int_equal(pinned[31], 1);
    cuda_ok(cudaFreeHost(pinned));
    cuda_ok(run_step(values, 32, 0, 0));
    assert_int_equal(cudaDeviceSynchronize(), cudaErrorIllegalAddress);
    assert_non_null(strstr(shim_last_report(), "host memory"));
    assert_int_equal(values[31], 0);
}

/* Two dependent steps of which the second reads before it waits: it sees what was before the first.
 */
static void an_early_read_is_old(void **state)
{
    (void)state;
    for (int early = 0; early <= 1; early++) {
        uint32_t value = 5;
        void *device = device_copy(&value, sizeof value);
        cuda_ok(run_step(device, 1, 0, 0));
        cuda_ok(run_step(device, 1, early, 0));
        device_read(&value, device, sizeof value);
        assert_int_equal(value, early ? 16 : 49);
        device_free(device);
    }
}

static void launches_have_limits(void **state)
{
    (void)state;
    static const struct {
        uint32_t x, y, z, block, shared;
        cudaError_t error;
    } shapes[] = {
        {1, 1, 1, 1024, 227 * 1024, cudaSuccess},
        {3, 65535, 1, 32, 0, cudaSuccess},
        {1, 1, 1, 1025, 0, cudaErrorInvalidConfiguration},
        {1, 1, 1, 0, 0, cudaErrorInvalidConfiguration},
        {0, 1, 1, 32, 0, cudaErrorInvalidConfiguration},
        {1, 65536, 1, 32, 0, cudaErrorInvalidConfiguration},
        {1, 1, 65536, 32, 0, cudaErrorInvalidConfiguration},
        {1, 1, 1, 32, 227 * 1024 + 1, cudaErrorInvalidValue},
    };
    for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++)
        assert_int_equal(
            run_shape(shapes[i].x, shapes[i].y, shapes[i].z, shapes[i].block, shapes[i].shared),
            shapes[i].error);
    cudaDeviceReset(); /* without running them */
}

static void blocks_may_run_in_any_order(void **state)
{
    (void)state;
    enum { BLOCKS = 4 };
    static uint32_t in[BLOCKS * 1024], out[2][BLOCKS + 1];
    for (uint32_t i = 0; i < BLOCKS * 1024; i++)
        in[i] = i * i;
    for (int reverse = 0; reverse <= 1; reverse++) {
        void *din = device_copy(in, sizeof in), *dout = device_copy(NULL, sizeof out[0]);
        void *ticket = device_copy(NULL, 4);
        setenv("AIRO_SHIM_REVERSE", reverse ? "1" : "0", 1);
        cuda_ok(run_sums(dout, din, BLOCKS, BLOCKS * 1024, ticket, 0));
        device_read(out[reverse], dout, sizeof out[0]);
    }
    assert_memory_equal(out[0], out[1], sizeof out[0]);
}

/* --- what callers do wrong -------------------------------------------------------------------- */

static void streams_run_when_someone_waits(void **state)
{
    (void)state;
    uint32_t *pinned;
    cudaStream_t stream, other;
    cudaEvent_t event;
    cuda_ok(cudaMallocHost((void **)&pinned, 8));
    cuda_ok(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    cuda_ok(cudaStreamCreateWithFlags(&other, cudaStreamNonBlocking));
    cuda_ok(cudaEventCreateWithFlags(&event, cudaEventDisableTiming));
    void *device = device_copy(NULL, 4);
    cuda_ok(cudaDeviceSynchronize());
    pinned[0] = 1;
    pinned[1] = 77;
    cuda_ok(cudaMemcpyAsync(device, pinned, 4, cudaMemcpyHostToDevice, stream));
    cuda_ok(run_step(device, 1, 0, stream));
    cuda_ok(cudaEventRecord(event, stream));
    cuda_ok(cudaStreamWaitEvent(other, event, 0));
    cuda_ok(cudaMemcpyAsync(pinned + 1, device, 4, cudaMemcpyDeviceToHost, other));
    pinned[0] = 2; /* too soon */
    assert_int_equal(pinned[1], 77);
    assert_int_equal(cudaStreamQuery(other), cudaErrorNotReady);
    cuda_ok(cudaStreamSynchronize(other));
    assert_int_equal(pinned[1], 7);
    cuda_ok(cudaEventDestroy(event));
    cuda_ok(cudaStreamDestroy(stream));
    cuda_ok(cudaStreamDestroy(other));
    cuda_ok(cudaFreeHost(pinned));
    device_free(device);
}

static void copies_are_checked(void **state)
{
    (void)state;
    char host[64] = {0};
    char *device = device_copy(NULL, 64);
    assert_int_equal(cudaMemcpy(device, host, 65, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    assert_int_equal(cudaMemcpy(device + 8, host, 60, cudaMemcpyHostToDevice),
                     cudaErrorInvalidValue);
    assert_int_equal(cudaMemcpy(host, device, 8, cudaMemcpyHostToDevice), cudaErrorInvalidValue);
    assert_int_equal(cudaMemset(host, 0, 8), cudaErrorInvalidValue);
    assert_int_equal(cudaFree(device + 8), cudaErrorInvalidValue);
    assert_int_equal(cudaGetLastError(), cudaErrorInvalidValue);
    assert_int_equal(cudaGetLastError(), cudaSuccess);
    cuda_ok(cudaMemcpy2D(host, 16, device, 8, 4, 3, cudaMemcpyDeviceToHost));
    device_free(device);
}

static void captures_refuse_what_graphs_cannot_hold(void **state)
{
    (void)state;
    cudaStream_t stream;
    cudaGraph_t graph;
    void *memory;
    cuda_ok(cudaStreamCreateWithFlags(&stream, cudaStreamNonBlocking));
    cuda_ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    assert_int_equal(cudaMalloc(&memory, 16), cudaErrorStreamCaptureUnsupported);
    cuda_ok(cudaStreamEndCapture(stream, &graph));
    cuda_ok(cudaGraphDestroy(graph));
    cuda_ok(cudaStreamBeginCapture(stream, cudaStreamCaptureModeThreadLocal));
    assert_int_equal(cudaStreamSynchronize(stream), cudaErrorStreamCaptureUnsupported);
    assert_int_equal(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureInvalidated);
    assert_int_equal(cudaStreamEndCapture(stream, &graph), cudaErrorStreamCaptureUnmatched);
    cuda_ok(cudaStreamDestroy(stream));
}

/* --- faults on request ------------------------------------------------------------------------ */

static void faults_come_when_asked_for(void **state)
{
    (void)state;
    void *device = device_copy(NULL, 64), *more;
    setenv("AIRO_SHIM_FAIL", "malloc:2", 1);
    cuda_ok(cudaMalloc(&more, 16));
    device_free(more);
    assert_int_equal(cudaMalloc(&more, 16), cudaErrorMemoryAllocation);
    cuda_ok(cudaMalloc(&more, 16));
    setenv("AIRO_SHIM_FAIL", "launch:1", 1);
    assert_int_equal(run_shape(1, 1, 1, 32, 0), cudaErrorLaunchOutOfResources);
    cuda_ok(run_shape(1, 1, 1, 32, 0));
    setenv("AIRO_SHIM_FAIL", "copy:1", 1);
    assert_int_equal(cudaMemset(device, 0, 8), cudaErrorInvalidValue);
    cuda_ok(cudaMemset(device, 0, 8));
    setenv("AIRO_SHIM_FAIL", "lost:2", 1);
    cuda_ok(run_shape(1, 1, 1, 32, 0));
    cuda_ok(run_shape(1, 1, 1, 32, 0));
    assert_int_equal(cudaDeviceSynchronize(), cudaErrorUnknown);
    assert_int_equal(cudaMalloc(&more, 16), cudaErrorUnknown);
    cuda_ok(cudaDeviceReset());
    cuda_ok(cudaMalloc(&more, 16));
    device_free(more);
}

static void devices_have_the_memory_they_are_given(void **state)
{
    (void)state;
    setenv("AIRO_SHIM_DEVICES", "3", 1);
    setenv("AIRO_SHIM_MEMORY", "4096", 1);
    int count;
    size_t free_bytes, total;
    void *memory, *other;
    cuda_ok(cudaGetDeviceCount(&count));
    assert_int_equal(count, 3);
    assert_int_equal(cudaSetDevice(3), cudaErrorInvalidDevice);
    cuda_ok(cudaSetDevice(2));
    cuda_ok(cudaMalloc(&memory, 3000));
    assert_int_equal(cudaMalloc(&other, 1100), cudaErrorMemoryAllocation);
    cuda_ok(cudaMemGetInfo(&free_bytes, &total));
    assert_int_equal(total, 4096);
    assert_int_equal(free_bytes, 1024);
    cuda_ok(cudaSetDevice(0));
    cuda_ok(cudaMalloc(&other, 1100));
    cuda_ok(cudaMemset(memory, 3, 1000));
    cuda_ok(cudaMemcpyPeer(other, 0, memory, 2, 1000));
    assert_int_equal(cudaMemcpyPeer(other, 1, memory, 2, 1000), cudaErrorInvalidValue);
    unsigned char got[1000];
    device_read(got, other, sizeof got);
    assert_int_equal(got[999], 3);
    device_free(other);
    device_free(memory);
    setenv("AIRO_SHIM_DEVICES", "0", 1);
    assert_int_equal(cudaGetDeviceCount(&count), cudaErrorNoDevice);
}

/* --- cuBLAS ----------------------------------------------------------------------------------- */

static void check_gemm(cublasHandle_t handle, bool ta, bool tb, float beta)
{
    enum { M = 5, N = 4, K = 7, LD = 9 };
    uint16_t a[LD * LD], b[LD * LD];
    float c[LD * N], got[LD * N];
    for (int i = 0; i < LD * LD; i++) {
        a[i] = f16_of_f32((float)(i * 7 % 11) - 5);
        b[i] = f16_of_f32((float)(i * 5 % 13) - 6);
    }
    for (int i = 0; i < LD * N; i++)
        c[i] = beta == 0 ? NAN : (float)i;
    void *da = device_copy(a, sizeof a), *db = device_copy(b, sizeof b),
         *dc = device_copy(c, sizeof c);
    float alpha = 2;
    assert_int_equal(cublasGemmEx(handle, ta ? CUBLAS_OP_T : CUBLAS_OP_N,
                                  tb ? CUBLAS_OP_T : CUBLAS_OP_N, M, N, K, &alpha, da, CUDA_R_16F,
                                  LD, db, CUDA_R_16F, LD, &beta, dc, CUDA_R_32F, LD,
                                  CUBLAS_COMPUTE_32F, CUBLAS_GEMM_DEFAULT),
                     CUBLAS_STATUS_SUCCESS);
    device_read(got, dc, sizeof got);
    for (int n = 0; n < N; n++)
        for (int m = 0; m < M; m++) {
            float sum = 0;
            for (int k = 0; k < K; k++)
                sum += f32_of_f16(ta ? a[m * LD + k] : a[k * LD + m]) *
                       f32_of_f16(tb ? b[k * LD + n] : b[n * LD + k]);
            float old = beta == 0 ? 0 : beta * c[n * LD + m];
            assert_float_equal(got[n * LD + m], 2 * sum + old, 0);
        }
    device_free(da);
    device_free(db);
    device_free(dc);
}

static void products_are_products(void **state)
{
    (void)state;
    cublasHandle_t handle;
    assert_int_equal(cublasCreate(&handle), CUBLAS_STATUS_SUCCESS);
    for (int i = 0; i < 8; i++)
        check_gemm(handle, i & 1, i & 2, i & 4 ? 0.5f : 0);
    cublasDestroy(handle);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(faults_are_found_and_named, fresh_device),
        cmocka_unit_test_setup(what_was_not_waited_for_is_not_there, fresh_device),
        cmocka_unit_test_setup(host_memory_is_out_of_reach, fresh_device),
        cmocka_unit_test_setup(an_early_read_is_old, fresh_device),
        cmocka_unit_test_setup(launches_have_limits, fresh_device),
        cmocka_unit_test_setup(blocks_may_run_in_any_order, fresh_device),
        cmocka_unit_test_setup(streams_run_when_someone_waits, fresh_device),
        cmocka_unit_test_setup(copies_are_checked, fresh_device),
        cmocka_unit_test_setup(captures_refuse_what_graphs_cannot_hold, fresh_device),
        cmocka_unit_test_setup(faults_come_when_asked_for, fresh_device),
        cmocka_unit_test_setup(devices_have_the_memory_they_are_given, fresh_device),
        cmocka_unit_test_setup(products_are_products, fresh_device),
    };
    return cmocka_run_group_tests(tests, NULL, fresh_device);
}
