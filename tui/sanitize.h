/*
 * sanitize.h - the one way for untrusted text to a terminal.
 *
 * What could move the cursor, change a mode, reorder or hide text is shown, never sent: control
 * characters as their pictures (U+241B for escape), the rest by number (<U+202E>), invalid bytes
 * as U+FFFD. The result is valid UTF-8.
 */
#ifndef AIRO_TUI_SANITIZE_H
#define AIRO_TUI_SANITIZE_H

#include <stddef.h>

#include "engine/base/strbuf.h"

#define SANITIZE_KEEP_NEWLINES 1u
#define SANITIZE_KEEP_TABS     2u

/* The most combining marks that one character may carry; further ones are shown by number. */
#define SANITIZE_MARKS_MAX 8

/* Appends text[0..length) to `out`, made harmless. */
void sanitize_text(struct strbuf *out, const char *text, size_t length, unsigned flags);

#endif
