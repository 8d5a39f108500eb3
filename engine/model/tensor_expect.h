/*
 * tensor_expect.h - is a tensor what the model needs: type, shape, finite values. Errors name the
 * file, the tensor, what it is and what it must be.
 */
#ifndef AIRO_MODEL_TENSOR_EXPECT_H
#define AIRO_MODEL_TENSOR_EXPECT_H

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/model/safetensors.h"

#define DTYPE_BIT(dtype) (1u << (dtype))
#define DTYPES_INT32     (DTYPE_BIT(TENSOR_I32) | DTYPE_BIT(TENSOR_U32))
#define DTYPES_FLOAT     (DTYPE_BIT(TENSOR_F32) | DTYPE_BIT(TENSOR_F16) | DTYPE_BIT(TENSOR_BF16))

/* NULL and an error when there is none of this name. */
const struct tensor_view *tensor_need(const struct safetensors *set, const char *name,
                                      struct error *error);

/* `allowed`: DTYPE_BITs. */
int tensor_expect_dtype(const struct tensor_view *view, uint32_t allowed, struct error *error);
int tensor_expect_vector(const struct tensor_view *view, uint64_t length, struct error *error);
int tensor_expect_matrix(const struct tensor_view *view, uint64_t rows, uint64_t cols,
                         struct error *error);

/* No NaN and no infinity; the dtype is one of DTYPES_FLOAT. */
int tensor_expect_finite(const struct tensor_view *view, struct error *error);

/* "FILE: tensor NAME: PROBLEM"; returns -1. */
int tensor_error(const struct tensor_view *view, const char *problem, struct error *error);

#endif
