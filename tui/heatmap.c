#include "tui/heatmap.h"

#include <string.h>

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* Low to high, dark to light: order shows without telling colours apart. */
static const struct {
    const char *svg;
    int ansi; /* of the 256 */
    bool dark;
} steps[] = {{"#3b0f50", 53, true},  {"#5a2a82", 54, true},   {"#44518f", 60, true},
             {"#31708e", 24, true},  {"#22908c", 30, true},   {"#2fb07c", 36, false},
             {"#6bcb5f", 77, false}, {"#b0dc3a", 149, false}, {"#f4e61e", 227, false}};

static size_t step_of(size_t part, size_t whole)
{
    size_t step = part * COUNT(steps) / whole;
    return step < COUNT(steps) ? step : COUNT(steps) - 1;
}

/* A cell, or the mean of a row, a column or all: an index past the end takes them all. */
static void cell(const struct heatmap *map, size_t row, size_t column, size_t *part, size_t *whole)
{
    *part = *whole = 0;
    for (size_t r = 0; r < map->row_count; r++)
        for (size_t c = 0; c < map->column_count; c++) {
            if ((row < map->row_count && r != row) || (column < map->column_count && c != column))
                continue;
            *part += map->part[r * map->column_count + c];
            *whole += map->whole[r * map->column_count + c];
        }
}

static unsigned rounded(size_t part, size_t whole)
{
    return (unsigned)((200 * part + whole) / (2 * whole));
}

/* --- the terminal ----------------------------------------------------------------------------- */

static const char *shade(size_t part, size_t whole)
{
    static const char *const shades[] = {"  ", "░░", "▒▒", "▓▓", "██"};
    size_t step = part * COUNT(shades) / whole;
    return shades[step < COUNT(shades) ? step : COUNT(shades) - 1];
}

static void text_cell(const struct heatmap *map, size_t row, size_t column, bool colour,
                      struct strbuf *out)
{
    size_t part, whole;
    cell(map, row, column, &part, &whole);
    bool mean = row >= map->row_count || column >= map->column_count;
    if (whole == 0)
        strbuf_puts(out, "       ");
    else if (mean)
        strbuf_printf(out, "   %3u ", rounded(part, whole));
    else if (colour)
        strbuf_printf(out, "\033[48;5;%dm\033[38;5;%dm   %3u \033[0m",
                      steps[step_of(part, whole)].ansi, steps[step_of(part, whole)].dark ? 231 : 16,
                      rounded(part, whole));
    else
        strbuf_printf(out, "%s %3u ", shade(part, whole), rounded(part, whole));
}

void heatmap_text(const struct heatmap *map, bool colour, struct strbuf *out)
{
    strbuf_printf(out, "%s, %% by %s (down) and %s (across)\n\n%10s", map->title, map->down,
                  map->across, "");
    for (size_t c = 0; c < map->column_count; c++)
        strbuf_printf(out, "   %3u%%", map->columns[c]);
    strbuf_puts(out, "    all\n");
    for (size_t r = 0; r <= map->row_count; r++) {
        if (r < map->row_count)
            strbuf_printf(out, "%8u  ", map->rows[r]);
        else
            strbuf_printf(out, "%8s  ", "all");
        for (size_t c = 0; c <= map->column_count; c++)
            text_cell(map, r, c, colour, out);
        while (out->length > 0 && out->data[out->length - 1] == ' ')
            strbuf_remove(out, out->length - 1, 1);
        strbuf_putc(out, '\n');
    }
}

/* --- SVG -------------------------------------------------------------------------------------- */

#define CELL_WIDTH  72
#define CELL_HEIGHT 40
#define LEFT        152
#define TOP         84
#define BOTTOM      28

static void put_escaped(struct strbuf *out, const char *text)
{
    static const struct {
        char c;
        const char *as;
    } escapes[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};
    for (; *text != '\0'; text++) {
        size_t i = 0;
        while (i < COUNT(escapes) && escapes[i].c != *text)
            i++;
        if (i < COUNT(escapes))
            strbuf_puts(out, escapes[i].as);
        else if ((unsigned char)*text >= ' ')
            strbuf_putc(out, *text);
    }
}

static void svg_cell(const struct heatmap *map, size_t row, size_t column, size_t top,
                     struct strbuf *out)
{
    size_t part, whole, x = LEFT + column * CELL_WIDTH, y = top + TOP + row * CELL_HEIGHT;
    bool mean = row >= map->row_count || column >= map->column_count;
    cell(map, row, column, &part, &whole);
    if (whole == 0)
        return;
    const char *fill = mean ? "none" : steps[step_of(part, whole)].svg;
    const char *ink = !mean && steps[step_of(part, whole)].dark ? "#ffffff" : "#1b1b1b";
    strbuf_printf(out,
                  "<rect x=\"%zu\" y=\"%zu\" width=\"%d\" height=\"%d\" fill=\"%s\" rx=\"3\"/>"
                  "<text x=\"%zu\" y=\"%zu\" fill=\"%s\" text-anchor=\"middle\">%u</text>\n",
                  x + 1, y + 1, CELL_WIDTH - 2, CELL_HEIGHT - 2, fill, x + CELL_WIDTH / 2,
                  y + CELL_HEIGHT / 2 + 5, ink, rounded(part, whole));
}

static void svg_heads(const struct heatmap *map, size_t top, struct strbuf *out)
{
    for (size_t c = 0; c <= map->column_count; c++) {
        strbuf_printf(out, "<text x=\"%zu\" y=\"%zu\" text-anchor=\"middle\">",
                      LEFT + c * CELL_WIDTH + CELL_WIDTH / 2, top + TOP - 10);
        if (c < map->column_count)
            strbuf_printf(out, "%u%%</text>\n", map->columns[c]);
        else
            strbuf_puts(out, "all</text>\n");
    }
    for (size_t r = 0; r <= map->row_count; r++) {
        strbuf_printf(out, "<text x=\"%d\" y=\"%zu\" text-anchor=\"end\">", LEFT - 12,
                      top + TOP + r * CELL_HEIGHT + CELL_HEIGHT / 2 + 5);
        if (r < map->row_count)
            strbuf_printf(out, "%u</text>\n", map->rows[r]);
        else
            strbuf_puts(out, "all</text>\n");
    }
}

static size_t svg_map(const struct heatmap *map, size_t top, struct strbuf *out)
{
    strbuf_printf(out, "<text x=\"16\" y=\"%zu\" font-weight=\"bold\">", top + 24);
    put_escaped(out, map->title);
    strbuf_puts(out, " (%)</text>\n");
    strbuf_printf(out, "<text x=\"%zu\" y=\"%zu\" fill=\"#5b5b5b\" text-anchor=\"middle\">",
                  LEFT + map->column_count * CELL_WIDTH / 2, top + TOP - 34);
    put_escaped(out, map->across);
    strbuf_printf(out, "</text>\n<text x=\"16\" y=\"%zu\" fill=\"#5b5b5b\">", top + TOP - 10);
    put_escaped(out, map->down);
    strbuf_puts(out, "</text>\n");
    svg_heads(map, top, out);
    for (size_t r = 0; r <= map->row_count; r++)
        for (size_t c = 0; c <= map->column_count; c++)
            svg_cell(map, r, c, top, out);
    return top + TOP + (map->row_count + 1) * CELL_HEIGHT + BOTTOM;
}

void heatmap_svg(const struct heatmap *maps, size_t count, const char *caption, struct strbuf *out)
{
    struct strbuf body = {0};
    size_t columns = 6, bottom = 40;
    for (size_t i = 0; i < count; i++) {
        columns = maps[i].column_count + 1 > columns ? maps[i].column_count + 1 : columns;
        bottom = svg_map(&maps[i], bottom, &body);
    }
    size_t width = LEFT + columns * CELL_WIDTH + 24;
    strbuf_printf(out,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%zu\" height=\"%zu\" "
                  "viewBox=\"0 0 %zu %zu\" font-family=\"sans-serif\" font-size=\"15\" "
                  "fill=\"#1b1b1b\">\n<rect width=\"100%%\" height=\"100%%\" fill=\"#ffffff\"/>\n"
                  "<text x=\"16\" y=\"30\" font-size=\"17\">",
                  width, bottom, width, bottom);
    put_escaped(out, caption);
    strbuf_printf(out, "</text>\n%s</svg>\n", strbuf_text(&body));
    strbuf_free(&body);
}
