/*
 * host.h - what the host files of the CUDA backend share. Plain C over the CUDA runtime.
 *
 *   backend.c  the table of steps, open, close     batch.c   a batch -> fixed addresses, runs
 *   device.c   which GPUs, their shares, figures   steps.c   the seam: calls are written down
 *   memory.c   device memory, errors               run.c     what was written down -> launches
 *   upload.c   file -> pinned memory -> device     graph.c   launches kept as graphs
 *   order.c    the order of packed inputs          scratch.c what steps write, and sizes
 *   load.c     host tensors -> gpu_linear          pages.c   keys and values
 *   dense.c    quantisation's linear algebra: a table of its own, with solver.c (cuSOLVER)
 *
 * Layers. Several devices hold one contiguous range of layers each, with the pages of those layers;
 * the first also holds the embedding, the last the head. All have the activation buffers, and x is
 * copied at a border. Each device has one stream, in which everything it does stands in order.
 *
 * Steps. A call of the seam is only written down (struct step). In a batch of up to
 * GPU_DECODE_TOKENS they run when head() comes, as one graph if the same steps came before; in a
 * larger one each runs at once.
 *
 * Faults. The first CUDA error is kept in `fault`; every call after it fails with the same line.
 */
#ifndef AIRO_KERNELS_CUDA_HOST_H
#define AIRO_KERNELS_CUDA_HOST_H

#include "kernels/cuda/gpu.h"

#define DEVICES_MAX     16
#define BATCH_SEQUENCES 64 /* the most in one batch */
#define PACE_LAYERS     2  /* a prefill step is written down so far ahead of the device */
#define MIB             1048576.0

struct gpu_prefill;

/* How a layer reads its inputs; shared by the layers of a device that read alike. */
struct order {
    uint32_t k;                /* packed inputs, a multiple of GPU_CHUNK_INPUTS */
    uint32_t in;               /* inputs of the file */
    int32_t *index;            /* [k] input, or -1; host */
    uint32_t *group;           /* [k / 32] group of each block; host; NULL for dense layers */
    bool plain;                /* index[i] == i, no padding */
    int32_t *on_device;        /* [k] */
    uint32_t *group_on_device; /* [k / 32] */
    int32_t *inverse;          /* device [in]: where each input stands; NULL where plain */
};

struct layer {
    struct gpu_linear linear[LINEAR_SLOTS];
    const struct order *order[LINEAR_SLOTS]; /* NULL: not loaded */
    float *norm[2];                          /* device [hidden] */
    void *pages;                             /* device */
};

/* Pinned memory between the file and the device, two pieces in turn, and the tensors of one layer
 * as the file has them. */
struct upload {
    void *pinned[2];
    cudaEvent_t done[2]; /* piece i has been read */
    unsigned turn;
    void *arena; /* device */
    size_t arena_bytes;
};

struct device {
    int id; /* as CUDA counts */
    char name[96];
    uint32_t capability; /* 90: compute capability 9.0 */
    uint32_t multiprocessors;
    uint32_t shared_bytes;            /* that a block may have */
    uint32_t multiprocessor_shared;   /* that all blocks of a multiprocessor may have */
    uint64_t total_bytes, free_bytes; /* when it was opened */
    uint32_t first_layer, end_layer;
    cudaStream_t stream;
    cudaEvent_t uploaded;     /* the batch has left pinned memory */
    cudaEvent_t ready, taken; /* x is final here; x has been copied to the next device */
    cudaEvent_t pace[PACE_LAYERS];
    void **blocks; /* all device memory, for close */
    uint32_t block_count, block_capacity;
    struct order **orders;
    uint32_t order_count, order_capacity;
    struct upload upload;
    struct gpu_prefill *prefill;
    float *inv_freq;
    void *batch; /* see batch.c */
    void *linear_scratch, *attend_scratch;
    float *gate, *up; /* [max_tokens][ffn], where gate and up cannot be one launch */
};

struct backend_buffer {
    uint32_t cols;
    size_t stride;           /* of a row as f16: the longest packed row of O or DOWN */
    void *data[DEVICES_MAX]; /* f32 [max_tokens][cols] or f16 [max_tokens][stride] */
    struct backend_buffer *next;
};

/* The batch of the steps being written down. */
struct batch {
    uint32_t n;            /* 0: none */
    uint32_t decode_runs;  /* first in the list: sequences of up to GPU_ATTEND_ROWS rows */
    uint32_t prefill_runs; /* then pieces of longer ones */
    uint32_t max_position; /* rounded up */
    size_t bytes;          /* of the block, up to the last page */
    bool uploaded;
};

enum step_kind {
    STEP_EMBED,
    STEP_QKV,
    STEP_ROPE,
    STEP_ATTEND,
    STEP_PROJECT,
    STEP_GATE_UP,
    STEP_HEAD
};

/* Compared byte by byte: made with step_make(), so that the padding is zero. */
struct step {
    enum step_kind kind;
    uint32_t layer, slot;
    uint32_t rows, limit; /* HEAD; limit 0: whole rows of logits */
    const struct backend_buffer *x, *q, *k, *v, *a;
};

struct graphs; /* graph.c */

struct backend {
    struct backend_shape shape;
    struct device devices[DEVICES_MAX];
    uint32_t device_count;       /* in use, in the order of layers */
    bool devices_fixed;          /* named by the user */
    bool planned;                /* devices_expect has chosen */
    bool shared;                 /* layers have been given out */
    int candidates[DEVICES_MAX]; /* that could be taken in */
    uint32_t candidate_count;

    struct layer *layers; /* [shape.layers] */
    void *embed;          /* on the first device */
    enum backend_dtype embed_dtype;
    struct gpu_linear head; /* on the last */
    float *final_norm;
    float rope_scale;
    bool has_rope, ready;
    bool ragged[LINEAR_SLOTS]; /* O, DOWN: layers pad at different places */
    const struct order *first_order[LINEAR_SLOTS];

    struct gpu_kv kv;
    struct backend_buffer *buffers;

    struct batch batch;
    void *batch_pinned;
    struct step *steps; /* [step_capacity] */
    uint32_t step_count, step_capacity;
    uint32_t at; /* device that has x */
    struct graphs *graphs;
    bool no_graphs; /* the driver refuses to record */

    float *logits, *logits_pinned;              /* [max_head_rows][vocab] */
    struct gpu_candidate *best, *best_pinned;   /* [max_head_rows][limit] */
    uint32_t *best_counts, *best_counts_pinned; /* [max_head_rows] */
    void *best_scratch;
    uint8_t *page_pinned; /* one page, all layers */

    uint64_t weight_bytes, step_bytes, kv_bytes, scratch_bytes;
    bool failed;
    char fault[256];
    char description[160];
    char kv_format[48];
};

/* --- memory.c --------------------------------------------------------------------------------- */

int gpu_error(struct backend_error *error, enum backend_code code, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* 0 for cudaSuccess. Anything else is kept as the backend's fault; -1. `what` says what was being
 * done: "reading the batch". */
int gpu_check(struct backend *backend, const struct device *device, cudaError_t result,
              const char *what);
/* The same for loading: the fault also goes to `error`. */
int gpu_check_load(struct backend *backend, const struct device *device, cudaError_t result,
                   const char *what, struct backend_error *error);
/* A call that breaks the seam's rules: kept as the last error, but no fault of the device; -1. */
int gpu_misuse(struct backend *backend, const char *step, const char *reason);

/* Zeroed device memory, freed by close or gpu_free; NULL with numbers when there is none. */
void *gpu_alloc(struct backend *backend, struct device *device, size_t bytes, const char *what,
                uint64_t *account, struct backend_error *error);
void gpu_free(struct device *device, void *memory);
void gpu_free_all(struct device *device);
void *pinned_alloc(struct backend *backend, size_t bytes, const char *what,
                   struct backend_error *error);

/* --- device.c --------------------------------------------------------------------------------- */

/* Finds what `name` (see backend_options.device) names and opens the first. */
int devices_open(struct backend *backend, const char *name, struct backend_error *error);
void devices_close(struct backend *backend);
/* Takes more devices in until `bytes`, and what each of those needs for itself, fit. */
int devices_expect(struct backend *backend, uint64_t bytes, struct backend_error *error);
/* Gives the layers out. */
int devices_share(struct backend *backend, struct backend_error *error);
struct device *device_of_layer(struct backend *backend, uint32_t layer);
void gpu_memory(const struct backend *backend, struct backend_memory *out);
double gpu_bandwidth(struct backend *backend);

/* --- upload.c, order.c, load.c ---------------------------------------------------------------- */

void upload_close(struct device *device);
/* Host memory of any alignment -> device memory; `from` may go when this returns. */
int upload_copy(struct backend *backend, struct device *device, void *to, const void *from,
                size_t bytes, struct backend_error *error);
/* The arena, grown to `bytes`. */
void *upload_arena(struct backend *backend, struct device *device, size_t bytes,
                   struct backend_error *error);

/* Packed inputs of a GPTQ layer (g_idx may be NULL), 0 when a group is out of range. */
uint64_t gpu_order_inputs(const struct backend_linear *linear);
struct order *gpu_order_make(const struct backend_linear *linear, bool dense,
                             struct backend_error *error);
void gpu_order_free(struct order *order);
bool gpu_order_equal(const struct order *a, const struct order *b);
/* The same inputs are padding: what one layer wrote leaves the other's padding zero. */
bool gpu_order_same_padding(const struct order *a, const struct order *b);

uint64_t cuda_linear_bytes(const struct backend *backend, const struct backend_linear *linear);
uint64_t cuda_table_bytes(const struct backend *backend, enum table_slot slot,
                          const struct backend_tensor *weight, bool tied);
int cuda_load_linear(struct backend *backend, uint32_t layer, enum linear_slot slot,
                     const struct backend_linear *linear, struct backend_error *error);
int cuda_load_norm(struct backend *backend, uint32_t layer, enum norm_slot slot,
                   const struct backend_tensor *weight, struct backend_error *error);
int cuda_load_table(struct backend *backend, enum table_slot slot,
                    const struct backend_tensor *weight, struct backend_error *error);
int cuda_load_rope(struct backend *backend, const float *inv_freq, float scale,
                   struct backend_error *error);

/* --- scratch.c -------------------------------------------------------------------------------- */

/* With the devices that are open; of it, what each device more takes. */
uint64_t cuda_scratch_bytes(const struct backend *backend);
uint64_t gpu_scratch_each(const struct backend *backend);
int cuda_load_done(struct backend *backend, struct backend_error *error);
int cuda_buffer_create(struct backend *backend, uint32_t cols, struct backend_buffer **out,
                       struct backend_error *error);

/* --- pages.c ---------------------------------------------------------------------------------- */

void gpu_kv_layout(struct gpu_kv *kv, const struct backend_shape *shape, enum kv_type type);
uint64_t cuda_kv_page_bytes(const struct backend_shape *shape, enum kv_type type);
int cuda_kv_create(struct backend *backend, enum kv_type type, uint32_t pages,
                   struct backend_error *error);
int cuda_kv_copy_page(struct backend *backend, uint32_t from, uint32_t to, uint32_t tokens);
int cuda_kv_export_page(const struct backend *backend, uint32_t page, void *bytes);
int cuda_kv_import_page(struct backend *backend, uint32_t page, const void *bytes);

/* --- batch.c ---------------------------------------------------------------------------------- */

/* Bytes of the block that holds a batch, in pinned memory and on each device. */
size_t batch_bytes(const struct backend_shape *shape);
/* Checks and copies a batch to pinned memory. -1: misuse. */
int batch_take(struct backend *backend, const struct backend_batch *batch);
/* Pinned memory -> every device, rows of the head included, if it is not there yet. */
int batch_upload(struct backend *backend);
/* Rows that head() wants, before batch_upload. */
void batch_rows(struct backend *backend, const uint32_t *rows, uint32_t count);
const uint32_t *batch_rows_on(const struct device *device);
/* The batch as kernels see it: the runs for decode attention, or the others. */
struct gpu_batch batch_on(const struct backend *backend, const struct device *device, bool decode);

/* --- steps.c, run.c, graph.c ------------------------------------------------------------------ */

int cuda_embed(struct backend *backend, const struct backend_batch *batch,
               struct backend_buffer *x);
int cuda_norm_qkv(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                  const struct backend_buffer *x, struct backend_buffer *q,
                  struct backend_buffer *k, struct backend_buffer *v);
int cuda_rope_append(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                     struct backend_buffer *q, const struct backend_buffer *k,
                     const struct backend_buffer *v);
int cuda_attend(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                const struct backend_buffer *q, struct backend_buffer *a);
int cuda_project_add(struct backend *backend, uint32_t layer, enum linear_slot slot,
                     const struct backend_batch *batch, const struct backend_buffer *in,
                     struct backend_buffer *x);
int cuda_norm_gate_up(struct backend *backend, uint32_t layer, const struct backend_batch *batch,
                      const struct backend_buffer *x, struct backend_buffer *h);
int cuda_head(struct backend *backend, const uint32_t *rows, uint32_t count,
              const struct backend_buffer *x, const float **logits);
int cuda_head_best(struct backend *backend, const uint32_t *rows, uint32_t count, uint32_t limit,
                   const struct backend_buffer *x, const struct backend_candidate **best,
                   const uint32_t **counts);

/* Runs what has been written down; does not wait. */
int steps_flush(struct backend *backend);
/* Waits for everything. */
int steps_wait(struct backend *backend);

/* Launches one step on its device. */
int step_run(struct backend *backend, const struct step *step);
/* Makes x good on the device of `step`, where the steps before it ran on another. */
int step_border(struct backend *backend, const struct step *step);
struct device *step_device(struct backend *backend, const struct step *step);
/* The calls of a layer's linear steps, for the size of scratch. */
struct gpu_linear_call linear_call(const struct backend *backend, const struct device *device,
                                   uint32_t n);

/* They can be one launch. */
bool linears_read_alike(const struct gpu_linear *a, const struct gpu_linear *b);

/* The steps written down, as graphs, or launch by launch the first time they come. */
int graphs_run(struct backend *backend);
void graphs_drop(struct backend *backend);

#endif
