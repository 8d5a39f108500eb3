/*
 * draft_share.h - how many tokens of each draft are worth their rows.
 *
 * A step of n rows takes c(n) seconds. With g replies that have a row each and drafts whose tokens
 * are right with the chances p, it brings g + sum(p) tokens, so the drafts' rows are chosen for the
 * largest (g + sum(p)) / c(n). For a given n the best choice is the n - g likeliest tokens; since a
 * token's chance includes that of all before it in its draft, those are beginnings of drafts. So
 * tokens are taken in the order of their chances, and the n with the best rate wins.
 */
#ifndef AIRO_INFER_DRAFT_SHARE_H
#define AIRO_INFER_DRAFT_SHARE_H

#include <stdint.h>

#include "engine/infer/draft.h"
#include "engine/infer/step_cost.h"

/* Fills taken [count]: the number of each offer's tokens to evaluate, at least `least` (of the
 * likeliest) and at most `room` in all. `rows` is the number of rows without drafts. `cost` NULL:
 * as many as there is room for. */
void draft_share(const struct draft_offer *offers, uint32_t count, uint32_t rows, uint32_t least,
                 uint32_t room, const struct step_cost *cost, uint32_t *taken);

#endif
