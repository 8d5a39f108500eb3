/*
 * perplexity.h - how well a model predicts a text at a context length, under a RoPE rule.
 *
 * Windows do not overlap: the text's tokens are cut into pieces of the length; where the tokenizer
 * has a begin token it stands in place of the first token of each, and every token after the first
 * is judged with what stands before it in its window. So short windows pay for their many
 * beginnings: a model that uses its context falls with the length.
 */
#ifndef AIRO_EVAL_PERPLEXITY_H
#define AIRO_EVAL_PERPLEXITY_H

#include <stdbool.h>

#include "engine/infer/score.h"
#include "engine/model/model.h"

/* A rule of the table: "as-is", or a rule's name and, after a colon, its factor. */
struct rope_rule {
    char name[32]; /* as it was asked for */
    struct rope_config rope;
};

/* Reads one rule. The factor, where it is not said, is the file's; the original length is the
 * file's, or what the file was made for without scaling. Errors name the rule. */
int rope_rule_read(struct rope_rule *rule, const char *text, size_t length,
                   const struct model_config *config, struct error *error);

struct perplexity {
    double value;   /* exp of the mean of -log p */
    size_t windows; /* measured */
    size_t tokens;  /* judged */
};

/* Called after every token; returns true to stop. */
typedef bool (*perplexity_progress)(void *user);

/* Measures the first `windows` windows of `length` tokens (2 or more, windows * length <= count and
 * length <= model->context) with a scorer of that model. Leaves the rule in the model.
 * ERROR_CANCELLED: `out` holds what was measured so far (value 0 when nothing was). */
int perplexity_measure(struct perplexity *out, struct model *model, struct scorer *scorer,
                       const struct rope_rule *rule, const int32_t *tokens, size_t windows,
                       size_t length, perplexity_progress progress, void *user,
                       struct error *error);

#endif
