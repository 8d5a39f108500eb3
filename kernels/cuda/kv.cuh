/*
 * kv.cuh - keys and values on the device: rope, the rotation of KV_Q4, how a row is stored, and
 * where it stands in a page. Bytes are those of the CPU backend (kernels/cpu/kv.c, kv_q4.h).
 *
 * A warp works on one row of `dim` values: lane l holds dimensions l + 32 j as x[j], j < dim / 32.
 * So memory is read and written in whole lines, a block of 32 values under one scale is one x[j] of
 * all lanes, and the two values that rope turns together are in one lane.
 */
#ifndef AIRO_KERNELS_CUDA_KV_CUH
#define AIRO_KERNELS_CUDA_KV_CUH

#include "kernels/cuda/device.cuh"
#include "kernels/cuda/gpu.h"

template <enum kv_type type, uint32_t dim> struct kv_form {
    static constexpr uint32_t blocks = dim / 32; /* of 32 values */
    static constexpr uint32_t row_bytes = type == KV_F16 ? 2 * dim : type == KV_Q8 ? dim : dim / 2;
    static constexpr uint32_t row_pieces = row_bytes / 16; /* of 16 bytes */
    static constexpr uint32_t scales = type == KV_F16 ? 0 : blocks;
};

/* --- rope ------------------------------------------------------------------------------------- */

/* Sine and cosine of an angle 0 <= x < 2^17, to about 0.7 units of the last place. The angle less a
 * multiple of pi / 2 is kept as high + low: pi / 2 is in three parts, and what rounding takes from
 * the second is carried on, so that no digits are lost near a multiple of pi. Then the series up to
 * the terms that still count for |high| <= pi / 4. */
DEVICE void kv_sine_cosine(float x, float *sine, float *cosine)
{
    const float turns = rintf(x * 0.636619772367581343f);
    const float left = fmaf(-turns, 0x1.921fb0p+00f, x); /* exact */
    const float part = turns * 0x1.5110b4p-22f, part_low = fmaf(turns, 0x1.5110b4p-22f, -part);
    const float less = left - part, back = less - left;
    const float lost = (left - (less - back)) - (part + back);
    const float rest = fmaf(-turns, 0x1.846988p-48f, lost - part_low);
    const float high = less + rest, low = (less - high) + rest;
    const float z = high * high, z_low = fmaf(high, high, -z), half = 0.5f * z;

    float s = fmaf(z, 2.75573192e-6f, -1.98412698e-4f);
    s = fmaf(z, s, 8.33333333e-3f);
    s = fmaf(z, s, -1.66666667e-1f);
    s = high + fmaf(high * z, s, low * (1.0f - half));

    float c = fmaf(z, -2.75573192e-7f, 2.48015873e-5f);
    c = fmaf(z, c, -1.38888889e-3f);
    c = fmaf(z, c, 4.16666667e-2f);
    const float near = 1.0f - half;
    c = near + (((1.0f - near) - half) + fmaf(z * z, c, -fmaf(0.5f, z_low, high * low)));

    const uint32_t quarter = (uint32_t)(int32_t)turns;
    const float a = (quarter & 1) != 0 ? c : s, b = (quarter & 1) != 0 ? s : c;
    *sine = (quarter & 2) != 0 ? -a : a;
    *cosine = ((quarter + 1) & 2) != 0 ? -b : b;
}

/* What turns a row of this position: for dimensions l + 32 j of the lower half. */
template <uint32_t dim> struct kv_angles {
    float sine[dim / 64], cosine[dim / 64];
};

template <uint32_t dim>
DEVICE kv_angles<dim> kv_angles_of(const struct gpu_rope &rope, uint32_t position)
{
    kv_angles<dim> angles;
#pragma unroll
    for (uint32_t j = 0; j < dim / 64; j++) {
        float angle = (float)position * rope.inv_freq[lane_index() + 32 * j];
        kv_sine_cosine(angle, &angles.sine[j], &angles.cosine[j]);
        angles.sine[j] *= rope.scale;
        angles.cosine[j] *= rope.scale;
    }
    return angles;
}

template <uint32_t dim> DEVICE void kv_turn(float x[dim / 32], const kv_angles<dim> &angles)
{
#pragma unroll
    for (uint32_t j = 0; j < dim / 64; j++) {
        float a = x[j], b = x[j + dim / 64];
        x[j] = a * angles.cosine[j] - b * angles.sine[j];
        x[j + dim / 64] = b * angles.cosine[j] + a * angles.sine[j];
    }
}

/* --- rows ------------------------------------------------------------------------------------- */

template <uint32_t dim> DEVICE void kv_load(float x[dim / 32], const float *row)
{
#pragma unroll
    for (uint32_t j = 0; j < dim / 32; j++)
        x[j] = row[lane_index() + 32 * j];
}

/* The Walsh-Hadamard transform over sqrt(dim): its own inverse. The order of the sums is that of
 * kv_q4.h: neighbours first. */
template <uint32_t dim> DEVICE void kv_rotate(float x[dim / 32])
{
    const uint32_t lane = lane_index();
#pragma unroll
    for (uint32_t step = 1; step < 32; step *= 2)
#pragma unroll
        for (uint32_t j = 0; j < dim / 32; j++) {
            float other = warp_shuffle_xor(x[j], step);
            x[j] = (lane & step) != 0 ? other - x[j] : x[j] + other;
        }
#pragma unroll
    for (uint32_t step = 1; step < dim / 32; step *= 2)
#pragma unroll
        for (uint32_t j = 0; j < dim / 32; j++)
            if ((j & step) == 0) {
                float low = x[j], high = x[j + step];
                x[j] = low + high;
                x[j + step] = low - high;
            }
#pragma unroll
    for (uint32_t j = 0; j < dim / 32; j++)
        x[j] *= dim == 128 ? 0.08838834764831845f : 0.125f;
}

/* The multiple of `inverse` nearest to x within low .. high; ties to even; a NaN is `low`. */
DEVICE uint32_t kv_level(float x, float inverse, float low, float high)
{
    float level = fminf(fmaxf(x * inverse, low), high);
    return float_bits(level + 0x1.8p23f); /* the integer is in the low bits */
}

DEVICE uint16_t kv_scale_q8(float x)
{
    return half_from_float(fminf(warp_max(fabsf(x)) / 127.0f, 65504.0f));
}

/* The scale that kv_q4.h chooses for the 32 values of the lanes: lane k tries candidate k % 8 on
 * all of them, in their order; the least sum of squares wins, ties to the first. */
DEVICE uint16_t kv_scale_q4(float x)
{
    float high = fmaxf(warp_max(x), 0.0f), low = 0.0f - fmaxf(warp_max(-x), 0.0f);
    float scale = (high > -low ? high : low) / -(7.5f + 0.25f * (float)(lane_index() % 8));
    uint32_t half = half_from_float(fminf(fmaxf(scale, -65504.0f), 65504.0f));
    scale = half_to_float((uint16_t)half);
    float inverse = scale != 0 ? 1.0f / scale : 0, error = 0;
#pragma unroll 8
    for (uint32_t i = 0; i < 32; i++) {
        float value = warp_shuffle(x, i);
        float level = float_from_bits(kv_level(value, inverse, -8.0f, 7.0f)) - 0x1.8p23f;
        float off = level * scale - value;
        error += off * off;
    }
    uint32_t best = 0;
    float least = warp_shuffle(error, 0);
#pragma unroll
    for (uint32_t k = 1; k < 8; k++) {
        float own = warp_shuffle(error, k);
        best = own < least ? k : best;
        least = own < least ? own : least;
    }
    return (uint16_t)warp_shuffle(half, best);
}

/* Stores a row (after rope; for KV_Q4 also rotated): its bytes, and where it has some its scales.
 * `row` is shared or device memory; 2-byte aligned. */
template <enum kv_type type, uint32_t dim>
DEVICE void kv_encode(uint8_t *row, uint16_t *scales, const float x[dim / 32])
{
    const uint32_t lane = lane_index();
#pragma unroll
    for (uint32_t j = 0; j < dim / 32; j++) {
        if (type == KV_F16) {
            ((uint16_t *)row)[lane + 32 * j] = half_from_float(x[j]);
            continue;
        }
        const uint16_t half = type == KV_Q8 ? kv_scale_q8(x[j]) : kv_scale_q4(x[j]);
        const float scale = half_to_float(half), inverse = scale != 0 ? 1.0f / scale : 0;
        if (lane == 0)
            scales[j] = half;
        if (type == KV_Q8) {
            row[lane + 32 * j] = (uint8_t)kv_level(x[j], inverse, -127.0f, 127.0f);
        } else {
            uint32_t nibble = (kv_level(x[j], inverse, -8.0f, 7.0f) + 8) & 15;
            uint32_t upper = warp_shuffle_down(nibble, 16);
            if (lane < 16)
                row[lane + 16 * j] = (uint8_t)(nibble | upper << 4);
        }
    }
}

/* --- pages ------------------------------------------------------------------------------------ */

/* Offsets of one position's row, from the first byte of a head in a page. */
struct kv_place {
    size_t keys, values, key_scales, value_scales;
};

template <enum kv_type type, uint32_t dim>
DEVICE struct kv_place kv_place_of(uint32_t page_tokens, uint32_t slot)
{
    typedef kv_form<type, dim> form;
    struct kv_place place;
    place.keys = (size_t)slot * form::row_bytes;
    place.values = (size_t)(page_tokens + slot) * form::row_bytes;
    place.key_scales = (size_t)page_tokens * 2 * form::row_bytes + slot * form::scales * 2;
    place.value_scales = place.key_scales + (size_t)page_tokens * form::scales * 2;
    return place;
}

/* Calls `use(type, dim)` of a call whose type and head_dim have kernels, as constants. */
#define KV_DISPATCH(kv, use)                                                                       \
    ((kv).head_dim == 128  ? KV_DISPATCH_TYPE(kv, use, 128)                                        \
     : (kv).head_dim == 64 ? KV_DISPATCH_TYPE(kv, use, 64)                                         \
                           : cudaErrorInvalidValue)
#define KV_DISPATCH_TYPE(kv, use, dim)                                                             \
    ((kv).type == KV_F16  ? use(KV_F16, dim)                                                       \
     : (kv).type == KV_Q8 ? use(KV_Q8, dim)                                                        \
     : (kv).type == KV_Q4 ? use(KV_Q4, dim)                                                        \
                          : cudaErrorInvalidValue)

#endif
