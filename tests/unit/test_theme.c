/* Tests of the themes: complete, readable, and told apart without colour. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/base/ini.h"
#include "tui/palette.h"
#include "tui/theme.h"

#define THEMES_MIN 8

/* Calls `check` for every theme in themes/. */
static void each_theme(void (*check)(const char *path, const struct theme *theme))
{
    DIR *directory = opendir("themes");
    struct dirent *entry;
    int count = 0;
    assert_non_null(directory);
    while ((entry = readdir(directory)) != NULL) {
        if (strstr(entry->d_name, ".ini") == NULL)
            continue;
        struct theme theme;
        struct error error = {0};
        char *path = path_join("themes", entry->d_name);
        if (theme_open(&theme, path, &error) != 0)
            fail_msg("%s", error.message);
        check(path, &theme);
        free(path);
        count++;
    }
    closedir(directory);
    assert_true(count >= THEMES_MIN);
}

static void check_complete(const char *path, const struct theme *theme)
{
    struct ini_file file;
    struct error error = {0};
    int set = 0;
    assert_true(strlen(theme->name) > 0 && strchr(theme->name, '/') == NULL);
    assert_int_equal(ini_read(&file, path, &error), 0);
    for (size_t i = 0; i < file.count; i++)
        set += strcmp(file.entries[i].section, "styles") == 0;
    if (set != STYLES)
        fail_msg("%s sets %d roles of %d", path, set, STYLES);
    ini_free(&file);
}

static void every_theme_sets_every_role(void **state)
{
    (void)state;
    each_theme(check_complete);
}

/* --- contrast -------------------------------------------------------------------------------- */

static double luminance(int32_t rgb)
{
    static const double weights[3] = {0.0722, 0.7152, 0.2126}; /* blue, green, red */
    double sum = 0;
    for (int i = 0; i < 3; i++) {
        double part = (double)(rgb >> 8 * i & 0xFF) / 255;
        sum += weights[i] * (part <= 0.03928 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4));
    }
    return sum;
}

/* As WCAG 2 has it, 1 to 21. */
static double contrast(int32_t a, int32_t b)
{
    double first = luminance(a), second = luminance(b);
    double high = first > second ? first : second, low = first > second ? second : first;
    return (high + 0.05) / (low + 0.05);
}

/* What a role needs: 4.5 to be read, 3 where it is faint on purpose or a mark, lines nothing. */
static double needed(enum style style)
{
    static const struct {
        enum style style;
        double ratio;
    } faint[] = {{STYLE_DIM, 3},          {STYLE_GAUGE_DIM, 3},     {STYLE_LIST_DIM, 3},
                 {STYLE_PART_SYSTEM, 3},  {STYLE_PART_DOCUMENT, 3}, {STYLE_PART_SCENE, 3},
                 {STYLE_PART_HISTORY, 3}, {STYLE_PART_DRAFT, 3},    {STYLE_BORDER_FOCUS, 3},
                 {STYLE_RULE, 0},         {STYLE_BORDER, 0},        {STYLE_PART_RESERVE, 0},
                 {STYLE_PART_FREE, 0}};
    for (size_t i = 0; i < sizeof faint / sizeof faint[0]; i++)
        if (faint[i].style == style)
            return faint[i].ratio;
    return 4.5;
}

static void check_contrast(const char *path, const struct theme *theme)
{
    const struct theme_look *text = &theme->styles[STYLE_TEXT].full;
    for (int i = 0; i < STYLES; i++) {
        const struct theme_look *look = &theme->styles[i].full;
        int32_t back =
            look->background != THEME_COLOUR_DEFAULT ? look->background : text->background;
        if (!(look->foreground & THEME_COLOUR_RGB) || back == THEME_COLOUR_DEFAULT ||
            look->foreground == THEME_COLOUR_DEFAULT)
            continue; /* the terminal's own */
        double ratio = contrast(look->foreground & 0xFFFFFF, back & 0xFFFFFF);
        if (ratio < needed((enum style)i))
            fail_msg("%s: role %d has a contrast of %.2f, needs %.1f", path, i, ratio,
                     needed((enum style)i));
    }
}

static void every_theme_can_be_read(void **state)
{
    (void)state;
    assert_true(fabs(contrast(0, 0xFFFFFF) - 21) < 0.01);
    assert_true(fabs(contrast(0x777777, 0xFFFFFF) - 4.48) < 0.01);
    each_theme(check_contrast);
}

/* --- what must differ ------------------------------------------------------------------------ */

static bool same_look(const struct theme_look *a, const struct theme_look *b)
{
    return a->foreground == b->foreground && a->background == b->background &&
           a->attributes == b->attributes;
}

static void check_different(const char *path, const struct theme *theme)
{
    static const enum style pairs[][2] = {
        {STYLE_SELECTION, STYLE_TEXT},     {STYLE_MATCH, STYLE_MATCH_CURRENT},
        {STYLE_MATCH, STYLE_TEXT},         {STYLE_BORDER, STYLE_BORDER_FOCUS},
        {STYLE_LIST_SELECTED, STYLE_TEXT}, {STYLE_TOKEN_A, STYLE_TOKEN_B},
        {STYLE_UNSUPPORTED, STYLE_REPLY}};
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        const struct theme_style *a = &theme->styles[pairs[i][0]], *b = &theme->styles[pairs[i][1]];
        if (same_look(&a->full, &b->full) || same_look(&a->basic, &b->basic) ||
            a->basic.attributes == b->basic.attributes)
            fail_msg("%s: roles %d and %d look the same", path, pairs[i][0], pairs[i][1]);
    }
    for (int i = STYLE_SPEAKER_1; i < STYLE_SPEAKER_6; i++)
        for (int j = i + 1; j <= STYLE_SPEAKER_6; j++)
            if (same_look(&theme->styles[i].full, &theme->styles[j].full) ||
                same_look(&theme->styles[i].basic, &theme->styles[j].basic))
                fail_msg("%s: two speakers look the same", path);
}

static void what_differs_looks_different(void **state)
{
    struct theme plain;
    (void)state;
    each_theme(check_different);
    theme_plain(&plain);
    check_different("the plain look", &plain);
}

/* --- finding --------------------------------------------------------------------------------- */

static void a_home_directory_is_expanded(void **state)
{
    (void)state;
    char directory[] = "/tmp/airo-home-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char *path = path_join(directory, "mine.ini");
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fputs("[theme]\nname = \"Mine\"\n", file);
    fclose(file);
    const char *home = getenv("HOME");
    char *kept = home != NULL ? xstrdup(home) : NULL;
    setenv("HOME", directory, 1);
    struct theme theme;
    struct error error = {0};
    assert_int_equal(theme_open(&theme, "~/mine.ini", &error), 0);
    assert_string_equal(theme.name, "Mine");
    if (kept != NULL)
        setenv("HOME", kept, 1);
    else
        unsetenv("HOME");
    free(kept);
    unlink(path);
    free(path);
    rmdir(directory);
}

static void the_environment_decides_on_colours(void **state)
{
    (void)state;
    unsetenv("NO_COLOR");
    unsetenv("COLORTERM");
    assert_int_equal(palette_depth("auto"), COLOUR_256);
    assert_int_equal(palette_depth(NULL), COLOUR_256);
    setenv("COLORTERM", "truecolor", 1);
    assert_int_equal(palette_depth("auto"), COLOUR_DIRECT);
    setenv("NO_COLOR", "1", 1);
    assert_int_equal(palette_depth("auto"), COLOUR_NONE);
    assert_int_equal(palette_depth("16"), COLOUR_16); /* asked for, and so not auto */
    setenv("NO_COLOR", "", 1);
    assert_int_equal(palette_depth("auto"), COLOUR_DIRECT);
    unsetenv("NO_COLOR");
    unsetenv("COLORTERM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_theme_sets_every_role),
        cmocka_unit_test(every_theme_can_be_read),
        cmocka_unit_test(what_differs_looks_different),
        cmocka_unit_test(a_home_directory_is_expanded),
        cmocka_unit_test(the_environment_decides_on_colours),
    };
    return cmocka_run_group_tests_name("theme", tests, NULL, NULL);
}
