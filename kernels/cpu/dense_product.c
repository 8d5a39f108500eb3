/*
 * dense_product.c - panels of both factors are copied so that the innermost loop reads them in
 * order; it keeps a tile of 6 rows by 8 columns of the result in registers. The vectors are the
 * compiler's own, the instruction set is chosen at run time.
 */
#include "kernels/cpu/dense_product.h"

#include <string.h>

#define TILE_ROWS  6
#define TILE_COLS  8
#define DEPTH      256 /* of a panel */
#define PANEL_ROWS 96
#define PANEL_COLS 512

typedef double lanes __attribute__((vector_size(TILE_COLS * sizeof(double))));

/* a [k][6], b [k][8] -> out [6][8] */
typedef void tile_kernel(double *out, const double *a, const double *b, size_t k);

static inline __attribute__((always_inline)) void tile(double *out, const double *a,
                                                       const double *b, size_t k)
{
    lanes s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0}, s4 = {0}, s5 = {0}, row;
    for (; k > 0; k--, a += TILE_ROWS, b += TILE_COLS) {
        memcpy(&row, b, sizeof row);
        s0 += a[0] * row;
        s1 += a[1] * row;
        s2 += a[2] * row;
        s3 += a[3] * row;
        s4 += a[4] * row;
        s5 += a[5] * row;
    }
    memcpy(out, &s0, sizeof row);
    memcpy(out + TILE_COLS, &s1, sizeof row);
    memcpy(out + 2 * TILE_COLS, &s2, sizeof row);
    memcpy(out + 3 * TILE_COLS, &s3, sizeof row);
    memcpy(out + 4 * TILE_COLS, &s4, sizeof row);
    memcpy(out + 5 * TILE_COLS, &s5, sizeof row);
}

static void tile_plain(double *out, const double *a, const double *b, size_t k)
{
    tile(out, a, b, k);
}

#if defined(__x86_64__)
__attribute__((target("avx2,fma"))) static void tile_avx2(double *out, const double *a,
                                                          const double *b, size_t k)
{
    tile(out, a, b, k);
}

__attribute__((target("avx512f,avx2,fma,prefer-vector-width=512"))) static void
tile_avx512(double *out, const double *a, const double *b, size_t k)
{
    tile(out, a, b, k);
}
#endif

static tile_kernel *best_kernel(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return tile_avx512;
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"))
        return tile_avx2;
#endif
    return tile_plain;
}

static double element(const struct dense_matrix *m, size_t row, size_t col)
{
    size_t at = row * m->row + col * m->col;
    return m->is_float ? (double)((const float *)m->data)[at] : ((const double *)m->data)[at];
}

/* Rows (of b's transpose: columns) in tiles of `width`, each [depth][width], zeros at the edge. */
static void pack(double *out, const struct dense_matrix *m, size_t first, size_t rows, size_t from,
                 size_t depth, size_t width)
{
    for (size_t tile_at = 0; tile_at < rows; tile_at += width) {
        size_t here = rows - tile_at < width ? rows - tile_at : width;
        for (size_t k = 0; k < depth; k++, out += width)
            for (size_t i = 0; i < width; i++)
                out[i] = i < here ? element(m, first + tile_at + i, from + k) : 0;
    }
}

static void add_tile(double *c, size_t c_row, double sign, const double *out, size_t rows,
                     size_t cols)
{
    for (size_t i = 0; i < rows; i++)
        for (size_t j = 0; j < cols; j++)
            c[i * c_row + j] += sign * out[i * TILE_COLS + j];
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

static void panel(tile_kernel *kernel, double *c, size_t c_row, double sign, const double *a,
                  size_t rows, const double *b, size_t cols, size_t depth)
{
    double out[TILE_ROWS * TILE_COLS];
    for (size_t j = 0; j < cols; j += TILE_COLS)
        for (size_t i = 0; i < rows; i += TILE_ROWS) {
            kernel(out, a + i * depth, b + j * depth, depth);
            add_tile(c + i * c_row + j, c_row, sign, out, least(rows - i, TILE_ROWS),
                     least(cols - j, TILE_COLS));
        }
}

void dense_product(double *c, size_t c_row, double sign, const struct dense_matrix *a,
                   const struct dense_matrix *b, size_t m, size_t n, size_t k, double *scratch)
{
    const struct dense_matrix turned = {b->data, b->col, b->row, b->is_float};
    double *rows_at = scratch, *cols_at = scratch + (size_t)DEPTH * PANEL_ROWS;
    tile_kernel *kernel = best_kernel();
    for (size_t j = 0; j < n; j += PANEL_COLS)
        for (size_t p = 0; p < k; p += DEPTH) {
            size_t cols = least(n - j, PANEL_COLS), depth = least(k - p, DEPTH);
            pack(cols_at, &turned, j, cols, p, depth, TILE_COLS);
            for (size_t i = 0; i < m; i += PANEL_ROWS) {
                size_t rows = least(m - i, PANEL_ROWS);
                pack(rows_at, a, i, rows, p, depth, TILE_ROWS);
                panel(kernel, c + i * c_row + j, c_row, sign, rows_at, rows, cols_at, cols, depth);
            }
        }
}
