#include "tests/screens/spelled_generator.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"

struct spelled {
    struct generator base;
    struct generator *fake;
    struct tokenizer *tokenizer;
    struct token_list begin; /* of the reply `begun`, until it has come */
    uint64_t begun;
};

static struct spelled *self(struct generator *generator)
{
    return (struct spelled *)generator;
}

static int count(struct generator *generator, const struct segment_list *segments, size_t *parts,
                 size_t *total, struct error *error)
{
    struct token_list ids = {0};
    (void)error;
    segment_tokenize(segments, self(generator)->tokenizer, &ids, parts);
    *total = ids.count;
    token_list_free(&ids);
    return 0;
}

static void count_later(struct generator *generator, struct segment_list *segments, uint32_t slot,
                        uint64_t *ticket)
{
    struct generator *fake = self(generator)->fake;
    fake->ops->count_later(fake, segments, slot, ticket);
}

static int start(struct generator *generator, const struct generation_request *request,
                 uint64_t *generation, struct error *error)
{
    struct spelled *spelled = self(generator);
    if (spelled->fake->ops->start(spelled->fake, request, generation, error) != 0)
        return -1;
    if (request->probe > 0 || request->begin_count == 0)
        return 0;
    spelled->begun = *generation;
    spelled->begin.count = 0;
    token_list_append(&spelled->begin, request->begin_tokens, request->begin_count);
    return 0;
}

static void spell_begin(struct spelled *spelled, struct event *event)
{
    struct strbuf text = {0};
    tokenizer_decode(spelled->tokenizer, spelled->begin.ids, spelled->begin.count, &text);
    free(event->text);
    event->length = text.length;
    event->text = strbuf_detach(&text);
    token_list_append(&event->tokens, spelled->begin.ids, spelled->begin.count);
    spelled->begin.count = 0;
}

static void spell_text(struct spelled *spelled, struct event *event)
{
    if (event->generation == spelled->begun && spelled->begin.count > 0)
        spell_begin(spelled, event);
    else if (event->length > 0)
        tokenizer_encode(spelled->tokenizer, event->text, event->length, false, &event->tokens);
}

static void spell_choices(struct spelled *spelled, struct event *event)
{
    for (size_t i = 0; i < event->choice_count; i++) {
        struct token_choice *choice = &event->choices[i];
        struct token_list ids = {0};
        int32_t special = tokenizer_special(spelled->tokenizer, choice->text);
        tokenizer_encode(spelled->tokenizer, choice->text, strlen(choice->text), false, &ids);
        choice->special = special >= 0;
        choice->id = special >= 0 ? special : ids.count > 0 ? ids.ids[0] : -1;
        token_list_free(&ids);
    }
}

static int next(struct generator *generator, struct event *event)
{
    struct spelled *spelled = self(generator);
    int result = spelled->fake->ops->next(spelled->fake, event);
    if (result != 1)
        return result;
    if (event->kind == EVENT_TEXT)
        spell_text(spelled, event);
    else if (event->kind == EVENT_CHOICES)
        spell_choices(spelled, event);
    event->usage.kv_used_bytes = SPELLED_KV_USED;
    event->usage.kv_shared_bytes = SPELLED_KV_SHARED;
    event->usage.kv_free_bytes = SPELLED_KV_FREE;
    event->usage.prompt_reused = event->usage.prompt > 2 ? event->usage.prompt - 2 : 0;
    event->usage.prompt_restored = event->usage.prompt / 2;
    return 1;
}

static void cancel(struct generator *generator, uint64_t generation)
{
    struct generator *fake = self(generator)->fake;
    fake->ops->cancel(fake, generation);
}

static int wake_fd(struct generator *generator)
{
    struct generator *fake = self(generator)->fake;
    return fake->ops->wake_fd(fake);
}

static const struct tokenizer *tokenizer_of(struct generator *generator)
{
    return self(generator)->tokenizer;
}

static uint32_t context(struct generator *generator)
{
    struct generator *fake = self(generator)->fake;
    return fake->ops->context(fake);
}

static const char *model_name(struct generator *generator)
{
    (void)generator;
    return "spelled";
}

static const char *backend_name(struct generator *generator)
{
    (void)generator;
    return "script";
}

static uint64_t unsaved_bytes(struct generator *generator)
{
    (void)generator;
    return 0;
}

static void close_all(struct generator *generator)
{
    struct spelled *spelled = self(generator);
    spelled->fake->ops->free(spelled->fake);
    tokenizer_close(spelled->tokenizer);
    token_list_free(&spelled->begin);
    free(spelled);
}

struct generator *generator_spelled_open(const char *script, unsigned piece_ms, uint32_t size)
{
    static const struct generator_ops ops = {
        .count = count,
        .count_later = count_later,
        .start = start,
        .next = next,
        .cancel = cancel,
        .wake_fd = wake_fd,
        .tokenizer = tokenizer_of,
        .context = context,
        .model_name = model_name,
        .backend_name = backend_name,
        .unsaved_bytes = unsaved_bytes,
        .free = close_all,
    };
    struct error error;
    struct spelled *spelled = xcalloc(1, sizeof *spelled);
    spelled->base.ops = &ops;
    if (tokenizer_open(&spelled->tokenizer, "models/vaquita", 1u << 20, &error) != 0) {
        free(spelled);
        return NULL;
    }
    spelled->fake = generator_fake_open(script, piece_ms, size);
    return &spelled->base;
}
