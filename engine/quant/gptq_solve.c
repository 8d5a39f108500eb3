#include "engine/quant/gptq_solve.h"

#include <math.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "kernels/cpu/dense_product.h"
#include "kernels/cpu/half.h"

#define ROWS         64  /* outputs that one thread works on together; a multiple of 8 */
#define COLUMNS      128 /* columns between two updates of all that follow */
#define SAMPLED_ROWS 64  /* outputs whose error is compared with plain rounding */

struct solving {
    struct gptq_layer *layer;
    const struct backend_tensor *weight;
    const struct gptq_inputs *inputs;
    const struct gptq_settings *settings;
    struct dense *dense;
    uint32_t columns;          /* of a block: whole groups, or an even part of one */
    uint32_t sample_step;      /* every so manieth output is sampled */
    double *workspace;         /* [threads][workspace_doubles] */
    double *sums[3];           /* [out]: loss, that of rounding, and the signal's power */
    atomic_uint next, refused; /* block of outputs; a scale was infinite */
};

/* One thread's block of outputs, in the order of the steps. */
struct rows {
    struct solving *s;
    uint32_t first, count;
    double *w;                  /* [ROWS][in] weights, with the errors carried so far */
    double *errors;             /* [ROWS][COLUMNS] of this block of columns */
    double *line;               /* [in] */
    struct group_range *ranges; /* [ROWS][groups] */
};

static double weight_at(const struct backend_tensor *weight, size_t index)
{
    uint16_t half;
    float value;
    if (weight->dtype == BACKEND_F32) {
        memcpy(&value, (const uint8_t *)weight->data + 4 * index, sizeof value);
        return (double)value;
    }
    memcpy(&half, (const uint8_t *)weight->data + 2 * index, sizeof half);
    return (double)(weight->dtype == BACKEND_F16 ? f32_of_f16(half) : f32_of_bf16(half));
}

static size_t workspace_doubles(size_t in, size_t groups)
{
    size_t ranges = ROWS * groups * sizeof(struct group_range) / sizeof(double);
    return ROWS * (in + COLUMNS) + in + ranges;
}

static uint32_t group_of_step(const struct solving *s, uint32_t step)
{
    uint32_t place = s->settings->static_groups ? s->inputs->order[step] : step;
    return place / s->layer->group_size;
}

static uint32_t group_end(const struct gptq_layer *layer, uint32_t group)
{
    uint64_t end = ((uint64_t)group + 1) * layer->group_size;
    return end < layer->in ? (uint32_t)end : layer->in;
}

static struct group_range *range_at(const struct rows *rows, uint32_t row, uint32_t group)
{
    return &rows->ranges[(size_t)row * rows->s->layer->groups + group];
}

static void find_range(const struct rows *rows, uint32_t row, uint32_t group, const double *weights,
                       uint32_t count)
{
    const struct gptq_settings *settings = rows->s->settings;
    struct group_range *range = range_at(rows, row, group);
    *range = group_range_find(weights, count, settings->symmetric, settings->rule);
    if (!isfinite(range->scale))
        atomic_store(&rows->s->refused, 1);
}

/* The weights of one output as they lie in the file, those of dead inputs 0. */
static void read_line(const struct rows *rows, uint32_t row)
{
    const struct solving *s = rows->s;
    size_t in = s->layer->in, from = (rows->first + row) * in;
    for (size_t i = 0; i < in; i++)
        rows->line[i] = s->inputs->dead[i] ? 0 : weight_at(s->weight, from + i);
}

/* || d X || as the sum of squares of d U^-1, by substitution; d is used up. */
static double power_of(const struct solving *s, double *d)
{
    size_t in = s->layer->in;
    double sum = 0;
    for (size_t i = 0; i < in; i++) {
        const double *u = s->inputs->h + i * in;
        double y = d[i] / u[i];
        sum += y * y;
        for (size_t j = i + 1; j < in; j++)
            d[j] -= y * u[j];
    }
    return sum;
}

/* For a sampled output: the power of its signal, and of the error of plain rounding. */
static void measure_line(const struct rows *rows, uint32_t row)
{
    struct solving *s = rows->s;
    const struct gptq_layer *layer = s->layer;
    double *d = rows->w + (size_t)row * layer->in; /* not in use yet */
    if ((rows->first + row) % s->sample_step != 0)
        return;
    for (uint32_t i = 0; i < layer->in; i++)
        d[i] = rows->line[s->inputs->order[i]];
    s->sums[2][rows->first + row] = power_of(s, d);
    for (uint32_t group = 0; group < layer->groups; group++) {
        uint32_t first = group * layer->group_size, end = group_end(layer, group);
        find_range(rows, row, group, rows->line + first, end - first);
    }
    for (uint32_t i = 0; i < layer->in; i++) {
        uint32_t input = s->inputs->order[i];
        const struct group_range *range = range_at(rows, row, input / layer->group_size);
        double w = rows->line[input];
        d[i] = w - group_value(range, group_code(range, w));
    }
    s->sums[1][rows->first + row] = power_of(s, d);
}

static void take_line(const struct rows *rows, uint32_t row)
{
    const struct solving *s = rows->s;
    const struct gptq_layer *layer = s->layer;
    read_line(rows, row);
    measure_line(rows, row);
    for (uint32_t group = 0; s->settings->static_groups && group < layer->groups; group++) {
        uint32_t first = group * layer->group_size, end = group_end(layer, group);
        find_range(rows, row, group, rows->line + first, end - first);
    }
    for (uint32_t i = 0; i < layer->in; i++)
        rows->w[(size_t)row * layer->in + i] = rows->line[s->inputs->order[i]];
}

static void store_code(const struct rows *rows, uint32_t row, uint32_t input, int code,
                       double value)
{
    const struct gptq_layer *layer = rows->s->layer;
    size_t out = rows->first + row;
    layer->qweight[(size_t)(input / 8) * layer->out + out] |= (uint32_t)code << 4 * (input % 8);
    layer->weights[out * layer->in + input] = (float)value;
}

/* One column of one output: q = round(w), e = (w - q) / U_ii, and the rest of this block of columns
 * gives up e U_ij (equations 4 and 5 of the paper). */
static void round_one(const struct rows *rows, uint32_t row, uint32_t step, uint32_t end,
                      double *error)
{
    const struct solving *s = rows->s;
    size_t in = s->layer->in;
    const double *u = s->inputs->h + step * in;
    double *w = rows->w + row * in;
    const struct group_range *range = range_at(rows, row, group_of_step(s, step));
    int code = group_code(range, w[step]);
    double value = group_value(range, code);
    *error = (w[step] - value) / u[step];
    for (uint32_t j = step + 1; j < end; j++)
        w[j] -= *error * u[j];
    store_code(rows, row, s->inputs->order[step], code, value);
}

/* Columns first .. end - 1 of all outputs, then what follows in one product. */
static void round_columns(const struct rows *rows, uint32_t first, uint32_t end)
{
    struct solving *s = rows->s;
    const struct gptq_layer *layer = s->layer;
    for (uint32_t row = 0; row < rows->count; row++) {
        double *w = rows->w + (size_t)row * layer->in, *errors = rows->errors + row * COLUMNS;
        double *loss = &s->sums[0][rows->first + row];
        for (uint32_t step = first; step < end; step++) {
            uint32_t group = step / layer->group_size;
            if (!s->settings->static_groups && step % layer->group_size == 0)
                find_range(rows, row, group, w + step, group_end(layer, group) - step);
            round_one(rows, row, step, end, &errors[step - first]);
            *loss += errors[step - first] * errors[step - first];
        }
    }
}

static void carry_on(const struct rows *rows, uint32_t first, uint32_t end, double *scratch)
{
    const struct solving *s = rows->s;
    size_t in = s->layer->in;
    const struct dense_matrix errors = {rows->errors, COLUMNS, 1, false};
    const struct dense_matrix u = {s->inputs->h + first * in + end, in, 1, false};
    dense_product(rows->w + end, in, -1, &errors, &u, rows->count, in - end, end - first, scratch);
}

static void store_ranges(const struct rows *rows)
{
    const struct gptq_layer *layer = rows->s->layer;
    for (uint32_t row = 0; row < rows->count; row++)
        for (uint32_t group = 0; group < layer->groups; group++) {
            const struct group_range *range = range_at(rows, row, group);
            size_t out = rows->first + row;
            layer->scales[(size_t)group * layer->out + out] = f16_of_f32((float)range->scale);
            layer->qzeros[(size_t)group * (layer->out / 8) + out / 8] |= (uint32_t)(range->zero - 1)
                                                                         << 4 * (out % 8);
        }
}

static void solve_rows(struct rows *rows, double *scratch)
{
    const struct solving *s = rows->s;
    uint32_t in = s->layer->in;
    for (uint32_t row = 0; row < rows->count; row++)
        take_line(rows, row);
    for (uint32_t first = 0; first < in; first += s->columns) {
        uint32_t end = in - first < s->columns ? in : first + s->columns;
        round_columns(rows, first, end);
        if (end < in)
            carry_on(rows, first, end, scratch);
    }
    store_ranges(rows);
}

static void solve_work(void *argument, unsigned thread, unsigned threads)
{
    struct solving *s = argument;
    size_t in = s->layer->in;
    double *at = s->workspace + thread * workspace_doubles(in, s->layer->groups);
    struct rows rows = {.s = s, .w = at, .errors = at + ROWS * in};
    rows.line = rows.errors + ROWS * COLUMNS;
    rows.ranges = (struct group_range *)(rows.line + in);
    (void)threads;
    for (;;) {
        if (thread == 0 && dense_stopped(s->dense))
            atomic_store(&s->next, s->layer->out / ROWS + 1);
        rows.first = atomic_fetch_add(&s->next, 1) * ROWS;
        if (rows.first >= s->layer->out)
            break;
        rows.count = s->layer->out - rows.first < ROWS ? s->layer->out - rows.first : ROWS;
        solve_rows(&rows, dense_scratch(s->dense, thread));
    }
}

/* The most columns, up to COLUMNS, that are whole groups or divide one: a group's scale is then
 * found when every error before it has been carried over. */
static uint32_t block_columns(uint32_t group_size)
{
    if (group_size <= COLUMNS)
        return COLUMNS / group_size * group_size;
    uint32_t columns = COLUMNS;
    while (group_size % columns != 0)
        columns--;
    return columns;
}

static double ratio(const struct solving *s, int which)
{
    double part = 0, signal = 0;
    for (uint32_t i = 0; i < s->layer->out; i += s->sample_step) {
        part += s->sums[which][i];
        signal += s->sums[2][i];
    }
    return signal > 0 ? sqrt(part / signal) : 0;
}

static uint32_t groups_for(uint32_t in, uint32_t *group_size)
{
    *group_size = *group_size == 0 || *group_size > in ? in : *group_size;
    return (in + *group_size - 1) / *group_size;
}

uint64_t gptq_solve_bytes(uint32_t in, uint32_t out, uint32_t group_size, unsigned threads)
{
    uint32_t groups = groups_for(in, &group_size);
    uint64_t layer = (uint64_t)in * out * 9 / 2 + (uint64_t)groups * out * 5 / 2 + 4ull * in;
    return layer + 24ull * out + 8ull * threads * workspace_doubles(in, groups);
}

static int make_layer(struct gptq_layer *layer, const struct solving *s, const char *name,
                      struct error *error)
{
    size_t in = layer->in, out = layer->out, groups = layer->groups;
    const struct {
        void *place;
        size_t bytes;
    } parts[] = {
        {&layer->qweight, in / 8 * out * 4}, {&layer->qzeros, groups * (out / 8) * 4},
        {&layer->scales, groups * out * 2},  {&layer->g_idx, in * 4},
        {&layer->weights, in * out * 4},
    };
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        void *memory = alloc_large(parts[i].bytes, name, error);
        if (memory == NULL)
            return -1;
        memcpy(parts[i].place, &memory, sizeof memory);
    }
    for (uint32_t step = 0; step < in; step++)
        layer->g_idx[s->inputs->order[step]] = (int32_t)group_of_step(s, step);
    return 0;
}

static int run(struct solving *s, const char *name, struct error *error)
{
    const struct gptq_layer *layer = s->layer;
    size_t doubles = workspace_doubles(layer->in, layer->groups) * dense_threads(s->dense);
    double *sums = xcalloc(3 * (size_t)layer->out, sizeof *sums);
    int result = -1;
    for (int i = 0; i < 3; i++)
        s->sums[i] = sums + (size_t)i * layer->out;
    s->workspace = alloc_large(doubles * sizeof(double), name, error);
    if (s->workspace != NULL) {
        uint64_t products = (uint64_t)layer->in * layer->in / 2 * layer->out;
        dense_run(s->dense, products, solve_work, s);
        s->layer->error = ratio(s, 0);
        s->layer->rounding = ratio(s, 1);
        result = 0;
    }
    free(s->workspace);
    free(sums);
    if (result == 0 && dense_stopped(s->dense))
        return error_set(error, ERROR_CANCELLED, "stopped");
    if (result == 0 && atomic_load(&s->refused) != 0)
        return error_set(error, ERROR_UNSUPPORTED, "%s: weights too large for a scale in fp16",
                         name);
    return result;
}

int gptq_solve(struct gptq_layer *layer, const struct backend_tensor *weight,
               const struct gptq_inputs *inputs, const struct gptq_settings *settings,
               struct dense *dense, const char *name, struct error *error)
{
    struct solving s = {
        .layer = layer, .weight = weight, .inputs = inputs, .settings = settings, .dense = dense};
    *layer = (struct gptq_layer){
        .in = weight->cols, .out = weight->rows, .group_size = settings->group_size};
    layer->groups = groups_for(layer->in, &layer->group_size);
    s.columns = block_columns(layer->group_size);
    s.sample_step = layer->out / SAMPLED_ROWS > 0 ? layer->out / SAMPLED_ROWS : 1;
    if (make_layer(layer, &s, name, error) == 0 && run(&s, name, error) == 0)
        return 0;
    gptq_layer_free(layer);
    return -1;
}

void gptq_layer_free(struct gptq_layer *layer)
{
    free(layer->qweight);
    free(layer->qzeros);
    free(layer->scales);
    free(layer->g_idx);
    free(layer->weights);
    *layer = (struct gptq_layer){0};
}
