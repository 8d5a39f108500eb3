/*
 * token_text.h - the text of a token, made visible and harmless.
 */
#ifndef AIRO_TUI_TOKEN_TEXT_H
#define AIRO_TUI_TOKEN_TEXT_H

#include <stdbool.h>

#include "engine/base/strbuf.h"

/* Appends it with line ends as arrows; `spaces`: those at both ends as open boxes. */
void token_text_put(const char *text, size_t length, bool spaces, struct strbuf *out);
/* Appends a piece that is a part of a character, "<0xE6>", as "‹E6›". */
void token_text_put_piece(const char *piece, struct strbuf *out);

#endif
