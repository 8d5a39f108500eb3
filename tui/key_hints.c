#include "tui/key_hints.h"

#include <string.h>

#include "engine/base/width.h"

#define SEPARATION 2

void key_hints_draw(const struct key_hint *hints, struct terminal *terminal,
                    const struct rect *area, int row, bool focused)
{
    int column = 1;
    for (const struct key_hint *hint = hints; hint->key != NULL; hint++) {
        int columns = text_columns(hint->key, strlen(hint->key)) + 1 +
                      text_columns(hint->does, strlen(hint->does));
        if (column + columns >= area->columns)
            return;
        column +=
            terminal_puts(terminal, area, row, column, focused ? STYLE_KEY : STYLE_DIM, hint->key);
        column += terminal_puts(terminal, area, row, column + 1, STYLE_DIM, hint->does);
        column += 1 + SEPARATION;
    }
}
