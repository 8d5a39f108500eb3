/*
 * What the CUDA backend does when something is missing or breaks: devices that do not suit, memory
 * that does not reach, each allocation, launch and copy refused in turn, a device lost in a step;
 * and layers shared by several devices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/cuda/seam.h"
#include "tests/cuda/shim/shim.h"

static int begin(void **state)
{
    (void)state;
    setenv("AIRO_SHIM_POISON", "0", 1); /* of gigabytes, all in all */
    static const char *const names[] = {"AIRO_SHIM_DEVICES", "AIRO_SHIM_MEMORY", "AIRO_SHIM_FAIL",
                                        "AIRO_SHIM_AHEAD"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unsetenv(names[i]);
    shim_quiet(1);
    return 0;
}

static void expect_none_left(void)
{
    for (int device = 0; device < 4; device++) {
        assert_int_equal(shim_device_bytes(device), 0);
        assert_int_equal(shim_device_allocations(device), 0);
    }
}

static void expect_line(const char *message, const char *part)
{
    if (message[0] == '\0' || strchr(message, '\n') != NULL || strstr(message, part) == NULL)
        fail_msg("no line with \"%s\": %s", part, message);
}

/* --- refusals --------------------------------------------------------------------------------- */

static void refused(const struct kernel_options *options, const char *device, enum kv_type type,
                    uint32_t pages, enum backend_code code, const char *part)
{
    struct kernel_model *model = kernel_model_make(options, 5);
    const struct backend_options backend_options = {.device = device};
    struct backend_error error = {0};
    struct kernel_run run;
    assert_int_equal(
        kernel_open_on(&run, model, airo_backend(), &backend_options, type, pages, &error), -1);
    expect_line(error.message, part);
    assert_int_equal(error.code, code);
    expect_none_left();
    kernel_model_free(model);
}

static void what_is_not_offered_is_refused(void **state)
{
    (void)state;
    struct kernel_options options = seam_base;
    refused(&options, NULL, KV_F32, 4, BACKEND_UNSUPPORTED, "f32 keys and values");
    refused(&options, "cuda:1", KV_F16, 4, BACKEND_UNSUPPORTED, "there is no device 1, 1 can");
    refused(&options, "cuda:0,0", KV_F16, 4, BACKEND_UNSUPPORTED, "0 comes twice");
    refused(&options, "cuda:0,", KV_F16, 4, BACKEND_UNSUPPORTED, "numbers");
    refused(&options, "rocm", KV_F16, 4, BACKEND_UNSUPPORTED, "no device named rocm");
    options.head_dim = 32;
    refused(&options, NULL, KV_F16, 4, BACKEND_UNSUPPORTED, "--device cpu");
    setenv("AIRO_SHIM_DEVICES", "0", 1);
    refused(&seam_base, NULL, KV_F16, 4, BACKEND_UNSUPPORTED, "no NVIDIA GPU");
}

static void too_little_memory_is_told_with_numbers(void **state)
{
    (void)state;
    setenv("AIRO_SHIM_MEMORY", "100000", 1);
    refused(&seam_base, NULL, KV_F16, 4, BACKEND_NO_MEMORY, "MiB free");
    setenv("AIRO_SHIM_MEMORY", "268435456", 1);
    refused(&seam_base, NULL, KV_F16, 65536, BACKEND_NO_MEMORY, "for 1048576 tokens");
}

/* --- faults one by one ------------------------------------------------------------------------ */

/* A prompt, two replayed steps and a copy of a page, until something fails: then everything fails
 * with the same line. */
static int use(const struct kernel_run *run, const struct kernel_model *model, char *line)
{
    static const uint32_t counts[] = {66, 3, 1, 1, 1};
    const struct backend_ops *ops = run->ops;
    struct kernel_batch *batch = calloc(1, sizeof *batch);
    const float *logits = NULL;
    uint32_t done = 0;
    int bad = 0;
    for (size_t i = 0; bad == 0 && i < sizeof counts / sizeof counts[0]; done += counts[i++]) {
        kernel_batch_init(batch, model, SEAM_PAGES);
        seam_add_rows(batch, 0, done, counts[i]);
        bad = seam_try(run, model, &batch->batch, counts[i] < 8 ? 1 : 0, &logits);
        if (bad == 0)
            bad = ops->kv_copy_page(run->backend, 1, 2, 16);
    }
    if (bad != 0) {
        snprintf(line, 256, "%s", ops->last_error(run->backend));
        assert_true(ops->lost(run->backend));
        unsetenv("AIRO_SHIM_FAIL");
        assert_int_not_equal(seam_try(run, model, &batch->batch, 1, &logits), 0);
        assert_string_equal(ops->last_error(run->backend), line);
    }
    free(batch);
    return bad;
}

/* 0: nothing failed. */
static int open_and_use(const struct kernel_model *model, const char *device, char *line)
{
    const struct backend_options options = {.device = device};
    struct backend_error error = {0};
    struct kernel_run run;
    line[0] = '\0';
    if (kernel_open_on(&run, model, airo_backend(), &options, KV_Q8, SEAM_PAGES, &error) != 0) {
        snprintf(line, 256, "%s", error.message);
        return -1;
    }
    int bad = use(&run, model, line);
    kernel_close(&run);
    return bad;
}

/* Until a turn passes; some kinds only every few, as there are hundreds. */
static void fail_each(const char *kind, unsigned step, const char *device)
{
    struct kernel_options options = seam_base;
    options.layers = strncmp(device != NULL ? device : "", "cuda:0,", 7) == 0 ? 2 : 1;
    struct kernel_model *model = kernel_model_make(&options, 7);
    char text[32], line[256];
    unsigned turns = 0;
    for (unsigned n = 1; turns < 1000; n += step, turns++) {
        snprintf(text, sizeof text, "%s:%u", kind, n);
        setenv("AIRO_SHIM_FAIL", text, 1);
        int bad = open_and_use(model, device, line);
        unsetenv("AIRO_SHIM_FAIL");
        expect_none_left();
        if (bad == 0)
            break;
        expect_line(line, strcmp(kind, "malloc") == 0 ? "MiB free" : "failed");
    }
    assert_true(turns > 5 && turns < 1000);
    /* and all is well again */
    assert_int_equal(open_and_use(model, device, line), 0);
    expect_none_left();
    kernel_model_free(model);
}

static void each_allocation_may_fail(void **state)
{
    (void)state;
    fail_each("malloc", 1, NULL);
}

static void each_launch_may_fail(void **state)
{
    (void)state;
    fail_each("launch", 2, NULL);
}

static void each_copy_may_fail(void **state)
{
    (void)state;
    fail_each("copy", 5, NULL);
}

/* The driver that cannot make a graph of a step's launches still runs them. */
static void a_graph_may_be_refused(void **state)
{
    (void)state;
    struct kernel_model *model = kernel_model_make(&seam_base, 7);
    struct kernel_run run = seam_open(model, NULL, KV_F16);
    struct kernel_batch *batch = calloc(1, sizeof *batch);
    size_t bytes = model->shape.vocab * sizeof(float), launches = 0;
    float *first = malloc(bytes);
    setenv("AIRO_SHIM_FAIL", "capture:1", 1);
    for (uint32_t turn = 0; turn < 4; turn++) { /* launched; recorded in vain; launched */
        kernel_batch_init(batch, model, SEAM_PAGES);
        seam_add_rows(batch, 0, 0, 1);
        launches = shim_launches();
        const float *logits = seam_forward(&run, model, &batch->batch, 1);
        if (turn == 0)
            memcpy(first, logits, bytes);
        assert_memory_equal(logits, first, bytes);
        assert_false(run.ops->lost(run.backend));
    }
    assert_true(shim_launches() - launches > 5);
    free(first);
    free(batch);
    kernel_close(&run);
    expect_none_left();
    kernel_model_free(model);
}

static void the_device_may_be_lost_anywhere(void **state)
{
    (void)state;
    fail_each("lost", 11, NULL);
}

static void one_of_two_devices_may_be_lost(void **state)
{
    (void)state;
    setenv("AIRO_SHIM_DEVICES", "2", 1);
    fail_each("lost", 29, "cuda:0,1");
}

/* --- several devices -------------------------------------------------------------------------- */

static void devices_share_the_layers(void **state)
{
    (void)state;
    static const uint32_t counts[] = {5, 1, 70, 1, 1, 1, 9, 1};
    struct kernel_options options = seam_base;
    options.layers = 3;
    options.order = ORDER_SHARED;
    setenv("AIRO_SHIM_DEVICES", "3", 1);
    struct kernel_model *model = kernel_model_make(&options, 9);
    struct kernel_run one = seam_open(model, "cuda:1", KV_F16);
    struct kernel_run all = seam_open(model, "cuda:0,2", KV_F16);
    assert_non_null(strstr(all.ops->describe(all.backend), "2 x "));
    assert_true(shim_device_bytes(0) > 0 && shim_device_bytes(2) > 0);
    assert_true(shim_device_bytes(1) > shim_device_bytes(2));
    struct kernel_batch *batch = calloc(1, sizeof *batch);
    uint32_t done = 0, vocab = model->shape.vocab;
    float *expected = malloc(vocab * sizeof *expected);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; done += counts[i++]) {
        kernel_batch_init(batch, model, SEAM_PAGES);
        seam_add_rows(batch, 0, done, counts[i]);
        memcpy(expected, seam_forward(&one, model, &batch->batch, 1), vocab * sizeof *expected);
        assert_memory_equal(seam_forward(&all, model, &batch->batch, 1), expected,
                            vocab * sizeof *expected);
    }
    free(expected);
    free(batch);
    kernel_close(&one);
    kernel_close(&all);
    expect_none_left();
    kernel_model_free(model);
}

/* Two chunks without a head, so that nobody waits in between, and a token: what it finds in the
 * pages of all layers. */
static const float *read_ahead(const struct kernel_run *run, const struct kernel_model *model)
{
    static const uint32_t counts[] = {66, 70, 1};
    struct kernel_batch *batch = calloc(1, sizeof *batch);
    const float *logits = NULL;
    uint32_t done = 0;
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; done += counts[i++]) {
        kernel_batch_init(batch, model, SEAM_PAGES);
        seam_add_rows(batch, 0, done, counts[i]);
        logits = seam_forward(run, model, &batch->batch, i == 2);
    }
    free(batch);
    return logits;
}

/* The device that takes x waits until it is there, and the one that gave it until it is copied,
 * whichever of them is the faster: at the border the first is up to a chunk ahead. */
static void devices_wait_for_each_other(void **state)
{
    (void)state;
    struct kernel_options options = seam_base;
    options.layers = 5; /* three and two: the second device is not waited for in the first chunk */
    setenv("AIRO_SHIM_DEVICES", "2", 1);
    struct kernel_model *model = kernel_model_make(&options, 9);
    size_t bytes = model->shape.vocab * sizeof(float);
    float *expected = malloc(bytes);
    struct kernel_run one = seam_open(model, "cuda:0", KV_F16);
    memcpy(expected, read_ahead(&one, model), bytes);
    kernel_close(&one);
    for (int ahead = 0; ahead < 2; ahead++) {
        setenv("AIRO_SHIM_AHEAD", ahead ? "1" : "0", 1);
        struct kernel_run two = seam_open(model, "cuda:0,1", KV_F16);
        assert_memory_equal(read_ahead(&two, model), expected, bytes);
        kernel_close(&two);
    }
    free(expected);
    kernel_model_free(model);
}

/* How many of three devices the plan of `bytes` and `scratches` times the scratch of one makes it
 * take. */
static void expect_devices(uint64_t bytes, double scratches, const char *count)
{
    struct kernel_options shape = seam_base;
    shape.layers = 8;
    struct kernel_model *model = kernel_model_make(&shape, 9);
    const struct backend_ops *ops = airo_backend();
    const struct backend_options options = {.device = "auto"};
    struct backend_error error = {0};
    struct backend *backend = NULL;
    assert_int_equal(ops->open(&backend, &model->shape, &options, &error), 0);
    double scratch = scratches * (double)ops->scratch_bytes(backend);
    assert_int_equal(ops->expect(backend, (uint64_t)((double)bytes + scratch), &error), 0);
    if (strncmp(ops->describe(backend), count, strlen(count)) != 0)
        fail_msg("%llu bytes: %s", (unsigned long long)bytes, ops->describe(backend));
    ops->close(backend);
    kernel_model_free(model);
}

static void a_plan_too_large_for_one_takes_more(void **state)
{
    (void)state;
    setenv("AIRO_SHIM_DEVICES", "3", 1);
    setenv("AIRO_SHIM_MEMORY", "67108864", 1);
    expect_devices(60 << 20, 0, "Host");
    expect_devices(100 << 20, 0, "2 x ");
    expect_devices(190 << 20, 0, "3 x ");
    expect_devices((uint64_t)1 << 40, 0, "3 x ");
    /* Each that is taken in needs a scratch of its own. */
    const uint64_t two = (uint64_t)2 << 30;
    setenv("AIRO_SHIM_MEMORY", "1073741824", 1);
    expect_devices((uint64_t)1 << 30, 0, "Host");
    expect_devices(two, -1, "2 x ");
    expect_devices(two, -0.5, "3 x ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, begin)
    const struct CMUnitTest tests[] = {
        TEST(what_is_not_offered_is_refused),
        TEST(too_little_memory_is_told_with_numbers),
        TEST(each_allocation_may_fail),
        TEST(each_launch_may_fail),
        TEST(each_copy_may_fail),
        TEST(a_graph_may_be_refused),
        TEST(the_device_may_be_lost_anywhere),
        TEST(one_of_two_devices_may_be_lost),
        TEST(devices_share_the_layers),
        TEST(devices_wait_for_each_other),
        TEST(a_plan_too_large_for_one_takes_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
