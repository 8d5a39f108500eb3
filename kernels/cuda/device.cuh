/*
 * device.cuh - all that the kernels use of PTX and of CUDA's built-ins, each with a plain host
 * twin.
 *
 * With nvcc every function is one or a few instructions. With the host's C++ compiler it says in
 * plain C++ what the instruction does; threads of a warp meet in shim_meet (tests/cuda/shim), which
 * gives every lane what all 32 lanes brought. Everything here assumes whole warps of 32 lanes and
 * that all of them call together. Needs sm_80; what came later has an empty twin for older ones.
 */
#ifndef AIRO_KERNELS_CUDA_DEVICE_CUH
#define AIRO_KERNELS_CUDA_DEVICE_CUH

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#ifdef __CUDACC__
#include <cuda_runtime.h>
#else
#include <shim_kernel.h>

#include "kernels/cpu/half.h"
#endif

#define DEVICE static __device__ __forceinline__

/* The block's dynamic shared memory, 16-byte aligned: unsigned char *name. */
#ifdef __CUDACC__
#define SHARED_BYTES(name) extern __shared__ __align__(16) unsigned char name[]
#else
#define SHARED_BYTES(name) unsigned char *const name = shim_shared()
#endif

/* --- lanes -------------------------------------------------------------------------------------
 */

DEVICE uint32_t lane_index()
{
    return threadIdx.x % 32; /* blocks are one-dimensional */
}

DEVICE uint32_t warp_index()
{
    return threadIdx.x / 32;
}

/* --- numbers ----------------------------------------------------------------------------------
 */

DEVICE float half_to_float(uint16_t half)
{
#ifdef __CUDACC__
    float value;
    asm("cvt.f32.f16 %0, %1;" : "=f"(value) : "h"(half));
    return value;
#else
    return f32_of_f16(half);
#endif
}

/* To the nearest, ties to even. */
DEVICE uint16_t half_from_float(float value)
{
#ifdef __CUDACC__
    uint16_t half;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(half) : "f"(value));
    return half;
#else
    return f16_of_f32(value);
#endif
}

/* Two halves in a word, the first in the low 16 bits. */
DEVICE uint32_t half2_pack(float low, float high)
{
#ifdef __CUDACC__
    uint32_t pair; /* the instruction's first source goes to the upper half */
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(pair) : "f"(high), "f"(low));
    return pair;
#else
    return (uint32_t)f16_of_f32(low) | (uint32_t)f16_of_f32(high) << 16;
#endif
}

DEVICE float half2_low(uint32_t pair)
{
    return half_to_float((uint16_t)(pair & 0xFFFF));
}

DEVICE float half2_high(uint32_t pair)
{
    return half_to_float((uint16_t)(pair >> 16));
}

#ifndef __CUDACC__
/* Halves computed as the GPU does: exactly, then rounded once. Sums and products of halves are
 * exact in double but for sums that span more than 53 bits, where one of them is below half a unit
 * of the result anyhow. */
static inline uint16_t shim_half_round(double value)
{
    uint32_t sign = signbit(value) ? 0x8000 : 0;
    double size = fabs(value);
    if (isnan(value))
        return 0x7FFF;
    if (size >= 65520)
        return (uint16_t)(sign | 0x7C00);
    int exponent = size < 0x1p-14 ? -14 : ilogb(size);
    double units = nearbyint(ldexp(size, 10 - exponent)); /* of the last place; at most 2048 */
    return (uint16_t)(sign + (uint32_t)((exponent + 14) * 1024) + (uint32_t)units);
}

template <typename Operation>
static inline uint32_t shim_half2(uint32_t a, uint32_t b, uint32_t c, Operation operation)
{
    uint16_t low = shim_half_round(operation(half2_low(a), half2_low(b), half2_low(c)));
    uint16_t high = shim_half_round(operation(half2_high(a), half2_high(b), half2_high(c)));
    return (uint32_t)low | (uint32_t)high << 16;
}
#endif

DEVICE uint32_t half2_add(uint32_t a, uint32_t b)
{
#ifdef __CUDACC__
    uint32_t r;
    asm("add.rn.f16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));
    return r;
#else
    return shim_half2(a, b, 0, [](double x, double y, double) { return x + y; });
#endif
}

DEVICE uint32_t half2_sub(uint32_t a, uint32_t b)
{
#ifdef __CUDACC__
    uint32_t r;
    asm("sub.rn.f16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));
    return r;
#else
    return shim_half2(a, b, 0, [](double x, double y, double) { return x - y; });
#endif
}

DEVICE uint32_t half2_mul(uint32_t a, uint32_t b)
{
#ifdef __CUDACC__
    uint32_t r;
    asm("mul.rn.f16x2 %0, %1, %2;" : "=r"(r) : "r"(a), "r"(b));
    return r;
#else
    return shim_half2(a, b, 0, [](double x, double y, double) { return x * y; });
#endif
}

/* a * b + c, rounded once. */
DEVICE uint32_t half2_fma(uint32_t a, uint32_t b, uint32_t c)
{
#ifdef __CUDACC__
    uint32_t r;
    asm("fma.rn.f16x2 %0, %1, %2, %3;" : "=r"(r) : "r"(a), "r"(b), "r"(c));
    return r;
#else
    return shim_half2(a, b, c, [](double x, double y, double z) { return x * y + z; });
#endif
}

DEVICE float bfloat_to_float(uint16_t bits)
{
#ifdef __CUDACC__
    return __uint_as_float((uint32_t)bits << 16);
#else
    return f32_of_bf16(bits);
#endif
}

/* (w & mask) | bits in one instruction. */
DEVICE uint32_t and_or(uint32_t w, uint32_t mask, uint32_t bits)
{
#ifdef __CUDACC__
    uint32_t r; /* the table of (a & b) | c: (0xF0 & 0xCC) | 0xAA */
    asm("lop3.b32 %0, %1, %2, %3, 0xEA;" : "=r"(r) : "r"(w), "r"(mask), "r"(bits));
    return r;
#else
    return (w & mask) | bits;
#endif
}

/* Four bytes of the eight of (b, a), b the upper: byte i of the result is byte number
 * (selector >> 4 i) & 7. */
DEVICE uint32_t byte_permute(uint32_t a, uint32_t b, uint32_t selector)
{
#ifdef __CUDACC__
    return __byte_perm(a, b, selector);
#else
    uint64_t bytes = (uint64_t)b << 32 | a;
    uint32_t result = 0;
    for (int i = 0; i < 4; i++)
        result |= (uint32_t)(bytes >> 8 * (selector >> 4 * i & 7) & 0xFF) << 8 * i;
    return result;
#endif
}

/* 2^x and 1 / sqrt(x), to about 22 bits. */
DEVICE float exp2_fast(float x)
{
#ifdef __CUDACC__
    float r;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
    return r;
#else
    return exp2f(x);
#endif
}

DEVICE float rsqrt_fast(float x)
{
#ifdef __CUDACC__
    float r;
    asm("rsqrt.approx.ftz.f32 %0, %1;" : "=f"(r) : "f"(x));
    return r;
#else
    return 1.0f / sqrtf(x);
#endif
}

/* --- warps -------------------------------------------------------------------------------------
 */

DEVICE uint32_t warp_shuffle(uint32_t value, uint32_t lane)
{
#ifdef __CUDACC__
    return __shfl_sync(0xFFFFFFFF, value, (int)lane);
#else
    return shim_exchange("warp_shuffle", value)[lane % 32];
#endif
}

DEVICE uint32_t warp_shuffle_xor(uint32_t value, uint32_t mask)
{
#ifdef __CUDACC__
    return __shfl_xor_sync(0xFFFFFFFF, value, (int)mask);
#else
    return shim_exchange("warp_shuffle_xor", value)[(shim_lane() ^ mask) % 32];
#endif
}

/* The value of lane + delta; the own one where that is past lane 31. */
DEVICE uint32_t warp_shuffle_down(uint32_t value, uint32_t delta)
{
#ifdef __CUDACC__
    return __shfl_down_sync(0xFFFFFFFF, value, delta);
#else
    uint32_t lane = shim_lane() + delta;
    return shim_exchange("warp_shuffle_down", value)[lane < 32 ? lane : shim_lane()];
#endif
}

DEVICE float float_from_bits(uint32_t bits)
{
#ifdef __CUDACC__
    return __uint_as_float(bits);
#else
    return float_of_bits(bits);
#endif
}

DEVICE uint32_t float_bits(float value)
{
#ifdef __CUDACC__
    return __float_as_uint(value);
#else
    return bits_of_float(value);
#endif
}

DEVICE float warp_shuffle(float value, uint32_t lane)
{
    return float_from_bits(warp_shuffle(float_bits(value), lane));
}

DEVICE float warp_shuffle_xor(float value, uint32_t mask)
{
    return float_from_bits(warp_shuffle_xor(float_bits(value), mask));
}

DEVICE float warp_shuffle_down(float value, uint32_t delta)
{
    return float_from_bits(warp_shuffle_down(float_bits(value), delta));
}

/* Over the 32 lanes, to every lane, always in the same order. */
DEVICE float warp_sum(float value)
{
    for (uint32_t mask = 16; mask > 0; mask /= 2)
        value += warp_shuffle_xor(value, mask);
    return value;
}

DEVICE float warp_max(float value)
{
    for (uint32_t mask = 16; mask > 0; mask /= 2)
        value = fmaxf(value, warp_shuffle_xor(value, mask));
    return value;
}

/* Bit l is the predicate of lane l. */
DEVICE uint32_t warp_ballot(bool predicate)
{
#ifdef __CUDACC__
    return __ballot_sync(0xFFFFFFFF, predicate);
#else
    const uint32_t *all = shim_exchange<uint32_t>("warp_ballot", predicate);
    uint32_t bits = 0;
    for (uint32_t lane = 0; lane < 32; lane++)
        bits |= all[lane] << lane;
    return bits;
#endif
}

/* What a lane wrote to memory before is seen by the warp's other lanes after. */
DEVICE void warp_sync()
{
#ifdef __CUDACC__
    __syncwarp();
#else
    shim_exchange("warp_sync", 0u);
#endif
}

/* All threads of the block; none may have returned. */
DEVICE void block_sync()
{
#ifdef __CUDACC__
    __syncthreads();
#else
    shim_block_sync();
#endif
}

/* --- the device --------------------------------------------------------------------------------
 */

DEVICE uint32_t atomic_add(uint32_t *p, uint32_t v)
{
#ifdef __CUDACC__
    return atomicAdd(p, v);
#else
    shim_atomic_begin(p);
    uint32_t old = __atomic_fetch_add(p, v, __ATOMIC_RELAXED);
    shim_atomic_end(p);
    return old;
#endif
}

/* What this thread wrote or had seen before is seen by every thread of the device that sees one of
 * its writes or atomic additions after, and goes through a fence too. */
DEVICE void fence()
{
#ifdef __CUDACC__
    asm volatile("fence.acq_rel.gpu;" ::: "memory");
#else
    shim_fence();
#endif
}

/*
 * Programmatic dependent launch (sm_90 and later; before, the launch waits and these do nothing).
 * grid_wait returns when the grid launched before on the stream has finished and its writes are
 * seen; every kernel that is launched `dependent` calls it, before it reads what earlier kernels
 * wrote and before it writes what they may still read. grid_launch lets the next dependent grid
 * start, as soon as all blocks of this one have called it or returned.
 */
DEVICE void grid_wait()
{
#ifdef __CUDACC__
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
#else
    shim_grid_wait();
#endif
}

DEVICE void grid_launch()
{
#if defined __CUDACC__ && __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}

/* --- memory ------------------------------------------------------------------------------------
 */

/* 16 bytes that are read once by the whole grid: not kept in L1. Issued where it stands. */
DEVICE uint4 load16_stream(const void *global)
{
#ifdef __CUDACC__
    uint4 v;
    asm volatile("ld.global.nc.L1::no_allocate.L2::256B.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(__cvta_generic_to_global(global)));
    return v;
#else
    uint4 v;
    memcpy(&v, shim_aligned16(global, "load16_stream"), sizeof v);
    return v;
#endif
}

/* 16 bytes that another block of the grid or an earlier grid wrote: from L2, never from L1. */
DEVICE uint4 load16_coherent(const void *global)
{
#ifdef __CUDACC__
    uint4 v;
    asm volatile("ld.global.cg.v4.u32 {%0, %1, %2, %3}, [%4];"
                 : "=r"(v.x), "=r"(v.y), "=r"(v.z), "=r"(v.w)
                 : "l"(__cvta_generic_to_global(global))
                 : "memory");
    return v;
#else
    uint4 v;
    memcpy(&v, shim_aligned16(global, "load16_coherent"), sizeof v);
    return v;
#endif
}

/* Asks for the 128-byte line at `global` to be brought to L2. */
DEVICE void prefetch_l2(const void *global)
{
#ifdef __CUDACC__
    asm volatile("prefetch.global.L2 [%0];" ::"l"(__cvta_generic_to_global(global)));
#else
    (void)global;
#endif
}

#ifdef __CUDACC__
DEVICE uint32_t shared_address(const void *p)
{
    return (uint32_t)__cvta_generic_to_shared(p);
}
#endif

/* 16 bytes from global to shared memory, there when copy_wait says so (and, for other threads,
 * after a block_sync or warp_sync that follows it); both addresses are multiples of 16. */
DEVICE void copy16_async(void *shared, const void *global)
{
#ifdef __CUDACC__
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global))
                 : "memory");
#else
    shim_copy16(shared, global, 16);
#endif
}

/* The first `bytes` of the 16, then zeros, which are not read from `global`; that is a multiple of
 * 16 all the same. */
DEVICE void copy16_async_first(void *shared, const void *global, uint32_t bytes)
{
#ifdef __CUDACC__
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(shared)),
                 "l"(__cvta_generic_to_global(global)), "r"(bytes)
                 : "memory");
#else
    shim_copy16(shared, global, bytes);
#endif
}

/* Zeros where not `valid`. */
DEVICE void copy16_async_if(void *shared, const void *global, bool valid)
{
    copy16_async_first(shared, global, valid ? 16 : 0);
}

/* Closes a group: the thread's copies since the last one, none allowed. */
DEVICE void copy_commit()
{
#ifdef __CUDACC__
    asm volatile("cp.async.commit_group;" ::: "memory");
#else
    shim_copy_commit();
#endif
}

/* Waits until all but the latest `Groups` groups of this thread have arrived. */
template <int Groups> DEVICE void copy_wait()
{
#ifdef __CUDACC__
    asm volatile("cp.async.wait_group %0;" ::"n"(Groups) : "memory");
#else
    shim_copy_wait(Groups);
#endif
}

/* --- matrices ----------------------------------------------------------------------------------
 */

/*
 * Four 8x8 matrices of 16-bit values from shared memory. Lane l gives the address (a multiple of
 * 16) of row l % 8 of matrix l / 8, eight values. r[m] of lane l is of matrix m:
 *   ldmatrix_x4        row l / 4, columns 2 (l % 4) in the low half and 2 (l % 4) + 1
 *   ldmatrix_x4_trans  column l / 4, rows 2 (l % 4) in the low half and 2 (l % 4) + 1
 */
#ifndef __CUDACC__
static inline void shim_ldmatrix(uint32_t r[4], const void *shared_row, bool transposed)
{
    const void *row = shim_aligned16(shared_row, "ldmatrix");
    const void *const *rows = shim_exchange(transposed ? "ldmatrix_trans" : "ldmatrix", row);
    uint32_t group = shim_lane() / 4, pair = shim_lane() % 4 * 2;
    for (uint32_t m = 0; m < 4; m++) {
        uint16_t low, high;
        const char *from = (const char *)rows[8 * m + (transposed ? pair : group)];
        const char *next = (const char *)rows[8 * m + (transposed ? pair + 1 : group)];
        memcpy(&low, from + 2 * (transposed ? group : pair), 2);
        memcpy(&high, next + 2 * (transposed ? group : pair + 1), 2);
        r[m] = (uint32_t)low | (uint32_t)high << 16;
    }
    shim_exchange("ldmatrix", 0u); /* nobody writes there before all have read */
}
#endif

DEVICE void ldmatrix_x4(uint32_t r[4], const void *shared_row)
{
#ifdef __CUDACC__
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(shared_row))
                 : "memory");
#else
    shim_ldmatrix(r, shared_row, false);
#endif
}

DEVICE void ldmatrix_x4_trans(uint32_t r[4], const void *shared_row)
{
#ifdef __CUDACC__
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(shared_row))
                 : "memory");
#else
    shim_ldmatrix(r, shared_row, true);
#endif
}

/*
 * C[16][8] += A[16][16] B[16][8], A and B f16, C f32. Lane l, g = l / 4, t = l % 4, holds (the
 * first of a pair in the low half):
 *   a[0] = A[g][2t, 2t+1]      a[1] = A[g+8][2t, 2t+1]
 *   a[2] = A[g][2t+8, 2t+9]    a[3] = A[g+8][2t+8, 2t+9]
 *   b[0] = B[2t, 2t+1][g]      b[1] = B[2t+8, 2t+9][g]
 *   c[0], c[1] = C[g][2t, 2t+1]    c[2], c[3] = C[g+8][2t, 2t+1]
 */
#ifndef __CUDACC__
struct shim_mma {
    uint32_t a[4], b[2];
};
struct shim_mma_sum {
    float c[4];
};

/* Of all lanes at once: every value is widened once. */
static inline void shim_mma_all(const struct shim_mma *lanes, struct shim_mma_sum *sums)
{
    float a[16][16], b[16][8], c[16][8] = {};
    for (uint32_t l = 0; l < 32; l++) {
        uint32_t g = l / 4, k = l % 4 * 2;
        for (uint32_t i = 0; i < 4; i++) {
            a[g + i % 2 * 8][k + i / 2 * 8] = half2_low(lanes[l].a[i]);
            a[g + i % 2 * 8][k + i / 2 * 8 + 1] = half2_high(lanes[l].a[i]);
        }
        for (uint32_t i = 0; i < 2; i++) {
            b[k + i * 8][g] = half2_low(lanes[l].b[i]);
            b[k + i * 8 + 1][g] = half2_high(lanes[l].b[i]);
        }
    }
    for (uint32_t m = 0; m < 16; m++)
        for (uint32_t k = 0; k < 16; k++)
            for (uint32_t n = 0; n < 8; n++)
                c[m][n] += a[m][k] * b[k][n];
    for (uint32_t l = 0; l < 32; l++)
        for (uint32_t i = 0; i < 4; i++)
            sums[l].c[i] = c[l / 4 + i / 2 * 8][l % 4 * 2 + i % 2];
}
#endif

DEVICE void mma_16816(float c[4], const uint32_t a[4], const uint32_t b[2])
{
#ifdef __CUDACC__
    asm("mma.sync.aligned.m16n8k16.row.col.f32.f16.f16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(c[0]), "+f"(c[1]), "+f"(c[2]), "+f"(c[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
#else
    struct shim_mma own = {{a[0], a[1], a[2], a[3]}, {b[0], b[1]}};
    struct shim_mma_sum sum = shim_compute("mma_16816", own, shim_mma_all);
    for (uint32_t i = 0; i < 4; i++)
        c[i] += sum.c[i];
#endif
}

#endif
