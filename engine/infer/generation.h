/*
 * generation.h - one reply under way: its prompt, sequence, sampler, text and counters.
 *
 * Made on the interface's thread from a request, then owned by the engine thread. The struct is
 * open because scheduler and worker both move it along:
 *
 *     WAITING -> PREFILL -> DECODE -> OVER      (any -> OVER on cancel or failure)
 */
#ifndef AIRO_INFER_GENERATION_H
#define AIRO_INFER_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/infer/event.h"
#include "engine/infer/generator.h"
#include "engine/infer/reply.h"
#include "engine/infer/sampler.h"
#include "engine/infer/sequence.h"
#include "engine/model/model.h"

enum generation_state {
    GENERATION_WAITING, /* no pages yet: another prompt is being read, or the pool is full */
    GENERATION_PREFILL,
    GENERATION_DECODE,
    GENERATION_OVER, /* `reason` or `error` says why */
};

struct generation {
    uint64_t id;
    enum generation_state state;
    struct token_list prompt;
    size_t reply_limit;      /* tokens */
    bool limited_by_context; /* the context sets that limit, not the request */
    struct sequence *sequence;
    struct sampler *sampler;
    struct reply *reply;
    struct token_list banned; /* never sampled */
    struct token_list ends;   /* sampled, they end the reply: EOS and special stops */
    struct usage usage;       /* kv and evaluated figures are filled in when it is sent */
    enum stop_reason reason;
    struct error error; /* code other than ERROR_NONE: failed */
    double began;       /* seconds: when its prefill, then its decoding, began */
    double text_sent, usage_sent;
    struct generation *next; /* in order of arrival */
};

/* ERROR_INPUT with numbers when the prompt is empty or does not fit. */
int generation_create(struct generation **out, const struct model *model,
                      const struct generation_request *request, struct error *error);
void generation_free(struct generation *generation);

/* Gives it a sequence and finds what the cache has: PREFILL. On error it is WAITING as before. */
int generation_begin(struct generation *generation, struct kv_cache *cache, double now,
                     struct error *error);
/* The row of logits after its last token: samples, moves on. The result may be OVER. */
void generation_sample(struct generation *generation, const float *logits, double now);

void generation_finish(struct generation *generation, enum stop_reason reason);
void generation_fail(struct generation *generation, const struct error *error);

#endif
