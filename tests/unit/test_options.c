/* Tests of tui/options, arguments, settings and suggest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "tui/arguments.h"
#include "tui/options.h"
#include "tui/suggest.h"

static bool is_command(const char *name)
{
    return strcmp(name, "ask") == 0 || strcmp(name, "run") == 0 || strcmp(name, "chat") == 0 ||
           strcmp(name, "bench") == 0;
}

/* Words parted by '|' (so that a word may be empty or hold spaces). */
static int parse(struct arguments *out, const char *line, struct error *error)
{
    static char copy[512];
    static char *argv[64];
    const char *unknown;
    int argc = 0;
    snprintf(copy, sizeof copy, "airo|%s", line);
    for (char *at = copy; at != NULL;) {
        char *bar = strchr(at, '|');
        if (bar != NULL)
            *bar++ = '\0';
        argv[argc++] = at;
        at = bar;
    }
    argv[argc] = NULL;
    return arguments_parse(out, argc, argv, is_command, &unknown, error);
}

static void laid_out(const char *line, const char *expected)
{
    struct arguments arguments;
    struct error error = {0};
    struct strbuf joined = {0};
    if (parse(&arguments, line, &error) != 0)
        fail_msg("%s: %s", line, error.message);
    for (int i = 0; i < arguments.argc; i++)
        strbuf_printf(&joined, "%s%s", i > 0 ? "|" : "", arguments.argv[i]);
    assert_string_equal(strbuf_text(&joined), expected);
    assert_null(arguments.argv[arguments.argc]);
    strbuf_free(&joined);
    arguments_free(&arguments);
}

static void refused(const char *line, const char *wanted)
{
    struct arguments arguments;
    struct error error = {0};
    assert_int_equal(parse(&arguments, line, &error), -1);
    if (strstr(error.message, wanted) == NULL)
        fail_msg("%s: expected \"%s\" in: %s", line, wanted, error.message);
}

static void options_stand_anywhere(void **state)
{
    (void)state;
    laid_out("ask|-d|a.txt|What?", "ask|--document|a.txt|What?");
    laid_out("ask|What?|-da.txt|--json", "ask|--document|a.txt|--json|What?");
    laid_out("-m|x|ask|one|--document=a|two|-k|url=b", "ask|--document|a|--key|url=b|one|two");
    laid_out("ask|-|--json", "ask|--json|--|-");
    laid_out("ask|-d|-|q", "ask|--document|-|q");
    laid_out("run|--|-x|--json", "run|--|-x|--json");
    laid_out("run|a|--|b", "run|a|b");
    laid_out("run|", "run|");
    laid_out("--verbose", "chat");
    laid_out("ask|--document=|q", "ask|--document||q");
}

static void wrong_options_are_named(void **state)
{
    (void)state;
    refused("frob", "unknown command frob");
    refused("--modle|x", "unknown option --modle; did you mean --model?");
    refused("run|--show", "unknown option --show");
    refused("run|-Z", "unknown option -Z");
    refused("ask|-d", "--document needs a value (FILE)");
    refused("run|--context", "--context needs a value (TOKENS)");
    refused("run|--json", "--json is an option of airo");
    refused("run|--no-model", "unknown option --no-model");
    refused("ask|--no-json", "unknown option --no-json");
    refused("run|--context|many", "--context: \"many\" is not 0 to 16777216");
    refused("run|--context|-1", "is not 0 to");
    refused("run|--context=0x10", "is not 0 to");
    refused("run|--context=", "is not 0 to");
    refused("run|--top-p|1.5", "--top-p: \"1.5\" is not 0 to 1");
    refused("run|--top-p|nan", "is not 0 to 1");
    refused("run|--kv-type|f17", "--kv-type: \"f17\" is not auto, f32, f16, q8 or q4");
    refused("run|--device|gpu",
            "--device: \"gpu\" is not auto, cpu, cuda or cuda: and the numbers");
    refused("run|--device=cuda:0,,1", "is not auto, cpu, cuda");
    refused("run|--mouse=maybe", "--mouse: \"maybe\" is not yes or no");
    refused("run|--seed|99999999999999999999", "--seed");
    refused("bench|--prefill|0", "--prefill: \"0\" is not 1 to 65536");
}

static void flags_go_over_defaults(void **state)
{
    (void)state;
    struct arguments arguments;
    struct settings settings;
    struct error error = {0};
    settings_defaults(&settings);
    assert_false(option_given(&settings, "temperature"));
    assert_int_equal(parse(&arguments,
                           "run|x|--no-ask-source|-m|first|--model=second|-vt|plain|"
                           "--temperature|0.25|--seed|9007199254740991|--rope-factor|2.5|"
                           "--no-honest|--system|",
                           &error),
                     0);
    assert_int_equal(arguments_apply(&arguments, &settings, &error), 0);
    assert_string_equal(settings.model, "second");
    assert_string_equal(settings.template, "plain");
    assert_string_equal(settings.system, "");
    assert_false(settings.ask_source);
    assert_false(settings.no_making_up);
    assert_true(settings.verbose);
    assert_true(settings.sampling.temperature == 0.25f);
    assert_true(settings.sampling.seed == 9007199254740991u);
    assert_true(settings.rope_factor == 2.5);
    assert_true(option_given(&settings, "temperature"));
    assert_false(option_given(&settings, "top-k"));
    arguments_free(&arguments);
    settings_free(&settings);
    assert_null(settings.model);
}

static void own_options_are_read_back(void **state)
{
    (void)state;
    struct arguments arguments;
    struct error error = {0};
    const char *value;
    int at = 1;
    assert_int_equal(parse(&arguments, "ask|-d|a|-k|x=1|--json|--|-q", &error), 0);
    const struct option *option = arguments_next(arguments.argc, arguments.argv, &at, &value);
    assert_string_equal(option->name, "document");
    assert_string_equal(value, "a");
    option = arguments_next(arguments.argc, arguments.argv, &at, &value);
    assert_string_equal(option->name, "key");
    assert_string_equal(value, "x=1");
    option = arguments_next(arguments.argc, arguments.argv, &at, &value);
    assert_string_equal(option->name, "json");
    assert_null(value);
    assert_null(arguments_next(arguments.argc, arguments.argv, &at, &value));
    assert_string_equal(arguments.argv[at], "-q");
    arguments_free(&arguments);
}

/* Every row is complete, names and letters are not used twice, all settings have a bit. */
static void the_table_is_sound(void **state)
{
    (void)state;
    unsigned settings = 0;
    for (const struct option *row = options_table; row->name != NULL; row++) {
        settings += row->ini != NULL;
        assert_true((row->command == NULL) == (row->ini != NULL));
        assert_true((row->argument == NULL) == (row->type == OPTION_FLAG));
        assert_true((row->choices != NULL) == (row->type == OPTION_CHOICE));
        assert_true(strlen(row->help) > 5);
        for (const struct option *other = row + 1; other->name != NULL; other++) {
            bool together = row->command == NULL || other->command == NULL ||
                            strcmp(row->command, other->command) == 0;
            if (together && strcmp(row->name, other->name) == 0)
                fail_msg("--%s twice", row->name);
            if (together && row->letter != 0 && row->letter == other->letter)
                fail_msg("-%c twice", row->letter);
            if (row->ini != NULL && other->ini != NULL && strcmp(row->ini, other->ini) == 0)
                fail_msg("%s twice", row->ini);
        }
    }
    assert_in_range(settings, 20, 64);
}

static char *temporary(const char *text)
{
    char path[] = "/tmp/airo-set-XXXXXX";
    int fd = mkstemp(path);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    return xstrdup(path);
}

static void file_refused(const char *text, const char *wanted)
{
    char *path = temporary(text);
    struct settings settings;
    struct error error = {0};
    settings_defaults(&settings);
    assert_int_equal(settings_read(&settings, path, &error), -1);
    assert_non_null(strstr(error.message, path));
    if (strstr(error.message, wanted) == NULL)
        fail_msg("expected \"%s\" in: %s", wanted, error.message);
    settings_free(&settings);
    unlink(path);
    free(path);
}

static void wrong_files_are_named_by_line(void **state)
{
    (void)state;
    file_refused("[model]\nkv_type = f17\n",
                 "line 2: model:kv_type: \"f17\" is not auto, f32, f16, q8 or q4");
    file_refused("[model]\ndevice = nonsense\n",
                 "line 2: model:device: \"nonsense\" is not auto, cpu");
    file_refused("\n[reply]\ntop_p = 2\n", "line 3: reply:top_p: \"2\" is not 0 to 1");
    file_refused("[model]\nkv_typ = f16\n",
                 "line 2: unknown key model:kv_typ; did you mean model:kv_type?");
    file_refused("[nonsense]\nwhatever = 1\n", "line 2: unknown key nonsense:whatever");
    file_refused("[reply]\nmax_tokens = -3\n", "reply:max_tokens");
    file_refused("[reply]\nmax_tokens = 1e3\n", "reply:max_tokens");
    file_refused("[interface]\nmouse = sometimes\n", "is not yes or no");
    file_refused("[interface]\nframe_ms = 0\n", "is not 1 to 1000");
}

/* No shell has seen what stands in a file, or behind --model=. */
static void a_tilde_in_a_path_is_home(void **state)
{
    (void)state;
    struct settings settings;
    struct error error = {0};
    char *home = xstrdup(getenv("HOME") != NULL ? getenv("HOME") : "");
    char *path = temporary("[model]\nname = ~/models/x\nsystem = ~/not a path\n");
    setenv("HOME", "/home/somebody", 1);
    settings_defaults(&settings);
    assert_int_equal(settings_read(&settings, path, &error), 0);
    assert_string_equal(settings.model, "/home/somebody/models/x");
    assert_string_equal(settings.system, "~/not a path");
    settings_free(&settings);
    setenv("HOME", home, 1);
    unlink(path);
    free(path);
    free(home);
}

/* The default file with every # taken away from its keys says what the defaults say. */
static void the_default_file_holds_the_defaults(void **state)
{
    (void)state;
    struct strbuf config = {0}, plain = {0};
    struct settings before, after;
    struct error error = {0};
    options_config(&config);
    for (char *line = strtok(config.data, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        bool unset =
            strstr(line, "= \"MODEL\"") || strstr(line, "= \"TEXT\"") || strstr(line, "= \"RULE\"");
        if (line[0] == '[' || (line[0] == '#' && line[1] != ' ' && line[1] != '\0' && !unset))
            strbuf_printf(&plain, "%s\n", line + (line[0] == '#'));
    }
    char *path = temporary(plain.data);
    settings_defaults(&before);
    settings_defaults(&after);
    if (settings_read(&after, path, &error) != 0)
        fail_msg("%s", error.message);
    for (const struct option *row = options_table; row->name != NULL; row++) {
        struct strbuf a = {0}, b = {0};
        if (row->ini == NULL)
            continue;
        assert_int_equal(option_text(row, &before, &a), option_text(row, &after, &b));
        assert_string_equal(strbuf_text(&a), strbuf_text(&b));
        assert_true(option_given(&after, row->name) || a.length == 0);
        strbuf_free(&a);
        strbuf_free(&b);
    }
    settings_free(&before);
    settings_free(&after);
    strbuf_free(&config);
    strbuf_free(&plain);
    unlink(path);
    free(path);
}

/* [converters] takes any key; each command is checked. */
static void sections_of_free_keys(void **state)
{
    (void)state;
    char path[] = "/tmp/airo-ini-XXXXXX";
    int fd = mkstemp(path);
    const char *text =
        "[converters]\npdf = \"mytool --to text %s\"\nfoo = \"\"\n[reply]\nseed = 3\n";
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    struct settings settings;
    struct error error = {0};
    settings_defaults(&settings);
    if (settings_read(&settings, path, &error) != 0)
        fail_msg("%s", error.message);
    assert_int_equal(settings.converters.count, 2);
    assert_string_equal(settings.converters.rows[0].kind, "pdf");
    assert_string_equal(settings.converters.rows[0].command, "mytool --to text %s");
    assert_string_equal(settings.converters.rows[1].command, "");
    assert_true(settings.sampling.seed == 3);
    settings_free(&settings);
    text = "[converters]\nseed = 3\n";
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(pwrite(fd, text, strlen(text), 0), (ssize_t)strlen(text));
    settings_defaults(&settings);
    assert_int_equal(settings_read(&settings, path, &error), -1);
    assert_non_null(strstr(error.message, "line 2: converters:seed: \"3\" needs %s"));
    settings_free(&settings);
    close(fd);
    unlink(path);
}

static void the_shipped_file_is_the_table(void **state)
{
    (void)state;
    struct strbuf config = {0}, shipped = {0};
    struct error error = {0};
    options_config(&config);
    if (file_read("tui/airo.ini", 1 << 20, &shipped, &error) != 0)
        fail_msg("%s", error.message);
    /* The keys come after the options. */
    assert_int_equal(strncmp(strbuf_text(&shipped), strbuf_text(&config), config.length), 0);
    strbuf_free(&config);
    strbuf_free(&shipped);
}

static int no_config(void **state)
{
    (void)state;
    return setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
}

static void the_ini_file_is_found_and_flags_win(void **state)
{
    (void)state;
    char home[] = "/tmp/airo-cfg-XXXXXX";
    assert_non_null(mkdtemp(home));
    char *directory = xasprintf("%s/airo", home);
    char *path = xasprintf("%s/airo.ini", directory);
    assert_int_equal(directory_make(directory, NULL), 0);
    FILE *file = fopen(path, "w");
    fputs("[model]\nname = from-file\nkv_type = q8\n", file);
    fclose(file);
    setenv("XDG_CONFIG_HOME", home, 1);
    struct settings settings;
    struct arguments arguments;
    struct error error = {0};
    assert_int_equal(settings_load(&settings, &error), 0);
    assert_int_equal(parse(&arguments, "run|-m|from-flag|x", &error), 0);
    assert_int_equal(arguments_apply(&arguments, &settings, &error), 0);
    assert_string_equal(settings.model, "from-flag");
    assert_string_equal(settings.kv_type, "q8");
    assert_string_equal(settings.template, "airoboros");
    arguments_free(&arguments);
    settings_free(&settings);
    unlink(path);
    rmdir(directory);
    rmdir(home);
    free(path);
    free(directory);
}

static void suggestions_are_near(void **state)
{
    (void)state;
    struct suggestion best = suggest_begin("tokenise");
    suggest_offer(&best, "score");
    suggest_offer(&best, "tokenize");
    assert_string_equal(best.found, "tokenize");
    best = suggest_begin("xyzzy");
    suggest_offer(&best, "ask");
    suggest_offer(&best, "chat");
    assert_null(best.found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_stand_anywhere),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(flags_go_over_defaults),
        cmocka_unit_test(own_options_are_read_back),
        cmocka_unit_test(the_table_is_sound),
        cmocka_unit_test(wrong_files_are_named_by_line),
        cmocka_unit_test(a_tilde_in_a_path_is_home),
        cmocka_unit_test(the_default_file_holds_the_defaults),
        cmocka_unit_test(sections_of_free_keys),
        cmocka_unit_test(the_shipped_file_is_the_table),
        cmocka_unit_test_teardown(the_ini_file_is_found_and_flags_win, no_config),
        cmocka_unit_test(suggestions_are_near),
    };
    return cmocka_run_group_tests_name("options", tests, NULL, NULL);
}
