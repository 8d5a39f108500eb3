/*
 * sampler.h - logits -> one token. The chain is a table of steps (sampler.c); each works on a
 * candidate list and may reorder or shorten it.
 */
#ifndef AIRO_INFER_SAMPLER_H
#define AIRO_INFER_SAMPLER_H

#include <stddef.h>
#include <stdint.h>

#include "kernels/backend.h"

/* A value at its neutral setting switches its step off. sampling_defaults() gives the defaults. */
struct sampling {
    float temperature;    /* 0 = greedy; neutral 1 */
    uint32_t top_k;       /* neutral 0 */
    float top_p;          /* neutral 1 */
    float min_p;          /* neutral 0 */
    float typical_p;      /* neutral 1 */
    float repeat_penalty; /* neutral 1 */
    uint32_t repeat_last; /* how far back penalties look, in tokens; 0 = everything */
    float frequency_penalty, presence_penalty; /* neutral 0 */
    uint64_t seed;                             /* 0 = from the system's randomness */
};

struct sampling sampling_defaults(void);

struct sampler;

struct sampler *sampler_create(const struct sampling *sampling, uint32_t vocab);
void sampler_free(struct sampler *sampler);

/* Chooses from logits [vocab] (not modified), given the tokens so far (prompt and reply).
 * `banned` (may be NULL) are ids that are never chosen. Non-finite logits never win; ties go to
 * the lowest id. -1 when no id is left to choose. */
int32_t sampler_choose(struct sampler *sampler, const float *logits, const int32_t *history,
                       size_t history_count, const int32_t *banned, size_t banned_count);

/* How many of a row's best candidates are enough for the same choice as from the whole row: those
 * that a step keeps, and as many more as penalties and bans can push out of their way. 0: the whole
 * row is needed, because no step before the first sum over all candidates limits their number,
 * because a penalty may raise a logit, or because they would be more than BACKEND_CANDIDATES_MAX.
 */
uint32_t sampler_candidates(struct sampler *sampler, const int32_t *history, size_t history_count,
                            size_t banned_count);
/* The same choice as sampler_choose's, with the same randomness, from the row's `best` [count], by
 * falling logit and rising id: at least as many as sampler_candidates says, or all there are. */
int32_t sampler_choose_best(struct sampler *sampler, const struct backend_candidate *best,
                            size_t count, const int32_t *history, size_t history_count,
                            const int32_t *banned, size_t banned_count);

#endif
