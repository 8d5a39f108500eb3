/*
 * shim_kernel.h - what kernels compiled by the host's C++ compiler need: CUDA's words, its vector
 * types, and how threads of a block meet (../block.cpp runs them).
 *
 * A block's threads are fibres that take turns on one OS thread, so ordinary memory is shared by
 * all and a thread runs alone until it meets others: in shim_exchange (a warp) or shim_block_sync.
 * A warp or block in which not all threads meet in the same place is reported and ends the launch
 * with cudaErrorLaunchFailure.
 */
#ifndef AIRO_SHIM_KERNEL_H
#define AIRO_SHIM_KERNEL_H

#include <cuda_runtime_api.h>
#include <functional>
#include <string.h>
#include <tuple>
#include <type_traits>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __align__(n)    __attribute__((aligned(n)))
#define __launch_bounds__(...)
/* Blocks run one after the other, so one copy of a block's static shared variables is enough. In a
 * section of their own the runner finds them. */
#define __shared__ static __attribute__((section("airo_shared"), used))

struct dim3 {
    unsigned x, y, z;
    constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_)
    {
    }
};

#define SHIM_VECTOR(type, name, align)                                                             \
    struct __align__(align * 2 / 4) name##2                                                        \
    {                                                                                              \
        type x, y;                                                                                 \
    };                                                                                             \
    struct __align__(align) name##4                                                                \
    {                                                                                              \
        type x, y, z, w;                                                                           \
    };                                                                                             \
    static inline name##2 make_##name##2(type x, type y)                                           \
    {                                                                                              \
        return name##2 {x, y};                                                                     \
    }                                                                                              \
    static inline name##4 make_##name##4(type x, type y, type z, type w)                           \
    {                                                                                              \
        return name##4 {x, y, z, w};                                                               \
    }
SHIM_VECTOR(float, float, 16)
SHIM_VECTOR(int, int, 16)
SHIM_VECTOR(unsigned, uint, 16)
SHIM_VECTOR(unsigned short, ushort, 8)
SHIM_VECTOR(unsigned char, uchar, 4)
SHIM_VECTOR(signed char, char, 4)
#undef SHIM_VECTOR

/* The thread that runs now. */
struct shim_place {
    dim3 thread, block, block_size, grid_size;
};
extern "C" const struct shim_place *shim_place;
#define threadIdx (shim_place->thread)
#define blockIdx  (shim_place->block)
#define blockDim  (shim_place->block_size)
#define gridDim   (shim_place->grid_size)

static inline unsigned shim_lane()
{
    return shim_place->thread.x % 32;
}

/* --- meeting ---------------------------------------------------------------------------------- */

/* Computes all 32 results from all 32 values; called once, by the last lane to arrive. */
typedef void (*shim_warp_function)(const void *values, void *results);

extern "C" {
unsigned char *shim_shared(void); /* the block's dynamic shared memory */
void shim_block_sync(void);
/* Waits until all lanes of the warp are in an operation of this name, each with its value of
 * `bytes` (<= 64). Returns [32] values in lane order, or the results of `function` where not NULL.
 * Valid until the lane's next operation but one. */
const void *shim_meet(const char *operation, const void *value, size_t bytes,
                      shim_warp_function function);
void shim_grid_wait(void);
void shim_atomic_begin(uint32_t *p); /* around an addition to *p */
void shim_atomic_end(uint32_t *p);
void shim_fence(void);
void shim_offer_turn(void); /* others may go on before the running thread does */
/* The pointer; one that is not a multiple of 16 ends the launch with cudaErrorMisalignedAddress. */
const void *shim_aligned16(const void *pointer, const char *operation);
/* The first `bytes` and zeros after them; they arrive in shim_copy_wait. */
void shim_copy16(void *shared, const void *global, unsigned bytes);
void shim_copy_commit(void);
void shim_copy_wait(unsigned groups);
}

template <typename T> static inline const T *shim_exchange(const char *operation, T value)
{
    static_assert(std::is_trivially_copyable<T>::value, "lanes exchange plain values");
    return static_cast<const T *>(shim_meet(operation, &value, sizeof value, nullptr));
}

template <typename T, typename R>
static inline R shim_compute(const char *operation, T value, void (*function)(const T *, R *))
{
    static_assert(sizeof(T) <= 64 && sizeof(R) <= 64, "a lane's slot has 64 bytes");
    const void *all =
        shim_meet(operation, &value, sizeof value, reinterpret_cast<shim_warp_function>(function));
    return static_cast<const R *>(all)[shim_lane()];
}

/* --- launching -------------------------------------------------------------------------------- */

struct shim_grid {
    const char *call; /* the source text of the launch: "kernel<4>, grid, ..." */
    dim3 grid, block;
    size_t shared;
    bool dependent;
    std::function<void()> thread;     /* what one thread runs */
    std::vector<uintptr_t> arguments; /* a host address among them is a fault */
};
bool shim_strict(void); /* AIRO_SHIM_STRICT=1 */
cudaError_t shim_enqueue(const struct shim_grid &grid, cudaStream_t stream);

/* Of a pointer itself; of a struct all aligned words, padding among them, and only on request: what
 * stood in the padding before may look like an address. */
template <typename T>
static inline void shim_words(std::vector<uintptr_t> *words, const T &argument)
{
    if (!std::is_pointer<T>::value && !shim_strict())
        return;
    for (size_t at = 0; at + sizeof(uintptr_t) <= sizeof argument; at += sizeof(uintptr_t)) {
        uintptr_t word;
        memcpy(&word, (const char *)&argument + at, sizeof word);
        words->push_back(word);
    }
}

template <typename... Parameters, typename... Arguments>
static inline cudaError_t shim_launch(const char *call, void (*kernel)(Parameters...), dim3 grid,
                                      dim3 block, size_t shared, cudaStream_t stream,
                                      bool dependent, Arguments... arguments)
{
    std::tuple<std::decay_t<Parameters>...> values(static_cast<Parameters>(arguments)...);
    std::vector<uintptr_t> words;
    std::apply([&](const auto &...value) { (shim_words(&words, value), ...); }, values);
    return shim_enqueue(
        {call, grid, block, shared, dependent, [=] { std::apply(kernel, values); }, words}, stream);
}

#endif
