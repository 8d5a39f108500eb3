/*
 * gptq.h - one 4-bit linear layer in the AutoGPTQ layout: its tensors found and checked.
 *
 * PREFIX.qweight [in/8, out], .qzeros [groups, out/8], .scales [groups, out], and perhaps
 * .g_idx [in]. Shapes first, from the headers alone; contents when the layer is loaded.
 */
#ifndef AIRO_MODEL_GPTQ_H
#define AIRO_MODEL_GPTQ_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/model/config.h"
#include "engine/model/safetensors.h"
#include "kernels/backend.h"

/* Whether the layer is stored in this form. */
bool gptq_present(const struct safetensors *set, const char *prefix);

/* Fills `linear` (but for its bias) after checking types and shapes. g_idx points into the file
 * and has not been looked at: see gptq_read_order. */
int gptq_find(struct backend_linear *linear, const struct safetensors *set, const char *prefix,
              uint32_t in, uint32_t out, const struct quant_config *quant, struct error *error);

/* Checks what only the contents tell: finite scales, and g_idx, which must put exactly group_size
 * rows into each group. Points linear->g_idx at a checked copy, *order (to be freed), or sets both
 * to NULL where the rows are in order. */
int gptq_read_order(struct backend_linear *linear, const struct safetensors *set,
                    const char *prefix, int32_t **order, struct error *error);

/* Where no settings were found but the tensors are quantised: v1, with the group size that the
 * first layer's shapes imply. */
int gptq_infer(struct quant_config *quant, const struct safetensors *set, struct error *error);

#endif
