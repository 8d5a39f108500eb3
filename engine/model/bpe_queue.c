#include "engine/model/bpe_queue.h"

#include <stdlib.h>

#include "engine/base/alloc.h"

void bpe_queue_init(struct bpe_queue *queue, uint32_t ranks)
{
    *queue = (struct bpe_queue){.lanes = xcalloc(ranks, sizeof(struct lane)), .node_count = 1};
}

void bpe_queue_free(struct bpe_queue *queue)
{
    free(queue->lanes);
    free(queue->nodes);
    free(queue->heap);
}

static void heap_push(struct bpe_queue *queue, uint64_t key)
{
    if (queue->heap_count == queue->heap_capacity) {
        queue->heap_capacity = queue->heap_capacity > 0 ? queue->heap_capacity * 2 : 64;
        queue->heap = xreallocarray(queue->heap, queue->heap_capacity, sizeof *queue->heap);
    }
    size_t at = queue->heap_count++;
    while (at > 0 && queue->heap[(at - 1) / 2] > key) {
        queue->heap[at] = queue->heap[(at - 1) / 2];
        at = (at - 1) / 2;
    }
    queue->heap[at] = key;
}

/* Lets `key` sink from the top, in place of what was there. */
static void heap_replace(struct bpe_queue *queue, uint64_t key)
{
    uint64_t *heap = queue->heap;
    size_t at = 0, child;
    while ((child = 2 * at + 1) < queue->heap_count) {
        if (child + 1 < queue->heap_count && heap[child + 1] < heap[child])
            child++;
        if (heap[child] >= key)
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = key;
}

static void heap_pop(struct bpe_queue *queue)
{
    uint64_t last = queue->heap[--queue->heap_count];
    if (queue->heap_count > 0)
        heap_replace(queue, last);
}

static uint64_t key_of(uint32_t rank, uint32_t position)
{
    return (uint64_t)rank << 32 | position;
}

static uint32_t node_new(struct bpe_queue *queue, uint32_t position)
{
    uint32_t node = queue->free_node;
    if (node != 0) {
        queue->free_node = queue->nodes[node].next;
    } else {
        if (queue->node_count >= queue->node_capacity) {
            queue->node_capacity = queue->node_capacity > 0 ? queue->node_capacity * 2 : 64;
            queue->nodes = xreallocarray(queue->nodes, queue->node_capacity, sizeof *queue->nodes);
        }
        node = (uint32_t)queue->node_count++;
    }
    queue->nodes[node] = (struct lane_node){position, 0};
    return node;
}

void bpe_queue_push(struct bpe_queue *queue, uint32_t rank, uint32_t position)
{
    struct lane *lane = &queue->lanes[rank];
    if (lane->first != 0 && queue->nodes[lane->last].position > position) {
        heap_push(queue, key_of(rank, position));
        return;
    }
    uint32_t node = node_new(queue, position);
    lane = &queue->lanes[rank];
    if (lane->first == 0) {
        lane->first = node;
        heap_push(queue, key_of(rank, position));
    } else {
        queue->nodes[lane->last].next = node;
    }
    lane->last = node;
}

/* The front of a lane leaves; its successor takes the place in the heap. */
static void lane_advance(struct bpe_queue *queue, uint32_t rank)
{
    struct lane *lane = &queue->lanes[rank];
    uint32_t node = lane->first;
    lane->first = queue->nodes[node].next;
    queue->nodes[node].next = queue->free_node;
    queue->free_node = node;
    if (lane->first != 0)
        heap_replace(queue, key_of(rank, queue->nodes[lane->first].position));
    else
        heap_pop(queue);
}

bool bpe_queue_pop(struct bpe_queue *queue, uint32_t *rank, uint32_t *position)
{
    if (queue->heap_count == 0)
        return false;
    *rank = (uint32_t)(queue->heap[0] >> 32);
    *position = (uint32_t)queue->heap[0];
    const struct lane *lane = &queue->lanes[*rank];
    if (lane->first != 0 && queue->nodes[lane->first].position == *position)
        lane_advance(queue, *rank);
    else
        heap_pop(queue);
    return true;
}
