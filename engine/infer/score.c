#include "engine/infer/score.h"

#include <math.h>
#include <stdlib.h>

#include "engine/base/alloc.h"
#include "engine/infer/forward.h"
#include "engine/infer/kv_cache.h"
#include "engine/infer/sequence.h"

struct scorer {
    const struct model *model;
    struct forward *forward;
    struct kv_cache *cache; /* of the text at hand */
    struct sequence *sequence;
    uint32_t *positions, *sequences, *rows; /* [max_tokens] */
    score_row row;
    void *user;
};

void scorer_close(struct scorer *scorer)
{
    if (scorer == NULL)
        return;
    forward_close(scorer->forward);
    free(scorer->positions);
    free(scorer->sequences);
    free(scorer->rows);
    free(scorer);
}

int scorer_open(struct scorer **out, struct model *model, struct error *error)
{
    struct scorer *scorer = xcalloc(1, sizeof *scorer);
    size_t batch = model->shape.max_tokens;
    scorer->model = model;
    scorer->positions = xcalloc(batch, sizeof(uint32_t));
    scorer->sequences = xcalloc(batch, sizeof(uint32_t));
    scorer->rows = xcalloc(batch, sizeof(uint32_t));
    if (forward_open(&scorer->forward, model, error) != 0) {
        scorer_close(scorer);
        return -1;
    }
    *out = scorer;
    return 0;
}

static int check_tokens(const struct model *model, const int32_t *tokens, size_t count,
                        struct error *error)
{
    if (count > model->context)
        return error_set(error, ERROR_INPUT, "%zu tokens do not fit in a context of %u", count,
                         model->context);
    for (size_t i = 0; i < count; i++)
        if (tokens[i] < 0 || (uint32_t)tokens[i] >= model->shape.vocab)
            return error_set(error, ERROR_INPUT, "token %zu: id %d is not in a vocabulary of %u", i,
                             tokens[i], model->shape.vocab);
    return 0;
}

/* A cache of its own, so that no prefix is found and every position is evaluated. */
static int begin_text(struct scorer *scorer, const int32_t *tokens, size_t count,
                      struct error *error)
{
    if (check_tokens(scorer->model, tokens, count, error) != 0 ||
        kv_cache_open(&scorer->cache, scorer->model, kv_pages_for(count), error) != 0)
        return -1;
    scorer->sequence = sequence_create(scorer->cache, (uint32_t)count);
    return sequence_sync(scorer->sequence, tokens, count, NULL, error);
}

static void end_text(struct scorer *scorer)
{
    sequence_free(scorer->sequence);
    kv_cache_close(scorer->cache);
    scorer->sequence = NULL;
    scorer->cache = NULL;
}

/* Hands out the logits of the n rows of the last batch, as many at a time as head() takes. */
static int scorer_rows(struct scorer *scorer, size_t first, uint32_t n, struct error *error)
{
    const struct backend_shape *shape = &scorer->model->shape;
    for (uint32_t done = 0; done < n;) {
        uint32_t some = n - done < shape->max_head_rows ? n - done : shape->max_head_rows;
        for (uint32_t i = 0; i < some; i++)
            scorer->rows[i] = done + i;
        const float *logits;
        if (forward_head(scorer->forward, scorer->rows, some, &logits, error) != 0)
            return -1;
        for (uint32_t i = 0; i < some; i++, done++)
            if (scorer->row(scorer->user, first + done, logits + (size_t)i * shape->vocab,
                            shape->vocab) != 0)
                return error_set(error, ERROR_CANCELLED, "stopped");
    }
    return 0;
}

static int scorer_chunk(struct scorer *scorer, struct error *error)
{
    size_t count, first = sequence_done(scorer->sequence);
    const int32_t *tokens = sequence_tokens(scorer->sequence, &count);
    const uint32_t *pages = sequence_pages(scorer->sequence, NULL);
    uint32_t n = scorer->model->shape.max_tokens;
    if (n > count - first)
        n = (uint32_t)(count - first);
    for (uint32_t i = 0; i < n; i++)
        scorer->positions[i] = (uint32_t)first + i;
    struct backend_batch batch = {n, tokens + first, scorer->positions, scorer->sequences, &pages,
                                  1};
    if (forward_layers(scorer->forward, &batch, NULL, error) != 0)
        return -1;
    sequence_advance(scorer->sequence, n);
    return scorer_rows(scorer, first, n, error);
}

int scorer_run(struct scorer *scorer, const int32_t *tokens, size_t count, score_row row,
               void *user, struct error *error)
{
    if (count == 0)
        return 0;
    scorer->row = row;
    scorer->user = user;
    int result = begin_text(scorer, tokens, count, error);
    while (result == 0 && sequence_done(scorer->sequence) < count)
        result = scorer_chunk(scorer, error);
    end_text(scorer);
    return result;
}

int score_tokens(struct model *model, const int32_t *tokens, size_t count, score_row row,
                 void *user, struct error *error)
{
    struct scorer *scorer;
    if (scorer_open(&scorer, model, error) != 0)
        return -1;
    int result = scorer_run(scorer, tokens, count, row, user, error);
    scorer_close(scorer);
    return result;
}

double log_softmax_at(const float *logits, uint32_t vocab, int32_t id)
{
    double max = logits[0], sum = 1; /* sum of exp(logit - max), rescaled when max grows */
    for (uint32_t i = 1; i < vocab; i++) {
        double logit = logits[i];
        sum = logit > max ? sum * exp(max - logit) + 1 : sum + exp(logit - max);
        max = logit > max ? logit : max;
    }
    return logits[id] - max - log(sum);
}
