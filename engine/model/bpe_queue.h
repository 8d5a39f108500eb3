/*
 * bpe_queue.h - the pairs that wait to be merged, best rank first, ties leftmost.
 *
 * One lane per rank holds positions in ascending order. The heap holds the front of every lane and
 * the positions that came too late for their lane's order; it stays small, so that a text of
 * millions of pairs costs little more than passing through it.
 */
#ifndef AIRO_MODEL_BPE_QUEUE_H
#define AIRO_MODEL_BPE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A position in a lane; `next` is an index into the nodes, 0 at the end. */
struct lane_node {
    uint32_t position, next;
};

struct lane {
    uint32_t first, last; /* indices of nodes; 0: empty */
};

struct bpe_queue {
    struct lane *lanes; /* [ranks] */
    struct lane_node *nodes;
    size_t node_count, node_capacity;
    uint32_t free_node; /* list of nodes to use again */
    uint64_t *heap;     /* rank << 32 | position, smallest first */
    size_t heap_count, heap_capacity;
};

void bpe_queue_init(struct bpe_queue *queue, uint32_t ranks);
void bpe_queue_free(struct bpe_queue *queue);
void bpe_queue_push(struct bpe_queue *queue, uint32_t rank, uint32_t position);
/* False when empty. */
bool bpe_queue_pop(struct bpe_queue *queue, uint32_t *rank, uint32_t *position);

#endif
