/*
 * attend.c - RoPE, writing keys and values to their pages, and attention over the page table. With
 * KV_Q4 queries, keys and values are rotated on the way in, results on the way out (kv_q4.h).
 *
 * Attention of one query is computed in segments of 1024 positions. Within a segment an online
 * softmax goes over blocks of 64 positions and keeps, in fp32,
 *     max   the largest score so far        sum   of exp(score - max)
 *     acc   [head_dim] sum of exp(score - max) * value
 * and when a block raises max, sum and acc are multiplied by exp(old - new). Segments are merged in
 * ascending order by the same rule. Where the borders lie depends on the position alone, so the
 * bits of a token do not depend on its batch or on the number of threads. With few queries the
 * segments are shared out to the threads as well, and merged afterwards.
 */
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/kv_q4.h"
#include "kernels/cpu/thread_pool.h"

#define HEAD_DIM_MAX 256
#define SPLIT_FACTOR 8 /* fewer (token, head) pairs than this per thread: share out segments */

static int step_error(struct backend *backend, const char *step, const char *why)
{
    snprintf(backend->last_error, sizeof backend->last_error, "%s: %s", step, why);
    return -1;
}

/* Pages and positions are what kernels index memory with. */
static int check_batch(struct backend *backend, const char *step, uint32_t layer,
                       const struct backend_batch *batch)
{
    const struct backend_shape *shape = &backend->shape;
    if (!backend->ready || backend->kv.data == NULL || layer >= shape->layers)
        return step_error(backend, step, "not loaded, or no key/value pages");
    if (batch->n == 0 || batch->n > shape->max_tokens)
        return step_error(backend, step, "more tokens than max_tokens");
    for (uint32_t t = 0; t < batch->n; t++)
        if (batch->positions[t] >= shape->max_positions ||
            batch->sequences[t] >= batch->sequence_count)
            return step_error(backend, step, "a position or sequence is out of range");
    return 0;
}

/* --- RoPE and append -------------------------------------------------------------------------- */

struct append_job {
    struct backend *backend;
    const struct backend_batch *batch;
    uint32_t layer;
    float *q;
    const float *k, *v;
};

/* Element i turns with element i + half by the angle position * inv_freq[i]. */
static void rotate(float *out, const float *x, const float *cosine, const float *sine,
                   uint32_t half)
{
    for (uint32_t i = 0; i < half; i++) {
        float a = x[i], b = x[i + half];
        out[i] = a * cosine[i] - b * sine[i];
        out[i + half] = b * cosine[i] + a * sine[i];
    }
}

static void append_token(const struct append_job *job, uint32_t t)
{
    const struct backend *backend = job->backend;
    const struct backend_shape *shape = &backend->shape;
    const struct backend_batch *batch = job->batch;
    uint32_t dim = shape->head_dim, half = dim / 2, position = batch->positions[t];
    const bool turned = backend->kv.type == KV_Q4;
    float cosine[HEAD_DIM_MAX / 2], sine[HEAD_DIM_MAX / 2];
    float key[HEAD_DIM_MAX], value[HEAD_DIM_MAX];
    for (uint32_t i = 0; i < half; i++) {
        float angle = (float)position * backend->inv_freq[i];
        cosine[i] = cosf(angle) * backend->rope_scale;
        sine[i] = sinf(angle) * backend->rope_scale;
    }
    float *q = job->q + (size_t)t * shape->heads * dim;
    for (uint32_t head = 0; head < shape->heads; head++, q += dim) {
        rotate(q, q, cosine, sine, half);
        if (turned)
            kv_q4_rotate(q, dim);
    }
    uint32_t page = batch->page_tables[batch->sequences[t]][position / shape->page_tokens];
    for (uint32_t head = 0; head < shape->kv_heads; head++) {
        size_t at = ((size_t)t * shape->kv_heads + head) * dim;
        rotate(key, job->k + at, cosine, sine, half);
        memcpy(value, job->v + at, dim * sizeof *value);
        if (turned) {
            kv_q4_rotate(key, dim);
            kv_q4_rotate(value, dim);
        }
        cpu_kv_write(&backend->kv, backend->kernels, job->layer, page,
                     position % shape->page_tokens, head, key, value);
    }
}

static void append_work(void *argument, unsigned thread, unsigned threads)
{
    const struct append_job *job = argument;
    for (uint32_t t = thread; t < job->batch->n; t += threads)
        append_token(job, t);
}

int cpu_rope_append(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                    struct backend_buffer *q, const struct backend_buffer *k,
                    const struct backend_buffer *v)
{
    const struct backend_shape *shape = &backend->shape;
    if (check_batch(backend, "rope_append", layer, batch) != 0)
        return -1;
    if (q->cols != shape->heads * shape->head_dim || k->cols != shape->kv_heads * shape->head_dim ||
        v->cols != k->cols)
        return step_error(backend, "rope_append", "a buffer has the wrong width");
    for (uint32_t t = 0; t < batch->n; t++) {
        const uint32_t *pages = batch->page_tables[batch->sequences[t]];
        for (uint32_t i = 0; i <= batch->positions[t] / shape->page_tokens; i++)
            if (pages[i] >= backend->kv.pages)
                return step_error(backend, "rope_append", "a page is out of range");
    }
    struct append_job job = {backend, batch, layer, q->data, k->data, v->data};
    uint64_t products = (uint64_t)(q->cols + 2 * k->cols) * 4 * batch->n;
    thread_pool_run(backend->pool, products, append_work, &job);
    return 0;
}

/* --- attention -------------------------------------------------------------------------------- */

/* A running softmax; in scratch.partials it is a row of 2 + head_dim floats. */
struct softmax {
    _Alignas(64) float acc[HEAD_DIM_MAX];
    float max, sum;
};

/* Queries that read the same keys: all heads of one key/value head, tokens of one sequence. */
struct query_tile {
    uint32_t count, longest;       /* longest: positions that some query sees */
    uint32_t seen[ATTEND_QUERIES]; /* positions that each query sees */
    uint32_t token[ATTEND_QUERIES], head[ATTEND_QUERIES];
    const uint32_t *pages;
    _Alignas(64) float q[ATTEND_QUERIES][HEAD_DIM_MAX]; /* scaled by 1 / sqrt(head_dim) */
};

struct attend_job {
    struct backend *backend;
    const struct backend_batch *batch;
    uint32_t layer;
    const float *q;
    float *a;
    uint32_t tile_tokens, tile_heads; /* of the grid of tiles */
    uint32_t token_tiles, head_tiles; /* head_tiles per key/value head */
    uint32_t segments;                /* 1: a tile goes through all of its segments itself */
    atomic_uint next;
};

static void softmax_start(struct softmax *s, uint32_t dim)
{
    s->max = -INFINITY;
    s->sum = 0;
    memset(s->acc, 0, dim * sizeof *s->acc);
}

static void softmax_rescale(struct softmax *s, float max, uint32_t dim)
{
    float factor = expf(s->max - max); /* 0 at the start */
    s->max = max;
    s->sum *= factor;
    for (uint32_t d = 0; d < dim; d++)
        s->acc[d] *= factor;
}

/* into becomes the softmax over both; acc and sum of `from` belong to `max`. */
static void softmax_merge(struct softmax *into, float max, float sum, const float *acc,
                          uint32_t dim)
{
    if (max > into->max)
        softmax_rescale(into, max, dim);
    float factor = expf(max - into->max);
    into->sum += sum * factor;
    for (uint32_t d = 0; d < dim; d++)
        into->acc[d] += acc[d] * factor;
}

/* Scores of one block -> weights exp(score - max), for the first `count` positions. */
static void softmax_block(struct softmax *s, const struct cpu_kernels *kernels, float *scores,
                          uint32_t count, uint32_t dim)
{
    float tops[4] = {s->max, s->max, s->max, s->max}, max; /* four, so that none waits for itself */
    uint32_t i = 0;
    for (; i + 4 <= count; i += 4)
        for (uint32_t k = 0; k < 4; k++)
            tops[k] = scores[i + k] > tops[k] ? scores[i + k] : tops[k];
    for (; i < count; i++)
        tops[0] = scores[i] > tops[0] ? scores[i] : tops[0];
    max = tops[0] > tops[1] ? tops[0] : tops[1];
    max = tops[2] > max ? tops[2] : max;
    max = tops[3] > max ? tops[3] : max;
    if (max > s->max)
        softmax_rescale(s, max, dim);
    s->sum += kernels->exp_sum(scores, count, s->max);
}

/* Runs within one page of positions begin .. end - 1. */
static uint32_t run_length(uint32_t at, uint32_t end, uint32_t page_tokens)
{
    uint32_t rest = page_tokens - at % page_tokens;
    return end - at < rest ? end - at : rest;
}

/* Keys and values of the positions from `at` on. The rows of the block that comes after this one
 * are what memory is asked for meanwhile: pages lie apart, the hardware does not see across. */
static void rows_at(const struct attend_job *job, const struct query_tile *tile, uint32_t kv_head,
                    uint32_t at, struct cpu_rows *keys, struct cpu_rows *values)
{
    const struct cpu_kv *kv = &job->backend->kv;
    uint32_t next = at + ATTEND_BLOCK, first = next % kv->page_tokens;
    struct cpu_rows next_keys, next_values;
    cpu_kv_rows(kv, job->layer, tile->pages[at / kv->page_tokens], kv_head, keys, values);
    if (next >= tile->longest)
        return;
    cpu_kv_rows(kv, job->layer, tile->pages[next / kv->page_tokens], kv_head, &next_keys,
                &next_values);
    keys->ahead = (const uint8_t *)next_keys.values + first * kv->row_bytes;
    values->ahead = (const uint8_t *)next_values.values + first * kv->row_bytes;
    keys->scales_ahead = next_keys.scales + (size_t)first * kv->row_scales;
    values->scales_ahead = next_values.scales + (size_t)first * kv->row_scales;
}

/* The kernels ask for the values that come next, row by row; the scales of q8 are few. */
static void prefetch_scales(const struct cpu_rows *rows, uint32_t count)
{
    for (size_t byte = 0; byte < (size_t)count * rows->row_scales * 2; byte += 64)
        __builtin_prefetch((const char *)rows->scales_ahead + byte);
}

static void block_scores(const struct attend_job *job, const struct query_tile *tile,
                         uint32_t kv_head, uint32_t begin, uint32_t end,
                         float (*scores)[ATTEND_BLOCK])
{
    const struct cpu_kv *kv = &job->backend->kv;
    struct cpu_rows keys, values;
    for (uint32_t at = begin; at < end;) {
        uint32_t rows = run_length(at, end, kv->page_tokens);
        rows_at(job, tile, kv_head, at, &keys, &values);
        prefetch_scales(&keys, rows);
        job->backend->kernels->scores(&keys, at % kv->page_tokens, rows, tile->q[0], HEAD_DIM_MAX,
                                      tile->count, &scores[0][at - begin], ATTEND_BLOCK);
        at += rows;
    }
}

static uint32_t rows_seen(const struct query_tile *tile, uint32_t query, uint32_t at, uint32_t rows)
{
    uint32_t seen = tile->seen[query] > at ? tile->seen[query] - at : 0;
    return seen < rows ? seen : rows;
}

/* Rows that every query sees are read once for all. Where one does not, at the end, each query goes
 * alone over what it sees: a weight of zero would still let a NaN in an unwritten row through, and
 * the rows of a call are the same whatever queries there are. */
static void block_values(const struct attend_job *job, const struct query_tile *tile,
                         uint32_t kv_head, uint32_t begin, uint32_t end,
                         float (*weights)[ATTEND_BLOCK], struct softmax *states)
{
    const struct cpu_kv *kv = &job->backend->kv;
    const struct cpu_kernels *kernels = job->backend->kernels;
    const size_t stride = sizeof *states / sizeof(float);
    struct cpu_rows keys, values;
    for (uint32_t at = begin, rows; at < end; at += rows) {
        uint32_t first = at % kv->page_tokens, least = rows = run_length(at, end, kv->page_tokens);
        rows_at(job, tile, kv_head, at, &keys, &values);
        prefetch_scales(&values, rows);
        for (uint32_t j = 0; j < tile->count; j++)
            least = rows_seen(tile, j, at, least);
        if (least == rows) {
            kernels->accumulate(&values, first, rows, &weights[0][at - begin], ATTEND_BLOCK,
                                tile->count, states->acc, stride);
            continue;
        }
        values.ahead = values.values;
        for (uint32_t j = 0; j < tile->count; j++) {
            uint32_t seen = rows_seen(tile, j, at, rows);
            if (seen > 0)
                kernels->accumulate(&values, first, seen, &weights[j][at - begin], ATTEND_BLOCK, 1,
                                    states[j].acc, stride);
        }
    }
}

/* One segment of all the tile's queries. A query that sees nothing of it keeps max = -inf. */
static void tile_segment(const struct attend_job *job, const struct query_tile *tile,
                         uint32_t kv_head, uint32_t segment, struct softmax *states)
{
    uint32_t dim = job->backend->shape.head_dim, begin = segment * ATTEND_SEGMENT;
    uint32_t end = begin + ATTEND_SEGMENT < tile->longest ? begin + ATTEND_SEGMENT : tile->longest;
    _Alignas(64) float scores[ATTEND_QUERIES][ATTEND_BLOCK];
    for (uint32_t j = 0; j < tile->count; j++)
        softmax_start(&states[j], dim);
    for (uint32_t at = begin; at < end; at += ATTEND_BLOCK) {
        uint32_t stop = at + ATTEND_BLOCK < end ? at + ATTEND_BLOCK : end;
        block_scores(job, tile, kv_head, at, stop, scores);
        for (uint32_t j = 0; j < tile->count; j++) {
            uint32_t seen = tile->seen[j] < stop ? tile->seen[j] : stop;
            if (seen > at)
                softmax_block(&states[j], job->backend->kernels, scores[j], seen - at, dim);
        }
        block_values(job, tile, kv_head, at, stop, scores, states);
    }
}

static void tile_start(const struct attend_job *job, uint32_t kv_head, uint32_t head_tile,
                       uint32_t first, uint32_t tokens, struct query_tile *tile)
{
    const struct backend_shape *shape = &job->backend->shape;
    uint32_t group = shape->heads / shape->kv_heads, begin = head_tile * job->tile_heads;
    uint32_t end = begin + job->tile_heads < group ? begin + job->tile_heads : group;
    float scale = 1.0f / sqrtf((float)shape->head_dim);
    tile->count = tile->longest = 0;
    tile->pages = job->batch->page_tables[job->batch->sequences[first]];
    for (uint32_t t = first; t < first + tokens; t++)
        for (uint32_t i = begin; i < end; i++) {
            uint32_t j = tile->count++, head = kv_head * group + i;
            const float *q = job->q + ((size_t)t * shape->heads + head) * shape->head_dim;
            tile->token[j] = t;
            tile->head[j] = head;
            tile->seen[j] = job->batch->positions[t] + 1;
            tile->longest = tile->seen[j] > tile->longest ? tile->seen[j] : tile->longest;
            for (uint32_t d = 0; d < shape->head_dim; d++)
                tile->q[j][d] = q[d] * scale;
        }
}

static void write_output(const struct attend_job *job, uint32_t token, uint32_t head,
                         const struct softmax *state)
{
    const struct backend_shape *shape = &job->backend->shape;
    float *a = job->a + ((size_t)token * shape->heads + head) * shape->head_dim;
    float inverse = 1.0f / state->sum;
    for (uint32_t d = 0; d < shape->head_dim; d++)
        a[d] = state->acc[d] * inverse;
    if (job->backend->kv.type == KV_Q4)
        kv_q4_rotate(a, shape->head_dim);
}

/* All segments of a tile, one after the other. */
static void whole_tile(const struct attend_job *job, const struct query_tile *tile,
                       uint32_t kv_head)
{
    uint32_t dim = job->backend->shape.head_dim;
    struct softmax states[ATTEND_QUERIES], totals[ATTEND_QUERIES];
    for (uint32_t j = 0; j < tile->count; j++)
        softmax_start(&totals[j], dim);
    for (uint32_t s = 0; s * ATTEND_SEGMENT < tile->longest; s++) {
        tile_segment(job, tile, kv_head, s, states);
        for (uint32_t j = 0; j < tile->count; j++)
            if (tile->seen[j] > s * ATTEND_SEGMENT)
                softmax_merge(&totals[j], states[j].max, states[j].sum, states[j].acc, dim);
    }
    for (uint32_t j = 0; j < tile->count; j++)
        write_output(job, tile->token[j], tile->head[j], &totals[j]);
}

static float *partial_row(const struct attend_job *job, uint32_t token, uint32_t head,
                          uint32_t segment)
{
    const struct backend_shape *shape = &job->backend->shape;
    size_t row = ((size_t)token * shape->heads + head) * job->segments + segment;
    return job->backend->scratch.partials + row * (2 + shape->head_dim);
}

static void partial_tile(const struct attend_job *job, const struct query_tile *tile,
                         uint32_t kv_head, uint32_t segment)
{
    uint32_t dim = job->backend->shape.head_dim;
    struct softmax states[ATTEND_QUERIES];
    tile_segment(job, tile, kv_head, segment, states);
    for (uint32_t j = 0; j < tile->count; j++) {
        float *row = partial_row(job, tile->token[j], tile->head[j], segment);
        row[0] = states[j].max;
        row[1] = states[j].sum;
        memcpy(row + 2, states[j].acc, dim * sizeof *row);
    }
}

static void merge_partials(const struct attend_job *job, uint32_t token, uint32_t head)
{
    uint32_t dim = job->backend->shape.head_dim, seen = job->batch->positions[token] + 1;
    struct softmax total;
    softmax_start(&total, dim);
    for (uint32_t s = 0; s * ATTEND_SEGMENT < seen; s++) {
        const float *row = partial_row(job, token, head, s);
        softmax_merge(&total, row[0], row[1], row + 2, dim);
    }
    write_output(job, token, head, &total);
}

/* Item -> tile. A tile of tokens that belong to several sequences is done run by run. */
static void attend_item(const struct attend_job *job, uint32_t item)
{
    const struct backend_batch *batch = job->batch;
    uint32_t segment = item % job->segments, rest = item / job->segments;
    uint32_t head_tile = rest % job->head_tiles, at = rest / job->head_tiles;
    uint32_t kv_head = at / job->token_tiles, token = at % job->token_tiles * job->tile_tokens;
    uint32_t end = token + job->tile_tokens < batch->n ? token + job->tile_tokens : batch->n;
    struct query_tile tile;
    while (token < end) {
        uint32_t run = 1;
        while (token + run < end && batch->sequences[token + run] == batch->sequences[token])
            run++;
        tile_start(job, kv_head, head_tile, token, run, &tile);
        if (job->segments == 1)
            whole_tile(job, &tile, kv_head);
        else if (segment * ATTEND_SEGMENT < tile.longest)
            partial_tile(job, &tile, kv_head, segment);
        token += run;
    }
}

static void attend_work(void *argument, unsigned thread, unsigned threads)
{
    struct attend_job *job = argument;
    const struct backend_shape *shape = &job->backend->shape;
    uint32_t items = job->token_tiles * shape->kv_heads * job->head_tiles * job->segments, item;
    while ((item = atomic_fetch_add_explicit(&job->next, 1, memory_order_relaxed)) < items)
        attend_item(job, item);
    if (job->segments == 1)
        return;
    thread_pool_barrier(job->backend->pool);
    uint32_t rows = job->batch->n * shape->heads;
    for (uint32_t i = thread; i < rows; i += threads)
        merge_partials(job, i / shape->heads, i % shape->heads);
}

static uint32_t segments_of(uint32_t positions)
{
    return positions / ATTEND_SEGMENT + (positions % ATTEND_SEGMENT != 0);
}

/* Partials are kept only for fewer than SPLIT_FACTOR * threads pairs of token and head. */
size_t cpu_attend_scratch_bytes(const struct backend *backend)
{
    size_t pairs = (size_t)SPLIT_FACTOR * backend->threads;
    return pairs * segments_of(backend->shape.max_positions) * (2 + backend->shape.head_dim) *
           sizeof(float);
}

int cpu_attend(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
               const struct backend_buffer *q, struct backend_buffer *a)
{
    const struct backend_shape *shape = &backend->shape;
    if (check_batch(backend, "attend", layer, batch) != 0)
        return -1;
    if (q->cols != shape->heads * shape->head_dim || a->cols != q->cols)
        return step_error(backend, "attend", "a buffer has the wrong width");
    uint32_t group = shape->heads / shape->kv_heads, longest = 0;
    uint64_t products = 0;
    for (uint32_t t = 0; t < batch->n; t++) {
        longest = batch->positions[t] + 1 > longest ? batch->positions[t] + 1 : longest;
        products += (uint64_t)2 * q->cols * (batch->positions[t] + 1);
    }
    struct attend_job job = {backend, batch, layer, q->data, a->data, 0, 0, 0, 0, 1, 0};
    job.tile_heads = group < ATTEND_QUERIES ? group : ATTEND_QUERIES;
    job.tile_tokens = ATTEND_QUERIES / job.tile_heads;
    job.head_tiles = (group + job.tile_heads - 1) / job.tile_heads;
    job.token_tiles = (batch->n + job.tile_tokens - 1) / job.tile_tokens;
    if ((size_t)batch->n * shape->heads < (size_t)SPLIT_FACTOR * backend->threads)
        job.segments = segments_of(longest);
    thread_pool_run(backend->pool, products, attend_work, &job);
    return 0;
}
