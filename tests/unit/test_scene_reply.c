/* Tests of what a chat asks for when a scene's reply is written: the grammar that holds it to the
 * scene's form, and where in it the reply begins; the prompt of a reply that follows a reply. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/base/strbuf.h"
#include "tui/chat.h"

/* The fake generator with an ear on what it is asked for. */
struct talk {
    struct settings settings;
    struct generator *generator;
    struct chat *chat;
};

static const struct generator_ops *fake_ops;
static struct grammar *heard; /* of the last reply that was asked for */
static struct strbuf asked;   /* its prompt */

static void forget(void)
{
    grammar_free(heard);
    heard = NULL;
    strbuf_free(&asked);
    asked = (struct strbuf){0};
}

static int listen(struct generator *generator, const struct generation_request *request,
                  uint64_t *generation, struct error *error)
{
    forget();
    if (request->grammar != NULL)
        heard = request->grammar->ops->copy(request->grammar);
    for (size_t i = 0; i < request->segments.count; i++)
        strbuf_add(&asked, request->segments.items[i].text, request->segments.items[i].length);
    return fake_ops->start(generator, request, generation, error);
}

static void talk_begin(struct talk *talk, const char *script, const char *first)
{
    static struct generator_ops ops;
    struct error error = {0};
    struct scene *scene = scene_create();
    assert_int_equal(scene_add_character(scene, "Bram", "", "a keeper.", NULL, NULL), 0);
    assert_int_equal(scene_add_character(scene, "Pip", "", "a sailor.", NULL, NULL), 0);
    assert_int_equal(scene_set_user(scene, "Jon", NULL), 0);
    scene_put(&scene->first_message, first);
    settings_defaults(&talk->settings);
    talk->generator = generator_fake_open(script, 0, 4096);
    fake_ops = talk->generator->ops;
    ops = *fake_ops;
    ops.start = listen;
    talk->generator->ops = &ops;
    assert_int_equal(chat_open(&talk->chat, &talk->settings, talk->generator, NULL, 1, &error), 0);
    chat_set_scene(talk->chat, scene);
}

static void talk_end(struct talk *talk)
{
    chat_free(talk->chat);
    talk->generator->ops->free(talk->generator);
    settings_free(&talk->settings);
    forget();
}

/* All events of the reply that is under way. */
static void hear_out(struct talk *talk)
{
    struct event event;
    struct message *message;
    while (chat_is_replying(talk->chat))
        if (talk->generator->ops->next(talk->generator, &event) > 0) {
            chat_event(talk->chat, &event, &message);
            event_free(&event);
        }
}

static enum grammar_verdict verdict(const char *text)
{
    assert_non_null(heard);
    return heard->ops->judge(heard, text, strlen(text));
}

static void a_new_reply_begins_a_line(void **state)
{
    (void)state;
    struct talk talk;
    struct error error = {0};
    talk_begin(&talk, "Pip: \"Aye.\"", "Bram: \"Hello.\"\n*It rains.*\n");
    assert_int_equal(chat_send(talk.chat, "Hi.", NULL, &error), 0);
    assert_int_equal(verdict("Pip: \"Aye.\""), GRAMMAR_ALLOWS);
    assert_int_equal(verdict("Aye."), GRAMMAR_FORBIDS);
    talk_end(&talk);
}

/* What was cut short goes on where it was, in the middle of what is said. */
static void a_continued_reply_goes_on_where_it_was(void **state)
{
    (void)state;
    struct talk talk;
    struct error error = {0};
    talk_begin(&talk, "Pip: \"Aye, and", "");
    assert_int_equal(chat_send(talk.chat, "Hi.", NULL, &error), 0);
    hear_out(&talk);
    assert_int_equal(chat_continue(talk.chat, &error), 0);
    assert_int_equal(verdict(" more.\" *waves*"), GRAMMAR_ALLOWS);
    assert_int_equal(verdict("\n"), GRAMMAR_FORBIDS);
    assert_int_equal(verdict(" more.\"\nJon:"), GRAMMAR_ENDS);
    assert_false(heard->ops->may_end(heard));
    talk_end(&talk);
}

/* A card's first message shows what its replies look like; they are not bent to another form. */
static void a_talk_goes_on_as_its_first_message_began(void **state)
{
    (void)state;
    struct talk talk;
    struct error error = {0};
    talk_begin(&talk, "*She nods.* Do come in.", "*She smiles.* Hello there, {{user}}.");
    assert_int_equal(chat_send(talk.chat, "Hi.", NULL, &error), 0);
    assert_null(heard);
    hear_out(&talk);
    assert_int_equal(chat_send(talk.chat, "Hm.", NULL, &error), 0);
    assert_null(heard);
    talk_end(&talk);
}

/* The model's own first reply is no such message. */
static void a_reply_does_not_switch_the_grammar_off(void **state)
{
    (void)state;
    struct talk talk;
    struct error error = {0};
    talk_begin(&talk, "Hello there.", "");
    assert_int_equal(chat_next_line(talk.chat, NULL, &error), 0);
    hear_out(&talk);
    assert_int_equal(chat_next_line(talk.chat, NULL, &error), 0);
    assert_int_equal(verdict("Pip: \"Aye.\""), GRAMMAR_ALLOWS);
    talk_end(&talk);
}

static void the_option_and_the_users_line_are_free(void **state)
{
    (void)state;
    struct talk talk;
    struct error error = {0};
    talk_begin(&talk, "Pip: \"Aye.\"", "Bram: \"Hello.\"");
    talk.chat->speaker = CHAT_USER;
    assert_int_equal(chat_next_line(talk.chat, NULL, &error), 0);
    assert_null(heard);
    hear_out(&talk);
    talk.settings.grammar = false;
    assert_int_equal(chat_send(talk.chat, "Hi.", NULL, &error), 0);
    assert_null(heard);
    talk_end(&talk);
}

/* Whoever speaks next, and when all is read again later. */
static void a_reply_after_a_reply_is_a_line_of_its_own(void **state)
{
    (void)state;
    struct talk talk;
    struct error error = {0};
    talk_begin(&talk, "Pip: \"Aye.\"\n---\nPip: \"No.\"\n", "Bram: \"Hello.\"");
    assert_int_equal(chat_next_line(talk.chat, NULL, &error), 0);
    assert_non_null(strstr(strbuf_text(&asked), "Bram: \"Hello.\"\n"));
    assert_int_equal(asked.data[asked.length - 1], '\n');
    hear_out(&talk);
    talk.chat->speaker = 0;
    assert_int_equal(chat_next_line(talk.chat, NULL, &error), 0);
    assert_non_null(strstr(strbuf_text(&asked), "Bram: \"Hello.\"\nPip: \"Aye.\"\n"));
    assert_int_equal(asked.data[asked.length - 2], '"');
    hear_out(&talk); /* it ends in a line break of its own */
    assert_int_equal(chat_continue(talk.chat, &error), 0);
    assert_int_not_equal(asked.data[asked.length - 2], '\n');
    talk_end(&talk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_reply_begins_a_line),
        cmocka_unit_test(a_continued_reply_goes_on_where_it_was),
        cmocka_unit_test(a_talk_goes_on_as_its_first_message_began),
        cmocka_unit_test(a_reply_does_not_switch_the_grammar_off),
        cmocka_unit_test(the_option_and_the_users_line_are_free),
        cmocka_unit_test(a_reply_after_a_reply_is_a_line_of_its_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
