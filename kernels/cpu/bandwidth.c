/*
 * bandwidth.c - what the backend's threads together read from memory: the roof over decoding.
 */
#include <stdlib.h>
#include <time.h>

#include "kernels/cpu/cpu.h"
#include "kernels/cpu/thread_pool.h"

#define BUFFER_BYTES ((size_t)768 << 20)
#define ROUNDS       8

struct read_job {
    const uint64_t *words;
    size_t count;
    uint64_t *sums; /* [threads * 8], so that the reading is not optimised away */
};

static void read_work(void *argument, unsigned thread, unsigned threads)
{
    struct read_job *job = argument;
    size_t lines = job->count / 16;
    const uint64_t *at = job->words + lines * thread / threads * 16;
    const uint64_t *end = job->words + lines * (thread + 1) / threads * 16;
    uint64_t sums[16] = {0};
    for (; at < end; at += 16) {
        __builtin_prefetch(at + 1024); /* 8 KB: see avx512_linear.c */
        __builtin_prefetch(at + 1032);
        for (int i = 0; i < 16; i++)
            sums[i] += at[i];
    }
    for (int i = 1; i < 16; i++)
        sums[0] ^= sums[i];
    job->sums[thread * 8] = sums[0];
}

static double now_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The best of several rounds; 0 when there is no memory for the buffer. */
double cpu_measure_bandwidth(struct backend *backend)
{
    struct read_job job = {.count = BUFFER_BYTES / 8};
    uint64_t *words = cpu_alloc(BUFFER_BYTES, "the bandwidth test", NULL);
    job.sums = calloc((size_t)backend->threads * 8, sizeof *job.sums);
    double best = 0;
    if (words != NULL && job.sums != NULL) {
        job.words = words;
        for (int round = 0; round < ROUNDS; round++) {
            double start = now_seconds();
            thread_pool_run(backend->pool, UINT64_MAX, read_work, &job);
            double rate = (double)BUFFER_BYTES / (now_seconds() - start);
            best = rate > best ? rate : best;
        }
    }
    free(job.sums);
    free(words);
    return best;
}
