/*
 * dense_matrices.h - random inputs and positive definite matrices, and comparisons, for tests of
 * the linear algebra on a device. What is returned is the caller's to free.
 */
#ifndef AIRO_TESTS_CUDA_DENSE_MATRICES_H
#define AIRO_TESTS_CUDA_DENSE_MATRICES_H

#include "kernels/cpu/dense.h"

const struct dense_ops *airo_dense(void);

/* [rows][stride] between -1 and 1. */
float *dense_inputs(size_t rows, size_t stride, uint64_t seed);
/* X^T X of random rows and n / 10 on the diagonal; the upper triangle is NaN. */
double *dense_positive(size_t n, uint64_t seed);

/* Lines that a device's user heard. */
struct dense_lines {
    int count;
    char last[512];
};

/* Two threads and, unless `lines` is NULL, the device; fails the test where that fails. */
struct dense *dense_on_device(size_t largest, struct dense_lines *lines);

/* Of the lower triangles; fails the test beyond `tolerance`. */
void dense_expect_near(const double *got, const double *wanted, size_t n, double tolerance);
/* h += X^T X and a -> its inverse factor, as the CPU and as `dense` do it, are equal within
 * 1e-12 of the largest sum; the upper triangle is zero. */
void dense_expect_gram(struct dense *dense, size_t n, size_t rows);
void dense_expect_inverse(struct dense *dense, size_t n);

#endif
