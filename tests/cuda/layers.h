/*
 * layers.h - linear layers for the tests of CUDA kernels: made at random as a file has them, known
 * in double, and brought to the device through gpu_repack_*.
 */
#ifndef AIRO_TESTS_CUDA_LAYERS_H
#define AIRO_TESTS_CUDA_LAYERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device_memory.h"
#include "kernels/cuda/gpu.h"

enum layer_order {
    LAYER_PLAIN,   /* groups of neighbours: no order unless a group needs padding */
    LAYER_SHUFFLE, /* inputs dealt to groups of equal size at random */
    LAYER_UNEVEN,  /* groups of any size, some of one input */
};

struct layer_options {
    uint32_t in, out;
    uint32_t group_size; /* of a 4-bit layer; 0: one group */
    enum layer_order order;
    bool zeros, bias;
    uint32_t zero_offset;
    bool dense;
    enum backend_dtype dtype;
    uint64_t seed;
    uint64_t order_seed; /* equal ones give equal orders */
};

struct layer {
    struct layer_options options;
    double *weights;  /* [out][in]: what the file means */
    float *bias;      /* [out] or NULL */
    int32_t *order;   /* host [k] or NULL */
    int32_t *inverse; /* host [in] or NULL */
    struct gpu_linear linear;
};

/* Fails the test where it cannot. */
struct layer *layer_make(const struct layer_options *options);
void layer_free(struct layer *layer);

/* Pseudo-random, the same on every machine: bits, and a float in (-1, 1). */
uint32_t random_bits(uint64_t *state);
float random_float(uint64_t *state);

#endif
