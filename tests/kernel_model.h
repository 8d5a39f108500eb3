/*
 * kernel_model.h - a random model for tests of the tensor seam: weights in the file's layout, so
 * that a test can compute from the formulas, and a backend that has loaded them.
 */
#ifndef AIRO_TESTS_KERNEL_MODEL_H
#define AIRO_TESTS_KERNEL_MODEL_H

#include "kernels/backend.h"

enum kernel_weights { WEIGHTS_GPTQ, WEIGHTS_F32, WEIGHTS_F16, WEIGHTS_BF16 };
enum kernel_order {
    ORDER_PLAIN,  /* no g_idx */
    ORDER_SHARED, /* act-order; q, k and v alike, gate and up alike */
    ORDER_OWN,    /* act-order, each layer its own */
    ORDER_UNEVEN, /* any group for any input: groups of unequal size, some empty */
};

struct kernel_options {
    uint32_t layers, hidden, heads, kv_heads, head_dim, ffn, vocab;
    uint32_t max_tokens, max_positions, page_tokens;
    uint32_t group_size;
    enum kernel_weights weights;
    enum kernel_order order;
    enum backend_dtype table; /* of embedding and head */
    bool symmetric, bias, v2;
};

/* One linear layer as in the file; the arrays are owned by the model. */
struct kernel_linear {
    uint32_t in, out, groups, group_size, zero_offset;
    uint32_t *qweight, *qzeros, *g_idx; /* g_idx as given or NULL */
    uint16_t *scales;
    void *dense;
    enum backend_dtype dtype;
    float *bias;
};

struct kernel_model {
    struct kernel_options options;
    struct backend_shape shape;
    struct kernel_linear (*linears)[LINEAR_SLOTS]; /* [layers] */
    float *norms;                                  /* [layers * 2 + 1][hidden] */
    void *embed, *head;
    float *inv_freq;
};

/* A backend with the model in it, buffers and pages. */
struct kernel_run {
    const struct backend_ops *ops;
    struct backend *backend;
    struct backend_buffer *x, *q, *k, *v, *a, *h;
};

/* Defaults for what is left 0: 1 layer, 64 hidden, 4 heads of 16, ffn 96, vocabulary 100, group 32,
 * 32 tokens, 256 positions, pages of 16. */
struct kernel_model *kernel_model_make(const struct kernel_options *options, uint64_t seed);
void kernel_model_free(struct kernel_model *model);
/* w[k][n] in double. */
double kernel_weight(const struct kernel_linear *linear, uint32_t input, uint32_t output);
double kernel_half(uint16_t half, enum backend_dtype dtype);
/* Norm `index`: 2 layer + slot; the last is the final norm. */
const float *kernel_norm(const struct kernel_model *model, uint32_t index);

/* 0, or -1 when this CPU cannot run the kernels (the test then skips); other failures stop. */
int kernel_open(struct kernel_run *run, const struct kernel_model *model, const char *kernels,
                unsigned threads, enum kv_type type, uint32_t pages);
/* Another backend's; -1 and `error` on any failure, the backend closed. */
int kernel_open_on(struct kernel_run *run, const struct kernel_model *model,
                   const struct backend_ops *ops, const struct backend_options *options,
                   enum kv_type type, uint32_t pages, struct backend_error *error);
void kernel_close(struct kernel_run *run);
float *kernel_data(struct backend_buffer *buffer);

/* A batch of one sequence, or of several: tables[i] maps pages in reverse order and disjointly, so
 * that a mistake in the page table shows. */
struct kernel_batch {
    struct backend_batch batch;
    int32_t tokens[128];
    uint32_t positions[128], sequences[128];
    uint32_t pages[8][1024];
    const uint32_t *tables[8];
};
void kernel_batch_init(struct kernel_batch *batch, const struct kernel_model *model,
                       uint32_t pages);
void kernel_batch_add(struct kernel_batch *batch, uint32_t sequence, uint32_t position,
                      int32_t token);

/* All layers and the head of the last row. */
const float *kernel_forward(struct kernel_run *run, const struct kernel_model *model,
                            const struct backend_batch *batch);

uint64_t kernel_random(uint64_t *state);
/* Uniform in -1 .. 1. */
float kernel_uniform(uint64_t *state);

#endif
