/*
 * pages.c - keys and values: how a page is laid out, making the pool, copies, and whole pages to
 * and from host memory. The pages of a layer lie on the device of the layer.
 */
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/host.h"

#define SCALE_VALUES 32

static bool kv_offered(enum kv_type type)
{
    return type == KV_F16 || type == KV_Q8 || type == KV_Q4;
}

void gpu_kv_layout(struct gpu_kv *kv, const struct backend_shape *shape, enum kv_type type)
{
    uint32_t dim = shape->head_dim;
    size_t scales = type == KV_Q8 || type == KV_Q4 ? (dim + SCALE_VALUES - 1) / SCALE_VALUES : 0;
    *kv = (struct gpu_kv){
        .type = type,
        .page_tokens = shape->page_tokens,
        .head_dim = dim,
        .kv_heads = shape->kv_heads,
        .row_bytes = type == KV_F32   ? 4 * dim
                     : type == KV_F16 ? 2 * dim
                     : type == KV_Q8  ? dim
                                      : dim / 2,
    };
    kv->head_bytes = 2 * (size_t)kv->page_tokens * (kv->row_bytes + 2 * scales);
    kv->page_bytes = kv->kv_heads * kv->head_bytes;
}

uint64_t cuda_kv_page_bytes(const struct backend_shape *shape, enum kv_type type)
{
    struct gpu_kv kv;
    if (!kv_offered(type))
        return 0;
    gpu_kv_layout(&kv, shape, type);
    return (uint64_t)kv.page_bytes * shape->layers;
}

static void free_pages(struct backend *backend)
{
    for (uint32_t layer = 0; layer < backend->shape.layers; layer++) {
        gpu_free(device_of_layer(backend, layer), backend->layers[layer].pages);
        backend->layers[layer].pages = NULL;
    }
    if (backend->page_pinned != NULL)
        cudaFreeHost(backend->page_pinned);
    backend->page_pinned = NULL;
    backend->kv = (struct gpu_kv){0};
    backend->kv_bytes = 0;
}

static int too_large(struct backend *backend, uint32_t pages, double bytes,
                     struct backend_error *error)
{
    struct backend_memory memory;
    gpu_memory(backend, &memory);
    free_pages(backend);
    return gpu_error(error, BACKEND_NO_MEMORY,
                     "cannot allocate %.1f MiB of keys and values for %llu tokens, %.1f MiB free "
                     "on the device",
                     bytes / MIB, (unsigned long long)pages * backend->shape.page_tokens,
                     (double)memory.free_bytes / MIB);
}

int cuda_kv_create(struct backend *backend, enum kv_type type, uint32_t pages,
                   struct backend_error *error)
{
    if (backend->failed)
        return gpu_error(error, BACKEND_FAILED, "%s", backend->fault);
    if ((unsigned)type >= KV_TYPES || !kv_offered(type) || pages == 0)
        return gpu_error(error, BACKEND_UNSUPPORTED,
                         "%s keys and values are not offered on CUDA: use f16, q8 or q4, or the "
                         "CPU (--device cpu)",
                         type == KV_F32 ? "f32" : "such");
    if (!backend->ready)
        return gpu_error(error, BACKEND_FAILED, "pages come before load_done");
    if (steps_wait(backend) != 0)
        return gpu_error(error, BACKEND_FAILED, "%s", backend->fault);
    struct gpu_kv kv;
    graphs_drop(backend);
    free_pages(backend);
    gpu_kv_layout(&kv, &backend->shape, type);
    kv.pages = pages;
    double bytes = (double)pages * (double)kv.page_bytes * backend->shape.layers;
    for (uint32_t layer = 0; layer < backend->shape.layers; layer++) {
        struct backend_error reason = {0};
        void *data = gpu_alloc(backend, device_of_layer(backend, layer), pages * kv.page_bytes,
                               "keys and values", &backend->kv_bytes, &reason);
        backend->layers[layer].pages = data;
        if (data == NULL && reason.code != BACKEND_NO_MEMORY)
            return gpu_error(error, reason.code, "%s", reason.message);
        if (data == NULL)
            return too_large(backend, pages, bytes, error);
    }
    backend->page_pinned =
        pinned_alloc(backend, kv.page_bytes * backend->shape.layers, "a page", error);
    if (backend->page_pinned == NULL) {
        free_pages(backend);
        return -1;
    }
    backend->kv = kv;
    return 0;
}

int cuda_kv_copy_page(struct backend *backend, uint32_t from, uint32_t to, uint32_t tokens)
{
    const struct gpu_kv *kv = &backend->kv;
    if (from >= kv->pages || to >= kv->pages || tokens > kv->page_tokens)
        return gpu_misuse(backend, "kv_copy_page", "no such page");
    if (steps_flush(backend) != 0)
        return -1;
    for (uint32_t layer = 0; layer < backend->shape.layers && from != to && tokens > 0; layer++) {
        struct device *device = device_of_layer(backend, layer);
        if (gpu_check(backend, device, cudaSetDevice(device->id), "choosing the device") != 0 ||
            gpu_check(
                backend, device,
                gpu_kv_copy(kv, backend->layers[layer].pages, from, to, tokens, device->stream),
                "copying a page") != 0)
            return -1;
    }
    return 0;
}

/* All layers of a page, each as it lies on its device, one behind the other. */
static int move_page(struct backend *backend, uint32_t page, bool out)
{
    size_t bytes = backend->kv.page_bytes;
    for (uint32_t layer = 0; layer < backend->shape.layers; layer++) {
        struct device *device = device_of_layer(backend, layer);
        uint8_t *there = (uint8_t *)backend->layers[layer].pages + page * bytes;
        uint8_t *here = backend->page_pinned + layer * bytes;
        if (gpu_check(backend, device, cudaSetDevice(device->id), "choosing the device") != 0 ||
            gpu_check(
                backend, device,
                out ? cudaMemcpyAsync(here, there, bytes, cudaMemcpyDeviceToHost, device->stream)
                    : cudaMemcpyAsync(there, here, bytes, cudaMemcpyHostToDevice, device->stream),
                "moving a page") != 0)
            return -1;
    }
    return steps_wait(backend);
}

int cuda_kv_export_page(const struct backend *constant, uint32_t page, void *bytes)
{
    struct backend *backend = (struct backend *)constant; /* steps may be waiting */
    if (page >= backend->kv.pages)
        return gpu_misuse(backend, "kv_export_page", "no such page");
    if (steps_flush(backend) != 0 || move_page(backend, page, true) != 0)
        return -1;
    memcpy(bytes, backend->page_pinned, backend->kv.page_bytes * backend->shape.layers);
    return 0;
}

int cuda_kv_import_page(struct backend *backend, uint32_t page, const void *bytes)
{
    if (page >= backend->kv.pages)
        return gpu_misuse(backend, "kv_import_page", "no such page");
    if (steps_flush(backend) != 0)
        return -1;
    memcpy(backend->page_pinned, bytes, backend->kv.page_bytes * backend->shape.layers);
    return move_page(backend, page, false);
}
