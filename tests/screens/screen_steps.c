#include "tests/screens/screen_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"
#include "engine/base/width.h"

const char steps_script[] =
    "The vaquita is the smallest porpoise.\n"
    "\n---\n"
    "# Heading\n\nText.\n\n```c\nint x;\n\tx = 1;\n```\n\nSource:\ndate: 2021\n"
    "\n---\n"
    "Third.";

struct pty_screen *steps_start(int rows, int columns, struct chat_child *child)
{
    return chat_child_start(rows, columns, NULL, child);
}

void steps_ask(struct pty_screen *screen, const char *text)
{
    pty_screen_type(screen, text);
    pty_screen_type(screen, "\r");
}

void steps_idle(struct pty_screen *screen)
{
    assert_true(pty_screen_wait_text(screen, "F1 help"));
}

void steps_leave(struct pty_screen *screen)
{
    pty_screen_type(screen, CTRL_D);
    assert_int_equal(pty_screen_wait_exit(screen), 0);
    pty_screen_free(screen);
}

void steps_type(struct pty_screen *screen, const char *text)
{
    char *line = xasprintf("› %s", text);
    pty_screen_type(screen, text);
    assert_true(pty_screen_wait_text(screen, line));
    free(line);
}

void steps_clear(struct pty_screen *screen, const char *text)
{
    char *line = xasprintf("› %s", text);
    pty_screen_type(screen, CTRL_C);
    assert_true(pty_screen_wait_no_text(screen, line));
    free(line);
}

static bool cursor_is_in(struct pty_screen *screen, void *user)
{
    const int *bounds = user;
    int row, column;
    pty_screen_cursor(screen, &row, &column);
    return row >= bounds[0] && row < bounds[1] && column >= bounds[2] && column < bounds[3];
}

void steps_cursor_in(struct pty_screen *screen, int row, int to_row, int column, int to_column)
{
    int bounds[] = {row, to_row, column, to_column};
    if (pty_screen_wait(screen, cursor_is_in, bounds))
        return;
    char *shown = pty_screen_text(screen);
    pty_screen_cursor(screen, &row, &column);
    fail_msg("the cursor stands in row %d, column %d:\n%s", row, column, shown);
}

static bool title_has(struct pty_screen *screen, void *user)
{
    return strstr(pty_screen_state(screen)->title, user) != NULL;
}

void steps_title(struct pty_screen *screen, const char *part)
{
    if (!pty_screen_wait(screen, title_has, (void *)(uintptr_t)part))
        fail_msg("the title is \"%s\"", pty_screen_state(screen)->title);
}

void steps_click(struct pty_screen *screen, int row, int column)
{
    char *bytes =
        xasprintf("\033[<0;%d;%dM\033[<0;%d;%dm", column + 1, row + 1, column + 1, row + 1);
    pty_screen_type(screen, bytes);
    free(bytes);
}

void steps_wheel(struct pty_screen *screen, int row, int column, bool up)
{
    char *bytes = xasprintf("\033[<%d;%d;%dM", up ? 64 : 65, column + 1, row + 1);
    pty_screen_type(screen, bytes);
    free(bytes);
}

int steps_column_of(struct pty_screen *screen, const char *text)
{
    char *shown = pty_screen_text(screen), *at = strstr(shown, text);
    char *line = at;
    while (line != NULL && line > shown && line[-1] != '\n')
        line--;
    int column = at != NULL ? text_columns(line, (size_t)(at - line)) : -1;
    free(shown);
    return column;
}

void steps_end(struct pty_screen *screen)
{
    pty_screen_type(screen, CTRL_C CTRL_C CTRL_C);
    pty_screen_free(screen);
}

char *steps_numbered(int lines)
{
    struct strbuf text = {0};
    for (int i = 1; i <= lines; i++)
        strbuf_printf(&text, "line %d.\n", i);
    return strbuf_detach(&text);
}
