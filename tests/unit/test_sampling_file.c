/* Tests of engine/infer/sampling_file.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/infer/sampling_file.h"

/* Reads `text` as a directory's generation_config.json over the defaults; NULL: no file. */
static int read_text(const char *text, struct sampling *sampling, struct error *error)
{
    char directory[] = "/tmp/airo-sampling-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char *path = path_join(directory, "generation_config.json");
    if (text != NULL) {
        FILE *file = fopen(path, "w");
        assert_non_null(file);
        fputs(text, file);
        fclose(file);
    }
    *sampling = sampling_defaults();
    int result = sampling_read(sampling, directory, error);
    unlink(path);
    rmdir(directory);
    free(path);
    return result;
}

static void absent_file_changes_nothing(void **state)
{
    (void)state;
    struct sampling sampling, defaults = sampling_defaults();
    struct error error;
    assert_int_equal(read_text(NULL, &sampling, &error), 0);
    assert_memory_equal(&sampling, &defaults, sizeof sampling);
}

static void given_fields_are_taken(void **state)
{
    (void)state;
    struct sampling sampling;
    struct error error;
    assert_int_equal(read_text("{\"temperature\": 0.25, \"top_k\": 7, \"repetition_penalty\": 1.5}",
                               &sampling, &error),
                     0);
    assert_true(sampling.temperature == 0.25f);
    assert_int_equal(sampling.top_k, 7);
    assert_true(sampling.repeat_penalty == 1.5f);
    assert_true(sampling.top_p == sampling_defaults().top_p);
    assert_int_equal(read_text("{\"do_sample\": false, \"temperature\": 0.9}", &sampling, &error),
                     0);
    assert_true(sampling.temperature == 0);
}

static void wrong_values_name_file_and_field(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"{\"temperature\": \"hot\"}", "temperature"},
        {"{\"top_p\": 2}", "top_p"},
        {"{\"top_k\": -1}", "top_k"},
        {"{\"do_sample\": 1}", "do_sample"},
        {"[1]", "object"},
        {"{\"top_k\": 1", "line 1"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct sampling sampling, defaults = sampling_defaults();
        struct error error = {0};
        assert_int_equal(read_text(wrong[i][0], &sampling, &error), -1);
        assert_non_null(strstr(error.message, "generation_config.json"));
        assert_non_null(strstr(error.message, wrong[i][1]));
        assert_memory_equal(&sampling, &defaults, sizeof sampling);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_file_changes_nothing),
        cmocka_unit_test(given_fields_are_taken),
        cmocka_unit_test(wrong_values_name_file_and_field),
    };
    return cmocka_run_group_tests_name("sampling_file", tests, NULL, NULL);
}
