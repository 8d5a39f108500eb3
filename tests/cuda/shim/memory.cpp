/* Device and pinned memory, copies and sets. */
#include "runtime.h"

#include <map>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "race.h"
#include "shim.h"

enum { PINNED = -1, OUTSIDE = -2 };

struct allocation {
    size_t bytes;
    int device;      /* or PINNED */
    bool registered; /* the caller's memory */
};

static std::map<uintptr_t, struct allocation> &allocations()
{
    static std::map<uintptr_t, struct allocation> all;
    return all;
}

/* The device whose allocation holds all of [pointer, pointer + bytes), PINNED or OUTSIDE; of
 * memory that runs over the end of an allocation -3. */
static int place_of(const void *pointer, size_t bytes)
{
    uintptr_t address = (uintptr_t)pointer;
    auto after = allocations().upper_bound(address);
    if (after == allocations().begin())
        return OUTSIDE;
    auto found = std::prev(after);
    if (address >= found->first + found->second.bytes)
        return OUTSIDE;
    return address + bytes <= found->first + found->second.bytes ? found->second.device : -3;
}

bool memory_is_here(const void *pointer, size_t bytes)
{
    return place_of(pointer, bytes) == device_current();
}

bool memory_is_stray(uintptr_t address)
{
    unsigned char resident;
    uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);
    if (address < (uintptr_t)1 << 32 || place_of((const void *)address, 0) != OUTSIDE)
        return false;
    auto after = allocations().upper_bound(address);
    if (after != allocations().begin()) { /* one past the end of an allocation is no fault */
        auto before = std::prev(after);
        if (address == before->first + before->second.bytes)
            return false;
    }
    return mincore((void *)(address / page * page), 1, &resident) == 0;
}

void memory_drop(int device)
{
    struct race_own_affairs own;
    for (auto i = allocations().begin(); i != allocations().end();) {
        if (i->second.device == device) {
            free((void *)i->first);
            i = allocations().erase(i);
        } else {
            ++i;
        }
    }
}

size_t shim_device_bytes(int device)
{
    shim_guard guard(shim_lock());
    return device_get(device)->used;
}

size_t shim_device_allocations(int device)
{
    shim_guard guard(shim_lock());
    size_t count = 0;
    for (const auto &entry : allocations())
        count += entry.second.device == device;
    return count;
}

/* --- allocation ------------------------------------------------------------------------------- */

static void *fresh(size_t bytes)
{
    void *memory = NULL;
    if (posix_memalign(&memory, 256, bytes) != 0)
        return NULL;
    const char *poison = getenv("AIRO_SHIM_POISON");
    if (!poison || strcmp(poison, "0") != 0)
        memset(memory, 0xFF, bytes);
    return memory;
}

/* Devices hand out whole pieces of 512 bytes. */
static size_t charged(size_t bytes)
{
    return (bytes + 511) / 512 * 512;
}

cudaError_t cudaMalloc(void **pointer, size_t bytes)
{
    shim_guard guard(shim_lock());
    cudaError_t status = shim_ready();
    if (status != cudaSuccess)
        return status;
    struct device *device = device_get(device_current());
    *pointer = NULL;
    if (device_capturing(device_current()))
        return shim_result(cudaErrorStreamCaptureUnsupported);
    enum fault_kind_hit hit = fault_count(FAULT_MALLOC);
    if (hit == HIT_LOST)
        return shim_result(device->lost = cudaErrorUnknown);
    if (bytes == 0)
        return cudaSuccess;
    size_t limit = device_memory_limit();
    if (hit == HIT_THIS || device->used > limit || bytes > limit ||
        charged(bytes) > limit - device->used)
        return shim_result(cudaErrorMemoryAllocation);
    *pointer = fresh(bytes);
    if (!*pointer)
        return shim_result(cudaErrorMemoryAllocation);
    allocations()[(uintptr_t)*pointer] = {bytes, device_current(), false};
    device->used += charged(bytes);
    return cudaSuccess;
}

/* Waits for the device, as cudaFree does. */
cudaError_t cudaFree(void *pointer)
{
    shim_guard guard(shim_lock());
    if (!pointer)
        return cudaSuccess;
    auto found = allocations().find((uintptr_t)pointer);
    if (found == allocations().end() || found->second.device < 0)
        return shim_result(cudaErrorInvalidValue);
    int owner = found->second.device;
    cudaError_t status = device_get(owner)->lost;
    if (status == cudaSuccess)
        status = device_drain(owner);
    device_get(owner)->used -= charged(found->second.bytes);
    allocations().erase(found);
    free(pointer);
    return shim_result(status);
}

cudaError_t cudaHostAlloc(void **pointer, size_t bytes, unsigned)
{
    shim_guard guard(shim_lock());
    cudaError_t status = shim_ready();
    if (status != cudaSuccess)
        return status;
    *pointer = fresh(bytes ? bytes : 1);
    if (!*pointer)
        return shim_result(cudaErrorMemoryAllocation);
    allocations()[(uintptr_t)*pointer] = {bytes ? bytes : 1, PINNED, false};
    return cudaSuccess;
}

cudaError_t cudaMallocHost(void **pointer, size_t bytes)
{
    return cudaHostAlloc(pointer, bytes, 0);
}

cudaError_t cudaFreeHost(void *pointer)
{
    shim_guard guard(shim_lock());
    if (!pointer)
        return cudaSuccess;
    auto found = allocations().find((uintptr_t)pointer);
    if (found == allocations().end() || found->second.device != PINNED || found->second.registered)
        return shim_result(cudaErrorInvalidValue);
    for (int i = 0; i < device_count(); i++)
        if (device_get(i)->lost == cudaSuccess)
            device_drain(i);
    allocations().erase((uintptr_t)pointer);
    free(pointer);
    return cudaSuccess;
}

cudaError_t cudaHostRegister(void *pointer, size_t bytes, unsigned)
{
    shim_guard guard(shim_lock());
    if (!pointer || bytes == 0)
        return shim_result(cudaErrorInvalidValue);
    if (place_of(pointer, bytes) != OUTSIDE)
        return shim_result(cudaErrorHostMemoryAlreadyRegistered);
    allocations()[(uintptr_t)pointer] = {bytes, PINNED, true};
    return shim_ready();
}

cudaError_t cudaHostUnregister(void *pointer)
{
    shim_guard guard(shim_lock());
    auto found = allocations().find((uintptr_t)pointer);
    if (found == allocations().end() || !found->second.registered)
        return shim_result(cudaErrorHostMemoryNotRegistered);
    for (int i = 0; i < device_count(); i++)
        if (device_get(i)->lost == cudaSuccess)
            device_drain(i);
    allocations().erase((uintptr_t)pointer);
    return cudaSuccess;
}

cudaError_t cudaMemGetInfo(size_t *free_bytes, size_t *total)
{
    shim_guard guard(shim_lock());
    cudaError_t status = shim_ready();
    if (status != cudaSuccess)
        return status;
    size_t used = device_get(device_current())->used;
    *total = device_memory_limit();
    *free_bytes = used < *total ? *total - used : 0;
    return cudaSuccess;
}

/* --- copies ----------------------------------------------------------------------------------- */

struct copy_shape {
    char *to;
    const char *from;
    size_t to_pitch, from_pitch, width, height;
};

static void copy_now(const struct copy_shape *c)
{
    for (size_t row = 0; row < c->height; row++)
        memmove(c->to + row * c->to_pitch, c->from + row * c->from_pitch, c->width);
}

static size_t extent(size_t pitch, size_t width, size_t height)
{
    return height == 0 || width == 0 ? 0 : (height - 1) * pitch + width;
}

static bool is_device(int place)
{
    return place >= 0;
}

/* Whether both sides are where `kind` says, whole. */
static cudaError_t check_copy(const struct copy_shape *c, enum cudaMemcpyKind kind)
{
    int to = place_of(c->to, extent(c->to_pitch, c->width, c->height));
    int from = place_of(c->from, extent(c->from_pitch, c->width, c->height));
    if (to == -3 || from == -3 || c->to_pitch < c->width || c->from_pitch < c->width)
        return cudaErrorInvalidValue;
    if (kind == cudaMemcpyDefault)
        return cudaSuccess;
    bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    return is_device(to) == to_device && is_device(from) == from_device ? cudaSuccess
                                                                        : cudaErrorInvalidValue;
}

/* What is counted as a copy; HIT_LOST becomes an operation that fails when it runs. */
static cudaError_t put_counted(struct CUstream_st *stream, std::function<cudaError_t()> run)
{
    enum fault_kind_hit hit = fault_count(FAULT_COPY);
    if (hit == HIT_THIS)
        return cudaErrorInvalidValue;
    if (hit == HIT_LOST)
        run = [] { return cudaErrorUnknown; };
    return stream_put(stream, {nullptr, run, NULL});
}

static cudaError_t put_copy(struct CUstream_st *stream, const struct copy_shape *shape)
{
    struct copy_shape copy = *shape;
    bool from_outside =
        place_of(copy.from, extent(copy.from_pitch, copy.width, copy.height)) == OUTSIDE;
    if (from_outside && !stream->capture) { /* pageable: what is there now is what is sent */
        auto kept = std::make_shared<std::string>();
        for (size_t row = 0; row < copy.height; row++)
            kept->append(copy.from + row * copy.from_pitch, copy.width);
        return put_counted(stream, [copy, kept]() mutable {
            copy.from = kept->data();
            copy.from_pitch = copy.width;
            copy_now(&copy);
            return cudaSuccess;
        });
    }
    return put_counted(stream, [copy] {
        copy_now(&copy);
        return cudaSuccess;
    });
}

static cudaError_t copy_async(const struct copy_shape *shape, enum cudaMemcpyKind kind,
                              cudaStream_t handle)
{
    shim_guard guard(shim_lock());
    cudaError_t status = shim_ready();
    if (status != cudaSuccess || shape->width == 0 || shape->height == 0)
        return status;
    if (handle && !stream_exists(handle))
        return shim_result(cudaErrorInvalidResourceHandle);
    struct CUstream_st *stream = stream_or_default(handle);
    bool to_outside =
        place_of(shape->to, extent(shape->to_pitch, shape->width, shape->height)) == OUTSIDE;
    status = check_copy(shape, kind);
    if (status == cudaSuccess)
        status = put_copy(stream, shape);
    if (status == cudaSuccess && to_outside && !stream->capture)
        status = stream_drain(stream); /* into pageable memory: returns when it is there */
    return shim_result(status);
}

static cudaError_t copy_blocking(const struct copy_shape *shape, enum cudaMemcpyKind kind)
{
    shim_guard guard(shim_lock());
    if (device_capturing(device_current()))
        return shim_result(cudaErrorStreamCaptureUnsupported);
    cudaError_t status = copy_async(shape, kind, NULL);
    if (status == cudaSuccess && shape->width > 0 && shape->height > 0)
        status = stream_drain(stream_or_default(NULL));
    return shim_result(status);
}

static struct copy_shape flat(void *to, const void *from, size_t bytes)
{
    return {(char *)to, (const char *)from, bytes, bytes, bytes, 1};
}

cudaError_t cudaMemcpy(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind)
{
    struct copy_shape shape = flat(to, from, bytes);
    return copy_blocking(&shape, kind);
}

cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, enum cudaMemcpyKind kind,
                            cudaStream_t stream)
{
    struct copy_shape shape = flat(to, from, bytes);
    return copy_async(&shape, kind, stream);
}

cudaError_t cudaMemcpy2D(void *to, size_t to_pitch, const void *from, size_t from_pitch,
                         size_t width, size_t height, enum cudaMemcpyKind kind)
{
    struct copy_shape shape = {(char *)to, (const char *)from, to_pitch, from_pitch, width, height};
    return copy_blocking(&shape, kind);
}

cudaError_t cudaMemcpy2DAsync(void *to, size_t to_pitch, const void *from, size_t from_pitch,
                              size_t width, size_t height, enum cudaMemcpyKind kind,
                              cudaStream_t stream)
{
    struct copy_shape shape = {(char *)to, (const char *)from, to_pitch, from_pitch, width, height};
    return copy_async(&shape, kind, stream);
}

cudaError_t cudaMemcpyPeerAsync(void *to, int to_device, const void *from, int from_device,
                                size_t bytes, cudaStream_t stream)
{
    shim_guard guard(shim_lock());
    if (bytes > 0 && (place_of(to, bytes) != to_device || place_of(from, bytes) != from_device))
        return shim_result(cudaErrorInvalidValue);
    return cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream);
}

cudaError_t cudaMemcpyPeer(void *to, int to_device, const void *from, int from_device, size_t bytes)
{
    shim_guard guard(shim_lock());
    cudaError_t status = device_drain_blocking(to_device);
    if (status == cudaSuccess)
        status = device_drain_blocking(from_device);
    if (status == cudaSuccess)
        status = cudaMemcpyPeerAsync(to, to_device, from, from_device, bytes, NULL);
    if (status == cudaSuccess)
        status = stream_drain(stream_or_default(NULL));
    return shim_result(status);
}

cudaError_t cudaMemsetAsync(void *pointer, int value, size_t bytes, cudaStream_t handle)
{
    shim_guard guard(shim_lock());
    cudaError_t status = shim_ready();
    if (status != cudaSuccess || bytes == 0)
        return status;
    if (handle && !stream_exists(handle))
        return shim_result(cudaErrorInvalidResourceHandle);
    if (!is_device(place_of(pointer, bytes)))
        return shim_result(cudaErrorInvalidValue);
    return shim_result(put_counted(stream_or_default(handle), [=] {
        memset(pointer, value, bytes);
        return cudaSuccess;
    }));
}

/* The runtime's returns before the device is done, so this one does too. */
cudaError_t cudaMemset(void *pointer, int value, size_t bytes)
{
    shim_guard guard(shim_lock());
    if (device_capturing(device_current()))
        return shim_result(cudaErrorStreamCaptureUnsupported);
    return cudaMemsetAsync(pointer, value, bytes, NULL);
}
