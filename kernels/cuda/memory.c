/*
 * memory.c - device memory and errors. Everything a device holds is in its list of blocks, so that
 * close frees it all wherever loading stopped.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/host.h"

int gpu_error(struct backend_error *error, enum backend_code code, const char *format, ...)
{
    if (error == NULL)
        return -1;
    error->code = code;
    va_list args;
    va_start(args, format);
    vsnprintf(error->message, sizeof error->message, format, args);
    va_end(args);
    return -1;
}

int gpu_check(struct backend *backend, const struct device *device, cudaError_t result,
              const char *what)
{
    if (result == cudaSuccess)
        return 0;
    cudaGetLastError();
    if (!backend->failed)
        snprintf(backend->fault, sizeof backend->fault, "%s: %s failed: %s (%s)",
                 device != NULL ? device->name : "CUDA", what, cudaGetErrorString(result),
                 cudaGetErrorName(result));
    backend->failed = true;
    return -1;
}

int gpu_check_load(struct backend *backend, const struct device *device, cudaError_t result,
                   const char *what, struct backend_error *error)
{
    if (gpu_check(backend, device, result, what) == 0)
        return 0;
    return gpu_error(error, BACKEND_FAILED, "%s", backend->fault);
}

int gpu_misuse(struct backend *backend, const char *step, const char *reason)
{
    if (!backend->failed)
        snprintf(backend->fault, sizeof backend->fault, "%s: %s", step, reason);
    return -1;
}

static bool keep_block(struct device *device, void *memory)
{
    if (device->block_count == device->block_capacity) {
        uint32_t capacity = 2 * device->block_capacity + 64;
        void **grown = realloc(device->blocks, capacity * sizeof *grown);
        if (grown == NULL)
            return false;
        device->blocks = grown;
        device->block_capacity = capacity;
    }
    device->blocks[device->block_count++] = memory;
    return true;
}

static void *no_memory(const struct device *device, size_t bytes, const char *what,
                       struct backend_error *error)
{
    size_t available = 0, total = 0;
    cudaGetLastError(); /* running out of memory spoils nothing */
    cudaMemGetInfo(&available, &total);
    gpu_error(error, BACKEND_NO_MEMORY, "cannot allocate %.1f MiB for %s on %s, %.1f MiB free",
              (double)bytes / MIB, what, device->name, (double)available / MIB);
    return NULL;
}

void *gpu_alloc(struct backend *backend, struct device *device, size_t bytes, const char *what,
                uint64_t *account, struct backend_error *error)
{
    void *memory = NULL;
    if (backend->failed) {
        gpu_error(error, BACKEND_FAILED, "%s", backend->fault);
        return NULL;
    }
    if (gpu_check_load(backend, device, cudaSetDevice(device->id), "choosing the device", error))
        return NULL;
    cudaError_t result = cudaMalloc(&memory, bytes > 0 ? bytes : 16);
    if (result == cudaErrorMemoryAllocation)
        return no_memory(device, bytes, what, error);
    if (gpu_check_load(backend, device, result, what, error) != 0)
        return NULL;
    if (!keep_block(device, memory)) {
        cudaFree(memory);
        gpu_error(error, BACKEND_NO_MEMORY, "no memory for a list of blocks");
        return NULL;
    }
    result = cudaMemsetAsync(memory, 0, bytes, device->stream);
    if (bytes > 0 && gpu_check_load(backend, device, result, what, error) != 0)
        return NULL;
    if (account != NULL)
        *account += bytes;
    return memory;
}

void gpu_free(struct device *device, void *memory)
{
    for (uint32_t i = device->block_count; memory != NULL && i-- > 0;)
        if (device->blocks[i] == memory) {
            device->blocks[i] = device->blocks[--device->block_count];
            cudaSetDevice(device->id);
            cudaFree(memory);
            return;
        }
}

void gpu_free_all(struct device *device)
{
    cudaSetDevice(device->id);
    for (uint32_t i = 0; i < device->block_count; i++)
        cudaFree(device->blocks[i]);
    free(device->blocks);
    device->blocks = NULL;
    device->block_count = device->block_capacity = 0;
}

void *pinned_alloc(struct backend *backend, size_t bytes, const char *what,
                   struct backend_error *error)
{
    void *memory = NULL;
    cudaError_t result = cudaMallocHost(&memory, bytes > 0 ? bytes : 16);
    if (result == cudaErrorMemoryAllocation) {
        cudaGetLastError();
        gpu_error(error, BACKEND_NO_MEMORY, "cannot allocate %.1f MiB of pinned memory for %s",
                  (double)bytes / MIB, what);
        return NULL;
    }
    if (gpu_check_load(backend, NULL, result, what, error) != 0)
        return NULL;
    memset(memory, 0, bytes);
    return memory;
}
