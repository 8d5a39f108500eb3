/*
 * best.cu - the best `limit` of each row of logits, in exact order.
 *
 * A logit and its id make one 64-bit key whose order is the one wanted: the logit's bits, turned so
 * that they sort as integers, above the complement of the id; 0 is no key (a NaN or an infinity).
 * Keys differ, so there is one right answer, whatever order threads run in.
 *
 * A row is cut into segments, a block each, so that a large vocabulary is not read by one
 * multiprocessor; a thread keeps its 16 keys in registers. Each block chooses the best of its
 * segment and leaves them in the scratch; the one of the row that is done last chooses among those
 * of all and sorts them.
 *
 * Choosing is a radix search from the top digit: count how many keys have each value of the next 11
 * bits under the prefix so far, walk down to the value with which `limit` is reached, until no more
 * than ROOM keys are at or above the prefix; ROOM fit into shared memory. One or two rounds are
 * enough for ordinary logits, and all 64 bits are there for a row of ties.
 */
#include "kernels/cuda/device.cuh"
#include "kernels/cuda/gpu.h"
#include "kernels/cuda/launch.cuh"

#define THREADS  1024
#define OWN      16 /* keys of one thread */
#define SEGMENT  (THREADS * OWN)
#define ROOM     2048 /* keys that are sorted in shared memory; a power of two */
#define DIGIT    11   /* bits */
#define BINS     (1u << DIGIT)
#define NO_COUNT 0xFFFFFFFFu

typedef unsigned long long key_t64;

struct best_job {
    gpu_candidate *best;
    uint32_t *counts;
    const float *logits;
    uint32_t vocab, limit, segments;
    uint32_t *tickets; /* [rows]: blocks of the row that are done */
    key_t64 *chosen;   /* [rows][segments][limit], 0 after the last */
};

/* Shared memory of a block. */
struct best_room {
    key_t64 keys[ROOM];
    uint32_t bins[BINS];
    uint32_t sums[THREADS / 32];
    key_t64 prefix;
    uint32_t count, above, last;
};

/* --- keys ------------------------------------------------------------------------------------- */

static __device__ __forceinline__ key_t64 key_of(float logit, uint32_t id)
{
    uint32_t bits = float_bits(logit + 0.0f); /* -0 is 0 */
    if ((bits & 0x7F800000u) == 0x7F800000u)
        return 0;
    bits = (bits & 0x80000000u) != 0 ? ~bits : bits | 0x80000000u;
    return (key_t64)bits << 32 | (uint32_t)~id;
}

static __device__ __forceinline__ gpu_candidate candidate_of(key_t64 key)
{
    uint32_t bits = (uint32_t)(key >> 32);
    gpu_candidate candidate;
    candidate.id = (int32_t) ~(uint32_t)key;
    candidate.logit = float_from_bits((bits & 0x80000000u) != 0 ? bits & 0x7FFFFFFFu : ~bits);
    return candidate;
}

/* The keys that a thread holds; 0 where there is none. */
struct own_keys {
    key_t64 at[OWN];
};

static __device__ __forceinline__ void load_logits(own_keys &own, const float *row, uint32_t begin,
                                                   uint32_t end)
{
#pragma unroll
    for (uint32_t i = 0; i < OWN; i++) {
        uint32_t id = begin + i * THREADS + threadIdx.x;
        own.at[i] = id < end ? key_of(row[id], id) : 0;
    }
}

/* Written by other blocks: the L1 of this multiprocessor must not answer. */
static __device__ __forceinline__ void load_keys(own_keys &own, const volatile key_t64 *keys,
                                                 uint32_t count)
{
#pragma unroll
    for (uint32_t i = 0; i < OWN; i++) {
        uint32_t at = i * THREADS + threadIdx.x;
        own.at[i] = at < count ? keys[at] : 0;
    }
}

/* --- choosing --------------------------------------------------------------------------------- */

/* Counts the digits at `shift` of the keys whose bits above it equal the prefix's. */
static __device__ __forceinline__ void count_digits(best_room &room, const own_keys &own,
                                                    uint32_t shift, uint32_t bits)
{
    for (uint32_t i = threadIdx.x; i < BINS; i += THREADS)
        room.bins[i] = 0;
    block_sync();
    const uint32_t upper = shift + bits;
    const key_t64 prefix = room.prefix;
#pragma unroll
    for (uint32_t i = 0; i < OWN; i++) {
        key_t64 key = own.at[i];
        if (key != 0 && (upper == 64 || key >> upper == prefix >> upper))
            atomic_add(&room.bins[(uint32_t)(key >> shift) & ((1u << bits) - 1)], 1);
    }
    block_sync();
}

/* Sum of the values of all threads after this one, and of all. */
static __device__ uint32_t sum_after(best_room &room, uint32_t value, uint32_t *all)
{
    const uint32_t lane = lane_index(), warp = warp_index();
    uint32_t sum = value; /* of this lane and those after */
    for (uint32_t delta = 1; delta < 32; delta *= 2) {
        uint32_t other = warp_shuffle_down(sum, delta);
        sum += lane + delta < 32 ? other : 0;
    }
    if (lane == 0)
        room.sums[warp] = sum;
    block_sync();
    uint32_t after = sum - value;
    *all = 0;
    for (uint32_t i = 0; i < THREADS / 32; i++) {
        after += i > warp ? room.sums[i] : 0;
        *all += room.sums[i];
    }
    return after;
}

/* Moves the prefix to the digit with which `limit` keys are reached; room.count becomes how many
 * keys are at or above it. The two bins of a thread are the next to each other. */
static __device__ void choose_digit(best_room &room, uint32_t limit, uint32_t shift)
{
    const uint32_t bin = 2 * threadIdx.x, low = room.bins[bin], high = room.bins[bin + 1];
    const uint32_t above = room.above;
    uint32_t all, after = above + sum_after(room, low + high, &all);
    if (above + all < limit) { /* only at the first digit: all keys together are too few */
        if (threadIdx.x == 0)
            room.count = all;
    } else if (after < limit && after + high >= limit) {
        room.prefix |= (key_t64)(bin + 1) << shift;
        room.count = after + high;
        room.above = after;
    } else if (after + high < limit && after + high + low >= limit) {
        room.prefix |= (key_t64)bin << shift;
        room.count = after + high + low;
        room.above = after + high;
    }
    block_sync();
}

/* The keys at or above the prefix to room.keys, in no order; room.count: how many. */
static __device__ __forceinline__ void gather(best_room &room, const own_keys &own)
{
    block_sync();
    if (threadIdx.x == 0)
        room.count = 0;
    block_sync();
    const key_t64 prefix = room.prefix;
#pragma unroll
    for (uint32_t i = 0; i < OWN; i++)
        if (own.at[i] != 0 && own.at[i] >= prefix)
            room.keys[atomic_add(&room.count, 1)] = own.at[i];
    block_sync();
}

/* Falling; a bitonic network over `size` keys, a power of two, up to ROOM. */
static __device__ void sort(best_room &room, uint32_t size)
{
    for (uint32_t i = room.count + threadIdx.x; i < size; i += THREADS)
        room.keys[i] = 0;
    for (uint32_t run = 2; run <= size; run *= 2)
        for (uint32_t step = run / 2; step > 0; step /= 2) {
            block_sync();
            for (uint32_t pair = threadIdx.x; pair < size / 2; pair += THREADS) {
                uint32_t low = pair / step * 2 * step + pair % step, high = low + step;
                key_t64 a = room.keys[low], b = room.keys[high];
                if ((a < b) == ((low & run) == 0)) {
                    room.keys[low] = b;
                    room.keys[high] = a;
                }
            }
        }
    block_sync();
}

/* The `limit` best of all threads' keys, sorted, at the front of room.keys, among others that are
 * less; zeros where there are fewer. */
static __device__ __forceinline__ void choose(best_room &room, const own_keys &own, uint32_t limit)
{
    if (threadIdx.x == 0) {
        room.prefix = 0;
        room.above = 0;
        room.count = NO_COUNT;
    }
    block_sync();
    for (uint32_t shift = 64; shift > 0 && room.count > ROOM;) {
        uint32_t bits = shift < DIGIT ? shift : DIGIT;
        shift -= bits;
        count_digits(room, own, shift, bits);
        choose_digit(room, limit, shift);
    }
    gather(room, own);
    uint32_t size = 32;
    while (size < room.count || size < limit)
        size *= 2;
    sort(room, size);
}

/* --- the kernel ------------------------------------------------------------------------------- */

/* Whether this block is the last of its row; what the others left is then seen. */
static __device__ bool last_of_row(best_room &room, uint32_t *ticket, uint32_t segments)
{
    block_sync();
    if (threadIdx.x == 0) {
        fence();
        room.last = atomic_add(ticket, 1) == segments - 1;
        if (room.last)
            *ticket = 0;
        fence();
    }
    block_sync();
    return room.last != 0;
}

static __global__ void __launch_bounds__(THREADS) best_rows(best_job job)
{
    SHARED_BYTES(bytes);
    best_room &room = *(best_room *)bytes;
    grid_wait();
    grid_launch();
    const uint32_t segment = blockIdx.x, row = blockIdx.y, limit = job.limit;
    own_keys own;
    load_logits(own, job.logits + (size_t)row * job.vocab, segment * SEGMENT, job.vocab);
    choose(room, own, limit);
    if (job.segments > 1) {
        key_t64 *chosen = job.chosen + (size_t)row * job.segments * limit;
        for (uint32_t i = threadIdx.x; i < limit; i += THREADS)
            chosen[segment * limit + i] = room.keys[i];
        if (!last_of_row(room, job.tickets + row, job.segments))
            return;
        load_keys(own, chosen, job.segments * limit);
        choose(room, own, limit);
    }
    if (threadIdx.x == 0)
        job.counts[row] = room.count < limit ? room.count : limit;
    for (uint32_t i = threadIdx.x; i < limit && room.keys[i] != 0; i += THREADS)
        job.best[(size_t)row * limit + i] = candidate_of(room.keys[i]);
}

static uint32_t segments_of(uint32_t vocab)
{
    return (vocab + SEGMENT - 1) / SEGMENT;
}

/* The tickets of any number of rows up to GPU_DECODE_TOKENS stand in front, so that they stay where
 * they are when n changes. */
static size_t ticket_bytes(uint32_t n)
{
    size_t rows = n < GPU_DECODE_TOKENS ? GPU_DECODE_TOKENS : n;
    return (rows * sizeof(uint32_t) + 15) / 16 * 16;
}

extern "C" size_t gpu_best_scratch(uint32_t n, uint32_t vocab, uint32_t limit)
{
    return ticket_bytes(n) + (size_t)n * segments_of(vocab) * limit * sizeof(key_t64);
}

extern "C" cudaError_t gpu_best(struct gpu_candidate *best, uint32_t *counts, const float *logits,
                                uint32_t n, uint32_t vocab, uint32_t limit, void *scratch,
                                cudaStream_t stream)
{
    if (n == 0)
        return cudaSuccess;
    if (limit == 0 || limit > GPU_BEST_MAX || vocab == 0 || segments_of(vocab) * limit > SEGMENT)
        return cudaErrorInvalidValue;
    struct best_job job = {best,
                           counts,
                           logits,
                           vocab,
                           limit,
                           segments_of(vocab),
                           (uint32_t *)scratch,
                           (key_t64 *)((uint8_t *)scratch + ticket_bytes(n))};
    return launch(best_rows, dim3(job.segments, n), dim3(THREADS), sizeof(struct best_room), stream,
                  true, job);
}
