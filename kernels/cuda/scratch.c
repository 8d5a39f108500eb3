/*
 * scratch.c - everything that steps write and that is no page: activation buffers, the kernels'
 * scratch, logits. All of it is made when the last weight is in; a step allocates nothing.
 */
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/host.h"
#include "kernels/cuda/prefill.h"

/* What the driver and cuBLAS take for code and graphs, beside what is asked for here. */
#define OVERHEAD_BYTES ((uint64_t)256 << 20)

#define SLICE_BYTES ((uint64_t)64 << 20)
#define SLICE_LEAST ((uint64_t)1 << 20)

static uint64_t rounded(uint64_t inputs)
{
    return (inputs + GPU_CHUNK_INPUTS - 1) / GPU_CHUNK_INPUTS * GPU_CHUNK_INPUTS;
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* --- sizes ------------------------------------------------------------------------------------ */

/* A layer of this size as the kernels' scratch functions see it. */
static size_t linear_scratch_of(const struct backend *backend, const struct device *device,
                                const struct gpu_linear *const *linears, uint32_t count, uint32_t n,
                                enum gpu_finish finish)
{
    struct gpu_linear_call call = linear_call(backend, device, n);
    call.count = count;
    call.finish = finish;
    for (uint32_t i = 0; i < count; i++) {
        call.linear[i] = linears[i];
        call.out_stride[i] = linears[i]->out;
    }
    return gpu_linear_scratch(&call);
}

/* The largest that a launch over any of a layer's linears asks for, alone or together. */
static size_t layer_scratch(const struct backend *backend, const struct device *device,
                            const struct gpu_linear linear[LINEAR_SLOTS])
{
    const struct gpu_linear *const qkv[] = {&linear[LINEAR_Q], &linear[LINEAR_K],
                                            &linear[LINEAR_V]};
    const struct gpu_linear *const gate_up[] = {&linear[LINEAR_GATE], &linear[LINEAR_UP]};
    const uint32_t n = GPU_DECODE_TOKENS;
    size_t most = linear_scratch_of(backend, device, qkv, 3, n, GPU_STORE);
    most = larger(most, linear_scratch_of(backend, device, qkv, 2, n, GPU_STORE));
    most = larger(most, linear_scratch_of(backend, device, gate_up, 2, n, GPU_SILU_MUL));
    for (int slot = 0; slot < LINEAR_SLOTS; slot++) {
        const struct gpu_linear *one = &linear[slot];
        enum gpu_finish finish = slot == LINEAR_O || slot == LINEAR_DOWN ? GPU_ADD : GPU_STORE;
        most = larger(most, linear_scratch_of(backend, device, &one, 1, n, finish));
    }
    return most;
}

static size_t head_scratch(const struct backend *backend, const struct device *device,
                           const struct gpu_linear *head)
{
    uint32_t rows = backend->shape.max_head_rows;
    return linear_scratch_of(backend, device, &head, 1,
                             rows < GPU_DECODE_TOKENS ? rows : GPU_DECODE_TOKENS, GPU_STORE);
}

static size_t attend_scratch(const struct backend *backend)
{
    const struct backend_shape *shape = &backend->shape;
    struct gpu_attend_call call = {
        .batch = {.n = GPU_DECODE_TOKENS,
                  .runs = GPU_DECODE_TOKENS,
                  .max_position = shape->max_positions - 1},
        .heads = shape->heads,
        .a_stride = (size_t)shape->heads * shape->head_dim,
    };
    gpu_kv_layout(&call.kv, shape, KV_F16);
    return gpu_attend_scratch(&call);
}

/* The longest packed row of the layers that read a written row of `in` values (O, DOWN), or of
 * those that read x (`in` 0). */
static uint32_t longest_row(const struct backend *backend, uint32_t in)
{
    uint32_t longest = 0;
    for (uint32_t layer = 0; layer < backend->shape.layers; layer++)
        for (int slot = 0; slot < LINEAR_SLOTS; slot++) {
            const struct gpu_linear *linear = &backend->layers[layer].linear[slot];
            bool written = slot == LINEAR_O || slot == LINEAR_DOWN;
            if ((in == 0 ? !written : written && linear->in == in) && linear->k > longest)
                longest = linear->k;
        }
    return longest;
}

/* Room to widen as much at once as keeps the device busy, or the largest layer where that is less.
 */
static size_t slice_bytes(const struct backend_shape *shape)
{
    uint64_t wide = (uint64_t)shape->heads * shape->head_dim;
    uint64_t most = larger(larger(shape->hidden, shape->ffn), wide);
    uint64_t largest = 2 * (rounded(most) * 2) * rounded(larger(shape->hidden, wide));
    return (size_t)(largest < SLICE_LEAST   ? SLICE_LEAST
                    : largest < SLICE_BYTES ? largest
                                            : SLICE_BYTES);
}

static struct gpu_prefill_sizes prefill_sizes(const struct backend *backend, uint32_t k_max)
{
    return (struct gpu_prefill_sizes){
        .max_tokens = backend->shape.max_tokens,
        .k_max = k_max,
        .ffn = backend->shape.ffn,
        .slice_bytes = slice_bytes(&backend->shape),
    };
}

static bool has_prefill(const struct backend *backend)
{
    return backend->shape.max_tokens > GPU_DECODE_TOKENS;
}

static uint64_t buffer_bytes(const struct backend *backend, uint32_t cols, uint64_t stride)
{
    return backend->shape.max_tokens * larger(4ull * cols, 2 * stride);
}

/* A layer of the model's shape, as it would be loaded from a file in order. */
static void plain_linears(const struct backend_shape *shape, struct gpu_linear *linear)
{
    const uint32_t wide = shape->heads * shape->head_dim, kv = shape->kv_heads * shape->head_dim;
    const uint32_t table[LINEAR_SLOTS][2] = {
        {shape->hidden, wide},       {shape->hidden, kv},         {shape->hidden, kv},
        {wide, shape->hidden},       {shape->hidden, shape->ffn}, {shape->hidden, shape->ffn},
        {shape->ffn, shape->hidden},
    };
    for (int slot = 0; slot < LINEAR_SLOTS; slot++)
        linear[slot] = (struct gpu_linear){
            .form = GPU_Q4,
            .in = table[slot][0],
            .out = table[slot][1],
            .k = (uint32_t)rounded(table[slot][0]),
            .tiles = (table[slot][1] + GPU_TILE_ROWS - 1) / GPU_TILE_ROWS,
        };
}

uint64_t gpu_scratch_each(const struct backend *backend)
{
    const struct backend_shape *shape = &backend->shape;
    const struct device *device = &backend->devices[0];
    uint32_t wide = shape->heads * shape->head_dim, kv = shape->kv_heads * shape->head_dim;
    const uint32_t cols[] = {shape->hidden, wide, kv, kv, wide, shape->ffn};
    struct gpu_linear linear[LINEAR_SLOTS];
    uint64_t each = OVERHEAD_BYTES;
    plain_linears(shape, linear);
    for (size_t i = 0; i < sizeof cols / sizeof cols[0]; i++)
        each += buffer_bytes(backend, cols[i], rounded(cols[i]));
    each += layer_scratch(backend, device, linear) + attend_scratch(backend) + batch_bytes(shape);
    if (has_prefill(backend)) {
        const struct gpu_prefill_sizes sizes =
            prefill_sizes(backend, (uint32_t)rounded(shape->hidden));
        each += gpu_prefill_bytes(&sizes);
    }
    return each;
}

uint64_t cuda_scratch_bytes(const struct backend *backend)
{
    const struct backend_shape *shape = &backend->shape;
    uint32_t rows = shape->max_head_rows;
    return gpu_scratch_each(backend) * backend->device_count +
           (uint64_t)rows * shape->vocab * sizeof(float) +
           gpu_best_scratch(rows, shape->vocab, BACKEND_CANDIDATES_MAX);
}

/* --- making ----------------------------------------------------------------------------------- */

static void *scratch_alloc(struct backend *backend, struct device *device, size_t bytes,
                           const char *what, struct backend_error *error)
{
    return gpu_alloc(backend, device, bytes, what, &backend->scratch_bytes, error);
}

static int all_loaded(const struct backend *backend, struct backend_error *error)
{
    for (uint32_t layer = 0; layer < backend->shape.layers; layer++) {
        const struct layer *l = &backend->layers[layer];
        for (int slot = 0; slot < LINEAR_SLOTS; slot++)
            if (l->order[slot] == NULL)
                return gpu_error(error, BACKEND_FAILED, "layer %u: linear %d is missing", layer,
                                 slot);
        if (l->norm[0] == NULL || l->norm[1] == NULL)
            return gpu_error(error, BACKEND_FAILED, "layer %u: a norm is missing", layer);
    }
    if (backend->embed == NULL || backend->head.data == NULL || backend->final_norm == NULL ||
        !backend->has_rope)
        return gpu_error(error, BACKEND_FAILED, "embedding, head, final norm or RoPE is missing");
    return 0;
}

static int open_prefill(struct backend *backend, struct device *device, struct backend_error *error)
{
    char message[200] = "";
    if (!has_prefill(backend))
        return 0;
    const struct gpu_prefill_sizes sizes = prefill_sizes(backend, longest_row(backend, 0));
    void *workspace = scratch_alloc(backend, device, gpu_prefill_bytes(&sizes), "prefill", error);
    if (workspace == NULL)
        return -1;
    if (gpu_prefill_open(&device->prefill, &sizes, workspace, device->stream, message) == 0)
        return 0;
    return gpu_error(error, BACKEND_FAILED, "%s: %.190s", device->name, message);
}

/* Somewhere gate and up cannot be one launch. */
static bool any_apart(const struct backend *backend, const struct device *device)
{
    for (uint32_t i = device->first_layer; i < device->end_layer; i++) {
        const struct gpu_linear *gate = &backend->layers[i].linear[LINEAR_GATE];
        const struct gpu_linear *up = &backend->layers[i].linear[LINEAR_UP];
        if (!linears_read_alike(gate, up))
            return true;
    }
    return false;
}

static int make_scratch(struct backend *backend, struct device *device, struct backend_error *error)
{
    size_t linear = 0, apart = GPU_DECODE_TOKENS * (size_t)backend->shape.ffn * sizeof(float);
    if (any_apart(backend, device)) {
        size_t rows = larger(backend->shape.max_tokens, GPU_DECODE_TOKENS);
        apart = rows * backend->shape.ffn * sizeof(float);
        device->gate = scratch_alloc(backend, device, apart, "activations", error);
        device->up = scratch_alloc(backend, device, apart, "activations", error);
        if (device->gate == NULL || device->up == NULL)
            return -1;
    }
    for (uint32_t i = device->first_layer; i < device->end_layer; i++)
        linear = larger(linear, layer_scratch(backend, device, backend->layers[i].linear));
    linear = larger(linear, head_scratch(backend, device, &backend->head));
    device->linear_scratch = scratch_alloc(backend, device, linear, "partial sums", error);
    device->attend_scratch =
        scratch_alloc(backend, device, attend_scratch(backend), "attention", error);
    device->batch = scratch_alloc(backend, device, batch_bytes(&backend->shape), "a batch", error);
    if (device->linear_scratch == NULL || device->attend_scratch == NULL || device->batch == NULL)
        return -1;
    return open_prefill(backend, device, error);
}

static int make_head(struct backend *backend, struct backend_error *error)
{
    struct device *device = &backend->devices[backend->device_count - 1];
    const size_t rows = backend->shape.max_head_rows, vocab = backend->shape.vocab;
    const size_t logits = rows * vocab * sizeof(float);
    const size_t best = rows * BACKEND_CANDIDATES_MAX * sizeof(struct gpu_candidate);
    const size_t counts = rows * sizeof(uint32_t);
    backend->logits = scratch_alloc(backend, device, logits, "logits", error);
    backend->best = scratch_alloc(backend, device, best, "the best tokens", error);
    backend->best_counts = scratch_alloc(backend, device, counts, "the best tokens", error);
    backend->best_scratch = scratch_alloc(
        backend, device, gpu_best_scratch((uint32_t)rows, (uint32_t)vocab, BACKEND_CANDIDATES_MAX),
        "the best tokens", error);
    if (backend->logits == NULL || backend->best == NULL || backend->best_counts == NULL ||
        backend->best_scratch == NULL)
        return -1;
    backend->logits_pinned = pinned_alloc(backend, logits, "logits", error);
    backend->best_pinned = pinned_alloc(backend, best, "the best tokens", error);
    backend->best_counts_pinned = pinned_alloc(backend, counts, "the best tokens", error);
    backend->batch_pinned = pinned_alloc(backend, batch_bytes(&backend->shape), "a batch", error);
    return backend->logits_pinned != NULL && backend->best_pinned != NULL &&
                   backend->best_counts_pinned != NULL && backend->batch_pinned != NULL
               ? 0
               : -1;
}

int cuda_load_done(struct backend *backend, struct backend_error *error)
{
    if (backend->ready)
        return gpu_error(error, BACKEND_FAILED, "load_done comes twice");
    if (all_loaded(backend, error) != 0)
        return -1;
    for (uint32_t i = 0; i < backend->device_count; i++) {
        struct device *device = &backend->devices[i];
        if (gpu_check_load(backend, device, cudaSetDevice(device->id), "choosing the device",
                           error) != 0 ||
            gpu_check_load(backend, device, cudaStreamSynchronize(device->stream),
                           "repacking the weights", error) != 0)
            return -1;
        upload_close(device);
        if (make_scratch(backend, device, error) != 0)
            return -1;
    }
    if (make_head(backend, error) != 0)
        return -1;
    backend->step_capacity = 6 * backend->shape.layers + 4;
    backend->steps = calloc(backend->step_capacity, sizeof *backend->steps);
    if (backend->steps == NULL)
        return gpu_error(error, BACKEND_NO_MEMORY, "no memory for a list of steps");
    backend->ready = true;
    return 0;
}

int cuda_buffer_create(struct backend *backend, uint32_t cols, struct backend_buffer **out,
                       struct backend_error *error)
{
    *out = NULL;
    if (!backend->ready)
        return gpu_error(error, BACKEND_FAILED, "a buffer comes before load_done");
    struct backend_buffer *buffer = calloc(1, sizeof *buffer);
    if (buffer == NULL)
        return gpu_error(error, BACKEND_NO_MEMORY, "no memory for a buffer");
    buffer->cols = cols;
    buffer->stride = longest_row(backend, cols);
    buffer->next = backend->buffers;
    backend->buffers = buffer;
    for (uint32_t i = 0; i < backend->device_count; i++) {
        buffer->data[i] =
            scratch_alloc(backend, &backend->devices[i],
                          buffer_bytes(backend, cols, buffer->stride), "activations", error);
        if (buffer->data[i] == NULL)
            return -1;
    }
    *out = buffer;
    return 0;
}
