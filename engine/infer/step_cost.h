/*
 * step_cost.h - what a step of so many rows takes, learnt from the steps that were made.
 *
 * How much dearer eight rows are than one depends on the machine, the backend, the model and the
 * length of the context, so it is measured while the program works: for each number of rows a
 * smoothed time. Where there is none as yet, it is interpolated, or guessed from GUESS_SLOPE. The
 * clock is the caller's. Owned by the scheduler.
 */
#ifndef AIRO_INFER_STEP_COST_H
#define AIRO_INFER_STEP_COST_H

#include <stdbool.h>
#include <stdint.h>

#define STEP_ROWS_MAX 32

/* Zero-initialise. */
struct step_cost {
    struct step_time {
        double seconds;  /* smoothed */
        uint32_t count;  /* steps that it comes from; 0: none */
        uint64_t latest; /* the number of the last one */
    } rows[STEP_ROWS_MAX + 1];
    uint64_t steps;
};

/* A step of 1 .. STEP_ROWS_MAX rows took this long; other numbers are ignored. */
void step_cost_add(struct step_cost *cost, uint32_t rows, double seconds);
/* What a step of so many rows (at least 1) is expected to take, in seconds; with nothing measured
 * in a unit of its own. */
double step_cost_of(const struct step_cost *cost, uint32_t rows);
/* True when steps of so many rows have not been made for so long that it is time for one. */
bool step_cost_is_stale(const struct step_cost *cost, uint32_t rows);

#endif
