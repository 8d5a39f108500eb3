/*
 * backend.h - the tensor seam: a table of fused steps, from which engine/infer/forward.c makes a
 * decoder.
 *
 * A backend owns the weights it was given (repacked as it likes), the key/value pages, the
 * activation buffers and its threads or streams. One thread at a time may call it. Everything is
 * row-major; a step takes a batch of n tokens, each with its own sequence and position: n = 1 is
 * decode, n <= 8 a draft being verified or several chats at once, n large is prefill. Nothing is
 * allocated in a step. What a token gets does not depend on what stands beside it, bit for bit;
 * only a device may compute steps of more than 64 tokens (a prompt being read) in another order.
 *
 * Backends: kernels/cpu (built in). A shared object offers `const struct backend_ops
 * *airo_backend(void)`; its `abi` must equal BACKEND_ABI.
 */
#ifndef AIRO_KERNELS_BACKEND_H
#define AIRO_KERNELS_BACKEND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BACKEND_ABI 4

enum backend_dtype { BACKEND_F32, BACKEND_F16, BACKEND_BF16 };

/* How keys and values are kept. q8: int8 with one fp16 scale per 32 values. q4: rotated, then 4
 * bits with one fp16 scale per 32 values; kernels/cpu/kv_q4.h says it exactly. There rope_append
 * leaves q rotated too, and attend rotates its result back. */
enum kv_type { KV_F32, KV_F16, KV_Q8, KV_Q4, KV_TYPES };

enum linear_slot {
    LINEAR_Q,
    LINEAR_K,
    LINEAR_V,
    LINEAR_O,
    LINEAR_GATE,
    LINEAR_UP,
    LINEAR_DOWN,
    LINEAR_SLOTS
};
enum norm_slot { NORM_ATTENTION, NORM_MLP, NORM_FINAL };
enum table_slot { TABLE_EMBED, TABLE_HEAD };

enum backend_code { BACKEND_OK, BACKEND_NO_MEMORY, BACKEND_UNSUPPORTED, BACKEND_FAILED };

struct backend_error {
    enum backend_code code;
    char message[256];
};

/* The model's hyper-parameters and the most that a step will be asked for. */
struct backend_shape {
    uint32_t layers, hidden, heads, kv_heads, head_dim, ffn, vocab;
    float norm_eps;
    uint32_t max_tokens;    /* largest n of a batch */
    uint32_t max_head_rows; /* largest number of rows given to head() */
    uint32_t max_positions; /* positions are 0 .. max_positions - 1 */
    uint32_t page_tokens;   /* tokens in one key/value page, a multiple of 16 */
};

struct backend_options {
    unsigned threads;    /* CPU: 0 = one per physical core */
    const char *kernels; /* CPU: NULL or "auto", "reference", "avx2", "avx512" */
    /* CUDA: NULL, "auto" or "cuda": one device, more where one is too small; "cuda:1": that one;
     * "cuda:0,1": these share the layers */
    const char *device;
};

/* A host tensor as it lies in the file: no alignment is promised. Borrowed for the call. */
struct backend_tensor {
    const void *data; /* [rows, cols]; NULL = absent */
    enum backend_dtype dtype;
    uint32_t rows, cols;
};

/*
 * One linear layer y = x W^T + bias, either dense (weight [out, in]) or GPTQ 4-bit:
 *   qweight [in/8, out] u32, nibble j of row r is input row 8r + j
 *   qzeros  [groups, out/8] u32, nibble j of column c is output 8c + j
 *   scales  [groups, out] f16;  g_idx [in] i32 group of each input row, or NULL: row / group_size
 *   w[k][n] = scales[g][n] * (q - (zero + zero_offset)),  g = g_idx[k]
 * The engine has checked every shape and that 0 <= g_idx < groups.
 */
struct backend_linear {
    uint32_t in, out;
    struct backend_tensor dense; /* data != NULL: dense, and the GPTQ fields are unused */
    const void *qweight, *qzeros, *scales, *g_idx;
    uint32_t groups, group_size;
    uint32_t zero_offset;       /* 1 for GPTQ v1, 0 for v2 */
    struct backend_tensor bias; /* [1, out] or absent */
};

/*
 * The tokens of one step. Rows of one sequence stand together, positions ascending. Row i writes
 * its key and value at positions[i] of its sequence and attends to 0 .. positions[i], rows of the
 * same batch included. Page tables must already cover every position.
 */
struct backend_batch {
    uint32_t n;                         /* 1 .. max_tokens */
    const int32_t *tokens;              /* [n], each 0 .. vocab - 1 */
    const uint32_t *positions;          /* [n] */
    const uint32_t *sequences;          /* [n], index into page_tables */
    const uint32_t *const *page_tables; /* [sequence][position / page_tokens] -> page */
    uint32_t sequence_count;
};

struct backend_memory {
    uint64_t total_bytes, free_bytes;               /* of the device (or the machine) */
    uint64_t weight_bytes, kv_bytes, scratch_bytes; /* held by this backend */
    uint64_t step_bytes; /* of the weights, what one decode step reads: all but an embedding of its
                            own */
};

/* One of a row's best next tokens. */
struct backend_candidate {
    int32_t id;
    float logit;
};
#define BACKEND_CANDIDATES_MAX 1024

struct backend;        /* one loaded model's arithmetic */
struct backend_buffer; /* activations: float [max_tokens, cols] */

/* Sees the input rows of a linear step: row t is rows[t * stride .. + cols), valid in the call. */
typedef void (*backend_input)(void *user, const float *rows, size_t stride, uint32_t n,
                              uint32_t cols);

struct backend_ops {
    uint32_t abi;
    const char *name; /* "cpu", "cuda" */
    /* What suits it where nobody says otherwise. */
    uint32_t chunk; /* tokens of a prompt read at once */
    enum kv_type kv_type;

    int (*open)(struct backend **out, const struct backend_shape *shape,
                const struct backend_options *options, struct backend_error *error);
    void (*close)(struct backend *backend);
    /* One phrase for people: "CPU AVX-512 VNNI, 2 threads". Owned by the backend. */
    const char *(*describe)(const struct backend *backend);

    /* Loading. What load_linear and load_table will keep, and what the backend needs beside weights
     * and pages, so that the plan can be made before any load. `tied`: the head is the embedding.
     */
    uint64_t (*linear_bytes)(const struct backend *backend, const struct backend_linear *linear);
    uint64_t (*table_bytes)(const struct backend *backend, enum table_slot slot,
                            const struct backend_tensor *weight, bool tied);
    uint64_t (*scratch_bytes)(const struct backend *backend);
    /* The plan's sum, once: a backend of several devices chooses among them, before memory() and
     * any load; scratch_bytes may be more after it. May be left out. */
    int (*expect)(struct backend *backend, uint64_t bytes, struct backend_error *error);
    int (*load_linear)(struct backend *backend, uint32_t layer, enum linear_slot slot,
                       const struct backend_linear *linear, struct backend_error *error);
    int (*load_norm)(struct backend *backend, uint32_t layer, enum norm_slot slot,
                     const struct backend_tensor *weight, struct backend_error *error);
    /* [vocab, hidden]; TABLE_HEAD absent (tied): call with the same tensor as TABLE_EMBED. */
    int (*load_table)(struct backend *backend, enum table_slot slot,
                      const struct backend_tensor *weight, struct backend_error *error);
    /* inv_freq [head_dim / 2]; the angle is (float)position * inv_freq[i] computed in fp32, and
     * cos and sin are multiplied by `scale` (1 but for YaRN). Half-rotation layout: element i
     * pairs with i + head_dim / 2. */
    int (*load_rope)(struct backend *backend, const float *inv_freq, float scale,
                     struct backend_error *error);
    /* All tensors are in. */
    int (*load_done)(struct backend *backend, struct backend_error *error);

    /* Memory. */
    void (*memory)(const struct backend *backend, struct backend_memory *out);
    /* 0: the backend does not offer this type. */
    uint64_t (*kv_page_bytes)(const struct backend_shape *shape, enum kv_type type);
    int (*kv_create)(struct backend *backend, enum kv_type type, uint32_t pages,
                     struct backend_error *error);
    /* Copies the first `tokens` positions of one page to another, all layers. */
    int (*kv_copy_page)(struct backend *backend, uint32_t from, uint32_t to, uint32_t tokens);
    /* One page as bytes [kv_page_bytes], all layers, in a layout of the backend's own, for keeping
     * it outside. kv_format names that layout and the arithmetic that fills it ("cpu 1 avx2"): what
     * was exported may be imported where the name, the shape and the weights are equal. */
    const char *(*kv_format)(const struct backend *backend);
    int (*kv_export_page)(const struct backend *backend, uint32_t page, void *bytes);
    int (*kv_import_page)(struct backend *backend, uint32_t page, const void *bytes);
    int (*buffer_create)(struct backend *backend, uint32_t cols, struct backend_buffer **out,
                         struct backend_error *error); /* freed by close */

    /* The steps; 0 or -1 (device failure; the message is kept, see last_error). */
    int (*embed)(struct backend *backend, const struct backend_batch *batch,
                 struct backend_buffer *x);
    int (*norm_qkv)(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                    const struct backend_buffer *x, struct backend_buffer *q,
                    struct backend_buffer *k, struct backend_buffer *v);
    int (*rope_append)(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                       struct backend_buffer *q, const struct backend_buffer *k,
                       const struct backend_buffer *v);
    int (*attend)(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                  const struct backend_buffer *q, struct backend_buffer *a);
    /* x += linear(in), slot LINEAR_O or LINEAR_DOWN */
    int (*project_add)(struct backend *backend, uint32_t layer, enum linear_slot slot,
                       const struct backend_batch *batch, const struct backend_buffer *in,
                       struct backend_buffer *x);
    int (*norm_gate_up)(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                        const struct backend_buffer *x, struct backend_buffer *h);
    /* Final norm and head of the chosen rows: logits [count, vocab] in host memory, valid until
     * the next step. count <= max_head_rows. */
    int (*head)(struct backend *backend, const uint32_t *rows, uint32_t count,
                const struct backend_buffer *x, const float **logits);
    /* Like head(), but of each row only its `limit` best, by falling logit, ties by rising id,
     * non-finite ones left out: row i has counts[i] of them at best[i * limit]. limit <=
     * BACKEND_CANDIDATES_MAX. In host memory, valid until the next step. NULL where the whole row
     * costs nothing more. */
    int (*head_best)(struct backend *backend, const uint32_t *rows, uint32_t count, uint32_t limit,
                     const struct backend_buffer *x, const struct backend_candidate **best,
                     const uint32_t **counts);
    const char *(*last_error)(const struct backend *backend);
    /* The device is lost: every call fails with the same message, only close works. NULL: never. */
    bool (*lost)(const struct backend *backend);

    /* Bytes a second that all the backend's threads together read from memory, measured now over
     * a buffer far larger than the caches. */
    double (*measure_bandwidth)(struct backend *backend);

    /* Calibration; all three NULL where a backend has none. */
    /* A buffer in host memory, [max_tokens][cols], to be read and written between steps. */
    float *(*buffer_rows)(struct backend_buffer *buffer);
    /* `see` (NULL: nobody) gets what norm_qkv, norm_gate_up and project_add feed their layers, at
     * the end of each. */
    void (*watch_inputs)(struct backend *backend, backend_input see, void *user);
    /* Another dense layer, of the same shape, in place of one that was loaded dense; also after
     * load_done. On failure there is none. */
    int (*replace_linear)(struct backend *backend, uint32_t layer, enum linear_slot slot,
                          const struct backend_linear *linear, struct backend_error *error);
};

/* The built-in backend. */
const struct backend_ops *backend_cpu(void);

#endif
