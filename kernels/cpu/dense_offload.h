/*
 * dense_offload.h - hands X^T X and the inverse factor to a plug-in's device, and takes back what
 * the device cannot do. Part of dense.c, which alone includes it; a `struct offload` owns the
 * device and the memory between.
 *
 * The caller's matrix is whole at any time: X^T X is added to it panel by panel from rows that are
 * still here, and the inverse is gathered in the upper triangle while the lower one stays.
 */
#ifndef AIRO_KERNELS_CPU_DENSE_OFFLOAD_H
#define AIRO_KERNELS_CPU_DENSE_OFFLOAD_H

#include "kernels/cpu/dense.h"
#include "kernels/cpu/dense_product.h"

struct offload;

/* NULL and `error`: the device cannot be opened, or memory lacks. `options->say` hears one
 * line for each thing that is left to the CPU. */
struct offload *offload_open(struct dense *dense, size_t largest, const struct dense_ops *ops,
                             const struct dense_device_options *options,
                             struct backend_error *error);
void offload_close(struct offload *offload);
/* Bytes that offload_open takes. */
uint64_t offload_bytes(size_t largest);
const char *offload_describe(const struct offload *offload);

/* See dense_add_gram and dense_finish_gram. */
void offload_add_gram(struct offload *offload, double *h, size_t n, const float *x, size_t stride,
                      size_t rows);
void offload_finish_gram(struct offload *offload);

/* See dense_inverse_factor. False: it is left to the CPU, and the lower triangle of a is whole. */
bool offload_inverse_factor(struct offload *offload, double *a, size_t n,
                            enum dense_result *result);

/* dense.c: rows of h += X^T X from row `first`, a multiple of DENSE_PANEL, on the CPU. `x` is
 * X [rows, n]. */
void dense_gram_from(struct dense *dense, double *h, size_t n, const struct dense_matrix *x,
                     size_t rows, size_t first);

#endif
