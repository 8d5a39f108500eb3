#include "block.h"

#include <memory>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "fibre.h"
#include "order.h"
#include "race.h"

#define MAX_THREADS      1024
#define MAX_SHARED_BYTES (227 * 1024)
#define MAX_STATIC_BYTES (48 * 1024)
#ifdef SHIM_RACES
#define STACK_BYTES (64 * 1024) /* cleared for each block */
#else
#define STACK_BYTES (256 * 1024) /* touched as needed */
#endif
#define SLOT_BYTES 64

/* All static __shared__ variables of the kernels linked with us. */
extern "C" {
extern char __start_airo_shared[] __attribute__((weak, visibility("hidden")));
extern char __stop_airo_shared[] __attribute__((weak, visibility("hidden")));
}

struct copy {
    void *shared;
    const void *global;
    uint32_t bytes; /* then zeros */
    uint32_t group;
};

enum thread_state { RUNNING, IN_WARP, IN_BLOCK, IN_GRID, RETURNED };

struct thread {
    struct fibre fibre;
    struct shim_place place;
    struct block *block;
    enum thread_state state;
    const char *operation; /* that it waits in */
    uint32_t group;        /* of asynchronous copies, the open one */
    std::vector<struct copy> copies;
    std::vector<uint32_t *> seen; /* by additions since the last fence */
    bool fenced;
};

/* For race.h; made anew for each block. */
struct marks {
    uint64_t block[2], warp[MAX_THREADS / 32][2], fence[MAX_THREADS];
};

struct warp {
    uint32_t lanes;
    uint32_t arrived, returned;
    uint32_t turn;
    const char *operation;
    alignas(16) unsigned char values[2][32 * SLOT_BYTES], results[2][32 * SLOT_BYTES];
};

struct block {
    const struct shim_grid *grid;
    struct fibre runner; /* the OS thread */
    std::vector<std::unique_ptr<struct thread>> threads;
    std::vector<std::unique_ptr<struct warp>> warps;
    uint32_t count, returned, in_block;
    uint32_t runnable[MAX_THREADS / 32]; /* bits of each warp's lanes */
    uint64_t index;                      /* of the grid's blocks */
    uint32_t turn;                       /* of block_sync */
    std::unique_ptr<struct marks> marks;
    struct order order;
    bool shares; /* the device with other blocks: offers them its turn */
    bool early;  /* grid_wait parks */
    bool waited;
    char *region; /* shared memory ends where a page begins that nobody may touch */
    unsigned char *shared;
    std::vector<char> static_shared; /* while parked */
    cudaError_t fault;
    std::string report;
};

static struct thread *current;
const struct shim_place *shim_place;

static bool poison_wanted()
{
    const char *setting = getenv("AIRO_SHIM_POISON");
    return !setting || strcmp(setting, "0") != 0;
}

static bool reverse_wanted()
{
    const char *setting = getenv("AIRO_SHIM_REVERSE");
    return setting && strcmp(setting, "0") != 0;
}

/* --- faults ----------------------------------------------------------------------------------- */

std::string block_kernel_name(const struct shim_grid *grid)
{
    int depth = 0;
    const char *end = grid->call;
    for (; *end && (*end != ',' || depth > 0); end++)
        depth += *end == '<' ? 1 : *end == '>' ? -1 : 0;
    return std::string(grid->call, end);
}

static std::string place_text(const struct thread *thread)
{
    char text[128];
    const dim3 *b = &thread->place.block;
    snprintf(text, sizeof text, "block (%u, %u, %u) thread %u", b->x, b->y, b->z,
             thread->place.thread.x);
    return text;
}

static void block_fault(struct block *block, cudaError_t code, const std::string &what)
{
    if (block->fault == cudaSuccess) {
        block->fault = code;
        block->report = "kernel " + block_kernel_name(block->grid) + ": " + what;
    }
}

/* Ends the running thread's block; never returns. */
static void fault(cudaError_t code, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void fault(cudaError_t code, const char *format, ...)
{
    char text[256];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof text, format, list);
    va_end(list);
    struct thread *self = current;
    {
        struct race_own_affairs own;
        block_fault(self->block, code, place_text(self) + " " + text);
    }
    fibre_switch(&self->fibre, &self->block->runner);
    abort();
}

/* --- turns ------------------------------------------------------------------------------------ */

static struct warp *warp_of(const struct thread *thread)
{
    return thread->block->warps[thread->place.thread.x / 32].get();
}

/* The next runnable thread: in the same warp from the next lane on, then in the warps after it; or
 * in the drawn order. */
static struct thread *next_thread(struct block *block, uint32_t after)
{
    if (order_drawn()) {
        int next = order_next(&block->order, block->runnable);
        return next < 0 ? NULL : block->threads[(size_t)next].get();
    }
    uint32_t warps = (uint32_t)block->warps.size(), first = after / 32, lane = after % 32;
    uint32_t later = lane == 31 ? 0 : block->runnable[first] & ~0u << (lane + 1);
    if (later)
        return block->threads[first * 32 + (uint32_t)__builtin_ctz(later)].get();
    for (uint32_t i = 0; i <= warps; i++) {
        uint32_t w = (first + i) % warps, runnable = block->runnable[w];
        if (runnable)
            return block->threads[w * 32 + (uint32_t)__builtin_ctz(runnable)].get();
    }
    return NULL;
}

static void resume(struct fibre *from, struct thread *thread)
{
    current = thread;
    shim_place = &thread->place;
    fibre_switch(from, &thread->fibre);
}

/* To the next thread, perhaps the same; sometimes, where blocks share the device, to another's. */
static void pass_on(struct thread *self)
{
    struct block *block = self->block;
    bool leave = block->shares && order_below(8) == 0;
    struct thread *next = leave ? NULL : next_thread(block, self->place.thread.x);
    if (!next)
        fibre_switch(&self->fibre, &block->runner);
    else if (next != self)
        resume(&self->fibre, next);
}

static void wait_as(enum thread_state state, const char *operation)
{
    struct thread *self = current;
    self->state = state;
    self->operation = operation;
    self->block->runnable[self->place.thread.x / 32] &= ~(1u << self->place.thread.x % 32);
    pass_on(self);
}

static void make_runnable(struct thread *thread)
{
    thread->state = RUNNING;
    thread->operation = NULL;
    thread->block->runnable[thread->place.thread.x / 32] |= 1u << thread->place.thread.x % 32;
}

/* Where the order is drawn, whoever is next may go on before the running thread does. */
void shim_offer_turn(void)
{
    if (order_drawn())
        pass_on(current);
}

/* --- meeting ---------------------------------------------------------------------------------- */

static void check_meeting(const struct warp *warp, const char *operation)
{
    if (warp->lanes < 32)
        fault(cudaErrorLaunchFailure, "is in %s, and its warp has only %u threads", operation,
              warp->lanes);
    if (warp->returned > 0)
        fault(cudaErrorLaunchFailure, "is in %s, and %u lanes of its warp have returned", operation,
              warp->returned);
    if (warp->arrived > 0 && warp->operation != operation &&
        strcmp(warp->operation, operation) != 0)
        fault(cudaErrorLaunchFailure, "is in %s while lanes of its warp wait in %s", operation,
              warp->operation);
}

const void *shim_meet(const char *operation, const void *value, size_t bytes,
                      shim_warp_function function)
{
    struct thread *self = current;
    struct warp *warp = warp_of(self);
    check_meeting(warp, operation);
    uint32_t turn = warp->turn % 2, first = self->place.thread.x & ~31u;
    warp->operation = operation;
    bool orders = strcmp(operation, "warp_sync") == 0;
    uint64_t *mark = &self->block->marks->warp[self->place.thread.x / 32][turn];
    if (orders)
        race_release(mark);
    race_look_away(true);
    memcpy(warp->values[turn] + self->place.thread.x % 32 * bytes, value, bytes);
    race_look_away(false);
    if (++warp->arrived == 32) {
        if (function) {
            struct race_own_affairs own;
            function(warp->values[turn], warp->results[turn]);
        }
        warp->arrived = 0;
        warp->turn++;
        for (uint32_t lane = 0; lane < 32; lane++)
            make_runnable(self->block->threads[first + lane].get());
        shim_offer_turn();
    } else {
        wait_as(IN_WARP, operation);
    }
    if (orders)
        race_acquire(mark);
    return function ? warp->results[turn] : warp->values[turn];
}

void shim_block_sync(void)
{
    struct block *block = current->block;
    if (block->returned > 0)
        fault(cudaErrorLaunchFailure, "is in block_sync, and %u threads of its block have returned",
              block->returned);
    uint64_t *mark = &block->marks->block[block->turn % 2];
    race_release(mark);
    if (++block->in_block < block->count) {
        wait_as(IN_BLOCK, "block_sync");
    } else {
        block->in_block = 0;
        block->turn++;
        for (auto &thread : block->threads)
            if (thread->state == IN_BLOCK)
                make_runnable(thread.get());
        shim_offer_turn();
    }
    race_acquire(mark);
}

void shim_grid_wait(void)
{
    struct block *block = current->block;
    block->waited = true;
    if (block->early)
        wait_as(IN_GRID, "grid_wait");
    else
        shim_offer_turn();
    race_acquire(&race_done);
}

/* --- fences and tickets ----------------------------------------------------------------------- */

/* What was known at the last fence is known to a fence after an addition that sees this one. */
void shim_atomic_begin(uint32_t *p)
{
    shim_offer_turn();
    if (current->fenced)
        race_pass(&current->block->marks->fence[current->place.thread.x], p);
}

void shim_atomic_end(uint32_t *p)
{
    race_look_away(true);
    current->seen.push_back(p);
    race_look_away(false);
    shim_offer_turn();
}

void shim_fence(void)
{
    struct thread *self = current;
    for (uint32_t *p : self->seen)
        race_acquire(p);
    self->seen.clear();
    self->fenced = true;
    race_release(&self->block->marks->fence[self->place.thread.x]);
    shim_offer_turn();
}

/* --- memory ----------------------------------------------------------------------------------- */

unsigned char *shim_shared(void)
{
    return current->block->shared;
}

const void *shim_aligned16(const void *pointer, const char *operation)
{
    if ((uintptr_t)pointer % 16 != 0)
        fault(cudaErrorMisalignedAddress, "gave %s the address %p, which is not a multiple of 16",
              operation, pointer);
    return pointer;
}

static bool is_shared(const struct block *block, const void *pointer)
{
    const char *p = (const char *)pointer, *dynamic = (const char *)block->shared;
    return (p >= dynamic && p + 16 <= dynamic + block->grid->shared) ||
           (p >= __start_airo_shared && p + 16 <= __stop_airo_shared);
}

void shim_copy16(void *shared, const void *global, unsigned bytes)
{
    shim_aligned16(shared, "copy16_async (shared)");
    shim_aligned16(global, "copy16_async (global)");
    if (!is_shared(current->block, shared))
        fault(cudaErrorIllegalAddress, "copied to %p, which is not shared memory", shared);
    if (bytes > 16)
        fault(cudaErrorLaunchFailure, "copied %u bytes of 16", bytes);
    race_write(shared, 16);
    race_read(global, bytes);
    if (poison_wanted())
        memset(shared, 0xFF, 16);
    shim_offer_turn();
    race_look_away(true);
    current->copies.push_back({shared, global, bytes, current->group});
    race_look_away(false);
}

void shim_copy_commit(void)
{
    current->group++;
}

static void land(const struct copy &copy)
{
    race_write(copy.shared, 16);
    race_read(copy.global, copy.bytes);
    memset(copy.shared, 0, 16);
    memcpy(copy.shared, copy.global, copy.bytes);
}

void shim_copy_wait(unsigned groups)
{
    struct thread *self = current;
    size_t kept = 0;
    for (const struct copy &copy : self->copies) {
        if (copy.group + groups >= self->group)
            self->copies[kept++] = copy;
        else
            land(copy);
    }
    self->copies.resize(kept);
    shim_offer_turn();
}

/* --- a block ---------------------------------------------------------------------------------- */

/* A fibre runs one thread after the other for ever. */
static void thread_main(void *argument)
{
    struct thread *self = (struct thread *)argument;
    for (;;) {
        struct block *block = self->block;
        block->grid->thread();
        struct warp *warp = warp_of(self);
        if (warp->arrived > 0)
            fault(cudaErrorLaunchFailure, "returned while lanes of its warp wait in %s",
                  warp->operation);
        if (block->in_block > 0)
            fault(cudaErrorLaunchFailure,
                  "returned while %u threads of its block wait in block_sync", block->in_block);
        warp->returned++;
        block->returned++;
        race_release(&race_running);
        wait_as(RETURNED, "nothing");
    }
}

static void block_grow(struct block *block, uint32_t count)
{
    while (block->threads.size() < count) {
        block->threads.push_back(std::make_unique<struct thread>());
        struct thread *thread = block->threads.back().get();
        thread->block = block;
        fibre_create(&thread->fibre, STACK_BYTES, thread_main, thread);
    }
    while (block->warps.size() * 32 < count)
        block->warps.push_back(std::make_unique<struct warp>());
}

static size_t shared_room(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    return (MAX_SHARED_BYTES + page - 1) / page * page;
}

/* Blocks of other sizes get a struct of their own, so that all threads of one are in use. */
static struct block *block_create(uint32_t count)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = shared_room();
    struct block *block = new struct block();
    block->count = count;
    block->region = (char *)mmap(NULL, bytes + page, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (block->region == MAP_FAILED || mprotect(block->region + bytes, page, PROT_NONE) != 0) {
        perror("shim: shared memory");
        abort();
    }
    block_grow(block, count);
    return block;
}

static void block_destroy(struct block *block)
{
    struct race_own_affairs own;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), bytes = shared_room();
    for (auto &thread : block->threads)
        fibre_destroy(&thread->fibre);
    munmap(block->region, bytes + page);
    delete block;
}

/* Blocks that wait for work, so that their stacks are made once. */
struct block_pool {
    std::vector<struct block *> blocks;
    ~block_pool()
    {
        for (struct block *block : blocks)
            block_destroy(block);
    }
};
static struct block_pool pool;

static struct block *pool_take(uint32_t count)
{
    for (size_t i = 0; i < pool.blocks.size(); i++)
        if (pool.blocks[i]->count == count) {
            struct block *block = pool.blocks[i];
            pool.blocks.erase(pool.blocks.begin() + (ptrdiff_t)i);
            return block;
        }
    return block_create(count);
}

static void pool_give(struct block *block)
{
    if (block->fault == cudaSuccess && block->returned == block->count && pool.blocks.size() < 8)
        pool.blocks.push_back(block);
    else
        block_destroy(block); /* its fibres stand in the middle of a kernel */
}

/* To the sanitiser the threads and the shared memory are new. */
static void forget_last_block(struct block *block)
{
#ifdef SHIM_RACES
    size_t page = (size_t)sysconf(_SC_PAGESIZE), kept = block->grid->shared / page * page;
    char *end = block->region + shared_room();
    race_forget(end - (kept + page), kept + page);
    for (auto &thread : block->threads)
        fibre_restart(&thread->fibre);
#endif
    block->marks = std::make_unique<struct marks>();
}

static void poison_shared(struct block *block)
{
    struct race_own_affairs own;
    if (!poison_wanted())
        return;
    memset(block->shared, 0xFF, block->grid->shared);
    if (__start_airo_shared)
        memset(__start_airo_shared, 0xFF, (size_t)(__stop_airo_shared - __start_airo_shared));
}

/* Block number `index` of the grid, all threads about to begin. */
static void block_begin(struct block *block, const struct shim_grid *grid, uint64_t index)
{
    size_t bytes = shared_room();
    dim3 place((unsigned)(index % grid->grid.x), (unsigned)(index / grid->grid.x % grid->grid.y),
               (unsigned)(index / grid->grid.x / grid->grid.y));
    block->grid = grid;
    block->index = index;
    block->shares = false;
    block->turn = 0;
    forget_last_block(block);
    block->shared = (unsigned char *)block->region + bytes - (grid->shared + 15) / 16 * 16;
    block->returned = block->in_block = 0;
    block->fault = cudaSuccess;
    block->early = block->waited = false;
    for (uint32_t w = 0; w < block->warps.size(); w++) {
        struct warp *warp = block->warps[w].get();
        warp->lanes = block->count - w * 32 < 32 ? block->count - w * 32 : 32;
        warp->arrived = warp->returned = 0;
        block->runnable[w] = 0;
    }
    if (order_drawn())
        order_begin(&block->order, (uint32_t)block->warps.size());
    for (uint32_t i = 0; i < block->count; i++) {
        struct thread *thread = block->threads[i].get();
        thread->place = {dim3(i, 0, 0), place, grid->block, grid->grid};
        thread->group = 0;
        thread->copies.clear();
        thread->seen.clear();
        thread->fenced = false;
        make_runnable(thread);
    }
    poison_shared(block);
}

static void report_stuck(struct block *block)
{
    const struct thread *waiting = NULL, *other = NULL;
    for (auto &thread : block->threads) {
        if (thread->state != IN_WARP && thread->state != IN_BLOCK)
            continue;
        if (!waiting)
            waiting = thread.get();
        else if (!other && strcmp(thread->operation, waiting->operation) != 0)
            other = thread.get();
    }
    std::string text = place_text(waiting) + " waits in " + waiting->operation + " for ever";
    if (other)
        text +=
            "; thread " + std::to_string(other->place.thread.x) + " waits in " + other->operation;
    block_fault(block, cudaErrorLaunchFailure, text);
}

/* Until all threads have returned, wait in grid_wait, or one has failed: false. Or until they offer
 * other blocks their turn: true. */
static bool block_run(struct block *block)
{
    struct thread *next = next_thread(block, block->count - 1);
    if (next)
        resume(&block->runner, next);
    for (uint32_t w = 0; block->fault == cudaSuccess && w < block->warps.size(); w++)
        if (block->runnable[w])
            return true;
    if (block->fault == cudaSuccess && block->returned < block->count && !block->early)
        report_stuck(block);
    return false;
}

static void static_shared_keep(struct block *block)
{
    struct race_own_affairs own;
    block->static_shared.assign(__start_airo_shared, __stop_airo_shared);
}

static uint64_t grid_blocks(const struct shim_grid *grid)
{
    return (uint64_t)grid->grid.x * grid->grid.y * grid->grid.z;
}

static void static_shared_put(const struct block *block)
{
    struct race_own_affairs own;
    if (!block->static_shared.empty())
        memcpy(__start_airo_shared, block->static_shared.data(), block->static_shared.size());
}

struct block *block_start_early(const struct shim_grid *grid)
{
    struct block *block = pool_take(grid->block.x);
    std::vector<char> before(__start_airo_shared, __stop_airo_shared);
    uint64_t blocks = grid_blocks(grid);
    block_begin(block, grid, order_read() ? order_below((uint32_t)blocks) : 0);
    block->early = true;
    block_run(block);
    static_shared_keep(block);
    if (!before.empty())
        memcpy(__start_airo_shared, before.data(), before.size());
    return block;
}

void block_abandon(struct block *early)
{
    block_destroy(early);
}

/* The grid before has finished. */
static void block_release(struct block *block)
{
    block->early = false;
    for (auto &thread : block->threads)
        if (thread->state == IN_GRID && block->fault == cudaSuccess)
            make_runnable(thread.get());
}

/* --- a grid ----------------------------------------------------------------------------------- */

cudaError_t block_check_launch(const struct shim_grid *grid)
{
    const dim3 *g = &grid->grid, *b = &grid->block;
    if (b->x == 0 || b->y != 1 || b->z != 1 || b->x > MAX_THREADS) /* airo's are one-dimensional */
        return cudaErrorInvalidConfiguration;
    if (g->x == 0 || g->y == 0 || g->z == 0 || g->x > 0x7FFFFFFF || g->y > 65535 || g->z > 65535)
        return cudaErrorInvalidConfiguration;
    if (grid->shared > MAX_SHARED_BYTES)
        return cudaErrorInvalidValue;
    return cudaSuccess;
}

/* One block after the other. */
static struct block *run_block(const struct shim_grid *grid, struct block *early, uint64_t index)
{
    struct block *block = early ? early : pool_take(grid->block.x);
    if (early) {
        block_release(block);
        static_shared_put(block);
    } else {
        block_begin(block, grid, index);
    }
    if (block->fault == cudaSuccess)
        block_run(block);
    return block;
}

static cudaError_t block_end(struct block *block, bool *waited, std::string *report)
{
    struct race_own_affairs own;
    cudaError_t status = block->fault;
    *waited |= block->waited;
    if (status != cudaSuccess)
        *report = block->report;
    pool_give(block);
    return status;
}

static cudaError_t run_in_row(const struct shim_grid *grid, struct block *early, bool *waited,
                              std::string *report)
{
    uint64_t blocks = grid_blocks(grid);
    bool reverse = reverse_wanted() && !early;
    cudaError_t status = cudaSuccess;
    for (uint64_t i = 0; i < blocks && status == cudaSuccess; i++)
        status = block_end(run_block(grid, i == 0 ? early : NULL, reverse ? blocks - 1 - i : i),
                           waited, report);
    return status;
}

/* --- blocks side by side ---------------------------------------------------------------------- */

#define RESIDENTS 6 /* at most */

/* All blocks but the early one, in a drawn order. */
static std::vector<uint64_t> drawn_blocks(const struct shim_grid *grid, const struct block *early)
{
    std::vector<uint64_t> all;
    for (uint64_t i = 0; i < grid_blocks(grid); i++)
        if (!early || early->index != i)
            all.push_back(i);
    for (size_t i = all.size(); i > 1; i--)
        std::swap(all[i - 1], all[order_below((uint32_t)i)]);
    return all;
}

/* Lets a block run for a while with its own static variables. */
static bool take_turn(struct block *block)
{
    static_shared_put(block);
    bool more = block->fault == cudaSuccess && block_run(block);
    static_shared_keep(block);
    return more;
}

static struct block *begin_resident(const struct shim_grid *grid, uint64_t index)
{
    struct block *block = pool_take(grid->block.x);
    block_begin(block, grid, index);
    block->shares = true;
    static_shared_keep(block);
    return block;
}

/* Several blocks at a time, each for a while. */
static cudaError_t run_drawn(const struct shim_grid *grid, struct block *early, bool *waited,
                             std::string *report)
{
    std::vector<uint64_t> waiting = drawn_blocks(grid, early);
    std::vector<struct block *> resident;
    size_t most = 1 + order_below(RESIDENTS);
    cudaError_t status = cudaSuccess;
    if (early) {
        block_release(early);
        early->shares = true;
        resident.push_back(early);
    }
    while (status == cudaSuccess && resident.size() + waiting.size() > 0) {
        for (; resident.size() < most && !waiting.empty(); waiting.pop_back())
            resident.push_back(begin_resident(grid, waiting.back()));
        size_t i = order_below((uint32_t)resident.size());
        if (take_turn(resident[i]))
            continue;
        status = block_end(resident[i], waited, report);
        resident.erase(resident.begin() + (ptrdiff_t)i);
    }
    for (struct block *block : resident)
        block_destroy(block);
    return status;
}

cudaError_t block_run_grid(const struct shim_grid *grid, struct block *early, std::string *report)
{
    bool waited = false;
    cudaError_t status = order_read() ? run_drawn(grid, early, &waited, report)
                                      : run_in_row(grid, early, &waited, report);
    race_pass(&race_running, &race_done);
    if (status == cudaSuccess && grid->dependent && !waited) {
        status = cudaErrorLaunchFailure;
        *report =
            "kernel " + block_kernel_name(grid) + ": launched dependent, and never in grid_wait";
    }
    return status;
}
