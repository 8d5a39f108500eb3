/* Tests of engine/chat/scene, scene_text, scene_json and scene_file: the form to the byte, changes
 * of the cast, and scenes that survive being written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/card_file.h"
#include "engine/chat/scene_file.h"
#include "engine/chat/scene_json.h"
#include "engine/chat/scene_text.h"

static char home[] = "/tmp/airo-scene-XXXXXX";

#define RULES(names)                                                                               \
    "Rules:\n"                                                                                     \
    "- be sure to use the manerisms and speaking style of the characters correctly\n"              \
    "- surround character actions with asterisks\n"                                                \
    "- always put quotes around words spoken by the characters\n"                                  \
    "- use a new line for each character's actions or speech\n"                                    \
    "- always prefix actions/speech with the character's name and colon\n"                         \
    "- only generate text and actions on behalf of " names ", and never anyone else\n"

static struct scene *cafe(void)
{
    struct scene *scene = scene_create();
    struct error error = {0};
    assert_int_equal(
        scene_add_character(scene, "Yoda", "", "the ever clever jedi master.", NULL, &error), 0);
    assert_int_equal(scene_add_character(scene, "Homer Simpson", "Homer",
                                         "you know, the goofy yellow guy.", NULL, &error),
                     0);
    assert_int_equal(scene_set_user(scene, "Jon", &error), 0);
    scene_put(&scene->setting, "Conversation will revolve around the grapes, in a local cafe with "
                               "delicious coffee.");
    scene_put(&scene->opening, "Generate a single interaction between {{cast}} to start, with one "
                               "sentence each.");
    return scene;
}

static char *text_of(const struct scene *scene, const struct scene_form *form)
{
    static const struct scene_form plain;
    struct strbuf out = {0};
    scene_text(scene, form != NULL ? form : &plain, &out);
    strbuf_add(&out, "", 0);
    return strbuf_detach(&out);
}

static void expect_text(const struct scene *scene, const struct scene_form *form,
                        const char *expected)
{
    char *text = text_of(scene, form);
    assert_string_equal(text, expected);
    free(text);
}

/* --- the form --------------------------------------------------------------------------------- */

static void the_form_is_exact(void **state)
{
    (void)state;
    struct scene *scene = cafe();
    struct scene_form form = {0};
    struct strbuf opening = {0};
    expect_text(scene, NULL,
                "Characters:\n"
                "- Yoda, the ever clever jedi master.\n"
                "- Homer Simpson, you know, the goofy yellow guy.\n"
                "- USER/Jon - don't generate any speech or actions on behalf of Jon\n"
                "\n" RULES("Yoda or Homer") "\n"
                                            "Conversation will revolve around the grapes, in a "
                                            "local cafe with delicious "
                                            "coffee.");
    scene_opening(scene, &form.clock, &opening);
    assert_string_equal(opening.data, "Generate a single interaction between Yoda and Homer to "
                                      "start, with one sentence each.");
    strbuf_free(&opening);
    scene_free(scene);
}

static void the_rules_follow_the_cast(void **state)
{
    (void)state;
    struct scene *scene = cafe();
    struct error error;
    assert_int_equal(scene_add_character(scene, "Pip", "", "", NULL, &error), 0);
    char *text = text_of(scene, NULL);
    assert_non_null(strstr(text, "\n- Pip\n- USER/Jon"));
    assert_non_null(strstr(text, "behalf of Yoda, Homer or Pip, and"));
    free(text);
    scene_remove_character(scene, 0);
    assert_int_equal(scene_replace_character(scene, 0, "Old Bram", "", "a keeper.", NULL, &error),
                     0);
    assert_int_equal(scene_set_user(scene, "", &error), 0);
    scene_put(&scene->setting, "");
    expect_text(scene, NULL,
                "Characters:\n- Old Bram, a keeper.\n- Pip\n"
                "- USER - don't generate any speech or actions on behalf of USER\n\n"
                "Rules:\n- be sure to use the manerisms and speaking style of the characters "
                "correctly\n- surround character actions with asterisks\n- always put quotes "
                "around words spoken by the characters\n- use a new line for each character's "
                "actions or speech\n- always prefix actions/speech with the character's name and "
                "colon\n- only generate text and actions on behalf of Old Bram or Pip, and never "
                "anyone else");
    scene_free(scene);
}

static void own_rules_and_persona(void **state)
{
    (void)state;
    struct scene *scene = cafe();
    scene_add_rule(scene, "be kind to {{user}}\nand brief", NULL);
    scene_put(&scene->user_persona, "a tired inspector");
    scene_put(&scene->setting, "One.\r\n\r\nTwo.\n");
    expect_text(scene, &(struct scene_form){.before = "It rains.", .after = "It is late."},
                "It rains.\n\nCharacters:\n- Yoda, the ever clever jedi master.\n"
                "- Homer Simpson, you know, the goofy yellow guy.\n"
                "- USER/Jon, a tired inspector - don't generate any speech or actions on behalf of "
                "Jon\n\nIt is late.\n\nRules:\n- be kind to Jon and brief\n\nOne.\n\nTwo.");
    scene_free(scene);
}

static const char card_text[] =
    "{\"name\":\"Mara\",\"description\":\"{{char}} sails.\",\"personality\":\"calm\","
    "\"scenario\":\"At sea with {{user}}.\",\"first_mes\":\"Hello {{user}}.\",\"mes_example\":"
    "\"<START>\\n{{user}}: Ahoy\\n{{char}}: \\\"Ahoy.\\\"\\n<START>\\nsecond\\n<start>third\","
    "\"alternate_greetings\":[\"Again, {{user}}?\"]}";

static struct scene *card_scene(void)
{
    struct error error = {0};
    struct card *card = card_parse(card_text, strlen(card_text), "card", &error);
    assert_non_null(card);
    struct scene *scene = scene_from_card(card, &error);
    assert_non_null(scene);
    assert_int_equal(scene_set_user(scene, "Jon", &error), 0);
    return scene;
}

static void a_card_brings_its_texts(void **state)
{
    (void)state;
    struct scene *scene = card_scene();
    assert_int_equal(scene_example_count(scene), 3);
    expect_text(scene, &(struct scene_form){.skip_examples = 1},
                "Characters:\n- Mara\n- USER/Jon - don't generate any speech or actions on behalf "
                "of Jon\n\nAbout Mara:\nMara sails.\nPersonality: calm\nScenario: At sea with "
                "Jon.\n\n" RULES("Mara") "\nAn example of how Mara talks:\nJon: Ahoy\nMara: "
                                         "\"Ahoy.\"\n\nAn example of how Mara talks:\nsecond");
    char *none = text_of(scene, &(struct scene_form){.skip_examples = 99});
    assert_null(strstr(none, "An example"));
    free(none);
    assert_int_equal(scene_greeting_count(scene), 2);
    struct strbuf text = {0};
    scene_greeting(scene, 0, &(struct macro_context){0}, &text);
    strbuf_putc(&text, '|');
    scene_greeting(scene, 1, &(struct macro_context){0}, &text);
    scene_greeting(scene, 2, &(struct macro_context){0}, &text);
    assert_string_equal(text.data, "Hello Jon.|Again, Jon?");
    strbuf_free(&text);
    scene_free(scene);
}

/* --- names ------------------------------------------------------------------------------------ */

static void names_are_checked(void **state)
{
    (void)state;
    static const char *const bad[] = {"",         " a",      "a ",   "a:b",  "a\nb",
                                      "*a*",      "\"a\"",   "USER", "user", "Assistant",
                                      "a\u2028b", "a\x1B[m", "\xFF"};
    struct scene *scene = cafe();
    struct error error;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        if (scene_add_character(scene, bad[i], "", "", NULL, &error) == 0)
            fail_msg("\"%s\" was taken as a name", bad[i]);
    assert_int_equal(scene_add_character(scene, "yoda", "", "", NULL, &error), -1);
    assert_non_null(strstr(error.message, "taken"));
    assert_int_equal(scene_add_character(scene, "Jon", "", "", NULL, &error), -1);
    assert_int_equal(scene_add_character(scene, "Bart", "Homer", "", NULL, &error), -1);
    assert_int_equal(scene_set_user(scene, "Homer", &error), -1);
    assert_int_equal(scene->character_count, 2);
    while (scene->character_count < SCENE_CHARACTERS_MAX) {
        char name[16];
        snprintf(name, sizeof name, "N%zu", scene->character_count);
        assert_int_equal(scene_add_character(scene, name, "", "", NULL, &error), 0);
    }
    assert_int_equal(scene_add_character(scene, "Last", "", "", NULL, &error), -1);
    scene_free(scene);
}

static void a_cards_name_is_cleaned(void **state)
{
    (void)state;
    static const char json[] = "{\"name\":\" \\\"Ann:\\n  B\\\" \"}";
    struct error error;
    struct scene *scene = scene_from_card(card_parse(json, strlen(json), "c", &error), &error);
    assert_string_equal(scene->characters[0].name, "Ann B");
    char *prefix = scene_prefix(scene, 0), *user = scene_user_prefix(scene);
    assert_string_equal(prefix, "Ann B:");
    assert_string_equal(user, "You:");
    free(prefix);
    free(user);
    scene_free(scene);
}

/* --- written and read ------------------------------------------------------------------------- */

static struct scene *full_scene(void)
{
    struct scene *scene = card_scene();
    struct error error;
    assert_int_equal(
        scene_add_character(scene, "Homer Simpson", "Homer", "a \"guy\".\n", NULL, &error), 0);
    scene_put(&scene->name, "full");
    scene_put(&scene->description, "caf\u00E9 \\ \t");
    scene_put(&scene->user_persona, "me");
    scene_put(&scene->setting, "{{random:a,b}}\n\n\u2028");
    scene_put(&scene->opening, "Go.");
    scene_add_rule(scene, "be kind", NULL);
    return scene;
}

static void a_scene_as_text_is_lossless(void **state)
{
    (void)state;
    struct scene *scene = full_scene();
    struct scene *copy = scene_copy(scene);
    struct strbuf first = {0}, second = {0}, third = {0};
    struct error error = {0};
    scene_write(scene, &first);
    assert_true(scene_json_is(first.data, first.length));
    struct scene *read = scene_parse(first.data, first.length, "text", &error);
    if (read == NULL)
        fail_msg("%s", error.message);
    scene_write(read, &second);
    scene_write(copy, &third);
    assert_string_equal(first.data, second.data);
    assert_string_equal(first.data, third.data);
    assert_string_equal(read->name, "full");
    assert_string_equal(read->title, "Mara");
    assert_string_equal(read->description, scene->description);
    assert_string_equal(read->setting, scene->setting);
    assert_string_equal(read->user_name, "Jon");
    assert_string_equal(read->user_persona, "me");
    assert_string_equal(read->opening, "Go.");
    assert_string_equal(read->first_message, "Hello {{user}}.");
    assert_string_equal(read->rules[0], "be kind");
    assert_int_equal(read->greeting_count, 1);
    assert_string_equal(read->characters[1].short_name, "Homer");
    assert_string_equal(read->characters[1].description, "a \"guy\".\n");
    assert_string_equal(read->characters[0].card->greetings[0], "Again, {{user}}?");
    strbuf_free(&first);
    strbuf_free(&second);
    strbuf_free(&third);
    scene_free(scene);
    scene_free(copy);
    scene_free(read);
}

static void wrong_texts_are_refused(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"\"airo_scene\": 1", "\"airo_scene\": 2"},
        {"\"setting\"", "\"seting\""},
        {"\"Homer\"", "7"},
        {"\"be kind\"", "{}"},
        {"\"Jon\"", "\"a:b\""},
        {"Homer Simpson", "Mara"},
        {"\"Hello {{user}}.\"", "[]"},
    };
    struct scene *scene = full_scene();
    struct strbuf text = {0};
    scene_write(scene, &text);
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        struct strbuf bad = {0};
        struct error error = {0};
        const char *at = strstr(text.data, wrong[i][0]);
        assert_non_null(at);
        strbuf_add(&bad, text.data, (size_t)(at - text.data));
        strbuf_puts(&bad, wrong[i][1]);
        strbuf_puts(&bad, at + strlen(wrong[i][0]));
        if (scene_parse(bad.data, bad.length, "SOURCE", &error) != NULL)
            fail_msg("%s was taken", wrong[i][1]);
        assert_int_equal(strncmp(error.message, "SOURCE: ", 8), 0);
        strbuf_free(&bad);
    }
    strbuf_free(&text);
    scene_free(scene);
}

/* --- files ------------------------------------------------------------------------------------ */

static char *write_file(const char *directory, const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", directory, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
    return path;
}

static void shipped_scenes_open(void **state)
{
    (void)state;
    static const char *const names[] = {"lighthouse", "night-train", "castle-kitchen"};
    for (size_t i = 0; i < 3; i++) {
        struct error error = {0};
        struct scene *scene = scene_open(names[i], &error);
        if (scene == NULL)
            fail_msg("%s", error.message);
        assert_string_equal(scene->name, names[i]);
        assert_true(scene->character_count >= 2);
        assert_true(scene->opening[0] != '\0' || scene->first_message[0] != '\0');
        char *text = text_of(scene, NULL);
        assert_null(strstr(text, "{{"));
        assert_non_null(strstr(text, "\n\nConversation will revolve around "));
        free(text);
        scene_free(scene);
    }
    struct scene_list list;
    scene_list(SCENE_SCENES, &list);
    assert_true(list.count >= 3);
    assert_string_equal(list.items[0].name, "castle-kitchen");
    assert_string_equal(list.items[0].title, "The Castle Kitchen");
    scene_list_free(&list);
    scene_list(SCENE_CHARACTERS, &list);
    assert_true(list.count >= 6);
    scene_list_free(&list);
}

static void saved_scenes_open_again(void **state)
{
    (void)state;
    struct scene *scene = full_scene();
    struct error error = {0};
    struct stat status;
    assert_int_equal(scene_save(scene, "../up", false, &error), -1);
    assert_int_equal(scene_save(scene, "mine", false, &error), 0);
    assert_int_equal(scene_save(scene, "mine", false, &error), -1);
    assert_non_null(strstr(error.message, "exists"));
    scene_put(&scene->title, "Changed");
    assert_int_equal(scene_save(scene, "mine", true, &error), 0);
    char *path = xasprintf("%s/airo/scenes/mine.json", home);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    struct scene *read = scene_open("mine", &error);
    assert_non_null(read);
    assert_string_equal(read->title, "Changed");
    struct scene_list list;
    scene_list(SCENE_SCENES, &list);
    assert_int_equal(list.count, 5);
    scene_list_free(&list);
    unlink(path);
    free(path);
    scene_free(read);
    scene_free(scene);
}

static void a_card_file_is_a_scene(void **state)
{
    (void)state;
    struct error error = {0};
    char *path = write_file(home, "mara.json", card_text);
    struct scene *scene = scene_open(path, &error);
    if (scene == NULL)
        fail_msg("%s", error.message);
    assert_string_equal(scene->name, "mara");
    assert_string_equal(scene->title, "Mara");
    char *again = xasprintf("%s/again.png", home);
    struct card *card = scene_character_card(scene, 0);
    assert_int_equal(card_export_png(card, NULL, again, &error), 0);
    assert_int_equal(card_export_png(card, NULL, again, &error), -1); /* exists */
    card_free(card);
    scene_free(scene);
    scene = scene_create();
    assert_int_equal(scene_add_file(scene, again, &error), 0);
    assert_int_equal(scene_add_file(scene, "nine", &error), 0);
    assert_int_equal(scene_add_file(scene, "nobody", &error), -1);
    assert_int_equal(scene_add_file(scene, "../x", &error), -1);
    assert_string_equal(scene->characters[0].card->fields[CARD_PERSONALITY], "calm");
    assert_string_equal(scene->characters[1].name, "Robot Nine");
    scene_free(scene);
    unlink(path);
    unlink(again);
    free(path);
    free(again);
}

static void errors_name_the_file_and_the_line(void **state)
{
    (void)state;
    static const struct {
        const char *text, *message;
    } cases[] = {
        {"[scene]\ntitle = \"t\"\n", "there is no [character 1]"},
        {"[scene]\ntitel = \"t\"\n", "line 2: scene:titel is not known here"},
        {"[character 1]\nname = \"a:b\"\n", "line 2: character 1: name: is one line"},
        {"[character x]\nname = \"a\"\n", "line 2: character x:name is not known here"},
        {"[character 1]\nfile = \"no-such\"\n",
         "line 2: character 1: character no-such: not found; there "},
        {"[character 1]\nfile = \"/etc/passwd\"\n", "line 2: character 1: character: a name is"},
        {"[character 1]\nname = \"A\"\n[setting]\nfile = \"../x\"\n", "line 4: setting:file names"},
        {"[character 1]\nname = \"A\"\n[setting]\nfile = \"gone.txt\"\n", "line 4: "},
        {"[character 1]\nname = \"A\"\n[first]\nfile = \"b.ini\"\ntext = \"x\"\n",
         "line 4: first:file stands beside a text"},
        {"[character 1]\nname = \"A\"\n[user]\nname = \"A\"\n", "user: name: A is a character"},
        {"[character 1]\nname = \"A\"\n[rules]\n1 = \"\xFF\xFE\"\n[setting]\nfile = \"b.ini\"\n",
         "not UTF-8"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct error error = {0};
        char *path = write_file(home, "b.ini", cases[i].text);
        if (scene_open(path, &error) != NULL)
            fail_msg("taken: %s", cases[i].text);
        if (strncmp(error.message, path, strlen(path)) != 0 ||
            strstr(error.message, cases[i].message) == NULL)
            fail_msg("\"%s\" instead of \"%s\"", error.message, cases[i].message);
        unlink(path);
        free(path);
    }
}

static int set_up(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(home));
    return setenv("XDG_CONFIG_HOME", home, 1);
}

static int tear_down(void **state)
{
    static const char *const below[] = {"/airo/scenes", "/airo", ""};
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        char *path = xasprintf("%s%s", home, below[i]);
        if (rmdir(path) != 0)
            perror(path);
        free(path);
    }
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_form_is_exact),
        cmocka_unit_test(the_rules_follow_the_cast),
        cmocka_unit_test(own_rules_and_persona),
        cmocka_unit_test(a_card_brings_its_texts),
        cmocka_unit_test(names_are_checked),
        cmocka_unit_test(a_cards_name_is_cleaned),
        cmocka_unit_test(a_scene_as_text_is_lossless),
        cmocka_unit_test(wrong_texts_are_refused),
        cmocka_unit_test(shipped_scenes_open),
        cmocka_unit_test(saved_scenes_open_again),
        cmocka_unit_test(a_card_file_is_a_scene),
        cmocka_unit_test(errors_name_the_file_and_the_line),
    };
    return cmocka_run_group_tests_name("scene", tests, set_up, tear_down);
}
