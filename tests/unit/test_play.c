/* Tests of scenes in a chat without a screen: changes, first messages, whose turn it is, the rows
 * of the pane, and `airo play` as a command. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"
#include "tui/chat.h"
#include "tui/scene_edit.h"
#include "tui/scene_rows.h"
#include "tui/scene_shelf.h"

static struct scene *two(void)
{
    struct scene *scene = scene_create();
    assert_int_equal(scene_add_character(scene, "Old Bram", "Bram", "a keeper.", NULL, NULL), 0);
    assert_int_equal(scene_add_character(scene, "Pip", "", "a sailor.", NULL, NULL), 0);
    assert_int_equal(scene_set_user(scene, "Jon", NULL), 0);
    return scene;
}

/* --- changes --------------------------------------------------------------------------------- */

static void characters_are_changed_by_number(void **state)
{
    (void)state;
    struct error error = {0};
    struct scene *scene = two();
    assert_int_equal(scene_set_description(scene, 0, "a keeper of bees.", &error), 0);
    assert_string_equal(scene->characters[0].description, "a keeper of bees.");
    assert_string_equal(scene->characters[0].short_name, "Bram");
    assert_int_equal(scene_rename(scene, 0, "Old Tom", &error), 0);
    assert_string_equal(scene_speaker(scene, 0), "Old Tom"); /* the short name went with the old */
    assert_int_equal(scene_rename(scene, 0, "Jon", &error), -1);
    assert_non_null(strstr(error.message, "taken"));
    assert_int_equal(scene_rename(scene, 0, "A:B", &error), -1);
    assert_int_equal(scene_rename(scene, 0, "USER", &error), -1);
    assert_int_equal(scene_rename(scene, 7, "Z", &error), -1);
    assert_int_equal(scene_set_description(scene, 7, "z", &error), -1);
    assert_int_equal(scene_new_character(scene, 0, "Mog , a cat, and judge.", &error), 0);
    assert_string_equal(scene->characters[2].name, "Mog");
    assert_string_equal(scene->characters[2].description, "a cat, and judge.");
    assert_int_equal(scene_new_character(scene, 0, "", &error), -1);
    assert_int_equal(scene_new_character_file(scene, 0, "no/such.png", &error), -1);
    assert_int_equal(scene_drop_character(scene, 0, "", &error), 0);
    assert_int_equal(scene_drop_character(scene, 2, "", &error), -1);
    assert_int_equal(scene->character_count, 2);
    scene_free(scene);
}

static void the_usual_rules_are_written_out_once(void **state)
{
    (void)state;
    struct error error = {0};
    struct scene *scene = two();
    assert_int_equal(scene_new_rule(scene, 0, "", &error), -1);
    assert_int_equal(scene->rule_count, 0);
    assert_int_equal(scene_new_rule(scene, 0, "be brief", &error), 0);
    assert_int_equal(scene->rule_count, 7);
    assert_int_equal(scene_new_rule(scene, 0, "be kind", &error), 0);
    assert_int_equal(scene->rule_count, 8);
    assert_string_equal(scene->rules[7], "be kind");
    assert_int_equal(scene_set_rule(scene, 7, "be kinder", &error), 0);
    assert_string_equal(scene->rules[7], "be kinder");
    assert_int_equal(scene_set_rule(scene, 6, "", &error), 0); /* empty: gone */
    assert_int_equal(scene->rule_count, 7);
    assert_string_equal(scene->rules[6], "be kinder");
    assert_int_equal(scene_set_rule(scene, 7, "x", &error), -1);
    char *huge = xcalloc(SCENE_LINE_MAX + 2, 1);
    memset(huge, 'x', SCENE_LINE_MAX + 1);
    assert_int_equal(scene_set_rule(scene, 0, huge, &error), -1);
    assert_int_equal(scene_set_persona(scene, 0, huge, &error), -1);
    free(huge);
    scene_free(scene);
}

static void first_messages_count_the_scenes_own(void **state)
{
    (void)state;
    struct error error = {0};
    struct scene *scene = two();
    scene_put(&scene->first_message, "one");
    scene_add_greeting(scene, "two", NULL);
    scene_add_greeting(scene, "three", NULL);
    assert_int_equal(scene_set_greeting(scene, 1, "2", &error), 0);
    assert_string_equal(scene->greetings[0], "2");
    assert_int_equal(scene_set_greeting(scene, 0, "", &error), 0);
    assert_int_equal(scene_greeting_count(scene), 2);
    assert_int_equal(scene_drop_greeting(scene, 0, "", &error), 0);
    assert_string_equal(scene->greetings[0], "three");
    assert_int_equal(scene_drop_greeting(scene, 1, "", &error), -1);
    scene_free(scene);
}

/* --- a chat ---------------------------------------------------------------------------------- */

struct talk {
    struct settings settings;
    struct generator *generator;
    struct chat *chat;
};

static void talk_begin(struct talk *talk, struct scene *scene)
{
    struct error error = {0};
    settings_defaults(&talk->settings);
    talk->generator = generator_fake_open("reply", 0, 4096);
    assert_int_equal(chat_open(&talk->chat, &talk->settings, talk->generator, NULL, 1, &error), 0);
    chat_set_scene(talk->chat, scene);
}

static void talk_end(struct talk *talk)
{
    chat_free(talk->chat);
    talk->generator->ops->free(talk->generator);
    settings_free(&talk->settings);
}

static const char *tip(const struct talk *talk)
{
    return strbuf_text(&chat_tip(talk->chat)->text);
}

static void first_messages_stand_side_by_side(void **state)
{
    (void)state;
    struct talk talk;
    struct scene *scene = two();
    scene_put(&scene->first_message, "Bram: \"Hello {{user}}.\"");
    scene_add_greeting(scene, "Pip: \"Ahoy.\"", NULL);
    talk_begin(&talk, scene);
    assert_true(chat_greets(talk.chat));
    assert_string_equal(tip(&talk), "Bram: \"Hello Jon.\"");
    chat_greet(talk.chat, 1);
    assert_string_equal(tip(&talk), "Pip: \"Ahoy.\"");
    assert_int_equal(talk.chat->greeting, 1);
    chat_greet(talk.chat, 0); /* the one that is there, not a third */
    assert_int_equal(talk.chat->conversation->count, 2);
    assert_string_equal(tip(&talk), "Bram: \"Hello Jon.\"");
    unsigned long version = talk.chat->scene_version;
    struct scene *other = two();
    scene_put(&other->first_message, "Other.");
    chat_set_scene(talk.chat, other); /* nothing has been said: it begins with its own */
    assert_string_equal(tip(&talk), "Other.");
    assert_true(chat_tip(talk.chat)->parent < 0);
    assert_true(talk.chat->scene_version > version);
    chat_set_scene(talk.chat, NULL);
    assert_null(chat_tip(talk.chat));
    talk_end(&talk);
}

static void a_talk_that_has_begun_is_no_first_message(void **state)
{
    (void)state;
    struct talk talk;
    struct error error = {0};
    struct scene *scene = two();
    scene_put(&scene->first_message, "Hello.");
    talk_begin(&talk, scene);
    assert_int_equal(chat_send(talk.chat, "Hi.", NULL, &error), 0);
    assert_false(chat_greets(talk.chat));
    talk_end(&talk);
}

static void turns_go_round(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int turn;
    } cases[] = {{"Bram: \"One.\"", 1},
                 {"Old Bram: \"One.\"\nPip: \"Two.\"", 0},
                 {"Pip: \"Two.\"\n*Pip jumps*\nBram: \"Three.\"\n\n", 1},
                 {"It rains.", 0},
                 {"", 0}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct talk talk;
        struct scene *scene = two();
        scene_put(&scene->first_message, cases[i].text);
        talk_begin(&talk, scene);
        assert_int_equal(chat_turn(talk.chat), cases[i].turn);
        talk_end(&talk);
    }
}

/* --- rows ------------------------------------------------------------------------------------ */

static bool has_row(const struct scene_rows *rows, const char *text)
{
    for (size_t i = 0; i < rows->count; i++)
        if (strstr(rows->items[i].text, text) != NULL)
            return true;
    return false;
}

static void rows_are_clean_at_every_width(void **state)
{
    (void)state;
    struct talk talk;
    struct scene *scene = two();
    struct strbuf wide = {0};
    while (wide.length < 5000)
        strbuf_puts(&wide, "灯台守");
    scene_put(&scene->title, "\033]0;owned\007\342\200\256 title");
    scene_put(&scene->setting, strbuf_text(&wide));
    scene_put(&scene->user_persona, "a\033[2Jb");
    talk_begin(&talk, scene);
    for (int columns = 1; columns < 130; columns += 7) {
        struct scene_rows rows = {0};
        scene_rows_of_scene(&rows, talk.chat, columns);
        for (size_t i = 0; i < rows.count; i++) {
            assert_null(strpbrk(rows.items[i].text, "\033\007\n"));
            assert_null(strstr(rows.items[i].text, "\342\200\256"));
        }
        assert_true(has_row(&rows, "…")); /* the setting is cut, between characters */
        assert_false(has_row(&rows, "\357\277\275"));
        scene_rows_clear(&rows);
    }
    struct scene_rows rows = {0};
    scene_rows_of_lore(&rows, talk.chat, 40);
    assert_true(has_row(&rows, "no entry of a lorebook fired"));
    scene_rows_clear(&rows);
    strbuf_free(&wide);
    talk_end(&talk);
}

/* --- the command ----------------------------------------------------------------------------- */

static int run(const char *arguments, struct strbuf *out)
{
    const char *build = getenv("AIRO_BUILD");
    char *line =
        xasprintf("%s/airo %s 2>&1 </dev/null", build != NULL ? build : "build", arguments);
    FILE *pipe = popen(line, "r");
    char chunk[1024];
    size_t got;
    assert_non_null(pipe);
    while ((got = fread(chunk, 1, sizeof chunk, pipe)) > 0)
        strbuf_add(out, chunk, got);
    free(line);
    return WEXITSTATUS(pclose(pipe));
}

static void play_alone_lists_the_scenes(void **state)
{
    (void)state;
    struct strbuf out = {0};
    assert_int_equal(run("play", &out), 0);
    assert_non_null(strstr(strbuf_text(&out), "night-train     The Night Train\n"));
    assert_non_null(strstr(strbuf_text(&out), "with Madam Corva, Robot Nine"));
    strbuf_free(&out);
}

static void play_says_what_is_wrong_before_it_loads(void **state)
{
    (void)state;
    struct strbuf out = {0};
    assert_int_equal(run("play -m /no/such/model nosuch", &out), 1);
    assert_non_null(strstr(strbuf_text(&out), "scene nosuch: not found; there "));
    strbuf_clear(&out);
    assert_int_equal(run("play one two", &out), 2);
    assert_non_null(strstr(strbuf_text(&out), "one scene, not 2"));
    strbuf_free(&out);
}

static void every_shipped_scene_opens(void **state)
{
    (void)state;
    struct scene_shelf shelf;
    size_t found = 0;
    scene_shelf_read(&shelf);
    for (size_t i = 0; i < shelf.count; i++) {
        found += strcmp(shelf.items[i].name, "harbour-inn") == 0;
        assert_true(shelf.items[i].title[0] != '\0');
    }
    assert_int_equal(found, 1);
    scene_shelf_free(&shelf);
    char *name = scene_shelf_name(0);
    assert_non_null(name);
    free(name);
    assert_null(scene_shelf_name(9999));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_are_changed_by_number),
        cmocka_unit_test(the_usual_rules_are_written_out_once),
        cmocka_unit_test(first_messages_count_the_scenes_own),
        cmocka_unit_test(first_messages_stand_side_by_side),
        cmocka_unit_test(a_talk_that_has_begun_is_no_first_message),
        cmocka_unit_test(turns_go_round),
        cmocka_unit_test(rows_are_clean_at_every_width),
        cmocka_unit_test(play_alone_lists_the_scenes),
        cmocka_unit_test(play_says_what_is_wrong_before_it_loads),
        cmocka_unit_test(every_shipped_scene_opens),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
