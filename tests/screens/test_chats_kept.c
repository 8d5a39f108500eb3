/* Tests of drafts, of two programs on one library, and of what is still there after a bad end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "tests/screens/chats_fixture.h"

/* --- drafts ---------------------------------------------------------------------------------- */

static void a_draft_stays_with_its_chat(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "alpha has a walrus"));
    pty_screen_type(screen, "half a thought 🐬" F2 DOWN "\r");
    assert_true(pty_screen_wait_text(screen, "beta has a narwhal"));
    assert_true(pty_screen_wait_no_text(screen, "half a thought"));
    assert_true(wait_field(fixture, screen, ids[0], STORE_DRAFT, "half a thought 🐬"));
    pty_screen_type(screen, F2 "\033[A\r");
    assert_true(pty_screen_wait_text(screen, "› half a thought 🐬"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "The first reply."));
    assert_true(wait_field(fixture, screen, ids[0], STORE_DRAFT, "")); /* sent: no draft now */
    chats_leave(screen);
}

static void a_draft_outlives_the_program(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "alpha has a walrus"));
    pty_screen_type(screen, "to be continued");
    assert_true(pty_screen_wait_text(screen, "› to be continued"));
    chats_leave(screen);
    assert_true(chats_field_is(fixture, ids[0], STORE_DRAFT, "to be continued"));
    struct chat_child child = {
        .script = chats_script, .chats_path = fixture->library, .last = true};
    screen = chat_child_start(24, 80, NULL, &child);
    assert_true(pty_screen_wait_text(screen, "› to be continued"));
    chats_leave(screen);
}

static void a_draft_is_saved_without_leaving(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "alpha has a walrus"));
    pty_screen_type(screen, "slowly");
    assert_true(wait_field(fixture, screen, ids[0], STORE_DRAFT, "slowly"));
    kill(pty_screen_child(screen), SIGKILL);
    pty_screen_wait_exit(screen);
    pty_screen_free(screen);
    assert_true(chats_field_is(fixture, ids[0], STORE_DRAFT, "slowly"));
}

static void a_draft_of_a_new_chat_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct pty_screen *screen = chats_start(fixture, 24, 120);
    pty_screen_type(screen, "never sent");
    assert_true(pty_screen_wait_text(screen, "› never sent"));
    chats_leave(screen);
    assert_int_equal(chats_count(fixture, false), 1);
    screen = start_in_list(fixture);
    assert_true(pty_screen_wait_text(screen, "Untitled"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "› never sent"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "● never sent")); /* its title now */
    chats_leave(screen);
    assert_int_equal(chats_count(fixture, false), 1);
}

static void an_emptied_draft_leaves_no_chat(void **state)
{
    struct fixture *fixture = *state;
    struct pty_screen *screen = chats_start(fixture, 24, 120);
    pty_screen_type(screen, "never sent");
    assert_true(pty_screen_wait_text(screen, "› never sent"));
    chats_leave(screen);
    screen = start_in_list(fixture);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "› never sent"));
    pty_screen_type(screen, "\025" F2 "n");
    assert_true(wait_count(fixture, screen, false, 0));
    chats_leave(screen);
    screen = chats_start(fixture, 24, 120);
    pty_screen_type(screen, "\t"); /* an offer of the start page, and a command, are no drafts */
    assert_true(pty_screen_wait_text(screen, "› What can you do?"));
    chats_leave(screen);
    assert_int_equal(chats_count(fixture, false), 0);
}

/* --- others, and bad ends -------------------------------------------------------------------- */

static void another_program_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    struct pty_screen *screen = chats_start(fixture, 24, 120);
    assert_true(pty_screen_wait_text(screen, "Chats appear here"));
    seed_three(fixture, ids);
    assert_true(pty_screen_wait_text(screen, "Chats · 3"));
    struct pty_screen *second = start_in_list(fixture);
    pty_screen_type(second, "\r");
    assert_true(pty_screen_wait_text(second, "alpha has a walrus"));
    pty_screen_type(screen, F2 "\r"); /* the same chat in both */
    assert_true(pty_screen_wait_text(screen, "alpha has a walrus"));
    pty_screen_type(screen, "from one\r");
    pty_screen_type(second, "from two\r");
    assert_true(pty_screen_wait_text(screen, "The first reply."));
    assert_true(pty_screen_wait_text(second, "The first reply."));
    chats_leave(screen);
    chats_leave(second);
    struct store_chat chat;
    assert_int_equal(store_load(fixture->store, ids[0], &chat, &fixture->error), 0);
    assert_int_equal(chat.conversation->count, 6);
    store_chat_free(&chat);
}

static void a_kill_keeps_what_had_come(void **state)
{
    struct fixture *fixture = *state;
    struct chat_child child = {.script = "one two three four five six seven eight nine ten",
                               .piece_ms = 150,
                               .chats_path = fixture->library};
    struct pty_screen *screen = chat_child_start(24, 80, NULL, &child);
    pty_screen_type(screen, "count\r");
    struct store_chat chat = {0};
    bool seen = false;
    time_t end = time(NULL) + WAIT_S;
    while (!seen && time(NULL) < end) {
        struct store_list list;
        pty_screen_pump(screen, 20);
        assert_int_equal(store_list(fixture->store, false, &list, &fixture->error), 0);
        int64_t id = list.count > 0 ? list.items[0].id : 0;
        store_list_free(&list);
        if (id == 0)
            continue;
        assert_int_equal(store_load(fixture->store, id, &chat, &fixture->error), 0);
        seen = chat.conversation->count == 2 &&
               strstr(strbuf_text(&chat.conversation->items[1]->text), "two") != NULL;
        store_chat_free(&chat);
    }
    assert_true(seen);
    kill(pty_screen_child(screen), SIGKILL);
    pty_screen_wait_exit(screen);
    pty_screen_free(screen);
    child.last = true;
    screen = chat_child_start(24, 80, NULL, &child);
    assert_true(pty_screen_wait_text(screen, "◆ one two"));
    assert_false(pty_screen_shows(screen, "ten"));
    chats_leave(screen);
}

static void a_full_disk_is_told_and_outlived(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    struct rlimit none = {4096, RLIM_INFINITY}, all = {RLIM_INFINITY, RLIM_INFINITY};
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "alpha has a walrus"));
    assert_int_equal(prlimit(pty_screen_child(screen), RLIMIT_FSIZE, &none, NULL), 0);
    pty_screen_type(screen, "on a full disk\r");
    assert_true(pty_screen_wait_text(screen, "The first reply."));
    assert_true(pty_screen_wait_text(screen, "not saved yet: "));
    assert_true(pty_screen_wait_text(screen, " · saving"));
    assert_int_equal(prlimit(pty_screen_child(screen), RLIMIT_FSIZE, &all, NULL), 0);
    assert_true(pty_screen_wait_text(screen, "everything is saved"));
    assert_true(pty_screen_wait_text(screen, " · saved"));
    chats_leave(screen);
    struct store_chat chat;
    assert_int_equal(store_load(fixture->store, ids[0], &chat, &fixture->error), 0);
    assert_int_equal(chat.conversation->count, 4);
    assert_string_equal(strbuf_text(&chat.conversation->items[3]->text), "The first reply.");
    store_chat_free(&chat);
}

/* Messages of one chat are none of another's: what was to be edited stays behind. */
static void an_edit_ends_with_its_chat(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "alpha has a walrus"));
    pty_screen_type(screen, ESC);
    assert_true(pty_screen_wait_text(screen, "▸◆"));
    pty_screen_type(screen, "e");
    assert_true(pty_screen_wait_text(screen, "› alpha has a walrus"));
    pty_screen_type(screen, F2 DOWN "\r");
    assert_true(pty_screen_wait_text(screen, "beta has a narwhal"));
    pty_screen_type(screen, "hello\r");
    assert_true(pty_screen_wait_text(screen, "The first reply."));
    assert_true(pty_screen_shows(screen, "beta has a narwhal"));
    chats_leave(screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_draft_stays_with_its_chat),      TEST(a_draft_outlives_the_program),
        TEST(a_draft_is_saved_without_leaving), TEST(a_draft_of_a_new_chat_is_kept),
        TEST(an_emptied_draft_leaves_no_chat),  TEST(another_program_is_noticed),
        TEST(a_kill_keeps_what_had_come),       TEST(a_full_disk_is_told_and_outlived),
        TEST(an_edit_ends_with_its_chat),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
