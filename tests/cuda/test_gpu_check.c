/*
 * Tests of gpu_check, so that its first run on a GPU is not its first run: on a simulated device
 * with tiny shapes, on a broken one, and on none.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/alloc.h"

/* Beside the test: BUILD/tests/cuda/test_gpu_check. */
static char *build, directory[64];

static int find_build(void **state)
{
    (void)state;
    char path[4096];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    assert_true(length > 0);
    path[length] = '\0';
    for (int i = 0; i < 3; i++)
        *strrchr(path, '/') = '\0';
    build = xstrdup(path);
    snprintf(directory, sizeof directory, "/tmp/airo-gpu-check-XXXXXX");
    assert_non_null(mkdtemp(directory));
    char *command =
        xasprintf("'%s/tests/bench/make_model' %s/small --layers 1 --hidden 64 --ffn 96 "
                  "--heads 1 --vocab 4096",
                  build, directory);
    assert_int_equal(system(command), 0);
    free(command);
    return 0;
}

static int forget_build(void **state)
{
    (void)state;
    static const char *const files[] = {"out.txt",
                                        "out.json",
                                        "small/config.json",
                                        "small/quantize_config.json",
                                        "small/tokenizer.model",
                                        "small/model.safetensors",
                                        "small"};
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *path = xasprintf("%s/%s", directory, files[i]);
        remove(path);
        free(path);
    }
    free(build);
    return rmdir(directory); /* the models it made are gone */
}

/* Exit status; what it printed goes to `out`. */
static int run(const char *environment, const char *arguments, char *out, size_t bytes)
{
    char *command = xasprintf(
        "env AIRO_CUDA='%s/cuda-host/airo-cuda.so' %s '%s/cuda-host/gpu_check' --tiny --directory "
        "%s --vaquita %s/small --make-model '%s/tests/bench/make_model' --output %s/out %s 2>&1",
        build, environment, build, directory, directory, build, directory, arguments);
    FILE *pipe = popen(command, "r");
    size_t got = fread(out, 1, bytes - 1, pipe);
    out[got] = '\0';
    int status = pclose(pipe);
    free(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static json_t *read_rows(json_t **table)
{
    char *path = xasprintf("%s/out.json", directory);
    *table = json_load_file(path, 0, NULL);
    free(path);
    assert_non_null(*table);
    return json_object_get(*table, "rows");
}

/* Rows whose `what` begins so and whose verdict is that; -1 in `value` where none is. */
static size_t count_rows(json_t *rows, const char *what, const char *verdict)
{
    size_t i, count = 0;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        const char *name = json_string_value(json_object_get(row, "what"));
        const char *judged = json_string_value(json_object_get(row, "verdict"));
        count += strncmp(name, what, strlen(what)) == 0 && strcmp(judged, verdict) == 0;
    }
    return count;
}

static void a_simulated_device_is_checked_from_end_to_end(void **state)
{
    (void)state;
    static char out[1 << 16];
    char *test = xasprintf("'%s/tests/cuda/test_device'", build);
    int status = run("AIRO_SHIM_MEMORY=4000000000", test, out, sizeof out);
    free(test);
    if (status != 0) {
        fputs(out, stderr); /* longer than a message of cmocka may be */
        fail_msg("status %d", status);
    }
    json_t *table, *rows = read_rows(&table);
    static const struct {
        const char *what, *verdict;
        size_t count;
    } expected[] = {
        {"copy on the device", "", 1},
        {"cuBLAS", "", 1},
        {"test_device", "ok", 1},
        {"Vaquita, mean KL", "ok", 12},
        {"Vaquita, decoded, mean KL", "ok", 3},
        {"one row and eight give the same bits", "ok", 3},
        {"13B, 4 layers, mean KL", "ok", 3},
        {"13B, 4 layers, prefill, mean KL", "ok", 3},
        {"decode", "", 10},
        {"prefill", "", 5},
        {"a step beside one", "", 8},
        {"chats at once", "", 2},
        {"pages restored", "", 1},
        {"start, until", "", 2},
        {"decode with act-order", "", 1},
        {"prompt lookup", "not run", 1},
    };
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++)
        if (count_rows(rows, expected[i].what, expected[i].verdict) != expected[i].count)
            fail_msg("%zu rows \"%s\", and %zu were expected\n%s",
                     count_rows(rows, expected[i].what, expected[i].verdict), expected[i].what,
                     expected[i].count, out);
    assert_non_null(strstr(out, " 0 wrong"));
    json_decref(table);
}

/* The device is lost in the middle: what follows is wrong, and the program ends all the same. */
static void a_lost_device_is_a_wrong_result(void **state)
{
    (void)state;
    static char out[1 << 16];
    int status = run("AIRO_SHIM_MEMORY=4000000000 AIRO_SHIM_FAIL=lost:200", "", out, sizeof out);
    if (status != 1)
        fail_msg("status %d\n%s", status, out);
    assert_null(strstr(out, " 0 wrong"));
}

static void without_a_gpu_it_says_so_in_one_line(void **state)
{
    (void)state;
    static char out[4096];
    assert_int_equal(run("AIRO_SHIM_DEVICES=0", "", out, sizeof out), 2);
    assert_ptr_equal(strchr(out, '\n'), out + strlen(out) - 1);
    assert_memory_equal(out, "No GPU: ", 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_simulated_device_is_checked_from_end_to_end),
        cmocka_unit_test(a_lost_device_is_a_wrong_result),
        cmocka_unit_test(without_a_gpu_it_says_so_in_one_line),
    };
    return cmocka_run_group_tests(tests, find_build, forget_build);
}
