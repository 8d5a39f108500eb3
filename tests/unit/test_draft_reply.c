/*
 * Tests of replies that are drafted: the same tokens as plain decoding, whatever is drafted and
 * whoever else is in the batch; and nothing of a wrong draft left behind.
 *
 * On the toy backend few words ever come, so that replies repeat and drafts are right about as
 * often as wrong; a key in the wrong place changes every token after it. The last one is on
 * Vaquita.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/infer/forward.h"
#include "engine/infer/scheduler.h"
#include "tests/unit/worker_harness.h"

#define FIRST 300

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

/* A prompt of the few words that the toy's replies are made of, some of it a document. */
static void add_words(struct generation_request *request, size_t count, uint32_t few,
                      uint32_t *random)
{
    int32_t *ids = xcalloc(count, sizeof *ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = (int32_t)(FIRST + next_random(random) % few);
    size_t documents = count / 2;
    segment_add_tokens(&request->segments, PART_DOCUMENT, -1, ids, documents);
    segment_add_tokens(&request->segments, PART_DRAFT, -1, ids + documents, count - documents);
    free(ids);
}

/* One of many kinds of request, decided by `kind` alone. `mode`: how it is drafted. */
static struct generation_request request_of(uint32_t kind, uint32_t few, int mode)
{
    static const char *const stops[] = {"chor", "e"};
    uint32_t random = kind * 2654435761u + 1;
    struct generation_request request = greedy(1 + next_random(&random) % 60);
    struct sampling *sampling = &request.sampling;
    request.draft = mode;
    sampling->seed = 1 + next_random(&random);
    if (kind % 3 > 0) {
        sampling->temperature = (float)(1 + next_random(&random) % 8);
        sampling->top_k = kind % 3 == 1 ? 0 : 1 + next_random(&random) % 40;
        sampling->top_p = kind % 5 > 0 ? 1 : 0.9f;
        sampling->min_p = kind % 4 > 0 ? 0 : 0.02f;
    }
    if (kind % 6 >= 4) {
        sampling->repeat_penalty = 1.05f;
        sampling->repeat_last = next_random(&random) % 30;
        sampling->frequency_penalty = kind % 2 == 0 ? 0.01f : 0;
    }
    if (kind % 7 == 0) {
        request.stops = stops;
        request.stop_count = 2;
    }
    request.begin = kind % 11 == 0 ? "and so it was" : NULL;
    request.max_tokens = kind % 13 == 0 ? 0 : request.max_tokens;
    add_words(&request, 1 + next_random(&random) % 70, few, &random);
    return request;
}

static void assert_same(const struct result *plain, const struct result *drafted)
{
    assert_false(drafted->failed);
    assert_int_equal(plain->reason, drafted->reason);
    assert_int_equal(plain->tokens.count, drafted->tokens.count);
    if (plain->tokens.count > 0)
        assert_memory_equal(plain->tokens.ids, drafted->tokens.ids,
                            plain->tokens.count * sizeof(int32_t));
    assert_int_equal(plain->text.length, drafted->text.length);
    if (plain->text.length > 0)
        assert_memory_equal(plain->text.data, drafted->text.data, plain->text.length);
    assert_int_equal(plain->usage.reply, drafted->usage.reply);
    assert_int_equal(plain->usage.reserve, drafted->usage.reserve);
    assert_int_equal(plain->usage.kv_used_bytes, drafted->usage.kv_used_bytes);
}

struct sums {
    uint64_t drafted, accepted, steps, plain_steps;
};

static void add_to(struct sums *sums, const struct result *plain, const struct result *drafted)
{
    assert_int_equal(plain->usage.drafted, 0);
    assert_true(drafted->usage.accepted <= drafted->usage.drafted);
    sums->drafted += drafted->usage.drafted;
    sums->accepted += drafted->usage.accepted;
    sums->steps += drafted->usage.steps;
    sums->plain_steps += plain->usage.steps;
}

/* `rounds` times a few requests: each alone and plainly, then together, drafted. */
static void check_sessions(struct toy_options options, uint32_t rounds, uint32_t together,
                           struct sums *sums)
{
    uint32_t few = options.logit_few;
    struct session plain = toy_session(options), drafted = toy_session(options);
    for (uint32_t round = 0; round < rounds; round++) {
        int mode = round % 4 == 0 ? DRAFT_AUTO : (int)(1 + round % DRAFT_MAX);
        for (uint32_t i = 0; i < together; i++) {
            struct generation_request request = request_of(round * together + i, few, DRAFT_OFF);
            finish(&plain, start(&plain, &request));
            request = request_of(round * together + i, few, mode);
            start(&drafted, &request);
        }
        finish_all(&drafted);
        for (uint32_t i = 0; i < together; i++) {
            assert_same(&plain.results[i], &drafted.results[i]);
            add_to(sums, &plain.results[i], &drafted.results[i]);
        }
        forget_results(&plain);
        forget_results(&drafted);
    }
    session_close(&plain);
    session_close(&drafted);
}

/* Some two thousand replies, greedy and sampled, over page borders, to stops, limits and the end of
 * the context, alone and with others, with few and with many rows. */
static void drafted_replies_are_the_same(void **state)
{
    (void)state;
    struct sums sums = {0};
    for (uint32_t i = 0; i < 24; i++) {
        struct toy_options options = {.context = i % 3 == 0 ? 96 : 200,
                                      .chunk = i % 4 == 0 ? 5 : 32,
                                      .logit_few = 2 + i % 3,
                                      .max_head_rows = i % 5 == 0 ? 3 : 32,
                                      .head_best = i % 2 == 0,
                                      .layers = 1};
        check_sessions(options, i % 6 == 5 ? 20 : 40, 1 + i % 4, &sums);
    }
    assert_true(sums.accepted > 10000);
    assert_true(sums.drafted > sums.accepted + 10000);
    assert_true(sums.steps * 10 < sums.plain_steps * 9);
}

/* With a backend that offers the best candidates they are used where they are enough, and only
 * there. */
static void candidates_are_used_where_they_are_enough(void **state)
{
    (void)state;
    for (int whole = 0; whole < 2; whole++) {
        struct session session =
            toy_session((struct toy_options){.logit_few = 3, .head_best = true, .layers = 1});
        struct generation_request request = greedy(50);
        uint32_t random = 5;
        request.draft = 5;
        request.sampling.temperature = 2;
        request.sampling.seed = 7;
        request.sampling.top_k = whole ? 0 : 40;
        add_words(&request, 40, 3, &random);
        finish(&session, start(&session, &request));
        assert_int_equal(atomic_load(&toy_control(session.model)->heads) > 0, whole);
        assert_int_equal(atomic_load(&toy_control(session.model)->bests) > 0, !whole);
        session_close(&session);
    }
}

/* --- what is left behind ---------------------------------------------------------------------- */

/* Every later turn finds what was accepted of the turn before, and nothing else. */
static void later_turns_find_what_was_kept(void **state)
{
    (void)state;
    struct session session =
        toy_session((struct toy_options){.context = 2048, .logit_few = 2, .layers = 1});
    struct token_list history = {0};
    uint32_t random = 3;
    for (int turn = 0; turn < 30; turn++) {
        struct generation_request request = greedy(20 + next_random(&random) % 40);
        request.draft = 1 + turn % DRAFT_MAX;
        segment_add_tokens(&request.segments, PART_HISTORY, -1, history.ids, history.count);
        size_t known = history.count;
        add_words(&request, 3, 2, &random);
        history.count = 0;
        segment_tokenize(&request.segments, session.model->tokenizer, &history, NULL);
        struct result *result = start(&session, &request);
        finish(&session, result);
        assert_int_equal(result->usage.prompt_reused, known > 0 ? known - 1 : 0);
        assert_toy_reply(&session, history.ids, history.count, &result->tokens);
        token_list_append(&history, result->tokens.ids, result->tokens.count);
        forget_results(&session);
    }
    token_list_free(&history);
    session_close(&session);
}

/* The same through files: what a drafted reply left on disk is what plain decoding would have. */
static void what_is_kept_on_disk_is_right(void **state)
{
    (void)state;
    char directory[] = "/tmp/airo-draft-XXXXXX";
    assert_non_null(mkdtemp(directory));
    struct kv_disk_options disk = {
        .directory = directory, .cap_bytes = 1 << 24, .read_bytes_s = 1e12};
    struct token_list history = {0};
    uint32_t random = 9;
    for (int turn = 0; turn < 3; turn++) {
        struct toy_options options = {.context = 2048,
                                      .logit_few = 2,
                                      .layers = 1,
                                      .tokenizer = VAQUITA,
                                      .logit_first = FIRST};
        struct model *model = toy_model(&options);
        free(model->directory);
        model->directory = xstrdup(VAQUITA); /* a weight file to tell the model by */
        struct session session = session_of_disk(model, &disk);
        struct generation_request request = greedy(300);
        request.draft = DRAFT_MAX;
        segment_add_tokens(&request.segments, PART_HISTORY, -1, history.ids, history.count);
        add_words(&request, 120, 2, &random);
        history.count = 0;
        segment_tokenize(&request.segments, session.model->tokenizer, &history, NULL);
        struct result *result = start(&session, &request);
        finish(&session, result);
        assert_int_equal(result->usage.prompt_restored > 0, turn > 0);
        assert_toy_reply(&session, history.ids, history.count, &result->tokens);
        token_list_append(&history, result->tokens.ids, result->tokens.count);
        while (session.generator->ops->unsaved_bytes(session.generator) > 0)
            usleep(1000);
        session_close(&session);
    }
    token_list_free(&history);
    char *command = xasprintf("rm -rf '%s'", directory);
    assert_int_equal(system(command), 0);
    free(command);
}

/* Cancels at random moments: what came is the beginning of the plain reply, and the next reply is
 * right. */
static void cancels_leave_nothing_wrong(void **state)
{
    (void)state;
    struct toy_options options = {.context = 400, .logit_few = 2, .layers = 3};
    struct session plain = toy_session(options), drafted = toy_session(options);
    uint32_t random = 77;
    for (uint32_t round = 0; round < 60; round++) {
        for (uint32_t i = 0; i < 3; i++) {
            struct generation_request request = request_of(7000 + round * 3 + i, 2, DRAFT_OFF);
            request.stop_count = 0;
            finish(&plain, start(&plain, &request));
            request = request_of(7000 + round * 3 + i, 2, DRAFT_MAX);
            request.stop_count = 0;
            start(&drafted, &request);
        }
        for (uint32_t i = 0; i < next_random(&random) % 4; i++)
            pump(&drafted, (int)(next_random(&random) % 2));
        uint32_t one = next_random(&random) % 3;
        drafted.generator->ops->cancel(drafted.generator, drafted.results[one].id);
        finish_all(&drafted);
        for (uint32_t i = 0; i < 3; i++) {
            const struct result *result = &drafted.results[i];
            if (result->reason != STOP_CANCELLED) {
                assert_same(&plain.results[i], result);
                continue;
            }
            assert_true(result->tokens.count <= plain.results[i].tokens.count);
            if (result->tokens.count > 0)
                assert_memory_equal(result->tokens.ids, plain.results[i].tokens.ids,
                                    result->tokens.count * sizeof(int32_t));
        }
        forget_results(&plain);
        forget_results(&drafted);
    }
    session_close(&plain);
    session_close(&drafted);
}

/* The pool holds little more than one context: drafts take no page that another reply needs. */
static void a_full_pool_is_no_trouble(void **state)
{
    (void)state;
    struct toy_options options = {
        .context = 1024, .page_bytes = 64 << 20, .logit_few = 2, .layers = 1};
    struct session session = toy_session(options);
    uint32_t random = 4;
    for (int i = 0; i < 4; i++) {
        struct generation_request request = greedy(60);
        request.draft = DRAFT_MAX;
        add_words(&request, 190, 2, &random);
        start(&session, &request);
    }
    finish_all(&session);
    for (int i = 0; i < 4; i++) {
        assert_false(session.results[i].failed);
        assert_int_equal(session.results[i].tokens.count, 60);
    }
    session_close(&session);
}

/* --- the distribution ------------------------------------------------------------------------- */

#define LAST_TOKENS 3
#define OUTCOMES    27
#define DRAWS       6000

/* The chance of each way that three tokens of three words can go on. */
static void exact_chances(const struct model *model, const struct token_list *prompt, double heat,
                          double *chances)
{
    float *logits = xcalloc(model->shape.vocab, sizeof *logits);
    struct token_list tokens = {0};
    token_list_append(&tokens, prompt->ids, prompt->count);
    for (int outcome = 0; outcome < OUTCOMES; outcome++) {
        int rest = outcome;
        chances[outcome] = 1;
        tokens.count = prompt->count;
        for (int i = 0; i < LAST_TOKENS; i++, rest /= 3) {
            double sum = 0;
            toy_logits(model, tokens.ids, (uint32_t)tokens.count, logits);
            for (int word = 0; word < 3; word++)
                sum += exp(logits[FIRST + word] / heat);
            chances[outcome] *= exp(logits[FIRST + rest % 3] / heat) / sum;
            token_list_add(&tokens, FIRST + rest % 3);
        }
    }
    token_list_free(&tokens);
    free(logits);
}

/* Six thousand replies with a seed each: all of the ways come as often as they should, within five
 * standard deviations, though most tokens come out of drafts. */
static void drafts_do_not_bend_the_distribution(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){.logit_few = 3, .layers = 1});
    struct token_list prompt = {0};
    double chances[OUTCOMES];
    int counts[OUTCOMES] = {0};
    uint64_t accepted = 0, drafted = 0;
    for (int draw = 0; draw < DRAWS; draw++) {
        struct generation_request request = greedy(LAST_TOKENS);
        uint32_t random = 21;
        request.sampling = (struct sampling){.temperature = 6,
                                             .top_k = 3,
                                             .top_p = 1,
                                             .typical_p = 1,
                                             .repeat_penalty = 1,
                                             .seed = (uint64_t)draw + 1};
        request.draft = 2;
        add_words(&request, 30, 3, &random);
        prompt.count = 0;
        segment_tokenize(&request.segments, session.model->tokenizer, &prompt, NULL);
        struct result *result = start(&session, &request);
        finish(&session, result);
        int outcome = 0;
        for (int i = LAST_TOKENS - 1; i >= 0; i--)
            outcome = outcome * 3 + result->tokens.ids[i] - FIRST;
        counts[outcome]++;
        accepted += result->usage.accepted;
        drafted += result->usage.drafted;
        forget_results(&session);
    }
    exact_chances(session.model, &prompt, 6, chances);
    for (int i = 0; i < OUTCOMES; i++) {
        double expected = DRAWS * chances[i], deviation = sqrt(expected * (1 - chances[i]));
        if (fabs(counts[i] - expected) > 5 * deviation + 1e-6)
            fail_msg("outcome %d: %d times, expected %.1f", i, counts[i], expected);
    }
    assert_true(accepted > DRAWS / 8 && drafted > 2 * accepted);
    assert_true(drafted <= DRAWS); /* of three tokens one is drafted at most */
    token_list_free(&prompt);
    session_close(&session);
}

/* --- when it pays ----------------------------------------------------------------------------- */

/* The engine without its thread, and with invented times. */
struct engine {
    struct model *model;
    struct kv_cache *cache;
    struct forward *forward;
    struct scheduler *scheduler;
    struct generation *generation;
};

static struct engine engine_open(uint32_t few, uint64_t seed)
{
    struct toy_options options = {.context = 2048,
                                  .logit_few = few,
                                  .logit_first = FIRST,
                                  .layers = 1,
                                  .max_head_rows = 32,
                                  .tokenizer = VAQUITA};
    struct engine engine = {.model = toy_model(&options)};
    struct generation_request request = greedy(600);
    struct error error = {0};
    uint32_t random = 8;
    request.sampling.temperature = 1;
    request.sampling.seed = seed;
    add_words(&request, 200, few, &random);
    assert_int_equal(kv_cache_open(&engine.cache, engine.model, 100, &error), 0);
    assert_int_equal(forward_open(&engine.forward, engine.model, &error), 0);
    assert_int_equal(generation_create(&engine.generation, engine.model, &request, &error), 0);
    assert_int_equal(generation_begin(engine.generation, engine.cache, 0, &error), 0);
    engine.scheduler = scheduler_create(engine.model);
    segment_list_free(&request.segments);
    return engine;
}

static void engine_close(struct engine *engine)
{
    generation_free(engine->generation);
    scheduler_free(engine->scheduler);
    forward_close(engine->forward);
    kv_cache_close(engine->cache);
    toy_model_free(engine->model);
}

/* One step that takes 1 s and `slope` more for each row after the first; returns its time. */
static double engine_step(struct engine *engine, double slope)
{
    const struct schedule *schedule = scheduler_next(engine->scheduler, engine->generation);
    const struct schedule_entry *entry = &schedule->entries[0];
    double seconds = 1 + slope * (schedule->batch.n - 1);
    struct step_result step = {.evaluated = entry->count,
                               .rows = entry->heads,
                               .cost = schedule->cost,
                               .plain_cost = schedule->plain_cost};
    assert_int_equal(schedule->entry_count, 1);
    assert_int_equal(forward_layers(engine->forward, &schedule->batch, NULL, NULL), 0);
    if (schedule->row_count > 0)
        assert_int_equal(
            forward_head(engine->forward, schedule->rows, schedule->row_count, &step.logits, NULL),
            0);
    bool decoding = engine->generation->state == GENERATION_DECODE;
    scheduler_measure(engine->scheduler, seconds);
    if (entry->heads > 0)
        generation_sample(engine->generation, &step);
    else
        sequence_advance(engine->generation->sequence, entry->count);
    return decoding ? seconds : 0;
}

/* Rows after drafted tokens may see one more word each that a penalty pushes down. */
static void candidates_allow_for_drafts(void **state)
{
    (void)state;
    struct engine engine = engine_open(2, 5);
    uint32_t one = generation_candidates(engine.generation, 1);
    assert_int_equal(one, 40 + engine.generation->banned.count);
    assert_int_equal(generation_candidates(engine.generation, 8), one + 7);
    engine_close(&engine);
}

/* How many times as fast as plainly the reply is, by the invented clock. */
static double gain_of(uint32_t few, double slope, struct usage *usage)
{
    struct engine engine = engine_open(few, 5);
    double seconds = 0;
    while (engine.generation->state != GENERATION_OVER)
        seconds += engine_step(&engine, slope);
    *usage = engine.generation->usage;
    engine_close(&engine);
    return (double)usage->reply / seconds;
}

/* Where rows are free, drafts are long; where each costs as much as a step, there are none; and in
 * between they never make a reply noticeably slower. */
static void drafts_are_made_where_they_pay(void **state)
{
    (void)state;
    struct usage free_rows, dear_rows, usage;
    double gain = gain_of(2, 0.001, &free_rows);
    assert_true(gain > 1.5);
    assert_float_equal(free_rows.draft_gain, gain, 0.15 * gain);
    assert_true(free_rows.drafted > 5 * free_rows.steps);
    assert_true(gain_of(2, 1.0, &dear_rows) > 0.98);
    assert_true(dear_rows.drafted < dear_rows.steps / 20);
    for (int i = 0; i <= 20; i++)
        assert_true(gain_of(2 + (uint32_t)i % 4 * 3, 0.06 * i, &usage) > 0.97);
}

/* --- on Vaquita ------------------------------------------------------------------------------- */

#define DOCUMENT                                                                                   \
    "BEGININPUT\nBEGINCONTEXT\ndate: 2024-05-18\nurl: https://example.org/harbour\nENDCONTEXT\n"   \
    "The harbour was built in 1738 by Irene Gifli. The lighthouse has 12 windows and a green "     \
    "door.\nENDINPUT\nBEGININSTRUCTION\nWhen was the harbour built? Source?\nENDINSTRUCTION\n"
#define SYSTEM "A chat between a curious user and an assistant. USER: "

static void vaquita_quotes_in_fewer_steps(void **state)
{
    (void)state;
    static const int modes[] = {DRAFT_OFF, DRAFT_MAX, 3, DRAFT_AUTO};
    struct model_options options = {.context = 2048, .kv_type = KV_F16, .threads = 2};
    struct model *model;
    struct error error = {0};
    if (model_open(&model, VAQUITA, &options, &error) != 0)
        fail_msg("%s", error.message);
    struct session session = session_of(model);
    for (int i = 0; i < 4; i++) {
        struct generation_request request = greedy(60);
        request.draft = modes[i];
        segment_add_special(&request.segments, PART_SYSTEM, "<s>", 1);
        segment_add_text(&request.segments, SEGMENT_TEMPLATE, PART_SYSTEM, -1, false, SYSTEM,
                         strlen(SYSTEM));
        segment_add_text(&request.segments, SEGMENT_CONTENT, PART_DOCUMENT, -1, false, DOCUMENT,
                         strlen(DOCUMENT));
        segment_add_text(&request.segments, SEGMENT_TEMPLATE, PART_DRAFT, -1, false,
                         " ASSISTANT: ", 12);
        finish(&session, start(&session, &request));
    }
    const struct result *plain = &session.results[0];
    assert_non_null(strstr(strbuf_text(&plain->text), "1738"));
    assert_int_equal(plain->usage.steps + 1, plain->usage.reply);
    for (int i = 1; i < 4; i++)
        assert_same(plain, &session.results[i]);
    assert_true(session.results[1].usage.steps * 2 < plain->usage.steps);
    assert_true(session.results[2].usage.steps * 3 < plain->usage.steps * 2);
    session_close(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drafted_replies_are_the_same),
        cmocka_unit_test(candidates_are_used_where_they_are_enough),
        cmocka_unit_test(later_turns_find_what_was_kept),
        cmocka_unit_test(what_is_kept_on_disk_is_right),
        cmocka_unit_test(cancels_leave_nothing_wrong),
        cmocka_unit_test(a_full_pool_is_no_trouble),
        cmocka_unit_test(drafts_do_not_bend_the_distribution),
        cmocka_unit_test(candidates_allow_for_drafts),
        cmocka_unit_test(drafts_are_made_where_they_pay),
        cmocka_unit_test(vaquita_quotes_in_fewer_steps),
    };
    return cmocka_run_group_tests_name("draft_reply", tests, NULL, NULL);
}
