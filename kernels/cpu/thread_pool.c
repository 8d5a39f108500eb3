#include "kernels/cpu/thread_pool.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define THREADS_MAX   1024
#define TURN_SPINS    20000 /* pauses before sleeping between runs: about half a millisecond */
#define BARRIER_SPINS 4000  /* and within one */

struct worker {
    pthread_t thread;
    struct thread_pool *pool;
    unsigned index;
};

/* Fields that different threads write stand on cache lines of their own. */
struct thread_pool {
    unsigned threads, started;
    thread_pool_work *work;
    void *argument;
    struct worker *workers;           /* [threads - 1] */
    bool alone;                       /* this run is the caller's own */
    pthread_mutex_t lock;             /* for sleeping only */
    pthread_cond_t wake;              /* something that is waited for has changed */
    _Alignas(64) atomic_uint turn;    /* counts runs; work and argument are set before */
    _Alignas(64) atomic_uint running; /* workers that have not finished this turn */
    _Alignas(64) atomic_uint arrived; /* at the barrier */
    _Alignas(64) atomic_uint barrier_turn;
    _Alignas(64) atomic_uint sleepers;
    atomic_bool closing;
};

static inline void spin_pause(void)
{
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Waits until *value differs from `old` and returns it: spins, then sleeps. */
static unsigned wait_change(struct thread_pool *pool, atomic_uint *value, unsigned old,
                            unsigned spins)
{
    unsigned now;
    for (unsigned i = 0; i < spins; i++) {
        now = atomic_load_explicit(value, memory_order_acquire);
        if (now != old)
            return now;
        spin_pause();
    }
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while ((now = atomic_load(value)) == old)
        pthread_cond_wait(&pool->wake, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
    return now;
}

/* After a change that somebody may wait for. A sleeper counts itself before it looks for the last
 * time, and the change is made before the sleepers are counted: one of the two sees the other. */
static void announce(struct thread_pool *pool)
{
    if (atomic_load(&pool->sleepers) == 0)
        return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

static void next_turn(struct thread_pool *pool)
{
    atomic_fetch_add(&pool->turn, 1);
    announce(pool);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct thread_pool *pool = worker->pool;
    unsigned turn = 0;
    for (;;) {
        turn = wait_change(pool, &pool->turn, turn, TURN_SPINS);
        if (atomic_load(&pool->closing))
            return NULL;
        pool->work(pool->argument, worker->index, pool->threads);
        if (atomic_fetch_sub(&pool->running, 1) == 1)
            announce(pool);
    }
}

/* True when `cpu` is the first of the hardware threads of its core. */
static bool first_of_core(int cpu)
{
    char path[96];
    snprintf(path, sizeof path, "/sys/devices/system/cpu/cpu%d/topology/thread_siblings_list", cpu);
    FILE *file = fopen(path, "re");
    int first = cpu;
    if (file != NULL) {
        if (fscanf(file, "%d", &first) != 1)
            first = cpu;
        fclose(file);
    }
    return first == cpu;
}

/* A container's share of the processors, rounded up (cgroup v2: "quota period"); 0: no limit. */
static unsigned container_cores(void)
{
    FILE *file = fopen("/sys/fs/cgroup/cpu.max", "re");
    unsigned quota = 0, period = 0;
    if (file != NULL) {
        if (fscanf(file, "%u %u", &quota, &period) != 2)
            quota = 0;
        fclose(file);
    }
    return quota > 0 && period > 0 ? (quota - 1) / period + 1 : 0;
}

static unsigned physical_cores(void)
{
    cpu_set_t set;
    unsigned all = 0, cores = 0;
    if (sched_getaffinity(0, sizeof set, &set) != 0) {
        long online = sysconf(_SC_NPROCESSORS_ONLN);
        return online > 0 ? (unsigned)online : 1;
    }
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++) {
        if (!CPU_ISSET(cpu, &set))
            continue;
        all++;
        cores += first_of_core(cpu);
    }
    cores = cores > 0 ? cores : all > 0 ? all : 1;
    unsigned quota = container_cores();
    return quota > 0 && quota < cores ? quota : cores;
}

struct thread_pool *thread_pool_open(unsigned threads)
{
    if (threads == 0)
        threads = physical_cores();
    if (threads > THREADS_MAX)
        threads = THREADS_MAX;
    struct thread_pool *pool = aligned_alloc(64, sizeof *pool);
    if (pool == NULL)
        return NULL;
    *pool = (struct thread_pool){.threads = threads, .started = 1};
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->wake, NULL);
    pool->workers = calloc(threads, sizeof *pool->workers);
    for (unsigned i = 1; pool->workers != NULL && i < threads; i++) {
        struct worker *worker = &pool->workers[i - 1];
        *worker = (struct worker){.pool = pool, .index = i};
        if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0)
            break;
        pool->started++;
    }
    if (pool->started == threads && pool->workers != NULL)
        return pool;
    thread_pool_close(pool);
    return NULL;
}

void thread_pool_close(struct thread_pool *pool)
{
    if (pool == NULL)
        return;
    atomic_store(&pool->closing, true);
    next_turn(pool);
    for (unsigned i = 1; i < pool->started; i++)
        pthread_join(pool->workers[i - 1].thread, NULL);
    pthread_cond_destroy(&pool->wake);
    pthread_mutex_destroy(&pool->lock);
    free(pool->workers);
    free(pool);
}

unsigned thread_pool_threads(const struct thread_pool *pool)
{
    return pool->threads;
}

void thread_pool_run(struct thread_pool *pool, uint64_t products, thread_pool_work *work,
                     void *argument)
{
    pool->alone = pool->threads == 1 || products < THREAD_POOL_PRODUCTS;
    if (pool->alone) {
        work(argument, 0, 1);
        return;
    }
    pool->work = work;
    pool->argument = argument;
    atomic_store(&pool->running, pool->threads - 1);
    next_turn(pool);
    work(argument, 0, pool->threads);
    unsigned running;
    while ((running = atomic_load_explicit(&pool->running, memory_order_acquire)) != 0)
        wait_change(pool, &pool->running, running, BARRIER_SPINS);
}

void thread_pool_barrier(struct thread_pool *pool)
{
    if (pool->alone)
        return;
    unsigned turn = atomic_load_explicit(&pool->barrier_turn, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&pool->arrived, 1, memory_order_acq_rel) + 1 == pool->threads) {
        atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
        atomic_fetch_add(&pool->barrier_turn, 1);
        announce(pool);
        return;
    }
    wait_change(pool, &pool->barrier_turn, turn, BARRIER_SPINS);
}
