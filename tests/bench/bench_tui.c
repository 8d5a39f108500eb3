/*
 * How long a key takes: from its bytes in the terminal to the end of the frame that shows it. The
 * whole interface on the fake generator, behind a pseudo-terminal of 120x36 that interprets
 * nothing.
 *
 *   bench_tui [MESSAGES [KEYS]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/store.h"
#include "tests/screens/chat_child.h"

#define ROWS        36
#define COLUMNS     120
#define FRAME_END   "\033[?2026l"
#define LETTER      "~" /* is on the screen for no other reason */
#define PAUSE_MS    12  /* between keys: a fast typist's are 50 apart */
#define PASTE_BYTES (10u << 20)
#define PATIENCE_MS 60000.0

static double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void print_row(const char *what, double *times, unsigned count)
{
    qsort(times, count, sizeof *times, compare);
    printf("| %s | %.2f | %.2f | %.2f | %.2f |\n", what, times[count / 2], times[count * 9 / 10],
           times[count * 99 / 100], times[count - 1]);
    fflush(stdout);
}

/* --- the chat -------------------------------------------------------------------------------- */

/* A conversation of turns, each with some Markdown and a piece of code. */
static int make_library(const char *path, unsigned messages)
{
    static const char reply[] =
        "The **vaquita** is the smallest porpoise, and lives in the upper Gulf of California. Few "
        "are left.\n\n- it is shy\n- it is about 1.5 m long\n\n```c\nint count = 10;\n```\n";
    struct store *store;
    struct error error;
    struct store_chat chat = {.fields = {[STORE_TITLE] = xstrdup("long")},
                              .conversation = conversation_create()};
    int parent = -1;
    for (unsigned i = 0; i < messages; i++) {
        char text[sizeof reply + 64];
        int length = snprintf(text, sizeof text, "%u. %s", i,
                              i % 2 == 0 ? "What is it, and where does it live?" : reply);
        parent = conversation_add(chat.conversation, parent, i % 2 ? ROLE_ASSISTANT : ROLE_USER,
                                  text, (size_t)length)
                     ->id;
    }
    int result = store_open(&store, path, &error);
    if (result == 0) {
        result = store_save_copy(store, &chat, &error);
        store_close(store);
    }
    if (result != 0)
        fprintf(stderr, "bench_tui: %s\n", error.message);
    store_chat_free(&chat);
    return result;
}

/* Starts it, and tells how long the first frame took. */
static struct pty_screen *open_chat(const char *library, double *took)
{
    static struct chat_child child;
    child = (struct chat_child){
        .script = "A reply.", .context = 1u << 30, .chats_path = library, .last = true};
    double begin = now_ms();
    struct pty_screen *screen = chat_child_start(ROWS, COLUMNS, NULL, &child);
    *took = now_ms() - begin;
    pty_screen_blindfold(screen, true);
    while (pty_screen_take(screen, 300) && pty_screen_output(screen)->length > 0)
        pty_screen_drop(screen, pty_screen_output(screen)->length);
    return screen;
}

/* --- times ----------------------------------------------------------------------------------- */

/* From sending to the end of the first frame after `sign`. */
static double time_of(struct pty_screen *screen, const char *bytes, size_t length, const char *sign)
{
    pty_screen_drop(screen, pty_screen_output(screen)->length);
    double begin = now_ms();
    pty_screen_send(screen, bytes, length);
    while (now_ms() - begin < PATIENCE_MS) {
        const char *text = strbuf_text(pty_screen_output(screen)), *at = strstr(text, sign);
        if (at != NULL && strstr(at, FRAME_END) != NULL)
            break;
        if (!pty_screen_take(screen, 100))
            break;
    }
    return now_ms() - begin;
}

static void rest(struct pty_screen *screen)
{
    double until = now_ms() + PAUSE_MS;
    while (now_ms() < until)
        pty_screen_take(screen, 1);
}

static void measure(struct pty_screen *screen, const char *what, const char *key, const char *sign,
                    const char *undo, unsigned keys)
{
    double *times = xcalloc(keys, sizeof *times);
    for (unsigned i = 0; i < keys; i++) {
        times[i] = time_of(screen, key, strlen(key), sign);
        rest(screen);
        if (undo[0] != '\0') /* seen before the next key, so that both do not fall into one frame */
            time_of(screen, undo, strlen(undo), "");
        rest(screen);
    }
    print_row(what, times, keys);
    free(times);
}

static void measure_paste(struct pty_screen *screen, unsigned keys)
{
    struct strbuf paste = {0};
    strbuf_puts(&paste, "\033[200~");
    while (paste.length < PASTE_BYTES)
        strbuf_puts(&paste, "A line of a file that somebody pastes as it is, with some words.\n");
    strbuf_puts(&paste, "\033[201~");
    double took = time_of(screen, paste.data, paste.length, "MiB");
    printf("| a paste of 10 MiB, until it is shown | %.0f | | | |\n", took);
    strbuf_free(&paste);
    rest(screen);
    measure(screen, "a letter after it", LETTER, LETTER, "\177", keys);
}

static int run(const char *directory, unsigned messages, unsigned keys)
{
    char *empty = path_join(directory, "empty.sqlite3"), *full = path_join(directory, "l.sqlite3");
    double empty_ms, full_ms;
    char title[80];
    int result = make_library(full, messages);
    if (result == 0) {
        printf("| ms | p50 | p90 | p99 | most |\n| --- | --- | --- | --- | --- |\n");
        struct pty_screen *screen = open_chat(empty, &empty_ms);
        measure(screen, "a letter, in an empty chat", LETTER, LETTER, "\177", keys);
        measure_paste(screen, keys);
        pty_screen_free(screen);
        screen = open_chat(full, &full_ms);
        snprintf(title, sizeof title, "a letter, in a chat of %u messages", messages);
        measure(screen, title, LETTER, LETTER, "\177", keys);
        measure(screen, "a page back in it", "\033[5~", "", "", keys);
        measure(screen, "to its beginning", "\033[1;5H", "", "\033[1;5F", keys / 10 + 1);
        pty_screen_free(screen);
        printf("| first frame, empty chat | %.0f | | | |\n", empty_ms);
        printf("| first frame, %u messages | %.0f | | | |\n", messages, full_ms);
    }
    free(empty);
    free(full);
    return result;
}

int main(int argc, char **argv)
{
    unsigned messages = argc > 1 ? (unsigned)atoi(argv[1]) : 10000;
    unsigned keys = argc > 2 ? (unsigned)atoi(argv[2]) : 300;
    char directory[] = "/tmp/airo-bench-XXXXXX";
    if (mkdtemp(directory) == NULL)
        return 1;
    int result = run(directory, messages, keys);
    char *command = xasprintf("rm -rf %s", directory);
    if (system(command) != 0)
        result = 1;
    free(command);
    return result == 0 ? 0 : 1;
}
