/*
 * dense.h - the linear algebra that GPTQ needs, on square matrices in double precision, over the
 * thread pool: gathering X^T X, the Cholesky factor, the inverse of a triangle. Matrices are
 * row-major and the caller's; a `struct dense` owns its threads and their scratch, and a device of
 * a plug-in if one is attached (dense_ops.h).
 */
#ifndef AIRO_KERNELS_CPU_DENSE_H
#define AIRO_KERNELS_CPU_DENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/cpu/thread_pool.h"
#include "kernels/dense_ops.h"

struct dense;

enum dense_result {
    DENSE_OK = 0,
    DENSE_NOT_POSITIVE = -1, /* the matrix is not positive definite, or not finite */
    DENSE_STOPPED = -2,
};

/* `stopped` (may be NULL) is asked between blocks, by the caller's thread. threads = 0: one per
 * physical core. `largest` is the largest n that will come. NULL when memory or threads lack. */
struct dense *dense_open(unsigned threads, size_t largest, bool (*stopped)(void *user), void *user);
void dense_close(struct dense *dense);
unsigned dense_threads(const struct dense *dense);
/* Bytes that dense_open takes with so many threads. */
uint64_t dense_bytes(unsigned threads, size_t largest);

struct dense_device_options {
    const char *device; /* as in backend_options */
    /* One line when something is left to the CPU after all; may be NULL. */
    void (*say)(void *user, const char *line);
    void *user;
};

/* From here on X^T X and the inverse factor are the device's, as far as it can. -1: it cannot be
 * opened, and nothing changes. */
int dense_attach(struct dense *dense, const struct dense_ops *ops,
                 const struct dense_device_options *options, struct backend_error *error);
void dense_detach(struct dense *dense);
bool dense_attached(const struct dense *dense);
/* Bytes of host memory that dense_attach takes. */
uint64_t dense_attach_bytes(size_t largest);
/* "the CPU", or the device's name. */
const char *dense_describe(const struct dense *dense);

/* The lower triangle of h[n, n] += X^T X, x being [rows][n] with rows `stride` floats apart. h is
 * good when dense_finish_gram has been called: a device takes many rows together. */
void dense_add_gram(struct dense *dense, double *h, size_t n, const float *x, size_t stride,
                    size_t rows);
void dense_finish_gram(struct dense *dense);

/* a[n, n] -> L^-1, lower triangular, for L L^T = a: the two below in one. Of a only the lower
 * triangle is read. Unless it returns DENSE_OK a is spoilt. */
enum dense_result dense_inverse_factor(struct dense *dense, double *a, size_t n);

/* Always on the CPU. a[n, n] -> its Cholesky factor: lower triangular L with L L^T = a. Only the
 * lower triangle of a is read; the upper becomes zero. On DENSE_NOT_POSITIVE a is spoilt. */
enum dense_result dense_cholesky(struct dense *dense, double *a, size_t n);

/* Always on the CPU. A lower triangle with zeros above -> its inverse, in place. */
enum dense_result dense_invert_lower(struct dense *dense, double *a, size_t n);

/* Calls work on every thread; see thread_pool.h. Work may use its thread's scratch of
 * DENSE_PRODUCT_SCRATCH doubles. */
void dense_run(struct dense *dense, uint64_t products, thread_pool_work *work, void *argument);
double *dense_scratch(struct dense *dense, unsigned thread);
bool dense_stopped(const struct dense *dense);

#endif
