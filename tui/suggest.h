/*
 * suggest.h - "did you mean": the nearest of some names to what was typed.
 */
#ifndef AIRO_TUI_SUGGEST_H
#define AIRO_TUI_SUGGEST_H

#include <stddef.h>

/* `found` is the nearest name offered so far, NULL while none is near enough (a third of the
 * letters may differ). Names are borrowed. */
struct suggestion {
    const char *typed, *found;
    size_t distance;
};

struct suggestion suggest_begin(const char *typed);
void suggest_offer(struct suggestion *suggestion, const char *name);

#endif
