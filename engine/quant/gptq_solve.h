/*
 * gptq_solve.h - GPTQ on one linear layer: weights and the inputs they meet -> 4-bit codes.
 *
 * Frantar, Ashkboos, Hoefler, Alistarh: "GPTQ: Accurate Post-Training Quantization for Generative
 * Pre-trained Transformers", arXiv 2210.17323. Columns are rounded one after the other; the error
 * of each is carried over to those that follow so that the output on the calibration inputs moves
 * least. What is needed of the inputs is H = 2/N X^T X, as the upper triangle U with
 * U^T U = H^-1 (section 3.3, "Cholesky reformulation"), which layers with one input share.
 */
#ifndef AIRO_QUANT_GPTQ_SOLVE_H
#define AIRO_QUANT_GPTQ_SOLVE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/quant/group_range.h"
#include "kernels/backend.h"
#include "kernels/cpu/dense.h"

struct gptq_settings {
    uint32_t group_size;  /* inputs that share a scale; 0: all */
    bool act_order;       /* inputs of the greatest power first */
    bool static_groups;   /* groups and scales of the untouched weights, in the file's order */
    bool symmetric;       /* zero is 8 everywhere */
    enum group_rule rule; /* how a group's scale is found */
    double damp;          /* share of H's mean diagonal that is added to it */
};

/* The inputs of a layer, [tokens, in]: first gathered in h, then factored in place. */
struct gptq_inputs {
    uint32_t in;
    uint64_t tokens;
    double *h;       /* [in, in], the caller's: X^T X (lower triangle), then U (upper) */
    uint32_t *order; /* [in] step -> input; owned, from gptq_factor on */
    bool *dead;      /* [in] inputs that were always 0; owned, likewise */
};

/* `name` begins messages. ERROR_CANCELLED when `dense` was stopped. */
int gptq_factor(struct gptq_inputs *inputs, const struct gptq_settings *settings,
                struct dense *dense, const char *name, struct error *error);
void gptq_inputs_free(struct gptq_inputs *inputs);

/* A layer in AutoGPTQ's layout, v1; owned. */
struct gptq_layer {
    uint32_t in, out, groups, group_size;
    uint32_t *qweight; /* [in/8, out] */
    uint32_t *qzeros;  /* [groups, out/8], zero minus one */
    uint16_t *scales;  /* [groups, out], f16 */
    int32_t *g_idx;    /* [in] */
    float *weights;    /* [out, in], what the codes stand for */
    /* || (Q - W) X || / || W X || on some of the outputs, and what it would be had every weight
     * been rounded on its own. */
    double error, rounding;
};

/* weight is [out, in], finite; in and out are multiples of 8. */
int gptq_solve(struct gptq_layer *layer, const struct backend_tensor *weight,
               const struct gptq_inputs *inputs, const struct gptq_settings *settings,
               struct dense *dense, const char *name, struct error *error);
void gptq_layer_free(struct gptq_layer *layer);
/* Bytes that gptq_solve takes beside the weights and h, at most. */
uint64_t gptq_solve_bytes(uint32_t in, uint32_t out, uint32_t group_size, unsigned threads);

#endif
