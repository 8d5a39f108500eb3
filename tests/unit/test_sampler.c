/*
 * Tests of engine/infer/sampler: each step against a straightforward computation, by drawing often
 * with a fixed seed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "engine/infer/sampler.h"

#define VOCAB 12
#define DRAWS 20000

static const float logits[VOCAB] = {1.5f, -0.5f, 2.25f, 0.0f,  3.0f, 2.75f,
                                    -2.f, 0.75f, 1.0f,  -1.5f, 2.5f, 0.25f};

static struct sampling neutral(void)
{
    return (struct sampling){
        .temperature = 1, .top_p = 1, .typical_p = 1, .repeat_penalty = 1, .seed = 1234};
}

/* Turns weights (negative: excluded) into probabilities. */
static void normalise(double *p)
{
    double sum = 0;
    for (int i = 0; i < VOCAB; i++)
        sum += p[i] > 0 ? p[i] : 0;
    for (int i = 0; i < VOCAB; i++)
        p[i] = p[i] > 0 ? p[i] / sum : 0;
}

static void softmax(const float *from, double temperature, double *p)
{
    for (int i = 0; i < VOCAB; i++)
        p[i] = exp(from[i] / temperature);
    normalise(p);
}

/* Draws, and compares the counts with DRAWS * p within five standard deviations. Ids with p = 0
 * must never come. */
static void assert_distribution(const struct sampling *sampling, const int32_t *history,
                                size_t history_count, const double *p)
{
    struct sampler *sampler = sampler_create(sampling, VOCAB);
    int counts[VOCAB] = {0};
    for (int i = 0; i < DRAWS; i++) {
        int32_t id = sampler_choose(sampler, logits, history, history_count, NULL, 0);
        assert_in_range(id, 0, VOCAB - 1);
        counts[id]++;
    }
    for (int i = 0; i < VOCAB; i++) {
        double expected = DRAWS * p[i], deviation = sqrt(DRAWS * p[i] * (1 - p[i]));
        if (fabs(counts[i] - expected) > 5 * deviation + 1e-6)
            fail_msg("id %d: %d times, expected %.1f", i, counts[i], expected);
    }
    sampler_free(sampler);
}

static void temperature_is_softmax(void **state)
{
    (void)state;
    double p[VOCAB];
    static const float temperatures[] = {0.5f, 1, 2, 100};
    for (int i = 0; i < 4; i++) {
        struct sampling sampling = neutral();
        sampling.temperature = temperatures[i];
        softmax(logits, temperatures[i], p);
        assert_distribution(&sampling, NULL, 0, p);
    }
}

/* How many have a larger probability. */
static int rank_of(const double *p, int id)
{
    int rank = 0;
    for (int i = 0; i < VOCAB; i++)
        rank += p[i] > p[id];
    return rank;
}

static void top_k_keeps_k(void **state)
{
    (void)state;
    for (uint32_t k = 1; k <= VOCAB + 3; k += 2) {
        struct sampling sampling = neutral();
        sampling.top_k = k;
        double p[VOCAB], kept[VOCAB];
        softmax(logits, 1, p);
        for (int i = 0; i < VOCAB; i++)
            kept[i] = rank_of(p, i) < (int)k ? p[i] : 0;
        normalise(kept);
        assert_distribution(&sampling, NULL, 0, kept);
    }
}

static void top_p_keeps_the_fewest_that_reach_it(void **state)
{
    (void)state;
    for (int tenths = 1; tenths < 10; tenths++) {
        struct sampling sampling = neutral();
        sampling.top_p = (float)tenths / 10;
        double p[VOCAB], kept[VOCAB];
        softmax(logits, 1, p);
        for (int i = 0; i < VOCAB; i++) {
            double larger = 0;
            for (int j = 0; j < VOCAB; j++)
                larger += p[j] > p[i] ? p[j] : 0;
            kept[i] = larger < sampling.top_p ? p[i] : 0;
        }
        normalise(kept);
        assert_distribution(&sampling, NULL, 0, kept);
    }
}

static void min_p_is_relative_to_the_best(void **state)
{
    (void)state;
    static const float values[] = {0.05f, 0.3f, 0.7f, 1, 2};
    for (int v = 0; v < 5; v++) {
        struct sampling sampling = neutral();
        sampling.min_p = values[v];
        double p[VOCAB], kept[VOCAB];
        softmax(logits, 1, p);
        for (int i = 0; i < VOCAB; i++)
            kept[i] = p[i] >= fmin(values[v], 1) * p[4] * (1 - 1e-9) ? p[i] : 0;
        normalise(kept);
        assert_distribution(&sampling, NULL, 0, kept);
    }
}

static void typical_keeps_what_surprises_least(void **state)
{
    (void)state;
    for (int tenths = 1; tenths < 10; tenths++) {
        struct sampling sampling = neutral();
        sampling.typical_p = (float)tenths / 10;
        double p[VOCAB], kept[VOCAB], far[VOCAB], entropy = 0;
        softmax(logits, 1, p);
        for (int i = 0; i < VOCAB; i++)
            entropy -= p[i] * log(p[i]);
        for (int i = 0; i < VOCAB; i++)
            far[i] = fabs(-log(p[i]) - entropy);
        for (int i = 0; i < VOCAB; i++) {
            double nearer = 0;
            for (int j = 0; j < VOCAB; j++)
                nearer += far[j] < far[i] ? p[j] : 0;
            kept[i] = nearer < sampling.typical_p ? p[i] : 0;
        }
        normalise(kept);
        assert_distribution(&sampling, NULL, 0, kept);
    }
}

static void penalties_follow_their_formulas(void **state)
{
    (void)state;
    static const int32_t history[] = {4, 4, 4, 6, 2, 4, 2, 1};
    static const uint32_t lasts[] = {0, 3, 100};
    for (int v = 0; v < 6; v++) {
        struct sampling sampling = neutral();
        sampling.repeat_last = lasts[v % 3];
        sampling.repeat_penalty = v < 3 ? 1.5f : 1;
        sampling.frequency_penalty = v < 3 ? 0 : 0.4f;
        sampling.presence_penalty = v < 3 ? 0 : -0.3f;
        size_t first = lasts[v % 3] == 3 ? 5 : 0;
        float changed[VOCAB];
        double p[VOCAB];
        for (int i = 0; i < VOCAB; i++) {
            int times = 0;
            for (size_t j = first; j < 8; j++)
                times += history[j] == i;
            changed[i] = logits[i];
            if (times > 0 && v < 3)
                changed[i] = logits[i] > 0 ? logits[i] / 1.5f : logits[i] * 1.5f;
            if (times > 0 && v >= 3)
                changed[i] = logits[i] - 0.4f * (float)times + 0.3f;
        }
        softmax(changed, 1, p);
        assert_distribution(&sampling, history, 8, p);
    }
}

/* top-k, then top-p of what is left, then temperature. */
static void steps_compose_in_order(void **state)
{
    (void)state;
    struct sampling sampling = neutral();
    sampling.top_k = 3;
    sampling.top_p = 0.6f;
    sampling.temperature = 2;
    /* Of 3.0, 2.75, 2.5 the first two hold 0.42 + 0.33 >= 0.6. */
    double p[VOCAB] = {0};
    p[4] = exp(1.5);
    p[5] = exp(1.375);
    normalise(p);
    assert_distribution(&sampling, NULL, 0, p);
}

static int32_t choose_once(const struct sampling *sampling, const float *from,
                           const int32_t *history, size_t count, const int32_t *banned,
                           size_t banned_count)
{
    struct sampler *sampler = sampler_create(sampling, VOCAB);
    int32_t id = sampler_choose(sampler, from, history, count, banned, banned_count);
    sampler_free(sampler);
    return id;
}

static void greedy_takes_the_best_and_lowest(void **state)
{
    (void)state;
    struct sampling sampling = neutral();
    sampling.temperature = 0;
    sampling.top_k = 1;
    const int32_t banned[] = {4, 5, -1, 1000};
    const int32_t history[] = {4};
    assert_int_equal(choose_once(&sampling, logits, NULL, 0, NULL, 0), 4);
    assert_int_equal(choose_once(&sampling, logits, NULL, 0, banned, 1), 5);
    assert_int_equal(choose_once(&sampling, logits, NULL, 0, banned, 4), 10);
    sampling.presence_penalty = 1;
    assert_int_equal(choose_once(&sampling, logits, history, 1, NULL, 0), 5);
    float equal[VOCAB] = {0};
    assert_int_equal(choose_once(&sampling, equal, NULL, 0, NULL, 0), 0);
    equal[0] = -1;
    assert_int_equal(choose_once(&sampling, equal, NULL, 0, NULL, 0), 1);
}

static void ties_at_the_edge_go_to_the_lowest_id(void **state)
{
    (void)state;
    struct sampling sampling = neutral();
    const float equal[VOCAB] = {0};
    sampling.top_k = 4;
    struct sampler *sampler = sampler_create(&sampling, VOCAB);
    for (int i = 0; i < 1000; i++)
        assert_in_range(sampler_choose(sampler, equal, NULL, 0, NULL, 0), 0, 3);
    sampler_free(sampler);
}

static void non_finite_never_wins(void **state)
{
    (void)state;
    float broken[VOCAB];
    memcpy(broken, logits, sizeof broken);
    broken[4] = NAN;
    broken[5] = INFINITY;
    broken[10] = -INFINITY;
    for (int i = 0; i < 2; i++) {
        struct sampling sampling = neutral();
        sampling.temperature = i == 0 ? 0 : 1e-30f;
        assert_int_equal(choose_once(&sampling, broken, NULL, 0, NULL, 0), 2);
        for (int j = 0; j < VOCAB; j++)
            broken[j] = NAN;
        assert_int_equal(choose_once(&sampling, broken, NULL, 0, NULL, 0), -1);
        memcpy(broken, logits, sizeof broken);
        broken[4] = broken[5] = broken[10] = NAN;
    }
}

static void seed_decides(void **state)
{
    (void)state;
    struct sampling sampling = neutral();
    struct sampler *a = sampler_create(&sampling, VOCAB), *b = sampler_create(&sampling, VOCAB);
    sampling.seed = 99;
    struct sampler *c = sampler_create(&sampling, VOCAB);
    int same = 0;
    for (int i = 0; i < 200; i++) {
        int32_t id = sampler_choose(a, logits, NULL, 0, NULL, 0);
        assert_int_equal(sampler_choose(b, logits, NULL, 0, NULL, 0), id);
        same += sampler_choose(c, logits, NULL, 0, NULL, 0) == id;
    }
    assert_true(same < 100);
    sampler_free(a);
    sampler_free(b);
    sampler_free(c);
}

/* Selecting in a large vocabulary agrees with sorting. */
static int descending(const void *a, const void *b)
{
    float x = *(const float *)a, y = *(const float *)b;
    return (x < y) - (x > y);
}

static void large_vocabulary_top_k(void **state)
{
    (void)state;
    enum { LARGE = 32000 };
    float *from = malloc(LARGE * sizeof *from), *sorted = malloc(LARGE * sizeof *sorted);
    uint32_t random = 7;
    for (int i = 0; i < LARGE; i++) {
        random = random * 1664525u + 1013904223u;
        from[i] = (float)(random >> 8) * 0x1p-20f;
    }
    memcpy(sorted, from, LARGE * sizeof *sorted);
    qsort(sorted, LARGE, sizeof *sorted, descending);
    struct sampling sampling = neutral();
    sampling.top_k = 40;
    sampling.temperature = 1000;
    struct sampler *sampler = sampler_create(&sampling, LARGE);
    bool lowest = false;
    for (int i = 0; i < 400; i++) {
        float chosen = from[sampler_choose(sampler, from, NULL, 0, NULL, 0)];
        assert_true(chosen >= sorted[39]);
        lowest |= chosen < sorted[35];
    }
    assert_true(lowest);
    sampler_free(sampler);
    free(from);
    free(sorted);
}

/* --- from the best candidates ----------------------------------------------------------------- */

#define MEDIUM 150

static uint32_t roll(uint32_t *random, uint32_t sides)
{
    *random = *random * 1664525u + 1013904223u;
    return (*random >> 8) % sides;
}

/* Any settings that make sense, and some that do not. */
static struct sampling random_sampling(uint32_t *random)
{
    struct sampling s = neutral();
    s.temperature = roll(random, 3) == 0 ? 0 : (float)(1 + roll(random, 30)) / 10;
    s.top_k = roll(random, 6) == 0 ? 0 : 1 + roll(random, 60);
    s.top_p = roll(random, 2) == 0 ? 1 : (float)(1 + roll(random, 99)) / 100;
    s.min_p = roll(random, 2) == 0 ? 0 : (float)roll(random, 50) / 100;
    s.typical_p = roll(random, 3) > 0 ? 1 : (float)(1 + roll(random, 99)) / 100;
    s.repeat_penalty = roll(random, 2) == 0 ? 1 : 0.8f + (float)roll(random, 12) / 10;
    s.repeat_last = roll(random, 2) == 0 ? 0 : roll(random, 40);
    s.frequency_penalty = roll(random, 3) > 0 ? 0 : (float)roll(random, 20) / 10 - 0.3f;
    s.presence_penalty = roll(random, 3) > 0 ? 0 : (float)roll(random, 20) / 10 - 0.3f;
    s.seed = 1 + roll(random, 1000000);
    return s;
}

/* Few different values, so that there are ties, both signs and some that are not finite. */
static void random_row(uint32_t *random, float *row)
{
    uint32_t values = 2 + roll(random, 200);
    for (int i = 0; i < MEDIUM; i++) {
        row[i] = ((float)roll(random, values) - (float)values / 3) / 8;
        if (roll(random, 40) == 0)
            row[i] = roll(random, 2) == 0 ? NAN : -INFINITY;
    }
}

static int by_logit(const void *a, const void *b)
{
    const struct backend_candidate *x = a, *y = b;
    if (x->logit != y->logit)
        return x->logit > y->logit ? -1 : 1;
    return x->id < y->id ? -1 : 1;
}

/* What head_best gives. */
static uint32_t best_of(const float *row, uint32_t limit, struct backend_candidate *best)
{
    uint32_t count = 0;
    for (int32_t id = 0; id < MEDIUM; id++)
        if (isfinite(row[id]))
            best[count++] = (struct backend_candidate){id, row[id]};
    qsort(best, count, sizeof *best, by_logit);
    return count < limit ? count : limit;
}

/* A few tokens in a row from the same two samplers, so that the random numbers stay the same too.
 * Returns whether the list was enough. */
static bool check_candidates(uint32_t *random)
{
    struct sampling sampling = random_sampling(random);
    struct sampler *whole = sampler_create(&sampling, MEDIUM);
    struct sampler *listed = sampler_create(&sampling, MEDIUM);
    struct backend_candidate best[MEDIUM];
    int32_t history[80], banned[10];
    size_t count = roll(random, 60), banned_count = roll(random, 10);
    uint32_t words = 1 + roll(random, MEDIUM + 20), needed = 0;
    for (size_t i = 0; i < count; i++)
        history[i] = (int32_t)roll(random, words) - 1;
    for (size_t i = 0; i < banned_count; i++)
        banned[i] = (int32_t)roll(random, MEDIUM + 5) - 2;
    for (int step = 0; step < 6; step++) {
        float row[MEDIUM];
        random_row(random, row);
        needed = sampler_candidates(listed, history, count, banned_count);
        if (needed == 0)
            break;
        uint32_t limit = needed + roll(random, 2) * roll(random, 30);
        uint32_t some = best_of(row, limit, best);
        int32_t id = sampler_choose(whole, row, history, count, banned, banned_count);
        assert_int_equal(
            sampler_choose_best(listed, best, some, history, count, banned, banned_count), id);
        history[count++] = id;
    }
    sampler_free(whole);
    sampler_free(listed);
    return needed > 0;
}

static void best_candidates_choose_the_same(void **state)
{
    (void)state;
    uint32_t random = 99, enough = 0;
    for (int i = 0; i < 20000; i++)
        enough += check_candidates(&random);
    assert_in_range(enough, 5000, 15000);
}

/* A penalty makes two equal: the lowest id wins, in whatever order they are listed. */
static void best_candidates_break_ties_by_id(void **state)
{
    (void)state;
    static const struct backend_candidate best[] = {{7, 2}, {2, 1}, {9, 1}};
    static const int32_t history[] = {7};
    struct sampling sampling = neutral();
    sampling.temperature = 0;
    sampling.presence_penalty = 1;
    struct sampler *sampler = sampler_create(&sampling, VOCAB);
    assert_int_equal(sampler_choose_best(sampler, best, 3, history, 1, NULL, 0), 2);
    sampler_free(sampler);
}

static uint32_t needed_by(struct sampling sampling, size_t history_count, size_t banned_count)
{
    int32_t history[3000];
    for (size_t i = 0; i < history_count; i++)
        history[i] = (int32_t)(i / 2); /* each twice */
    struct sampler *sampler = sampler_create(&sampling, 5000);
    uint32_t needed = sampler_candidates(sampler, history, history_count, banned_count);
    sampler_free(sampler);
    return needed;
}

static void candidates_are_counted(void **state)
{
    (void)state;
    struct sampling s = neutral();
    assert_int_equal(needed_by(s, 100, 3), 0); /* no step limits them */
    s.top_k = 40;
    assert_int_equal(needed_by(s, 100, 3), 43);
    s.temperature = 0;
    assert_int_equal(needed_by(s, 100, 3), 4);
    s.presence_penalty = 0.1f;
    assert_int_equal(needed_by(s, 100, 3), 54);
    s.repeat_last = 20;
    assert_int_equal(needed_by(s, 100, 3), 14);
    assert_int_equal(needed_by(s, 0, 0), 1);
    s.repeat_last = 0;
    assert_int_equal(needed_by(s, 2000, 23), 1024);
    assert_int_equal(needed_by(s, 2000, 24), 0);
    s.presence_penalty = -0.1f;
    assert_int_equal(needed_by(s, 100, 3), 0); /* may raise what is not among the best */
    s = neutral();
    s.top_k = 2000;
    assert_int_equal(needed_by(s, 0, 0), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(temperature_is_softmax),
        cmocka_unit_test(top_k_keeps_k),
        cmocka_unit_test(top_p_keeps_the_fewest_that_reach_it),
        cmocka_unit_test(min_p_is_relative_to_the_best),
        cmocka_unit_test(typical_keeps_what_surprises_least),
        cmocka_unit_test(penalties_follow_their_formulas),
        cmocka_unit_test(steps_compose_in_order),
        cmocka_unit_test(greedy_takes_the_best_and_lowest),
        cmocka_unit_test(ties_at_the_edge_go_to_the_lowest_id),
        cmocka_unit_test(non_finite_never_wins),
        cmocka_unit_test(seed_decides),
        cmocka_unit_test(large_vocabulary_top_k),
        cmocka_unit_test(best_candidates_choose_the_same),
        cmocka_unit_test(best_candidates_break_ties_by_id),
        cmocka_unit_test(candidates_are_counted),
    };
    return cmocka_run_group_tests_name("sampler", tests, NULL, NULL);
}
