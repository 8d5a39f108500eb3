/*
 * group_range.h - scale and zero of one group of weights: which 16 values it is rounded to.
 */
#ifndef AIRO_QUANT_GROUP_RANGE_H
#define AIRO_QUANT_GROUP_RANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROUP_LEVELS 15 /* the largest code of 4 bits */

/* value = scale * (code - zero), code 0 .. 15. The scale is one that fp16 holds; the zero is 1 ..
 * 15, because the v1 layout stores it minus one. */
struct group_range {
    double scale;
    int zero;
};

enum group_rule {
    GROUP_MIN_MAX, /* from the least to the greatest weight, as AutoGPTQ does by default */
    GROUP_SEARCH,  /* the one of eleven narrower ranges that leaves the least error */
};

/* An infinite scale when the weights are beyond what fp16 can scale. */
struct group_range group_range_find(const double *weights, size_t count, bool symmetric,
                                    enum group_rule rule);

static inline int group_code(const struct group_range *range, double weight)
{
    double code = __builtin_rint(weight / range->scale) + range->zero;
    return code < 0 ? 0 : code > GROUP_LEVELS ? GROUP_LEVELS : (int)code;
}

static inline double group_value(const struct group_range *range, int code)
{
    return range->scale * (code - range->zero);
}

#endif
