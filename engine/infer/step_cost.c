#include "engine/infer/step_cost.h"

#define GUESS_SLOPE 0.1   /* a row beyond the first, as a share of the first */
#define SMOOTHING   0.125 /* the least weight of a new time */
#define JUMP                                                                                       \
    2.0 /* a single step that took longer counts as this much longer: the machine                  \
           did something else meanwhile */
#define STALE_STEPS 128
#define FORGET_STEPS                                                                               \
    512 /* a time this old may have been a mishap, or of another length of context */

static double guess(uint32_t rows)
{
    return 1 + GUESS_SLOPE * (rows - 1);
}

static bool known(const struct step_cost *cost, uint32_t rows)
{
    const struct step_time *time = &cost->rows[rows];
    return time->count > 0 && cost->steps - time->latest < FORGET_STEPS;
}

void step_cost_add(struct step_cost *cost, uint32_t rows, double seconds)
{
    if (rows == 0 || rows > STEP_ROWS_MAX || !(seconds > 0))
        return;
    struct step_time *time = &cost->rows[rows];
    if (!known(cost, rows)) {
        /* Never dearer than the same rows one at a time. */
        double most = known(cost, 1) ? rows * cost->rows[1].seconds : seconds;
        *time = (struct step_time){.seconds = rows > 1 && seconds > most ? most : seconds};
    } else {
        double weight = 1.0 / (time->count + 1), most = JUMP * time->seconds;
        weight = weight > SMOOTHING ? weight : SMOOTHING;
        time->seconds += weight * ((seconds < most ? seconds : most) - time->seconds);
    }
    time->count++;
    time->latest = ++cost->steps;
}

double step_cost_of(const struct step_cost *cost, uint32_t rows)
{
    uint32_t below = rows < STEP_ROWS_MAX ? rows : STEP_ROWS_MAX, above = rows;
    while (below > 0 && !known(cost, below))
        below--;
    while (above <= STEP_ROWS_MAX && !known(cost, above))
        above++;
    if (below == 0 && above > STEP_ROWS_MAX)
        return guess(rows);
    if (below == 0)
        return cost->rows[above].seconds * guess(rows) / guess(above);
    if (above > STEP_ROWS_MAX || above == below)
        return cost->rows[below].seconds * guess(rows) / guess(below);
    double share = (double)(rows - below) / (above - below);
    return cost->rows[below].seconds +
           share * (cost->rows[above].seconds - cost->rows[below].seconds);
}

bool step_cost_is_stale(const struct step_cost *cost, uint32_t rows)
{
    if (rows == 0 || rows > STEP_ROWS_MAX)
        return false;
    const struct step_time *time = &cost->rows[rows];
    return time->count == 0 || cost->steps - time->latest >= STALE_STEPS;
}
