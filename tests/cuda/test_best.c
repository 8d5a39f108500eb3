/*
 * Tests of best.cu: the order of all candidates, against a sort; ties, NaN, infinities, zeros of
 * both signs, fewer finite logits than asked for, rows of several segments.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "device_memory.h"
#include "kernels/cuda/gpu.h"
#include "plain_layer.h"

static int falling(const void *a, const void *b)
{
    const struct gpu_candidate *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return (x->id > y->id) - (x->id < y->id);
}

static uint32_t sort_row(struct gpu_candidate *sorted, const float *logits, uint32_t vocab)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < vocab; i++)
        if (isfinite(logits[i]))
            sorted[count++] = (struct gpu_candidate){(int32_t)i, logits[i]};
    qsort(sorted, count, sizeof *sorted, falling);
    return count;
}

/* Twice with one scratch, which must be left as it was found. */
static void check(const float *logits, uint32_t n, uint32_t vocab, uint32_t limit)
{
    struct gpu_candidate *sorted = malloc(vocab * sizeof *sorted);
    struct gpu_candidate *best = malloc((size_t)n * limit * sizeof *best);
    uint32_t *counts = malloc(n * sizeof *counts);
    void *dlogits = device_copy(logits, (size_t)n * vocab * sizeof *logits);
    void *dbest = device_copy(NULL, (size_t)n * limit * sizeof *best);
    void *dcounts = device_copy(NULL, n * sizeof *counts);
    void *scratch = device_copy(NULL, gpu_best_scratch(n, vocab, limit));
    for (uint32_t time = 0; time < 2; time++) {
        cuda_ok(cudaMemset(dcounts, 0xFF, n * sizeof *counts));
        cuda_ok(gpu_best(dbest, dcounts, dlogits, n, vocab, limit, scratch, 0));
        device_read(best, dbest, (size_t)n * limit * sizeof *best);
        device_read(counts, dcounts, n * sizeof *counts);
        for (uint32_t row = 0; row < n; row++) {
            uint32_t all = sort_row(sorted, logits + (size_t)row * vocab, vocab);
            assert_int_equal(counts[row], all < limit ? all : limit);
            for (uint32_t i = 0; i < counts[row]; i++) {
                assert_int_equal(best[row * limit + i].id, sorted[i].id);
                assert_true(best[row * limit + i].logit == sorted[i].logit);
            }
        }
    }
    void *all[] = {dlogits, dbest, dcounts, scratch};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
        device_free(all[i]);
    free(sorted);
    free(best);
    free(counts);
}

static float *random_logits(size_t count, float size, uint64_t seed)
{
    float *logits = malloc(count * sizeof *logits);
    for (size_t i = 0; i < count; i++)
        logits[i] = size * (plain_float(&seed) + plain_float(&seed) + plain_float(&seed));
    return logits;
}

static void random_rows_come_in_order(void **state)
{
    (void)state;
    float *logits = random_logits(3 * 5000, 8, 1);
    check(logits, 3, 5000, 64);
    check(logits, 1, 5000, 1024);
    check(logits, 2, 1000, 1024);
    check(logits, 2, 40, 7);
    check(logits, 2, 1, 1);
    free(logits);
}

static void segments_of_a_row_are_joined(void **state)
{
    (void)state;
    float *logits = random_logits(2 * 40000, 8, 2);
    check(logits, 2, 40000, 1000);
    check(logits, 1, 32000, 1);
    check(logits, 1, 16385, 5);
    for (uint32_t i = 0; i < 400; i++) /* all of the best in the last segment */
        logits[39000 + i] += 100;
    check(logits, 1, 40000, 300);
    free(logits);
}

static void ties_go_by_rising_id(void **state)
{
    (void)state;
    float *logits = random_logits(20000, 1, 3);
    for (uint32_t i = 0; i < 20000; i++)
        logits[i] = floorf(logits[i]);
    check(logits, 1, 20000, 1024);
    for (uint32_t i = 0; i < 20000; i++)
        logits[i] = -3.5f;
    check(logits, 1, 20000, 100);
    logits[17000] = -3;
    check(logits, 1, 20000, 2);
    for (uint32_t i = 0; i < 20000; i++)
        logits[i] = i % 2 ? 0.0f : -0.0f;
    check(logits, 1, 20000, 333);
    free(logits);
}

static void what_is_not_finite_is_left_out(void **state)
{
    (void)state;
    float *logits = random_logits(20000, 5, 4);
    for (uint32_t i = 0; i < 20000; i += 3)
        logits[i] = i % 2 ? NAN : i % 5 ? INFINITY : -INFINITY;
    check(logits, 1, 20000, 500);
    for (uint32_t i = 0; i < 20000; i++)
        if (i % 997 != 0)
            logits[i] = i % 2 ? -NAN : INFINITY;
        else
            logits[i] = (float)i;
    check(logits, 1, 20000, 500);
    for (uint32_t i = 0; i < 20000; i++)
        logits[i] = NAN;
    check(logits, 1, 20000, 5);
    free(logits);
}

static void extreme_logits_keep_their_order(void **state)
{
    (void)state;
    float logits[] = {-3.4028235e38f, 1e-45f, -1e-45f, 3.4028235e38f, 0, 1, -1, 1.0000001f, 1e-30f};
    check(logits, 1, sizeof logits / sizeof logits[0], 9);
    check(logits, 1, sizeof logits / sizeof logits[0], 1024);
}

static void limits_are_checked(void **state)
{
    (void)state;
    assert_int_equal(gpu_best(NULL, NULL, NULL, 1, 100, 1025, NULL, 0), cudaErrorInvalidValue);
    assert_int_equal(gpu_best(NULL, NULL, NULL, 1, 100, 0, NULL, 0), cudaErrorInvalidValue);
    assert_int_equal(gpu_best(NULL, NULL, NULL, 1, 300000, 1024, NULL, 0), cudaErrorInvalidValue);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_rows_come_in_order),
        cmocka_unit_test(segments_of_a_row_are_joined),
        cmocka_unit_test(ties_go_by_rising_id),
        cmocka_unit_test(what_is_not_finite_is_left_out),
        cmocka_unit_test(extreme_logits_keep_their_order),
        cmocka_unit_test(limits_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
