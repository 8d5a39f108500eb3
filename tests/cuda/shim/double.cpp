/* The products, solutions and factors in double precision of cuBLAS and cuSOLVER, in plain loops.
 */
#include <cublas_v2.h>

#include "runtime.h"

#include <cusolverDn.h>
#undef dlopen
#undef dlsym
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "blas.h"

/* Doubles of a column-major matrix, the last column up to its last row. */
static size_t extent(int rows, int cols, int ld)
{
    return cols == 0 || rows == 0 ? 0 : (size_t)(cols - 1) * (size_t)ld + (size_t)rows;
}

static bool is_here(const void *memory, int rows, int cols, int ld)
{
    size_t doubles = extent(rows, cols, ld);
    return doubles == 0 || memory_is_here(memory, doubles * sizeof(double));
}

static bool leads(int ld, int rows)
{
    return ld >= (rows > 1 ? rows : 1);
}

/* --- products --------------------------------------------------------------------------------- */

struct product {
    bool ta, tb;
    int m, n, k, lda, ldb, ldc;
    double alpha, beta;
    const double *a, *b;
    double *c;
};

static double at(const double *matrix, int ld, int row, int col)
{
    return matrix[(size_t)col * (size_t)ld + (size_t)row];
}

static void multiply(const struct product *p)
{
    for (int col = 0; col < p->n; col++)
        for (int row = 0; row < p->m; row++) {
            double sum = 0, *out = p->c + (size_t)col * (size_t)p->ldc + (size_t)row;
            for (int k = 0; k < p->k; k++)
                sum += (p->ta ? at(p->a, p->lda, k, row) : at(p->a, p->lda, row, k)) *
                       (p->tb ? at(p->b, p->ldb, col, k) : at(p->b, p->ldb, k, col));
            *out = p->alpha * sum + (p->beta == 0 ? 0 : p->beta * *out);
        }
}

cublasStatus_t cublasDgemm(cublasHandle_t handle, cublasOperation_t transa,
                           cublasOperation_t transb, int m, int n, int k, const double *alpha,
                           const double *a, int lda, const double *b, int ldb, const double *beta,
                           double *c, int ldc)
{
    shim_guard guard(shim_lock());
    bool ta = transa != CUBLAS_OP_N, tb = transb != CUBLAS_OP_N;
    if (m < 0 || n < 0 || k < 0 || !leads(lda, ta ? k : m) || !leads(ldb, tb ? n : k) ||
        !leads(ldc, m))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (!is_here(a, ta ? k : m, ta ? m : k, lda) || !is_here(b, tb ? n : k, tb ? k : n, ldb) ||
        !is_here(c, m, n, ldc))
        return CUBLAS_STATUS_EXECUTION_FAILED;
    struct product product = {ta, tb, m, n, k, lda, ldb, ldc, *alpha, *beta, a, b, c};
    cudaError_t status = stream_put_library(handle->stream, handle->device, [product] {
        multiply(&product);
        return cudaSuccess;
    });
    return status == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

/* --- triangles -------------------------------------------------------------------------------- */

struct solution {
    bool upper, transposed, unit;
    int m, n, lda, ldb;
    double alpha;
    const double *a;
    double *b;
};

/* op(A) x = b by substitution: forward where op(A) is a lower triangle. */
static void solve(const struct solution *s)
{
    bool forward = s->upper == s->transposed;
    for (int col = 0; col < s->n; col++) {
        double *x = s->b + (size_t)col * (size_t)s->ldb;
        for (int step = 0; step < s->m; step++) {
            int i = forward ? step : s->m - 1 - step;
            double sum = s->alpha * x[i];
            for (int k = forward ? 0 : i + 1; k < (forward ? i : s->m); k++)
                sum -= (s->transposed ? at(s->a, s->lda, k, i) : at(s->a, s->lda, i, k)) * x[k];
            x[i] = s->unit ? sum : sum / at(s->a, s->lda, i, i);
        }
    }
}

cublasStatus_t cublasDtrsm(cublasHandle_t handle, cublasSideMode_t side, cublasFillMode_t uplo,
                           cublasOperation_t trans, cublasDiagType_t diag, int m, int n,
                           const double *alpha, const double *a, int lda, double *b, int ldb)
{
    shim_guard guard(shim_lock());
    if (side != CUBLAS_SIDE_LEFT)
        return CUBLAS_STATUS_NOT_SUPPORTED;
    if (m < 0 || n < 0 || !leads(lda, m) || !leads(ldb, m))
        return CUBLAS_STATUS_INVALID_VALUE;
    if (!is_here(a, m, m, lda) || !is_here(b, m, n, ldb))
        return CUBLAS_STATUS_EXECUTION_FAILED;
    struct solution solution = {uplo == CUBLAS_FILL_MODE_UPPER,
                                trans != CUBLAS_OP_N,
                                diag == CUBLAS_DIAG_UNIT,
                                m,
                                n,
                                lda,
                                ldb,
                                *alpha,
                                a,
                                b};
    cudaError_t status = stream_put_library(handle->stream, handle->device, [solution] {
        solve(&solution);
        return cudaSuccess;
    });
    return status == cudaSuccess ? CUBLAS_STATUS_SUCCESS : CUBLAS_STATUS_EXECUTION_FAILED;
}

/* --- the Cholesky factor ---------------------------------------------------------------------- */

struct cusolverDnContext {
    struct CUstream_st *stream;
    int device;
};

struct factoring {
    bool upper;
    int n, lda;
    double *a;
    int *info;
};

/* Element (i, j), i >= j, of the factor: of U^T where the upper triangle is asked for. */
static double *factor_at(const struct factoring *f, int i, int j)
{
    return f->a + (f->upper ? (size_t)i * (size_t)f->lda + (size_t)j
                            : (size_t)j * (size_t)f->lda + (size_t)i);
}

static void factor(const struct factoring *f)
{
    *f->info = 0;
    for (int j = 0; j < f->n; j++)
        for (int i = j; i < f->n; i++) {
            double sum = *factor_at(f, i, j);
            for (int k = 0; k < j; k++)
                sum -= *factor_at(f, i, k) * *factor_at(f, j, k);
            if (i == j && !(sum > 0)) {
                *f->info = j + 1;
                return;
            }
            *factor_at(f, i, j) = i == j ? sqrt(sum) : sum / *factor_at(f, j, j);
        }
}

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t *handle)
{
    if (shim_ready() != cudaSuccess)
        return CUSOLVER_STATUS_NOT_INITIALIZED;
    *handle = new cusolverDnContext{NULL, device_current()};
    return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle)
{
    delete handle;
    return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream)
{
    handle->stream = stream;
    return CUSOLVER_STATUS_SUCCESS;
}

/* More than none, so that a caller who gives none is seen. */
static int work_doubles(int n)
{
    return 8 * n + 1;
}

cusolverStatus_t cusolverDnDpotrf_bufferSize(cusolverDnHandle_t, cublasFillMode_t, int n, double *,
                                             int lda, int *doubles)
{
    if (n < 0 || !leads(lda, n))
        return CUSOLVER_STATUS_INVALID_VALUE;
    *doubles = work_doubles(n);
    return CUSOLVER_STATUS_SUCCESS;
}

cusolverStatus_t cusolverDnDpotrf(cusolverDnHandle_t handle, cublasFillMode_t uplo, int n,
                                  double *a, int lda, double *work, int doubles, int *info)
{
    shim_guard guard(shim_lock());
    if (n < 0 || !leads(lda, n) || doubles < work_doubles(n))
        return CUSOLVER_STATUS_INVALID_VALUE;
    if (!is_here(a, n, n, lda) || !is_here(work, doubles, 1, doubles) ||
        !memory_is_here(info, sizeof *info))
        return CUSOLVER_STATUS_EXECUTION_FAILED;
    struct factoring factoring = {uplo == CUBLAS_FILL_MODE_UPPER, n, lda, a, info};
    cudaError_t status = stream_put_library(handle->stream, handle->device, [=] {
        memset(work, 0xFF, (size_t)doubles * sizeof *work);
        factor(&factoring);
        return cudaSuccess;
    });
    return status == cudaSuccess ? CUSOLVER_STATUS_SUCCESS : CUSOLVER_STATUS_EXECUTION_FAILED;
}

/* --- as a library ----------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void *function;
} functions[] = {
    {"cusolverDnCreate", (void *)cusolverDnCreate},
    {"cusolverDnDestroy", (void *)cusolverDnDestroy},
    {"cusolverDnSetStream", (void *)cusolverDnSetStream},
    {"cusolverDnDpotrf_bufferSize", (void *)cusolverDnDpotrf_bufferSize},
    {"cusolverDnDpotrf", (void *)cusolverDnDpotrf},
};

static bool is_taken_away(const char *name)
{
    const char *text = getenv("AIRO_SHIM_SOLVER");
    return text != NULL && strcmp(text, name) == 0;
}

void *shim_dlopen(const char *name, int flags)
{
    if (strncmp(name, "libcusolver.so", 14) != 0 || is_taken_away("0"))
        return dlopen(name, flags);
    return dlopen(NULL, flags); /* what dlclose takes */
}

void *shim_dlsym(void *library, const char *name)
{
    for (const auto &row : functions)
        if (strcmp(row.name, name) == 0 && !is_taken_away(name))
            return row.function;
    return dlsym(library, name);
}
