/* Replies on the screen: while they come, when they are stopped, and afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/base/strbuf.h"
#include "engine/infer/generator.h"
#include "tests/screens/screen_steps.h"

static void cancel_keeps_what_came(void **state)
{
    (void)state;
    char *text = steps_numbered(2000);
    struct chat_child child = {.script = text, .piece_ms = 1};
    struct pty_screen *screen = steps_start(24, 80, &child);
    steps_ask(screen, "count");
    assert_true(pty_screen_wait_text(screen, "line 5."));
    steps_ask(screen, "queued words");
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

static void escape_reads_and_ctrl_c_stops(void **state)
{
    (void)state;
    char *text = steps_numbered(2000);
    struct chat_child child = {.script = text, .piece_ms = 1};
    struct pty_screen *screen = steps_start(24, 80, &child);
    steps_ask(screen, "count");
    assert_true(pty_screen_wait_text(screen, "line 5."));
    pty_screen_type(screen, ESCAPE);
    assert_true(pty_screen_wait_text(screen, "i writes"));
    assert_true(pty_screen_wait_text(screen, "line 40.")); /* it goes on */
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_text(screen, "stopped · /continue goes on"));
    pty_screen_type(screen, "i");
    assert_true(pty_screen_wait_no_text(screen, "i writes"));
    steps_leave(screen);
    free(text);
}

static void what_is_typed_during_a_reply_is_sent_after_it(void **state)
{
    (void)state;
    struct chat_child child = {.script = "one two three four five six seven eight nine ten.\n---\n"
                                         "Second.",
                               .piece_ms = 30};
    struct pty_screen *screen = steps_start(24, 80, &child);
    steps_ask(screen, "first question");
    assert_true(pty_screen_wait_text(screen, "◆ one"));
    steps_ask(screen, "second question");
    assert_true(pty_screen_wait_text(screen, "▏ second question"));
    assert_true(pty_screen_wait_text(screen, "▌ second question"));
    assert_true(pty_screen_wait_text(screen, "◆ Second."));
    steps_leave(screen);
}

static void an_error_is_a_line_and_the_question_stays(void **state)
{
    (void)state;
    struct chat_child child = {.script = "!error the device is lost\n---\nNow it works."};
    struct pty_screen *screen = steps_start(24, 80, &child);
    steps_ask(screen, "hello");
    assert_true(pty_screen_wait_text(screen, "! the device is lost"));
    assert_true(pty_screen_wait_text(screen, "not answered · /retry sends it again"));
    steps_ask(screen, "/retry");
    assert_true(pty_screen_wait_text(screen, "◆ Now it works."));
    steps_leave(screen);
    child = (struct chat_child){.script = steps_script, .context = 60};
    screen = steps_start(24, 80, &child);
    pty_screen_type(screen, "a question that is much too long for so small a context, and goes on "
                            "and on and on\r");
    assert_true(pty_screen_wait_text(screen, "do not fit into 60"));
    pty_screen_type(screen, ESCAPE);
    assert_true(pty_screen_wait_no_text(screen, "do not fit into 60"));
    assert_true(pty_screen_wait_text(screen, "› a question that is much")); /* to be edited */
    pty_screen_type(screen, CTRL_C);
    steps_leave(screen);
}

static void retry_and_continue(void **state)
{
    (void)state;
    struct chat_child child = {.script = "First.\n---\nOther.\n---\n And more."};
    struct pty_screen *screen = steps_start(24, 80, &child);
    steps_ask(screen, "/retry");
    assert_true(pty_screen_wait_text(screen, "nothing to answer again"));
    steps_ask(screen, "question");
    assert_true(pty_screen_wait_text(screen, "◆ First."));
    steps_idle(screen);
    steps_ask(screen, "/retry");
    assert_true(pty_screen_wait_text(screen, "◆ Other."));
    assert_false(pty_screen_shows(screen, "First."));
    steps_idle(screen);
    steps_ask(screen, "/continue");
    assert_true(pty_screen_wait_text(screen, "◆ Other. And more."));
    steps_leave(screen);
}

static void the_view_is_not_yanked(void **state)
{
    (void)state;
    char *text = steps_numbered(3000);
    struct chat_child child = {.script = text, .piece_ms = 1};
    struct pty_screen *screen = steps_start(24, 80, &child);
    steps_ask(screen, "count");
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
    steps_leave(screen);
}

static void a_key_is_echoed_within_a_few_frames(void **state)
{
    (void)state;
    char *text = steps_numbered(30000);
    struct chat_child child = {.script = text, .piece_ms = 1, .context = 1u << 20};
    struct pty_screen *screen = steps_start(24, 80, &child);
    struct strbuf typed = {0};
    strbuf_puts(&typed, "› ");
    steps_ask(screen, "count");
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
    steps_leave(screen);
}

/* Text that comes faster than frames are due is drawn by the frame, not by the piece. */
static void frames_are_fewer_than_pieces(void **state)
{
    (void)state;
    char *text = steps_numbered(400); /* 1,200 pieces */
    struct chat_child child = {.script = text, .piece_ms = 1, .context = 1u << 20};
    struct pty_screen *screen = steps_start(24, 80, &child);
    unsigned long frames = pty_screen_frames(screen);
    steps_ask(screen, "count");
    assert_true(pty_screen_wait_text(screen, "line 400."));
    assert_true(pty_screen_frames(screen) - frames < 300);
    free(text);
    steps_leave(screen);
}

/* --- drafts ----------------------------------------------------------------------------------- */

/* The fake, whose replies say that drafts made them faster. */
static struct generator_ops drafting;
static int (*plain_next)(struct generator *generator, struct event *event);

static int drafted_next(struct generator *generator, struct event *event)
{
    int result = plain_next(generator, event);
    if (result == 1)
        event->usage.draft_gain = 1.83;
    return result;
}

static struct generator *drafting_fake(void)
{
    struct generator *generator = generator_fake_open("A reply that quotes.", 0, 4096);
    drafting = *generator->ops;
    plain_next = drafting.next;
    drafting.next = drafted_next;
    generator->ops = &drafting;
    return generator;
}

static void the_gain_of_drafts_is_shown_where_there_is_room(void **state)
{
    (void)state;
    for (int wide = 0; wide < 2; wide++) {
        struct chat_child child = {.generator = drafting_fake};
        struct pty_screen *screen = steps_start(24, wide ? 140 : 40, &child);
        assert_false(pty_screen_shows(screen, "drafts"));
        steps_ask(screen, "question");
        assert_true(pty_screen_wait_text(screen, "A reply that quotes."));
        steps_idle(screen);
        assert_true(pty_screen_wait_text(screen, "/ 4,096"));
        assert_int_equal(pty_screen_shows(screen, "drafts x1.8"), wide);
        steps_leave(screen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cancel_keeps_what_came),
        cmocka_unit_test(escape_reads_and_ctrl_c_stops),
        cmocka_unit_test(what_is_typed_during_a_reply_is_sent_after_it),
        cmocka_unit_test(an_error_is_a_line_and_the_question_stays),
        cmocka_unit_test(retry_and_continue),
        cmocka_unit_test(the_view_is_not_yanked),
        cmocka_unit_test(a_key_is_echoed_within_a_few_frames),
        cmocka_unit_test(frames_are_fewer_than_pieces),
        cmocka_unit_test(the_gain_of_drafts_is_shown_where_there_is_room),
    };
    return cmocka_run_group_tests_name("screens: reply", tests, NULL, NULL);
}
