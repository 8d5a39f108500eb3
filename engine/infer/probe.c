#include "engine/infer/probe.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/infer/score.h"

#define CHARACTER_BYTES 4 /* as many ids before may hold the beginning of one character */

/* Puts the id into the sorted choices; returns how many there are now. */
static size_t insert(struct token_choice *choices, size_t have, size_t count, int32_t id,
                     float logit)
{
    size_t at = have < count ? have : count;
    while (at > 0 && choices[at - 1].log_probability < logit)
        at--;
    if (at == count)
        return have;
    size_t kept = have < count ? have : count - 1;
    memmove(choices + at + 1, choices + at, (kept - at) * sizeof *choices);
    choices[at] = (struct token_choice){.id = id, .log_probability = logit};
    return kept + 1;
}

static char *text_of(const struct probe *probe, int32_t id)
{
    struct token_decoder decoder = {0};
    struct strbuf text = {0};
    size_t some = probe->before_count < CHARACTER_BYTES ? probe->before_count : CHARACTER_BYTES;
    for (size_t i = probe->before_count - some; i < probe->before_count; i++)
        token_decoder_push(&decoder, probe->tokenizer, probe->before[i], &text);
    strbuf_clear(&text);
    decoder.strip_leading_space = probe->afresh;
    if (tokenizer_is_special(probe->tokenizer, id))
        strbuf_puts(&text, tokenizer_piece(probe->tokenizer, id));
    else
        token_decoder_push(&decoder, probe->tokenizer, id, &text);
    token_decoder_flush(&decoder, &text);
    strbuf_puts(&text, "");
    return strbuf_detach(&text);
}

size_t probe_choices(const struct probe *probe, const float *logits, uint32_t vocab,
                     struct token_choice *choices, size_t count)
{
    size_t have = 0;
    for (uint32_t id = 0; id < vocab; id++)
        if (isfinite(logits[id]))
            have = insert(choices, have, count, (int32_t)id, logits[id]);
    for (size_t i = 0; i < have; i++) {
        struct token_choice *choice = &choices[i];
        choice->log_probability = (float)log_softmax_at(logits, vocab, choice->id);
        choice->special = tokenizer_is_special(probe->tokenizer, choice->id);
        choice->text = text_of(probe, choice->id);
    }
    return have;
}

void probe_free(struct token_choice *choices, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(choices[i].text);
    free(choices);
}
