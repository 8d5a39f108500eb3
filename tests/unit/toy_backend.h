/*
 * toy_backend.h - a backend for tests in which every number depends on the whole prefix.
 *
 * A "vector" is one 64-bit value. Keys mix the residual with the layer, attention mixes all keys of
 * 0 .. position as read through the page tables, the head expands the result into logits. So one
 * wrong page, position or order changes the output, and the right output can be computed from the
 * token ids alone. Fresh pages hold noise.
 */
#ifndef AIRO_TESTS_TOY_BACKEND_H
#define AIRO_TESTS_TOY_BACKEND_H

#include <stdatomic.h>
#include <stdint.h>

#include "engine/model/model.h"

struct toy_options {
    uint32_t context, chunk, vocab, layers, max_head_rows; /* 0: 512, 64, 300, 2, 4 */
    uint64_t page_bytes;                                   /* what it says a page takes; 0: 1024 */
    const char *tokenizer;                                 /* directory, or NULL: none */
    uint32_t logit_first; /* ids below this never get the best logit */
    uint32_t logit_few;   /* > 0: nor do those from logit_first + this on, so that replies repeat */
    bool head_best;       /* offers that step */
};

/* What a test sees and sets while the model runs. */
struct toy_control {
    atomic_uint step_ms;   /* each step takes this long */
    atomic_int fail_after; /* > 0: counts down with each step; the step that reaches 0 fails */
    atomic_uint rows;      /* rows embedded so far */
    atomic_uint widest;    /* the largest batch so far */
    atomic_uint copies;    /* pages copied so far */
    atomic_uint imports;   /* pages imported so far */
    atomic_uint heads;     /* heads computed so far, whole */
    atomic_uint bests;     /* and as the best candidates only */
};

/* The model owns the backend; free it with model_close or toy_model_free. */
struct model *toy_model(const struct toy_options *options);
void toy_model_free(struct model *model);
struct toy_control *toy_control(const struct model *model);

/* The logits [vocab] after these tokens, computed without pages. */
void toy_logits(const struct model *model, const int32_t *tokens, uint32_t count, float *logits);

#endif
