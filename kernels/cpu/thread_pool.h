/*
 * thread_pool.h - a fixed set of threads that run one function together.
 *
 * The caller of thread_pool_run is thread 0 and works too. Whoever waits spins for a short time,
 * because the steps of a decoder follow each other within microseconds, then sleeps: on a machine
 * with other work a thread that spins only keeps the one it waits for from running.
 * One thread at a time may call run; a pool belongs to one backend.
 */
#ifndef AIRO_KERNELS_CPU_THREAD_POOL_H
#define AIRO_KERNELS_CPU_THREAD_POOL_H

#include <stdint.h>

/* About 15 microseconds of one core. */
#define THREAD_POOL_PRODUCTS ((uint64_t)1 << 20)

struct thread_pool;

typedef void thread_pool_work(void *argument, unsigned thread, unsigned threads);

/* threads = 0: one per physical core this process may run on. NULL when threads cannot start. */
struct thread_pool *thread_pool_open(unsigned threads);
void thread_pool_close(struct thread_pool *pool);
unsigned thread_pool_threads(const struct thread_pool *pool);

/* Calls work(argument, i, threads) once on every thread and returns when all have. With `products`,
 * the multiplications that the work amounts to, below THREAD_POOL_PRODUCTS the caller does it alone
 * (threads = 1): it is done before another thread has woken. */
void thread_pool_run(struct thread_pool *pool, uint64_t products, thread_pool_work *work,
                     void *argument);
/* Within work: waits until every thread has come here. All threads call it equally often. */
void thread_pool_barrier(struct thread_pool *pool);

#endif
