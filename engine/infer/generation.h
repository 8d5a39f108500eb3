/*
 * generation.h - one reply under way: its prompt, sequence, sampler, text and counters.
 *
 * Made on the interface's thread from a request, then owned by the engine thread. The struct is
 * open because scheduler and worker both move it along:
 *
 *     WAITING (-> RESTORE -> WAITING) -> PREFILL -> DECODE -> OVER
 *     any -> OVER on cancel or failure
 */
#ifndef AIRO_INFER_GENERATION_H
#define AIRO_INFER_GENERATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/infer/draft.h"
#include "engine/infer/event.h"
#include "engine/infer/generator.h"
#include "engine/infer/kv_disk.h"
#include "engine/infer/reply.h"
#include "engine/infer/sampler.h"
#include "engine/infer/sequence.h"
#include "engine/model/model.h"

enum generation_state {
    GENERATION_WAITING, /* no pages yet: another prompt is being read, or the pool is full */
    GENERATION_RESTORE, /* pages are being read from disk */
    GENERATION_PREFILL,
    GENERATION_DECODE,
    GENERATION_OVER, /* `reason` or `error` says why */
};

struct generation {
    uint64_t id;
    enum generation_state state;
    struct token_list prompt;     /* and, after it, the reply's forced beginning */
    uint32_t probe;               /* > 0: how many choices are wanted, and no reply */
    bool afresh;                  /* the reply's first word loses its leading space */
    struct token_choice *choices; /* a probe's result */
    size_t choice_count;
    const struct tokenizer *tokenizer; /* the model's */
    uint32_t vocab;
    size_t reply_limit;         /* tokens */
    bool limited_by_context;    /* the context sets that limit, not the request */
    struct kv_restore *restore; /* until the sequence has its pages */
    bool looked;                /* for pages on disk */
    struct sequence *sequence;
    int draft_mode;                   /* as in the request */
    struct token_span_list documents; /* of the prompt */
    struct draft *draft;              /* NULL: none; made with the sequence */
    uint32_t drafted;                 /* drafted tokens at the end of the sequence */
    double plain_cost, cost;          /* of its tokens decoded plainly, and of its steps */
    struct sampler *sampler;
    struct reply *reply;
    struct grammar *grammar;      /* NULL: the reply may be any text */
    struct token_decoder decoder; /* of what the grammar has been given */
    struct token_list banned;     /* never sampled */
    struct token_list ends;       /* sampled, they end the reply: EOS and special stops */
    struct usage usage;           /* kv and evaluated figures are filled in when it is sent */
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

/* Looks for pages on disk that the cache lacks, once: RESTORE when there are some. */
bool generation_restore(struct generation *generation, struct kv_disk *disk);
/* They are being read: brings the counters up to date. */
void generation_restored(struct generation *generation);
/* Gives it a sequence and finds what the cache has: PREFILL. On error it is WAITING as before. */
int generation_begin(struct generation *generation, struct kv_cache *cache, double now,
                     struct error *error);
/* Its forced beginning is all that the reply may have: nothing is to be evaluated. */
bool generation_is_complete(const struct generation *generation);
/* `count` more tokens of its prompt have been evaluated. */
void generation_read(struct generation *generation, size_t count, double now);
/* What it would draft now: nothing, or at most `most` tokens. */
void generation_offer(const struct generation *generation, uint32_t most,
                      struct draft_offer *offer);
/* Puts the offer's first `count` tokens, or fewer, at the end of the sequence; returns how many.
 * They take none of the last `leave` pages. */
uint32_t generation_draft(struct generation *generation, const struct draft_offer *offer,
                          uint32_t count, uint32_t leave);
/* Takes them back unread: the batch was not evaluated. */
void generation_undraft(struct generation *generation);

/* A step as one generation sees it. */
struct step_result {
    uint32_t evaluated;  /* of its tokens */
    uint32_t rows;       /* of the head: after the last of them, or of those not drafted, and after
                          * each drafted one */
    const float *logits; /* [rows, vocab], or NULL: */
    const struct backend_candidate *best; /* the best candidates, [rows, limit] */
    const uint32_t *counts;               /* [rows] of them */
    uint32_t limit;
    double now;              /* seconds */
    double cost, plain_cost; /* of the step, and of one without drafts */
};

/* How many candidates of each of its next `rows` rows are enough; 0: they are needed whole. */
uint32_t generation_candidates(const struct generation *generation, uint32_t rows);
/* Samples (or takes a probe's choices) as long as the drafts are right, takes the others back and
 * moves on. The result may be OVER. */
void generation_sample(struct generation *generation, const struct step_result *step);

void generation_finish(struct generation *generation, enum stop_reason reason);
void generation_fail(struct generation *generation, const struct error *error);

#endif
