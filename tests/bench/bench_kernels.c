/*
 * bench_kernels.c - speed of the CPU backend alone, on the shapes of a 13B model with random
 * weights: GPTQ 4-bit, group 32, act-order, fp16 head.
 *
 *     bench_kernels [--layers 4] [--threads 0] [--kernels auto] [--context 0]
 *                   [--kv f32|f16|q8|q4] [--group 32] [--plain] [--sym] [--seconds 3]
 *
 * Everything is a ratio taken in one run: decoding against the read bandwidth that the same threads
 * measure just before and after, prefill and drafts against decoding. The whole step counts: head,
 * attention and norms too.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/backend.h"

#define HIDDEN  5120
#define FFN     13824
#define HEADS   40
#define DIM     128
#define VOCAB   32000
#define CHUNK   256
#define PAGE    32
#define CONTEXT 16384

struct bench {
    uint32_t layers, context, group;
    bool plain, symmetric;
    enum kv_type kv;
    double seconds;
    const struct backend_ops *ops;
    struct backend *backend;
    struct backend_shape shape;
    struct backend_buffer *x, *q, *k, *v, *a, *h;
    uint64_t state;
    uint32_t pages[CONTEXT / PAGE], sequences[CHUNK], positions[CHUNK];
    int32_t tokens[CHUNK];
};

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static uint32_t next_random(struct bench *bench)
{
    bench->state = bench->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(bench->state >> 32);
}

static void check(int result, const char *message)
{
    if (result == 0)
        return;
    fprintf(stderr, "bench_kernels: %s\n", message);
    exit(1);
}

static void *take(size_t bytes)
{
    void *memory = malloc(bytes);
    check(memory == NULL ? -1 : 0, "no memory");
    return memory;
}

/* f16 bits of a value near `size`, a power of two: random fraction. */
static void random_halves(struct bench *bench, uint16_t *out, size_t count, int exponent, bool sign)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t bits = next_random(bench);
        out[i] = (uint16_t)((bits & 1023) | (uint32_t)(15 + exponent) << 10 |
                            (sign ? bits >> 16 & 0x8000 : 0));
    }
}

/* Each input a random group; every group is full. */
static void random_order(struct bench *bench, uint32_t *g_idx, uint32_t in)
{
    for (uint32_t i = 0; i < in; i++)
        g_idx[i] = i / bench->group;
    for (uint32_t i = in - 1; i > 0; i--) {
        uint32_t j = next_random(bench) % (i + 1), kept = g_idx[i];
        g_idx[i] = g_idx[j];
        g_idx[j] = kept;
    }
}

/* One layer; the order is made anew where `order` says so, else the last one is shared. */
static void load_linear(struct bench *bench, uint32_t layer, enum linear_slot slot, uint32_t in,
                        uint32_t out, uint32_t *g_idx)
{
    struct backend_error error;
    uint32_t groups = in / bench->group;
    size_t weights = (size_t)in / 8 * out, zeros = (size_t)groups * (out / 8);
    uint32_t *words = take((weights + zeros) * 4);
    uint16_t *scales = take((size_t)groups * out * 2);
    for (size_t i = 0; i < weights + zeros; i++)
        words[i] = i >= weights && bench->symmetric ? 0x77777777 : next_random(bench);
    random_halves(bench, scales, (size_t)groups * out, -9, false);
    struct backend_linear linear = {.in = in,
                                    .out = out,
                                    .qweight = words,
                                    .qzeros = words + weights,
                                    .scales = scales,
                                    .g_idx = bench->plain ? NULL : g_idx,
                                    .groups = groups,
                                    .group_size = bench->group,
                                    .zero_offset = 1};
    check(bench->ops->load_linear(bench->backend, layer, slot, &linear, &error), error.message);
    free(words);
    free(scales);
}

static void load_layer(struct bench *bench, uint32_t layer, const float *norm)
{
    struct backend_error error;
    uint32_t *g_idx = take(FFN * sizeof *g_idx);
    static const struct {
        uint32_t in, out;
        bool new_order;
    } slots[LINEAR_SLOTS] = {{HIDDEN, HIDDEN, true},  {HIDDEN, HIDDEN, false},
                             {HIDDEN, HIDDEN, false}, {HIDDEN, HIDDEN, true},
                             {HIDDEN, FFN, true},     {HIDDEN, FFN, false},
                             {FFN, HIDDEN, true}};
    for (int slot = 0; slot < LINEAR_SLOTS; slot++) {
        if (slots[slot].new_order)
            random_order(bench, g_idx, slots[slot].in);
        load_linear(bench, layer, (enum linear_slot)slot, slots[slot].in, slots[slot].out, g_idx);
    }
    struct backend_tensor tensor = {norm, BACKEND_F32, 1, HIDDEN};
    check(bench->ops->load_norm(bench->backend, layer, NORM_ATTENTION, &tensor, &error),
          error.message);
    check(bench->ops->load_norm(bench->backend, layer, NORM_MLP, &tensor, &error), error.message);
    free(g_idx);
}

static void load_rest(struct bench *bench, const float *norm)
{
    struct backend_error error;
    float inv_freq[DIM / 2];
    for (int i = 0; i < DIM / 2; i++)
        inv_freq[i] = 1.0f / (1.0f + 100.0f * (float)i);
    for (int slot = TABLE_EMBED; slot <= TABLE_HEAD; slot++) {
        uint16_t *table = take((size_t)VOCAB * HIDDEN * 2);
        random_halves(bench, table, (size_t)VOCAB * HIDDEN, -6, true);
        struct backend_tensor tensor = {table, BACKEND_F16, VOCAB, HIDDEN};
        check(bench->ops->load_table(bench->backend, (enum table_slot)slot, &tensor, &error),
              error.message);
        free(table);
    }
    struct backend_tensor tensor = {norm, BACKEND_F32, 1, HIDDEN};
    check(bench->ops->load_norm(bench->backend, 0, NORM_FINAL, &tensor, &error), error.message);
    check(bench->ops->load_rope(bench->backend, inv_freq, 1.0f, &error), error.message);
    check(bench->ops->load_done(bench->backend, &error), error.message);
}

static void bench_open(struct bench *bench, const struct backend_options *options)
{
    struct backend_error error;
    bench->ops = backend_cpu();
    bench->shape = (struct backend_shape){.layers = bench->layers,
                                          .hidden = HIDDEN,
                                          .heads = HEADS,
                                          .kv_heads = HEADS,
                                          .head_dim = DIM,
                                          .ffn = FFN,
                                          .vocab = VOCAB,
                                          .norm_eps = 1e-5f,
                                          .max_tokens = CHUNK,
                                          .max_head_rows = 8,
                                          .max_positions = CONTEXT,
                                          .page_tokens = PAGE};
    check(bench->ops->open(&bench->backend, &bench->shape, options, &error), error.message);
    float *norm = take(HIDDEN * sizeof *norm);
    for (int i = 0; i < HIDDEN; i++)
        norm[i] = 1.0f;
    for (uint32_t layer = 0; layer < bench->layers; layer++)
        load_layer(bench, layer, norm);
    load_rest(bench, norm);
    free(norm);
    struct backend_buffer **buffers[] = {&bench->x, &bench->q, &bench->k,
                                         &bench->v, &bench->a, &bench->h};
    for (int i = 0; i < 6; i++)
        check(bench->ops->buffer_create(bench->backend, i < 5 ? HIDDEN : FFN, buffers[i], &error),
              error.message);
    uint32_t pages = (bench->context + CHUNK + 2 * PAGE - 1) / PAGE;
    check(bench->ops->kv_create(bench->backend, bench->kv, pages, &error), error.message);
    for (uint32_t i = 0; i < pages; i++)
        bench->pages[i] = i;
}

/* One step of n tokens at the end of the context, with the head of `rows` rows. */
static void step(struct bench *bench, uint32_t n, uint32_t rows)
{
    const struct backend_ops *ops = bench->ops;
    struct backend *b = bench->backend;
    const uint32_t *tables[1] = {bench->pages};
    struct backend_batch batch = {n, bench->tokens, bench->positions, bench->sequences, tables, 1};
    uint32_t head_rows[8];
    const float *logits = NULL;
    for (uint32_t i = 0; i < n; i++) {
        bench->tokens[i] = (int32_t)(next_random(bench) % VOCAB);
        bench->positions[i] = bench->context + i;
    }
    int bad = ops->embed(b, &batch, bench->x);
    for (uint32_t layer = 0; layer < bench->layers; layer++) {
        bad |= ops->norm_qkv(b, layer, &batch, bench->x, bench->q, bench->k, bench->v);
        bad |= ops->rope_append(b, layer, &batch, bench->q, bench->k, bench->v);
        bad |= ops->attend(b, layer, &batch, bench->q, bench->a);
        bad |= ops->project_add(b, layer, LINEAR_O, &batch, bench->a, bench->x);
        bad |= ops->norm_gate_up(b, layer, &batch, bench->x, bench->h);
        bad |= ops->project_add(b, layer, LINEAR_DOWN, &batch, bench->h, bench->x);
    }
    for (uint32_t i = 0; i < rows; i++)
        head_rows[i] = n - rows + i;
    bad |= ops->head(b, head_rows, rows, bench->x, &logits);
    check(bad, ops->last_error(b));
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Tokens a second of steps of n tokens: the best, as the bandwidth is the best of several readings,
 * and the median, which shows what else the machine was doing. */
struct rate {
    double best, median;
};

static struct rate rate(struct bench *bench, uint32_t n, uint32_t rows)
{
    double times[4096], end = now_seconds() + bench->seconds;
    size_t count = 0;
    step(bench, n, rows);
    while (count < 4096 && (count < 3 || now_seconds() < end)) {
        double start = now_seconds();
        step(bench, n, rows);
        times[count++] = now_seconds() - start;
    }
    qsort(times, count, sizeof *times, compare);
    return (struct rate){n / times[0], n / times[count / 2]};
}

static void report(struct bench *bench)
{
    struct backend_memory memory;
    bench->ops->memory(bench->backend, &memory);
    double before = bench->ops->measure_bandwidth(bench->backend);
    struct rate decode = rate(bench, 1, 1);
    double after = bench->ops->measure_bandwidth(bench->backend);
    double roof = before > after ? before : after;
    /* Read by a step: all weights but the embedding, and the keys and values so far. */
    double kv = (double)bench->ops->kv_page_bytes(&bench->shape, bench->kv) / PAGE;
    double weights = (double)memory.weight_bytes - 2.0 * VOCAB * HIDDEN;
    double bytes = weights + kv * (bench->context + 1);
    printf("%s, %u layers, group %u%s%s, context %u, weights %.3f GB, kv %.3f GB\n",
           bench->ops->describe(bench->backend), bench->layers, bench->group,
           bench->plain ? "" : ", act-order", bench->symmetric ? ", symmetric" : "", bench->context,
           weights * 1e-9, kv * bench->context * 1e-9);
    printf("bandwidth  %7.2f GB/s\n", roof * 1e-9);
    printf("decode     %7.2f tokens/s (median %.2f)  %.2f GB/s  %.0f%% of the bandwidth\n",
           decode.best, decode.median, bytes * decode.best * 1e-9,
           100 * bytes * decode.best / roof);
    static const uint32_t batches[] = {2, 4, 8, 32, 128, 256};
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        struct rate fast = rate(bench, batches[i], batches[i] <= 8 ? batches[i] : 1);
        printf("%3u tokens %7.2f tokens/s (median %.2f)  %.2f times decode\n", batches[i],
               fast.best, fast.median, fast.best / decode.best);
    }
}

static enum kv_type kv_named(const char *name)
{
    static const char *const names[KV_TYPES] = {"f32", "f16", "q8", "q4"};
    int type = 0;
    while (type < KV_TYPES && strcmp(name, names[type]) != 0)
        type++;
    check(type < KV_TYPES ? 0 : -1, "--kv f32, f16, q8 or q4");
    return (enum kv_type)type;
}

int main(int argc, char **argv)
{
    static struct bench bench = {.layers = 4, .group = 32, .kv = KV_F16, .seconds = 3, .state = 7};
    struct backend_options options = {0};
    for (int i = 1; i < argc; i++) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--plain") == 0 || strcmp(argv[i], "--sym") == 0) {
            *(argv[i][2] == 'p' ? &bench.plain : &bench.symmetric) = true;
            continue;
        }
        if (strcmp(argv[i], "--layers") == 0)
            bench.layers = (uint32_t)atoi(value);
        else if (strcmp(argv[i], "--threads") == 0)
            options.threads = (unsigned)atoi(value);
        else if (strcmp(argv[i], "--kernels") == 0)
            options.kernels = value;
        else if (strcmp(argv[i], "--context") == 0)
            bench.context = (uint32_t)atoi(value);
        else if (strcmp(argv[i], "--group") == 0)
            bench.group = (uint32_t)atoi(value);
        else if (strcmp(argv[i], "--seconds") == 0)
            bench.seconds = atof(value);
        else if (strcmp(argv[i], "--kv") == 0)
            bench.kv = kv_named(value);
        else
            check(-1, argv[i]);
        i++;
    }
    check(bench.layers < 1 || bench.group < 32 || HIDDEN % bench.group != 0 ||
                  bench.context > CONTEXT - CHUNK
              ? -1
              : 0,
          "--layers from 1, --group 32 to 512, --context below 16128");
    bench_open(&bench, &options);
    report(&bench);
    bench.ops->close(bench.backend);
    return 0;
}
