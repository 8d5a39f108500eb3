/*
 * random.h - the numbers that cases are generated from, and a set of what was generated already.
 *
 * The same seed gives the same numbers on every machine: integer arithmetic only, no time, no
 * locale. The set owns its table: seen_free.
 */
#ifndef AIRO_EVAL_RANDOM_H
#define AIRO_EVAL_RANDOM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct eval_random {
    uint64_t state;
};

/* `stream` parts independent uses of one seed (one for each case, say). */
struct eval_random eval_random_begin(uint64_t seed, uint64_t stream);
uint64_t eval_random_next(struct eval_random *random);
/* 0 .. count - 1; count must not be 0. */
uint32_t eval_random_below(struct eval_random *random, uint32_t count);
/* low .. high, both included. */
uint32_t eval_random_between(struct eval_random *random, uint32_t low, uint32_t high);
/* True in `percent` of a hundred calls. */
bool eval_random_chance(struct eval_random *random, uint32_t percent);

/* Texts, known again by a 64-bit hash. Zero-initialise. */
struct seen {
    uint64_t *slots; /* 0: free */
    size_t count, capacity;
};

/* False when the text is there already; adds it otherwise. */
bool seen_add(struct seen *seen, const char *text);
bool seen_has(const struct seen *seen, const char *text);
void seen_free(struct seen *seen);

#endif
