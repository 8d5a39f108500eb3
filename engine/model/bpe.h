/*
 * bpe.h - byte-pair merging, equal to SentencePiece's: the adjacent pair with the best score is
 * merged first, ties leftmost, until none is left.
 *
 * Time is about linear in the text: candidate pairs wait in one queue per score, which merging
 * fills almost in order; what comes out of order, and the front of each queue, goes through a heap.
 */
#ifndef AIRO_MODEL_BPE_H
#define AIRO_MODEL_BPE_H

#include <stddef.h>

#include "engine/model/tokenizer.h"
#include "engine/model/vocab.h"

/* Appends the ids of text[0..length), which is normalised and valid UTF-8. Characters that no piece
 * holds become byte pieces, or else one unknown id for a run of them. */
void bpe_encode(const struct vocab *vocab, const char *text, size_t length, struct token_list *out);

#endif
