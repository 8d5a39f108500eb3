/*
 * quantize.h - a checkpoint in fp16, bf16 or fp32 -> the same model in 4 bits, by GPTQ on a
 * calibration text. Layer after layer: earlier layers, already quantised, feed the later ones.
 */
#ifndef AIRO_QUANT_QUANTIZE_H
#define AIRO_QUANT_QUANTIZE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/model/config.h"
#include "engine/quant/gptq_solve.h"

#define QUANTIZE_LENGTH_DEFAULT 2048

struct quantize_progress {
    const char *what; /* "layer 3 of 40: mlp.down_proj" */
    uint64_t done, total;
};

/* One linear layer that is done. */
struct quantize_result {
    const char *name;       /* "model.layers.2.mlp.down_proj" */
    double error, rounding; /* see gptq_solve.h */
};

struct quantize_options {
    const char *checkpoint, *out; /* directories */
    const char *calibration;      /* a file */
    struct gptq_settings gptq;
    uint32_t samples; /* at most */
    uint32_t length;  /* tokens of a sample; 0: QUANTIZE_LENGTH_DEFAULT or the model's context */
    uint64_t shard_bytes;
    unsigned threads;
    const char *kernels;
    const char *device; /* for the linear algebra: see backend_choice.h */
    struct rope_override rope;
    /* All on the caller's thread; progress returns false to stop (ERROR_CANCELLED). */
    bool (*progress)(void *user, const struct quantize_progress *progress);
    void (*result)(void *user, const struct quantize_result *result);
    void (*notice)(void *user, const char *line); /* a GPU that is not used, or no longer */
    void *user;
};

struct quantize_report {
    uint32_t layers, samples, length;
    uint64_t bytes_before, bytes_after; /* of tensors */
    double error, rounding;             /* root mean square over the linear layers */
    char algebra[256];                  /* what gathered and factored: "the CPU", or a GPU */
};

/* Nothing is left at options->out, nor beside it, when this fails. */
int quantize(const struct quantize_options *options, struct quantize_report *report,
             struct error *error);

#endif
