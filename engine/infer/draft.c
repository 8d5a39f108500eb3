#include "engine/infer/draft.h"

#include <stdlib.h>

#include "engine/base/alloc.h"
#include "engine/infer/suffix_index.h"

#define TOKENS_MAX  131072 /* of a longer prompt, drafts come from the last so many tokens */
#define PRIOR_TRIES 4.0    /* how many trials the priors below are worth */
#define FADE        0.95   /* what a trial still counts after the next one */

/* How often a match of at least `length` tokens is right about the next one, in a document and
 * elsewhere, before anything is known of a reply. Replies differ too much for more than a rough
 * figure. */
static const struct level {
    size_t length;
    double prior[2]; /* elsewhere, in a document */
} levels[] = {
    {1, {0.10, 0.20}},  {2, {0.25, 0.45}},  {3, {0.40, 0.65}},  {4, {0.50, 0.75}},
    {6, {0.60, 0.85}},  {8, {0.65, 0.90}},  {12, {0.75, 0.92}}, {16, {0.80, 0.94}},
    {24, {0.85, 0.95}}, {32, {0.90, 0.95}},
};
#define LEVELS (sizeof levels / sizeof levels[0])

struct draft {
    struct suffix_index *index;
    size_t skip; /* tokens of the prompt that the index has no room for */
    struct trials {
        double right, all;
    } trials[2][LEVELS]; /* likewise */
};

struct draft *draft_create(size_t capacity)
{
    struct draft *draft = xcalloc(1, sizeof *draft);
    size_t some = capacity < TOKENS_MAX ? capacity : TOKENS_MAX;
    draft->index = suffix_index_create(some);
    draft->skip = capacity - some;
    if (draft->index != NULL)
        return draft;
    free(draft);
    return NULL;
}

void draft_free(struct draft *draft)
{
    if (draft == NULL)
        return;
    suffix_index_free(draft->index);
    free(draft);
}

void draft_read(struct draft *draft, const int32_t *ids, size_t count, bool document)
{
    size_t skipped = count < draft->skip ? count : draft->skip;
    draft->skip -= skipped;
    for (size_t i = skipped; i < count; i++)
        suffix_index_add(draft->index, ids[i], document);
}

static size_t level_of(size_t length)
{
    size_t level = LEVELS - 1;
    while (level > 0 && levels[level].length > length)
        level--;
    return level;
}

/* That a match of `length` tokens tells the next one. */
static double chance_of(const struct draft *draft, bool document, size_t length)
{
    size_t level = level_of(length);
    const struct trials *trials = &draft->trials[document][level];
    double prior = levels[level].prior[document];
    return (trials->right + PRIOR_TRIES * prior) / (trials->all + PRIOR_TRIES);
}

void draft_keep(struct draft *draft, int32_t id)
{
    size_t count;
    const int32_t *tokens = suffix_index_tokens(draft->index, &count);
    struct suffix_match match = suffix_index_match(draft->index);
    if (match.length > 0) {
        struct trials *trials = &draft->trials[match.document][level_of(match.length)];
        trials->right = trials->right * FADE + (tokens[match.end] == id);
        trials->all = trials->all * FADE + 1;
    }
    suffix_index_add(draft->index, id, false);
}

void draft_propose(const struct draft *draft, uint32_t most, struct draft_offer *offer)
{
    size_t count;
    const int32_t *tokens = suffix_index_tokens(draft->index, &count);
    struct suffix_match match = suffix_index_match(draft->index);
    double chance = 1;
    offer->count = match.length > 0 ? most : 0;
    for (uint32_t i = 0; i < offer->count; i++) {
        size_t at = match.end + i; /* beyond the text: a draft that repeats itself */
        offer->ids[i] = at < count ? tokens[at] : offer->ids[at - count];
        chance *= chance_of(draft, match.document, match.length + i);
        offer->chance[i] = chance;
    }
}
