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
#include <type_traits>

/* Whether this kernel's code, on this device, is one that waits in grid_wait: built for sm_90 or
 * later. (Code for sm_80 that the driver compiled for a newer device has no such wait.) */
template <typename... Parameters>
static cudaError_t launch_can_depend(void (*kernel)(Parameters...), bool *can)
{
    cudaFuncAttributes attributes;
    cudaError_t status = cudaFuncGetAttributes(&attributes, (const void *)kernel);
    *can = status == cudaSuccess && attributes.ptxVersion >= 90;
    return status;
}

template <typename... Parameters, typename... Arguments>
static cudaError_t launch(void (*kernel)(Parameters...), dim3 grid, dim3 block, size_t shared,
                          cudaStream_t stream, bool dependent, Arguments... arguments)
{
    cudaError_t status = cudaSuccess;
    if (shared > 48 * 1024)
        status = cudaFuncSetAttribute((const void *)kernel,
                                      cudaFuncAttributeMaxDynamicSharedMemorySize, (int)shared);
    bool overlaps = false;
    if (status == cudaSuccess && dependent)
        status = launch_can_depend(kernel, &overlaps);
    if (status != cudaSuccess)
        return status;
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
