/*
 * dense.c - the linear algebra of quantisation on one GPU: dense_ops.h by cuBLAS and cuSOLVER.
 *
 * Rows of ours are columns of theirs: memory that we call X [rows][n] is X^T [n, rows] to them, and
 * the lower triangle of a symmetric matrix is their upper one. In the comments below a prime marks
 * a matrix as they see it. Nothing is written in the caller's memory but `out`.
 */
#include <cublas_v2.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/gemm.h"
#include "kernels/cuda/host.h"
#include "kernels/cuda/solver.h"
#include "kernels/dense_ops.h"

enum holding { HOLDS_NOTHING, HOLDS_ROWS, HOLDS_FACTOR };

/* The arena: X or the matrix, then a panel. */
struct dense_device {
    struct backend base; /* for its device, memory and faults; it has no layers */
    cublasHandle_t blas;
    struct gpu_solver *solver; /* NULL until the first factor */
    double *arena, *panel;
    size_t arena_bytes;
    enum holding holds;
    size_t n, rows;
    double ones[DENSE_PANEL];
    char message[256]; /* of what failed without a fault of the device */
};

static struct device *device_of(struct dense_device *d)
{
    return &d->base.devices[0];
}

static int check(struct dense_device *d, cudaError_t result, const char *what)
{
    return gpu_check(&d->base, device_of(d), result, what);
}

/* A library that runs out of memory leaves the device as it is; anything else is a fault. */
static int check_blas(struct dense_device *d, cublasStatus_t status, const char *what)
{
    if (status == CUBLAS_STATUS_SUCCESS)
        return 0;
    cudaGetLastError();
    snprintf(d->message, sizeof d->message, "%s: %s failed: cuBLAS: %s (status %d)",
             device_of(d)->name, what, gpu_cublas_text((int)status), (int)status);
    if (status != CUBLAS_STATUS_ALLOC_FAILED && !d->base.failed) {
        memcpy(d->base.fault, d->message, sizeof d->message);
        d->base.failed = true;
    }
    return -1;
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Whether the device has so much; it is asked before anything is taken. */
static int have_room(struct dense_device *d, size_t bytes, const char *what)
{
    size_t available = 0, total = 0;
    if (check(d, cudaMemGetInfo(&available, &total), "asking for its memory") != 0)
        return -1;
    if (available >= bytes)
        return 0;
    snprintf(d->message, sizeof d->message, "%s: %.1f MiB are needed for %s, %.1f MiB free",
             device_of(d)->name, (double)bytes / MIB, what, (double)available / MIB);
    return -1;
}

static void *take(struct dense_device *d, size_t bytes, const char *what)
{
    struct backend_error error = {0};
    if (have_room(d, bytes, what) != 0)
        return NULL;
    void *memory = gpu_alloc(&d->base, device_of(d), bytes, what, NULL, &error);
    if (memory == NULL)
        snprintf(d->message, sizeof d->message, "%s", error.message);
    return memory;
}

/* `doubles` and a panel of [n, DENSE_PANEL] behind them, at multiples of 256 bytes. */
static int make_arena(struct dense_device *d, size_t doubles, size_t n, const char *what)
{
    size_t panel = (n < DENSE_PANEL ? n : DENSE_PANEL) * n, head = (doubles + 31) / 32 * 32;
    size_t bytes = (head + panel) * sizeof(double);
    d->holds = HOLDS_NOTHING;
    if (check(d, cudaSetDevice(device_of(d)->id), "choosing the device") != 0)
        return -1;
    if (bytes > d->arena_bytes) {
        gpu_free(device_of(d), d->arena);
        d->arena_bytes = 0;
        d->arena = take(d, bytes, what);
        if (d->arena == NULL)
            return -1;
        d->arena_bytes = bytes;
    }
    d->panel = d->arena + head;
    return 0;
}

static int to_device(struct dense_device *d, const double *from, size_t doubles, const char *what)
{
    cudaStream_t stream = device_of(d)->stream;
    if (check(
            d,
            cudaMemcpyAsync(d->arena, from, doubles * sizeof *from, cudaMemcpyHostToDevice, stream),
            what) != 0)
        return -1;
    return check(d, cudaStreamSynchronize(stream), what);
}

/* The panel, when all before it is done. */
static int from_panel(struct dense_device *d, double *out, size_t doubles, const char *what)
{
    cudaStream_t stream = device_of(d)->stream;
    if (check(d,
              cudaMemcpyAsync(out, d->panel, doubles * sizeof *out, cudaMemcpyDeviceToHost, stream),
              what) != 0)
        return -1;
    return check(d, cudaStreamSynchronize(stream), what);
}

/* What is asked for lies in what is there. */
static bool is_held(struct dense_device *d, enum holding holds, size_t first, size_t count)
{
    if (!d->base.failed && d->holds == holds && count > 0 && count <= DENSE_PANEL && first < d->n &&
        count <= d->n - first)
        return true;
    snprintf(d->message, sizeof d->message, "rows %zu + %zu are asked for, which are not there",
             first, count);
    return false;
}

/* --- open and close --------------------------------------------------------------------------- */

static void dense_close(struct dense_device *d)
{
    if (d == NULL)
        return;
    int id = device_of(d)->id;
    cudaSetDevice(id);
    if (device_of(d)->stream != NULL)
        cudaStreamSynchronize(device_of(d)->stream);
    gpu_solver_close(d->solver);
    if (d->blas != NULL)
        cublasDestroy(d->blas);
    bool opened = d->base.device_count > 0;
    devices_close(&d->base);
    cudaGetLastError();
    /* As in backend.c: what a fault leaves behind goes only with everything on the device. */
    if (opened && d->base.failed) {
        cudaSetDevice(id);
        cudaGetLastError();
        if (cudaDeviceSynchronize() != cudaSuccess)
            cudaDeviceReset();
        cudaGetLastError();
    }
    free(d);
}

/* Of "cuda:1,2" the first: one device does all of it. */
static void first_device(char *out, size_t bytes, const char *name)
{
    snprintf(out, bytes, "%s", name);
    out[strcspn(out, ",")] = '\0';
}

static int open_libraries(struct dense_device *d, struct backend_error *error)
{
    cublasStatus_t status = cublasCreate(&d->blas);
    if (status != CUBLAS_STATUS_SUCCESS)
        d->blas = NULL;
    else
        status = cublasSetStream(d->blas, device_of(d)->stream);
    if (check_blas(d, status, "starting") == 0)
        return 0;
    return gpu_error(error,
                     status == CUBLAS_STATUS_ALLOC_FAILED ? BACKEND_NO_MEMORY : BACKEND_FAILED,
                     "%s", d->message);
}

static int dense_open(struct dense_device **out, const char *name, struct backend_error *error)
{
    char device[32];
    *out = NULL;
    struct dense_device *d = calloc(1, sizeof *d);
    if (d == NULL)
        return gpu_error(error, BACKEND_NO_MEMORY, "no memory for a device");
    first_device(device, sizeof device, name != NULL ? name : "auto");
    for (size_t i = 0; i < DENSE_PANEL; i++)
        d->ones[i] = 1;
    if (devices_open(&d->base, device, error) != 0 || open_libraries(d, error) != 0) {
        dense_close(d);
        return -1;
    }
    *out = d;
    return 0;
}

/* --- X^T X ------------------------------------------------------------------------------------ */

static int dense_load(struct dense_device *d, const double *x, size_t n, size_t rows)
{
    if (make_arena(d, n * rows, n, "the inputs") != 0 ||
        to_device(d, x, n * rows, "copying the inputs") != 0)
        return -1;
    d->holds = HOLDS_ROWS;
    d->n = n;
    d->rows = rows;
    return 0;
}

/* Row first + i of X^T X up to column `end` is column i of X'[0 .. end) X'[first .. end)^T, whose
 * columns are `end` long: out as it shall be. */
static int dense_gram(struct dense_device *d, size_t first, size_t count, double *out)
{
    const double one = 1, zero = 0;
    size_t end = first + count;
    if (!is_held(d, HOLDS_ROWS, first, count) ||
        check(d, cudaSetDevice(device_of(d)->id), "choosing the device") != 0)
        return -1;
    cublasStatus_t status =
        cublasDgemm(d->blas, CUBLAS_OP_N, CUBLAS_OP_T, (int)end, (int)count, (int)d->rows, &one,
                    d->arena, (int)d->n, d->arena + first, (int)d->n, &zero, d->panel, (int)end);
    if (check_blas(d, status, "gathering the inputs") != 0)
        return -1;
    return from_panel(d, out, count * end, "gathering the inputs");
}

/* --- the inverse factor ----------------------------------------------------------------------- */

static int need_solver(struct dense_device *d)
{
    if (d->solver != NULL)
        return 0;
    if (check(d, cudaSetDevice(device_of(d)->id), "choosing the device") != 0)
        return -1;
    return gpu_solver_open(&d->solver, device_of(d)->stream, d->message, sizeof d->message);
}

/* A failed call of cuSOLVER: what the device has to say about it comes before. */
static int solver_failed(struct dense_device *d)
{
    if (check(d, cudaDeviceSynchronize(), "factoring") == 0)
        snprintf(d->message, sizeof d->message, "%s", gpu_solver_error(d->solver));
    return -1;
}

/* The matrix in the arena, with work memory, at whose end the result's code stands. */
static int run_factor(struct dense_device *d, int n, double *work, int doubles, int *code)
{
    cudaStream_t stream = device_of(d)->stream;
    int *info = (void *)(work + doubles);
    if (gpu_solver_cholesky(d->solver, d->arena, n, work, doubles, info) != 0)
        return solver_failed(d);
    if (check(d, cudaMemcpyAsync(code, info, sizeof *code, cudaMemcpyDeviceToHost, stream),
              "factoring") != 0)
        return -1;
    return check(d, cudaStreamSynchronize(stream), "factoring");
}

/* Our lower triangle is their upper one: a' = U^T U, and L is U^T. */
static int dense_factor(struct dense_device *d, const double *a, size_t n)
{
    int doubles = 0, code = 0;
    if (n > GPU_SOLVER_LARGEST) {
        snprintf(d->message, sizeof d->message, "more than %d are too many", GPU_SOLVER_LARGEST);
        return -1;
    }
    if (need_solver(d) != 0 || make_arena(d, n * n, n, "the inputs' matrix") != 0 ||
        to_device(d, a, n * n, "copying the inputs' matrix") != 0)
        return -1;
    if (gpu_solver_work(d->solver, d->arena, (int)n, &doubles) != 0)
        return solver_failed(d);
    double *work = take(d, ((size_t)doubles + 1) * sizeof *work, "the factor");
    if (work == NULL)
        return -1;
    int result = run_factor(d, (int)n, work, doubles, &code);
    gpu_free(device_of(d), work);
    if (result != 0)
        return -1;
    d->n = n;
    d->holds = code == 0 ? HOLDS_FACTOR : HOLDS_NOTHING;
    return code == 0 ? 0 : 1;
}

/* Columns first .. of the identity, from row `first` down: `length` long. */
static int make_identity(struct dense_device *d, size_t length, size_t count)
{
    cudaStream_t stream = device_of(d)->stream;
    const size_t size = sizeof(double);
    if (check(d, cudaMemsetAsync(d->panel, 0, count * length * size, stream), "inverting") != 0)
        return -1;
    return check(d,
                 cudaMemcpy2DAsync(d->panel, (length + 1) * size, d->ones, size, size, count,
                                   cudaMemcpyHostToDevice, stream),
                 "inverting");
}

/* Columns of L^-1 are zero above the diagonal, so U^T W = I is solved from row `first` down alone;
 * a column of W is a row of out. */
static int dense_inverse(struct dense_device *d, size_t first, size_t count, double *out)
{
    const double one = 1;
    if (!is_held(d, HOLDS_FACTOR, first, count) ||
        check(d, cudaSetDevice(device_of(d)->id), "choosing the device") != 0)
        return -1;
    size_t length = d->n - first;
    if (make_identity(d, length, count) != 0)
        return -1;
    cublasStatus_t status =
        cublasDtrsm(d->blas, CUBLAS_SIDE_LEFT, CUBLAS_FILL_MODE_UPPER, CUBLAS_OP_T,
                    CUBLAS_DIAG_NON_UNIT, (int)length, (int)count, &one,
                    d->arena + first * d->n + first, (int)d->n, d->panel, (int)length);
    if (check_blas(d, status, "inverting") != 0)
        return -1;
    return from_panel(d, out, count * length, "inverting");
}

/* --- the table -------------------------------------------------------------------------------- */

static const char *dense_describe(const struct dense_device *d)
{
    return d->base.description;
}

static const char *dense_last_error(const struct dense_device *d)
{
    return d->base.failed ? d->base.fault : d->message;
}

static bool dense_lost(const struct dense_device *d)
{
    return d->base.failed;
}

__attribute__((visibility("default"))) const struct dense_ops *airo_dense(void);

const struct dense_ops *airo_dense(void)
{
    static const struct dense_ops ops = {
        .abi = DENSE_ABI,
        .name = "cuda",
        .open = dense_open,
        .close = dense_close,
        .load = dense_load,
        .gram = dense_gram,
        .factor = dense_factor,
        .inverse = dense_inverse,
        .describe = dense_describe,
        .last_error = dense_last_error,
        .lost = dense_lost,
    };
    return &ops;
}
