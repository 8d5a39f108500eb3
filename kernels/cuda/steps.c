/*
 * steps.c - the seam's steps: checked, then written down. In a decode-sized batch they wait for
 * head(), so that one graph holds them all; in a larger one each runs at once, and the first step
 * of a layer waits for the device to have come within PACE_LAYERS of it, so that a cancel between
 * layers stops the device as well.
 *
 * A batch of more than GPU_ATTEND_ROWS tokens runs, and is waited for, when its last layer is in:
 * it may have no head(), and the time it takes is measured.
 */
#include <string.h>

#include "kernels/cuda/host.h"

static bool decode_sized(const struct backend *backend)
{
    return backend->batch.n <= GPU_DECODE_TOKENS;
}

/* --- writing down ----------------------------------------------------------------------------- */

static int check(struct backend *backend, const char *name, uint32_t layer,
                 const struct backend_batch *batch)
{
    if (backend->failed)
        return -1;
    if (backend->batch.n == 0 || batch->n != backend->batch.n)
        return gpu_misuse(backend, name, "not the batch that embed was given");
    if (layer >= backend->shape.layers)
        return gpu_misuse(backend, name, "no such layer");
    return 0;
}

static struct step *next_step(struct backend *backend, enum step_kind kind, uint32_t layer)
{
    if (backend->step_count == backend->step_capacity)
        return NULL;
    struct step *step = &backend->steps[backend->step_count++];
    memset(step, 0, sizeof *step); /* the padding, too: steps are compared as bytes */
    step->kind = kind;
    step->layer = layer;
    return step;
}

static int too_many(struct backend *backend, const char *name)
{
    return gpu_misuse(backend, name, "more steps than the model has");
}

/* A step that has been written down: it waits, or runs now. */
static int written(struct backend *backend)
{
    if (decode_sized(backend))
        return 0;
    struct step step = backend->steps[--backend->step_count];
    return step_border(backend, &step) != 0 ? -1 : step_run(backend, &step);
}

/* The device may be PACE_LAYERS behind; `layer` is about to be given to it. */
static int keep_pace(struct backend *backend, uint32_t layer)
{
    struct device *device = device_of_layer(backend, layer);
    if (decode_sized(backend))
        return 0;
    return gpu_check(backend, device, cudaEventSynchronize(device->pace[layer % PACE_LAYERS]),
                     "a step");
}

static int mark_pace(struct backend *backend, uint32_t layer)
{
    struct device *device = device_of_layer(backend, layer);
    if (decode_sized(backend))
        return 0;
    return gpu_check(backend, device,
                     cudaEventRecord(device->pace[layer % PACE_LAYERS], device->stream), "a step");
}

/* --- running what waits ----------------------------------------------------------------------- */

int steps_flush(struct backend *backend)
{
    if (backend->failed)
        return -1;
    if (backend->step_count == 0)
        return 0;
    int result = backend->batch.uploaded ? 0 : batch_upload(backend);
    if (result == 0)
        result = graphs_run(backend);
    backend->step_count = 0;
    return result;
}

int steps_wait(struct backend *backend)
{
    for (uint32_t i = 0; i < backend->device_count && !backend->failed; i++) {
        struct device *device = &backend->devices[i];
        gpu_check(backend, device, cudaSetDevice(device->id), "choosing the device");
        gpu_check(backend, device, cudaStreamSynchronize(device->stream), "a step");
    }
    return backend->failed ? -1 : 0;
}

/* --- the steps -------------------------------------------------------------------------------- */

int cuda_embed(struct backend *backend, const struct backend_batch *batch, struct backend_buffer *x)
{
    if (steps_flush(backend) != 0)
        return -1;
    if (x->cols != backend->shape.hidden)
        return gpu_misuse(backend, "embed", "a buffer has the wrong width");
    if (batch_take(backend, batch) != 0)
        return -1;
    if (!decode_sized(backend) && batch_upload(backend) != 0)
        return -1;
    backend->at = 0;
    struct step *step = next_step(backend, STEP_EMBED, 0);
    if (step == NULL)
        return too_many(backend, "embed");
    step->x = x;
    return written(backend);
}

int cuda_norm_qkv(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                  const struct backend_buffer *x, struct backend_buffer *q,
                  struct backend_buffer *k, struct backend_buffer *v)
{
    const struct backend_shape *shape = &backend->shape;
    if (check(backend, "norm_qkv", layer, batch) != 0)
        return -1;
    if (x->cols != shape->hidden || q->cols != shape->heads * shape->head_dim ||
        k->cols != shape->kv_heads * shape->head_dim || v->cols != k->cols)
        return gpu_misuse(backend, "norm_qkv", "a buffer has the wrong width");
    if (keep_pace(backend, layer) != 0)
        return -1;
    struct step *step = next_step(backend, STEP_QKV, layer);
    if (step == NULL)
        return too_many(backend, "norm_qkv");
    step->x = x;
    step->q = q;
    step->k = k;
    step->v = v;
    return written(backend);
}

int cuda_rope_append(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                     struct backend_buffer *q, const struct backend_buffer *k,
                     const struct backend_buffer *v)
{
    const struct backend_shape *shape = &backend->shape;
    if (check(backend, "rope_append", layer, batch) != 0)
        return -1;
    if (q->cols != shape->heads * shape->head_dim || k->cols != shape->kv_heads * shape->head_dim ||
        v->cols != k->cols)
        return gpu_misuse(backend, "rope_append", "a buffer has the wrong width");
    struct step *step = next_step(backend, STEP_ROPE, layer);
    if (step == NULL)
        return too_many(backend, "rope_append");
    step->q = q;
    step->k = k;
    step->v = v;
    return written(backend);
}

/* In decode the step before, which rotates and appends, becomes part of this one. */
static struct step *attend_step(struct backend *backend, uint32_t layer,
                                const struct backend_buffer *q)
{
    if (!decode_sized(backend))
        return next_step(backend, STEP_ATTEND, layer);
    struct step *last = backend->step_count > 0 ? &backend->steps[backend->step_count - 1] : NULL;
    if (last == NULL || last->kind != STEP_ROPE || last->layer != layer || last->q != q)
        return NULL;
    last->kind = STEP_ATTEND;
    return last;
}

int cuda_attend(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                const struct backend_buffer *q, struct backend_buffer *a)
{
    const struct backend_shape *shape = &backend->shape;
    if (check(backend, "attend", layer, batch) != 0)
        return -1;
    if (q->cols != shape->heads * shape->head_dim || a->cols != q->cols)
        return gpu_misuse(backend, "attend", "a buffer has the wrong width");
    struct step *step = attend_step(backend, layer, q);
    if (step == NULL)
        return gpu_misuse(backend, "attend", "rope_append of the layer does not come before it");
    step->q = q;
    step->a = a;
    return written(backend);
}

/* The last layer is in. */
static int layers_end(struct backend *backend)
{
    if (!decode_sized(backend) || backend->batch.n <= GPU_ATTEND_ROWS)
        return 0;
    return steps_flush(backend) != 0 ? -1 : steps_wait(backend);
}

int cuda_project_add(struct backend *backend, uint32_t layer, enum linear_slot slot,
                     const struct backend_batch *batch, const struct backend_buffer *in,
                     struct backend_buffer *x)
{
    if (check(backend, "project_add", layer, batch) != 0)
        return -1;
    if (slot != LINEAR_O && slot != LINEAR_DOWN)
        return gpu_misuse(backend, "project_add", "no such layer");
    const struct gpu_linear *linear = &backend->layers[layer].linear[slot];
    if (in->cols != linear->in || x->cols != linear->out)
        return gpu_misuse(backend, "project_add", "a buffer has the wrong width");
    struct step *step = next_step(backend, STEP_PROJECT, layer);
    if (step == NULL)
        return too_many(backend, "project_add");
    step->slot = slot;
    step->x = x;
    step->a = in;
    if (written(backend) != 0 || (slot == LINEAR_DOWN && mark_pace(backend, layer) != 0))
        return -1;
    bool last = slot == LINEAR_DOWN && layer + 1 == backend->shape.layers;
    return last ? layers_end(backend) : 0;
}

int cuda_norm_gate_up(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                      const struct backend_buffer *x, struct backend_buffer *h)
{
    const struct backend_shape *shape = &backend->shape;
    if (check(backend, "norm_gate_up", layer, batch) != 0)
        return -1;
    if (x->cols != shape->hidden || h->cols != shape->ffn)
        return gpu_misuse(backend, "norm_gate_up", "a buffer has the wrong width");
    struct step *step = next_step(backend, STEP_GATE_UP, layer);
    if (step == NULL)
        return too_many(backend, "norm_gate_up");
    step->x = x;
    step->a = h;
    return written(backend);
}

/* --- head ------------------------------------------------------------------------------------- */

static int run_head(struct backend *backend, const char *name, const uint32_t *rows, uint32_t count,
                    uint32_t limit, const struct backend_buffer *x)
{
    if (backend->failed)
        return -1;
    if (backend->batch.n == 0 || count == 0 || count > backend->shape.max_head_rows ||
        x->cols != backend->shape.hidden)
        return gpu_misuse(backend, name, "no batch, or more rows than max_head_rows");
    for (uint32_t i = 0; i < count; i++)
        if (rows[i] >= backend->batch.n)
            return gpu_misuse(backend, name, "a row is not in the batch");
    struct step *step = next_step(backend, STEP_HEAD, 0);
    if (step == NULL)
        return too_many(backend, name);
    step->rows = count;
    step->limit = limit;
    step->x = x;
    batch_rows(backend, rows, count);
    int result = batch_upload(backend);
    if (result == 0 && decode_sized(backend))
        result = graphs_run(backend);
    else if (result == 0 && (result = step_border(backend, step)) == 0)
        result = step_run(backend, step);
    backend->step_count = 0;
    return result == 0 ? steps_wait(backend) : -1;
}

int cuda_head(struct backend *backend, const uint32_t *rows, uint32_t count,
              const struct backend_buffer *x, const float **logits)
{
    if (run_head(backend, "head", rows, count, 0, x) != 0)
        return -1;
    *logits = backend->logits_pinned;
    return 0;
}

int cuda_head_best(struct backend *backend, const uint32_t *rows, uint32_t count, uint32_t limit,
                   const struct backend_buffer *x, const struct backend_candidate **best,
                   const uint32_t **counts)
{
    _Static_assert(
        sizeof(struct backend_candidate) == sizeof(struct gpu_candidate) &&
            offsetof(struct backend_candidate, id) == offsetof(struct gpu_candidate, id) &&
            offsetof(struct backend_candidate, logit) == offsetof(struct gpu_candidate, logit),
        "the same struct under two names");
    if (limit == 0 || limit > BACKEND_CANDIDATES_MAX)
        return gpu_misuse(backend, "head_best", "more candidates than BACKEND_CANDIDATES_MAX");
    if (run_head(backend, "head_best", rows, count, limit, x) != 0)
        return -1;
    *best = (const struct backend_candidate *)(const void *)backend->best_pinned;
    *counts = backend->best_counts_pinned;
    return 0;
}
