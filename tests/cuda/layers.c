#include "tests/cuda/layers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/half.h"
#include "tests/cuda/device_memory.h"

uint32_t random_bits(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

float random_float(uint64_t *state)
{
    return (float)(random_bits(state) % 65536) / 32768.0f - 0.99998474f;
}

/* --- 4-bit layers as a file has them ---------------------------------------------------------- */

struct source {
    uint32_t groups;
    uint32_t *group; /* [in] */
    uint32_t *qweight, *qzeros;
    uint16_t *scales;
};

static uint32_t groups_of(const struct layer_options *o)
{
    uint32_t size = o->group_size > 0 ? o->group_size : o->in;
    return (o->in + size - 1) / size;
}

/* The group of every input. Uneven: a group's number is the smaller of two throws, the first groups
 * are large and the last one has one input. */
static uint32_t *groups_make(const struct layer_options *o, uint32_t groups)
{
    uint32_t *group = calloc(o->in, sizeof *group), size = o->group_size ? o->group_size : o->in;
    uint64_t state = o->order_seed;
    for (uint32_t i = 0; i < o->in; i++)
        group[i] = i / size;
    for (uint32_t i = o->in - 1; o->order == LAYER_SHUFFLE && i > 0; i--) {
        uint32_t j = random_bits(&state) % (i + 1), kept = group[i];
        group[i] = group[j];
        group[j] = kept;
    }
    for (uint32_t i = 0; o->order == LAYER_UNEVEN && i < o->in; i++) {
        uint32_t a = random_bits(&state) % groups, b = random_bits(&state) % groups;
        group[i] = i == o->in / 2 ? groups - 1 : (a < b ? a : b) % (groups > 1 ? groups - 1 : 1);
    }
    return group;
}

static struct source source_make(const struct layer_options *o)
{
    struct source s = {.groups = groups_of(o)};
    uint64_t state = o->seed;
    size_t words = (size_t)o->in / 8 * o->out, zeros = (size_t)s.groups * (o->out / 8);
    s.group = groups_make(o, s.groups);
    s.qweight = calloc(words, 4);
    s.qzeros = calloc(zeros, 4);
    s.scales = calloc((size_t)s.groups * o->out, 2);
    for (size_t i = 0; i < words; i++)
        s.qweight[i] = random_bits(&state) << 16 ^ random_bits(&state);
    for (size_t i = 0; i < zeros; i++)
        s.qzeros[i] = o->zeros ? random_bits(&state) << 16 ^ random_bits(&state) : 0x77777777u;
    if (o->zeros)
        s.qzeros[0] |= 0xFF; /* a stored 15 means 16 with an offset of 1 */
    for (size_t i = 0; i < (size_t)s.groups * o->out; i++)
        s.scales[i] = f16_of_f32(0.01f + 0.04f * (float)(random_bits(&state) % 1000) / 1000);
    return s;
}

static void source_free(struct source *s)
{
    free(s->group);
    free(s->qweight);
    free(s->qzeros);
    free(s->scales);
}

static void weights_of_source(struct layer *layer, const struct source *s)
{
    const struct layer_options *o = &layer->options;
    for (uint32_t n = 0; n < o->out; n++)
        for (uint32_t k = 0; k < o->in; k++) {
            uint32_t g = s->group[k];
            int q = s->qweight[(size_t)(k / 8) * o->out + n] >> k % 8 * 4 & 15;
            int z = s->qzeros[(size_t)g * (o->out / 8) + n / 8] >> n % 8 * 4 & 15;
            double scale = (double)f32_of_f16(s->scales[(size_t)g * o->out + n]);
            layer->weights[(size_t)n * o->in + k] = scale * (q - z - (int)o->zero_offset);
        }
}

/* Fills order, inverse and the group of every block; gives k. */
static uint32_t order_fill(struct layer *layer, const struct source *s, uint32_t *block_group)
{
    uint32_t k = 0;
    for (uint32_t group = 0; group < s->groups; group++) {
        for (uint32_t i = 0; i < layer->options.in; i++)
            if (s->group[i] == group) {
                block_group[k / 32] = group;
                layer->inverse[i] = (int32_t)k;
                layer->order[k++] = (int32_t)i;
            }
        while (k % 32 != 0)
            layer->order[k++] = -1;
    }
    while (k % GPU_CHUNK_INPUTS != 0) {
        block_group[k / 32] = 0xFFFFFFFF;
        layer->order[k++] = -1;
    }
    return k;
}

static bool order_is_plain(const struct layer *layer)
{
    bool plain = true;
    for (uint32_t i = 0; i < layer->options.in; i++)
        plain &= layer->inverse[i] == (int32_t)i;
    return plain;
}

static void upload_q4(struct layer *layer, const struct source *s)
{
    const struct layer_options *o = &layer->options;
    struct gpu_linear *linear = &layer->linear;
    uint32_t most = (o->in + 32 * s->groups + 255) / 128 * 128;
    uint32_t *block_group = calloc(most / 32, 4);
    layer->order = calloc(most, 4);
    layer->inverse = calloc(o->in, 4);
    linear->k = order_fill(layer, s, block_group);
    linear->form = GPU_Q4;
    linear->has_zeros = o->zeros;
    linear->zero_add = (int32_t)o->zero_offset + (o->zeros ? 0 : 7);
    linear->chunk_bytes = o->zeros ? 1184 : 1152;
    linear->bytes = (size_t)linear->tiles * (linear->k / GPU_CHUNK_INPUTS) * linear->chunk_bytes;
    linear->data = device_copy(NULL, linear->bytes);
    linear->order = device_copy(layer->order, 4 * (size_t)linear->k);
    linear->inverse = device_copy(layer->inverse, 4 * (size_t)o->in);
    void *qweight = device_copy(s->qweight, (size_t)o->in / 8 * o->out * 4);
    void *qzeros = device_copy(s->qzeros, (size_t)s->groups * (o->out / 8) * 4);
    void *scales = device_copy(s->scales, (size_t)s->groups * o->out * 2);
    void *group = device_copy(block_group, 4 * (size_t)linear->k / 32);
    struct gpu_repack source = {qweight, qzeros, scales, linear->order, group};
    cuda_ok(gpu_repack_q4(linear, &source, NULL));
    cuda_ok(cudaStreamSynchronize(NULL));
    void *const parts[] = {qweight, qzeros, scales, group};
    for (size_t i = 0; i < 4; i++)
        device_free(parts[i]);
    free(block_group);
}

/* --- dense layers ----------------------------------------------------------------------------- */

static void upload_dense(struct layer *layer)
{
    const struct layer_options *o = &layer->options;
    struct gpu_linear *linear = &layer->linear;
    size_t count = (size_t)o->out * o->in, size = o->dtype == BACKEND_F32 ? 4 : 2;
    unsigned char *file = malloc(count * size);
    uint64_t state = o->seed;
    for (size_t i = 0; i < count; i++) {
        float value = f32_of_f16(f16_of_f32(random_float(&state)));
        if (o->dtype == BACKEND_BF16)
            value = float_of_bits(bits_of_float(value) & 0xFFFF0000u);
        uint16_t half =
            o->dtype == BACKEND_F16 ? f16_of_f32(value) : (uint16_t)(bits_of_float(value) >> 16);
        memcpy(file + i * size, size == 4 ? (void *)&value : (void *)&half, size);
        layer->weights[i] = (double)value;
    }
    linear->k = (o->in + GPU_CHUNK_INPUTS - 1) / GPU_CHUNK_INPUTS * GPU_CHUNK_INPUTS;
    linear->form = GPU_F16;
    linear->chunk_bytes = 4096;
    linear->bytes = (size_t)linear->tiles * (linear->k / GPU_CHUNK_INPUTS) * 4096;
    linear->data = device_copy(NULL, linear->bytes);
    void *weight = device_copy(file, count * size);
    cuda_ok(gpu_repack_f16(linear, weight, o->dtype, NULL));
    cuda_ok(cudaStreamSynchronize(NULL));
    device_free(weight);
    free(file);
}

struct layer *layer_make(const struct layer_options *o)
{
    struct layer *layer = calloc(1, sizeof *layer);
    layer->options = *o;
    layer->weights = calloc((size_t)o->out * o->in, sizeof *layer->weights);
    layer->linear.in = o->in;
    layer->linear.out = o->out;
    layer->linear.tiles = (o->out + 15) / 16;
    if (o->dense) {
        upload_dense(layer);
    } else {
        struct source source = source_make(o);
        weights_of_source(layer, &source);
        upload_q4(layer, &source);
        source_free(&source);
        if (order_is_plain(layer)) {
            device_free((void *)layer->linear.order);
            device_free((void *)layer->linear.inverse);
            layer->linear.order = layer->linear.inverse = NULL;
        }
    }
    if (o->bias) {
        uint64_t state = o->seed + 77;
        layer->bias = calloc(o->out, sizeof *layer->bias);
        for (uint32_t i = 0; i < o->out; i++)
            layer->bias[i] = random_float(&state);
        layer->linear.bias = device_copy(layer->bias, 4 * (size_t)o->out);
    }
    return layer;
}

void layer_free(struct layer *layer)
{
    const void *const device[] = {layer->linear.data, layer->linear.order, layer->linear.inverse,
                                  layer->linear.bias};
    for (size_t i = 0; i < 4; i++)
        if (device[i] != NULL)
            device_free((void *)device[i]);
    free(layer->weights);
    free(layer->bias);
    free(layer->order);
    free(layer->inverse);
    free(layer);
}
