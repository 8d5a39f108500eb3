/*
 * markdown_inline.h - small matters inside of a paragraph: entities, and emphasis that is still
 * open at the end of a reply that goes on.
 */
#ifndef AIRO_TUI_MARKDOWN_INLINE_H
#define AIRO_TUI_MARKDOWN_INLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/strbuf.h"

/* "&amp;", "&#233;": the character's bytes in out[0..4) and how many; 0: not one that is known. */
size_t markdown_entity(const char *text, size_t length, char *out);

/* Copies text to `out` with the marks that close what its last paragraph leaves open; *kept is how
 * much of the text is in the copy (marks that have nothing behind them yet are left out). False,
 * with nothing written, when nothing is open. */
bool markdown_close_inline(const char *text, size_t length, struct strbuf *out, size_t *kept);

#endif
