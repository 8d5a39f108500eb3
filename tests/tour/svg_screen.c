#include "tests/tour/svg_screen.h"

#include <string.h>

#define CELL_WIDTH  8.73 /* of a font of 14.5: lines of boxes meet */
#define CELL_HEIGHT 17
#define BASELINE    13.5
#define MARGIN      14
#define BAR         30 /* the window's bar */

static void put_escaped(struct strbuf *out, const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '&')
            strbuf_puts(out, "&amp;");
        else if (*text == '<')
            strbuf_puts(out, "&lt;");
        else if (*text == '>')
            strbuf_puts(out, "&gt;");
        else
            strbuf_putc(out, *text);
    }
}

static double x_of(int column)
{
    return MARGIN + column * CELL_WIDTH;
}

static int y_of(int row)
{
    return BAR + MARGIN / 2 + row * CELL_HEIGHT;
}

static bool same_look(const struct pty_cell *a, const struct pty_cell *b)
{
    return a->foreground == b->foreground && a->background == b->background && a->bold == b->bold &&
           a->italic == b->italic && a->underline == b->underline;
}

static void put_background(struct strbuf *out, int row, int from, int to, unsigned colour)
{
    strbuf_printf(out, "<rect x=\"%.1f\" y=\"%d\" width=\"%.1f\" height=\"%d\" fill=\"#%06x\"/>\n",
                  x_of(from), y_of(row), (to - from) * CELL_WIDTH + 0.2, CELL_HEIGHT, colour);
}

static void put_text(struct strbuf *out, int row, int from, int to, const struct pty_cell *look,
                     const struct strbuf *text)
{
    strbuf_printf(out,
                  "<text x=\"%.1f\" y=\"%.1f\" fill=\"#%06x\" textLength=\"%.1f\" "
                  "lengthAdjust=\"spacingAndGlyphs\"%s%s%s>",
                  x_of(from), y_of(row) + BASELINE, look->foreground, (to - from) * CELL_WIDTH,
                  look->bold ? " font-weight=\"bold\"" : "",
                  look->italic ? " font-style=\"italic\"" : "",
                  look->underline ? " text-decoration=\"underline\"" : "");
    put_escaped(out, strbuf_text(text));
    strbuf_puts(out, "</text>\n");
}

static bool is_blank(const struct strbuf *text)
{
    return strspn(strbuf_text(text), " ") == text->length;
}

/* Runs of one look; a wide character is a run of its own, as fonts disagree on its width. */
static void put_row(struct pty_screen *screen, int row, int columns, unsigned paper,
                    struct strbuf *out)
{
    struct strbuf text = {0};
    struct pty_cell look, cell;
    for (int from = 0, to; from < columns; from = to) {
        pty_screen_cell(screen, row, from, &look);
        strbuf_clear(&text);
        strbuf_puts(&text, look.text[0] != '\0' ? look.text : " ");
        to = from + look.columns;
        for (; look.columns == 1 && to < columns; to++) {
            pty_screen_cell(screen, row, to, &cell);
            if (cell.columns != 1 || !same_look(&look, &cell))
                break;
            strbuf_puts(&text, cell.text[0] != '\0' ? cell.text : " ");
        }
        if (look.background != paper)
            put_background(out, row, from, to, look.background);
        if (!is_blank(&text))
            put_text(out, row, from, to, &look, &text);
    }
    strbuf_free(&text);
}

void svg_screen(struct pty_screen *screen, int rows, int columns, const char *title,
                struct strbuf *out)
{
    struct pty_cell corner;
    pty_screen_cell(screen, 0, 0, &corner);
    double width = 2 * MARGIN + columns * CELL_WIDTH;
    int height = BAR + MARGIN + rows * CELL_HEIGHT;
    strbuf_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %d\" "
                  "width=\"%.0f\" height=\"%d\" font-family=\"'DejaVu Sans Mono', Menlo, "
                  "Consolas, monospace\" font-size=\"14.5\" xml:space=\"preserve\">\n",
                  width, height, width, height);
    strbuf_printf(out, "<rect width=\"%.0f\" height=\"%d\" rx=\"9\" fill=\"#%06x\"/>\n", width,
                  height, corner.background);
    static const char *const buttons[] = {"#e06c60", "#e0b860", "#6cb070"};
    for (int i = 0; i < 3; i++)
        strbuf_printf(out, "<circle cx=\"%d\" cy=\"15\" r=\"5\" fill=\"%s\"/>\n", 18 + 17 * i,
                      buttons[i]);
    strbuf_printf(out, "<text x=\"%.0f\" y=\"20\" fill=\"#8a96a3\" text-anchor=\"middle\">",
                  width / 2);
    put_escaped(out, title);
    strbuf_puts(out, "</text>\n");
    for (int row = 0; row < rows; row++)
        put_row(screen, row, columns, corner.background, out);
    strbuf_puts(out, "</svg>\n");
}
