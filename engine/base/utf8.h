/*
 * utf8.h - decoding and encoding one code point at a time. Width and grapheme clusters: width.h.
 */
#ifndef AIRO_BASE_UTF8_H
#define AIRO_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_REPLACEMENT 0xFFFDu

/* Decodes the code point at text[0..length), length >= 1, into *code and returns the bytes it
 * takes, 1 to 4. An invalid byte (overlong forms and surrogates included) gives 1 and
 * UTF8_REPLACEMENT. */
size_t utf8_decode(const char *text, size_t length, uint32_t *code);

/* Writes the code point to out[0..4) and returns its length; invalid ones become U+FFFD. */
size_t utf8_encode(uint32_t code, char *out);

/* How many leading bytes of `text` form whole characters: less than `length` only when the end is
 * a valid but unfinished sequence. For streams. */
size_t utf8_whole(const char *text, size_t length);

#endif
