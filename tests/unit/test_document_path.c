/* Tests of engine/chat/document_path and document_walk. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/document_path.h"

static char root[] = "/tmp/airo-walk-XXXXXX";

static void put(const char *name, const char *text, size_t length)
{
    char *path = path_join(root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, length, file), length);
    fclose(file);
    free(path);
}

static void make(const char *name)
{
    char *path = path_join(root, name);
    assert_int_equal(mkdir(path, 0700), 0);
    free(path);
}

static void link_to(const char *name, const char *target)
{
    char *path = path_join(root, name);
    assert_int_equal(symlink(target, path), 0);
    free(path);
}

/* The tree that most tests look at; the program stands in its root. */
static int make_tree(void **state)
{
    (void)state;
    if (mkdtemp(root) == NULL || chdir(root) != 0)
        return -1;
    put("one.txt", "one\n", 4);
    put("two.md", "two\n", 4);
    put("zero.txt", "", 0);
    put("image.png", "\x89PNG\r\n\x1a\n\0\0\0\r", 12);
    put("controls.dat", "\x01\x02\x03\x04\x05 abc", 9);
    put(".hidden.txt", "secret\n", 7);
    put("a[1].txt", "bracket\n", 8);
    make("sub");
    put("sub/three.txt", "three\n", 6);
    make("sub/deep");
    put("sub/deep/four.txt", "four\n", 5);
    make(".git");
    put(".git/config.txt", "config\n", 7);
    link_to("sub/loop", "..");
    link_to("sub/self", "self");
    link_to("sub/link.txt", "../one.txt");
    return 0;
}

static int remove_tree(void **state)
{
    (void)state;
    char *command = xasprintf("rm -rf %s", root);
    int result = chdir("/") != 0 || system(command) != 0;
    free(command);
    return result;
}

/* The names of what a spec adds, and the lines of the report for what it does not. */
static void adds(const char *spec, const struct document_options *options, const char *added,
                 const char *skipped)
{
    struct document_list list = {0};
    struct document_report report = {0};
    struct error error = {0};
    struct strbuf names = {0}, lines = {0};
    int result = document_add_path(&list, spec, options, &report, &error);
    size_t count = 0;
    for (size_t i = 0; i < list.count; i++)
        strbuf_printf(&names, "%s%s", i > 0 ? " " : "", list.items[i].name);
    for (size_t i = 0; i < report.count; i++) {
        count += report.lines[i].added;
        if (!report.lines[i].added)
            strbuf_printf(&lines, "%s%s", lines.length > 0 ? "|" : "", report.lines[i].text);
    }
    assert_string_equal(strbuf_text(&names), added);
    assert_string_equal(strbuf_text(&lines), skipped);
    assert_int_equal(result, list.count > 0 ? 0 : -1);
    assert_int_equal(count, list.count);
    assert_int_equal(report.added, list.count);
    assert_true(result == 0 || error.message[0] != '\0');
    strbuf_free(&names);
    strbuf_free(&lines);
    document_report_free(&report);
    document_list_free(&list);
}

static void directories_are_walked(void **state)
{
    (void)state;
    const struct document_options options = {0};
    adds("sub", &options, "sub/deep/four.txt sub/link.txt sub/three.txt",
         "sub/loop: skipped, a link to a directory|"
         "sub/self: skipped, Too many levels of symbolic links");
    adds(".", &options, "./a[1].txt ./one.txt ./sub/deep/four.txt ./sub/three.txt ./two.md",
         "./controls.dat: skipped, not text|./image.png: skipped, not text|"
         "./sub/loop: skipped, a link to a directory|"
         "./sub/self: skipped, Too many levels of symbolic links|"
         "./zero.txt: skipped, empty|"
         "./sub/link.txt: is among the documents already, as ./one.txt");
}

static void patterns_are_matched(void **state)
{
    (void)state;
    const struct document_options options = {0};
    adds("*.txt", &options, "a[1].txt one.txt", "zero.txt: skipped, empty");
    adds("a[1].txt", &options, "a[1].txt", ""); /* a file of that very name */
    adds("[ot]*", &options, "one.txt two.md", "");
    adds("s*/*.txt", &options, "sub/link.txt sub/three.txt", "");
    adds("**/*o*.txt", &options, "one.txt sub/deep/four.txt", "zero.txt: skipped, empty");
    adds("sub/**/four.txt", &options, "sub/deep/four.txt", "");
    adds(".hid*", &options, ".hidden.txt", "");
    adds("s?b", &options, "", "sub: skipped, a directory");
    adds("nothing*", &options, "", "");
    adds("nothing*/../**/*/x", &options, "", "");
    char *absolute = xasprintf("%s/sub/th*", root), *name = xasprintf("%s/sub/three.txt", root);
    adds(absolute, &options, name, "");
    free(absolute);
    free(name);
}

static void limits_hold(void **state)
{
    (void)state;
    adds("sub", &(struct document_options){.depth_max = 0, .files_max = 1}, "sub/deep/four.txt",
         "sub/link.txt and what comes after it: skipped, more than 1 files");
    adds(".", &(struct document_options){.bytes_max = 10, .depth_max = 1}, "./a[1].txt",
         "./controls.dat: skipped, more than 10 bytes together|"
         "./image.png: skipped, more than 10 bytes together|"
         "./one.txt: skipped, more than 10 bytes together|"
         "./sub/deep: skipped, too many directories deep|"
         "./sub/link.txt: skipped, more than 10 bytes together|"
         "./sub/loop: skipped, a link to a directory|"
         "./sub/self: skipped, Too many levels of symbolic links|"
         "./sub/three.txt: skipped, more than 10 bytes together|"
         "./two.md: skipped, more than 10 bytes together|./zero.txt: skipped, empty");
}

static bool stop_at_once(void *user)
{
    (void)user;
    return true;
}

static void single_files_fail_with_their_reason(void **state)
{
    (void)state;
    static const struct {
        const char *spec, *wanted;
    } cases[] = {{"image.png", "image.png: not text"},
                 {"missing.txt", "missing.txt: No such file"},
                 {"zero.txt", "zero.txt: there is no text in it"},
                 {"-", "-: No such file"},
                 {"*.nothing", "*.nothing: no file matches"},
                 {"s?b", "s?b: nothing in it can be added"},
                 {"", "needs a file name"},
                 {"/dev/zero", "not a regular file"}};
    const struct document_options options = {0};
    struct document_list list = {0};
    struct error error;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        error = (struct error){0};
        assert_int_equal(document_add_path(&list, cases[i].spec, &options, NULL, &error), -1);
        if (strstr(error.message, cases[i].wanted) == NULL)
            fail_msg("%s: %s", cases[i].spec, error.message);
    }
    const struct document_options stopping = {.stop = stop_at_once};
    assert_int_equal(document_add_path(&list, "sub", &stopping, NULL, &error), -1);
    assert_int_equal(error.code, ERROR_CANCELLED);
    assert_int_equal(list.count, 0);
    document_list_free(&list);
}

static void the_same_file_twice_is_refused(void **state)
{
    (void)state;
    const struct document_options options = {0};
    struct document_list list = {0}, copy;
    struct error error = {0};
    assert_int_equal(document_add_path(&list, "one.txt", &options, NULL, &error), 0);
    assert_int_equal(document_add_path(&list, "one.txt", &options, NULL, &error), -1);
    assert_string_equal(error.message, "one.txt: is among the documents already");
    document_list_copy(&copy, &list);
    assert_int_equal(document_add_path(&copy, "sub/link.txt", &options, NULL, &error), -1);
    assert_string_equal(error.message, "sub/link.txt: is among the documents already, as one.txt");
    assert_int_equal(copy.count, 1);
    free(copy.items[0].origin); /* as after reading a stored chat */
    copy.items[0].origin = NULL;
    assert_int_equal(document_add_path(&copy, "one.txt", &options, NULL, &error), -1);
    assert_int_equal(document_add_path(&copy, "two.md", &options, NULL, &error), 0);
    document_list_free(&copy);
    document_list_free(&list);
}

static void converters_make_documents(void **state)
{
    (void)state;
    struct converter_table table = {0};
    struct document_options options = {.converters = &table};
    struct document_list list = {0};
    struct document_report report = {0};
    struct error error = {0};
    make("office");
    put("office/a.pdf", "%PDF-1.4 \0\1", 11);
    put("office/b.pdf", "%PDF-1.4 broken", 15);
    put("office/c.txt", "c\n", 2);
    const char *script =
        "#!/bin/sh\ngrep -q broken \"$1\" && exit 5\nprintf 'page 1\\fpage 2\\r\\n'\n";
    put("tool", script, strlen(script));
    char *tool = xasprintf("%s/tool", root), *command = xasprintf("%s %%s", tool);
    chmod(tool, 0700);
    assert_int_equal(converter_table_set(&table, "pdf", command, &error), 0);
    assert_int_equal(document_add_path(&list, "office", &options, &report, &error), 0);
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[0].name, "office/a.pdf");
    assert_string_equal(list.items[0].text, "page 1\npage 2\n");
    assert_string_equal(list.items[0].pairs[1].key, "url");
    assert_string_equal(list.items[0].pairs[1].value, "a.pdf");
    assert_true(list.items[0].pairs[1].guessed);
    assert_int_equal(report.count, 3);
    assert_string_equal(report.lines[1].text, "office/b.pdf: tool failed with status 5");
    assert_int_equal(document_add_path(&list, "office/a.pdf", &options, NULL, &error), -1);
    assert_non_null(strstr(error.message, "already"));
    document_report_free(&report);
    document_list_free(&list);
    converter_table_free(&table);
    free(command);
    free(tool);
}

static void pasted_text_has_a_name(void **state)
{
    (void)state;
    struct document_list list = {0};
    struct error error = {0};
    assert_int_equal(document_add_pasted(&list, "", "x", 1, &error), 0);
    assert_int_equal(document_add_pasted(&list, "", "y", 1, &error), 0);
    assert_int_equal(document_add_pasted(&list, "note", "y", 1, &error), 0);
    assert_int_equal(document_add_pasted(&list, "note", " \n", 2, &error), -1);
    assert_string_equal(error.message, "note: there is no text to add");
    assert_int_equal(document_add_pasted(&list, "note", "a\0b", 3, &error), -1);
    assert_string_equal(list.items[0].name, "pasted text");
    assert_string_equal(list.items[1].name, "pasted text 2");
    assert_string_equal(list.items[2].name, "note");
    assert_int_equal(list.count, 3);
    document_list_free(&list);
}

static void order_and_pairs_are_edited(void **state)
{
    (void)state;
    struct document_list list = {0};
    for (int i = 0; i < 5; i++)
        document_add_text(&list, (const char[]){(char)('a' + i), '\0'}, "x", 1);
    document_move(&list, 0, 3);
    document_move(&list, 4, 1);
    document_move(&list, 2, 9);
    struct strbuf order = {0};
    for (size_t i = 0; i < list.count; i++)
        strbuf_puts(&order, list.items[i].name);
    assert_string_equal(strbuf_text(&order), "becda");
    assert_int_equal(document_find(&list, "d"), 3);
    assert_int_equal(document_find(&list, "z"), -1);
    document_set_pair(&list.items[0], "k", "v", NULL);
    document_set_pair(&list.items[0], "l", "w", NULL);
    assert_true(document_remove_pair(&list.items[0], "k"));
    assert_false(document_remove_pair(&list.items[0], "k"));
    assert_int_equal(list.items[0].pair_count, 1);
    assert_string_equal(list.items[0].pairs[0].value, "w");
    strbuf_free(&order);
    document_list_free(&list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(directories_are_walked),
        cmocka_unit_test(patterns_are_matched),
        cmocka_unit_test(limits_hold),
        cmocka_unit_test(single_files_fail_with_their_reason),
        cmocka_unit_test(the_same_file_twice_is_refused),
        cmocka_unit_test(converters_make_documents),
        cmocka_unit_test(pasted_text_has_a_name),
        cmocka_unit_test(order_and_pairs_are_edited),
    };
    return cmocka_run_group_tests_name("document path", tests, make_tree, remove_tree);
}
