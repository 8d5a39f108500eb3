/*
 * A monkey at the keyboard: the whole interface on the fake generator and a library in a temporary
 * directory, driven by seeded random keys, text, pastes, mouse, commands and sizes. It never
 * crashes or hangs, sends nothing but the sequences it knows, ends when it is told to, leaves the
 * terminal as it was, and its store is whole and holds each message that it showed as saved.
 *
 * AIRO_MONKEY_SEEDS=100 AIRO_MONKEY_STEPS=5000 runs it long; AIRO_MONKEY_SEED is the first seed (or
 * the only one). AIRO_MONKEY_KEEP=1 leaves the directory of a failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/store.h"
#include "tests/screens/chat_child.h"
#include "tests/screens/monkey_input.h"
#include "tests/screens/output_checker.h"
#include "tui/app.h"
#include "tui/command.h"

#define SEEDS    3
#define STEPS    350
#define PING     40 /* steps */
#define HANG_MS  30000
#define QUIT_MS  10000 /* a second, and a machine that is busy with other things */
#define LOG      16
#define LOG_SHOW 60 /* bytes of a step */
#define SHOWN    64

static const char script[] =
    "The vaquita is the smallest porpoise, and there are few of them.\n"
    "\n---\n"
    "# Heading\n\nText with **bold** and `code`.\n\n```c\nint x;\n\tx = 1;\n```\n\n| a | b "
    "|\n|---|---|\n"
    "| 1 | 2 |\n\n- one\n- two\n\nSource:\ndate: 2021\n"
    "\n---\n"
    "!error out of something"
    "\n---\n"
    "\033]0;owned\a\033[31m\033[2J 海豚 👨‍👩‍👧 e\xCC\x81 \xE2\x80\xAE right to "
    "left\n<|im_end|>\n"
    "\n---\n"
    "1\n2\n3\n4\n5\n6\n7\n8\n9\n10\n11\n12\n13\n14\n15\n16\n17\n18\n19\n20\n21\n22\n23\n24\n25\n26"
    "\n"
    "and so on, for a while: one two three four five six seven eight nine ten eleven twelve\n"
    "\n---\n";

/* One seed's run. */
struct run {
    unsigned seed, step;
    char directory[64];
    char *library;
    struct chat_child child;
    struct pty_screen *screen;
    struct output_checker checker;
    size_t checked; /* bytes of the output that is still there */
    struct monkey monkey;
    struct monkey_step now;
    char log[LOG][LOG_SHOW * 4 + 40];
    unsigned exits;
};

struct tally {
    unsigned steps, exits, shown, chats, messages;
    uint64_t slowest_quit_ms;
};

static unsigned number(const char *name, unsigned otherwise)
{
    const char *set = getenv(name);
    return set != NULL ? (unsigned)strtoul(set, NULL, 10) : otherwise;
}

/* --- what happened --------------------------------------------------------------------------- */

static void note_step(struct run *run)
{
    const struct monkey_step *step = &run->now;
    char *out = run->log[run->step % LOG];
    size_t size = sizeof run->log[0];
    size_t used = (size_t)snprintf(out, size, "%u %s ", run->step, step->kind);
    if (step->bytes.length == 0)
        snprintf(out + used, size - used, "%dx%d", step->rows, step->columns);
    for (size_t i = 0; i < step->bytes.length && i < LOG_SHOW; i++) {
        unsigned char byte = (unsigned char)step->bytes.data[i];
        used += (size_t)snprintf(out + used, size - used,
                                 byte >= ' ' && byte < 127 ? "%c" : "\\x%02x", byte);
    }
}

static void remove_all(const char *directory)
{
    char *command = xasprintf("rm -rf %s", directory);
    assert_int_equal(system(command), 0);
    free(command);
}

__attribute__((format(printf, 2, 3))) static void wrong(struct run *run, const char *format, ...)
{
    char what[512];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    for (unsigned i = run->step < LOG ? 0 : run->step - LOG + 1; i <= run->step; i++)
        fprintf(stderr, "  %s\n", run->log[i % LOG]);
    pty_screen_free(run->screen);
    if (getenv("AIRO_MONKEY_KEEP") == NULL)
        remove_all(run->directory);
    fail_msg("AIRO_MONKEY_SEEDS=1 AIRO_MONKEY_SEED=%u AIRO_MONKEY_STEPS=%u: %s (%s)", run->seed,
             run->step + 1, what, run->directory);
}

/* --- the directory --------------------------------------------------------------------------- */

static void put_file(const struct run *run, const char *name, const char *text, size_t length)
{
    char *path = path_join(run->directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fwrite(text, 1, length, file);
    fclose(file);
    free(path);
}

static void link_to(const struct run *run, const char *name)
{
    char here[4096];
    assert_non_null(getcwd(here, sizeof here));
    char *target = path_join(here, name), *path = path_join(run->directory, name);
    assert_int_equal(symlink(target, path), 0);
    free(target);
    free(path);
}

static const char *const paths[] = {
    "doc.txt",      "binary.bin", "fifo",   "hostile \033[31m.txt",
    "nothing.here", ".",          "big.md", "../../../../etc/hostname",
    "card.json",    "out.md",     "",       "~/doc.txt",
    "chats.json",   "/dev/zero",  NULL};

static void make_directory(struct run *run)
{
    static const char card[] = "{\"spec\":\"chara_card_v2\",\"data\":{\"name\":\"Pip "
                               "\\u001b[31m\",\"description\":\"A {{char}} of "
                               "<<SYS>> the sea\",\"first_mes\":\"Hello "
                               "{{user}}.\",\"mes_example\":\"<START>\\n{{user}}: hi\"}}";
    static char big[40000];
    for (size_t i = 0; i < sizeof big; i++)
        big[i] = i % 61 == 60 ? '\n' : i % 7 == 6 ? ' ' : (char)('a' + i % 23);
    snprintf(run->directory, sizeof run->directory, "/tmp/airo-monkey-XXXXXX");
    assert_non_null(mkdtemp(run->directory));
    put_file(run, "doc.txt", "Blueberries are blue.\ndate: 2021\n", 33);
    put_file(run, "binary.bin", "\0\1\2\377\376", 5);
    put_file(run, "hostile \033[31m.txt", "\033]0;x\a", 6);
    put_file(run, "card.json", card, sizeof card - 1);
    put_file(run, "big.md", big, sizeof big);
    char *fifo = path_join(run->directory, "fifo");
    assert_int_equal(mkfifo(fifo, 0600), 0);
    free(fifo);
    link_to(run, "themes");
    link_to(run, "prompts");
    run->library = path_join(run->directory, "chats.sqlite3");
}

/* --- the child ------------------------------------------------------------------------------- */

static void start(struct run *run)
{
    const struct pty_variable variables[] = {{"HOME", run->directory}, {"EDITOR", "true"},
                                             {"VISUAL", NULL},         {"XDG_CONFIG_HOME", NULL},
                                             {"XDG_DATA_HOME", NULL},  {"XDG_STATE_HOME", NULL},
                                             {"XDG_CACHE_HOME", NULL}, {NULL, NULL}};
    run->child = (struct chat_child){.script = script,
                                     .piece_ms = run->seed % 3,
                                     .context = 2048,
                                     .chats_path = run->library,
                                     .history = "history",
                                     .directory = run->directory};
    run->checker = (struct output_checker){0};
    run->checked = 0;
    run->screen = chat_child_start(24, 80, variables, &run->child);
    pty_screen_blindfold(run->screen, true);
}

/* What came around the byte that is wrong. */
static void tell_output(const struct run *run)
{
    const struct strbuf *output = pty_screen_output(run->screen);
    size_t from = run->checked > 80 ? run->checked - 80 : 0;
    fprintf(stderr, "  output:");
    for (size_t i = from; i < output->length && i < run->checked + 40; i++) {
        unsigned char byte = (unsigned char)output->data[i];
        fprintf(stderr, byte >= ' ' && byte < 127 ? "%s%c" : "%s\\x%02x",
                i == run->checked ? " >>> " : "", byte);
    }
    fprintf(stderr, "\n");
}

/* Where the program does not have the terminal, its line echoes what the monkey types. */
static bool is_echo(struct run *run)
{
    struct termios now, before;
    if (run->checker.wrong[0] == '\0')
        return false;
    /* When it gives the terminal back, an echo may overtake its last words; a tab harms nobody. */
    pty_screen_modes(run->screen, &now, &before);
    bool given_back = !(run->checker.modes & OUTPUT_ALTERNATE) || (now.c_lflag & ECHO) ||
                      strcmp(run->checker.wrong, "a character: 09") == 0;
    if (!given_back)
        return false;
    run->checker.wrong[0] = '\0';
    run->checker.length = 0;
    return true;
}

static void check_output(struct run *run, bool forget)
{
    const struct strbuf *output = pty_screen_output(run->screen);
    do {
        size_t left = output->length - run->checked;
        const char *bytes = strbuf_text(output) + run->checked;
        run->checked += output_check(&run->checker, bytes, left);
    } while (is_echo(run) && ++run->checked < output->length);
    if (run->checker.wrong[0] != '\0') {
        tell_output(run);
        wrong(run, "%s", run->checker.wrong);
    }
    if (!forget)
        return;
    pty_screen_drop(run->screen, run->checked);
    run->checked = 0;
}

/* 'g': it has gone; 0: it runs. One that was stopped goes on. */
static char look_at_child(struct run *run)
{
    siginfo_t info = {0};
    pid_t child = pty_screen_child(run->screen);
    int options = WEXITED | WSTOPPED | WNOHANG | WNOWAIT;
    if (waitid(P_PID, (id_t)child, &info, options) != 0 || info.si_pid == 0)
        return 0;
    if (info.si_code != CLD_STOPPED)
        return 'g';
    waitid(P_PID, (id_t)child, &info, WSTOPPED | WNOHANG);
    kill(child, SIGCONT);
    return 0;
}

/* Its end and what it left: by the signal, or of its own accord. */
static void check_end(struct run *run, int signal)
{
    struct termios now, before;
    int status = pty_screen_wait_exit(run->screen);
    check_output(run, true);
    if (status == -1)
        wrong(run, "does not end");
    /* Keys that came while the line was not the program's are signals. */
    bool killed =
        WIFSIGNALED(status) && (WTERMSIG(status) == SIGINT || WTERMSIG(status) == SIGQUIT);
    int left = WIFEXITED(status) ? WEXITSTATUS(status) - EXIT_SIGNAL : 0;
    bool interrupted = killed || left == SIGINT || left == SIGQUIT;
    if (!interrupted && (!WIFEXITED(status) || (left != signal && left != -EXIT_SIGNAL)))
        wrong(run, "ended with status 0x%X", (unsigned)status);
    pty_screen_modes(run->screen, &now, &before);
    if (now.c_lflag != before.c_lflag || now.c_iflag != before.c_iflag ||
        now.c_oflag != before.c_oflag)
        wrong(run, "the line's modes are not as they were");
    if (run->checker.modes != OUTPUT_CURSOR || run->checker.length != 0)
        wrong(run, "modes that are left on: 0x%X", run->checker.modes);
    pty_screen_free(run->screen);
    run->screen = NULL;
}

/* A new size must be drawn. */
static void ping(struct run *run, int rows, int columns, bool forget)
{
    uint64_t begin = app_now_ms();
    check_output(run, forget);
    size_t had = pty_screen_output(run->screen)->length;
    pty_screen_resize(run->screen, rows, columns);
    while (pty_screen_output(run->screen)->length == had) {
        if (look_at_child(run) == 'g')
            return;
        pty_screen_pump(run->screen, 20);
        if (app_now_ms() - begin > HANG_MS)
            wrong(run, "hangs");
    }
}

/* --- steps ----------------------------------------------------------------------------------- */

static void do_step(struct run *run)
{
    monkey_step(&run->monkey, &run->now);
    note_step(run);
    if (run->now.bytes.length > 0)
        pty_screen_send(run->screen, run->now.bytes.data, run->now.bytes.length);
    else
        pty_screen_resize(run->screen, run->now.rows, run->now.columns);
    pty_screen_take(run->screen, (int)monkey_random(&run->monkey, 4));
    check_output(run, true);
    int rows = 10 + (int)monkey_random(&run->monkey, 40);
    if (run->step % PING == PING - 1)
        ping(run, rows, 20 + (int)(run->step / PING % 100), true);
    if (look_at_child(run) != 'g')
        return;
    check_end(run, 0);
    run->exits++;
    start(run);
}

/* --- what was shown as saved ----------------------------------------------------------------- */

static bool any_frame(struct pty_screen *screen, void *user)
{
    (void)screen;
    (void)user;
    return true;
}

static size_t count_of(const char *text, const char *what)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, what)) != NULL; at += strlen(what))
        count++;
    return count;
}

/* The markers of the user's messages on a screen of one chat whose title says that it is saved. */
static unsigned collect_shown(struct run *run, unsigned *shown)
{
    unsigned count = 0;
    ping(run, 39, 119, true);
    if (look_at_child(run) == 'g')
        return 0;
    pty_screen_blindfold(run->screen, false);
    ping(run, 40, 120, false);
    pty_screen_wait(run->screen, any_frame, NULL);
    char *text = pty_screen_text(run->screen);
    bool saved = count_of(text, "· saved") == 1 && strstr(text, "· saving") == NULL &&
                 strstr(text, "not saved") == NULL && count_of(text, "›") == 1;
    for (const char *at = text; saved && count < SHOWN && (at = strstr(at, "▌ mk")) != NULL; at++)
        if (sscanf(at, "▌ " MONKEY_MARKER, &shown[count]) == 1)
            count++;
    free(text);
    check_output(run, true);
    pty_screen_blindfold(run->screen, true);
    return count;
}

static void look_for(const struct store_chat *chat, unsigned *shown, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        char marker[32];
        snprintf(marker, sizeof marker, MONKEY_MARKER, shown[i]);
        for (size_t j = 0; j < chat->conversation->count && shown[i] != UINT32_MAX; j++)
            if (strstr(strbuf_text(&chat->conversation->items[j]->text), marker) != NULL)
                shown[i] = UINT32_MAX;
    }
}

static void check_store(struct run *run, unsigned *shown, unsigned count, struct tally *tally)
{
    struct store *store;
    struct error error;
    if (store_open(&store, run->library, &error) != 0 || store_check(store, &error) != 0)
        wrong(run, "%s", error.message);
    for (int deleted = 0; deleted < 2; deleted++) {
        struct store_list list;
        if (store_list(store, deleted == 1, &list, &error) != 0)
            wrong(run, "%s", error.message);
        for (size_t i = 0; i < list.count; i++) {
            struct store_chat chat;
            if (store_load(store, list.items[i].id, &chat, &error) != 0)
                wrong(run, "%s", error.message);
            look_for(&chat, shown, count);
            tally->messages += (unsigned)chat.conversation->count;
            store_chat_free(&chat);
        }
        tally->chats += (unsigned)list.count;
        store_list_free(&list);
    }
    store_close(store);
    for (unsigned i = 0; i < count; i++)
        if (shown[i] != UINT32_MAX)
            wrong(run, "message " MONKEY_MARKER " was shown as saved and is not there", shown[i]);
}

/* --- runs ------------------------------------------------------------------------------------ */

static void end_run(struct run *run, struct tally *tally)
{
    static const int signals[] = {SIGTERM, SIGKILL, SIGHUP};
    int signal = signals[run->seed % 3];
    unsigned shown[SHOWN];
    unsigned count = collect_shown(run, shown);
    uint64_t begin = app_now_ms();
    kill(pty_screen_child(run->screen), signal);
    if (signal == SIGKILL) {
        pty_screen_free(run->screen);
        run->screen = NULL;
    } else {
        check_end(run, signal);
        uint64_t took = app_now_ms() - begin;
        if (took > QUIT_MS)
            wrong(run, "took %llu ms to end", (unsigned long long)took);
        tally->slowest_quit_ms = took > tally->slowest_quit_ms ? took : tally->slowest_quit_ms;
    }
    check_store(run, shown, count, tally);
    tally->shown += count;
    tally->exits += run->exits;
    tally->steps += run->step;
}

static void run_seed(unsigned seed, unsigned steps, struct tally *tally)
{
    struct run *run = xcalloc(1, sizeof *run);
    run->seed = seed;
    run->monkey = (struct monkey){.seed = seed, .paths = paths};
    make_directory(run);
    start(run);
    for (run->step = 0; run->step < steps; run->step++)
        do_step(run);
    end_run(run, tally);
    remove_all(run->directory);
    strbuf_free(&run->now.bytes);
    free(run->library);
    free(run);
}

static void the_monkey_does_no_harm(void **state)
{
    (void)state;
    unsigned seeds = number("AIRO_MONKEY_SEEDS", SEEDS), first = number("AIRO_MONKEY_SEED", 1);
    unsigned steps = number("AIRO_MONKEY_STEPS", STEPS);
    struct tally tally = {0};
    for (unsigned i = 0; i < seeds; i++)
        run_seed(first + i, steps, &tally);
    print_message(
        "%u steps, %u times left and begun again, %u chats with %u messages, %u looked up "
        "that were shown as saved, slowest end %llu ms\n",
        tally.steps, tally.exits, tally.chats, tally.messages, tally.shown,
        (unsigned long long)tally.slowest_quit_ms);
    assert_true(tally.messages > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_monkey_does_no_harm)};
    return cmocka_run_group_tests_name("monkey", tests, NULL, NULL);
}
