/*
 * wrap.h - text -> lines of a width, kept while the text grows.
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

enum wrap_kind { WRAP_TEXT, WRAP_CODE, WRAP_FENCE, WRAP_HEADING, WRAP_SOURCE };

struct wrap_line {
    size_t start, end; /* in `shown` */
    enum wrap_kind kind;
    int indent; /* columns that a line which is not its paragraph's first is drawn in */
};

/* Zero-initialise; wrap_free. */
struct wrap {
    struct strbuf shown;
    struct wrap_line *lines;
    size_t count, capacity;
    int columns;
    bool markup;     /* recognise headings, code fences and source lines */
    bool lists;      /* hang the lines of a list's items under their text */
    int hang;        /* ... and those of any other paragraph so many columns in */
    size_t raw_seen; /* bytes of the text that the lines cover */
    /* Up to here nothing changes any more: whole paragraphs. */
    size_t raw_done, shown_done, lines_done;
    bool fence_done, fence, source_done, source;
};

/* Brings the lines up to date with text[0..length), which may only have grown since the last
 * call (wrap_reset otherwise). */
void wrap_update(struct wrap *wrap, const char *text, size_t length, int columns);
void wrap_reset(struct wrap *wrap);
void wrap_free(struct wrap *wrap);

/* The line that holds byte `offset` of `shown`. */
size_t wrap_line_at(const struct wrap *wrap, size_t offset);

#endif
