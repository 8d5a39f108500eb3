/*
 * device_memory.h - device memory for tests: uploads, downloads and a status check that ends the
 * test. With the CUDA toolkit's headers the same tests run on a GPU.
 */
#ifndef AIRO_TESTS_CUDA_DEVICE_MEMORY_H
#define AIRO_TESTS_CUDA_DEVICE_MEMORY_H

#include <cuda_runtime_api.h>
#include <stddef.h>

/* Fails the test with CUDA's words. */
#define cuda_ok(call) cuda_check((call), #call, __FILE__, __LINE__)
void cuda_check(cudaError_t status, const char *call, const char *file, int line);

/* A new allocation that holds a copy of `bytes` at `data`; NULL: zeros. */
void *device_copy(const void *data, size_t bytes);
/* Waits for the device first. */
void device_read(void *data, const void *device, size_t bytes);
void device_free(void *device);

#endif
