/* Tests of engine/model/model*.c: loading the forms a checkpoint may have, the plan and its
 * refusal, finding and describing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/model/gptq.h"
#include "engine/model/model.h"
#include "engine/model/model_plan.h"
#include "engine/model/weights.h"
#include "tests/faults/tiny_model.h"

#define Q0 "model.layers.0.self_attn.q_proj"

struct fixture {
    struct tiny_model tiny;
    struct model_options options;
    struct error error;
    struct model *model;
    uint64_t last_done, last_total; /* of the progress calls */
    unsigned calls, stop_at;
};

/* cmocka puts its own SIGBUS handler in front of every test, after the guard of mapped files was
 * installed: the tests that cut a file put the guard back. */
static struct sigaction mapping_guard;

static void remember_mapping_guard(void)
{
    struct mapped_file file;
    if (mapped_file_open(&file, "/proc/self/exe", NULL) == 0)
        mapped_file_close(&file);
    sigaction(SIGBUS, NULL, &mapping_guard);
}

static int begin(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    tiny_model_init(&f->tiny);
    f->options = (struct model_options){.kv_type = KV_F16, .threads = 1, .kernels = "reference"};
    *state = f;
    return 0;
}

static int end(void **state)
{
    struct fixture *f = *state;
    model_close(f->model);
    tiny_model_free(&f->tiny);
    free(f);
    return 0;
}

static int open_it(struct fixture *f)
{
    model_close(f->model);
    f->model = NULL;
    return model_open(&f->model, f->tiny.directory, &f->options, &f->error);
}

static void open_good(struct fixture *f)
{
    tiny_model_write(&f->tiny);
    if (open_it(f) != 0)
        fail_msg("%s", f->error.message);
}

static void assert_refused(struct fixture *f, const char *first, const char *second)
{
    assert_int_equal(open_it(f), -1);
    if (strstr(f->error.message, first) == NULL || strstr(f->error.message, second) == NULL)
        fail_msg("'%s' and '%s' are not in: %s", first, second, f->error.message);
}

static void loads_quantised(void **state)
{
    struct fixture *f = *state;
    open_good(f);
    assert_int_equal(f->model->context, 128);
    assert_int_equal(f->model->chunk, backend_cpu()->chunk);
    assert_int_equal(f->model->shape.max_positions, 128);
    assert_int_equal(f->model->shape.page_tokens, KV_PAGE_TOKENS);
    assert_true(f->model->rope_scale == 1.0f);
    struct backend_memory memory;
    f->model->ops->memory(f->model->backend, &memory);
    assert_true(memory.weight_bytes > 0);
}

/* With the weights, and with the kernels and threads that were asked for. */
static void reopens_as_it_was(void **state)
{
    struct fixture *f = *state;
    struct backend_memory before, after;
    open_good(f);
    const struct model *model = f->model;
    char *backend = xstrdup(model->ops->describe(model->backend));
    model->ops->memory(model->backend, &before);
    assert_int_equal(model_reopen(f->model, NULL, NULL, &f->error), 0);
    assert_string_equal(model->ops->describe(model->backend), backend);
    assert_string_equal(backend, "CPU plain C, 1 thread");
    model->ops->memory(model->backend, &after);
    assert_true(after.weight_bytes == before.weight_bytes);
    free(backend);
}

/* Dense layers of every type, one biased layer and tied embeddings, beside quantised layers. */
static void loads_mixed(void **state)
{
    struct fixture *f = *state;
    struct tiny_tensor *bias = tiny_tensor_find(&f->tiny, Q0 ".bias");
    bias->data[1] = 0x3C;
    tiny_make_dense(&f->tiny, "model.layers.0.mlp.down_proj", "F16");
    tiny_make_dense(&f->tiny, "model.layers.1.self_attn.o_proj", "BF16");
    tiny_make_dense(&f->tiny, "model.layers.1.mlp.up_proj", "F32");
    tiny_tensor_drop(&f->tiny, "lm_head.weight");
    json_object_set_new(f->tiny.config, "tie_word_embeddings", json_true());
    open_good(f);
}

static void infers_the_group_size(void **state)
{
    struct fixture *f = *state;
    json_decref(f->tiny.quantize);
    f->tiny.quantize = NULL;
    open_good(f);
    assert_int_equal(f->model->config.quant.kind, QUANT_GPTQ);
    assert_int_equal(f->model->config.quant.group_size, 32);
    assert_int_equal(f->model->config.quant.zero_offset, 1);
    struct model_config unread = f->model->config;
    unread.quant = (struct quant_config){.kind = QUANT_NONE};
    char *line = model_describe(f->tiny.directory, &unread);
    assert_non_null(strstr(line, "GPTQ 4-bit g32"));
    free(line);
}

/* --- the tensors of one layer ------------------------------------------------------------------
 */

static int find_layer(const struct fixture *f, struct backend_linear *linear, int32_t **order)
{
    struct safetensors *set = NULL;
    struct model_config config;
    struct error error = {0};
    tiny_model_write(&f->tiny);
    assert_int_equal(model_config_read(&config, f->tiny.directory, NULL, &error), 0);
    assert_int_equal(safetensors_open(&set, f->tiny.directory, &error), 0);
    struct weight_place place = {set, &config, 0};
    uint64_t bytes = 0;
    int result = weights_linear(linear, &place, LINEAR_Q, &bytes, &error);
    if (result == 0)
        result = weights_linear_contents(linear, &place, LINEAR_Q, order, &error);
    assert_int_equal(bytes, 64 / 8 * 64 * 4 + 2 * 8 * 4 + 2 * 64 * 2 + 64 * 4 + 64 * 2);
    safetensors_close(set);
    return result;
}

static void set_order(struct fixture *f, int32_t divisor)
{
    unsigned char *data = tiny_tensor_find(&f->tiny, Q0 ".g_idx")->data;
    for (int32_t row = 0; row < 64; row++) {
        int32_t group = row / divisor;
        memcpy(data + 4 * row, &group, 4);
    }
}

static void order_is_kept_or_dropped(void **state)
{
    struct fixture *f = *state;
    struct backend_linear linear;
    int32_t *order = NULL;
    assert_int_equal(find_layer(f, &linear, &order), 0);
    assert_int_equal(linear.groups, 2);
    assert_int_equal(linear.group_size, 32);
    assert_ptr_equal(linear.g_idx, order);
    assert_memory_equal(order, tiny_tensor_find(&f->tiny, Q0 ".g_idx")->data, 256);
    free(order);
    set_order(f, 64); /* all zero: in order */
    assert_int_equal(find_layer(f, &linear, &order), 0);
    assert_null(linear.g_idx);
    set_order(f, 32); /* row / group_size: in order */
    assert_int_equal(find_layer(f, &linear, &order), 0);
    assert_null(linear.g_idx);
    assert_null(order);
}

static void bias_of_zeros_is_dropped(void **state)
{
    struct fixture *f = *state;
    struct backend_linear linear;
    int32_t *order = NULL;
    assert_int_equal(find_layer(f, &linear, &order), 0);
    assert_null(linear.bias.data);
    free(order);
    tiny_tensor_find(&f->tiny, Q0 ".bias")->data[127] = 0x3C;
    assert_int_equal(find_layer(f, &linear, &order), 0);
    assert_non_null(linear.bias.data);
    assert_int_equal(linear.bias.rows, 1);
    assert_int_equal(linear.bias.cols, 64);
    free(order);
}

static void groups_round_up(void **state)
{
    struct fixture *f = *state;
    struct safetensors *set = NULL;
    struct backend_linear linear;
    const struct quant_config quant = {QUANT_GPTQ, 4, 48, true, false, 0};
    tiny_tensor_reshape(tiny_tensor_find(&f->tiny, Q0 ".scales"), "[2, 64]");
    tiny_model_write(&f->tiny);
    assert_int_equal(safetensors_open(&set, f->tiny.directory, NULL), 0);
    assert_int_equal(gptq_find(&linear, set, Q0, 64, 64, &quant, NULL), 0);
    assert_int_equal(linear.groups, 2); /* 48 and 16 */
    assert_int_equal(linear.zero_offset, 0);
    safetensors_close(set);
}

/* --- progress, context, damage -----------------------------------------------------------------
 */

static bool count_progress(void *user, uint64_t done, uint64_t total)
{
    struct fixture *f = user;
    assert_true(done >= f->last_done && done <= total);
    f->last_done = done;
    f->last_total = total;
    return ++f->calls != f->stop_at;
}

static void progress_reaches_the_end(void **state)
{
    struct fixture *f = *state;
    tiny_tensor_add(&f->tiny, "unused.tensor", "F32", 10, 10);
    f->options.progress = count_progress;
    f->options.user = f;
    open_good(f);
    assert_true(f->calls > 18);
    assert_true(f->last_total > 0);
    assert_int_equal(f->last_done, f->last_total);
}

static void progress_can_stop(void **state)
{
    struct fixture *f = *state;
    f->options.progress = count_progress;
    f->options.user = f;
    f->stop_at = 5;
    tiny_model_write(&f->tiny);
    assert_int_equal(open_it(f), -1);
    assert_int_equal(f->error.code, ERROR_CANCELLED);
    assert_int_equal(f->calls, 5);
}

static bool cut_file(void *user, uint64_t done, uint64_t total)
{
    struct fixture *f = user;
    char *path = tiny_file_path(&f->tiny, "model.safetensors");
    assert_true(done <= total);
    assert_int_equal(truncate(path, 40000), 0);
    free(path);
    return true;
}

static void file_cut_while_loading(void **state)
{
    struct fixture *f = *state;
    sigaction(SIGBUS, &mapping_guard, NULL);
    f->options.progress = cut_file;
    f->options.user = f;
    tiny_model_write(&f->tiny);
    assert_refused(f, "model.safetensors", "cut short");
}

static void sizes_beyond_the_model(void **state)
{
    struct fixture *f = *state;
    f->options.context = 129;
    tiny_model_write(&f->tiny);
    assert_refused(f, "context = 129", "128 tokens at most");
    f->options.context = 0;
    f->options.chunk = 5000;
    assert_refused(f, "chunk = 5000", "4096");
    f->options.chunk = 8;
    f->options.kernels = "abacus";
    assert_int_equal(open_it(f), -1);
    f->options.kernels = "reference";
    f->options.context = 100;
    open_good(f);
    assert_int_equal(f->model->context, 100);
    assert_int_equal(f->model->chunk, 8);
}

/* --- plan --------------------------------------------------------------------------------------
 */

static void plan_counts_without_loading(void **state)
{
    struct fixture *f = *state;
    struct model_config config;
    struct model_plan f16, q8;
    tiny_model_write(&f->tiny);
    const char *directory = f->tiny.directory;
    assert_int_equal(model_config_read(&config, directory, NULL, NULL), 0);
    struct model_planner *planner;
    assert_int_equal(model_planner_open(&planner, directory, &config, "cpu", 0, &f->error), 0);
    assert_non_null(strstr(model_planner_device(planner), "CPU"));
    assert_string_equal(model_planner_notice(planner), "");
    assert_int_equal(model_planner_plan(planner, 0, KV_AUTO, &f16), 0);
    assert_int_equal(model_planner_plan(planner, 128, KV_Q8, &q8), 0);
    model_planner_close(planner);
    /* four contexts of 128 positions and four pages; layers, k and v, dim, f16 */
    assert_int_equal(f16.kv_bytes, (4 * 128 + 4 * 32) * 2 * 2 * 32 * 2);
    assert_true(q8.kv_bytes < f16.kv_bytes);
    assert_true(f16.weight_bytes > 2 * 288 * 64 * 2);
    assert_int_equal(f16.total_bytes, f16.weight_bytes + f16.kv_bytes + f16.scratch_bytes);
    assert_true(f16.available_bytes > 0);
}

struct refusal {
    uint64_t available;
    enum kv_type type;
    const char *expect;
};

/* A 13B model's figures against smaller and smaller machines. */
static void plan_refuses_with_numbers(void **state)
{
    struct fixture *f = *state;
    struct plan_input input = {.directory = "big", .ops = backend_cpu()};
    const struct model_config config = {.layers = 40,
                                        .hidden = 5120,
                                        .heads = 40,
                                        .kv_heads = 40,
                                        .head_dim = 128,
                                        .ffn = 13824,
                                        .vocab = 32000};
    const uint64_t gib = 1ull << 30;
    const struct refusal table[] = {{19 * gib, KV_F32, "needs 32.3 GiB (7.0 GiB of weights, 25.2"},
                                    {25 * gib, KV_F32, "25.0 GiB free; fits with --kv-type f16"},
                                    {15 * gib, KV_F16, "fits with --kv-type q8"},
                                    {11 * gib, KV_F16, "fits with --kv-type q4"},
                                    {9 * gib, KV_Q8, "fits with --kv-type q4 --context 8"},
                                    {7 * gib, KV_F16, "do not leave room"}};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        model_shape(&input.shape, &config, 16384, 256);
        input.kv_type = table[i].type;
        struct model_plan plan = {.weight_bytes = 7 * gib, .scratch_bytes = gib / 10};
        plan.kv_bytes = model_pool_pages(input.ops, &input.shape, table[i].type) *
                        input.ops->kv_page_bytes(&input.shape, table[i].type);
        plan.total_bytes = plan.weight_bytes + plan.kv_bytes + plan.scratch_bytes;
        plan.available_bytes = table[i].available;
        assert_int_equal(plan_check(&plan, &input, &f->error), -1);
        assert_int_equal(f->error.code, ERROR_MEMORY);
        if (strstr(f->error.message, table[i].expect) == NULL)
            fail_msg("'%s' is not in: %s", table[i].expect, f->error.message);
        plan.available_bytes = plan.total_bytes;
        assert_int_equal(plan_check(&plan, &input, &f->error), 0);
    }
}

static void description_is_one_line(void **state)
{
    (void)state;
    struct model_config config = {.layers = 4, .hidden = 256, .context = 16384};
    config.quant = (struct quant_config){QUANT_GPTQ, 4, 32, true, false, 1};
    config.rope =
        (struct rope_config){.kind = ROPE_NTK_BY_PARTS, .factor = 4, .original_context = 4096};
    char *line = model_describe("/opt/models/vaquita/", &config);
    assert_string_equal(line, "vaquita: 4 layers, 256 hidden, GPTQ 4-bit g32 act-order, "
                              "NTK-by-parts x4 (4096 -> 16384)");
    free(line);
    line = model_describe("/c/hub/models--org--Name-13b/snapshots/abc", &config);
    assert_non_null(strstr(line, "Name-13b: 4 layers"));
    free(line);
}

static void kv_names_round_trip(void **state)
{
    (void)state;
    enum kv_type type;
    for (int i = 0; i < KV_TYPES; i++) {
        assert_int_equal(kv_type_parse(kv_type_name((enum kv_type)i), &type), 0);
        assert_int_equal(type, i);
    }
    assert_int_equal(kv_type_parse("auto", &type), 0);
    assert_int_equal(type, KV_AUTO);
    assert_int_equal(kv_type_parse("q3", &type), -1);
}

/* --- finding -----------------------------------------------------------------------------------
 */

/* ROOT/PATH with a config.json. */
static void plant(const char *root, const char *path)
{
    char *directory = path_join(root, path);
    char *config = path_join(directory, "config.json");
    assert_int_equal(directory_make(directory, NULL), 0);
    FILE *file = fopen(config, "w");
    assert_non_null(file);
    assert_int_equal(fputs("{}", file) < 0, 0);
    assert_int_equal(fclose(file), 0);
    free(config);
    free(directory);
}

static void assert_found(const char *name, const char *end_of_path)
{
    struct error error = {0};
    char *found = model_find(name, &error);
    if (found == NULL)
        fail_msg("%s", error.message);
    size_t length = strlen(found), tail = strlen(end_of_path);
    if (length < tail || strcmp(found + length - tail, end_of_path) != 0)
        fail_msg("%s is found at %s, not %s", name, found, end_of_path);
    free(found);
}

static void assert_not_found(const char *name)
{
    struct error error = {0};
    assert_null(model_find(name, &error));
    assert_non_null(strstr(error.message, "model "));
    assert_null(strchr(error.message, '\n'));
}

static void finds_by_path_name_and_hub(void **state)
{
    struct fixture *f = *state;
    const char *root = f->tiny.directory;
    setenv("XDG_DATA_HOME", root, 1);
    setenv("HF_HOME", root, 1);
    unsetenv("HF_HUB_CACHE");
    plant(root, "airo/models/finch-7b");
    plant(root, "hub/models--some-org--Lark_13b.v2/snapshots/0123abc");
    plant(root, "hub/models--some-org--Lark_13b.v2/snapshots/89ef");
    plant(root, "hub/models--some-org--Wren/snapshots/77aa");
    char *refs = path_join(root, "hub/models--some-org--Lark_13b.v2/refs");
    char *main_ref = path_join(refs, "main");
    assert_int_equal(directory_make(refs, NULL), 0);
    FILE *file = fopen(main_ref, "w");
    assert_non_null(file);
    assert_true(fputs("89ef\n", file) >= 0);
    assert_int_equal(fclose(file), 0);
    char *direct = path_join(root, "airo/models/finch-7b");
    assert_found(direct, "airo/models/finch-7b");
    assert_found("finch-7b", "airo/models/finch-7b");
    assert_found("some-org/Lark_13b.v2", "snapshots/89ef");
    assert_found("some-org/Wren", "snapshots/77aa");
    free(direct);
    free(main_ref);
    free(refs);
}

static void refuses_names_that_are_paths_in_disguise(void **state)
{
    struct fixture *f = *state;
    const char *root = f->tiny.directory;
    setenv("XDG_DATA_HOME", root, 1);
    setenv("HF_HOME", root, 1);
    plant(root, "airo/models/finch-7b");
    plant(root, "airo/secret");
    plant(root, "airo/models/.hidden");
    plant(root, "airo/models/-dash");
    static const char *const names[] = {
        "",  ".hidden", "-dash",    "../secret", "finch-7b/../../secret", "finch-7b\n",
        ".", "a//b",    "org/../x", "a/b/c",     "no-such-model",         "org/no-such-model"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_not_found(names[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(loads_quantised, begin, end),
        cmocka_unit_test_setup_teardown(loads_mixed, begin, end),
        cmocka_unit_test_setup_teardown(reopens_as_it_was, begin, end),
        cmocka_unit_test_setup_teardown(infers_the_group_size, begin, end),
        cmocka_unit_test_setup_teardown(order_is_kept_or_dropped, begin, end),
        cmocka_unit_test_setup_teardown(bias_of_zeros_is_dropped, begin, end),
        cmocka_unit_test_setup_teardown(groups_round_up, begin, end),
        cmocka_unit_test_setup_teardown(progress_reaches_the_end, begin, end),
        cmocka_unit_test_setup_teardown(progress_can_stop, begin, end),
        cmocka_unit_test_setup_teardown(file_cut_while_loading, begin, end),
        cmocka_unit_test_setup_teardown(sizes_beyond_the_model, begin, end),
        cmocka_unit_test_setup_teardown(plan_counts_without_loading, begin, end),
        cmocka_unit_test_setup_teardown(plan_refuses_with_numbers, begin, end),
        cmocka_unit_test(description_is_one_line),
        cmocka_unit_test(kv_names_round_trip),
        cmocka_unit_test_setup_teardown(finds_by_path_name_and_hub, begin, end),
        cmocka_unit_test_setup_teardown(refuses_names_that_are_paths_in_disguise, begin, end),
    };
    remember_mapping_guard();
    return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
