/*
 * worker_harness.h - a local generator on the toy backend (or any model), and its events collected:
 * what tests of the engine share. A test owns its session.
 */
#ifndef AIRO_TESTS_WORKER_HARNESS_H
#define AIRO_TESTS_WORKER_HARNESS_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "engine/infer/generator.h"
#include "tests/unit/toy_backend.h"

#define VAQUITA   "models/vaquita"
#define REPLY_MAX 10
#define WAIT_MS   60000

struct result {
    uint64_t id;
    struct strbuf text;
    struct token_list tokens;
    struct usage usage;
    struct error error;
    enum stop_reason reason;
    bool over, failed;
    int progress, texts, usages;
    struct token_choice *choices;
    size_t choice_count;
};

struct counted {
    uint64_t ticket;
    uint32_t slot;
    struct usage usage;
};

struct session {
    struct model *model; /* the generator's */
    struct generator *generator;
    struct result results[REPLY_MAX];
    size_t count;
    struct counted counted[64]; /* of count_later, in order of arrival */
    size_t counted_count;
};

double now_ms(void);
struct session session_of(struct model *model);
/* With key/value pages kept in this directory. */
struct session session_of_disk(struct model *model, const struct kv_disk_options *disk);
struct session toy_session(struct toy_options options);
void forget_results(struct session *session);
void session_close(struct session *session);
struct generation_request greedy(uint32_t max_tokens);
void add_text(struct generation_request *request, const char *text);
void add_ids(struct generation_request *request, size_t count, int seed);
/* Starts the request and frees its segments; the result collects the events. */
struct result *start(struct session *session, struct generation_request *request);
void take_event(struct session *session, struct event *event);
/* Polls the wake fd as the interface does; false when nothing came in time. */
bool pump(struct session *session, int timeout_ms);
void finish(struct session *session, const struct result *result);
void finish_all(struct session *session);
size_t argmax(const float *logits, size_t count);
/* The toy's greedy reply to these ids, without pages or batches. */
void assert_toy_reply(struct session *session, const int32_t *prompt, size_t prompt_count,
                      const struct token_list *reply);

#endif
