#include "tui/token_probes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/infer/probe.h"

#define SLOTS         4096 /* a power of two */
#define PROBES_MAX    2048 /* further ones begin anew */
#define FNV_BASIS     0xCBF29CE484222325u
#define FNV_PRIME     0x100000001B3u
#define OUTSIDE_LEAST 0.01 /* probability outside the choices that matters for the entropy */

struct token_probes {
    struct generator *generator;
    struct token_probe *slots[SLOTS]; /* by key, the next free one where taken */
    size_t count;
    bool busy;
    uint64_t generation, key; /* of the one that is asked for */
};

struct token_probes *token_probes_create(struct generator *generator)
{
    struct token_probes *probes = xcalloc(1, sizeof *probes);
    probes->generator = generator;
    return probes;
}

static void forget(struct token_probes *probes)
{
    for (size_t i = 0; i < SLOTS; i++) {
        if (probes->slots[i] != NULL)
            probe_free(probes->slots[i]->choices, probes->slots[i]->count);
        free(probes->slots[i]);
        probes->slots[i] = NULL;
    }
    probes->count = 0;
}

void token_probes_free(struct token_probes *probes)
{
    if (probes == NULL)
        return;
    token_probes_cancel(probes);
    forget(probes);
    free(probes);
}

/* Where the key is, or would be. */
static size_t slot_of(const struct token_probes *probes, uint64_t key)
{
    size_t slot = (size_t)(key ^ key >> 32) % SLOTS;
    while (probes->slots[slot] != NULL && probes->slots[slot]->key != key)
        slot = (slot + 1) % SLOTS;
    return slot;
}

const struct token_probe *token_probes_find(const struct token_probes *probes, uint64_t key)
{
    return probes->slots[slot_of(probes, key)];
}

/* --- asking ---------------------------------------------------------------------------------- */

int token_probes_ask(struct token_probes *probes, uint64_t key, const struct segment_list *prompt,
                     const int32_t *ids, size_t count, struct error *error)
{
    struct generation_request request = {.segments = *prompt,
                                         .begin_tokens = count > 0 ? ids : NULL,
                                         .begin_count = count,
                                         .probe = TOKEN_CHOICES};
    if (probes->generator->ops->start(probes->generator, &request, &probes->generation, error) != 0)
        return -1;
    probes->busy = true;
    probes->key = key;
    return 0;
}

bool token_probes_are_busy(const struct token_probes *probes)
{
    return probes->busy;
}

void token_probes_cancel(struct token_probes *probes)
{
    if (probes->busy)
        probes->generator->ops->cancel(probes->generator, probes->generation);
    probes->busy = false;
}

/* The texts are copied: the event is not ours. */
static void keep(struct token_probes *probes, const struct event *event)
{
    if (probes->count >= PROBES_MAX)
        forget(probes);
    size_t slot = slot_of(probes, probes->key);
    if (probes->slots[slot] != NULL || event->choice_count == 0)
        return;
    struct token_probe *probe = xcalloc(1, sizeof *probe);
    probe->key = probes->key;
    probe->count = event->choice_count;
    probe->choices = xcalloc(event->choice_count, sizeof *probe->choices);
    for (size_t i = 0; i < probe->count; i++) {
        probe->choices[i] = event->choices[i];
        probe->choices[i].text = xstrdup(event->choices[i].text);
    }
    probes->slots[slot] = probe;
    probes->count++;
}

bool token_probes_event(struct token_probes *probes, const struct event *event, struct error *error)
{
    error->code = ERROR_NONE;
    if (!probes->busy || event->kind == EVENT_COUNT || event->generation != probes->generation)
        return false;
    if (event->kind == EVENT_CHOICES)
        keep(probes, event);
    if (event->kind == EVENT_ERROR)
        *error = event->error;
    if (event->kind == EVENT_DONE && token_probes_find(probes, probes->key) == NULL)
        error_set(error, ERROR_DEVICE, "the probabilities did not come");
    if (event->kind == EVENT_DONE || event->kind == EVENT_ERROR)
        probes->busy = false;
    return true;
}

/* --- numbers --------------------------------------------------------------------------------- */

static uint64_t mix(uint64_t key, const void *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++)
        key = (key ^ ((const unsigned char *)bytes)[i]) * FNV_PRIME;
    return key;
}

uint64_t token_key_prompt(const struct segment_list *prompt)
{
    uint64_t key = FNV_BASIS;
    for (size_t i = 0; i < prompt->count; i++) {
        const struct segment *segment = &prompt->items[i];
        unsigned char kind = (unsigned char)(segment->kind * 2 + segment->fresh);
        key = mix(key, &kind, sizeof kind);
        key = mix(key, &segment->length, sizeof segment->length);
        key = mix(key, segment->text, segment->text != NULL ? segment->length : 0);
        key = mix(key, segment->tokens.ids, segment->tokens.count * sizeof *segment->tokens.ids);
    }
    return key;
}

uint64_t token_key_next(uint64_t key, int32_t id)
{
    return mix(key, &id, sizeof id);
}

size_t token_probe_rank(const struct token_probe *probe, int32_t id)
{
    size_t rank = 0;
    while (rank < probe->count && probe->choices[rank].id != id)
        rank++;
    return rank;
}

double token_probe_probability(const struct token_probe *probe, int32_t id, bool *exact)
{
    size_t rank = token_probe_rank(probe, id);
    *exact = rank < probe->count;
    size_t index = *exact ? rank : probe->count - 1;
    return exp((double)probe->choices[index].log_probability);
}

double token_probe_entropy(const struct token_probe *probe, bool *exact)
{
    double entropy = 0, sum = 0;
    for (size_t i = 0; i < probe->count; i++) {
        double p = exp((double)probe->choices[i].log_probability);
        sum += p;
        if (p > 0)
            entropy -= p * log2(p);
    }
    *exact = sum > 1 - OUTSIDE_LEAST;
    return entropy;
}

double token_probe_letter(const struct token_probe *probe, char letter)
{
    double sum = 0;
    for (size_t i = 0; i < probe->count; i++) {
        const char *text = probe->choices[i].text;
        text += strspn(text, " ");
        if (!probe->choices[i].special && text[0] == letter &&
            text[1 + strspn(text + 1, " ")] == '\0')
            sum += exp((double)probe->choices[i].log_probability);
    }
    return sum;
}
