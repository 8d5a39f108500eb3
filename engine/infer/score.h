/*
 * score.h - the logits of every position of a text: for `airo score`, perplexity and golden tests.
 *
 * Works on a model that nothing else is using: it makes its own key/value pool, of the size needed,
 * in place of any other.
 */
#ifndef AIRO_INFER_SCORE_H
#define AIRO_INFER_SCORE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/model/model.h"

/* Receives the logits [vocab] that follow tokens[0 .. position]; valid during the call. Returns
 * non-zero to stop. */
typedef int (*score_row)(void *user, size_t position, const float *logits, uint32_t vocab);

/* For many texts one after the other: what a backend allocates once stays until it is closed, so
 * open one scorer for all of them. */
struct scorer;
int scorer_open(struct scorer **out, struct model *model, struct error *error);
/* As score_tokens. Nothing of the text before is left: the RoPE table may change in between. */
int scorer_run(struct scorer *scorer, const int32_t *tokens, size_t count, score_row row,
               void *user, struct error *error);
void scorer_close(struct scorer *scorer);

/* Calls `row` for positions 0 .. count - 1, in order. ERROR_CANCELLED when `row` stopped it. */
int score_tokens(struct model *model, const int32_t *tokens, size_t count, score_row row,
                 void *user, struct error *error);

/* log softmax(logits)[id], in double precision. */
double log_softmax_at(const float *logits, uint32_t vocab, int32_t id);

#endif
