/*
 * cusolverDn.h - the part of cuSOLVER that airo uses, for machines without the toolkit: the
 * Cholesky factor in double precision, column-major.
 *
 * The plug-in opens this library at run time. It is a part of the shim instead: its dlopen and
 * dlsym know it, and any other name goes to the real ones. AIRO_SHIM_SOLVER=0 takes it away, and
 * AIRO_SHIM_SOLVER=name that function alone.
 */
#ifndef AIRO_SHIM_CUSOLVER_DN_H
#define AIRO_SHIM_CUSOLVER_DN_H

#include <cublas_v2.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CUSOLVER_VER_MAJOR 0

typedef enum {
    CUSOLVER_STATUS_SUCCESS = 0,
    CUSOLVER_STATUS_NOT_INITIALIZED = 1,
    CUSOLVER_STATUS_ALLOC_FAILED = 2,
    CUSOLVER_STATUS_INVALID_VALUE = 3,
    CUSOLVER_STATUS_EXECUTION_FAILED = 6,
    CUSOLVER_STATUS_INTERNAL_ERROR = 7
} cusolverStatus_t;

typedef struct cusolverDnContext *cusolverDnHandle_t;

cusolverStatus_t cusolverDnCreate(cusolverDnHandle_t *handle);
cusolverStatus_t cusolverDnDestroy(cusolverDnHandle_t handle);
cusolverStatus_t cusolverDnSetStream(cusolverDnHandle_t handle, cudaStream_t stream);
cusolverStatus_t cusolverDnDpotrf_bufferSize(cusolverDnHandle_t handle, cublasFillMode_t uplo,
                                             int n, double *a, int lda, int *doubles);
/* *info on the device: 0, or the order of the first leading minor that is not positive. */
cusolverStatus_t cusolverDnDpotrf(cusolverDnHandle_t handle, cublasFillMode_t uplo, int n,
                                  double *a, int lda, double *work, int doubles, int *info);

void *shim_dlopen(const char *name, int flags);
void *shim_dlsym(void *library, const char *name);
#define dlopen shim_dlopen
#define dlsym  shim_dlsym

#ifdef __cplusplus
}
#endif

#endif
