/*
 * drive.h - a model driven batch by batch, without generator or scheduler: to measure a backend's
 * steps and nothing else. Page i of the table is page i of the pool.
 */
#ifndef AIRO_TESTS_GPU_DRIVE_H
#define AIRO_TESTS_GPU_DRIVE_H

#include "engine/base/error.h"
#include "engine/infer/forward.h"
#include "tests/gpu/models.h"

#define DRIVE_SEQUENCES 4

struct drive {
    struct model *model;
    struct forward *forward;
    uint32_t pages;
    uint32_t *table; /* [pages] */
    int32_t *tokens; /* [context] */
    uint32_t *positions, *sequences;
    double open_seconds;
};

/* Loads the model and makes pages for setup->context positions. */
int drive_open(struct drive *drive, const struct setup *setup, struct error *error);
void drive_close(struct drive *drive);

/* Evaluates positions 0 .. count - 1 and gives the seconds it took, the best of `runs`. */
int drive_prefill(struct drive *drive, uint32_t count, int runs, double *seconds,
                  struct error *error);

/* `rows` tokens a step, after `depth` positions that have been evaluated: of one sequence, or of
 * `rows` sequences of their own pages (then depth * rows positions must have been). Gives seconds a
 * step over at least `least` seconds. */
struct drive_step {
    uint32_t rows, depth;
    bool apart;
};
int drive_decode(struct drive *drive, const struct drive_step *step, double least, double *seconds,
                 struct error *error);

/* Bytes that a step of one sequence reads: weights once, keys and values of `depth` positions. */
double drive_step_bytes(const struct drive *drive, uint32_t depth);
/* Operations of evaluating positions 0 .. count - 1, the head once. */
double drive_prefill_flops(const struct drive *drive, uint32_t count);
/* Seconds to write the first `count` positions' pages from host memory, as a restored chat does. */
int drive_restore(struct drive *drive, uint32_t count, double *seconds, struct error *error);

#endif
