/*
 * key_hints.h - the keys at the foot of a pane: as many as fit, the first ones first.
 */
#ifndef AIRO_TUI_KEY_HINTS_H
#define AIRO_TUI_KEY_HINTS_H

#include <stdbool.h>

#include "tui/terminal.h"

struct key_hint {
    const char *key, *does;
};

/* `hints` ends with a row without a key. Without the focus the keys are dim, as they do nothing. */
void key_hints_draw(const struct key_hint *hints, struct terminal *terminal,
                    const struct rect *area, int row, bool focused);

#endif
