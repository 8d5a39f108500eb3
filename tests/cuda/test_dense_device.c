/*
 * Tests of quantisation's linear algebra on a device, beside the CPU's: awkward sizes, several
 * panels, many rows, what has no factor, and stopping.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/dense_matrices.h"

static const size_t sizes[] = {1, 7, 8, 33, 130, DENSE_PANEL + 35};
#define SIZES (sizeof sizes / sizeof sizes[0])

static void gathering_equals_the_cpu(void **state)
{
    (void)state;
    struct dense_lines lines;
    struct dense *dense = dense_on_device(sizes[SIZES - 1], &lines);
    for (size_t i = 0; i < SIZES; i++)
        dense_expect_gram(dense, sizes[i], 41);
    dense_expect_gram(dense, 7, 1);
    assert_int_equal(lines.count, 0);
    dense_close(dense);
}

/* More than are sent to the device at a time. */
static void many_rows_are_sent_in_turns(void **state)
{
    (void)state;
    struct dense_lines lines;
    struct dense *dense = dense_on_device(7, &lines);
    dense_expect_gram(dense, 7, 2 * 8192 + 11);
    assert_int_equal(lines.count, 0);
    dense_close(dense);
}

/* Another matrix is begun before the first is finished. */
static void two_matrices_do_not_mix(void **state)
{
    (void)state;
    struct dense_lines lines;
    struct dense *dense = dense_on_device(33, &lines), *cpu = dense_on_device(33, NULL);
    float *x = dense_inputs(20, 33, 5);
    double *h = calloc(4 * 33 * 33, sizeof *h);
    for (int turn = 0; turn < 2; turn++) {
        struct dense *on = turn == 0 ? dense : cpu;
        double *at = h + 2 * turn * 33 * 33;
        dense_add_gram(on, at, 33, x, 33, 20);
        dense_add_gram(on, at + 33 * 33, 21, x, 33, 9);
        dense_add_gram(on, at, 33, x, 33, 3);
        dense_finish_gram(on);
    }
    dense_expect_near(h, h + 2 * 33 * 33, 33, 1e-13);
    dense_expect_near(h + 33 * 33, h + 3 * 33 * 33, 21, 1e-13);
    free(x);
    free(h);
    dense_close(cpu);
    dense_close(dense);
}

static void inverse_factors_equal_the_cpu(void **state)
{
    (void)state;
    struct dense_lines lines;
    struct dense *dense = dense_on_device(sizes[SIZES - 1], &lines);
    assert_non_null(dense_describe(dense));
    assert_string_not_equal(dense_describe(dense), "the CPU");
    for (size_t i = 0; i < SIZES; i++)
        dense_expect_inverse(dense, sizes[i]);
    assert_int_equal(lines.count, 0);
    assert_null(strstr(dense_describe(dense), "the CPU"));
    dense_close(dense);
}

static void what_has_no_factor_is_refused(void **state)
{
    (void)state;
    static const double wrong[] = {-1, 0, NAN, INFINITY};
    struct dense_lines lines;
    struct dense *dense = dense_on_device(130, &lines);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        for (size_t at = 0; at < 130; at += 43) {
            double *a = dense_positive(130, 7);
            a[at * 130 + at] = wrong[i];
            assert_int_equal(dense_inverse_factor(dense, a, 130), DENSE_NOT_POSITIVE);
            free(a);
        }
    dense_expect_inverse(dense, 130); /* and the next is well */
    assert_int_equal(lines.count, 0);
    dense_close(dense);
}

struct patience {
    int asked, until;
};

static bool is_over(void *user)
{
    struct patience *patience = user;
    return ++patience->asked > patience->until;
}

/* Before the factor, and before each panel. */
static void it_stops_when_asked(void **state)
{
    (void)state;
    const size_t n = DENSE_PANEL + 35;
    for (int until = 0; until <= 3; until++) {
        struct patience patience = {0, until};
        struct dense *dense = dense_open(1, n, is_over, &patience);
        const struct dense_device_options options = {"cuda", NULL, NULL};
        struct backend_error error = {0};
        assert_int_equal(dense_attach(dense, airo_dense(), &options, &error), 0);
        double *a = dense_positive(n, 8);
        assert_int_equal(dense_inverse_factor(dense, a, n), until < 3 ? DENSE_STOPPED : DENSE_OK);
        assert_int_equal(patience.asked, until < 3 ? until + 1 : 3);
        free(a);
        dense_close(dense);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gathering_equals_the_cpu),
        cmocka_unit_test(many_rows_are_sent_in_turns),
        cmocka_unit_test(two_matrices_do_not_mix),
        cmocka_unit_test(inverse_factors_equal_the_cpu),
        cmocka_unit_test(what_has_no_factor_is_refused),
        cmocka_unit_test(it_stops_when_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
