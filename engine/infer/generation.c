#include "engine/infer/generation.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/infer/probe.h"

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

static int check_ids(const struct model *model, const char *what, const int32_t *ids, size_t count,
                     struct error *error)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] < 0 || (uint32_t)ids[i] >= model->shape.vocab)
            return error_set(error, ERROR_INPUT,
                             "token %zu of the %s: id %d is not in a vocabulary of %u", i, what,
                             ids[i], model->shape.vocab);
    return 0;
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
    return check_ids(model, "prompt", prompt->ids, prompt->count, error);
}

/* --- the grammar ------------------------------------------------------------------------------ */

/* The bytes that an id adds to the reply, those of an unfinished character included. */
static void id_bytes(struct token_decoder *decoder, const struct tokenizer *tokenizer, int32_t id,
                     struct strbuf *out)
{
    size_t given = decoder->pending_length;
    token_decoder_push(decoder, tokenizer, id, out);
    strbuf_add(out, decoder->pending, decoder->pending_length);
    strbuf_remove(out, 0, given < out->length ? given : out->length);
}

static void accept_id(struct generation *generation, int32_t id)
{
    const struct grammar *grammar = generation->grammar;
    struct strbuf text = {0};
    if (grammar == NULL)
        return;
    id_bytes(&generation->decoder, generation->tokenizer, id, &text);
    grammar->ops->accept(generation->grammar, strbuf_text(&text), text.length);
    strbuf_free(&text);
}

static enum grammar_verdict judge_id(const struct generation *generation, int32_t id)
{
    const struct grammar *grammar = generation->grammar;
    if (list_has(&generation->ends, id))
        return grammar->ops->may_end(grammar) ? GRAMMAR_ALLOWS : GRAMMAR_FORBIDS;
    struct token_decoder decoder = generation->decoder;
    struct strbuf text = {0};
    id_bytes(&decoder, generation->tokenizer, id, &text);
    /* The space before the first word may be a token of its own; other empty ones lead nowhere. */
    bool empty =
        text.length == 0 && decoder.strip_leading_space == generation->decoder.strip_leading_space;
    enum grammar_verdict verdict =
        empty ? GRAMMAR_FORBIDS : grammar->ops->judge(grammar, strbuf_text(&text), text.length);
    strbuf_free(&text);
    return verdict;
}

/* Bans every id that the grammar forbids. */
static void ban_forbidden(struct generation *generation)
{
    for (uint32_t id = 0; id < generation->vocab; id++)
        if (judge_id(generation, (int32_t)id) == GRAMMAR_FORBIDS)
            token_list_add(&generation->banned, (int32_t)id);
}

/* The ids that the reply is to begin with, appended to `out`. */
static int begin_ids(const struct generation *generation, const struct model *model,
                     const struct generation_request *request, struct token_list *out,
                     struct error *error)
{
    if (request->begin_count == 0) {
        if (request->begin != NULL && request->begin[0] != '\0')
            tokenizer_encode(model->tokenizer, request->begin, strlen(request->begin),
                             generation->afresh, out);
        return 0;
    }
    if (check_ids(model, "reply's beginning", request->begin_tokens, request->begin_count, error) !=
        0)
        return -1;
    for (size_t i = 0; i < request->begin_count; i++)
        if (tokenizer_is_special(model->tokenizer, request->begin_tokens[i]))
            return error_set(error, ERROR_INPUT,
                             "token %zu of the reply's beginning: id %d is a special token", i,
                             request->begin_tokens[i]);
    token_list_append(out, request->begin_tokens, request->begin_count);
    return 0;
}

/* Adds the forced beginning to what is read, and to the reply. */
static int force_begin(struct generation *generation, const struct model *model,
                       const struct generation_request *request, struct error *error)
{
    struct token_list begin = {0};
    struct usage *usage = &generation->usage;
    size_t room = generation->reply_limit;
    int result = begin_ids(generation, model, request, &begin, error);
    if (result == 0 && generation->limited_by_context && begin.count >= room)
        result = error_set(error, ERROR_INPUT,
                           "the reply's beginning has %zu tokens; the context of %u leaves room "
                           "for %zu",
                           begin.count, model->context, room - 1);
    if (result == 0) {
        token_list_append(&generation->prompt, begin.ids, begin.count);
        for (size_t i = 0; i < begin.count; i++)
            accept_id(generation, begin.ids[i]);
        if (begin.count > room)
            generation->reply_limit = begin.count;
        if (generation->probe == 0) {
            reply_begin(generation->reply, begin.ids, begin.count);
            usage->reply = begin.count;
            usage->reserve = generation->reply_limit - begin.count;
        }
    }
    token_list_free(&begin);
    return result;
}

static void set_limits(struct generation *generation, const struct model *model,
                       const struct generation_request *request)
{
    struct usage *usage = &generation->usage;
    size_t room = model->context - generation->prompt.count;
    generation->probe = request->probe < PROBE_MAX ? request->probe : PROBE_MAX;
    generation->limited_by_context = request->max_tokens == 0 || request->max_tokens > room;
    generation->reply_limit = generation->limited_by_context ? room : request->max_tokens;
    usage->prompt = generation->prompt.count;
    usage->context = model->context;
    usage->reserve = generation->probe > 0 ? 0 : generation->reply_limit;
}

int generation_create(struct generation **out, const struct model *model,
                      const struct generation_request *request, struct error *error)
{
    struct generation *generation = xcalloc(1, sizeof *generation);
    segment_tokenize_documents(&request->segments, model->tokenizer, &generation->prompt,
                               generation->usage.parts, &generation->documents);
    if (check_prompt(generation, model, error) != 0) {
        generation_free(generation);
        return -1;
    }
    set_limits(generation, model, request);
    choose_ends(generation, model, request);
    generation->afresh = begins_afresh(&request->segments);
    generation->tokenizer = model->tokenizer;
    generation->vocab = model->shape.vocab;
    generation->draft_mode = generation->probe > 0 ? DRAFT_OFF : request->draft;
    if (request->grammar != NULL)
        generation->grammar = request->grammar->ops->copy(request->grammar);
    generation->decoder.strip_leading_space = generation->afresh;
    generation->sampler = sampler_create(&request->sampling, model->shape.vocab);
    generation->reply =
        reply_create(model->tokenizer, request->stops, request->stop_count, generation->afresh);
    if (force_begin(generation, model, request, error) != 0) {
        generation_free(generation);
        return -1;
    }
    *out = generation;
    return 0;
}

void generation_free(struct generation *generation)
{
    if (generation == NULL)
        return;
    probe_free(generation->choices, generation->choice_count);
    kv_restore_free(generation->restore);
    sequence_free(generation->sequence);
    sampler_free(generation->sampler);
    reply_free(generation->reply);
    draft_free(generation->draft);
    grammar_free(generation->grammar);
    free(generation->documents.items);
    token_list_free(&generation->prompt);
    token_list_free(&generation->banned);
    token_list_free(&generation->ends);
    free(generation);
}

bool generation_restore(struct generation *generation, struct kv_disk *disk)
{
    if (generation->looked || disk == NULL)
        return false;
    generation->looked = true;
    generation->restore = kv_disk_restore(disk, generation->prompt.ids, generation->prompt.count);
    if (generation->restore == NULL)
        return false;
    generation->state = GENERATION_RESTORE;
    generation_restored(generation);
    return true;
}

static size_t within(size_t tokens, size_t most)
{
    return tokens < most ? tokens : most;
}

void generation_restored(struct generation *generation)
{
    struct usage *usage = &generation->usage;
    usage->prompt_done = within(kv_restore_done(generation->restore), usage->prompt);
    usage->prompt_reused = usage->prompt_done;
    usage->prompt_restored = within(kv_restore_read(generation->restore), usage->prompt_reused);
}

/* The index of what drafts are looked up in; without memory for it there are none. */
static void read_drafts(struct generation *generation)
{
    const struct token_list *prompt = &generation->prompt;
    const struct token_span_list *documents = &generation->documents;
    size_t at = 0;
    if (generation->draft_mode == DRAFT_OFF || generation->draft != NULL)
        return;
    generation->draft = draft_create(generation->usage.prompt + generation->reply_limit);
    if (generation->draft == NULL)
        return;
    for (size_t i = 0; i < documents->count; i++) {
        const struct token_span *span = &documents->items[i];
        draft_read(generation->draft, prompt->ids + at, span->begin - at, false);
        draft_read(generation->draft, prompt->ids + span->begin, span->end - span->begin, true);
        at = span->end;
    }
    draft_read(generation->draft, prompt->ids + at, prompt->count - at, false);
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
    kv_restore_free(generation->restore);
    generation->restore = NULL;
    generation->sequence = sequence;
    struct usage *usage = &generation->usage;
    usage->prompt_reused = within(reused, usage->prompt);
    usage->prompt_restored = within(usage->prompt_restored, usage->prompt_reused);
    usage->prompt_done = usage->prompt_reused;
    generation->began = now;
    generation->state = GENERATION_PREFILL;
    read_drafts(generation);
    return 0;
}

bool generation_is_complete(const struct generation *generation)
{
    return generation->probe == 0 && generation->usage.reply >= generation->reply_limit;
}

void generation_read(struct generation *generation, size_t count, double now)
{
    struct usage *usage = &generation->usage;
    usage->prompt_done += within(count, usage->prompt - usage->prompt_done);
    usage->prefill_seconds = now - generation->began;
}

static void enter_decode(struct generation *generation, double now)
{
    generation->usage.prefill_seconds = now - generation->began;
    generation->began = now;
    generation->state = GENERATION_DECODE;
}

static void take_choices(struct generation *generation, const float *logits)
{
    struct error error = {0};
    const struct probe probe = {.tokenizer = generation->tokenizer,
                                .before = generation->prompt.ids,
                                .before_count = generation->prompt.count,
                                .afresh = generation->afresh &&
                                          generation->prompt.count == generation->usage.prompt};
    generation->choices = xcalloc(generation->probe, sizeof *generation->choices);
    generation->choice_count =
        probe_choices(&probe, logits, generation->vocab, generation->choices, generation->probe);
    if (generation->choice_count > 0) {
        generation_finish(generation, STOP_LENGTH);
        return;
    }
    error_set(&error, ERROR_DEVICE, "the model's output has no finite value to choose from");
    generation_fail(generation, &error);
}

/* --- drafts ----------------------------------------------------------------------------------- */

void generation_offer(const struct generation *generation, uint32_t most, struct draft_offer *offer)
{
    size_t left = generation->reply_limit - generation->usage.reply; /* at least 1 */
    offer->count = 0;
    if (generation->draft == NULL)
        return;
    if (generation->draft_mode != DRAFT_AUTO && (uint32_t)generation->draft_mode < most)
        most = (uint32_t)generation->draft_mode;
    most = most < DRAFT_MAX ? most : DRAFT_MAX;
    draft_propose(generation->draft, most < left - 1 ? most : (uint32_t)(left - 1), offer);
    for (uint32_t i = 0; i < offer->count; i++)
        if (list_has(&generation->ends, offer->ids[i]) ||
            list_has(&generation->banned, offer->ids[i]))
            offer->count = i; /* nothing follows there */
}

uint32_t generation_draft(struct generation *generation, const struct draft_offer *offer,
                          uint32_t count, uint32_t leave)
{
    generation->drafted = sequence_draft(generation->sequence, offer->ids, count, leave);
    return generation->drafted;
}

void generation_undraft(struct generation *generation)
{
    size_t count;
    sequence_tokens(generation->sequence, &count);
    sequence_take_back(generation->sequence, count - generation->drafted);
    generation->drafted = 0;
}

/* --- sampling --------------------------------------------------------------------------------- */

uint32_t generation_candidates(const struct generation *generation, uint32_t rows)
{
    size_t count;
    const int32_t *history = sequence_tokens(generation->sequence, &count);
    bool whole = generation->probe > 0 || generation->grammar != NULL;
    uint32_t needed =
        whole ? 0
              : sampler_candidates(generation->sampler, history, count - generation->drafted,
                                   generation->banned.count);
    /* Each row's window of history has at most one id more than the window before it. */
    return needed == 0 || needed + rows - 1 > BACKEND_CANDIDATES_MAX ? 0 : needed + rows - 1;
}

static int32_t choose_any(struct generation *generation, const struct step_result *step,
                          uint32_t row, const int32_t *history, size_t count)
{
    const struct token_list *banned = &generation->banned;
    if (step->logits != NULL)
        return sampler_choose(generation->sampler, step->logits + (size_t)row * generation->vocab,
                              history, count, banned->ids, banned->count);
    return sampler_choose_best(generation->sampler, step->best + (size_t)row * step->limit,
                               step->counts[row], history, count, banned->ids, banned->count);
}

#define GRAMMAR_TRIES 8 /* choices that may be forbidden before every id is judged */

/* As choose_any, among the ids that the grammar allows; -1 when the reply is over. */
static int32_t choose_allowed(struct generation *generation, const struct step_result *step,
                              uint32_t row, const int32_t *history, size_t count)
{
    struct token_list *banned = &generation->banned;
    size_t kept = banned->count;
    int32_t id = choose_any(generation, step, row, history, count);
    enum grammar_verdict verdict = GRAMMAR_ALLOWS;
    for (int tries = 0; id >= 0; tries++) {
        verdict = judge_id(generation, id);
        if (verdict != GRAMMAR_FORBIDS)
            break;
        token_list_add(banned, id);
        if (tries == GRAMMAR_TRIES)
            ban_forbidden(generation);
        id = choose_any(generation, step, row, history, count);
    }
    bool over = verdict == GRAMMAR_ENDS || (id < 0 && banned->count > kept);
    banned->count = kept;
    if (over)
        generation_finish(generation, STOP_STRING);
    return over ? -1 : id;
}

static int32_t choose(struct generation *generation, const struct step_result *step, uint32_t row,
                      const int32_t *history, size_t count)
{
    return generation->grammar != NULL ? choose_allowed(generation, step, row, history, count)
                                       : choose_any(generation, step, row, history, count);
}

/* The reply's next token, or its end. */
static void take_token(struct generation *generation, int32_t id)
{
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
    accept_id(generation, id);
    generation->usage.reply++;
    generation->usage.reserve--;
    if (generation->draft != NULL)
        draft_keep(generation->draft, id);
    if (reply_push(generation->reply, id))
        generation_finish(generation, STOP_STRING);
    else if (generation->usage.reply == generation->reply_limit)
        generation_finish(generation, generation->limited_by_context ? STOP_CONTEXT : STOP_LENGTH);
}

/* Row by row with the ordinary sampler, as long as it chooses what was drafted. A draft names one
 * token for certain, so keeping what the sampler chose, right or wrong, is the very distribution of
 * plain decoding; and since a row after a wrong token is not looked at, the random numbers are the
 * same too. Returns how many were sampled; *last is the last one. */
static uint32_t take_tokens(struct generation *generation, const struct step_result *step,
                            int32_t *last)
{
    size_t count;
    const int32_t *tokens = sequence_tokens(generation->sequence, &count);
    size_t first = count - generation->drafted; /* the history of row 0 */
    uint32_t sampled = 0;
    do {
        *last = choose(generation, step, sampled, tokens, first + sampled);
        if (generation->state != GENERATION_OVER)
            take_token(generation, *last);
        sampled++;
    } while (generation->state != GENERATION_OVER && sampled < step->rows &&
             tokens[first + sampled - 1] == *last);
    return sampled;
}

static void count_step(struct generation *generation, const struct step_result *step,
                       uint32_t sampled)
{
    struct usage *usage = &generation->usage;
    usage->steps++;
    usage->drafted += generation->drafted;
    usage->accepted += sampled - 1;
    generation->cost += step->cost;
    /* One row is no dearer than several, whatever the clock made of a busy moment. */
    generation->plain_cost +=
        sampled * (step->plain_cost < step->cost ? step->plain_cost : step->cost);
    if (usage->drafted > 0 && generation->cost > 0)
        usage->draft_gain = generation->plain_cost / generation->cost;
}

void generation_sample(struct generation *generation, const struct step_result *step)
{
    struct error error = {0};
    bool first = generation->state == GENERATION_PREFILL;
    if (first)
        enter_decode(generation, step->now);
    generation->usage.decode_seconds = step->now - generation->began;
    if (generation->probe > 0) {
        sequence_advance(generation->sequence, step->evaluated);
        take_choices(generation, step->logits);
        return;
    }
    int32_t last;
    uint32_t sampled = take_tokens(generation, step, &last);
    uint32_t wrong = generation->drafted - (sampled - 1);
    size_t count;
    sequence_tokens(generation->sequence, &count);
    sequence_take_back(generation->sequence, count - wrong);
    sequence_advance(generation->sequence, step->evaluated - wrong);
    if (!first)
        count_step(generation, step, sampled);
    generation->drafted = 0;
    if (generation->state != GENERATION_OVER &&
        sequence_push(generation->sequence, last, &error) != 0)
        generation_fail(generation, &error);
}

void generation_finish(struct generation *generation, enum stop_reason reason)
{
    if (reason != STOP_STRING)
        reply_finish(generation->reply);
    else
        reply_cut(generation->reply);
    generation->reason = reason;
    generation->state = GENERATION_OVER;
}

void generation_fail(struct generation *generation, const struct error *error)
{
    reply_finish(generation->reply);
    generation->error = *error;
    generation->state = GENERATION_OVER;
}
