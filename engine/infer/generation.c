#include "engine/infer/generation.h"

#include <stdlib.h>

#include "engine/base/alloc.h"

static bool list_has(const struct token_list *list, int32_t id)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->ids[i] == id)
            return true;
    return false;
}

static void add_end(struct generation *generation, int32_t id)
{
    if (id >= 0 && !list_has(&generation->ends, id))
        token_list_add(&generation->ends, id);
}

/* Special tokens are sampled only to end the reply: EOS, which for models with added tokens may be
 * another one in config.json than in tokenizer.model, and stops that are special tokens. */
static void choose_ends(struct generation *generation, const struct model *model,
                        const struct generation_request *request)
{
    const int32_t eos[] = {tokenizer_eos(model->tokenizer), model->config.eos_id};
    for (size_t i = 0; i < 2 && !request->ignore_eos; i++)
        add_end(generation, eos[i]);
    for (size_t i = 0; i < request->stop_count; i++) {
        int32_t id = tokenizer_special(model->tokenizer, request->stops[i]);
        if (!(request->ignore_eos && (id == eos[0] || id == eos[1])))
            add_end(generation, id);
    }
    uint32_t known = tokenizer_size(model->tokenizer);
    for (uint32_t id = 0; id < model->shape.vocab; id++)
        if ((id >= known || tokenizer_is_special(model->tokenizer, (int32_t)id)) &&
            !list_has(&generation->ends, (int32_t)id))
            token_list_add(&generation->banned, (int32_t)id);
}

/* After a template's text or special token the reply is a fresh run of words; after content or a
 * reply's own tokens it continues them, space and all. */
static bool begins_afresh(const struct segment_list *segments)
{
    if (segments->count == 0)
        return true;
    enum segment_kind kind = segments->items[segments->count - 1].kind;
    return kind == SEGMENT_TEMPLATE || kind == SEGMENT_SPECIAL;
}

static int check_prompt(const struct generation *generation, const struct model *model,
                        struct error *error)
{
    const struct token_list *prompt = &generation->prompt;
    if (prompt->count == 0)
        return error_set(error, ERROR_INPUT, "the prompt is empty");
    if (prompt->count + 1 > model->context)
        return error_set(error, ERROR_INPUT,
                         "the prompt has %zu tokens; the context of %u leaves room for %u and a "
                         "reply",
                         prompt->count, model->context, model->context - 1);
    for (size_t i = 0; i < prompt->count; i++)
        if (prompt->ids[i] < 0 || (uint32_t)prompt->ids[i] >= model->shape.vocab)
            return error_set(error, ERROR_INPUT,
                             "token %zu of the prompt: id %d is not in a vocabulary of %u", i,
                             prompt->ids[i], model->shape.vocab);
    return 0;
}

int generation_create(struct generation **out, const struct model *model,
                      const struct generation_request *request, struct error *error)
{
    struct generation *generation = xcalloc(1, sizeof *generation);
    struct usage *usage = &generation->usage;
    segment_tokenize(&request->segments, model->tokenizer, &generation->prompt, usage->parts);
    if (check_prompt(generation, model, error) != 0) {
        generation_free(generation);
        return -1;
    }
    size_t room = model->context - generation->prompt.count;
    generation->limited_by_context = request->max_tokens == 0 || request->max_tokens > room;
    generation->reply_limit = generation->limited_by_context ? room : request->max_tokens;
    usage->prompt = generation->prompt.count;
    usage->context = model->context;
    usage->reserve = generation->reply_limit;
    choose_ends(generation, model, request);
    generation->sampler = sampler_create(&request->sampling, model->shape.vocab);
    generation->reply = reply_create(model->tokenizer, request->stops, request->stop_count,
                                     begins_afresh(&request->segments));
    *out = generation;
    return 0;
}

void generation_free(struct generation *generation)
{
    if (generation == NULL)
        return;
    sequence_free(generation->sequence);
    sampler_free(generation->sampler);
    reply_free(generation->reply);
    token_list_free(&generation->prompt);
    token_list_free(&generation->banned);
    token_list_free(&generation->ends);
    free(generation);
}

int generation_begin(struct generation *generation, struct kv_cache *cache, double now,
                     struct error *error)
{
    size_t reused;
    struct sequence *sequence = sequence_create(cache, (uint32_t)generation->usage.context);
    if (sequence_sync(sequence, generation->prompt.ids, generation->prompt.count, &reused, error) !=
        0) {
        sequence_free(sequence);
        return -1;
    }
    generation->sequence = sequence;
    generation->usage.prompt_reused = reused;
    generation->usage.prompt_done = reused;
    generation->began = now;
    generation->state = GENERATION_PREFILL;
    return 0;
}

static void enter_decode(struct generation *generation, double now)
{
    generation->usage.prefill_seconds = now - generation->began;
    generation->began = now;
    generation->state = GENERATION_DECODE;
}

void generation_sample(struct generation *generation, const float *logits, double now)
{
    if (generation->state == GENERATION_PREFILL)
        enter_decode(generation, now);
    generation->usage.decode_seconds = now - generation->began;

    size_t count;
    const int32_t *history = sequence_tokens(generation->sequence, &count);
    int32_t id = sampler_choose(generation->sampler, logits, history, count, generation->banned.ids,
                                generation->banned.count);
    struct error error = {0};
    if (id < 0) {
        error_set(&error, ERROR_DEVICE, "the model's output has no finite value to choose from");
        generation_fail(generation, &error);
        return;
    }
    if (list_has(&generation->ends, id)) {
        generation_finish(generation, STOP_EOS);
        return;
    }
    generation->usage.reply++;
    generation->usage.reserve--;
    if (reply_push(generation->reply, id))
        generation_finish(generation, STOP_STRING);
    else if (generation->usage.reply == generation->reply_limit)
        generation_finish(generation, generation->limited_by_context ? STOP_CONTEXT : STOP_LENGTH);
    else if (sequence_push(generation->sequence, id, &error) != 0)
        generation_fail(generation, &error);
}

void generation_finish(struct generation *generation, enum stop_reason reason)
{
    if (reason != STOP_STRING)
        reply_finish(generation->reply);
    generation->reason = reason;
    generation->state = GENERATION_OVER;
}

void generation_fail(struct generation *generation, const struct error *error)
{
    reply_finish(generation->reply);
    generation->error = *error;
    generation->state = GENERATION_OVER;
}
