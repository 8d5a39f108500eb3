/* Tests of the chat as a person sees it: keys in, screens out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/strbuf.h"
#include "engine/base/file.h"
#include "tests/screens/chat_child.h"

#define CTRL_C    "\003"
#define CTRL_D    "\004"
#define PAGE_UP   "\033[5~"
#define ALT_ENTER "\033\r"

/* Replies in order. */
static const char script[] =
    "The vaquita is the smallest porpoise.\n"
    "\n---\n"
    "# Heading\n\nText.\n\n```c\nint x;\n\tx = 1;\n```\n\nSource:\ndate: 2021\n"
    "\n---\n"
    "Third.";

static struct pty_screen *start(int rows, int columns, struct chat_child *child)
{
    return chat_child_start(rows, columns, NULL, child);
}

static void ask(struct pty_screen *screen, const char *text)
{
    pty_screen_type(screen, text);
    pty_screen_type(screen, "\r");
}

static void leave(struct pty_screen *screen)
{
    pty_screen_type(screen, CTRL_D);
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    pty_screen_free(screen);
}

/* A long reply of numbered lines. */
static char *numbered(int lines)
{
    struct strbuf text = {0};
    for (int i = 1; i <= lines; i++)
        strbuf_printf(&text, "line %d.\n", i);
    return strbuf_detach(&text);
}

/* --- looks ----------------------------------------------------------------------------------- */

static void start_page(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(24, 80, &child);
    assert_true(screen_matches(screen, "start-80x24"));
    assert_true(pty_screen_state(screen)->alternate);
    pty_screen_type(screen, "\033OQ");
    assert_true(pty_screen_wait_text(screen, "› What can you do?"));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_no_text(screen, "› What"));
    leave(screen);
}

static void a_reply_comes_and_is_drawn(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(24, 80, &child);
    ask(screen, "What is a vaquita?");
    assert_true(pty_screen_wait_text(screen, "▌ What is a vaquita?"));
    assert_true(pty_screen_wait_text(screen, "◆ The vaquita is the smallest porpoise."));
    assert_true(pty_screen_wait_text(screen, "/help"));
    ask(screen, "And?");
    assert_true(pty_screen_wait_text(screen, "date: 2021"));
    assert_true(pty_screen_wait_text(screen, "/help"));
    assert_true(pty_screen_wait_text(screen, "│     x = 1;")); /* a tab stop */
    assert_true(screen_matches(screen, "reply-80x24"));
    leave(screen);
}

static void every_size_is_drawn(void **state)
{
    (void)state;
    static const struct {
        int rows, columns;
        const char *name;
    } sizes[] = {{5, 20, "size-20x5"},
                 {10, 40, "size-40x10"},
                 {36, 120, "size-120x36"},
                 {45, 160, "size-160x45"},
                 {24, 80, "size-80x24"}};
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(24, 80, &child);
    ask(screen, "A question that is long enough to be wrapped on a narrow screen?");
    assert_true(pty_screen_wait_text(screen, "smallest porpoise."));
    assert_true(pty_screen_wait_text(screen, "/help"));
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        unsigned long frames = pty_screen_frames(screen);
        pty_screen_resize(screen, sizes[i].rows, sizes[i].columns);
        char mark[2] = {(char)('a' + i), 0};
        pty_screen_type(screen, mark);
        char *typed = strndup("abcdefgh", i + 1), *line = NULL;
        assert_true(asprintf(&line, "› %s", typed) > 0);
        assert_true(pty_screen_wait_text(screen, line));
        assert_true(pty_screen_frames(screen) > frames);
        assert_true(screen_matches(screen, sizes[i].name));
        free(typed);
        free(line);
    }
    pty_screen_resize(screen, 1, 1);
    pty_screen_resize(screen, 2, 3);
    pty_screen_resize(screen, 3, 9);
    pty_screen_resize(screen, 200, 500);
    pty_screen_resize(screen, 24, 80);
    pty_screen_type(screen, "z");
    assert_true(pty_screen_wait_text(screen, "› abcdez"));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_text(screen, "Type a message"));
    leave(screen);
}

static void wide_and_combining_characters_line_up(void **state)
{
    (void)state;
    static const char replies[] = "海豚 and 日本語|\n"
                                  "emoji 🐬|\n"
                                  "family 👨‍👩‍👧|\n"
                                  "heart ❤️|\n"
                                  "flag 🇲🇽|\n"
                                  "combining e\xCC\x81|\n";
    struct chat_child child = {.script = replies};
    struct pty_screen *screen = start(24, 80, &child);
    ask(screen, "wide");
    assert_true(pty_screen_wait_text(screen, "combining e\xCC\x81|"));
    assert_true(pty_screen_wait_text(screen, "/help"));
    assert_true(screen_matches(screen, "wide-80x24"));
    int row, column;
    pty_screen_type(screen, "海豚e\xCC\x81👨‍👩‍👧");
    assert_true(pty_screen_wait_text(screen, "› 海豚e\xCC\x81👨"));
    pty_screen_cursor(screen, &row, &column);
    assert_int_equal(column, 3 + 4 + 1 + 2);
    pty_screen_type(screen, "\177\177x"); /* a cluster each */
    assert_true(pty_screen_wait_text(screen, "› 海豚x"));
    pty_screen_type(screen, "\033[D\033[D\033[Dy");
    assert_true(pty_screen_wait_text(screen, "› y海豚x"));
    pty_screen_type(screen, CTRL_C);
    leave(screen);
}

static void themes_and_colour_depths(void **state)
{
    (void)state;
    static const struct pty_variable direct[] = {{"COLORTERM", "truecolor"}, {NULL, NULL}};
    static const struct pty_variable none[] = {{"NO_COLOR", "1"}, {NULL, NULL}};
    struct chat_child child = {.script = script};
    struct pty_screen *screen = chat_child_start(24, 80, direct, &child);
    assert_int_equal(pty_screen_colour(screen, 0, 1), 0x6cc3bd);
    ask(screen, "/theme vaquita-nonesuch");
    assert_true(pty_screen_wait_text(screen, "no theme \"vaquita-nonesuch\""));
    ask(screen, "/theme themes/vaquita-light.ini");
    assert_true(pty_screen_wait_text(screen, "› Type"));
    leave(screen);
    screen = chat_child_start(24, 80, NULL, &child);
    assert_non_null(strstr(strbuf_text(pty_screen_output(screen)), "38;5;"));
    assert_null(strstr(strbuf_text(pty_screen_output(screen)), "38;2;"));
    leave(screen);
    screen = chat_child_start(24, 80, none, &child);
    assert_true(screen_matches(screen, "no-colour-80x24"));
    const char *output = strbuf_text(pty_screen_output(screen));
    for (const char *at = output; (at = strstr(at, "\033[")) != NULL; at += 2) {
        assert_true(strncmp(at, "\033[3", 3) != 0 || at[3] == 'm' || at[3] == ';');
        assert_true(strncmp(at, "\033[4", 3) != 0 || at[3] == 'm' || at[3] == 'l');
    }
    leave(screen);
    child.colour = "16";
    screen = chat_child_start(24, 80, NULL, &child);
    assert_null(strstr(strbuf_text(pty_screen_output(screen)), "38;5;"));
    leave(screen);
}

/* --- hostile text ---------------------------------------------------------------------------- */

static void a_reply_cannot_touch_the_terminal(void **state)
{
    (void)state;
    struct chat_child child = {
        .script = "\033]0;owned\007\033[31mred\033[?1000h\033[2J\033[?25l\a\b\b\r\x0e\n"
                  "c1 \xC2\x9B"
                  "31m raw \x9B"
                  "31m bidi \xE2\x80\xAE"
                  "abc tag \xF3\xA0\x81\x81\n"
                  "▌ You: faked\n◆ faked\nend of attack"};
    struct pty_screen *screen = start(24, 80, &child);
    int mouse = pty_screen_state(screen)->mouse;
    ask(screen, "attack");
    assert_true(pty_screen_wait_text(screen, "end of attack"));
    assert_true(pty_screen_wait_text(screen, "/help"));
    const struct pty_state *now = pty_screen_state(screen);
    assert_string_equal(now->title, "");
    assert_int_equal(now->mouse, mouse);
    assert_int_equal(now->bells, 0);
    assert_true(now->cursor_visible);
    assert_true(screen_matches(screen, "attack-80x24"));
    /* The markers of the gutter stand left of any text. */
    char *shown = pty_screen_text(screen);
    assert_non_null(strstr(shown, "\n   ▌ You: faked"));
    assert_non_null(strstr(shown, "\n   ◆ faked"));
    free(shown);
    leave(screen);
}

static void typed_controls_are_shown(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(24, 80, &child);
    pty_screen_type(screen, "\026\033]0;x"); /* quoted insert of an escape */
    assert_true(pty_screen_wait_text(screen, "› ␛]0;x"));
    pty_screen_type(screen, CTRL_C "\033[200~a\033]0;t\007b\033[201~");
    assert_true(pty_screen_wait_text(screen, "› a␛]0;t␇b"));
    assert_string_equal(pty_screen_state(screen)->title, "");
    pty_screen_type(screen, CTRL_C);
    leave(screen);
}

/* --- the composer ---------------------------------------------------------------------------- */

static void several_lines_are_typed_and_edited(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(24, 80, &child);
    pty_screen_type(screen, "first" ALT_ENTER "second" ALT_ENTER);
    assert_true(pty_screen_wait_text(screen, "› first\n   second\n"));
    int row, column;
    pty_screen_cursor(screen, &row, &column);
    assert_int_equal(column, 3);
    assert_int_equal(row, pty_screen_row_of(screen, "   second") + 1);
    pty_screen_type(screen, "\033[A!"); /* up, to the start of the second line */
    assert_true(pty_screen_wait_text(screen, "   !second"));
    pty_screen_type(screen, "\001\013"); /* C-a C-k keep to the line */
    assert_true(pty_screen_wait_no_text(screen, "second"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "▌ first"));
    leave(screen);
}

static void a_small_paste_is_inert(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(24, 80, &child);
    pty_screen_type(screen, "\033[200~one\rtwo\r/quit\r\033[201~");
    assert_true(pty_screen_wait_text(screen, "› one\n   two\n   /quit\n"));
    pty_screen_type(screen, "\037"); /* undo: one edit */
    assert_true(pty_screen_wait_text(screen, "Type a message"));
    leave(screen);
}

static void a_large_paste_is_one_edit(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .context = 16u << 20};
    struct pty_screen *screen = start(24, 80, &child);
    size_t size = 10u << 20;
    char *text = malloc(size);
    for (size_t i = 0; i < size; i++)
        text[i] = i % 64 == 63 ? '\r' : (char)('a' + i % 26);
    pty_screen_type(screen, "before \033[200~");
    pty_screen_send(screen, text, size);
    pty_screen_type(screen, "\033[201~ after");
    assert_true(pty_screen_wait_text(screen, "before [pasted: 163840 lines, 10.0 MiB] after"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "10.0 MiB in all"));
    assert_true(pty_screen_wait_text(screen, "smallest porpoise."));
    free(text);
    leave(screen);
}

static void history_outlives_the_program(void **state)
{
    (void)state;
    char directory[] = "/tmp/airo-history-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char path[64];
    snprintf(path, sizeof path, "%s/deep/history", directory);
    struct chat_child child = {.script = script, .history = path};
    struct pty_screen *screen = start(24, 80, &child);
    ask(screen, "line one" ALT_ENTER "line two");
    assert_true(pty_screen_wait_text(screen, "smallest porpoise."));
    leave(screen);
    struct stat status;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    screen = start(24, 80, &child);
    pty_screen_type(screen, "\033[A");
    assert_true(pty_screen_wait_text(screen, "› line one\n   line two\n"));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_text(screen, "Type a message"));
    leave(screen);
    unlink(path);
    snprintf(path, sizeof path, "%s/deep", directory);
    rmdir(path);
    rmdir(directory);
}

static void an_inputrc_is_obeyed(void **state)
{
    (void)state;
    char path[] = "/tmp/airo-inputrc-XXXXXX";
    static const char lines[] = "set editing-mode vi\nset bell-style audible\n"
                                "set show-mode-in-prompt on\n\"\\C-g\": \"macro\"\n";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, lines, sizeof lines - 1), (ssize_t)sizeof lines - 1);
    close(fd);
    const struct pty_variable variables[] = {{"INPUTRC", path}, {NULL, NULL}};
    struct chat_child child = {.script = script};
    struct pty_screen *screen = chat_child_start(24, 80, variables, &child);
    pty_screen_type(screen, "abc\033");
    assert_true(pty_screen_wait_text(screen, "› abc"));
    pty_screen_type(screen, "0x");
    assert_true(pty_screen_wait_text(screen, "› bc"));
    pty_screen_type(screen, "hhhh"); /* at the start: readline would ring */
    pty_screen_type(screen, "A!");
    assert_true(pty_screen_wait_text(screen, "› bc!"));
    pty_screen_type(screen, "\007");
    assert_true(pty_screen_wait_text(screen, "› bc!macro"));
    assert_int_equal(pty_screen_state(screen)->bells, 0);
    pty_screen_type(screen, CTRL_C);
    leave(screen);
    unlink(path);
}

static void a_dumb_terminal_is_refused(void **state)
{
    (void)state;
    static const struct pty_variable dumb[] = {{"TERM", "dumb"}, {NULL, NULL}};
    static const struct pty_variable unknown[] = {{"TERM", "nosuch"}, {NULL, NULL}};
    struct chat_child child = {.script = script};
    struct pty_screen *screen = chat_child_start(24, 80, dumb, &child);
    assert_int_equal(WEXITSTATUS(pty_screen_wait_exit(screen)), 1);
    assert_true(
        pty_screen_shows(screen, "airo: TERM=dumb cannot place a cursor; use airo chat --plain"));
    pty_screen_free(screen);
    screen = chat_child_start(24, 80, unknown, &child);
    assert_int_equal(WEXITSTATUS(pty_screen_wait_exit(screen)), 1);
    assert_true(pty_screen_shows(screen, "airo: TERM=nosuch: no such terminal"));
    pty_screen_free(screen);
}

static void tab_completes(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(24, 80, &child);
    pty_screen_type(screen, "/he\t");
    assert_true(pty_screen_wait_text(screen, "› /help"));
    pty_screen_type(screen, CTRL_C "/re\t");
    assert_true(pty_screen_wait_text(screen, "› /retry"));
    pty_screen_type(screen, CTRL_C "/do\t");
    assert_true(pty_screen_wait_text(screen, "/doc  /docs"));
    pty_screen_type(screen, CTRL_C "/doc prompts/samples/vaq\t");
    assert_true(pty_screen_wait_text(screen, "› /doc prompts/samples/vaquita.txt"));
    pty_screen_type(screen, CTRL_C "/set temp\t");
    assert_true(pty_screen_wait_text(screen, "› /set temperature"));
    pty_screen_type(screen, CTRL_C);
    leave(screen);
}

/* --- replies --------------------------------------------------------------------------------- */

static void cancel_keeps_what_came(void **state)
{
    (void)state;
    char *text = numbered(2000);
    struct chat_child child = {.script = text, .piece_ms = 1};
    struct pty_screen *screen = start(24, 80, &child);
    ask(screen, "count");
    assert_true(pty_screen_wait_text(screen, "line 5."));
    ask(screen, "queued words");
    assert_true(pty_screen_wait_text(screen, "Ctrl-C stops · queued"));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_text(screen, "stopped · /continue goes on"));
    assert_true(pty_screen_wait_text(screen, "› queued words")); /* nothing typed is lost */
    pty_screen_type(screen, CTRL_C CTRL_C);
    assert_true(pty_screen_wait_text(screen, "Ctrl-C again leaves"));
    pty_screen_type(screen, "x");
    assert_true(pty_screen_wait_no_text(screen, "again leaves"));
    pty_screen_type(screen, CTRL_C CTRL_C CTRL_C);
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    pty_screen_free(screen);
    free(text);
}

static void escape_stops_a_reply(void **state)
{
    (void)state;
    char *text = numbered(2000);
    struct chat_child child = {.script = text, .piece_ms = 1};
    struct pty_screen *screen = start(24, 80, &child);
    ask(screen, "count");
    assert_true(pty_screen_wait_text(screen, "line 5."));
    pty_screen_type(screen, "\033");
    assert_true(pty_screen_wait_text(screen, "stopped · /continue goes on"));
    leave(screen);
    free(text);
}

static void what_is_typed_during_a_reply_is_sent_after_it(void **state)
{
    (void)state;
    struct chat_child child = {.script = "one two three four five six seven eight nine ten.\n---\n"
                                         "Second.",
                               .piece_ms = 30};
    struct pty_screen *screen = start(24, 80, &child);
    ask(screen, "first question");
    assert_true(pty_screen_wait_text(screen, "◆ one"));
    ask(screen, "second question");
    assert_true(pty_screen_wait_text(screen, "▏ second question"));
    assert_true(pty_screen_wait_text(screen, "▌ second question"));
    assert_true(pty_screen_wait_text(screen, "◆ Second."));
    leave(screen);
}

static void an_error_is_a_line_and_the_question_stays(void **state)
{
    (void)state;
    struct chat_child child = {.script = "!error the device is lost\n---\nNow it works."};
    struct pty_screen *screen = start(24, 80, &child);
    ask(screen, "hello");
    assert_true(pty_screen_wait_text(screen, "! the device is lost"));
    assert_true(pty_screen_wait_text(screen, "not answered · /retry sends it again"));
    ask(screen, "/retry");
    assert_true(pty_screen_wait_text(screen, "◆ Now it works."));
    leave(screen);
    child = (struct chat_child){.script = script, .context = 60};
    screen = start(24, 80, &child);
    pty_screen_type(screen, "a question that is much too long for so small a context, and goes on "
                            "and on and on\r");
    assert_true(pty_screen_wait_text(screen, "! the prompt has"));
    assert_true(pty_screen_wait_text(screen, "› a question that is much")); /* to be edited */
    pty_screen_type(screen, CTRL_C);
    leave(screen);
}

static void retry_and_continue(void **state)
{
    (void)state;
    struct chat_child child = {.script = "First.\n---\nOther.\n---\n And more."};
    struct pty_screen *screen = start(24, 80, &child);
    ask(screen, "/retry");
    assert_true(pty_screen_wait_text(screen, "nothing to answer again"));
    ask(screen, "question");
    assert_true(pty_screen_wait_text(screen, "◆ First."));
    assert_true(pty_screen_wait_text(screen, "/help"));
    ask(screen, "/retry");
    assert_true(pty_screen_wait_text(screen, "◆ Other."));
    assert_false(pty_screen_shows(screen, "First."));
    assert_true(pty_screen_wait_text(screen, "/help"));
    ask(screen, "/continue");
    assert_true(pty_screen_wait_text(screen, "◆ Other. And more."));
    leave(screen);
}

static void the_view_is_not_yanked(void **state)
{
    (void)state;
    char *text = numbered(3000);
    struct chat_child child = {.script = text, .piece_ms = 1};
    struct pty_screen *screen = start(24, 80, &child);
    ask(screen, "count");
    assert_true(pty_screen_wait_text(screen, "line 40."));
    pty_screen_type(screen, PAGE_UP);
    assert_true(pty_screen_wait_text(screen, "↓ new text"));
    char *before = pty_screen_text(screen);
    unsigned long frames = pty_screen_frames(screen);
    while (pty_screen_frames(screen) < frames + 20)
        assert_true(pty_screen_pump(screen, 1000));
    char *after = pty_screen_text(screen);
    /* All but the gauge is where it was. */
    size_t body = (size_t)(strstr(before, "↓ new text") - before);
    assert_memory_equal(before, after, body);
    pty_screen_type(screen, "\033[1;5F");
    assert_true(pty_screen_wait_no_text(screen, "↓ new text"));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_text(screen, "stopped"));
    free(before);
    free(after);
    free(text);
    leave(screen);
}

static void a_key_is_echoed_within_a_few_frames(void **state)
{
    (void)state;
    char *text = numbered(30000);
    struct chat_child child = {.script = text, .piece_ms = 1, .context = 1u << 20};
    struct pty_screen *screen = start(24, 80, &child);
    struct strbuf typed = {0};
    strbuf_puts(&typed, "› ");
    ask(screen, "count");
    assert_true(pty_screen_wait_text(screen, "line 5."));
    for (int i = 0; i < 20; i++) {
        char key[2] = {(char)('a' + i), 0};
        strbuf_puts(&typed, key);
        pty_screen_pump(screen, 0);
        unsigned long frames = pty_screen_frames(screen);
        pty_screen_type(screen, key);
        while (!pty_screen_shows(screen, typed.data)) {
            assert_true(pty_screen_pump(screen, 1000));
            assert_true(pty_screen_frames(screen) <= frames + 3);
        }
    }
    strbuf_free(&typed);
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_text(screen, "stopped"));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_text(screen, "Type a message"));
    free(text);
    leave(screen);
}

/* Text that comes faster than frames are due is drawn by the frame, not by the piece. */
static void frames_are_fewer_than_pieces(void **state)
{
    (void)state;
    char *text = numbered(400); /* 1,200 pieces */
    struct chat_child child = {.script = text, .piece_ms = 1, .context = 1u << 20};
    struct pty_screen *screen = start(24, 80, &child);
    unsigned long frames = pty_screen_frames(screen);
    ask(screen, "count");
    assert_true(pty_screen_wait_text(screen, "line 400."));
    assert_true(pty_screen_frames(screen) - frames < 300);
    free(text);
    leave(screen);
}

/* --- commands -------------------------------------------------------------------------------- */

static void help_and_settings(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(50, 110, &child);
    ask(screen, "/help");
    assert_true(pty_screen_wait_text(screen, "leave, when nothing is typed"));
    assert_true(screen_matches(screen, "help-110x50"));
    ask(screen, "/set temperature 0.5");
    assert_true(pty_screen_wait_text(screen, "temperature           0.5"));
    ask(screen, "/set temperature 99");
    assert_true(pty_screen_wait_text(screen, "! temperature"));
    ask(screen, "/set nosuch 1");
    assert_true(pty_screen_wait_text(screen, "no setting nosuch"));
    ask(screen, "/hlep");
    assert_true(pty_screen_wait_text(screen, "no command /hlep; did you mean /help?"));
    ask(screen, "/set");
    assert_true(pty_screen_wait_text(screen, "top-k"));
    pty_screen_resize(screen, 12, 60);
    ask(screen, "/help"); /* taller than the view: its beginning */
    assert_true(pty_screen_wait_text(screen, "Enter                 send;"));
    ask(screen, "/quit");
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    pty_screen_free(screen);
}

static void documents_and_saving(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(30, 100, &child);
    ask(screen, "/doc nosuch.txt");
    assert_true(pty_screen_wait_text(screen, "! nosuch.txt"));
    char pipe[] = "/tmp/airo-pipe-XXXXXX", line[80];
    assert_non_null(mkdtemp(pipe));
    snprintf(line, sizeof line, "/doc %s/fifo", pipe);
    assert_int_equal(mkfifo(line + 5, 0600), 0);
    ask(screen, line); /* what would wait for someone to write is refused */
    assert_true(pty_screen_wait_text(screen, "fifo: not a regular file"));
    unlink(line + 5);
    rmdir(pipe);
    ask(screen, "/doc -");
    assert_true(pty_screen_wait_text(screen, "! -: No such file"));
    ask(screen, "/doc prompts/samples/vaquita.txt");
    assert_true(pty_screen_wait_text(screen, "vaquita.txt goes with the next message, "));
    assert_true(pty_screen_wait_text(screen, "documents "));
    ask(screen, "/docs");
    assert_true(pty_screen_wait_text(screen, "url: "));
    ask(screen, "What is it?");
    assert_true(pty_screen_wait_text(screen, "with prompts/samples/vaquita.txt"));
    assert_true(pty_screen_wait_text(screen, "smallest porpoise."));
    assert_true(pty_screen_wait_text(screen, "/help"));
    char path[] = "/tmp/airo-save-XXXXXX";
    assert_non_null(mkdtemp(path));
    snprintf(line, sizeof line, "/save %s/chat.md", path);
    ask(screen, line);
    assert_true(pty_screen_wait_text(screen, "saved as"));
    ask(screen, line);
    assert_true(pty_screen_wait_text(screen, "File exists"));
    struct stat status;
    assert_int_equal(stat(line + 6, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    unlink(line + 6);
    rmdir(path);
    ask(screen, "/new");
    assert_true(pty_screen_wait_text(screen, "Three things"));
    leave(screen);
}

static void a_source_that_was_not_given_is_marked(void **state)
{
    (void)state;
    struct chat_child child = {.script = "Yes.\nSource:\ndate: 1999\nurl: blueberries.txt\n\n---\n"
                                         "No.\nSource:\ntitle: Made up\n\n---\n"
                                         "Green.\nSource:\nurl: blueberries.txt"};
    struct pty_screen *screen = start(40, 100, &child);
    ask(screen, "without documents nothing is checked");
    assert_true(pty_screen_wait_text(screen, "url: blueberries.txt"));
    assert_true(pty_screen_wait_text(screen, "/help"));
    assert_false(pty_screen_shows(screen, "not among"));
    ask(screen, "/doc prompts/samples/blueberries.txt");
    ask(screen, "What color are they?");
    assert_true(pty_screen_wait_text(screen, "   not among the documents: title: Made up\n"));
    ask(screen, "And now?"); /* the documents of the whole path count */
    assert_true(pty_screen_wait_text(screen, "◆ Green."));
    assert_true(pty_screen_wait_text(screen, "/help"));
    ask(screen, "/retry"); /* on the same document, the first reply again */
    assert_true(pty_screen_wait_text(screen, "   not among the documents: date: 1999\n"));
    char path[] = "/tmp/airo-save-XXXXXX", line[80];
    assert_non_null(mkdtemp(path));
    snprintf(line, sizeof line, "/save %s/chat.md", path);
    ask(screen, line);
    assert_true(pty_screen_wait_text(screen, "saved as"));
    struct strbuf saved = {0};
    assert_int_equal(file_read(line + 6, 1 << 20, &saved, NULL), 0);
    assert_null(strstr(strbuf_text(&saved), "not among")); /* no part of the text */
    strbuf_free(&saved);
    unlink(line + 6);
    rmdir(path);
    leave(screen);
}

static void the_reserve_is_what_a_reply_may_take(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .colour = "none"};
    struct pty_screen *screen = start(24, 80, &child);
    assert_true(pty_screen_wait_text(screen, "-..."));
    assert_false(pty_screen_shows(screen, "draft"));
    ask(screen, "/set max-tokens 0"); /* no limit: all that is left */
    assert_true(pty_screen_wait_no_text(screen, "-..."));
    assert_true(pty_screen_shows(screen, "s-----"));
    pty_screen_type(screen, "typed");
    assert_true(pty_screen_wait_text(screen, "draft "));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_no_text(screen, "draft "));
    leave(screen);
}

static void a_document_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .context = 200};
    struct pty_screen *screen = start(24, 80, &child);
    ask(screen, "/doc LICENSE");
    assert_true(pty_screen_wait_text(screen, "and the context holds 200: not attached"));
    ask(screen, "/docs");
    assert_true(pty_screen_wait_text(screen, "no documents attached"));
    ask(screen, "/doc prompts/samples/blueberries.txt");
    assert_true(pty_screen_wait_text(screen, "blueberries.txt goes with the next message"));
    ask(screen, "/doc prompts/samples/vaquita.txt"); /* alone it would fit, not with the other */
    assert_true(pty_screen_wait_text(screen, "and the context holds 200: /undoc"));
    leave(screen);
}

static void a_tilde_is_home(void **state)
{
    (void)state;
    char directory[] = "/tmp/airo-home-XXXXXX", path[64], line[80];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/notes-here.txt", directory);
    FILE *file = fopen(path, "w");
    fputs("Some notes.\n", file);
    fclose(file);
    const struct pty_variable variables[] = {{"HOME", directory}, {NULL, NULL}};
    struct chat_child child = {.script = script};
    struct pty_screen *screen = chat_child_start(24, 80, variables, &child);
    pty_screen_type(screen, "/doc ~/notes-h\t");
    assert_true(pty_screen_wait_text(screen, "/doc ~/notes-here.txt"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "~/notes-here.txt goes with the next message"));
    ask(screen, "/save ~/chat.md");
    assert_true(pty_screen_wait_text(screen, "saved as ~/chat.md"));
    snprintf(line, sizeof line, "%s/chat.md", directory);
    assert_true(file_exists(line));
    ask(screen, "/undoc ~/notes-here.txt");
    assert_true(pty_screen_wait_text(screen, "no documents attached"));
    leave(screen);
    unlink(line);
    unlink(path);
    rmdir(directory);
}

/* --- leaving --------------------------------------------------------------------------------- */

static void assert_restored(struct pty_screen *screen)
{
    struct termios now, before;
    pty_screen_modes(screen, &now, &before);
    assert_int_equal(now.c_lflag, before.c_lflag);
    assert_int_equal(now.c_iflag, before.c_iflag);
    assert_int_equal(now.c_oflag, before.c_oflag);
    assert_false(pty_screen_state(screen)->alternate);
    assert_true(pty_screen_state(screen)->cursor_visible);
    assert_int_equal(pty_screen_state(screen)->mouse, 0);
    const char *output = strbuf_text(pty_screen_output(screen)), *on = output, *off = output;
    for (const char *at = output; (at = strstr(at, "\033[?2004h")) != NULL; at++)
        on = at;
    for (const char *at = output; (at = strstr(at, "\033[?2004l")) != NULL; at++)
        off = at;
    assert_true(off > on);
}

static void every_way_out_restores_the_terminal(void **state)
{
    (void)state;
    static const int deaths[] = {0,       SIGINT,  SIGTERM, SIGHUP, SIGQUIT,
                                 SIGSEGV, SIGABRT, SIGBUS,  SIGFPE};
    struct chat_child child = {.script = script};
    for (size_t i = 0; i < sizeof deaths / sizeof deaths[0]; i++) {
        struct pty_screen *screen = start(24, 80, &child);
        if (deaths[i] == 0)
            ask(screen, "/quit");
        else
            kill(pty_screen_child(screen), deaths[i]);
        int status = pty_screen_wait_exit(screen);
        assert_true(status != -1);
        if (i < 5) /* as a shell says it of a signal */
            assert_int_equal(WEXITSTATUS(status), deaths[i] == 0 ? 0 : 128 + deaths[i]);
        else
            assert_true(WIFSIGNALED(status) || WEXITSTATUS(status) != 0);
        assert_restored(screen);
        pty_screen_free(screen);
    }
}

static void the_model_loads_behind_a_bar(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .load_steps = 30};
    struct pty_screen *screen = start(24, 80, &child);
    assert_true(pty_screen_wait_text(screen, "loading vaquita"));
    assert_true(pty_screen_wait_text(screen, "› Type a message"));
    assert_true(pty_screen_wait_text(screen, "loaded · plain RoPE · script"));
    leave(screen);
    child.load_error = "models/x/config.json: no such file";
    screen = start(24, 80, &child);
    assert_int_equal(WEXITSTATUS(pty_screen_wait_exit(screen)), 1);
    assert_restored(screen);
    assert_true(pty_screen_shows(screen, "airo: models/x/config.json: no such file"));
    pty_screen_free(screen);
    child.load_error = NULL;
    child.load_forever = true;
    screen = start(24, 80, &child);
    pty_screen_type(screen, CTRL_C);
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    assert_restored(screen);
    pty_screen_free(screen);
}

static bool is_stopped(struct pty_screen *screen, void *user)
{
    int *status = user;
    return waitpid(pty_screen_child(screen), status, WUNTRACED | WNOHANG) > 0 &&
           WIFSTOPPED(*status);
}

static void a_stop_gives_the_terminal_back(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(24, 80, &child);
    int status = 0;
    pty_screen_type(screen, "draft");
    assert_true(pty_screen_wait_text(screen, "› draft"));
    kill(pty_screen_child(screen), SIGSTOP);
    assert_true(pty_screen_wait(screen, is_stopped, &status));
    kill(pty_screen_child(screen), SIGCONT);
    pty_screen_type(screen, "ed");
    assert_true(pty_screen_wait_text(screen, "› drafted"));
    /* Ctrl-Z: the group is an orphan here, so the stop is ignored and the chat goes on. */
    pty_screen_type(screen, "\032!");
    assert_true(pty_screen_wait_text(screen, "› drafted!"));
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_text(screen, "Type a message"));
    leave(screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(start_page),
        cmocka_unit_test(a_reply_comes_and_is_drawn),
        cmocka_unit_test(every_size_is_drawn),
        cmocka_unit_test(wide_and_combining_characters_line_up),
        cmocka_unit_test(themes_and_colour_depths),
        cmocka_unit_test(a_reply_cannot_touch_the_terminal),
        cmocka_unit_test(typed_controls_are_shown),
        cmocka_unit_test(several_lines_are_typed_and_edited),
        cmocka_unit_test(a_small_paste_is_inert),
        cmocka_unit_test(a_large_paste_is_one_edit),
        cmocka_unit_test(history_outlives_the_program),
        cmocka_unit_test(an_inputrc_is_obeyed),
        cmocka_unit_test(a_dumb_terminal_is_refused),
        cmocka_unit_test(tab_completes),
        cmocka_unit_test(cancel_keeps_what_came),
        cmocka_unit_test(escape_stops_a_reply),
        cmocka_unit_test(what_is_typed_during_a_reply_is_sent_after_it),
        cmocka_unit_test(an_error_is_a_line_and_the_question_stays),
        cmocka_unit_test(retry_and_continue),
        cmocka_unit_test(the_view_is_not_yanked),
        cmocka_unit_test(a_key_is_echoed_within_a_few_frames),
        cmocka_unit_test(frames_are_fewer_than_pieces),
        cmocka_unit_test(help_and_settings),
        cmocka_unit_test(documents_and_saving),
        cmocka_unit_test(a_source_that_was_not_given_is_marked),
        cmocka_unit_test(the_reserve_is_what_a_reply_may_take),
        cmocka_unit_test(a_document_that_does_not_fit_is_refused),
        cmocka_unit_test(a_tilde_is_home),
        cmocka_unit_test(every_way_out_restores_the_terminal),
        cmocka_unit_test(the_model_loads_behind_a_bar),
        cmocka_unit_test(a_stop_gives_the_terminal_back),
    };
    return cmocka_run_group_tests_name("screens", tests, NULL, NULL);
}
