#include "engine/infer/forward.h"

#include <stdlib.h>

#include "engine/base/alloc.h"

struct forward {
    const struct backend_ops *ops;
    struct backend *backend;
    struct backend_shape shape;
    struct backend_buffer *x; /* [n, hidden]            the residual stream */
    struct backend_buffer *q; /* [n, heads * head_dim] */
    struct backend_buffer *k; /* [n, kv_heads * head_dim] */
    struct backend_buffer *v; /* [n, kv_heads * head_dim] */
    struct backend_buffer *a; /* [n, heads * head_dim]  attention's result */
    struct backend_buffer *h; /* [n, ffn] */
};

static int create_buffers(struct forward *f, struct backend_error *reason)
{
    const struct backend_shape *s = &f->shape;
    const struct {
        struct backend_buffer **buffer;
        uint32_t cols;
    } table[] = {
        {&f->x, s->hidden},
        {&f->q, s->heads * s->head_dim},
        {&f->k, s->kv_heads * s->head_dim},
        {&f->v, s->kv_heads * s->head_dim},
        {&f->a, s->heads * s->head_dim},
        {&f->h, s->ffn},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
        if (f->ops->buffer_create(f->backend, table[i].cols, table[i].buffer, reason) != 0)
            return -1;
    return 0;
}

int forward_open(struct forward **out, const struct model *model, struct error *error)
{
    struct forward *forward = xcalloc(1, sizeof *forward);
    struct backend_error reason = {0};
    forward->ops = model->ops;
    forward->backend = model->backend;
    forward->shape = model->shape;
    if (create_buffers(forward, &reason) != 0) {
        free(forward);
        return error_set(error, reason.code == BACKEND_NO_MEMORY ? ERROR_MEMORY : ERROR_DEVICE,
                         "activation buffers: %s", reason.message);
    }
    *out = forward;
    return 0;
}

void forward_close(struct forward *forward)
{
    free(forward);
}

static bool stopped(const atomic_bool *cancel)
{
    return cancel != NULL && atomic_load_explicit(cancel, memory_order_relaxed);
}

/* One decoder layer; false when it was stopped or the backend failed. */
static bool decoder_layer(struct forward *f, uint32_t layer, const struct backend_batch *batch,
                          const atomic_bool *cancel)
{
    const struct backend_ops *ops = f->ops;
    struct backend *b = f->backend;

    /* q, k, v = W_qkv rmsnorm(x); k and v go into their pages; a = softmax(q k^T) v; x += W_o a */
    return ops->norm_qkv(b, layer, batch, f->x, f->q, f->k, f->v) == 0 && !stopped(cancel) &&
           ops->rope_append(b, layer, batch, f->q, f->k, f->v) == 0 &&
           ops->attend(b, layer, batch, f->q, f->a) == 0 && !stopped(cancel) &&
           ops->project_add(b, layer, LINEAR_O, batch, f->a, f->x) == 0 && !stopped(cancel) &&

           /* h = silu(W_gate rmsnorm(x)) * (W_up rmsnorm(x)); x += W_down h */
           ops->norm_gate_up(b, layer, batch, f->x, f->h) == 0 && !stopped(cancel) &&
           ops->project_add(b, layer, LINEAR_DOWN, batch, f->h, f->x) == 0;
}

static int failed(const struct forward *f, struct error *error)
{
    return error_set(error, ERROR_DEVICE, "%s backend: %s", f->ops->name,
                     f->ops->last_error(f->backend));
}

int forward_layers(struct forward *f, const struct backend_batch *batch, const atomic_bool *cancel,
                   struct error *error)
{
    /* x = E[tokens]  [n, hidden] */
    bool running = f->ops->embed(f->backend, batch, f->x) == 0;
    for (uint32_t layer = 0; running && layer < f->shape.layers && !stopped(cancel); layer++)
        running = decoder_layer(f, layer, batch, cancel);
    if (stopped(cancel))
        return error_set(error, ERROR_CANCELLED, "stopped");
    if (!running)
        return failed(f, error);
    return 0;
}

int forward_head(struct forward *f, const uint32_t *rows, uint32_t count, const float **logits,
                 struct error *error)
{
    /* logits = W_head rmsnorm(x[rows])  [count, vocab] */
    return f->ops->head(f->backend, rows, count, f->x, logits) == 0 ? 0 : failed(f, error);
}

bool forward_has_best(const struct forward *f)
{
    return f->ops->head_best != NULL;
}

int forward_head_best(struct forward *f, const uint32_t *rows, uint32_t count, uint32_t limit,
                      const struct backend_candidate **best, const uint32_t **counts,
                      struct error *error)
{
    /* the largest of the same logits */
    return f->ops->head_best(f->backend, rows, count, limit, f->x, best, counts) == 0
               ? 0
               : failed(f, error);
}
