/*
 * plain_layer.h - a linear layer for tests: random weights as plain doubles, and the same in tiles
 * on the device, packed value by value as gpu.h describes them.
 */
#ifndef AIRO_TESTS_CUDA_PLAIN_LAYER_H
#define AIRO_TESTS_CUDA_PLAIN_LAYER_H

#include "kernels/cuda/gpu.h"

struct plain_layer {
    struct gpu_linear linear; /* data, order and bias on the device */
    double *weights;          /* [tiles * 16][k], rounded to f16 as prefill widens them */
    double *bias;             /* [out], or NULL */
    int32_t *order;           /* [k], or NULL */
};

struct plain_options {
    enum gpu_form form;
    uint32_t in, out, k;
    bool has_zeros, ordered, biased;
    uint64_t seed;
};

struct plain_layer plain_layer_make(const struct plain_options *options);
void plain_layer_free(struct plain_layer *layer);

/* Weight of an output and a packed input. */
double plain_weight(const struct plain_layer *layer, uint32_t out, uint32_t k);

/* Random numbers: a word, -1 .. 1. */
uint32_t plain_word(uint64_t *seed);
float plain_float(uint64_t *seed);

#endif
