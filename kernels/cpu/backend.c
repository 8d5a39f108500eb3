/*
 * backend.c - the CPU backend: open and close, choice of kernels, memory, and the table of steps.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/pack.h"
#include "kernels/cpu/thread_pool.h"

#define CPU_CHUNK 256

/* The best first; "auto" takes the first that the CPU has. */
static const struct cpu_kernels *const kernel_sets[] = {
#if defined(__x86_64__)
    &cpu_avx512,
    &cpu_avx2,
#endif
    &cpu_reference,
};

static const struct cpu_kernels *choose_kernels(const char *name, struct backend_error *error)
{
    bool any = name == NULL || strcmp(name, "auto") == 0;
    for (size_t i = 0; i < sizeof kernel_sets / sizeof kernel_sets[0]; i++) {
        const struct cpu_kernels *set = kernel_sets[i];
        if (!any && strcmp(name, set->name) != 0)
            continue;
        if (set->supported())
            return set;
        if (!any) {
            cpu_error(error, BACKEND_UNSUPPORTED, "this CPU cannot run the %s kernels (%s)", name,
                      set->label);
            return NULL;
        }
    }
    cpu_error(error, BACKEND_UNSUPPORTED, "no kernels named %s (auto, reference, avx2, avx512)",
              name != NULL ? name : "auto");
    return NULL;
}

static int shape_check(const struct backend_shape *s, struct backend_error *error)
{
    const uint64_t limit = 1u << 24;
    if (s->layers == 0 || s->layers > 4096 || s->hidden == 0 || s->hidden > limit || s->ffn == 0 ||
        s->ffn > limit || s->vocab == 0 || s->vocab > limit)
        return cpu_error(error, BACKEND_UNSUPPORTED, "%u layers, %u hidden, %u ffn, %u vocabulary",
                         s->layers, s->hidden, s->ffn, s->vocab);
    if (s->head_dim < 8 || s->head_dim > 256 || s->head_dim % 8 != 0)
        return cpu_error(error, BACKEND_UNSUPPORTED, "head_dim %u is not a multiple of 8 to 256",
                         s->head_dim);
    if (s->kv_heads == 0 || s->heads % s->kv_heads != 0 || s->heads == 0 || s->heads > 65536)
        return cpu_error(error, BACKEND_UNSUPPORTED, "%u heads over %u key/value heads", s->heads,
                         s->kv_heads);
    if (s->page_tokens == 0 || s->page_tokens % 16 != 0 || s->page_tokens > 65536 ||
        s->max_tokens == 0 || s->max_tokens > 65536 || s->max_head_rows == 0 ||
        s->max_head_rows > 65536 || s->max_positions == 0 || s->max_positions > 1u << 30)
        return cpu_error(error, BACKEND_UNSUPPORTED,
                         "%u tokens a page, %u a batch, %u head rows, %u positions", s->page_tokens,
                         s->max_tokens, s->max_head_rows, s->max_positions);
    if (!(s->norm_eps >= 0) || !isfinite(s->norm_eps))
        return cpu_error(error, BACKEND_UNSUPPORTED, "norm_eps %g", (double)s->norm_eps);
    return 0;
}

static void cpu_close(struct backend *backend)
{
    if (backend == NULL)
        return;
    thread_pool_close(backend->pool);
    for (uint32_t layer = 0; backend->layers != NULL && layer < backend->shape.layers; layer++) {
        for (int slot = 0; slot < LINEAR_SLOTS; slot++) {
            free(backend->layers[layer].linear[slot].data);
            free(backend->layers[layer].linear[slot].bias);
        }
        free(backend->layers[layer].norm[0]);
        free(backend->layers[layer].norm[1]);
    }
    free(backend->layers);
    for (uint32_t i = 0; i < backend->order_count; i++)
        order_free(backend->orders[i]);
    free(backend->orders);
    free(backend->embed.data);
    if (!backend->head.borrowed)
        free(backend->head.data);
    free(backend->final_norm);
    free(backend->inv_freq);
    cpu_kv_free(&backend->kv);
    for (struct backend_buffer *buffer = backend->buffers, *next; buffer != NULL; buffer = next) {
        next = buffer->next;
        free(buffer->data);
        free(buffer);
    }
    free(backend->scratch.normed);
    free(backend->scratch.tiles);
    free(backend->scratch.logits);
    free(backend->scratch.partials);
    for (int i = 0; i < ORDER_MAX; i++) {
        free(backend->scratch.acts[i].values);
        free(backend->scratch.acts[i].scales);
        free(backend->scratch.acts[i].negsums);
    }
    free(backend);
}

static int cpu_open(struct backend **out, const struct backend_shape *shape,
                    const struct backend_options *options, struct backend_error *error)
{
    *out = NULL;
    const struct cpu_kernels *kernels =
        choose_kernels(options != NULL ? options->kernels : NULL, error);
    if (kernels == NULL || shape_check(shape, error) != 0)
        return -1;
    struct backend *backend = calloc(1, sizeof *backend);
    if (backend == NULL)
        return cpu_error(error, BACKEND_NO_MEMORY, "no memory for a backend");
    backend->shape = *shape;
    backend->kernels = kernels;
    backend->layers = calloc(shape->layers, sizeof *backend->layers);
    backend->pool = thread_pool_open(options != NULL ? options->threads : 0);
    if (backend->layers == NULL || backend->pool == NULL) {
        cpu_close(backend);
        return cpu_error(error, BACKEND_NO_MEMORY, "cannot start %u threads",
                         options != NULL ? options->threads : 0);
    }
    backend->threads = thread_pool_threads(backend->pool);
    snprintf(backend->description, sizeof backend->description, "CPU %s, %u thread%s",
             kernels->label, backend->threads, backend->threads == 1 ? "" : "s");
    snprintf(backend->kv_format, sizeof backend->kv_format, "cpu %d %s", CPU_KV_LAYOUT,
             kernels->name);
    *out = backend;
    return 0;
}

static const char *cpu_describe(const struct backend *backend)
{
    return backend->description;
}

static const char *cpu_last_error(const struct backend *backend)
{
    return backend->last_error;
}

static const char *cpu_kv_format(const struct backend *backend)
{
    return backend->kv_format;
}

static void cpu_memory(const struct backend *backend, struct backend_memory *out)
{
    *out = (struct backend_memory){
        .total_bytes = cpu_memory_total(),
        .free_bytes = cpu_memory_available(),
        .weight_bytes = backend->weight_bytes,
        .step_bytes = backend->weight_bytes -
                      (backend->embed.data != backend->head.data ? backend->embed.bytes : 0),
        .kv_bytes = backend->kv_bytes,
        .scratch_bytes = backend->scratch_bytes,
    };
}

static int cpu_buffer_create(struct backend *backend, uint32_t cols, struct backend_buffer **out,
                             struct backend_error *error)
{
    size_t bytes = (size_t)backend->shape.max_tokens * cols * sizeof(float);
    struct backend_buffer *buffer = calloc(1, sizeof *buffer);
    *out = NULL;
    if (buffer == NULL || (buffer->data = cpu_alloc(bytes, "activations", error)) == NULL) {
        free(buffer);
        return cpu_error(error, BACKEND_NO_MEMORY, "cannot allocate %.1f MiB for activations",
                         (double)bytes / 1048576.0);
    }
    buffer->cols = cols;
    buffer->next = backend->buffers;
    backend->buffers = buffer;
    backend->scratch_bytes += bytes;
    *out = buffer;
    return 0;
}

static float *cpu_buffer_rows(struct backend_buffer *buffer)
{
    return buffer->data;
}

static void cpu_watch_inputs(struct backend *backend, backend_input see, void *user)
{
    backend->see = see;
    backend->see_user = user;
}

const struct backend_ops *backend_cpu(void)
{
    static const struct backend_ops ops = {
        .abi = BACKEND_ABI,
        .name = "cpu",
        .chunk = CPU_CHUNK,
        .kv_type = KV_F16,
        .open = cpu_open,
        .close = cpu_close,
        .describe = cpu_describe,
        .linear_bytes = cpu_linear_bytes,
        .table_bytes = cpu_table_bytes,
        .load_linear = cpu_load_linear,
        .load_norm = cpu_load_norm,
        .load_table = cpu_load_table,
        .load_rope = cpu_load_rope,
        .load_done = cpu_load_done,
        .memory = cpu_memory,
        .kv_page_bytes = cpu_kv_page_bytes,
        .kv_create = cpu_kv_create,
        .kv_copy_page = cpu_kv_copy_page,
        .kv_format = cpu_kv_format,
        .kv_export_page = cpu_kv_export_page,
        .kv_import_page = cpu_kv_import_page,
        .buffer_create = cpu_buffer_create,
        .embed = cpu_embed,
        .norm_qkv = cpu_norm_qkv,
        .rope_append = cpu_rope_append,
        .attend = cpu_attend,
        .project_add = cpu_project_add,
        .norm_gate_up = cpu_norm_gate_up,
        .head = cpu_head,
        .last_error = cpu_last_error,
        .measure_bandwidth = cpu_measure_bandwidth,
        .buffer_rows = cpu_buffer_rows,
        .watch_inputs = cpu_watch_inputs,
        .replace_linear = cpu_replace_linear,
    };
    return &ops;
}
