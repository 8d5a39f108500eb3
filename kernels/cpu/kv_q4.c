#include "kernels/cpu/kv_q4.h"

#include <math.h>

#include "kernels/cpu/half.h"

#define F16_LARGEST 65504.0f
#define STEPS       8.25f /* of the scale in the largest value */

/* The stages h = 1 and h = 2. */
static void rotate_fours(float *run, uint32_t width)
{
    for (uint32_t i = 0; i < width; i += 4) {
        float a = run[i] + run[i + 1], b = run[i] - run[i + 1];
        float c = run[i + 2] + run[i + 3], d = run[i + 2] - run[i + 3];
        run[i] = a + c;
        run[i + 1] = b + d;
        run[i + 2] = a - c;
        run[i + 3] = b - d;
    }
}

static void rotate_stage(float *run, uint32_t width, uint32_t h)
{
    for (uint32_t start = 0; start < width; start += 2 * h) {
        float *low = run + start, *high = low + h;
        for (uint32_t i = 0; i < h; i += 4)
            for (uint32_t k = i; k < i + 4; k++) {
                float a = low[k], b = high[k];
                low[k] = a + b;
                high[k] = a - b;
            }
    }
}

void kv_q4_rotate(float *row, uint32_t head_dim)
{
    const uint32_t width = head_dim & (~head_dim + 1);
    const float factor = (float)(1.0 / sqrt((double)width));
    for (uint32_t start = 0; start < head_dim; start += width) {
        float *run = row + start;
        rotate_fours(run, width);
        for (uint32_t h = 4; h < width; h *= 2)
            rotate_stage(run, width, h);
        for (uint32_t i = 0; i < width; i++)
            run[i] *= factor;
    }
}

/* Of a block of `count` values. */
static uint16_t scale_of(const float *x, uint32_t count)
{
    float low = 0, high = 0;
    for (uint32_t i = 0; i < count; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    float scale = (high > -low ? high : low) / -STEPS;
    scale = scale > F16_LARGEST ? F16_LARGEST : scale < -F16_LARGEST ? -F16_LARGEST : scale;
    return f16_of_f32(scale);
}

/* The nibble. Adding 1.5 * 2^23 rounds to an integer, ties to even, and leaves it in the low bits;
 * a NaN is level -8. */
static uint32_t nibble_of(float x, float inverse)
{
    float level = x * inverse;
    level = level > -8.0f ? level : -8.0f;
    level = level < 7.0f ? level : 7.0f;
    return (bits_of_float(level + 0x1.8p23f) + KV_Q4_ZERO) & 15;
}

void kv_q4_write(uint8_t *out, uint16_t *scales, const float *row, uint32_t head_dim)
{
    for (uint32_t start = 0; start < head_dim; start += KV_Q4_BLOCK) {
        uint32_t count = head_dim - start < KV_Q4_BLOCK ? head_dim - start : KV_Q4_BLOCK;
        const float *x = row + start;
        uint16_t half = scale_of(x, count);
        float scale = f32_of_f16(half), inverse = scale != 0 ? 1.0f / scale : 0;
        scales[start / KV_Q4_BLOCK] = half;
        for (uint32_t i = 0; i < count / 2; i++)
            out[start / 2 + i] =
                (uint8_t)(nibble_of(x[i], inverse) | nibble_of(x[count / 2 + i], inverse) << 4);
    }
}
