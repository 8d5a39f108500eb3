/*
 * Tests of the dense linear algebra: blocked and threaded against the plain loops, over sizes on
 * both sides of every block.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/dense.h"
#include "kernels/cpu/dense_product.h"

static const size_t sizes[] = {1, 2, 7, 8, 63, 64, 65, 100, 128, 191, 193, 260, 401};
#define SIZES (sizeof sizes / sizeof sizes[0])

static double next_value(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53 * 2 - 1;
}

static double *random_matrix(size_t rows, size_t cols, uint64_t seed)
{
    double *m = calloc(rows * cols, sizeof *m);
    for (size_t i = 0; i < rows * cols; i++)
        m[i] = next_value(&seed);
    return m;
}

/* X^T X of n + 9 random rows, and something on the diagonal: positive definite. */
static double *positive_matrix(size_t n, uint64_t seed)
{
    size_t rows = n + 9;
    double *x = random_matrix(rows, n, seed), *a = calloc(n * n, sizeof *a);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j < n; j++)
                a[i * n + j] += x[r * n + i] * x[r * n + j];
    for (size_t i = 0; i < n; i++)
        a[i * n + i] += 0.1 * (double)n;
    free(x);
    return a;
}

static void expect_near(double got, double wanted, double tolerance)
{
    if (!(fabs(got - wanted) <= tolerance))
        fail_msg("%.17g, and %.17g was expected", got, wanted);
}

static void products_equal_the_plain_loop(void **state)
{
    (void)state;
    static const size_t shapes[][3] = {{1, 1, 1},    {6, 8, 5},    {7, 9, 257},
                                       {97, 13, 64}, {5, 513, 33}, {100, 530, 300}};
    double *scratch = calloc(DENSE_PRODUCT_SCRATCH, sizeof *scratch);
    for (size_t s = 0; s < sizeof shapes / sizeof shapes[0]; s++) {
        size_t m = shapes[s][0], n = shapes[s][1], k = shapes[s][2];
        double *a = random_matrix(k, m, 1), *b = random_matrix(k, n, 2);
        double *c = random_matrix(m, n + 3, 3), *before = random_matrix(m, n + 3, 3);
        /* a is used as its transpose */
        struct dense_matrix left = {a, 1, m, false}, right = {b, n, 1, false};
        dense_product(c, n + 3, -1, &left, &right, m, n, k, scratch);
        for (size_t i = 0; i < m; i++)
            for (size_t j = 0; j < n + 3; j++) {
                double sum = before[i * (n + 3) + j];
                for (size_t p = 0; p < k && j < n; p++)
                    sum -= a[p * m + i] * b[p * n + j];
                expect_near(c[i * (n + 3) + j], sum, 1e-12);
            }
        free(a);
        free(b);
        free(c);
        free(before);
    }
    free(scratch);
}

static void gram_equals_the_plain_loop(void **state)
{
    (void)state;
    struct dense *dense = dense_open(3, 401, NULL, NULL);
    for (size_t s = 0; s < SIZES; s++) {
        size_t n = sizes[s], rows = 37, stride = n + 5;
        uint64_t seed = 4;
        float *x = calloc(rows * stride, sizeof *x);
        double *h = calloc(n * n, sizeof *h);
        for (size_t i = 0; i < rows * stride; i++)
            x[i] = (float)next_value(&seed);
        dense_add_gram(dense, h, n, x, stride, 20);
        dense_add_gram(dense, h, n, x + 20 * stride, stride, rows - 20);
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j <= i; j++) {
                double sum = 0;
                for (size_t r = 0; r < rows; r++)
                    sum += (double)x[r * stride + i] * (double)x[r * stride + j];
                expect_near(h[i * n + j], sum, 1e-12);
            }
        free(x);
        free(h);
    }
    dense_close(dense);
}

static void cholesky_gives_the_matrix_back(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        struct dense *dense = dense_open(threads, 401, NULL, NULL);
        for (size_t s = 0; s < SIZES; s++) {
            size_t n = sizes[s];
            double *a = positive_matrix(n, 5), *l = positive_matrix(n, 5);
            for (size_t i = 0; i < n; i++)
                for (size_t j = i + 1; j < n; j++)
                    l[i * n + j] = NAN; /* the upper triangle is not read */
            assert_int_equal(dense_cholesky(dense, l, n), DENSE_OK);
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++) {
                    double sum = 0;
                    for (size_t k = 0; k < n; k++)
                        sum += l[i * n + k] * l[j * n + k];
                    expect_near(sum, a[i * n + j], 1e-10 * (double)n);
                    assert_true(j <= i || l[i * n + j] == 0);
                }
            free(a);
            free(l);
        }
        dense_close(dense);
    }
}

static void an_inverse_times_its_triangle_is_one(void **state)
{
    (void)state;
    for (unsigned threads = 1; threads <= 3; threads += 2) {
        struct dense *dense = dense_open(threads, 401, NULL, NULL);
        for (size_t s = 0; s < SIZES; s++) {
            size_t n = sizes[s];
            double *l = positive_matrix(n, 6), *inverse = calloc(n * n, sizeof *inverse);
            assert_int_equal(dense_cholesky(dense, l, n), DENSE_OK);
            memcpy(inverse, l, n * n * sizeof *l);
            assert_int_equal(dense_invert_lower(dense, inverse, n), DENSE_OK);
            for (size_t i = 0; i < n; i++)
                for (size_t j = 0; j < n; j++) {
                    double sum = 0;
                    for (size_t k = 0; k < n; k++)
                        sum += inverse[i * n + k] * l[k * n + j];
                    expect_near(sum, i == j, 1e-10);
                }
            free(l);
            free(inverse);
        }
        dense_close(dense);
    }
}

static void what_has_no_factor_is_refused(void **state)
{
    (void)state;
    static const double wrong[] = {-1, 0, NAN, INFINITY};
    struct dense *dense = dense_open(2, 200, NULL, NULL);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        double *a = positive_matrix(200, 7);
        a[150 * 200 + 150] = wrong[i];
        assert_int_equal(dense_cholesky(dense, a, 200), DENSE_NOT_POSITIVE);
        free(a);
    }
    dense_close(dense);
}

static bool after_three(void *user)
{
    return ++*(int *)user > 3;
}

static void it_stops_when_asked(void **state)
{
    (void)state;
    int asked = 0;
    struct dense *dense = dense_open(2, 401, after_three, &asked);
    double *a = positive_matrix(401, 8);
    assert_int_equal(dense_cholesky(dense, a, 401), DENSE_STOPPED);
    assert_int_equal(dense_invert_lower(dense, a, 401), DENSE_STOPPED);
    free(a);
    dense_close(dense);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_equal_the_plain_loop),
        cmocka_unit_test(gram_equals_the_plain_loop),
        cmocka_unit_test(cholesky_gives_the_matrix_back),
        cmocka_unit_test(an_inverse_times_its_triangle_is_one),
        cmocka_unit_test(what_has_no_factor_is_refused),
        cmocka_unit_test(it_stops_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
