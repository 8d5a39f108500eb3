/*
 * Tests of decode attention (attend.cu) and of the copy of a page (kv.cu): what is stored against
 * the CPU backend's bytes, results against plain loops in double over what is stored, and every row
 * against the same row alone, bit for bit.
 *
 * Tolerance: root mean square of the error over that of a head's result. Queries, weights and
 * values times their scale are halves (11 bits); scores are of size 5, of which that is 2e-3.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/half.h"
#include "kernels/cpu/kv_q4.h"
#include "kernels/cuda/gpu.h"
#include "tests/cuda/device_memory.h"

#define RUNS_MAX  4
#define TOLERANCE 1.5e-3
#define BIG_CARD  (228 * 1024) /* shared memory of a multiprocessor */
#define UNTOUCHED 0x7D5A       /* a NaN */

struct plan_run {
    uint32_t position, count;
};

struct plan {
    uint32_t heads, kv_heads, page_tokens, shared;
    uint32_t ahead;   /* max_position is this much larger than needed */
    bool plain_order; /* no a_index */
    struct plan_run runs[RUNS_MAX];
};

/* A batch with its history: in the CPU's pages as stored after the step, and on the device. */
struct scene {
    struct plan plan;
    uint32_t dim, n, runs, stride, table_pages; /* table_pages: of each run's page table */
    struct backend cpu;
    float inv_freq[64], rope_scale;
    float *q, *k, *v; /* raw */
    uint32_t *pages;  /* [runs][table_pages] */
    struct gpu_run run[RUNS_MAX];
    int32_t *index;
    struct gpu_attend_call call;
    uint16_t *a; /* as it came back */
    uint64_t state;
};

static float next_float(uint64_t *state)
{
    float sum = 0;
    for (int i = 0; i < 4; i++) {
        *state = *state * 6364136223846793005u + 1442695040888963407u;
        sum += (float)(*state >> 40) * 0x1p-24f - 0.5f;
    }
    return sum * 1.7f; /* about normal */
}

/* Mostly of size 1, some dimensions much larger. */
static void random_row(float *row, uint32_t dim, uint64_t *state)
{
    for (uint32_t d = 0; d < dim; d++)
        row[d] = next_float(state) * (d % 37 == 5 ? 3.0f : 1.0f);
}

static float *random_rows(size_t rows, uint32_t dim, uint64_t *state)
{
    float *out = malloc(rows * dim * sizeof *out);
    for (size_t r = 0; r < rows; r++)
        random_row(out + r * dim, dim, state);
    return out;
}

/* --- what the CPU stores ---------------------------------------------------------------------- */

static void turn(float *out, const struct scene *scene, const float *x, uint32_t position)
{
    uint32_t half = scene->dim / 2;
    for (uint32_t i = 0; i < half; i++) {
        float angle = (float)position * scene->inv_freq[i];
        float c = cosf(angle) * scene->rope_scale, s = sinf(angle) * scene->rope_scale;
        out[i] = x[i] * c - x[i + half] * s;
        out[i + half] = x[i + half] * c + x[i] * s;
    }
}

static void cpu_append(struct scene *scene, uint32_t run, uint32_t position, const float *k,
                       const float *v)
{
    uint32_t tokens = scene->plan.page_tokens;
    uint32_t page = scene->pages[run * scene->table_pages + position / tokens];
    for (uint32_t head = 0; head < scene->plan.kv_heads; head++) {
        float key[128], value[128];
        turn(key, scene, k + head * scene->dim, position);
        memcpy(value, v + head * scene->dim, scene->dim * sizeof *value);
        if (scene->cpu.kv.type == KV_Q4) {
            kv_q4_rotate(key, scene->dim);
            kv_q4_rotate(value, scene->dim);
        }
        cpu_kv_write(&scene->cpu.kv, &cpu_reference, 0, page, position % tokens, head, key, value);
    }
}

/* --- a scene ---------------------------------------------------------------------------------- */

static void make_frequencies(struct scene *scene)
{
    scene->rope_scale = 1.1f;
    for (uint32_t i = 0; i < scene->dim / 2; i++)
        scene->inv_freq[i] = powf(10000.0f, -2.0f * (float)i / (float)scene->dim);
}

/* Rows of the batch start at 1, and one is left over at the end: both belong to nobody. Tables run
 * through the pages from the last to the first, runs in turn. */
static void make_batch(struct scene *scene)
{
    const struct plan *plan = &scene->plan;
    uint32_t row = 1, longest = 0;
    for (scene->runs = 0; scene->runs < RUNS_MAX && plan->runs[scene->runs].count; scene->runs++) {
        const struct plan_run *run = &plan->runs[scene->runs];
        scene->run[scene->runs] = (struct gpu_run){row, run->count, run->position, 0};
        row += run->count;
        if (run->position + run->count > longest)
            longest = run->position + run->count;
    }
    scene->n = row + 1;
    scene->table_pages = (longest - 1) / plan->page_tokens + 1;
    uint32_t all = scene->runs * scene->table_pages;
    scene->pages = malloc(all * sizeof *scene->pages);
    for (uint32_t r = 0; r < scene->runs; r++) {
        scene->run[r].table = r * scene->table_pages;
        for (uint32_t p = 0; p < scene->table_pages; p++)
            scene->pages[r * scene->table_pages + p] = all - 1 - (p * scene->runs + r);
    }
    scene->call.batch = (struct gpu_batch){.n = scene->n, .runs = scene->runs};
    scene->call.batch.max_position = longest - 1 + plan->ahead;
}

static void make_pages(struct scene *scene, enum kv_type type)
{
    struct backend_error error;
    scene->cpu.shape = (struct backend_shape){.layers = 1,
                                              .heads = scene->plan.heads,
                                              .kv_heads = scene->plan.kv_heads,
                                              .head_dim = scene->dim,
                                              .page_tokens = scene->plan.page_tokens};
    uint32_t pages = scene->runs * scene->table_pages;
    assert_int_equal(cpu_kv_create(&scene->cpu, type, pages, &error), 0);
    /* Everything is NaN or the like before it is written. */
    memset(scene->cpu.kv.data[0], 0xFF, pages * scene->cpu.kv.page_bytes);
    const struct cpu_kv *kv = &scene->cpu.kv;
    scene->call.kv = (struct gpu_kv){type,         pages,         kv->page_tokens, kv->head_dim,
                                     kv->kv_heads, kv->row_bytes, kv->head_bytes,  kv->page_bytes};
}

/* Where value i of a row of a stands: a permutation with holes. */
static void make_index(struct scene *scene)
{
    uint32_t values = scene->plan.heads * scene->dim;
    scene->stride = values + 64;
    scene->index = malloc(values * sizeof *scene->index);
    for (uint32_t i = 0; i < values; i++) /* 77 has no factor in common with `values` */
        scene->index[i] = (int32_t)(scene->plan.plain_order ? i : (i * 77 + 5) % values + 32);
}

static void upload(struct scene *scene)
{
    struct gpu_attend_call *call = &scene->call;
    uint32_t width = scene->plan.heads * scene->dim, kv_width = scene->plan.kv_heads * scene->dim;
    const struct cpu_kv *kv = &scene->cpu.kv;
    size_t a_values = (size_t)scene->n * scene->stride;
    scene->a = malloc(a_values * sizeof *scene->a);
    for (size_t i = 0; i < a_values; i++)
        scene->a[i] = UNTOUCHED;
    call->batch.pages =
        device_copy(scene->pages, scene->runs * scene->table_pages * sizeof(uint32_t));
    call->batch.run = device_copy(scene->run, sizeof scene->run);
    call->data = device_copy(kv->data[0], kv->pages * kv->page_bytes);
    call->rope.inv_freq = device_copy(scene->inv_freq, sizeof scene->inv_freq);
    call->rope.scale = scene->rope_scale;
    call->heads = scene->plan.heads;
    call->q = device_copy(scene->q, scene->n * width * sizeof(float));
    call->k = device_copy(scene->k, scene->n * kv_width * sizeof(float));
    call->v = device_copy(scene->v, scene->n * kv_width * sizeof(float));
    call->a = device_copy(scene->a, a_values * sizeof(uint16_t));
    call->a_stride = scene->stride;
    if (!scene->plan.plain_order)
        call->a_index = device_copy(scene->index, width * sizeof *scene->index);
    call->multiprocessor_shared = scene->plan.shared;
    call->scratch = device_copy(NULL, gpu_attend_scratch(call));
}

/* The history is in the pages of both, the step's own rows in the CPU's only. */
static struct scene *scene_make(const struct plan *plan, enum kv_type type, uint32_t dim)
{
    struct scene *scene = calloc(1, sizeof *scene);
    scene->plan = *plan;
    scene->dim = dim;
    scene->state = 12345 + dim + (uint64_t)type;
    make_frequencies(scene);
    make_batch(scene);
    make_pages(scene, type);
    make_index(scene);
    scene->q = random_rows((size_t)scene->n * plan->heads, dim, &scene->state);
    scene->k = random_rows((size_t)scene->n * plan->kv_heads, dim, &scene->state);
    scene->v = random_rows((size_t)scene->n * plan->kv_heads, dim, &scene->state);
    for (uint32_t r = 0; r < scene->runs; r++)
        for (uint32_t p = 0; p < scene->run[r].position; p++) {
            float *k = random_rows(plan->kv_heads, dim, &scene->state);
            float *v = random_rows(plan->kv_heads, dim, &scene->state);
            cpu_append(scene, r, p, k, v);
            free(k);
            free(v);
        }
    upload(scene);
    size_t width = (size_t)plan->kv_heads * dim;
    for (uint32_t r = 0; r < scene->runs; r++)
        for (uint32_t i = 0; i < scene->run[r].count; i++) {
            size_t row = scene->run[r].first + i;
            cpu_append(scene, r, scene->run[r].position + i, scene->k + row * width,
                       scene->v + row * width);
        }
    return scene;
}

static void scene_free(struct scene *scene)
{
    struct gpu_attend_call *call = &scene->call;
    const void *device[] = {call->batch.pages, call->batch.run, call->data, call->rope.inv_freq,
                            call->q,           call->k,         call->v,    call->a,
                            call->a_index,     call->scratch};
    for (size_t i = 0; i < sizeof device / sizeof *device; i++)
        if (device[i] != NULL)
            device_free((void *)(uintptr_t)device[i]);
    cpu_kv_free(&scene->cpu.kv);
    free(scene->q);
    free(scene->k);
    free(scene->v);
    free(scene->pages);
    free(scene->index);
    free(scene->a);
    free(scene);
}

static void scene_launch(struct scene *scene)
{
    cuda_ok(gpu_attend_launch(&scene->call, 0));
    device_read(scene->a, scene->call.a, (size_t)scene->n * scene->stride * sizeof *scene->a);
}

/* --- the plain loops -------------------------------------------------------------------------- */

/* Dimension d of a stored row, in double; q4 is still rotated. */
static double stored(const struct cpu_rows *rows, uint32_t slot, uint32_t d)
{
    size_t at = (size_t)slot * rows->head_dim;
    if (rows->type == KV_F16)
        return (double)f32_of_f16(((const uint16_t *)rows->values)[at + d]);
    double scale = (double)f32_of_f16(rows->scales[slot * rows->row_scales + d / 32]);
    if (rows->type == KV_Q8)
        return scale * ((const int8_t *)rows->values)[at + d];
    return scale * kv_q4_level((const uint8_t *)rows->values + at / 2, rows->head_dim, d);
}

static void hadamard(double *x, uint32_t dim)
{
    for (uint32_t h = 1; h < dim; h *= 2)
        for (uint32_t i = 0; i < dim; i++)
            if ((i & h) == 0) {
                double a = x[i], b = x[i + h];
                x[i] = a + b;
                x[i + h] = a - b;
            }
    for (uint32_t i = 0; i < dim; i++)
        x[i] /= sqrt(dim);
}

static void turned_query(double *out, const struct scene *scene, uint32_t row, uint32_t head,
                         uint32_t position)
{
    uint32_t half = scene->dim / 2;
    const float *q = scene->q + ((size_t)row * scene->plan.heads + head) * scene->dim;
    for (uint32_t i = 0; i < half; i++) {
        double angle = (double)((float)position * scene->inv_freq[i]);
        out[i] = (q[i] * cos(angle) - q[i + half] * sin(angle)) * scene->rope_scale;
        out[i + half] = (q[i + half] * cos(angle) + q[i] * sin(angle)) * scene->rope_scale;
    }
    if (scene->cpu.kv.type == KV_Q4)
        hadamard(out, scene->dim);
}

static void expected(double *out, const struct scene *scene, uint32_t run, uint32_t row,
                     uint32_t head)
{
    const struct gpu_run *of = &scene->run[run];
    uint32_t dim = scene->dim, tokens = scene->plan.page_tokens, position = of->position + row;
    uint32_t kv_head = head / (scene->plan.heads / scene->plan.kv_heads);
    double q[128], max = -INFINITY, sum = 0, *p = calloc(position + 1, sizeof *p);
    turned_query(q, scene, of->first + row, head, position);
    memset(out, 0, dim * sizeof *out);
    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i <= position; i++) {
            struct cpu_rows keys, values;
            uint32_t page = scene->pages[of->table + i / tokens];
            cpu_kv_rows(&scene->cpu.kv, 0, page, kv_head, &keys, &values);
            for (uint32_t d = 0; pass == 0 && d < dim; d++)
                p[i] += q[d] * stored(&keys, i % tokens, d) / sqrt(dim);
            max = pass == 0 && p[i] > max ? p[i] : max;
            double weight = exp(p[i] - max);
            sum += pass == 1 ? weight : 0;
            for (uint32_t d = 0; pass == 1 && d < dim; d++)
                out[d] += weight * stored(&values, i % tokens, d);
        }
    for (uint32_t d = 0; d < dim; d++)
        out[d] /= sum;
    if (scene->cpu.kv.type == KV_Q4)
        hadamard(out, dim);
    free(p);
}

/* --- checks ----------------------------------------------------------------------------------- */

static void check_pages(const struct scene *scene)
{
    const struct cpu_kv *kv = &scene->cpu.kv;
    size_t bytes = kv->pages * kv->page_bytes;
    uint8_t *got = malloc(bytes);
    device_read(got, scene->call.data, bytes);
    for (size_t i = 0; i < bytes; i++)
        if (got[i] != kv->data[0][i])
            fail_msg("byte %zu of page %zu is %02x, the CPU's is %02x", i % kv->page_bytes,
                     i / kv->page_bytes, got[i], kv->data[0][i]);
    free(got);
}

static uint16_t result(const struct scene *scene, uint32_t row, uint32_t head, uint32_t d)
{
    return scene->a[row * scene->stride + (size_t)scene->index[head * scene->dim + d]];
}

static void check_head(const struct scene *scene, uint32_t run, uint32_t row, uint32_t head)
{
    double want[128], square = 0, errors = 0;
    expected(want, scene, run, row, head);
    for (uint32_t d = 0; d < scene->dim; d++) {
        uint16_t half = result(scene, scene->run[run].first + row, head, d);
        double error = (double)f32_of_f16(half) - want[d];
        square += want[d] * want[d];
        errors += error * error;
    }
    double relative = sqrt(errors / square);
    if (!(relative <= TOLERANCE))
        fail_msg("type %d, %u dimensions, run %u row %u head %u: an error of %g",
                 (int)scene->cpu.kv.type, scene->dim, run, row, head, relative);
}

/* Values that no head of no run has are as they were. */
static void check_untouched(const struct scene *scene)
{
    uint32_t values = scene->plan.heads * scene->dim, touched = 0;
    size_t written = 0;
    for (uint32_t r = 0; r < scene->runs; r++)
        touched += scene->run[r].count;
    for (size_t i = 0; i < (size_t)scene->n * scene->stride; i++)
        written += scene->a[i] != UNTOUCHED;
    assert_int_equal(written, (size_t)touched * values);
    for (uint32_t i = 0; i < scene->stride; i++) {
        assert_int_equal(scene->a[i], UNTOUCHED);
        assert_int_equal(scene->a[(size_t)(scene->n - 1) * scene->stride + i], UNTOUCHED);
    }
}

static void check_tickets(const struct scene *scene)
{
    uint32_t tickets[GPU_DECODE_TOKENS * 16];
    size_t bytes = (size_t)GPU_DECODE_TOKENS * scene->plan.heads * sizeof *tickets;
    assert_true(bytes <= sizeof tickets);
    device_read(tickets, scene->call.scratch, bytes);
    for (size_t i = 0; i < bytes / sizeof *tickets; i++)
        assert_int_equal(tickets[i], 0);
}

static void check_scene(struct scene *scene)
{
    scene_launch(scene);
    check_pages(scene);
    for (uint32_t r = 0; r < scene->runs; r++)
        for (uint32_t i = 0; i < scene->run[r].count; i++)
            for (uint32_t head = 0; head < scene->plan.heads; head++)
                check_head(scene, r, i, head);
    check_untouched(scene);
    check_tickets(scene);
}

/* Each row once more in a batch of its own, with the same scratch: the same bits. */
static void check_alone(struct scene *scene)
{
    size_t bytes = (size_t)scene->n * scene->stride * sizeof *scene->a;
    uint16_t *together = malloc(bytes);
    memcpy(together, scene->a, bytes);
    const struct gpu_batch batch = scene->call.batch;
    for (uint32_t r = 0; r < scene->runs; r++)
        for (uint32_t i = 0; i < scene->run[r].count; i++) {
            struct gpu_run run = scene->run[r];
            run.first += i, run.position += i, run.count = 1;
            scene->call.batch.run = device_copy(&run, sizeof run);
            scene->call.batch.runs = 1;
            scene->call.batch.n = scene->n;
            scene->call.batch.max_position = run.position;
            cuda_ok(cudaMemset(scene->call.a, 0, bytes));
            scene_launch(scene);
            for (uint32_t head = 0; head < scene->plan.heads; head++)
                for (uint32_t d = 0; d < scene->dim; d++) {
                    size_t at =
                        run.first * scene->stride + (size_t)scene->index[head * scene->dim + d];
                    if (scene->a[at] != together[at])
                        fail_msg("run %u row %u head %u dimension %u: %04x alone, %04x in company",
                                 r, i, head, d, scene->a[at], together[at]);
                }
            device_free((void *)(uintptr_t)scene->call.batch.run);
        }
    scene->call.batch = batch;
    check_pages(scene); /* stored once more, the same */
    check_tickets(scene);
    free(together);
}

static void check_type(const struct plan *plan, enum kv_type type, uint32_t dim, bool alone)
{
    struct scene *scene = scene_make(plan, type, dim);
    check_scene(scene);
    if (alone)
        check_alone(scene);
    scene_free(scene);
}

static void check_plan(const struct plan *plan, bool alone)
{
    static const enum kv_type types[] = {KV_F16, KV_Q8, KV_Q4};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++)
        for (uint32_t dim = 64; dim <= 128; dim *= 2)
            check_type(plan, types[t], dim, alone);
}

/* --- the tests -------------------------------------------------------------------------------- */

static void first_positions(void **state)
{
    (void)state;
    check_plan(&(struct plan){.heads = 2,
                              .kv_heads = 2,
                              .page_tokens = 16,
                              .shared = BIG_CARD,
                              .runs = {{0, 1}, {1, 2}, {15, 1}, {16, 1}}},
               true);
}

static void borders_of_a_split(void **state)
{
    (void)state;
    check_plan(&(struct plan){.heads = 1,
                              .kv_heads = 1,
                              .page_tokens = 32,
                              .ahead = 300,
                              .runs = {{255, 1}, {256, 1}, {257, 1}, {30, 3}}},
               true);
}

static void a_draft_over_the_border(void **state)
{
    (void)state;
    check_plan(&(struct plan){.heads = 1,
                              .kv_heads = 1,
                              .page_tokens = 48,
                              .shared = BIG_CARD,
                              .plain_order = true,
                              .runs = {{251, 8}, {0, 8}}},
               true);
}

static void a_long_context(void **state)
{
    (void)state;
    check_plan(&(struct plan){.heads = 1,
                              .kv_heads = 1,
                              .page_tokens = 64,
                              .shared = BIG_CARD,
                              .runs = {{701, 1}, {510, 3}}},
               false);
}

/* Angles of up to 16,382, and splits for every warp of the merge. */
static void the_longest_context(void **state)
{
    (void)state;
    const struct plan plan = {
        .heads = 1, .kv_heads = 1, .page_tokens = 256, .shared = BIG_CARD, .runs = {{16380, 3}}};
    check_type(&plan, KV_Q8, 128, true);
    check_type(&plan, KV_Q4, 64, false);
}

static void queries_that_share_keys(void **state)
{
    (void)state;
    check_plan(
        &(struct plan){.heads = 4, .kv_heads = 2, .page_tokens = 16, .runs = {{37, 5}, {14, 1}}},
        true);
    check_plan(&(struct plan){.heads = 5,
                              .kv_heads = 1,
                              .page_tokens = 16,
                              .shared = BIG_CARD,
                              .runs = {{254, 3}, {9, 1}}},
               false);
    check_plan(&(struct plan){.heads = 8, .kv_heads = 1, .page_tokens = 16, .runs = {{40, 8}}},
               false);
}

static void pages_are_copied(void **state)
{
    (void)state;
    static const enum kv_type types[] = {KV_F16, KV_Q8, KV_Q4};
    for (size_t t = 0; t < sizeof types / sizeof *types; t++) {
        struct plan plan = {.heads = 2, .kv_heads = 2, .page_tokens = 16, .runs = {{40, 1}}};
        struct scene *scene = scene_make(&plan, types[t], 64);
        scene_launch(scene);
        for (uint32_t tokens = 0; tokens <= 16; tokens += tokens < 6 ? 3 : 5) {
            assert_int_equal(cpu_kv_copy_page(&scene->cpu, 2, 0, tokens), 0);
            cuda_ok(gpu_kv_copy(&scene->call.kv, scene->call.data, 2, 0, tokens, 0));
            check_pages(scene);
        }
        scene_free(scene);
    }
}

static void what_has_no_kernel_is_refused(void **state)
{
    (void)state;
    struct plan plan = {.heads = 1, .kv_heads = 1, .page_tokens = 16, .runs = {{0, 1}}};
    struct scene *scene = scene_make(&plan, KV_F16, 64);
    struct gpu_attend_call call = scene->call;
    call.kv.head_dim = 96;
    assert_int_equal(gpu_attend_launch(&call, 0), cudaErrorInvalidValue);
    call = scene->call;
    call.kv.type = KV_F32;
    assert_int_equal(gpu_attend_launch(&call, 0), cudaErrorInvalidValue);
    call = scene->call;
    call.batch.n = GPU_DECODE_TOKENS + 1;
    assert_int_equal(gpu_attend_launch(&call, 0), cudaErrorInvalidValue);
    assert_int_equal(gpu_kv_copy(&call.kv, call.data, 0, call.kv.pages, 1, 0),
                     cudaErrorInvalidValue);
    scene_free(scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_positions),         cmocka_unit_test(borders_of_a_split),
        cmocka_unit_test(a_draft_over_the_border), cmocka_unit_test(a_long_context),
        cmocka_unit_test(the_longest_context),     cmocka_unit_test(queries_that_share_keys),
        cmocka_unit_test(pages_are_copied),        cmocka_unit_test(what_has_no_kernel_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
