#include "plain_layer.h"

#include <stdlib.h>
#include <string.h>

#include "device_memory.h"
#include "kernels/cpu/half.h"

uint32_t plain_word(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 32);
}

float plain_float(uint64_t *seed)
{
    return (float)plain_word(seed) / 2147483648.0f - 1.0f;
}

double plain_weight(const struct plain_layer *layer, uint32_t out, uint32_t k)
{
    return layer->weights[(size_t)out * layer->linear.k + k];
}

/* The place of a weight in its chunk: which mma, which lane of a warp holds it, and which of the
 * two halves of which of a0 .. a3 it is. */
struct place {
    uint32_t m, lane, a, half;
};

static struct place place_of(uint32_t output, uint32_t input)
{
    uint32_t g = output % 8, block = input / 32, t = input % 32 / 8, pair = input % 8;
    struct place place = {.m = 2 * block + pair / 4, .lane = 4 * g + t, .half = pair % 2};
    place.a = (output >= 8) + 2 * (pair % 4 / 2);
    return place;
}

static void put_nibble(uint8_t *chunk, struct place place, uint32_t value)
{
    static const uint32_t nibbles[4][2] = {{0, 4}, {1, 5}, {2, 6}, {3, 7}};
    uint32_t word, nibble = nibbles[place.a][place.half];
    uint8_t *at = chunk + 512 * (place.m / 4) + 16 * place.lane + 4 * (place.m % 4);
    memcpy(&word, at, 4);
    word |= value << 4 * nibble;
    memcpy(at, &word, 4);
}

static void put_half(uint8_t *chunk, struct place place, uint16_t value)
{
    memcpy(chunk + 16 * (32 * place.m + place.lane) + 4 * place.a + 2 * place.half, &value, 2);
}

/* A chunk of four bits: random nibbles, a scale and a zero for each output and block. */
static void fill_q4(struct plain_layer *layer, uint8_t *chunk, double *weights, uint64_t *seed)
{
    const struct gpu_linear *linear = &layer->linear;
    for (uint32_t output = 0; output < GPU_TILE_ROWS; output++)
        for (uint32_t block = 0; block < 4; block++) {
            uint16_t scale = f16_of_f32(0.05f * plain_float(seed));
            uint32_t zero = linear->has_zeros ? plain_word(seed) % 16 : 0;
            uint32_t at = 4 * (output % 8) + block;
            memcpy(chunk + 1024 + 4 * at + 2 * (output / 8), &scale, 2);
            if (linear->has_zeros)
                chunk[1152 + at] |= (uint8_t)(zero << 4 * (output / 8));
            for (uint32_t i = 0; i < 32; i++) {
                uint32_t q = plain_word(seed) % 16, input = 32 * block + i;
                int level = (int)q - ((int)zero + linear->zero_add);
                put_nibble(chunk, place_of(output, input), q);
                weights[(size_t)output * linear->k + input] =
                    f32_of_f16(f16_of_f32(f32_of_f16(scale) * (float)level));
            }
        }
}

static void fill_f16(struct plain_layer *layer, uint8_t *chunk, double *weights, uint64_t *seed)
{
    for (uint32_t output = 0; output < GPU_TILE_ROWS; output++)
        for (uint32_t input = 0; input < GPU_CHUNK_INPUTS; input++) {
            uint16_t half = f16_of_f32(0.4f * plain_float(seed));
            put_half(chunk, place_of(output, input), half);
            weights[(size_t)output * layer->linear.k + input] = f32_of_f16(half);
        }
}

static void *make_tiles(struct plain_layer *layer, uint64_t *seed)
{
    struct gpu_linear *linear = &layer->linear;
    uint32_t chunks = linear->k / GPU_CHUNK_INPUTS;
    uint8_t *bytes = calloc(linear->bytes, 1);
    for (uint32_t tile = 0; tile < linear->tiles; tile++)
        for (uint32_t c = 0; c < chunks; c++) {
            uint8_t *chunk = bytes + ((size_t)tile * chunks + c) * linear->chunk_bytes;
            double *weights = layer->weights + (size_t)tile * GPU_TILE_ROWS * linear->k +
                              (size_t)c * GPU_CHUNK_INPUTS;
            if (linear->form == GPU_Q4)
                fill_q4(layer, chunk, weights, seed);
            else
                fill_f16(layer, chunk, weights, seed);
        }
    void *device = device_copy(bytes, linear->bytes);
    free(bytes);
    return device;
}

/* Packed input i reads input order[i]; the places that are left read nothing. */
static void make_order(struct plain_layer *layer, uint64_t *seed)
{
    uint32_t k = layer->linear.k;
    layer->order = malloc(k * sizeof *layer->order);
    for (uint32_t i = 0; i < k; i++)
        layer->order[i] = i < layer->linear.in ? (int32_t)i : -1;
    for (uint32_t i = k - 1; i > 0; i--) {
        uint32_t j = plain_word(seed) % (i + 1);
        int32_t other = layer->order[j];
        layer->order[j] = layer->order[i];
        layer->order[i] = other;
    }
    layer->linear.order = device_copy(layer->order, k * sizeof *layer->order);
}

static void make_bias(struct plain_layer *layer, uint64_t *seed)
{
    uint32_t out = layer->linear.out;
    float *bias = malloc(out * sizeof *bias);
    layer->bias = malloc(out * sizeof *layer->bias);
    for (uint32_t i = 0; i < out; i++)
        layer->bias[i] = bias[i] = plain_float(seed);
    layer->linear.bias = device_copy(bias, out * sizeof *bias);
    free(bias);
}

struct plain_layer plain_layer_make(const struct plain_options *options)
{
    uint64_t seed = options->seed + 99;
    struct plain_layer layer = {.linear = {
                                    .form = options->form,
                                    .in = options->in,
                                    .out = options->out,
                                    .k = options->k,
                                    .tiles = (options->out + GPU_TILE_ROWS - 1) / GPU_TILE_ROWS,
                                    .has_zeros = options->has_zeros,
                                    .zero_add = options->has_zeros ? 1 : 8,
                                }};
    struct gpu_linear *linear = &layer.linear;
    linear->chunk_bytes = linear->form == GPU_F16 ? 4096 : linear->has_zeros ? 1184 : 1152;
    linear->bytes = (size_t)linear->tiles * (linear->k / GPU_CHUNK_INPUTS) * linear->chunk_bytes;
    layer.weights = calloc((size_t)linear->tiles * GPU_TILE_ROWS * linear->k, sizeof(double));
    linear->data = make_tiles(&layer, &seed);
    if (options->ordered)
        make_order(&layer, &seed);
    if (options->biased)
        make_bias(&layer, &seed);
    return layer;
}

void plain_layer_free(struct plain_layer *layer)
{
    device_free((void *)layer->linear.data);
    device_free((void *)layer->linear.order);
    device_free((void *)layer->linear.bias);
    device_free((void *)layer->linear.resident);
    free(layer->weights);
    free(layer->bias);
    free(layer->order);
}
