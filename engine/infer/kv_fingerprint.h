/*
 * kv_fingerprint.h - what must be equal for keys and values computed once to be right again.
 *
 * Hashed: the file format's version, the page's layout and the kernels that fill it, all
 * hyper-parameters, the RoPE table itself, the key/value type; config.json, quantize_config.json
 * and the tokenizer's files whole; and of each *.safetensors its name, size and time of
 * modification, its header and 64 samples of 4 KiB spread over it. Another checkpoint differs in
 * every sample or in its header; a file that somebody edits in place differs in its time. So a
 * model is told from any other without reading gigabytes, and one that is copied or touched costs
 * an evaluation at most.
 */
#ifndef AIRO_INFER_KV_FINGERPRINT_H
#define AIRO_INFER_KV_FINGERPRINT_H

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/model/model.h"

#define KV_FILE_VERSION 1

struct kv_fingerprint {
    uint64_t word[2];
};

/* ERROR_INPUT when there is no weight file to tell the model by. */
int kv_fingerprint_of(struct kv_fingerprint *out, const struct model *model, struct error *error);

#endif
