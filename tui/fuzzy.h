/*
 * fuzzy.h - ranks names by how well they match a few typed letters, for the palette.
 *
 * The letters must all occur in their order, words of the pattern in any order; case does not
 * count. Letters at the start of words and letters in a row are worth more, gaps less. The same
 * input always gives the same order.
 */
#ifndef AIRO_TUI_FUZZY_H
#define AIRO_TUI_FUZZY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FUZZY_TEXT_MAX    128 /* characters of a text that are looked at */
#define FUZZY_PATTERN_MAX 48  /* characters of one word of a pattern */

struct fuzzy_match {
    size_t index; /* of the text, for fuzzy_rank */
    int score;
    /* Byte offsets of the characters that matched, ascending. */
    uint16_t positions[FUZZY_TEXT_MAX];
    size_t count;
};

/* False when the text does not match. An empty pattern matches everything with score 0. */
bool fuzzy_match(const char *pattern, const char *text, struct fuzzy_match *match);

/* Writes the matches among `count` texts, the best first (of equals the shorter, then the earlier),
 * to `matches`, which has room for `count`; returns how many. */
size_t fuzzy_rank(const char *pattern, const char *const *texts, size_t count,
                  struct fuzzy_match *matches);

#endif
