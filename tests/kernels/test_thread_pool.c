/* Tests of the thread pool. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <string.h>
#include <unistd.h>

#include "kernels/cpu/thread_pool.h"

#define THREADS 5
#define ROUNDS  2000

struct job {
    struct thread_pool *pool;
    unsigned calls[THREADS]; /* by thread; plain, so that TSan sees a missing order */
    unsigned before[THREADS], sums[THREADS];
};

static void count_calls(void *argument, unsigned thread, unsigned threads)
{
    struct job *job = argument;
    if (threads == THREADS)
        job->calls[thread]++;
}

static void every_thread_runs_once(void **state)
{
    (void)state;
    struct job job = {.pool = thread_pool_open(THREADS)};
    assert_non_null(job.pool);
    assert_int_equal(thread_pool_threads(job.pool), THREADS);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        thread_pool_run(job.pool, UINT64_MAX, count_calls, &job);
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(job.calls[i], round);
    }
    thread_pool_close(job.pool);
}

/* Little work is the caller's own, barriers included; much is everybody's again. */
static void count_threads(void *argument, unsigned thread, unsigned threads)
{
    struct job *job = argument;
    thread_pool_barrier(job->pool);
    job->calls[thread] = threads;
    thread_pool_barrier(job->pool);
}

static void little_work_is_done_alone(void **state)
{
    (void)state;
    struct job job = {.pool = thread_pool_open(THREADS)};
    for (unsigned round = 0; round < 100; round++) {
        memset(job.calls, 0, sizeof job.calls);
        uint64_t products = round % 2 == 0 ? THREAD_POOL_PRODUCTS - 1 : THREAD_POOL_PRODUCTS;
        thread_pool_run(job.pool, products, count_threads, &job);
        assert_int_equal(job.calls[0], round % 2 == 0 ? 1 : THREADS);
        assert_int_equal(job.calls[THREADS - 1], round % 2 == 0 ? 0 : THREADS);
    }
    thread_pool_close(job.pool);
}

/* After a barrier every thread sees what the others wrote before it. */
static void sum_all(void *argument, unsigned thread, unsigned threads)
{
    struct job *job = argument;
    for (unsigned round = 1; round <= 20; round++) {
        job->before[thread] = round * (thread + 1);
        thread_pool_barrier(job->pool);
        for (unsigned i = 0; i < threads; i++)
            job->sums[thread] += job->before[i];
        thread_pool_barrier(job->pool);
    }
}

static void barrier_orders(void **state)
{
    (void)state;
    struct job job = {.pool = thread_pool_open(THREADS)};
    for (unsigned run = 1; run <= 50; run++)
        thread_pool_run(job.pool, UINT64_MAX, sum_all, &job);
    for (unsigned i = 0; i < THREADS; i++)
        assert_int_equal(job.sums[i], 50 * 210 * 15);
    thread_pool_close(job.pool);
}

/* Workers that have gone to sleep wake for the next run, and for close. */
static void sleepers_wake(void **state)
{
    (void)state;
    struct job job = {.pool = thread_pool_open(THREADS)};
    for (unsigned round = 1; round <= 5; round++) {
        usleep(30000);
        thread_pool_run(job.pool, UINT64_MAX, count_calls, &job);
        for (unsigned i = 0; i < THREADS; i++)
            assert_int_equal(job.calls[i], round);
    }
    usleep(30000);
    thread_pool_close(job.pool);
}

static void count_any(void *argument, unsigned thread, unsigned threads)
{
    unsigned *seen = argument;
    if (thread == 0)
        *seen = threads;
}

static void one_thread_and_default(void **state)
{
    (void)state;
    for (unsigned threads = 0; threads <= 1; threads++) {
        struct thread_pool *pool = thread_pool_open(threads);
        unsigned seen = 0;
        thread_pool_run(pool, UINT64_MAX, count_any, &seen);
        assert_int_equal(seen, thread_pool_threads(pool));
        assert_true(seen >= 1);
        thread_pool_close(pool);
    }
    thread_pool_close(NULL);
}

static void many_pools_at_once(void **state)
{
    (void)state;
    struct job jobs[8];
    memset(jobs, 0, sizeof jobs);
    for (int i = 0; i < 8; i++)
        jobs[i].pool = thread_pool_open(THREADS);
    for (unsigned round = 1; round <= 50; round++)
        for (int i = 0; i < 8; i++)
            thread_pool_run(jobs[i].pool, UINT64_MAX, count_calls, &jobs[i]);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(jobs[i].calls[THREADS - 1], 50);
        thread_pool_close(jobs[i].pool);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(little_work_is_done_alone),
        cmocka_unit_test(every_thread_runs_once),
        cmocka_unit_test(barrier_orders),
        cmocka_unit_test(sleepers_wake),
        cmocka_unit_test(one_thread_and_default),
        cmocka_unit_test(many_pools_at_once),
    };
    return cmocka_run_group_tests_name("thread pool", tests, NULL, NULL);
}
