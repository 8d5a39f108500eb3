/*
 * graph.c - the steps of a decode-sized batch as CUDA graphs: one launch in place of hundreds.
 *
 * What the launches depend on (the steps, how many rows and runs, how far the context reaches) is
 * the key; what the kernels read (tokens, positions, page tables) lies at fixed addresses. The
 * first time a key comes the steps are launched one by one; the second time they are captured, a
 * graph for each device, and from then on replayed. Kept are the GRAPHS_KEPT used last. Where the
 * driver refuses to record, the steps go on being launched one by one.
 */
#include <stdlib.h>
#include <string.h>

#include "kernels/cuda/host.h"

#define GRAPHS_KEPT 48

struct graph_key {
    uint32_t n, decode_runs, prefill_runs, max_position, steps;
};

struct graph {
    struct graph_key key;
    struct step *steps; /* [key.steps] */
    uint64_t used;      /* the clock at the last use */
    bool captured;
    cudaGraphExec_t exec[DEVICES_MAX]; /* NULL where the device has none of the steps */
};

struct graphs {
    struct graph kept[GRAPHS_KEPT];
    uint32_t count;
    uint64_t clock;
};

/* --- finding ---------------------------------------------------------------------------------- */

static void graph_free(struct backend *backend, struct graph *graph)
{
    for (uint32_t i = 0; i < backend->device_count; i++)
        if (graph->exec[i] != NULL) {
            cudaSetDevice(backend->devices[i].id);
            cudaGraphExecDestroy(graph->exec[i]);
        }
    free(graph->steps);
    *graph = (struct graph){0};
}

void graphs_drop(struct backend *backend)
{
    struct graphs *graphs = backend->graphs;
    for (uint32_t i = 0; graphs != NULL && i < graphs->count; i++)
        graph_free(backend, &graphs->kept[i]);
    free(graphs);
    backend->graphs = NULL;
}

static struct graph_key key_of(const struct backend *backend)
{
    const struct batch *batch = &backend->batch;
    return (struct graph_key){batch->n, batch->decode_runs, batch->prefill_runs,
                              batch->max_position, backend->step_count};
}

static bool is_key(const struct graph *graph, const struct graph_key *key, const struct step *steps)
{
    return memcmp(&graph->key, key, sizeof *key) == 0 &&
           memcmp(graph->steps, steps, key->steps * sizeof *steps) == 0;
}

/* The slot of a new key: an empty one, or that of the graph not used for longest. */
static struct graph *free_slot(struct backend *backend)
{
    struct graphs *graphs = backend->graphs;
    if (graphs->count < GRAPHS_KEPT)
        return &graphs->kept[graphs->count++];
    struct graph *oldest = &graphs->kept[0];
    for (uint32_t i = 1; i < graphs->count; i++)
        if (graphs->kept[i].used < oldest->used)
            oldest = &graphs->kept[i];
    graph_free(backend, oldest);
    return oldest;
}

/* The graph of the steps written down; *new: this is their first time. NULL: no memory. */
static struct graph *find(struct backend *backend, bool *new)
{
    const struct graph_key key = key_of(backend);
    if (backend->graphs == NULL)
        backend->graphs = calloc(1, sizeof *backend->graphs);
    struct graphs *graphs = backend->graphs;
    if (graphs == NULL)
        return NULL;
    struct graph *found = NULL;
    for (uint32_t i = 0; i < graphs->count && found == NULL; i++)
        if (is_key(&graphs->kept[i], &key, backend->steps))
            found = &graphs->kept[i];
    *new = found == NULL;
    if (found == NULL) {
        struct step *steps = malloc(key.steps * sizeof *steps);
        if (steps == NULL)
            return NULL;
        memcpy(steps, backend->steps, key.steps * sizeof *steps);
        found = free_slot(backend);
        *found = (struct graph){.key = key, .steps = steps};
    }
    found->used = ++graphs->clock;
    return found;
}

/* --- running ---------------------------------------------------------------------------------- */

/* Steps first .. end - 1 are on one device. */
static uint32_t stage_end(struct backend *backend, uint32_t first)
{
    struct device *device = step_device(backend, &backend->steps[first]);
    uint32_t end = first + 1;
    while (end < backend->step_count && step_device(backend, &backend->steps[end]) == device)
        end++;
    return end;
}

/* Each device has one stage, so that one graph each is enough. */
static bool in_order(struct backend *backend)
{
    for (uint32_t i = 1; i < backend->step_count; i++)
        if (step_device(backend, &backend->steps[i]) < step_device(backend, &backend->steps[i - 1]))
            return false;
    return true;
}

static int run_steps(struct backend *backend, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++)
        if (step_run(backend, &backend->steps[i]) != 0)
            return -1;
    return 0;
}

/* The driver cannot make this a graph; the device is as good as before. */
static bool refused(cudaError_t result)
{
    return result == cudaErrorNotSupported || result == cudaErrorStreamCaptureUnsupported ||
           result == cudaErrorStreamCaptureInvalidated;
}

static int give_graphs_up(struct backend *backend)
{
    cudaGetLastError();
    backend->no_graphs = true;
    backend->failed = false; /* a launch may have failed for being recorded */
    backend->fault[0] = '\0';
    return 0;
}

/* Writes a stage down as a graph; nothing runs. *exec stays NULL where the driver refuses. */
static int capture(struct backend *backend, struct device *device, uint32_t first, uint32_t end,
                   cudaGraphExec_t *exec)
{
    cudaGraph_t graph = NULL;
    if (gpu_check(backend, device, cudaSetDevice(device->id), "choosing the device") != 0 ||
        gpu_check(backend, device,
                  cudaStreamBeginCapture(device->stream, cudaStreamCaptureModeThreadLocal),
                  "recording a graph") != 0)
        return -1;
    int result = run_steps(backend, first, end);
    cudaError_t ended = cudaStreamEndCapture(device->stream, &graph);
    if (result == 0 && ended == cudaSuccess)
        ended = cudaGraphInstantiateWithFlags(exec, graph, 0);
    if (graph != NULL)
        cudaGraphDestroy(graph);
    if (refused(ended))
        return give_graphs_up(backend);
    return result == 0 ? gpu_check(backend, device, ended, "recording a graph") : -1;
}

static int run_stage(struct backend *backend, struct graph *graph, uint32_t first, uint32_t end)
{
    struct device *device = step_device(backend, &backend->steps[first]);
    if (step_border(backend, &backend->steps[first]) != 0)
        return -1;
    if (graph == NULL || backend->no_graphs)
        return run_steps(backend, first, end);
    cudaGraphExec_t *exec = &graph->exec[device - backend->devices];
    if (!graph->captured && capture(backend, device, first, end, exec) != 0)
        return -1;
    if (*exec == NULL)
        return run_steps(backend, first, end);
    if (gpu_check(backend, device, cudaSetDevice(device->id), "choosing the device") != 0)
        return -1;
    return gpu_check(backend, device, cudaGraphLaunch(*exec, device->stream), "a step");
}

int graphs_run(struct backend *backend)
{
    bool new = true;
    /* Rotation without the attention that follows it: the step was given up there. */
    if (backend->step_count > 0 && backend->steps[backend->step_count - 1].kind == STEP_ROPE)
        backend->step_count--;
    if (backend->step_count == 0)
        return 0;
    struct graph *graph = find(backend, &new);
    if (new || !in_order(backend))
        graph = NULL;
    for (uint32_t first = 0, end; first < backend->step_count; first = end) {
        end = stage_end(backend, first);
        if (run_stage(backend, graph, first, end) != 0)
            return -1;
    }
    if (graph != NULL)
        graph->captured = true;
    return 0;
}
