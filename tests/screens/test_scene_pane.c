/* Tests of scenes as a person meets them: the pane, its keys, and the talk that goes on. */
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
#include "engine/chat/store.h"
#include "tests/screens/chat_child.h"

#define CTRL_C "\003"
#define CTRL_U "\025"
#define F4     "\033OS"
#define DOWN   "\033[B"
#define ESC    "\033"

static const char script[] = "Old Bram: \"Hmpf. Three fogs today.\"\nPip: \"Ha! Fog!\"\n*Pip jumps*"
                             "\n---\n"
                             "Old Bram: \"Second.\""
                             "\n---\n"
                             "Pip: \"Third.\"";

/* A private home: scenes saved there are seen nowhere else. */
static char home[] = "/tmp/airo-scene-XXXXXX";
static struct pty_variable variables[] = {{"XDG_CONFIG_HOME", home}, {NULL, NULL}};

static struct pty_screen *start(int rows, int columns, struct chat_child *child)
{
    return chat_child_start(rows, columns, variables, child);
}

static void leave(struct pty_screen *screen)
{
    pty_screen_free(screen);
}

static char *put_file(const char *name, const char *text)
{
    char *path = xasprintf("%s/%s", home, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs(text, file);
    assert_int_equal(fclose(file), 0);
    return path;
}

static void wait_for(struct pty_screen *screen, const char *text)
{
    if (!pty_screen_wait_text(screen, text)) {
        char *shown = pty_screen_text(screen);
        fprintf(stderr, "no \"%s\" on:\n%s", text, shown);
        free(shown);
        fail();
    }
}

static void wait_gone(struct pty_screen *screen, const char *text)
{
    assert_true(pty_screen_wait_no_text(screen, text));
}

static void key(struct pty_screen *screen, const char *bytes)
{
    pty_screen_type(screen, bytes);
}

/* The harbour inn, after its first reply, with the keys in the pane. */
static struct pty_screen *inn(int rows, int columns, struct chat_child *child)
{
    child->scene = "harbour-inn";
    if (child->script == NULL)
        child->script = script;
    struct pty_screen *screen = start(rows, columns, child);
    wait_for(screen, "Pip jumps");
    wait_for(screen, "it goes on");
    key(screen, F4);
    wait_for(screen, "Enter speaks");
    return screen;
}

/* --- looks ----------------------------------------------------------------------------------- */

static void a_scene_beside_its_chat(void **state)
{
    (void)state;
    struct chat_child child = {0};
    struct pty_screen *screen = inn(36, 120, &child);
    assert_true(screen_matches(screen, "scene-120x36"));
    leave(screen);
}

static void a_scene_at_80_and_at_40_columns(void **state)
{
    (void)state;
    struct chat_child child = {0};
    struct pty_screen *screen = inn(24, 80, &child);
    assert_true(screen_matches(screen, "scene-80x24"));
    pty_screen_resize(screen, 10, 40);
    assert_true(screen_matches(screen, "scene-40x10"));
    key(screen, DOWN);
    wait_for(screen, "▸ ● Pip");
    leave(screen);
}

static void without_a_scene_the_shelf_is_offered(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(24, 80, &child);
    key(screen, F4);
    wait_for(screen, "Enter plays");
    assert_true(screen_matches(screen, "scene-shelf-80x24"));
    key(screen, DOWN "\r");
    wait_for(screen, "● Old Bram");
    key(screen, F4);
    wait_for(screen, "Three fogs today");
    wait_for(screen, "Generate a single interaction between Old Bram and Pip to start");
    leave(screen);
}

static void speakers_have_the_colours_of_the_pane(void **state)
{
    (void)state;
    struct chat_child child = {0};
    struct pty_screen *screen = inn(36, 120, &child);
    int row = pty_screen_row_of(screen, "◆ Old Bram:"), column = 4;
    int listed = pty_screen_row_of(screen, "● Pip");
    key(screen, DOWN DOWN); /* the cursor has a colour of its own */
    wait_for(screen, "▸ * anyone");
    unsigned bram = pty_screen_colour(screen, row, column);
    unsigned pip = pty_screen_colour(screen, row + 1, column);
    assert_int_not_equal(bram, pip);
    char *shown = pty_screen_text(screen);
    free(shown);
    /* The pane stands at the right: 38 columns and its divider. */
    assert_int_equal(pty_screen_colour(screen, listed, 120 - 38 + 5), pip);
    leave(screen);
}

/* --- playing --------------------------------------------------------------------------------- */

static void a_first_message_stands_there_and_g_changes_it(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .scene = "night-train"};
    struct pty_screen *screen = start(36, 120, &child);
    wait_for(screen, "I saw the strange lamp in the cards, dear.");
    key(screen, F4 "g");
    wait_for(screen, "the train stands still");
    wait_gone(screen, "I saw the strange lamp");
    wait_for(screen, "First message 2 of 2");
    key(screen, "g");
    wait_for(screen, "I saw the strange lamp");
    leave(screen);
}

static void an_empty_line_lets_the_scene_go_on(void **state)
{
    (void)state;
    struct chat_child child = {.script = script, .scene = "harbour-inn"};
    struct pty_screen *screen = start(24, 80, &child);
    wait_for(screen, "Pip jumps");
    wait_for(screen, "it goes on");
    key(screen, "\r");
    wait_for(screen, "Second.");
    wait_for(screen, "it goes on");
    key(screen, "  \r");
    wait_for(screen, "Third.");
    leave(screen);
}

static void an_empty_line_without_a_scene_sends_nothing(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(24, 80, &child);
    key(screen, "\rx");
    wait_for(screen, "› x");
    assert_false(pty_screen_shows(screen, "Hmpf"));
    leave(screen);
}

static void where_nothing_comes_the_next_in_turn_speaks(void **state)
{
    (void)state;
    struct chat_child child = {.script = "Old Bram: \"First.\"\n---\n\n---\n \"Mine.\"",
                               .scene = "harbour-inn"};
    struct pty_screen *screen = start(24, 80, &child);
    wait_for(screen, "First.");
    wait_for(screen, "it goes on");
    key(screen, "\r");
    wait_for(screen, "Pip: \"Mine.\"");
    leave(screen);
}

static void enter_on_a_character_makes_it_speak(void **state)
{
    (void)state;
    struct chat_child child = {.script = "Old Bram: \"First.\"\n*Pip jumps*\n---\n \"Second.\""};
    struct pty_screen *screen = inn(36, 120, &child);
    key(screen, DOWN "\r");
    wait_for(screen, "Pip: \"Second.\"");
    assert_true(pty_screen_row_of(screen, "▸ next") == pty_screen_row_of(screen, "● Pip"));
    leave(screen);
}

static void space_chooses_and_the_star_lets_anyone(void **state)
{
    (void)state;
    struct chat_child child = {0};
    struct pty_screen *screen = inn(36, 120, &child);
    assert_int_equal(pty_screen_row_of(screen, "▸ next"), pty_screen_row_of(screen, "* anyone "));
    int bram = pty_screen_row_of(screen, "▸ ● Old Bram");
    key(screen, " " DOWN);
    wait_for(screen, "▸ ● Pip");
    assert_int_equal(pty_screen_row_of(screen, "▸ next"), bram);
    key(screen, "*k");
    wait_for(screen, "▸ ● Old Bram");
    assert_int_equal(pty_screen_row_of(screen, "▸ next"), pty_screen_row_of(screen, "* anyone "));
    leave(screen);
}

static void my_line_is_written_into_the_composer(void **state)
{
    (void)state;
    struct chat_child child = {.script = "Old Bram: \"First.\"\n*Pip jumps*\n---\n \"Two ales.\""};
    struct pty_screen *screen = inn(36, 120, &child);
    key(screen, "w");
    wait_for(screen, "› \"Two ales.\"");
    wait_gone(screen, "Jon: \"Two");
    key(screen, " Please.\r");
    wait_for(screen, "▌ \"Two ales.\" Please.");
    leave(screen);
}

static void a_foreign_speaker_is_cut(void **state)
{
    (void)state;
    struct chat_child child = {.script = "Old Bram: \"First.\"\nSheriff: \"Hands up!\"",
                               .scene = "harbour-inn"};
    struct pty_screen *screen = start(24, 80, &child);
    wait_for(screen, "First.");
    wait_for(screen, "it goes on");
    assert_false(pty_screen_shows(screen, "Sheriff"));
    leave(screen);
}

static void commands_set_a_scene_by_name_and_say_what_is_wrong(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(24, 80, &child);
    key(screen, "/scene nosuch\r");
    wait_for(screen, "scene nosuch: not found; there ");
    key(screen, "/next\r");
    wait_for(screen, "there is no scene here");
    key(screen, "/scene nig\t\r");
    wait_for(screen, "I saw the strange lamp");
    key(screen, "/next nobody\r");
    wait_for(screen, "nobody is called nobody");
    key(screen, "/next Nina\r"); /* near enough to be asked about, not to be taken */
    wait_for(screen, "nobody is called Nina");
    leave(screen);
}

static void the_list_of_scenes_is_a_picker(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(24, 80, &child);
    key(screen, "/scene\r");
    wait_for(screen, "Play a scene ");
    key(screen, "corva");
    wait_gone(screen, "The Castle Kitchen");
    key(screen, "\r");
    wait_for(screen, "I saw the strange lamp");
    leave(screen);
}

static void the_third_offer_sets_a_scene(void **state)
{
    (void)state;
    struct chat_child child = {.script = script};
    struct pty_screen *screen = start(24, 80, &child);
    key(screen, "\t\t\t");
    wait_for(screen, "› Generate a single interaction between Old Bram and Pip to start");
    wait_for(screen, " The Harbour Inn");
    key(screen, "\t"); /* the first again: no scene any more */
    wait_for(screen, "› What can you do?");
    wait_gone(screen, " The Harbour Inn");
    key(screen, "\t\t\r");
    wait_for(screen, "Three fogs today");
    wait_for(screen, "it goes on");
    leave(screen);
}

/* --- editing --------------------------------------------------------------------------------- */

static void a_description_is_edited_and_taken_back(void **state)
{
    (void)state;
    struct chat_child child = {0};
    struct pty_screen *screen = inn(36, 120, &child);
    key(screen, "e");
    wait_for(screen, "╭─ Old Bram ");
    key(screen, CTRL_U "a 灯台守 with 🐬.\r");
    wait_for(screen, "a 灯台守 with 🐬.");
    key(screen, "u");
    wait_for(screen, "a grumpy lighthouse keeper");
    key(screen, "u");
    wait_for(screen, "nothing to take back");
    leave(screen);
}

static void a_rename_goes_to_the_model(void **state)
{
    (void)state;
    struct chat_child child = {.script = "Old Bram: \"First.\"\n*Pip jumps*\n---\n \"Second.\""};
    struct pty_screen *screen = inn(36, 120, &child);
    key(screen, "r");
    wait_for(screen, "╭─ Name ");
    key(screen, CTRL_U "Pip\r");
    wait_for(screen, "Pip is taken in this scene");
    key(screen, "r" CTRL_U "Nell\r");
    wait_for(screen, "● Nell");
    key(screen, "\r");
    wait_for(screen, "Nell: \"Second.\"");
    leave(screen);
}

static void characters_come_and_go(void **state)
{
    (void)state;
    struct chat_child child = {0};
    struct pty_screen *screen = inn(36, 120, &child);
    key(screen, "a");
    wait_for(screen, "Add a character");
    key(screen, "tilda\r");
    wait_for(screen, "● Tilda");
    key(screen, "an");
    key(screen, "ew\r");
    wait_for(screen, "New character");
    key(screen, "Mog, a cat who judges.\r");
    wait_for(screen, "● Mog");
    wait_for(screen, "a cat who judges.");
    key(screen, "d");
    wait_for(screen, "u brings it back");
    wait_gone(screen, "● Old Bram");
    key(screen, "u");
    wait_for(screen, "● Old Bram");
    leave(screen);
}

static void rules_are_written_out_before_they_are_changed(void **state)
{
    (void)state;
    struct chat_child child = {0};
    struct pty_screen *screen = inn(50, 120, &child);
    key(screen, "\033[F"); /* End: the rules */
    wait_for(screen, "▸ the usual six");
    key(screen, "n");
    wait_for(screen, "New rule");
    key(screen, "nobody is ever in a hurry\r");
    wait_for(screen, "- nobody is ever in a hurry");
    wait_for(screen, "- surround character actions");
    key(screen, "\033[Fd");
    wait_gone(screen, "- nobody is ever");
    leave(screen);
}

static void settings_and_the_user_are_edited(void **state)
{
    (void)state;
    struct chat_child child = {0};
    struct pty_screen *screen = inn(36, 120, &child);
    key(screen, "jjj\r");
    wait_for(screen, "Your name");
    key(screen, CTRL_U "Pip\r");
    wait_for(screen, "Pip is a character of the scene");
    key(screen, "\r" CTRL_U "Zoë\r");
    wait_for(screen, "▸ Zoë");
    key(screen, "je");
    wait_for(screen, "Who you are");
    key(screen, "a tired inspector\r");
    wait_for(screen, "a tired inspector");
    key(screen, "je");
    wait_for(screen, "╭─ Setting ");
    key(screen, CTRL_U "It rains.\r");
    wait_for(screen, "It rains.");
    wait_gone(screen, "small harbour inn");
    leave(screen);
}

static void nothing_changes_while_a_reply_runs(void **state)
{
    (void)state;
    struct chat_child child = {.script = "Old Bram: \"Slow and slow and slow and slow.\"",
                               .piece_ms = 100000,
                               .scene = "harbour-inn"};
    struct pty_screen *screen = start(36, 120, &child);
    wait_for(screen, "Ctrl-C stops");
    key(screen, F4 "d");
    wait_for(screen, "a reply is running");
    assert_true(pty_screen_shows(screen, "● Old Bram"));
    leave(screen);
}

/* --- files ----------------------------------------------------------------------------------- */

static void a_scene_is_saved_and_played_again(void **state)
{
    (void)state;
    struct chat_child child = {0};
    struct pty_screen *screen = inn(36, 120, &child);
    key(screen, "S");
    wait_for(screen, "Save the scene as");
    key(screen, CTRL_U "my-inn\r");
    wait_for(screen, "saved: /scene my-inn plays it");
    key(screen, "S\r");
    wait_for(screen, "There is a scene my-inn already");
    key(screen, ESC);
    wait_gone(screen, "There is a scene");
    char *path = xasprintf("%s/airo/scenes/my-inn.json", home);
    assert_true(file_exists(path));
    key(screen, F4);
    wait_for(screen, "it goes on");
    leave(screen);
    child.scene = "my-inn";
    screen = start(36, 120, &child);
    wait_for(screen, "Three fogs today");
    leave(screen);
    unlink(path);
    free(path);
}

static void a_character_is_written_as_a_card_and_read_again(void **state)
{
    (void)state;
    struct chat_child child = {0};
    struct pty_screen *screen = inn(36, 120, &child);
    char *path = xasprintf("%s/bram.png", home);
    key(screen, "x");
    wait_for(screen, "as a card");
    key(screen, CTRL_U);
    key(screen, path);
    key(screen, "\r");
    wait_for(screen, "written: ");
    key(screen, "di");
    wait_for(screen, "from a file");
    key(screen, path);
    key(screen, "\r");
    wait_for(screen, "card V");
    assert_true(pty_screen_row_of(screen, "● Old Bram") > pty_screen_row_of(screen, "● Pip"));
    leave(screen);
    unlink(path);
    free(path);
}

static const char hostile_card[] =
    "{\"spec\":\"chara_card_v2\",\"spec_version\":\"2.0\",\"data\":{"
    "\"name\":\"Ma\\u001b[31mra\\u202eX\",\"description\":\"d\\u001b]0;owned\\u0007d\\u001b[2J\","
    "\"personality\":\"\",\"scenario\":\"\",\"first_mes\":\"\\u001b[2J\\u001b]0;owned\\u0007Hello "
    "\\u202estranger.\",\"mes_example\":\"\",\"creator_notes\":\"\",\"system_prompt\":\"\","
    "\"post_history_instructions\":\"\",\"alternate_greetings\":[\"\\u001b[5mOther one.\"],"
    "\"tags\":[],\"creator\":\"\",\"character_version\":\"\",\"extensions\":{},"
    "\"character_book\":{\"extensions\":{},\"entries\":["
    "{\"keys\":[\"fog\"],\"content\":\"The fog is old.\",\"extensions\":{},\"enabled\":true,"
    "\"insertion_order\":1,\"name\":\"fog\\u001b[31mlore\"},"
    "{\"keys\":[],\"content\":\"Always.\",\"extensions\":{},\"enabled\":true,"
    "\"insertion_order\":2,\"constant\":true,\"name\":\"root\"},"
    "{\"keys\":[\"/x+/\"],\"use_regex\":true,\"content\":\"Never.\",\"extensions\":{},"
    "\"enabled\":true,\"insertion_order\":3,\"name\":\"regexed\"}]}}}";

static bool is_clean(struct pty_screen *screen)
{
    const struct strbuf *out = pty_screen_output(screen);
    return memmem(out->data, out->length, "\033]0;owned", 9) == NULL &&
           memmem(out->data, out->length, "\342\200\256", 3) == NULL &&
           strstr(pty_screen_state(screen)->title, "owned") == NULL;
}

static void a_hostile_card_is_only_text(void **state)
{
    (void)state;
    char *path = put_file("hostile.json", hostile_card);
    struct chat_child child = {.script = script, .scene = path};
    struct pty_screen *screen = start(36, 120, &child);
    wait_for(screen, "Hello <U+202E>stranger.");
    key(screen, F4);
    wait_for(screen, "<U+202E>X");
    wait_for(screen, "lorebook, 3 entries");
    key(screen, "gx");
    wait_for(screen, "Other one.");
    key(screen, ESC);
    assert_true(is_clean(screen));
    leave(screen);
    unlink(path);
    free(path);
}

static void lore_says_what_fired_and_why(void **state)
{
    (void)state;
    char *path = put_file("lore.json", hostile_card);
    struct chat_child child = {.script = "It lifts.", .scene = path};
    struct pty_screen *screen = start(36, 120, &child);
    wait_for(screen, "Hello ");
    key(screen, "Tell me of the fog.\r");
    wait_for(screen, "It lifts.");
    wait_for(screen, "it goes on");
    key(screen, F4 "l");
    wait_for(screen, "Lore in the last prompt");
    wait_for(screen, "● fog");
    wait_for(screen, "\"fog\" in message 2");
    wait_for(screen, "● root");
    wait_for(screen, "always there");
    wait_for(screen, "○ regexed");
    wait_for(screen, "Left out");
    assert_true(is_clean(screen));
    key(screen, ESC);
    wait_for(screen, "Characters");
    leave(screen);
    unlink(path);
    free(path);
}

static void a_stored_scene_comes_back(void **state)
{
    (void)state;
    char *path = xasprintf("%s/chats.db", home);
    struct chat_child child = {.chats_path = path};
    struct pty_screen *screen = inn(36, 120, &child);
    key(screen, "e" CTRL_U "a keeper of secrets.\r");
    wait_for(screen, "a keeper of secrets.");
    wait_for(screen, "The Harbour Inn · saved");
    leave(screen);
    char *wal = xasprintf("%s-wal", path), *shm = xasprintf("%s-shm", path);
    char *const paths[] = {path, wal, shm};
    struct store *store;
    struct error error = {0};
    assert_int_equal(store_open(&store, path, &error), 0);
    struct store_list list = {0};
    assert_int_equal(store_list(store, false, &list, &error), 0);
    assert_int_equal(list.count, 1);
    struct store_chat chat = {0};
    assert_int_equal(store_load(store, list.items[0].id, &chat, &error), 0);
    assert_non_null(strstr(chat.fields[STORE_SCENE], "a keeper of secrets."));
    store_chat_free(&chat);
    store_list_free(&list);
    store_close(store);
    for (size_t i = 0; i < 3; i++) {
        unlink(paths[i]);
        free(paths[i]);
    }
}

/* --- main ------------------------------------------------------------------------------------ */

static int make_home(void **state)
{
    (void)state;
    return mkdtemp(home) != NULL ? 0 : -1;
}

static int remove_home(void **state)
{
    (void)state;
    char *scenes = xasprintf("%s/airo/scenes", home), *airo = xasprintf("%s/airo", home);
    rmdir(scenes);
    rmdir(airo);
    free(scenes);
    free(airo);
    return rmdir(home);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scene_beside_its_chat),
        cmocka_unit_test(a_scene_at_80_and_at_40_columns),
        cmocka_unit_test(without_a_scene_the_shelf_is_offered),
        cmocka_unit_test(speakers_have_the_colours_of_the_pane),
        cmocka_unit_test(a_first_message_stands_there_and_g_changes_it),
        cmocka_unit_test(an_empty_line_lets_the_scene_go_on),
        cmocka_unit_test(an_empty_line_without_a_scene_sends_nothing),
        cmocka_unit_test(where_nothing_comes_the_next_in_turn_speaks),
        cmocka_unit_test(enter_on_a_character_makes_it_speak),
        cmocka_unit_test(space_chooses_and_the_star_lets_anyone),
        cmocka_unit_test(my_line_is_written_into_the_composer),
        cmocka_unit_test(a_foreign_speaker_is_cut),
        cmocka_unit_test(commands_set_a_scene_by_name_and_say_what_is_wrong),
        cmocka_unit_test(the_list_of_scenes_is_a_picker),
        cmocka_unit_test(the_third_offer_sets_a_scene),
        cmocka_unit_test(a_description_is_edited_and_taken_back),
        cmocka_unit_test(a_rename_goes_to_the_model),
        cmocka_unit_test(characters_come_and_go),
        cmocka_unit_test(rules_are_written_out_before_they_are_changed),
        cmocka_unit_test(settings_and_the_user_are_edited),
        cmocka_unit_test(nothing_changes_while_a_reply_runs),
        cmocka_unit_test(a_scene_is_saved_and_played_again),
        cmocka_unit_test(a_character_is_written_as_a_card_and_read_again),
        cmocka_unit_test(a_hostile_card_is_only_text),
        cmocka_unit_test(lore_says_what_fired_and_why),
        cmocka_unit_test(a_stored_scene_comes_back),
    };
    cmocka_set_message_output(CM_OUTPUT_TAP);
    return cmocka_run_group_tests(tests, make_home, remove_home);
}
