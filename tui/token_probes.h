/*
 * token_probes.h - what else could have stood in the place of a token: asked of the generator, one
 * place at a time, and kept.
 *
 * A place is known by a number made from the prompt and all ids before it, so a result holds
 * wherever the same prefix stands, in any branch of any chat.
 */
#ifndef AIRO_TUI_TOKEN_PROBES_H
#define AIRO_TUI_TOKEN_PROBES_H

#include "engine/infer/generator.h"

#define TOKEN_CHOICES PROBE_MAX

struct token_probes;

/* Likeliest first. */
struct token_probe {
    uint64_t key;
    struct token_choice *choices;
    size_t count;
};

struct token_probes *token_probes_create(struct generator *generator);
/* What is asked for is cancelled. */
void token_probes_free(struct token_probes *probes);

/* NULL: not known (yet). Valid until the next event. */
const struct token_probe *token_probes_find(const struct token_probes *probes, uint64_t key);
/* Asks what follows the prompt and these ids. One at a time: only while not busy. */
int token_probes_ask(struct token_probes *probes, uint64_t key, const struct segment_list *prompt,
                     const int32_t *ids, size_t count, struct error *error);
bool token_probes_are_busy(const struct token_probes *probes);
/* The one that is asked for does not come. */
void token_probes_cancel(struct token_probes *probes);
/* True when the event was an answer's. An error is in *error, whose code is ERROR_NONE otherwise.
 */
bool token_probes_event(struct token_probes *probes, const struct event *event,
                        struct error *error);

/* --- numbers --------------------------------------------------------------------------------- */

/* Keys: of a prompt, then of each place after it by the id before. */
uint64_t token_key_prompt(const struct segment_list *prompt);
uint64_t token_key_next(uint64_t key, int32_t id);

/* The index of the choice with this id; `count` when it is not among them. */
size_t token_probe_rank(const struct token_probe *probe, int32_t id);
/* 0 to 1; of an id that is not among the choices, the most it can be. */
double token_probe_probability(const struct token_probe *probe, int32_t id, bool *exact);
/* Entropy in bits; *exact is false when much of the probability is outside the choices: it is more
 * then. */
double token_probe_entropy(const struct token_probe *probe, bool *exact);
/* The probability that a word is the letter: choices that read so, whatever spaces they have. */
double token_probe_letter(const struct token_probe *probe, char letter);

#endif
