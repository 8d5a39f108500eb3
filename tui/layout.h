/*
 * layout.h - where the draft's text and its cursor stand at a width.
 */
#ifndef AIRO_TUI_LAYOUT_H
#define AIRO_TUI_LAYOUT_H

#include <stddef.h>

#include "engine/base/strbuf.h"
#include "tui/paste.h"
#include "tui/wrap.h"

/* Zero-initialise; layout_free. */
struct layout {
    struct strbuf shown;    /* sanitised, pastes as labels, no newlines */
    struct wrap_line *rows; /* in `shown`; one at least */
    size_t count, capacity;
    size_t cursor_row;
    int cursor_column;
    struct wrap scratch;
};

/* `prefix` stands before the text; `point` is the cursor's byte in text[0..length). */
void layout_update(struct layout *layout, const char *prefix, const char *text, size_t length,
                   size_t point, const struct paste_list *pastes, int columns);
void layout_free(struct layout *layout);

#endif
