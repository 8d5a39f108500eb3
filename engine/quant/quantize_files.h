/*
 * quantize_files.h - the files of a quantised checkpoint but for the linear layers: the plan of all
 * tensors, tables and norms in fp16, configurations, and what is copied.
 */
#ifndef AIRO_QUANT_QUANTIZE_FILES_H
#define AIRO_QUANT_QUANTIZE_FILES_H

#include "engine/quant/checkpoint_writer.h"
#include "engine/quant/quantize_input.h"

/* Every tensor, in the order in which it will be written. */
void quantize_plan_tensors(struct checkpoint_writer *writer, const struct quantize_input *input,
                           const struct gptq_settings *settings);

int quantize_put_table(struct checkpoint_writer *writer, const struct quantize_input *input,
                       enum table_slot slot, struct error *error);
int quantize_put_norm(struct checkpoint_writer *writer, const struct quantize_input *input,
                      uint32_t layer, enum norm_slot slot, struct error *error);
/* The five tensors of a layer; a layer without a bias gets one of zeros, as AutoGPTQ has it. */
int quantize_put_linear(struct checkpoint_writer *writer, const struct quantize_input *input,
                        uint32_t number, enum linear_slot slot, const struct gptq_layer *layer,
                        struct error *error);

/* config.json, quantize_config.json, and the tokenizer's files. */
int quantize_write_settings(const struct quantize_options *options, const char *directory,
                            struct error *error);

#endif
