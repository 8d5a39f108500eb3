#include "engine/infer/draft_share.h"

/* The offer whose next token is the likeliest; -1: none has one left. */
static int likeliest(const struct draft_offer *offers, uint32_t count, const uint32_t *taken)
{
    int best = -1;
    for (uint32_t i = 0; i < count; i++) {
        if (taken[i] == offers[i].count)
            continue;
        if (best < 0 || offers[i].chance[taken[i]] > offers[best].chance[taken[best]])
            best = (int)i;
    }
    return best;
}

/* Takes the `most` likeliest tokens, and says how many of them give the best rate. */
static uint32_t take(const struct draft_offer *offers, uint32_t count, uint32_t rows,
                     uint32_t most, const struct step_cost *cost, uint32_t *taken)
{
    double tokens = rows, best_rate = cost != NULL ? rows / step_cost_of(cost, rows) : 0;
    uint32_t best = 0;
    for (uint32_t i = 0; i < count; i++)
        taken[i] = 0;
    for (uint32_t more = 1; more <= most; more++) {
        int offer = likeliest(offers, count, taken);
        if (offer < 0)
            break;
        tokens += offers[offer].chance[taken[offer]++];
        double rate = cost != NULL ? tokens / step_cost_of(cost, rows + more) : tokens;
        if (rate > best_rate || cost == NULL) {
            best_rate = rate;
            best = more;
        }
    }
    return best;
}

void draft_share(const struct draft_offer *offers, uint32_t count, uint32_t rows, uint32_t room,
                 const struct step_cost *cost, uint32_t *taken)
{
    uint32_t best = take(offers, count, rows, room, cost, taken);
    take(offers, count, rows, best, NULL, taken);
}
