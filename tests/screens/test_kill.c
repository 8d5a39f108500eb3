/*
 * The whole program killed while replies come: what its title row has shown as saved is in the
 * store afterwards, and the store is whole.
 *
 * AIRO_KILLS=2000 makes that many rounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/store.h"
#include "tests/screens/chat_child.h"
#include "tui/app.h"

#define ROUNDS          20
#define ROUNDS_PER_FILE 50
#define LIFE_MS         160 /* of a child, at most, after its beginning */
#define REPLIES         4
#define WORDS           60
#define WORD            "p%02un%03u" /* reply, word: each is there once */
#define MARKER          "mk%05ux"    /* begins each message */

struct round {
    unsigned number;
    unsigned *seed;
    char *shown; /* the last screen that said "saved"; NULL: none */
};

struct tally {
    unsigned with_saved, messages, words;
};

static char *make_script(void)
{
    struct strbuf script = {0};
    for (unsigned i = 0; i < REPLIES; i++) {
        strbuf_puts(&script, i > 0 ? "\n---\n" : "");
        for (unsigned j = 0; j < WORDS; j++)
            strbuf_printf(&script, WORD " ", i, j);
    }
    return strbuf_detach(&script);
}

/* --- a child and its death ------------------------------------------------------------------- */

static bool is_whole_frame(struct pty_screen *screen, void *user)
{
    (void)screen;
    (void)user;
    return true;
}

/* Keeps the screen when its title says that all of it is saved. */
static void look(struct pty_screen *screen, struct round *round)
{
    if (!pty_screen_wait(screen, is_whole_frame, NULL))
        return; /* killed in the middle of a frame */
    char *text = pty_screen_text(screen);
    char *end = strchr(text, '\n'), *title = strstr(text, "· saved");
    if (title == NULL || title > end) {
        free(text);
        return;
    }
    free(round->shown);
    round->shown = text;
}

/* One thing that a user does. */
static void act(struct pty_screen *screen, struct round *round)
{
    char line[64];
    unsigned choice = (unsigned)rand_r(round->seed) % 12;
    snprintf(line, sizeof line, MARKER " and more\r", round->number);
    if (choice < 3)
        pty_screen_type(screen, line);
    else if (choice == 3)
        pty_screen_type(screen, "\003");
    else if (choice == 4)
        pty_screen_type(screen, "/retry\r");
    else if (choice == 5)
        pty_screen_type(screen, "/continue\r");
    else
        pty_screen_type(screen, "x\177");
}

static void live_and_die(struct round *round, struct chat_child *child)
{
    char line[64];
    struct pty_screen *screen = chat_child_start(30, 100, NULL, child);
    snprintf(line, sizeof line, MARKER " first\r", round->number);
    pty_screen_type(screen, line);
    if (round->number % 2 == 0)
        assert_true(pty_screen_wait_text(screen, "· saved"));
    uint64_t end = app_now_ms() + (uint64_t)rand_r(round->seed) % LIFE_MS;
    while (app_now_ms() < end) {
        pty_screen_pump(screen, rand_r(round->seed) % 20);
        look(screen, round);
        act(screen, round);
    }
    assert_int_equal(kill(pty_screen_child(screen), SIGKILL), 0);
    while (pty_screen_pump(screen, 1000))
        ;
    look(screen, round);
    pty_screen_free(screen);
}

/* --- what is there --------------------------------------------------------------------------- */

static bool chat_has(const struct store_chat *chat, const char *text)
{
    for (size_t i = 0; i < chat->conversation->count; i++)
        if (strstr(strbuf_text(&chat->conversation->items[i]->text), text) != NULL)
            return true;
    return false;
}

static bool find_chat(struct store *store, const char *marker, struct store_chat *chat)
{
    struct store_list list;
    struct error error;
    bool found = false;
    assert_int_equal(store_list(store, false, &list, &error), 0);
    for (size_t i = 0; i < list.count && !found; i++) {
        assert_int_equal(store_load(store, list.items[i].id, chat, &error), 0);
        found = chat_has(chat, marker);
        if (!found)
            store_chat_free(chat);
    }
    store_list_free(&list);
    return found;
}

/* Each word of a reply that was on the screen; the line may break between words only. */
static void check_words(const struct store_chat *chat, const struct round *round,
                        struct tally *tally)
{
    for (const char *at = round->shown; (at = strchr(at, 'p')) != NULL; at++) {
        unsigned reply, word;
        char text[16];
        if (strlen(at) < 7 || sscanf(at, "p%2un%3u", &reply, &word) != 2)
            continue;
        snprintf(text, sizeof text, WORD, reply, word);
        if (strncmp(at, text, strlen(text)) != 0)
            continue; /* the beginning of one */
        tally->words++;
        if (!chat_has(chat, text))
            fail_msg("round %u: %s was shown as saved and is not there:\n%s", round->number, text,
                     round->shown);
    }
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        count++;
    return count;
}

static void check_round(const char *path, struct round *round, struct tally *tally)
{
    struct store *store;
    struct store_chat chat;
    struct error error;
    char marker[32];
    snprintf(marker, sizeof marker, "▌ " MARKER, round->number);
    size_t shown = round->shown != NULL ? count_of(round->shown, marker) : 0, there = 0;
    snprintf(marker, sizeof marker, MARKER, round->number);
    if (store_open(&store, path, &error) != 0 || store_check(store, &error) != 0)
        fail_msg("round %u: %s", round->number, error.message);
    if (shown > 0 && !find_chat(store, marker, &chat))
        fail_msg("round %u: the chat was shown as saved and is not there", round->number);
    if (shown > 0) {
        for (size_t i = 0; i < chat.conversation->count; i++)
            there += count_of(strbuf_text(&chat.conversation->items[i]->text), marker);
        if (there < shown)
            fail_msg("round %u: %zu messages were shown as saved, %zu are there", round->number,
                     shown, there);
        check_words(&chat, round, tally);
        store_chat_free(&chat);
    }
    tally->with_saved += shown > 0;
    tally->messages += (unsigned)shown;
    store_close(store);
}

/* --- rounds ---------------------------------------------------------------------------------- */

static void remove_all(const char *directory)
{
    char *command = xasprintf("rm -rf %s", directory);
    assert_int_equal(system(command), 0);
    free(command);
}

static void run_file(unsigned first, unsigned rounds, unsigned *seed, struct tally *tally)
{
    char directory[] = "/tmp/airo-kill-screen-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char *path = path_join(directory, "chats.sqlite3"), *script = make_script();
    for (unsigned i = first; i < first + rounds; i++) {
        struct round round = {.number = i, .seed = seed};
        struct chat_child child = {.script = script, .piece_ms = i % 3, .chats_path = path};
        live_and_die(&round, &child);
        check_round(path, &round, tally);
        free(round.shown);
    }
    remove_all(directory);
    free(script);
    free(path);
}

static void what_is_shown_as_saved_is_saved(void **state)
{
    (void)state;
    const char *set = getenv("AIRO_KILLS");
    unsigned rounds = set != NULL ? (unsigned)atoi(set) : ROUNDS, seed = (unsigned)time(NULL);
    struct tally tally = {0};
    print_message("%u rounds, seed %u\n", rounds, seed);
    for (unsigned done = 0; done < rounds; done += ROUNDS_PER_FILE)
        run_file(done, rounds - done < ROUNDS_PER_FILE ? rounds - done : ROUNDS_PER_FILE, &seed,
                 &tally);
    print_message(
        "%u kills; %u had shown something as saved: %u messages and %u words, none lost\n", rounds,
        tally.with_saved, tally.messages, tally.words);
    assert_true(tally.with_saved * 3 > rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_shown_as_saved_is_saved)};
    return cmocka_run_group_tests_name("kill", tests, NULL, NULL);
}
