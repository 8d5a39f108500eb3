#include "tests/screens/screen_steps.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "engine/base/strbuf.h"

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

char *steps_numbered(int lines)
{
    struct strbuf text = {0};
    for (int i = 1; i <= lines; i++)
        strbuf_printf(&text, "line %d.\n", i);
    return strbuf_detach(&text);
}
