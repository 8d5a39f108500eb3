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

/* Takes the next `most` tokens in order. Returns how many there were. */
static uint32_t take(const struct draft_offer *offers, uint32_t count, uint32_t most,
                     uint32_t *taken)
{
    uint32_t took = 0;
    for (uint32_t i = 0; i < count; i++)
        taken[i] = 0;
    for (int offer; took < most && (offer = likeliest(offers, count, taken)) >= 0; took++)
        taken[offer]++;
    return took;
}

/* How many tokens, in order, give the best rate. `taken` is for counting. */
static uint32_t best_number(const struct draft_offer *offers, uint32_t count, uint32_t rows,
                            uint32_t room, const struct step_cost *cost, uint32_t *taken)
{
    double tokens = rows, best_rate = rows / step_cost_of(cost, rows);
    uint32_t best = 0;
    int offer;
    take(offers, count, 0, taken);
    for (uint32_t more = 1; more <= room && (offer = likeliest(offers, count, taken)) >= 0;
         more++) {
        tokens += offers[offer].chance[taken[offer]++];
        double rate = tokens / step_cost_of(cost, rows + more);
        if (rate > best_rate) {
            best_rate = rate;
            best = more;
        }
    }
    return best;
}

void draft_share(const struct draft_offer *offers, uint32_t count, uint32_t rows, uint32_t least,
                 uint32_t room, const struct step_cost *cost, uint32_t *taken)
{
    uint32_t best = cost != NULL ? best_number(offers, count, rows, room, cost, taken) : room;
    take(offers, count, best > least ? best : least, taken);
}
