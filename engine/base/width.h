/*
 * width.h - grapheme clusters, their width in terminal columns, and where lines may be broken.
 *
 * The one width function of the program: wrapping, the cursor and drawing all ask it. It counts
 * what every terminal agrees on: an emoji sequence takes two columns, however many code points it
 * has, because only its first character is ever drawn.
 */
#ifndef AIRO_BASE_WIDTH_H
#define AIRO_BASE_WIDTH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of the cluster at the start of text[0..length); 0 only when length is 0. Invalid bytes
 * are clusters of their own. */
size_t grapheme_next(const char *text, size_t length);

/* Where the cluster that ends at (or spans) `offset` begins; 0 when offset is 0. */
size_t grapheme_previous(const char *text, size_t length, size_t offset);

/* Columns of one cluster of `bytes` bytes: 0 for what is invisible (and for controls), 1 or 2, more
 * for clusters with several spacing characters. */
int grapheme_columns(const char *text, size_t bytes);

/* True when the cluster is an emoji sequence, of which only the first character is drawn. */
bool grapheme_is_emoji(const char *text, size_t bytes);

/* Columns of a whole text without tabs or newlines. */
int text_columns(const char *text, size_t length);

/* The most bytes of whole clusters that fit into `columns`. */
size_t text_fit(const char *text, size_t length, int columns);

/* breaks[i] becomes true where a line may end before byte i (Unicode line breaking); `breaks` has
 * room for `length`. The text must be valid UTF-8. */
void text_line_breaks(const char *text, size_t length, char *breaks);

#endif
