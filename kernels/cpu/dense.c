/*
 * dense.c - blocked algorithms: a narrow diagonal block is worked on plainly, all else is products
 * of tiles, which the threads take from a counter.
 */
#include "kernels/cpu/dense.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/dense_offload.h"
#include "kernels/cpu/dense_product.h"

#define BLOCK 64  /* columns of a diagonal block */
#define TILE  192 /* rows and columns of a tile that one thread takes */

struct dense {
    struct thread_pool *pool;
    bool (*stopped)(void *user);
    void *user;
    double *scratch; /* [threads][DENSE_PRODUCT_SCRATCH] */
    double *column;  /* [largest][BLOCK] */
    size_t largest;
    struct offload *offload; /* NULL: all is done here */
};

static uint64_t scratch_bytes(unsigned threads)
{
    return (uint64_t)threads * DENSE_PRODUCT_SCRATCH * sizeof(double);
}

uint64_t dense_bytes(unsigned threads, size_t largest)
{
    return scratch_bytes(threads) + (uint64_t)largest * BLOCK * sizeof(double);
}

struct dense *dense_open(unsigned threads, size_t largest, bool (*stopped)(void *user), void *user)
{
    struct dense *dense = calloc(1, sizeof *dense);
    if (dense == NULL)
        return NULL;
    *dense = (struct dense){.stopped = stopped, .user = user, .largest = largest ? largest : 1};
    dense->pool = thread_pool_open(threads);
    if (dense->pool != NULL)
        dense->scratch = malloc(scratch_bytes(thread_pool_threads(dense->pool)));
    dense->column = malloc(dense->largest * BLOCK * sizeof *dense->column);
    if (dense->pool != NULL && dense->scratch != NULL && dense->column != NULL)
        return dense;
    dense_close(dense);
    return NULL;
}

void dense_close(struct dense *dense)
{
    if (dense == NULL)
        return;
    offload_close(dense->offload);
    thread_pool_close(dense->pool);
    free(dense->scratch);
    free(dense->column);
    free(dense);
}

unsigned dense_threads(const struct dense *dense)
{
    return thread_pool_threads(dense->pool);
}

void dense_run(struct dense *dense, uint64_t products, thread_pool_work *work, void *argument)
{
    thread_pool_run(dense->pool, products, work, argument);
}

double *dense_scratch(struct dense *dense, unsigned thread)
{
    return dense->scratch + thread * DENSE_PRODUCT_SCRATCH;
}

bool dense_stopped(const struct dense *dense)
{
    return dense->stopped != NULL && dense->stopped(dense->user);
}

int dense_attach(struct dense *dense, const struct dense_ops *ops,
                 const struct dense_device_options *options, struct backend_error *error)
{
    dense_detach(dense);
    dense->offload = offload_open(dense, dense->largest, ops, options, error);
    return dense->offload != NULL ? 0 : -1;
}

void dense_detach(struct dense *dense)
{
    dense_finish_gram(dense);
    offload_close(dense->offload);
    dense->offload = NULL;
}

bool dense_attached(const struct dense *dense)
{
    return dense->offload != NULL;
}

uint64_t dense_attach_bytes(size_t largest)
{
    return offload_bytes(largest);
}

const char *dense_describe(const struct dense *dense)
{
    return dense->offload != NULL ? offload_describe(dense->offload) : "the CPU";
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* --- X^T X ------------------------------------------------------------------------------------ */

struct gram {
    struct dense *dense;
    double *h;
    size_t n, rows, tiles;
    struct dense_matrix x; /* [rows, n] */
    atomic_size_t next;
};

/* Tile number t of the lower triangle, counted row by row: (0,0) (1,0) (1,1) (2,0) ... */
static void gram_tile(const struct gram *gram, size_t t, double *scratch)
{
    size_t i = 0, j = t;
    while (j > i)
        j -= ++i;
    i *= TILE;
    j *= TILE;
    size_t size = gram->x.is_float ? sizeof(float) : sizeof(double);
    const char *x = gram->x.data;
    struct dense_matrix a = {x + i * size, 1, gram->x.row, gram->x.is_float};
    struct dense_matrix b = {x + j * size, gram->x.row, 1, gram->x.is_float};
    dense_product(gram->h + i * gram->n + j, gram->n, 1, &a, &b, least(gram->n - i, TILE),
                  least(gram->n - j, TILE), gram->rows, scratch);
}

static void gram_work(void *argument, unsigned thread, unsigned threads)
{
    struct gram *gram = argument;
    (void)threads;
    for (size_t t; (t = atomic_fetch_add(&gram->next, 1)) < gram->tiles;)
        gram_tile(gram, t, dense_scratch(gram->dense, thread));
}

/* Before row number r of tiles there are r (r + 1) / 2 of them. */
void dense_gram_from(struct dense *dense, double *h, size_t n, const struct dense_matrix *x,
                     size_t rows, size_t first)
{
    _Static_assert(DENSE_PANEL % TILE == 0, "a panel is whole rows of tiles");
    size_t side = (n + TILE - 1) / TILE, done = first / TILE;
    struct gram gram = {dense, h, n, rows, side * (side + 1) / 2, *x, done * (done + 1) / 2};
    dense_run(dense, (uint64_t)n * n / 2 * rows, gram_work, &gram);
}

void dense_add_gram(struct dense *dense, double *h, size_t n, const float *x, size_t stride,
                    size_t rows)
{
    const struct dense_matrix matrix = {x, stride, 1, true};
    if (dense->offload != NULL)
        offload_add_gram(dense->offload, h, n, x, stride, rows);
    else
        dense_gram_from(dense, h, n, &matrix, rows, 0);
}

void dense_finish_gram(struct dense *dense)
{
    if (dense->offload != NULL)
        offload_finish_gram(dense->offload);
}

/* --- the Cholesky factor ---------------------------------------------------------------------- */

struct factoring {
    struct dense *dense;
    double *a;
    size_t n, at, width; /* the diagonal block is at .. at + width - 1 */
    size_t below;        /* the first row under it */
    atomic_size_t next;
};

/* The diagonal block, column by column: l_jj = sqrt(a_jj - sum l_jk^2),
 * l_ij = (a_ij - sum l_ik l_jk) / l_jj. */
static bool factor_block(double *a, size_t n, size_t width)
{
    for (size_t j = 0; j < width; j++) {
        double *row = a + j * n, sum = row[j];
        for (size_t k = 0; k < j; k++)
            sum -= row[k] * row[k];
        if (!(sum > 0) || !isfinite(sum))
            return false;
        row[j] = sqrt(sum);
        for (size_t i = j + 1; i < width; i++) {
            double *other = a + i * n, dot = other[j];
            for (size_t k = 0; k < j; k++)
                dot -= other[k] * row[k];
            other[j] = dot / row[j];
        }
    }
    return true;
}

/* Rows under the block: each solves l L_block^T = a. */
static void solve_work(void *argument, unsigned thread, unsigned threads)
{
    const struct factoring *f = argument;
    const double *block = f->a + f->at * f->n + f->at;
    for (size_t i = f->below + thread; i < f->n; i += threads) {
        double *row = f->a + i * f->n + f->at;
        for (size_t j = 0; j < f->width; j++) {
            double dot = row[j];
            for (size_t k = 0; k < j; k++)
                dot -= row[k] * block[j * f->n + k];
            row[j] = dot / block[j * f->n + j];
        }
    }
}

/* The rest of the lower triangle loses the block's share, in rows of tiles; the longest first. */
static void trail_work(void *argument, unsigned thread, unsigned threads)
{
    struct factoring *f = argument;
    size_t rest = f->n - f->below, tiles = (rest + TILE - 1) / TILE, t;
    (void)threads;
    while ((t = atomic_fetch_add(&f->next, 1)) < tiles) {
        size_t first = f->below + (tiles - 1 - t) * TILE, rows = least(f->n - first, TILE);
        const struct dense_matrix left = {f->a + first * f->n + f->at, f->n, 1, false};
        const struct dense_matrix right = {f->a + f->below * f->n + f->at, 1, f->n, false};
        dense_product(f->a + first * f->n + f->below, f->n, -1, &left, &right, rows,
                      first + rows - f->below, f->width, dense_scratch(f->dense, thread));
    }
}

enum dense_result dense_cholesky(struct dense *dense, double *a, size_t n)
{
    struct factoring f = {.dense = dense, .a = a, .n = n};
    for (f.at = 0; f.at < n; f.at = f.below) {
        f.width = least(n - f.at, BLOCK);
        f.below = f.at + f.width;
        if (dense_stopped(dense))
            return DENSE_STOPPED;
        if (!factor_block(a + f.at * n + f.at, n, f.width))
            return DENSE_NOT_POSITIVE;
        uint64_t rest = n - f.below;
        dense_run(dense, rest * f.width * f.width / 2, solve_work, &f);
        atomic_store(&f.next, 0);
        dense_run(dense, rest * rest / 2 * f.width, trail_work, &f);
    }
    for (size_t i = 0; i + 1 < n; i++)
        memset(a + i * n + i + 1, 0, (n - i - 1) * sizeof *a);
    return DENSE_OK;
}

/* --- the inverse of a triangle ---------------------------------------------------------------- */

struct inverting {
    struct dense *dense;
    double *a;
    size_t n, at, width, below;
    double block[BLOCK * BLOCK]; /* the inverse of the diagonal block */
    atomic_size_t next;
};

/* x = L^-1 of a diagonal block: x_jj = 1 / l_jj, x_ij = -(sum l_ik x_kj) / l_ii. */
static void invert_block(struct inverting *v)
{
    const double *l = v->a + v->at * v->n + v->at;
    memset(v->block, 0, sizeof v->block);
    for (size_t j = 0; j < v->width; j++)
        for (size_t i = j; i < v->width; i++) {
            double sum = i == j ? 1 : 0;
            for (size_t k = j; k < i; k++)
                sum -= l[i * v->n + k] * v->block[k * BLOCK + j];
            v->block[i * BLOCK + j] = sum / l[i * v->n + i];
        }
}

/* column = A_21 L_11^-1, and A_21 = 0 */
static void column_work(void *argument, unsigned thread, unsigned threads)
{
    const struct inverting *v = argument;
    for (size_t i = v->below + thread; i < v->n; i += threads) {
        double *from = v->a + i * v->n + v->at, *to = v->dense->column + (i - v->below) * BLOCK;
        memset(to, 0, BLOCK * sizeof *to);
        for (size_t k = 0; k < v->width; k++)
            for (size_t j = 0; j <= k; j++)
                to[j] += from[k] * v->block[k * BLOCK + j];
        memset(from, 0, v->width * sizeof *from);
    }
}

/* A_21 -= A_22^-1 column; what is right of the diagonal in A_22^-1 is zero. Longest rows first. */
static void inverse_work(void *argument, unsigned thread, unsigned threads)
{
    struct inverting *v = argument;
    size_t rest = v->n - v->below, tiles = (rest + TILE - 1) / TILE, t;
    (void)threads;
    while ((t = atomic_fetch_add(&v->next, 1)) < tiles) {
        size_t first = v->below + (tiles - 1 - t) * TILE, rows = least(v->n - first, TILE);
        const struct dense_matrix left = {v->a + first * v->n + v->below, v->n, 1, false};
        const struct dense_matrix right = {v->dense->column, BLOCK, 1, false};
        dense_product(v->a + first * v->n + v->at, v->n, -1, &left, &right, rows, v->width,
                      first + rows - v->below, dense_scratch(v->dense, thread));
    }
}

/* From the last block of columns to the first: what stands below a block is inverted already. */
enum dense_result dense_invert_lower(struct dense *dense, double *a, size_t n)
{
    struct inverting v = {.dense = dense, .a = a, .n = n};
    for (size_t b = (n + BLOCK - 1) / BLOCK; b-- > 0;) {
        v.at = b * BLOCK;
        v.width = least(n - v.at, BLOCK);
        v.below = v.at + v.width;
        if (dense_stopped(dense))
            return DENSE_STOPPED;
        invert_block(&v);
        uint64_t rest = n - v.below;
        dense_run(dense, rest * v.width * v.width / 2, column_work, &v);
        atomic_store(&v.next, 0);
        dense_run(dense, rest * rest / 2 * v.width, inverse_work, &v);
        for (size_t i = 0; i < v.width; i++)
            memcpy(a + (v.at + i) * n + v.at, v.block + i * BLOCK, (i + 1) * sizeof *a);
    }
    return DENSE_OK;
}

/* --- both ------------------------------------------------------------------------------------- */

enum dense_result dense_inverse_factor(struct dense *dense, double *a, size_t n)
{
    enum dense_result result;
    if (dense->offload != NULL && offload_inverse_factor(dense->offload, a, n, &result))
        return result;
    result = dense_cholesky(dense, a, n);
    return result == DENSE_OK ? dense_invert_lower(dense, a, n) : result;
}
