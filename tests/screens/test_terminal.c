/*
 * Tests of the terminal's own promise: whatever text it is given, what goes out is made of the
 * sequences that the program knows and of harmless characters, and everything is put back.
 *
 * AIRO_TERMINAL_STRINGS=1000000 runs the long form of the random test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "engine/base/utf8.h"
#include "tests/screens/output_checker.h"
#include "tests/screens/pty_screen.h"
#include "tui/box.h"
#include "tui/terminal.h"

#define ROWS    24
#define COLUMNS 80

/* --- what may go out -------------------------------------------------------------------------- */

static void the_checker_knows_what_is_wrong(void **state)
{
    (void)state;
    static const char *const good[] = {"abc 海 \033[1;2H\033[38;2;1;2;3mx\033(B\033[m\r\n",
                                       "\033]2;title é\033\\\033]52;c;QUJD\033\\x"};
    static const char *const wrong[] = {"\033]0;t\033\\",
                                        "\033[31;?m",
                                        "\033[?1000h",
                                        "\033Pq\033\\",
                                        "\a",
                                        "\033[2;3R",
                                        "\xC2\x9B",
                                        "\x9B",
                                        "\033]2;a\ab\033\\",
                                        "\033c",
                                        "\033[5i",
                                        "\xE2\x80\xAE",
                                        "\033]2;a\033[31m\033\\",
                                        "\x0E",
                                        "\033[c"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        struct output_checker checker = {0};
        assert_int_equal(output_check(&checker, good[i], strlen(good[i])), strlen(good[i]));
        assert_string_equal(checker.wrong, "");
    }
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct output_checker checker = {0};
        output_check(&checker, wrong[i], strlen(wrong[i]));
        if (checker.wrong[0] == '\0')
            fail_msg("nothing wrong with case %zu", i);
    }
}

/* --- hostile text ----------------------------------------------------------------------------- */

static size_t make_string(unsigned *seed, char *out, size_t size)
{
    static const char *const pieces[] = {"\033",
                                         "\033[",
                                         "\033]",
                                         "\033]52;c;",
                                         "\033P",
                                         "\a",
                                         "\033\\",
                                         "\xC2\x9B",
                                         "\x9B",
                                         "31m",
                                         "2J",
                                         "?1049l",
                                         "\xE2\x80\xAE",
                                         "\xEF\xBB\xBF",
                                         "\xF3\xA0\x81\x81",
                                         "e\xCC\x81",
                                         "\xCC\x81",
                                         "海",
                                         "👨‍👩‍👧",
                                         "\xE2\x80\x8D",
                                         "\r\n\t\b",
                                         "\x0E\x0F",
                                         "\xFF\xFE",
                                         "plain text ",
                                         "\xF4\x90\x80\x80",
                                         "\xED\xA0\x80",
                                         "\x7F",
                                         "0;owned",
                                         "\xE2",
                                         "🇩🇪",
                                         "\033[?2026h",
                                         "\xC2\x90",
                                         "각",
                                         "\xE1\xA0\x8E",
                                         "क्षि",
                                         "\x18\x1A"};
    size_t used = 0, count = (size_t)rand_r(seed) % 12;
    for (size_t i = 0; i < count && used + 24 < size; i++) {
        unsigned choice = (unsigned)rand_r(seed) % 48;
        if (choice < sizeof pieces / sizeof pieces[0]) {
            size_t length = strlen(pieces[choice]);
            memcpy(out + used, pieces[choice], length);
            used += length;
        } else if (choice < 42) {
            out[used++] = (char)rand_r(seed);
        } else {
            used += utf8_encode((uint32_t)rand_r(seed) % 0x110000, out + used);
        }
    }
    return used;
}

static void send_beside(struct terminal *terminal, const char *text, size_t length, unsigned *seed)
{
    char title[512];
    unsigned choice = (unsigned)rand_r(seed) % 64;
    memcpy(title, text, length);
    title[length] = '\0';
    if (choice == 0)
        terminal_set_title(terminal, title);
    if (choice == 1)
        terminal_send_clipboard(terminal, text, length, NULL);
    if (choice == 2)
        terminal_send_clipboard(terminal, "QUJDRA==", 8, NULL);
}

static void draw_string(struct terminal *terminal, const char *text, size_t length, unsigned *seed)
{
    struct rect all = terminal_area(terminal);
    int row = rand_r(seed) % 26 - 1, column = rand_r(seed) % 84 - 2;
    struct rect area = {rand_r(seed) % 4, rand_r(seed) % 20, rand_r(seed) % 20, rand_r(seed) % 60};
    enum style style = (enum style)(rand_r(seed) % STYLES);
    unsigned choice = (unsigned)rand_r(seed) % 16;
    if (choice == 0) {
        char title[512];
        memcpy(title, text, length);
        title[length] = '\0';
        box_draw(terminal, &area, style, STYLE_TITLE, title);
    } else if (choice == 1) {
        box_fill(terminal, &area, style);
    } else {
        terminal_put_with(terminal, choice < 8 ? &area : &all, row, column, style,
                          (unsigned)rand_r(seed) % 32, text, length);
    }
}

struct drawing {
    const char *colour;
    unsigned long strings;
};

static int draw_random(void *user)
{
    const struct drawing *drawing = user;
    struct theme theme;
    struct terminal *terminal;
    struct error error = {0};
    unsigned seed = 11;
    if (theme_open(&theme, "themes/vaquita-dark.ini", &error) != 0 ||
        terminal_open(&terminal, drawing->colour, true, &theme, &error) != 0)
        return 2;
    for (unsigned long done = 0; done < drawing->strings;) {
        terminal_begin(terminal);
        for (int i = 0; i < 40 && done < drawing->strings; i++, done++) {
            char text[512];
            size_t length = make_string(&seed, text, sizeof text - 1);
            draw_string(terminal, text, length, &seed);
            send_beside(terminal, text, length, &seed);
        }
        if (rand_r(&seed) % 2)
            terminal_cursor(terminal, &(struct rect){0, 0, 10, 10}, 3, 3);
        if (rand_r(&seed) % 2)
            terminal_cursor_bar(terminal);
        if (rand_r(&seed) % 16 == 0)
            terminal_repaint(terminal);
        terminal_end(terminal);
    }
    terminal_close(terminal);
    return 0;
}

static unsigned long string_count(void)
{
    const char *given = getenv("AIRO_TERMINAL_STRINGS");
    return given != NULL ? strtoul(given, NULL, 10) : 20000;
}

static bool holds(struct pty_screen *screen, const char *bytes)
{
    const struct strbuf *output = pty_screen_output(screen);
    return memmem(strbuf_text(output), output->length, bytes, strlen(bytes)) != NULL;
}

static void check_drawing(const char *colour, unsigned long strings)
{
    struct drawing drawing = {colour, strings};
    struct pty_screen *screen = pty_screen_start(ROWS, COLUMNS, NULL, draw_random, &drawing);
    struct output_checker checker = {0};
    size_t checked = 0;
    bool open = true;
    while (open) {
        open = pty_screen_take(screen, 1000);
        const struct strbuf *output = pty_screen_output(screen);
        checked += output_check(&checker, strbuf_text(output) + checked, output->length - checked);
        if (checker.wrong[0] != '\0')
            fail_msg("%s, at byte %zu", checker.wrong, checked);
    }
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    assert_int_equal(checked, pty_screen_output(screen)->length);
    assert_int_equal(checker.length, 0);
    assert_true(checker.sequences > strings / 20);
    assert_true(checker.strings > strings / 200);
    assert_true(holds(screen, "\033[?1049l"));
    print_message("%lu strings, %zu bytes, %lu sequences\n", strings, checked, checker.sequences);
    pty_screen_free(screen);
}

static void hostile_text_stays_text(void **state)
{
    (void)state;
    check_drawing("truecolor", string_count());
    check_drawing("16", string_count() / 8);
    check_drawing("none", string_count() / 8);
}

/* --- what is done and undone ------------------------------------------------------------------ */

static int draw_box_and_wait(void *user)
{
    struct theme theme;
    struct terminal *terminal;
    struct error error = {0};
    (void)user;
    if (theme_open(&theme, "themes/vaquita-dark.ini", &error) != 0 ||
        terminal_open(&terminal, "auto", true, &theme, &error) != 0)
        return 2;
    struct rect area = {2, 4, 5, 30}, small = {10, 4, 3, 12};
    terminal_set_title(terminal, "a chat \033]0;owned\a");
    if (terminal_send_clipboard(terminal, "QUJD", 4, &error) != 0)
        fprintf(stderr, "%s", error.message);
    terminal_begin(terminal);
    box_fill(terminal, &area, STYLE_SELECTION);
    struct rect inner = box_draw(terminal, &area, STYLE_BORDER, STYLE_TITLE, "Find");
    terminal_put_with(terminal, &inner, 0, 0, STYLE_TEXT, THEME_BOLD | THEME_ITALIC, "inside", 6);
    terminal_puts(terminal, &inner, 1, 0, STYLE_TEXT, "0123456789012345678901234567890123456789");
    box_draw(terminal, &small, STYLE_BORDER, STYLE_TITLE, "a long title");
    terminal_cursor(terminal, &inner, 0, 6);
    terminal_cursor_bar(terminal);
    terminal_end(terminal);
    int byte; /* what the terminal answers comes first */
    while ((byte = getchar()) != EOF && byte != 'q')
        if (byte == 'a')
            abort();
    terminal_close(terminal);
    return 0;
}

static bool holds_bar(struct pty_screen *screen, void *user)
{
    (void)user;
    return holds(screen, "\033[6 q");
}

static void check_restored(const char *key, bool dies)
{
    struct pty_screen *screen = pty_screen_start(ROWS, COLUMNS, NULL, draw_box_and_wait, NULL);
    assert_true(pty_screen_wait_text(screen, "    ╭─ a lon… ─╮\n"));
    assert_true(pty_screen_wait_text(screen, "    ╰──────────╯\n"));
    assert_true(pty_screen_wait_text(screen, "\n    ╭─ Find ─────────────────────╮\n"
                                             "    │inside                      │\n"
                                             "    │0123456789012345678901234567│\n"
                                             "    │                            │\n"
                                             "    ╰────────────────────────────╯\n"));
    assert_true(holds(screen, "\033]2;a chat ␛]0;owned␇\033\\"));
    assert_true(holds(screen, "\033]52;c;QUJD\033\\"));
    assert_true(holds(screen, "\033[22;2t"));
    assert_true(holds(screen, "\033[?1002h"));
    assert_true(pty_screen_wait(screen, holds_bar, NULL));
    pty_screen_type(screen, key);
    int status = pty_screen_wait_exit(screen);
    assert_int_equal(dies ? WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT : status == 0, 1);
    assert_true(holds(screen, "\033[0 q"));
    assert_true(holds(screen, "\033[23;2t"));
    assert_true(holds(screen, "\033[?1002l"));
    assert_false(pty_screen_state(screen)->alternate);
    assert_true(pty_screen_state(screen)->cursor_visible);
    pty_screen_free(screen);
}

static void everything_is_put_back(void **state)
{
    (void)state;
    check_restored("q", false);
    check_restored("a", true);
}

static int refuse_clipboards(void *user)
{
    struct theme theme;
    struct terminal *terminal;
    struct error error = {0};
    const bool *able = user;
    theme_plain(&theme);
    if (terminal_open(&terminal, "auto", false, &theme, &error) != 0)
        return 2;
    int failed = 0;
    static char long_text[TERMINAL_CLIPBOARD_MAX + 4];
    memset(long_text, 'A', sizeof long_text);
    failed += terminal_send_clipboard(terminal, "QUJD", 4, &error) != (*able ? 0 : -1);
    failed += terminal_send_clipboard(terminal, "QU\033D", 4, &error) != -1;
    failed += terminal_send_clipboard(terminal, "QU\0D", 4, &error) != -1;
    failed += terminal_send_clipboard(terminal, long_text, sizeof long_text, &error) != -1;
    terminal_set_title(terminal, "title");
    terminal_close(terminal);
    return failed;
}

/* A console that would print them gets no titles and no clipboard. */
static void simple_terminals_get_no_strings(void **state)
{
    (void)state;
    static const struct pty_variable console[] = {{"TERM", "linux"}, {NULL, NULL}};
    bool able = false;
    struct pty_screen *screen = pty_screen_start(ROWS, COLUMNS, console, refuse_clipboards, &able);
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    assert_false(holds(screen, "\033]"));
    assert_false(holds(screen, "t"));
    pty_screen_free(screen);
    able = true;
    screen = pty_screen_start(ROWS, COLUMNS, NULL, refuse_clipboards, &able);
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    pty_screen_free(screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_checker_knows_what_is_wrong),
        cmocka_unit_test(hostile_text_stays_text),
        cmocka_unit_test(everything_is_put_back),
        cmocka_unit_test(simple_terminals_get_no_strings),
    };
    return cmocka_run_group_tests_name("terminal", tests, NULL, NULL);
}
