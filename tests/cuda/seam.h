/*
 * seam.h - random models on the CUDA backend, for tests that go through the whole seam.
 */
#ifndef AIRO_TESTS_CUDA_SEAM_H
#define AIRO_TESTS_CUDA_SEAM_H

#include "tests/kernel_model.h"

#define SEAM_PAGES 64

const struct backend_ops *airo_backend(void);

/* Two layers, 128 hidden, 2 heads of 64 over one key/value head, 96 tokens, pages of 16. */
extern const struct kernel_options seam_base;

/* The model on `device` (NULL: any); fails the test where that fails. */
struct kernel_run seam_open(const struct kernel_model *model, const char *device,
                            enum kv_type type);
/* All layers, and the logits of the last `count` rows (at most 8) unless it is 0. -1: a step
 * failed. */
int seam_try(const struct kernel_run *run, const struct kernel_model *model,
             const struct backend_batch *batch, uint32_t count, const float **logits);
/* The same; fails the test where a step fails. */
const float *seam_forward(const struct kernel_run *run, const struct kernel_model *model,
                          const struct backend_batch *batch, uint32_t count);
/* `count` tokens of a sequence from position `first` on. */
void seam_add_rows(struct kernel_batch *batch, uint32_t sequence, uint32_t first, uint32_t count);

#endif
