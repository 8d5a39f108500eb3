/* Tests of the token pane: how likely a reply's tokens were, and going on from another one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/base/strbuf.h"
#include "tests/screens/chat_child.h"

#define CTRL_D "\004"
#define ESC    "\033"
#define FOOT   "Enter alternatives"

/* Places are asked about in the same words each time: " is" is the taken one at token 3. */
static const char script[] = "The sea is wide.\n---\nand deep.\n---\n!choices The|A| is|</s>";

static void ask(struct pty_screen *screen, const char *text)
{
    pty_screen_type(screen, text);
    pty_screen_type(screen, "\r");
}

/* With a reply, and the pane opened by its command; `counted`: once the gauge says so. */
static struct pty_screen *open_counted(int rows, int columns, struct chat_child *child,
                                       const char *reply_end, const char *counted)
{
    struct pty_screen *screen = chat_child_start(rows, columns, NULL, child);
    ask(screen, "Go");
    assert_true(pty_screen_wait_text(screen, reply_end));
    assert_true(pty_screen_wait_no_text(screen, "Ctrl-C stops"));
    if (counted != NULL)
        assert_true(pty_screen_wait_text(screen, counted));
    ask(screen, "/tokens");
    assert_true(pty_screen_wait_text(screen, "Tokens · "));
    return screen;
}

static struct pty_screen *open_pane(int rows, int columns, struct chat_child *child,
                                    const char *reply_end)
{
    return open_counted(rows, columns, child, reply_end, NULL);
}

static void leave(struct pty_screen *screen)
{
    pty_screen_type(screen, "q");
    assert_true(pty_screen_wait_no_text(screen, "Tokens"));
    pty_screen_type(screen, "\025" CTRL_D);
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    pty_screen_free(screen);
}

/* --- looks ----------------------------------------------------------------------------------- */

static void sizes(void **state)
{
    (void)state;
    static const struct {
        int rows, columns;
        const char *name;
    } cases[] = {{36, 120, "token-120x36"}, {24, 80, "token-80x24"}, {10, 40, "token-40x10"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct chat_child child = {.script = script, .spelled = true};
        struct pty_screen *screen =
            open_counted(cases[i].rows, cases[i].columns, &child, "wide.", "50 / 4,096");
        assert_true(pty_screen_wait_text(screen, "rank 1"));
        assert_true(screen_matches(screen, cases[i].name));
        leave(screen);
    }
}

static void wide_characters(void **state)
{
    (void)state;
    struct chat_child child = {
        .script = "海豚 e\xCC\x81 👨‍👩‍👧 end.\n---\n!choices 海|豚|🐬",
        .spelled = true};
    struct pty_screen *screen = open_counted(24, 80, &child, "end.", "74 / 4,096");
    assert_true(pty_screen_wait_text(screen, "entropy"));
    pty_screen_type(screen, "$");
    assert_true(pty_screen_wait_text(screen, "rank over 3"));
    assert_true(screen_matches(screen, "token-wide-80x24"));
    leave(screen);
}

static void hostile_text_is_harmless(void **state)
{
    (void)state;
    struct chat_child child = {
        .script =
            "a\033[2Jb\033]0;owned\007\xE2\x80\xAE end.\n---\n!choices \033[31m|\xE2\x80\xAE|\n",
        .spelled = true};
    struct pty_screen *screen = open_pane(24, 80, &child, "end.");
    assert_true(pty_screen_wait_text(screen, "␛[31m"));
    assert_true(pty_screen_wait_text(screen, "<U+202E>"));
    assert_true(pty_screen_wait_text(screen, "↵"));
    assert_string_not_equal(pty_screen_state(screen)->title, "owned");
    leave(screen);
}

/* --- without tokens -------------------------------------------------------------------------- */

static void no_reply_yet(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = chat_child_start(24, 80, NULL, &child);
    ask(screen, "/tokens");
    assert_true(pty_screen_wait_text(screen, "No reply yet."));
    leave(screen);
}

static void a_typed_message_has_none(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = chat_child_start(36, 120, NULL, &child);
    ask(screen, "Go");
    assert_true(pty_screen_wait_text(screen, "wide."));
    assert_true(pty_screen_wait_no_text(screen, "Ctrl-C stops"));
    pty_screen_type(screen, ESC);
    assert_true(pty_screen_wait_text(screen, "i writes"));
    pty_screen_type(screen, "gp");
    assert_true(pty_screen_wait_text(screen, "was typed, not generated"));
    pty_screen_type(screen, "q");
    assert_true(pty_screen_wait_no_text(screen, "Tokens"));
    pty_screen_type(screen, "i/tokens\r");
    assert_true(pty_screen_wait_text(screen, "token 1 of"));
    leave(screen);
}

static void an_edited_reply_has_none(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = chat_child_start(36, 120, NULL, &child);
    ask(screen, "Go");
    assert_true(pty_screen_wait_text(screen, "wide."));
    assert_true(pty_screen_wait_no_text(screen, "Ctrl-C stops"));
    pty_screen_type(screen, ESC);
    assert_true(pty_screen_wait_text(screen, "i writes"));
    pty_screen_type(screen, "e");
    assert_true(pty_screen_wait_text(screen, "› The sea is wide."));
    pty_screen_type(screen, " Or not.\r");
    assert_true(pty_screen_wait_text(screen, "◆ The sea is wide. Or not."));
    ask(screen, "/tokens");
    assert_true(pty_screen_wait_text(screen, "edited, imported or cut"));
    leave(screen);
}

static void without_a_vocabulary(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = chat_child_start(24, 80, NULL, &child);
    ask(screen, "Go");
    assert_true(pty_screen_wait_text(screen, "wide."));
    ask(screen, "/tokens");
    assert_true(pty_screen_wait_text(screen, "This model's tokens are not known"));
    leave(screen);
}

/* --- probabilities --------------------------------------------------------------------------- */

static void the_taken_one_has_its_rank(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = open_pane(24, 80, &child, "wide.");
    assert_true(pty_screen_wait_text(screen, "50.0 % · rank 1"));
    assert_true(pty_screen_wait_text(screen, "surprise 1.00 bits"));
    assert_true(pty_screen_wait_text(screen, "●  50.0 %"));
    pty_screen_type(screen, "l");
    assert_true(pty_screen_wait_text(screen, "token 2 of"));
    assert_true(pty_screen_wait_text(screen, "below 6.3 % · rank over 4"));
    pty_screen_type(screen, "h");
    assert_true(pty_screen_wait_text(screen, "50.0 % · rank 1"));
    leave(screen);
}

static void all_are_asked_about(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true, .colour = "256"};
    struct pty_screen *screen = open_pane(36, 120, &child, "wide.");
    assert_true(pty_screen_wait_text(screen, "rank 1"));
    pty_screen_type(screen, "a");
    assert_true(pty_screen_wait_text(screen, FOOT));
    pty_screen_type(screen, "$");
    /* Known at once, without asking. */
    assert_true(pty_screen_wait_text(screen, "rank over 4"));
    leave(screen);
}

static void asking_is_stopped(void **state)
{
    (void)state;
    struct chat_child child = {
        .script = "One two three four five six seven eight.", .spelled = true, .piece_ms = 30};
    struct pty_screen *screen = open_pane(24, 80, &child, "eight.");
    assert_true(pty_screen_wait_text(screen, "rank"));
    pty_screen_type(screen, "a");
    assert_true(pty_screen_wait_text(screen, "tokens · Esc stops"));
    pty_screen_type(screen, ESC);
    assert_true(pty_screen_wait_no_text(screen, "Esc stops"));
    assert_true(pty_screen_wait_text(screen, "Tokens · "));
    leave(screen);
}

static void letters_of_a_choice(void **state)
{
    (void)state;
    struct chat_child child = {.script = "B) The sea.\n---\n!choices A|B| B|D", .spelled = true};
    struct pty_screen *screen = open_pane(24, 80, &child, "The sea.");
    /* 50 %, 25 % and 12.5 %, 6.25 %. */
    assert_true(pty_screen_wait_text(screen, "A 50%"));
    assert_true(pty_screen_wait_text(screen, "B 38%"));
    assert_true(pty_screen_wait_text(screen, "C 0%"));
    assert_true(pty_screen_wait_text(screen, "D 6%"));
    leave(screen);
}

static void a_word_is_no_letter(void **state)
{
    (void)state;
    struct chat_child child = {.script = "A sea.\n---\n!choices A|B", .spelled = true};
    struct pty_screen *screen = open_pane(24, 80, &child, "A sea.");
    assert_true(pty_screen_wait_text(screen, "rank 1"));
    assert_false(pty_screen_shows(screen, "choices A"));
    leave(screen);
}

/* --- moving ---------------------------------------------------------------------------------- */

static void the_cursor_moves(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = open_pane(24, 80, &child, "wide.");
    assert_true(pty_screen_wait_text(screen, "token 1 of"));
    pty_screen_type(screen, "w");
    assert_true(pty_screen_wait_no_text(screen, "token 1 of"));
    pty_screen_type(screen, "b");
    assert_true(pty_screen_wait_text(screen, "token 1 of"));
    pty_screen_type(screen, "l");
    assert_true(pty_screen_wait_text(screen, "token 2 of"));
    pty_screen_type(screen, "ll" ESC "[D");
    assert_true(pty_screen_wait_text(screen, "token 3 of"));
    pty_screen_type(screen, "0hhh");
    assert_true(pty_screen_wait_text(screen, "token 1 of"));
    leave(screen);
}

static void rows_of_a_long_reply(void **state)
{
    (void)state;
    struct strbuf reply = {0};
    for (int i = 1; i <= 40; i++)
        strbuf_printf(&reply, "row %d.\n", i);
    strbuf_puts(&reply, "end.");
    struct chat_child child = {.script = strbuf_text(&reply), .spelled = true};
    struct pty_screen *screen = open_pane(24, 80, &child, "end.");
    assert_true(pty_screen_wait_text(screen, "row 3.↵"));
    for (int i = 0; i < 30; i++)
        pty_screen_type(screen, "j");
    assert_true(pty_screen_wait_text(screen, "row 31.↵"));
    for (int i = 0; i < 30; i++)
        pty_screen_type(screen, "k");
    assert_true(pty_screen_wait_text(screen, "row 1.↵"));
    strbuf_free(&reply);
    leave(screen);
}

/* --- branches -------------------------------------------------------------------------------- */

static void another_one_is_gone_on_from(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = open_pane(36, 120, &child, "wide.");
    assert_true(pty_screen_wait_text(screen, "rank 1"));
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "go on from it"));
    pty_screen_type(screen, "\r");
    /* "A" in the place of "The", and the next reply of the script. */
    assert_true(pty_screen_wait_text(screen, "◆ Aand deep."));
    assert_true(pty_screen_wait_text(screen, "‹ 2/2 ›"));
    assert_true(pty_screen_wait_text(screen, "25.0 % · rank 2"));
    assert_true(pty_screen_wait_text(screen, FOOT));
    leave(screen);
}

static void the_end_is_not_gone_on_from(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = open_pane(24, 80, &child, "wide.");
    assert_true(pty_screen_wait_text(screen, "the end"));
    pty_screen_type(screen, "\rk\r");
    assert_true(pty_screen_wait_text(screen, "this one was taken"));
    pty_screen_type(screen, "jjjj\r");
    assert_true(pty_screen_wait_text(screen, "the reply would end here"));
    pty_screen_type(screen, ESC);
    assert_true(pty_screen_wait_text(screen, FOOT));
    leave(screen);
}

static void the_gauge_says_what_is_shared(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = chat_child_start(24, 160, NULL, &child);
    ask(screen, "Go");
    assert_true(pty_screen_wait_text(screen, "wide."));
    assert_true(pty_screen_wait_text(screen, "KV 12.0 MiB / 8.0 MiB shared / 100.0 MiB free"));
    assert_true(pty_screen_wait_text(screen, "from disk, "));
    pty_screen_resize(screen, 24, 80);
    assert_true(pty_screen_wait_no_text(screen, "from disk, "));
    pty_screen_type(screen, CTRL_D);
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    pty_screen_free(screen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(wide_characters),
        cmocka_unit_test(hostile_text_is_harmless),
        cmocka_unit_test(no_reply_yet),
        cmocka_unit_test(a_typed_message_has_none),
        cmocka_unit_test(an_edited_reply_has_none),
        cmocka_unit_test(without_a_vocabulary),
        cmocka_unit_test(the_taken_one_has_its_rank),
        cmocka_unit_test(all_are_asked_about),
        cmocka_unit_test(asking_is_stopped),
        cmocka_unit_test(letters_of_a_choice),
        cmocka_unit_test(a_word_is_no_letter),
        cmocka_unit_test(the_cursor_moves),
        cmocka_unit_test(rows_of_a_long_reply),
        cmocka_unit_test(another_one_is_gone_on_from),
        cmocka_unit_test(the_end_is_not_gone_on_from),
        cmocka_unit_test(the_gauge_says_what_is_shared),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
