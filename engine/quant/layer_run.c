#include "engine/quant/layer_run.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/model/model_plan.h"
#include "engine/model/rope.h"
#include "engine/model/weights.h"

struct layer_run {
    struct layer_run_options options;
    const struct backend_ops *ops;
    struct backend *backend;
    struct backend_shape shape;
    struct backend_buffer *x, *q, *k, *v, *a, *h;
    float *hidden;    /* [samples * length][hidden] the residual stream */
    float *attention; /* [samples * length][heads * head_dim] from STAGE_O to STAGE_GATE_UP */
    uint32_t *positions, *sequences, *pages;
    uint32_t layer;
    struct gptq_inputs *inputs; /* while gathering */
};

/* Some rows of one sample. */
struct chunk {
    struct backend_batch batch;
    size_t first; /* row among all samples' */
};

static int failed(const struct layer_run *run, const struct backend_error *reason,
                  struct error *error)
{
    return backend_error_set(reason, run->options.directory, error);
}

static int step_failed(const struct layer_run *run, struct error *error)
{
    return error_set(error, ERROR_DEVICE, "%s backend: %s", run->ops->name,
                     run->ops->last_error(run->backend));
}

static struct weight_place place_of(const struct layer_run *run)
{
    return (struct weight_place){run->options.set, run->options.config, run->layer};
}

/* --- opening ---------------------------------------------------------------------------------- */

static uint64_t rows_of(const struct calibration *calibration)
{
    return (uint64_t)calibration->samples * calibration->length;
}

static uint64_t layer_weights(const struct model_config *c)
{
    uint64_t query = (uint64_t)c->heads * c->head_dim, key = (uint64_t)c->kv_heads * c->head_dim;
    return (uint64_t)c->hidden * (2 * query + 2 * key + 3ull * c->ffn);
}

static void make_shape(struct backend_shape *shape, const struct model_config *config,
                       uint32_t length)
{
    uint32_t chunk = backend_cpu()->chunk;
    model_shape(shape, config, length, length < chunk ? length : chunk);
    shape->layers = 1;
    shape->max_head_rows = 1;
}

static uint32_t page_count(uint32_t length)
{
    return (length + KV_PAGE_TOKENS - 1) / KV_PAGE_TOKENS;
}

uint64_t layer_run_bytes(const struct model_config *config, const struct calibration *calibration)
{
    struct backend_shape shape;
    make_shape(&shape, config, calibration->length);
    uint64_t attention = (uint64_t)config->heads * config->head_dim;
    uint64_t kept = rows_of(calibration) * (config->hidden + attention);
    uint64_t row = 4ull * config->hidden + 4 * attention + 2ull * config->ffn;
    uint64_t floats = kept + layer_weights(config) + shape.max_tokens * row;
    return sizeof(float) * floats + sizeof(float) * config->vocab * (uint64_t)config->hidden +
           page_count(calibration->length) * backend_cpu()->kv_page_bytes(&shape, KV_F32);
}

/* X^T X is symmetric: half of it is computed. The stages are those below. */
uint64_t layer_run_products(const struct model_config *config,
                            const struct calibration *calibration)
{
    uint64_t hidden = config->hidden, ffn = config->ffn;
    uint64_t query = (uint64_t)config->heads * config->head_dim;
    uint64_t key = (uint64_t)config->kv_heads * config->head_dim;
    uint64_t forward = 2 * hidden * (query + 2 * key) + 2 * query * hidden + 3 * 2 * hidden * ffn +
                       2 * ffn * hidden + calibration->length * query;
    uint64_t gram = (2 * hidden * hidden + query * query + ffn * ffn) / 2;
    return rows_of(calibration) * (forward + gram);
}

static int load_tables(struct layer_run *run, struct error *error)
{
    const struct model_config *config = run->options.config;
    struct weight_place place = place_of(run);
    struct backend_tensor embed, norm;
    struct backend_error reason = {0};
    float scale, *inv_freq = xcalloc(config->head_dim / 2, sizeof *inv_freq);
    if (weights_table(&embed, &place, TABLE_EMBED, error) != 0 ||
        weights_norm(&norm, &place, NORM_FINAL, error) != 0) {
        free(inv_freq);
        return -1;
    }
    rope_inv_freq(&config->rope, config->head_dim, config->context, inv_freq, &scale);
    int result = run->ops->load_rope(run->backend, inv_freq, scale, &reason);
    free(inv_freq);
    if (result != 0 || run->ops->load_table(run->backend, TABLE_EMBED, &embed, &reason) != 0 ||
        run->ops->load_table(run->backend, TABLE_HEAD, &embed, &reason) != 0 ||
        run->ops->load_norm(run->backend, 0, NORM_FINAL, &norm, &reason) != 0)
        return failed(run, &reason, error);
    return 0;
}

typedef int (*linear_loader)(struct backend *backend, uint32_t layer, enum linear_slot slot,
                             const struct backend_linear *linear, struct backend_error *error);

static int load_layer(struct layer_run *run, linear_loader loader, struct error *error)
{
    struct weight_place place = place_of(run);
    struct backend_error reason = {0};
    for (int slot = 0; slot < LINEAR_SLOTS; slot++) {
        struct backend_linear linear;
        int32_t *order = NULL;
        if (weights_linear(&linear, &place, (enum linear_slot)slot, NULL, error) != 0 ||
            weights_linear_contents(&linear, &place, (enum linear_slot)slot, &order, error) != 0)
            return -1;
        free(order);
        if (loader(run->backend, 0, (enum linear_slot)slot, &linear, &reason) != 0)
            return failed(run, &reason, error);
    }
    for (int slot = NORM_ATTENTION; slot <= NORM_MLP; slot++) {
        struct backend_tensor norm;
        if (weights_norm(&norm, &place, (enum norm_slot)slot, error) != 0)
            return -1;
        if (run->ops->load_norm(run->backend, 0, (enum norm_slot)slot, &norm, &reason) != 0)
            return failed(run, &reason, error);
    }
    return 0;
}

static int make_buffers(struct layer_run *run, struct error *error)
{
    const struct backend_shape *s = &run->shape;
    const struct {
        struct backend_buffer **buffer;
        uint32_t cols;
    } table[] = {
        {&run->x, s->hidden},
        {&run->q, s->heads * s->head_dim},
        {&run->k, s->kv_heads * s->head_dim},
        {&run->v, s->kv_heads * s->head_dim},
        {&run->a, s->heads * s->head_dim},
        {&run->h, s->ffn},
    };
    struct backend_error reason = {0};
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (run->ops->buffer_create(run->backend, table[i].cols, table[i].buffer, &reason) != 0)
            return failed(run, &reason, error);
    if (run->ops->kv_create(run->backend, KV_F32, page_count(s->max_positions), &reason) != 0)
        return failed(run, &reason, error);
    return 0;
}

static int make_memory(struct layer_run *run, struct error *error)
{
    const struct backend_shape *s = &run->shape;
    size_t rows = (size_t)rows_of(run->options.calibration), pages = page_count(s->max_positions);
    run->positions = xcalloc(s->max_tokens, sizeof(uint32_t));
    run->sequences = xcalloc(s->max_tokens, sizeof(uint32_t));
    run->pages = xcalloc(pages, sizeof(uint32_t));
    for (uint32_t i = 0; i < pages; i++)
        run->pages[i] = i;
    run->hidden = alloc_large(rows * s->hidden * sizeof(float), "the samples", error);
    if (run->hidden == NULL)
        return -1;
    run->attention =
        alloc_large(rows * s->heads * s->head_dim * sizeof(float), "the samples", error);
    return run->attention != NULL ? 0 : -1;
}

static int open_backend(struct layer_run *run, struct error *error)
{
    const struct backend_options options = {run->options.threads, run->options.kernels, NULL};
    struct backend_error reason = {0};
    if (run->ops->open(&run->backend, &run->shape, &options, &reason) != 0)
        return failed(run, &reason, error);
    if (load_tables(run, error) != 0 || load_layer(run, run->ops->load_linear, error) != 0)
        return -1;
    if (run->ops->load_done(run->backend, &reason) != 0)
        return failed(run, &reason, error);
    return make_buffers(run, error);
}

/* --- samples through steps -------------------------------------------------------------------- */

static void see_inputs(void *user, const float *rows, size_t stride, uint32_t n, uint32_t cols)
{
    struct layer_run *run = user;
    dense_add_gram(run->options.dense, run->inputs->h, cols, rows, stride, n);
    run->inputs->tokens += n;
}

static void watch(struct layer_run *run, bool on)
{
    run->ops->watch_inputs(run->backend, on ? see_inputs : NULL, run);
}

static void fetch(const struct layer_run *run, const struct chunk *chunk, const float *from,
                  uint32_t cols, struct backend_buffer *to)
{
    memcpy(run->ops->buffer_rows(to), from + chunk->first * cols,
           (size_t)chunk->batch.n * cols * sizeof *from);
}

static void keep(const struct layer_run *run, const struct chunk *chunk,
                 struct backend_buffer *from, uint32_t cols, float *to)
{
    memcpy(to + chunk->first * cols, run->ops->buffer_rows(from),
           (size_t)chunk->batch.n * cols * sizeof *to);
}

typedef bool chunk_work(struct layer_run *run, const struct chunk *chunk);

static bool embed_chunk(struct layer_run *run, const struct chunk *chunk)
{
    bool well = run->ops->embed(run->backend, &chunk->batch, run->x) == 0;
    keep(run, chunk, run->x, run->shape.hidden, run->hidden);
    return well;
}

static bool norm_qkv(struct layer_run *run, const struct chunk *chunk)
{
    fetch(run, chunk, run->hidden, run->shape.hidden, run->x);
    return run->ops->norm_qkv(run->backend, 0, &chunk->batch, run->x, run->q, run->k, run->v) == 0;
}

static bool qkv_chunk(struct layer_run *run, const struct chunk *chunk)
{
    watch(run, true);
    bool well = norm_qkv(run, chunk);
    watch(run, false);
    return well;
}

/* q, k and v are replaced; attention's result is kept, for it does not change any more. The sum
 * that lands in x is dropped. */
static bool o_chunk(struct layer_run *run, const struct chunk *chunk)
{
    const struct backend_ops *ops = run->ops;
    const struct backend_batch *batch = &chunk->batch;
    bool well = norm_qkv(run, chunk) &&
                ops->rope_append(run->backend, 0, batch, run->q, run->k, run->v) == 0 &&
                ops->attend(run->backend, 0, batch, run->q, run->a) == 0;
    keep(run, chunk, run->a, run->shape.heads * run->shape.head_dim, run->attention);
    watch(run, true);
    well = well && ops->project_add(run->backend, 0, LINEAR_O, batch, run->a, run->x) == 0;
    watch(run, false);
    return well;
}

/* o is replaced: x += W_o a is final. */
static bool gate_up_chunk(struct layer_run *run, const struct chunk *chunk)
{
    const struct backend_batch *batch = &chunk->batch;
    fetch(run, chunk, run->hidden, run->shape.hidden, run->x);
    fetch(run, chunk, run->attention, run->shape.heads * run->shape.head_dim, run->a);
    bool well = run->ops->project_add(run->backend, 0, LINEAR_O, batch, run->a, run->x) == 0;
    keep(run, chunk, run->x, run->shape.hidden, run->hidden);
    watch(run, true);
    well = well && run->ops->norm_gate_up(run->backend, 0, batch, run->x, run->h) == 0;
    watch(run, false);
    return well;
}

static bool project_down(struct layer_run *run, const struct chunk *chunk, bool watched)
{
    const struct backend_batch *batch = &chunk->batch;
    fetch(run, chunk, run->hidden, run->shape.hidden, run->x);
    bool well = run->ops->norm_gate_up(run->backend, 0, batch, run->x, run->h) == 0;
    watch(run, watched);
    well = well && run->ops->project_add(run->backend, 0, LINEAR_DOWN, batch, run->h, run->x) == 0;
    watch(run, false);
    return well;
}

static bool down_chunk(struct layer_run *run, const struct chunk *chunk)
{
    return project_down(run, chunk, true);
}

static bool finish_chunk(struct layer_run *run, const struct chunk *chunk)
{
    bool well = project_down(run, chunk, false);
    keep(run, chunk, run->x, run->shape.hidden, run->hidden);
    return well;
}

static int one_sample(struct layer_run *run, uint32_t sample, chunk_work *work, uint64_t row_cost,
                      struct error *error)
{
    const struct calibration *calibration = run->options.calibration;
    for (uint32_t at = 0, n; at < calibration->length; at += n) {
        const uint32_t *pages = run->pages;
        struct chunk chunk = {.first = (size_t)sample * calibration->length + at};
        n = calibration->length - at;
        n = n < run->shape.max_tokens ? n : run->shape.max_tokens;
        for (uint32_t i = 0; i < n; i++)
            run->positions[i] = at + i;
        chunk.batch = (struct backend_batch){
            n, calibration->ids + chunk.first, run->positions, run->sequences, &pages, 1};
        if (!work(run, &chunk))
            return step_failed(run, error);
        if (!run->options.advance(run->options.user, row_cost * n))
            return error_set(error, ERROR_CANCELLED, "stopped");
    }
    return 0;
}

static int all_samples(struct layer_run *run, chunk_work *work, uint64_t row_cost,
                       struct error *error)
{
    int result = 0;
    for (uint32_t sample = 0; sample < run->options.calibration->samples && result == 0; sample++)
        result = one_sample(run, sample, work, row_cost, error);
    return result;
}

/* --- the public part -------------------------------------------------------------------------- */

int layer_run_open(struct layer_run **out, const struct layer_run_options *options,
                   struct error *error)
{
    struct layer_run *run = xcalloc(1, sizeof *run);
    run->options = *options;
    run->ops = backend_cpu();
    make_shape(&run->shape, options->config, options->calibration->length);
    if (open_backend(run, error) == 0 && make_memory(run, error) == 0 &&
        all_samples(run, embed_chunk, 0, error) == 0) {
        *out = run;
        return 0;
    }
    layer_run_close(run);
    return -1;
}

void layer_run_close(struct layer_run *run)
{
    if (run == NULL)
        return;
    if (run->backend != NULL)
        run->ops->close(run->backend);
    free(run->hidden);
    free(run->attention);
    free(run->positions);
    free(run->sequences);
    free(run->pages);
    free(run);
}

int layer_run_load(struct layer_run *run, uint32_t layer, struct error *error)
{
    run->layer = layer;
    return load_layer(run, run->ops->replace_linear, error);
}

/* Products for each row: an equal part of the layer's. */
static uint64_t row_cost(const struct layer_run *run)
{
    uint64_t all = layer_run_products(run->options.config, run->options.calibration);
    return all / rows_of(run->options.calibration) / (LAYER_STAGES + 1);
}

int layer_run_gather(struct layer_run *run, enum layer_stage stage, struct gptq_inputs *inputs,
                     struct error *error)
{
    static chunk_work *const works[LAYER_STAGES] = {
        [STAGE_QKV] = qkv_chunk,
        [STAGE_O] = o_chunk,
        [STAGE_GATE_UP] = gate_up_chunk,
        [STAGE_DOWN] = down_chunk,
    };
    run->inputs = inputs;
    int result = all_samples(run, works[stage], row_cost(run), error);
    dense_finish_gram(run->options.dense);
    run->inputs = NULL;
    return result;
}

int layer_run_replace(struct layer_run *run, enum linear_slot slot, const float *weights,
                      struct error *error)
{
    struct weight_place place = place_of(run);
    struct backend_linear linear;
    struct backend_error reason = {0};
    int32_t *order = NULL;
    if (weights_linear(&linear, &place, slot, NULL, error) != 0 ||
        weights_linear_contents(&linear, &place, slot, &order, error) != 0)
        return -1;
    free(order);
    linear.dense = (struct backend_tensor){weights, BACKEND_F32, linear.out, linear.in};
    if (run->ops->replace_linear(run->backend, 0, slot, &linear, &reason) != 0)
        return failed(run, &reason, error);
    return 0;
}

int layer_run_finish(struct layer_run *run, struct error *error)
{
    return all_samples(run, finish_chunk, row_cost(run), error);
}
