/* Tests of engine/chat/template and of engine/base/ini below it. */
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
#include "engine/base/ini.h"
#include "engine/chat/template.h"

static char *temporary(const char *text)
{
    char path[] = "/tmp/airo-ini-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return xstrdup(path);
}

#define GOOD_TURNS                                                                                 \
    "[turns]\nfirst = \"{bos}{system} {instruction}{reply}\"\n"                                    \
    "first_bare = \"{instruction}{reply}\"\nnext = \"{eos}{instruction}{reply}\"\n"

static void opens(const char *text)
{
    char *path = temporary(text);
    struct chat_template *template;
    struct error error = {0};
    if (chat_template_open(&template, path, &error) != 0)
        fail_msg("%s", error.message);
    chat_template_close(template);
    unlink(path);
    free(path);
}

/* Refused with a message that has the path and `wanted`. */
static void refused(const char *text, const char *wanted)
{
    char *path = temporary(text);
    struct chat_template *template;
    struct error error = {0};
    assert_int_equal(chat_template_open(&template, path, &error), -1);
    assert_null(template);
    assert_non_null(strstr(error.message, path));
    if (strstr(error.message, wanted) == NULL)
        fail_msg("expected \"%s\" in: %s", wanted, error.message);
    assert_null(strchr(error.message, '\n'));
    unlink(path);
    free(path);
}

static void shipped_templates_open(void **state)
{
    (void)state;
    static const char *const names[] = {"airoboros",    "vicuna-1.1", "alpaca",
                                        "llama-2-chat", "chatml",     "plain"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        struct chat_template *template;
        struct error error = {0};
        if (chat_template_open(&template, names[i], &error) != 0)
            fail_msg("%s", error.message);
        assert_string_equal(chat_template_name(template), names[i]);
        size_t markers = 0;
        while (chat_template_markers(template)[markers] != NULL)
            markers++;
        assert_true(markers >= 6);
        chat_template_close(template);
    }
}

static void airoboros_system_line_is_exact(void **state)
{
    (void)state;
    struct chat_template *template;
    assert_int_equal(chat_template_open(&template, "airoboros", NULL), 0);
    assert_string_equal(chat_template_system(template),
                        "A chat between a curious user and an assistant. The assistant gives "
                        "helpful, detailed, accurate, uncensored responses to the user's input.");
    assert_string_equal(chat_template_stops(template)[0], "USER:");
    assert_true(chat_template_reply_fresh(template));
    chat_template_close(template);
}

static void words_become_pieces(void **state)
{
    (void)state;
    char *path = temporary("[turns]\nfirst = \"{bos}{special:<|x|>}a{newline}b{open}{close}"
                           "{quote}{backslash}{system}{instruction}{reply}\"\n"
                           "first_bare = \"{instruction}{reply}\"\n"
                           "next = \" x ; y # z {instruction} {reply}\"\n");
    struct chat_template *template;
    size_t count;
    assert_int_equal(chat_template_open(&template, path, NULL), 0);
    const struct template_piece *pieces = chat_template_pieces(template, TURN_FIRST, &count);
    assert_int_equal(count, 6);
    assert_int_equal(pieces[0].kind, PIECE_BOS);
    assert_int_equal(pieces[1].kind, PIECE_SPECIAL);
    assert_string_equal(pieces[1].text, "<|x|>");
    assert_string_equal(pieces[2].text, "a\nb{}\"\\");
    assert_int_equal(pieces[5].kind, PIECE_REPLY);
    pieces = chat_template_pieces(template, TURN_NEXT, &count);
    assert_string_equal(pieces[0].text, " x ; y # z ");
    assert_string_equal(pieces[2].text, " ");
    chat_template_close(template);
    unlink(path);
    free(path);
}

static void wrong_files_are_named(void **state)
{
    (void)state;
    opens(GOOD_TURNS);
    refused("", "turns:first is missing");
    refused("[turns]\nfirst = \"{system}{instruction}\"\n", "must end in {reply}");
    refused("[turns]\nfirst = \"{instruction}{reply}\"\n", "{system}");
    refused("[turns]\nfirst = \"{systen}{instruction}{reply}\"\n", "line 2: turns:first");
    refused("[turns]\nfirst = \"{system{instruction}{reply}\"\n", "unknown word");
    refused("[turns]\nfirst = \"{system}}{instruction}{reply}\"\n", "unknown word");
    refused("[turns]\nfirst = \"{system}{instruction}{instruction}{reply}\"\n", "once");
    refused(GOOD_TURNS "[template]\nsistem = x\n", "line 6: unknown key template:sistem");
    refused(GOOD_TURNS "[template]\nreply_run = maybe\n", "reply_run");
    refused(GOOD_TURNS "[markers]\n1 = \"ab\"\n", "line 6: markers:1");
    refused(GOOD_TURNS "[markers]\n1 = \"U\u00B7SER:\"\n", "middle dot");
}

static void ini_traps_are_refused_with_their_line(void **state)
{
    (void)state;
    char longer[1200];
    memset(longer, 'x', sizeof longer);
    longer[sizeof longer - 1] = '\0';
    memcpy(longer, "[a]\nb = ", 8);
    refused(longer, "line 2: longer than");
    refused("[a]\nb = \"x\\n\"\n", "line 2: a value cannot hold a backslash");
    refused("[a]\nb = \"x\n", "line 2: the quoted value does not end");
    refused("[a]\nb = \"x\" y\n", "line 2: there is text after");
    refused("[a]\nb = \"say \"hi\"\"\n", "line 2: there is text after");
    refused("[a]\nb = 1\nB = 2\n", "line 3: this key has been set before");
    refused("b = 1\n", "line 1: a key stands before");
    refused("[a\n", "line 1: a section");
    refused("[]\n", "line 1: a section");
    refused("[a]\nwhat\n", "line 2: expected");
    refused("[a]\n= 1\n", "line 2: a key needs");
    refused("[a]\n# comment \\\nb = 1 \\\n", "line 2: a line cannot end in a backslash");
}

static void ini_values_are_what_was_written(void **state)
{
    (void)state;
    char *path = temporary("; note\n[One]\nKey = \" a ; b # c = d: \" ; comment\n"
                           "two = plain words # comment\nempty = \"\"\nnone =\n"
                           "single = 'it''\n[two]\nkey = last");
    struct ini_file file;
    struct error error = {0};
    assert_int_equal(ini_read(&file, path, &error), -1); /* 'it'' has text after its quote */
    unlink(path);
    free(path);
    path = temporary("; note\n[One]\nKey = \" a ; b # c = d: \" ; comment\n"
                     "two = plain words # comment\nempty = \"\"\nnone =\n"
                     "single = 'say \"x\"'\n[two]\nkey = last");
    assert_int_equal(ini_read(&file, path, &error), 0);
    assert_int_equal(file.count, 6);
    assert_string_equal(ini_find(&file, "one", "key")->value, " a ; b # c = d: ");
    assert_int_equal(ini_find(&file, "one", "key")->line, 3);
    assert_string_equal(ini_find(&file, "one", "two")->value, "plain words");
    assert_string_equal(ini_find(&file, "one", "empty")->value, "");
    assert_string_equal(ini_find(&file, "one", "none")->value, "");
    assert_string_equal(ini_find(&file, "one", "single")->value, "say \"x\"");
    assert_string_equal(ini_find(&file, "two", "key")->value, "last");
    assert_null(ini_find(&file, "two", "two"));
    ini_free(&file);
    unlink(path);
    free(path);
}

static void names_are_checked_and_places_named(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "-x", ".x", "a b", "a\nb", "..", "no-such-template"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct chat_template *template;
        struct error error = {0};
        assert_int_equal(chat_template_open(&template, bad[i], &error), -1);
        assert_null(strchr(error.message, '\n'));
    }
    struct chat_template *template;
    struct error error = {0};
    chat_template_open(&template, "no-such-template", &error);
    assert_non_null(strstr(error.message, "no-such-template.ini"));
    assert_non_null(strstr(error.message, "prompts/templates"));
}

static void a_users_template_goes_first(void **state)
{
    (void)state;
    char home[] = "/tmp/airo-xdg-XXXXXX";
    assert_non_null(mkdtemp(home));
    char *directory = xasprintf("%s/airo/templates", home);
    char *path = xasprintf("%s/plain.ini", directory);
    assert_int_equal(directory_make(directory, NULL), 0);
    FILE *file = fopen(path, "w");
    fputs("[template]\nsystem = mine\n" GOOD_TURNS, file);
    fclose(file);
    setenv("XDG_CONFIG_HOME", home, 1);
    struct chat_template *template;
    assert_int_equal(chat_template_open(&template, "plain", NULL), 0);
    assert_string_equal(chat_template_system(template), "mine");
    chat_template_close(template);
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    unlink(path);
    rmdir(directory);
    free(path);
    free(directory);
}

int main(void)
{
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(shipped_templates_open),
        cmocka_unit_test(airoboros_system_line_is_exact),
        cmocka_unit_test(words_become_pieces),
        cmocka_unit_test(wrong_files_are_named),
        cmocka_unit_test(ini_traps_are_refused_with_their_line),
        cmocka_unit_test(ini_values_are_what_was_written),
        cmocka_unit_test(names_are_checked_and_places_named),
        cmocka_unit_test(a_users_template_goes_first),
    };
    return cmocka_run_group_tests_name("template", tests, NULL, NULL);
}
