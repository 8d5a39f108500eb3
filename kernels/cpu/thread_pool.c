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
#define SPINS         20000 /* pauses before sleeping: about half a millisecond */
#define BARRIER_SPINS 4000

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
    pthread_mutex_t lock;             /* for sleeping only */
    pthread_cond_t wake;              /* a new turn */
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

/* Waits until *value differs from `old`, giving the core away when that takes long. */
static void wait_change(atomic_uint *value, unsigned old)
{
    for (unsigned i = 0; atomic_load_explicit(value, memory_order_acquire) == old; i++) {
        if (i < BARRIER_SPINS)
            spin_pause();
        else
            sched_yield();
    }
}

static void wait_zero(atomic_uint *value)
{
    unsigned now;
    while ((now = atomic_load_explicit(value, memory_order_acquire)) != 0)
        wait_change(value, now);
}

/* The next turn after `seen`: spins, then sleeps. */
static unsigned wait_turn(struct thread_pool *pool, unsigned seen)
{
    unsigned turn;
    for (unsigned i = 0; i < SPINS; i++) {
        turn = atomic_load_explicit(&pool->turn, memory_order_acquire);
        if (turn != seen)
            return turn;
        spin_pause();
    }
    pthread_mutex_lock(&pool->lock);
    atomic_fetch_add(&pool->sleepers, 1);
    while ((turn = atomic_load(&pool->turn)) == seen)
        pthread_cond_wait(&pool->wake, &pool->lock);
    atomic_fetch_sub(&pool->sleepers, 1);
    pthread_mutex_unlock(&pool->lock);
    return turn;
}

/* A sleeper counts itself before it looks at the turn for the last time, and a new turn is written
 * before the sleepers are counted: one of the two sees the other. */
static void next_turn(struct thread_pool *pool)
{
    atomic_fetch_add(&pool->turn, 1);
    if (atomic_load(&pool->sleepers) == 0)
        return;
    pthread_mutex_lock(&pool->lock);
    pthread_cond_broadcast(&pool->wake);
    pthread_mutex_unlock(&pool->lock);
}

static void *worker_main(void *argument)
{
    struct worker *worker = argument;
    struct thread_pool *pool = worker->pool;
    unsigned turn = 0;
    for (;;) {
        turn = wait_turn(pool, turn);
        if (atomic_load(&pool->closing))
            return NULL;
        pool->work(pool->argument, worker->index, pool->threads);
        atomic_fetch_sub_explicit(&pool->running, 1, memory_order_release);
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
    return cores > 0 ? cores : all > 0 ? all : 1;
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

void thread_pool_run(struct thread_pool *pool, thread_pool_work *work, void *argument)
{
    if (pool->threads > 1) {
        pool->work = work;
        pool->argument = argument;
        atomic_store(&pool->running, pool->threads - 1);
        next_turn(pool);
    }
    work(argument, 0, pool->threads);
    wait_zero(&pool->running);
}

void thread_pool_barrier(struct thread_pool *pool)
{
    if (pool->threads == 1)
        return;
    unsigned turn = atomic_load_explicit(&pool->barrier_turn, memory_order_relaxed);
    if (atomic_fetch_add_explicit(&pool->arrived, 1, memory_order_acq_rel) + 1 == pool->threads) {
        atomic_store_explicit(&pool->arrived, 0, memory_order_relaxed);
        atomic_fetch_add_explicit(&pool->barrier_turn, 1, memory_order_release);
        return;
    }
    wait_change(&pool->barrier_turn, turn);
}
