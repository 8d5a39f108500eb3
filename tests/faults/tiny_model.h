/*
 * tiny_model.h - a whole, loadable model directory of a few hundred kilobytes, made in memory and
 * written out, so that a test may break any part of it first.
 *
 * Two layers, hidden 64, two heads of 32 over one key/value head, ffn 96, GPTQ 4-bit g32 with
 * act-order, NTK-by-parts x4 (32 -> 128), 288 pieces. Weights are pseudo-random but fixed.
 */
#ifndef AIRO_TESTS_TINY_MODEL_H
#define AIRO_TESTS_TINY_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TINY_TENSORS_MAX 96
#define TINY_PIECES_MAX  320

struct tiny_tensor {
    char name[96];
    char dtype[8];
    int64_t shape[4];
    int rank;
    unsigned char *data;
    size_t bytes;
};

struct tiny_piece {
    char text[48];
    float score;
    int type; /* 1 normal, 2 unknown, 3 control, 6 byte */
};

struct tiny_model {
    char directory[64];
    char weights_name[64];     /* "model.safetensors" */
    json_t *config, *quantize; /* quantize NULL: no such file */
    struct tiny_tensor tensors[TINY_TENSORS_MAX];
    size_t tensor_count;
    struct tiny_piece pieces[TINY_PIECES_MAX];
    size_t piece_count;
    const char *charsmap;                /* NULL: none */
    const char *header_from, *header_to; /* a replacement in the header's JSON text */
    uint64_t header_length;              /* 0: the true one */
    const char *payload_tail;            /* bytes after the last tensor */
};

/* The good model, with a fresh directory under /tmp; nothing is written yet. */
void tiny_model_init(struct tiny_model *model);
/* Writes every file. */
void tiny_model_write(const struct tiny_model *model);
/* The same in two shards and an index. */
void tiny_model_write_shards(const struct tiny_model *model);
/* Removes the directory and frees what the struct holds. */
void tiny_model_free(struct tiny_model *model);

struct tiny_tensor *tiny_tensor_find(struct tiny_model *model, const char *name);
struct tiny_tensor *tiny_tensor_add(struct tiny_model *model, const char *name, const char *dtype,
                                    int64_t rows, int64_t cols);
void tiny_tensor_drop(struct tiny_model *model, const char *name);
/* New shape (JSON text, "[2, 3]") and zeroed data to match. */
void tiny_tensor_reshape(struct tiny_tensor *tensor, const char *shape);
void tiny_tensor_retype(struct tiny_tensor *tensor, const char *dtype);
/* Replaces the four tensors of a quantised layer by one dense weight. */
void tiny_make_dense(struct tiny_model *model, const char *prefix, const char *dtype);

/* Writes or removes one file of the directory. */
void tiny_file_write(const struct tiny_model *model, const char *name, const void *bytes,
                     size_t length);
void tiny_file_remove(const struct tiny_model *model, const char *name);
char *tiny_file_path(const struct tiny_model *model, const char *name);

#endif
