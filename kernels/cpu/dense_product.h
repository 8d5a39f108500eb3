/*
 * dense_product.h - one thread's product of two matrices, in double precision: for the linear
 * algebra of quantisation, not for a decoder's steps. Owns nothing.
 */
#ifndef AIRO_KERNELS_CPU_DENSE_PRODUCT_H
#define AIRO_KERNELS_CPU_DENSE_PRODUCT_H

#include <stdbool.h>
#include <stddef.h>

/* Doubles of scratch that dense_product needs. */
#define DENSE_PRODUCT_SCRATCH ((size_t)256 * (96 + 512))

/* Element (i, j) is data[i * row + j * col]; strides in elements, so that a transpose is the same
 * matrix with the two exchanged. */
struct dense_matrix {
    const void *data;
    size_t row, col;
    bool is_float; /* floats, not doubles */
};

/* c[m, n] += sign * a[m, k] b[k, n]; row i of c begins at c + i * c_row. Neither a nor b may
 * overlap the written part of c. */
void dense_product(double *c, size_t c_row, double sign, const struct dense_matrix *a,
                   const struct dense_matrix *b, size_t m, size_t n, size_t k, double *scratch);

#endif
