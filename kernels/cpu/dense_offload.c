#include "kernels/cpu/dense_offload.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Rows that go to the device together: enough that bringing X^T X back is cheap beside it. */
#define ROWS_MOST  8192
#define BYTES_MOST ((size_t)512 << 20)
#define TILE       64 /* of a transposition */

struct offload {
    struct dense *dense;
    const struct dense_ops *ops;
    struct dense_device *device;
    struct dense_device_options options;
    size_t room;      /* doubles in rows */
    double *rows;     /* [pending][n] that wait to be added to h */
    double *panel;    /* [DENSE_PANEL][largest] */
    double *diagonal; /* [largest] of the matrix that is being factored */
    double *h;
    size_t n, pending;
    bool lost, gram_refused;
    size_t factor_limit; /* the device factors smaller ones */
    char description[256];
};

static size_t rows_room(size_t largest)
{
    size_t most = BYTES_MOST / sizeof(double), all = ROWS_MOST * largest;
    most = most > largest ? most : largest; /* one row at least */
    return all < most ? all : most;
}

uint64_t offload_bytes(size_t largest)
{
    return sizeof(double) * ((uint64_t)rows_room(largest) + (DENSE_PANEL + 1) * largest);
}

struct offload *offload_open(struct dense *dense, size_t largest, const struct dense_ops *ops,
                             const struct dense_device_options *options,
                             struct backend_error *error)
{
    struct offload *offload = calloc(1, sizeof *offload);
    *error = (struct backend_error){BACKEND_NO_MEMORY, "no memory for a device's results"};
    if (offload == NULL)
        return NULL;
    *offload = (struct offload){.dense = dense,
                                .ops = ops,
                                .options = *options,
                                .room = rows_room(largest),
                                .factor_limit = SIZE_MAX};
    offload->rows = malloc(offload->room * sizeof *offload->rows);
    offload->panel = malloc(DENSE_PANEL * largest * sizeof *offload->panel);
    offload->diagonal = malloc(largest * sizeof *offload->diagonal);
    if (offload->rows != NULL && offload->panel != NULL && offload->diagonal != NULL &&
        ops->open(&offload->device, options->device, error) == 0) {
        snprintf(offload->description, sizeof offload->description, "%s",
                 ops->describe(offload->device));
        return offload;
    }
    offload_close(offload);
    return NULL;
}

void offload_close(struct offload *offload)
{
    if (offload == NULL)
        return;
    if (offload->device != NULL)
        offload->ops->close(offload->device);
    free(offload->rows);
    free(offload->panel);
    free(offload->diagonal);
    free(offload);
}

const char *offload_describe(const struct offload *offload)
{
    return offload->description;
}

/* What the device could not do is the CPU's from here on. */
static void say_left(struct offload *offload, const char *what)
{
    char line[512];
    bool first = !offload->lost && !offload->gram_refused && offload->factor_limit == SIZE_MAX;
    size_t length = strlen(offload->description);
    offload->lost = offload->ops->lost(offload->device);
    if (first)
        snprintf(offload->description + length, sizeof offload->description - length, "%s the CPU",
                 offload->lost ? ", then" : " and");
    snprintf(line, sizeof line, "%s the CPU's: %.300s",
             offload->lost ? "the linear algebra is" : what,
             offload->ops->last_error(offload->device));
    if (offload->options.say != NULL)
        offload->options.say(offload->options.user, line);
}

/* --- X^T X ------------------------------------------------------------------------------------ */

struct adding {
    double *h;
    const double *panel;
    size_t n, first, count;
};

static void add_work(void *argument, unsigned thread, unsigned threads)
{
    const struct adding *adding = argument;
    for (size_t i = thread; i < adding->count; i += threads) {
        double *to = adding->h + (adding->first + i) * adding->n;
        const double *from = adding->panel + i * (adding->first + adding->count);
        for (size_t j = 0; j <= adding->first + i; j++)
            to[j] += from[j];
    }
}

/* The first row of h that the device has not added to. */
static size_t add_panels(struct offload *offload, size_t rows)
{
    const struct dense_ops *ops = offload->ops;
    size_t n = offload->n, first = 0;
    if (offload->lost || offload->gram_refused)
        return 0;
    bool well = ops->load(offload->device, offload->rows, n, rows) == 0;
    while (well && first < n) {
        size_t count = n - first < DENSE_PANEL ? n - first : DENSE_PANEL;
        struct adding adding = {offload->h, offload->panel, n, first, count};
        well = ops->gram(offload->device, first, count, offload->panel) == 0;
        if (!well)
            break;
        dense_run(offload->dense, (uint64_t)count * (first + count), add_work, &adding);
        first += count;
    }
    if (!well) {
        say_left(offload, "gathering the inputs is");
        offload->gram_refused = true;
    }
    return first;
}

void offload_finish_gram(struct offload *offload)
{
    size_t n = offload->n, rows = offload->pending;
    offload->pending = 0;
    if (rows == 0 || dense_stopped(offload->dense))
        return;
    size_t first = add_panels(offload, rows);
    const struct dense_matrix x = {offload->rows, n, 1, false};
    if (first < n)
        dense_gram_from(offload->dense, offload->h, n, &x, rows, first);
}

static void put_row(struct offload *offload, const float *x)
{
    double *row = offload->rows + offload->pending++ * offload->n;
    for (size_t i = 0; i < offload->n; i++)
        row[i] = (double)x[i];
}

void offload_add_gram(struct offload *offload, double *h, size_t n, const float *x, size_t stride,
                      size_t rows)
{
    if (h != offload->h || n != offload->n)
        offload_finish_gram(offload);
    offload->h = h;
    offload->n = n;
    for (size_t row = 0; row < rows; row++) {
        if ((offload->pending + 1) * n > offload->room)
            offload_finish_gram(offload);
        put_row(offload, x + row * stride);
    }
}

/* --- the inverse factor ----------------------------------------------------------------------- */

struct turning {
    double *a;
    size_t n;
};

/* One tile above the diagonal -> its transpose below; zeros stay. */
static void turn_tile(const struct turning *turning, size_t row, size_t col)
{
    double *a = turning->a;
    size_t n = turning->n, rows = row + TILE < n ? row + TILE : n;
    size_t cols = col + TILE < n ? col + TILE : n;
    for (size_t i = row; i < rows; i++)
        for (size_t j = col > i ? col : i + 1; j < cols; j++) {
            a[j * n + i] = a[i * n + j];
            a[i * n + j] = 0;
        }
}

static void turn_work(void *argument, unsigned thread, unsigned threads)
{
    const struct turning *turning = argument;
    for (size_t row = (size_t)thread * TILE; row < turning->n; row += (size_t)threads * TILE)
        for (size_t col = row; col < turning->n; col += TILE)
            turn_tile(turning, row, col);
}

/* Columns of the inverse -> rows of a's upper triangle, its diagonal included. */
static void take_panel(const struct offload *offload, double *a, size_t n, size_t first,
                       size_t count)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = first + i;
        memcpy(a + at * n + at, offload->panel + i * (n - first) + i, (n - at) * sizeof *a);
    }
}

/* DENSE_OK: all of it is in the upper triangle. `failed`: the device could not. */
static enum dense_result take_inverse(struct offload *offload, double *a, size_t n, bool *failed)
{
    for (size_t first = 0; first < n && !*failed; first += DENSE_PANEL) {
        size_t count = n - first < DENSE_PANEL ? n - first : DENSE_PANEL;
        if (dense_stopped(offload->dense))
            return DENSE_STOPPED;
        *failed = offload->ops->inverse(offload->device, first, count, offload->panel) != 0;
        if (!*failed)
            take_panel(offload, a, n, first, count);
    }
    for (size_t i = 0; i < n && !*failed; i++)
        if (!(a[i * n + i] > 0) || !isfinite(a[i * n + i]))
            return DENSE_NOT_POSITIVE;
    return DENSE_OK;
}

static enum dense_result try_factor(struct offload *offload, double *a, size_t n, bool *failed)
{
    if (dense_stopped(offload->dense))
        return DENSE_STOPPED;
    int factored = offload->ops->factor(offload->device, a, n);
    *failed = factored < 0;
    if (factored != 0)
        return DENSE_NOT_POSITIVE;
    for (size_t i = 0; i < n; i++)
        offload->diagonal[i] = a[i * n + i];
    enum dense_result result = take_inverse(offload, a, n, failed);
    for (size_t i = 0; i < n && *failed; i++)
        a[i * n + i] = offload->diagonal[i];
    return result;
}

bool offload_inverse_factor(struct offload *offload, double *a, size_t n, enum dense_result *result)
{
    struct turning turning = {a, n};
    bool failed = false;
    if (offload->lost || n >= offload->factor_limit)
        return false;
    *result = try_factor(offload, a, n, &failed);
    if (failed) {
        char what[64];
        snprintf(what, sizeof what, "the factor of %zu inputs is", n);
        say_left(offload, what);
        offload->factor_limit = n;
        return false;
    }
    if (*result == DENSE_OK)
        dense_run(offload->dense, (uint64_t)n * n, turn_work, &turning);
    return true;
}
