/*
 * load.c - host tensors -> the backend's own weights. The engine has checked the file; what could
 * make a kernel read outside its buffers is checked here once more.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/half.h"
#include "kernels/cpu/pack.h"
#include "kernels/cpu/thread_pool.h"

static size_t dtype_bytes(enum backend_dtype dtype)
{
    return dtype == BACKEND_F32 ? 4 : 2;
}

static bool dtype_known(enum backend_dtype dtype)
{
    return dtype == BACKEND_F32 || dtype == BACKEND_F16 || dtype == BACKEND_BF16;
}

static void to_f32(float *out, const void *data, enum backend_dtype dtype, size_t count)
{
    if (dtype == BACKEND_F32) {
        memcpy(out, data, count * sizeof *out);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        uint16_t half;
        memcpy(&half, (const uint8_t *)data + 2 * i, 2);
        out[i] = dtype == BACKEND_F16 ? f32_of_f16(half) : f32_of_bf16(half);
    }
}

/* --- linear layers ---------------------------------------------------------------------------- */

static void linear_shape(const struct backend_shape *shape, enum linear_slot slot, uint32_t *in,
                         uint32_t *out)
{
    uint32_t attention = shape->heads * shape->head_dim, kv = shape->kv_heads * shape->head_dim;
    const uint32_t table[LINEAR_SLOTS][2] = {
        [LINEAR_Q] = {shape->hidden, attention},
        [LINEAR_K] = {shape->hidden, kv},
        [LINEAR_V] = {shape->hidden, kv},
        [LINEAR_O] = {attention, shape->hidden},
        [LINEAR_GATE] = {shape->hidden, shape->ffn},
        [LINEAR_UP] = {shape->hidden, shape->ffn},
        [LINEAR_DOWN] = {shape->ffn, shape->hidden},
    };
    *in = table[slot][0];
    *out = table[slot][1];
}

static bool is_dense(const struct backend_linear *linear)
{
    return linear->dense.data != NULL || linear->qweight == NULL;
}

static int linear_check(const struct backend *backend, uint32_t layer, enum linear_slot slot,
                        const struct backend_linear *linear, struct backend_error *error)
{
    uint32_t in, out;
    if (layer >= backend->shape.layers || (unsigned)slot >= LINEAR_SLOTS)
        return cpu_error(error, BACKEND_FAILED, "no place for linear layer %u of layer %u",
                         (unsigned)slot, layer);
    linear_shape(&backend->shape, slot, &in, &out);
    if (linear->in != in || linear->out != out)
        return cpu_error(error, BACKEND_FAILED, "layer %u: linear %u is [%u, %u], not [%u, %u]",
                         layer, (unsigned)slot, linear->out, linear->in, out, in);
    const struct backend_tensor *bias = &linear->bias, *dense = &linear->dense;
    if (bias->data != NULL && ((size_t)bias->rows * bias->cols != out || !dtype_known(bias->dtype)))
        return cpu_error(error, BACKEND_FAILED, "layer %u: the bias is not [%u]", layer, out);
    if (dense->data != NULL)
        return dense->rows == out && dense->cols == in && dtype_known(dense->dtype)
                   ? 0
                   : cpu_error(error, BACKEND_FAILED, "layer %u: the weight is not [%u, %u]", layer,
                               out, in);
    if (linear->qweight == NULL || linear->qzeros == NULL || linear->scales == NULL)
        return cpu_error(error, BACKEND_FAILED, "layer %u: linear %u has no weights", layer,
                         (unsigned)slot);
    if (in % 8 != 0 || out % 8 != 0 || linear->groups == 0 || linear->groups > in ||
        (linear->g_idx == NULL && linear->group_size == 0) || linear->zero_offset > 1)
        return cpu_error(error, BACKEND_FAILED, "layer %u: [%u, %u] in %u groups of %u is not GPTQ",
                         layer, out, in, linear->groups, linear->group_size);
    return 0;
}

static size_t file_form_bytes(const struct backend_linear *linear)
{
    size_t in = linear->in, out = linear->out, groups = linear->groups;
    return 4 * (in / 8 * out + groups * (out / 8) + in) + 2 * groups * out;
}

/* The arrays of the file one behind the other, and g_idx written out. */
static int keep_file_form(struct cpu_linear *kept, const struct backend_linear *linear,
                          struct backend_error *error)
{
    size_t in = linear->in, out = linear->out, groups = linear->groups;
    size_t weights = in / 8 * out, zeros = groups * (out / 8);
    kept->form = FORM_FILE;
    kept->bytes = file_form_bytes(linear);
    kept->data = cpu_alloc(kept->bytes, "a 4-bit layer", error);
    if (kept->data == NULL)
        return -1;
    uint32_t *qweight = kept->data, *qzeros = qweight + weights, *g_idx = qzeros + zeros;
    uint16_t *scales = (uint16_t *)(g_idx + in);
    memcpy(qweight, linear->qweight, 4 * weights);
    memcpy(qzeros, linear->qzeros, 4 * zeros);
    memcpy(scales, linear->scales, 2 * groups * out);
    for (uint32_t i = 0; i < in; i++)
        g_idx[i] = i / (linear->group_size ? linear->group_size : 1);
    if (linear->g_idx != NULL)
        memcpy(g_idx, linear->g_idx, 4 * in);
    for (uint32_t i = 0; i < in; i++)
        if (g_idx[i] >= groups)
            return cpu_error(error, BACKEND_FAILED, "input %u is in group %u of %u", i, g_idx[i],
                             linear->groups);
    kept->qweight = qweight;
    kept->qzeros = qzeros;
    kept->g_idx = g_idx;
    kept->scales = scales;
    kept->groups = linear->groups;
    kept->zero_add = (int32_t)linear->zero_offset;
    return 0;
}

/* The layer's order, shared with an earlier layer when equal. */
static const struct cpu_order *find_order(struct backend *backend,
                                          const struct backend_linear *linear,
                                          struct backend_error *error)
{
    struct cpu_order *order = order_make(linear, error);
    if (order == NULL)
        return NULL;
    for (uint32_t i = backend->order_count; i-- > 0;)
        if (order_equal(order, backend->orders[i])) {
            order_free(order);
            return backend->orders[i];
        }
    if (backend->order_count == backend->order_capacity) {
        uint32_t capacity = 2 * backend->order_capacity + 16;
        void *grown = realloc(backend->orders, capacity * sizeof *backend->orders);
        if (grown == NULL) {
            order_free(order);
            cpu_error(error, BACKEND_NO_MEMORY, "no memory for %u orders", capacity);
            return NULL;
        }
        backend->orders = grown;
        backend->order_capacity = capacity;
    }
    backend->orders[backend->order_count++] = order;
    return order;
}

static int keep_dense(struct cpu_linear *kept, const struct backend_linear *linear,
                      struct backend_error *error)
{
    kept->form = FORM_DENSE;
    kept->dtype = linear->dense.dtype;
    kept->bytes = (size_t)linear->in * linear->out * dtype_bytes(kept->dtype);
    kept->data = cpu_alloc(kept->bytes, "a dense layer", error);
    if (kept->data == NULL)
        return -1;
    memcpy(kept->data, linear->dense.data, kept->bytes);
    return 0;
}

static int keep_bias(struct cpu_linear *kept, const struct backend_tensor *bias,
                     struct backend_error *error)
{
    if (bias->data == NULL)
        return 0;
    kept->bias = cpu_alloc((size_t)kept->strips * STRIP_ROWS * sizeof(float), "a bias", error);
    if (kept->bias == NULL)
        return -1;
    to_f32(kept->bias, bias->data, bias->dtype, kept->out);
    return 0;
}

uint64_t cpu_linear_bytes(const struct backend *backend, const struct backend_linear *linear)
{
    if (is_dense(linear))
        return (uint64_t)linear->in * linear->out * dtype_bytes(linear->dense.dtype);
    if (backend->kernels->form == FORM_FILE)
        return file_form_bytes(linear);
    return strips_bytes(linear->out, order_blocks(linear), true);
}

uint64_t cpu_table_bytes(const struct backend *backend, enum table_slot slot,
                         const struct backend_tensor *weight, bool tied)
{
    (void)backend;
    if (slot == TABLE_HEAD && tied) /* one copy serves both */
        return 0;
    return (uint64_t)weight->rows * weight->cols * dtype_bytes(weight->dtype);
}

int cpu_load_linear(struct backend *backend, uint32_t layer, enum linear_slot slot,
                    const struct backend_linear *linear, struct backend_error *error)
{
    if (linear_check(backend, layer, slot, linear, error) != 0)
        return -1;
    struct cpu_linear *kept = &backend->layers[layer].linear[slot];
    if (backend->ready)
        return cpu_error(error, BACKEND_FAILED, "linear %u of layer %u comes after load_done",
                         (unsigned)slot, layer);
    if (kept->form != FORM_ABSENT || kept->data != NULL)
        return cpu_error(error, BACKEND_FAILED, "layer %u: linear %u comes twice", layer,
                         (unsigned)slot);
    kept->in = linear->in;
    kept->out = linear->out;
    kept->strips = linear->out / STRIP_ROWS + (linear->out % STRIP_ROWS != 0);
    int result;
    if (linear->dense.data != NULL) {
        result = keep_dense(kept, linear, error);
    } else if (backend->kernels->form == FORM_FILE) {
        result = keep_file_form(kept, linear, error);
    } else {
        const struct cpu_order *order = find_order(backend, linear, error);
        result = order ? strips_pack(kept, linear, order, backend->pool, error) : -1;
    }
    if (result == 0)
        result = keep_bias(kept, &linear->bias, error);
    if (result == 0)
        backend->weight_bytes += kept->bytes;
    return result;
}

int cpu_replace_linear(struct backend *backend, uint32_t layer, enum linear_slot slot,
                       const struct backend_linear *linear, struct backend_error *error)
{
    if (linear_check(backend, layer, slot, linear, error) != 0)
        return -1;
    struct cpu_linear *kept = &backend->layers[layer].linear[slot];
    if (kept->form != FORM_DENSE || linear->dense.data == NULL)
        return cpu_error(error, BACKEND_FAILED, "layer %u: linear %u is not dense", layer,
                         (unsigned)slot);
    backend->weight_bytes -= kept->bytes;
    free(kept->data);
    free(kept->bias);
    kept->data = NULL;
    kept->bias = NULL;
    kept->bytes = 0;
    if (keep_dense(kept, linear, error) != 0 || keep_bias(kept, &linear->bias, error) != 0)
        return -1;
    backend->weight_bytes += kept->bytes;
    return 0;
}

/* --- the rest --------------------------------------------------------------------------------- */

int cpu_load_norm(struct backend *backend, uint32_t layer, enum norm_slot slot,
                  const struct backend_tensor *weight, struct backend_error *error)
{
    uint32_t hidden = backend->shape.hidden;
    if ((unsigned)slot > NORM_FINAL || (slot != NORM_FINAL && layer >= backend->shape.layers) ||
        weight->data == NULL || (size_t)weight->rows * weight->cols != hidden ||
        !dtype_known(weight->dtype))
        return cpu_error(error, BACKEND_FAILED, "layer %u: norm %u is not [%u]", layer,
                         (unsigned)slot, hidden);
    float **place = slot == NORM_FINAL ? &backend->final_norm : &backend->layers[layer].norm[slot];
    if (*place == NULL) {
        *place = cpu_alloc(hidden * sizeof **place, "a norm", error);
        if (*place == NULL)
            return -1;
        backend->weight_bytes += hidden * sizeof **place;
    }
    to_f32(*place, weight->data, weight->dtype, hidden);
    return 0;
}

int cpu_load_table(struct backend *backend, enum table_slot slot,
                   const struct backend_tensor *weight, struct backend_error *error)
{
    const struct backend_shape *shape = &backend->shape;
    struct cpu_table *table = slot == TABLE_EMBED ? &backend->embed : &backend->head;
    if (weight->data == NULL || weight->rows != shape->vocab || weight->cols != shape->hidden ||
        !dtype_known(weight->dtype) || table->data != NULL)
        return cpu_error(error, BACKEND_FAILED, "table %u is not one [%u, %u]", (unsigned)slot,
                         shape->vocab, shape->hidden);
    size_t bytes = (size_t)shape->vocab * shape->hidden * dtype_bytes(weight->dtype);
    const struct cpu_table *embed = &backend->embed;
    table->dtype = weight->dtype;
    table->bytes = bytes;
    if (slot == TABLE_HEAD && embed->data != NULL && embed->dtype == weight->dtype &&
        memcmp(embed->data, weight->data, bytes) == 0) { /* tied: one copy serves both */
        table->data = embed->data;
        table->borrowed = true;
        return 0;
    }
    table->data = cpu_alloc(bytes, slot == TABLE_EMBED ? "the embedding" : "the head", error);
    if (table->data == NULL)
        return -1;
    memcpy(table->data, weight->data, bytes);
    backend->weight_bytes += bytes;
    return 0;
}

int cpu_load_rope(struct backend *backend, const float *inv_freq, float scale,
                  struct backend_error *error)
{
    size_t bytes = backend->shape.head_dim / 2 * sizeof *inv_freq;
    for (uint32_t i = 0; i < backend->shape.head_dim / 2; i++)
        if (!isfinite(inv_freq[i]))
            return cpu_error(error, BACKEND_FAILED, "RoPE frequency %u is not finite", i);
    if (backend->inv_freq == NULL)
        backend->inv_freq = cpu_alloc(bytes, "the RoPE table", error);
    if (backend->inv_freq == NULL)
        return -1;
    memcpy(backend->inv_freq, inv_freq, bytes);
    backend->rope_scale = scale;
    return 0;
}

static int all_loaded(const struct backend *backend, struct backend_error *error)
{
    for (uint32_t layer = 0; layer < backend->shape.layers; layer++) {
        const struct cpu_layer *l = &backend->layers[layer];
        for (int slot = 0; slot < LINEAR_SLOTS; slot++)
            if (l->linear[slot].form == FORM_ABSENT)
                return cpu_error(error, BACKEND_FAILED, "layer %u: linear %d is missing", layer,
                                 slot);
        if (l->norm[0] == NULL || l->norm[1] == NULL)
            return cpu_error(error, BACKEND_FAILED, "layer %u: a norm is missing", layer);
    }
    if (backend->embed.data == NULL || backend->head.data == NULL || backend->final_norm == NULL ||
        backend->inv_freq == NULL)
        return cpu_error(error, BACKEND_FAILED, "embedding, head, final norm or RoPE is missing");
    return 0;
}

static void *scratch_alloc(struct backend *backend, size_t bytes, const char *what,
                           struct backend_error *error)
{
    void *memory = cpu_alloc(bytes, what, error);
    if (memory != NULL)
        backend->scratch_bytes += bytes;
    return memory;
}

/* Room for quantised activations in the longest order of any layer. */
static int alloc_acts(struct backend *backend, struct backend_error *error)
{
    uint32_t blocks = 0;
    for (uint32_t i = 0; i < backend->order_count; i++)
        if (backend->orders[i]->blocks > blocks)
            blocks = backend->orders[i]->blocks;
    size_t stride = (blocks + (size_t)15) & ~(size_t)15, n = backend->shape.max_tokens;
    for (int i = 0; i < ORDER_MAX && blocks > 0; i++) {
        struct cpu_acts *acts = &backend->scratch.acts[i];
        acts->value_stride = (size_t)blocks * BLOCK_INPUTS + 64;
        acts->block_stride = stride;
        acts->values = scratch_alloc(backend, n * acts->value_stride, "activations", error);
        acts->scales = scratch_alloc(backend, n * stride * sizeof(float), "activations", error);
        acts->negsums = scratch_alloc(backend, n * stride * sizeof(int32_t), "activations", error);
        if (acts->values == NULL || acts->scales == NULL || acts->negsums == NULL)
            return -1;
    }
    return 0;
}

int cpu_load_done(struct backend *backend, struct backend_error *error)
{
    const struct backend_shape *shape = &backend->shape;
    struct cpu_scratch *scratch = &backend->scratch;
    if (backend->ready)
        return cpu_error(error, BACKEND_FAILED, "load_done comes twice");
    if (all_loaded(backend, error) != 0 || alloc_acts(backend, error) != 0)
        return -1;
    size_t n = shape->max_tokens, rows = n > shape->max_head_rows ? n : shape->max_head_rows;
    scratch->normed =
        scratch_alloc(backend, rows * shape->hidden * sizeof(float), "activations", error);
    scratch->tiles = scratch_alloc(
        backend, (size_t)backend->threads * 4 * rows * STRIP_ROWS * sizeof(float), "tiles", error);
    scratch->logits = scratch_alloc(
        backend, (size_t)shape->max_head_rows * shape->vocab * sizeof(float), "logits", error);
    scratch->partials =
        scratch_alloc(backend, cpu_attend_scratch_bytes(backend), "attention", error);
    if (scratch->normed == NULL || scratch->tiles == NULL || scratch->logits == NULL ||
        scratch->partials == NULL)
        return -1;
    backend->ready = true;
    return 0;
}
