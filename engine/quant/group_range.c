#include "engine/quant/group_range.h"

#include <math.h>

#include "kernels/cpu/half.h"

/* The search: ranges down to three quarters of the widest, compared by the sum of |error|^2.4.
 * That exponent is the published implementation's ("mse" in its quantiser). */
#define SEARCH_STEPS    10
#define SEARCH_NARROWER 0.25
#define SEARCH_POWER    2.4

/* The nearest scale that fp16 holds and that is not zero. */
static double as_half(double scale)
{
    double half = (double)f32_of_f16(f16_of_f32((float)scale));
    return half > 0 ? half : 0x1p-24;
}

/* The range [low, high] shrunk to `share` of it. */
static struct group_range make_range(double low, double high, double share, bool symmetric)
{
    struct group_range range = {as_half((high - low) * share / GROUP_LEVELS), 8};
    if (symmetric)
        return range;
    double zero = rint(-low * share / range.scale);
    range.zero = zero < 1 ? 1 : zero > GROUP_LEVELS ? GROUP_LEVELS : (int)zero;
    return range;
}

static double range_error(const struct group_range *range, const double *weights, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        double value = group_value(range, group_code(range, weights[i]));
        sum += pow(fabs(value - weights[i]), SEARCH_POWER);
    }
    return sum;
}

struct group_range group_range_find(const double *weights, size_t count, bool symmetric,
                                    enum group_rule rule)
{
    double low = 0, high = 0;
    for (size_t i = 0; i < count; i++) {
        low = weights[i] < low ? weights[i] : low;
        high = weights[i] > high ? weights[i] : high;
    }
    if (low == 0 && high == 0) { /* nothing to hold; AutoGPTQ takes -1 .. 1 */
        low = -1;
        high = 1;
    }
    if (symmetric) {
        high = high > -low ? high : -low;
        low = -high;
    } else if (rint(-low * GROUP_LEVELS / (high - low)) < 1) {
        /* zero cannot be 0: one level is lost below, so that the highest is still reached */
        high *= (double)GROUP_LEVELS / (GROUP_LEVELS - 1);
    }
    struct group_range best = make_range(low, high, 1, symmetric);
    if (rule == GROUP_MIN_MAX || !isfinite(best.scale))
        return best;
    double least = range_error(&best, weights, count);
    for (int step = 1; step <= SEARCH_STEPS; step++) {
        double share = 1 - SEARCH_NARROWER * step / SEARCH_STEPS;
        struct group_range range = make_range(low, high, share, symmetric);
        double error = range_error(&range, weights, count);
        if (error < least) {
            least = error;
            best = range;
        }
    }
    return best;
}
