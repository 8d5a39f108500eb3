/* Smoke tests of `airo eval` and `airo perplexity` with the built program: small numbers on the
 * default model, JSON that parses, one line for what is wrong, and Ctrl-C. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <jansson.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/strbuf.h"

#define MODEL "models/vaquita"

struct result {
    int status;
    struct strbuf out; /* both streams where the test asks so */
};

static char *program(void)
{
    const char *build = getenv("AIRO_BUILD");
    return xasprintf("%s/airo", build != NULL ? build : "build");
}

static void need_model(void)
{
    if (!file_exists(MODEL "/config.json"))
        skip();
}

/* The arguments as a shell reads them. */
static struct result airo(const char *arguments)
{
    struct result result = {0};
    char chunk[4096], *path = program();
    char *command =
        xasprintf("XDG_CONFIG_HOME=/nonexistent XDG_DATA_HOME=/nonexistent %s %s", path, arguments);
    size_t got;
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    while ((got = fread(chunk, 1, sizeof chunk, pipe)) > 0)
        strbuf_add(&result.out, chunk, got);
    int status = pclose(pipe);
    result.status = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    free(command);
    free(path);
    return result;
}

/* The one JSON object that a command prints. */
static json_t *object_of(const char *arguments)
{
    struct result result = airo(arguments);
    assert_int_equal(result.status, 0);
    json_t *json = json_loads(strbuf_text(&result.out), 0, NULL);
    if (!json_is_object(json))
        fail_msg("%s: no object: %s", arguments, strbuf_text(&result.out));
    strbuf_free(&result.out);
    return json;
}

static json_int_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    assert_true(json_is_integer(value));
    return json_integer_value(value);
}

static void says(const char *arguments, int status, const char *text)
{
    struct result result = airo(arguments);
    if (result.status != status || strstr(strbuf_text(&result.out), text) == NULL)
        fail_msg("%s: status %d, %s", arguments, result.status, strbuf_text(&result.out));
    strbuf_free(&result.out);
}

/* --- what is measured ------------------------------------------------------------------------- */

/* With a seed on which the default model is right in most of these short cases. */
static void recall_finds_facts(void **state)
{
    (void)state;
    need_model();
    json_t *json = object_of("eval recall " MODEL " --json --seed 1 --cases 3 --lengths 192,320 "
                             "--depths 0,50,100");
    json_t *cells = json_object_get(json, "cells"), *cell;
    json_t *lengths = json_object_get(json, "lengths");
    json_int_t right = 0;
    size_t i;
    assert_true(json_is_true(json_object_get(json, "complete")));
    assert_int_equal(json_array_size(cells), 6);
    json_array_foreach(cells, i, cell)
    {
        assert_int_equal(number(cell, "cases"), 3);
        assert_true(number(cell, "sources") <= 3);
        right += number(cell, "right");
    }
    assert_in_range(right, 9, 18);
    json_array_foreach(lengths, i, cell)
    {
        assert_in_range(number(cell, "prompt_tokens"), number(cell, "length") - 100,
                        number(cell, "length") + 20);
    }
    json_decref(json);
}

static void recall_draws_its_heatmap(void **state)
{
    (void)state;
    need_model();
    char directory[] = "/tmp/airo-eval-XXXXXX";
    struct strbuf svg = {0};
    assert_non_null(mkdtemp(directory));
    char *path = path_join(directory, "map.svg");
    char *arguments = xasprintf(
        "eval recall " MODEL " --cases 1 --lengths 192 --depths 0,100 --svg %s 2>&1", path);
    says(arguments, 0, "answers right");
    assert_int_equal(file_read(path, 1 << 20, &svg, NULL), 0);
    assert_non_null(strstr(strbuf_text(&svg), "</svg>"));
    says(arguments, 2, "is there already");
    unlink(path);
    rmdir(directory);
    strbuf_free(&svg);
    free(arguments);
    free(path);
}

static void obedience_counts_each_kind(void **state)
{
    (void)state;
    need_model();
    json_t *json = object_of("eval obedience " MODEL " --json --seed 1 --cases 5");
    json_t *kinds = json_object_get(json, "kinds"), *counts;
    const char *kind;
    size_t seen = 0;
    json_object_foreach(kinds, kind, counts)
    {
        assert_int_equal(number(counts, "cases"), 5);
        assert_true(number(counts, "right") <= 5);
        seen++;
    }
    assert_int_equal(seen, 3);
    json_t *absent = json_object_get(kinds, "absent");
    assert_int_equal(number(absent, "right"), number(absent, "refused"));
    assert_true(number(absent, "right") >= 3);
    json_decref(json);
}

static void scene_counts_its_rules(void **state)
{
    (void)state;
    need_model();
    json_t *json = object_of("eval scene " MODEL " --json --seed 1 --cases 6");
    json_t *rules = json_object_get(json, "rules_kept"), *kept;
    const char *rule;
    assert_int_equal(number(json, "replies"), 6);
    assert_int_equal(number(json, "kept"), 6); /* the grammar holds them */
    json_object_foreach(rules, rule, kept)
    {
        assert_true(json_integer_value(kept) >= number(json, "kept"));
    }
    json_decref(json);
}

static void perplexity_makes_a_table(void **state)
{
    (void)state;
    need_model();
    json_t *json = object_of("perplexity " MODEL " CONTRIBUTING.md --json --lengths 128,256 "
                             "--tokens 512 --rules as-is,ntk-by-parts,linear:4");
    json_t *rows = json_object_get(json, "rows"), *row;
    double first[3];
    size_t i;
    assert_int_equal(number(json, "tokens"), 512);
    assert_int_equal(json_array_size(rows), 3);
    json_array_foreach(rows, i, row)
    {
        json_t *value = json_array_get(json_object_get(row, "values"), 0);
        assert_int_equal(number(value, "windows"), 4);
        assert_int_equal(number(value, "tokens"), 4 * 127);
        first[i] = json_real_value(json_object_get(value, "perplexity"));
        assert_true(first[i] > 1);
    }
    assert_true(first[0] == first[1] && first[2] > first[0]);
    json_decref(json);
    says("eval perplexity " MODEL " CONTRIBUTING.md --lengths 64 --tokens 64 2>&1", 0,
         "windows that do not overlap");
}

/* --- cases ------------------------------------------------------------------------------------ */

/* Each line is what `airo ask --cases` reads. */
static void cases_are_printed_and_read_again(void **state)
{
    (void)state;
    need_model();
    char path[] = "/tmp/airo-cases-XXXXXX";
    int fd = mkstemp(path);
    struct result one = airo("eval recall " MODEL " --print-cases --seed 5 --cases 1 "
                             "--lengths 256 --depths 0,100");
    struct result same = airo("eval recall " MODEL " --print-cases --seed 5 --cases 1 "
                              "--lengths 256 --depths 0,100");
    struct result other = airo("eval recall " MODEL " --print-cases --seed 6 --cases 1 "
                               "--lengths 256 --depths 0,100");
    assert_string_equal(strbuf_text(&one.out), strbuf_text(&same.out));
    assert_string_not_equal(strbuf_text(&one.out), strbuf_text(&other.out));
    assert_int_equal(write(fd, one.out.data, one.out.length), (ssize_t)one.out.length);
    close(fd);
    char *arguments = xasprintf("ask -m " MODEL " --temperature 0 --cases %s 2>&1", path);
    says(arguments, 0, "of 2 right");
    unlink(path);
    free(arguments);
    strbuf_free(&one.out);
    strbuf_free(&same.out);
    strbuf_free(&other.out);
}

static void other_cases_need_no_model(void **state)
{
    (void)state;
    says("eval obedience nowhere --print-cases --cases 1", 0, "\"kind\":\"counterfactual\"");
    says("eval scene nowhere --print-cases --cases 3", 0, "don't generate any speech");
}

/* --- what is wrong ---------------------------------------------------------------------------- */

/* One line, and for wrong usage the pointer to the help. */
static void what_is_wrong_is_one_line(void **state)
{
    (void)state;
    static const struct {
        const char *arguments;
        int status;
        const char *text;
    } cases[] = {
        {"eval", 2, "what shall be measured?"},
        {"eval recal", 2, "did you mean recall?"},
        {"eval nonsense", 2, "recall, obedience, scene or perplexity"},
        {"eval recall a b", 2, "one MODEL at a time"},
        {"eval recall --lengths x", 2, "--lengths: expected"},
        {"eval recall --lengths 100,", 2, "--lengths: expected"},
        {"eval recall --depths 0,101", 2, "--depths: expected"},
        {"eval recall --cases 0", 2, "--cases: \"0\" is not"},
        {"eval scene --svg x.svg", 2, "--svg draws recall only"},
        {"eval recall --seeds 3", 2, "did you mean --seed?"},
        {"eval recall nowhere", 1, "nowhere"},
        {"perplexity", 2, "expected MODEL FILE"},
        {"perplexity /nonexistent", 1, "/nonexistent: No such file"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *arguments = xasprintf("%s 2>&1", cases[i].arguments);
        struct result result = airo(arguments);
        const char *text = strbuf_text(&result.out);
        size_t lines = 0;
        for (const char *at = text; *at != '\0'; at++)
            lines += *at == '\n';
        if (result.status != cases[i].status || strstr(text, cases[i].text) == NULL ||
            lines != (cases[i].status == 2 ? 2 : 1))
            fail_msg("%s: status %d: %s", cases[i].arguments, result.status, text);
        strbuf_free(&result.out);
        free(arguments);
    }
}

static void lengths_and_rules_are_checked(void **state)
{
    (void)state;
    need_model();
    says("eval recall " MODEL " --lengths 16384 2>&1", 1, "do not fit in a context of 16384");
    says("eval recall " MODEL " --context 512 --lengths 512 2>&1", 1, "a context of 512");
    says("perplexity " MODEL " LICENSE --lengths 16384 2>&1", 1, "too few for a length");
    says("perplexity " MODEL " LICENSE --lengths 64 --rules foo 2>&1", 1, "\"foo\" is not as-is");
    says("perplexity " MODEL " LICENSE --lengths 64 --rules linear:0 2>&1", 1, "1 to 1024");
}

/* --- Ctrl-C ----------------------------------------------------------------------------------- */

/* Reads until `text` comes or the terminal is closed. */
static bool read_until(int fd, struct strbuf *out, const char *text)
{
    char chunk[1024];
    ssize_t got;
    while (text == NULL || strstr(strbuf_text(out), text) == NULL) {
        got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        strbuf_add(out, chunk, (size_t)got);
    }
    return true;
}

static void ctrl_c_leaves_what_was_measured(void **state)
{
    (void)state;
    need_model();
    int terminal, status;
    char *path = program();
    struct strbuf out = {0};
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);
    assert_true(child >= 0);
    if (child == 0) {
        setenv("TERM", "xterm", 1);
        execl(path, path, "eval", "obedience", MODEL, "--cases", "100000", (char *)NULL);
        _exit(127);
    }
    /* The third kind is in work: the first two have been asked. */
    assert_true(read_until(terminal, &out, "present answer right  "));
    assert_int_equal(write(terminal, "\003", 1), 1);
    read_until(terminal, &out, NULL);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 130);
    assert_non_null(strstr(strbuf_text(&out), "100000 cases of each kind"));
    assert_non_null(strstr(strbuf_text(&out), "absent answer refused"));
    assert_non_null(strstr(strbuf_text(&out), "stopped: this is what was measured so far"));
    close(terminal);
    strbuf_free(&out);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(recall_finds_facts),
        cmocka_unit_test(recall_draws_its_heatmap),
        cmocka_unit_test(obedience_counts_each_kind),
        cmocka_unit_test(scene_counts_its_rules),
        cmocka_unit_test(perplexity_makes_a_table),
        cmocka_unit_test(cases_are_printed_and_read_again),
        cmocka_unit_test(other_cases_need_no_model),
        cmocka_unit_test(what_is_wrong_is_one_line),
        cmocka_unit_test(lengths_and_rules_are_checked),
        cmocka_unit_test(ctrl_c_leaves_what_was_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
