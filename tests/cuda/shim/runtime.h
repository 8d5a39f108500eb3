/*
 * runtime.h - what the files of the shim's runtime share.
 *
 * A device is a limit of bytes; its memory is the process's. What is put into a stream waits there
 * until someone synchronises with it (a stream, an event, a device, a blocking copy), as late as a
 * real device may run it: a missing synchronisation shows. One lock over everything.
 *
 * Environment, read at every call:
 *   AIRO_SHIM_DEVICES=n       how many devices there are (1)
 *   AIRO_SHIM_MEMORY=bytes    of each (1 GiB)
 *   AIRO_SHIM_FAIL=what:N     the N-th of them, counted since the text last changed:
 *                             malloc:N  cudaMalloc has no memory   launch:N  a launch is refused
 *                             copy:N    a copy or set is refused   lost:N    of all these the N-th
 *                             and everything after it fails when it runs, until cudaDeviceReset
 *                             gone:N    the same, and the device stays lost
 *                             capture:N  a capture is found to be of no use at its end
 *   AIRO_SHIM_AHEAD=1         whoever waits for a stream or event finds that the other streams have
 *                             overtaken it, as far as they do not wait for it
 *   AIRO_SHIM_POISON=0        no NaN patterns in fresh memory
 *   AIRO_SHIM_REVERSE=1       a grid's blocks run last to first
 *   AIRO_SHIM_ORDER=seed      threads take turns in a drawn order and so do blocks, several of
 *                             which are begun at a time (order.h)
 *   AIRO_SHIM_SOLVER=0        there is no cuSOLVER (include/cusolverDn.h)
 *   AIRO_SHIM_STRICT=1        looks for host addresses in structs given to kernels too; what
 *                             padding holds can, rarely, be taken for one
 */
#ifndef AIRO_SHIM_RUNTIME_H
#define AIRO_SHIM_RUNTIME_H

#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <shim_kernel.h>
#include <stdint.h>
#include <string>

#define SHIM_MAX_DEVICES 16

struct block;

/* One thing in a stream: a grid, or a closure. */
struct operation {
    std::shared_ptr<struct shim_grid> grid;
    std::function<cudaError_t()> run;
    struct block *early; /* the grid's first block, in its grid_wait */
};

struct capture {
    std::deque<struct operation> operations;
    struct CUstream_st *origin;
    enum cudaStreamCaptureMode mode;
    bool invalid;
};

struct CUstream_st {
    int device;
    bool blocking; /* takes turns with the device's default stream */
    std::deque<struct operation> queue;
    uint64_t done; /* operations run so far */
    std::shared_ptr<struct capture> capture;
};

struct device {
    size_t used;
    cudaError_t lost; /* every call fails with it */
    struct CUstream_st default_stream;
    uint32_t peers; /* bits */
};

typedef std::lock_guard<std::recursive_mutex> shim_guard;
std::recursive_mutex &shim_lock();

/* The devices there are now; device_get(i) for i below that. */
int device_count();
struct device *device_get(int device);
int device_current();
size_t device_memory_limit();

/* Remembers an error for cudaGetLastError and returns it. */
cudaError_t shim_result(cudaError_t error);
/* What every call begins with: cudaSuccess, or why the current device takes no calls. */
cudaError_t shim_ready();

enum fault_kind { FAULT_MALLOC, FAULT_LAUNCH, FAULT_COPY, FAULT_CAPTURE };
enum fault_kind_hit { HIT_NOTHING, HIT_THIS, HIT_LOST };
enum fault_kind_hit fault_count(enum fault_kind kind);

/* Puts an operation into the stream (NULL: the default one), or into the graph being captured. */
cudaError_t stream_put(struct CUstream_st *stream, struct operation operation);
/* Runs what waits in a stream, in a device's streams. */
cudaError_t stream_drain(struct CUstream_st *stream);
cudaError_t device_drain(int device);
/* Runs what the device's default stream would wait for. */
cudaError_t device_drain_blocking(int device);
bool stream_exists(const struct CUstream_st *stream);
struct CUstream_st *stream_or_default(struct CUstream_st *stream);
bool device_capturing(int device);
void device_drop_streams(int device);

/* A library's kernels: counted as one launch, run when the stream comes to them. */
cudaError_t stream_put_library(struct CUstream_st *stream, int device,
                               std::function<cudaError_t()> run);

/* Whether all of [pointer, pointer + bytes) is one allocation's on the current device. */
bool memory_is_here(const void *pointer, size_t bytes);
/* Whether it is the address of host memory that a device could not reach. */
bool memory_is_stray(uintptr_t address);
void memory_drop(int device); /* forgets all of a device's allocations */

#endif
