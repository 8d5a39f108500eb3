#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/model/safetensors.h"
#include "kernels/cpu/half.h"
#include "tests/unit/quantize_shop.h"

static const char *const parts[] = {
    "self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj",
    "mlp.gate_proj",    "mlp.up_proj",      "mlp.down_proj",
};

uint32_t shop_number(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

/* Numbers between -size and size in the tensor's type. */
static void fill(struct tiny_tensor *tensor, double size, uint32_t seed)
{
    bool wide = strcmp(tensor->dtype, "F32") == 0, brain = strcmp(tensor->dtype, "BF16") == 0;
    for (size_t i = 0; i < tensor->bytes / (wide ? 4 : 2); i++) {
        float value = (float)(((double)shop_number(&seed) / 8388608 - 1) * size);
        uint16_t half = brain ? (uint16_t)(bits_of_float(value) >> 16) : f16_of_f32(value);
        memcpy(tensor->data + i * (wide ? 4 : 2), wide ? (void *)&value : (void *)&half,
               wide ? 4 : 2);
    }
}

/* Some inputs eight times as strong as others. */
static void make_norm(struct tiny_tensor *norm)
{
    for (size_t i = 0; i < norm->bytes / 2; i++) {
        uint16_t half = f16_of_f32((float)(1 << i * 5 % 4));
        memcpy(norm->data + 2 * i, &half, 2);
    }
}

static void make_float(struct tiny_model *model, const char *dtype)
{
    char name[112];
    for (int i = 0; i < LINEARS; i++) {
        snprintf(name, sizeof name, "model.layers.%d.%s", i / 7, parts[i % 7]);
        tiny_make_dense(model, name, dtype);
        snprintf(name, sizeof name, "model.layers.%d.%s.weight", i / 7, parts[i % 7]);
        fill(tiny_tensor_find(model, name), 0.1, (uint32_t)i + 1);
    }
    for (int layer = 0; layer < 2; layer++) {
        snprintf(name, sizeof name, "model.layers.%d.input_layernorm.weight", layer);
        make_norm(tiny_tensor_find(model, name));
    }
    fill(tiny_tensor_find(model, "model.embed_tokens.weight"), 0.5, 77);
    fill(tiny_tensor_find(model, "lm_head.weight"), 0.05, 78);
    json_decref(model->quantize);
    model->quantize = NULL;
}

void shop_write_text(const char *path, size_t words)
{
    static const char *const stock[] = {"the", "other", "path", "of", "thaw", "moth", "quiz"};
    struct strbuf text = {0};
    uint32_t seed = 9;
    for (size_t i = 0; i < words; i++)
        strbuf_printf(&text, "%s%c", stock[shop_number(&seed) % 7], i % 12 == 11 ? '\n' : ' ');
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.length, file), text.length);
    assert_int_equal(fclose(file), 0);
    strbuf_free(&text);
}

static void take_result(void *user, const struct quantize_result *result)
{
    struct workshop *shop = user;
    assert_true(shop->results < LINEARS);
    snprintf(shop->names[shop->results], sizeof shop->names[0], "%s", result->name);
    shop->error[shop->results] = result->error;
    shop->rounding[shop->results++] = result->rounding;
}

static bool count_progress(void *user, const struct quantize_progress *progress)
{
    struct workshop *shop = user;
    assert_true(progress->done <= progress->total);
    return ++shop->calls != shop->stop_after;
}

void shop_open(struct workshop *shop, const char *dtype)
{
    *shop = (struct workshop){.scratch = "/tmp/airo-quantize-XXXXXX"};
    assert_non_null(mkdtemp(shop->scratch));
    tiny_model_init(&shop->model);
    make_float(&shop->model, dtype);
    shop->text = path_join(shop->scratch, "text.txt");
    shop->out = path_join(shop->scratch, "out");
    shop_write_text(shop->text, 1500);
    shop->options = (struct quantize_options){
        .checkpoint = shop->model.directory,
        .out = shop->out,
        .calibration = shop->text,
        .gptq = {32, true, false, false, GROUP_MIN_MAX, 0.01},
        .samples = 16,
        .length = 48,
        .shard_bytes = 1u << 30,
        .threads = 2,
        .progress = count_progress,
        .result = take_result,
        .user = shop,
    };
}

void shop_remove_tree(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        char *inner = path_join(path, entry->d_name);
        if (unlink(inner) != 0)
            shop_remove_tree(inner);
        free(inner);
    }
    if (directory != NULL)
        closedir(directory);
    rmdir(path);
}

void shop_close(struct workshop *shop)
{
    shop_remove_tree(shop->scratch);
    tiny_model_free(&shop->model);
    free(shop->text);
    free(shop->out);
}

void shop_expect_nothing_left(const struct workshop *shop)
{
    DIR *directory = opendir(shop->scratch);
    struct dirent *entry;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL)
        if (entry->d_name[0] != '.' && strncmp(entry->d_name, "text", 4) != 0)
            fail_msg("%s was left", entry->d_name);
    closedir(directory);
}

struct quantize_report shop_run(struct workshop *shop)
{
    struct quantize_report report;
    struct error error = {0};
    shop->results = 0;
    if (quantize(&shop->options, &report, &error) != 0)
        fail_msg("%s", error.message);
    assert_int_equal(shop->results, LINEARS);
    return report;
}

void shop_expect_equal_sets(const char *one, const char *other)
{
    struct safetensors *a, *b;
    struct error error;
    assert_int_equal(safetensors_open(&a, one, &error), 0);
    if (safetensors_open(&b, other, &error) != 0)
        fail_msg("%s", error.message);
    assert_int_equal(safetensors_count(a), safetensors_count(b));
    for (size_t i = 0; i < safetensors_count(a); i++) {
        const struct tensor_view *x = safetensors_at(a, i), *y = safetensors_find(b, x->name);
        assert_non_null(y);
        assert_int_equal(x->bytes, y->bytes);
        assert_memory_equal(x->data, y->data, x->bytes);
    }
    safetensors_close(a);
    safetensors_close(b);
}
