/*
 * launch.cuh - how a launch function of gpu.h starts its kernel.
 *
 *   launch(kernel, grid, block, shared_bytes, stream, dependent, arguments ...) -> cudaError_t
 *
 * `dependent`: the grid may start while the one before it on the stream still runs (programmatic
 * dependent launch); the kernel must call grid_wait. Shared memory over 48 KiB is asked for here.
 * On the host (tests/cuda/shim) the same call runs the kernel's source thread by thread.
 */
#ifndef AIRO_KERNELS_CUDA_LAUNCH_CUH
#define AIRO_KERNELS_CUDA_LAUNCH_CUH

#ifdef __CUDACC__
#include <cuda_runtime.h>

/* Over 48 KiB a kernel must be allowed its shared memory. It gets all that the device has, once: a
 * captured graph may hold a launch with more than this one. */
static inline cudaError_t launch_allow_shared(const void *kernel, const cudaFuncAttributes *kept,
                                              size_t shared)
{
    int device, most;
    if (shared <= 48 * 1024 || (size_t)kept->maxDynamicSharedSizeBytes >= shared)
        return cudaSuccess;
    cudaError_t status = cudaGetDevice(&device);
    if (status == cudaSuccess)
        status = cudaDeviceGetAttribute(&most, cudaDevAttrMaxSharedMemoryPerBlockOptin, device);
    if (status != cudaSuccess)
        return status;
    return cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                                most - (int)kept->sharedSizeBytes);
}

static inline int launch_driver()
{
    int version = 0;
    return cudaDriverGetVersion(&version) == cudaSuccess ? version : 0;
}

template <typename... Parameters, typename... Arguments>
static cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared,
                          cudaStream_t stream, bool dependent, Arguments... arguments)
{
    cudaFuncAttributes attributes;
    cudaError_t status = cudaFuncGetAttributes(&attributes, (const void *)kernel);
    if (status == cudaSuccess)
        status = launch_allow_shared((const void *)kernel, &attributes, shared);
    if (status != cudaSuccess)
        return status;
    /* Code made for sm_80, which the driver may have compiled for a newer device, does not wait in
     * grid_wait and must not overlap. Drivers before 12.3 cannot keep the overlap in a graph. */
    bool overlaps = dependent && attributes.ptxVersion >= 90 && launch_driver() >= 12030;
    cudaLaunchAttribute attribute = {};
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config = {};
    config.gridDim = grid;
    config.blockDim = block;
    config.dynamicSmemBytes = shared;
    config.stream = stream;
    config.attrs = &attribute;
    config.numAttrs = overlaps ? 1 : 0;
    return cudaLaunchKernelEx(&config, kernel, static_cast<Parameters>(arguments)...);
}
#else
#include <shim_kernel.h>

#define launch(...) shim_launch(#__VA_ARGS__, __VA_ARGS__)
#endif

#endif
