/* Tests of engine/model/rope.c: each rule's ratio to the unscaled frequencies. Expected values
 * were worked out in double precision from the published formulas, apart from this code. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <string.h>

#include "engine/model/rope.h"

#define DIM 128

struct expected {
    uint32_t index;
    double ratio;
};

static double plain(double base, uint32_t index)
{
    return pow(base, -2.0 * index / DIM);
}

static void assert_near(double value, double wanted, double tolerance)
{
    if (!(fabs(value - wanted) <= tolerance * fabs(wanted)))
        fail_msg("%.9g is not %.9g", value, wanted);
}

static float check(const struct rope_config *rope, uint32_t context, const struct expected *table,
                   size_t count, double tolerance)
{
    float inv_freq[DIM / 2], scale = 0;
    rope_inv_freq(rope, DIM, context, inv_freq, &scale);
    for (size_t i = 0; i < count; i++)
        assert_near(inv_freq[table[i].index] / plain(rope->theta, table[i].index), table[i].ratio,
                    tolerance);
    for (uint32_t i = 1; i < DIM / 2; i++)
        assert_true(inv_freq[i] > 0 && inv_freq[i] < inv_freq[i - 1]);
    return scale;
}

#define CHECK(rope, context, table, tolerance)                                                     \
    check(rope, context, table, sizeof table / sizeof table[0], tolerance)

static void unscaled_is_plain(void **state)
{
    (void)state;
    const struct rope_config rope = {.kind = ROPE_NONE, .theta = 10000, .factor = 1};
    const struct expected table[] = {{0, 1}, {1, 1}, {17, 1}, {63, 1}};
    assert_true(CHECK(&rope, 4096, table, 1e-6) == 1.0f);
}

static void linear_divides(void **state)
{
    (void)state;
    const struct rope_config rope = {.kind = ROPE_LINEAR, .theta = 10000, .factor = 8};
    const struct expected table[] = {{0, .125}, {31, .125}, {63, .125}};
    assert_true(CHECK(&rope, 16384, table, 1e-6) == 1.0f);
}

/* The figures of Airophin's description, to the digits given there. */
static void ntk_by_parts_is_airophins(void **state)
{
    (void)state;
    const struct rope_config rope = {
        .kind = ROPE_NTK_BY_PARTS, .theta = 10000, .factor = 4, .original_context = 4096};
    const struct expected table[] = {{0, 1},      {10, 1},     {25, 1},     {26, .9728},
                                     {30, .849},  {36, .6238}, {40, .4513}, {43, .3882},
                                     {45, .3229}, {48, .25},   {55, .25},   {63, .25}};
    assert_true(CHECK(&rope, 16384, table, 2e-4) == 1.0f);
}

static void ntk_by_parts_of_one_is_plain(void **state)
{
    (void)state;
    const struct rope_config rope = {
        .kind = ROPE_NTK_BY_PARTS, .theta = 10000, .factor = 1, .original_context = 4096};
    const struct expected table[] = {{0, 1}, {30, 1}, {44, 1}, {63, 1}};
    CHECK(&rope, 4096, table, 1e-6);
}

static void dynamic_grows_with_the_context(void **state)
{
    (void)state;
    const struct rope_config rope = {
        .kind = ROPE_DYNAMIC, .theta = 10000, .factor = 2, .original_context = 2048};
    const struct expected twice[] = {{0, 1},         {1, .9827129},  {16, .7565303},
                                     {32, .5723382}, {48, .4329912}, {63, .3333333}};
    const struct expected within[] = {{1, 1}, {32, 1}, {63, 1}};
    assert_true(CHECK(&rope, 4096, twice, 1e-5) == 1.0f);
    CHECK(&rope, 2048, within, 1e-6);
    CHECK(&rope, 100, within, 1e-6);
}

static void yarn_mixes_and_scales(void **state)
{
    (void)state;
    struct rope_config rope = {.kind = ROPE_YARN,
                               .theta = 10000,
                               .factor = 16,
                               .original_context = 4096,
                               .beta_fast = 32,
                               .beta_slow = 1};
    const struct expected table[] = {{0, 1},          {20, 1},        {21, .9639423},
                                     {25, .8197115},  {30, .6394231}, {40, .2788462},
                                     {45, .09855769}, {46, .0625},    {63, .0625}};
    assert_near(CHECK(&rope, 65536, table, 1e-5), 1.2772588722239782, 1e-6);
    rope.attention_factor = 0.5;
    assert_true(CHECK(&rope, 65536, table, 1e-5) == 0.5f);
}

static void llama3_keeps_the_fast_waves(void **state)
{
    (void)state;
    const struct rope_config rope = {.kind = ROPE_LLAMA3,
                                     .theta = 500000,
                                     .factor = 8,
                                     .original_context = 8192,
                                     .low_freq_factor = 1,
                                     .high_freq_factor = 4};
    const struct expected table[] = {{0, 1},         {28, 1},        {29, .8281684},
                                     {30, .6437431}, {31, .4935071}, {33, .2714255},
                                     {34, .1902107}, {35, .125},     {63, .125}};
    assert_true(CHECK(&rope, 131072, table, 1e-5) == 1.0f);
}

/* Odd corners must still give finite, positive frequencies. */
static void corners_are_finite(void **state)
{
    (void)state;
    static const uint32_t dims[] = {8, 32, 256, 1024};
    float inv_freq[512], scale;
    for (int kind = ROPE_NONE; kind <= ROPE_LLAMA3; kind++) {
        for (size_t i = 0; i < sizeof dims / sizeof dims[0]; i++) {
            const struct rope_config rope = {.kind = (enum rope_kind)kind,
                                             .theta = 2,
                                             .factor = 1024,
                                             .original_context = 1,
                                             .beta_fast = 32,
                                             .beta_slow = 1,
                                             .low_freq_factor = 1,
                                             .high_freq_factor = 4};
            rope_inv_freq(&rope, dims[i], 1u << 24, inv_freq, &scale);
            for (uint32_t k = 0; k < dims[i] / 2; k++)
                assert_true(isfinite(inv_freq[k]) && inv_freq[k] >= 0);
            assert_true(isfinite(scale) && scale > 0);
        }
    }
}

static void description_names_rule_and_lengths(void **state)
{
    (void)state;
    char text[96];
    const struct rope_config rope = {
        .kind = ROPE_NTK_BY_PARTS, .theta = 10000, .factor = 4, .original_context = 4096};
    assert_string_equal(rope_describe(&rope, 16384, text), "NTK-by-parts x4 (4096 -> 16384)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unscaled_is_plain),
        cmocka_unit_test(linear_divides),
        cmocka_unit_test(ntk_by_parts_is_airophins),
        cmocka_unit_test(ntk_by_parts_of_one_is_plain),
        cmocka_unit_test(dynamic_grows_with_the_context),
        cmocka_unit_test(yarn_mixes_and_scales),
        cmocka_unit_test(llama3_keeps_the_fast_waves),
        cmocka_unit_test(corners_are_finite),
        cmocka_unit_test(description_names_rule_and_lengths),
    };
    return cmocka_run_group_tests_name("rope", tests, NULL, NULL);
}
