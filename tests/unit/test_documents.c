/* Tests of tui/document_adder and tui/text_view's neighbours that need no screen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/chat/document_path.h"
#include "engine/chat/store.h"
#include "engine/chat/store_writer.h"
#include "tui/document_adder.h"
#include "tui/text_view.h"

static char *write_file(const char *root, const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", root, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void what_is_added_and_what_is_not(void **state)
{
    (void)state;
    char root[] = "/tmp/airo-adder-XXXXXX";
    assert_non_null(mkdtemp(root));
    char *a = write_file(root, "a.txt", "Alpha."), *b = write_file(root, "b.txt", "Beta.");
    char *empty = write_file(root, "c.txt", "");
    struct document_list list = {0};
    assert_int_equal(document_add_regular(&list, a, NULL), 0);
    struct document_added added = {0};
    document_adder_take(document_adder_start(root, NULL), &added);
    assert_int_equal(added.documents.count, 2);
    assert_int_equal(added.skipped_count, 1);
    assert_non_null(strstr(added.skipped[0], "c.txt: skipped, empty"));
    assert_int_equal(document_added_merge(&added, &list), 1); /* a.txt is there already */
    assert_int_equal(list.count, 2);
    assert_string_equal(list.items[1].text, "Beta.");
    assert_int_equal(added.skipped_count, 2);
    struct strbuf line = {0};
    document_added_say(&added, 1, &line);
    assert_non_null(strstr(strbuf_text(&line), "1 document added, 2 skipped: "));
    assert_non_null(strstr(strbuf_text(&line), ", and 1 more"));
    strbuf_free(&line);
    document_added_free(&added);
    document_list_free(&list);
    char *all[] = {a, b, empty};
    for (size_t i = 0; i < 3; i++) {
        unlink(all[i]);
        free(all[i]);
    }
    rmdir(root);
}

static void a_pattern_without_files_says_so(void **state)
{
    (void)state;
    struct document_added added = {0};
    document_adder_take(document_adder_start("/nonesuch-at-all/*.txt", NULL), &added);
    assert_int_equal(added.documents.count, 0);
    assert_int_equal(added.skipped_count, 1);
    assert_non_null(strstr(added.skipped[0], "no file matches"));
    document_added_free(&added);
    document_adder_take(document_adder_start("/nonesuch-at-all", NULL), NULL); /* thrown away */
}

static void a_search_finds_whatever_case_and_goes_round(void **state)
{
    (void)state;
    static const char text[] = "One boat.\nTwo BOATS.\nThree.\n";
    struct text_view view = {.columns = 40, .rows = 2};
    size_t length = strlen(text);
    assert_true(text_view_search(&view, text, length, "boat", false));
    assert_int_equal(view.found.begin, 4);
    assert_true(text_view_search(&view, text, length, NULL, false));
    assert_int_equal(view.found.begin, 14);
    assert_true(text_view_search(&view, text, length, NULL, false));
    assert_int_equal(view.found.begin, 4);
    assert_true(text_view_search(&view, text, length, NULL, true));
    assert_int_equal(view.found.begin, 14);
    assert_false(text_view_search(&view, text, length, "ship", false));
    text_view_free(&view);
}

/* Lines of any length, up to the end and back, byte by byte the same. */
static void scrolling_ends_where_the_text_does(void **state)
{
    (void)state;
    struct strbuf text = {0};
    for (int i = 0; i < 3000; i++)
        strbuf_puts(&text, "words without an end \xE6\xB5\xB7 ");
    strbuf_puts(&text, "\n\nlast\n");
    struct text_view view = {.columns = 40, .rows = 10};
    const char *all = strbuf_text(&text);
    assert_true(text_view_key(&view, all, text.length, "G"));
    size_t top = view.top, row = view.row;
    text_view_scroll(&view, all, text.length, 100);
    assert_int_equal(view.top, top);
    assert_int_equal(view.row, row);
    text_view_scroll(&view, all, text.length, -100000);
    assert_int_equal(view.top, 0);
    assert_int_equal(view.row, 0);
    text_view_scroll(&view, all, text.length, 100000);
    assert_int_equal(view.top, top);
    assert_int_equal(view.row, row);
    assert_false(text_view_key(&view, all, text.length, "x"));
    text_view_free(&view);
    strbuf_free(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_added_and_what_is_not),
        cmocka_unit_test(a_pattern_without_files_says_so),
        cmocka_unit_test(a_search_finds_whatever_case_and_goes_round),
        cmocka_unit_test(scrolling_ends_where_the_text_does),
    };
    return cmocka_run_group_tests_name("documents", tests, NULL, NULL);
}
