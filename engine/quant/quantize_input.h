/*
 * quantize_input.h - what quantisation reads, checked before anything is computed: the checkpoint,
 * its tokenizer's samples, and whether memory suffices.
 */
#ifndef AIRO_QUANT_QUANTIZE_INPUT_H
#define AIRO_QUANT_QUANTIZE_INPUT_H

#include "engine/model/safetensors.h"
#include "engine/quant/calibration.h"
#include "engine/quant/quantize.h"

struct quantize_input {
    struct model_config config;
    struct safetensors *set;
    struct calibration calibration;
};

/* quantize_input_close ends it, after an error too. */
int quantize_input_open(struct quantize_input *input, const struct quantize_options *options,
                        struct error *error);
void quantize_input_close(struct quantize_input *input);

/* Inputs of the widest linear layer. */
uint32_t quantize_widest(const struct model_config *config);

/* ERROR_MEMORY with the numbers when it does not fit; `dense_bytes` is what the linear algebra
 * takes, `threads` what its pool has. */
int quantize_check_memory(const struct quantize_input *input,
                          const struct quantize_options *options, unsigned threads,
                          uint64_t dense_bytes, struct error *error);

#endif
