/* Tests of engine/base. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/json.h"
#include "engine/base/strbuf.h"
#include "engine/base/utf8.h"

static void errors_are_one_line(void **state)
{
    (void)state;
    struct error error = {0};
    assert_int_equal(error_set(&error, ERROR_INPUT, "a %d", 7), -1);
    error_prefix(&error, "file %s", "x");
    assert_string_equal(error.message, "file x: a 7");
    assert_int_equal(error.code, ERROR_INPUT);
}

static void strbuf_grows_and_removes(void **state)
{
    (void)state;
    struct strbuf buffer = {0};
    assert_string_equal(strbuf_text(&buffer), "");
    for (int i = 0; i < 1000; i++)
        strbuf_printf(&buffer, "%d,", i);
    assert_memory_equal(buffer.data, "0,1,2,3,", 8);
    strbuf_remove(&buffer, 2, buffer.length);
    assert_string_equal(strbuf_text(&buffer), "0,");
    char *text = strbuf_detach(&buffer);
    assert_string_equal(text, "0,");
    free(text);
    strbuf_free(&buffer);
}

static void utf8_round_trips_every_code_point(void **state)
{
    (void)state;
    for (uint32_t code = 0; code <= 0x10FFFF; code++) {
        char bytes[4];
        uint32_t back;
        size_t length = utf8_encode(code, bytes);
        assert_int_equal(utf8_decode(bytes, length, &back), length);
        uint32_t expected = code >= 0xD800 && code <= 0xDFFF ? UTF8_REPLACEMENT : code;
        assert_int_equal(back, expected);
        assert_int_equal(utf8_whole(bytes, length), length);
        assert_int_equal(utf8_whole(bytes, length - 1), 0);
    }
}

static void utf8_refuses_overlong_and_surrogates(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "\xC0\x80",         "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
        "\xF4\x90\x80\x80", "\xFF",         "\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint32_t code;
        assert_int_equal(utf8_decode(bad[i], strlen(bad[i]), &code), 1);
        assert_int_equal(code, UTF8_REPLACEMENT);
    }
}

static void json_is_bounded(void **state)
{
    (void)state;
    struct error error = {0};
    assert_null(json_parse("{\"a\":1,\"a\":2}", 13, "f.json", &error));
    assert_non_null(strstr(error.message, "f.json"));
    char deep[200];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    assert_null(json_parse(deep, 200, "deep.json", &error));
    assert_non_null(strstr(error.message, "64"));
    json_t *value = json_parse("{\"a\":[1,\"[[[\"]}", 15, "ok", &error);
    assert_non_null(value);
    json_decref(value);
}

static void truncated_mapping_is_damaged_not_fatal(void **state)
{
    (void)state;
    char path[] = "/tmp/airo-map-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(ftruncate(fd, 65536), 0);
    struct mapped_file file;
    struct error error;
    assert_int_equal(mapped_file_open(&file, path, &error), 0);
    assert_int_equal(file.data[60000], 0);
    mapped_file_drop(&file);
    assert_int_equal(file.data[65535], 0);
    assert_false(mapped_file_damaged(&file));
    assert_int_equal(ftruncate(fd, 4096), 0);
    volatile unsigned char byte = file.data[60001];
    assert_int_equal(byte, 0);
    assert_true(mapped_file_damaged(&file));
    mapped_file_close(&file);
    close(fd);
    unlink(path);
}

static void die(int number)
{
    (void)number;
    _exit(1);
}

/* As the chat does: it opens the terminal while the model is being loaded. */
static void another_handler_does_not_disarm_the_mapping(void **state)
{
    (void)state;
    char path[] = "/tmp/airo-map-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(ftruncate(fd, 65536), 0);
    struct mapped_file file;
    assert_int_equal(mapped_file_open(&file, path, NULL), 0);
    signal(SIGBUS, die);
    assert_false(mapped_file_damaged(&file));
    assert_int_equal(ftruncate(fd, 4096), 0);
    volatile unsigned char byte = file.data[60001];
    assert_int_equal(byte, 0);
    assert_true(mapped_file_damaged(&file));
    mapped_file_close(&file);
    close(fd);
    unlink(path);
}

static void large_allocation_is_an_error(void **state)
{
    (void)state;
    struct error error = {0};
    assert_null(alloc_large((size_t)1 << 60, "a test", &error));
    assert_int_equal(error.code, ERROR_MEMORY);
    assert_non_null(strstr(error.message, "a test"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_one_line),
        cmocka_unit_test(strbuf_grows_and_removes),
        cmocka_unit_test(utf8_round_trips_every_code_point),
        cmocka_unit_test(utf8_refuses_overlong_and_surrogates),
        cmocka_unit_test(json_is_bounded),
        cmocka_unit_test(truncated_mapping_is_damaged_not_fatal),
        cmocka_unit_test(another_handler_does_not_disarm_the_mapping),
        cmocka_unit_test(large_allocation_is_an_error),
    };
    return cmocka_run_group_tests_name("base", tests, NULL, NULL);
}
