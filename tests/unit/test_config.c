/* Tests of engine/model/config*.c: good files in their many forms, and overrides. Bad files are in
 * tests/faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/model/config.h"
#include "engine/model/fields.h"
#include "tests/faults/tiny_model.h"

struct fixture {
    struct tiny_model model;
    struct model_config config;
    struct error error;
};

static void set(struct fixture *fixture, const char *key, const char *value)
{
    if (value == NULL)
        json_object_del(fixture->model.config, key);
    else
        json_object_set_new(fixture->model.config, key, json_loads(value, JSON_DECODE_ANY, NULL));
}

static int read_with(struct fixture *fixture, const struct rope_override *override)
{
    tiny_model_write(&fixture->model);
    return model_config_read(&fixture->config, fixture->model.directory, override, &fixture->error);
}

static void read_good(struct fixture *fixture)
{
    if (read_with(fixture, NULL) != 0)
        fail_msg("%s", fixture->error.message);
}

static int begin(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    tiny_model_init(&fixture->model);
    *state = fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    tiny_model_free(&fixture->model);
    free(fixture);
    return 0;
}

static void dimensions_are_read(void **state)
{
    struct fixture *f = *state;
    read_good(f);
    assert_int_equal(f->config.layers, 2);
    assert_int_equal(f->config.hidden, 64);
    assert_int_equal(f->config.heads, 2);
    assert_int_equal(f->config.kv_heads, 1);
    assert_int_equal(f->config.head_dim, 32);
    assert_int_equal(f->config.ffn, 96);
    assert_int_equal(f->config.vocab, 288);
    assert_true(f->config.norm_eps == 1e-5f);
    assert_int_equal(f->config.bos_id, 1);
    assert_int_equal(f->config.eos_id, 2);
    assert_false(f->config.tied_embeddings);
    assert_int_equal(f->config.quant.kind, QUANT_GPTQ);
    assert_int_equal(f->config.quant.group_size, 32);
    assert_int_equal(f->config.quant.zero_offset, 1);
    assert_true(f->config.quant.desc_act);
}

static void defaults_stand_in(void **state)
{
    struct fixture *f = *state;
    static const char *const absent[] = {
        "num_key_value_heads", "rms_norm_eps", "rope_theta", "hidden_act",
        "tie_word_embeddings", "bos_token_id", "model_type", "original_max_position_embeddings"};
    for (size_t i = 0; i < sizeof absent / sizeof absent[0]; i++)
        set(f, absent[i], NULL);
    set(f, "eos_token_id", "[7, 9]");
    set(f, "head_dim", "16");
    read_good(f);
    assert_int_equal(f->config.kv_heads, 2);
    assert_int_equal(f->config.head_dim, 16);
    assert_true(f->config.norm_eps == 1e-6f);
    assert_true(f->config.rope.theta == 10000.0);
    assert_int_equal(f->config.bos_id, -1);
    assert_int_equal(f->config.eos_id, 7);
    assert_int_equal(f->config.rope.kind, ROPE_NONE);
    assert_int_equal(f->config.context, 128);
}

static void mistral_without_window(void **state)
{
    struct fixture *f = *state;
    set(f, "model_type", "\"mistral\"");
    set(f, "sliding_window", "null");
    read_good(f);
    set(f, "sliding_window", "4096");
    assert_int_equal(read_with(f, NULL), -1);
    assert_non_null(strstr(f->error.message, "sliding_window is 4096"));
}

static void quantization_forms(void **state)
{
    struct fixture *f = *state;
    set(f, "quantization_config", "{\"quant_method\":\"gptq\",\"bits\":4,\"group_size\":32}");
    read_good(f); /* both, agreeing */
    json_decref(f->model.quantize);
    f->model.quantize = NULL;
    tiny_file_remove(&f->model, "quantize_config.json");
    set(f, "quantization_config",
        "{\"bits\":4,\"group_size\":-1,\"checkpoint_format\":\"gptq_v2\"}");
    read_good(f);
    assert_int_equal(f->config.quant.group_size, 0);
    assert_int_equal(f->config.quant.zero_offset, 0);
    set(f, "quantization_config", "null");
    read_good(f);
    assert_int_equal(f->config.quant.kind, QUANT_NONE);
}

/* The checks themselves, with bounds that do not help them. */
static void fields_are_typed(void **state)
{
    struct fixture *f = *state;
    json_t *object =
        json_loads("{\"text\":\"x\\ny\",\"whole\":3,\"real\":2.5,\"none\":null}", 0, NULL);
    const struct fields fields = {object, "file"};
    uint32_t whole = 9;
    double real = 9;
    bool flag = true;
    const char *text = NULL;
    assert_int_equal(field_uint(&fields, "text", 0, 5, &whole, &f->error), -1);
    assert_string_equal(f->error.message,
                        "file: text is \"x\\ny\"; must be a whole number from 0 to 5");
    assert_int_equal(field_uint(&fields, "real", 0, 5, &whole, &f->error), -1);
    assert_int_equal(field_number(&fields, "text", 0, 5, &real, &f->error), -1);
    assert_int_equal(field_bool(&fields, "whole", &flag, &f->error), -1);
    assert_int_equal(field_string(&fields, "whole", &text, &f->error), -1);
    assert_int_equal(field_uint(&fields, "none", 0, 5, &whole, &f->error), 0);
    assert_int_equal(field_uint(&fields, "absent", 0, 5, &whole, &f->error), 0);
    assert_int_equal(whole, 9);
    assert_int_equal(field_uint(&fields, "whole", 3, 3, &whole, &f->error), 0);
    assert_int_equal(field_number(&fields, "whole", 0, 5, &real, &f->error), 0);
    assert_true(whole == 3 && real == 3.0);
    json_decref(object);
}

/* --- RoPE rules --------------------------------------------------------------------------------
 */

struct rule {
    const char *positions, *original, *key, *scaling;
    enum rope_kind kind;
    double factor;
    uint32_t original_context, context;
};

static const struct rule rules[] = {
    {"16384", "4096", NULL, NULL, ROPE_NTK_BY_PARTS, 4, 4096, 16384},
    {"14000", "4096", NULL, NULL, ROPE_NTK_BY_PARTS, 3, 4096, 12288}, /* integer division */
    {"4096", "4096", "rope_scaling", "null", ROPE_NTK_BY_PARTS, 1, 4096, 4096},
    {"4096", NULL, NULL, NULL, ROPE_NONE, 1, 4096, 4096},
    {"4096", NULL, "rope_parameters", "{\"rope_type\":\"default\",\"rope_theta\":5e5}", ROPE_NONE,
     1, 4096, 4096},
    /* max_position_embeddings that counts the factor, and that does not */
    {"8192", NULL, "rope_scaling", "{\"type\":\"linear\",\"factor\":4.0}", ROPE_LINEAR, 4, 2048,
     8192},
    {"2048", NULL, "rope_scaling", "{\"type\":\"linear\",\"factor\":8}", ROPE_LINEAR, 8, 2048,
     16384},
    {"4096", "4096", "rope_scaling", "{\"type\":\"linear\",\"factor\":2}", ROPE_LINEAR, 2, 4096,
     8192},
    {"2048", NULL, "rope_scaling", "{\"type\":\"dynamic\",\"factor\":2}", ROPE_DYNAMIC, 2, 2048,
     4096},
    {"32768", NULL, "rope_scaling",
     "{\"rope_type\":\"yarn\",\"factor\":4,\"original_max_position_embeddings\":8192}", ROPE_YARN,
     4, 8192, 32768},
    {"32768", "8192", "rope_scaling", "{\"rope_type\":\"yarn\"}", ROPE_YARN, 4, 8192, 32768},
    {"131072", NULL, "rope_scaling",
     "{\"rope_type\":\"llama3\",\"factor\":8,\"low_freq_factor\":1,\"high_freq_factor\":4,"
     "\"original_max_position_embeddings\":8192}",
     ROPE_LLAMA3, 8, 8192, 131072},
};

static void rules_are_recognised(void **state)
{
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const struct rule *rule = &rules[i];
        set(f, "rope_scaling", NULL);
        set(f, "rope_parameters", NULL);
        set(f, "max_position_embeddings", rule->positions);
        set(f, "original_max_position_embeddings", rule->original);
        if (rule->key != NULL)
            set(f, rule->key, rule->scaling);
        read_good(f);
        assert_int_equal(f->config.rope.kind, rule->kind);
        assert_true(f->config.rope.factor == rule->factor);
        assert_int_equal(f->config.rope.original_context, rule->original_context);
        assert_int_equal(f->config.context, rule->context);
    }
}

static void yarn_defaults(void **state)
{
    struct fixture *f = *state;
    set(f, "rope_scaling", "{\"type\":\"yarn\",\"factor\":4,\"attention_factor\":0.9}");
    read_good(f);
    assert_true(f->config.rope.beta_fast == 32 && f->config.rope.beta_slow == 1);
    assert_true(f->config.rope.attention_factor == 0.9);
}

struct override_case {
    const char *scaling; /* NULL: the file has no rule */
    struct rope_override override;
    uint32_t context; /* 0: refused, with: */
    const char *expect[2];
};

#define YARN4 "{\"type\":\"yarn\",\"factor\":4,\"original_max_position_embeddings\":2048}"

static const struct override_case overrides[] = {
    {NULL, {"linear", 4, 0}, 8192, {NULL}},
    {NULL, {"linear", 2, 2048}, 4096, {NULL}},
    {NULL, {"ntk-by-parts", 4, 2048}, 8192, {NULL}},
    {NULL, {"dynamic", 3, 0}, 6144, {NULL}},
    {NULL, {"none", 0, 0}, 2048, {NULL}},
    {YARN4, {"yarn", 4, 2048}, 8192, {NULL}},
    {YARN4, {NULL, 0, 0}, 8192, {NULL}},
    {YARN4, {"linear", 4, 0}, 0, {"rope = linear", "yarn"}},
    {YARN4, {"none", 0, 0}, 0, {"rope = none", "yarn"}},
    {YARN4, {NULL, 8, 0}, 0, {"rope_factor = 8", "says 4"}},
    {YARN4, {"yarn", 4, 4096}, 0, {"rope_original = 4096", "says 2048"}},
    {NULL, {NULL, 4, 0}, 0, {"rope_factor", "rule"}},
    {NULL, {"none", 4, 0}, 0, {"rope_factor", "rule"}},
    {NULL, {"linear", 0, 0}, 0, {"factor is missing", "linear"}},
    {NULL, {"linear", 0.5, 0}, 0, {"rope_factor = 0.5", "1"}},
    {NULL, {"linear", (double)NAN, 0}, 0, {"rope_factor = nan", "1"}},
    {NULL, {"linear", (double)INFINITY, 0}, 0, {"rope_factor = inf", "1"}},
    {NULL, {"linear", 4, 1u << 25}, 0, {"rope_original = 33554432", "at most"}},
    {NULL, {"llama3", 8, 0}, 0, {"original_max_position_embeddings", "llama3"}},
    {NULL, {"sideways", 4, 0}, 0, {"rope = sideways", "linear"}},
};

static void overrides_fill_in_or_are_refused(void **state)
{
    struct fixture *f = *state;
    set(f, "original_max_position_embeddings", NULL);
    set(f, "max_position_embeddings", "2048");
    for (size_t i = 0; i < sizeof overrides / sizeof overrides[0]; i++) {
        const struct override_case *at = &overrides[i];
        set(f, "rope_scaling", at->scaling);
        int result = read_with(f, &at->override);
        if (at->context > 0) {
            assert_int_equal(result, 0);
            assert_int_equal(f->config.context, at->context);
            continue;
        }
        assert_int_equal(result, -1);
        for (int k = 0; k < 2; k++) {
            if (strstr(f->error.message, at->expect[k]) == NULL)
                fail_msg("'%s' is not in: %s", at->expect[k], f->error.message);
        }
    }
}

/* Both values: the user's and the file's, for the rule that Airophin's file implies. */
static void override_against_by_parts(void **state)
{
    struct fixture *f = *state;
    const struct rope_override same = {"ntk-by-parts", 4, 32}, other = {"ntk-by-parts", 2, 32};
    assert_int_equal(read_with(f, &same), 0);
    assert_int_equal(read_with(f, &other), -1);
    assert_non_null(strstr(f->error.message, "rope_factor = 2"));
    assert_non_null(strstr(f->error.message, "says 4"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(dimensions_are_read, begin, end),
        cmocka_unit_test_setup_teardown(defaults_stand_in, begin, end),
        cmocka_unit_test_setup_teardown(mistral_without_window, begin, end),
        cmocka_unit_test_setup_teardown(quantization_forms, begin, end),
        cmocka_unit_test_setup_teardown(fields_are_typed, begin, end),
        cmocka_unit_test_setup_teardown(rules_are_recognised, begin, end),
        cmocka_unit_test_setup_teardown(yarn_defaults, begin, end),
        cmocka_unit_test_setup_teardown(overrides_fill_in_or_are_refused, begin, end),
        cmocka_unit_test_setup_teardown(override_against_by_parts, begin, end),
    };
    return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
