/*
 * Tests of rope_append.cu and attend_prefill.cu against loops in double precision: every type of
 * keys and values, both head sizes, shared heads, page tables in reverse, several sequences with
 * earlier context, counts of rows around the borders of tiles, results in another order.
 *
 * Pages are read back as bytes and widened here, so that what attention makes of them is judged
 * apart from how well they keep the keys and values, which is judged against these themselves.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "device_memory.h"
#include "kernels/cpu/half.h"
#include "kernels/cuda/gpu.h"
#include "plain_layer.h"

#define SEQUENCES_MAX 3

struct attend_case {
    enum kv_type type;
    uint32_t dim, page_tokens, heads, kv_heads;
    uint32_t context[SEQUENCES_MAX], rows[SEQUENCES_MAX]; /* rows 0: no more sequences */
    bool indexed;
};

struct setup {
    const struct attend_case *c;
    struct gpu_attend_call call;
    uint32_t sequences, n, wide, narrow; /* rows; values of a row of q, of k */
    uint32_t table[SEQUENCES_MAX];       /* first entry of the sequence */
    uint32_t first[SEQUENCES_MAX];       /* first row of the sequence */
    uint32_t pages[512];
    float *q, *k, *v, inv_freq[64];
    double *turned_q;        /* [n][wide] */
    double *keys, *values;   /* [sequence][position][narrow] as the pages should keep them */
    double *read_k, *read_v; /* as they do */
    int32_t *index;          /* [wide] */
    size_t positions;        /* of one sequence */
    size_t bytes;            /* of the pages */
};

/* --- layouts ---------------------------------------------------------------------------------- */

static size_t row_bytes(const struct attend_case *c)
{
    return c->type == KV_F16 ? 2 * c->dim : c->type == KV_Q8 ? c->dim : c->dim / 2;
}

static size_t row_scales(const struct attend_case *c)
{
    return c->type == KV_F16 ? 0 : c->dim / 32;
}

static double *kept(const struct setup *s, double *of, uint32_t sequence, uint32_t position,
                    uint32_t head)
{
    return of + ((sequence * s->positions + position) * s->c->kv_heads + head) * s->c->dim;
}

/* One value of a stored row. */
static double stored(const struct attend_case *c, const uint8_t *row, const uint8_t *scales,
                     uint32_t d)
{
    uint16_t half;
    if (c->type == KV_F16) {
        memcpy(&half, row + 2 * d, 2);
        return f32_of_f16(half);
    }
    memcpy(&half, scales + d / 32 * 2, 2);
    if (c->type == KV_Q8)
        return (double)(int8_t)row[d] * f32_of_f16(half);
    uint8_t byte = row[d / 32 * 16 + d % 16];
    return ((d % 32 < 16 ? byte & 15 : byte >> 4) - 8) * (double)f32_of_f16(half);
}

static void read_pages(struct setup *s)
{
    const struct attend_case *c = s->c;
    uint8_t *bytes = malloc(s->bytes);
    device_read(bytes, s->call.data, s->bytes);
    for (uint32_t sequence = 0; sequence < s->sequences; sequence++)
        for (uint32_t p = 0; p < c->context[sequence] + c->rows[sequence]; p++)
            for (uint32_t head = 0; head < c->kv_heads; head++) {
                uint32_t page = s->pages[s->table[sequence] + p / c->page_tokens];
                const uint8_t *at =
                    bytes + page * s->call.kv.page_bytes + head * s->call.kv.head_bytes;
                const uint8_t *scales = at + 2 * c->page_tokens * row_bytes(c);
                size_t slot = p % c->page_tokens, other = c->page_tokens;
                for (uint32_t d = 0; d < c->dim; d++) {
                    kept(s, s->read_k, sequence, p, head)[d] =
                        stored(c, at + slot * row_bytes(c), scales + slot * row_scales(c) * 2, d);
                    kept(s, s->read_v, sequence, p, head)[d] =
                        stored(c, at + (other + slot) * row_bytes(c),
                               scales + (other + slot) * row_scales(c) * 2, d);
                }
            }
    free(bytes);
}

/* --- what should be --------------------------------------------------------------------------- */

static void turn(double *x, const float *inv_freq, uint32_t position, uint32_t dim)
{
    for (uint32_t i = 0; i < dim / 2; i++) {
        double angle = (float)position * inv_freq[i]; /* in fp32 */
        double a = x[i], b = x[i + dim / 2];
        x[i] = a * cos(angle) - b * sin(angle);
        x[i + dim / 2] = b * cos(angle) + a * sin(angle);
    }
}

/* The Walsh-Hadamard matrix over sqrt(dim), entry by entry. */
static void hadamard(double *x, uint32_t dim)
{
    double out[128];
    for (uint32_t i = 0; i < dim; i++) {
        out[i] = 0;
        for (uint32_t j = 0; j < dim; j++)
            out[i] += __builtin_parity(i & j) ? -x[j] : x[j];
        out[i] /= sqrt(dim);
    }
    memcpy(x, out, dim * sizeof *x);
}

/* Of row `row`, which stands at `position` of its sequence. */
static void expect_row(struct setup *s, uint32_t sequence, uint32_t row, uint32_t position)
{
    const struct attend_case *c = s->c;
    for (uint32_t head = 0; head < c->heads; head++) {
        double *q = s->turned_q + (size_t)row * s->wide + head * c->dim;
        for (uint32_t d = 0; d < c->dim; d++)
            q[d] = s->q[(size_t)row * s->wide + head * c->dim + d];
        turn(q, s->inv_freq, position, c->dim);
        if (c->type == KV_Q4)
            hadamard(q, c->dim);
    }
    for (uint32_t head = 0; head < c->kv_heads; head++) {
        double *k = kept(s, s->keys, sequence, position, head);
        double *v = kept(s, s->values, sequence, position, head);
        for (uint32_t d = 0; d < c->dim; d++) {
            k[d] = s->k[(size_t)row * s->narrow + head * c->dim + d];
            v[d] = s->v[(size_t)row * s->narrow + head * c->dim + d];
        }
        turn(k, s->inv_freq, position, c->dim);
        if (c->type == KV_Q4) {
            hadamard(k, c->dim);
            hadamard(v, c->dim);
        }
    }
}

/* Attention of one row and head over what the pages keep. */
static void attend(struct setup *s, uint32_t sequence, uint32_t row, uint32_t position,
                   uint32_t head, double *out)
{
    const struct attend_case *c = s->c;
    uint32_t kv_head = head / (c->heads / c->kv_heads);
    const double *q = s->turned_q + (size_t)row * s->wide + head * c->dim;
    double *weights = malloc((position + 1) * sizeof *weights), sum = 0;
    memset(out, 0, c->dim * sizeof *out);
    for (uint32_t p = 0; p <= position; p++) {
        const double *k = kept(s, s->read_k, sequence, p, kv_head);
        double score = 0;
        for (uint32_t d = 0; d < c->dim; d++)
            score += q[d] * k[d];
        sum += weights[p] = exp(score / sqrt(c->dim));
    }
    for (uint32_t p = 0; p <= position; p++)
        for (uint32_t d = 0; d < c->dim; d++)
            out[d] += weights[p] / sum * kept(s, s->read_v, sequence, p, kv_head)[d];
    if (c->type == KV_Q4)
        hadamard(out, c->dim);
    free(weights);
}

/* --- set-up ----------------------------------------------------------------------------------- */

static void layout_pages(struct setup *s)
{
    const struct attend_case *c = s->c;
    struct gpu_kv *kv = &s->call.kv;
    uint32_t count = 0;
    for (uint32_t i = 0; i < s->sequences; i++) {
        s->table[i] = count;
        count += (c->context[i] + c->rows[i] + c->page_tokens - 1) / c->page_tokens;
    }
    for (uint32_t i = 0; i < count; i++)
        s->pages[i] = count - i; /* page 0 is nobody's */
    *kv = (struct gpu_kv){.type = c->type,
                          .pages = count + 1,
                          .page_tokens = c->page_tokens,
                          .head_dim = c->dim,
                          .kv_heads = c->kv_heads,
                          .row_bytes = row_bytes(c)};
    kv->head_bytes = 2 * c->page_tokens * (row_bytes(c) + 2 * row_scales(c));
    kv->page_bytes = kv->head_bytes * c->kv_heads;
    s->bytes = kv->pages * kv->page_bytes;
    s->call.data = device_copy(NULL, s->bytes);
    cuda_ok(cudaMemset(s->call.data, 0xFF, s->bytes)); /* NaN where nobody writes */
}

static void make_order(struct setup *s, uint64_t *seed)
{
    s->index = malloc(s->wide * sizeof *s->index);
    s->call.a_stride = s->wide + 64;
    for (uint32_t i = 0; i < s->wide; i++)
        s->index[i] = (int32_t)i;
    for (uint32_t i = s->wide - 1; s->c->indexed && i > 0; i--) {
        uint32_t j = plain_word(seed) % (i + 1);
        int32_t other = s->index[j];
        s->index[j] = s->index[i];
        s->index[i] = other;
    }
    for (uint32_t i = 0; s->c->indexed && i < s->wide; i++)
        s->index[i] += 17; /* padding in front */
}

static void set_up(struct setup *s, const struct attend_case *c)
{
    uint64_t seed = c->dim + c->page_tokens;
    *s = (struct setup){.c = c, .wide = c->heads * c->dim, .narrow = c->kv_heads * c->dim};
    for (; s->sequences < SEQUENCES_MAX && c->rows[s->sequences] > 0; s->sequences++) {
        s->first[s->sequences] = s->n;
        size_t positions = c->context[s->sequences] + c->rows[s->sequences];
        s->positions = positions > s->positions ? positions : s->positions;
        s->n += c->rows[s->sequences];
    }
    for (uint32_t i = 0; i < c->dim / 2; i++)
        s->inv_freq[i] = powf(10000, -2.0f * (float)i / (float)c->dim);
    size_t of_sequence = s->positions * s->narrow, all = s->sequences * of_sequence;
    double **kept[] = {&s->keys, &s->values, &s->read_k, &s->read_v};
    for (size_t i = 0; i < 4; i++)
        *kept[i] = calloc(all, sizeof(double));
    s->call.rope.inv_freq = device_copy(s->inv_freq, sizeof s->inv_freq);
    s->call.rope.scale = 1;
    s->call.heads = c->heads;
    layout_pages(s);
    make_order(s, &seed);
}

/* Runs of at most GPU_PREFILL_ROWS rows; returns how many. */
static uint32_t cut_runs(struct gpu_run *runs, uint32_t first, uint32_t count, uint32_t position,
                         uint32_t table)
{
    uint32_t n = 0;
    for (uint32_t at = 0; at < count; at += GPU_PREFILL_ROWS) {
        uint32_t left = count - at;
        runs[n++] = (struct gpu_run){.first = first + at,
                                     .count = left < GPU_PREFILL_ROWS ? left : GPU_PREFILL_ROWS,
                                     .position = position + at,
                                     .table = table};
    }
    return n;
}

static float *random_rows(size_t count, float size, uint64_t seed)
{
    float *rows = malloc(count * sizeof *rows);
    for (size_t i = 0; i < count; i++)
        rows[i] = size * plain_float(&seed);
    return rows;
}

/* n rows of random q, k and v in place of what was there, appended by the runs. */
static void append(struct setup *s, const struct gpu_run *runs, uint32_t count, uint32_t n,
                   uint64_t seed)
{
    struct gpu_attend_call *call = &s->call;
    s->q = random_rows((size_t)n * s->wide, 2.5f, seed);
    s->k = random_rows((size_t)n * s->narrow, 2.5f, seed + 1);
    s->v = random_rows((size_t)n * s->narrow, 1, seed + 2);
    s->turned_q = calloc((size_t)n * s->wide, sizeof *s->turned_q);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t sequence = 0;
        while (s->table[sequence] != runs[i].table)
            sequence++;
        for (uint32_t t = 0; t < runs[i].count; t++)
            expect_row(s, sequence, runs[i].first + t, runs[i].position + t);
    }
    call->q = device_copy(s->q, (size_t)n * s->wide * sizeof *s->q);
    call->k = device_copy(s->k, (size_t)n * s->narrow * sizeof *s->k);
    call->v = device_copy(s->v, (size_t)n * s->narrow * sizeof *s->v);
    call->batch.n = n;
    call->batch.runs = count;
    call->batch.run = device_copy(runs, count * sizeof *runs);
    call->batch.pages = device_copy(s->pages, sizeof s->pages);
    cuda_ok(gpu_rope_append(call, 0));
}

static void drop_rows(struct setup *s)
{
    void *all[] = {s->call.q, (void *)s->call.k, (void *)s->call.v, (void *)s->call.batch.run,
                   (void *)s->call.batch.pages};
    cuda_ok(cudaDeviceSynchronize());
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        device_free(all[i]);
    free(s->q);
    free(s->k);
    free(s->v);
    free(s->turned_q);
}

static void tear_down(struct setup *s)
{
    device_free(s->call.data);
    device_free((void *)s->call.rope.inv_freq);
    free(s->keys);
    free(s->values);
    free(s->read_k);
    free(s->read_v);
    free(s->index);
}

/* --- checks ----------------------------------------------------------------------------------- */

/* How far a kept value may be from the true one: half a step of its scale, a little more at the
 * end of q4's range. */
static double kept_error(const struct attend_case *c, const double *row, uint32_t d)
{
    double most = 0;
    for (uint32_t i = d / 32 * 32; i < d / 32 * 32 + 32; i++)
        most = fmax(most, fabs(row[i]));
    if (c->type == KV_F16)
        return fabs(row[d]) * 0x1p-11 + 1e-5;
    return c->type == KV_Q8 ? most / 127 * 0.51 + 1e-5 : most * 0.16;
}

static void check_pages(struct setup *s, uint32_t sequence, uint32_t begin, uint32_t end)
{
    for (uint32_t p = begin; p < end; p++)
        for (uint32_t head = 0; head < s->c->kv_heads; head++)
            for (uint32_t d = 0; d < s->c->dim; d++) {
                const double *k = kept(s, s->keys, sequence, p, head);
                const double *v = kept(s, s->values, sequence, p, head);
                double k_error = fabs(kept(s, s->read_k, sequence, p, head)[d] - k[d]);
                double v_error = fabs(kept(s, s->read_v, sequence, p, head)[d] - v[d]);
                assert_true(k_error <= kept_error(s->c, k, d));
                assert_true(v_error <= kept_error(s->c, v, d));
            }
}

static void check_queries(struct setup *s)
{
    float *q = malloc((size_t)s->n * s->wide * sizeof *q);
    device_read(q, s->call.q, (size_t)s->n * s->wide * sizeof *q);
    for (size_t i = 0; i < (size_t)s->n * s->wide; i++)
        assert_true(fabs(q[i] - s->turned_q[i]) < 2e-5);
    free(q);
}

static void check_results(struct setup *s, const uint16_t *a)
{
    const struct attend_case *c = s->c;
    for (uint32_t sequence = 0; sequence < s->sequences; sequence++)
        for (uint32_t t = 0; t < c->rows[sequence]; t++)
            for (uint32_t head = 0; head < c->heads; head++) {
                uint32_t row = s->first[sequence] + t;
                double want[128];
                attend(s, sequence, row, c->context[sequence] + t, head, want);
                for (uint32_t d = 0; d < c->dim; d++) {
                    size_t at = row * s->call.a_stride + (size_t)s->index[head * c->dim + d];
                    assert_true(fabs(f32_of_f16(a[at]) - want[d]) < 2.5e-3);
                }
            }
}

/* What nobody should write is as it was. */
static void check_holes(struct setup *s, const uint16_t *a)
{
    uint8_t *written = calloc(s->call.a_stride, 1);
    for (uint32_t i = 0; i < s->wide; i++)
        written[s->index[i]] = 1;
    for (uint32_t row = 0; row < s->n; row++)
        for (size_t i = 0; i < s->call.a_stride; i++)
            if (!written[i])
                assert_int_equal(a[row * s->call.a_stride + i], 0);
    free(written);
}

static void check_case(const struct attend_case *c)
{
    struct setup s;
    struct gpu_run runs[16];
    set_up(&s, c);
    for (uint32_t i = 0; i < s.sequences; i++)
        if (c->context[i] > 0) {
            uint32_t count = cut_runs(runs, 0, c->context[i], 0, s.table[i]);
            append(&s, runs, count, c->context[i], 100 * i + 7);
            drop_rows(&s);
        }
    uint32_t count = 0;
    for (uint32_t i = 0; i < s.sequences; i++)
        count += cut_runs(runs + count, s.first[i], c->rows[i], c->context[i], s.table[i]);
    append(&s, runs, count, s.n, 1000);
    size_t bytes = s.n * s.call.a_stride * sizeof(uint16_t);
    uint16_t *a = malloc(bytes);
    s.call.a = device_copy(NULL, bytes);
    s.call.a_index = c->indexed ? device_copy(s.index, s.wide * sizeof *s.index) : NULL;
    cuda_ok(gpu_attend_prefill(&s.call, 0));
    device_read(a, s.call.a, bytes);
    read_pages(&s);
    check_queries(&s);
    for (uint32_t i = 0; i < s.sequences; i++)
        check_pages(&s, i, 0, c->context[i] + c->rows[i]);
    check_results(&s, a);
    check_holes(&s, a);
    device_free(s.call.a);
    device_free((void *)s.call.a_index);
    drop_rows(&s);
    tear_down(&s);
    free(a);
}

static void rows_around_the_borders(enum kv_type type)
{
    const uint32_t rows[] = {1, 31, 63, 64, 65};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        const struct attend_case c = {.type = type,
                                      .dim = 64,
                                      .page_tokens = 16,
                                      .heads = 1,
                                      .kv_heads = 1,
                                      .rows = {rows[i]}};
        check_case(&c);
    }
}

static void several_sequences(enum kv_type type)
{
    const struct attend_case wide = {.type = type,
                                     .dim = 128,
                                     .page_tokens = 48,
                                     .heads = 2,
                                     .kv_heads = 1,
                                     .context = {70, 0, 15},
                                     .rows = {33, 3, 50},
                                     .indexed = true};
    const struct attend_case narrow = {.type = type,
                                       .dim = 64,
                                       .page_tokens = 16,
                                       .heads = 4,
                                       .kv_heads = 2,
                                       .context = {1, 130, 0},
                                       .rows = {135, 17, 1},
                                       .indexed = type != KV_Q8};
    check_case(&wide);
    check_case(&narrow);
}

static void f16_is_attended_to(void **state)
{
    (void)state;
    rows_around_the_borders(KV_F16);
    several_sequences(KV_F16);
}

static void q8_is_attended_to(void **state)
{
    (void)state;
    rows_around_the_borders(KV_Q8);
    several_sequences(KV_Q8);
}

static void q4_is_attended_to(void **state)
{
    (void)state;
    rows_around_the_borders(KV_Q4);
    several_sequences(KV_Q4);
}

static void what_has_no_kernel_is_refused(void **state)
{
    (void)state;
    struct gpu_attend_call call = {.batch = {.runs = 1},
                                   .kv = {.type = KV_F16, .page_tokens = 16, .head_dim = 96},
                                   .heads = 1};
    assert_int_equal(gpu_attend_prefill(&call, 0), cudaErrorInvalidValue);
    assert_int_equal(gpu_rope_append(&call, 0), cudaErrorInvalidValue);
    call.kv.head_dim = 128;
    call.kv.type = KV_F32;
    assert_int_equal(gpu_attend_prefill(&call, 0), cudaErrorInvalidValue);
    call.kv.type = KV_F16;
    call.kv.page_tokens = 24;
    assert_int_equal(gpu_attend_prefill(&call, 0), cudaErrorInvalidValue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(f16_is_attended_to),
        cmocka_unit_test(q8_is_attended_to),
        cmocka_unit_test(q4_is_attended_to),
        cmocka_unit_test(what_has_no_kernel_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
