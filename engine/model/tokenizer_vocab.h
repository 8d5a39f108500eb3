/*
 * tokenizer_vocab.h - what a tokenizer is made of, for its encoding and decoding halves only.
 */
#ifndef AIRO_MODEL_TOKENIZER_VOCAB_H
#define AIRO_MODEL_TOKENIZER_VOCAB_H

#include <stdint.h>

#include "engine/model/vocab.h"

struct tokenizer {
    struct vocab vocab;
    int32_t bos, eos; /* -1: none */
};

#endif
