/* Tests of engine/model/safetensors*.c on good files. Bad ones are in tests/faults. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/strbuf.h"
#include "engine/model/safetensors.h"
#include "tests/faults/tiny_model.h"

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
    struct tiny_model *model = calloc(1, sizeof *model);
    tiny_model_init(model);
    *state = model;
    return 0;
}

static int end(void **state)
{
    tiny_model_free(*state);
    free(*state);
    return 0;
}

static struct safetensors *open_good(const struct tiny_model *model)
{
    struct error error = {0};
    struct safetensors *set = NULL;
    if (safetensors_open(&set, model->directory, &error) != 0)
        fail_msg("%s", error.message);
    return set;
}

/* Every tensor is found, with its type, shape and bytes. */
static void assert_same(const struct tiny_model *model, const struct safetensors *set)
{
    uint64_t bytes = 0;
    assert_int_equal(safetensors_count(set), model->tensor_count);
    for (size_t i = 0; i < model->tensor_count; i++) {
        const struct tiny_tensor *tensor = &model->tensors[i];
        const struct tensor_view *view = safetensors_find(set, tensor->name);
        assert_non_null(view);
        assert_string_equal(tensor_dtype_name(view->dtype), tensor->dtype);
        assert_int_equal(view->rank, tensor->rank);
        for (int k = 0; k < tensor->rank; k++)
            assert_int_equal(view->shape[k], tensor->shape[k]);
        assert_int_equal(view->bytes, tensor->bytes);
        if (view->bytes > 0)
            assert_memory_equal(view->data, tensor->data, tensor->bytes);
        bytes += view->bytes;
    }
    assert_int_equal(safetensors_bytes(set), bytes);
    assert_null(safetensors_find(set, "model.layers.9.nothing"));
    assert_null(safetensors_at(set, model->tensor_count));
}

static void one_file(void **state)
{
    struct tiny_model *model = *state;
    tiny_model_write(model);
    struct safetensors *set = open_good(model);
    assert_same(model, set);
    assert_int_equal(safetensors_check(set, NULL), 0);
    for (size_t i = 1; i < safetensors_count(set); i++)
        assert_true(strcmp(safetensors_at(set, i - 1)->name, safetensors_at(set, i)->name) < 0);
    safetensors_close(set);
}

static void shards(void **state)
{
    struct tiny_model *model = *state;
    tiny_model_write_shards(model);
    struct safetensors *set = open_good(model);
    assert_same(model, set);
    assert_non_null(strstr(safetensors_source(set), "index.json"));
    safetensors_close(set);
}

static void odd_file_name(void **state)
{
    struct tiny_model *model = *state;
    snprintf(model->weights_name, sizeof model->weights_name, "gptq_model-4bit-32g.safetensors");
    tiny_model_write(model);
    struct safetensors *set = open_good(model);
    assert_same(model, set);
    safetensors_close(set);
}

static void empty_scalar_and_odd_sizes(void **state)
{
    struct tiny_model *model = *state;
    tiny_tensor_add(model, "empty", "F32", 0, 7);
    tiny_tensor_reshape(tiny_tensor_add(model, "scalar", "F32", 1, 0), "[]");
    tiny_tensor_reshape(tiny_tensor_add(model, "odd", "F16", 1, 0), "[1, 1, 3, 1]");
    tiny_tensor_add(model, "unaligned", "F32", 5, 0);
    tiny_model_write(model);
    struct safetensors *set = open_good(model);
    assert_same(model, set);
    assert_int_equal(safetensors_find(set, "scalar")->rank, 0);
    assert_int_equal(safetensors_find(set, "scalar")->bytes, 4);
    assert_int_equal(safetensors_find(set, "empty")->bytes, 0);
    safetensors_close(set);
}

/* Writers pad the header with spaces, before or after which nothing else may change. */
static void padded_header(void **state)
{
    struct tiny_model *model = *state;
    model->header_from = "}}";
    model->header_to = "}}                ";
    tiny_tensor_drop(model, "lm_head.weight");
    while (model->tensor_count > 1)
        tiny_tensor_drop(model, model->tensors[model->tensor_count - 1].name);
    tiny_model_write(model);
    struct safetensors *set = open_good(model);
    assert_same(model, set);
    safetensors_close(set);
}

/* A tensor that two shards carry is nobody's. */
static void tensor_in_two_shards(void **state)
{
    struct tiny_model *model = *state;
    struct error error = {0};
    struct safetensors *set = NULL;
    tiny_model_write_shards(model);
    char *first = tiny_file_path(model, "model-00001-of-00002.safetensors");
    struct strbuf bytes = {0};
    assert_int_equal(file_read(first, 1u << 24, &bytes, NULL), 0);
    tiny_file_write(model, "model-00002-of-00002.safetensors", bytes.data, bytes.length);
    assert_int_equal(safetensors_open(&set, model->directory, &error), -1);
    assert_non_null(strstr(error.message, "too"));
    strbuf_free(&bytes);
    free(first);
}

static void cut_while_mapped(void **state)
{
    struct tiny_model *model = *state;
    struct error error = {0};
    tiny_model_write(model);
    struct safetensors *set = open_good(model);
    char *path = tiny_file_path(model, "model.safetensors");
    sigaction(SIGBUS, &mapping_guard, NULL);
    assert_int_equal(truncate(path, 4096), 0);
    unsigned sum = 0;
    for (size_t i = 0; i < safetensors_count(set); i++) {
        const struct tensor_view *view = safetensors_at(set, i);
        for (uint64_t k = 0; k < view->bytes; k++)
            sum += view->data[k];
    }
    assert_int_equal(safetensors_check(set, &error), -1);
    assert_non_null(strstr(error.message, "model.safetensors: cut short"));
    assert_true(sum < 1u << 31);
    safetensors_close(set);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_file, begin, end),
        cmocka_unit_test_setup_teardown(shards, begin, end),
        cmocka_unit_test_setup_teardown(odd_file_name, begin, end),
        cmocka_unit_test_setup_teardown(empty_scalar_and_odd_sizes, begin, end),
        cmocka_unit_test_setup_teardown(padded_header, begin, end),
        cmocka_unit_test_setup_teardown(tensor_in_two_shards, begin, end),
        cmocka_unit_test_setup_teardown(cut_while_mapped, begin, end),
    };
    remember_mapping_guard();
    return cmocka_run_group_tests_name("safetensors", tests, NULL, NULL);
}
