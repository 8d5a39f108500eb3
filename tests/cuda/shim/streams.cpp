/* Streams, events, captured graphs, and the launches in them. */
#include "runtime.h"

#include <chrono>
#include <set>
#include <stdio.h>
#include <stdlib.h>
#include <vector>

#include "block.h"
#include "race.h"
#include "shim.h"

#define LOOK_AHEAD 2 /* dependent grids begun before the one in front of them */

struct CUevent_st {
    struct CUstream_st *stream; /* where it was last recorded; NULL: nowhere */
    uint64_t target;            /* happens when so many operations of the stream are done */
    std::shared_ptr<struct capture> capture;
    double milliseconds;
    uint64_t records; /* the latest may still wait in its stream */
    bool timed;
};

struct CUgraph_st {
    std::deque<struct operation> operations;
};

struct CUgraphExec_st {
    std::deque<struct operation> operations;
};

static std::set<const struct CUstream_st *> &streams()
{
    static std::set<const struct CUstream_st *> all;
    return all;
}

static std::string last_report;
static bool quiet;
static size_t grids, launches;

const char *shim_last_report(void)
{
    return last_report.c_str();
}

void shim_quiet(int wanted)
{
    quiet = wanted != 0;
}

size_t shim_grids(void)
{
    return grids;
}

size_t shim_launches(void)
{
    return launches;
}

/* --- running ---------------------------------------------------------------------------------- */

/* Grids that ran, kept until the host knows that they are over. */
static std::vector<std::shared_ptr<struct shim_grid>> over;

static void know_grids(void)
{
    struct race_own_affairs own; /* lanes of a grid that failed are known to nobody */
    race_acquire(&race_done);
    over.clear();
}

static cudaError_t give_report(cudaError_t status, const std::string &report)
{
    last_report = report;
    if (!quiet)
        fprintf(stderr, "shim: %s\n", report.c_str());
    return status;
}

bool shim_strict(void)
{
    const char *setting = getenv("AIRO_SHIM_STRICT");
    return setting && strcmp(setting, "0") != 0;
}

static cudaError_t check_arguments(const struct shim_grid *grid)
{
    for (uintptr_t word : grid->arguments)
        if (memory_is_stray(word)) {
            char text[96];
            snprintf(text, sizeof text, ": an argument holds %p, which is host memory",
                     (void *)word);
            return give_report(cudaErrorIllegalAddress, "kernel " + block_kernel_name(grid) + text);
        }
    return cudaSuccess;
}

static cudaError_t run_grid(struct operation *operation)
{
    std::string report;
    struct block *early = operation->early;
    operation->early = NULL;
    grids++;
    cudaError_t status = check_arguments(operation->grid.get());
    if (status != cudaSuccess && early)
        block_abandon(early);
    if (status != cudaSuccess)
        return status;
    status = block_run_grid(operation->grid.get(), early, &report);
    over.push_back(operation->grid);
    return status == cudaSuccess ? status : give_report(status, report);
}

/* The dependent grids that follow the first operation in an unbroken row begin. */
static void begin_dependents(std::deque<struct operation> *queue)
{
    if (!queue->front().grid)
        return;
    for (size_t i = 1; i <= LOOK_AHEAD && i < queue->size(); i++) {
        struct operation *next = &(*queue)[i];
        if (!next->grid || !next->grid->dependent)
            return;
        if (!next->early)
            next->early = block_start_early(next->grid.get());
    }
}

/* Runs and removes the first operation. */
static cudaError_t run_first(std::deque<struct operation> *queue)
{
    if (!queue->front().grid || !queue->front().grid->dependent)
        know_grids();
    begin_dependents(queue);
    struct operation operation = queue->front();
    queue->pop_front();
    return operation.grid ? run_grid(&operation) : operation.run();
}

static void drop(std::deque<struct operation> *queue)
{
    for (struct operation &operation : *queue)
        if (operation.early)
            block_abandon(operation.early);
    queue->clear();
}

static cudaError_t run_until(struct CUstream_st *stream, uint64_t target)
{
    struct device *device = device_get(stream->device);
    while (stream->done < target && !stream->queue.empty() && device->lost == cudaSuccess) {
        cudaError_t status = run_first(&stream->queue);
        stream->done++;
        if (status != cudaSuccess)
            device->lost = status;
    }
    know_grids();
    if (device->lost != cudaSuccess) {
        stream->done += stream->queue.size();
        drop(&stream->queue);
    }
    return device->lost;
}

cudaError_t stream_drain(struct CUstream_st *stream)
{
    return run_until(stream, stream->done + stream->queue.size());
}

cudaError_t device_drain_blocking(int device)
{
    cudaError_t status = stream_drain(&device_get(device)->default_stream);
    for (const struct CUstream_st *stream : streams())
        if (status == cudaSuccess && stream->device == device && stream->blocking)
            status = stream_drain(const_cast<struct CUstream_st *>(stream));
    return status;
}

cudaError_t device_drain(int device)
{
    cudaError_t status = stream_drain(&device_get(device)->default_stream);
    for (const struct CUstream_st *stream : streams())
        if (status == cudaSuccess && stream->device == device)
            status = stream_drain(const_cast<struct CUstream_st *>(stream));
    return status;
}

/* With AIRO_SHIM_AHEAD, before somebody waits for `waited`: every other stream runs as far as it
 * can get, so that what does not wait for `waited` overtakes it. */
static void run_others(const struct CUstream_st *waited)
{
    const char *ahead = getenv("AIRO_SHIM_AHEAD");
    if (!ahead || ahead[0] != '1')
        return;
    for (const struct CUstream_st *stream : streams())
        if (stream != waited)
            stream_drain(const_cast<struct CUstream_st *>(stream));
}

bool device_capturing(int device)
{
    for (const struct CUstream_st *stream : streams())
        if (stream->device == device && stream->capture &&
            stream->capture->mode != cudaStreamCaptureModeRelaxed)
            return true;
    return false;
}

void device_drop_streams(int device)
{
    drop(&device_get(device)->default_stream.queue);
    for (auto i = streams().begin(); i != streams().end();) {
        struct CUstream_st *stream = const_cast<struct CUstream_st *>(*i);
        if (stream->device != device) {
            ++i;
            continue;
        }
        drop(&stream->queue);
        i = streams().erase(i);
        delete stream;
    }
}

bool stream_exists(const struct CUstream_st *stream)
{
    return streams().count(stream) > 0;
}

struct CUstream_st *stream_or_default(struct CUstream_st *stream)
{
    return stream ? stream : &device_get(device_current())->default_stream;
}

cudaError_t stream_put(struct CUstream_st *stream, struct operation operation)
{
    if (stream->capture) {
        stream->capture->operations.push_back(operation);
        return cudaSuccess;
    }
    /* The default stream and the blocking ones of its device wait for each other. */
    cudaError_t status = cudaSuccess;
    struct CUstream_st *shared = &device_get(stream->device)->default_stream;
    if (stream == shared) {
        for (const struct CUstream_st *other : streams())
            if (status == cudaSuccess && other->device == stream->device && other->blocking)
                status = stream_drain(const_cast<struct CUstream_st *>(other));
    } else if (stream->blocking) {
        status = stream_drain(shared);
    }
    if (status == cudaSuccess)
        stream->queue.push_back(operation);
    return status;
}

/* --- launches --------------------------------------------------------------------------------- */

cudaError_t shim_enqueue(const struct shim_grid &grid, cudaStream_t handle)
{
    shim_guard guard(shim_lock());
    cudaError_t status = shim_ready();
    if (status == cudaSuccess && handle && !stream_exists(handle))
        status = cudaErrorInvalidResourceHandle;
    if (status == cudaSuccess && handle && handle->device != device_current())
        status = cudaErrorInvalidResourceHandle;
    if (status == cudaSuccess)
        status = block_check_launch(&grid);
    enum fault_kind_hit hit = status == cudaSuccess ? fault_count(FAULT_LAUNCH) : HIT_NOTHING;
    if (hit == HIT_THIS)
        status = cudaErrorLaunchOutOfResources;
    if (status != cudaSuccess)
        return shim_result(status);
    launches++;
    struct operation operation = {std::make_shared<struct shim_grid>(grid), nullptr, NULL};
    if (hit == HIT_LOST)
        operation = {nullptr, [] { return cudaErrorUnknown; }, NULL};
    return shim_result(stream_put(stream_or_default(handle), operation));
}

cudaError_t stream_put_library(struct CUstream_st *stream, int device,
                               std::function<cudaError_t()> run)
{
    cudaError_t status = shim_ready();
    if (status == cudaSuccess && (device != device_current() || (stream && !stream_exists(stream))))
        status = cudaErrorInvalidResourceHandle;
    enum fault_kind_hit hit = status == cudaSuccess ? fault_count(FAULT_LAUNCH) : HIT_NOTHING;
    if (hit == HIT_THIS)
        status = cudaErrorLaunchOutOfResources;
    if (hit == HIT_LOST)
        run = [] { return cudaErrorUnknown; };
    if (status != cudaSuccess)
        return shim_result(status);
    return shim_result(stream_put(stream_or_default(stream), {nullptr, run, NULL}));
}

cudaError_t cudaLaunchHostFunc(cudaStream_t handle, cudaHostFn_t function, void *user)
{
    shim_guard guard(shim_lock());
    cudaError_t status = shim_ready();
    if (status != cudaSuccess)
        return status;
    return shim_result(stream_put(stream_or_default(handle), {nullptr,
                                                              [=] {
                                                                  function(user);
                                                                  return cudaSuccess;
                                                              },
                                                              NULL}));
}

/* --- streams ---------------------------------------------------------------------------------- */

cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned flags)
{
    shim_guard guard(shim_lock());
    cudaError_t status = shim_ready();
    if (status != cudaSuccess)
        return status;
    *stream = new struct CUstream_st();
    (*stream)->device = device_current();
    (*stream)->blocking = !(flags & cudaStreamNonBlocking);
    streams().insert(*stream);
    return cudaSuccess;
}

cudaError_t cudaStreamCreate(cudaStream_t *stream)
{
    return cudaStreamCreateWithFlags(stream, cudaStreamDefault);
}

cudaError_t cudaStreamCreateWithPriority(cudaStream_t *stream, unsigned flags, int)
{
    return cudaStreamCreateWithFlags(stream, flags);
}

/* What waits in it is run first. */
cudaError_t cudaStreamDestroy(cudaStream_t stream)
{
    shim_guard guard(shim_lock());
    if (!stream_exists(stream))
        return shim_result(cudaErrorInvalidResourceHandle);
    cudaError_t status = stream_drain(stream);
    streams().erase(stream);
    delete stream;
    return shim_result(status);
}

static cudaError_t check_stream(cudaStream_t stream)
{
    cudaError_t status = shim_ready();
    if (status == cudaSuccess && stream && !stream_exists(stream))
        status = cudaErrorInvalidResourceHandle;
    return shim_result(status);
}

cudaError_t cudaStreamSynchronize(cudaStream_t handle)
{
    shim_guard guard(shim_lock());
    cudaError_t status = check_stream(handle);
    if (status != cudaSuccess)
        return status;
    struct CUstream_st *stream = stream_or_default(handle);
    if (stream->capture) {
        stream->capture->invalid = true;
        return shim_result(cudaErrorStreamCaptureUnsupported);
    }
    run_others(stream);
    return shim_result(handle ? stream_drain(stream) : device_drain_blocking(stream->device));
}

/* Every call lets the stream do one operation. */
cudaError_t cudaStreamQuery(cudaStream_t handle)
{
    shim_guard guard(shim_lock());
    cudaError_t status = check_stream(handle);
    if (status != cudaSuccess)
        return status;
    struct CUstream_st *stream = stream_or_default(handle);
    if (stream->queue.empty())
        return cudaSuccess;
    status = run_until(stream, stream->done + 1);
    return status == cudaSuccess ? cudaErrorNotReady : shim_result(status);
}

/* --- events ----------------------------------------------------------------------------------- */

cudaError_t cudaEventCreateWithFlags(cudaEvent_t *event, unsigned flags)
{
    cudaError_t status = shim_ready();
    if (status != cudaSuccess)
        return status;
    *event = new struct CUevent_st();
    (*event)->timed = !(flags & cudaEventDisableTiming);
    return cudaSuccess;
}

cudaError_t cudaEventCreate(cudaEvent_t *event)
{
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}

/* A record that still waits in a stream must not find it gone: it happens now. */
cudaError_t cudaEventDestroy(cudaEvent_t event)
{
    shim_guard guard(shim_lock());
    if (!event)
        return shim_result(cudaErrorInvalidResourceHandle);
    if (event->stream && stream_exists(event->stream))
        run_until(event->stream, event->target);
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t handle)
{
    shim_guard guard(shim_lock());
    cudaError_t status = check_stream(handle);
    if (status != cudaSuccess)
        return status;
    struct CUstream_st *stream = stream_or_default(handle);
    event->capture = stream->capture;
    event->stream = stream;
    if (stream->capture)
        return cudaSuccess;
    status = stream_put(stream, {nullptr,
                                 [event] {
                                     auto now = std::chrono::steady_clock::now().time_since_epoch();
                                     event->milliseconds =
                                         std::chrono::duration<double, std::milli>(now).count();
                                     return cudaSuccess;
                                 },
                                 NULL});
    event->target = stream->done + stream->queue.size();
    event->records++;
    return shim_result(status);
}

static bool event_stream_lives(const struct CUevent_st *event)
{
    if (!event->stream)
        return false;
    for (int i = 0; i < SHIM_MAX_DEVICES; i++)
        if (event->stream == &device_get(i)->default_stream)
            return true;
    return stream_exists(event->stream);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event)
{
    shim_guard guard(shim_lock());
    cudaError_t status = shim_ready();
    if (status != cudaSuccess || !event_stream_lives(event))
        return status;
    if (event->capture)
        return shim_result(cudaErrorCapturedEvent);
    run_others(event->stream);
    return shim_result(run_until(event->stream, event->target));
}

cudaError_t cudaEventQuery(cudaEvent_t event)
{
    shim_guard guard(shim_lock());
    cudaError_t status = shim_ready();
    if (status != cudaSuccess || !event_stream_lives(event))
        return status;
    if (event->capture)
        return shim_result(cudaErrorCapturedEvent);
    if (event->stream->done >= event->target)
        return cudaSuccess;
    status = run_until(event->stream, event->stream->done + 1);
    return status == cudaSuccess ? cudaErrorNotReady : shim_result(status);
}

cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t start, cudaEvent_t end)
{
    shim_guard guard(shim_lock());
    if (!start->timed || !end->timed || !event_stream_lives(start) || !event_stream_lives(end))
        return shim_result(cudaErrorInvalidResourceHandle);
    if (start->stream->done < start->target || end->stream->done < end->target)
        return cudaErrorNotReady;
    *milliseconds = (float)(end->milliseconds - start->milliseconds);
    return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned)
{
    shim_guard guard(shim_lock());
    cudaError_t status = check_stream(handle);
    if (status != cudaSuccess || !event_stream_lives(event))
        return status;
    struct CUstream_st *stream = stream_or_default(handle), *other = event->stream;
    if (event->capture) { /* the stream joins the graph; its operations follow in their order */
        if (event->capture->origin->capture == event->capture)
            stream->capture = event->capture;
        return cudaSuccess;
    }
    uint64_t target = event->target;
    return shim_result(stream_put(stream, {nullptr,
                                           [other, target] {
                                               bool gone = !stream_exists(other) &&
                                                           other != stream_or_default(NULL);
                                               return gone ? cudaSuccess : run_until(other, target);
                                           },
                                           NULL}));
}

/* --- graphs ----------------------------------------------------------------------------------- */

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, enum cudaStreamCaptureMode mode)
{
    shim_guard guard(shim_lock());
    cudaError_t status = check_stream(stream);
    if (status != cudaSuccess)
        return status;
    if (!stream || stream->capture) /* the default stream cannot be captured */
        return shim_result(cudaErrorStreamCaptureUnsupported);
    stream->capture = std::make_shared<struct capture>();
    stream->capture->origin = stream;
    stream->capture->mode = mode;
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t *graph)
{
    shim_guard guard(shim_lock());
    *graph = NULL;
    cudaError_t status = check_stream(stream);
    if (status != cudaSuccess)
        return status;
    std::shared_ptr<struct capture> capture = stream->capture;
    if (!capture || capture->origin != stream)
        return shim_result(cudaErrorStreamCaptureUnmatched);
    for (const struct CUstream_st *joined : streams())
        if (joined->capture == capture)
            const_cast<struct CUstream_st *>(joined)->capture = nullptr;
    if (capture->invalid || fault_count(FAULT_CAPTURE) == HIT_THIS)
        return shim_result(cudaErrorStreamCaptureInvalidated);
    *graph = new CUgraph_st{capture->operations};
    return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, enum cudaStreamCaptureStatus *status)
{
    shim_guard guard(shim_lock());
    *status = !stream || !stream->capture ? cudaStreamCaptureStatusNone
              : stream->capture->invalid  ? cudaStreamCaptureStatusInvalidated
                                          : cudaStreamCaptureStatusActive;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiateWithFlags(cudaGraphExec_t *exec, cudaGraph_t graph,
                                          unsigned long long)
{
    cudaError_t status = shim_ready();
    if (status != cudaSuccess)
        return status;
    *exec = new CUgraphExec_st{graph->operations};
    return cudaSuccess;
}

cudaError_t cudaGraphUpload(cudaGraphExec_t, cudaStream_t)
{
    return shim_ready();
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t handle)
{
    shim_guard guard(shim_lock());
    cudaError_t status = check_stream(handle);
    if (status != cudaSuccess)
        return status;
    enum fault_kind_hit hit = fault_count(FAULT_LAUNCH);
    if (hit == HIT_THIS)
        return shim_result(cudaErrorLaunchOutOfResources);
    launches++;
    std::deque<struct operation> operations = exec->operations;
    if (hit == HIT_LOST)
        operations = {{nullptr, [] { return cudaErrorUnknown; }, NULL}};
    for (struct operation &operation : operations)
        if (status == cudaSuccess)
            status = stream_put(stream_or_default(handle), operation);
    return shim_result(status);
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    delete exec;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    delete graph;
    return cudaSuccess;
}
