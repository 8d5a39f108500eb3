/*
 * clipboard.h - text for the user's clipboard: in base64, for terminal_send_clipboard, and in a
 * file of their own, for terminals that have none.
 */
#ifndef AIRO_TUI_CLIPBOARD_H
#define AIRO_TUI_CLIPBOARD_H

#include "engine/base/error.h"
#include "engine/base/strbuf.h"

#define CLIPBOARD_BASE64_BYTES 100000u /* many terminals drop more */

/* Appends the base64 of as much of the text as fits, whole characters, and returns how many bytes
 * of it those are: less than `length` when it was cut, which the user must be told. */
size_t clipboard_encode(struct strbuf *out, const char *text, size_t length);
/* Replaces the file airo/clipboard in the XDG state directory, mode 0600, by all of the text; *path
 * is its name, to be freed. */
int clipboard_save(const char *text, size_t length, char **path, struct error *error);

#endif
