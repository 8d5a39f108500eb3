#include "tests/kernel_model.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/half.h"

/* xorshift64* */
uint64_t kernel_random(uint64_t *state)
{
    *state ^= *state >> 12;
    *state ^= *state << 25;
    *state ^= *state >> 27;
    return *state * 0x2545F4914F6CDD1Du;
}

float kernel_uniform(uint64_t *state)
{
    return (float)(kernel_random(state) >> 40) * 0x1p-23f - 1.0f;
}

static void *take(size_t bytes)
{
    void *memory = calloc(1, bytes ? bytes : 1);
    if (memory == NULL)
        abort();
    return memory;
}

double kernel_half(uint16_t half, enum backend_dtype dtype)
{
    if (dtype == BACKEND_BF16)
        return (double)f32_of_bf16(half);
    int exponent = half >> 10 & 31, fraction = half & 1023;
    double size = exponent == 0 ? ldexp(fraction, -24) : ldexp(1024 + fraction, exponent - 25);
    return half & 0x8000 ? -size : size;
}

static double dense_value(const void *data, enum backend_dtype dtype, size_t index)
{
    if (dtype == BACKEND_F32)
        return (double)((const float *)data)[index];
    return kernel_half(((const uint16_t *)data)[index], dtype);
}

double kernel_weight(const struct kernel_linear *linear, uint32_t input, uint32_t output)
{
    if (linear->dense != NULL)
        return dense_value(linear->dense, linear->dtype, (size_t)output * linear->in + input);
    uint32_t group = linear->g_idx ? linear->g_idx[input] : input / linear->group_size;
    uint32_t q =
        linear->qweight[(size_t)(input / 8) * linear->out + output] >> 4 * (input % 8) & 15;
    uint32_t z = linear->qzeros[(size_t)group * (linear->out / 8) + output / 8] >> 4 * (output % 8);
    double zero = (double)(z & 15) + linear->zero_offset;
    double scale = kernel_half(linear->scales[(size_t)group * linear->out + output], BACKEND_F16);
    return scale * ((double)q - zero);
}

/* --- making ----------------------------------------------------------------------------------- */

static void *random_dense(size_t count, float size, enum backend_dtype dtype, uint64_t *state)
{
    void *data = take(count * (dtype == BACKEND_F32 ? 4 : 2));
    for (size_t i = 0; i < count; i++) {
        float value = size * kernel_uniform(state);
        if (dtype == BACKEND_F32)
            ((float *)data)[i] = value;
        else if (dtype == BACKEND_F16)
            ((uint16_t *)data)[i] = f16_of_f32(value);
        else
            ((uint16_t *)data)[i] = (uint16_t)(bits_of_float(value) >> 16);
    }
    return data;
}

static uint32_t *random_order(const struct kernel_linear *linear, bool uneven, uint64_t seed)
{
    uint32_t *g_idx = take(linear->in * sizeof *g_idx);
    for (uint32_t i = 0; i < linear->in; i++)
        g_idx[i] =
            uneven ? (uint32_t)(kernel_random(&seed) % linear->groups) : i / linear->group_size;
    for (uint32_t i = linear->in - 1; i > 0 && !uneven; i--) {
        uint32_t j = (uint32_t)(kernel_random(&seed) % (i + 1)), kept = g_idx[i];
        g_idx[i] = g_idx[j];
        g_idx[j] = kept;
    }
    return g_idx;
}

static void make_gptq(struct kernel_linear *linear, const struct kernel_options *options,
                      uint64_t *state)
{
    size_t in = linear->in, out = linear->out;
    linear->group_size = options->group_size ? options->group_size : linear->in;
    linear->groups = (linear->in + linear->group_size - 1) / linear->group_size;
    linear->zero_offset = options->v2 ? 0 : 1;
    size_t zeros = linear->groups * (out / 8), weights = in / 8 * out;
    linear->qweight = take(weights * 4);
    linear->qzeros = take(zeros * 4);
    linear->scales = take(linear->groups * out * 2);
    for (size_t i = 0; i < weights; i++)
        linear->qweight[i] = (uint32_t)(kernel_random(state) >> 32);
    for (size_t i = 0; i < zeros; i++)
        linear->qzeros[i] =
            options->symmetric ? 0x77777777u : (uint32_t)(kernel_random(state) >> 32);
    for (size_t i = 0; i < linear->groups * out; i++)
        linear->scales[i] = f16_of_f32((1.5f + kernel_uniform(state)) * 0.15f / sqrtf((float)in));
}

static void make_linear(struct kernel_linear *linear, const struct kernel_options *options,
                        uint32_t in, uint32_t out, uint64_t order_seed, uint64_t *state)
{
    linear->in = in;
    linear->out = out;
    linear->dtype = options->weights == WEIGHTS_F32   ? BACKEND_F32
                    : options->weights == WEIGHTS_F16 ? BACKEND_F16
                                                      : BACKEND_BF16;
    if (options->weights != WEIGHTS_GPTQ)
        linear->dense =
            random_dense((size_t)in * out, 1.7f / sqrtf((float)in), linear->dtype, state);
    else
        make_gptq(linear, options, state);
    if (options->weights == WEIGHTS_GPTQ && options->order != ORDER_PLAIN)
        linear->g_idx = random_order(linear, options->order == ORDER_UNEVEN, order_seed);
    if (options->bias) {
        linear->bias = take(out * sizeof *linear->bias);
        for (uint32_t i = 0; i < out; i++)
            linear->bias[i] = kernel_uniform(state);
    }
}

static void make_layer(struct kernel_model *model, uint32_t layer, uint64_t *state)
{
    const struct backend_shape *s = &model->shape;
    uint32_t wide = s->heads * s->head_dim, kv = s->kv_heads * s->head_dim;
    const uint32_t shapes[LINEAR_SLOTS][2] = {
        {s->hidden, wide},   {s->hidden, kv},     {s->hidden, kv},    {wide, s->hidden},
        {s->hidden, s->ffn}, {s->hidden, s->ffn}, {s->ffn, s->hidden}};
    const int sharing[LINEAR_SLOTS] = {0, 0, 0, 3, 4, 4, 6};
    uint64_t first = kernel_random(state) | 1;
    for (int slot = 0; slot < LINEAR_SLOTS; slot++) {
        int kind = model->options.order == ORDER_SHARED ? sharing[slot] : slot;
        make_linear(&model->linears[layer][slot], &model->options, shapes[slot][0], shapes[slot][1],
                    first + 977 * (uint64_t)kind, state);
    }
}

static uint32_t or_default(uint32_t value, uint32_t fallback)
{
    return value ? value : fallback;
}

static void fill_shape(struct kernel_model *model)
{
    const struct kernel_options *o = &model->options;
    model->shape = (struct backend_shape){
        .layers = or_default(o->layers, 1),
        .hidden = or_default(o->hidden, 64),
        .heads = or_default(o->heads, 4),
        .kv_heads = or_default(o->kv_heads, or_default(o->heads, 4)),
        .head_dim = or_default(o->head_dim, 16),
        .ffn = or_default(o->ffn, 96),
        .vocab = or_default(o->vocab, 100),
        .norm_eps = 1e-5f,
        .max_tokens = or_default(o->max_tokens, 32),
        .max_head_rows = 8,
        .max_positions = or_default(o->max_positions, 256),
        .page_tokens = or_default(o->page_tokens, 16),
    };
}

struct kernel_model *kernel_model_make(const struct kernel_options *options, uint64_t seed)
{
    struct kernel_model *model = take(sizeof *model);
    uint64_t state = seed * 2654435761u + 88172645463325252u;
    model->options = *options;
    fill_shape(model);
    const struct backend_shape *s = &model->shape;
    model->linears = take(s->layers * sizeof *model->linears);
    for (uint32_t layer = 0; layer < s->layers; layer++)
        make_layer(model, layer, &state);
    size_t norms = ((size_t)s->layers * 2 + 1) * s->hidden;
    model->norms = take(norms * sizeof *model->norms);
    for (size_t i = 0; i < norms; i++)
        model->norms[i] = 1.0f + 0.3f * kernel_uniform(&state);
    size_t table = (size_t)s->vocab * s->hidden;
    model->embed = random_dense(table, 1.0f, options->table, &state);
    model->head = random_dense(table, 1.7f / sqrtf((float)s->hidden), options->table, &state);
    model->inv_freq = take(s->head_dim / 2 * sizeof *model->inv_freq);
    for (uint32_t i = 0; i < s->head_dim / 2; i++)
        model->inv_freq[i] = powf(10000.0f, -2.0f * (float)i / (float)s->head_dim);
    return model;
}

void kernel_model_free(struct kernel_model *model)
{
    for (uint32_t layer = 0; layer < model->shape.layers; layer++)
        for (int slot = 0; slot < LINEAR_SLOTS; slot++) {
            struct kernel_linear *linear = &model->linears[layer][slot];
            free(linear->qweight);
            free(linear->qzeros);
            free(linear->g_idx);
            free(linear->scales);
            free(linear->dense);
            free(linear->bias);
        }
    free(model->linears);
    free(model->norms);
    free(model->embed);
    free(model->head);
    free(model->inv_freq);
    free(model);
}

const float *kernel_norm(const struct kernel_model *model, uint32_t index)
{
    return model->norms + (size_t)index * model->shape.hidden;
}

/* --- running ---------------------------------------------------------------------------------- */

static void must(int result, const struct backend_error *error)
{
    if (result == 0)
        return;
    fprintf(stderr, "backend: %s\n", error->message);
    abort();
}

static struct backend_linear as_backend(const struct kernel_linear *linear)
{
    struct backend_linear l = {
        .in = linear->in,
        .out = linear->out,
        .qweight = linear->qweight,
        .qzeros = linear->qzeros,
        .scales = linear->scales,
        .g_idx = linear->g_idx,
        .groups = linear->groups,
        .group_size = linear->group_size,
        .zero_offset = linear->zero_offset,
    };
    if (linear->dense != NULL)
        l.dense = (struct backend_tensor){linear->dense, linear->dtype, linear->out, linear->in};
    if (linear->bias != NULL)
        l.bias = (struct backend_tensor){linear->bias, BACKEND_F32, 1, linear->out};
    return l;
}

static int load_layer(struct kernel_run *run, const struct kernel_model *model, uint32_t layer,
                      struct backend_error *error)
{
    for (int slot = 0; slot < LINEAR_SLOTS; slot++) {
        struct backend_linear l = as_backend(&model->linears[layer][slot]);
        if (run->ops->load_linear(run->backend, layer, (enum linear_slot)slot, &l, error) != 0)
            return -1;
    }
    for (uint32_t i = 0; i < 2; i++) {
        struct backend_tensor norm = {kernel_norm(model, 2 * layer + i), BACKEND_F32, 1,
                                      model->shape.hidden};
        if (run->ops->load_norm(run->backend, layer, (enum norm_slot)i, &norm, error) != 0)
            return -1;
    }
    return 0;
}

static int load(struct kernel_run *run, const struct kernel_model *model,
                struct backend_error *error)
{
    const struct backend_shape *s = &model->shape;
    const struct backend_ops *ops = run->ops;
    struct backend *b = run->backend;
    for (uint32_t layer = 0; layer < s->layers; layer++)
        if (load_layer(run, model, layer, error) != 0)
            return -1;
    struct backend_tensor norm = {kernel_norm(model, 2 * s->layers), BACKEND_F32, 1, s->hidden};
    struct backend_tensor embed = {model->embed, model->options.table, s->vocab, s->hidden};
    struct backend_tensor head = {model->head, model->options.table, s->vocab, s->hidden};
    if (ops->load_norm(b, 0, NORM_FINAL, &norm, error) != 0 ||
        ops->load_table(b, TABLE_EMBED, &embed, error) != 0 ||
        ops->load_table(b, TABLE_HEAD, &head, error) != 0 ||
        ops->load_rope(b, model->inv_freq, 1.0f, error) != 0)
        return -1;
    return ops->load_done(b, error);
}

static int make_buffers(struct kernel_run *run, const struct backend_shape *s,
                        struct backend_error *error)
{
    const uint32_t cols[] = {s->hidden, s->heads * s->head_dim, s->kv_heads * s->head_dim, s->ffn};
    struct backend_buffer **buffers[] = {&run->x, &run->q, &run->k, &run->h, &run->v, &run->a};
    const int kind[] = {0, 1, 2, 3, 2, 1};
    for (int i = 0; i < 6; i++)
        if (run->ops->buffer_create(run->backend, cols[kind[i]], buffers[i], error) != 0)
            return -1;
    return 0;
}

int kernel_open_on(struct kernel_run *run, const struct kernel_model *model,
                   const struct backend_ops *ops, const struct backend_options *options,
                   enum kv_type type, uint32_t pages, struct backend_error *error)
{
    *run = (struct kernel_run){.ops = ops};
    if (ops->open(&run->backend, &model->shape, options, error) != 0)
        return -1;
    if (load(run, model, error) == 0 && make_buffers(run, &model->shape, error) == 0 &&
        ops->kv_create(run->backend, type, pages, error) == 0)
        return 0;
    ops->close(run->backend);
    run->backend = NULL;
    return -1;
}

int kernel_open(struct kernel_run *run, const struct kernel_model *model, const char *kernels,
                unsigned threads, enum kv_type type, uint32_t pages)
{
    struct backend_error error;
    struct backend_options options = {.threads = threads, .kernels = kernels};
    if (kernel_open_on(run, model, backend_cpu(), &options, type, pages, &error) == 0)
        return 0;
    if (error.code != BACKEND_UNSUPPORTED)
        must(-1, &error);
    return -1;
}

void kernel_close(struct kernel_run *run)
{
    run->ops->close(run->backend);
}

float *kernel_data(struct backend_buffer *buffer)
{
    return buffer->data;
}

void kernel_batch_init(struct kernel_batch *batch, const struct kernel_model *model, uint32_t pages)
{
    uint32_t each =
        (model->shape.max_positions + model->shape.page_tokens - 1) / model->shape.page_tokens;
    memset(batch, 0, sizeof *batch);
    for (uint32_t s = 0; s < 8; s++) {
        for (uint32_t i = 0; i < each && i < 1024 && s * each + i < pages; i++)
            batch->pages[s][i] = pages - 1 - (s * each + i);
        batch->tables[s] = batch->pages[s];
    }
    batch->batch = (struct backend_batch){
        0, batch->tokens, batch->positions, batch->sequences, batch->tables, 8};
}

void kernel_batch_add(struct kernel_batch *batch, uint32_t sequence, uint32_t position,
                      int32_t token)
{
    uint32_t at = batch->batch.n++;
    batch->sequences[at] = sequence;
    batch->positions[at] = position;
    batch->tokens[at] = token;
}

const float *kernel_forward(struct kernel_run *run, const struct kernel_model *model,
                            const struct backend_batch *batch)
{
    const struct backend_ops *ops = run->ops;
    struct backend *b = run->backend;
    int bad = ops->embed(b, batch, run->x);
    for (uint32_t layer = 0; layer < model->shape.layers; layer++) {
        bad |= ops->norm_qkv(b, layer, batch, run->x, run->q, run->k, run->v);
        bad |= ops->rope_append(b, layer, batch, run->q, run->k, run->v);
        bad |= ops->attend(b, layer, batch, run->q, run->a);
        bad |= ops->project_add(b, layer, LINEAR_O, batch, run->a, run->x);
        bad |= ops->norm_gate_up(b, layer, batch, run->x, run->h);
        bad |= ops->project_add(b, layer, LINEAR_DOWN, batch, run->h, run->x);
    }
    const float *logits = NULL;
    uint32_t row = batch->n - 1;
    bad |= ops->head(b, &row, 1, run->x, &logits);
    if (bad != 0) {
        fprintf(stderr, "step: %s\n", ops->last_error(b));
        abort();
    }
    return logits;
}
