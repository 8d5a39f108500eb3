/*
 * solver.h - the Cholesky factor in double precision, by cuSOLVER. The library is opened when it is
 * first needed, so that chatting needs no cuSOLVER on the machine; it then stays until the program
 * ends. The owner of a gpu_solver owns one handle.
 */
#ifndef AIRO_KERNELS_CUDA_SOLVER_H
#define AIRO_KERNELS_CUDA_SOLVER_H

#include <cuda_runtime_api.h>
#include <stdbool.h>
#include <stddef.h>

struct gpu_solver;

/* The largest n: the library counts a matrix' elements in an int. */
#define GPU_SOLVER_LARGEST 46340

/* On the current device. -1 with one line in `message`: the library is not there or too old, or
 * cannot start. */
int gpu_solver_open(struct gpu_solver **out, cudaStream_t stream, char *message, size_t bytes);
void gpu_solver_close(struct gpu_solver *solver);

/* Doubles of work memory for a [n, n]. */
int gpu_solver_work(struct gpu_solver *solver, double *a, int n, int *doubles);
/* Column-major a [n, n] -> U with U^T U = a, in the upper triangle; the lower is not touched. All
 * is device memory. *info becomes 0, or more where a is not positive definite. Does not wait. */
int gpu_solver_cholesky(struct gpu_solver *solver, double *a, int n, double *work, int doubles,
                        int *info);
/* After a -1 of these two: one line. */
const char *gpu_solver_error(const struct gpu_solver *solver);

#endif
