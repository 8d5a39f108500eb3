/* gptq_factor.c - from X^T X to the triangle that carries errors on; declared in gptq_solve.h. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/quant/gptq_solve.h"

/* An input's place when all are sorted. */
struct ranked {
    double power;
    uint32_t input;
};

/* Greatest power first; equal ones as they stand in the file. */
static int by_power(const void *left, const void *right)
{
    const struct ranked *a = left, *b = right;
    if (a->power != b->power)
        return a->power > b->power ? -1 : 1;
    return a->input < b->input ? -1 : a->input > b->input;
}

/* H = 2/N X^T X, the upper triangle filled in. An input that was always 0 gets power 1, so that H
 * has an inverse; its weights do not matter. Returns the mean of the diagonal. */
static double complete(struct gptq_inputs *inputs)
{
    size_t n = inputs->in;
    double *h = inputs->h, factor = 2.0 / (double)(inputs->tokens ? inputs->tokens : 1), sum = 0;
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j <= i; j++)
            h[j * n + i] = h[i * n + j] = h[i * n + j] * factor;
        inputs->dead[i] = h[i * n + i] == 0;
        if (inputs->dead[i])
            h[i * n + i] = 1;
        sum += h[i * n + i];
    }
    return sum / (double)n;
}

static void choose_order(struct gptq_inputs *inputs, bool act_order)
{
    size_t n = inputs->in;
    struct ranked *ranked = xcalloc(n, sizeof *ranked);
    for (size_t i = 0; i < n; i++)
        ranked[i] = (struct ranked){inputs->h[i * n + i], (uint32_t)i};
    if (act_order)
        qsort(ranked, n, sizeof *ranked, by_power);
    for (size_t i = 0; i < n; i++)
        inputs->order[i] = ranked[i].input;
    free(ranked);
}

/* new[i][j] = old[from(i)][from(j)], from(i) = order[n - 1 - i]: rows along the cycles of the
 * permutation, then each row's columns. */
static void permute(struct gptq_inputs *inputs)
{
    size_t n = inputs->in, bytes = n * sizeof(double);
    double *h = inputs->h, *kept = xmalloc(bytes);
    bool *moved = xcalloc(n, sizeof *moved);
    for (size_t start = 0; start < n; start++) {
        if (moved[start])
            continue;
        memcpy(kept, h + start * n, bytes);
        size_t at = start;
        for (size_t from; (from = inputs->order[n - 1 - at]) != start; at = from) {
            memcpy(h + at * n, h + from * n, bytes);
            moved[at] = true;
        }
        memcpy(h + at * n, kept, bytes);
        moved[at] = true;
    }
    for (size_t i = 0; i < n; i++) {
        memcpy(kept, h + i * n, bytes);
        for (size_t j = 0; j < n; j++)
            h[i * n + j] = kept[inputs->order[n - 1 - j]];
    }
    free(moved);
    free(kept);
}

/* Both rows and columns from last to first. */
static void turn_around(double *h, size_t n)
{
    for (size_t i = 0, j = n * n - 1; i < j; i++, j--) {
        double kept = h[i];
        h[i] = h[j];
        h[j] = kept;
    }
}

static int factor_error(enum dense_result result, const char *name, struct error *error)
{
    if (result == DENSE_OK)
        return 0;
    if (result == DENSE_STOPPED)
        return error_set(error, ERROR_CANCELLED, "stopped");
    return error_set(error, ERROR_INPUT,
                     "%s: its inputs on the calibration text give no positive definite matrix; "
                     "more text or a larger --damp may help",
                     name);
}

/* With the order of the columns turned around, L L^T = H' is R R^T = H for an upper triangle R, and
 * U = R^-1 is the factor with U^T U = H^-1: one factor and one inverse, both in place. */
int gptq_factor(struct gptq_inputs *inputs, const struct gptq_settings *settings,
                struct dense *dense, const char *name, struct error *error)
{
    size_t n = inputs->in;
    inputs->order = xcalloc(n, sizeof *inputs->order);
    inputs->dead = xcalloc(n, sizeof *inputs->dead);
    double mean = complete(inputs);
    choose_order(inputs, settings->act_order);
    permute(inputs);
    for (size_t i = 0; i < n; i++)
        inputs->h[i * n + i] += settings->damp * mean;
    enum dense_result result = dense_inverse_factor(dense, inputs->h, n);
    turn_around(inputs->h, n);
    return factor_error(result, name, error);
}

void gptq_inputs_free(struct gptq_inputs *inputs)
{
    free(inputs->order);
    free(inputs->dead);
    inputs->order = NULL;
    inputs->dead = NULL;
}
