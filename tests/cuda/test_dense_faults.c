/*
 * What quantisation's linear algebra does when a device lacks something or breaks: memory,
 * cuSOLVER, each allocation, launch and copy refused in turn, the device lost anywhere. The result
 * is always there, one line says what the CPU did, and nothing stays on the device.
 */
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
#include "tests/cuda/shim/shim.h"

#define LOST "the linear algebra is the CPU's: Host shim: "

static int begin(void **state)
{
    (void)state;
    static const char *const names[] = {"AIRO_SHIM_DEVICES", "AIRO_SHIM_MEMORY", "AIRO_SHIM_FAIL",
                                        "AIRO_SHIM_SOLVER"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    shim_quiet(1);
    return 0;
}

static void expect_none_left(void)
{
    for (int device = 0; device < 3; device++) {
        assert_int_equal(shim_device_bytes(device), 0);
        assert_int_equal(shim_device_allocations(device), 0);
    }
}

static void expect_part(const char *line, const char *part)
{
    if (strstr(line, part) == NULL)
        fail_msg("no \"%s\": %s", part, line);
}

/* Both operations twice. */
static void use(struct dense *dense, size_t n)
{
    for (int turn = 0; turn < 2; turn++) {
        dense_expect_gram(dense, n, 19);
        dense_expect_inverse(dense, n);
    }
}

static void memory_is_asked_for_before_it_is_taken(void **state)
{
    (void)state;
    struct dense_lines lines;
    struct dense *dense = dense_on_device(130, &lines);
    setenv("AIRO_SHIM_MEMORY", "200000", 1); /* enough for 19 rows and a panel of 130 */
    dense_expect_gram(dense, 130, 19);
    assert_int_equal(lines.count, 0);
    assert_true(shim_device_bytes(0) > 0);
    dense_expect_inverse(dense, 130);
    assert_int_equal(lines.count, 1);
    expect_part(lines.last, "the factor of 130 inputs is the CPU's: Host shim: 0.3 MiB are needed");
    expect_part(lines.last, "0.2 MiB free");
    expect_part(dense_describe(dense), " and the CPU");
    /* a smaller one is the device's all the same, and no more is said of larger ones */
    dense_expect_inverse(dense, 33);
    dense_expect_inverse(dense, 130);
    dense_expect_gram(dense, 130, 19);
    assert_int_equal(lines.count, 1);
    dense_close(dense);
    expect_none_left();
}

static void gathering_needs_memory_too(void **state)
{
    (void)state;
    struct dense_lines lines;
    struct dense *dense = dense_on_device(130, &lines);
    setenv("AIRO_SHIM_MEMORY", "100000", 1);
    dense_expect_gram(dense, 130, 19);
    assert_int_equal(lines.count, 1);
    expect_part(lines.last, "gathering the inputs is the CPU's: Host shim: 0.1 MiB are needed");
    dense_expect_gram(dense, 130, 19);
    dense_expect_inverse(dense, 33);
    assert_int_equal(lines.count, 1);
    dense_close(dense);
    expect_none_left();
}

static void expect_no_solver(const char *missing, const char *part)
{
    struct dense_lines lines;
    struct dense *dense = dense_on_device(33, &lines);
    setenv("AIRO_SHIM_SOLVER", missing, 1);
    use(dense, 33);
    assert_int_equal(lines.count, 1);
    expect_part(lines.last, "the factor of 33 inputs is the CPU's: ");
    expect_part(lines.last, part);
    dense_close(dense);
    expect_none_left();
    unsetenv("AIRO_SHIM_SOLVER");
}

static void without_cusolver_the_device_only_gathers(void **state)
{
    (void)state;
    expect_no_solver("0", "cuSOLVER cannot be loaded: libcusolver.so.");
    expect_no_solver("cusolverDnDpotrf", "libcusolver.so.0 has no cusolverDnDpotrf");
}

typedef void work_function(struct dense *dense, size_t n);

/* Whether the N-th of a kind was reached; it fails, and the result is right. */
static bool fail_one(const char *kind, unsigned number, work_function *work, size_t n,
                     const char *part)
{
    char text[32];
    struct dense_lines lines;
    struct dense *dense = dense_on_device(n, &lines);
    snprintf(text, sizeof text, "%s:%u", kind, number);
    setenv("AIRO_SHIM_FAIL", text, 1);
    work(dense, n);
    unsetenv("AIRO_SHIM_FAIL");
    assert_true(lines.count <= 1);
    if (lines.count == 1) {
        expect_part(lines.last, part);
        expect_part(dense_describe(dense), "the CPU");
    }
    dense_close(dense);
    expect_none_left();
    return lines.count == 1;
}

static void fail_each(const char *kind, const char *part)
{
    unsigned number = 1;
    while (number < 100 && fail_one(kind, number, use, 33, part))
        number++;
    print_message("%s: %u ways to fail\n", kind, number - 1);
    assert_true(number > 3 && number < 100);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    fail_each("malloc", "MiB free");
}

static void each_launch_may_fail(void **state)
{
    (void)state;
    fail_each("launch", "failed");
}

static void each_copy_may_fail(void **state)
{
    (void)state;
    fail_each("copy", LOST);
}

static void the_device_may_be_lost_anywhere(void **state)
{
    (void)state;
    fail_each("lost", LOST);
}

static void gather(struct dense *dense, size_t n)
{
    dense_expect_gram(dense, n, 3);
}

/* The first panel has been added, or brought back, when it goes. */
static void it_may_be_lost_between_panels(void **state)
{
    (void)state;
    const size_t n = DENSE_PANEL + 35;
    unsigned number = 1, few = 1;
    while (number < 100 && fail_one("lost", number, gather, n, LOST))
        number++;
    assert_int_equal(number - 1, 3 + 2 * 2); /* an arena and the rows, two panels */
    while (few < 100 && fail_one("lost", few, dense_expect_inverse, n, LOST))
        few += few < 10 ? 5 : 1;
    assert_int_equal(few - 1, 7 + 2 * 4); /* the factor, two panels */
}

static void expect_refusal(const char *device, const char *part)
{
    const struct dense_device_options options = {device, NULL, NULL};
    struct dense *dense = dense_open(1, 8, NULL, NULL);
    struct backend_error error = {0};
    assert_int_equal(dense_attach(dense, airo_dense(), &options, &error), -1);
    expect_part(error.message, part);
    assert_false(dense_attached(dense));
    assert_string_equal(dense_describe(dense), "the CPU");
    dense_expect_inverse(dense, 8);
    dense_close(dense);
    expect_none_left();
}

static void devices_are_found_by_their_names(void **state)
{
    (void)state;
    struct dense *dense = dense_open(1, 8, NULL, NULL);
    struct dense_device_options options = {"cuda:1,2", NULL, NULL};
    struct backend_error error = {0};
    setenv("AIRO_SHIM_DEVICES", "3", 1);
    assert_int_equal(dense_attach(dense, airo_dense(), &options, &error), 0);
    assert_int_equal(strncmp(dense_describe(dense), "Host shim", 9), 0); /* not "2 x" */
    dense_expect_inverse(dense, 8);
    assert_true(shim_device_bytes(1) > 0);
    assert_true(shim_device_bytes(0) == 0 && shim_device_bytes(2) == 0);
    dense_close(dense);
    expect_none_left();
    expect_refusal("cuda:3", "there is no device 3");
    expect_refusal("rocm", "no device named rocm");
    setenv("AIRO_SHIM_DEVICES", "0", 1);
    expect_refusal("cuda", "no NVIDIA GPU");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, begin)
    const struct CMUnitTest tests[] = {
        TEST(memory_is_asked_for_before_it_is_taken),
        TEST(gathering_needs_memory_too),
        TEST(without_cusolver_the_device_only_gathers),
        TEST(each_allocation_may_fail),
        TEST(each_launch_may_fail),
        TEST(each_copy_may_fail),
        TEST(the_device_may_be_lost_anywhere),
        TEST(it_may_be_lost_between_panels),
        TEST(devices_are_found_by_their_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
