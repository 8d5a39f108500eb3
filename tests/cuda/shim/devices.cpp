/* The devices, the errors and the faults that tests ask for. */
#include "runtime.h"

#include <algorithm>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shim.h"

static struct device devices[SHIM_MAX_DEVICES];
static thread_local int current_device;
static thread_local cudaError_t last_error;

std::recursive_mutex &shim_lock()
{
    static std::recursive_mutex lock;
    return lock;
}

static size_t setting(const char *name, size_t missing)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 10) : missing;
}

int device_count()
{
    return (int)std::min<size_t>(setting("AIRO_SHIM_DEVICES", 1), SHIM_MAX_DEVICES);
}

size_t device_memory_limit()
{
    return setting("AIRO_SHIM_MEMORY", (size_t)1 << 30);
}

struct device *device_get(int device)
{
    struct device *d = &devices[device];
    d->default_stream.device = device;
    d->default_stream.blocking = true;
    return d;
}

int device_current()
{
    return current_device;
}

cudaError_t shim_result(cudaError_t error)
{
    if (error != cudaSuccess)
        last_error = error;
    return error;
}

cudaError_t shim_ready()
{
    if (device_count() == 0)
        return shim_result(cudaErrorNoDevice);
    return shim_result(devices[current_device].lost);
}

/* --- faults on request ------------------------------------------------------------------------ */

/* What is lost does not come back. */
static bool stays_away()
{
    const char *text = getenv("AIRO_SHIM_FAIL");
    return text != NULL && strncmp(text, "gone:", 5) == 0;
}

enum fault_kind_hit fault_count(enum fault_kind kind)
{
    static std::string plan;
    static size_t counted;
    const char *text = getenv("AIRO_SHIM_FAIL");
    if (plan != (text ? text : "")) {
        plan = text ? text : "";
        counted = 0;
    }
    static const char *const names[] = {"malloc:", "launch:", "copy:", "capture:"};
    std::string name = names[kind];
    bool lost = plan.compare(0, 5, "lost:") == 0 || stays_away();
    if (lost ? kind == FAULT_CAPTURE : plan.compare(0, name.size(), name) != 0)
        return HIT_NOTHING;
    if (++counted != strtoull(plan.c_str() + (lost ? 5 : name.size()), NULL, 10))
        return HIT_NOTHING;
    return lost ? HIT_LOST : HIT_THIS;
}

/* --- errors ----------------------------------------------------------------------------------- */

static const struct {
    cudaError_t code;
    const char *name, *text;
} errors[] = {
    {cudaSuccess, "cudaSuccess", "no error"},
    {cudaErrorInvalidValue, "cudaErrorInvalidValue", "invalid argument"},
    {cudaErrorMemoryAllocation, "cudaErrorMemoryAllocation", "out of memory"},
    {cudaErrorInvalidConfiguration, "cudaErrorInvalidConfiguration",
     "invalid configuration argument"},
    {cudaErrorInvalidMemcpyDirection, "cudaErrorInvalidMemcpyDirection",
     "invalid copy direction for memcpy"},
    {cudaErrorNoDevice, "cudaErrorNoDevice", "no CUDA-capable device is detected"},
    {cudaErrorInvalidDevice, "cudaErrorInvalidDevice", "invalid device ordinal"},
    {cudaErrorInvalidResourceHandle, "cudaErrorInvalidResourceHandle", "invalid resource handle"},
    {cudaErrorNotReady, "cudaErrorNotReady", "device not ready"},
    {cudaErrorIllegalAddress, "cudaErrorIllegalAddress",
     "an illegal memory access was encountered"},
    {cudaErrorLaunchOutOfResources, "cudaErrorLaunchOutOfResources",
     "too many resources requested for launch"},
    {cudaErrorPeerAccessAlreadyEnabled, "cudaErrorPeerAccessAlreadyEnabled",
     "peer access is already enabled"},
    {cudaErrorHostMemoryAlreadyRegistered, "cudaErrorHostMemoryAlreadyRegistered",
     "part or all of the requested memory range is already mapped"},
    {cudaErrorHostMemoryNotRegistered, "cudaErrorHostMemoryNotRegistered",
     "pointer does not correspond to a registered memory region"},
    {cudaErrorMisalignedAddress, "cudaErrorMisalignedAddress", "misaligned address"},
    {cudaErrorLaunchFailure, "cudaErrorLaunchFailure", "unspecified launch failure"},
    {cudaErrorNotSupported, "cudaErrorNotSupported", "operation not supported"},
    {cudaErrorStreamCaptureUnsupported, "cudaErrorStreamCaptureUnsupported",
     "operation not permitted when stream is capturing"},
    {cudaErrorStreamCaptureInvalidated, "cudaErrorStreamCaptureInvalidated",
     "operation failed due to a previous error during capture"},
    {cudaErrorStreamCaptureUnmatched, "cudaErrorStreamCaptureUnmatched",
     "the capture was not initiated in this stream"},
    {cudaErrorCapturedEvent, "cudaErrorCapturedEvent",
     "operation not permitted on an event last recorded in a capturing stream"},
    {cudaErrorUnknown, "cudaErrorUnknown", "unknown error"},
};

const char *cudaGetErrorName(cudaError_t error)
{
    for (const auto &row : errors)
        if (row.code == error)
            return row.name;
    return "unrecognized error code";
}

const char *cudaGetErrorString(cudaError_t error)
{
    for (const auto &row : errors)
        if (row.code == error)
            return row.text;
    return "unrecognized error code";
}

cudaError_t cudaGetLastError(void)
{
    cudaError_t error = last_error;
    last_error = cudaSuccess;
    return error;
}

cudaError_t cudaPeekAtLastError(void)
{
    return last_error;
}

/* --- devices ---------------------------------------------------------------------------------- */

cudaError_t cudaGetDeviceCount(int *count)
{
    *count = device_count();
    return shim_result(*count > 0 ? cudaSuccess : cudaErrorNoDevice);
}

cudaError_t cudaSetDevice(int device)
{
    if (device < 0 || device >= device_count())
        return shim_result(device_count() > 0 ? cudaErrorInvalidDevice : cudaErrorNoDevice);
    current_device = device;
    return shim_ready();
}

cudaError_t cudaGetDevice(int *device)
{
    *device = current_device;
    return shim_result(device_count() > 0 ? cudaSuccess : cudaErrorNoDevice);
}

cudaError_t cudaSetDeviceFlags(unsigned)
{
    return shim_ready();
}

static const struct {
    enum cudaDeviceAttr attribute;
    int value;
} attributes[] = {
    {cudaDevAttrMaxThreadsPerBlock, 1024},
    {cudaDevAttrMaxSharedMemoryPerBlock, 48 * 1024},
    {cudaDevAttrWarpSize, 32},
    {cudaDevAttrClockRate, 1000000},
    {cudaDevAttrMultiProcessorCount, 4}, /* few, so that grids made to fill a device stay small */
    {cudaDevAttrIntegrated, 0},
    {cudaDevAttrMemoryClockRate, 1000000},
    {cudaDevAttrGlobalMemoryBusWidth, 64},
    {cudaDevAttrL2CacheSize, 4 << 20},
    {cudaDevAttrMaxThreadsPerMultiProcessor, 2048},
    {cudaDevAttrComputeCapabilityMajor, 9},
    {cudaDevAttrComputeCapabilityMinor, 0},
    {cudaDevAttrMaxSharedMemoryPerMultiprocessor, 228 * 1024},
    {cudaDevAttrMaxSharedMemoryPerBlockOptin, 227 * 1024},
    {cudaDevAttrMaxPersistingL2CacheSize, 0},
};

cudaError_t cudaDeviceGetAttribute(int *value, enum cudaDeviceAttr attribute, int device)
{
    if (device < 0 || device >= device_count())
        return shim_result(cudaErrorInvalidDevice);
    for (const auto &row : attributes)
        if (row.attribute == attribute) {
            *value = row.value;
            return cudaSuccess;
        }
    return shim_result(cudaErrorInvalidValue);
}

cudaError_t cudaGetDeviceProperties(struct cudaDeviceProp *properties, int device)
{
    if (device < 0 || device >= device_count())
        return shim_result(cudaErrorInvalidDevice);
    *properties = {};
    snprintf(properties->name, sizeof properties->name, "Host shim");
    properties->totalGlobalMem = device_memory_limit();
    properties->sharedMemPerBlock = 48 * 1024;
    properties->regsPerBlock = 65536;
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = 1024;
    properties->maxThreadsDim[0] = properties->maxThreadsDim[1] = 1024;
    properties->maxThreadsDim[2] = 64;
    properties->maxGridSize[0] = 0x7FFFFFFF;
    properties->maxGridSize[1] = properties->maxGridSize[2] = 65535;
    properties->major = 9;
    properties->multiProcessorCount = 4;
    properties->canMapHostMemory = properties->concurrentKernels = 1;
    properties->unifiedAddressing = 1;
    properties->pciBusID = device + 1;
    properties->asyncEngineCount = 2;
    properties->memoryBusWidth = 64;
    properties->l2CacheSize = 4 << 20;
    properties->maxThreadsPerMultiProcessor = 2048;
    properties->sharedMemPerMultiprocessor = 228 * 1024;
    properties->sharedMemPerBlockOptin = 227 * 1024;
    return cudaSuccess;
}

cudaError_t cudaDeviceGetPCIBusId(char *text, int length, int device)
{
    if (device < 0 || device >= device_count())
        return shim_result(cudaErrorInvalidDevice);
    snprintf(text, (size_t)length, "0000:%02x:00.0", device + 1);
    return cudaSuccess;
}

cudaError_t cudaRuntimeGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaDriverGetVersion(int *version)
{
    *version = CUDART_VERSION;
    return cudaSuccess;
}

cudaError_t cudaDeviceSynchronize(void)
{
    shim_guard guard(shim_lock());
    cudaError_t status = shim_ready();
    if (status == cudaSuccess && device_capturing(current_device))
        status = cudaErrorStreamCaptureUnsupported;
    return shim_result(status == cudaSuccess ? device_drain(current_device) : status);
}

cudaError_t cudaDeviceReset(void)
{
    shim_guard guard(shim_lock());
    if (device_count() == 0)
        return shim_result(cudaErrorNoDevice);
    struct device *device = device_get(current_device);
    device_drop_streams(current_device);
    memory_drop(current_device);
    device->lost = stays_away() ? device->lost : cudaSuccess;
    device->used = 0;
    device->peers = 0;
    last_error = cudaSuccess;
    return cudaSuccess;
}

cudaError_t cudaDeviceCanAccessPeer(int *can, int device, int peer)
{
    if (device < 0 || device >= device_count() || peer < 0 || peer >= device_count())
        return shim_result(cudaErrorInvalidDevice);
    *can = device != peer;
    return cudaSuccess;
}

cudaError_t cudaDeviceEnablePeerAccess(int peer, unsigned)
{
    shim_guard guard(shim_lock());
    if (peer < 0 || peer >= device_count() || peer == current_device)
        return shim_result(cudaErrorInvalidDevice);
    struct device *device = device_get(current_device);
    if (device->peers >> peer & 1)
        return shim_result(cudaErrorPeerAccessAlreadyEnabled);
    device->peers |= 1u << peer;
    return cudaSuccess;
}
