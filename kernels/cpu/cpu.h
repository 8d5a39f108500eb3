/*
 * cpu.h - what the files of the CPU backend share: how weights, activations and pages lie in
 * memory, and the table of inner kernels that each instruction set fills.
 *
 *   backend.c  open, close, memory        steps.c    the fused steps, over the pool
 *   load.c     host tensors -> weights    attend.c   online softmax over page tables
 *   pack.c     GPTQ -> strips             kv.c       pages; kv_q4.c rows of 4 bits
 *   reference.c, avx2*.c, avx512*.c       the inner kernels; the first is what the others must
 * equal
 *
 * Every result of a token is computed in one fixed order, whatever stands beside it in the batch
 * and however many threads there are: a batch of one and a batch of eight give the same bits.
 */
#ifndef AIRO_KERNELS_CPU_CPU_H
#define AIRO_KERNELS_CPU_CPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kernels/backend.h"

struct thread_pool;

#define STRIP_ROWS     16 /* outputs computed together: the int32 lanes of a 512-bit register */
#define BLOCK_INPUTS   32 /* inputs that share one scale, of weights and of activations */
#define BLOCK_BYTES    (STRIP_ROWS * BLOCK_INPUTS / 2)
#define BLOCK_SCALES   (STRIP_ROWS * 2) /* bytes */
#define BLOCK_ZEROS    (STRIP_ROWS / 2)
#define TILE_BLOCKS    8 /* see pack.h */
#define TILE_SCALES    (TILE_BLOCKS * BLOCK_BYTES)
#define TILE_ZEROS     (TILE_SCALES + TILE_BLOCKS * BLOCK_SCALES)
#define ORDER_MAX      3    /* input orders in one step: q, k and v may each have their own */
#define ATTEND_BLOCK   64   /* positions per turn of the online softmax */
#define ATTEND_SEGMENT 1024 /* positions summed on their own, then merged in order */
#define ATTEND_QUERIES 8    /* queries that share one reading of keys and values */

/*
 * The order in which a GPTQ layer reads its inputs: sorted by group (stable), each group cut into
 * blocks of 32; the last block of a group may be short. Layers with equal orders share one.
 */
struct cpu_order {
    uint32_t blocks;
    bool plain;      /* block b is inputs 32 b .. 32 b + 31, all blocks full */
    uint32_t *index; /* [blocks * 32] input; past `count` it repeats a valid one */
    uint8_t *count;  /* [blocks] inputs in use, 1 .. 32 */
    uint32_t *group; /* [blocks] */
};

/* FORM_FILE: GPTQ as it lies in the file (reference). FORM_STRIPS: see pack.h. */
enum cpu_form { FORM_ABSENT, FORM_DENSE, FORM_FILE, FORM_STRIPS };

struct cpu_linear {
    enum cpu_form form;
    uint32_t in, out, strips;
    size_t bytes;
    void *data;  /* owned; FORM_DENSE [out, in], FORM_STRIPS [strips][strip_bytes] */
    float *bias; /* owned; [strips * 16] or NULL */

    enum backend_dtype dtype; /* FORM_DENSE */

    const struct cpu_order *order; /* FORM_STRIPS; owned by the backend */
    size_t strip_bytes, tile_bytes;
    bool has_zeros;
    int32_t zero_add; /* added to a stored zero; the zero itself when there are none stored */

    uint32_t groups; /* FORM_FILE: the arrays below point into data */
    const uint32_t *qweight, *qzeros;
    const uint16_t *scales;
    const uint32_t *g_idx; /* [in], always there */
};

/* Activations of n tokens in the order of one map: x[i] is about scale[b] * value[i]. */
struct cpu_acts {
    int8_t *values;   /* [n][value_stride] */
    float *scales;    /* [n][block_stride] */
    int32_t *negsums; /* [n][block_stride] minus the sum of the block's values */
    size_t value_stride, block_stride;
};

struct cpu_table {
    enum backend_dtype dtype;
    void *data; /* [vocab, hidden]; the head may borrow the embedding's */
    size_t bytes;
    bool borrowed;
};

/*
 * Pages. One allocation a layer; in it [page][kv_head][K rows, V rows, K scales, V scales], a row
 * being head_dim values of one position. Scales (one f16 per 32 values of a row) only with q8 and
 * q4, which keeps two values a byte (kv_q4.h).
 */
struct cpu_kv {
    enum kv_type type;
    uint32_t pages, page_tokens, head_dim, kv_heads, layers;
    uint32_t row_scales;                      /* scales of a row */
    size_t row_bytes, head_bytes, page_bytes; /* of one row, one head in a page, one page */
    uint8_t **data;                           /* [layers] */
};

/* Bytes of `values` keys or values of a row, without scales. */
static inline size_t cpu_kv_bytes(enum kv_type type, size_t values)
{
    return type == KV_F32 ? 4 * values : type == KV_F16 ? 2 * values : values >> (type == KV_Q4);
}

/* Keys or values of one head in one page. */
struct cpu_rows {
    enum kv_type type;
    uint32_t head_dim, row_scales;
    const void *values;     /* [rows][head_dim]; q4 as in kv_q4.h */
    const uint16_t *scales; /* [rows][row_scales] */
    /* Rows that will be read soon: as many as are read may be asked for. Never NULL. */
    const void *ahead;
    const uint16_t *scales_ahead;
};

/*
 * The inner kernels of one instruction set. All run on one thread and allocate nothing. A tile is
 * float [n][16]: the outputs of one strip for n tokens.
 */
struct cpu_kernels {
    const char *name;  /* as in backend_options.kernels */
    const char *label; /* for people */
    bool (*supported)(void);
    enum cpu_form form; /* what GPTQ layers are kept as */

    /* FORM_FILE only; x is [n][x_stride]. */
    void (*linear_file)(const struct cpu_linear *linear, uint32_t strip, const float *x,
                        size_t x_stride, uint32_t n, float *tile);
    /* FORM_STRIPS only. Blocks first .. end - 1 of one token: gathers from x and rounds to int8. */
    void (*quantize)(const float *x, const struct cpu_order *order, uint32_t first, uint32_t end,
                     int8_t *values, float *scales, int32_t *negsums);
    /* One strip or two neighbours; tile is [count][n][16]. */
    void (*linear_strips)(const struct cpu_linear *linear, uint32_t strip, uint32_t count,
                          const struct cpu_acts *acts, uint32_t n, float *tile);
    /* Up to 16 rows of a dense matrix [rows, in]; x is [n][x_stride]. */
    void (*linear_dense)(const void *weights, enum backend_dtype dtype, uint32_t rows, uint32_t in,
                         const float *x, size_t x_stride, uint32_t n, float *tile);

    void (*rmsnorm)(float *out, const float *x, const float *weight, uint32_t n, float eps);
    void (*silu_mul)(float *out, const float *gate, const float *up, uint32_t n);
    void (*f32_to_f16)(uint16_t *out, const float *x, size_t n);

    /* Attention over at most ATTEND_BLOCK rows of one page, for up to ATTEND_QUERIES queries at
     * once. scores[j][i] = q[j] . row i, j < queries, i < count; stride in floats */
    void (*scores)(const struct cpu_rows *keys, uint32_t first, uint32_t count, const float *q,
                   size_t q_stride, uint32_t queries, float *scores, size_t score_stride);
    /* sums[j][d] += sum over i of p[j][i] * row i[d] */
    void (*accumulate)(const struct cpu_rows *values, uint32_t first, uint32_t count,
                       const float *p, size_t p_stride, uint32_t queries, float *sums,
                       size_t sum_stride);
    /* s[i] = exp(s[i] - max); returns their sum */
    float (*exp_sum)(float *s, uint32_t n, float max);
};

struct cpu_layer {
    struct cpu_linear linear[LINEAR_SLOTS];
    float *norm[2]; /* [hidden], by NORM_ATTENTION and NORM_MLP */
};

struct backend_buffer {
    float *data; /* [max_tokens, cols] */
    uint32_t cols;
    struct backend_buffer *next;
};

/* Sized by load_done for the largest step. */
struct cpu_scratch {
    float *normed;   /* [max_tokens][hidden] */
    float *tiles;    /* [threads][4][rows][16]; rows: the larger of max_tokens, max_head_rows */
    float *logits;   /* [max_head_rows][vocab] */
    float *partials; /* of attention cut into segments; see attend.c */
    struct cpu_acts acts[ORDER_MAX];
};

struct backend {
    struct backend_shape shape;
    const struct cpu_kernels *kernels;
    struct thread_pool *pool;
    uint32_t threads;
    struct cpu_layer *layers; /* [shape.layers] */
    struct cpu_table embed, head;
    float *final_norm; /* [hidden] */
    float *inv_freq;   /* [head_dim / 2] */
    float rope_scale;
    struct cpu_order **orders;
    uint32_t order_count, order_capacity;
    struct cpu_kv kv;
    struct backend_buffer *buffers;
    struct cpu_scratch scratch;
    bool ready;        /* load_done has passed */
    backend_input see; /* watches the inputs of linear steps; may be NULL */
    void *see_user;
    uint64_t weight_bytes, kv_bytes, scratch_bytes;
    char kv_format[48];
    char description[96];
    char last_error[256];
};

extern const struct cpu_kernels cpu_reference;
#if defined(__x86_64__)
extern const struct cpu_kernels cpu_avx2;
extern const struct cpu_kernels cpu_avx512;
#endif

/* memory.c */
int cpu_error(struct backend_error *error, enum backend_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void *cpu_alloc(size_t bytes, const char *what, struct backend_error *error);
uint64_t cpu_memory_total(void);
uint64_t cpu_memory_available(void);

/* load.c */
uint64_t cpu_linear_bytes(const struct backend *backend, const struct backend_linear *linear);
uint64_t cpu_table_bytes(const struct backend *backend, enum table_slot slot,
                         const struct backend_tensor *weight, bool tied);
int cpu_load_linear(struct backend *backend, uint32_t layer, enum linear_slot slot,
                    const struct backend_linear *linear, struct backend_error *error);
int cpu_replace_linear(struct backend *backend, uint32_t layer, enum linear_slot slot,
                       const struct backend_linear *linear, struct backend_error *error);
int cpu_load_norm(struct backend *backend, uint32_t layer, enum norm_slot slot,
                  const struct backend_tensor *weight, struct backend_error *error);
int cpu_load_table(struct backend *backend, enum table_slot slot,
                   const struct backend_tensor *weight, struct backend_error *error);
int cpu_load_rope(struct backend *backend, const float *inv_freq, float scale,
                  struct backend_error *error);
int cpu_load_done(struct backend *backend, struct backend_error *error);

/* steps.c and attend.c: the steps of backend.h */
int cpu_embed(struct backend *backend, const struct backend_batch *batch, struct backend_buffer *x);
int cpu_norm_qkv(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                 const struct backend_buffer *x, struct backend_buffer *q, struct backend_buffer *k,
                 struct backend_buffer *v);
int cpu_rope_append(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                    struct backend_buffer *q, const struct backend_buffer *k,
                    const struct backend_buffer *v);
int cpu_attend(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
               const struct backend_buffer *q, struct backend_buffer *a);
int cpu_project_add(struct backend *backend, uint32_t layer, enum linear_slot slot,
                    const struct backend_batch *batch, const struct backend_buffer *in,
                    struct backend_buffer *x);
int cpu_norm_gate_up(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                     const struct backend_buffer *x, struct backend_buffer *h);
int cpu_head(struct backend *backend, const uint32_t *rows, uint32_t count,
             const struct backend_buffer *x, const float **logits);
size_t cpu_attend_scratch_bytes(const struct backend *backend);

/* kv.c */
uint64_t cpu_kv_page_bytes(const struct backend_shape *shape, enum kv_type type);
int cpu_kv_create(struct backend *backend, enum kv_type type, uint32_t pages,
                  struct backend_error *error);
void cpu_kv_free(struct cpu_kv *kv);
/* Counts up when what a page's bytes mean changes. */
#define CPU_KV_LAYOUT 1
int cpu_kv_export_page(const struct backend *backend, uint32_t page, void *bytes);
int cpu_kv_import_page(struct backend *backend, uint32_t page, const void *bytes);
int cpu_kv_copy_page(struct backend *backend, uint32_t from, uint32_t to, uint32_t tokens);
/* Writes one position's key and value of one head. */
void cpu_kv_write(const struct cpu_kv *kv, const struct cpu_kernels *kernels, uint32_t layer,
                  uint32_t page, uint32_t slot, uint32_t head, const float *key,
                  const float *value);
void cpu_kv_rows(const struct cpu_kv *kv, uint32_t layer, uint32_t page, uint32_t head,
                 struct cpu_rows *keys, struct cpu_rows *values);

/* bandwidth.c */
double cpu_measure_bandwidth(struct backend *backend);

#endif
