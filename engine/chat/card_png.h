/*
 * card_png.h - the JSON of a character card inside a PNG file.
 *
 * Text chunks (tEXt, zTXt, iTXt) with the keyword "chara" hold V2, with "ccv3" V3, as base64. Chunk
 * lengths and checksums are verified, and what inflates to more than CARD_BYTES_MAX is refused.
 */
#ifndef AIRO_CHAT_CARD_PNG_H
#define AIRO_CHAT_CARD_PNG_H

#include <stdbool.h>

#include "engine/base/error.h"
#include "engine/base/strbuf.h"

bool card_png_is(const char *bytes, size_t length);

/* Appends the card's JSON to `out`; V3 when there are both. `source` is named in errors. */
int card_png_read(const char *bytes, size_t length, const char *source, struct strbuf *out,
                  struct error *error);

/* Appends the picture `bytes` with the two forms of a card in it, in place of any that it has. */
int card_png_write(const char *bytes, size_t length, const char *source, const struct strbuf *v2,
                   const struct strbuf *v3, struct strbuf *out, struct error *error);

/* Appends a small plain picture, coloured by `name`, for a card that has none. */
void card_png_blank(const char *name, struct strbuf *out);

#endif
