#include "engine/eval/perplexity.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/model/model_plan.h"
#include "engine/model/rope.h"

#define FACTOR_MAX 1024.0

/* --- rules ------------------------------------------------------------------------------------ */

static int find_kind(const char *name, size_t length)
{
    for (int kind = ROPE_NONE; kind <= ROPE_LLAMA3; kind++) {
        const char *known = rope_kind_name((enum rope_kind)kind);
        if (strlen(known) == length && memcmp(known, name, length) == 0)
            return kind;
    }
    return -1;
}

/* Digits and a point, whatever the locale; 0 when it is no factor. */
static double read_factor(const char *text, size_t length)
{
    double value = 0, unit = 1;
    bool point = false;
    for (size_t i = 0; i < length; i++) {
        if (text[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (text[i] < '0' || text[i] > '9')
            return 0;
        value = value * 10 + (text[i] - '0');
        unit *= point ? 10 : 1;
    }
    value /= unit;
    return value >= 1 && value <= FACTOR_MAX ? value : 0;
}

static void take_kind(struct rope_config *rope, enum rope_kind kind, double factor)
{
    rope->kind = kind;
    rope->factor = kind == ROPE_NONE ? 1 : factor;
    rope->beta_fast = rope->beta_fast > 0 ? rope->beta_fast : 32;
    rope->beta_slow = rope->beta_slow > 0 ? rope->beta_slow : 1;
    rope->low_freq_factor = rope->low_freq_factor > 0 ? rope->low_freq_factor : 1;
    rope->high_freq_factor = rope->high_freq_factor > 0 ? rope->high_freq_factor : 4;
}

int rope_rule_read(struct rope_rule *rule, const char *text, size_t length,
                   const struct model_config *config, struct error *error)
{
    const char *colon = memchr(text, ':', length);
    size_t name = colon != NULL ? (size_t)(colon - text) : length;
    *rule = (struct rope_rule){.rope = config->rope};
    snprintf(rule->name, sizeof rule->name, "%.*s", (int)length, text);
    if (length == 5 && memcmp(text, "as-is", 5) == 0)
        return 0;
    int kind = find_kind(text, name);
    if (kind < 0)
        return error_set(error, ERROR_INPUT,
                         "--rules: \"%s\" is not as-is, none, linear, ntk-by-parts, dynamic, yarn "
                         "or llama3",
                         rule->name);
    double factor = config->rope.factor;
    if (colon != NULL)
        factor = kind != ROPE_NONE ? read_factor(colon + 1, length - name - 1) : 0;
    if (colon != NULL && factor == 0)
        return error_set(error, ERROR_INPUT, "--rules: \"%s\": %s", rule->name,
                         kind == ROPE_NONE ? "none takes no factor"
                                           : "the factor must be from 1 to 1024");
    if (kind != ROPE_NONE && factor <= 1 && colon == NULL)
        return error_set(error, ERROR_INPUT,
                         "--rules: %s needs a factor, since config.json has none: %s:4, say",
                         rule->name, rule->name);
    if (rule->rope.original_context == 0)
        rule->rope.original_context = config->context;
    take_kind(&rule->rope, (enum rope_kind)kind, factor);
    return 0;
}

/* The frequencies depend on the length under the dynamic rule only. */
static int apply(struct model *model, const struct rope_rule *rule, size_t length,
                 struct error *error)
{
    uint32_t dim = model->config.head_dim;
    struct backend_error reason = {0};
    float *inv_freq = xcalloc(dim / 2, sizeof *inv_freq), scale;
    rope_inv_freq(&rule->rope, dim, (uint32_t)length, inv_freq, &scale);
    int result = model->ops->load_rope(model->backend, inv_freq, scale, &reason);
    free(inv_freq);
    if (result != 0)
        return backend_error_set(&reason, model->directory, error);
    model->rope_scale = scale;
    return 0;
}

/* --- measuring -------------------------------------------------------------------------------- */

struct measuring {
    const int32_t *tokens;
    size_t length;
    double sum; /* of -log p */
    size_t judged;
    perplexity_progress progress;
    void *user;
};

static int judge(void *user, size_t position, const float *logits, uint32_t vocab)
{
    struct measuring *measuring = user;
    if (position + 1 < measuring->length) {
        measuring->sum -= log_softmax_at(logits, vocab, measuring->tokens[position + 1]);
        measuring->judged++;
    }
    return measuring->progress != NULL && measuring->progress(measuring->user);
}

int perplexity_measure(struct perplexity *out, struct model *model, struct scorer *scorer,
                       const struct rope_rule *rule, const int32_t *tokens, size_t windows,
                       size_t length, perplexity_progress progress, void *user, struct error *error)
{
    struct measuring measuring = {NULL, length, 0, 0, progress, user};
    int32_t begin = tokenizer_bos(model->tokenizer);
    int32_t *window = xcalloc(length, sizeof *window);
    *out = (struct perplexity){0};
    int result = apply(model, rule, length, error);
    for (size_t i = 0; i < windows && result == 0; i++) {
        memcpy(window, tokens + i * length, length * sizeof *window);
        if (begin >= 0)
            window[0] = begin;
        measuring.tokens = window;
        result = scorer_run(scorer, window, length, judge, &measuring, error);
        out->windows += result == 0;
    }
    free(window);
    out->tokens = measuring.judged;
    if (measuring.judged > 0)
        out->value = exp(measuring.sum / (double)measuring.judged);
    return result;
}
