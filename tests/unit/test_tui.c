/* Tests of the interface's parts that need no terminal: wrap, layout, paste, theme. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "tui/layout.h"
#include "tui/palette.h"
#include "tui/starters.h"
#include "tui/theme.h"

/* --- wrap ------------------------------------------------------------------------------------ */

static void wrapped(const char *text, int columns, char *out, size_t size)
{
    struct wrap wrap = {0};
    size_t used = 0;
    wrap_update(&wrap, text, strlen(text), columns);
    out[0] = '\0';
    for (size_t i = 0; i < wrap.count; i++)
        used += (size_t)snprintf(out + used, size - used, "%.*s|",
                                 (int)(wrap.lines[i].end - wrap.lines[i].start),
                                 wrap.shown.data + wrap.lines[i].start);
    wrap_free(&wrap);
}

static void words_are_wrapped(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int columns;
        const char *lines;
    } cases[] = {
        {"one two three", 8, "one two |three|"},
        {"one two three", 7, "one two |three|"}, /* the space hangs over the edge */
        {"abcdefghij", 4, "abcd|efgh|ij|"},
        {"a abcdefghij", 4, "a |abcd|efgh|ij|"},
        {"海豚海豚", 5, "海豚|海豚|"},
        {"海豚", 1, "海|豚|"}, /* wider than the line: on its own */
        {"a\n\nb\n", 9, "a||b|"},
        {"\tx\na\tb", 9, "    x|a   b|"},
        {"", 9, ""},
    };
    char out[256];
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        wrapped(cases[i].text, cases[i].columns, out, sizeof out);
        assert_string_equal(out, cases[i].lines);
    }
}

/* However a text comes, the lines are the same as when it comes at once. */
static void streaming_gives_the_same_lines(void **state)
{
    (void)state;
    const char *text =
        "First line is long enough to wrap.\n```\ncode here\n```\n\n海豚 e\xCC\x81 end";
    size_t length = strlen(text);
    for (int columns = 1; columns < 30; columns++) {
        struct wrap whole = {0}, grown = {0};
        wrap_update(&whole, text, length, columns);
        for (size_t at = 1; at <= length; at++)
            wrap_update(&grown, text, at, columns);
        assert_int_equal(whole.count, grown.count);
        assert_string_equal(whole.shown.data, grown.shown.data);
        for (size_t i = 0; i < whole.count; i++) {
            assert_int_equal(whole.lines[i].start, grown.lines[i].start);
            assert_int_equal(whole.lines[i].end, grown.lines[i].end);
        }
        wrap_free(&whole);
        wrap_free(&grown);
    }
}

/* --- layout and pastes ----------------------------------------------------------------------- */

static void the_cursor_stands_after_its_text(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        size_t point;
        int columns;
        size_t row;
        int column;
        size_t rows;
    } cases[] = {
        {"", 0, 10, 0, 0, 1},
        {"abc", 3, 10, 0, 3, 1},
        {"abc\n", 4, 10, 1, 0, 2},
        {"abc\ndef", 3, 10, 0, 3, 2},
        {"abc\ndef", 4, 10, 1, 0, 2},
        {"abcd", 4, 4, 1, 0, 2}, /* a full row: the cursor goes on to the next */
        {"one two three", 13, 8, 1, 5, 2},
        {"海豚x", 6, 10, 0, 4, 1},
        {"a\033b", 2, 10, 0, 2, 1},
    };
    struct layout layout = {0};
    struct paste_list pastes = {0};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        layout_update(&layout, "", cases[i].text, strlen(cases[i].text), cases[i].point, &pastes,
                      cases[i].columns);
        assert_int_equal(layout.cursor_row, cases[i].row);
        assert_int_equal(layout.cursor_column, cases[i].column);
        assert_int_equal(layout.count, cases[i].rows);
    }
    layout_free(&layout);
}

static void pastes_fold_and_unfold(void **state)
{
    (void)state;
    struct paste_list list = {0};
    struct strbuf text = {0}, out = {0};
    char character[8];
    paste_clean(&text, "a\r\nb\rc\0\xF3\xB0\x80\x80", 11);
    assert_string_equal(strbuf_text(&text), "a\nb\nc\xEF\xBF\xBD\xEF\xBF\xBD");
    paste_fold(&list, &text, character);
    char *line = NULL;
    assert_true(asprintf(&line, "<%s>", character) > 0);
    paste_unfold(&list, line, strlen(line), false, &out);
    assert_string_equal(strbuf_text(&out), "<a\nb\nc\xEF\xBF\xBD\xEF\xBF\xBD>");
    strbuf_clear(&out);
    paste_unfold(&list, line, strlen(line), true, &out);
    assert_string_equal(strbuf_text(&out), "<[pasted: 3 lines, 11 bytes]>");
    free(line);
    strbuf_free(&out);
    paste_list_free(&list);
}

/* --- themes ---------------------------------------------------------------------------------- */

static void expect_error(const char *text, const char *part)
{
    char path[] = "/tmp/airo-theme-XXXXXX";
    int fd = mkstemp(path);
    struct theme theme;
    struct error error = {0};
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
    assert_int_equal(theme_open(&theme, path, &error), -1);
    assert_non_null(strstr(error.message, part));
    assert_non_null(strstr(error.message, path));
    unlink(path);
}

static void themes_are_read_and_checked(void **state)
{
    (void)state;
    static const char *const paths[] = {"themes/vaquita-dark.ini", "themes/vaquita-light.ini"};
    struct theme theme;
    struct error error = {0};
    for (int i = 0; i < 2; i++)
        assert_int_equal(theme_open(&theme, paths[i], &error), 0);
    assert_string_equal(theme.name, "Vaquita light");
    assert_int_equal(theme.styles[STYLE_TEXT].full.foreground, THEME_COLOUR_RGB | 0x2b333b);
    assert_int_equal(theme.styles[STYLE_ERROR].basic.foreground, 1);
    assert_int_equal(theme.styles[STYLE_ERROR].basic.attributes, THEME_BOLD);
    expect_error("[styles]\nnosuch = \"red\"\n", "nosuch");
    expect_error("[styles]\ntext = \"#12345\"\n", "line 2");
    expect_error("[styles]\ntext = \"reddish\"\n", "reddish");
    assert_int_equal(theme_open(&theme, "../../etc/passwd", &error), -1);
    assert_int_equal(theme_open(&theme, "no such theme", &error), -1);
    assert_non_null(strstr(error.message, "no theme"));
}

static void put_file(const char *directory, const char *path)
{
    assert_int_equal(directory_make(directory, NULL), 0);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("[theme]\nname = \"Installed\"\n", file);
    fclose(file);
}

/* An installation that was moved to another prefix finds its own files. */
static void installed_files_lie_beside_the_program(void **state)
{
    (void)state;
    char *program = program_directory();
    char *share = xasprintf("%s/../share/airo", program);
    char *themes = path_join(share, "themes"), *theme_path = path_join(themes, "moved-there.ini");
    char *samples = path_join(share, "prompts/samples"), *sample = path_join(samples, "moved.txt");
    struct theme theme;
    struct error error = {0};
    put_file(themes, theme_path);
    put_file(samples, sample);
    assert_int_equal(theme_open(&theme, "moved-there", &error), 0);
    assert_string_equal(theme.name, "Installed");
    int listed = 0;
    char *name;
    for (unsigned i = 0; (name = theme_list(i)) != NULL; i++) {
        listed += strcmp(name, "moved-there") == 0;
        free(name);
    }
    assert_int_equal(listed, 1);
    char *found = starter_path("moved.txt");
    assert_non_null(found);
    assert_null(starter_path("nosuch.txt"));
    char *made[] = {found, theme_path, sample, samples, themes, share, program};
    unlink(theme_path);
    unlink(sample);
    for (size_t i = 0; i < sizeof made / sizeof made[0]; i++)
        free(made[i]);
}

static void colours_are_mapped(void **state)
{
    (void)state;
    assert_int_equal(palette_index(THEME_COLOUR_DEFAULT, COLOUR_256), -1);
    assert_int_equal(palette_index(THEME_COLOUR_RGB | 0xffffff, COLOUR_256), 231);
    assert_int_equal(palette_index(THEME_COLOUR_RGB | 0xff0000, COLOUR_256), 196);
    assert_int_equal(palette_index(THEME_COLOUR_RGB | 0x123456, COLOUR_DIRECT), 0x123456);
    assert_int_equal(palette_index(THEME_COLOUR_RGB | 0, COLOUR_DIRECT), 8);
    assert_int_equal(palette_index(THEME_COLOUR_RGB | 0xff0000, COLOUR_16), -1);
    assert_int_equal(palette_index(3, COLOUR_16), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_are_wrapped),
        cmocka_unit_test(streaming_gives_the_same_lines),
        cmocka_unit_test(the_cursor_stands_after_its_text),
        cmocka_unit_test(pastes_fold_and_unfold),
        cmocka_unit_test(themes_are_read_and_checked),
        cmocka_unit_test(installed_files_lie_beside_the_program),
        cmocka_unit_test(colours_are_mapped),
    };
    return cmocka_run_group_tests_name("tui", tests, NULL, NULL);
}
