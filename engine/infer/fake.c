/*
 * The scripted fake: generator.h without a model, for tests of the interface.
 *
 * Each reply is a list of steps: PROGRESS three times, then TEXT and USAGE by turns, then DONE or
 * ERROR. A step is due `piece_ms` after the one before. One timer stands for all replies: it is set
 * to the time of the earliest step, and as an expired timer it is the wake fd.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"
#include "engine/infer/generator.h"
#include "engine/infer/stop.h"

#define PROGRESS_STEPS 3
#define PIECE_CHARS    3
#define TOKEN_BYTES    4
#define SEPARATOR      "\n---\n"
#define ERROR_MARK     "!error "
#define CHOICES_MARK   "!choices "
#define CHOICES_ELSE   " the| a| and| of| to| in| it| is"

enum fake_state {
    FAKE_PROGRESS,
    FAKE_BEGIN,
    FAKE_TEXT,
    FAKE_USAGE,
    FAKE_CHOICES,
    FAKE_COUNT,
    FAKE_END
};

struct fake_reply {
    uint64_t id;
    enum fake_state state;
    int progress; /* steps done */
    char *text;   /* its part of the script */
    size_t length, at;
    size_t bytes; /* of text sent */
    size_t limit; /* tokens */
    bool limited_by_context, failed;
    char *begin; /* its forced beginning, or NULL */
    size_t begin_tokens;
    uint32_t probe; /* > 0: a probe */
    uint32_t slot;  /* FAKE_COUNT */
    enum stop_reason reason;
    struct stop *stop;
    struct usage usage;
    uint64_t due_ns;
    struct fake_reply *next;
};

struct fake {
    struct generator base;
    char *script, *at; /* where the next reply begins */
    char *choices;     /* of probes, parted by '|' */
    unsigned piece_ms;
    uint32_t context;
    int timer;
    uint64_t last_id;
    uint64_t evaluated;
    struct fake_reply *replies; /* in order of arrival */
};

static struct fake *fake_of(struct generator *generator)
{
    return (struct fake *)generator;
}

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct fake_reply *earliest(const struct fake *fake)
{
    struct fake_reply *first = fake->replies;
    for (struct fake_reply *r = fake->replies; r != NULL; r = r->next)
        if (r->due_ns < first->due_ns)
            first = r;
    return first;
}

/* Sets the timer to the next step, which also makes the fd unreadable until then; without a reply
 * it is disarmed. */
static void set_timer(struct fake *fake)
{
    struct itimerspec spec = {0};
    const struct fake_reply *first = earliest(fake);
    if (first != NULL) {
        spec.it_value.tv_sec = (time_t)(first->due_ns / 1000000000u);
        spec.it_value.tv_nsec = (long)(first->due_ns % 1000000000u);
    }
    timerfd_settime(fake->timer, TFD_TIMER_ABSTIME, &spec, NULL);
}

/* --- counting --------------------------------------------------------------------------------- */

static size_t tokens_of(size_t bytes)
{
    return (bytes + TOKEN_BYTES - 1) / TOKEN_BYTES;
}

static int fake_count(struct generator *generator, const struct segment_list *segments,
                      size_t *parts, size_t *total, struct error *error)
{
    (void)generator;
    (void)error;
    size_t bytes[PARTS] = {0}, tokens[PARTS] = {0};
    for (size_t i = 0; i < segments->count; i++) {
        const struct segment *segment = &segments->items[i];
        if (segment->kind == SEGMENT_SPECIAL)
            tokens[segment->part]++;
        else if (segment->kind == SEGMENT_TOKENS)
            tokens[segment->part] += segment->tokens.count;
        else
            bytes[segment->part] += segment->length;
    }
    *total = 0;
    for (int part = 0; part < PARTS; part++) {
        tokens[part] += tokens_of(bytes[part]);
        *total += tokens[part];
    }
    if (parts != NULL)
        memcpy(parts, tokens, sizeof tokens);
    return 0;
}

/* --- starting --------------------------------------------------------------------------------- */

/* The next part of the script, to be freed. */
static char *next_part(struct fake *fake)
{
    if (*fake->at == '\0')
        fake->at = fake->script;
    char *end = strstr(fake->at, SEPARATOR);
    size_t length = end != NULL ? (size_t)(end - fake->at) : strlen(fake->at);
    char *part = xstrndup(fake->at, length);
    fake->at = end != NULL ? end + strlen(SEPARATOR) : fake->at + length;
    return part;
}

/* The next reply; a script of nothing but choices has an empty one. */
static char *next_reply(struct fake *fake)
{
    for (const char *began = fake->at;;) {
        char *part = next_part(fake);
        if (strncmp(part, CHOICES_MARK, strlen(CHOICES_MARK)) != 0)
            return part;
        free(part);
        if (fake->at == began || (*fake->at == '\0' && began == fake->script))
            return xstrdup("");
    }
}

/* The text of the part that gives the choices, to be freed. */
static char *find_choices(const char *script)
{
    const char *at = strncmp(script, CHOICES_MARK, strlen(CHOICES_MARK)) == 0
                         ? script
                         : strstr(script, SEPARATOR CHOICES_MARK);
    if (at == NULL)
        return xstrdup(CHOICES_ELSE);
    at = strstr(at, CHOICES_MARK) + strlen(CHOICES_MARK);
    const char *end = strstr(at, SEPARATOR);
    return xstrndup(at, end != NULL ? (size_t)(end - at) : strlen(at));
}

static int check_request(const struct fake *fake, const struct usage *usage, struct error *error)
{
    if (usage->prompt == 0)
        return error_set(error, ERROR_INPUT, "the prompt is empty");
    if (usage->prompt + 1 > fake->context)
        return error_set(error, ERROR_INPUT,
                         "the prompt has %zu tokens; the context of %u leaves room for %u and a "
                         "reply",
                         usage->prompt, fake->context, fake->context - 1);
    return 0;
}

static void add_reply(struct fake *fake, struct fake_reply *reply)
{
    struct fake_reply **link = &fake->replies;
    while (*link != NULL)
        link = &(*link)->next;
    *link = reply;
    reply->due_ns = now_ns();
    set_timer(fake);
}

/* Without a vocabulary ids have no text: "<7>". */
static void set_begin(struct fake_reply *reply, const struct generation_request *request)
{
    struct strbuf text = {0};
    for (size_t i = 0; i < request->begin_count; i++)
        strbuf_printf(&text, "<%d>", request->begin_tokens[i]);
    if (request->begin_count == 0 && request->begin != NULL)
        strbuf_puts(&text, request->begin);
    if (text.length == 0)
        return;
    reply->begin_tokens = request->begin_count > 0 ? request->begin_count : tokens_of(text.length);
    reply->usage.reply = reply->begin_tokens;
    if (reply->limit < reply->begin_tokens)
        reply->limit = reply->begin_tokens;
    reply->usage.reserve = reply->limit - reply->begin_tokens;
    reply->begin = strbuf_detach(&text);
    reply->state = FAKE_BEGIN;
}

static int fake_start(struct generator *generator, const struct generation_request *request,
                      uint64_t *generation, struct error *error)
{
    struct fake *fake = fake_of(generator);
    struct usage usage = {.context = fake->context};
    fake_count(generator, &request->segments, usage.parts, &usage.prompt, error);
    if (check_request(fake, &usage, error) != 0)
        return -1;
    struct fake_reply *reply = xcalloc(1, sizeof *reply);
    size_t room = fake->context - usage.prompt;
    reply->limited_by_context = request->max_tokens == 0 || request->max_tokens > room;
    reply->limit = reply->limited_by_context ? room : request->max_tokens;
    reply->usage = usage;
    reply->usage.reserve = reply->limit;
    reply->probe = request->probe < PROBE_MAX ? request->probe : PROBE_MAX;
    reply->text = reply->probe > 0 ? xstrdup("") : next_reply(fake);
    if (reply->probe == 0)
        set_begin(reply, request);
    reply->length = strlen(reply->text);
    reply->failed = strncmp(reply->text, ERROR_MARK, strlen(ERROR_MARK)) == 0;
    reply->reason = STOP_EOS;
    reply->stop = stop_create(request->stops, request->stop_count);
    reply->id = *generation = ++fake->last_id;
    add_reply(fake, reply);
    return 0;
}

static void fake_count_later(struct generator *generator, struct segment_list *segments,
                             uint32_t slot, uint64_t *ticket)
{
    struct fake *fake = fake_of(generator);
    struct fake_reply *reply = fake->replies;
    while (reply != NULL && !(reply->state == FAKE_COUNT && reply->slot == slot))
        reply = reply->next;
    bool known = reply != NULL;
    if (!known)
        reply = xcalloc(1, sizeof *reply);
    reply->state = FAKE_COUNT;
    reply->slot = slot;
    reply->id = *ticket = ++fake->last_id;
    fake_count(generator, segments, reply->usage.parts, &reply->usage.prompt, NULL);
    segment_list_free(segments);
    if (!known)
        add_reply(fake, reply);
}

static void remove_reply(struct fake *fake, struct fake_reply *reply)
{
    struct fake_reply **link = &fake->replies;
    while (*link != reply)
        link = &(*link)->next;
    *link = reply->next;
    if (reply->stop != NULL)
        stop_free(reply->stop);
    free(reply->begin);
    free(reply->text);
    free(reply);
}

/* --- the steps -------------------------------------------------------------------------------- */

static void step_progress(struct fake *fake, struct fake_reply *reply, struct event *event)
{
    struct usage *usage = &reply->usage;
    size_t before = usage->prompt_done;
    usage->prompt_done = usage->prompt * (size_t)reply->progress / (PROGRESS_STEPS - 1);
    fake->evaluated += usage->prompt_done - before;
    usage->prefill_seconds = (double)reply->progress * fake->piece_ms / 1000.0;
    event->kind = EVENT_PROGRESS;
    if (++reply->progress == PROGRESS_STEPS)
        reply->state = reply->failed ? FAKE_END : reply->probe > 0 ? FAKE_CHOICES : FAKE_TEXT;
}

static void step_begin(struct fake_reply *reply, struct event *event)
{
    event->kind = EVENT_TEXT;
    event->text = reply->begin;
    event->length = strlen(reply->begin);
    reply->begin = NULL;
    reply->state = FAKE_PROGRESS;
}

/* The i-th text is half as likely as the one before. */
static void step_choices(const struct fake *fake, struct fake_reply *reply, struct event *event)
{
    const char *at = fake->choices;
    event->kind = EVENT_CHOICES;
    event->choices = xcalloc(reply->probe, sizeof *event->choices);
    for (uint32_t i = 0; i < reply->probe && at != NULL; i++) {
        const char *bar = strchr(at, '|');
        struct token_choice *choice = &event->choices[event->choice_count++];
        choice->id = 100 + (int32_t)i;
        choice->log_probability = -0.693147f * (float)(i + 1);
        choice->text = xstrndup(at, bar != NULL ? (size_t)(bar - at) : strlen(at));
        at = bar != NULL ? bar + 1 : NULL;
    }
    reply->reason = STOP_LENGTH;
    reply->usage.reserve = 0;
    reply->state = FAKE_END;
}

/* The bytes of the next few characters. */
static size_t piece_length(const struct fake_reply *reply)
{
    size_t length = 0;
    uint32_t code;
    for (int i = 0; i < PIECE_CHARS && reply->at + length < reply->length; i++)
        length += utf8_decode(reply->text + reply->at + length, reply->length - reply->at - length,
                              &code);
    return length;
}

/* Some text; DONE follows when it was the last. */
static void step_text(struct fake *fake, struct fake_reply *reply, struct event *event)
{
    struct strbuf out = {0};
    struct usage *usage = &reply->usage;
    size_t length = piece_length(reply), before = usage->reply;
    bool stopped = stop_push(reply->stop, reply->text + reply->at, length, &out);
    reply->at += length;
    usage->reply = reply->begin_tokens + tokens_of(reply->at);
    bool full = usage->reply >= reply->limit;
    if (full)
        usage->reply = reply->limit;
    if (stopped)
        reply->reason = STOP_STRING;
    else if (reply->at < reply->length && full)
        reply->reason = reply->limited_by_context ? STOP_CONTEXT : STOP_LENGTH;
    bool last = stopped || full || reply->at == reply->length;
    if (last && !stopped)
        stop_flush(reply->stop, &out);
    usage->reserve = reply->limit - usage->reply;
    usage->decode_seconds += fake->piece_ms / 1000.0;
    fake->evaluated += usage->reply - before;
    event->kind = EVENT_TEXT;
    event->length = out.length;
    event->text = strbuf_detach(&out);
    reply->state = last ? FAKE_END : FAKE_USAGE;
}

static void step_end(struct fake_reply *reply, struct event *event)
{
    if (reply->failed && reply->reason != STOP_CANCELLED) {
        event->kind = EVENT_ERROR;
        error_set(&event->error, ERROR_DEVICE, "%s", reply->text + strlen(ERROR_MARK));
        return;
    }
    event->kind = EVENT_DONE;
    event->reason = reply->reason;
}

static int fake_next(struct generator *generator, struct event *event)
{
    struct fake *fake = fake_of(generator);
    struct fake_reply *reply = earliest(fake);
    uint64_t now = now_ns();
    if (reply == NULL || reply->due_ns > now)
        return 0;
    bool over = reply->state == FAKE_END || reply->state == FAKE_COUNT;
    *event = (struct event){.generation = reply->id};
    if (reply->state == FAKE_BEGIN) {
        step_begin(reply, event);
    } else if (reply->state == FAKE_CHOICES) {
        step_choices(fake, reply, event);
    } else if (reply->state == FAKE_COUNT) {
        event->kind = EVENT_COUNT;
        event->slot = reply->slot;
    } else if (reply->state == FAKE_PROGRESS) {
        step_progress(fake, reply, event);
    } else if (reply->state == FAKE_TEXT) {
        step_text(fake, reply, event);
    } else if (reply->state == FAKE_USAGE) {
        event->kind = EVENT_USAGE;
        reply->state = FAKE_TEXT;
    } else {
        step_end(reply, event);
    }
    reply->usage.evaluated = fake->evaluated;
    event->usage = reply->usage;
    /* USAGE and the end come at once with the text; two replies as fast as may be take turns. */
    reply->due_ns =
        reply->state == FAKE_USAGE ? reply->due_ns : now + fake->piece_ms * (uint64_t)1000000;
    if (over)
        remove_reply(fake, reply);
    set_timer(fake);
    return 1;
}

/* What has not come yet does not come any more; DONE is due at once. */
static void fake_cancel(struct generator *generator, uint64_t generation)
{
    struct fake *fake = fake_of(generator);
    for (struct fake_reply *reply = fake->replies; reply != NULL; reply = reply->next) {
        if (reply->id != generation || reply->state == FAKE_COUNT)
            continue;
        reply->state = FAKE_END;
        reply->reason = STOP_CANCELLED;
        reply->due_ns = now_ns();
    }
    set_timer(fake);
}

/* --- the rest --------------------------------------------------------------------------------- */

static int fake_wake_fd(struct generator *generator)
{
    return fake_of(generator)->timer;
}

static const struct tokenizer *fake_tokenizer(struct generator *generator)
{
    (void)generator;
    return NULL;
}

static uint32_t fake_context(struct generator *generator)
{
    return fake_of(generator)->context;
}

static const char *fake_name(struct generator *generator)
{
    (void)generator;
    return "fake";
}

static const char *fake_backend(struct generator *generator)
{
    (void)generator;
    return "script";
}

static uint64_t fake_unsaved_bytes(struct generator *generator)
{
    (void)generator;
    return 0;
}

static void fake_free(struct generator *generator)
{
    struct fake *fake = fake_of(generator);
    while (fake->replies != NULL)
        remove_reply(fake, fake->replies);
    if (fake->timer >= 0)
        close(fake->timer);
    free(fake->script);
    free(fake->choices);
    free(fake);
}

static const struct generator_ops fake_ops = {
    .count = fake_count,
    .count_later = fake_count_later,
    .start = fake_start,
    .next = fake_next,
    .cancel = fake_cancel,
    .wake_fd = fake_wake_fd,
    .tokenizer = fake_tokenizer,
    .context = fake_context,
    .model_name = fake_name,
    .backend_name = fake_backend,
    .unsaved_bytes = fake_unsaved_bytes,
    .free = fake_free,
};

struct generator *generator_fake_open(const char *script, unsigned piece_ms, uint32_t context)
{
    struct fake *fake = xcalloc(1, sizeof *fake);
    fake->base.ops = &fake_ops;
    fake->script = xstrdup(script);
    fake->at = fake->script;
    fake->choices = find_choices(script);
    fake->piece_ms = piece_ms;
    fake->context = context;
    fake->timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    return &fake->base;
}
