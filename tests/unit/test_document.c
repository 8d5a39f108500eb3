/* Tests of engine/chat/document. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <utime.h>

#include "engine/base/alloc.h"
#include "engine/chat/document.h"

static char *temporary(const void *bytes, size_t length)
{
    char path[] = "/tmp/airo-doc-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, bytes, length), (ssize_t)length);
    close(fd);
    struct utimbuf time = {1609502400, 1609502400}; /* 2021-01-01 12:00 UTC */
    utime(path, &time);
    return xstrdup(path);
}

static void files_get_date_and_name(void **state)
{
    (void)state;
    char *path = temporary("\xEF\xBB\xBFone\r\ntwo\rthree\n", 18);
    struct document_list list = {0};
    struct error error = {0};
    assert_int_equal(document_add_file(&list, path, &error), 0);
    struct document *document = &list.items[0];
    assert_string_equal(document->text, "one\ntwo\nthree\n");
    assert_int_equal(document->length, strlen(document->text));
    assert_string_equal(document->name, path);
    assert_true(document->enabled);
    assert_int_equal(document->pair_count, 2);
    assert_string_equal(document->pairs[0].key, "date");
    assert_string_equal(document->pairs[0].value, "2021-01-01");
    assert_string_equal(document->pairs[1].key, "url");
    assert_string_equal(document->pairs[1].value, strrchr(path, '/') + 1);
    assert_true(document->pairs[0].guessed && document->pairs[1].guessed);
    document_list_free(&list);
    unlink(path);
    free(path);
}

static void given_pairs_replace_guesses(void **state)
{
    (void)state;
    char *path = temporary("x", 1);
    struct document_list list = {0};
    assert_int_equal(document_add_file(&list, path, NULL), 0);
    struct document *document = &list.items[0];
    assert_int_equal(document_set_pair(document, "url", "https://web.site/123", NULL), 0);
    assert_int_equal(document->pair_count, 1);
    assert_int_equal(document_set_pair(document, "date", "2021", NULL), 0);
    assert_int_equal(document_set_pair(document, "url", "other", NULL), 0);
    assert_int_equal(document->pair_count, 2);
    assert_string_equal(document->pairs[0].value, "other");
    assert_false(document->pairs[0].guessed);
    document_list_free(&list);
    unlink(path);
    free(path);
}

static void pairs_are_one_line(void **state)
{
    (void)state;
    static const char *const keys[] = {"", " a", "a:b", "a\nb", "a\u2028b", "a\x7F", "\xC2\x85"};
    static const char *const values[] = {"a\nENDCONTEXT", "a\rb", "\x1b[2J", "\u2029", "\x01"};
    struct document_list list = {0};
    document_add_text(&list, "notes.txt", "x", 1);
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct error error = {0};
        assert_int_equal(document_set_pair(&list.items[0], keys[i], "v", &error), -1);
        assert_non_null(strstr(error.message, "notes.txt"));
    }
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        struct error error = {0};
        assert_int_equal(document_set_pair(&list.items[0], "key", values[i], &error), -1);
        assert_non_null(strstr(error.message, "key: the value must be one line"));
    }
    assert_int_equal(list.items[0].pair_count, 0);
    assert_int_equal(document_set_pair(&list.items[0], "k", "bad \xFF byte", NULL), 0);
    assert_string_equal(list.items[0].pairs[0].value, "bad \uFFFD byte");
    document_list_free(&list);
}

static void pairs_are_limited(void **state)
{
    (void)state;
    struct document_list list = {0};
    struct error error = {0};
    document_add_text(&list, "n", "x", 1);
    for (int i = 0; i < DOCUMENT_PAIRS_MAX; i++) {
        char key[16];
        snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(document_set_pair(&list.items[0], key, "v", &error), 0);
    }
    assert_int_equal(document_set_pair(&list.items[0], "one more", "v", &error), -1);
    assert_int_equal(document_set_pair(&list.items[0], "k3", "changed", &error), 0);
    assert_string_equal(list.items[0].pairs[3].value, "changed");
    document_list_free(&list);
}

static void what_is_no_text_is_refused(void **state)
{
    (void)state;
    char *path = temporary("a\0b", 3);
    struct document_list list = {0};
    struct error error = {0};
    assert_int_equal(document_add_file(&list, path, &error), -1);
    assert_non_null(strstr(error.message, path));
    assert_int_equal(document_add_file(&list, "/tmp", &error), -1);
    assert_non_null(strstr(error.message, "directory"));
    assert_int_equal(document_add_file(&list, "/tmp/airo/there/is/no/such", &error), -1);
    assert_int_equal(list.count, 0);
    document_list_free(&list);
    unlink(path);
    free(path);
}

static void invalid_bytes_become_replacements(void **state)
{
    (void)state;
    struct document_list list = {0};
    document_add_text(&list, "n", "caf\xE9 \xC3\xA9", 7);
    assert_string_equal(list.items[0].text, "caf\uFFFD \u00E9");
    document_add_text(&list, "empty", "", 0);
    assert_string_equal(list.items[1].text, "");
    document_list_free(&list);
}

static void lists_copy_and_remove(void **state)
{
    (void)state;
    struct document_list list = {0}, copy;
    for (int i = 0; i < 10; i++) {
        char name[16];
        snprintf(name, sizeof name, "%d", i);
        document_add_text(&list, name, name, 1);
        assert_int_equal(document_set_pair(&list.items[i], "n", name, NULL), 0);
    }
    list.items[4].enabled = false;
    document_remove(&list, 3);
    document_remove(&list, 99);
    document_list_copy(&copy, &list);
    document_list_free(&list);
    assert_int_equal(copy.count, 9);
    assert_string_equal(copy.items[3].name, "4");
    assert_string_equal(copy.items[3].pairs[0].value, "4");
    assert_false(copy.items[3].enabled);
    assert_true(copy.items[8].enabled);
    document_list_free(&copy);
}

/* A pipe without a writer would be waited for, for ever. */
static void regular_files_only(void **state)
{
    (void)state;
    char *path = temporary("x", 1);
    struct document_list list = {0};
    struct error error = {0};
    assert_int_equal(document_add_regular(&list, path, &error), 0);
    assert_string_equal(list.items[0].text, "x");
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(document_add_regular(&list, path, &error), -1);
    assert_non_null(strstr(error.message, "not a regular file"));
    assert_int_equal(document_add_regular(&list, "/dev/zero", &error), -1);
    assert_int_equal(document_add_regular(&list, "-", &error), -1);
    assert_non_null(strstr(error.message, "No such file"));
    assert_int_equal(list.count, 1);
    document_list_free(&list);
    unlink(path);
    free(path);
}

int main(void)
{
    setenv("TZ", "UTC", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_get_date_and_name),
        cmocka_unit_test(given_pairs_replace_guesses),
        cmocka_unit_test(pairs_are_one_line),
        cmocka_unit_test(pairs_are_limited),
        cmocka_unit_test(what_is_no_text_is_refused),
        cmocka_unit_test(invalid_bytes_become_replacements),
        cmocka_unit_test(lists_copy_and_remove),
        cmocka_unit_test(regular_files_only),
    };
    return cmocka_run_group_tests_name("document", tests, NULL, NULL);
}
