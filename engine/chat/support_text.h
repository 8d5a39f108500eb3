/*
 * support_text.h - plain text as words and sentences, for finding what supports an answer.
 *
 * Words are folded so that the same thing written twice compares equal: lower case, simple plurals
 * and possessives off, numbers by value ("1,200" is "1200", "three" is "3"). Every range is in
 * bytes of the text and stands on character borders. Nothing is allocated.
 */
#ifndef AIRO_CHAT_SUPPORT_TEXT_H
#define AIRO_CHAT_SUPPORT_TEXT_H

#include <stdbool.h>
#include <stddef.h>

struct text_range {
    size_t begin, end;
};

#define TEXT_FOLDED_MAX 64 /* bytes with the NUL; what is longer compares by its beginning */

struct text_word {
    struct text_range range;
    char folded[TEXT_FOLDED_MAX];
    size_t length;
    bool number;
    bool function; /* "the", "of", "did": says nothing about where a text comes from */
};

/* The next word of text[*at..length); false at the end. */
bool text_word_next(const char *text, size_t length, size_t *at, struct text_word *word);

#define TEXT_SENTENCE_WORDS 80
#define TEXT_SENTENCE_BYTES 1600

struct text_sentence {
    struct text_range range; /* without white space at its ends */
    bool after_blank;        /* a blank line stands before it */
};

/* The next sentence of text[*at..length); false at the end. A sentence ends at . ! ? and their
 * like, at a blank line, and where a line is plainly an entry of its own; never later than the
 * limits above. */
bool text_sentence_next(const char *text, size_t length, size_t *at,
                        struct text_sentence *sentence);

#endif
