#include "device_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

void cuda_check(cudaError_t status, const char *call, const char *file, int line)
{
    if (status != cudaSuccess) {
        print_error("%s:%d: %s: %s\n", file, line, call, cudaGetErrorString(status));
        fail();
    }
}

void *device_copy(const void *data, size_t bytes)
{
    void *device = NULL;
    cuda_ok(cudaMalloc(&device, bytes ? bytes : 1));
    if (data)
        cuda_ok(cudaMemcpy(device, data, bytes, cudaMemcpyHostToDevice));
    else
        cuda_ok(cudaMemset(device, 0, bytes ? bytes : 1));
    return device;
}

void device_read(void *data, const void *device, size_t bytes)
{
    cuda_ok(cudaDeviceSynchronize());
    cuda_ok(cudaMemcpy(data, device, bytes, cudaMemcpyDeviceToHost));
}

void device_free(void *device)
{
    cuda_ok(cudaFree(device));
}
