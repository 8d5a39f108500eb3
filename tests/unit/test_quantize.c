/*
 * Tests of quantisation as a whole: its error beside plain rounding, what is written, what is
 * refused, and that nothing is left behind when it fails or is stopped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/infer/score.h"
#include "engine/quant/calibration.h"
#include "engine/quant/quantize.h"
#include "engine/quant/quantize_input.h"
#include "kernels/cpu/half.h"
#include "tests/unit/quantize_shop.h"

/* --- the error -------------------------------------------------------------------------------- */

static void every_layer_is_better_than_rounding(void **state)
{
    (void)state;
    static const struct gptq_settings settings[] = {
        {32, true, false, false, GROUP_MIN_MAX, .01}, {32, false, false, false, GROUP_MIN_MAX, .01},
        {32, true, true, false, GROUP_SEARCH, .01},   {16, true, false, true, GROUP_SEARCH, .01},
        {0, true, false, false, GROUP_SEARCH, .1},
    };
    struct workshop shop;
    shop_open(&shop, "F16");
    tiny_model_write(&shop.model);
    for (size_t s = 0; s < sizeof settings / sizeof settings[0]; s++) {
        shop.options.gptq = settings[s];
        shop_run(&shop);
        for (int i = 0; i < LINEARS; i++)
            if (!(shop.error[i] < shop.rounding[i] && shop.error[i] > 0))
                fail_msg("settings %zu, %s: %g, and %g by rounding", s, shop.names[i],
                         shop.error[i], shop.rounding[i]);
        shop_remove_tree(shop.out);
    }
    shop_close(&shop);
}

static void act_order_helps_where_inputs_differ(void **state)
{
    (void)state;
    struct workshop shop;
    shop_open(&shop, "F16");
    tiny_model_write(&shop.model);
    double error[2][LINEARS];
    for (int order = 0; order < 2; order++) {
        shop.options.gptq.act_order = order == 1;
        shop_run(&shop);
        memcpy(error[order], shop.error, sizeof shop.error);
        shop_remove_tree(shop.out);
    }
    for (int i = 0; i < LINEARS; i += 7) /* q of each layer: after the uneven norm */
        if (!(error[1][i] < error[0][i]))
            fail_msg("%s: %g, and %g in order", shop.names[i], error[1][i], error[0][i]);
    shop_close(&shop);
}

/* --- what is written -------------------------------------------------------------------------- */

struct table {
    float *rows;
    uint32_t vocab;
    double kl;
};

static int keep_row(void *user, size_t position, const float *logits, uint32_t vocab)
{
    struct table *table = user;
    table->rows = xreallocarray(table->rows, (position + 1) * vocab, sizeof *table->rows);
    double total = logits[0] - log_softmax_at(logits, vocab, 0);
    for (uint32_t i = 0; i < vocab; i++)
        table->rows[position * vocab + i] = (float)(logits[i] - total);
    return 0;
}

static int add_row(void *user, size_t position, const float *logits, uint32_t vocab)
{
    struct table *table = user;
    const float *wanted = table->rows + position * vocab;
    double total = logits[0] - log_softmax_at(logits, vocab, 0);
    for (uint32_t i = 0; i < vocab; i++)
        table->kl += exp(wanted[i]) * (wanted[i] - (logits[i] - total));
    return 0;
}

static void score(const char *directory, score_row row, struct table *table, size_t count)
{
    const struct model_options options = {.kernels = "reference", .kv_type = KV_F32};
    struct model *model;
    struct error error;
    int32_t tokens[64];
    uint32_t seed = 5;
    if (model_open(&model, directory, &options, &error) != 0)
        fail_msg("%s", error.message);
    for (size_t i = 0; i < count; i++)
        tokens[i] = (int32_t)(3 + shop_number(&seed) % 280);
    assert_int_equal(score_tokens(model, tokens, count, row, table, &error), 0);
    model_close(model);
}

/* Of the distribution over the next token, over 64 tokens. */
static double divergence(const struct workshop *shop)
{
    struct table table = {0};
    score(shop->model.directory, keep_row, &table, 64);
    score(shop->out, add_row, &table, 64);
    free(table.rows);
    return table.kl / 64;
}

static void the_result_is_near_the_original(void **state)
{
    (void)state;
    static const char *const dtypes[] = {"F16", "F32", "BF16"};
    for (size_t i = 0; i < sizeof dtypes / sizeof dtypes[0]; i++) {
        struct workshop shop;
        shop_open(&shop, dtypes[i]);
        tiny_model_write(&shop.model);
        struct quantize_report report = shop_run(&shop);
        double kl = divergence(&shop);
        print_message("%s: KL %.5f, error %.4f\n", dtypes[i], kl, report.error);
        assert_true(kl > 0 && kl < 0.02);
        assert_true(report.bytes_after < report.bytes_before);
        assert_int_equal(report.samples, 16);
        shop_close(&shop);
    }
}

static void read_all(const char *directory, const char *name, struct strbuf *out)
{
    char *path = path_join(directory, name);
    struct error error;
    if (file_read(path, 1u << 24, out, &error) != 0)
        fail_msg("%s", error.message);
    free(path);
}

static void the_directory_is_complete(void **state)
{
    (void)state;
    struct workshop shop;
    struct error error;
    struct model_config config;
    shop_open(&shop, "F16");
    tiny_model_write(&shop.model);
    tiny_file_write(&shop.model, "tokenizer_config.json", "{}\n", 3);
    shop_run(&shop);
    assert_int_equal(model_config_read(&config, shop.out, NULL, &error), 0);
    assert_int_equal(config.quant.kind, QUANT_GPTQ);
    assert_int_equal(config.quant.group_size, 32);
    assert_true(config.quant.desc_act && !config.quant.symmetric);
    assert_int_equal(config.quant.zero_offset, 1);
    struct strbuf before = {0}, after = {0};
    read_all(shop.model.directory, "tokenizer.model", &before);
    read_all(shop.out, "tokenizer.model", &after);
    assert_int_equal(before.length, after.length);
    assert_memory_equal(before.data, after.data, before.length);
    strbuf_clear(&after);
    read_all(shop.out, "tokenizer_config.json", &after);
    assert_string_equal(strbuf_text(&after), "{}\n");
    struct safetensors *set;
    assert_int_equal(safetensors_open(&set, shop.out, &error), 0);
    const struct tensor_view *table = safetensors_find(set, "model.embed_tokens.weight");
    struct tiny_tensor *original = tiny_tensor_find(&shop.model, "model.embed_tokens.weight");
    assert_int_equal(table->dtype, TENSOR_F16);
    assert_memory_equal(table->data, original->data, original->bytes);
    assert_non_null(safetensors_find(set, "model.layers.1.mlp.down_proj.bias"));
    safetensors_close(set);
    strbuf_free(&before);
    strbuf_free(&after);
    shop_close(&shop);
}

static void shards_threads_and_json_lines_change_nothing(void **state)
{
    (void)state;
    struct workshop shop;
    shop_open(&shop, "F16");
    tiny_model_write_shards(&shop.model);
    shop_run(&shop);
    struct strbuf text = {0}, line = {0};
    assert_int_equal(file_read(shop.text, 1u << 20, &text, NULL), 0);
    json_t *object = json_pack("{s:s}", "text", strbuf_text(&text));
    char *dumped = json_dumps(object, 0), *lines = path_join(shop.scratch, "text.jsonl");
    FILE *file = fopen(lines, "wb");
    fprintf(file, "\n%s\n\n", dumped);
    assert_int_equal(fclose(file), 0);
    char *first = shop.out;
    shop.out = path_join(shop.scratch, "sharded");
    shop.options.out = shop.out;
    shop.options.calibration = lines;
    shop.options.threads = 1;
    shop.options.shard_bytes = 20000;
    shop_run(&shop);
    char *index = path_join(shop.out, "model.safetensors.index.json");
    assert_true(file_exists(index));
    shop_expect_equal_sets(first, shop.out);
    json_decref(object);
    free(index);
    free(dumped);
    free(lines);
    free(first);
    strbuf_free(&text);
    strbuf_free(&line);
    shop_close(&shop);
}

/* --- what is refused -------------------------------------------------------------------------- */

static void expect_refusal(struct workshop *shop, const char *wanted)
{
    struct quantize_report report;
    struct error error = {0};
    if (quantize(&shop->options, &report, &error) == 0)
        fail_msg("it went through, and \"%s\" was expected", wanted);
    if (strstr(error.message, wanted) == NULL || strchr(error.message, '\n') != NULL)
        fail_msg("\"%s\" lacks \"%s\"", error.message, wanted);
}

static void nothing_is_overwritten(void **state)
{
    (void)state;
    struct workshop shop;
    shop_open(&shop, "F16");
    tiny_model_write(&shop.model);
    assert_int_equal(mkdir(shop.out, 0700), 0);
    expect_refusal(&shop, "is there already");
    assert_int_equal(rmdir(shop.out), 0);
    assert_int_equal(symlink("/nowhere", shop.out), 0);
    expect_refusal(&shop, "is there already");
    assert_int_equal(unlink(shop.out), 0);
    shop.options.out = "/no/such/parent/out";
    expect_refusal(&shop, "there is no directory /no/such/parent");
    shop.options.out = "";
    expect_refusal(&shop, "has no name");
    shop_expect_nothing_left(&shop);
    shop_close(&shop);
}

static void wrong_texts_are_refused(void **state)
{
    (void)state;
    struct workshop shop;
    shop_open(&shop, "F16");
    tiny_model_write(&shop.model);
    static const struct {
        const char *name, *text, *wanted;
    } rows[] = {
        {"text1.txt", "the", "less than one sample of 48"},
        {"text2.txt", "", "less than one sample of 48"},
        {"text3.jsonl", "the\n", "text3.jsonl: line 1"},
        {"text4.jsonl", "{\"text\":\"the\"}\n{\"txt\":1}\n", "line 2: not an object with a string"},
        {"text5.txt", "{\"text\":\"the\"}\n[]\n", "text5.txt: line 2: not an object"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *path = path_join(shop.scratch, rows[i].name);
        FILE *file = fopen(path, "wb");
        fputs(rows[i].text, file);
        assert_int_equal(fclose(file), 0);
        shop.options.calibration = path;
        expect_refusal(&shop, rows[i].wanted);
        free(path);
    }
    shop.options.calibration = "/no/such/text";
    expect_refusal(&shop, "/no/such/text");
    shop.options.calibration = shop.text;
    shop.options.length = 129;
    expect_refusal(&shop, "the model supports 128 tokens");
    shop_expect_nothing_left(&shop);
    shop_close(&shop);
}

#define DOWN "model.layers.1.mlp.down_proj.weight"

static void spoil_weight(struct tiny_model *model)
{
    uint16_t nan = 0x7E00;
    memcpy(tiny_tensor_find(model, DOWN)->data + 100, &nan, 2);
}

static void spoil_table(struct tiny_model *model)
{
    struct tiny_tensor *table = tiny_tensor_find(model, "lm_head.weight");
    float large = 1e6f;
    tiny_tensor_retype(table, "F32");
    memcpy(table->data + 4, &large, 4);
}

static void drop_weight(struct tiny_model *model)
{
    tiny_tensor_drop(model, DOWN);
}

static void reshape_weight(struct tiny_model *model)
{
    tiny_tensor_reshape(tiny_tensor_find(model, DOWN), "[64, 88]");
}

static void drop_config(struct tiny_model *model)
{
    json_decref(model->config);
    model->config = NULL;
}

static void cut_header(struct tiny_model *model)
{
    model->header_length = 1u << 30;
}

static void overlong_payload(struct tiny_model *model)
{
    model->payload_tail = "tail";
}

static void no_tokenizer(struct tiny_model *model)
{
    model->piece_count = 0;
}

static void wide_norm(struct tiny_model *model)
{
    tiny_tensor_retype(tiny_tensor_find(model, "model.norm.weight"), "I64");
}

static void damaged_checkpoints_are_refused(void **state)
{
    (void)state;
    static const struct {
        void (*spoil)(struct tiny_model *model);
        const char *wanted;
    } rows[] = {
        {spoil_weight, DOWN ": "},
        {spoil_table, "lm_head.weight: element 1 is not finite, or too large for fp16"},
        {drop_weight, DOWN " is missing"},
        {reshape_weight, DOWN},
        {drop_config, "config.json"},
        {cut_header, "header length"},
        {overlong_payload, "follow the last tensor"},
        {no_tokenizer, "tokenizer.model"},
        {wide_norm, "model.norm.weight"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct workshop shop;
        shop_open(&shop, "F16");
        rows[i].spoil(&shop.model);
        tiny_model_write(&shop.model);
        expect_refusal(&shop, rows[i].wanted);
        shop_expect_nothing_left(&shop);
        shop_close(&shop);
    }
}

static void quantised_ones_are_refused(void **state)
{
    (void)state;
    struct workshop shop;
    shop_open(&shop, "F16");
    shop.options.checkpoint = "models/vaquita";
    expect_refusal(&shop, "is quantised already");
    shop.options.checkpoint = "/no/such/model";
    expect_refusal(&shop, "/no/such/model");
    shop_expect_nothing_left(&shop);
    shop_close(&shop);
}

static void memory_is_refused_with_numbers(void **state)
{
    (void)state;
    struct quantize_input input = {
        .config = {.layers = 80,
                   .hidden = 1u << 20,
                   .heads = 8192,
                   .kv_heads = 8192,
                   .head_dim = 128,
                   .ffn = 1u << 22,
                   .vocab = 32000,
                   .context = 4096,
                   .norm_eps = 1e-5f},
        .calibration = {.samples = 128, .length = 2048},
    };
    const struct quantize_options options = {.checkpoint = "huge", .gptq = {.group_size = 32}};
    struct error error = {0};
    assert_int_equal(quantize_check_memory(&input, &options, 2, 0, &error), -1);
    assert_int_equal(error.code, ERROR_MEMORY);
    assert_non_null(strstr(error.message, "huge: needs "));
    assert_non_null(strstr(error.message, "128 samples of 2048 tokens"));
    assert_null(strchr(error.message, '\n'));
}

/* --- stopping --------------------------------------------------------------------------------- */

static void stopping_leaves_nothing(void **state)
{
    (void)state;
    struct workshop shop;
    struct quantize_report report;
    struct error error;
    shop_open(&shop, "F16");
    tiny_model_write(&shop.model);
    shop_run(&shop);
    shop_remove_tree(shop.out);
    int all = shop.calls;
    assert_true(all > 100);
    for (int step = 1; step < all - all / 8; step += all / 23) {
        shop.calls = shop.results = 0;
        shop.stop_after = step;
        /* progress says no once only */
        assert_int_equal(quantize(&shop.options, &report, &error), -1);
        assert_int_equal(error.code, ERROR_CANCELLED);
        shop_expect_nothing_left(&shop);
    }
    shop_close(&shop);
}

/* True once the output is being made. */
static bool begun(const char *directory)
{
    DIR *entries = opendir(directory);
    struct dirent *entry;
    bool found = false;
    while (entries != NULL && (entry = readdir(entries)) != NULL)
        found |= strstr(entry->d_name, ".partial-") != NULL;
    if (entries != NULL)
        closedir(entries);
    return found;
}

/* Ctrl-C in the program itself: far more samples than would be done by then. */
static void an_interrupt_leaves_nothing(void **state)
{
    (void)state;
    struct workshop shop;
    int status = 0;
    shop_open(&shop, "F16");
    tiny_model_write(&shop.model);
    shop_write_text(shop.text, 400000);
    const char *build = getenv("AIRO_BUILD");
    char *program = xasprintf("%s/airo", build != NULL ? build : "build");
    pid_t child = fork();
    if (child == 0) {
        int nowhere = open("/dev/null", O_WRONLY);
        dup2(nowhere, STDERR_FILENO);
        execl(program, "airo", "quantize", shop.model.directory, shop.out, "--calibration",
              shop.text, "--samples", "100000", "--length", "128", "-j", "1", (char *)NULL);
        _exit(127);
    }
    while (!begun(shop.scratch) && waitpid(child, &status, WNOHANG) == 0)
        usleep(2000);
    kill(child, SIGINT);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
    shop_expect_nothing_left(&shop);
    free(program);
    shop_close(&shop);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_layer_is_better_than_rounding),
        cmocka_unit_test(act_order_helps_where_inputs_differ),
        cmocka_unit_test(the_result_is_near_the_original),
        cmocka_unit_test(the_directory_is_complete),
        cmocka_unit_test(shards_threads_and_json_lines_change_nothing),
        cmocka_unit_test(nothing_is_overwritten),
        cmocka_unit_test(wrong_texts_are_refused),
        cmocka_unit_test(damaged_checkpoints_are_refused),
        cmocka_unit_test(quantised_ones_are_refused),
        cmocka_unit_test(memory_is_refused_with_numbers),
        cmocka_unit_test(stopping_leaves_nothing),
        cmocka_unit_test(an_interrupt_leaves_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
