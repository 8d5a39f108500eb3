/*
 * scheduler.h - takes the running generations and makes the next batch.
 *
 * A batch holds the next token of every reply being decoded and a chunk of the one prompt being
 * read. The chunk is as large as the model allows while nobody waits for it; beside running replies
 * it shrinks to what takes about a tenth of a second, and it always stays small enough that one
 * step of one layer is over well within the time a cancel may take. Behind a reply's token stand
 * those of its draft that are worth their rows. The scheduler owns the batch.
 */
#ifndef AIRO_INFER_SCHEDULER_H
#define AIRO_INFER_SCHEDULER_H

#include <stdint.h>

#include "engine/infer/generation.h"
#include "engine/model/model.h"

/* The rows of one generation in a batch. */
struct schedule_entry {
    struct generation *generation;
    uint32_t count; /* rows */
    uint32_t heads; /* so many of them, the last ones, are the next of `rows` */
};

struct schedule {
    struct backend_batch batch; /* n == 0: nothing to do */
    struct schedule_entry *entries;
    uint32_t entry_count;
    uint32_t *rows; /* for the head, in the order of the entries */
    uint32_t row_count;
    double cost, plain_cost; /* of decoding it, and without drafts; 0: also reads a prompt */
};

struct scheduler;

struct scheduler *scheduler_create(const struct model *model);
void scheduler_free(struct scheduler *scheduler);

/* Looks at the list of generations (by `next`); valid until the next call. */
const struct schedule *scheduler_next(struct scheduler *scheduler, struct generation *generations);
/* The batch is not evaluated: takes its drafts back. */
void scheduler_abandon(struct scheduler *scheduler);
/* How long the last batch took: the measure for the size of chunks and of drafts. */
void scheduler_measure(struct scheduler *scheduler, double seconds);

/* Of evaluating one token of a prompt; 0: not measured yet. */
double scheduler_token_seconds(const struct scheduler *scheduler);

#endif
