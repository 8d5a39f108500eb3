#include "tui/box.h"

#include <string.h>

#include "engine/base/strbuf.h"
#include "engine/base/width.h"
#include "tui/sanitize.h"

#define TITLE_MARGIN 2 /* columns of line on each side of the title */

void box_fill(struct terminal *terminal, const struct rect *area, enum style style)
{
    static const char blanks[] = "                                                                ";
    const int run = (int)sizeof blanks - 1;
    for (int row = 0; row < area->rows; row++) {
        for (int column = 0; column < area->columns; column += run) {
            int rest = area->columns - column;
            terminal_put(terminal, area, row, column, style, blanks,
                         (size_t)(rest < run ? rest : run));
        }
    }
}

static void put_title(struct terminal *terminal, const struct rect *area, enum style style,
                      const char *title)
{
    struct strbuf clean = {0};
    int room = area->columns - 2 - 2 * TITLE_MARGIN;
    sanitize_text(&clean, title, strlen(title), 0);
    int columns = text_columns(strbuf_text(&clean), clean.length);
    if (columns > room && room > 0) {
        clean.length = text_fit(clean.data, clean.length, room - 1);
        strbuf_puts(&clean, "\u2026");
    }
    if (clean.length > 0 && room > 0)
        terminal_printf(terminal, area, 0, TITLE_MARGIN, style, " %s ", strbuf_text(&clean));
    strbuf_free(&clean);
}

struct rect box_draw(struct terminal *terminal, const struct rect *area, enum style border,
                     enum style title_style, const char *title)
{
    int bottom = area->rows - 1, right = area->columns - 1;
    if (bottom < 1 || right < 1)
        return (struct rect){area->row, area->column, 0, 0};
    terminal_puts(terminal, area, 0, 0, border, "╭");
    terminal_repeat(terminal, area, 0, 1, border, "─", right - 1);
    terminal_puts(terminal, area, 0, right, border, "╮");
    for (int row = 1; row < bottom; row++) {
        terminal_puts(terminal, area, row, 0, border, "│");
        terminal_puts(terminal, area, row, right, border, "│");
    }
    terminal_puts(terminal, area, bottom, 0, border, "╰");
    terminal_repeat(terminal, area, bottom, 1, border, "─", right - 1);
    terminal_puts(terminal, area, bottom, right, border, "╯");
    if (title != NULL)
        put_title(terminal, area, title_style, title);
    return (struct rect){area->row + 1, area->column + 1, area->rows - 2, area->columns - 2};
}
