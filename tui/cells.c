#include "tui/cells.h"

#include <stdbool.h>
#include <wchar.h>

#include "engine/base/utf8.h"
#include "engine/base/width.h"

/* A run of characters for one cell: a spacing one and the marks on it. */
struct cell {
    wchar_t text[CCHARW_MAX + 1];
    size_t count;
    int columns;
};

/* Takes the next cell of a cluster, returns its bytes. Characters that the C library does not know
 * are replaced; what has no place in the cell is left out. */
static size_t next_cell(const char *text, size_t length, struct cell *cell)
{
    uint32_t code;
    size_t at = utf8_decode(text, length, &code);
    int columns = wcwidth((wchar_t)code);
    *cell = (struct cell){{0}, 0, columns};
    if (columns <= 0) {
        /* A mark without a base stands on a space; another zero-width character is nothing. */
        cell->text[cell->count++] = columns == 0 ? L' ' : (wchar_t)UTF8_REPLACEMENT;
        cell->columns = 1;
    }
    if (columns >= 0)
        cell->text[cell->count++] = (wchar_t)code;
    while (at < length) {
        size_t bytes = utf8_decode(text + at, length - at, &code);
        if (wcwidth((wchar_t)code) != 0)
            break;
        if (cell->count < CCHARW_MAX && code != 0xFE0F && code != 0x200D)
            cell->text[cell->count++] = (wchar_t)code;
        at += bytes;
    }
    return at;
}

static void put_cell(const struct cell *cell, attr_t attributes, int pair)
{
    cchar_t glyph;
    setcchar(&glyph, cell->text, attributes, (short)pair, &pair);
    add_wch(&glyph);
}

void cells_put(const char *text, size_t bytes, int columns, attr_t attributes, int pair)
{
    static const struct cell blank = {L" ", 1, 1};
    bool emoji = grapheme_is_emoji(text, bytes);
    int drawn = 0;
    for (size_t at = 0; at < bytes && drawn < columns;) {
        struct cell cell;
        size_t used = next_cell(text + at, bytes - at, &cell);
        /* Of an emoji sequence the first character; of a flag, both halves. */
        if (drawn + cell.columns > columns || (emoji && at > 0 && cell.columns != 1))
            break;
        put_cell(&cell, attributes, pair);
        drawn += cell.columns;
        at += used;
    }
    for (; drawn < columns; drawn++)
        put_cell(&blank, attributes, pair);
}
