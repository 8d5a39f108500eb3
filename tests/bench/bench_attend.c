/*
 * bench_attend.c - attention of a decode step alone, heads of a 13B model: every type of keys and
 * values side by side in one run.
 *
 *     bench_attend [--threads 0] [--kernels auto] [--contexts 4096,16000] [--rounds 20]
 *
 * For 1 .. 8 rows of one sequence (a draft being verified): bytes read a second against the read
 * bandwidth that the same threads measure before and after, and the time against that of f16. The
 * types take turns within a round, and the best round counts, as the bandwidth is the best of
 * several readings.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tests/kernel_model.h"

#define HEADS    40
#define HEAD_DIM 128
#define LAYERS   2 /* so that one layer's pages have left the cache when their turn comes */
#define CHUNK    64
#define PAGE     32
#define LONGEST  16384

static const char *const names[KV_TYPES] = {"f32", "f16", "q8", "q4"};
static const enum kv_type types[] = {KV_F16, KV_Q8, KV_Q4};
static const uint32_t batches[] = {1, 2, 4, 8};

#define TYPES   (sizeof types / sizeof types[0])
#define BATCHES (sizeof batches / sizeof batches[0])

struct bench {
    const char *kernels;
    unsigned threads, rounds;
    uint32_t contexts[8], context_count;
    struct kernel_model *model;
    struct kernel_run runs[TYPES];
    struct kernel_batch batch;
    uint64_t state;
};

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void must(int result, const char *message)
{
    if (result == 0)
        return;
    fprintf(stderr, "bench_attend: %s\n", message);
    exit(1);
}

/* Rows first .. first + n - 1 of one sequence. */
static void rows_of(struct bench *bench, uint32_t first, uint32_t n)
{
    bench->batch.batch.n = 0;
    for (uint32_t i = 0; i < n; i++)
        kernel_batch_add(&bench->batch, 0, first + i, 0);
}

static void random_rows(struct bench *bench, struct backend_buffer *buffer)
{
    float *row = kernel_data(buffer);
    for (size_t i = 0; i < (size_t)CHUNK * HEADS * HEAD_DIM; i++)
        row[i] = kernel_uniform(&bench->state);
}

/* Every position of the longest context has a key and a value. */
static void fill(struct bench *bench, struct kernel_run *run)
{
    random_rows(bench, run->k);
    random_rows(bench, run->v);
    for (uint32_t at = 0; at < LONGEST; at += CHUNK) {
        rows_of(bench, at, CHUNK);
        random_rows(bench, run->q);
        for (uint32_t layer = 0; layer < LAYERS; layer++)
            must(run->ops->rope_append(run->backend, layer, &bench->batch.batch, run->q, run->k,
                                       run->v),
                 run->ops->last_error(run->backend));
    }
}

static void bench_open(struct bench *bench)
{
    struct kernel_options options = {.layers = LAYERS,
                                     .heads = HEADS,
                                     .head_dim = HEAD_DIM,
                                     .weights = WEIGHTS_F16,
                                     .max_tokens = CHUNK,
                                     .max_positions = LONGEST,
                                     .page_tokens = PAGE};
    bench->model = kernel_model_make(&options, 3);
    kernel_batch_init(&bench->batch, bench->model, LONGEST / PAGE);
    for (size_t i = 0; i < TYPES; i++) {
        must(kernel_open(&bench->runs[i], bench->model, bench->kernels, bench->threads, types[i],
                         LONGEST / PAGE),
             "this CPU has no such kernels");
        fill(bench, &bench->runs[i]);
    }
}

/* Seconds of one layer's attention of n rows that end at the context. */
static double attend_seconds(struct bench *bench, const struct kernel_run *run, uint32_t context,
                             uint32_t n)
{
    rows_of(bench, context - n, n);
    double start = now_seconds();
    for (uint32_t layer = 0; layer < LAYERS; layer++)
        must(run->ops->attend(run->backend, layer, &bench->batch.batch, run->q, run->a),
             run->ops->last_error(run->backend));
    return (now_seconds() - start) / LAYERS;
}

static void report(struct bench *bench, uint32_t context)
{
    double best[TYPES][BATCHES], roof = 0;
    for (size_t i = 0; i < TYPES * BATCHES; i++)
        best[i / BATCHES][i % BATCHES] = 1e9;
    for (unsigned round = 0; round < bench->rounds; round++) {
        if (round % (bench->rounds / 4 + 1) == 0 || round + 1 == bench->rounds) {
            double read = bench->runs[0].ops->measure_bandwidth(bench->runs[0].backend);
            roof = read > roof ? read : roof;
        }
        for (size_t b = 0; b < BATCHES; b++)
            for (size_t i = 0; i < TYPES; i++) {
                double took = attend_seconds(bench, &bench->runs[i], context, batches[b]);
                best[i][b] = took < best[i][b] ? took : best[i][b];
            }
    }
    printf("context %u, read bandwidth %.1f GB/s\n", context, roof * 1e-9);
    printf("  kv  KB a token  ms a layer  GB/s  of it  time to f16   2, 4, 8 rows to 1\n");
    for (size_t i = 0; i < TYPES; i++) {
        double kv = (double)bench->runs[i].ops->kv_page_bytes(&bench->model->shape, types[i]) /
                    PAGE / LAYERS;
        double rate = kv * context / best[i][0];
        printf("  %-3s %10.2f %11.3f %5.1f %5.0f%% %11.2f   %9.2f %5.2f %5.2f\n", names[types[i]],
               kv / 1000, 1000 * best[i][0], rate * 1e-9, 100 * rate / roof,
               best[i][0] / best[0][0], best[i][1] / best[i][0], best[i][2] / best[i][0],
               best[i][3] / best[i][0]);
    }
}

static void parse_contexts(struct bench *bench, const char *text)
{
    for (const char *at = text; at != NULL && bench->context_count < 8; at = strchr(at, ',')) {
        at += *at == ',';
        long context = strtol(at, NULL, 10);
        must(context >= 8 && context <= LONGEST ? 0 : -1, "--contexts 8 to 16384");
        bench->contexts[bench->context_count++] = (uint32_t)context;
    }
}

int main(int argc, char **argv)
{
    static struct bench bench = {.kernels = "auto", .rounds = 20, .state = 11};
    for (int i = 1; i < argc; i += 2) {
        const char *value = i + 1 < argc ? argv[i + 1] : "";
        if (strcmp(argv[i], "--kernels") == 0)
            bench.kernels = value;
        else if (strcmp(argv[i], "--threads") == 0)
            bench.threads = (unsigned)atoi(value);
        else if (strcmp(argv[i], "--rounds") == 0)
            bench.rounds = (unsigned)atoi(value);
        else if (strcmp(argv[i], "--contexts") == 0)
            parse_contexts(&bench, value);
        else
            must(-1, argv[i]);
    }
    if (bench.context_count == 0)
        parse_contexts(&bench, "4096,16000");
    bench_open(&bench);
    printf("attention, %u heads of %u, %s\n", HEADS, HEAD_DIM,
           bench.runs[0].ops->describe(bench.runs[0].backend));
    for (uint32_t i = 0; i < bench.context_count; i++)
        report(&bench, bench.contexts[i]);
    for (size_t i = 0; i < TYPES; i++)
        kernel_close(&bench.runs[i]);
    kernel_model_free(bench.model);
    return 0;
}
