/*
 * Tests of the shim's cuBLAS and cuSOLVER in double precision: every transposition and triangle
 * against plain loops over a matrix' elements, and what they refuse.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <cublas_v2.h>
#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/shim/shim.h"

#include <cusolverDn.h>

#define LEAD 9 /* of every matrix here */
#define SIZE (LEAD * LEAD)

/* Element (i, j) of a column-major matrix, or of its transpose. */
static double element(const double *matrix, bool transposed, int i, int j)
{
    return transposed ? matrix[i * LEAD + j] : matrix[j * LEAD + i];
}

/* Strong on the diagonal, so that its triangles and sums of squares are well-behaved. */
static double *make_matrix(uint32_t seed)
{
    double *host = malloc(SIZE * sizeof *host);
    for (int i = 0; i < SIZE; i++) {
        seed = seed * 1664525u + 1013904223u;
        host[i] = (double)(seed >> 8) / 16777216 + (i % (LEAD + 1) == 0 ? 4 : 0);
    }
    return host;
}

static double *on_device(const double *host)
{
    void *memory = NULL;
    assert_int_equal(cudaMalloc(&memory, SIZE * sizeof *host), cudaSuccess);
    assert_int_equal(cudaMemcpy(memory, host, SIZE * sizeof *host, cudaMemcpyHostToDevice),
                     cudaSuccess);
    return memory;
}

static void take_back(double *host, double *device)
{
    assert_int_equal(cudaMemcpy(host, device, SIZE * sizeof *host, cudaMemcpyDeviceToHost),
                     cudaSuccess);
}

static void expect_near(double got, double wanted)
{
    if (!(fabs(got - wanted) < 1e-12))
        fail_msg("%.17g, and %.17g was expected", got, wanted);
}

static void products_in_every_transposition(void **state)
{
    (void)state;
    const int m = 5, n = 7, k = 6;
    const double alpha = -2, beta = 3;
    cublasHandle_t handle;
    assert_int_equal(cublasCreate(&handle), CUBLAS_STATUS_SUCCESS);
    for (int turn = 0; turn < 4; turn++) {
        double *a = make_matrix(1), *b = make_matrix(2), *c = make_matrix(3), *got = make_matrix(3);
        double *da = on_device(a), *db = on_device(b), *dc = on_device(c);
        assert_int_equal(cublasDgemm(handle, turn & 1 ? CUBLAS_OP_T : CUBLAS_OP_N,
                                     turn & 2 ? CUBLAS_OP_T : CUBLAS_OP_N, m, n, k, &alpha, da,
                                     LEAD, db, LEAD, &beta, dc, LEAD),
                         CUBLAS_STATUS_SUCCESS);
        take_back(got, dc);
        for (int i = 0; i < LEAD; i++)
            for (int j = 0; j < LEAD; j++) {
                double sum = element(c, false, i, j) * (i < m && j < n ? beta : 1);
                for (int p = 0; p < k && i < m && j < n; p++)
                    sum += alpha * element(a, turn & 1, i, p) * element(b, turn & 2, p, j);
                expect_near(element(got, false, i, j), sum);
            }
        double *all[] = {a, b, c, got}, *device[] = {da, db, dc};
        for (int i = 0; i < 4; i++)
            free(all[i]);
        for (int i = 0; i < 3; i++)
            cudaFree(device[i]);
    }
    cublasDestroy(handle);
}

/* op(A) X gives alpha B back; only the named triangle is used. */
static void check_solution(cublasHandle_t handle, bool upper, bool transposed, bool unit)
{
    const int m = 6, n = 4;
    const double alpha = 0.5;
    double *a = make_matrix(4), *b = make_matrix(5), *x = make_matrix(5);
    double *da = on_device(a), *db = on_device(b);
    assert_int_equal(cublasDtrsm(handle, CUBLAS_SIDE_LEFT,
                                 upper ? CUBLAS_FILL_MODE_UPPER : CUBLAS_FILL_MODE_LOWER,
                                 transposed ? CUBLAS_OP_T : CUBLAS_OP_N,
                                 unit ? CUBLAS_DIAG_UNIT : CUBLAS_DIAG_NON_UNIT, m, n, &alpha, da,
                                 LEAD, db, LEAD),
                     CUBLAS_STATUS_SUCCESS);
    take_back(x, db);
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++)
            a[j * LEAD + i] = i == j && unit ? 1 : i != j && upper != (j > i) ? 0 : a[j * LEAD + i];
    for (int i = 0; i < m; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; p < m; p++)
                sum += element(a, transposed, i, p) * element(x, false, p, j);
            expect_near(sum, alpha * element(b, false, i, j));
        }
    free(a);
    free(b);
    free(x);
    cudaFree(da);
    cudaFree(db);
}

static void triangles_in_every_position(void **state)
{
    (void)state;
    cublasHandle_t handle;
    assert_int_equal(cublasCreate(&handle), CUBLAS_STATUS_SUCCESS);
    for (int turn = 0; turn < 8; turn++)
        check_solution(handle, turn & 1, turn & 2, turn & 4);
    cublasDestroy(handle);
}

/* The factor of one triangle; `spoilt` makes that minor, from 1, negative. */
static int check_factor(cusolverDnHandle_t handle, bool upper, int spoilt)
{
    const int n = 7;
    cublasFillMode_t uplo = upper ? CUBLAS_FILL_MODE_UPPER : CUBLAS_FILL_MODE_LOWER;
    double *a = make_matrix(6), *u = make_matrix(6);
    int doubles = 0, *info = NULL, code = -1;
    void *memory = NULL, *work = NULL;
    if (spoilt > 0)
        a[(spoilt - 1) * (LEAD + 1)] = -1;
    double *da = on_device(a);
    assert_int_equal(cusolverDnDpotrf_bufferSize(handle, uplo, n, da, LEAD, &doubles), 0);
    assert_int_equal(cudaMalloc(&memory, sizeof *info), cudaSuccess);
    assert_int_equal(cudaMalloc(&work, (size_t)doubles * sizeof(double)), cudaSuccess);
    info = memory;
    assert_int_equal(cusolverDnDpotrf(handle, uplo, n, da, LEAD, work, doubles, info), 0);
    assert_int_equal(cudaMemcpy(&code, info, sizeof code, cudaMemcpyDeviceToHost), cudaSuccess);
    take_back(u, da);
    for (int i = 0; i < n && code == 0; i++)
        for (int j = 0; j < n; j++) {
            double sum = 0; /* of U^T U, or of L L^T */
            for (int p = 0; p <= (i < j ? i : j); p++)
                sum += element(u, upper, i, p) * element(u, upper, j, p);
            bool used = i == j || upper == (j > i);
            expect_near(used ? sum : element(u, false, i, j), element(a, false, i, j));
        }
    free(a);
    free(u);
    cudaFree(da);
    cudaFree(memory);
    cudaFree(work);
    return code;
}

static void factors_and_what_has_none(void **state)
{
    (void)state;
    cusolverDnHandle_t handle;
    assert_int_equal(cusolverDnCreate(&handle), CUSOLVER_STATUS_SUCCESS);
    for (int upper = 0; upper < 2; upper++)
        for (int spoilt = 0; spoilt <= 7; spoilt += 3)
            assert_int_equal(check_factor(handle, upper, spoilt), spoilt);
    cusolverDnDestroy(handle);
}

static void wrong_arguments_are_refused(void **state)
{
    (void)state;
    const double one = 1;
    cublasHandle_t blas;
    cusolverDnHandle_t solver;
    double *host = make_matrix(7), *a = on_device(host);
    int doubles = 0, *info = (int *)(a + SIZE - 1);
    assert_int_equal(cublasCreate(&blas), CUBLAS_STATUS_SUCCESS);
    assert_int_equal(cusolverDnCreate(&solver), CUSOLVER_STATUS_SUCCESS);
#define GEMM(lda, b, ldb, n)                                                                       \
    cublasDgemm(blas, CUBLAS_OP_N, CUBLAS_OP_T, 5, n, 3, &one, a, lda, b, ldb, &one, a, 5)
    assert_int_equal(GEMM(4, a, 5, 5), CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(GEMM(5, a, 4, 5), CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(GEMM(5, host, 5, 5), CUBLAS_STATUS_EXECUTION_FAILED);
    assert_int_equal(GEMM(5, a, SIZE, 5), CUBLAS_STATUS_EXECUTION_FAILED); /* over its end */
    assert_int_equal(GEMM(5, a, 5, 5), CUBLAS_STATUS_SUCCESS);
#define TRSM(side, lda)                                                                            \
    cublasDtrsm(blas, side, CUBLAS_FILL_MODE_UPPER, CUBLAS_OP_T, CUBLAS_DIAG_UNIT, 5, 2, &one, a,  \
                lda, a + 40, 5)
    assert_int_equal(TRSM(CUBLAS_SIDE_RIGHT, 5), CUBLAS_STATUS_NOT_SUPPORTED);
    assert_int_equal(TRSM(CUBLAS_SIDE_LEFT, 4), CUBLAS_STATUS_INVALID_VALUE);
    assert_int_equal(TRSM(CUBLAS_SIDE_LEFT, 5), CUBLAS_STATUS_SUCCESS);
#define POTRF(lda, doubles, info)                                                                  \
    cusolverDnDpotrf(solver, CUBLAS_FILL_MODE_UPPER, 3, a, lda, a + 12, doubles, info)
    assert_int_equal(cusolverDnDpotrf_bufferSize(solver, CUBLAS_FILL_MODE_UPPER, 3, a, 3, &doubles),
                     0);
    assert_int_equal(POTRF(2, doubles, info), CUSOLVER_STATUS_INVALID_VALUE);
    assert_int_equal(POTRF(3, doubles - 1, info), CUSOLVER_STATUS_INVALID_VALUE);
    assert_int_equal(POTRF(3, doubles, (int *)host), CUSOLVER_STATUS_EXECUTION_FAILED);
    assert_int_equal(POTRF(3, doubles, info), CUSOLVER_STATUS_SUCCESS);
    cudaFree(a);
    free(host);
    cusolverDnDestroy(solver);
    cublasDestroy(blas);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_in_every_transposition),
        cmocka_unit_test(triangles_in_every_position),
        cmocka_unit_test(factors_and_what_has_none),
        cmocka_unit_test(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
