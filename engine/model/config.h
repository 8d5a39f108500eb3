/*
 * config.h - a checkpoint's config.json and quantize_config.json, read and checked.
 *
 * Everything here has been validated against the bounds table (layers <= 512, heads divide, finite
 * floats, ...): code that follows may trust it.
 */
#ifndef AIRO_MODEL_CONFIG_H
#define AIRO_MODEL_CONFIG_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"

enum rope_kind {
    ROPE_NONE,         /* plain rotary embedding */
    ROPE_LINEAR,       /* position interpolation: positions / factor */
    ROPE_NTK_BY_PARTS, /* Airophin's: original_max_position_embeddings at the top level */
    ROPE_DYNAMIC,      /* dynamic NTK: base grows with the chosen context */
    ROPE_YARN,
    ROPE_LLAMA3,
};

/* The scaling rule as the file (or the user's override) gives it. */
struct rope_config {
    enum rope_kind kind;
    double theta;              /* base, rope_theta */
    double factor;             /* s; 1 for ROPE_NONE */
    uint32_t original_context; /* L; what the model was trained on before scaling */
    double beta_fast, beta_slow, attention_factor; /* YaRN; attention_factor 0 = from factor */
    double low_freq_factor, high_freq_factor;      /* llama3 */
};

enum quant_kind { QUANT_NONE, QUANT_GPTQ };

struct quant_config {
    enum quant_kind kind;
    uint32_t bits;       /* 4 */
    uint32_t group_size; /* in rows; 0 = the whole column */
    bool desc_act;       /* act-order */
    bool symmetric;
    uint32_t zero_offset; /* 1: v1 (zero stored minus one), 0: gptq_v2 */
};

struct model_config {
    uint32_t layers, hidden, heads, kv_heads, head_dim, ffn, vocab;
    uint32_t context; /* the most positions that the rule supports */
    float norm_eps;
    bool tied_embeddings;
    bool attention_bias, mlp_bias; /* the bias tensors must be there; others are used if found */
    int32_t bos_id, eos_id;        /* -1: none */
    struct rope_config rope;
    struct quant_config quant;
};

/* What a user may set over the file: zero or NULL means "as the file says". A contradiction is
 * refused with both values named. */
struct rope_override {
    const char *kind; /* "none", "linear", "ntk-by-parts", "dynamic", "yarn", "llama3" */
    double factor;
    uint32_t original_context;
};

/* Reads DIRECTORY/config.json (and quantize_config.json where present). */
int model_config_read(struct model_config *config, const char *directory,
                      const struct rope_override *override, struct error *error);

const char *rope_kind_name(enum rope_kind kind);

#endif
