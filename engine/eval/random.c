#include "engine/eval/random.h"

#include <stdlib.h>

#include "engine/base/alloc.h"

#define FIRST_CAPACITY 64

/* SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t mix(uint64_t value)
{
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

#define GOLDEN 0x9e3779b97f4a7c15u

struct eval_random eval_random_begin(uint64_t seed, uint64_t stream)
{
    return (struct eval_random){mix(mix(seed + GOLDEN) ^ (stream * GOLDEN + 1))};
}

uint64_t eval_random_next(struct eval_random *random)
{
    random->state += GOLDEN;
    return mix(random->state);
}

uint32_t eval_random_below(struct eval_random *random, uint32_t count)
{
    return (uint32_t)(((eval_random_next(random) >> 32) * count) >> 32);
}

uint32_t eval_random_between(struct eval_random *random, uint32_t low, uint32_t high)
{
    return low + eval_random_below(random, high - low + 1);
}

bool eval_random_chance(struct eval_random *random, uint32_t percent)
{
    return eval_random_below(random, 100) < percent;
}

/* --- the set ---------------------------------------------------------------------------------- */

static uint64_t hash_of(const char *text)
{
    uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */
    for (; *text != '\0'; text++)
        hash = (hash ^ (unsigned char)*text) * 0x100000001b3u;
    return hash != 0 ? hash : 1;
}

/* Where the hash is, or the free slot where it belongs. */
static uint64_t *find(const struct seen *seen, uint64_t hash)
{
    size_t at = (size_t)mix(hash) & (seen->capacity - 1);
    while (seen->slots[at] != 0 && seen->slots[at] != hash)
        at = (at + 1) & (seen->capacity - 1);
    return &seen->slots[at];
}

static void grow(struct seen *seen)
{
    struct seen old = *seen;
    seen->capacity = old.capacity > 0 ? 2 * old.capacity : FIRST_CAPACITY;
    seen->slots = xcalloc(seen->capacity, sizeof *seen->slots);
    for (size_t i = 0; i < old.capacity; i++)
        if (old.slots[i] != 0)
            *find(seen, old.slots[i]) = old.slots[i];
    free(old.slots);
}

bool seen_has(const struct seen *seen, const char *text)
{
    return seen->capacity > 0 && *find(seen, hash_of(text)) != 0;
}

bool seen_add(struct seen *seen, const char *text)
{
    if (2 * (seen->count + 1) > seen->capacity)
        grow(seen);
    uint64_t hash = hash_of(text), *slot = find(seen, hash);
    if (*slot != 0)
        return false;
    *slot = hash;
    seen->count++;
    return true;
}

void seen_free(struct seen *seen)
{
    free(seen->slots);
    *seen = (struct seen){0};
}
