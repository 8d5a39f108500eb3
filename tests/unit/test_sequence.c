/* Tests of engine/infer/sequence, forward and score on the toy backend. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/infer/forward.h"
#include "engine/infer/score.h"
#include "engine/infer/sequence.h"
#include "tests/unit/toy_backend.h"

#define VOCAB 300

struct bench {
    struct model *model;
    struct kv_cache *cache;
    struct forward *forward;
};

static struct bench bench_open(uint32_t pages)
{
    struct bench bench = {.model = toy_model(&(struct toy_options){.chunk = 64})};
    struct error error;
    assert_int_equal(kv_cache_open(&bench.cache, bench.model, pages, &error), 0);
    assert_int_equal(forward_open(&bench.forward, bench.model, &error), 0);
    return bench;
}

static void bench_close(struct bench *bench)
{
    kv_cache_close(bench->cache);
    forward_close(bench->forward);
    toy_model_free(bench->model);
}

static uint32_t held(const struct bench *bench)
{
    struct kv_usage usage;
    kv_cache_usage(bench->cache, &usage);
    return usage.held;
}

/* Evaluates what is missing, `chunk` tokens at a time, and checks the last logits. */
static void evaluate(struct bench *bench, struct sequence *sequence, uint32_t chunk)
{
    size_t count;
    const int32_t *tokens = sequence_tokens(sequence, &count);
    const float *logits = NULL;
    while (sequence_done(sequence) < count) {
        uint32_t first = (uint32_t)sequence_done(sequence), positions[64], sequences[64] = {0};
        uint32_t n = count - first < chunk ? (uint32_t)(count - first) : chunk;
        const uint32_t *pages = sequence_pages(sequence, NULL);
        for (uint32_t i = 0; i < n; i++)
            positions[i] = first + i;
        struct backend_batch batch = {n, tokens + first, positions, sequences, &pages, 1};
        uint32_t row = n - 1;
        assert_int_equal(forward_layers(bench->forward, &batch, NULL, NULL), 0);
        assert_int_equal(forward_head(bench->forward, &row, 1, &logits, NULL), 0);
        sequence_advance(sequence, n);
    }
    float expected[VOCAB];
    toy_logits(bench->model, tokens, (uint32_t)count, expected);
    assert_memory_equal(logits, expected, sizeof expected);
}

static void fill(int32_t *tokens, size_t count, int seed)
{
    for (size_t i = 0; i < count; i++)
        tokens[i] = (int32_t)((i * 7919 + (size_t)seed * 104729 + i * i) % VOCAB);
}

/* Syncs, checks how much was found, evaluates the rest and checks the result. */
static void sync_and_check(struct bench *bench, struct sequence *sequence, const int32_t *tokens,
                           size_t count, size_t expected_reused)
{
    size_t reused = 0;
    struct error error = {0};
    assert_int_equal(sequence_sync(sequence, tokens, count, &reused, &error), 0);
    assert_int_equal(reused, expected_reused);
    assert_int_equal(sequence_done(sequence), expected_reused);
    evaluate(bench, sequence, 13);
}

static void extends_and_rewinds(void **state)
{
    (void)state;
    struct bench bench = bench_open(32);
    struct sequence *sequence = sequence_create(bench.cache, 512);
    int32_t tokens[200];
    fill(tokens, 200, 1);
    sync_and_check(&bench, sequence, tokens, 50, 0);
    sync_and_check(&bench, sequence, tokens, 120, 50);
    sync_and_check(&bench, sequence, tokens, 120, 119); /* one is always evaluated */
    sync_and_check(&bench, sequence, tokens, 64, 63);
    sync_and_check(&bench, sequence, tokens, 200, 120); /* what was rewound is found again */
    tokens[70] = (tokens[70] + 1) % VOCAB;
    sync_and_check(&bench, sequence, tokens, 150, 70);
    tokens[0] = (tokens[0] + 1) % VOCAB;
    sync_and_check(&bench, sequence, tokens, 150, 0);
    sequence_free(sequence);
    assert_int_equal(held(&bench), 0);
    bench_close(&bench);
}

static void freed_sequence_is_found_again_with_its_tail(void **state)
{
    (void)state;
    struct bench bench = bench_open(32);
    int32_t tokens[150];
    fill(tokens, 150, 2);
    for (size_t count = 1; count < 150; count += 7) {
        struct sequence *sequence = sequence_create(bench.cache, 512);
        sync_and_check(&bench, sequence, tokens, count, count > 7 ? count - 7 : 0);
        sequence_free(sequence);
    }
    bench_close(&bench);
}

static void two_sequences_share_and_diverge(void **state)
{
    (void)state;
    struct bench bench = bench_open(32);
    struct sequence *a = sequence_create(bench.cache, 512), *b = sequence_create(bench.cache, 512);
    int32_t tokens[160], other[160];
    fill(tokens, 160, 3);
    memcpy(other, tokens, sizeof other);
    other[110] = (other[110] + 1) % VOCAB;
    sync_and_check(&bench, a, tokens, 160, 0);
    assert_int_equal(held(&bench), 5);
    /* Three whole pages are shared, and 14 tokens of the fourth are copied. */
    sync_and_check(&bench, b, other, 160, 110);
    assert_int_equal(held(&bench), 7);
    assert_int_equal(atomic_load(&toy_control(bench.model)->copies), 1);
    assert_int_equal(kv_cache_references(bench.cache, sequence_pages(a, NULL)[2]), 2);
    assert_int_equal(kv_cache_references(bench.cache, sequence_pages(a, NULL)[3]), 1);
    /* Neither disturbs the other. */
    sequence_push(a, 5, NULL);
    sequence_push(b, 6, NULL);
    evaluate(&bench, a, 64);
    evaluate(&bench, b, 64);
    sequence_free(b);
    sync_and_check(&bench, a, tokens, 140, 139);
    sequence_free(a);
    bench_close(&bench);
}

static void same_prompt_computed_twice_becomes_one(void **state)
{
    (void)state;
    struct bench bench = bench_open(32);
    struct sequence *a = sequence_create(bench.cache, 512), *b = sequence_create(bench.cache, 512);
    int32_t tokens[100];
    fill(tokens, 100, 4);
    assert_int_equal(sequence_sync(a, tokens, 100, NULL, NULL), 0);
    assert_int_equal(sequence_sync(b, tokens, 100, NULL, NULL), 0);
    assert_int_equal(held(&bench), 8);
    evaluate(&bench, a, 64);
    evaluate(&bench, b, 31);
    assert_int_equal(held(&bench), 5);
    sequence_push(b, 9, NULL);
    evaluate(&bench, b, 1);
    sequence_free(a);
    sequence_free(b);
    bench_close(&bench);
}

static void pool_runs_out_with_numbers(void **state)
{
    (void)state;
    struct bench bench = bench_open(4);
    struct sequence *a = sequence_create(bench.cache, 512), *b = sequence_create(bench.cache, 512);
    int32_t tokens[200], other[200];
    fill(tokens, 200, 5);
    fill(other, 200, 6);
    struct error error = {0};
    sync_and_check(&bench, a, tokens, 90, 0);
    assert_int_equal(sequence_sync(b, other, 40, NULL, &error), -1);
    assert_int_equal(error.code, ERROR_MEMORY);
    assert_non_null(strstr(error.message, "40 tokens need 2 pages"));
    assert_non_null(strstr(error.message, "4 in the pool 4 are in use"));
    sync_and_check(&bench, b, other, 20, 0);
    for (int i = 0; i < 12; i++)
        assert_int_equal(sequence_push(b, i, &error), 0);
    evaluate(&bench, b, 64);
    assert_int_equal(sequence_push(b, 1, &error), -1);
    assert_int_equal(error.code, ERROR_MEMORY);
    assert_int_equal(sequence_done(b), 32); /* usable as it was */
    sequence_free(a);
    assert_int_equal(sequence_push(b, 1, &error), 0);
    evaluate(&bench, b, 64);
    assert_int_equal(sequence_sync(b, tokens, 0, NULL, &error), -1);
    assert_int_equal(error.code, ERROR_INPUT);
    sequence_free(b);
    bench_close(&bench);
}

/* Many random edits on a small pool, every result checked against the computation from ids. */
static void random_edits_stay_right(void **state)
{
    (void)state;
    struct bench bench = bench_open(14);
    struct sequence *sequences[3];
    int32_t texts[4][130];
    unsigned random = 12345;
    for (int i = 0; i < 3; i++)
        sequences[i] = sequence_create(bench.cache, 130);
    for (int i = 0; i < 4; i++)
        fill(texts[i], 130, i / 2);
    for (int turn = 0; turn < 600; turn++) {
        random = random * 1664525u + 1013904223u;
        struct sequence **sequence = &sequences[(random >> 8) % 3];
        int32_t *text = texts[(random >> 12) % 4];
        size_t count = 1 + (random >> 16) % 130;
        if (random >> 29 == 0)
            text[(random >> 20) % 130] = (int32_t)(random >> 24);
        if (random >> 29 == 1) {
            sequence_free(*sequence);
            *sequence = sequence_create(bench.cache, 130);
        }
        if (sequence_sync(*sequence, text, count, NULL, NULL) == 0)
            evaluate(&bench, *sequence, 1 + (random >> 10) % 64);
    }
    for (int i = 0; i < 3; i++)
        sequence_free(sequences[i]);
    assert_int_equal(held(&bench), 0);
    bench_close(&bench);
}

struct score_check {
    const struct model *model;
    const int32_t *tokens;
    size_t rows, stop_at;
};

static int check_row(void *user, size_t position, const float *logits, uint32_t vocab)
{
    struct score_check *check = user;
    float expected[VOCAB];
    assert_int_equal(position, check->rows++);
    assert_int_equal(vocab, VOCAB);
    toy_logits(check->model, check->tokens, (uint32_t)position + 1, expected);
    assert_memory_equal(logits, expected, sizeof expected);
    return check->rows == check->stop_at;
}

static void scores_every_position(void **state)
{
    (void)state;
    struct model *model = toy_model(&(struct toy_options){.chunk = 50, .max_head_rows = 3});
    int32_t tokens[131];
    fill(tokens, 131, 7);
    struct score_check check = {.model = model, .tokens = tokens};
    struct error error = {0};
    assert_int_equal(score_tokens(model, tokens, 131, check_row, &check, &error), 0);
    assert_int_equal(check.rows, 131);
    check = (struct score_check){.model = model, .tokens = tokens, .stop_at = 60};
    assert_int_equal(score_tokens(model, tokens, 131, check_row, &check, &error), -1);
    assert_int_equal(error.code, ERROR_CANCELLED);
    assert_int_equal(check.rows, 60);
    assert_int_equal(score_tokens(model, tokens, 513, check_row, &check, &error), -1);
    assert_int_equal(error.code, ERROR_INPUT);
    tokens[3] = VOCAB;
    assert_int_equal(score_tokens(model, tokens, 131, check_row, &check, &error), -1);
    assert_int_equal(error.code, ERROR_INPUT);
    toy_model_free(model);
}

static void log_softmax_is_normalised(void **state)
{
    (void)state;
    const float logits[4] = {1000, 1001, -INFINITY, 1000};
    double sum = 0;
    for (int i = 0; i < 4; i++)
        sum += exp(log_softmax_at(logits, 4, i));
    assert_true(fabs(sum - 1) < 1e-12);
    assert_true(fabs(log_softmax_at(logits, 4, 1) - (1 - log(2 + exp(1)))) < 1e-12);
}

static void cancelled_forward_can_be_run_again(void **state)
{
    (void)state;
    struct bench bench = bench_open(8);
    struct sequence *sequence = sequence_create(bench.cache, 512);
    int32_t tokens[40];
    fill(tokens, 40, 8);
    assert_int_equal(sequence_sync(sequence, tokens, 40, NULL, NULL), 0);
    uint32_t positions[40], sequences[40] = {0};
    const uint32_t *pages = sequence_pages(sequence, NULL);
    for (uint32_t i = 0; i < 40; i++)
        positions[i] = i;
    struct backend_batch batch = {40, tokens, positions, sequences, &pages, 1};
    atomic_bool cancel = true;
    struct error error = {0};
    assert_int_equal(forward_layers(bench.forward, &batch, &cancel, &error), -1);
    assert_int_equal(error.code, ERROR_CANCELLED);
    evaluate(&bench, sequence, 64);
    atomic_store(&toy_control(bench.model)->fail_after, 3);
    assert_int_equal(forward_layers(bench.forward, &batch, NULL, &error), -1);
    assert_int_equal(error.code, ERROR_DEVICE);
    assert_non_null(strstr(error.message, "the toy broke"));
    sequence_free(sequence);
    bench_close(&bench);
}

/* Evaluates all tokens of the sequence without saying so. */
static void evaluate_drafts(struct bench *bench, const struct sequence *sequence)
{
    size_t count, done = sequence_done(sequence);
    const int32_t *tokens = sequence_tokens(sequence, &count);
    uint32_t positions[64], sequences[64] = {0}, n = (uint32_t)(count - done);
    const uint32_t *pages = sequence_pages(sequence, NULL);
    for (uint32_t i = 0; i < n; i++)
        positions[i] = (uint32_t)done + i;
    struct backend_batch batch = {n, tokens + done, positions, sequences, &pages, 1};
    assert_int_equal(forward_layers(bench->forward, &batch, NULL, NULL), 0);
}

/* At each place around the border of a page, with each number of drafts kept: the others are found
 * by nobody, hold no page, and what goes on from there is right. */
static void drafts_leave_nothing_behind(void **state)
{
    (void)state;
    int32_t tokens[200], draft[7] = {11, 22, 33, 44, 55, 66, 77};
    fill(tokens, 200, 5);
    for (uint32_t at = 58; at < 68; at++) {
        for (uint32_t kept = 0; kept <= 7; kept++) {
            struct bench bench = bench_open(80);
            struct sequence *sequence = sequence_create(bench.cache, 300);
            assert_int_equal(sequence_sync(sequence, tokens, at, NULL, NULL), 0);
            evaluate(&bench, sequence, 64);
            assert_int_equal(sequence_push(sequence, tokens[at], NULL), 0);
            assert_int_equal(sequence_draft(sequence, draft, 7, 2), 7);
            evaluate_drafts(&bench, sequence);
            sequence_take_back(sequence, at + 1 + kept);
            sequence_advance(sequence, 1 + kept);
            assert_int_equal(sequence_done(sequence), at + 1 + kept);
            assert_int_equal(held(&bench), kv_pages_for(at + 1 + kept));

            /* Another one with all of the drafts finds those that were kept, once they are left. */
            int32_t wanted[200];
            size_t count = at + 1;
            memcpy(wanted, tokens, sizeof wanted);
            memcpy(wanted + count, draft, sizeof draft);
            struct sequence *next = sequence_create(bench.cache, 300);
            size_t reused, whole = (at + 1 + kept) / KV_PAGE_TOKENS * KV_PAGE_TOKENS;
            assert_int_equal(sequence_sync(next, wanted, count + 7 + 10, &reused, NULL), 0);
            assert_int_equal(reused, whole);
            sequence_free(next);
            sequence_push(sequence, 99, NULL);
            evaluate(&bench, sequence, 1);
            sequence_free(sequence);
            next = sequence_create(bench.cache, 300);
            sync_and_check(&bench, next, wanted, count + 7 + 10, count + kept);
            sequence_free(next);
            bench_close(&bench);
        }
    }
}

/* Neither past the context nor into the last pages of the pool. */
static void drafts_know_their_bounds(void **state)
{
    (void)state;
    int32_t tokens[200], draft[7] = {1, 2, 3, 4, 5, 6, 7};
    fill(tokens, 200, 6);
    struct bench bench = bench_open(80);
    struct sequence *sequence = sequence_create(bench.cache, 64);
    assert_int_equal(sequence_sync(sequence, tokens, 60, NULL, NULL), 0);
    assert_int_equal(sequence_draft(sequence, draft, 7, 2), 4);
    sequence_take_back(sequence, 60);
    assert_int_equal(held(&bench), 2);
    sequence_free(sequence);
    sequence = sequence_create(bench.cache, 300);
    assert_int_equal(sequence_sync(sequence, tokens, 60, NULL, NULL), 0);
    assert_int_equal(sequence_draft(sequence, draft, 7, 78), 4); /* 78 are left */
    assert_int_equal(held(&bench), 2);
    sequence_take_back(sequence, 60);
    assert_int_equal(sequence_draft(sequence, draft, 7, 77), 7);
    assert_int_equal(held(&bench), 3);
    sequence_take_back(sequence, 60);
    assert_int_equal(held(&bench), 2);
    sequence_free(sequence);
    bench_close(&bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(extends_and_rewinds),
        cmocka_unit_test(freed_sequence_is_found_again_with_its_tail),
        cmocka_unit_test(two_sequences_share_and_diverge),
        cmocka_unit_test(same_prompt_computed_twice_becomes_one),
        cmocka_unit_test(pool_runs_out_with_numbers),
        cmocka_unit_test(random_edits_stay_right),
        cmocka_unit_test(scores_every_position),
        cmocka_unit_test(log_softmax_is_normalised),
        cmocka_unit_test(cancelled_forward_can_be_run_again),
        cmocka_unit_test(drafts_leave_nothing_behind),
        cmocka_unit_test(drafts_know_their_bounds),
    };
    return cmocka_run_group_tests_name("sequence", tests, NULL, NULL);
}
