/*
 * Tests of what a request may ask for besides a reply: probes, forced beginnings, counts that
 * nobody waits for; and of many replies on the same documents.
 */
#include <math.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/infer/score.h"
#include "tests/unit/worker_harness.h"

/* --- probes ----------------------------------------------------------------------------------- */

/* Every choice against the whole vocabulary. */
static void assert_choices(const struct session *session, const struct token_list *prompt,
                           const struct result *result, size_t count)
{
    uint32_t vocab = session->model->shape.vocab;
    float *logits = xcalloc(vocab, sizeof *logits);
    toy_logits(session->model, prompt->ids, (uint32_t)prompt->count, logits);
    assert_int_equal(result->choice_count, count);
    for (size_t i = 0; i < count; i++) {
        const struct token_choice *choice = &result->choices[i];
        size_t likelier = 0;
        for (uint32_t id = 0; id < vocab; id++)
            likelier += logits[id] > logits[choice->id] ||
                        (logits[id] == logits[choice->id] && (int32_t)id < choice->id);
        assert_int_equal(likelier, i);
        double expected = log_softmax_at(logits, vocab, choice->id);
        assert_true(fabs((double)choice->log_probability - expected) < 1e-4);
    }
    free(logits);
}

static void probe_gives_the_likeliest_and_costs_one_token(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){0});
    struct token_list prompt = {0};
    uint64_t evaluated = 0;
    static const uint32_t counts[] = {1, 5, 64, 1000};
    for (size_t i = 0; i < 4; i++) {
        struct generation_request request = greedy(7);
        request.probe = counts[i];
        add_ids(&request, 100, 3);
        prompt.count = 0;
        segment_tokenize(&request.segments, session.model->tokenizer, &prompt, NULL);
        struct result *result = start(&session, &request);
        finish(&session, result);
        assert_false(result->failed);
        assert_int_equal(result->reason, STOP_LENGTH);
        assert_int_equal(result->texts, 0);
        assert_int_equal(result->usage.reply, 0);
        assert_int_equal(result->usage.reserve, 0);
        assert_choices(&session, &prompt, result, counts[i] < PROBE_MAX ? counts[i] : PROBE_MAX);
        if (i > 0)
            assert_int_equal(result->usage.evaluated - evaluated, 1);
        evaluated = result->usage.evaluated;
        forget_results(&session);
    }
    token_list_free(&prompt);
    session_close(&session);
}

/* What a choice says it adds is what the reply has after it is forced. */
static void choices_text_fits_its_place(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){0});
    for (int afresh = 0; afresh < 2; afresh++) {
        struct generation_request request = greedy(1);
        request.probe = 20;
        segment_add_text(&request.segments, afresh ? SEGMENT_TEMPLATE : SEGMENT_CONTENT, PART_DRAFT,
                         -1, false, "USER: well? ASSISTANT:", 22);
        struct result *probe = start(&session, &request);
        finish(&session, probe);
        assert_int_equal(probe->choice_count, 20);
        for (size_t i = 0; i < 20; i++) {
            const struct token_choice *choice = &probe->choices[i];
            if (choice->special)
                continue;
            request = greedy(1);
            request.begin_tokens = &choice->id;
            request.begin_count = 1;
            segment_add_text(&request.segments, afresh ? SEGMENT_TEMPLATE : SEGMENT_CONTENT,
                             PART_DRAFT, -1, false, "USER: well? ASSISTANT:", 22);
            session.count = 1;
            struct result *result = start(&session, &request);
            finish(&session, result);
            assert_int_equal(result->tokens.count, 1);
            assert_int_equal(result->tokens.ids[0], choice->id);
            assert_string_equal(strbuf_text(&result->text), choice->text);
            strbuf_free(&result->text);
            token_list_free(&result->tokens);
            memset(result, 0, sizeof *result);
        }
        session.count = 1;
        forget_results(&session);
    }
    session_close(&session);
}

/* --- forced beginnings ------------------------------------------------------------------------ */

static void reply_begins_as_told(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){0});
    static const char *const stops[] = {"Anna:"};
    struct generation_request request = greedy(20);
    struct token_list ids = {0};
    add_ids(&request, 70, 1);
    segment_add_text(&request.segments, SEGMENT_TEMPLATE, PART_DRAFT, -1, true, "and so", 6);
    segment_tokenize(&request.segments, session.model->tokenizer, &ids, NULL);
    size_t prompt = ids.count;
    tokenizer_encode(session.model->tokenizer, "Anna:", 5, true, &ids);
    size_t begin = ids.count - prompt;
    request.begin = "Anna:";
    request.stops = stops;
    request.stop_count = 1;
    struct result *result = start(&session, &request);
    while (result->texts == 0)
        assert_true(pump(&session, WAIT_MS));
    assert_memory_equal(strbuf_text(&result->text), "Anna:", 5);
    finish(&session, result);
    assert_int_equal(result->reason, STOP_LENGTH);
    assert_int_equal(result->tokens.count, 20);
    assert_memory_equal(result->tokens.ids, ids.ids + prompt, begin * sizeof(int32_t));
    /* All of it is what greedy choice gives after prompt and beginning. */
    struct token_list rest = {0};
    token_list_append(&rest, result->tokens.ids + begin, 20 - begin);
    assert_toy_reply(&session, ids.ids, ids.count, &rest);
    assert_int_equal(result->usage.prompt, prompt);
    assert_int_equal(result->usage.prompt_done, prompt);
    assert_int_equal(result->usage.reply, 20);
    assert_int_equal(result->usage.reserve, 0);
    token_list_free(&rest);
    token_list_free(&ids);
    session_close(&session);
}

static void bad_beginnings_are_refused(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){.context = 64});
    const int32_t wrong[] = {1, -1, 1 << 30};
    struct generator *generator = session.generator;
    for (size_t i = 0; i < 4; i++) {
        struct generation_request request = greedy(20);
        struct error error = {0};
        uint64_t id;
        add_ids(&request, 60, 1);
        request.begin_tokens = i < 3 ? &wrong[i] : NULL;
        request.begin_count = i < 3;
        request.begin = "one two three four five six seven";
        request.max_tokens = i < 3 ? 20 : 0;
        assert_int_equal(generator->ops->start(generator, &request, &id, &error), -1);
        assert_int_equal(error.code, ERROR_INPUT);
        assert_non_null(strstr(error.message, "beginning"));
        segment_list_free(&request.segments);
    }
    session_close(&session);
}

static void a_beginning_may_be_all(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){0});
    struct generation_request request = greedy(1);
    add_ids(&request, 40, 1);
    request.begin = "one two three";
    struct result *result = start(&session, &request);
    finish(&session, result);
    assert_int_equal(result->reason, STOP_LENGTH);
    assert_string_equal(strbuf_text(&result->text), "one two three");
    assert_int_equal(result->usage.reply, result->tokens.count);
    assert_int_equal(result->usage.reserve, 0);
    assert_int_equal(result->usage.evaluated, 0);
    session_close(&session);
}

/* --- counting --------------------------------------------------------------------------------- */

static uint64_t count_later(struct session *session, size_t tokens, uint32_t slot)
{
    struct generation_request request = {0};
    uint64_t ticket = 0;
    add_ids(&request, tokens, 1);
    add_text(&request, " and a few words");
    session->generator->ops->count_later(session->generator, &request.segments, slot, &ticket);
    assert_int_equal(request.segments.count, 0);
    return ticket;
}

static void counts_come_later_and_are_the_same(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){0});
    struct generation_request request = {0};
    size_t parts[PARTS], total;
    add_ids(&request, 77, 1);
    add_text(&request, " and a few words");
    session.generator->ops->count(session.generator, &request.segments, parts, &total, NULL);
    segment_list_free(&request.segments);
    uint64_t ticket = count_later(&session, 77, 5);
    while (session.counted_count == 0)
        assert_true(pump(&session, WAIT_MS));
    assert_int_equal(session.counted[0].ticket, ticket);
    assert_int_equal(session.counted[0].slot, 5);
    assert_int_equal(session.counted[0].usage.prompt, total);
    assert_memory_equal(session.counted[0].usage.parts, parts, sizeof parts);
    session_close(&session);
}

/* Of many requests of a slot the last one always comes; beside running replies. */
static void newest_count_of_a_slot_wins(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){0});
    struct generation_request request = greedy(100);
    add_ids(&request, 100, 1);
    struct result *result = start(&session, &request);
    uint64_t last[3] = {0};
    size_t fewest = 0;
    for (size_t round = 0; round < 200; round++)
        for (uint32_t slot = 0; slot < 3; slot++)
            last[slot] = count_later(&session, 10 + round, slot);
    finish(&session, result);
    bool found[3] = {false};
    while (!found[0] || !found[1] || !found[2]) {
        for (size_t i = 0; i < session.counted_count; i++) {
            assert_int_not_equal(session.counted[i].ticket, result->id);
            found[session.counted[i].slot] |=
                session.counted[i].ticket == last[session.counted[i].slot];
        }
        if (!found[0] || !found[1] || !found[2])
            assert_true(pump(&session, WAIT_MS));
    }
    fewest = session.counted_count;
    assert_in_range(fewest, 3, 63);
    assert_false(pump(&session, 20)); /* none comes after the last ones */
    for (int i = 0; i < 10; i++)      /* and free drops what waits */
        count_later(&session, 5000, (uint32_t)i);
    session_close(&session);
}

static uint64_t count_text(struct session *session, size_t repeat, uint32_t slot)
{
    struct generation_request request = {0};
    struct strbuf text = {0};
    uint64_t ticket = 0;
    for (size_t i = 0; i < repeat; i++)
        strbuf_puts(&text, "many words to count, one after another; ");
    add_text(&request, strbuf_text(&text));
    strbuf_free(&text);
    session->generator->ops->count_later(session->generator, &request.segments, slot, &ticket);
    return ticket;
}

/* While a long text is counted, a request that waits is replaced and never counted. One try in five
 * must find the counter busy. */
static void a_replaced_count_does_not_come(void **state)
{
    (void)state;
    bool replaced = false;
    for (int try = 0; try < 5 && !replaced; try++) {
        struct session session = toy_session((struct toy_options){0});
        count_text(&session, 20000, 0);
        uint64_t first = count_text(&session, 1, 1), last = count_text(&session, 3000, 1);
        bool first_came = false, last_came = false;
        while (!last_came) {
            assert_true(pump(&session, WAIT_MS));
            for (size_t i = 0; i < session.counted_count; i++) {
                first_came |= session.counted[i].ticket == first;
                last_came |= session.counted[i].ticket == last;
            }
        }
        replaced = !first_came;
        session_close(&session);
    }
    assert_true(replaced);
}

/* --- many replies on the same documents ------------------------------------------------------- */

#define DOCUMENT_TOKENS 320
#define DOCUMENT_PAGES  (DOCUMENT_TOKENS / KV_PAGE_TOKENS)

static void begin_many(struct session *session, size_t many, uint32_t tokens)
{
    for (size_t i = 0; i < many; i++) {
        struct generation_request request = greedy(tokens);
        char question[64];
        snprintf(question, sizeof question, " question %zu of this chat", i);
        add_ids(&request, DOCUMENT_TOKENS, 1);
        add_text(&request, question);
        start(session, &request);
    }
}

/* Pumps until each has text and none is over; false when one was over before. */
static bool all_stream(struct session *session)
{
    for (;;) {
        size_t streaming = 0;
        for (size_t i = 0; i < session->count; i++) {
            if (session->results[i].over)
                return false;
            streaming += session->results[i].usages > 1;
        }
        if (streaming == session->count)
            return true;
        assert_true(pump(session, WAIT_MS));
    }
}

/* The documents' pages exist once: what the pool holds is them and each one's own. */
static void check_shared(size_t many)
{
    struct session session = toy_session((struct toy_options){.layers = 1, .max_head_rows = 8});
    atomic_store(&toy_control(session.model)->step_ms, 1);
    begin_many(&session, many, 70);
    assert_true(all_stream(&session));
    uint64_t shared = UINT64_MAX, free_least = UINT64_MAX, own = 0;
    for (size_t i = 0; i < many; i++) {
        const struct usage *usage = &session.results[i].usage;
        shared = usage->kv_shared_bytes < shared ? usage->kv_shared_bytes : shared;
        own += usage->kv_used_bytes - usage->kv_shared_bytes;
        free_least = usage->kv_free_bytes < free_least ? usage->kv_free_bytes : free_least;
    }
    assert_int_equal(shared, DOCUMENT_PAGES * 1024);
    uint32_t pool = model_pool_pages(session.model->ops, &session.model->shape, KV_F16);
    /* Each may have begun another page since its counters were sent. */
    uint64_t held = pool * 1024 - free_least;
    assert_in_range(held, DOCUMENT_PAGES * 1024, DOCUMENT_PAGES * 1024 + own + many * 1024);
    finish_all(&session);
    size_t prompts = 0;
    uint64_t evaluated = 0;
    for (size_t i = 0; i < many; i++) {
        const struct usage *usage = &session.results[i].usage;
        assert_int_equal(usage->reply, 70);
        assert_int_equal(usage->reserve, 0);
        assert_in_range(usage->prompt_reused, i == 0 ? 0 : DOCUMENT_TOKENS, usage->prompt);
        prompts += usage->prompt - usage->prompt_reused;
        evaluated = usage->evaluated > evaluated ? usage->evaluated : evaluated;
    }
    assert_int_equal(evaluated, prompts + many * 69);
    assert_true(atomic_load(&toy_control(session.model)->widest) >= many);
    session_close(&session);
}

static void documents_exist_once_for_two_and_for_eight(void **state)
{
    (void)state;
    check_shared(2);
    check_shared(8);
}

/* More replies than a batch has rows for take turns: none gets more than its share. */
static void replies_take_fair_turns(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){.layers = 1, .max_head_rows = 3});
    atomic_store(&toy_control(session.model)->step_ms, 1);
    begin_many(&session, 8, 100);
    assert_true(all_stream(&session));
    size_t before[8], least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < 8; i++)
        before[i] = session.results[i].usage.reply;
    bool over = false;
    while (!over) {
        assert_true(pump(&session, WAIT_MS));
        for (size_t i = 0; i < 8; i++)
            over |= session.results[i].over;
    }
    for (size_t i = 0; i < 8; i++) {
        size_t grown = session.results[i].usage.reply - before[i];
        least = grown < least ? grown : least;
        most = grown > most ? grown : most;
    }
    assert_true(most >= 20); /* enough to tell */
    assert_true(least * 2 >= most);
    session_close(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(probe_gives_the_likeliest_and_costs_one_token),
        cmocka_unit_test(choices_text_fits_its_place),
        cmocka_unit_test(reply_begins_as_told),
        cmocka_unit_test(bad_beginnings_are_refused),
        cmocka_unit_test(a_beginning_may_be_all),
        cmocka_unit_test(counts_come_later_and_are_the_same),
        cmocka_unit_test(newest_count_of_a_slot_wins),
        cmocka_unit_test(a_replaced_count_does_not_come),
        cmocka_unit_test(documents_exist_once_for_two_and_for_eight),
        cmocka_unit_test(replies_take_fair_turns),
    };
    return cmocka_run_group_tests_name("requests", tests, NULL, NULL);
}
