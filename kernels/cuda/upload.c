/*
 * upload.c - tensors of the file -> device. The file is mapped and may be slow to come: while one
 * pinned piece is on its way to the device, the next is read into the other.
 */
#include <string.h>

#include "kernels/cuda/host.h"

/* Large enough that the bus is busy, small enough that reading and sending overlap early. */
#define PIECE_BYTES ((size_t)8 << 20)

static int upload_open(struct backend *backend, struct device *device, struct backend_error *error)
{
    struct upload *upload = &device->upload;
    if (gpu_check_load(backend, device, cudaSetDevice(device->id), "choosing the device", error) !=
        0)
        return -1;
    for (int i = 0; i < 2; i++) {
        if (upload->pinned[i] == NULL)
            upload->pinned[i] = pinned_alloc(backend, PIECE_BYTES, "loading", error);
        if (upload->pinned[i] == NULL)
            return -1;
        if (upload->done[i] == NULL &&
            gpu_check_load(backend, device,
                           cudaEventCreateWithFlags(&upload->done[i], cudaEventDisableTiming),
                           "making an event", error) != 0)
            return -1;
    }
    return 0;
}

void upload_close(struct device *device)
{
    struct upload *upload = &device->upload;
    cudaSetDevice(device->id);
    for (int i = 0; i < 2; i++) {
        if (upload->done[i] != NULL)
            cudaEventDestroy(upload->done[i]);
        if (upload->pinned[i] != NULL)
            cudaFreeHost(upload->pinned[i]);
    }
    gpu_free(device, upload->arena);
    *upload = (struct upload){0};
}

int upload_copy(struct backend *backend, struct device *device, void *to, const void *from,
                size_t bytes, struct backend_error *error)
{
    struct upload *upload = &device->upload;
    if (upload_open(backend, device, error) != 0)
        return -1;
    for (size_t at = 0; at < bytes; at += PIECE_BYTES) {
        size_t some = bytes - at < PIECE_BYTES ? bytes - at : PIECE_BYTES;
        unsigned turn = upload->turn++ % 2;
        if (gpu_check_load(backend, device, cudaEventSynchronize(upload->done[turn]), "loading",
                           error) != 0)
            return -1;
        memcpy(upload->pinned[turn], (const uint8_t *)from + at, some);
        if (gpu_check_load(backend, device,
                           cudaMemcpyAsync((uint8_t *)to + at, upload->pinned[turn], some,
                                           cudaMemcpyHostToDevice, device->stream),
                           "copying weights to the device", error) != 0 ||
            gpu_check_load(backend, device, cudaEventRecord(upload->done[turn], device->stream),
                           "loading", error) != 0)
            return -1;
    }
    return 0;
}

void *upload_arena(struct backend *backend, struct device *device, size_t bytes,
                   struct backend_error *error)
{
    struct upload *upload = &device->upload;
    if (bytes <= upload->arena_bytes)
        return upload->arena;
    if (gpu_check_load(backend, device, cudaStreamSynchronize(device->stream), "loading", error))
        return NULL;
    gpu_free(device, upload->arena);
    upload->arena_bytes = 0;
    upload->arena = gpu_alloc(backend, device, bytes, "one layer of the file", NULL, error);
    if (upload->arena != NULL)
        upload->arena_bytes = bytes;
    return upload->arena;
}
