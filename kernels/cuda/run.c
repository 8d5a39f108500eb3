/*
 * run.c - one step -> its launches. In decode a layer is five: norm and q, k, v; rotation and
 * attention; o_proj; norm, gate, up and their product; down_proj. Layers that read the same rows in
 * different orders take a launch each.
 */
#include "kernels/cuda/host.h"
#include "kernels/cuda/prefill.h"

static float *floats(const struct backend_buffer *buffer, const struct backend *backend,
                     const struct device *device)
{
    return buffer->data[device - backend->devices];
}

static uint16_t *halves(const struct backend_buffer *buffer, const struct backend *backend,
                        const struct device *device)
{
    return buffer->data[device - backend->devices];
}

/* --- devices ---------------------------------------------------------------------------------- */

struct device *step_device(struct backend *backend, const struct step *step)
{
    if (step->kind == STEP_EMBED)
        return &backend->devices[0];
    if (step->kind == STEP_HEAD)
        return &backend->devices[backend->device_count - 1];
    return device_of_layer(backend, step->layer);
}

/* x crosses on the stream of the device that takes it; the other one waits before it writes x
 * again. */
int step_border(struct backend *backend, const struct step *step)
{
    struct device *from = &backend->devices[backend->at], *to = step_device(backend, step);
    if (from == to || step->x == NULL)
        return 0;
    size_t bytes = (size_t)backend->batch.n * backend->shape.hidden * sizeof(float);
    const char *what = "passing x to the next device";
    if (gpu_check(backend, from, cudaSetDevice(from->id), what) != 0 ||
        gpu_check(backend, from, cudaEventRecord(from->ready, from->stream), what) != 0 ||
        gpu_check(backend, to, cudaSetDevice(to->id), what) != 0 ||
        gpu_check(backend, to, cudaStreamWaitEvent(to->stream, from->ready, 0), what) != 0 ||
        gpu_check(backend, to,
                  cudaMemcpyPeerAsync(floats(step->x, backend, to), to->id,
                                      floats(step->x, backend, from), from->id, bytes, to->stream),
                  what) != 0 ||
        gpu_check(backend, to, cudaEventRecord(to->taken, to->stream), what) != 0 ||
        gpu_check(backend, from, cudaSetDevice(from->id), what) != 0 ||
        gpu_check(backend, from, cudaStreamWaitEvent(from->stream, to->taken, 0), what) != 0)
        return -1;
    backend->at = (uint32_t)(to - backend->devices);
    return 0;
}

/* --- linear layers ---------------------------------------------------------------------------- */

struct gpu_linear_call linear_call(const struct backend *backend, const struct device *device,
                                   uint32_t n)
{
    return (struct gpu_linear_call){
        .n = n,
        .eps = backend->shape.norm_eps,
        .scratch = device->linear_scratch,
        .multiprocessors = device->multiprocessors,
        .shared_bytes = device->shared_bytes,
    };
}

static int run_linear(struct backend *backend, struct device *device,
                      const struct gpu_linear_call *call, const char *what)
{
    if (call->n <= GPU_DECODE_TOKENS)
        return gpu_check(backend, device, gpu_linear_launch(call, device->stream), what);
    cudaError_t result = gpu_prefill_linear(device->prefill, call, device->stream);
    const char *message = gpu_prefill_error(device->prefill);
    return gpu_check(backend, device, result,
                     result == cudaErrorUnknown && message != NULL ? message : what);
}

bool linears_read_alike(const struct gpu_linear *a, const struct gpu_linear *b)
{
    return a->order == b->order && a->form == b->form && a->k == b->k &&
           a->has_zeros == b->has_zeros;
}

/* Layers linear[i] -> out[i], each run of those that read alike in one launch. */
static int run_stores(struct backend *backend, struct device *device,
                      const struct gpu_linear_call *base, const struct gpu_linear *const *linear,
                      float *const *out, uint32_t count, const char *what)
{
    for (uint32_t first = 0, end; first < count; first = end) {
        struct gpu_linear_call call = *base;
        call.finish = GPU_STORE;
        for (end = first; end < count && linears_read_alike(linear[first], linear[end]); end++) {
            call.linear[call.count] = linear[end];
            call.out[call.count] = out[end];
            call.out_stride[call.count++] = linear[end]->out;
        }
        if (run_linear(backend, device, &call, what) != 0)
            return -1;
    }
    return 0;
}

static int run_qkv(struct backend *backend, struct device *device, const struct step *step)
{
    const struct layer *layer = &backend->layers[step->layer];
    const struct gpu_linear *const linear[] = {&layer->linear[LINEAR_Q], &layer->linear[LINEAR_K],
                                               &layer->linear[LINEAR_V]};
    float *const out[] = {floats(step->q, backend, device), floats(step->k, backend, device),
                          floats(step->v, backend, device)};
    struct gpu_linear_call call = linear_call(backend, device, backend->batch.n);
    call.x = floats(step->x, backend, device);
    call.x_stride = step->x->cols;
    call.norm = layer->norm[NORM_ATTENTION];
    return run_stores(backend, device, &call, linear, out, 3, "q, k and v");
}

/* Rows of f16 for O or DOWN, where other layers wrote to what is padding in this one. */
static int clear_padding(struct backend *backend, struct device *device, enum linear_slot slot,
                         const struct backend_buffer *rows)
{
    if (!backend->ragged[slot])
        return 0;
    size_t bytes = backend->batch.n * rows->stride * sizeof(uint16_t);
    return gpu_check(backend, device,
                     cudaMemsetAsync(halves(rows, backend, device), 0, bytes, device->stream),
                     "clearing activations");
}

/* gate and up cannot share a launch: each to its scratch, then their product. */
static int run_gate_up_apart(struct backend *backend, struct device *device,
                             const struct step *step, const struct gpu_linear_call *base)
{
    const struct layer *layer = &backend->layers[step->layer];
    const struct gpu_linear *const linear[] = {&layer->linear[LINEAR_GATE],
                                               &layer->linear[LINEAR_UP]};
    float *const out[] = {device->gate, device->up};
    if (run_stores(backend, device, base, linear, out, 2, "gate and up") != 0)
        return -1;
    return gpu_check(backend, device,
                     gpu_silu_mul(halves(step->a, backend, device), step->a->stride,
                                  layer->linear[LINEAR_DOWN].inverse, device->gate, device->up,
                                  backend->shape.ffn, NULL, NULL, backend->shape.ffn,
                                  backend->batch.n, device->stream),
                     "gate and up");
}

static int run_gate_up(struct backend *backend, struct device *device, const struct step *step)
{
    const struct layer *layer = &backend->layers[step->layer];
    const struct gpu_linear *gate = &layer->linear[LINEAR_GATE], *up = &layer->linear[LINEAR_UP];
    struct gpu_linear_call call = linear_call(backend, device, backend->batch.n);
    call.x = floats(step->x, backend, device);
    call.x_stride = step->x->cols;
    call.norm = layer->norm[NORM_MLP];
    if (clear_padding(backend, device, LINEAR_DOWN, step->a) != 0)
        return -1;
    if (!linears_read_alike(gate, up))
        return run_gate_up_apart(backend, device, step, &call);
    call.linear[0] = gate;
    call.linear[1] = up;
    call.count = 2;
    call.finish = GPU_SILU_MUL;
    call.out[0] = halves(step->a, backend, device);
    call.out_stride[0] = step->a->stride;
    call.out_index = layer->linear[LINEAR_DOWN].inverse;
    return run_linear(backend, device, &call, "gate and up");
}

static int run_project(struct backend *backend, struct device *device, const struct step *step)
{
    struct gpu_linear_call call = linear_call(backend, device, backend->batch.n);
    call.linear[0] = &backend->layers[step->layer].linear[step->slot];
    call.count = 1;
    call.acts = halves(step->a, backend, device);
    call.acts_stride = step->a->stride;
    call.finish = GPU_ADD;
    call.out[0] = floats(step->x, backend, device);
    call.out_stride[0] = step->x->cols;
    return run_linear(backend, device, &call, step->slot == LINEAR_O ? "o_proj" : "down_proj");
}

/* --- attention -------------------------------------------------------------------------------- */

static struct gpu_attend_call attend_call(struct backend *backend, struct device *device,
                                          const struct step *step, bool decode)
{
    const struct layer *layer = &backend->layers[step->layer];
    return (struct gpu_attend_call){
        .batch = batch_on(backend, device, decode),
        .kv = backend->kv,
        .data = layer->pages,
        .rope = {device->inv_freq, backend->rope_scale},
        .heads = backend->shape.heads,
        .q = floats(step->q, backend, device),
        .k = step->k != NULL ? floats(step->k, backend, device) : NULL,
        .v = step->v != NULL ? floats(step->v, backend, device) : NULL,
        .a = step->a != NULL ? halves(step->a, backend, device) : NULL,
        .a_stride = step->a != NULL ? step->a->stride : 0,
        .a_index = layer->linear[LINEAR_O].inverse,
        .scratch = device->attend_scratch,
        .multiprocessor_shared = device->multiprocessor_shared,
    };
}

static int run_rope(struct backend *backend, struct device *device, const struct step *step)
{
    const struct gpu_attend_call call = attend_call(backend, device, step, false);
    if (call.batch.runs == 0)
        return 0;
    return gpu_check(backend, device, gpu_rope_append(&call, device->stream), "rope");
}

/* A step of decode rotates and appends as well; in prefill that has been done. */
static int run_attend(struct backend *backend, struct device *device, const struct step *step)
{
    const struct gpu_attend_call few = attend_call(backend, device, step, true);
    const struct gpu_attend_call many = attend_call(backend, device, step, false);
    if (clear_padding(backend, device, LINEAR_O, step->a) != 0)
        return -1;
    if (few.batch.runs > 0 &&
        gpu_check(backend, device, gpu_attend_launch(&few, device->stream), "attention") != 0)
        return -1;
    if (many.batch.runs == 0)
        return 0;
    if (step->k != NULL && run_rope(backend, device, step) != 0)
        return -1;
    return gpu_check(backend, device, gpu_attend_prefill(&many, device->stream), "attention");
}

/* --- the ends --------------------------------------------------------------------------------- */

static int run_embed(struct backend *backend, struct device *device, const struct step *step)
{
    const struct gpu_batch batch = batch_on(backend, device, true);
    return gpu_check(backend, device,
                     gpu_embed(floats(step->x, backend, device), step->x->cols, batch.tokens,
                               batch.n, backend->embed, backend->embed_dtype, backend->shape.hidden,
                               device->stream),
                     "the embedding");
}

static int to_host(struct backend *backend, struct device *device, void *to, const void *from,
                   size_t bytes)
{
    return gpu_check(backend, device,
                     cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToHost, device->stream),
                     "bringing the result");
}

static int run_best(struct backend *backend, struct device *device, const struct step *step)
{
    if (gpu_check(backend, device,
                  gpu_best(backend->best, backend->best_counts, backend->logits, step->rows,
                           backend->shape.vocab, step->limit, backend->best_scratch,
                           device->stream),
                  "the best tokens") != 0 ||
        to_host(backend, device, backend->best_pinned, backend->best,
                (size_t)step->rows * step->limit * sizeof *backend->best) != 0)
        return -1;
    return to_host(backend, device, backend->best_counts_pinned, backend->best_counts,
                   step->rows * sizeof *backend->best_counts);
}

static int run_head(struct backend *backend, struct device *device, const struct step *step)
{
    struct gpu_linear_call call = linear_call(backend, device, step->rows);
    call.linear[0] = &backend->head;
    call.count = 1;
    call.x = floats(step->x, backend, device);
    call.x_stride = step->x->cols;
    call.x_rows = batch_rows_on(device);
    call.norm = backend->final_norm;
    call.finish = GPU_STORE;
    call.out[0] = backend->logits;
    call.out_stride[0] = backend->shape.vocab;
    if (run_linear(backend, device, &call, "the head") != 0)
        return -1;
    if (step->limit > 0)
        return run_best(backend, device, step);
    return to_host(backend, device, backend->logits_pinned, backend->logits,
                   (size_t)step->rows * backend->shape.vocab * sizeof *backend->logits);
}

int step_run(struct backend *backend, const struct step *step)
{
    static int (*const table[])(struct backend *, struct device *, const struct step *) = {
        [STEP_EMBED] = run_embed,   [STEP_QKV] = run_qkv,         [STEP_ROPE] = run_rope,
        [STEP_ATTEND] = run_attend, [STEP_PROJECT] = run_project, [STEP_GATE_UP] = run_gate_up,
        [STEP_HEAD] = run_head,
    };
    struct device *device = step_device(backend, step);
    if (gpu_check(backend, device, cudaSetDevice(device->id), "choosing the device") != 0)
        return -1;
    return table[step->kind](backend, device, step);
}
