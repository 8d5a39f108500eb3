/*
 * prompt_fit.h - what has to be left out so that a prompt fits into a context.
 *
 * The example talks of cards go first, the last of them first; then the oldest turns. Documents,
 * the scene and the last turn never go: when they alone are too much, that is an error with
 * numbers.
 */
#ifndef AIRO_CHAT_PROMPT_FIT_H
#define AIRO_CHAT_PROMPT_FIT_H

#include "engine/chat/prompt.h"

/* What prompt_build is given. */
struct prompt_source {
    const struct chat_template *template;
    const struct tokenizer *tokenizer;       /* may be NULL */
    const struct conversation *conversation; /* may be NULL */
    const char *draft;                       /* may be NULL */
    const struct document_list *documents;   /* may be NULL */
};

/* The tokens of a prompt: generator count(), or segment_tokenize. */
typedef int (*prompt_count)(void *user, const struct segment_list *segments, size_t *tokens,
                            struct error *error);

/* Sets style->skip_turns and style->skip_examples to the least with which the prompt is at most
 * `budget` tokens, and *tokens (may be NULL) to what it then has. ERROR_INPUT when it does not fit
 * with everything left out that can be; both are then at their most. The count is made a few times
 * plus once for each doubling of the turns. */
int prompt_fit(const struct prompt_source *source, struct prompt_style *style, size_t budget,
               prompt_count count, void *user, size_t *tokens, struct error *error);

#endif
