#include "tests/unit/worker_harness.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/alloc.h"

double now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

struct session session_of_disk(struct model *model, const struct kv_disk_options *disk)
{
    struct session session = {.model = model};
    struct error error = {0};
    assert_int_equal(generator_local_open(&session.generator, model, disk, &error), 0);
    return session;
}

struct session session_of(struct model *model)
{
    return session_of_disk(model, NULL);
}

struct session toy_session(struct toy_options options)
{
    options.tokenizer = VAQUITA;
    options.logit_first = 300; /* words only: no special, no single bytes */
    return session_of(toy_model(&options));
}

void forget_results(struct session *session)
{
    for (size_t i = 0; i < session->count; i++) {
        strbuf_free(&session->results[i].text);
        token_list_free(&session->results[i].tokens);
        for (size_t j = 0; j < session->results[i].choice_count; j++)
            free(session->results[i].choices[j].text);
        free(session->results[i].choices);
    }
    session->count = 0;
    memset(session->results, 0, sizeof session->results);
}

void session_close(struct session *session)
{
    forget_results(session);
    session->generator->ops->free(session->generator);
}

struct generation_request greedy(uint32_t max_tokens)
{
    struct generation_request request = {.max_tokens = max_tokens, .ignore_eos = true};
    request.sampling = sampling_defaults();
    request.sampling.temperature = 0;
    return request;
}

void add_text(struct generation_request *request, const char *text)
{
    segment_add_text(&request->segments, SEGMENT_CONTENT, PART_DRAFT, -1, false, text,
                     strlen(text));
}

void add_ids(struct generation_request *request, size_t count, int seed)
{
    int32_t *ids = xcalloc(count, sizeof *ids);
    for (size_t i = 0; i < count; i++)
        ids[i] = (int32_t)(300 + (i * 31 + i * i * 7 + (size_t)seed * 577) % 700);
    segment_add_tokens(&request->segments, PART_DOCUMENT, -1, ids, count);
    free(ids);
}

struct result *start(struct session *session, struct generation_request *request)
{
    struct result *result = &session->results[session->count++];
    struct error error = {0};
    if (session->generator->ops->start(session->generator, request, &result->id, &error) != 0)
        fail_msg("%s", error.message);
    segment_list_free(&request->segments);
    return result;
}

void take_event(struct session *session, struct event *event)
{
    struct result *result = NULL;
    if (event->kind == EVENT_COUNT) {
        assert_true(session->counted_count < 64);
        session->counted[session->counted_count++] =
            (struct counted){event->generation, event->slot, event->usage};
        event_free(event);
        return;
    }
    for (size_t i = 0; i < session->count; i++)
        if (session->results[i].id == event->generation)
            result = &session->results[i];
    assert_non_null(result);
    assert_false(result->over);
    if (event->kind == EVENT_TEXT) {
        strbuf_add(&result->text, event->text, event->length);
        token_list_append(&result->tokens, event->tokens.ids, event->tokens.count);
        assert_int_equal(event->text[event->length], '\0');
        result->texts++;
    } else if (event->kind == EVENT_CHOICES) {
        assert_null(result->choices);
        result->choices = event->choices;
        result->choice_count = event->choice_count;
        event->choices = NULL;
        event->choice_count = 0;
    } else {
        result->usage = event->usage;
    }
    result->progress += event->kind == EVENT_PROGRESS;
    result->usages += event->kind == EVENT_USAGE;
    result->over = event->kind == EVENT_DONE || event->kind == EVENT_ERROR;
    result->failed = event->kind == EVENT_ERROR;
    result->reason = event->reason;
    result->error = event->error;
    event_free(event);
}

bool pump(struct session *session, int timeout_ms)
{
    struct generator *generator = session->generator;
    struct pollfd fd = {.fd = generator->ops->wake_fd(generator), .events = POLLIN};
    if (poll(&fd, 1, timeout_ms) != 1)
        return false;
    struct event event;
    while (generator->ops->next(generator, &event) == 1)
        take_event(session, &event);
    return true;
}

void finish(struct session *session, const struct result *result)
{
    while (!result->over)
        assert_true(pump(session, WAIT_MS));
}

void finish_all(struct session *session)
{
    for (size_t i = 0; i < session->count; i++)
        finish(session, &session->results[i]);
}

size_t argmax(const float *logits, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++)
        if (logits[i] > logits[best])
            best = i;
    return best;
}

void assert_toy_reply(struct session *session, const int32_t *prompt, size_t prompt_count,
                      const struct token_list *reply)
{
    uint32_t vocab = session->model->shape.vocab;
    float *logits = xcalloc(vocab, sizeof *logits);
    struct token_list tokens = {0};
    token_list_append(&tokens, prompt, prompt_count);
    for (size_t i = 0; i < reply->count; i++) {
        toy_logits(session->model, tokens.ids, (uint32_t)tokens.count, logits);
        assert_int_equal(reply->ids[i], argmax(logits, vocab));
        token_list_add(&tokens, reply->ids[i]);
    }
    free(logits);
    token_list_free(&tokens);
}
