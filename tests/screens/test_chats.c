/* Tests of the chats pane, of drafts, and of what is still there after a bad end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/store.h"
#include "engine/chat/store_export.h"
#include "tests/screens/chat_child.h"

#define CTRL_C "\003"
#define CTRL_D "\004"
#define F2     "\033OQ"
#define F6     "\033[17~"
#define DOWN   "\033[B"
#define END    "\033[F"
#define ESC    "\033"
#define WAIT_S 20

static const char script[] = "The first reply.\n---\nThe second reply.\n---\nThe third reply.";

struct fixture {
    char directory[64];
    char *library;
    struct store *store; /* the test's own look at the file */
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof *fixture);
    strcpy(fixture->directory, "/tmp/airo-chats-XXXXXX");
    if (mkdtemp(fixture->directory) == NULL)
        return -1;
    fixture->library = path_join(fixture->directory, "chats.sqlite3");
    *state = fixture;
    return store_open(&fixture->store, fixture->library, &fixture->error);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->store);
    char *command = xasprintf("rm -rf %s", fixture->directory);
    int result = system(command);
    free(command);
    free(fixture->library);
    free(fixture);
    return result;
}

/* A chat of a question and a reply; `updated` in seconds since 1970. */
static int64_t seed(struct fixture *fixture, const char *title, const char *question,
                    const char *reply, int64_t updated)
{
    struct store_chat chat = {
        .conversation = conversation_create(), .created = updated, .updated = updated};
    struct conversation *tree = chat.conversation;
    chat.fields[STORE_TITLE] = title != NULL ? xstrdup(title) : NULL;
    chat.fields[STORE_TEMPLATE] = xstrdup("airoboros");
    struct message *asked = conversation_add(tree, -1, ROLE_USER, question, strlen(question));
    struct message *answer =
        conversation_add(tree, asked->id, ROLE_ASSISTANT, reply, strlen(reply));
    asked->created = answer->created = updated;
    if (store_save_copy(fixture->store, &chat, &fixture->error) != 0)
        fail_msg("%s", fixture->error.message);
    int64_t id = chat.id;
    store_chat_free(&chat);
    return id;
}

#define YEAR_2001 1000000000
#define YEAR_2009 1234567890
#define YEAR_2014 1400000000

static void seed_three(struct fixture *fixture, int64_t ids[3])
{
    ids[0] = seed(fixture, "Alpha chat", "alpha question", "alpha has a walrus", YEAR_2014);
    ids[1] = seed(fixture, "Beta chat", "beta question", "beta has a narwhal", YEAR_2009);
    ids[2] = seed(fixture, "Gamma chat", "gamma question", "gamma has a walrus too", YEAR_2001);
}

static struct pty_screen *start(struct fixture *fixture, int rows, int columns)
{
    struct chat_child child = {.script = script, .library = fixture->library};
    const struct pty_variable variables[] = {{"HOME", fixture->directory}, {NULL, NULL}};
    return chat_child_start(rows, columns, variables, &child);
}

/* Wide enough for the list, which has the keys. */
static struct pty_screen *start_in_list(struct fixture *fixture)
{
    struct pty_screen *screen = start(fixture, 24, 120);
    pty_screen_type(screen, F2);
    assert_true(pty_screen_wait_text(screen, "Enter opens"));
    return screen;
}

static void leave(struct pty_screen *screen)
{
    assert_int_equal(kill(pty_screen_child(screen), SIGTERM), 0);
    assert_int_equal(pty_screen_wait_exit(screen), (128 + SIGTERM) << 8);
    pty_screen_free(screen);
}

static size_t count_of(struct fixture *fixture, bool deleted)
{
    struct store_list list;
    assert_int_equal(store_list(fixture->store, deleted, &list, &fixture->error), 0);
    size_t count = list.count;
    store_list_free(&list);
    return count;
}

/* The screen lives on while the disk is waited for. */
static bool wait_count(struct fixture *fixture, struct pty_screen *screen, bool deleted,
                       size_t count)
{
    time_t end = time(NULL) + WAIT_S;
    while (count_of(fixture, deleted) != count && time(NULL) < end)
        pty_screen_pump(screen, 20);
    return count_of(fixture, deleted) == count;
}

static char *field_of(struct fixture *fixture, int64_t id, enum store_field field)
{
    struct store_chat chat;
    assert_int_equal(store_load(fixture->store, id, &chat, &fixture->error), 0);
    char *text = xstrdup(chat.fields[field] != NULL ? chat.fields[field] : "");
    store_chat_free(&chat);
    return text;
}

static bool field_is(struct fixture *fixture, int64_t id, enum store_field field, const char *text)
{
    char *now = field_of(fixture, id, field);
    bool same = strcmp(now, text) == 0;
    free(now);
    return same;
}

static bool wait_field(struct fixture *fixture, struct pty_screen *screen, int64_t id,
                       enum store_field field, const char *text)
{
    time_t end = time(NULL) + WAIT_S;
    while (!field_is(fixture, id, field, text) && time(NULL) < end)
        pty_screen_pump(screen, 20);
    return field_is(fixture, id, field, text);
}

/* --- looks ----------------------------------------------------------------------------------- */

static void a_fresh_home_has_an_empty_list(void **state)
{
    struct fixture *fixture = *state;
    struct pty_screen *screen = start(fixture, 36, 120);
    assert_true(screen_matches(screen, "chats-empty-120x36"));
    leave(screen);
}

static void the_list_at_every_size(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    seed(fixture, "海豚 and 日本語, a title that is too long", "wide", "x", YEAR_2014 - 1);
    seed(fixture, "Emoji 🐬 and a family 👨‍👩‍👧", "emoji", "x", YEAR_2014 - 2);
    seed(fixture, NULL, "no title", "x", YEAR_2001 - 1);
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
    leave(screen);
}

static void what_was_found_at_every_size(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    seed(fixture, "海豚", "q",
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
    leave(screen);
}

static void hostile_text_is_shown_not_sent(void **state)
{
    struct fixture *fixture = *state;
    static const char attack[] = "\033]0;taken\007\033[2J bidi \xE2\x80\xAE"
                                 "abc\nnewline walrus \x9B"
                                 "31m";
    seed(fixture, attack, attack, attack, YEAR_2014);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_resize(screen, 24, 80);
    assert_true(screen_matches(screen, "chats-hostile-80x24"));
    pty_screen_type(screen, "/walrus");
    assert_true(pty_screen_wait_text(screen, "Found"));
    assert_true(screen_matches(screen, "chats-hostile-found-80x24"));
    assert_null(strstr(pty_screen_state(screen)->title, "taken"));
    assert_int_equal(pty_screen_state(screen)->bells, 0);
    leave(screen);
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
    leave(screen);
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
    leave(screen);
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
    leave(screen);
}

static void a_click_opens(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start(fixture, 24, 120);
    assert_true(pty_screen_wait_text(screen, "Gamma chat"));
    char press[32];
    snprintf(press, sizeof press, "\033[<0;6;%dM", pty_screen_row_of(screen, "Gamma chat") + 1);
    pty_screen_type(screen, press);
    assert_true(pty_screen_wait_text(screen, "gamma has a walrus too"));
    leave(screen);
}

static void the_last_chat_can_be_the_start(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct chat_child child = {.script = script, .library = fixture->library, .last = true};
    struct pty_screen *screen = chat_child_start(24, 80, NULL, &child);
    assert_true(pty_screen_wait_text(screen, "alpha has a walrus"));
    leave(screen);
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
    leave(screen);
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
    leave(screen);
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
    leave(screen);
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
    assert_int_equal(count_of(fixture, true), 2);
    struct pty_screen *screen = start(fixture, 24, 120);
    assert_true(wait_count(fixture, screen, true, 1)); /* what was deleted just now stays */
    leave(screen);
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
    leave(screen);
}

static void a_chat_that_replies_is_not_deleted(void **state)
{
    struct fixture *fixture = *state;
    struct chat_child child = {.script = "one two three four five six seven eight nine ten",
                               .piece_ms = 300,
                               .library = fixture->library};
    struct pty_screen *screen = chat_child_start(24, 120, NULL, &child);
    pty_screen_type(screen, "count\r");
    assert_true(pty_screen_wait_text(screen, "◆ count")); /* live, in the list */
    pty_screen_type(screen, F2 "d");
    assert_true(pty_screen_wait_text(screen, "a reply is running there"));
    assert_true(pty_screen_shows(screen, "◆ count"));
    assert_int_equal(count_of(fixture, true), 0);
    leave(screen);
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
    assert_int_equal(count_of(fixture, false), 4);
    leave(screen);
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
    pty_screen_type(screen, "m~/out.md\r");
    assert_true(pty_screen_wait_text(screen, "out.md: "));
    assert_int_equal(count_of(fixture, false), 4);
    strbuf_free(&text);
    free(path);
    leave(screen);
}

static void the_commands_of_the_line(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start(fixture, 24, 120);
    pty_screen_type(screen, "/delete\r");
    assert_true(pty_screen_wait_text(screen, "not in the list yet"));
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
    leave(screen);
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
    assert_int_equal(count_of(fixture, true), 0);
    pty_screen_type(screen, "\025walrus t");
    assert_true(pty_screen_wait_text(screen, "gamma has a walrus too"));
    assert_true(pty_screen_wait_no_text(screen, "alpha has"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "▌ gamma question"));
    assert_true(pty_screen_shows(screen, "/ walrus t")); /* the finds are still there */
    pty_screen_type(screen, F2 ESC);
    assert_true(pty_screen_wait_text(screen, "Alpha chat"));
    assert_true(pty_screen_wait_no_text(screen, "/ walrus t"));
    leave(screen);
}

static void enter_does_not_wait_for_the_search(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    seed_three(fixture, ids);
    struct pty_screen *screen = start_in_list(fixture);
    pty_screen_type(screen, "/narwhal\r"); /* all at once */
    assert_true(pty_screen_wait_text(screen, "▌ beta question"));
    leave(screen);
}

static void a_find_far_up_is_brought_into_view(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat;
    int64_t id = seed(fixture, "Long", "the needle question", "reply", YEAR_2014);
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
    leave(screen);
}

static void a_find_on_another_branch_is_shown(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat;
    int64_t id = seed(fixture, "Branches", "question", "a reply that was left", YEAR_2014);
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
    leave(screen);
}

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
    leave(screen);
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
    leave(screen);
    assert_true(field_is(fixture, ids[0], STORE_DRAFT, "to be continued"));
    struct chat_child child = {.script = script, .library = fixture->library, .last = true};
    screen = chat_child_start(24, 80, NULL, &child);
    assert_true(pty_screen_wait_text(screen, "› to be continued"));
    leave(screen);
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
    assert_true(field_is(fixture, ids[0], STORE_DRAFT, "slowly"));
}

static void a_draft_of_a_new_chat_is_kept(void **state)
{
    struct fixture *fixture = *state;
    struct pty_screen *screen = start(fixture, 24, 120);
    pty_screen_type(screen, "never sent");
    assert_true(pty_screen_wait_text(screen, "› never sent"));
    leave(screen);
    assert_int_equal(count_of(fixture, false), 1);
    screen = start_in_list(fixture);
    assert_true(pty_screen_wait_text(screen, "Untitled"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "› never sent"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "● never sent")); /* its title now */
    leave(screen);
    assert_int_equal(count_of(fixture, false), 1);
}

static void an_emptied_draft_leaves_no_chat(void **state)
{
    struct fixture *fixture = *state;
    struct pty_screen *screen = start(fixture, 24, 120);
    pty_screen_type(screen, "never sent");
    assert_true(pty_screen_wait_text(screen, "› never sent"));
    leave(screen);
    screen = start_in_list(fixture);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "› never sent"));
    pty_screen_type(screen, "\025" F2 "n");
    assert_true(wait_count(fixture, screen, false, 0));
    leave(screen);
    screen = start(fixture, 24, 120);
    pty_screen_type(screen, "\t"); /* an offer of the start page, and a command, are no drafts */
    assert_true(pty_screen_wait_text(screen, "› What can you do?"));
    leave(screen);
    assert_int_equal(count_of(fixture, false), 0);
}

/* --- others, and bad ends -------------------------------------------------------------------- */

static void another_program_is_noticed(void **state)
{
    struct fixture *fixture = *state;
    int64_t ids[3];
    struct pty_screen *screen = start(fixture, 24, 120);
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
    leave(screen);
    leave(second);
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
                               .library = fixture->library};
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
    leave(screen);
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
    leave(screen);
    struct store_chat chat;
    assert_int_equal(store_load(fixture->store, ids[0], &chat, &fixture->error), 0);
    assert_int_equal(chat.conversation->count, 4);
    assert_string_equal(strbuf_text(&chat.conversation->items[3]->text), "The first reply.");
    store_chat_free(&chat);
}

static void without_a_library_the_pane_says_so(void **state)
{
    struct fixture *fixture = *state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = chat_child_start(24, 120, NULL, &child);
    assert_false(pty_screen_shows(screen, "Chats ──"));
    pty_screen_type(screen, F2);
    assert_true(pty_screen_wait_text(screen, "Chats are not kept."));
    pty_screen_type(screen, "dxymuD/x\r" ESC);
    pty_screen_type(screen, ESC F2);
    assert_true(pty_screen_wait_text(screen, "Chats are not kept."));
    leave(screen);
    (void)fixture;
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

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
        TEST(a_draft_stays_with_its_chat),
        TEST(a_draft_outlives_the_program),
        TEST(a_draft_is_saved_without_leaving),
        TEST(a_draft_of_a_new_chat_is_kept),
        TEST(an_emptied_draft_leaves_no_chat),
        TEST(another_program_is_noticed),
        TEST(a_kill_keeps_what_had_come),
        TEST(a_full_disk_is_told_and_outlived),
        TEST(without_a_library_the_pane_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
