#include "engine/infer/sampler.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "engine/base/alloc.h"

struct candidate {
    int32_t id;
    float logit;
    float key; /* what a step selects by; larger is better */
};

/* The chain works on items[0..count); `spare` is as large, for steps that select. */
struct sampler {
    struct sampling sampling;
    uint32_t vocab;
    uint64_t random;
    struct candidate *items, *spare; /* [vocab] each */
    size_t count;
    uint32_t *seen; /* [vocab] times in the window of history; all zero between calls */
    const int32_t *window;
    size_t window_count;
};

/* --- randomness ------------------------------------------------------------------------------- */

/* SplitMix64: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014. */
static uint64_t random_next(uint64_t *state)
{
    uint64_t z = *state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

/* In [0, 1), 53 bits. */
static double random_unit(uint64_t *state)
{
    return (double)(random_next(state) >> 11) * 0x1p-53;
}

static uint64_t random_seed(void)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof seed, GRND_NONBLOCK) != (ssize_t)sizeof seed) {
        struct timespec now;
        clock_gettime(CLOCK_REALTIME, &now);
        seed = (uint64_t)now.tv_sec * 1000000007u ^ (uint64_t)now.tv_nsec;
    }
    return seed;
}

/* --- selecting -------------------------------------------------------------------------------- */

typedef bool (*candidate_order)(const struct candidate *a, const struct candidate *b);

static bool better(const struct candidate *a, const struct candidate *b)
{
    return a->key > b->key || (a->key == b->key && a->id < b->id);
}

static bool worse(const struct candidate *a, const struct candidate *b)
{
    return better(b, a);
}

/* Restores a heap, whose root comes before all others in `order`, after heap[at] has changed. */
static inline void sift_down(struct candidate *heap, size_t count, size_t at, candidate_order order)
{
    struct candidate moved = heap[at];
    for (size_t child; (child = 2 * at + 1) < count; at = child) {
        if (child + 1 < count && order(&heap[child + 1], &heap[child]))
            child++;
        if (!order(&heap[child], &moved))
            break;
        heap[at] = heap[child];
    }
    heap[at] = moved;
}

static inline void make_heap(struct candidate *heap, size_t count, candidate_order order)
{
    for (size_t i = count / 2; i-- > 0;)
        sift_down(heap, count, i, order);
}

/* Keeps the `limit` best candidates by key, in no order: a heap of the best so far has the worst of
 * them at its root, and few of a large vocabulary get past it. */
static void keep_best(struct sampler *s, size_t limit)
{
    if (limit >= s->count)
        return;
    make_heap(s->items, limit, worse);
    for (size_t i = limit; i < s->count; i++) {
        if (!better(&s->items[i], &s->items[0]))
            continue;
        s->items[0] = s->items[i];
        sift_down(s->items, limit, 0, worse);
    }
    s->count = limit;
}

/* Keeps the best candidates by key, best first: no more than it takes for their probabilities
 * (exp(logit - max) / sum) to reach `mass`; always one. */
static void take_mass(struct sampler *s, double mass, double max, double sum)
{
    double reached = 0;
    size_t taken = 0, left = s->count;
    make_heap(s->items, left, better);
    while (left > 0 && (taken == 0 || reached < mass)) {
        s->spare[taken++] = s->items[0];
        reached += exp(s->items[0].logit - max) / sum;
        s->items[0] = s->items[--left];
        sift_down(s->items, left, 0, better);
    }
    struct candidate *chosen = s->spare;
    s->spare = s->items;
    s->items = chosen;
    s->count = taken;
}

static double max_logit(const struct sampler *s)
{
    double max = s->items[0].logit;
    for (size_t i = 1; i < s->count; i++)
        if (s->items[i].logit > max)
            max = s->items[i].logit;
    return max;
}

static double exp_sum(const struct sampler *s, double max)
{
    double sum = 0;
    for (size_t i = 0; i < s->count; i++)
        sum += exp(s->items[i].logit - max);
    return sum;
}

static void key_is_logit(struct sampler *s)
{
    for (size_t i = 0; i < s->count; i++)
        s->items[i].key = s->items[i].logit;
}

/* --- the steps -------------------------------------------------------------------------------- */

/* Keskar et al., "CTRL", 2019: divide positive logits, multiply negative ones. */
static void step_repetition(struct sampler *s)
{
    float penalty = s->sampling.repeat_penalty;
    for (size_t i = 0; i < s->count; i++) {
        struct candidate *c = &s->items[i];
        if (s->seen[c->id] > 0)
            c->logit = c->logit > 0 ? c->logit / penalty : c->logit * penalty;
    }
}

/* OpenAI's formula: logit - count * frequency - (count > 0) * presence. */
static void step_frequency(struct sampler *s)
{
    for (size_t i = 0; i < s->count; i++) {
        struct candidate *c = &s->items[i];
        if (s->seen[c->id] > 0)
            c->logit -= (float)s->seen[c->id] * s->sampling.frequency_penalty +
                        s->sampling.presence_penalty;
    }
}

/* Best first, so that what follows does not depend on the order they came in. */
static void step_top_k(struct sampler *s)
{
    key_is_logit(s);
    keep_best(s, s->sampling.top_k);
    make_heap(s->items, s->count, worse);
    for (size_t left = s->count; left > 1; left--) {
        struct candidate last = s->items[left - 1];
        s->items[left - 1] = s->items[0];
        s->items[0] = last;
        sift_down(s->items, left - 1, 0, worse);
    }
}

/* Meister et al., "Locally Typical Sampling", 2022: the candidates whose surprise -log p is nearest
 * to the entropy, until they hold typical_p of the mass. */
static void step_typical(struct sampler *s)
{
    double max = max_logit(s), sum = exp_sum(s, max), entropy = 0;
    for (size_t i = 0; i < s->count; i++) {
        double log_p = s->items[i].logit - max - log(sum);
        entropy -= exp(log_p) * log_p;
    }
    for (size_t i = 0; i < s->count; i++) {
        double log_p = s->items[i].logit - max - log(sum);
        s->items[i].key = (float)-fabs(-log_p - entropy);
    }
    take_mass(s, s->sampling.typical_p, max, sum);
}

/* Holtzman et al., "The Curious Case of Neural Text Degeneration", 2019: the fewest candidates that
 * hold top_p of the mass. */
static void step_top_p(struct sampler *s)
{
    double max = max_logit(s);
    key_is_logit(s);
    take_mass(s, s->sampling.top_p, max, exp_sum(s, max));
}

/* Nguyen et al., "Min P Sampling", 2024: p >= min_p * (the largest p). */
static void step_min_p(struct sampler *s)
{
    double least = max_logit(s) + log(fmin(s->sampling.min_p, 1));
    size_t kept = 0;
    for (size_t i = 0; i < s->count; i++)
        if (s->items[i].logit >= least)
            s->items[kept++] = s->items[i];
    s->count = kept;
}

static void step_temperature(struct sampler *s)
{
    double max = max_logit(s);
    for (size_t i = 0; i < s->count; i++)
        s->items[i].logit = (float)((s->items[i].logit - max) / s->sampling.temperature);
}

static bool uses_repetition(const struct sampling *s)
{
    return s->repeat_penalty > 0 && s->repeat_penalty != 1;
}

static bool uses_frequency(const struct sampling *s)
{
    return s->frequency_penalty != 0 || s->presence_penalty != 0;
}

static bool is_greedy(const struct sampling *s)
{
    return !(s->temperature > 0);
}

static bool uses_top_k(const struct sampling *s)
{
    return !is_greedy(s) && s->top_k > 0;
}

static bool uses_typical(const struct sampling *s)
{
    return !is_greedy(s) && s->typical_p < 1;
}

static bool uses_top_p(const struct sampling *s)
{
    return !is_greedy(s) && s->top_p < 1;
}

static bool uses_min_p(const struct sampling *s)
{
    return !is_greedy(s) && s->min_p > 0;
}

static bool uses_temperature(const struct sampling *s)
{
    return !is_greedy(s) && s->temperature != 1;
}

/* The chain, in order. */
static const struct step {
    bool (*wanted)(const struct sampling *sampling);
    void (*apply)(struct sampler *sampler);
} chain[] = {
    {uses_repetition, step_repetition},
    {uses_frequency, step_frequency},
    {uses_top_k, step_top_k},
    {uses_typical, step_typical},
    {uses_top_p, step_top_p},
    {uses_min_p, step_min_p},
    {uses_temperature, step_temperature},
};

/* --- choosing --------------------------------------------------------------------------------- */

struct sampling sampling_defaults(void)
{
    return (struct sampling){
        .temperature = 0.7f,
        .top_k = 40,
        .top_p = 0.95f,
        .min_p = 0.05f,
        .typical_p = 1,
        .repeat_penalty = 1,
        .repeat_last = 256,
    };
}

struct sampler *sampler_create(const struct sampling *sampling, uint32_t vocab)
{
    struct sampler *sampler = xcalloc(1, sizeof *sampler);
    sampler->sampling = *sampling;
    sampler->vocab = vocab;
    sampler->random = sampling->seed != 0 ? sampling->seed : random_seed();
    sampler->items = xcalloc(vocab, sizeof *sampler->items);
    sampler->spare = xcalloc(vocab, sizeof *sampler->spare);
    sampler->seen = xcalloc(vocab, sizeof *sampler->seen);
    return sampler;
}

void sampler_free(struct sampler *sampler)
{
    if (sampler == NULL)
        return;
    free(sampler->items);
    free(sampler->spare);
    free(sampler->seen);
    free(sampler);
}

static bool in_vocab(const struct sampler *s, int32_t id)
{
    return id >= 0 && (uint32_t)id < s->vocab;
}

/* Marks the banned ids in `seen`, or takes the marks away. */
static void mark_banned(struct sampler *s, const int32_t *banned, size_t count, uint32_t mark)
{
    for (size_t i = 0; i < count; i++)
        if (in_vocab(s, banned[i]))
            s->seen[banned[i]] = mark;
}

/* The candidates: every finite logit whose id is not banned. */
static void load_candidates(struct sampler *s, const float *logits, const int32_t *banned,
                            size_t banned_count)
{
    mark_banned(s, banned, banned_count, 1);
    s->count = 0;
    for (uint32_t id = 0; id < s->vocab; id++)
        if (isfinite(logits[id]) && s->seen[id] == 0)
            s->items[s->count++] = (struct candidate){(int32_t)id, logits[id], 0};
    mark_banned(s, banned, banned_count, 0);
}

static void load_best(struct sampler *s, const struct backend_candidate *best, size_t count,
                      const int32_t *banned, size_t banned_count)
{
    mark_banned(s, banned, banned_count, 1);
    s->count = 0;
    for (size_t i = 0; i < count; i++)
        if (in_vocab(s, best[i].id) && isfinite(best[i].logit) && s->seen[best[i].id] == 0)
            s->items[s->count++] = (struct candidate){best[i].id, best[i].logit, 0};
    mark_banned(s, banned, banned_count, 0);
}

/* Counts the window of history that the penalties look at; count_window(s, false) undoes it. */
static void count_window(struct sampler *s, bool add)
{
    for (size_t i = 0; i < s->window_count; i++)
        if (in_vocab(s, s->window[i]))
            s->seen[s->window[i]] = add ? s->seen[s->window[i]] + 1 : 0;
}

static void set_window(struct sampler *s, const int32_t *history, size_t count)
{
    size_t last = s->sampling.repeat_last;
    bool counts = uses_repetition(&s->sampling) || uses_frequency(&s->sampling);
    if (last == 0 || last > count)
        last = count;
    s->window = count > 0 ? history + (count - last) : NULL;
    s->window_count = counts ? last : 0;
}

static int32_t choose_greedy(const struct sampler *s)
{
    const struct candidate *best = &s->items[0];
    for (size_t i = 1; i < s->count; i++) {
        const struct candidate *c = &s->items[i];
        if (c->logit > best->logit || (c->logit == best->logit && c->id < best->id))
            best = c;
    }
    return best->id;
}

static int32_t choose_random(struct sampler *s)
{
    double max = max_logit(s);
    double point = random_unit(&s->random) * exp_sum(s, max), reached = 0;
    for (size_t i = 0; i < s->count; i++) {
        reached += exp(s->items[i].logit - max);
        if (point < reached)
            return s->items[i].id;
    }
    return s->items[s->count - 1].id;
}

/* Runs the chain over the candidates that are loaded, and chooses. */
static int32_t choose(struct sampler *s, const int32_t *history, size_t history_count)
{
    if (s->count == 0)
        return -1;
    set_window(s, history, history_count);
    count_window(s, true);
    for (size_t i = 0; i < sizeof chain / sizeof chain[0]; i++)
        if (chain[i].wanted(&s->sampling))
            chain[i].apply(s);
    count_window(s, false);
    return is_greedy(&s->sampling) ? choose_greedy(s) : choose_random(s);
}

int32_t sampler_choose(struct sampler *s, const float *logits, const int32_t *history,
                       size_t history_count, const int32_t *banned, size_t banned_count)
{
    load_candidates(s, logits, banned, banned_count);
    return choose(s, history, history_count);
}

/* --- from the best candidates ----------------------------------------------------------------- */

static bool may_raise(const struct sampling *s)
{
    return (uses_repetition(s) && s->repeat_penalty < 1) || s->frequency_penalty < 0 ||
           s->presence_penalty < 0;
}

/* Different ids in the window of history. */
static size_t count_distinct(struct sampler *s)
{
    size_t distinct = 0;
    for (size_t i = 0; i < s->window_count; i++)
        distinct += in_vocab(s, s->window[i]) && s->seen[s->window[i]]++ == 0;
    count_window(s, false);
    return distinct;
}

uint32_t sampler_candidates(struct sampler *s, const int32_t *history, size_t history_count,
                            size_t banned_count)
{
    size_t kept = is_greedy(&s->sampling) ? 1 : s->sampling.top_k;
    if (kept == 0 || may_raise(&s->sampling) || kept > BACKEND_CANDIDATES_MAX)
        return 0;
    set_window(s, history, history_count);
    size_t needed = kept + count_distinct(s) + banned_count;
    return needed <= BACKEND_CANDIDATES_MAX ? (uint32_t)needed : 0;
}

int32_t sampler_choose_best(struct sampler *s, const struct backend_candidate *best, size_t count,
                            const int32_t *history, size_t history_count, const int32_t *banned,
                            size_t banned_count)
{
    load_best(s, best, count, banned, banned_count);
    return choose(s, history, history_count);
}
