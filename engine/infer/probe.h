/*
 * probe.h - the likeliest next tokens: their probabilities and what each would add to the text.
 */
#ifndef AIRO_INFER_PROBE_H
#define AIRO_INFER_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/infer/event.h"
#include "engine/model/tokenizer.h"

/* Where the tokens would stand. */
struct probe {
    const struct tokenizer *tokenizer;
    const int32_t *before; /* the ids before that place */
    size_t before_count;
    bool afresh; /* a first word there loses its leading space */
};

/* Fills choices [count] from logits [vocab], likeliest first, ties by the lower id. Returns how
 * many there are: fewer when the vocabulary is smaller or values are not finite. */
size_t probe_choices(const struct probe *probe, const float *logits, uint32_t vocab,
                     struct token_choice *choices, size_t count);
/* Frees the texts and the array. */
void probe_free(struct token_choice *choices, size_t count);

#endif
