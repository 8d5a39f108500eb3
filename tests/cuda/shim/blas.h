/* blas.h - what the shim's files of cuBLAS share. */
#ifndef AIRO_SHIM_BLAS_H
#define AIRO_SHIM_BLAS_H

struct cublasContext {
    struct CUstream_st *stream;
    int device;
};

#endif
