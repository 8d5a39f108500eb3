#include "tui/start_page.h"

#include "tui/starters.h"

#define PAGE_COLUMNS 60
#define PAGE_ROWS    12

static void draw_starter(struct terminal *terminal, const struct rect *area, int row,
                         const struct starter *starter, bool chosen)
{
    terminal_puts(terminal, area, row, 0, chosen ? STYLE_ACCENT : STYLE_DIM, chosen ? "▸" : "·");
    terminal_puts(terminal, area, row, 3, chosen ? STYLE_TITLE : STYLE_TEXT, starter->title);
    terminal_puts(terminal, area, row + 1, 3, STYLE_DIM, starter->line);
}

/* One line a starter, for small screens. */
static void draw_short(struct terminal *terminal, const struct rect *area, int chosen)
{
    for (int i = 0; i < STARTERS && i < area->rows; i++) {
        terminal_puts(terminal, area, i, 1, STYLE_DIM, i == chosen ? "▸" : "·");
        terminal_puts(terminal, area, i, 3, STYLE_TEXT, starters_table[i].title);
    }
}

void start_page_draw(struct terminal *terminal, const struct rect *area, int chosen)
{
    if (area->rows < PAGE_ROWS || area->columns < 40) {
        draw_short(terminal, area, chosen);
        return;
    }
    struct rect page = *area;
    if (area->columns > PAGE_COLUMNS) {
        page.column += (area->columns - PAGE_COLUMNS) / 2;
        page.columns = PAGE_COLUMNS;
    }
    int row = (area->rows - PAGE_ROWS) / 2;
    terminal_puts(terminal, &page, row, 0, STYLE_TITLE, "Tab tries one of these, Enter sends it");
    row += 2;
    for (int i = 0; i < STARTERS; i++, row += 3)
        draw_starter(terminal, &page, row, &starters_table[i], i == chosen);
    int at = terminal_puts(terminal, &page, row, 0, STYLE_DIM, "or just type. ");
    at += terminal_puts(terminal, &page, row, at, STYLE_KEY, "/doc FILE");
    terminal_puts(terminal, &page, row, at, STYLE_DIM, " attaches a document of your own.");
}
