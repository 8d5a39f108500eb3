#include "kernels/cpu/kv_q4.h"

#include <math.h>

#include "kernels/cpu/half.h"

#define F16_LARGEST 65504.0f
#define CANDIDATES  8    /* scales that are tried: the farthest value is */
#define STEPS_FIRST 7.5f /* 7.5, 7.75 .. 9.25 of them */
#define STEPS_APART 0.25f
#define ROUNDER     0x1.8p23f

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

/* The end of the block that is farther from zero. */
static float farthest(const float *x, uint32_t count)
{
    float low = 0, high = 0;
    for (uint32_t i = 0; i < count; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    return high > -low ? high : low;
}

static float inverse_of(float scale)
{
    return scale != 0 ? 1.0f / scale : 0;
}

/* Adding 1.5 * 2^23 rounds to an integer, ties to even, and leaves it in the low bits. A NaN is
 * level -8. */
static inline float rounded(float x, float inverse)
{
    float level = x * inverse;
    level = level > -8.0f ? level : -8.0f;
    level = level < 7.0f ? level : 7.0f;
    return level + ROUNDER;
}

/* All candidates side by side, so that each sum keeps its order and they share a vector. */
static uint16_t best_scale(const float *x, uint32_t count)
{
    float largest = farthest(x, count), errors[CANDIDATES] = {0};
    float scales[CANDIDATES], inverses[CANDIDATES];
    for (int k = 0; k < CANDIDATES; k++) {
        float scale = largest / -(STEPS_FIRST + STEPS_APART * (float)k);
        scale = scale > F16_LARGEST ? F16_LARGEST : scale < -F16_LARGEST ? -F16_LARGEST : scale;
        scales[k] = f32_of_f16(f16_of_f32(scale));
        inverses[k] = inverse_of(scales[k]);
    }
    for (uint32_t i = 0; i < count; i++)
        for (int k = 0; k < CANDIDATES; k++) {
            float off = (rounded(x[i], inverses[k]) - ROUNDER) * scales[k] - x[i];
            errors[k] += off * off;
        }
    int best = 0;
    for (int k = 1; k < CANDIDATES; k++)
        best = errors[k] < errors[best] ? k : best;
    return f16_of_f32(scales[best]);
}

static uint32_t nibble_of(float x, float inverse)
{
    return (bits_of_float(rounded(x, inverse)) + KV_Q4_ZERO) & 15;
}

void kv_q4_write(uint8_t *out, uint16_t *scales, const float *row, uint32_t head_dim)
{
    for (uint32_t start = 0; start < head_dim; start += KV_Q4_BLOCK) {
        uint32_t count = head_dim - start < KV_Q4_BLOCK ? head_dim - start : KV_Q4_BLOCK;
        const float *x = row + start;
        uint16_t half = best_scale(x, count);
        float inverse = inverse_of(f32_of_f16(half));
        scales[start / KV_Q4_BLOCK] = half;
        for (uint32_t i = 0; i < count / 2; i++)
            out[start / 2 + i] =
                (uint8_t)(nibble_of(x[i], inverse) | nibble_of(x[count / 2 + i], inverse) << 4);
    }
}
