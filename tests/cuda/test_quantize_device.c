/*
 * Quantisation with its linear algebra on the plug-in that runs on the shim: the same codes as the
 * CPU's, whatever fails on the way; the program's --device and what it says.
 *
 * The factors of CPU and device differ by about 1e-14 of a weight's size, so that a code can differ
 * only where a weight lies within some 1e-12 steps of the middle between two: of the 150,000 that
 * these models have, none does, and the tensors are compared bit by bit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "tests/unit/quantize_shop.h"

static const char *build(void)
{
    const char *name = getenv("AIRO_BUILD");
    return name != NULL ? name : "build";
}

static int begin(void **state)
{
    (void)state;
    char *plugin = xasprintf("%s/cuda-host/airo-cuda.so", build());
    setenv("AIRO_CUDA", plugin, 1);
    setenv("AIRO_SHIM_POISON", "1", 1);
    unsetenv("AIRO_SHIM_FAIL");
    unsetenv("AIRO_SHIM_MEMORY");
    unsetenv("AIRO_SHIM_SOLVER");
    free(plugin);
    return 0;
}

struct heard {
    struct workshop shop;
    int notices;
    char notice[512];
};

static void hear(void *user, const char *line)
{
    struct heard *heard = user; /* the shop is its first member */
    snprintf(heard->notice, sizeof heard->notice, "%s", line);
    heard->notices++;
}

static void expect_part(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("no \"%s\" in: %s", part, text);
}

/* The shop's model on the CPU into out, and a place for the next. */
static char *quantise_on_cpu(struct heard *heard, const char *dtype)
{
    shop_open(&heard->shop, dtype);
    tiny_model_write(&heard->shop.model);
    heard->shop.options.notice = hear;
    heard->shop.options.device = "cpu";
    heard->notices = 0;
    struct quantize_report report = shop_run(&heard->shop);
    assert_string_equal(report.algebra, "the CPU");
    assert_int_equal(heard->notices, 0);
    char *first = heard->shop.out;
    heard->shop.out = path_join(heard->shop.scratch, "device");
    heard->shop.options.out = heard->shop.out;
    return first;
}

static void codes_equal_those_of_the_cpu(void **state)
{
    (void)state;
    static const struct gptq_settings settings[] = {
        {32, true, false, false, GROUP_MIN_MAX, .01},
        {32, true, true, false, GROUP_SEARCH, .01},
        {0, false, false, true, GROUP_SEARCH, .1},
    };
    static const char *const dtypes[] = {"F16", "BF16", "F32"};
    for (size_t i = 0; i < sizeof settings / sizeof settings[0]; i++) {
        struct heard heard;
        char *first = quantise_on_cpu(&heard, dtypes[i]);
        shop_remove_tree(first);
        heard.shop.options.gptq = settings[i];
        heard.shop.options.out = first;
        shop_run(&heard.shop);
        heard.shop.options.out = heard.shop.out;
        heard.shop.options.device = "cuda";
        struct quantize_report report = shop_run(&heard.shop);
        expect_part(report.algebra, "Host shim, CUDA");
        assert_null(strstr(report.algebra, "the CPU"));
        assert_int_equal(heard.notices, 0);
        shop_expect_equal_sets(first, heard.shop.out);
        free(first);
        shop_close(&heard.shop);
    }
}

/* One line, and the same tensors. */
static void expect_same(const char *variable, const char *value, const char *notice,
                        const char *algebra)
{
    struct heard heard;
    char *first = quantise_on_cpu(&heard, "F16");
    heard.shop.options.device = "cuda";
    setenv(variable, value, 1);
    struct quantize_report report = shop_run(&heard.shop);
    unsetenv(variable);
    assert_int_equal(heard.notices, 1);
    expect_part(heard.notice, notice);
    expect_part(report.algebra, algebra);
    shop_expect_equal_sets(first, heard.shop.out);
    free(first);
    shop_close(&heard.shop);
}

static void what_fails_on_the_way_changes_nothing(void **state)
{
    (void)state;
    static const char lost[] = "the linear algebra is the CPU's: Host shim: ";
    expect_same("AIRO_SHIM_FAIL", "lost:2", lost, "Host shim, CUDA 12.0, then the CPU");
    expect_same("AIRO_SHIM_FAIL", "lost:40", lost, ", then the CPU");
    expect_same("AIRO_SHIM_FAIL", "copy:23", lost, ", then the CPU");
    expect_same("AIRO_SHIM_SOLVER", "0", "cuSOLVER cannot be loaded", " and the CPU");
    expect_same("AIRO_SHIM_MEMORY", "600000", "gathering the inputs is the CPU's", " and the CPU");
}

static void stopping_leaves_nothing(void **state)
{
    (void)state;
    struct heard heard;
    struct quantize_report report;
    struct error error;
    shop_open(&heard.shop, "F16");
    tiny_model_write(&heard.shop.model);
    heard.shop.options.device = "cuda";
    shop_run(&heard.shop);
    shop_remove_tree(heard.shop.out);
    int all = heard.shop.calls;
    assert_true(all > 100);
    for (int step = 1; step < all - all / 8; step += all / 11) {
        heard.shop.calls = heard.shop.results = 0;
        heard.shop.stop_after = step;
        assert_int_equal(quantize(&heard.shop.options, &report, &error), -1);
        assert_int_equal(error.code, ERROR_CANCELLED);
        shop_expect_nothing_left(&heard.shop);
    }
    shop_close(&heard.shop);
}

/* --- the program ------------------------------------------------------------------------------ */

static int quantise(const struct workshop *shop, const char *variables, const char *arguments,
                    struct strbuf *out)
{
    char *command = xasprintf("HOME=%s XDG_CONFIG_HOME=%s %s %s/airo quantize %s %s --calibration "
                              "%s --samples 4 --length 32 %s 2>&1",
                              shop->scratch, shop->scratch, variables, build(),
                              shop->model.directory, shop->out, shop->text, arguments);
    FILE *pipe = popen(command, "r");
    char bytes[1024];
    size_t got;
    assert_non_null(pipe);
    strbuf_clear(out);
    while ((got = fread(bytes, 1, sizeof bytes, pipe)) > 0)
        strbuf_add(out, bytes, got);
    int status = pclose(pipe);
    free(command);
    shop_remove_tree(shop->out);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void the_program_says_what_did_it(void **state)
{
    (void)state;
    struct workshop shop;
    struct strbuf out = {0};
    shop_open(&shop, "F16");
    tiny_model_write(&shop.model);
    assert_int_equal(quantise(&shop, "", "--device cuda", &out), 0);
    expect_part(strbuf_text(&out), "linear algebra: Host shim, CUDA 12.0\n");
    assert_int_equal(quantise(&shop, "", "--device cpu", &out), 0);
    expect_part(strbuf_text(&out), "linear algebra: the CPU\n");
    assert_int_equal(quantise(&shop, "AIRO_SHIM_FAIL=gone:9", "--device auto", &out), 0);
    expect_part(strbuf_text(&out), "the linear algebra is the CPU's: Host shim: ");
    expect_part(strbuf_text(&out), "linear algebra: Host shim, CUDA 12.0, then the CPU\n");
    /* one that is not there: an error where it was asked for, a line where it was not */
    assert_int_equal(quantise(&shop, "AIRO_SHIM_DEVICES=0", "--device auto", &out), 0);
    expect_part(strbuf_text(&out), "the GPU is not used: there is no NVIDIA GPU");
    expect_part(strbuf_text(&out), "linear algebra: the CPU\n");
    assert_int_equal(quantise(&shop, "AIRO_SHIM_DEVICES=0", "--device cuda", &out), 1);
    expect_part(strbuf_text(&out), "device = cuda: there is no NVIDIA GPU");
    assert_int_equal(quantise(&shop, "", "--device cuda:2", &out), 1);
    expect_part(strbuf_text(&out), "device = cuda:2: there is no device 2");
    assert_int_equal(quantise(&shop, "", "--device gpu", &out), 2);
    expect_part(strbuf_text(&out),
                "--device: \"gpu\" is not auto, cpu, cuda or cuda: and the numbers");
    assert_int_equal(quantise(&shop, "AIRO_CUDA=/no/such.so", "--device cuda", &out), 1);
    expect_part(strbuf_text(&out), "device = cuda: /no/such.so: No such file");
    strbuf_free(&out);
    shop_close(&shop);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, begin)
    const struct CMUnitTest tests[] = {
        TEST(codes_equal_those_of_the_cpu),
        TEST(what_fails_on_the_way_changes_nothing),
        TEST(stopping_leaves_nothing),
        TEST(the_program_says_what_did_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
