/*
 * Tests of what drafts are made of: the suffix index against a search by hand, the estimates of a
 * draft, the cost of steps from invented times, and the choice of rows against all choices.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/infer/draft.h"
#include "engine/infer/draft_share.h"
#include "engine/infer/step_cost.h"
#include "engine/infer/suffix_index.h"

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* --- the index -------------------------------------------------------------------------------- */

#define TEXT_MAX 400

static size_t common_suffix(const int32_t *tokens, size_t a, size_t b)
{
    size_t length = 0;
    while (length < a && tokens[a - 1 - length] == tokens[b - 1 - length])
        length++;
    return length;
}

/* The longest suffix of tokens [count] that ends earlier too, and whether it does in a document. */
static size_t search(const int32_t *tokens, const bool *documents, size_t count, bool *document)
{
    size_t longest = 0;
    *document = false;
    for (size_t end = 1; end < count; end++) {
        size_t length = common_suffix(tokens, end, count);
        if (length > longest) {
            longest = length;
            *document = documents[end - 1];
        } else if (length == longest && length > 0) {
            *document |= documents[end - 1];
        }
    }
    return longest;
}

static void check_text(uint32_t alphabet, uint32_t period, uint32_t *random)
{
    int32_t tokens[TEXT_MAX];
    bool documents[TEXT_MAX];
    size_t count = 1 + next_random(random) % TEXT_MAX;
    size_t begin = next_random(random) % count, end = begin + next_random(random) % (count / 2 + 1);
    struct suffix_index *index = suffix_index_create(count);
    assert_non_null(index);
    for (size_t i = 0; i < count; i++) {
        bool repeats = period > 0 && i >= period && next_random(random) % 16 > 0;
        tokens[i] = repeats ? tokens[i - period] : (int32_t)(next_random(random) % alphabet) * 77;
        documents[i] = i >= begin && i < end;
        suffix_index_add(index, tokens[i], documents[i]);
        struct suffix_match match = suffix_index_match(index);
        bool document;
        size_t longest = search(tokens, documents, i + 1, &document);
        if (documents[i] && match.length == 0)
            continue; /* within a document nothing need be found */
        assert_int_equal(match.length, longest);
        if (longest == 0)
            continue;
        assert_true(match.end >= longest && match.end < i + 1);
        assert_memory_equal(tokens + match.end - longest, tokens + i + 1 - longest,
                            longest * sizeof *tokens);
        if (!documents[i])
            assert_int_equal(match.document, document);
        if (match.document)
            assert_true(documents[match.end - 1]);
    }
    suffix_index_free(index);
}

static void index_finds_the_longest_match(void **state)
{
    (void)state;
    uint32_t random = 1;
    for (int round = 0; round < 60; round++)
        for (uint32_t alphabet = 1; alphabet <= 64; alphabet *= 4)
            check_text(alphabet, round % 3 == 0 ? 1 + next_random(&random) % 50 : 0, &random);
}

/* Of places outside documents the latest one is named. */
static void index_names_the_latest_place(void **state)
{
    (void)state;
    static const int32_t tokens[] = {1, 2, 3, 9, 1, 2, 4, 9, 1, 2};
    struct suffix_index *index = suffix_index_create(20);
    for (size_t i = 0; i < 10; i++)
        suffix_index_add(index, tokens[i], false);
    struct suffix_match match = suffix_index_match(index);
    assert_int_equal(match.length, 3); /* 9 1 2 */
    assert_int_equal(match.end, 6);
    suffix_index_free(index);
    index = suffix_index_create(20);
    for (size_t i = 0; i < 10; i++)
        suffix_index_add(index, tokens[i], i < 3);
    assert_int_equal(suffix_index_match(index).end, 6); /* the longest, wherever it is */
    suffix_index_add(index, 5, false);
    suffix_index_add(index, 1, false);
    suffix_index_add(index, 2, false);
    match = suffix_index_match(index);
    assert_int_equal(match.length, 2);
    assert_int_equal(match.end, 2); /* in the document */
    assert_true(match.document);
    suffix_index_free(index);
}

static void index_stops_at_its_capacity(void **state)
{
    (void)state;
    struct suffix_index *index = suffix_index_create(8);
    for (int i = 0; i < 8; i++)
        suffix_index_add(index, 5, false);
    assert_int_equal(suffix_index_match(index).length, 7);
    suffix_index_add(index, 5, false);
    assert_int_equal(suffix_index_match(index).length, 0);
    suffix_index_free(index);
}

/* A long text of few words: the index stays within its memory (the sanitisers see) and is done in
 * the time that a linear method takes; a quadratic one would need minutes. */
static void index_takes_long_texts(void **state)
{
    (void)state;
    enum { LONG = 100000 };
    struct suffix_index *index = suffix_index_create(LONG);
    uint32_t random = 3;
    for (int i = 0; i < LONG; i++)
        suffix_index_add(index, i < LONG / 2 ? 7 : (int32_t)(next_random(&random) % 3), i % 9 == 1);
    assert_true(suffix_index_match(index).length > 3);
    suffix_index_free(index);
}

/* --- the draft -------------------------------------------------------------------------------- */

static void draft_follows_the_document(void **state)
{
    (void)state;
    static const int32_t document[] = {10, 11, 12, 13, 14, 15, 16, 17, 18, 19};
    static const int32_t question[] = {30, 31, 12};
    struct draft_offer offer;
    struct draft *draft = draft_create(100);
    draft_propose(draft, DRAFT_MAX, &offer);
    assert_int_equal(offer.count, 0);
    draft_read(draft, document, 10, true);
    draft_read(draft, question, 3, false);
    draft_propose(draft, DRAFT_MAX, &offer);
    assert_int_equal(offer.count, DRAFT_MAX);
    for (int i = 0; i < DRAFT_MAX; i++) {
        int32_t expected = i < 7 ? 13 + i : 0;
        assert_int_equal(offer.ids[i], expected);
        assert_true(offer.chance[i] > 0 && offer.chance[i] <= (i > 0 ? offer.chance[i - 1] : 1));
    }
    draft_propose(draft, 2, &offer);
    assert_int_equal(offer.count, 2);
    draft_keep(draft, 99);
    draft_propose(draft, DRAFT_MAX, &offer);
    assert_int_equal(offer.count, 0);
    draft_free(draft);
}

/* The end of the text is not the end of the draft: it repeats itself. */
static void draft_goes_round(void **state)
{
    (void)state;
    static const int32_t loop[] = {1, 2, 3, 1, 2, 3, 1};
    struct draft_offer offer;
    struct draft *draft = draft_create(100);
    draft_read(draft, loop, 7, false);
    draft_propose(draft, DRAFT_MAX, &offer);
    for (int i = 0; i < DRAFT_MAX; i++)
        assert_int_equal(offer.ids[i], 1 + (i + 1) % 3);
    draft_free(draft);
}

/* Of a prompt that is too long the last tokens count. */
static void draft_of_a_long_prompt(void **state)
{
    (void)state;
    enum { LONG = 140000 };
    int32_t *prompt = calloc(LONG, sizeof *prompt);
    for (int i = 0; i < LONG; i++)
        prompt[i] = i;
    prompt[LONG - 1] = LONG - 500;
    struct draft_offer offer;
    struct draft *draft = draft_create(LONG + 100);
    draft_read(draft, prompt, 9, true);
    draft_read(draft, prompt + 9, LONG - 9, false);
    draft_propose(draft, 3, &offer);
    assert_int_equal(offer.count, 3);
    assert_int_equal(offer.ids[0], LONG - 499);
    for (int i = 0; i < 100; i++)
        draft_keep(draft, i);
    draft_propose(draft, 3, &offer);
    draft_free(draft);
    free(prompt);
}

/* What is offered is less likely after failures and more so after successes, made or not. */
static void draft_learns(void **state)
{
    (void)state;
    struct draft_offer offer;
    double before, failed;
    struct draft *draft = draft_create(2000);
    for (int32_t i = 0; i < 100; i++) {
        const int32_t pair[] = {1, 1000 + i}; /* 1 is followed by something else each time */
        if (i < 2)
            draft_read(draft, pair, 2, false);
        else
            draft_keep(draft, 1), draft_keep(draft, pair[1]);
        if (i == 1) {
            draft_read(draft, (const int32_t[]){1}, 1, false);
            draft_propose(draft, 1, &offer);
            before = offer.chance[0];
            draft_keep(draft, 7777);
        }
    }
    draft_keep(draft, 1);
    draft_propose(draft, 1, &offer);
    failed = offer.chance[0];
    assert_true(failed < before / 2);
    for (int i = 0; i < 100; i++)
        draft_keep(draft, 50), draft_keep(draft, 51);
    draft_propose(draft, DRAFT_MAX, &offer);
    assert_true(offer.chance[DRAFT_MAX - 1] > 0.7);
    draft_free(draft);
}

/* --- the cost of steps ------------------------------------------------------------------------ */

static void cost_is_learnt_and_interpolated(void **state)
{
    (void)state;
    struct step_cost cost = {0};
    assert_true(step_cost_of(&cost, 1) == 1 && step_cost_of(&cost, 8) > 1);
    assert_true(step_cost_is_stale(&cost, 1));
    for (int i = 0; i < 20; i++)
        step_cost_add(&cost, 1, 0.010);
    assert_false(step_cost_is_stale(&cost, 1));
    assert_float_equal(step_cost_of(&cost, 1), 0.010, 1e-9);
    assert_float_equal(step_cost_of(&cost, 8), 0.010 * step_cost_of(&(struct step_cost){0}, 8),
                       1e-9);
    step_cost_add(&cost, 8, 0.024);
    assert_float_equal(step_cost_of(&cost, 8), 0.024, 1e-9);
    assert_float_equal(step_cost_of(&cost, 4), 0.016, 1e-9);
    assert_true(step_cost_of(&cost, 16) > 0.024);
    assert_true(step_cost_of(&cost, 1000) > step_cost_of(&cost, 16));
    step_cost_add(&cost, 0, 1);
    step_cost_add(&cost, STEP_ROWS_MAX + 1, 1);
    step_cost_add(&cost, 1, 0);
    step_cost_add(&cost, 1, NAN);
    assert_float_equal(step_cost_of(&cost, 1), 0.010, 1e-9);
}

static void cost_survives_a_mishap(void **state)
{
    (void)state;
    struct step_cost cost = {0};
    for (int i = 0; i < 50; i++)
        step_cost_add(&cost, 1, 0.010);
    step_cost_add(&cost, 8, 5); /* the first of its kind: dear, but not as dear as that */
    assert_true(step_cost_of(&cost, 8) <= 0.080);
    step_cost_add(&cost, 1, 5);
    assert_true(step_cost_of(&cost, 1) < 0.012);
    for (int i = 0; i < 60; i++) /* a lasting change is followed */
        step_cost_add(&cost, 1, 0.100);
    assert_float_equal(step_cost_of(&cost, 1), 0.100, 0.005);
    for (int i = 0; i < 1000; i++)
        step_cost_add(&cost, 1, 0.100);
    assert_true(step_cost_of(&cost, 8) > 0.1); /* forgotten: a guess from the plain step */
    assert_true(step_cost_is_stale(&cost, 8) && !step_cost_is_stale(&cost, 1));
}

/* --- the choice ------------------------------------------------------------------------------- */

static double rate_of(const struct draft_offer *offers, const uint32_t *taken, uint32_t count,
                      const struct step_cost *cost, uint32_t *rows)
{
    double tokens = count;
    *rows = count;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < taken[i]; j++)
            tokens += offers[i].chance[j], *rows += 1;
    return tokens / step_cost_of(cost, *rows);
}

/* The best rate of all ways to take beginnings of three drafts. */
static double best_of_all(const struct draft_offer *offers, uint32_t room,
                          const struct step_cost *cost)
{
    double best = 0;
    uint32_t taken[3], rows;
    for (taken[0] = 0; taken[0] <= offers[0].count; taken[0]++)
        for (taken[1] = 0; taken[1] <= offers[1].count; taken[1]++)
            for (taken[2] = 0; taken[2] <= offers[2].count; taken[2]++) {
                double rate = rate_of(offers, taken, 3, cost, &rows);
                if (rows <= 3 + room && rate > best)
                    best = rate;
            }
    return best;
}

static void choice_has_the_best_rate(void **state)
{
    (void)state;
    uint32_t random = 11;
    for (int round = 0; round < 2000; round++) {
        struct draft_offer offers[3];
        struct step_cost cost = {0};
        double slope = (double)(next_random(&random) % 100) / 60;
        for (uint32_t n = 1; n <= STEP_ROWS_MAX; n++)
            step_cost_add(&cost, n, 1 + slope * (n - 1) + (n > 8) * slope);
        for (int i = 0; i < 3; i++) {
            double chance = 1;
            offers[i].count = next_random(&random) % (DRAFT_MAX + 1);
            for (uint32_t j = 0; j < offers[i].count; j++)
                offers[i].chance[j] = chance *= (double)(next_random(&random) % 1000) / 1000;
        }
        uint32_t room = next_random(&random) % 20, taken[3], rows;
        draft_share(offers, 3, 3, 0, room, &cost, taken);
        double rate = rate_of(offers, taken, 3, &cost, &rows);
        assert_true(rows <= 3 + room);
        assert_float_equal(rate, best_of_all(offers, room, &cost), 1e-9);
    }
}

static void choice_heeds_the_bounds(void **state)
{
    (void)state;
    struct draft_offer offers[2] = {{.count = 7}, {.count = 3}};
    struct step_cost cost = {0};
    uint32_t taken[2];
    for (uint32_t n = 1; n <= STEP_ROWS_MAX; n++)
        step_cost_add(&cost, n, n);
    for (int j = 0; j < 7; j++)
        offers[0].chance[j] = offers[1].chance[j] = 0.5;
    draft_share(offers, 2, 2, 0, 20, &cost, taken);
    assert_int_equal(taken[0] + taken[1], 0);
    draft_share(offers, 2, 2, 4, 20, &cost, taken);
    assert_int_equal(taken[0] + taken[1], 4);
    draft_share(offers, 2, 2, 0, 6, NULL, taken);
    assert_int_equal(taken[0] + taken[1], 6);
    draft_share(offers, 2, 2, 0, 20, NULL, taken);
    assert_int_equal(taken[0], 7);
    assert_int_equal(taken[1], 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(index_finds_the_longest_match),
        cmocka_unit_test(index_names_the_latest_place),
        cmocka_unit_test(index_stops_at_its_capacity),
        cmocka_unit_test(index_takes_long_texts),
        cmocka_unit_test(draft_follows_the_document),
        cmocka_unit_test(draft_goes_round),
        cmocka_unit_test(draft_of_a_long_prompt),
        cmocka_unit_test(draft_learns),
        cmocka_unit_test(cost_is_learnt_and_interpolated),
        cmocka_unit_test(cost_survives_a_mishap),
        cmocka_unit_test(choice_has_the_best_rate),
        cmocka_unit_test(choice_heeds_the_bounds),
    };
    return cmocka_run_group_tests_name("draft", tests, NULL, NULL);
}
