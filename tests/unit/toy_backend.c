#include "tests/unit/toy_backend.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/alloc.h"

struct backend_buffer {
    uint64_t *values; /* [max_tokens] */
    struct backend_buffer *next;
};

struct backend {
    struct backend_shape shape;
    struct toy_control control;
    uint64_t page_bytes;
    uint32_t logit_first, logit_few;
    uint64_t *pool; /* [layers][pages][KV_PAGE_TOKENS] */
    uint32_t pages;
    struct backend_buffer *buffers;
    float *logits;                  /* [max_head_rows, vocab] */
    struct backend_candidate *best; /* [max_head_rows, BACKEND_CANDIDATES_MAX] */
    uint32_t *counts;               /* [max_head_rows] */
};

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t z = (a ^ b * 0x9E3779B97F4A7C15u) + 0x632BE59BD9B4E019u;
    z = (z ^ z >> 31) * 0xD6E8FEB86659FD93u;
    return z ^ z >> 32;
}

static uint64_t key_of(uint64_t x, uint32_t layer, uint32_t position)
{
    return mix(mix(x, layer + 1), position);
}

/* The step's time and failure, as the test set them. */
static int toy_step(struct backend *b)
{
    unsigned ms = atomic_load(&b->control.step_ms);
    if (ms > 0) {
        struct timespec time = {ms / 1000, (long)(ms % 1000) * 1000000};
        nanosleep(&time, NULL);
    }
    int left = atomic_load(&b->control.fail_after);
    if (left > 0)
        atomic_store(&b->control.fail_after, left - 1);
    return left == 1 ? -1 : 0;
}

static void toy_close(struct backend *b)
{
    while (b->buffers != NULL) {
        struct backend_buffer *buffer = b->buffers;
        b->buffers = buffer->next;
        free(buffer->values);
        free(buffer);
    }
    free(b->pool);
    free(b->logits);
    free(b->best);
    free(b->counts);
    free(b);
}

static const char *toy_describe(const struct backend *b)
{
    (void)b;
    return "toy";
}

static uint64_t toy_page_bytes(const struct backend_shape *shape, enum kv_type type)
{
    (void)type;
    return shape->ffn; /* toy_model hides the wanted size there */
}

static int toy_kv_create(struct backend *b, enum kv_type type, uint32_t pages,
                         struct backend_error *error)
{
    (void)type;
    (void)error;
    size_t values = (size_t)b->shape.layers * pages * KV_PAGE_TOKENS;
    b->pool = xreallocarray(b->pool, values, sizeof *b->pool);
    memset(b->pool, 0xA5, values * sizeof *b->pool);
    b->pages = pages;
    return 0;
}

static uint64_t *slot(const struct backend *b, uint32_t layer, uint32_t page, uint32_t position)
{
    size_t row = (size_t)layer * b->pages + page;
    return &b->pool[row * KV_PAGE_TOKENS + position % KV_PAGE_TOKENS];
}

static int toy_copy_page(struct backend *b, uint32_t from, uint32_t to, uint32_t tokens)
{
    if (from >= b->pages || to >= b->pages || from == to || tokens > KV_PAGE_TOKENS)
        return -1;
    for (uint32_t layer = 0; layer < b->shape.layers; layer++)
        memcpy(slot(b, layer, to, 0), slot(b, layer, from, 0), tokens * sizeof(uint64_t));
    atomic_fetch_add(&b->control.copies, 1);
    return 0;
}

static const char *toy_kv_format(const struct backend *b)
{
    (void)b;
    return "toy 1";
}

static int toy_export_page(const struct backend *b, uint32_t page, void *bytes)
{
    size_t row = KV_PAGE_TOKENS * sizeof(uint64_t);
    if (page >= b->pages || b->shape.layers * row > b->shape.ffn)
        return -1;
    memset(bytes, 0x5A, b->shape.ffn);
    for (uint32_t layer = 0; layer < b->shape.layers; layer++)
        memcpy((char *)bytes + layer * row, slot(b, layer, page, 0), row);
    return 0;
}

static int toy_import_page(struct backend *b, uint32_t page, const void *bytes)
{
    size_t row = KV_PAGE_TOKENS * sizeof(uint64_t);
    if (page >= b->pages || b->shape.layers * row > b->shape.ffn)
        return -1;
    for (uint32_t layer = 0; layer < b->shape.layers; layer++)
        memcpy(slot(b, layer, page, 0), (const char *)bytes + layer * row, row);
    atomic_fetch_add(&b->control.imports, 1);
    return 0;
}

static int toy_buffer_create(struct backend *b, uint32_t cols, struct backend_buffer **out,
                             struct backend_error *error)
{
    (void)cols;
    (void)error;
    struct backend_buffer *buffer = xcalloc(1, sizeof *buffer);
    buffer->values = xcalloc(b->shape.max_tokens, sizeof *buffer->values);
    buffer->next = b->buffers;
    b->buffers = buffer;
    *out = buffer;
    return 0;
}

static int toy_embed(struct backend *b, const struct backend_batch *batch, struct backend_buffer *x)
{
    if (batch->n == 0 || batch->n > b->shape.max_tokens)
        return -1;
    for (uint32_t i = 0; i < batch->n; i++)
        x->values[i] = (uint64_t)batch->tokens[i];
    atomic_fetch_add(&b->control.rows, batch->n);
    if (batch->n > atomic_load(&b->control.widest))
        atomic_store(&b->control.widest, batch->n);
    return toy_step(b);
}

static int toy_norm_qkv(struct backend *b, uint32_t layer, const struct backend_batch *batch,
                        const struct backend_buffer *x, struct backend_buffer *q,
                        struct backend_buffer *k, struct backend_buffer *v)
{
    (void)v;
    for (uint32_t i = 0; i < batch->n; i++) {
        q->values[i] = x->values[i];
        k->values[i] = key_of(x->values[i], layer, batch->positions[i]);
    }
    return toy_step(b);
}

static const uint32_t *table_of(const struct backend_batch *batch, uint32_t row)
{
    return batch->page_tables[batch->sequences[row]];
}

static int toy_rope_append(struct backend *b, uint32_t layer, const struct backend_batch *batch,
                           struct backend_buffer *q, const struct backend_buffer *k,
                           const struct backend_buffer *v)
{
    (void)q;
    (void)v;
    for (uint32_t i = 0; i < batch->n; i++) {
        uint32_t position = batch->positions[i];
        *slot(b, layer, table_of(batch, i)[position / KV_PAGE_TOKENS], position) = k->values[i];
    }
    return toy_step(b);
}

static int toy_attend(struct backend *b, uint32_t layer, const struct backend_batch *batch,
                      const struct backend_buffer *q, struct backend_buffer *a)
{
    for (uint32_t i = 0; i < batch->n; i++) {
        uint64_t sum = q->values[i];
        for (uint32_t p = 0; p <= batch->positions[i]; p++)
            sum = mix(sum, *slot(b, layer, table_of(batch, i)[p / KV_PAGE_TOKENS], p));
        a->values[i] = sum;
    }
    return toy_step(b);
}

static int toy_project_add(struct backend *b, uint32_t layer, enum linear_slot linear,
                           const struct backend_batch *batch, const struct backend_buffer *in,
                           struct backend_buffer *x)
{
    (void)layer;
    for (uint32_t i = 0; i < batch->n; i++)
        x->values[i] = mix(x->values[i], in->values[i] + linear);
    return toy_step(b);
}

static int toy_norm_gate_up(struct backend *b, uint32_t layer, const struct backend_batch *batch,
                            const struct backend_buffer *x, struct backend_buffer *h)
{
    for (uint32_t i = 0; i < batch->n; i++)
        h->values[i] = mix(x->values[i], layer);
    return toy_step(b);
}

static void expand(const struct backend *b, uint64_t x, float *logits)
{
    for (uint32_t id = 0; id < b->shape.vocab; id++) {
        logits[id] = (float)(mix(x, id) >> 40) * 0x1p-20f;
        if (id < b->logit_first || (b->logit_few > 0 && id >= b->logit_first + b->logit_few))
            logits[id] -= 100;
    }
}

static int toy_head(struct backend *b, const uint32_t *rows, uint32_t count,
                    const struct backend_buffer *x, const float **logits)
{
    if (count > b->shape.max_head_rows)
        return -1;
    for (uint32_t i = 0; i < count; i++)
        expand(b, x->values[rows[i]], b->logits + (size_t)i * b->shape.vocab);
    *logits = b->logits;
    atomic_fetch_add(&b->control.heads, 1);
    return toy_step(b);
}

/* Inserts one into the best [have], sorted, of which at most `limit` are kept. */
static uint32_t keep(struct backend_candidate *best, uint32_t have, uint32_t limit,
                     struct backend_candidate one)
{
    uint32_t at = have;
    if (have == limit && best[have - 1].logit >= one.logit)
        return have;
    have -= have == limit;
    for (at = have; at > 0 && best[at - 1].logit < one.logit; at--)
        best[at] = best[at - 1];
    best[at] = one;
    return have + 1;
}

static int toy_head_best(struct backend *b, const uint32_t *rows, uint32_t count, uint32_t limit,
                         const struct backend_buffer *x, const struct backend_candidate **best,
                         const uint32_t **counts)
{
    if (count > b->shape.max_head_rows || limit == 0 || limit > BACKEND_CANDIDATES_MAX)
        return -1;
    for (uint32_t i = 0; i < count; i++) {
        expand(b, x->values[rows[i]], b->logits);
        b->counts[i] = 0;
        for (uint32_t id = 0; id < b->shape.vocab; id++)
            b->counts[i] = keep(b->best + (size_t)i * limit, b->counts[i], limit,
                                (struct backend_candidate){(int32_t)id, b->logits[id]});
    }
    *best = b->best;
    *counts = b->counts;
    atomic_fetch_add(&b->control.bests, 1);
    return toy_step(b);
}

static const char *toy_last_error(const struct backend *b)
{
    (void)b;
    return "the toy broke";
}

/* What both tables have. */
#define TOY_STEPS                                                                                  \
    .abi = BACKEND_ABI, .name = "toy", .close = toy_close, .describe = toy_describe,               \
    .kv_page_bytes = toy_page_bytes, .kv_create = toy_kv_create, .kv_copy_page = toy_copy_page,    \
    .kv_format = toy_kv_format, .kv_export_page = toy_export_page,                                 \
    .kv_import_page = toy_import_page, .buffer_create = toy_buffer_create, .embed = toy_embed,     \
    .norm_qkv = toy_norm_qkv, .rope_append = toy_rope_append, .attend = toy_attend,                \
    .project_add = toy_project_add, .norm_gate_up = toy_norm_gate_up, .head = toy_head,            \
    .last_error = toy_last_error

static const struct backend_ops toy_ops = {TOY_STEPS};
static const struct backend_ops toy_best_ops = {TOY_STEPS, .head_best = toy_head_best};

static uint32_t or_else(uint32_t value, uint32_t otherwise)
{
    return value != 0 ? value : otherwise;
}

struct model *toy_model(const struct toy_options *options)
{
    struct model *model = xcalloc(1, sizeof *model);
    struct backend *backend = xcalloc(1, sizeof *backend);
    model->ops = options->head_best ? &toy_best_ops : &toy_ops;
    model->backend = backend;
    model->directory = xstrdup("models/toy/");
    model->context = or_else(options->context, 512);
    model->chunk = or_else(options->chunk, 64);
    model->shape = (struct backend_shape){
        .layers = or_else(options->layers, 2),
        .heads = 1,
        .kv_heads = 1,
        .head_dim = 2,
        .hidden = 2,
        .ffn = options->page_bytes != 0 ? (uint32_t)options->page_bytes : 1024,
        .vocab = or_else(options->vocab, 300),
        .max_tokens = model->chunk,
        .max_head_rows = or_else(options->max_head_rows, 4),
        .max_positions = model->context,
        .page_tokens = KV_PAGE_TOKENS,
    };
    if (options->tokenizer != NULL &&
        tokenizer_open(&model->tokenizer, options->tokenizer, 1000000, NULL) == 0)
        model->shape.vocab = tokenizer_size(model->tokenizer);
    model->config.vocab = model->shape.vocab;
    model->config.eos_id = -1;
    backend->shape = model->shape;
    backend->logit_first = options->logit_first;
    backend->logit_few = options->logit_few;
    backend->logits =
        xcalloc((size_t)model->shape.max_head_rows * model->shape.vocab, sizeof *backend->logits);
    backend->best =
        xcalloc((size_t)model->shape.max_head_rows * BACKEND_CANDIDATES_MAX, sizeof *backend->best);
    backend->counts = xcalloc(model->shape.max_head_rows, sizeof *backend->counts);
    return model;
}

void toy_model_free(struct model *model)
{
    model->ops->close(model->backend);
    tokenizer_close(model->tokenizer);
    free(model->directory);
    free(model);
}

struct toy_control *toy_control(const struct model *model)
{
    return &model->backend->control;
}

void toy_logits(const struct model *model, const int32_t *tokens, uint32_t count, float *logits)
{
    uint64_t *x = xcalloc(count, sizeof *x), *keys = xcalloc(count, sizeof *keys);
    for (uint32_t i = 0; i < count; i++)
        x[i] = (uint64_t)tokens[i];
    for (uint32_t layer = 0; layer < model->shape.layers; layer++)
        for (uint32_t i = 0; i < count; i++) {
            keys[i] = key_of(x[i], layer, i);
            uint64_t sum = x[i];
            for (uint32_t p = 0; p <= i; p++)
                sum = mix(sum, keys[p]);
            x[i] = mix(x[i], sum + LINEAR_O);
            x[i] = mix(x[i], mix(x[i], layer) + LINEAR_DOWN);
        }
    expand(model->backend, x[count - 1], logits);
    free(x);
    free(keys);
}
