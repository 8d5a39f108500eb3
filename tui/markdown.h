/*
 * markdown.h - Markdown -> rows of a flow, through md4c.
 *
 * Takes one self-contained part of a message (see markdown_split.h). Raw HTML is text; a line break
 * in the source is one on the screen. What md4c would swallow, or what is too much for it (tables
 * of more cells than markdown_table.h allows), is shown as it stands.
 */
#ifndef AIRO_TUI_MARKDOWN_H
#define AIRO_TUI_MARKDOWN_H

#include "tui/flow.h"

/* Bytes start..end of `message` become rows. `unfinished`: more is to come, so emphasis, code and
 * strikethrough that are open at the end are shown as if they ended there. */
void markdown_add(struct flow *flow, const char *message, size_t start, size_t end,
                  bool unfinished);
/* The same bytes as plain lines: "Source:" lines, and what is not Markdown. */
void markdown_add_plain(struct flow *flow, const char *message, size_t start, size_t end,
                        enum flow_kind kind, enum style style);

/* A code block's frame and lines. `language` may be empty; bytes of the message that the frame's
 * two rows stand for. Lines are added between the two; see flow.h for `raw`. */
void markdown_code_begin(struct flow *flow, const char *language, size_t length, size_t raw,
                         size_t raw_end);
void markdown_code_line(struct flow *flow, const char *bytes, size_t length, size_t raw);
void markdown_code_end(struct flow *flow, size_t raw, size_t raw_end);

/* An empty row, when the message has an empty line before `raw`, or when `always` (but at the
 * beginning). */
void markdown_gap(struct flow *flow, const char *message, size_t raw, bool always);

#endif
