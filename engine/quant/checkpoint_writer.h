/*
 * checkpoint_writer.h - writing a checkpoint's tensors as safetensors, in one file or in shards
 * with an index. Names, types and shapes are told first, so that headers can be written; then the
 * contents come in the same order, a piece at a time. Owns the open file; the directory is the
 * caller's, and so is what is left in it after an error.
 */
#ifndef AIRO_QUANT_CHECKPOINT_WRITER_H
#define AIRO_QUANT_CHECKPOINT_WRITER_H

#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/model/safetensors.h"

struct checkpoint_writer;

struct checkpoint_writer *checkpoint_writer_create(const char *directory);
/* An open file is closed as it stands. */
void checkpoint_writer_free(struct checkpoint_writer *writer);

/* cols 0: a vector. The name is plain ASCII. */
void checkpoint_writer_plan(struct checkpoint_writer *writer, const char *name,
                            enum tensor_dtype dtype, uint64_t rows, uint64_t cols);
/* Of all tensors planned. */
uint64_t checkpoint_writer_bytes(const struct checkpoint_writer *writer);

/* All is planned. A shard takes tensors until the next would make it larger than `shard_bytes`. */
int checkpoint_writer_begin(struct checkpoint_writer *writer, uint64_t shard_bytes,
                            struct error *error);
/* The next bytes of the tensor `name`, which must be the one whose turn it is. */
int checkpoint_writer_put(struct checkpoint_writer *writer, const char *name, const void *bytes,
                          uint64_t length, struct error *error);
/* Everything is there: the last file is closed, the index written. */
int checkpoint_writer_end(struct checkpoint_writer *writer, struct error *error);

/* A new file in one go, kept on disk (fsync); refuses one that is there. */
int file_write_new(const char *directory, const char *name, const void *bytes, size_t length,
                   struct error *error);

#endif
