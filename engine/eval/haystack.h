/*
 * haystack.h - documents made of generated facts, filled up to a number of tokens: what questions
 * are asked on.
 *
 * Everything in the text is a fact of the same generator, so nothing stands out; no two facts
 * answer the same question. The haystack owns documents and facts: haystack_free.
 */
#ifndef AIRO_EVAL_HAYSTACK_H
#define AIRO_EVAL_HAYSTACK_H

#include "engine/chat/document.h"
#include "engine/eval/facts.h"
#include "engine/model/tokenizer.h"

struct haystack_fact {
    struct eval_fact fact;
    int block;       /* index of its document */
    size_t position; /* tokens of all blocks before it, about */
};

struct haystack {
    struct eval_world world; /* goes on where the text ended: for what the text does not say */
    struct seen questions;   /* that the text answers */
    struct document_list documents;
    struct haystack_fact *facts;
    size_t count, capacity;
    size_t tokens; /* of all blocks, about: sentence by sentence */
    int planted;   /* the block of the planted sentence, -1: none */
};

/* What goes into a haystack, in this order; the first fact that is too much ends it. */
struct haystack_size {
    size_t tokens;       /* at most, metadata and delimiters included; 0: no limit */
    size_t facts;        /* at most; 0: no limit */
    unsigned blocks;     /* 1 or more */
    const char *planted; /* a sentence that stands among the facts of a block; NULL: none */
};

/* Builds the documents. `tokenizer` may be NULL where size->tokens is 0. Every block gets one fact
 * at least, whatever the limits. */
void haystack_make(struct haystack *haystack, uint64_t seed, uint64_t stream,
                   const struct haystack_size *size, const struct tokenizer *tokenizer);
void haystack_free(struct haystack *haystack);

/* The fact nearest to `percent` of the way through the text: 0 the first, 100 the last. */
const struct haystack_fact *haystack_at(const struct haystack *haystack, unsigned percent);

/* A fact that the text does not hold, of the kind of one that it does, or of any. */
void haystack_absent(struct haystack *haystack, bool same_kind, struct eval_fact *out);

#endif
