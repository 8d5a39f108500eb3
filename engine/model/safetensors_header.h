/*
 * safetensors_header.h - one safetensors file: its JSON header -> tensor views, all checked.
 *
 * The format: u64 little-endian header length, a JSON object, then the tensors' bytes without a
 * hole. https://github.com/huggingface/safetensors#format
 */
#ifndef AIRO_MODEL_SAFETENSORS_HEADER_H
#define AIRO_MODEL_SAFETENSORS_HEADER_H

#include <stddef.h>

#include "engine/base/error.h"
#include "engine/base/file.h"
#include "engine/model/safetensors.h"

/* Views of one or more files; the names are owned by the list, `file` and `data` are borrowed. */
struct tensor_list {
    struct tensor_view *views;
    size_t count, capacity;
};

/* Appends the file's tensors. `path` must outlive the list. On error what was appended stays, to
 * be freed with the list. */
int safetensors_read_header(const struct mapped_file *file, const char *path,
                            struct tensor_list *list, struct error *error);
void tensor_list_release(struct tensor_list *list);

#endif
