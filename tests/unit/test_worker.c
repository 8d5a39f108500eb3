/*
 * Tests of the local generator: engine thread, scheduler, cache and sampling together.
 *
 * Most run on the toy backend with Vaquita's tokenizer, where the right greedy reply is computed
 * from the ids alone; the last ones on Vaquita itself.
 */
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tests/unit/worker_harness.h"

#define MANY 4

/* --- on the toy ------------------------------------------------------------------------------- */

static void reply_is_exact_and_counted(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){.chunk = 32});
    struct generation_request request = greedy(20);
    add_ids(&request, 100, 1);
    struct segment prompt = request.segments.items[0];
    struct token_list ids = {0};
    token_list_append(&ids, prompt.tokens.ids, prompt.tokens.count);
    struct result *result = start(&session, &request);
    finish(&session, result);
    assert_int_equal(result->reason, STOP_LENGTH);
    assert_int_equal(result->tokens.count, 20);
    assert_toy_reply(&session, ids.ids, ids.count, &result->tokens);
    const struct usage *usage = &result->usage;
    assert_int_equal(usage->prompt, 100);
    assert_int_equal(usage->parts[PART_DOCUMENT], 100);
    assert_int_equal(usage->prompt_done, 100);
    assert_int_equal(usage->prompt_reused, 0);
    assert_int_equal(usage->reply, 20);
    assert_int_equal(usage->reserve, 0);
    assert_int_equal(usage->context, 512);
    assert_int_equal(usage->evaluated, 119); /* the last one sampled is not run */
    assert_int_equal(usage->kv_used_bytes, 4 * 1024);
    assert_true(result->progress > 0);
    token_list_free(&ids);
    session_close(&session);
}

static void later_turns_evaluate_only_what_is_new(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){0});
    struct token_list history = {0};
    uint64_t evaluated = 0;
    for (int turn = 0; turn < 4; turn++) {
        struct generation_request request = greedy(15);
        segment_add_tokens(&request.segments, PART_HISTORY, -1, history.ids, history.count);
        size_t known = history.count;
        if (turn > 0)
            segment_add_special(&request.segments, PART_HISTORY, "</s>",
                                tokenizer_eos(session.model->tokenizer));
        add_text(&request, "USER: and then, what came of it? ASSISTANT: ");
        token_list_free(&history);
        segment_tokenize(&request.segments, session.model->tokenizer, &history, NULL);
        struct result *result = start(&session, &request);
        finish(&session, result);
        /* All of the last turn but the last token of its reply, which was never run. */
        assert_int_equal(result->usage.prompt_reused, known > 0 ? known - 1 : 0);
        assert_int_equal(result->usage.evaluated - evaluated,
                         history.count - result->usage.prompt_reused + 14);
        assert_toy_reply(&session, history.ids, history.count, &result->tokens);
        evaluated = result->usage.evaluated;
        token_list_append(&history, result->tokens.ids, result->tokens.count);
        forget_results(&session);
    }
    token_list_free(&history);
    session_close(&session);
}

static void check_replies_at_once(uint32_t head_rows)
{
    struct session session =
        toy_session((struct toy_options){.chunk = 32, .max_head_rows = head_rows});
    struct token_list prompts[MANY] = {{0}};
    for (int i = 0; i < MANY; i++) {
        struct generation_request request = greedy(30);
        add_ids(&request, 60 + (size_t)i * 25, i + 1);
        segment_tokenize(&request.segments, session.model->tokenizer, &prompts[i], NULL);
        start(&session, &request);
    }
    finish_all(&session);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(session.results[i].tokens.count, 30);
        assert_toy_reply(&session, prompts[i].ids, prompts[i].count, &session.results[i].tokens);
        token_list_free(&prompts[i]);
    }
    assert_true(atomic_load(&toy_control(session.model)->widest) <= 32);
    session_close(&session);
}

static void replies_at_once_are_as_alone(void **state)
{
    (void)state;
    for (uint32_t head_rows = 1; head_rows <= 5; head_rows++)
        check_replies_at_once(head_rows);
}

static void same_documents_are_read_once_and_shared(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){0});
    struct generation_request first = greedy(40), second = greedy(40);
    add_ids(&first, 320, 1);
    add_ids(&second, 320, 1);
    add_text(&second, " and a question of its own");
    struct result *a = start(&session, &first), *b = start(&session, &second);
    finish_all(&session);
    assert_int_equal(a->usage.prompt_reused, 0);
    assert_int_equal(b->usage.prompt_reused, 320);
    assert_true(b->usage.kv_used_bytes >= 11 * 1024);
    uint64_t total =
        a->usage.evaluated > b->usage.evaluated ? a->usage.evaluated : b->usage.evaluated;
    assert_int_equal(total, a->usage.prompt + 39 + (b->usage.prompt - 320) + 39);
    session_close(&session);
}

/* The shared pages are seen while both replies run; the last one, read again for its logits, turns
 * out to be the same and is shared too. */
static void sharing_is_reported(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){0});
    struct generation_request first = greedy(100), second = greedy(1);
    add_ids(&first, 320, 1);
    add_ids(&second, 320, 1);
    atomic_store(&toy_control(session.model)->step_ms, 1);
    struct result *a = start(&session, &first);
    while (a->texts == 0)
        assert_true(pump(&session, WAIT_MS));
    struct result *b = start(&session, &second);
    finish(&session, b);
    assert_int_equal(b->usage.prompt_reused, 319);
    assert_int_equal(b->usage.kv_shared_bytes, 10 * 1024);
    assert_int_equal(b->usage.kv_used_bytes, 10 * 1024);
    session.generator->ops->cancel(session.generator, a->id);
    finish(&session, a);
    session_close(&session);
}

static void output_does_not_depend_on_the_chunk(void **state)
{
    (void)state;
    struct token_list prompt = {0};
    for (uint32_t chunk = 1; chunk <= 128; chunk = chunk * 3 + 1) {
        struct session session = toy_session((struct toy_options){.chunk = chunk});
        struct generation_request request = greedy(10);
        add_ids(&request, 150, 3);
        prompt.count = 0;
        segment_tokenize(&request.segments, session.model->tokenizer, &prompt, NULL);
        struct result *result = start(&session, &request);
        finish(&session, result);
        assert_int_equal(result->tokens.count, 10);
        assert_toy_reply(&session, prompt.ids, prompt.count, &result->tokens);
        session_close(&session);
    }
    token_list_free(&prompt);
}

static double cancel_ms(struct session *session, struct result *result)
{
    double began = now_ms();
    session->generator->ops->cancel(session->generator, result->id);
    finish(session, result);
    assert_int_equal(result->reason, STOP_CANCELLED);
    return now_ms() - began;
}

/* Twenty layers of six 20 ms steps: a batch takes more than two seconds. */
static double cancel_in_prefill(struct session *session)
{
    struct generation_request request = greedy(12), other = greedy(12);
    struct token_list prompt = {0};
    add_ids(&other, 30, 2);
    segment_tokenize(&other.segments, session->model->tokenizer, &prompt, NULL);
    struct result *b = start(session, &other);
    while (b->texts == 0)
        assert_true(pump(session, WAIT_MS));
    atomic_store(&toy_control(session->model)->step_ms, 20);
    add_ids(&request, 200, 1);
    struct result *a = start(session, &request);
    while (a->progress == 0)
        assert_true(pump(session, WAIT_MS));
    pump(session, 100);
    double took = cancel_ms(session, a);
    assert_int_equal(a->tokens.count, 0);
    atomic_store(&toy_control(session->model)->step_ms, 0);
    finish(session, b);
    assert_int_equal(b->tokens.count, 12);
    assert_toy_reply(session, prompt.ids, prompt.count, &b->tokens);
    token_list_free(&prompt);
    return took;
}

static double cancel_in_decode(struct session *session)
{
    struct generation_request request = greedy(0);
    struct token_list prompt = {0};
    add_ids(&request, 40, 1);
    segment_tokenize(&request.segments, session->model->tokenizer, &prompt, NULL);
    atomic_store(&toy_control(session->model)->step_ms, 1);
    struct result *result = start(session, &request);
    while (result->texts < 3)
        assert_true(pump(session, WAIT_MS));
    atomic_store(&toy_control(session->model)->step_ms, 20);
    double took = cancel_ms(session, result);
    assert_int_equal(result->tokens.count, result->usage.reply);
    assert_toy_reply(session, prompt.ids, prompt.count, &result->tokens);
    session->generator->ops->cancel(session->generator, result->id); /* over: nothing happens */
    assert_false(pump(session, 20));
    token_list_free(&prompt);
    return took;
}

/* The promise is 200 ms; on a machine that is busy otherwise, one try out of five must keep it. */
static void assert_prompt(double (*cancel)(struct session *session))
{
    double took = 1e9;
    for (int try = 0; try < 5 && took >= 200; try++) {
        struct session session = toy_session((struct toy_options){.layers = 20});
        took = cancel(&session);
        session_close(&session);
    }
    assert_true(took < 200);
}

static void cancel_in_prefill_is_prompt_and_harmless(void **state)
{
    (void)state;
    assert_prompt(cancel_in_prefill);
}

static void cancel_in_decode_keeps_what_came(void **state)
{
    (void)state;
    assert_prompt(cancel_in_decode);
}

/* Nobody reads until the reply is complete: one event of each kind waits, with all of the text. */
static void events_cannot_flood(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){0});
    struct generation_request request = greedy(300);
    add_ids(&request, 100, 1);
    struct result *result = start(&session, &request);
    while (atomic_load(&toy_control(session.model)->rows) < 100 + 299)
        poll(NULL, 0, 5);
    poll(NULL, 0, 50);
    finish(&session, result);
    assert_int_equal(result->tokens.count, 300);
    assert_in_range(result->texts + result->usages + result->progress, 1, 4);
    session_close(&session);
}

static void quit_in_prefill_is_prompt(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){.layers = 20});
    for (int i = 0; i < 3; i++) {
        struct generation_request request = greedy(0);
        add_ids(&request, 200, i);
        start(&session, &request);
    }
    atomic_store(&toy_control(session.model)->step_ms, 20);
    pump(&session, 200);
    double began = now_ms();
    session_close(&session);
    assert_true(now_ms() - began < 1000);
}

static void prompt_that_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){.context = 128});
    struct generation_request request = greedy(0);
    struct error error = {0};
    uint64_t id;
    struct generator *generator = session.generator;
    assert_int_equal(generator->ops->start(generator, &request, &id, &error), -1);
    assert_int_equal(error.code, ERROR_INPUT);
    add_ids(&request, 128, 1);
    assert_int_equal(generator->ops->start(generator, &request, &id, &error), -1);
    assert_int_equal(error.code, ERROR_INPUT);
    assert_non_null(strstr(error.message, "128 tokens"));
    assert_non_null(strstr(error.message, "127"));
    segment_list_free(&request.segments);
    segment_add_special(&request.segments, PART_SYSTEM, "<x>", -1);
    assert_int_equal(generator->ops->start(generator, &request, &id, &error), -1);
    assert_int_equal(error.code, ERROR_INPUT);
    segment_list_free(&request.segments);
    session_close(&session);
}

static void reply_ends_with_the_context(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){.context = 128});
    for (int i = 0; i < 3; i++) {
        struct generation_request request = greedy(i == 0 ? 0 : 500);
        add_ids(&request, i == 2 ? 127 : 120, i);
        struct result *result = start(&session, &request);
        finish(&session, result);
        assert_int_equal(result->reason, STOP_CONTEXT);
        assert_int_equal(result->tokens.count, i == 2 ? 1 : 8);
    }
    session_close(&session);
}

/* Models with added tokens end with one of those, whatever tokenizer.model has. */
static void reply_ends_with_the_configured_end(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){0});
    int32_t third = -1;
    for (int round = 0; round < 3; round++) {
        struct generation_request request = greedy(5);
        request.ignore_eos = round == 2;
        add_ids(&request, 40, 3);
        struct result *result = start(&session, &request);
        finish(&session, result);
        assert_int_equal(result->tokens.count, round == 1 ? 2 : 5);
        assert_int_equal(result->reason, round == 1 ? STOP_EOS : STOP_LENGTH);
        third = round == 0 ? result->tokens.ids[2] : third;
        session.model->config.eos_id = third;
        forget_results(&session);
    }
    session_close(&session);
}

static void stop_string_cuts_text_and_ids(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){0});
    struct generation_request request = greedy(40);
    add_ids(&request, 50, 1);
    struct result *whole = start(&session, &request);
    finish(&session, whole);
    const char *text = strbuf_text(&whole->text);
    assert_true(whole->text.length > 40);
    for (size_t at = 1; at + 5 < whole->text.length && at < 40; at++) {
        if (((unsigned char)text[at] & 0xC0) == 0x80 ||
            ((unsigned char)text[at + 5] & 0xC0) == 0x80)
            continue;
        char stop[6] = {0};
        memcpy(stop, text + at, 5);
        const char *const stops[] = {"never in there", stop};
        request = greedy(40);
        request.stops = stops;
        request.stop_count = 2;
        add_ids(&request, 50, 1);
        session.count = 1;
        memset(&session.results[1], 0, sizeof session.results[1]);
        struct result *result = start(&session, &request);
        finish(&session, result);
        size_t first = (size_t)(strstr(text, stop) - text);
        assert_int_equal(result->reason, STOP_STRING);
        assert_int_equal(result->text.length, first);
        assert_memory_equal(strbuf_text(&result->text), text, first);
        /* The ids decode to the text, blanks before the stop aside. */
        struct strbuf decoded = {0};
        struct token_decoder decoder = {0};
        for (size_t i = 0; i < result->tokens.count; i++)
            token_decoder_push(&decoder, session.model->tokenizer, result->tokens.ids[i], &decoded);
        size_t blank = result->text.length;
        while (blank > decoded.length && strchr(" \n\t", text[blank - 1]) != NULL)
            blank--;
        assert_int_equal(decoded.length, blank);
        assert_memory_equal(strbuf_text(&decoded), text, blank);
        strbuf_free(&decoded);
        strbuf_free(&result->text);
        token_list_free(&result->tokens);
    }
    session.count = 1;
    session_close(&session);
}

static void device_failure_ends_the_reply_not_the_engine(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){0});
    struct generation_request request = greedy(50);
    add_ids(&request, 50, 1);
    atomic_store(&toy_control(session.model)->fail_after, 40);
    struct result *result = start(&session, &request);
    finish(&session, result);
    assert_true(result->failed);
    assert_int_equal(result->error.code, ERROR_DEVICE);
    assert_non_null(strstr(result->error.message, "the toy broke"));
    assert_int_equal(result->tokens.count, result->usage.reply);
    request = greedy(5);
    add_ids(&request, 50, 1);
    result = start(&session, &request);
    finish(&session, result);
    assert_false(result->failed);
    assert_int_equal(result->tokens.count, 5);
    session_close(&session);
}

/* The pool holds one context: the second reply waits for the pages of the first. */
static void full_pool_makes_replies_wait(void **state)
{
    (void)state;
    struct session session =
        toy_session((struct toy_options){.context = 1024, .page_bytes = 64 << 20});
    for (int i = 0; i < 3; i++) {
        struct generation_request request = greedy(20);
        add_ids(&request, 900, i);
        start(&session, &request);
    }
    finish_all(&session);
    for (int i = 0; i < 3; i++) {
        assert_false(session.results[i].failed);
        assert_int_equal(session.results[i].tokens.count, 20);
    }
    session_close(&session);
}

/* Starts, cancels and quits at random moments; every reply ends once and says what it should. */
static void random_starts_and_cancels(void **state)
{
    (void)state;
    unsigned random = 2024;
    for (int round = 0; round < 40; round++) {
        struct session session = toy_session((struct toy_options){.context = 256, .chunk = 16});
        for (int action = 0; action < 12; action++) {
            random = random * 1664525u + 1013904223u;
            struct generation_request request = greedy(1 + (random >> 20) % 60);
            if (session.count < MANY && random >> 31 == 0) {
                add_ids(&request, 1 + (random >> 8) % 150, (int)(random >> 28));
                start(&session, &request);
            } else if (session.count > 0) {
                size_t one = (random >> 16) % session.count;
                session.generator->ops->cancel(session.generator, session.results[one].id);
            }
            pump(&session, (int)((random >> 12) % 3));
        }
        if (round % 4 != 0)
            finish_all(&session);
        for (size_t i = 0; i < session.count && round % 4 != 0; i++)
            assert_int_equal(session.results[i].tokens.count, session.results[i].usage.reply);
        session_close(&session);
    }
}

static void special_ids_are_never_sampled(void **state)
{
    (void)state;
    struct toy_options options = {.tokenizer = VAQUITA};
    struct session session = session_of(toy_model(&options));
    for (int round = 0; round < 3; round++) {
        struct generation_request request = greedy(0);
        request.sampling.temperature = 3;
        request.sampling.seed = (uint64_t)round + 1;
        request.sampling.top_k = 0;
        request.sampling.top_p = 1;
        request.sampling.min_p = 0;
        add_ids(&request, 10, round);
        struct result *result = start(&session, &request);
        finish(&session, result);
        assert_int_equal(result->reason, STOP_CONTEXT);
        assert_int_equal(result->tokens.count, 502);
        for (size_t i = 0; i < result->tokens.count; i++)
            assert_false(tokenizer_is_special(session.model->tokenizer, result->tokens.ids[i]));
    }
    session_close(&session);
}

static void counts_are_exact(void **state)
{
    (void)state;
    struct session session = toy_session((struct toy_options){0});
    struct generation_request request = greedy(1);
    size_t parts[PARTS], total, sum = 0;
    segment_add_special(&request.segments, PART_SYSTEM, "<s>", 1);
    segment_add_text(&request.segments, SEGMENT_TEMPLATE, PART_SYSTEM, -1, false, "A chat. ", 8);
    add_text(&request, "Hello there, how are you?");
    struct generator *generator = session.generator;
    assert_int_equal(generator->ops->count(generator, &request.segments, parts, &total, NULL), 0);
    for (int i = 0; i < PARTS; i++)
        sum += parts[i];
    assert_int_equal(sum, total);
    struct result *result = start(&session, &request);
    finish(&session, result);
    assert_int_equal(result->usage.prompt, total);
    assert_memory_equal(result->usage.parts, parts, sizeof parts);
    assert_string_equal(generator->ops->model_name(generator), "toy");
    assert_string_equal(generator->ops->backend_name(generator), "toy");
    assert_int_equal(generator->ops->context(generator), 512);
    session_close(&session);
}

/* --- on Vaquita ------------------------------------------------------------------------------- */

static struct session vaquita_session(uint32_t chunk)
{
    struct model_options options = {
        .context = 2048, .kv_type = KV_F32, .chunk = chunk, .threads = 2};
    struct model *model;
    struct error error = {0};
    if (model_open(&model, VAQUITA, &options, &error) != 0)
        fail_msg("%s", error.message);
    return session_of(model);
}

#define QUESTION                                                                                   \
    "A chat between a curious user and an assistant. USER: Tell me a story about a small "         \
    "porpoise that lives in the sea. ASSISTANT: "

static void add_question(struct generation_request *request, const char *text)
{
    segment_add_special(&request->segments, PART_SYSTEM, "<s>", 1);
    segment_add_text(&request->segments, SEGMENT_TEMPLATE, PART_DRAFT, -1, false, text,
                     strlen(text));
}

static void vaquita_is_the_same_in_any_company(void **state)
{
    (void)state;
    struct token_list alone = {0};
    for (uint32_t chunk = 16; chunk <= 256; chunk *= 16) {
        struct session session = vaquita_session(chunk);
        struct generation_request request = greedy(40), other = greedy(40);
        add_question(&request, QUESTION);
        struct result *result = start(&session, &request);
        finish(&session, result);
        assert_int_equal(result->tokens.count, 40);
        if (alone.count == 0)
            token_list_append(&alone, result->tokens.ids, result->tokens.count);
        assert_memory_equal(result->tokens.ids, alone.ids, 40 * sizeof(int32_t));
        add_question(&other, "USER: What is the sea? ASSISTANT: ");
        add_question(&request, QUESTION);
        start(&session, &other);
        result = start(&session, &request);
        finish_all(&session);
        assert_int_equal(result->tokens.count, 40);
        assert_memory_equal(result->tokens.ids, alone.ids, 40 * sizeof(int32_t));
        assert_true(result->usage.prompt_reused >= result->usage.prompt - 1);
        session_close(&session);
    }
    token_list_free(&alone);
}

static void vaquita_turns_evaluate_only_what_is_new(void **state)
{
    (void)state;
    struct session session = vaquita_session(256);
    struct generation_request request = greedy(30);
    add_question(&request, QUESTION);
    struct result *first = start(&session, &request);
    finish(&session, first);
    request = greedy(10);
    add_question(&request, QUESTION);
    segment_add_tokens(&request.segments, PART_HISTORY, 1, first->tokens.ids, first->tokens.count);
    add_question(&request, "USER: Go on. ASSISTANT: ");
    struct result *second = start(&session, &request);
    finish(&session, second);
    assert_int_equal(second->usage.prompt_reused, first->usage.prompt + 29);
    assert_int_equal(second->usage.evaluated - first->usage.evaluated,
                     second->usage.prompt - second->usage.prompt_reused + 9);
    assert_true(first->text.length > 0 && strbuf_text(&first->text)[0] != ' ');
    session_close(&session);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reply_is_exact_and_counted),
        cmocka_unit_test(later_turns_evaluate_only_what_is_new),
        cmocka_unit_test(replies_at_once_are_as_alone),
        cmocka_unit_test(same_documents_are_read_once_and_shared),
        cmocka_unit_test(sharing_is_reported),
        cmocka_unit_test(output_does_not_depend_on_the_chunk),
        cmocka_unit_test(cancel_in_prefill_is_prompt_and_harmless),
        cmocka_unit_test(cancel_in_decode_keeps_what_came),
        cmocka_unit_test(events_cannot_flood),
        cmocka_unit_test(quit_in_prefill_is_prompt),
        cmocka_unit_test(prompt_that_does_not_fit_is_refused),
        cmocka_unit_test(reply_ends_with_the_context),
        cmocka_unit_test(reply_ends_with_the_configured_end),
        cmocka_unit_test(stop_string_cuts_text_and_ids),
        cmocka_unit_test(device_failure_ends_the_reply_not_the_engine),
        cmocka_unit_test(full_pool_makes_replies_wait),
        cmocka_unit_test(random_starts_and_cancels),
        cmocka_unit_test(special_ids_are_never_sampled),
        cmocka_unit_test(counts_are_exact),
        cmocka_unit_test(vaquita_is_the_same_in_any_company),
        cmocka_unit_test(vaquita_turns_evaluate_only_what_is_new),
    };
    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
