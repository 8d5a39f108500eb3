/*
 * wrap.h - plain text -> lines of a width, kept while the text grows (Markdown: message_rows.h).
 *
 * Holds a sanitised copy of the text and the lines in it. When text is added only the last
 * paragraph is broken again; when the width changes, everything is.
 */
#ifndef AIRO_TUI_WRAP_H
#define AIRO_TUI_WRAP_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/strbuf.h"

#define WRAP_TAB_COLUMNS 4

struct wrap_line {
    size_t start, end; /* in `shown` */
};

/* Zero-initialise; wrap_free. */
struct wrap {
    struct strbuf shown;
    struct wrap_line *lines;
    size_t count, capacity;
    int columns;
    size_t raw_seen; /* bytes of the text that the lines cover */
    /* Up to here nothing changes any more: whole paragraphs. */
    size_t raw_done, shown_done, lines_done;
};

/* Brings the lines up to date with text[0..length), which may only have grown since the last
 * call (wrap_reset otherwise). */
void wrap_update(struct wrap *wrap, const char *text, size_t length, int columns);
void wrap_reset(struct wrap *wrap);
void wrap_free(struct wrap *wrap);

#endif
