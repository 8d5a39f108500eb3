/*
 * Quantisation against an independent float64 implementation in Python (make_gptq_golden.py):
 * single matrices bit for bit, and whole models calibrated on a text.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/model/weights.h"
#include "engine/quant/gptq_solve.h"
#include "engine/quant/quantize.h"
#include "kernels/cpu/half.h"

#define TOKENS 300

struct golden_case {
    const char *name;
    uint32_t in, out;
    uint64_t seed;
    struct gptq_settings settings;
};

/* As in make_gptq_golden.py. */
static const struct golden_case cases[] = {
    {"act-order", 96, 24, 1, {32, true, false, false, GROUP_MIN_MAX, .01}},
    {"in-order", 96, 24, 2, {32, false, false, false, GROUP_MIN_MAX, .01}},
    {"symmetric", 64, 16, 3, {16, true, false, true, GROUP_MIN_MAX, .01}},
    {"column", 320, 8, 4, {0, true, false, false, GROUP_MIN_MAX, .05}},
    {"wide-group", 384, 72, 5, {192, true, false, false, GROUP_MIN_MAX, .01}},
    {"uneven", 112, 16, 6, {48, true, false, false, GROUP_MIN_MAX, .01}},
    {"static", 256, 16, 7, {64, true, true, false, GROUP_MIN_MAX, .01}},
    {"search", 160, 136, 8, {32, true, false, false, GROUP_SEARCH, .01}},
    {"search-symmetric", 160, 16, 9, {32, false, false, true, GROUP_SEARCH, .1}},
};

static uint64_t next_number(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9;
    z = (z ^ z >> 27) * 0x94D049BB133111EB;
    return z ^ z >> 31;
}

static double draw(uint64_t *state)
{
    return (double)(next_number(state) % 4096) - 2048;
}

/* Weights [out, in] and inputs [TOKENS, in]; every value is exact. */
static void draw_case(const struct golden_case *c, float *weights, float *x)
{
    uint64_t state = c->seed;
    float *raw = xcalloc((size_t)TOKENS * c->in, sizeof *raw);
    for (size_t i = 0; i < (size_t)c->out * c->in; i++)
        weights[i] = (float)(draw(&state) / 32768);
    for (size_t i = 0; i < (size_t)TOKENS * c->in; i++)
        raw[i] = (float)draw(&state);
    for (size_t t = 0; t < TOKENS; t++)
        for (size_t i = 0; i < c->in; i++) {
            float mixed = raw[t * c->in + i] + 2 * raw[t * c->in + i % 7];
            x[t * c->in + i] = i == 5 ? 0 : mixed * (float)(1 << i * 7 % 4) / 8192;
        }
    free(raw);
}

static struct strbuf read_golden(const char *name)
{
    struct strbuf bytes = {0};
    struct error error;
    char *path = xasprintf("tests/golden/gptq/%s.gptq", name);
    if (file_read(path, 1u << 24, &bytes, &error) != 0)
        fail_msg("%s", error.message);
    free(path);
    return bytes;
}

static void quantize_case(const struct golden_case *c, unsigned threads, struct gptq_layer *layer)
{
    struct error error;
    struct dense *dense = dense_open(threads, c->in, NULL, NULL);
    float *weights = xcalloc((size_t)c->in * c->out, sizeof *weights);
    float *x = xcalloc((size_t)TOKENS * c->in, sizeof *x);
    struct gptq_inputs inputs = {.in = c->in, .tokens = TOKENS};
    struct backend_tensor weight = {weights, BACKEND_F32, c->out, c->in};
    inputs.h = xcalloc((size_t)c->in * c->in, sizeof *inputs.h);
    draw_case(c, weights, x);
    dense_add_gram(dense, inputs.h, c->in, x, c->in, 100);
    dense_add_gram(dense, inputs.h, c->in, x + (size_t)100 * c->in, c->in, TOKENS - 100);
    if (gptq_factor(&inputs, &c->settings, dense, c->name, &error) != 0 ||
        gptq_solve(layer, &weight, &inputs, &c->settings, dense, c->name, &error) != 0)
        fail_msg("%s", error.message);
    gptq_inputs_free(&inputs);
    free(inputs.h);
    free(weights);
    free(x);
    dense_close(dense);
}

static void matrices_are_equal_bit_for_bit(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct golden_case *c = &cases[i];
        struct strbuf golden = read_golden(c->name), mine = {0};
        struct gptq_layer layer;
        quantize_case(c, 1 + i % 3, &layer);
        strbuf_add(&mine, layer.qweight, (size_t)layer.in / 8 * layer.out * 4);
        strbuf_add(&mine, layer.qzeros, (size_t)layer.groups * layer.out / 8 * 4);
        strbuf_add(&mine, layer.scales, (size_t)layer.groups * layer.out * 2);
        strbuf_add(&mine, layer.g_idx, (size_t)layer.in * 4);
        assert_int_equal(mine.length, golden.length);
        for (size_t at = 0; at < mine.length; at++)
            if (mine.data[at] != golden.data[at])
                fail_msg("%s differs at byte %zu", c->name, at);
        assert_true(layer.error > 0 && layer.error < layer.rounding);
        gptq_layer_free(&layer);
        strbuf_free(&mine);
        strbuf_free(&golden);
    }
}

/* --- whole models ----------------------------------------------------------------------------- */

/* How much of what was written equals the golden file. */
struct agreement {
    size_t codes, equal_codes, zeros, equal_zeros, scales, equal_scales;
};

static size_t equal_nibbles(const uint32_t *a, const char *b, size_t words)
{
    size_t equal = 0;
    for (size_t i = 0; i < words; i++) {
        uint32_t x, y;
        memcpy(&x, (const char *)a + 4 * i, 4);
        memcpy(&y, b + 4 * i, 4);
        for (int j = 0; j < 8; j++)
            equal += (x >> 4 * j & 15) == (y >> 4 * j & 15);
    }
    return equal;
}

static size_t equal_halves(const void *a, const char *b, size_t count)
{
    size_t equal = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t x, y;
        memcpy(&x, (const char *)a + 2 * i, 2);
        memcpy(&y, b + 2 * i, 2);
        equal += x == y;
    }
    return equal;
}

/* g_idx must be equal: the order of the columns is decided by sums that agree to seven digits. */
static const char *compare(const struct backend_linear *linear, const char *at,
                           struct agreement *sum)
{
    size_t words = linear->in / 8 * (size_t)linear->out;
    size_t zeros = linear->groups * (size_t)linear->out / 8;
    size_t scales = linear->groups * (size_t)linear->out;
    sum->codes += 8 * words;
    sum->equal_codes += equal_nibbles(linear->qweight, at, words);
    at += 4 * words;
    sum->zeros += 8 * zeros;
    sum->equal_zeros += equal_nibbles(linear->qzeros, at, zeros);
    at += 4 * zeros;
    sum->scales += scales;
    sum->equal_scales += equal_halves(linear->scales, at, scales);
    at += 2 * scales;
    assert_memory_equal(linear->g_idx, at, 4 * (size_t)linear->in);
    return at + 4 * (size_t)linear->in;
}

static void compare_model(const char *name, const char *directory, struct agreement *sum)
{
    struct model_config config;
    struct safetensors *set = NULL;
    struct error error;
    struct strbuf golden = read_golden(name);
    if (model_config_read(&config, directory, NULL, &error) != 0 ||
        safetensors_open(&set, directory, &error) != 0)
        fail_msg("%s", error.message);
    struct weight_place place = {set, &config, 0};
    const char *at = golden.data;
    for (; place.layer < config.layers; place.layer++)
        for (int slot = 0; slot < LINEAR_SLOTS; slot++) {
            struct backend_linear linear;
            if (weights_linear(&linear, &place, (enum linear_slot)slot, NULL, &error) != 0)
                fail_msg("%s", error.message);
            at = compare(&linear, at, sum);
        }
    assert_ptr_equal(at, golden.data + golden.length);
    safetensors_close(set);
    strbuf_free(&golden);
}

static void remove_model(const char *directory)
{
    static const char *const files[] = {"config.json", "quantize_config.json", "tokenizer.model",
                                        "model.safetensors"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = path_join(directory, files[i]);
        assert_int_equal(unlink(path), 0);
        free(path);
    }
    assert_int_equal(rmdir(directory), 0);
}

/* The activations are fp32 here and float64 there, and each set of kernels adds in its own order:
 * a weight that lies between two codes may fall to the other side. */
static void models_are_equal_but_for_ties(void **state)
{
    (void)state;
    static const char *const names[] = {"fp16-sharded", "bf16", "fp32"};
    char scratch[] = "/tmp/airo-gptq-XXXXXX";
    assert_non_null(mkdtemp(scratch));
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct agreement sum = {0};
        struct quantize_report report;
        struct error error;
        char *from = xasprintf("tests/golden/models/%s", names[i]), *out = path_join(scratch, "q");
        struct quantize_options options = {
            .checkpoint = from,
            .out = out,
            .calibration = "tests/golden/text.txt",
            .gptq = {16, true, false, false, GROUP_SEARCH, .01},
            .samples = 12,
            .length = 64,
            .shard_bytes = 1u << 30,
            .threads = 2,
            .kernels = i == 0 ? "reference" : NULL,
        };
        if (quantize(&options, &report, &error) != 0)
            fail_msg("%s", error.message);
        compare_model(names[i], out, &sum);
        print_message("%s: %zu of %zu codes, %zu of %zu zeros, %zu of %zu scales are equal\n",
                      names[i], sum.equal_codes, sum.codes, sum.equal_zeros, sum.zeros,
                      sum.equal_scales, sum.scales);
        assert_true(sum.equal_codes >= sum.codes - sum.codes / 500);
        assert_true(sum.equal_zeros >= sum.zeros - sum.zeros / 500);
        assert_true(sum.equal_scales >= sum.scales - sum.scales / 100);
        remove_model(out);
        free(from);
        free(out);
    }
    assert_int_equal(rmdir(scratch), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(matrices_are_equal_bit_for_bit),
        cmocka_unit_test(models_are_equal_but_for_ties),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
