#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/dense_matrices.h"

static double next_value(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (double)(*state >> 11) * 0x1p-53 * 2 - 1;
}

float *dense_inputs(size_t rows, size_t stride, uint64_t seed)
{
    float *x = calloc(rows * stride, sizeof *x);
    for (size_t i = 0; i < rows * stride; i++)
        x[i] = (float)next_value(&seed);
    return x;
}

double *dense_positive(size_t n, uint64_t seed)
{
    size_t rows = n < 200 ? n + 9 : 40;
    float *x = dense_inputs(rows, n, seed);
    double *a = calloc(n * n, sizeof *a);
    for (size_t r = 0; r < rows; r++)
        for (size_t i = 0; i < n; i++)
            for (size_t j = 0; j <= i; j++)
                a[i * n + j] += (double)x[r * n + i] * (double)x[r * n + j];
    for (size_t i = 0; i < n; i++) {
        a[i * n + i] += 0.1 * (double)n;
        for (size_t j = i + 1; j < n; j++)
            a[i * n + j] = NAN;
    }
    free(x);
    return a;
}

static void hear(void *user, const char *line)
{
    struct dense_lines *lines = user;
    assert_null(strchr(line, '\n'));
    snprintf(lines->last, sizeof lines->last, "%s", line);
    lines->count++;
}

struct dense *dense_on_device(size_t largest, struct dense_lines *lines)
{
    struct dense *dense = dense_open(2, largest, NULL, NULL);
    const struct dense_device_options options = {"cuda", hear, lines};
    struct backend_error error = {0};
    assert_non_null(dense);
    if (lines == NULL)
        return dense;
    *lines = (struct dense_lines){0};
    if (dense_attach(dense, airo_dense(), &options, &error) != 0)
        fail_msg("%s", error.message);
    return dense;
}

void dense_expect_near(const double *got, const double *wanted, size_t n, double tolerance)
{
    for (size_t i = 0; i < n; i++)
        for (size_t j = 0; j <= i; j++)
            if (!(fabs(got[i * n + j] - wanted[i * n + j]) <= tolerance))
                fail_msg("(%zu, %zu) of %zu is %.17g, and %.17g was expected", i, j, n,
                         got[i * n + j], wanted[i * n + j]);
}

void dense_expect_gram(struct dense *dense, size_t n, size_t rows)
{
    size_t stride = n + 5, some = rows * 2 / 3;
    struct dense *cpu = dense_on_device(n, NULL);
    float *x = dense_inputs(rows, stride, 3);
    double *got = calloc(n * n, sizeof *got), *wanted = calloc(n * n, sizeof *wanted);
    for (size_t i = 0; i < n * n; i++)
        got[i] = wanted[i] = (double)(i % 7); /* it is added to what is there */
    dense_add_gram(dense, got, n, x, stride, some);
    dense_add_gram(dense, got, n, x + some * stride, stride, rows - some);
    dense_finish_gram(dense);
    dense_add_gram(cpu, wanted, n, x, stride, rows);
    dense_expect_near(got, wanted, n, 1e-14 * (double)(rows + 6));
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n && j / 192 > i / 192; j++)
            assert_true(
                got[i * n + j] ==
                (double)((i * n + j) % 7)); /* above the tiles of the diagonal h stays as it was */
    dense_close(cpu);
    free(x);
    free(got);
    free(wanted);
}

void dense_expect_inverse(struct dense *dense, size_t n)
{
    struct dense *cpu = dense_on_device(n, NULL);
    double *got = dense_positive(n, 4), *wanted = dense_positive(n, 4);
    assert_int_equal(dense_inverse_factor(dense, got, n), DENSE_OK);
    assert_int_equal(dense_cholesky(cpu, wanted, n), DENSE_OK);
    assert_int_equal(dense_invert_lower(cpu, wanted, n), DENSE_OK);
    /* the largest element is about n^-1/2 */
    dense_expect_near(got, wanted, n, 1e-12);
    for (size_t i = 0; i < n; i++)
        for (size_t j = i + 1; j < n; j++)
            assert_true(got[i * n + j] == 0);
    dense_close(cpu);
    free(got);
    free(wanted);
}
