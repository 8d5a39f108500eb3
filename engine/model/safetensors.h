/*
 * safetensors.h - one file or a set of shards, mapped and indexed by tensor name.
 *
 * The set owns the mappings; views point into them and may be unaligned. All offsets, shapes and
 * sizes have been checked when open returns.
 */
#ifndef AIRO_MODEL_SAFETENSORS_H
#define AIRO_MODEL_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

#define SAFETENSORS_RANK_MAX 8

enum tensor_dtype {
    TENSOR_F64,
    TENSOR_F32,
    TENSOR_F16,
    TENSOR_BF16,
    TENSOR_I64,
    TENSOR_I32,
    TENSOR_I16,
    TENSOR_I8,
    TENSOR_U64,
    TENSOR_U32,
    TENSOR_U16,
    TENSOR_U8,
    TENSOR_BOOL,
    TENSOR_F8_E5M2,
    TENSOR_F8_E4M3,
};

struct tensor_view {
    const char *name; /* owned by the set */
    const char *file; /* path, for messages */
    enum tensor_dtype dtype;
    uint32_t rank;
    uint64_t shape[SAFETENSORS_RANK_MAX];
    const unsigned char *data;
    uint64_t bytes;
};

struct safetensors;

/* Opens DIRECTORY/model.safetensors, or the shards that DIRECTORY/model.safetensors.index.json
 * names, or else the only *.safetensors there (GPTQ files carry names such as
 * gptq_model-4bit-32g.safetensors). */
int safetensors_open(struct safetensors **out, const char *directory, struct error *error);
void safetensors_close(struct safetensors *set);

/* NULL when there is no such tensor. */
const struct tensor_view *safetensors_find(const struct safetensors *set, const char *name);
size_t safetensors_count(const struct safetensors *set);
const struct tensor_view *safetensors_at(const struct safetensors *set, size_t index);
uint64_t safetensors_bytes(const struct safetensors *set);
/* The path of the single file, or of the index: for messages about a tensor that is missing. */
const char *safetensors_source(const struct safetensors *set);

/* -1 and an error naming the file when a mapped file was cut short since it was opened. */
int safetensors_check(const struct safetensors *set, struct error *error);

/* Lets go of the pages that were read, so that a load never holds the files and the repacked
 * weights both. */
void safetensors_drop(const struct safetensors *set);

const char *tensor_dtype_name(enum tensor_dtype dtype);

#endif
