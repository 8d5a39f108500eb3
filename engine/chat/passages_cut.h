/*
 * passages_cut.h - a text as paragraphs of about 60 to 200 words; 24 bytes without a space count as
 * a word, so none is longer than some 6000 bytes.
 */
#ifndef AIRO_CHAT_PASSAGES_CUT_H
#define AIRO_CHAT_PASSAGES_CUT_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/chat/support_text.h"

#define PASSAGE_WORDS_MIN 60
#define PASSAGE_WORDS_MAX 200

/* Begin with zeros. */
struct passage_cutter {
    size_t at;
    struct text_sentence ahead; /* read already, belongs to the next paragraph */
    bool has_ahead;
};

/* The next paragraph: on character borders, without white space at its ends; false at the end. */
bool passage_cut_next(struct passage_cutter *cutter, const char *text, size_t length,
                      struct text_range *range);

#endif
