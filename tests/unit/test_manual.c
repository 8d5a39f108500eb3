/* Tests of the man page and the completion scripts, with the tools that read them where present. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"
#include "tui/manual.h"
#include "tui/options.h"

static const char *build(void)
{
    const char *given = getenv("AIRO_BUILD");
    return given != NULL ? given : "build";
}

/* What the shell command prints; its exit status in *status. */
static struct strbuf output_of(const char *command, int *status)
{
    struct strbuf out = {0};
    char chunk[4096];
    size_t got;
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    while ((got = fread(chunk, 1, sizeof chunk, pipe)) > 0)
        strbuf_add(&out, chunk, got);
    *status = pclose(pipe);
    return out;
}

static bool has_tool(const char *name)
{
    char *command = xasprintf("command -v %s >/dev/null 2>&1", name);
    bool found = system(command) == 0;
    free(command);
    return found;
}

static void expect_found(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        fail_msg("\"%s\" is not there", part);
}

/* --- the man page ---------------------------------------------------------------------------- */

static void the_page_names_everything(void **state)
{
    (void)state;
    int status;
    char *command = xasprintf("%s/airo --print-man", build());
    struct strbuf page = output_of(command, &status);
    assert_int_equal(status, 0);
    for (const struct option *option = options_table; option->name != NULL; option++) {
        struct strbuf name = {0};
        strbuf_puts(&name, "\\-\\-");
        for (const char *at = option->name; *at != '\0'; at++)
            strbuf_printf(&name, *at == '-' ? "\\%c" : "%c", *at);
        expect_found(strbuf_text(&page), strbuf_text(&name));
        strbuf_free(&name);
    }
    expect_found(strbuf_text(&page), ".SS airo ask");
    expect_found(strbuf_text(&page), ".SH AIRO.INI");
    expect_found(strbuf_text(&page), "\\fB[interface] theme\\fR");
    expect_found(strbuf_text(&page), "Ctrl\\-C");
    strbuf_free(&page);
    free(command);
}

static void text_is_no_request(void **state)
{
    (void)state;
    static const struct command command = {"odd", "odd \\fB", ".so /etc/passwd", NULL};
    const struct command *commands[] = {&command};
    struct manual_row row = {"'key", "-\\*"};
    struct strbuf page = {0};
    manual_write(commands, 1, &row, 1, &page);
    expect_found(strbuf_text(&page), ".SS airo odd \\efB\n\\&.so /etc/passwd\n");
    expect_found(strbuf_text(&page), "\\fB\\&'key\\fR\n\\-\\e*\n");
    strbuf_free(&page);
}

static void mandoc_finds_nothing_wrong(void **state)
{
    (void)state;
    int status;
    if (!has_tool("mandoc"))
        skip();
    char *command = xasprintf("%s/airo --print-man | mandoc -T lint -W warning 2>&1 |"
                              " grep -v 'missing date'",
                              build());
    struct strbuf found = output_of(command, &status);
    assert_string_equal(strbuf_text(&found), "");
    strbuf_free(&found);
    free(command);
}

/* --- completion ------------------------------------------------------------------------------- */

/* What bash offers after the words of a line, which are for the shell; sorted, parted by spaces. */
static char *complete_in_bash(const char *directory, const char *words)
{
    int status;
    char *command =
        xasprintf("XDG_DATA_HOME=%s/data XDG_CONFIG_HOME=%s/config bash --norc -c '"
                  "eval \"$(%s/airo --print-completion bash)\" || exit 1; COMP_WORDS=(%s/airo %s);"
                  "COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _airo; printf \"%%s\\n\" "
                  "\"${COMPREPLY[@]}\"' 2>&1 |"
                  " LC_ALL=C sort | tr '\\n' ' '",
                  directory, directory, build(), build(), words);
    struct strbuf found = output_of(command, &status);
    free(command);
    return strbuf_detach(&found);
}

static void make_files(const char *directory)
{
    char *command = xasprintf("mkdir -p %s/data/airo/models/mymodel %s/data/airo/models/half &&"
                              " : > %s/data/airo/models/mymodel/config.json",
                              directory, directory, directory);
    assert_int_equal(system(command), 0);
    free(command);
}

static void bash_completes(void **state)
{
    (void)state;
    static const struct {
        const char *words, *offered;
    } cases[] = {
        {"as", "ask "},
        {"--kv-type \"\"", "auto f16 f32 q4 q8 "},
        {"ask --kv-type q", "q4 q8 "},
        {"--theme vaq", "vaquita-dark vaquita-light "},
        {"--theme mon", "mono "},
        {"-m \"\"", "mymodel vaquita "},
        {"ask --sh", "--show-prompt "},
        {"score --sh", ""},
        {"ask --docu", "--document "},
        {"--pl", "--plain --plain-format "},
        {"--no-mo", "--no-mouse "},
        {"ask -d LIC", "LICENSE "},
        {"bench --decode \"\"", ""},
        {"tokenize --decode LIC", "LICENSE "},
        {"help inf", "info "},
    };
    if (!has_tool("bash"))
        skip();
    char directory[] = "/tmp/airo-complete-XXXXXX";
    assert_non_null(mkdtemp(directory));
    make_files(directory);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *offered = complete_in_bash(directory, cases[i].words);
        const char *text = offered + (offered[0] == ' ');
        if (strcmp(text, cases[i].offered) != 0)
            fail_msg("after \"%s\": \"%s\", not \"%s\"", cases[i].words, text, cases[i].offered);
        free(offered);
    }
    char *command = xasprintf("rm -r %s", directory);
    assert_int_equal(system(command), 0);
    free(command);
}

static void check_script(const char *shell, const char *parse)
{
    int status;
    if (!has_tool(shell))
        skip();
    char *command = xasprintf("%s/airo --print-completion %s | %s 2>&1", build(), shell, parse);
    struct strbuf out = output_of(command, &status);
    assert_string_equal(strbuf_text(&out), "");
    assert_int_equal(status, 0);
    strbuf_free(&out);
    free(command);
}

static void zsh_reads_its_script(void **state)
{
    (void)state;
    check_script("zsh", "zsh -n /dev/stdin");
}

static void fish_reads_its_script(void **state)
{
    (void)state;
    check_script("fish", "fish --no-execute");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_names_everything),  cmocka_unit_test(text_is_no_request),
        cmocka_unit_test(mandoc_finds_nothing_wrong), cmocka_unit_test(bash_completes),
        cmocka_unit_test(zsh_reads_its_script),       cmocka_unit_test(fish_reads_its_script),
    };
    return cmocka_run_group_tests_name("manual", tests, NULL, NULL);
}
