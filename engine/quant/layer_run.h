/*
 * layer_run.h - calibration samples through a checkpoint, one decoder layer at a time.
 *
 * The hidden state of every sample is kept in host memory; a backend with the weights of a single
 * layer takes them a stage further. A stage that gathers sees exactly the rows that the backend's
 * step feeds its linear layers, after all that was replaced before it. One thread.
 *
 *     load -> gather QKV -> replace q, k, v -> gather O -> replace o -> gather GATE_UP
 *          -> replace gate, up -> gather DOWN -> replace down -> finish
 */
#ifndef AIRO_QUANT_LAYER_RUN_H
#define AIRO_QUANT_LAYER_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/model/config.h"
#include "engine/model/safetensors.h"
#include "engine/quant/calibration.h"
#include "engine/quant/gptq_solve.h"
#include "kernels/backend.h"
#include "kernels/cpu/dense.h"

enum layer_stage { STAGE_QKV, STAGE_O, STAGE_GATE_UP, STAGE_DOWN, LAYER_STAGES };

struct layer_run;

struct layer_run_options {
    const char *directory; /* for messages */
    const struct safetensors *set;
    const struct model_config *config;
    const struct calibration *calibration;
    unsigned threads;
    const char *kernels;
    struct dense *dense;
    /* Called after each batch of rows with the products it took; false: stop. */
    bool (*advance)(void *user, uint64_t products);
    void *user;
};

/* Embeds the samples. The pointers stay the caller's and must outlive the run. */
int layer_run_open(struct layer_run **out, const struct layer_run_options *options,
                   struct error *error);
void layer_run_close(struct layer_run *run);

/* What layer_run_open takes, the weights of the largest layer in fp32 included. */
uint64_t layer_run_bytes(const struct model_config *config, const struct calibration *calibration);
/* Products that one layer's stages take, gathering included. */
uint64_t layer_run_products(const struct model_config *config,
                            const struct calibration *calibration);

/* The next layer's weights as the file has them. */
int layer_run_load(struct layer_run *run, uint32_t layer, struct error *error);
/* Adds X^T X of the stage's inputs to inputs->h and counts their rows. */
int layer_run_gather(struct layer_run *run, enum layer_stage stage, struct gptq_inputs *inputs,
                     struct error *error);
/* weights is [out, in]; a bias stays as it is. */
int layer_run_replace(struct layer_run *run, enum linear_slot slot, const float *weights,
                      struct error *error);
/* The samples' hidden state becomes the layer's output. */
int layer_run_finish(struct layer_run *run, struct error *error);

#endif
