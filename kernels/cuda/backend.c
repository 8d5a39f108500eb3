/*
 * backend.c - the CUDA backend: open and close, and the table of steps.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "kernels/cuda/host.h"
#include "kernels/cuda/prefill.h"

/* Enough rows that reading (and widening) the weights is paid for by the products. */
#define CUDA_CHUNK 2048

static int shape_check(const struct backend_shape *s, struct backend_error *error)
{
    const uint64_t limit = 1u << 24;
    if (s->head_dim != 64 && s->head_dim != 128)
        return gpu_error(error, BACKEND_UNSUPPORTED,
                         "heads of %u are not offered on CUDA (64 and 128 are): use the CPU "
                         "(--device cpu)",
                         s->head_dim);
    if (s->layers == 0 || s->layers > 4096 || s->hidden == 0 || s->hidden > limit || s->ffn == 0 ||
        s->ffn > limit || s->vocab == 0 || s->vocab > limit || s->hidden % 8 != 0)
        return gpu_error(error, BACKEND_UNSUPPORTED, "%u layers, %u hidden, %u ffn, %u vocabulary",
                         s->layers, s->hidden, s->ffn, s->vocab);
    if (s->kv_heads == 0 || s->heads == 0 || s->heads % s->kv_heads != 0 || s->heads > 65536)
        return gpu_error(error, BACKEND_UNSUPPORTED, "%u heads over %u key/value heads", s->heads,
                         s->kv_heads);
    if (s->page_tokens == 0 || s->page_tokens % 16 != 0 || s->page_tokens > 65536 ||
        s->max_tokens == 0 || s->max_tokens > 65536 || s->max_head_rows == 0 ||
        s->max_head_rows > GPU_DECODE_TOKENS || s->max_positions == 0 ||
        s->max_positions > 1u << 30)
        return gpu_error(error, BACKEND_UNSUPPORTED,
                         "%u tokens a page, %u a batch, %u head rows, %u positions", s->page_tokens,
                         s->max_tokens, s->max_head_rows, s->max_positions);
    if (!(s->norm_eps >= 0) || !isfinite(s->norm_eps))
        return gpu_error(error, BACKEND_UNSUPPORTED, "norm_eps %g", (double)s->norm_eps);
    return 0;
}

static void free_pinned(struct backend *backend)
{
    void *pinned[] = {backend->logits_pinned, backend->best_pinned, backend->best_counts_pinned,
                      backend->batch_pinned, backend->page_pinned};
    for (size_t i = 0; i < sizeof pinned / sizeof pinned[0]; i++)
        if (pinned[i] != NULL)
            cudaFreeHost(pinned[i]);
}

/* Works on a lost device as well: what cannot be given back is gone with it. */
static void cuda_close(struct backend *backend)
{
    if (backend == NULL)
        return;
    for (uint32_t i = 0; i < backend->device_count; i++) {
        struct device *device = &backend->devices[i];
        cudaSetDevice(device->id);
        if (device->stream != NULL)
            cudaStreamSynchronize(device->stream);
        if (device->prefill != NULL)
            gpu_prefill_close(device->prefill);
    }
    graphs_drop(backend);
    free_pinned(backend);
    int ids[DEVICES_MAX];
    uint32_t count = backend->failed ? backend->device_count : 0;
    for (uint32_t i = 0; i < count; i++)
        ids[i] = backend->devices[i].id;
    devices_close(backend);
    /* After some faults nothing works on the device until all that the process has there is gone;
     * after the others, another backend may still be at work on it. */
    for (uint32_t i = 0; i < count; i++) {
        cudaSetDevice(ids[i]); /* says that it is lost, and chooses it all the same */
        cudaGetLastError();
        if (cudaDeviceSynchronize() != cudaSuccess)
            cudaDeviceReset();
    }
    for (struct backend_buffer *buffer = backend->buffers, *next; buffer != NULL; buffer = next) {
        next = buffer->next;
        free(buffer);
    }
    free(backend->layers);
    free(backend->steps);
    free(backend);
    cudaGetLastError();
}

static int cuda_open(struct backend **out, const struct backend_shape *shape,
                     const struct backend_options *options, struct backend_error *error)
{
    *out = NULL;
    if (shape_check(shape, error) != 0)
        return -1;
    struct backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL)
        return gpu_error(error, BACKEND_NO_MEMORY, "no memory for a backend");
    backend->shape = *shape;
    backend->layers = calloc(shape->layers, sizeof *backend->layers);
    if (backend->layers == NULL) {
        cuda_close(backend);
        return gpu_error(error, BACKEND_NO_MEMORY, "no memory for %u layers", shape->layers);
    }
    if (devices_open(backend, options != NULL ? options->device : NULL, error) != 0) {
        cuda_close(backend);
        return -1;
    }
    *out = backend;
    return 0;
}

static const char *cuda_describe(const struct backend *backend)
{
    return backend->description;
}

static const char *cuda_last_error(const struct backend *backend)
{
    return backend->fault;
}

static bool cuda_lost(const struct backend *backend)
{
    return backend->failed;
}

static const char *cuda_kv_format(const struct backend *backend)
{
    return backend->kv_format;
}

__attribute__((visibility("default"))) const struct backend_ops *airo_backend(void);

const struct backend_ops *airo_backend(void)
{
    static const struct backend_ops ops = {
        .abi = BACKEND_ABI,
        .name = "cuda",
        .chunk = CUDA_CHUNK,
        .kv_type = KV_Q8,
        .open = cuda_open,
        .close = cuda_close,
        .describe = cuda_describe,
        .linear_bytes = cuda_linear_bytes,
        .table_bytes = cuda_table_bytes,
        .scratch_bytes = cuda_scratch_bytes,
        .expect = devices_expect,
        .load_linear = cuda_load_linear,
        .load_norm = cuda_load_norm,
        .load_table = cuda_load_table,
        .load_rope = cuda_load_rope,
        .load_done = cuda_load_done,
        .memory = gpu_memory,
        .kv_page_bytes = cuda_kv_page_bytes,
        .kv_create = cuda_kv_create,
        .kv_copy_page = cuda_kv_copy_page,
        .kv_format = cuda_kv_format,
        .kv_export_page = cuda_kv_export_page,
        .kv_import_page = cuda_kv_import_page,
        .buffer_create = cuda_buffer_create,
        .embed = cuda_embed,
        .norm_qkv = cuda_norm_qkv,
        .rope_append = cuda_rope_append,
        .attend = cuda_attend,
        .project_add = cuda_project_add,
        .norm_gate_up = cuda_norm_gate_up,
        .head = cuda_head,
        .head_best = cuda_head_best,
        .last_error = cuda_last_error,
        .lost = cuda_lost,
        .measure_bandwidth = gpu_bandwidth,
    };
    return &ops;
}
