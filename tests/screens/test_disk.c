/*
 * The interface while the disk refuses: another program holds the file, or it may not grow. It is
 * told in a line, one goes on typing, and everything is saved later.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/store.h"
#include "tests/screens/chat_child.h"

static const char script[] = "The first reply.\n---\nThe second reply.\n---\nThe third reply.";

struct place {
    char directory[64], *path;
    struct chat_child child;
    struct pty_screen *screen;
};

/* A chat whose first message is saved. */
static struct place *begin(void)
{
    struct place *place = xcalloc(1, sizeof *place);
    snprintf(place->directory, sizeof place->directory, "/tmp/airo-disk-XXXXXX");
    assert_non_null(mkdtemp(place->directory));
    place->path = path_join(place->directory, "chats.sqlite3");
    place->child = (struct chat_child){.script = script, .chats_path = place->path};
    place->screen = chat_child_start(24, 110, NULL, &place->child);
    pty_screen_type(place->screen, "one\r");
    assert_true(pty_screen_wait_text(place->screen, "The first reply."));
    assert_true(pty_screen_wait_text(place->screen, "· saved"));
    return place;
}

/* The store has these texts, each once, and is whole. */
static void check_store(const struct place *place, const char *const *texts)
{
    struct store *store;
    struct store_list list;
    struct store_chat chat;
    struct error error;
    assert_int_equal(store_open(&store, place->path, &error), 0);
    assert_int_equal(store_check(store, &error), 0);
    assert_int_equal(store_list(store, false, &list, &error), 0);
    assert_int_equal(list.count, 1);
    assert_int_equal(store_load(store, list.items[0].id, &chat, &error), 0);
    for (size_t i = 0; texts[i] != NULL; i++) {
        size_t found = 0;
        for (size_t j = 0; j < chat.conversation->count; j++)
            found += strstr(strbuf_text(&chat.conversation->items[j]->text), texts[i]) != NULL;
        if (found != 1)
            fail_msg("\"%s\" is there %zu times", texts[i], found);
    }
    store_chat_free(&chat);
    store_list_free(&list);
    store_close(store);
}

static void end(struct place *place, const char *const *texts)
{
    pty_screen_type(place->screen, "\003\004");
    assert_int_equal(pty_screen_wait_exit(place->screen), 0);
    pty_screen_free(place->screen);
    check_store(place, texts);
    char *command = xasprintf("rm -rf %s", place->directory);
    assert_int_equal(system(command), 0);
    free(command);
    free(place->path);
    free(place);
}

/* A message is sent and answered, and one types on, before the disk has anything. */
static void go_on_unsaved(struct place *place, const char *reply)
{
    pty_screen_type(place->screen, "two\r");
    assert_true(pty_screen_wait_text(place->screen, reply));
    assert_true(pty_screen_wait_text(place->screen, "· saving"));
    assert_true(pty_screen_wait_text(place->screen, "not saved yet: "));
    assert_false(pty_screen_shows(place->screen, "· saved"));
    pty_screen_type(place->screen, "typing goes on");
    assert_true(pty_screen_wait_text(place->screen, "› typing goes on"));
    assert_false(pty_screen_shows(place->screen, "· saved"));
}

static const char *const both[] = {"one", "two", "The first reply.", "The second reply.", NULL};

static void another_program_holds_the_file(void **state)
{
    (void)state;
    struct place *place = begin();
    sqlite3 *other;
    assert_int_equal(sqlite3_open(place->path, &other), SQLITE_OK);
    sqlite3_busy_timeout(other, 10000);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    go_on_unsaved(place, "The second reply.");
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(other), SQLITE_OK);
    assert_true(pty_screen_wait_text(place->screen, "everything is saved"));
    assert_true(pty_screen_wait_text(place->screen, "· saved"));
    end(place, both);
}

static void set_limit(const struct place *place, rlim_t bytes)
{
    struct rlimit limit;
    pid_t child = pty_screen_child(place->screen);
    assert_int_equal(prlimit(child, RLIMIT_FSIZE, NULL, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(prlimit(child, RLIMIT_FSIZE, &limit, NULL), 0);
}

static void the_file_may_not_grow(void **state)
{
    (void)state;
    struct place *place = begin();
    set_limit(place, 4096);
    go_on_unsaved(place, "The second reply.");
    set_limit(place, RLIM_INFINITY);
    assert_true(pty_screen_wait_text(place->screen, "everything is saved"));
    assert_true(pty_screen_wait_text(place->screen, "· saved"));
    end(place, both);
}

/* Two programs on one library: both save, neither waits for long. */
static void two_programs_share_the_library(void **state)
{
    (void)state;
    struct place *place = begin();
    struct pty_screen *second = chat_child_start(24, 110, NULL, &place->child);
    struct store *store;
    struct store_list list;
    struct error error;
    pty_screen_type(second, "from the second\r");
    pty_screen_type(place->screen, "two\r");
    assert_true(pty_screen_wait_text(second, "The first reply."));
    assert_true(pty_screen_wait_text(second, "from the second · saved"));
    assert_true(pty_screen_wait_text(place->screen, "The second reply."));
    assert_true(pty_screen_wait_text(place->screen, "one · saved"));
    pty_screen_type(second, "\004");
    assert_int_equal(pty_screen_wait_exit(second), 0);
    pty_screen_free(second);
    assert_int_equal(store_open(&store, place->path, &error), 0);
    assert_int_equal(store_list(store, false, &list, &error), 0);
    assert_int_equal(list.count, 2);
    assert_int_equal(
        store_set_deleted(store, list.items[list.items[0].messages > 2].id, true, &error), 0);
    store_list_free(&list);
    store_close(store);
    end(place, both);
}

/* Left while the disk refuses: says what is lost, and with which status. */
static void what_could_not_be_saved_is_told_at_the_end(void **state)
{
    (void)state;
    struct place *place = begin();
    static const char *const first[] = {"one", "The first reply.", NULL};
    set_limit(place, 4096);
    go_on_unsaved(place, "The second reply.");
    pty_screen_type(place->screen, "\003\004");
    assert_int_not_equal(pty_screen_wait_exit(place->screen), 0);
    assert_true(pty_screen_wait_text(place->screen, "could not be saved: "));
    assert_false(pty_screen_state(place->screen)->alternate);
    pty_screen_free(place->screen);
    check_store(place, first);
    char *command = xasprintf("rm -rf %s", place->directory);
    assert_int_equal(system(command), 0);
    free(command);
    free(place->path);
    free(place);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_program_holds_the_file),
        cmocka_unit_test(the_file_may_not_grow),
        cmocka_unit_test(two_programs_share_the_library),
        cmocka_unit_test(what_could_not_be_saved_is_told_at_the_end),
    };
    return cmocka_run_group_tests_name("disk", tests, NULL, NULL);
}
