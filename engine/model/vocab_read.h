/*
 * vocab_read.h - SentencePiece's tokenizer.model, read into a struct vocab.
 *
 * Refuses what encoding here would not reproduce (unigram models, normalisation tables, spaces as
 * suffixes) rather than tokenise differently from the library.
 */
#ifndef AIRO_MODEL_VOCAB_READ_H
#define AIRO_MODEL_VOCAB_READ_H

#include "engine/base/error.h"
#include "engine/model/vocab.h"

/* `vocab` is initialised and empty; at most `rows` pieces are accepted. */
int vocab_read(struct vocab *vocab, const char *path, uint32_t rows, struct error *error);

#endif
