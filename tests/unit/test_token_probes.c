/* Tests of probabilities that are asked for and kept, and of a reply's tokens in rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/model/model.h"
#include "tui/chat.h"
#include "tui/token_probes.h"
#include "tui/token_reply.h"
#include "tui/token_text.h"

/* A probe made by hand. */
static struct token_choice choices[] = {
    {.id = 10, .log_probability = -0.693147f, .text = "A"},
    {.id = 11, .log_probability = -1.386294f, .text = " B"},
    {.id = 12, .log_probability = -2.079442f, .text = "B"},
    {.id = 2, .log_probability = -2.772589f, .text = "B", .special = true},
};
static const struct token_probe by_hand = {.key = 1, .choices = choices, .count = 4};

static void numbers(void **state)
{
    (void)state;
    bool exact;
    assert_int_equal(token_probe_rank(&by_hand, 12), 2);
    assert_int_equal(token_probe_rank(&by_hand, 99), 4);
    assert_true(fabs(token_probe_probability(&by_hand, 11, &exact) - 0.25) < 1e-4);
    assert_true(exact);
    assert_true(fabs(token_probe_probability(&by_hand, 99, &exact) - 0.0625) < 1e-4);
    assert_false(exact);
    /* 0.5 + 0.5 + 0.375 + 0.25 bits, and 6 % are elsewhere. */
    assert_true(fabs(token_probe_entropy(&by_hand, &exact) - 1.625) < 1e-3);
    assert_false(exact);
    assert_true(fabs(token_probe_letter(&by_hand, 'B') - 0.375) < 1e-4);
    assert_true(fabs(token_probe_letter(&by_hand, 'A') - 0.5) < 1e-4);
    assert_true(token_probe_letter(&by_hand, 'C') == 0);
}

static void keys_know_prompt_and_prefix(void **state)
{
    (void)state;
    struct segment_list a = {0}, b = {0};
    segment_add_text(&a, SEGMENT_CONTENT, PART_DRAFT, -1, false, "ab", 2);
    segment_add_text(&b, SEGMENT_CONTENT, PART_DRAFT, -1, false, "a", 1);
    segment_add_text(&b, SEGMENT_CONTENT, PART_DRAFT, -1, true, "b", 1);
    uint64_t first = token_key_prompt(&a), second = token_key_prompt(&b);
    assert_true(first != second);
    assert_true(token_key_next(first, 1) != token_key_next(first, 2));
    assert_true(token_key_next(token_key_next(first, 1), 2) !=
                token_key_next(token_key_next(first, 2), 1));
    assert_true(token_key_next(first, 1) == token_key_next(token_key_prompt(&a), 1));
    segment_list_free(&a);
    segment_list_free(&b);
}

/* Takes events until the probe has ended. */
static void finish(struct token_probes *probes, struct generator *generator, struct error *error)
{
    struct event event;
    error->code = ERROR_NONE;
    while (token_probes_are_busy(probes)) {
        if (generator->ops->next(generator, &event) != 1)
            continue;
        struct error now;
        token_probes_event(probes, &event, &now);
        if (now.code != ERROR_NONE)
            *error = now;
        event_free(&event);
    }
}

static void an_answer_is_kept(void **state)
{
    (void)state;
    struct generator *generator = generator_fake_open("!choices x|y", 0, 4096);
    struct token_probes *probes = token_probes_create(generator);
    struct segment_list prompt = {0};
    struct error error;
    segment_add_text(&prompt, SEGMENT_CONTENT, PART_DRAFT, -1, false, "hello", 5);
    assert_null(token_probes_find(probes, 77));
    assert_int_equal(token_probes_ask(probes, 77, &prompt, NULL, 0, &error), 0);
    assert_true(token_probes_are_busy(probes));
    finish(probes, generator, &error);
    assert_int_equal(error.code, ERROR_NONE);
    const struct token_probe *probe = token_probes_find(probes, 77);
    assert_non_null(probe);
    assert_int_equal(probe->count, 2);
    assert_string_equal(probe->choices[1].text, "y");
    assert_null(token_probes_find(probes, 77 + 4096)); /* beside it in the table */
    token_probes_free(probes);
    segment_list_free(&prompt);
    generator->ops->free(generator);
}

static void many_answers_do_not_fill_the_table(void **state)
{
    (void)state;
    struct generator *generator = generator_fake_open("!choices x|y", 0, 4096);
    struct token_probes *probes = token_probes_create(generator);
    struct segment_list prompt = {0};
    struct error error;
    segment_add_text(&prompt, SEGMENT_CONTENT, PART_DRAFT, -1, false, "hello", 5);
    for (uint64_t key = 1; key <= 5000; key++) {
        assert_int_equal(token_probes_ask(probes, key, &prompt, NULL, 0, &error), 0);
        finish(probes, generator, &error);
        assert_non_null(token_probes_find(probes, key));
    }
    assert_null(token_probes_find(probes, 1));
    token_probes_free(probes);
    segment_list_free(&prompt);
    generator->ops->free(generator);
}

static void what_is_cancelled_does_not_come(void **state)
{
    (void)state;
    struct generator *generator = generator_fake_open("!choices x|y", 0, 4096);
    struct token_probes *probes = token_probes_create(generator);
    struct segment_list prompt = {0};
    struct error error;
    struct event event;
    segment_add_text(&prompt, SEGMENT_CONTENT, PART_DRAFT, -1, false, "hello", 5);
    assert_int_equal(token_probes_ask(probes, 5, &prompt, NULL, 0, &error), 0);
    token_probes_cancel(probes);
    assert_false(token_probes_are_busy(probes));
    for (bool done = false; !done;) {
        if (generator->ops->next(generator, &event) != 1)
            continue;
        assert_false(token_probes_event(probes, &event, &error));
        done = event.kind == EVENT_DONE;
        event_free(&event);
    }
    assert_null(token_probes_find(probes, 5));
    token_probes_free(probes);
    segment_list_free(&prompt);
    generator->ops->free(generator);
}

static void an_error_is_told(void **state)
{
    (void)state;
    struct generator *generator = generator_fake_open("x", 0, 4);
    struct token_probes *probes = token_probes_create(generator);
    struct segment_list prompt = {0};
    struct error error = {0};
    segment_add_text(&prompt, SEGMENT_CONTENT, PART_DRAFT, -1, false, "a prompt that is long", 21);
    assert_int_equal(token_probes_ask(probes, 5, &prompt, NULL, 0, &error), -1);
    assert_non_null(strstr(error.message, "the context of 4"));
    assert_false(token_probes_are_busy(probes));
    token_probes_free(probes);
    segment_list_free(&prompt);
    generator->ops->free(generator);
}

/* --- with the real model --------------------------------------------------------------------- */

static struct generator *open_vaquita(void)
{
    struct model *model;
    struct generator *generator = NULL;
    struct error error = {0};
    const struct model_options options = {.threads = 1};
    if (model_open(&model, "models/vaquita", &options, &error) != 0)
        fail_msg("%s", error.message);
    if (generator_local_open(&generator, model, NULL, &error) != 0)
        fail_msg("%s", error.message);
    return generator;
}

/* A greedy reply's tokens are what a probe of each place finds likeliest: the pane asks about the
 * very prefix that was generated from. */
static void a_greedy_reply_is_the_likeliest(void **state)
{
    (void)state;
    struct settings settings;
    struct error error = {0};
    struct chat *chat;
    struct event event;
    struct message *message = NULL;
    struct prompt_notes notes = {0};
    struct token_reply reply = {0};
    struct generator *generator = open_vaquita();
    settings_defaults(&settings);
    settings.sampling.temperature = 0;
    settings.sampling.repeat_penalty = 1;
    settings.max_tokens = 12;
    assert_int_equal(chat_open(&chat, &settings, generator, NULL, 1, &error), 0);
    assert_int_equal(chat_send(chat, "What is a vaquita?", &notes, &error), 0);
    for (enum chat_change change = CHAT_SAME; change != CHAT_ENDED;) {
        if (generator->ops->next(generator, &event) != 1)
            continue;
        change = chat_event(chat, &event, &message);
        assert_int_not_equal(change, CHAT_FAILED);
        event_free(&event);
    }
    const struct message *tip = chat_tip(chat);
    assert_int_equal(token_reply_build(&reply, chat, tip, true, &error), 0);
    assert_int_equal(reply.count, tip->tokens.count);
    assert_true(reply.count > 3);
    struct token_probes *probes = token_probes_create(generator);
    for (size_t i = 0; i < reply.count; i++) {
        assert_int_equal(token_probes_ask(probes, reply.tokens[i].key, &reply.prompt,
                                          tip->tokens.ids, i, &error),
                         0);
        finish(probes, generator, &error);
        const struct token_probe *probe = token_probes_find(probes, reply.tokens[i].key);
        assert_non_null(probe);
        assert_int_equal(token_probe_rank(probe, tip->tokens.ids[i]), 0);
    }
    token_probes_free(probes);
    token_reply_free(&reply);
    prompt_notes_free(&notes);
    chat_free(chat);
    generator->ops->free(generator);
    settings_free(&settings);
}

/* --- rows ------------------------------------------------------------------------------------ */

static void tokens_stand_in_rows(void **state)
{
    (void)state;
    struct reply_token tokens[] = {
        {.begin = 0, .length = 3, .columns = 3, .word = true},
        {.begin = 3, .length = 3, .columns = 3, .word = true},
        {.begin = 6, .length = 2, .columns = 2},
        {.begin = 8, .length = 3, .columns = 3, .word = true, .breaks = true},
        {.begin = 11, .length = 1, .columns = 1, .word = true},
    };
    char shown[] = "one tw.o xx z";
    struct token_reply reply = {.tokens = tokens, .count = 5, .shown = {.data = shown}};
    token_reply_layout(&reply, 8);
    static const int rows[] = {0, 0, 0, 1, 2}, columns[] = {0, 3, 6, 0, 0};
    for (size_t i = 0; i < 5; i++) {
        assert_int_equal(tokens[i].row, rows[i]);
        assert_int_equal(tokens[i].column, columns[i]);
    }
    assert_int_equal(reply.rows, 3);
    assert_int_equal(token_reply_at(&reply, 0, 4), 1);
    assert_int_equal(token_reply_at(&reply, 1, 7), 3);
    assert_int_equal(token_reply_at(&reply, 2, 0), 4);
    token_reply_layout(&reply, 7); /* the two tokens of a word go to the next row together */
    assert_int_equal(tokens[1].row, 1);
    assert_true(tokens[1].hangs);
    assert_int_equal(tokens[2].row, 1);
    assert_int_equal(tokens[2].column, 2);
}

static void texts_are_visible(void **state)
{
    (void)state;
    struct strbuf out = {0};
    token_text_put(" a b \n", 6, true, &out);
    assert_string_equal(strbuf_text(&out), "␣a b ↵");
    strbuf_clear(&out);
    token_text_put("  ", 2, true, &out);
    assert_string_equal(strbuf_text(&out), "␣␣");
    strbuf_clear(&out);
    token_text_put("\033[2J", 4, false, &out);
    assert_string_equal(strbuf_text(&out), "␛[2J");
    strbuf_clear(&out);
    token_text_put_piece("<0xE6>", &out);
    assert_string_equal(strbuf_text(&out), "‹E6›");
    strbuf_free(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(keys_know_prompt_and_prefix),
        cmocka_unit_test(an_answer_is_kept),
        cmocka_unit_test(many_answers_do_not_fill_the_table),
        cmocka_unit_test(what_is_cancelled_does_not_come),
        cmocka_unit_test(an_error_is_told),
        cmocka_unit_test(a_greedy_reply_is_the_likeliest),
        cmocka_unit_test(tokens_stand_in_rows),
        cmocka_unit_test(texts_are_visible),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
