/*
 * model_plan.h - what a model will need, counted from headers before anything large is allocated,
 * and the refusal when it does not fit. The public part is in model.h.
 */
#ifndef AIRO_MODEL_MODEL_PLAN_H
#define AIRO_MODEL_MODEL_PLAN_H

#include "engine/base/error.h"
#include "engine/model/config.h"
#include "engine/model/model.h"
#include "engine/model/safetensors.h"
#include "kernels/backend.h"

#define CHUNK_MAX 4096
/* Rows of logits in one step: every chat or drafted token in it wants one. */
#define HEAD_ROWS 32

/* What is to be loaded, and by whom. */
struct plan_input {
    const char *directory;
    const struct safetensors *set;
    const struct model_config *config;
    const struct backend_ops *ops;
    struct backend *backend;
    struct backend_shape shape;
    enum kv_type kv_type;
};

void model_shape(struct backend_shape *shape, const struct model_config *config, uint32_t context,
                 uint32_t chunk);

/* The tensors have been checked (weights_check). */
int plan_measure(struct model_plan *plan, const struct plan_input *input, struct error *error);

/* The whole pool, for a context of `context` positions. */
uint64_t plan_kv_bytes(const struct plan_input *input, enum kv_type type, uint32_t context);

/* ERROR_MEMORY with the numbers, and what would fit, when the plan exceeds what is available. */
int plan_check(const struct model_plan *plan, const struct plan_input *input, struct error *error);

/* Opens input->ops's backend for input->shape. */
int plan_open_backend(struct plan_input *input, const struct backend_options *options,
                      struct error *error);

/* Backend messages as ours, after "directory: " where there is one (may be NULL); returns -1. */
int backend_error_set(const struct backend_error *from, const char *directory, struct error *error);

#endif
