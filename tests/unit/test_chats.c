/* Tests of what lists and keeps chats that need no screen: ages, file names, lists, the library. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "tui/age.h"
#include "tui/chats.h"
#include "tui/chats_list.h"
#include "tui/split.h"

static void ages(void **state)
{
    (void)state;
    setenv("TZ", "UTC", 1);
    tzset();
    static const int64_t now = 1700000000; /* Tuesday, 14 November 2023 */
    static const struct {
        int64_t age;
        const char *text;
    } rows[] = {{-5, "now"},
                {0, "now"},
                {59, "now"},
                {60, "1 min"},
                {3599, "59 min"},
                {3600, "1 h"},
                {86399, "23 h"},
                {86400, "Mon"},
                {5 * 86400, "Thu"},
                {6 * 86400, "8 Nov"},
                {14 * 86400, "31 Oct"},
                {300 * 86400, "18 Jan"},
                {330 * 86400, "2022"},
                {700000000, "2001"}};
    char text[AGE_BYTES];
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_string_equal(age_text(text, now - rows[i].age, now), rows[i].text);
        assert_true(strlen(text) <= AGE_COLUMNS);
    }
    age_text(text, INT64_MIN, now);
    assert_string_equal(age_text(text, INT64_MAX, -now), "?");
    age_text(text, INT64_MAX / 2, 0);
}

static void files_are_named_after_titles(void **state)
{
    (void)state;
    static const char *const rows[][2] = {
        {"What is a vaquita?", "what-is-a-vaquita.md"},
        {"../../etc/passwd", "etc-passwd.md"},
        {"海豚", "chat.md"},
        {"", "chat.md"},
        {"...", "chat.md"},
        {"a\033b\nc", "a-b-c.md"},
        {"0123456789012345678901234567890123456789ab",
         "0123456789012345678901234567890123456789.md"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char *name = chats_file_name(rows[i][0]);
        assert_string_equal(name, rows[i][1]);
        free(name);
    }
}

static void the_suffix_says_the_format(void **state)
{
    (void)state;
    assert_int_equal(chats_format_of("a.json"), EXPORT_JSON);
    assert_int_equal(chats_format_of("~/x/A.JSON"), EXPORT_JSON);
    assert_int_equal(chats_format_of("a.md"), EXPORT_MARKDOWN);
    assert_int_equal(chats_format_of("a"), EXPORT_MARKDOWN);
    assert_int_equal(chats_format_of(""), EXPORT_MARKDOWN);
    assert_int_equal(chats_format_of("json"), EXPORT_MARKDOWN);
    assert_int_equal(chats_format_of("a.json.md"), EXPORT_MARKDOWN);
}

/* --- lists ----------------------------------------------------------------------------------- */

struct fixture {
    char directory[64];
    char *path;
    struct library library;
    struct chats_list list;
};

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof *fixture);
    snprintf(fixture->directory, sizeof fixture->directory, "/tmp/airo-chats-XXXXXX");
    if (mkdtemp(fixture->directory) == NULL)
        return -1;
    fixture->path = path_join(fixture->directory, "chats.sqlite3");
    library_open(&fixture->library, fixture->path);
    chats_list_open(&fixture->list, &fixture->library);
    *state = fixture;
    return fixture->library.store != NULL ? 0 : -1;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    struct error error;
    chats_list_free(&fixture->list);
    int result = library_close(&fixture->library, &error);
    char *command = xasprintf("rm -rf %s", fixture->directory);
    result |= system(command);
    free(command);
    free(fixture->path);
    free(fixture);
    return result;
}

static int64_t add(struct store *store, const char *title, int64_t updated, int64_t deleted_at)
{
    struct store_chat chat = {.fields = {[STORE_TITLE] = xstrdup(title)},
                              .conversation = conversation_create(),
                              .created = updated,
                              .updated = updated,
                              .deleted_at = deleted_at};
    struct error error;
    assert_int_equal(store_create(store, &chat, &error), 0);
    int64_t id = chat.id;
    store_chat_free(&chat);
    return id;
}

static void a_list_is_read_when_the_library_has_changed(void **state)
{
    struct fixture *fixture = *state;
    struct chats_list *list = &fixture->list;
    add(fixture->library.store, "old", 100, 0);
    assert_true(chats_list_refresh(list, 1000));
    assert_int_equal(chats_list_count(list), 1);
    int64_t id = add(fixture->library.store, "new", 200, 0);
    list->next_ms = 0;
    assert_false(chats_list_refresh(list, 1000)); /* nobody said so */
    library_changed(&fixture->library);
    list->next_ms = 1500;
    list->poll_ms = 9000;
    assert_int_equal(chats_list_timeout(list, 1000), 500);
    assert_false(chats_list_refresh(list, 1499)); /* not so often */
    assert_true(chats_list_refresh(list, 1500));
    assert_int_equal(chats_list_count(list), 2);
    assert_int_equal(chats_list_row(list, 0), id);
    assert_string_equal(chats_list_title(list, 1), "old");
    assert_int_equal(chats_list_row(list, 2), 0);
    assert_string_equal(chats_list_title(list, 2), "");
    chats_list_remove(list, 0);
    assert_int_equal(chats_list_count(list), 1);
    assert_string_equal(chats_list_title(list, 0), "old");
    chats_list_remove(list, 7);
    assert_int_equal(chats_list_count(list), 1);
}

static void another_connection_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    struct chats_list *list = &fixture->list;
    struct error error;
    struct store *other;
    assert_true(chats_list_refresh(list, 1000));
    list->next_ms = 0;
    chats_list_poll(list, 1000);
    assert_false(list->stale);
    assert_int_equal(chats_list_timeout(list, 1000), 2000);
    assert_int_equal(store_open(&other, fixture->path, &error), 0);
    add(other, "theirs", 100, 0);
    store_close(other);
    chats_list_poll(list, 2999);
    assert_false(chats_list_refresh(list, 2999)); /* not looked yet */
    assert_int_equal(chats_list_timeout(list, 3000), 0);
    chats_list_poll(list, 3000);
    assert_true(chats_list_refresh(list, 3000));
    assert_int_equal(chats_list_count(list), 1);
    add(fixture->library.store, "ours", 100, 0); /* says so itself */
    int64_t version = store_data_version(fixture->library.store);
    assert_int_equal(version, list->data_version);
}

static void kinds_are_never_mixed(void **state)
{
    struct fixture *fixture = *state;
    struct chats_list *list = &fixture->list;
    int64_t kept = add(fixture->library.store, "kept walrus", 100, 0);
    int64_t gone = add(fixture->library.store, "gone walrus", 100, 200);
    chats_list_show(list, CHATS_KEPT, NULL, 1000, 0);
    assert_int_equal(chats_list_count(list), 1);
    assert_int_equal(chats_list_row(list, 0), kept);
    chats_list_show(list, CHATS_DELETED, NULL, 1000, 0);
    assert_int_equal(chats_list_row(list, 0), gone);
    chats_list_show(list, CHATS_FOUND, "walrus", 1000, 60);
    assert_int_equal(chats_list_count(list), 0); /* not read yet: nothing, not the deleted ones */
    assert_false(chats_list_refresh(list, 1059));
    assert_true(chats_list_refresh(list, 1060));
    assert_int_equal(chats_list_count(list), 1);
    assert_int_equal(chats_list_row(list, 0), kept);
    chats_list_show(list, CHATS_FOUND, "nothing", 2000, 0);
    assert_int_equal(chats_list_count(list), 0);
}

static void the_purge_heeds_its_days(void **state)
{
    struct fixture *fixture = *state;
    struct store *store = fixture->library.store;
    struct store_list list;
    struct error error;
    int64_t now = (int64_t)time(NULL);
    add(store, "lately", now, now - 29 * 86400);
    add(store, "long ago", now, now - 31 * 86400);
    add(store, "there", now - 100 * 86400, 0);
    static const struct {
        uint32_t days;
        size_t left;
    } steps[] = {{0, 2}, {36500, 2}, {30, 1}, {1, 0}};
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        library_purge(&fixture->library, steps[i].days);
        assert_int_equal(store_list(store, true, &list, &error), 0);
        assert_int_equal(list.count, steps[i].left);
        store_list_free(&list);
    }
    assert_int_equal(store_list(store, false, &list, &error), 0);
    assert_int_equal(list.count, 1);
    store_list_free(&list);
}

static void without_a_store_nothing_is_read(void **state)
{
    (void)state;
    struct library library;
    struct chats_list list;
    library_open(&library, NULL);
    chats_list_open(&list, &library);
    chats_list_show(&list, CHATS_FOUND, "x", 0, 0);
    assert_false(chats_list_refresh(&list, 1000));
    assert_int_equal(chats_list_timeout(&list, 0), -1);
    chats_list_poll(&list, 100000);
    library_purge(&library, 1);
    assert_int_equal(chats_list_count(&list), 0);
    chats_list_free(&list);
}

/* --- where the list stands ------------------------------------------------------------------- */

static void a_pane_that_wants_a_wide_screen(void **state)
{
    (void)state;
    static const struct pane_ops chat_ops = {.columns_min = 36, .rows_min = 7};
    static const struct pane_ops list_ops = {
        .columns_min = 20, .rows_min = 4, .columns_wanted = 36, .screen_columns_min = 100};
    struct pane chat = {&chat_ops}, other = {&chat_ops}, list = {&list_ops};
    struct split_place places[3];
    struct split *split = split_create(&chat);
    split_add(split, &chat, SPLIT_LEFT, &list);
    split_add(split, &chat, SPLIT_RIGHT, &other);
    const struct rect wide = {0, 0, 24, 120}, narrow = {0, 0, 24, 99};
    assert_int_equal(split_layout(split, &wide, &chat, false, places), 3);
    assert_ptr_equal(places[0].pane, &list);
    assert_int_equal(places[0].area.columns, 36);
    assert_int_equal(split_layout(split, &narrow, &chat, false, places), 2);
    assert_ptr_equal(places[0].pane, &chat);
    assert_int_equal(split_layout(split, &narrow, &list, false, places), 1);
    assert_ptr_equal(places[0].pane, &list);
    assert_int_equal(places[0].area.columns, 99);
    split_free(split);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ages),
        cmocka_unit_test(files_are_named_after_titles),
        cmocka_unit_test(the_suffix_says_the_format),
        TEST(a_list_is_read_when_the_library_has_changed),
        TEST(another_connection_is_noticed),
        TEST(kinds_are_never_mixed),
        TEST(the_purge_heeds_its_days),
        cmocka_unit_test(without_a_store_nothing_is_read),
        cmocka_unit_test(a_pane_that_wants_a_wide_screen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
