/*
 * config_quant.h - how a checkpoint is quantised: quantization_config in config.json,
 * quantize_config.json beside it, or both where they agree.
 */
#ifndef AIRO_MODEL_CONFIG_QUANT_H
#define AIRO_MODEL_CONFIG_QUANT_H

#include "engine/base/error.h"
#include "engine/model/config.h"
#include "engine/model/fields.h"

/* QUANT_NONE when neither is there; the tensors may then still say otherwise (gptq.h). */
int quant_config_read(struct quant_config *quant, const struct fields *config,
                      const char *directory, struct error *error);

#endif
