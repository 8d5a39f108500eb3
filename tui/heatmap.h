/*
 * heatmap.h - a table of percentages as a picture: shaded for the terminal, and as SVG.
 */
#ifndef AIRO_TUI_HEATMAP_H
#define AIRO_TUI_HEATMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/strbuf.h"

struct heatmap {
    const char *title;              /* "answers right" */
    const char *across;             /* "depth of the fact" */
    const char *down;               /* "tokens" */
    const uint32_t *columns, *rows; /* what stands at their heads */
    size_t column_count, row_count;
    /* Of a cell: how many of how many, [row * column_count + column]. */
    const size_t *part, *whole;
};

/* `colour`: 256-colour backgrounds; without it shading characters stand before the numbers. Cells
 * that were not measured stay empty; the last column and row are the means. */
void heatmap_text(const struct heatmap *map, bool colour, struct strbuf *out);

/* A whole SVG file with the maps one below the other, under a caption. */
void heatmap_svg(const struct heatmap *maps, size_t count, const char *caption, struct strbuf *out);

#endif
