/*
 * Tests of the decode linear kernel and of repacking, against loops in double over the weights that
 * the file means.
 *
 * Tolerances. Inputs that are f16 already meet exact products: only fp32 sums are rounded, and 4e-6
 * of the sum of the terms' sizes is far below one wrong weight. Normalised inputs are rounded to
 * f16, at most 2^-11 of each term: 5e-4 of that sum.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/half.h"
#include "tests/cuda/device_memory.h"
#include "tests/cuda/layers.h"

#define SHARED    101376u /* of the cards with the least */
#define EXACT     4e-6
#define ROUNDED   5e-4
#define EPS       1e-5f
#define MOST      GPU_DECODE_TOKENS
#define X_STRIDE  4 /* more values in a row than inputs */
#define OUT_EXTRA 5

static const uint32_t batches[] = {1, 2, 7, 8, 9, 33, 64};
#define BATCHES (sizeof batches / sizeof *batches)

/* --- inputs and what they should give --------------------------------------------------------- */

/* Rows of inputs in all the forms that a call may want, for MOST tokens. */
struct rows {
    uint32_t in, k;
    double *values;  /* [MOST][in]: what the layer multiplies */
    uint16_t *acts;  /* device [MOST][k + 8] */
    float *x, *norm; /* device */
};

static void rows_free(struct rows *r)
{
    free(r->values);
    void *const device[] = {r->acts, r->x, r->norm};
    for (size_t i = 0; i < 3; i++)
        if (device[i] != NULL)
            device_free(device[i]);
}

/* f16 rows in the layer's packed order, zero where there is padding. */
static struct rows rows_packed(const struct layer *layer)
{
    struct rows r = {.in = layer->options.in, .k = layer->linear.k};
    uint16_t *acts = calloc((size_t)MOST * (r.k + 8), 2);
    uint64_t state = 5;
    r.values = calloc((size_t)MOST * r.in, sizeof *r.values);
    for (uint32_t t = 0; t < MOST; t++)
        for (uint32_t i = 0; i < r.in; i++) {
            uint16_t half = f16_of_f32(random_float(&state) * (i % 37 == 0 ? 30.0f : 1.0f));
            uint32_t place = layer->linear.inverse != NULL ? (uint32_t)layer->inverse[i] : i;
            acts[(size_t)t * (r.k + 8) + place] = half;
            r.values[(size_t)t * r.in + i] = (double)f32_of_f16(half);
        }
    r.acts = device_copy(acts, (size_t)MOST * (r.k + 8) * 2);
    free(acts);
    return r;
}

/* fp32 rows to be normalised. */
static struct rows rows_raw(const struct layer *layer)
{
    struct rows r = {.in = layer->options.in, .k = layer->linear.k};
    size_t stride = r.in + X_STRIDE;
    float *x = calloc(MOST * stride, 4), *norm = calloc(r.in, 4);
    uint64_t state = 6;
    r.values = calloc((size_t)MOST * r.in, sizeof *r.values);
    for (uint32_t i = 0; i < r.in; i++)
        norm[i] = 1.0f + 0.5f * random_float(&state);
    for (uint32_t t = 0; t < MOST; t++) {
        double sum = 0;
        for (uint32_t i = 0; i < r.in; i++) {
            x[t * stride + i] = 3 * random_float(&state);
            sum += (double)x[t * stride + i] * (double)x[t * stride + i];
        }
        double scale = 1 / sqrt(sum / r.in + (double)EPS);
        for (uint32_t i = 0; i < r.in; i++)
            r.values[(size_t)t * r.in + i] = (double)x[t * stride + i] * scale * (double)norm[i];
        for (uint32_t i = 0; i < X_STRIDE; i++)
            x[t * stride + r.in + i] = 1e6f;
    }
    r.x = device_copy(x, MOST * stride * 4);
    r.norm = device_copy(norm, r.in * 4);
    free(x);
    free(norm);
    return r;
}

/* y and the sum of its terms' sizes. */
static double result(const struct layer *layer, const struct rows *r, uint32_t token,
                     uint32_t output, double *size)
{
    double y = layer->bias != NULL ? (double)layer->bias[output] : 0;
    *size = fabs(y) + 1e-6;
    for (uint32_t i = 0; i < r->in; i++) {
        double term =
            layer->weights[(size_t)output * r->in + i] * r->values[(size_t)token * r->in + i];
        y += term;
        *size += fabs(term);
    }
    return y;
}

/* --- calls ------------------------------------------------------------------------------------ */

static struct gpu_linear_call call_make(struct layer *const layers[], uint32_t count,
                                        const struct rows *r, uint32_t multiprocessors)
{
    struct gpu_linear_call call = {.n = MOST, .count = count, .eps = EPS, .norm = r->norm};
    for (uint32_t i = 0; i < count; i++) {
        call.linear[i] = &layers[i]->linear;
        call.out_stride[i] = layers[i]->options.out + OUT_EXTRA;
    }
    call.x = r->x;
    call.x_stride = r->in + X_STRIDE;
    call.acts = r->acts;
    call.acts_stride = r->k + 8;
    call.multiprocessors = multiprocessors;
    call.shared_bytes = SHARED;
    call.scratch = device_copy(NULL, gpu_linear_scratch(&call));
    return call;
}

static void call_run(const struct gpu_linear_call *call)
{
    cuda_ok(gpu_linear_launch(call, NULL));
    cuda_ok(cudaStreamSynchronize(NULL));
}

/* The tickets have to be left zero. */
static void call_free(struct gpu_linear_call *call)
{
    static unsigned char tickets[128 * 1024];
    device_read(tickets, call->scratch, sizeof tickets);
    for (size_t i = 0; i < sizeof tickets; i++)
        assert_int_equal(tickets[i], 0);
    device_free(call->scratch);
}

/* Runs the call for n tokens with results that begin as 0.5, and gives them, of the first layer or
 * of all, one after the other: float [MOST][stride] each. To be freed. */
static float *call_results(struct gpu_linear_call *call, uint32_t n)
{
    size_t total = 0, at = 0;
    for (uint32_t i = 0; i < call->count; i++)
        total += MOST * call->out_stride[i];
    float *results = malloc(total * 4);
    for (size_t i = 0; i < total; i++)
        results[i] = 0.5f;
    float *device = device_copy(results, total * 4);
    for (uint32_t i = 0; i < call->count; i++) {
        call->out[i] = device + at;
        at += MOST * call->out_stride[i];
    }
    call->n = n;
    call_run(call);
    device_read(results, device, total * 4);
    device_free(device);
    return results;
}

/* Row of the inputs that token t of a call reads. */
static uint32_t input_row(const uint32_t *x_rows, uint32_t t)
{
    return x_rows != NULL ? x_rows[t] : t;
}

/* Compares [MOST][stride] results of n tokens; what no result belongs to must still be 0.5. */
static void results_check(const float *results, const struct layer *layer, const struct rows *r,
                          uint32_t n, const uint32_t *x_rows, double add, double tolerance)
{
    size_t stride = layer->options.out + OUT_EXTRA;
    for (uint32_t t = 0; t < MOST; t++)
        for (uint32_t o = 0; o < stride; o++) {
            double got = (double)results[t * stride + o], size;
            if (t >= n || o >= layer->options.out) {
                if (got != 0.5)
                    fail_msg("n %u: token %u, output %u was written: %g", n, t, o, got);
                continue;
            }
            double want = result(layer, r, input_row(x_rows, t), o, &size) + add;
            if (!(fabs(got - want) <= tolerance * size))
                fail_msg("n %u: token %u, output %u: %.9g, not %.9g (of %.3g)", n, t, o, got, want,
                         size);
        }
}

static void check_batches(struct layer *const layers[], uint32_t count, const struct rows *r,
                          uint32_t multiprocessors, enum gpu_finish finish)
{
    struct gpu_linear_call call = call_make(layers, count, r, multiprocessors);
    call.finish = finish;
    double add = finish == GPU_ADD ? 0.5 : 0, tolerance = r->x != NULL ? ROUNDED : EXACT;
    float *most = call_results(&call, MOST);
    for (size_t b = 0; b < BATCHES; b++) {
        float *results = call_results(&call, batches[b]);
        size_t at = 0;
        for (uint32_t i = 0; i < count; i++) {
            results_check(results + at, layers[i], r, batches[b], NULL, add, tolerance);
            /* the same bits in every batch */
            assert_memory_equal(results + at, most + at, batches[b] * call.out_stride[i] * 4);
            at += MOST * call.out_stride[i];
        }
        free(results);
    }
    free(most);
    call_free(&call);
}

static void check_layer(const struct layer_options *options, uint32_t multiprocessors)
{
    struct layer *layer = layer_make(options);
    struct rows packed = rows_packed(layer), raw = rows_raw(layer);
    check_batches(&layer, 1, &packed, multiprocessors, GPU_ADD);
    check_batches(&layer, 1, &raw, multiprocessors, GPU_STORE);
    rows_free(&packed);
    rows_free(&raw);
    layer_free(layer);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void four_bits_of_every_kind(void **state)
{
    (void)state;
    static const struct layer_options kinds[] = {
        {.in = 256, .out = 32, .group_size = 32, .zero_offset = 1, .seed = 1},
        {.in = 160, .out = 40, .group_size = 32, .zeros = true, .zero_offset = 1, .seed = 2},
        {.in = 384, .out = 24, .group_size = 128, .zeros = true, .bias = true, .seed = 3},
        {.in = 320,
         .out = 16,
         .group_size = 64,
         .zero_offset = 1,
         .order = LAYER_SHUFFLE,
         .seed = 4},
        {.in = 288,
         .out = 56,
         .group_size = 32,
         .zeros = true,
         .zero_offset = 1,
         .order = LAYER_SHUFFLE,
         .bias = true,
         .seed = 5},
        {.in = 360,
         .out = 24,
         .group_size = 40,
         .zeros = true,
         .zero_offset = 1,
         .order = LAYER_UNEVEN,
         .seed = 6},
        {.in = 200, .out = 8, .zeros = true, .zero_offset = 1, .seed = 7},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        check_layer(&kinds[i], 1 + (uint32_t)i % 3);
}

static void dense_of_every_type(void **state)
{
    (void)state;
    static const struct layer_options kinds[] = {
        {.in = 192, .out = 40, .dense = true, .dtype = BACKEND_F16, .seed = 11},
        {.in = 100, .out = 19, .dense = true, .dtype = BACKEND_BF16, .bias = true, .seed = 12},
        {.in = 260, .out = 48, .dense = true, .dtype = BACKEND_F32, .seed = 13},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        check_layer(&kinds[i], 2);
}

/* Slices, runs that end within tiles, tiles of many runs, blocks with warps that have nothing;
 * more than 32 pieces of a tile; more than 32 tiles of a run. */
static void work_cut_everywhere(void **state)
{
    (void)state;
    static const struct {
        struct layer_options options;
        uint32_t multiprocessors;
    } cuts[] = {
        {{.in = 2720, .out = 24, .group_size = 32, .zeros = true, .order = LAYER_SHUFFLE}, 1},
        {{.in = 2720, .out = 24, .group_size = 32, .zeros = true, .order = LAYER_SHUFFLE}, 2},
        {{.in = 2720, .out = 24, .group_size = 32, .zeros = true, .order = LAYER_SHUFFLE}, 3},
        {{.in = 5120, .out = 40, .group_size = 128, .order = LAYER_SHUFFLE}, 5},
        {{.in = 5128, .out = 24, .group_size = 128, .order = LAYER_UNEVEN}, 16},
        {{.in = 20480, .out = 32, .group_size = 128}, 64},
        {{.in = 128, .out = 5120, .group_size = 32}, 1},
        {{.in = 4128, .out = 48, .dense = true, .dtype = BACKEND_F16}, 7},
    };
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        struct layer *layer = layer_make(&cuts[i].options);
        struct rows raw = rows_raw(layer), packed = rows_packed(layer);
        const struct rows *rows[] = {&raw, &packed};
        for (size_t form = 0; form < 2; form++) {
            struct gpu_linear_call call = call_make(&layer, 1, rows[form], cuts[i].multiprocessors);
            call.finish = form == 0 ? GPU_STORE : GPU_ADD; /* twice added would show */
            float *results = call_results(&call, 3);
            results_check(results, layer, rows[form], 3, NULL, form == 0 ? 0 : 0.5,
                          form == 0 ? ROUNDED : EXACT);
            free(results);
            call_free(&call);
        }
        rows_free(&raw);
        rows_free(&packed);
        layer_free(layer);
    }
}

static void three_layers_at_once(void **state)
{
    (void)state;
    struct layer *layers[3];
    static const uint32_t outs[] = {72, 16, 24};
    for (uint32_t i = 0; i < 3; i++) {
        struct layer_options o = {.in = 288,
                                  .out = outs[i],
                                  .group_size = 32,
                                  .zero_offset = i == 1 ? 0 : 1,
                                  .order = LAYER_SHUFFLE,
                                  .bias = i != 1,
                                  .seed = 30 + i,
                                  .order_seed = 9};
        layers[i] = layer_make(&o);
    }
    struct rows raw = rows_raw(layers[0]);
    check_batches(layers, 3, &raw, 2, GPU_STORE);
    check_batches(layers, 2, &raw, 3, GPU_STORE);
    rows_free(&raw);
    for (uint32_t i = 0; i < 3; i++)
        layer_free(layers[i]);
}

/* gate and up: f16 at out_index. */
static void check_silu(const struct layer_options *o, const int32_t *index)
{
    struct layer_options up = *o;
    up.seed += 100;
    struct layer *layers[2] = {layer_make(o), layer_make(&up)};
    struct rows raw = rows_raw(layers[0]);
    struct gpu_linear_call call = call_make(layers, 2, &raw, 2);
    int32_t *device_index = index != NULL ? device_copy(index, 4 * (size_t)o->out) : NULL;
    size_t stride = 2 * o->out;
    call.finish = GPU_SILU_MUL;
    call.out_index = device_index;
    call.out_stride[0] = stride;
    static const uint32_t some[] = {1, 8, 11, 40};
    uint16_t *kept = calloc(MOST * stride, 2), *h = calloc(MOST * stride, 2);
    for (size_t b = 0; b < 4; b++) {
        call.n = some[b];
        call.out[0] = device_copy(NULL, MOST * stride * 2);
        call_run(&call);
        device_read(h, call.out[0], MOST * stride * 2);
        device_free(call.out[0]);
        assert_memory_equal(h, kept, b > 0 ? some[b - 1] * stride * 2 : 0);
        memcpy(kept, h, MOST * stride * 2);
        for (uint32_t t = 0; t < some[b]; t++)
            for (uint32_t i = 0; i < o->out; i++) {
                double gate_size, up_size, gate = result(layers[0], &raw, t, i, &gate_size);
                double y = result(layers[1], &raw, t, i, &up_size);
                double silu = gate / (1 + exp(-gate)), want = silu * y;
                double allowed = ROUNDED * (1.2 * gate_size * fabs(y) + up_size * fabs(silu)) +
                                 1e-3 * fabs(want) + 1e-6;
                uint16_t *at = &h[t * stride + (index != NULL ? (uint32_t)index[i] : i)];
                double got = (double)f32_of_f16(*at);
                if (!(fabs(got - want) <= allowed))
                    fail_msg("n %u: token %u, output %u: %g, not %g", some[b], t, i, got, want);
                *at = 0;
            }
        for (size_t i = 0; i < MOST * stride; i++)
            assert_int_equal(h[i], 0); /* nothing stands elsewhere */
    }
    free(kept);
    free(h);
    if (device_index != NULL)
        device_free(device_index);
    call_free(&call);
    rows_free(&raw);
    layer_free(layers[0]);
    layer_free(layers[1]);
}

static void gate_and_up(void **state)
{
    (void)state;
    int32_t index[40];
    for (int32_t i = 0; i < 40; i++)
        index[i] = (i * 7 + 3) % 40 + (i > 20 ? 40 : 0);
    static const struct layer_options kinds[] = {
        {.in = 160, .out = 40, .group_size = 32, .zero_offset = 1, .bias = true, .seed = 41},
        {.in = 256, .out = 40, .group_size = 64, .zeros = true, .order = LAYER_SHUFFLE, .seed = 42},
        {.in = 132, .out = 40, .dense = true, .dtype = BACKEND_F16, .seed = 43},
    };
    check_silu(&kinds[0], NULL);
    check_silu(&kinds[1], index);
    check_silu(&kinds[2], index);
}

/* The head reads chosen rows; a row's results do not depend on where it stands. */
static void chosen_rows(void **state)
{
    (void)state;
    static const struct layer_options head = {
        .in = 192, .out = 56, .dense = true, .dtype = BACKEND_F16, .seed = 51};
    struct layer *layer = layer_make(&head);
    struct rows raw = rows_raw(layer);
    struct gpu_linear_call call = call_make(&layer, 1, &raw, 2);
    float *all = call_results(&call, MOST);
    uint32_t rows[12];
    for (uint32_t i = 0; i < 12; i++)
        rows[i] = (i * 23 + 5) % MOST;
    uint32_t *device = device_copy(rows, sizeof rows);
    call.x_rows = device;
    call.shared_bytes = 54000; /* several launches */
    float *results = call_results(&call, 12);
    results_check(results, layer, &raw, 12, rows, 0, ROUNDED);
    for (uint32_t i = 0; i < 12; i++)
        assert_memory_equal(results + i * call.out_stride[0], all + rows[i] * call.out_stride[0],
                            head.out * 4);
    free(results);
    free(all);
    device_free(device);
    call_free(&call);
    rows_free(&raw);
    layer_free(layer);
}

/* What is too large for f16 becomes the largest f16, and stays finite. */
static void large_values_stay_finite(void **state)
{
    (void)state;
    static const struct layer_options o = {
        .in = 128, .out = 16, .dense = true, .dtype = BACKEND_F32, .seed = 61};
    struct layer *layers[2] = {layer_make(&o), layer_make(&o)};
    struct rows raw = rows_raw(layers[0]);
    float *norm = calloc(o.in, 4);
    for (uint32_t i = 0; i < o.in; i++)
        norm[i] = 1e6f;
    device_free(raw.norm);
    raw.norm = device_copy(norm, 4 * (size_t)o.in);
    struct gpu_linear_call call = call_make(layers, 2, &raw, 2);
    uint16_t h[16];
    call.n = 1;
    call.finish = GPU_SILU_MUL;
    call.out[0] = device_copy(NULL, sizeof h);
    call_run(&call);
    device_read(h, call.out[0], sizeof h);
    uint32_t largest = 0;
    for (uint32_t i = 0; i < 16; i++) {
        assert_true(fabsf(f32_of_f16(h[i])) <= 65504.0f);
        largest += (h[i] & 0x7FFF) == 0x7BFF;
    }
    assert_true(largest > 2);
    free(norm);
    device_free(call.out[0]);
    call_free(&call);
    rows_free(&raw);
    layer_free(layers[0]);
    layer_free(layers[1]);
}

static void refusals(void **state)
{
    (void)state;
    struct layer_options o = {.in = 128, .out = 16, .group_size = 32, .seed = 71};
    struct layer *plain = layer_make(&o);
    o.zeros = true;
    struct layer *zeros = layer_make(&o);
    struct rows raw = rows_raw(plain);
    struct gpu_linear_call call = call_make((struct layer *[]){plain, zeros}, 2, &raw, 2);
    assert_int_equal(gpu_linear_launch(&call, NULL), cudaErrorInvalidValue);
    call.count = 1;
    call.n = MOST + 1;
    assert_int_equal(gpu_linear_launch(&call, NULL), cudaErrorInvalidValue);
    call.n = 1;
    call.shared_bytes = 40000;
    assert_int_equal(gpu_linear_launch(&call, NULL), cudaErrorInvalidConfiguration);
    call_free(&call);
    rows_free(&raw);
    layer_free(plain);
    layer_free(zeros);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(four_bits_of_every_kind),
        cmocka_unit_test(dense_of_every_type),
        cmocka_unit_test(work_cut_everywhere),
        cmocka_unit_test(three_layers_at_once),
        cmocka_unit_test(gate_and_up),
        cmocka_unit_test(chosen_rows),
        cmocka_unit_test(large_values_stay_finite),
        cmocka_unit_test(refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
