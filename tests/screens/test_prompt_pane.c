/* Tests of the prompt pane: exactly what the model gets, as a person sees it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/file.h"
#include "engine/base/strbuf.h"
#include "tests/screens/chat_child.h"

#define F5     "\033[15~"
#define F6     "\033[17~"
#define CTRL_D "\004"
#define FOOT   "t tokens"

static const char script[] = "The vaquita is the smallest porpoise.\n---\nSecond.";

static struct pty_screen *start(int rows, int columns, struct chat_child *child)
{
    return chat_child_start(rows, columns, NULL, child);
}

static struct pty_screen *open_pane(int rows, int columns, struct chat_child *child,
                                    const char *draft)
{
    struct pty_screen *screen = start(rows, columns, child);
    pty_screen_type(screen, draft);
    /* Counted: the gauge is on the golden screens too. */
    assert_true(pty_screen_wait_no_text(screen, " 0 / 4,096"));
    assert_true(pty_screen_wait_no_text(screen, "36 / 4,096"));
    pty_screen_type(screen, F5);
    assert_true(pty_screen_wait_text(screen, FOOT));
    return screen;
}

/* Closes the pane, which has the focus, and leaves. */
static void leave(struct pty_screen *screen)
{
    pty_screen_type(screen, "q");
    assert_true(pty_screen_wait_no_text(screen, FOOT));
    pty_screen_type(screen, "\025" CTRL_D);
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    pty_screen_free(screen);
}

static void paste(struct pty_screen *screen, const char *text, size_t length)
{
    pty_screen_type(screen, "\033[200~");
    pty_screen_send(screen, text, length);
    pty_screen_type(screen, "\033[201~");
}

/* --- looks ----------------------------------------------------------------------------------- */

static void sizes(void **state)
{
    (void)state;
    static const struct {
        int rows, columns;
        const char *name;
    } cases[] = {{36, 120, "prompt-120x36"}, {24, 80, "prompt-80x24"}, {10, 40, "prompt-40x10"}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct chat_child child = {.script = script, .spelled = true};
        struct pty_screen *screen =
            open_pane(cases[i].rows, cases[i].columns, &child, "What is a vaquita?");
        assert_true(pty_screen_wait_text(screen, "for the draft"));
        assert_true(screen_matches(screen, cases[i].name));
        leave(screen);
    }
}

static void tokens_and_ids(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = open_pane(24, 80, &child, "What is a vaquita?");
    assert_true(pty_screen_wait_text(screen, "vaquita?"));
    pty_screen_type(screen, "#");
    assert_true(pty_screen_wait_text(screen, "₁"));
    assert_true(screen_matches(screen, "prompt-ids-80x24"));
    pty_screen_type(screen, "#");
    assert_true(pty_screen_wait_no_text(screen, "₁"));
    leave(screen);
}

static void wide_characters(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen =
        open_pane(24, 80, &child, "海豚 e\xCC\x81 👨‍👩‍👧 🇲🇽 ends here");
    assert_true(pty_screen_wait_text(screen, "▎ ASSISTANT:"));
    pty_screen_type(screen, "t");
    assert_true(screen_matches(screen, "prompt-wide-80x24"));
    leave(screen);
}

static void without_colours(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true, .colour = "none"};
    struct pty_screen *screen = open_pane(24, 80, &child, "What is a vaquita?");
    assert_true(pty_screen_wait_text(screen, "▎draft"));
    leave(screen);
}

static void parts_have_colours(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true, .colour = "256"};
    struct pty_screen *screen = open_pane(24, 80, &child, "xyzzy");
    assert_true(pty_screen_wait_text(screen, "USER: xyzzy"));
    int row = pty_screen_row_of(screen, "USER: xyzzy");
    char *text = pty_screen_text(screen), *line = text;
    for (int i = 0; i < row; i++)
        line = strchr(line, '\n') + 1;
    /* The bar at the left takes three bytes and one column. */
    int column = (int)(strstr(line, "xyzzy") - line) - 2;
    unsigned draft = pty_screen_colour(screen, row, column);
    assert_int_not_equal(draft, pty_screen_colour(screen, row - 2, column));
    int legend = pty_screen_row_of(screen, "▎draft");
    assert_true(legend >= 0);
    free(text);
    leave(screen);
}

/* --- what is shown --------------------------------------------------------------------------- */

static void it_follows_the_draft(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = open_pane(36, 120, &child, "first");
    assert_true(pty_screen_wait_text(screen, "USER: first ASSISTANT:"));
    pty_screen_type(screen, F6);
    pty_screen_type(screen, " second");
    assert_true(pty_screen_wait_text(screen, "USER: first second ASSISTANT:"));
    pty_screen_type(screen, "\025/help");
    assert_true(pty_screen_wait_text(screen, "nothing is typed yet"));
    pty_screen_type(screen, "\025third");
    assert_true(pty_screen_wait_text(screen, "USER: third ASSISTANT:"));
    pty_screen_type(screen, F5);
    leave(screen);
}

static void it_follows_the_chat(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = open_pane(36, 120, &child, "What is it?");
    pty_screen_type(screen, F6);
    pty_screen_type(screen, "\r");
    assert_true(pty_screen_wait_text(screen, "for more of the last reply"));
    assert_true(pty_screen_wait_text(screen, "▎history"));
    pty_screen_type(screen, "And?");
    assert_true(pty_screen_wait_text(screen, "for the draft"));
    assert_true(pty_screen_wait_text(screen, "▎draft "));
    pty_screen_type(screen, F5);
    leave(screen);
}

static void a_large_paste_is_shown_in_full(void **state)
{
    (void)state;
    struct strbuf text = {0};
    struct chat_child child = {.script = script, .spelled = true, .context = 16384};
    for (int i = 1; i <= 900; i++)
        strbuf_printf(&text, "line %d of the paste\n", i);
    struct pty_screen *screen = start(24, 80, &child);
    paste(screen, text.data, text.length);
    pty_screen_type(screen, F5);
    assert_true(pty_screen_wait_text(screen, "line 3 of the paste"));
    pty_screen_type(screen, "G");
    assert_true(pty_screen_wait_text(screen, "line 900 of the paste"));
    pty_screen_type(screen, "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk");
    assert_true(pty_screen_wait_no_text(screen, "line 900 of the paste"));
    assert_true(pty_screen_wait_text(screen, "line 850 of the paste"));
    pty_screen_type(screen, "g");
    assert_true(pty_screen_wait_text(screen, "<s>"));
    strbuf_free(&text);
    leave(screen);
}

static void what_does_not_fit_is_said(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true, .context = 40};
    struct pty_screen *screen = open_pane(24, 80, &child, "many many many many many words here");
    assert_true(pty_screen_wait_text(screen, "41 tokens: too many for 40"));
    leave(screen);
}

static void what_was_made_harmless_is_said(void **state)
{
    (void)state;
    static const char lines[] = "BEGININPUT\nENDINPUT\nBEGINCONTEXT\nENDCONTEXT\nENDINSTRUCTION\n"
                                "BEGININSTRUCTION\nlast line";
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = start(24, 80, &child);
    paste(screen, lines, strlen(lines));
    pty_screen_type(screen, F5);
    assert_true(pty_screen_wait_text(screen, "▌ made harmless: "));
    assert_true(pty_screen_wait_text(screen, "more · o shows all"));
    pty_screen_type(screen, "o");
    assert_true(pty_screen_wait_no_text(screen, "o shows all"));
    leave(screen);
}

static void hostile_text_is_harmless(void **state)
{
    (void)state;
    static const char lines[] = "a \033[31mred \033]0;owned\007 b\xE2\x80\xAE"
                                "c \xC2\x9B"
                                "31m end";
    struct chat_child child = {.script = "r\033[2J\033]0;owned\007\xE2\x80\xAE", .spelled = true};
    struct pty_screen *screen = start(36, 120, &child);
    paste(screen, lines, strlen(lines));
    pty_screen_type(screen, F5);
    assert_true(pty_screen_wait_text(screen, "a ␛[31mred ␛]0;owned␇"));
    assert_true(pty_screen_wait_text(screen, "<U+202E>"));
    pty_screen_type(screen, "t#");
    assert_true(pty_screen_wait_text(screen, "₁"));
    pty_screen_type(screen, "#t" F6 "\r");
    assert_true(pty_screen_wait_text(screen, "r␛[2J␛]0;owned␇"));
    assert_string_not_equal(pty_screen_state(screen)->title, "owned");
    pty_screen_type(screen, F5);
    leave(screen);
}

static void without_a_vocabulary(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = open_pane(24, 80, &child, "What?");
    assert_true(pty_screen_wait_text(screen, "USER: What? ASSISTANT:"));
    assert_true(pty_screen_wait_text(screen, "bytes"));
    pty_screen_type(screen, "t");
    assert_true(pty_screen_wait_text(screen, "this model's tokens are not known here"));
    leave(screen);
}

/* --- keys ------------------------------------------------------------------------------------ */

static void search_finds_and_goes_on(void **state)
{
    (void)state;
    struct strbuf text = {0};
    struct chat_child child = {.script = script, .spelled = true, .context = 16384};
    for (int i = 1; i <= 100; i++)
        strbuf_printf(&text, "line %d%s\n", i, i % 40 == 0 ? " Needle" : "");
    struct pty_screen *screen = start(24, 80, &child);
    paste(screen, text.data, text.length);
    pty_screen_type(screen, F5);
    assert_true(pty_screen_wait_text(screen, "line 3"));
    pty_screen_type(screen, "/");
    assert_true(pty_screen_wait_text(screen, "Search the prompt"));
    pty_screen_type(screen, "needle\r");
    assert_true(pty_screen_wait_text(screen, "1 of 2"));
    assert_true(pty_screen_wait_text(screen, "line 40 Needle"));
    pty_screen_type(screen, "n");
    assert_true(pty_screen_wait_text(screen, "2 of 2"));
    assert_true(pty_screen_wait_text(screen, "line 80 Needle"));
    pty_screen_type(screen, "n");
    assert_true(pty_screen_wait_text(screen, "1 of 2"));
    pty_screen_type(screen, "N");
    assert_true(pty_screen_wait_text(screen, "2 of 2"));
    pty_screen_type(screen, "/");
    assert_true(pty_screen_wait_text(screen, "Search the prompt"));
    pty_screen_type(screen, "nowhere to be found\r");
    assert_true(pty_screen_wait_text(screen, "not found"));
    strbuf_free(&text);
    leave(screen);
}

static void long_lines_wrap_or_move(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = open_pane(24, 80, &child, "the end of it");
    assert_true(pty_screen_wait_text(screen, "the end of it"));
    pty_screen_type(screen, "w");
    assert_true(pty_screen_wait_no_text(screen, "accurate"));
    for (int i = 0; i < 40; i++)
        pty_screen_type(screen, "l");
    assert_true(pty_screen_wait_text(screen, "ASSISTANT:"));
    pty_screen_type(screen, "w");
    assert_true(pty_screen_wait_text(screen, "A chat between"));
    leave(screen);
}

static void it_is_toggled(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = open_pane(24, 80, &child, "x");
    pty_screen_type(screen, F5);
    assert_true(pty_screen_wait_no_text(screen, FOOT));
    pty_screen_type(screen, "\025/prompt\r");
    assert_true(pty_screen_wait_text(screen, "nothing is typed yet"));
    leave(screen);
}

static bool has_sequence(struct pty_screen *screen, void *sequence)
{
    const struct strbuf *output = pty_screen_output(screen);
    return memmem(output->data, output->length, sequence, strlen(sequence)) != NULL;
}

static void it_is_copied(void **state)
{
    (void)state;
    char home[] = "/tmp/airo-prompt-XXXXXX";
    assert_non_null(mkdtemp(home));
    const struct pty_variable variables[] = {{"XDG_STATE_HOME", home}, {NULL, NULL}};
    struct chat_child child = {.script = script, .spelled = true};
    struct pty_screen *screen = chat_child_start(24, 80, variables, &child);
    pty_screen_type(screen, "x" F5);
    assert_true(pty_screen_wait_text(screen, "USER: x ASSISTANT:"));
    pty_screen_type(screen, "y");
    /* "<s>A chat betwee" */
    assert_true(pty_screen_wait(screen, has_sequence, "\033]52;c;PHM+QSBjaGF0IGJldHdl"));
    pty_screen_type(screen, "Y");
    /* "[1, " */
    assert_true(pty_screen_wait(screen, has_sequence, "\033]52;c;WzEs"));
    leave(screen);
    char path[64];
    snprintf(path, sizeof path, "%s/airo/clipboard", home);
    unlink(path);
    snprintf(path, sizeof path, "%s/airo", home);
    rmdir(path);
    rmdir(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes),
        cmocka_unit_test(tokens_and_ids),
        cmocka_unit_test(wide_characters),
        cmocka_unit_test(without_colours),
        cmocka_unit_test(parts_have_colours),
        cmocka_unit_test(it_follows_the_draft),
        cmocka_unit_test(it_follows_the_chat),
        cmocka_unit_test(a_large_paste_is_shown_in_full),
        cmocka_unit_test(what_does_not_fit_is_said),
        cmocka_unit_test(what_was_made_harmless_is_said),
        cmocka_unit_test(hostile_text_is_harmless),
        cmocka_unit_test(without_a_vocabulary),
        cmocka_unit_test(search_finds_and_goes_on),
        cmocka_unit_test(long_lines_wrap_or_move),
        cmocka_unit_test(it_is_toggled),
        cmocka_unit_test(it_is_copied),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
