/*
 * Tests of keys and values in 4 bits, from kv_q4.h alone: the rotation and the stored bytes against
 * double precision, and attention of every set of kernels against double precision over the values
 * that the stored bytes stand for, so that only fp32 sums are between the two.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/kv_q4.h"
#include "tests/kernel_model.h"

static const char *const sets[] = {"reference", "avx2", "avx512"};
static const uint32_t dims[] = {8, 16, 24, 40, 64, 80, 96, 112, 128, 256};

#define DIMS (sizeof dims / sizeof dims[0])
#define SETS (sizeof sets / sizeof sets[0])

/* --- the format, in double -------------------------------------------------------------------- */

static uint32_t run_width(uint32_t head_dim)
{
    uint32_t width = 1;
    while (head_dim % (2 * width) == 0)
        width *= 2;
    return width;
}

/* Entry (i, k) of a Walsh-Hadamard matrix is -1 to the number of ones that i and k share. */
static void rotate_double(double *out, const double *x, uint32_t head_dim)
{
    uint32_t width = run_width(head_dim);
    for (uint32_t i = 0; i < head_dim; i++) {
        uint32_t start = i / width * width;
        out[i] = 0;
        for (uint32_t k = 0; k < width; k++)
            out[i] += __builtin_parity((i - start) & k) ? -x[start + k] : x[start + k];
        out[i] /= sqrt(width);
    }
}

/* Element d of a stored row, as in kv_q4.h. */
static double decode(const uint8_t *row, const uint16_t *scales, uint32_t head_dim, uint32_t d)
{
    uint32_t block = d / 32, rest = head_dim - 32 * block, at = d % 32;
    uint32_t half = (rest < 32 ? rest : 32) / 2;
    uint8_t byte = row[16 * block + at % half];
    int level = (at < half ? byte % 16 : byte / 16) - 8;
    return kernel_half(scales[block], BACKEND_F16) * level;
}

/* --- rotation and rows ------------------------------------------------------------------------ */

static void rotation_is_the_matrix_and_its_own_inverse(void **state)
{
    (void)state;
    uint64_t random = 5;
    for (size_t n = 0; n < DIMS; n++) {
        float row[256], kept[256];
        double x[256], want[256];
        for (uint32_t d = 0; d < dims[n]; d++)
            x[d] = (double)(kept[d] = row[d] = kernel_uniform(&random));
        rotate_double(want, x, dims[n]);
        kv_q4_rotate(row, dims[n]);
        for (uint32_t d = 0; d < dims[n]; d++)
            assert_true(fabs((double)row[d] - want[d]) < 2e-6);
        kv_q4_rotate(row, dims[n]);
        for (uint32_t d = 0; d < dims[n]; d++)
            assert_true(fabsf(row[d] - kept[d]) < 2e-6f);
    }
}

/* Sum of squares of what a block is off by with this scale. */
static double block_error(const float *x, uint32_t count, double scale)
{
    double error = 0;
    for (uint32_t i = 0; i < count; i++) {
        double level = scale != 0 ? fmin(fmax(rint((double)x[i] / scale), -8), 7) : 0;
        error += (level * scale - (double)x[i]) * (level * scale - (double)x[i]);
    }
    return error;
}

/* The scale is the best of the candidates, and every level the nearest one. */
static void check_row(const float *row, uint32_t head_dim)
{
    uint8_t bytes[128];
    uint16_t scales[8];
    kv_q4_write(bytes, scales, row, head_dim);
    for (uint32_t start = 0; start < head_dim; start += 32) {
        uint32_t count = head_dim - start < 32 ? head_dim - start : 32;
        double low = 0, high = 0, scale = kernel_half(scales[start / 32], BACKEND_F16);
        bool candidate = false;
        for (uint32_t i = 0; i < count; i++) {
            low = fmin(low, (double)row[start + i]);
            high = fmax(high, (double)row[start + i]);
        }
        double error = block_error(row + start, count, scale);
        for (double steps = 7.5; steps <= 9.25; steps += 0.25) {
            double exact = (high > -low ? high : low) / -steps, small = fabs(exact) * 0x1p-11;
            candidate |= fabs(scale - exact) <= small + 0x1p-25;
            assert_true(error <= 1.01 * block_error(row + start, count, exact) + small * small);
        }
        assert_true(candidate);
        for (uint32_t i = start; i < start + count; i++) {
            double level = scale != 0 ? (double)row[i] / scale : 0;
            double nearest = fmin(fmax(rint(level), -8), 7) * scale;
            double step = fabs(fabs(level - floor(level)) - 0.5) < 1e-5 ? fabs(scale) : 0;
            assert_true(fabs(decode(bytes, scales, head_dim, i) - nearest) <= step);
        }
    }
}

static void rows_are_stored_as_said(void **state)
{
    (void)state;
    uint64_t random = 9;
    for (size_t n = 0; n < DIMS; n++)
        for (int turn = 0; turn < 50; turn++) {
            float row[256], size = ldexpf(1.0f, turn % 20 - 10);
            for (uint32_t d = 0; d < dims[n]; d++)
                row[d] = size * kernel_uniform(&random);
            if (turn % 5 == 0)
                row[turn % dims[n]] *= 30;
            check_row(row, dims[n]);
        }
}

/* The bytes themselves, so that another writer can be compared. */
static void bytes_of_a_known_row(void **state)
{
    (void)state;
    float row[40] = {0};
    uint8_t bytes[20];
    uint16_t scales[2];
    for (uint32_t i = 0; i < 16; i++) {
        row[i] = -7.0f;
        row[16 + i] = -5.0f;
    }
    row[0] = 8.0f; /* the farthest: scale -1 leaves nearly no error, and this is level -8 */
    row[1] = 2.5f; /* -2.5, a tie: -2 */
    row[16] = -3.0f;
    row[17] = 1.0f;
    row[32] = -0.75f; /* equal ends: the negative one gives the sign */
    row[36] = 0.5f;
    row[37] = 0.75f;
    kv_q4_write(bytes, scales, row, 40);
    assert_int_equal(scales[0], 0xBC00);
    assert_int_equal(bytes[0], 0xB0);
    assert_int_equal(bytes[1], 0x76);
    for (int i = 2; i < 16; i++)
        assert_int_equal(bytes[i], 0xDF);
    assert_true(scales[1] < 0x8000);
    assert_int_equal(bytes[16] & 15, 0);
    assert_int_equal(bytes[17], 0xF8);
}

static void odd_rows_are_stored_without_harm(void **state)
{
    (void)state;
    float row[64] = {0};
    uint8_t bytes[32];
    uint16_t scales[2];
    kv_q4_write(bytes, scales, row, 64);
    for (int i = 0; i < 64; i++)
        assert_true(decode(bytes, scales, 64, (uint32_t)i) == 0);
    row[3] = 1e30f;
    row[40] = NAN;
    row[41] = -INFINITY;
    kv_q4_write(bytes, scales, row, 64);
    assert_true(kernel_half(scales[0], BACKEND_F16) <= -65504);
    for (uint32_t i = 0; i < 64; i++)
        assert_true(isfinite(decode(bytes, scales, 64, i)));
}

/* --- pages and attention ---------------------------------------------------------------------- */

#define POSITIONS 75

struct played {
    struct kernel_run run;
    struct kernel_batch batch;
    float *q;       /* [POSITIONS][heads * head_dim] as given, before RoPE */
    float *out;     /* [POSITIONS][heads * head_dim] */
    uint8_t *pages; /* exported, in the order of positions */
};

/* Chunks over page borders; the same floats whatever the set. */
static bool play(struct played *played, const struct kernel_model *model, const char *set,
                 unsigned threads)
{
    static const uint32_t chunks[] = {1, 2, 13, 1, 8, 24, 5, 17, 4};
    const struct backend_shape *s = &model->shape;
    size_t wide = (size_t)s->heads * s->head_dim, narrow = (size_t)s->kv_heads * s->head_dim;
    size_t page_bytes = (size_t)backend_cpu()->kv_page_bytes(s, KV_Q4);
    uint64_t random = 77;
    uint32_t at = 0;
    if (kernel_open(&played->run, model, set, threads, KV_Q4, 64) != 0)
        return false;
    kernel_batch_init(&played->batch, model, 64);
    played->q = calloc(POSITIONS * wide, sizeof(float));
    played->out = calloc(POSITIONS * wide, sizeof(float));
    played->pages = calloc((POSITIONS + 15) / 16, page_bytes);
    struct kernel_run *run = &played->run;
    for (size_t c = 0; c < sizeof chunks / sizeof chunks[0]; at += chunks[c++]) {
        struct backend_batch *batch = &played->batch.batch;
        batch->n = 0;
        for (uint32_t i = 0; i < chunks[c]; i++)
            kernel_batch_add(&played->batch, 0, at + i, 0);
        for (size_t i = 0; i < chunks[c] * wide; i++)
            kernel_data(run->q)[i] = played->q[at * wide + i] = 2 * kernel_uniform(&random);
        for (size_t i = 0; i < chunks[c] * narrow; i++) {
            kernel_data(run->k)[i] = 2 * kernel_uniform(&random);
            kernel_data(run->v)[i] = kernel_uniform(&random);
        }
        assert_int_equal(run->ops->rope_append(run->backend, 0, batch, run->q, run->k, run->v), 0);
        assert_int_equal(run->ops->attend(run->backend, 0, batch, run->q, run->a), 0);
        memcpy(played->out + at * wide, kernel_data(run->a), chunks[c] * wide * sizeof(float));
    }
    assert_int_equal(at, POSITIONS);
    for (uint32_t i = 0; i < (POSITIONS + 15) / 16; i++)
        assert_int_equal(run->ops->kv_export_page(run->backend, played->batch.pages[0][i],
                                                  played->pages + i * page_bytes),
                         0);
    return true;
}

static void played_free(struct played *played)
{
    kernel_close(&played->run);
    free(played->q);
    free(played->out);
    free(played->pages);
}

/* Key (part 0) or value (part 1) of one position, as stored: a page holds for each head the rows of
 * keys, of values, then their scales. */
static double stored(const struct played *played, const struct backend_shape *s, int part,
                     uint32_t head, uint32_t position, uint32_t d)
{
    uint32_t row_bytes = s->head_dim / 2, blocks = (s->head_dim + 31) / 32, rows = s->page_tokens;
    size_t head_bytes = 2 * (size_t)rows * (row_bytes + 2 * blocks);
    const uint8_t *at = played->pages + (position / rows * s->kv_heads + head) * head_bytes,
                  *scales;
    uint16_t own[8];
    scales = at + 2 * (size_t)rows * row_bytes;
    uint32_t row = (uint32_t)part * rows + position % rows;
    memcpy(own, scales + (size_t)row * 2 * blocks, 2 * blocks);
    return decode(at + (size_t)row * row_bytes, own, s->head_dim, d);
}

static void attend_stored(double *out, const struct played *played,
                          const struct kernel_model *model, uint32_t position, uint32_t head)
{
    const struct backend_shape *s = &model->shape;
    uint32_t dim = s->head_dim, half = dim / 2, kv_head = head / (s->heads / s->kv_heads);
    const float *q = played->q + ((size_t)position * s->heads + head) * dim;
    double roped[256], rotated[256], sum = 0, scores[POSITIONS], max = -INFINITY, mixed[256] = {0};
    for (uint32_t i = 0; i < half; i++) {
        double angle = (double)((float)position * model->inv_freq[i]);
        roped[i] = (double)q[i] * cos(angle) - (double)q[i + half] * sin(angle);
        roped[i + half] = (double)q[i + half] * cos(angle) + (double)q[i] * sin(angle);
    }
    rotate_double(rotated, roped, dim);
    for (uint32_t i = 0; i <= position; i++) {
        scores[i] = 0;
        for (uint32_t d = 0; d < dim; d++)
            scores[i] += rotated[d] * stored(played, s, 0, kv_head, i, d) / sqrt(dim);
        max = fmax(max, scores[i]);
    }
    for (uint32_t i = 0; i <= position; i++) {
        double weight = exp(scores[i] - max);
        sum += weight;
        for (uint32_t d = 0; d < dim; d++)
            mixed[d] += weight * stored(played, s, 1, kv_head, i, d);
    }
    for (uint32_t d = 0; d < dim; d++)
        mixed[d] /= sum;
    rotate_double(out, mixed, dim);
}

static void check_against_stored(const struct played *played, const struct kernel_model *model,
                                 const char *set)
{
    const struct backend_shape *s = &model->shape;
    double want[256], worst = 0, size = 0;
    for (uint32_t t = 0; t < POSITIONS; t++)
        for (uint32_t head = 0; head < s->heads; head++) {
            const float *got = played->out + ((size_t)t * s->heads + head) * s->head_dim;
            attend_stored(want, played, model, t, head);
            for (uint32_t d = 0; d < s->head_dim; d++) {
                double off = fabs((double)got[d] - want[d]);
                worst = off > worst || isnan(off) ? off : worst;
                size += want[d] * want[d];
            }
        }
    double mean = sqrt(size / (POSITIONS * (double)s->heads * s->head_dim));
    if (!(worst <= 5e-5 * mean))
        fail_msg("%s, head_dim %u: off by %.3g of rms %.3g", set, s->head_dim, worst, mean);
}

/* Every set of kernels stores the same bytes, and attends to what they stand for. */
static void kernels_attend_to_what_is_stored(void **state)
{
    (void)state;
    static const uint32_t heads[][2] = {{2, 2}, {6, 2}, {8, 1}, {3, 3}};
    for (size_t n = 0; n < DIMS; n++) {
        struct kernel_options options = {.weights = WEIGHTS_F32, .head_dim = dims[n]};
        options.heads = heads[n % 4][0];
        options.kv_heads = heads[n % 4][1];
        struct kernel_model *model = kernel_model_make(&options, 41);
        size_t bytes = (POSITIONS + 15) / 16 * backend_cpu()->kv_page_bytes(&model->shape, KV_Q4);
        struct played first, other;
        assert_true(play(&first, model, sets[0], 2));
        check_against_stored(&first, model, sets[0]);
        for (size_t i = 1; i < SETS; i++) {
            if (!play(&other, model, sets[i], 1))
                continue;
            assert_memory_equal(other.pages, first.pages, bytes);
            check_against_stored(&other, model, sets[i]);
            played_free(&other);
        }
        played_free(&first);
        kernel_model_free(model);
    }
}

static void pages_go_out_and_in(void **state)
{
    (void)state;
    struct kernel_options options = {.weights = WEIGHTS_F32, .heads = 2, .head_dim = 96};
    struct kernel_model *model = kernel_model_make(&options, 43);
    size_t page_bytes = (size_t)backend_cpu()->kv_page_bytes(&model->shape, KV_Q4);
    struct played played;
    assert_true(play(&played, model, "auto", 1));
    const struct backend_ops *ops = played.run.ops;
    struct backend *backend = played.run.backend;
    uint8_t *again = calloc(1, page_bytes);
    assert_int_equal(ops->kv_import_page(backend, 7, played.pages + page_bytes), 0);
    assert_int_equal(ops->kv_copy_page(backend, 7, 9, 16), 0);
    assert_int_equal(ops->kv_export_page(backend, 9, again), 0);
    assert_memory_equal(again, played.pages + page_bytes, page_bytes);
    free(again);
    played_free(&played);
    kernel_model_free(model);
}

static void a_13b_token_takes_230400_bytes(void **state)
{
    (void)state;
    struct backend_shape shape = {
        .layers = 40, .heads = 40, .kv_heads = 40, .head_dim = 128, .page_tokens = 32};
    assert_int_equal(backend_cpu()->kv_page_bytes(&shape, KV_Q4), 32 * 230400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rotation_is_the_matrix_and_its_own_inverse),
        cmocka_unit_test(rows_are_stored_as_said),
        cmocka_unit_test(bytes_of_a_known_row),
        cmocka_unit_test(odd_rows_are_stored_without_harm),
        cmocka_unit_test(kernels_attend_to_what_is_stored),
        cmocka_unit_test(pages_go_out_and_in),
        cmocka_unit_test(a_13b_token_takes_230400_bytes),
    };
    return cmocka_run_group_tests_name("kv_q4", tests, NULL, NULL);
}
