/*
 * steps.c - the fused steps: one run of the pool each, with barriers inside.
 *
 *   norm       rows of x -> rows of normed            a thread takes whole rows
 *   quantise   normed -> int8 in each layer's order   blocks of one row are shared out
 *   strips     16 outputs of all tokens at a time     taken in runs from a counter
 *
 * Dense layers and the reference read fp32 and skip the second.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/half.h"
#include "kernels/cpu/thread_pool.h"

#define LINEARS_MAX 3

enum finish { FINISH_STORE, FINISH_ADD, FINISH_SILU_MUL };

/* One step: up to three layers that read the same rows. */
struct linear_job {
    struct backend *backend;
    uint32_t n;
    const float *x; /* [n][x_stride]: input of the norm, or of the layers when norm is NULL */
    size_t x_stride;
    const float *norm;
    const struct cpu_linear *linears[LINEARS_MAX];
    struct backend_buffer *outs[LINEARS_MAX];
    uint32_t count;
    enum finish finish; /* SILU_MUL: linears are gate and up, outs[0] takes the product */

    const float *input; /* what the layers read: x or scratch.normed */
    size_t input_stride;
    const struct cpu_order *orders[ORDER_MAX];
    uint32_t order_count;
    uint32_t acts_of[LINEARS_MAX]; /* which of scratch.acts each layer reads */
    atomic_uint next;
};

static int step_error(struct backend *backend, const char *step, const char *why)
{
    snprintf(backend->last_error, sizeof backend->last_error, "%s: %s", step, why);
    return -1;
}

static int check_batch(struct backend *backend, const char *step, const struct backend_batch *batch)
{
    if (!backend->ready)
        return step_error(backend, step, "the model is not loaded");
    if (batch->n == 0 || batch->n > backend->shape.max_tokens)
        return step_error(backend, step, "more tokens than max_tokens");
    return 0;
}

/* --- linear layers ---------------------------------------------------------------------------- */

static void find_orders(struct linear_job *job)
{
    for (uint32_t i = 0; i < job->count; i++) {
        const struct cpu_linear *linear = job->linears[i];
        if (linear->form != FORM_STRIPS)
            continue;
        uint32_t at = 0;
        while (at < job->order_count && job->orders[at] != linear->order)
            at++;
        if (at == job->order_count)
            job->orders[job->order_count++] = linear->order;
        job->acts_of[i] = at;
    }
}

static void norm_rows(const struct linear_job *job, unsigned thread, unsigned threads)
{
    const struct backend *backend = job->backend;
    uint32_t hidden = backend->shape.hidden;
    for (uint32_t t = thread; t < job->n; t += threads)
        backend->kernels->rmsnorm(backend->scratch.normed + (size_t)t * hidden,
                                  job->x + t * job->x_stride, job->norm, hidden,
                                  backend->shape.norm_eps);
}

/* Thread i takes the i-th part of all blocks of all tokens. */
static void quantize_rows(const struct linear_job *job, unsigned thread, unsigned threads)
{
    const struct backend *backend = job->backend;
    for (uint32_t i = 0; i < job->order_count; i++) {
        const struct cpu_order *order = job->orders[i];
        const struct cpu_acts *acts = &backend->scratch.acts[i];
        uint64_t all = (uint64_t)order->blocks * job->n;
        uint64_t at = all * thread / threads, end = all * (thread + 1) / threads;
        while (at < end) {
            uint32_t t = (uint32_t)(at / order->blocks), first = (uint32_t)(at % order->blocks);
            uint64_t left = end - at, row = order->blocks - first;
            uint32_t blocks = (uint32_t)(left < row ? left : row);
            backend->kernels->quantize(job->input + t * job->input_stride, order, first,
                                       first + blocks, acts->values + t * acts->value_stride,
                                       acts->scales + t * acts->block_stride,
                                       acts->negsums + t * acts->block_stride);
            at += blocks;
        }
    }
}

static void add_bias(const struct cpu_linear *linear, uint32_t strip, uint32_t n, float *tile)
{
    const float *bias = linear->bias + (size_t)strip * STRIP_ROWS;
    for (uint32_t t = 0; t < n; t++)
        for (uint32_t i = 0; i < STRIP_ROWS; i++)
            tile[t * STRIP_ROWS + i] += bias[i];
}

/* 16 outputs of `count` (1 or 2) strips for all tokens -> tile [count][n][16], bias added. */
static void strip_tiles(const struct linear_job *job, uint32_t which, uint32_t strip,
                        uint32_t count, float *tile)
{
    const struct backend *backend = job->backend;
    const struct cpu_kernels *kernels = backend->kernels;
    const struct cpu_linear *linear = job->linears[which];
    const size_t next = (size_t)job->n * STRIP_ROWS;
    if (linear->form == FORM_STRIPS)
        kernels->linear_strips(linear, strip, count, &backend->scratch.acts[job->acts_of[which]],
                               job->n, tile);
    for (uint32_t i = 0; i < count; i++, strip++, tile += next) {
        uint32_t first = strip * STRIP_ROWS, rows = linear->out - first;
        size_t row_bytes = linear->bytes / linear->out;
        if (linear->form == FORM_FILE)
            kernels->linear_file(linear, strip, job->input, job->input_stride, job->n, tile);
        else if (linear->form == FORM_DENSE)
            kernels->linear_dense((const uint8_t *)linear->data + first * row_bytes, linear->dtype,
                                  rows < STRIP_ROWS ? rows : STRIP_ROWS, linear->in, job->input,
                                  job->input_stride, job->n, tile);
        if (linear->bias != NULL)
            add_bias(linear, strip, job->n, tile);
    }
}

/* The finished tile goes to columns 16 strip .. of the output. */
static void finish_tile(const struct linear_job *job, uint32_t which, uint32_t strip,
                        const float *tile, const float *up)
{
    const struct backend_buffer *out = job->outs[which];
    uint32_t first = strip * STRIP_ROWS, rows = job->linears[which]->out - first;
    if (rows > STRIP_ROWS)
        rows = STRIP_ROWS;
    for (uint32_t t = 0; t < job->n; t++, tile += STRIP_ROWS) {
        float *restrict row = out->data + (size_t)t * out->cols + first;
        const float *restrict sums = tile;
        if (job->finish == FINISH_STORE && rows == STRIP_ROWS)
            memcpy(row, sums, STRIP_ROWS * sizeof *row);
        else if (job->finish == FINISH_STORE)
            memcpy(row, sums, rows * sizeof *row);
        else if (job->finish == FINISH_ADD && rows == STRIP_ROWS)
            for (uint32_t i = 0; i < STRIP_ROWS; i++) /* a constant, so that it goes in vectors */
                row[i] += sums[i];
        else if (job->finish == FINISH_ADD)
            for (uint32_t i = 0; i < rows; i++)
                row[i] += sums[i];
        else
            job->backend->kernels->silu_mul(row, tile, up + (size_t)t * STRIP_ROWS, rows);
    }
}

static void do_strips(const struct linear_job *job, uint32_t which, uint32_t strip, uint32_t count,
                      float *tiles)
{
    const size_t next = (size_t)job->n * STRIP_ROWS;
    float *up = tiles + 2 * next;
    strip_tiles(job, which, strip, count, tiles);
    if (job->finish == FINISH_SILU_MUL)
        strip_tiles(job, 1, strip, count, up);
    for (uint32_t i = 0; i < count; i++)
        finish_tile(job, which, strip + i, tiles + i * next, up + i * next);
}

/* Takes a run of strips: long ones first, so that a thread reads one stretch of memory, then
 * shorter ones, so that all end together. Returns how many, from *first on. */
static uint32_t take_strips(struct linear_job *job, uint32_t all, unsigned threads, uint32_t *first)
{
    uint32_t at = atomic_load_explicit(&job->next, memory_order_relaxed), count;
    do {
        if (at >= all)
            return 0;
        count = (all - at) / (4 * threads);
        count = count >= 2 ? count & ~1u : all - at == 1 ? 1 : 2;
    } while (!atomic_compare_exchange_weak_explicit(&job->next, &at, at + count,
                                                    memory_order_relaxed, memory_order_relaxed));
    *first = at;
    return count;
}

static void strips(struct linear_job *job, unsigned thread, unsigned threads)
{
    const struct backend_shape *shape = &job->backend->shape;
    size_t rows =
        shape->max_tokens > shape->max_head_rows ? shape->max_tokens : shape->max_head_rows;
    float *tiles = job->backend->scratch.tiles + thread * 4 * rows * STRIP_ROWS;
    uint32_t layers = job->finish == FINISH_SILU_MUL ? 1 : job->count, all = 0, first, count;
    for (uint32_t i = 0; i < layers; i++)
        all += job->linears[i]->strips;
    while ((count = take_strips(job, all, threads, &first)) > 0)
        while (count > 0) {
            uint32_t which = 0, strip = first, take;
            while (strip >= job->linears[which]->strips)
                strip -= job->linears[which++]->strips;
            take = count >= 2 && strip + 1 < job->linears[which]->strips ? 2 : 1;
            do_strips(job, which, strip, take, tiles);
            first += take;
            count -= take;
        }
}

static void linear_work(void *argument, unsigned thread, unsigned threads)
{
    struct linear_job *job = argument;
    if (job->norm != NULL) {
        norm_rows(job, thread, threads);
        thread_pool_barrier(job->backend->pool);
    }
    if (job->order_count > 0) {
        quantize_rows(job, thread, threads);
        thread_pool_barrier(job->backend->pool);
    }
    strips(job, thread, threads);
}

static int linear_run(struct linear_job *job)
{
    struct backend *backend = job->backend;
    job->input = job->norm != NULL ? backend->scratch.normed : job->x;
    job->input_stride = job->norm != NULL ? backend->shape.hidden : job->x_stride;
    find_orders(job);
    uint64_t products = 0;
    for (uint32_t i = 0; i < job->count; i++)
        products += (uint64_t)job->linears[i]->in * job->linears[i]->out * job->n;
    thread_pool_run(backend->pool, products, linear_work, job);
    if (backend->see != NULL)
        backend->see(backend->see_user, job->input, job->input_stride, job->n, job->linears[0]->in);
    return 0;
}

int cpu_norm_qkv(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                 const struct backend_buffer *x, struct backend_buffer *q, struct backend_buffer *k,
                 struct backend_buffer *v)
{
    const struct backend_shape *shape = &backend->shape;
    if (check_batch(backend, "norm_qkv", batch) != 0)
        return -1;
    if (layer >= shape->layers || x->cols != shape->hidden ||
        q->cols != shape->heads * shape->head_dim || k->cols != shape->kv_heads * shape->head_dim ||
        v->cols != k->cols)
        return step_error(backend, "norm_qkv", "a buffer has the wrong width");
    const struct cpu_layer *l = &backend->layers[layer];
    struct linear_job job = {
        .backend = backend,
        .n = batch->n,
        .x = x->data,
        .x_stride = x->cols,
        .norm = l->norm[NORM_ATTENTION],
        .linears = {&l->linear[LINEAR_Q], &l->linear[LINEAR_K], &l->linear[LINEAR_V]},
        .outs = {q, k, v},
        .count = 3,
        .finish = FINISH_STORE,
    };
    return linear_run(&job);
}

int cpu_norm_gate_up(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                     const struct backend_buffer *x, struct backend_buffer *h)
{
    const struct backend_shape *shape = &backend->shape;
    if (check_batch(backend, "norm_gate_up", batch) != 0)
        return -1;
    if (layer >= shape->layers || x->cols != shape->hidden || h->cols != shape->ffn)
        return step_error(backend, "norm_gate_up", "a buffer has the wrong width");
    const struct cpu_layer *l = &backend->layers[layer];
    struct linear_job job = {
        .backend = backend,
        .n = batch->n,
        .x = x->data,
        .x_stride = x->cols,
        .norm = l->norm[NORM_MLP],
        .linears = {&l->linear[LINEAR_GATE], &l->linear[LINEAR_UP]},
        .outs = {h, h},
        .count = 2,
        .finish = FINISH_SILU_MUL,
    };
    return linear_run(&job);
}

int cpu_project_add(struct backend *backend, uint32_t layer, enum linear_slot slot,
                    const struct backend_batch *batch, const struct backend_buffer *in,
                    struct backend_buffer *x)
{
    if (check_batch(backend, "project_add", batch) != 0)
        return -1;
    if (layer >= backend->shape.layers || (slot != LINEAR_O && slot != LINEAR_DOWN))
        return step_error(backend, "project_add", "no such layer");
    const struct cpu_linear *linear = &backend->layers[layer].linear[slot];
    if (in->cols != linear->in || x->cols != linear->out)
        return step_error(backend, "project_add", "a buffer has the wrong width");
    struct linear_job job = {
        .backend = backend,
        .n = batch->n,
        .x = in->data,
        .x_stride = in->cols,
        .linears = {linear},
        .outs = {x},
        .count = 1,
        .finish = FINISH_ADD,
    };
    return linear_run(&job);
}

/* --- embedding and head ----------------------------------------------------------------------- */

int cpu_embed(struct backend *backend, const struct backend_batch *batch, struct backend_buffer *x)
{
    const struct backend_shape *shape = &backend->shape;
    const struct cpu_table *table = &backend->embed;
    if (check_batch(backend, "embed", batch) != 0)
        return -1;
    if (x->cols != shape->hidden)
        return step_error(backend, "embed", "a buffer has the wrong width");
    for (uint32_t t = 0; t < batch->n; t++)
        if (batch->tokens[t] < 0 || (uint32_t)batch->tokens[t] >= shape->vocab)
            return step_error(backend, "embed", "a token is not in the vocabulary");
    for (uint32_t t = 0; t < batch->n; t++) {
        size_t row = (size_t)batch->tokens[t] * shape->hidden;
        float *out = x->data + (size_t)t * shape->hidden;
        const uint16_t *halves = (const uint16_t *)table->data + row;
        if (table->dtype == BACKEND_F32)
            memcpy(out, (const float *)table->data + row, shape->hidden * sizeof *out);
        for (uint32_t i = 0; table->dtype == BACKEND_F16 && i < shape->hidden; i++)
            out[i] = f32_of_f16(halves[i]);
        for (uint32_t i = 0; table->dtype == BACKEND_BF16 && i < shape->hidden; i++)
            out[i] = f32_of_bf16(halves[i]);
    }
    return 0;
}

struct head_job {
    struct backend *backend;
    const uint32_t *rows;
    uint32_t count;
    const struct backend_buffer *x;
    struct cpu_linear table; /* the head as a dense layer */
    struct backend_buffer logits;
    struct linear_job strips;
};

static void head_work(void *argument, unsigned thread, unsigned threads)
{
    struct head_job *job = argument;
    struct backend *backend = job->backend;
    uint32_t hidden = backend->shape.hidden;
    for (uint32_t i = thread; i < job->count; i += threads)
        backend->kernels->rmsnorm(backend->scratch.normed + (size_t)i * hidden,
                                  job->x->data + (size_t)job->rows[i] * hidden, backend->final_norm,
                                  hidden, backend->shape.norm_eps);
    thread_pool_barrier(backend->pool);
    strips(&job->strips, thread, threads);
}

int cpu_head(struct backend *backend, const uint32_t *rows, uint32_t count,
             const struct backend_buffer *x, const float **logits)
{
    const struct backend_shape *shape = &backend->shape;
    if (!backend->ready || count == 0 || count > shape->max_head_rows || x->cols != shape->hidden)
        return step_error(backend, "head", "not loaded, or more rows than max_head_rows");
    for (uint32_t i = 0; i < count; i++)
        if (rows[i] >= shape->max_tokens)
            return step_error(backend, "head", "a row is not in the batch");
    struct head_job job = {
        .backend = backend,
        .rows = rows,
        .count = count,
        .x = x,
        .table = {.form = FORM_DENSE,
                  .in = shape->hidden,
                  .out = shape->vocab,
                  .strips = shape->vocab / STRIP_ROWS + (shape->vocab % STRIP_ROWS != 0),
                  .bytes = backend->head.bytes,
                  .data = backend->head.data,
                  .dtype = backend->head.dtype},
        .logits = {.data = backend->scratch.logits, .cols = shape->vocab},
    };
    job.strips = (struct linear_job){
        .backend = backend,
        .n = count,
        .linears = {&job.table},
        .outs = {&job.logits},
        .count = 1,
        .finish = FINISH_STORE,
        .input = backend->scratch.normed,
        .input_stride = shape->hidden,
    };
    thread_pool_run(backend->pool, (uint64_t)shape->hidden * shape->vocab * count, head_work, &job);
    *logits = backend->scratch.logits;
    return 0;
}
