#include "tui/start_page.h"

#include <string.h>

#include "engine/base/width.h"
#include "tui/starters.h"

#define PAGE_COLUMNS     60
#define PAGE_COLUMNS_MIN 34
#define SHORT_COLUMNS    41 /* narrower, and the hints are shorter */
#define PAGE_ROWS        12
#define MARGIN           2

/* Cut with an ellipsis where it is too long. */
static int put_cut(struct terminal *terminal, const struct rect *area, int row, int column,
                   enum style style, const char *text)
{
    size_t length = strlen(text);
    int room = area->columns - column;
    if (text_columns(text, length) <= room)
        return terminal_puts(terminal, area, row, column, style, text);
    size_t fits = text_fit(text, length, room > 1 ? room - 1 : 0);
    while (fits > 0 && text[fits - 1] == ' ')
        fits--;
    int put = terminal_put(terminal, area, row, column, style, text, fits);
    return put + terminal_puts(terminal, area, row, column + put, style, "…");
}

static void draw_starter(struct terminal *terminal, const struct rect *area, int row,
                         const struct starter *starter, bool chosen)
{
    terminal_puts(terminal, area, row, 0, chosen ? STYLE_ACCENT : STYLE_DIM, chosen ? "▸" : "·");
    put_cut(terminal, area, row, 3, chosen ? STYLE_TITLE : STYLE_TEXT, starter->title);
    put_cut(terminal, area, row + 1, 3, STYLE_DIM, starter->line);
}

/* One line a starter, for small screens. */
static void draw_short(struct terminal *terminal, const struct rect *area, int chosen)
{
    bool hint = area->rows > STARTERS + 1;
    if (hint)
        put_cut(terminal, area, 0, 1, STYLE_TITLE, "Tab tries one, Enter sends it");
    for (int i = 0, row = hint ? 2 : 0; i < STARTERS && row < area->rows; i++, row++) {
        terminal_puts(terminal, area, row, 1, i == chosen ? STYLE_ACCENT : STYLE_DIM,
                      i == chosen ? "▸" : "·");
        put_cut(terminal, area, row, 3, i == chosen ? STYLE_TITLE : STYLE_TEXT,
                starters_table[i].title);
    }
}

static void draw_last_line(struct terminal *terminal, const struct rect *page, int row)
{
    bool room = page->columns >= PAGE_COLUMNS - 2, some = page->columns >= SHORT_COLUMNS;
    int at = terminal_puts(terminal, page, row, 0, STYLE_DIM, some ? "Or just type. " : "");
    at += terminal_puts(terminal, page, row, at, STYLE_KEY, "/doc FILE");
    terminal_puts(terminal, page, row, at, STYLE_DIM,
                  room ? " attaches a document of your own." : " adds a document.");
}

void start_page_draw(struct terminal *terminal, const struct rect *area, int chosen)
{
    if (area->rows < PAGE_ROWS || area->columns < PAGE_COLUMNS_MIN) {
        draw_short(terminal, area, chosen);
        return;
    }
    struct rect page = *area;
    int margin = area->columns < PAGE_COLUMNS + 2 * MARGIN ? MARGIN : 0;
    page.columns = margin > 0 ? area->columns - 2 * margin : PAGE_COLUMNS;
    page.column += (area->columns - page.columns) / 2;
    int row = (area->rows - PAGE_ROWS) / 2;
    terminal_puts(terminal, &page, row, 0, STYLE_TITLE,
                  page.columns >= SHORT_COLUMNS ? "Tab tries one of these, Enter sends it"
                                                : "Tab tries one, Enter sends it");
    row += 2;
    for (int i = 0; i < STARTERS; i++, row += 3)
        draw_starter(terminal, &page, row, &starters_table[i], i == chosen);
    draw_last_line(terminal, &page, row);
}
