/*
 * device.c - which GPUs are used and what each holds; figures about them.
 *
 * Without a list from the user the first device that can run the kernels is opened, and others only
 * when the plan does not fit into it: opening one takes memory and time on it. Then either one of
 * them holds everything, or all share the layers by their free memory.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/host.h"

/* Counts up when what a page's bytes mean, or the arithmetic that fills them, changes. */
#define CUDA_KV_LAYOUT 1

#define CAPABILITY_LEAST 80 /* mma.m16n8k16, cp.async */
#define BANDWIDTH_BYTES  ((size_t)1 << 30)
#define BANDWIDTH_TURNS  5

/* --- finding ---------------------------------------------------------------------------------- */

static int no_devices(cudaError_t result, struct backend_error *error)
{
    int driver = 0, runtime = 0;
    cudaGetLastError();
    cudaDriverGetVersion(&driver);
    cudaRuntimeGetVersion(&runtime);
    if (driver == 0)
        return gpu_error(error, BACKEND_UNSUPPORTED, "no NVIDIA driver was found");
    if (result == cudaErrorInsufficientDriver || (driver > 0 && driver / 1000 < runtime / 1000))
        return gpu_error(error, BACKEND_UNSUPPORTED,
                         "the NVIDIA driver is for CUDA %d.%d, this build needs %d.%d",
                         driver / 1000, driver % 1000 / 10, runtime / 1000, runtime % 1000 / 10);
    if (result != cudaSuccess && result != cudaErrorNoDevice)
        return gpu_error(error, BACKEND_UNSUPPORTED, "CUDA cannot start: %s",
                         cudaGetErrorString(result));
    return gpu_error(error, BACKEND_UNSUPPORTED,
                     "there is no NVIDIA GPU (or CUDA_VISIBLE_DEVICES "
                     "hides it)");
}

/* Whether the kernels run there; `error` says why not. */
static bool device_suits(int id, struct backend_error *error)
{
    struct cudaDeviceProp properties;
    cudaError_t result = cudaGetDeviceProperties(&properties, id);
    if (result != cudaSuccess) {
        cudaGetLastError();
        gpu_error(error, BACKEND_UNSUPPORTED, "CUDA device %d cannot be asked: %s", id,
                  cudaGetErrorString(result));
        return false;
    }
    if (properties.major * 10 + properties.minor >= CAPABILITY_LEAST)
        return true;
    gpu_error(error, BACKEND_UNSUPPORTED,
              "%.64s has compute capability %d.%d, 8.0 is needed: use the CPU (--device cpu)",
              properties.name, properties.major, properties.minor);
    return false;
}

/* "0,2" after "cuda:". */
static int parse_list(struct backend *backend, const char *list, int visible,
                      struct backend_error *error)
{
    const char *at = list;
    do {
        char *end;
        long id = *at >= '0' && *at <= '9' ? strtol(at, &end, 10) : -1;
        if (id < 0 || (*end != ',' && *end != '\0') || (*end == ',' && end[1] == '\0'))
            return gpu_error(error, BACKEND_UNSUPPORTED, "expected numbers parted by commas");
        if (id >= visible)
            return gpu_error(error, BACKEND_UNSUPPORTED, "there is no device %ld, %d can be seen",
                             id, visible);
        for (uint32_t i = 0; i < backend->candidate_count; i++)
            if (backend->candidates[i] == id)
                return gpu_error(error, BACKEND_UNSUPPORTED, "%ld comes twice", id);
        if (backend->candidate_count == DEVICES_MAX)
            return gpu_error(error, BACKEND_UNSUPPORTED, "at most %d", DEVICES_MAX);
        if (!device_suits((int)id, error))
            return -1;
        backend->candidates[backend->candidate_count++] = (int)id;
        at = *end == ',' ? end + 1 : end;
    } while (*at != '\0');
    backend->devices_fixed = true;
    return 0;
}

static int find_candidates(struct backend *backend, const char *name, struct backend_error *error)
{
    int visible = 0;
    cudaError_t result = cudaGetDeviceCount(&visible);
    if (result != cudaSuccess || visible <= 0)
        return no_devices(result, error);
    if (name != NULL && strncmp(name, "cuda:", 5) == 0)
        return parse_list(backend, name + 5, visible, error);
    if (name != NULL && strcmp(name, "auto") != 0 && strcmp(name, "cuda") != 0)
        return gpu_error(error, BACKEND_UNSUPPORTED, "no device named %.32s (auto, cuda, cuda:0)",
                         name);
    for (int id = 0; id < visible && backend->candidate_count < DEVICES_MAX; id++)
        if (device_suits(id, error))
            backend->candidates[backend->candidate_count++] = id;
    return backend->candidate_count > 0 ? 0 : -1;
}

/* --- opening ---------------------------------------------------------------------------------- */

static int make_events(struct backend *backend, struct device *device, struct backend_error *error)
{
    cudaEvent_t *events[] = {&device->uploaded, &device->ready, &device->taken, &device->pace[0],
                             &device->pace[1]};
    _Static_assert(PACE_LAYERS == 2, "the list above");
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (gpu_check_load(backend, device,
                           cudaEventCreateWithFlags(events[i], cudaEventDisableTiming),
                           "making an event", error) != 0)
            return -1;
    return 0;
}

static int device_open(struct backend *backend, int id, struct backend_error *error)
{
    struct device *device = &backend->devices[backend->device_count++];
    struct cudaDeviceProp properties;
    size_t available = 0, total = 0;
    device->id = id;
    snprintf(device->name, sizeof device->name, "CUDA device %d", id);
    if (gpu_check_load(backend, device, cudaSetDevice(id), "choosing the device", error) != 0 ||
        gpu_check_load(backend, device, cudaGetDeviceProperties(&properties, id), "asking for it",
                       error) != 0 ||
        gpu_check_load(backend, device, cudaMemGetInfo(&available, &total), "opening the device",
                       error) != 0 ||
        gpu_check_load(backend, device,
                       cudaStreamCreateWithFlags(&device->stream, cudaStreamNonBlocking),
                       "making a stream", error) != 0)
        return -1;
    snprintf(device->name, sizeof device->name, "%.90s", properties.name);
    device->capability = (uint32_t)(properties.major * 10 + properties.minor);
    device->multiprocessors = (uint32_t)properties.multiProcessorCount;
    device->shared_bytes = (uint32_t)properties.sharedMemPerBlockOptin;
    device->multiprocessor_shared = (uint32_t)properties.sharedMemPerMultiprocessor;
    device->total_bytes = total;
    device->free_bytes = available;
    return make_events(backend, device, error);
}

static void device_close(struct device *device)
{
    cudaSetDevice(device->id);
    upload_close(device);
    gpu_free_all(device);
    cudaEvent_t events[] = {device->uploaded, device->ready, device->taken, device->pace[0],
                            device->pace[1]};
    for (size_t i = 0; i < sizeof events / sizeof events[0]; i++)
        if (events[i] != NULL)
            cudaEventDestroy(events[i]);
    if (device->stream != NULL)
        cudaStreamDestroy(device->stream);
    for (uint32_t i = 0; i < device->order_count; i++)
        gpu_order_free(device->orders[i]);
    free(device->orders);
    *device = (struct device){0};
}

void devices_close(struct backend *backend)
{
    for (uint32_t i = 0; i < backend->device_count; i++)
        device_close(&backend->devices[i]);
    backend->device_count = 0;
}

/* The names that depend on what is in use. The bits of a page depend on how sums are split, which
 * follows the multiprocessors. */
static void say_devices(struct backend *backend)
{
    int runtime = 0;
    char count[16] = "";
    cudaRuntimeGetVersion(&runtime);
    if (backend->device_count > 1)
        snprintf(count, sizeof count, "%u x ", backend->device_count);
    snprintf(backend->description, sizeof backend->description, "%s%s, CUDA %d.%d", count,
             backend->devices[0].name, runtime / 1000, runtime % 1000 / 10);
    snprintf(backend->kv_format, sizeof backend->kv_format, "cuda %d, sm_%u x %u", CUDA_KV_LAYOUT,
             backend->devices[0].capability, backend->devices[0].multiprocessors);
}

int devices_open(struct backend *backend, const char *name, struct backend_error *error)
{
    if (find_candidates(backend, name, error) != 0)
        return -1;
    uint32_t wanted = backend->devices_fixed ? backend->candidate_count : 1;
    for (uint32_t i = 0; i < wanted; i++)
        if (device_open(backend, backend->candidates[i], error) != 0)
            return -1;
    say_devices(backend);
    return 0;
}

/* --- sharing the layers ----------------------------------------------------------------------- */

/* Only device `index` stays. */
static void keep_one(struct backend *backend, uint32_t index)
{
    for (uint32_t i = 0; i < backend->device_count; i++)
        if (i != index)
            device_close(&backend->devices[i]);
    if (index != 0) {
        backend->devices[0] = backend->devices[index];
        backend->devices[index] = (struct device){0};
    }
    backend->device_count = 1;
}

/* Of the first `count` devices. */
static uint64_t free_of(const struct backend *backend, uint32_t count)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < count; i++)
        sum += backend->devices[i].free_bytes;
    return sum;
}

/* The plan is for the devices that are open now; each has a scratch of its own. A plan too small
 * for that leaves scratch out. */
int devices_expect(struct backend *backend, uint64_t bytes, struct backend_error *error)
{
    uint64_t each = gpu_scratch_each(backend), own = backend->device_count * each;
    uint64_t shared = bytes >= own ? bytes - own : bytes;
    each = bytes >= own ? each : 0;
    if (backend->shared || backend->planned)
        return gpu_error(error, BACKEND_FAILED, "the plan comes twice or after the first weight");
    backend->planned = true;
    while (!backend->devices_fixed) {
        uint32_t last = backend->device_count - 1;
        if (backend->devices[last].free_bytes >= shared + each) {
            keep_one(backend, last);
            break;
        }
        if (backend->device_count == backend->candidate_count)
            break;
        if (device_open(backend, backend->candidates[backend->device_count], error) != 0)
            return -1;
    }
    /* As few as hold it, and none without a layer. */
    while (backend->device_count > backend->shape.layers ||
           (!backend->devices_fixed && backend->device_count > 1 &&
            free_of(backend, backend->device_count - 1) >=
                shared + (backend->device_count - 1) * each))
        device_close(&backend->devices[--backend->device_count]);
    say_devices(backend);
    return 0;
}

static void allow_peers(struct backend *backend)
{
    for (uint32_t i = 0; i < backend->device_count; i++)
        for (uint32_t j = 0; j < backend->device_count; j++) {
            int can = 0;
            int from = backend->devices[i].id, to = backend->devices[j].id;
            if (i == j || cudaDeviceCanAccessPeer(&can, from, to) != cudaSuccess || !can)
                continue;
            cudaSetDevice(from);
            cudaDeviceEnablePeerAccess(to, 0); /* without it copies go through the host */
            cudaGetLastError();
        }
}

int devices_share(struct backend *backend, struct backend_error *error)
{
    if (backend->shared)
        return 0;
    if (!backend->planned && devices_expect(backend, 0, error) != 0)
        return -1;
    uint32_t layers = backend->shape.layers, count = backend->device_count;
    double all = (double)free_of(backend, count), before = 0;
    for (uint32_t i = 0, first = 0; i < count; i++) {
        struct device *device = &backend->devices[i];
        before += (double)device->free_bytes;
        uint32_t end = all > 0 ? (uint32_t)((double)layers * (before / all) + 0.5) : 0;
        uint32_t most = layers - (count - 1 - i); /* one at least for each that follows */
        end = end <= first ? first + 1 : end;
        device->first_layer = first;
        device->end_layer = first = i + 1 == count ? layers : end > most ? most : end;
    }
    allow_peers(backend);
    backend->shared = true;
    return 0;
}

struct device *device_of_layer(struct backend *backend, uint32_t layer)
{
    uint32_t i = 0;
    while (i + 1 < backend->device_count && layer >= backend->devices[i].end_layer)
        i++;
    return &backend->devices[i];
}

/* --- figures ---------------------------------------------------------------------------------- */

void gpu_memory(const struct backend *backend, struct backend_memory *out)
{
    *out = (struct backend_memory){
        .weight_bytes = backend->weight_bytes,
        .kv_bytes = backend->kv_bytes,
        .scratch_bytes = backend->scratch_bytes,
        .step_bytes = backend->step_bytes,
    };
    for (uint32_t i = 0; i < backend->device_count; i++) {
        size_t available = 0, total = 0;
        if (!backend->failed && cudaSetDevice(backend->devices[i].id) == cudaSuccess)
            cudaMemGetInfo(&available, &total);
        out->total_bytes += total;
        out->free_bytes += available;
    }
}

/* Copies half of a large block to the other half; each byte is read once and written once. */
static float copy_ms(struct device *device, uint8_t *memory, size_t bytes)
{
    cudaEvent_t began = NULL, ended = NULL;
    float ms = 0;
    if (cudaEventCreateWithFlags(&began, 0) == cudaSuccess &&
        cudaEventCreateWithFlags(&ended, 0) == cudaSuccess &&
        cudaEventRecord(began, device->stream) == cudaSuccess &&
        cudaMemcpyAsync(memory + bytes, memory, bytes, cudaMemcpyDeviceToDevice, device->stream) ==
            cudaSuccess &&
        cudaEventRecord(ended, device->stream) == cudaSuccess &&
        cudaEventSynchronize(ended) == cudaSuccess)
        cudaEventElapsedTime(&ms, began, ended);
    if (began != NULL)
        cudaEventDestroy(began);
    if (ended != NULL)
        cudaEventDestroy(ended);
    return ms;
}

double gpu_bandwidth(struct backend *backend)
{
    struct device *device = &backend->devices[0];
    size_t available = 0, total = 0, half = BANDWIDTH_BYTES;
    double best = 0;
    if (backend->failed || steps_wait(backend) != 0 || cudaSetDevice(device->id) != cudaSuccess)
        return 0;
    cudaMemGetInfo(&available, &total);
    while (half > available / 4 && half > 4096)
        half /= 2;
    uint8_t *memory = gpu_alloc(backend, device, 2 * half, "a measurement", NULL, NULL);
    for (int turn = 0; memory != NULL && turn < BANDWIDTH_TURNS; turn++) {
        float ms = copy_ms(device, memory, half);
        double rate = ms > 0 ? 2.0 * (double)half / (double)ms * 1e3 : 0;
        best = rate > best ? rate : best;
    }
    gpu_free(device, memory);
    return best;
}
