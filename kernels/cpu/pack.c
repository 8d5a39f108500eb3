#include "kernels/cpu/pack.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/cpu/thread_pool.h"

#define STRIPS_PER_TURN 4

static inline uint32_t word_at(const void *words, size_t index)
{
    uint32_t word;
    memcpy(&word, (const uint8_t *)words + 4 * index, 4);
    return word;
}

/* --- order ------------------------------------------------------------------------------------ */

static uint32_t group_of(const struct backend_linear *linear, uint32_t input)
{
    return linear->g_idx != NULL ? word_at(linear->g_idx, input) : input / linear->group_size;
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

static uint64_t blocks_of(const uint32_t *counts, uint32_t groups)
{
    uint64_t blocks = 0;
    for (uint32_t group = 0; group < groups; group++)
        blocks += (counts[group] + (uint64_t)BLOCK_INPUTS - 1) / BLOCK_INPUTS;
    return blocks;
}

uint64_t order_blocks(const struct backend_linear *linear)
{
    uint32_t *counts = group_counts(linear);
    uint64_t blocks = counts != NULL ? blocks_of(counts, linear->groups) : 0;
    free(counts);
    return blocks;
}

static struct cpu_order *order_alloc(uint32_t blocks)
{
    struct cpu_order *order = calloc(1, sizeof *order);
    if (order == NULL)
        return NULL;
    order->blocks = blocks;
    order->index = malloc((size_t)blocks * BLOCK_INPUTS * sizeof *order->index);
    order->count = calloc(blocks, 1);
    order->group = malloc((size_t)blocks * sizeof *order->group);
    if (order->index != NULL && order->count != NULL && order->group != NULL)
        return order;
    order_free(order);
    return NULL;
}

/* counts[g] becomes the first block of group g. */
static void blocks_start(struct cpu_order *order, uint32_t *counts, uint32_t groups)
{
    uint32_t block = 0;
    for (uint32_t group = 0; group < groups; group++) {
        uint32_t blocks = counts[group] / BLOCK_INPUTS + (counts[group] % BLOCK_INPUTS != 0);
        counts[group] = block;
        for (uint32_t i = 0; i < blocks; i++)
            order->group[block++] = group;
    }
}

/* Inputs go to their groups in ascending order: a stable sort by group. */
static void order_fill(struct cpu_order *order, const struct backend_linear *linear, uint32_t *next)
{
    for (uint32_t input = 0; input < linear->in; input++) {
        uint32_t *block = &next[group_of(linear, input)];
        if (order->count[*block] == BLOCK_INPUTS)
            ++*block;
        order->index[(size_t)*block * BLOCK_INPUTS + order->count[*block]++] = input;
    }
    order->plain = true;
    for (uint32_t block = 0; block < order->blocks; block++) {
        uint32_t *index = order->index + (size_t)block * BLOCK_INPUTS, count = order->count[block];
        for (uint32_t i = count; i < BLOCK_INPUTS; i++)
            index[i] = index[0];
        for (uint32_t i = 0; i < BLOCK_INPUTS; i++)
            order->plain &= index[i] == block * BLOCK_INPUTS + i;
    }
}

struct cpu_order *order_make(const struct backend_linear *linear, struct backend_error *error)
{
    uint32_t *counts = group_counts(linear);
    if (counts == NULL) {
        cpu_error(error, BACKEND_FAILED, "a group number is not below %u, or no memory to check",
                  linear->groups);
        return NULL;
    }
    struct cpu_order *order = order_alloc((uint32_t)blocks_of(counts, linear->groups));
    if (order != NULL) {
        blocks_start(order, counts, linear->groups);
        order_fill(order, linear, counts);
    } else {
        cpu_error(error, BACKEND_NO_MEMORY, "no memory for the order of %u inputs", linear->in);
    }
    free(counts);
    return order;
}

void order_free(struct cpu_order *order)
{
    if (order == NULL)
        return;
    free(order->index);
    free(order->count);
    free(order->group);
    free(order);
}

bool order_equal(const struct cpu_order *a, const struct cpu_order *b)
{
    return a->blocks == b->blocks && memcmp(a->count, b->count, a->blocks) == 0 &&
           memcmp(a->group, b->group, a->blocks * sizeof *a->group) == 0 &&
           memcmp(a->index, b->index, (size_t)a->blocks * BLOCK_INPUTS * sizeof *a->index) == 0;
}

/* --- strips ----------------------------------------------------------------------------------- */

struct pack_job {
    struct cpu_linear *packed;
    const struct backend_linear *linear;
    const struct cpu_order *order;
    atomic_uint next;
};

/* The 4-bit weights of one input for the strip's outputs. */
static void nibbles_of_input(uint8_t *out, const struct backend_linear *linear, uint32_t input,
                             uint32_t first, uint32_t outputs)
{
    uint32_t words[STRIP_ROWS];
    const uint8_t *row = (const uint8_t *)linear->qweight + 4 * ((size_t)(input / 8) * linear->out);
    unsigned shift = 4 * (input % 8);
    if (outputs < STRIP_ROWS)
        memset(words, 0, sizeof words);
    memcpy(words, row + 4 * (size_t)first, 4 * (size_t)outputs);
    for (uint32_t lane = 0; lane < STRIP_ROWS; lane++)
        out[lane] = words[lane] >> shift & 15;
}

static void pack_block(uint8_t *block, const struct pack_job *job, uint32_t number, uint32_t first,
                       uint32_t outputs)
{
    uint8_t nibbles[BLOCK_INPUTS][STRIP_ROWS];
    const uint32_t *index = job->order->index + (size_t)number * BLOCK_INPUTS;
    for (uint32_t i = 0; i < BLOCK_INPUTS; i++)
        nibbles_of_input(nibbles[i], job->linear, index[i], first, outputs);
    for (uint32_t vector = 0; vector < 4; vector++)
        for (uint32_t lane = 0; lane < STRIP_ROWS; lane++)
            for (uint32_t j = 0; j < 4; j++) {
                uint32_t low = nibbles[4 * vector + j][lane];
                uint32_t high = nibbles[16 + 4 * vector + j][lane];
                block[64 * vector + 4 * lane + j] = (uint8_t)(low | high << 4);
            }
}

static uint32_t zero_of(const struct backend_linear *linear, uint32_t group, uint32_t output)
{
    size_t word = (size_t)group * (linear->out / 8) + output / 8;
    return word_at(linear->qzeros, word) >> 4 * (output % 8) & 15;
}

static void pack_zeros(uint8_t *zeros, const struct backend_linear *linear, uint32_t group,
                       uint32_t first, uint32_t outputs)
{
    uint32_t words[2] = {0, 0};
    for (uint32_t lane = 0; lane < outputs; lane++)
        words[lane % 2] |= zero_of(linear, group, first + lane) << 4 * (lane / 2);
    memcpy(zeros, words, sizeof words);
}

static void pack_strip(const struct pack_job *job, uint32_t strip)
{
    struct cpu_linear *packed = job->packed;
    uint8_t *data = (uint8_t *)packed->data + strip * packed->strip_bytes;
    uint32_t first = strip * STRIP_ROWS, outputs = packed->out - first;
    if (outputs > STRIP_ROWS)
        outputs = STRIP_ROWS;
    for (uint32_t block = 0; block < job->order->blocks; block++) {
        uint32_t group = job->order->group[block], at = block % TILE_BLOCKS;
        const uint8_t *scales = (const uint8_t *)job->linear->scales;
        uint8_t *tile = data + block / TILE_BLOCKS * packed->tile_bytes;
        pack_block(tile + (size_t)at * BLOCK_BYTES, job, block, first, outputs);
        memcpy(tile + TILE_SCALES + (size_t)at * BLOCK_SCALES,
               scales + 2 * ((size_t)group * packed->out + first), 2 * (size_t)outputs);
        if (packed->has_zeros)
            pack_zeros(tile + TILE_ZEROS + (size_t)at * BLOCK_ZEROS, job->linear, group, first,
                       outputs);
    }
}

static void pack_work(void *argument, unsigned thread, unsigned threads)
{
    struct pack_job *job = argument;
    (void)thread;
    (void)threads;
    for (;;) {
        uint32_t strip = atomic_fetch_add(&job->next, STRIPS_PER_TURN);
        if (strip >= job->packed->strips)
            return;
        for (uint32_t i = 0; i < STRIPS_PER_TURN && strip + i < job->packed->strips; i++)
            pack_strip(job, strip + i);
    }
}

/* Symmetric checkpoints store the same word (0x77777777) everywhere. */
static bool zeros_all_equal(const struct backend_linear *linear)
{
    size_t words = (size_t)linear->groups * (linear->out / 8);
    uint32_t first = word_at(linear->qzeros, 0);
    if (first != (first & 15) * 0x11111111u)
        return false;
    for (size_t i = 1; i < words; i++)
        if (word_at(linear->qzeros, i) != first)
            return false;
    return true;
}

static size_t tile_bytes(bool has_zeros)
{
    return TILE_ZEROS + (has_zeros ? TILE_BLOCKS * BLOCK_ZEROS : 0);
}

static uint64_t tiles_of(uint64_t blocks)
{
    return (blocks + TILE_BLOCKS - 1) / TILE_BLOCKS;
}

uint64_t strips_bytes(uint32_t out, uint64_t blocks, bool has_zeros)
{
    uint64_t strips = (out + (uint64_t)STRIP_ROWS - 1) / STRIP_ROWS;
    return strips * tiles_of(blocks) * tile_bytes(has_zeros);
}

int strips_pack(struct cpu_linear *packed, const struct backend_linear *linear,
                const struct cpu_order *order, struct thread_pool *pool,
                struct backend_error *error)
{
    packed->form = FORM_STRIPS;
    packed->order = order;
    packed->has_zeros = !zeros_all_equal(linear);
    packed->zero_add = (int32_t)linear->zero_offset;
    if (!packed->has_zeros)
        packed->zero_add += (int32_t)(word_at(linear->qzeros, 0) & 15);
    packed->tile_bytes = tile_bytes(packed->has_zeros);
    packed->strip_bytes = (size_t)tiles_of(order->blocks) * packed->tile_bytes;
    packed->bytes = (size_t)strips_bytes(packed->out, order->blocks, packed->has_zeros);
    packed->data = cpu_alloc(packed->bytes, "a 4-bit layer", error);
    if (packed->data == NULL)
        return -1;
    struct pack_job job = {.packed = packed, .linear = linear, .order = order};
    thread_pool_run(pool, UINT64_MAX, pack_work, &job);
    return 0;
}
