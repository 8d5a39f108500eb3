/*
 * dense_ops.h - the part of quantisation's linear algebra that a plug-in may do: X^T X and the
 * inverse of a Cholesky factor, in double precision. kernels/cpu/dense.h hands work over and keeps
 * the matrices; a device only ever gives pieces back, so that whatever fails can be done again.
 *
 * A plug-in that can do it offers `const struct dense_ops *airo_dense(void)` beside airo_backend;
 * its `abi` must equal DENSE_ABI. Matrices in host memory are row-major. One thread calls.
 */
#ifndef AIRO_KERNELS_DENSE_OPS_H
#define AIRO_KERNELS_DENSE_OPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/backend.h"

#define DENSE_ABI 1u

/* Rows of a result that come back at a time, at most. */
#define DENSE_PANEL 768

struct dense_device;

/* 0, or -1 with last_error: memory or a library is lacking, or the device is lost. */
struct dense_ops {
    uint32_t abi;
    const char *name; /* "cuda" */

    /* `device` as in backend_options; of a list the first. -1: `error` says why. */
    int (*open)(struct dense_device **out, const char *device, struct backend_error *error);
    void (*close)(struct dense_device *device);

    /* Takes x [rows][n] over. It stays there until the next load or factor. */
    int (*load)(struct dense_device *device, const double *x, size_t n, size_t rows);
    /* Rows first .. first + count - 1 of X^T X up to column first + count - 1:
     * out [count][first + count]. */
    int (*gram)(struct dense_device *device, size_t first, size_t count, double *out);

    /* Factors a [n, n], of which only the lower triangle is read, and keeps L there. 1: it is not
     * positive definite. */
    int (*factor)(struct dense_device *device, const double *a, size_t n);
    /* Columns first .. first + count - 1 of L^-1 from row `first` down, each in one row:
     * out [count][n - first]. */
    int (*inverse)(struct dense_device *device, size_t first, size_t count, double *out);

    /* One line. */
    const char *(*describe)(const struct dense_device *device);
    const char *(*last_error)(const struct dense_device *device);
    /* Nothing will work there any more. */
    bool (*lost)(const struct dense_device *device);
};

#endif
