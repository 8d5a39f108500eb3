/*
 * order.c - the order in which a layer's packed weights read its inputs: GPTQ sorted by group
 * (stable), each group padded to blocks of 32, all to chunks of 128; dense as they are.
 */
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/host.h"

#define BLOCK_INPUTS 32

static uint32_t word_at(const void *words, size_t index)
{
    uint32_t word;
    memcpy(&word, (const uint8_t *)words + 4 * index, 4);
    return word;
}

static uint32_t group_of(const struct backend_linear *linear, uint32_t input)
{
    return linear->g_idx != NULL ? word_at(linear->g_idx, input) : input / linear->group_size;
}

static uint64_t round_up(uint64_t value, uint64_t multiple)
{
    return (value + multiple - 1) / multiple * multiple;
}

/* [groups] inputs of each group; NULL when memory is short or a group is out of range. */
static uint32_t *group_counts(const struct backend_linear *linear)
{
    uint32_t *counts = calloc((size_t)linear->groups + 1, sizeof *counts);
    for (uint32_t input = 0; counts != NULL && input < linear->in; input++) {
        uint32_t group = group_of(linear, input);
        if (group >= linear->groups) {
            free(counts);
            return NULL;
        }
        counts[group]++;
    }
    return counts;
}

static uint64_t packed_inputs(const uint32_t *counts, uint32_t groups)
{
    uint64_t inputs = 0;
    for (uint32_t group = 0; group < groups; group++)
        inputs += round_up(counts[group], BLOCK_INPUTS);
    return round_up(inputs, GPU_CHUNK_INPUTS);
}

uint64_t gpu_order_inputs(const struct backend_linear *linear)
{
    uint32_t *counts = group_counts(linear);
    uint64_t inputs = counts != NULL ? packed_inputs(counts, linear->groups) : 0;
    free(counts);
    return inputs;
}

static struct order *order_alloc(uint32_t in, uint64_t k, bool grouped)
{
    struct order *order = calloc(1, sizeof *order);
    if (order == NULL)
        return NULL;
    order->k = (uint32_t)k;
    order->in = in;
    order->index = malloc(k * sizeof *order->index);
    if (grouped)
        order->group = calloc(k / BLOCK_INPUTS, sizeof *order->group);
    if (order->index != NULL && (!grouped || order->group != NULL))
        return order;
    gpu_order_free(order);
    return NULL;
}

/* counts[g] becomes the first packed input of group g. */
static void groups_start(struct order *order, uint32_t *counts, uint32_t groups)
{
    uint32_t at = 0;
    for (uint32_t group = 0; group < groups; group++) {
        uint32_t end = at + (uint32_t)round_up(counts[group], BLOCK_INPUTS);
        counts[group] = at;
        for (; at < end; at += BLOCK_INPUTS)
            order->group[at / BLOCK_INPUTS] = group;
    }
}

static struct order *dense_order(uint32_t in)
{
    uint64_t k = round_up(in, GPU_CHUNK_INPUTS);
    struct order *order = order_alloc(in, k, false);
    for (uint32_t i = 0; order != NULL && i < order->k; i++)
        order->index[i] = i < in ? (int32_t)i : -1;
    return order;
}

static struct order *gptq_order(const struct backend_linear *linear, uint32_t *counts)
{
    uint64_t k = packed_inputs(counts, linear->groups);
    struct order *order = k <= INT32_MAX ? order_alloc(linear->in, k, true) : NULL;
    if (order == NULL)
        return NULL;
    memset(order->index, -1, order->k * sizeof *order->index);
    groups_start(order, counts, linear->groups);
    for (uint32_t input = 0; input < linear->in; input++)
        order->index[counts[group_of(linear, input)]++] = (int32_t)input;
    return order;
}

struct order *gpu_order_make(const struct backend_linear *linear, bool dense,
                             struct backend_error *error)
{
    uint32_t *counts = NULL;
    if (!dense && (counts = group_counts(linear)) == NULL) {
        gpu_error(error, BACKEND_FAILED, "a group number is not below %u, or no memory to check",
                  linear->groups);
        return NULL;
    }
    struct order *order = dense ? dense_order(linear->in) : gptq_order(linear, counts);
    free(counts);
    if (order == NULL) {
        gpu_error(error, BACKEND_NO_MEMORY, "no memory for the order of %u inputs", linear->in);
        return NULL;
    }
    order->plain = order->k == linear->in;
    for (uint32_t i = 0; i < order->k; i++)
        order->plain &= order->index[i] == (int32_t)i;
    return order;
}

void gpu_order_free(struct order *order)
{
    if (order == NULL)
        return;
    free(order->index);
    free(order->group);
    free(order);
}

bool gpu_order_equal(const struct order *a, const struct order *b)
{
    return a->k == b->k && a->in == b->in && (a->group == NULL) == (b->group == NULL) &&
           memcmp(a->index, b->index, a->k * sizeof *a->index) == 0 &&
           (a->group == NULL ||
            memcmp(a->group, b->group, a->k / BLOCK_INPUTS * sizeof *a->group) == 0);
}

bool gpu_order_same_padding(const struct order *a, const struct order *b)
{
    const struct order *longer = a->k > b->k ? a : b;
    uint32_t common = a->k < b->k ? a->k : b->k;
    for (uint32_t i = 0; i < common; i++)
        if ((a->index[i] < 0) != (b->index[i] < 0))
            return false;
    for (uint32_t i = common; i < longer->k; i++)
        if (longer->index[i] >= 0)
            return false;
    return true;
}
