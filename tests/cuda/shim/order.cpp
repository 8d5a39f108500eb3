#include "order.h"

#include <stdlib.h>
#include <string>

static std::string setting;
static uint64_t state;
static bool drawn;

bool order_read(void)
{
    const char *now = getenv("AIRO_SHIM_ORDER");
    if (setting != (now ? now : "")) {
        setting = now ? now : "";
        state = strtoull(setting.c_str(), NULL, 10);
        drawn = state != 0;
    }
    return drawn;
}

bool order_drawn(void)
{
    return drawn;
}

/* splitmix64 */
static uint64_t number(void)
{
    uint64_t z = state += 0x9E3779B97F4A7C15u;
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9u;
    z = (z ^ z >> 27) * 0x94D049BB133111EBu;
    return z ^ z >> 31;
}

uint32_t order_below(uint32_t end)
{
    return (uint32_t)((number() >> 32) * end >> 32);
}

/* The first or the last far ahead now and then: they are the ones that kernels give tasks to. */
static void draw(uint8_t *places, uint32_t count)
{
    uint32_t kind = order_below(4);
    for (uint32_t i = 0; i < count && kind < 2; i++)
        places[i] = (uint8_t)(kind == 0 ? i : count - 1 - i);
    for (uint32_t i = 0; i < count && kind >= 2; i++) {
        uint32_t other = order_below(i + 1);
        places[i] = places[other];
        places[other] = (uint8_t)i;
    }
}

static void draw_all(struct order *order)
{
    draw(order->warp, order->warps);
    draw(order->lane, 32);
}

void order_begin(struct order *order, uint32_t warps)
{
    static const uint32_t chances[] = {1, 8, 64, 1u << 30};
    order->warps = warps;
    order->chance = chances[order_below(4)];
    draw_all(order);
}

int order_next(struct order *order, const uint32_t *runnable)
{
    if (order_below(order->chance) == 0)
        draw_all(order);
    for (uint32_t w = 0; w < order->warps; w++)
        for (uint32_t l = 0; runnable[order->warp[w]] && l < 32; l++)
            if (runnable[order->warp[w]] >> order->lane[l] & 1)
                return order->warp[w] * 32 + order->lane[l];
    return -1;
}
