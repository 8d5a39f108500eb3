/*
 * markdown_split.h - where a growing Markdown text can be cut so that what stands before the cut
 * never changes.
 *
 * A part is a fenced code block, the lines of a source, a heading, or the blocks up to an empty
 * line outside of lists. A part that grows too large is cut all the same, at a line or a word, so
 * that the work for each new piece stays bounded. A cut depends only on the text before it.
 */
#ifndef AIRO_TUI_MARKDOWN_SPLIT_H
#define AIRO_TUI_MARKDOWN_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#define MARKDOWN_PART_BYTES  (8u << 10)  /* the largest part */
#define MARKDOWN_TABLE_BYTES (48u << 10) /* ... that is a table */
#define MARKDOWN_FENCE_BYTES (2u << 10)  /* pieces that an open fence is handed out in */

enum markdown_part { MARKDOWN_TEXT, MARKDOWN_FENCE, MARKDOWN_FENCE_MORE, MARKDOWN_SOURCE };

/* The state between parts. Zero-initialise. */
struct markdown_splitter {
    char fence; /* 0, or the character of the fence that is open */
    size_t fence_length, fence_indent;
};

struct markdown_cut {
    enum markdown_part part;
    size_t end;  /* the part is text[start..end) */
    bool closed; /* it will never change */
    bool last;   /* of a fence: its end is in it */
};

/* The part that begins at `start` < length. */
struct markdown_cut markdown_split(struct markdown_splitter *splitter, const char *text,
                                   size_t length, size_t start);
/* True when the line is a fence's beginning; its indentation, character and length. */
bool markdown_is_fence(const char *line, size_t length, struct markdown_splitter *fence);
bool markdown_is_fence_end(const char *line, size_t length, const struct markdown_splitter *fence);

#endif
