/*
 * load.c - host tensors -> weights on the devices. What could make a kernel read outside its
 * buffers is checked here; the repacking itself is done by the device (gpu_repack_*).
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/half.h"
#include "kernels/cuda/host.h"

#define ARENA_ALIGN ((size_t)256)

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

static uint32_t word_at(const void *words, size_t index)
{
    uint32_t word;
    memcpy(&word, (const uint8_t *)words + 4 * index, 4);
    return word;
}

/* --- sizes ------------------------------------------------------------------------------------ */

static uint32_t tiles_of(uint32_t out)
{
    return out / GPU_TILE_ROWS + (out % GPU_TILE_ROWS != 0);
}

static uint64_t dense_inputs(uint32_t in)
{
    return ((uint64_t)in + GPU_CHUNK_INPUTS - 1) / GPU_CHUNK_INPUTS * GPU_CHUNK_INPUTS;
}

/* See gpu.h: nibbles, a scale for 32 inputs of each output, and half a byte of zero beside it. */
static uint32_t chunk_bytes(enum gpu_form form, bool has_zeros)
{
    uint32_t weights = GPU_TILE_ROWS * GPU_CHUNK_INPUTS;
    return form == GPU_F16 ? 2 * weights
                           : weights / 2 + 2 * (weights / 32) + (has_zeros ? weights / 64 : 0);
}

static uint64_t form_bytes(enum gpu_form form, bool has_zeros, uint32_t out, uint64_t k)
{
    return (uint64_t)tiles_of(out) * (k / GPU_CHUNK_INPUTS) * chunk_bytes(form, has_zeros);
}

static bool is_dense(const struct backend_linear *linear)
{
    return linear->dense.data != NULL || linear->qweight == NULL;
}

/* Every stored zero is the same, as in symmetric quantisation. */
static bool zeros_all_equal(const struct backend_linear *linear)
{
    size_t words = (size_t)linear->groups * (linear->out / 8);
    uint32_t first = words > 0 ? word_at(linear->qzeros, 0) : 0;
    if (first != (first & 15) * 0x11111111u)
        return false;
    for (size_t i = 1; i < words; i++)
        if (word_at(linear->qzeros, i) != first)
            return false;
    return true;
}

/* Groups so small or so uneven that padding them to 32 takes more than 16 bits a weight. */
static bool better_dense(const struct backend_linear *linear, uint64_t k, bool has_zeros)
{
    return form_bytes(GPU_Q4, has_zeros, linear->out, k) >
           form_bytes(GPU_F16, false, linear->out, dense_inputs(linear->in));
}

uint64_t cuda_linear_bytes(const struct backend *backend, const struct backend_linear *linear)
{
    (void)backend;
    uint64_t bias = linear->bias.data != NULL ? tiles_of(linear->out) * 64ull : 0;
    if (is_dense(linear))
        return form_bytes(GPU_F16, false, linear->out, dense_inputs(linear->in)) + bias;
    bool has_zeros = !zeros_all_equal(linear);
    uint64_t k = gpu_order_inputs(linear);
    if (better_dense(linear, k, has_zeros))
        return form_bytes(GPU_F16, false, linear->out, dense_inputs(linear->in)) + bias;
    return form_bytes(GPU_Q4, has_zeros, linear->out, k) + bias;
}

uint64_t cuda_table_bytes(const struct backend *backend, enum table_slot slot,
                          const struct backend_tensor *weight, bool tied)
{
    (void)backend;
    (void)tied; /* the head is kept as tiles, so that a tied one is there twice */
    if (slot == TABLE_HEAD)
        return form_bytes(GPU_F16, false, weight->rows, dense_inputs(weight->cols));
    return (uint64_t)weight->rows * weight->cols * dtype_bytes(weight->dtype);
}

/* --- checks ----------------------------------------------------------------------------------- */

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

static int linear_check(const struct backend *backend, uint32_t layer, enum linear_slot slot,
                        const struct backend_linear *linear, struct backend_error *error)
{
    uint32_t in, out;
    if (layer >= backend->shape.layers || (unsigned)slot >= LINEAR_SLOTS)
        return gpu_error(error, BACKEND_FAILED, "no place for linear layer %u of layer %u",
                         (unsigned)slot, layer);
    if (backend->ready || backend->layers[layer].order[slot] != NULL)
        return gpu_error(error, BACKEND_FAILED, "layer %u: linear %u comes twice or too late",
                         layer, (unsigned)slot);
    linear_shape(&backend->shape, slot, &in, &out);
    if (linear->in != in || linear->out != out)
        return gpu_error(error, BACKEND_FAILED, "layer %u: linear %u is [%u, %u], not [%u, %u]",
                         layer, (unsigned)slot, linear->out, linear->in, out, in);
    const struct backend_tensor *bias = &linear->bias, *dense = &linear->dense;
    if (bias->data != NULL && ((size_t)bias->rows * bias->cols != out || !dtype_known(bias->dtype)))
        return gpu_error(error, BACKEND_FAILED, "layer %u: the bias is not [%u]", layer, out);
    if (dense->data != NULL)
        return dense->rows == out && dense->cols == in && dtype_known(dense->dtype)
                   ? 0
                   : gpu_error(error, BACKEND_FAILED, "layer %u: the weight is not [%u, %u]", layer,
                               out, in);
    if (linear->qweight == NULL || linear->qzeros == NULL || linear->scales == NULL)
        return gpu_error(error, BACKEND_FAILED, "layer %u: linear %u has no weights", layer,
                         (unsigned)slot);
    if (in % 8 != 0 || out % 8 != 0 || linear->groups == 0 || linear->groups > in ||
        (linear->g_idx == NULL &&
         (linear->group_size == 0 || (in - 1) / linear->group_size >= linear->groups)) ||
        linear->zero_offset > 1)
        return gpu_error(error, BACKEND_FAILED, "layer %u: [%u, %u] in %u groups of %u is not GPTQ",
                         layer, out, in, linear->groups, linear->group_size);
    return 0;
}

/* --- orders ----------------------------------------------------------------------------------- */

static void *upload_array(struct backend *backend, struct device *device, const void *array,
                          size_t bytes, const char *what, struct backend_error *error)
{
    void *memory = gpu_alloc(backend, device, bytes, what, &backend->weight_bytes, error);
    if (memory == NULL || upload_copy(backend, device, memory, array, bytes, error) != 0)
        return NULL;
    return memory;
}

/* Where each input stands among the packed ones. */
static int upload_inverse(struct backend *backend, struct device *device, struct order *order,
                          struct backend_error *error)
{
    int32_t *inverse = calloc(order->in, sizeof *inverse);
    if (inverse == NULL)
        return gpu_error(error, BACKEND_NO_MEMORY, "no memory for an order of inputs");
    for (uint32_t i = 0; i < order->k; i++)
        if (order->index[i] >= 0)
            inverse[order->index[i]] = (int32_t)i;
    order->inverse = upload_array(backend, device, inverse, order->in * sizeof *inverse,
                                  "an order of inputs", error);
    free(inverse);
    return order->inverse != NULL ? 0 : -1;
}

static int upload_order(struct backend *backend, struct device *device, struct order *order,
                        struct backend_error *error)
{
    order->on_device = upload_array(backend, device, order->index, order->k * sizeof *order->index,
                                    "an order of inputs", error);
    if (order->on_device == NULL)
        return -1;
    if (order->group != NULL) {
        order->group_on_device = upload_array(
            backend, device, order->group, order->k / 32 * sizeof *order->group, "groups", error);
        if (order->group_on_device == NULL)
            return -1;
    }
    return order->plain ? 0 : upload_inverse(backend, device, order, error);
}

static int keep_order(struct device *device, struct order *order, struct backend_error *error)
{
    if (device->order_count == device->order_capacity) {
        uint32_t capacity = 2 * device->order_capacity + 16;
        struct order **grown = realloc(device->orders, capacity * sizeof *grown);
        if (grown == NULL)
            return gpu_error(error, BACKEND_NO_MEMORY, "no memory for %u orders", capacity);
        device->orders = grown;
        device->order_capacity = capacity;
    }
    device->orders[device->order_count++] = order;
    return 0;
}

/* The layer's order, shared with an earlier layer of the device when equal. */
static struct order *find_order(struct backend *backend, struct device *device,
                                const struct backend_linear *linear, bool dense,
                                struct backend_error *error)
{
    struct order *order = gpu_order_make(linear, dense, error);
    if (order == NULL)
        return NULL;
    for (uint32_t i = device->order_count; i-- > 0;)
        if (gpu_order_equal(order, device->orders[i])) {
            gpu_order_free(order);
            return device->orders[i];
        }
    if (keep_order(device, order, error) != 0) {
        gpu_order_free(order);
        return NULL;
    }
    return upload_order(backend, device, order, error) == 0 ? order : NULL;
}

/* --- linear layers ---------------------------------------------------------------------------- */

static int linear_prepare(struct backend *backend, struct device *device, struct gpu_linear *kept,
                          const struct order *order, enum gpu_form form,
                          struct backend_error *error)
{
    kept->form = form;
    kept->k = order->k;
    kept->tiles = tiles_of(kept->out);
    kept->chunk_bytes = chunk_bytes(form, kept->has_zeros);
    kept->order = order->plain ? NULL : order->on_device;
    kept->inverse = order->inverse;
    kept->bytes = (size_t)form_bytes(form, kept->has_zeros, kept->out, kept->k);
    kept->data =
        gpu_alloc(backend, device, kept->bytes, "a linear layer", &backend->weight_bytes, error);
    return kept->data != NULL ? 0 : -1;
}

static int keep_dense(struct backend *backend, struct device *device, struct gpu_linear *kept,
                      const struct order *order, const struct backend_tensor *weight,
                      struct backend_error *error)
{
    size_t bytes = (size_t)weight->rows * weight->cols * dtype_bytes(weight->dtype);
    void *arena;
    if (linear_prepare(backend, device, kept, order, GPU_F16, error) != 0 ||
        (arena = upload_arena(backend, device, bytes, error)) == NULL ||
        upload_copy(backend, device, arena, weight->data, bytes, error) != 0)
        return -1;
    return gpu_check_load(backend, device,
                          gpu_repack_f16(kept, arena, weight->dtype, device->stream),
                          "repacking a dense layer", error);
}

/* A GPTQ layer written out as f16, [out, in]. */
static uint16_t *written_out(const struct backend_linear *linear, struct backend_error *error)
{
    uint16_t *halves = malloc((size_t)linear->in * linear->out * sizeof *halves);
    if (halves == NULL) {
        gpu_error(error, BACKEND_NO_MEMORY, "no memory to write a layer out");
        return NULL;
    }
    for (uint32_t i = 0; i < linear->in; i++) {
        uint32_t group = linear->g_idx != NULL ? word_at(linear->g_idx, i) : i / linear->group_size;
        for (uint32_t o = 0; o < linear->out; o++) {
            size_t zero_word = (size_t)group * (linear->out / 8) + o / 8;
            uint32_t q = word_at(linear->qweight, (size_t)(i / 8) * linear->out + o) >> 4 * (i % 8);
            uint32_t zero = word_at(linear->qzeros, zero_word) >> 4 * (o % 8);
            int level = (int)(q & 15) - (int)(zero & 15) - (int)linear->zero_offset;
            uint16_t scale;
            memcpy(&scale, (const uint8_t *)linear->scales + 2 * ((size_t)group * linear->out + o),
                   2);
            halves[(size_t)o * linear->in + i] = f16_of_f32(f32_of_f16(scale) * (float)level);
        }
    }
    return halves;
}

static int keep_written_out(struct backend *backend, struct device *device, struct gpu_linear *kept,
                            const struct order *order, const struct backend_linear *linear,
                            struct backend_error *error)
{
    struct backend_tensor weight = {NULL, BACKEND_F16, linear->out, linear->in};
    uint16_t *halves = written_out(linear, error);
    weight.data = halves;
    kept->has_zeros = false;
    int result = halves != NULL ? keep_dense(backend, device, kept, order, &weight, error) : -1;
    free(halves);
    return result;
}

static int keep_q4(struct backend *backend, struct device *device, struct gpu_linear *kept,
                   const struct order *order, const struct backend_linear *linear,
                   struct backend_error *error)
{
    const void *const arrays[] = {linear->qweight, linear->qzeros, linear->scales};
    const size_t groups = linear->groups, out = linear->out;
    const size_t bytes[] = {linear->in / 8 * out * 4, groups * (out / 8) * 4, groups * out * 2};
    size_t starts[3], all = 0;
    for (int i = 0; i < 3; i++) {
        starts[i] = all;
        all += (bytes[i] + ARENA_ALIGN - 1) / ARENA_ALIGN * ARENA_ALIGN;
    }
    if (linear_prepare(backend, device, kept, order, GPU_Q4, error) != 0)
        return -1;
    uint8_t *arena = upload_arena(backend, device, all, error);
    for (int i = 0; arena != NULL && i < 3; i++)
        if (upload_copy(backend, device, arena + starts[i], arrays[i], bytes[i], error) != 0)
            return -1;
    if (arena == NULL)
        return -1;
    struct gpu_repack source = {
        .qweight = (const uint32_t *)(void *)(arena + starts[0]),
        .qzeros = (const uint32_t *)(void *)(arena + starts[1]),
        .scales = (const uint16_t *)(void *)(arena + starts[2]),
        .order = order->on_device,
        .group = order->group_on_device,
    };
    return gpu_check_load(backend, device, gpu_repack_q4(kept, &source, device->stream),
                          "repacking a 4-bit layer", error);
}

static int keep_bias(struct backend *backend, struct device *device, struct gpu_linear *kept,
                     const struct backend_tensor *bias, struct backend_error *error)
{
    if (bias->data == NULL)
        return 0;
    size_t count = (size_t)kept->tiles * GPU_TILE_ROWS;
    float *values = calloc(count, sizeof *values);
    if (values == NULL)
        return gpu_error(error, BACKEND_NO_MEMORY, "no memory for a bias");
    to_f32(values, bias->data, bias->dtype, kept->out);
    kept->bias = upload_array(backend, device, values, count * sizeof *values, "a bias", error);
    free(values);
    return kept->bias != NULL ? 0 : -1;
}

/* Rows for O and DOWN are written by the step before; what no layer writes stays zero, unless the
 * layers pad at different places. */
static void note_padding(struct backend *backend, enum linear_slot slot, const struct order *order)
{
    if (slot != LINEAR_O && slot != LINEAR_DOWN)
        return;
    if (backend->first_order[slot] == NULL)
        backend->first_order[slot] = order;
    else if (!gpu_order_same_padding(backend->first_order[slot], order))
        backend->ragged[slot] = true;
}

int cuda_load_linear(struct backend *backend, uint32_t layer, enum linear_slot slot,
                     const struct backend_linear *linear, struct backend_error *error)
{
    if (linear_check(backend, layer, slot, linear, error) != 0 ||
        devices_share(backend, error) != 0)
        return -1;
    struct device *device = device_of_layer(backend, layer);
    struct gpu_linear *kept = &backend->layers[layer].linear[slot];
    bool gptq = linear->dense.data == NULL;
    kept->in = linear->in;
    kept->out = linear->out;
    kept->has_zeros = gptq && !zeros_all_equal(linear);
    kept->zero_add = gptq ? (int32_t)linear->zero_offset : 0;
    if (gptq && !kept->has_zeros)
        kept->zero_add += (int32_t)(word_at(linear->qzeros, 0) & 15);
    bool dense = !gptq || better_dense(linear, gpu_order_inputs(linear), kept->has_zeros);
    struct order *order = find_order(backend, device, linear, dense, error);
    int result = -1;
    if (order == NULL || gpu_check_load(backend, device, cudaSetDevice(device->id),
                                        "choosing the device", error) != 0)
        return -1;
    if (!gptq)
        result = keep_dense(backend, device, kept, order, &linear->dense, error);
    else if (dense)
        result = keep_written_out(backend, device, kept, order, linear, error);
    else
        result = keep_q4(backend, device, kept, order, linear, error);
    if (result != 0 || keep_bias(backend, device, kept, &linear->bias, error) != 0)
        return -1;
    note_padding(backend, slot, order);
    backend->layers[layer].order[slot] = order;
    backend->step_bytes += kept->bytes;
    return 0;
}

/* --- the rest --------------------------------------------------------------------------------- */

int cuda_load_norm(struct backend *backend, uint32_t layer, enum norm_slot slot,
                   const struct backend_tensor *weight, struct backend_error *error)
{
    uint32_t hidden = backend->shape.hidden;
    if ((unsigned)slot > NORM_FINAL || (slot != NORM_FINAL && layer >= backend->shape.layers) ||
        weight->data == NULL || (size_t)weight->rows * weight->cols != hidden ||
        !dtype_known(weight->dtype))
        return gpu_error(error, BACKEND_FAILED, "layer %u: norm %u is not [%u]", layer,
                         (unsigned)slot, hidden);
    if (devices_share(backend, error) != 0)
        return -1;
    struct device *device = slot == NORM_FINAL ? &backend->devices[backend->device_count - 1]
                                               : device_of_layer(backend, layer);
    float **place = slot == NORM_FINAL ? &backend->final_norm : &backend->layers[layer].norm[slot];
    float *values = calloc(hidden, sizeof *values);
    if (values == NULL)
        return gpu_error(error, BACKEND_NO_MEMORY, "no memory for a norm");
    to_f32(values, weight->data, weight->dtype, hidden);
    int result = 0;
    if (*place == NULL) {
        *place = upload_array(backend, device, values, hidden * sizeof *values, "a norm", error);
        result = *place != NULL ? 0 : -1;
    } else {
        result = upload_copy(backend, device, *place, values, hidden * sizeof *values, error);
    }
    free(values);
    return result;
}

static int keep_head(struct backend *backend, const struct backend_tensor *weight,
                     struct backend_error *error)
{
    struct device *device = &backend->devices[backend->device_count - 1];
    struct backend_linear dense = {.in = weight->cols, .out = weight->rows, .dense = *weight};
    struct order *order = find_order(backend, device, &dense, true, error);
    backend->head.in = weight->cols;
    backend->head.out = weight->rows;
    if (order == NULL ||
        gpu_check_load(backend, device, cudaSetDevice(device->id), "choosing the device", error) ||
        keep_dense(backend, device, &backend->head, order, weight, error) != 0)
        return -1;
    backend->step_bytes += backend->head.bytes;
    return 0;
}

int cuda_load_table(struct backend *backend, enum table_slot slot,
                    const struct backend_tensor *weight, struct backend_error *error)
{
    const struct backend_shape *shape = &backend->shape;
    bool twice = slot == TABLE_EMBED ? backend->embed != NULL : backend->head.data != NULL;
    if (weight->data == NULL || weight->rows != shape->vocab || weight->cols != shape->hidden ||
        !dtype_known(weight->dtype) || twice)
        return gpu_error(error, BACKEND_FAILED, "table %u is not one [%u, %u]", (unsigned)slot,
                         shape->vocab, shape->hidden);
    if (devices_share(backend, error) != 0)
        return -1;
    if (slot == TABLE_HEAD)
        return keep_head(backend, weight, error);
    size_t bytes = (size_t)shape->vocab * shape->hidden * dtype_bytes(weight->dtype);
    backend->embed_dtype = weight->dtype;
    backend->embed =
        upload_array(backend, &backend->devices[0], weight->data, bytes, "the embedding", error);
    return backend->embed != NULL ? 0 : -1;
}

int cuda_load_rope(struct backend *backend, const float *inv_freq, float scale,
                   struct backend_error *error)
{
    size_t bytes = backend->shape.head_dim / 2 * sizeof *inv_freq;
    for (uint32_t i = 0; i < backend->shape.head_dim / 2; i++)
        if (!isfinite(inv_freq[i]))
            return gpu_error(error, BACKEND_FAILED, "RoPE frequency %u is not finite", i);
    if (devices_share(backend, error) != 0)
        return -1;
    for (uint32_t i = 0; i < backend->device_count; i++) {
        struct device *device = &backend->devices[i];
        if (device->inv_freq == NULL)
            device->inv_freq =
                gpu_alloc(backend, device, bytes, "the RoPE table", &backend->scratch_bytes, error);
        if (device->inv_freq == NULL ||
            upload_copy(backend, device, device->inv_freq, inv_freq, bytes, error) != 0)
            return -1;
    }
    backend->rope_scale = scale;
    backend->has_rope = true;
    return 0;
}
