/* Tests of the chats pane. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/file.h"
#include "tests/screens/chats_fixture.h"

/* --- looks ----------------------------------------------------------------------------------- */

static void a_fresh_home_has_an_empty_list(void **state)
{
    struct fixture *fixture = *state;
    struct pty_screen *screen = chats_start(fixture, 36, 120);
    assert_true(screen_matches(screen, "chats-empty-120x36"));
    chats_leave(screen);
}

static void the_list_at_every_size(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    chats_seed(fixture, "海豚 and 日本語, a title that is too long", "wide", "x", YEAR_2014 - 1);
    chats_seed(fixture, "Emoji 🐬 and a family 👨‍👩‍👧", "emoji", "x", YEAR_2014 - 2);
    chats_seed(fixture, NULL, "no title", "x", YEAR_2001 - 1);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_resize(screen, 36, 120);
    pty_screen_type(screen, DOWN);
    assert_true(screen_matches(screen, "chats-list-120x36"));
    pty_screen_resize(screen, 24, 80);
    assert_true(screen_matches(screen, "chats-list-80x24"));
    pty_screen_resize(screen, 10, 40);
    assert_true(screen_matches(screen, "chats-list-40x10"));
    pty_screen_type(screen, ESC);
    assert_true(pty_screen_wait_text(screen, "Type a message"));
    assert_false(pty_screen_shows(screen, "Alpha chat"));
    pty_screen_resize(screen, 36, 120);
    assert_true(pty_screen_wait_text(screen, "Alpha chat"));
    chats_leave(screen);
}

static void what_was_found_at_every_size(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    chats_seed(
        fixture, "海豚", "q",
        "so many words stand before the one that is looked for that no narrow list shows the "
        "first ones and the walrus 海豚 👨‍👩‍👧 at once",
        YEAR_2014 - 1);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_resize(screen, 36, 120);
    pty_screen_type(screen, "/walrus");
    assert_true(pty_screen_wait_text(screen, "Found · 3"));
    assert_true(screen_matches(screen, "chats-found-120x36"));
    int row = pty_screen_row_of(screen, "alpha has a walrus");
    unsigned word = pty_screen_colour(screen, row, 16), other = pty_screen_colour(screen, row, 4);
    assert_int_not_equal(word, other);
    pty_screen_resize(screen, 24, 80);
    assert_true(screen_matches(screen, "chats-found-80x24"));
    pty_screen_resize(screen, 10, 40);
    assert_true(screen_matches(screen, "chats-found-40x10"));
    chats_leave(screen);
}

static void hostile_text_is_shown_not_sent(void **state)
{
    struct fixture *fixture = *state;
    static const char attack[] = "\033]0;taken\007\033[2J bidi \xE2\x80\xAE"
                                 "abc\nnewline walrus \x9B"
                                 "31m";
    chats_seed(fixture, attack, attack, attack, YEAR_2014);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_resize(screen, 24, 80);
    assert_true(screen_matches(screen, "chats-hostile-80x24"));
    pty_screen_type(screen, "/walrus");
    assert_true(pty_screen_wait_text(screen, "Found"));
    assert_true(screen_matches(screen, "chats-hostile-found-80x24"));
    assert_null(strstr(pty_screen_state(screen)->title, "taken"));
    assert_int_equal(pty_screen_state(screen)->bells, 0);
    chats_leave(screen);
}

/* --- opening --------------------------------------------------------------------------------- */

static void enter_opens_and_the_mark_shows_it(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, DOWN "\r");
    assert_true(pty_screen_wait_text(screen, "beta has a narwhal"));
    assert_true(pty_screen_wait_text(screen, "● Beta chat"));
    pty_screen_type(screen, "more\r"); /* the chat has the keys */
    assert_true(pty_screen_wait_text(screen, "The first reply."));
    assert_true(pty_screen_wait_text(screen, "now"));
    char *shown = pty_screen_text(screen);
    char *beta = strstr(shown, "Beta chat"), *alpha = strstr(shown, "Alpha chat");
    assert_true(beta != NULL && alpha != NULL && beta < alpha); /* it is the newest now */
    free(shown);
    chats_leave(screen);
}

static void an_open_chat_gets_the_focus(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "alpha has a walrus"));
    pty_screen_type(screen, F2 DOWN "o"); /* beta beside it */
    assert_true(pty_screen_wait_text(screen, "beta has a narwhal"));
    assert_true(pty_screen_shows(screen, "alpha has a walrus"));
    pty_screen_type(screen, "for beta" F2 "\033[A\r"); /* alpha is there: to it */
    pty_screen_type(screen, "for alpha\r");
    assert_true(pty_screen_wait_text(screen, "▌ for alpha"));
    assert_true(pty_screen_shows(screen, "› for beta"));
    char *shown = pty_screen_text(screen);
    char *first = strstr(shown, "alpha has a walrus");
    assert_non_null(first);
    assert_null(strstr(first + 1, "alpha has a walrus"));
    free(shown);
    chats_leave(screen);
}

static void n_begins_a_new_chat(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "alpha has a walrus"));
    pty_screen_type(screen, F2 "n");
    assert_true(pty_screen_wait_text(screen, "Tab tries"));
    pty_screen_type(screen, "brand new\r");
    assert_true(pty_screen_wait_text(screen, "The first reply."));
    assert_true(pty_screen_wait_text(screen, "● brand new"));
    assert_true(wait_count(fixture, screen, false, 4));
    chats_leave(screen);
}

static void an_unanswered_question_waits_for_its_retry(void **state)
{
    struct fixture *fixture = *state;
    chats_seed(fixture, "Stopped", "a question without a word of reply", NULL, YEAR_2014);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "without a word of reply"));
    assert_true(pty_screen_wait_text(screen, "not answered · /retry sends it again"));
    pty_screen_type(screen, "/retry\r");
    assert_true(pty_screen_wait_no_text(screen, "not answered"));
    assert_true(pty_screen_shows(screen, "without a word of reply"));
    chats_leave(screen);
}

static void a_click_opens(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = chats_start(fixture, 24, 120);
    assert_true(pty_screen_wait_text(screen, "Gamma chat"));
    char press[32];
    snprintf(press, sizeof press, "\033[<0;6;%dM", pty_screen_row_of(screen, "Gamma chat") + 1);
    pty_screen_type(screen, press);
    assert_true(pty_screen_wait_text(screen, "gamma has a walrus too"));
    chats_leave(screen);
}

static void the_last_chat_can_be_the_start(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct chat_child child = {
        .script = chats_script, .chats_path = fixture->library, .last = true};
    struct pty_screen *screen = chat_child_start(24, 80, NULL, &child);
    assert_true(pty_screen_wait_text(screen, "alpha has a walrus"));
    chats_leave(screen);
}

/* --- names, deletion, copies ----------------------------------------------------------------- */

static void r_renames(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, DOWN "r");
    assert_true(pty_screen_wait_text(screen, "› Beta chat"));
    pty_screen_type(screen, "\025Narwhals 🐋\r");
    assert_true(pty_screen_wait_text(screen, "   Narwhals 🐋"));
    assert_true(wait_field(fixture, screen, ids[1], STORE_TITLE, "Narwhals 🐋"));
    pty_screen_type(screen, "\r"); /* open: its pane knows the name, and takes another */
    assert_true(pty_screen_wait_text(screen, "Narwhals 🐋 · sav"));
    pty_screen_type(screen, "/rename Teeth\r");
    assert_true(pty_screen_wait_text(screen, "Teeth · sav"));
    assert_true(wait_field(fixture, screen, ids[1], STORE_TITLE, "Teeth"));
    chats_leave(screen);
}

static void d_deletes_and_u_brings_back(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, DOWN "d");
    assert_true(pty_screen_wait_text(screen, "deleted; u"));
    assert_true(wait_count(fixture, screen, true, 1));
    assert_false(pty_screen_shows(screen, "Beta chat"));
    pty_screen_type(screen, "u");
    assert_true(pty_screen_wait_text(screen, "Beta chat"));
    assert_true(wait_count(fixture, screen, true, 0));
    pty_screen_type(screen, "ddu"); /* faster than the disk: two go, the last comes back */
    assert_true(wait_count(fixture, screen, true, 1));
    assert_true(pty_screen_wait_text(screen, "Chats · 2"));
    chats_leave(screen);
}

static void deleted_chats_can_be_looked_at(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    assert_int_equal(store_set_deleted(fixture->store, ids[0], true, &fixture->error), 0);
    assert_int_equal(store_set_deleted(fixture->store, ids[2], true, &fixture->error), 0);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "D");
    assert_true(pty_screen_wait_text(screen, "Deleted chats · 2"));
    assert_false(pty_screen_shows(screen, "Beta chat"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "the chat is deleted; u brings it back"));
    pty_screen_type(screen, DOWN "u");
    assert_true(pty_screen_wait_text(screen, "Deleted chats · 1"));
    pty_screen_type(screen, ESC);
    assert_true(pty_screen_wait_text(screen, "Gamma chat"));
    assert_false(pty_screen_shows(screen, "Alpha chat"));
    chats_leave(screen);
}

static void old_deleted_chats_go_for_good(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    assert_int_equal(store_set_deleted(fixture->store, ids[0], true, &fixture->error), 0);
    struct store_chat old = {.conversation = conversation_create(), .deleted_at = YEAR_2001};
    assert_int_equal(store_create(fixture->store, &old, &fixture->error), 0);
    store_chat_free(&old);
    assert_int_equal(chats_count(fixture, true), 2);
    struct pty_screen *screen = chats_start(fixture, 24, 120);
    assert_true(wait_count(fixture, screen, true, 1)); /* what was deleted just now stays */
    chats_leave(screen);
}

static void deleting_the_open_chat_begins_a_new_one(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "alpha has a walrus"));
    pty_screen_type(screen, "/delete\r");
    assert_true(pty_screen_wait_text(screen, "Tab tries"));
    assert_true(wait_count(fixture, screen, true, 1));
    pty_screen_type(screen, "another\r");
    assert_true(pty_screen_wait_text(screen, "The first reply."));
    pty_screen_type(screen, "/undelete\r");
    assert_true(pty_screen_wait_text(screen, "Alpha chat"));
    assert_true(wait_count(fixture, screen, false, 4));
    chats_leave(screen);
}

static void a_chat_that_replies_is_not_deleted(void **state)
{
    struct fixture *fixture = *state;
    struct chat_child child = {.script = "one two three four five six seven eight nine ten",
                               .piece_ms = 300,
                               .chats_path = fixture->library};
    struct pty_screen *screen = chat_child_start(24, 120, NULL, &child);
    pty_screen_type(screen, "count\r");
    assert_true(pty_screen_wait_text(screen, "◆ count")); /* live, in the list */
    pty_screen_type(screen, F2 "d");
    assert_true(pty_screen_wait_text(screen, "a reply is running there"));
    assert_true(pty_screen_shows(screen, "◆ count"));
    assert_int_equal(chats_count(fixture, true), 0);
    chats_leave(screen);
}

static void y_makes_a_copy(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, DOWN "y");
    assert_true(pty_screen_wait_text(screen, "a copy has been made"));
    assert_true(pty_screen_wait_text(screen, "Chats · 4"));
    assert_int_equal(chats_count(fixture, false), 4);
    chats_leave(screen);
}

/* --- files ----------------------------------------------------------------------------------- */

static void x_exports_and_m_imports(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    struct strbuf text = {0};
    struct stat status;
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "x");
    assert_true(pty_screen_wait_text(screen, "› alpha-chat.md"));
    pty_screen_type(screen, "\025~/out.md\r");
    assert_true(pty_screen_wait_text(screen, "exported as ~/out.md"));
    char *path = path_join(fixture->directory, "out.md");
    assert_int_equal(file_read(path, 1 << 20, &text, &fixture->error), 0);
    assert_non_null(strstr(text.data, "alpha has a walrus"));
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    pty_screen_type(screen, "x\025~/out.md\r"); /* is there */
    assert_true(pty_screen_wait_text(screen, "File exists"));
    pty_screen_type(screen, "x\025~/out.json\r");
    assert_true(pty_screen_wait_text(screen, "exported as ~/out.json"));
    pty_screen_type(screen, "m");
    assert_true(pty_screen_wait_text(screen, "Import a chat"));
    pty_screen_type(screen, "~/out.json\r");
    assert_true(pty_screen_wait_text(screen, "Chats · 4"));
    pty_screen_type(screen, F2 "m"); /* the imported chat is open; back to the list */
    assert_true(pty_screen_wait_text(screen, "Import a chat"));
    pty_screen_type(screen, "~/out.md\r");
    assert_true(pty_screen_wait_text(screen, "out.md: "));
    assert_int_equal(chats_count(fixture, false), 4);
    strbuf_free(&text);
    free(path);
    chats_leave(screen);
}

static void the_commands_of_the_line(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = chats_start(fixture, 24, 120);
    pty_screen_type(screen, "/delete\r");
    assert_true(pty_screen_wait_text(screen, "nothing has been said here yet"));
    pty_screen_type(screen, F2 "\r");
    assert_true(pty_screen_wait_text(screen, "alpha has a walrus"));
    pty_screen_type(screen, "/export ~/a.json\r");
    assert_true(pty_screen_wait_text(screen, "exported as ~/a.json"));
    pty_screen_type(screen, "/import ~/a.json\r");
    assert_true(pty_screen_wait_text(screen, "Chats · 4"));
    pty_screen_type(screen, "/duplicate\r");
    assert_true(pty_screen_wait_text(screen, "Chats · 5"));
    pty_screen_type(screen, "/rename\r");
    assert_true(pty_screen_wait_text(screen, "› Alpha chat"));
    pty_screen_type(screen, CTRL_C "/find narwhal\r");
    assert_true(pty_screen_wait_text(screen, "beta has a narwhal"));
    chats_leave(screen);
}

/* --- searching ------------------------------------------------------------------------------- */

static void a_search_opens_what_it_finds(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "/dnu"); /* no keys now */
    assert_true(pty_screen_wait_text(screen, "Nothing has all these words."));
    assert_int_equal(chats_count(fixture, true), 0);
    pty_screen_type(screen, "\025walrus t");
    assert_true(pty_screen_wait_text(screen, "gamma has a walrus too"));
    assert_true(pty_screen_wait_no_text(screen, "alpha has"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "▌ gamma question"));
    assert_true(pty_screen_shows(screen, "/ walrus t")); /* the finds are still there */
    pty_screen_type(screen, F2 ESC);
    assert_true(pty_screen_wait_text(screen, "Alpha chat"));
    assert_true(pty_screen_wait_no_text(screen, "/ walrus t"));
    chats_leave(screen);
}

static void enter_does_not_wait_for_the_search(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "/narwhal\r"); /* all at once */
    assert_true(pty_screen_wait_text(screen, "▌ beta question"));
    chats_leave(screen);
}

static void a_find_far_up_is_brought_into_view(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat;
    int64_t id = chats_seed(fixture, "Long", "the needle question", "reply", YEAR_2014);
    assert_int_equal(store_load(fixture->store, id, &chat, &fixture->error), 0);
    for (int i = 0; i < 60; i++) {
        struct message *more =
            conversation_add(chat.conversation, chat.conversation->tip, i % 2, "straw", 5);
        assert_int_equal(
            store_save_message(fixture->store, id, chat.conversation, more, &fixture->error), 0);
        assert_int_equal(store_set_tip(fixture->store, id, more->stored, &fixture->error), 0);
    }
    store_chat_free(&chat);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "◆ straw"));
    assert_false(pty_screen_shows(screen, "the needle question"));
    pty_screen_type(screen, F2 "/needle\r");
    assert_true(pty_screen_wait_text(screen, "▌ the needle question"));
    chats_leave(screen);
}

static void a_find_on_another_branch_is_shown(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat;
    int64_t id = chats_seed(fixture, "Branches", "question", "a reply that was left", YEAR_2014);
    assert_int_equal(store_load(fixture->store, id, &chat, &fixture->error), 0);
    struct message *other = conversation_add(chat.conversation, 0, ROLE_ASSISTANT, "the one", 7);
    assert_int_equal(
        store_save_message(fixture->store, id, chat.conversation, other, &fixture->error), 0);
    assert_int_equal(store_set_tip(fixture->store, id, other->stored, &fixture->error), 0);
    store_chat_free(&chat);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "◆ the one"));
    pty_screen_type(screen, "/find left\r");
    assert_true(pty_screen_wait_text(screen, "Found · 1"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "◆ a reply that was left"));
    chats_leave(screen);
}

static void without_a_library_the_pane_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct chat_child child = {.script = chats_script};
    struct pty_screen *screen = chat_child_start(24, 120, NULL, &child);
    assert_false(pty_screen_shows(screen, "Chats ──"));
    pty_screen_type(screen, F2);
    assert_true(pty_screen_wait_text(screen, "Chats are not kept."));
    pty_screen_type(screen, "dxymuD/x\r" ESC);
    pty_screen_type(screen, ESC F2);
    assert_true(pty_screen_wait_text(screen, "Chats are not kept."));
    chats_leave(screen);
    (void)fixture;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_fresh_home_has_an_empty_list),
        TEST(the_list_at_every_size),
        TEST(what_was_found_at_every_size),
        TEST(hostile_text_is_shown_not_sent),
        TEST(enter_opens_and_the_mark_shows_it),
        TEST(an_open_chat_gets_the_focus),
        TEST(n_begins_a_new_chat),
        TEST(an_unanswered_question_waits_for_its_retry),
        TEST(a_click_opens),
        TEST(the_last_chat_can_be_the_start),
        TEST(r_renames),
        TEST(d_deletes_and_u_brings_back),
        TEST(deleted_chats_can_be_looked_at),
        TEST(old_deleted_chats_go_for_good),
        TEST(deleting_the_open_chat_begins_a_new_one),
        TEST(a_chat_that_replies_is_not_deleted),
        TEST(y_makes_a_copy),
        TEST(x_exports_and_m_imports),
        TEST(the_commands_of_the_line),
        TEST(a_search_opens_what_it_finds),
        TEST(enter_does_not_wait_for_the_search),
        TEST(a_find_far_up_is_brought_into_view),
        TEST(a_find_on_another_branch_is_shown),
        TEST(without_a_library_the_pane_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
