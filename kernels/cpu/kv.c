/*
 * kv.c - the pages of keys and values: their layout, writing one position, copying a page.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/half.h"
#include "kernels/cpu/kv_q4.h"

#define SCALE_VALUES 32 /* q8 and q4: values under one scale */

/* Scales of a row: a head_dim that is no multiple of 32 ends with a short block. */
static uint32_t scales_of_row(enum kv_type type, uint32_t head_dim)
{
    bool scaled = type == KV_Q8 || type == KV_Q4;
    return scaled ? (head_dim + SCALE_VALUES - 1) / SCALE_VALUES : 0;
}

static void layout(struct cpu_kv *kv, const struct backend_shape *shape, enum kv_type type)
{
    kv->type = type;
    kv->layers = shape->layers;
    kv->head_dim = shape->head_dim;
    kv->kv_heads = shape->kv_heads;
    kv->page_tokens = shape->page_tokens;
    kv->row_bytes = cpu_kv_bytes(type, shape->head_dim);
    kv->row_scales = scales_of_row(type, shape->head_dim);
    kv->head_bytes = 2 * (size_t)kv->page_tokens * (kv->row_bytes + 2 * kv->row_scales);
    kv->page_bytes = kv->kv_heads * kv->head_bytes;
}

uint64_t cpu_kv_page_bytes(const struct backend_shape *shape, enum kv_type type)
{
    struct cpu_kv kv;
    layout(&kv, shape, type);
    return (uint64_t)kv.page_bytes * shape->layers;
}

void cpu_kv_free(struct cpu_kv *kv)
{
    for (uint32_t layer = 0; kv->data != NULL && layer < kv->layers; layer++)
        free(kv->data[layer]);
    free(kv->data);
    *kv = (struct cpu_kv){0};
}

int cpu_kv_create(struct backend *backend, enum kv_type type, uint32_t pages,
                  struct backend_error *error)
{
    struct cpu_kv *kv = &backend->kv;
    if ((unsigned)type >= KV_TYPES || pages == 0)
        return cpu_error(error, BACKEND_UNSUPPORTED, "no key/value pages of type %u",
                         (unsigned)type);
    cpu_kv_free(kv);
    backend->kv_bytes = 0;
    layout(kv, &backend->shape, type);
    double bytes = (double)pages * (double)kv->page_bytes * kv->layers;
    bool fits = bytes < (double)cpu_memory_available();
    kv->data = calloc(kv->layers, sizeof *kv->data);
    for (uint32_t layer = 0; layer < kv->layers; layer++) {
        if (fits && kv->data != NULL)
            kv->data[layer] = cpu_alloc(pages * kv->page_bytes, "keys and values", error);
        if (kv->data == NULL || kv->data[layer] == NULL) {
            cpu_error(error, BACKEND_NO_MEMORY,
                      "cannot allocate %.1f MiB of keys and values for %llu tokens, %.1f MiB "
                      "available",
                      bytes / 1048576.0, (unsigned long long)pages * kv->page_tokens,
                      (double)cpu_memory_available() / 1048576.0);
            cpu_kv_free(kv);
            return -1;
        }
    }
    kv->pages = pages;
    backend->kv_bytes = (uint64_t)pages * kv->page_bytes * kv->layers;
    return 0;
}

/* The four runs of one head in one page. */
struct head_parts {
    uint8_t *keys, *values;
    uint16_t *key_scales, *value_scales;
};

static struct head_parts head_parts(const struct cpu_kv *kv, uint32_t layer, uint32_t page,
                                    uint32_t head)
{
    uint8_t *at = kv->data[layer] + page * kv->page_bytes + head * kv->head_bytes;
    struct head_parts parts = {.keys = at, .values = at + kv->page_tokens * kv->row_bytes};
    parts.key_scales = (uint16_t *)(void *)(parts.values + kv->page_tokens * kv->row_bytes);
    parts.value_scales = parts.key_scales + (size_t)kv->page_tokens * kv->row_scales;
    return parts;
}

void cpu_kv_rows(const struct cpu_kv *kv, uint32_t layer, uint32_t page, uint32_t head,
                 struct cpu_rows *keys, struct cpu_rows *values)
{
    struct head_parts parts = head_parts(kv, layer, page, head);
    *keys = (struct cpu_rows){.type = kv->type,
                              .head_dim = kv->head_dim,
                              .row_scales = kv->row_scales,
                              .values = parts.keys,
                              .scales = parts.key_scales,
                              .ahead = parts.keys,
                              .scales_ahead = parts.key_scales};
    *values = *keys;
    values->values = values->ahead = parts.values;
    values->scales = values->scales_ahead = parts.value_scales;
}

/* value = scale * int8, scale = largest / 127 rounded to f16 first, so that the integers fit the
 * scale that is kept. */
static void write_q8(uint8_t *out, uint16_t *scales, const float *x, uint32_t n)
{
    for (uint32_t start = 0; start < n; start += SCALE_VALUES) {
        uint32_t count = n - start < SCALE_VALUES ? n - start : SCALE_VALUES;
        float largest = 0;
        for (uint32_t i = 0; i < count; i++)
            largest = fmaxf(largest, fabsf(x[start + i]));
        uint16_t half = f16_of_f32(fminf(largest / 127.0f, 65504.0f));
        float scale = f32_of_f16(half), inverse = scale > 0 ? 1.0f / scale : 0;
        scales[start / SCALE_VALUES] = half;
        for (uint32_t i = 0; i < count; i++) {
            float level = x[start + i] * inverse;
            level = level > -127.0f ? level : -127.0f;
            level = level < 127.0f ? level : 127.0f;
            /* Rounds to an integer, ties to even, which stands in the low bits. */
            out[start + i] = (uint8_t)bits_of_float(level + 0x1.8p23f);
        }
    }
}

typedef void write_scaled(uint8_t *out, uint16_t *scales, const float *row, uint32_t n);

void cpu_kv_write(const struct cpu_kv *kv, const struct cpu_kernels *kernels, uint32_t layer,
                  uint32_t page, uint32_t slot, uint32_t head, const float *key, const float *value)
{
    struct head_parts parts = head_parts(kv, layer, page, head);
    void *key_row = parts.keys + slot * kv->row_bytes;
    void *value_row = parts.values + slot * kv->row_bytes;
    if (kv->type == KV_F32) {
        memcpy(key_row, key, kv->row_bytes);
        memcpy(value_row, value, kv->row_bytes);
    } else if (kv->type == KV_F16) {
        kernels->f32_to_f16(key_row, key, kv->head_dim);
        kernels->f32_to_f16(value_row, value, kv->head_dim);
    } else {
        write_scaled *write = kv->type == KV_Q4 ? kv_q4_write : write_q8;
        size_t scale = (size_t)slot * kv->row_scales;
        write(key_row, parts.key_scales + scale, key, kv->head_dim);
        write(value_row, parts.value_scales + scale, value, kv->head_dim);
    }
}

int cpu_kv_copy_page(struct backend *backend, uint32_t from, uint32_t to, uint32_t tokens)
{
    const struct cpu_kv *kv = &backend->kv;
    if (from >= kv->pages || to >= kv->pages || tokens > kv->page_tokens)
        return -1;
    size_t rows = tokens * kv->row_bytes, scales = 2 * (size_t)tokens * kv->row_scales;
    for (uint32_t layer = 0; layer < kv->layers && from != to; layer++)
        for (uint32_t head = 0; head < kv->kv_heads; head++) {
            struct head_parts source = head_parts(kv, layer, from, head);
            struct head_parts target = head_parts(kv, layer, to, head);
            memcpy(target.keys, source.keys, rows);
            memcpy(target.values, source.values, rows);
            memcpy(target.key_scales, source.key_scales, scales);
            memcpy(target.value_scales, source.value_scales, scales);
        }
    return 0;
}

/* Layer by layer, each as it lies in memory. */
int cpu_kv_export_page(const struct backend *backend, uint32_t page, void *bytes)
{
    const struct cpu_kv *kv = &backend->kv;
    if (page >= kv->pages)
        return -1;
    for (uint32_t layer = 0; layer < kv->layers; layer++)
        memcpy((uint8_t *)bytes + layer * kv->page_bytes, kv->data[layer] + page * kv->page_bytes,
               kv->page_bytes);
    return 0;
}

int cpu_kv_import_page(struct backend *backend, uint32_t page, const void *bytes)
{
    const struct cpu_kv *kv = &backend->kv;
    if (page >= kv->pages)
        return -1;
    for (uint32_t layer = 0; layer < kv->layers; layer++)
        memcpy(kv->data[layer] + page * kv->page_bytes,
               (const uint8_t *)bytes + layer * kv->page_bytes, kv->page_bytes);
    return 0;
}
