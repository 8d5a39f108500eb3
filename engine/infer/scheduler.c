#include "engine/infer/scheduler.h"

#include <stdlib.h>

#include "engine/base/alloc.h"
#include "engine/infer/draft_share.h"
#include "engine/infer/step_cost.h"

#define CHUNK_FIRST        64   /* before anything has been measured */
#define CHUNK_LEAST        16   /* and the multiple that chunks are rounded to */
#define CHUNK_SHARED_S     0.10 /* beside replies being decoded */
#define STEP_S             0.10 /* one step of one layer, between two looks at the cancel flag */
#define STEP_SHARE         0.5  /* the largest step's share of a layer */
#define MEASURE_TOKENS_MIN 16   /* batches below this say nothing about prefill */
#define CHANCE_BESIDE      0.2  /* of a drafted token that goes along with a chunk of a prompt */

struct scheduler {
    struct backend_shape shape;
    uint32_t chunk;
    double token_seconds; /* of prefill; 0: not measured yet */
    uint64_t turn;        /* rotates the replies when they are more than a batch holds */
    struct step_cost cost;
    struct draft_offer *offers; /* [max_head_rows] of the replies in the batch */
    uint32_t *drafts;           /* [max_head_rows] how many tokens of each go in */
    struct schedule schedule;
    int32_t *tokens;                 /* [max_tokens] */
    uint32_t *positions, *sequences; /* [max_tokens] */
    const uint32_t **page_tables;    /* [max_tokens] */
};

struct scheduler *scheduler_create(const struct model *model)
{
    struct scheduler *scheduler = xcalloc(1, sizeof *scheduler);
    size_t n = model->shape.max_tokens;
    scheduler->shape = model->shape;
    scheduler->chunk = model->chunk > 0 && model->chunk < n ? model->chunk : (uint32_t)n;
    scheduler->tokens = xcalloc(n, sizeof *scheduler->tokens);
    scheduler->positions = xcalloc(n, sizeof *scheduler->positions);
    scheduler->sequences = xcalloc(n, sizeof *scheduler->sequences);
    scheduler->page_tables = xcalloc(n, sizeof *scheduler->page_tables);
    scheduler->offers = xcalloc(model->shape.max_head_rows, sizeof *scheduler->offers);
    scheduler->drafts = xcalloc(model->shape.max_head_rows, sizeof *scheduler->drafts);
    scheduler->schedule.entries = xcalloc(n, sizeof *scheduler->schedule.entries);
    scheduler->schedule.rows = xcalloc(n, sizeof *scheduler->schedule.rows);
    return scheduler;
}

void scheduler_free(struct scheduler *scheduler)
{
    if (scheduler == NULL)
        return;
    free(scheduler->tokens);
    free(scheduler->positions);
    free(scheduler->sequences);
    free(scheduler->page_tables);
    free(scheduler->offers);
    free(scheduler->drafts);
    free(scheduler->schedule.entries);
    free(scheduler->schedule.rows);
    free(scheduler);
}

static uint32_t round_chunk(double tokens, uint32_t most)
{
    if (tokens >= most)
        return most;
    if (tokens < CHUNK_LEAST)
        return CHUNK_LEAST < most ? CHUNK_LEAST : most;
    return (uint32_t)tokens / CHUNK_LEAST * CHUNK_LEAST;
}

/* How many tokens of a prompt the next batch may take. */
static uint32_t chunk_size(const struct scheduler *s, uint32_t decoding)
{
    if (s->token_seconds <= 0)
        return round_chunk(decoding > 0 ? CHUNK_LEAST : CHUNK_FIRST, s->chunk);
    double seconds = STEP_S * s->shape.layers / STEP_SHARE;
    if (decoding > 0 && seconds > CHUNK_SHARED_S)
        seconds = CHUNK_SHARED_S;
    return round_chunk(seconds / s->token_seconds, s->chunk);
}

/* Adds the next `count` tokens of a generation, the last `heads` of them with logits. */
static void add_rows(struct scheduler *s, struct generation *generation, uint32_t count,
                     uint32_t heads)
{
    struct schedule *schedule = &s->schedule;
    const int32_t *tokens = sequence_tokens(generation->sequence, NULL);
    uint32_t done = (uint32_t)sequence_done(generation->sequence), n = schedule->batch.n;
    for (uint32_t i = 0; i < count; i++) {
        s->tokens[n + i] = tokens[done + i];
        s->positions[n + i] = done + i;
        s->sequences[n + i] = schedule->entry_count;
    }
    s->page_tables[schedule->entry_count] = sequence_pages(generation->sequence, NULL);
    schedule->entries[schedule->entry_count++] = (struct schedule_entry){generation, count, heads};
    schedule->batch.n += count;
    for (uint32_t i = heads; i > 0; i--)
        schedule->rows[schedule->row_count++] = schedule->batch.n - i;
}

static void add_prefill(struct scheduler *s, struct generation *generation, uint32_t decoding)
{
    size_t count;
    sequence_tokens(generation->sequence, &count);
    size_t left = count - sequence_done(generation->sequence);
    size_t room = s->shape.max_tokens - s->schedule.batch.n;
    size_t some = chunk_size(s, decoding);
    some = some < room ? some : room;
    some = some < left ? some : left;
    bool last = some == left;
    if (last && s->schedule.row_count == s->shape.max_head_rows) {
        some--; /* no room for its logits in this batch */
        last = false;
    }
    if (some > 0)
        add_rows(s, generation, (uint32_t)some, last ? 1 : 0);
}

/* The replies being decoded, or as many as fit, beginning with another one each time. */
static uint32_t choose_replies(struct scheduler *s, struct generation *generations,
                               uint32_t decoding, uint32_t limit)
{
    struct schedule_entry *entries = s->schedule.entries;
    uint32_t skip = decoding > limit ? (uint32_t)(s->turn++ * limit % decoding) : 0, chosen = 0;
    for (int round = 0; round < 2; round++) {
        uint32_t index = 0;
        for (struct generation *g = generations; g != NULL; g = g->next) {
            if (g->state != GENERATION_DECODE)
                continue;
            bool mine = round == 0 ? index >= skip : index < skip;
            if (mine && chosen < limit)
                entries[chosen++].generation = g;
            index++;
        }
    }
    return chosen;
}

/* Beside a chunk of a prompt a row costs next to nothing, so only hopeless ones are left out. */
static void drop_hopeless(struct draft_offer *offer)
{
    while (offer->count > 0 && offer->chance[offer->count - 1] < CHANCE_BESIDE)
        offer->count--;
}

/* Fills `drafts` for the first `replies` entries, `room` rows at most in all. Replies that want a
 * fixed number are served first. Now and then a step is made plainly, to know what that costs. */
static void choose_drafts(struct scheduler *s, uint32_t replies, uint32_t room, bool reading)
{
    const struct schedule_entry *entries = s->schedule.entries;
    const struct step_cost *cost = reading ? NULL : &s->cost;
    bool plainly = cost != NULL && step_cost_is_stale(cost, replies);
    uint32_t fixed = 0;
    for (uint32_t i = 0; i < replies; i++) {
        const struct generation *g = entries[i].generation;
        bool automatic = g->draft_mode == DRAFT_AUTO;
        generation_offer(g, automatic && plainly ? 0 : DRAFT_MAX, &s->offers[i]);
        if (automatic && reading)
            drop_hopeless(&s->offers[i]);
        for (uint32_t j = 0; !automatic && j < s->offers[i].count; j++)
            s->offers[i].chance[j] = 1;
        if (!automatic)
            fixed += s->offers[i].count;
    }
    uint32_t least = fixed < room ? fixed : room;
    draft_share(s->offers, replies, replies, least, room, cost, s->drafts);
}

static void add_decode(struct scheduler *s, struct generation *generations, uint32_t decoding,
                       uint32_t limit, bool reading)
{
    struct schedule *schedule = &s->schedule;
    uint32_t replies = choose_replies(s, generations, decoding, limit);
    if (replies == 0)
        return;
    choose_drafts(s, replies, limit - replies, reading);
    for (uint32_t i = 0; i < replies; i++) {
        struct generation *g = schedule->entries[i].generation;
        /* Each reply may need a page for its next token while other drafts still hold theirs. */
        uint32_t drafted = generation_draft(g, &s->offers[i], s->drafts[i], replies + 1);
        add_rows(s, g, 1 + drafted, 1 + drafted);
    }
    if (reading)
        return;
    schedule->cost = step_cost_of(&s->cost, schedule->batch.n);
    schedule->plain_cost = step_cost_of(&s->cost, replies);
}

const struct schedule *scheduler_next(struct scheduler *s, struct generation *generations)
{
    struct schedule *schedule = &s->schedule;
    struct generation *reading = NULL;
    uint32_t decoding = 0;
    schedule->batch = (struct backend_batch){0};
    schedule->entry_count = schedule->row_count = 0;
    schedule->cost = schedule->plain_cost = 0;
    for (struct generation *g = generations; g != NULL; g = g->next) {
        if (g->state == GENERATION_PREFILL && reading == NULL)
            reading = g;
        decoding += g->state == GENERATION_DECODE;
    }
    uint32_t limit = s->shape.max_head_rows, tokens = s->shape.max_tokens;
    if (reading != NULL && limit > 1)
        limit--;
    if (reading != NULL && tokens > 1)
        tokens--;
    add_decode(s, generations, decoding, limit < tokens ? limit : tokens, reading != NULL);
    if (reading != NULL)
        add_prefill(s, reading, decoding);
    schedule->batch.tokens = s->tokens;
    schedule->batch.positions = s->positions;
    schedule->batch.sequences = s->sequences;
    schedule->batch.page_tables = s->page_tables;
    schedule->batch.sequence_count = schedule->entry_count;
    return schedule;
}

void scheduler_abandon(struct scheduler *s)
{
    for (uint32_t i = 0; i < s->schedule.entry_count; i++)
        generation_undraft(s->schedule.entries[i].generation);
}

void scheduler_measure(struct scheduler *s, double seconds)
{
    uint32_t n = s->schedule.batch.n;
    if (s->schedule.cost > 0)
        step_cost_add(&s->cost, n, seconds);
    if (n < MEASURE_TOKENS_MIN || seconds <= 0)
        return;
    double now = seconds / n;
    s->token_seconds = s->token_seconds > 0 ? 0.5 * s->token_seconds + 0.5 * now : now;
}

double scheduler_token_seconds(const struct scheduler *s)
{
    return s->token_seconds;
}
