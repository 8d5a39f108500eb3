/*
 * external_editor.h - text through the user's own editor.
 */
#ifndef AIRO_TUI_EXTERNAL_EDITOR_H
#define AIRO_TUI_EXTERNAL_EDITOR_H

#include <stddef.h>

#include "engine/base/error.h"
#include "engine/base/strbuf.h"

/* Runs $VISUAL, $EDITOR or vi on a private temporary file with the text, waits for it, and appends
 * what the file holds then, without line breaks at its end. The terminal must have been released.
 * An editor that fails leaves the text as it was: an error. */
int external_editor_run(const char *text, size_t length, struct strbuf *edited,
                        struct error *error);

#endif
