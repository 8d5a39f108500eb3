/*
 * clipboard.h - text to the user's clipboard: through the terminal (OSC 52) and to a file of their
 * own, for terminals that do not take it. Base64 makes every byte harmless on its way.
 */
#ifndef AIRO_TUI_CLIPBOARD_H
#define AIRO_TUI_CLIPBOARD_H

#include "engine/base/error.h"
#include "engine/base/strbuf.h"

#define CLIPBOARD_SEQUENCE_BYTES 100000u /* terminals drop longer ones */

/* Appends the sequence for as much of the text as fits, whole characters, and returns how many
 * bytes of it those are: less than `length` when it was cut, which the user must be told. */
size_t clipboard_sequence(struct strbuf *out, const char *text, size_t length);
/* Writes the sequence to a terminal; returns as above, or 0 when it cannot be written. */
size_t clipboard_send(int fd, const char *text, size_t length);
/* Replaces the file airo/clipboard in the XDG state directory, mode 0600, by all of the text; *path
 * is its name, to be freed. */
int clipboard_save(const char *text, size_t length, char **path, struct error *error);

#endif
