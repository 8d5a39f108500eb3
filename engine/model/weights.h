/*
 * weights.h - the tensors of a Llama-family checkpoint by their place in the model: names, shapes
 * from the configuration, dense or GPTQ. What these functions return has been checked.
 */
#ifndef AIRO_MODEL_WEIGHTS_H
#define AIRO_MODEL_WEIGHTS_H

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/model/config.h"
#include "engine/model/safetensors.h"
#include "kernels/backend.h"

/* Where a tensor is in the model; `slot` is an enum linear_slot or norm_slot. */
struct weight_place {
    const struct safetensors *set;
    const struct model_config *config;
    uint32_t layer;
};

#define WEIGHT_NAME_BYTES 96

/* "model.layers.3.mlp.up_proj.weight": `part` is ".weight", ".qweight" ... or "". */
void weights_linear_name(char *out, uint32_t layer, enum linear_slot slot, const char *part);
void weights_norm_name(char *out, uint32_t layer, enum norm_slot slot);

/* Shapes only, contents unread. *file_bytes, if not NULL, is what the layer takes in the file. */
int weights_linear(struct backend_linear *linear, const struct weight_place *place,
                   enum linear_slot slot, uint64_t *file_bytes, struct error *error);

/* The contents of a layer that weights_linear found: act-order and finite values are checked, a
 * bias of zeros is dropped. *order is to be freed once the backend has the layer. */
int weights_linear_contents(struct backend_linear *linear, const struct weight_place *place,
                            enum linear_slot slot, int32_t **order, struct error *error);

int weights_norm(struct backend_tensor *weight, const struct weight_place *place,
                 enum norm_slot slot, struct error *error);
/* TABLE_HEAD of a tied model is the embedding. */
int weights_table(struct backend_tensor *weight, const struct weight_place *place,
                  enum table_slot slot, struct error *error);

/* Every tensor that the model needs, by its header; also that there are no more layers than the
 * configuration says. */
int weights_check(const struct safetensors *set, const struct model_config *config,
                  struct error *error);

uint64_t backend_tensor_bytes(const struct backend_tensor *tensor);

#endif
