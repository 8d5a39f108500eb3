/*
 * order.h - in which order the threads of a block and the blocks of a grid take turns.
 *
 * As they are numbered; or, with AIRO_SHIM_ORDER=<seed>, in an order drawn from the seed and drawn
 * anew from time to time: often, so that threads go side by side, or seldom, so that one warp or
 * lane runs as far ahead of the others as it can.
 */
#ifndef AIRO_SHIM_ORDER_H
#define AIRO_SHIM_ORDER_H

#include <stdint.h>

struct warp;

struct order {
    uint32_t warps;
    uint32_t chance; /* one turn in so many draws a new order */
    uint8_t warp[32], lane[32];
};

/* Reads the setting: whether orders are drawn. A new seed starts its row of numbers anew. */
bool order_read(void);
bool order_drawn(void); /* as last read */
uint32_t order_below(uint32_t end);

/* For a block of so many warps. */
void order_begin(struct order *order, uint32_t warps);
/* Which lane's turn it is: warp * 32 + lane of a bit set in runnable[warp]; -1: none is. */
int order_next(struct order *order, const uint32_t *runnable);

#endif
