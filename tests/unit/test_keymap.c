/* Tests of which key does what, and of finding an action by a few letters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tui/fuzzy.h"
#include "tui/keymap.h"

enum { EVERYWHERE, LIST, TRANSCRIPT };

static const struct keymap_action actions[] = {
    {"quit", EVERYWHERE, "Ctrl-Q", "leave"},
    {"line-down", LIST, "j Down", "down"},
    {"line-down", TRANSCRIPT, "j Down", "down"},
    {"line-up", LIST, "k Up", "up"},
    {"mark", LIST, "Space", "mark"},
    {"help", EVERYWHERE, "F1", "this list"},
    {"list-quit", LIST, "Ctrl-Q", "leave the list"},
    {"nothing", EVERYWHERE, NULL, "nothing"},
};
#define ACTIONS (sizeof actions / sizeof actions[0])

static struct keymap *make(void)
{
    struct keymap *map = NULL;
    struct error error = {0};
    assert_int_equal(keymap_create(&map, actions, ACTIONS, &error), 0);
    return map;
}

/* keymap_read of a file with this text; the message in `error`. */
static int read_text(struct keymap *map, const char *text, struct error *error)
{
    char path[] = "/tmp/airo-keys-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    int result = keymap_read(map, path, error);
    if (result != 0)
        assert_non_null(strstr(error->message, path));
    unlink(path);
    return result;
}

static void expect_keys(const struct keymap *map, int action, const char *keys)
{
    struct strbuf out = {0};
    keymap_keys(map, action, &out);
    assert_string_equal(strbuf_text(&out), keys);
    strbuf_free(&out);
}

static void keys_are_found_by_context(void **state)
{
    (void)state;
    struct keymap *map = make();
    assert_int_equal(keymap_find(map, LIST, "j"), 1);
    assert_int_equal(keymap_find(map, TRANSCRIPT, "j"), 2);
    assert_int_equal(keymap_find(map, EVERYWHERE, "j"), -1);
    assert_int_equal(keymap_find(map, TRANSCRIPT, "Ctrl-Q"), 0);
    assert_int_equal(keymap_find(map, LIST, "Ctrl-Q"), 6);
    assert_int_equal(keymap_find(map, LIST, "F1"), 5);
    assert_int_equal(keymap_find(map, LIST, "F2"), -1);
    struct input_token token = {.kind = INPUT_TEXT, .bytes = " j", .length = 1, .name = "Space"};
    assert_int_equal(keymap_find_token(map, LIST, &token), 4);
    token = (struct input_token){.kind = INPUT_TEXT, .bytes = "jjj", .length = 1};
    assert_int_equal(keymap_find_token(map, LIST, &token), 1);
    token.length = 3;
    assert_int_equal(keymap_find_token(map, LIST, &token), -1);
    expect_keys(map, 1, "j, Down");
    expect_keys(map, 7, "");
    keymap_free(map);
}

static void the_user_binds_keys(void **state)
{
    (void)state;
    struct keymap *map = make();
    struct error error = {0};
    assert_int_equal(read_text(map,
                               "[model]\nname = x\n[keys]\nline-down = \"ctrl-n Down\"\n"
                               "help = \"\"\nnothing = \"Alt-Shift-x\"\nmark = \"k\"\n",
                               &error),
                     0);
    assert_int_equal(keymap_find(map, LIST, "Ctrl-N"), 1);
    assert_int_equal(keymap_find(map, TRANSCRIPT, "Ctrl-N"), 2);
    assert_int_equal(keymap_find(map, LIST, "j"), -1);
    assert_int_equal(keymap_find(map, LIST, "F1"), -1);
    assert_int_equal(keymap_find(map, LIST, "Alt-X"), 7);
    /* Taken from the action that had it. */
    assert_int_equal(keymap_find(map, LIST, "k"), 4);
    expect_keys(map, 3, "Up");
    expect_keys(map, 1, "Ctrl-N, Down");
    expect_keys(map, 5, "");
    keymap_free(map);
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *text, *parts[3];
    } cases[] = {
        {"[keys]\nquitt = \"F5\"\n", {"line 2", "\"quitt\"", "did you mean quit?"}},
        {"[keys]\n\nquit = \"PageUpp\"\n", {"line 3", "keys:quit", "did you mean PageUp?"}},
        {"[keys]\nquit = \"F5 Foo-x\"\n", {"line 2", "keys:quit", "\"Foo-x\""}},
        {"[keys]\nquit = \"F5\"\nhelp = \"F5\"\n", {"line 3", "keys:help", "the key of quit"}},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct keymap *map = make();
        struct error error = {0};
        assert_int_equal(read_text(map, cases[i].text, &error), -1);
        for (size_t j = 0; j < 3; j++)
            assert_non_null(strstr(error.message, cases[i].parts[j]));
        assert_null(strchr(error.message, '\n'));
        assert_int_equal(keymap_find(map, LIST, "F5"), -1); /* as it was */
        assert_int_equal(keymap_find(map, TRANSCRIPT, "Ctrl-Q"), 0);
        keymap_free(map);
    }
    static const struct keymap_action twice[] = {{"a", LIST, "x", ""}, {"b", LIST, "x", ""}};
    struct keymap *map;
    struct error error = {0};
    assert_int_equal(keymap_create(&map, twice, 2, &error), -1);
}

static void the_default_section_reads_back(void **state)
{
    (void)state;
    struct strbuf text = {0}, bare = {0};
    struct error error = {0};
    struct keymap *map = make();
    keymap_config(actions, ACTIONS, &text);
    assert_non_null(strstr(strbuf_text(&text), "\n# leave\n#quit = \"Ctrl-Q\"\n"));
    assert_non_null(strstr(strbuf_text(&text), "\n#nothing = \"\"\n"));
    /* With the # taken away from every action it changes nothing. */
    for (const char *at = strbuf_text(&text); *at != '\0'; at++)
        if (!(at[0] == '#' && at[1] != ' '))
            strbuf_putc(&bare, *at);
    assert_int_equal(read_text(map, strbuf_text(&bare), &error), 0);
    for (size_t i = 0; i < ACTIONS; i++) {
        struct keymap *fresh = make();
        struct strbuf expected = {0};
        keymap_keys(fresh, (int)i, &expected);
        expect_keys(map, (int)i, strbuf_text(&expected));
        strbuf_free(&expected);
        keymap_free(fresh);
    }
    strbuf_free(&text);
    strbuf_free(&bare);
    keymap_free(map);
}

/* --- by a few letters ------------------------------------------------------------------------- */

static void names_are_ranked(void **state)
{
    (void)state;
    static const char *const texts[] = {"scroll-down", "delete document", "attach document",
                                        "documents",   "odd ocean",       "Select All"};
    static const struct {
        const char *pattern;
        size_t count;
        const char *first;
    } cases[] = {
        {"doc", 4, "documents"},
        {"dd", 2, "delete document"},
        {"sa", 1, "Select All"},
        {"SALL", 1, "Select All"},
        {"zz", 0, NULL},
        {"", 6, "scroll-down"},
        {"doc at", 1, "attach document"},
        {"sd", 1, "scroll-down"},
    };
    struct fuzzy_match matches[6];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        size_t found = fuzzy_rank(cases[i].pattern, texts, 6, matches);
        assert_int_equal(found, cases[i].count);
        if (found > 0)
            assert_string_equal(texts[matches[0].index], cases[i].first);
        for (size_t j = 1; j < found; j++)
            assert_true(matches[j - 1].score >= matches[j].score);
    }
}

static void matched_letters_are_told(void **state)
{
    (void)state;
    struct fuzzy_match match;
    assert_true(fuzzy_match("dd", "odd delete document", &match));
    assert_int_equal(match.count, 2);
    assert_int_equal(match.positions[0], 4);
    assert_int_equal(match.positions[1], 11);
    assert_true(fuzzy_match("éc", "l'École", &match));
    assert_int_equal(match.positions[0], 2);
    assert_int_equal(match.positions[1], 4);
    assert_false(fuzzy_match("cé", "l'École", &match));
    assert_false(fuzzy_match("a", "", &match));
}

/* However long, whatever bytes: letters in order, positions ascending and in the text. */
static void random_texts_match_their_own_letters(void **state)
{
    (void)state;
    unsigned seed = 5;
    for (int round = 0; round < 5000; round++) {
        char text[300] = {0}, pattern[64] = {0};
        size_t length = (size_t)rand_r(&seed) % 120, taken = 0;
        for (size_t i = 0; i < length; i++) {
            text[i] = "abcAB -_9"[rand_r(&seed) % 9];
            if (text[i] != ' ' && taken < 40 && rand_r(&seed) % 3 == 0)
                pattern[taken++] = text[i];
        }
        struct fuzzy_match match;
        assert_true(fuzzy_match(pattern, text, &match));
        assert_int_equal(match.count, taken);
        for (size_t i = 0; i < match.count; i++) {
            assert_true(match.positions[i] < length);
            assert_true(i == 0 || match.positions[i] > match.positions[i - 1]);
        }
        for (size_t i = 0; i < sizeof text - 1; i++)
            text[i] = (char)(rand_r(&seed) % 255 + 1);
        fuzzy_match(text + 100, text, &match);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_are_found_by_context),
        cmocka_unit_test(the_user_binds_keys),
        cmocka_unit_test(what_is_wrong_is_named),
        cmocka_unit_test(the_default_section_reads_back),
        cmocka_unit_test(names_are_ranked),
        cmocka_unit_test(matched_letters_are_told),
        cmocka_unit_test(random_texts_match_their_own_letters),
    };
    return cmocka_run_group_tests_name("keymap", tests, NULL, NULL);
}
