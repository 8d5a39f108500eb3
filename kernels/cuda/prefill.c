#include "kernels/cuda/prefill.h"

#include <stdio.h>
#include <stdlib.h>

#include "kernels/cuda/gemm.h"

#define SLICE_BYTES ((size_t)64 << 20)
#define SLICE_TILES 16 /* slices are multiples of 256 outputs, as cuBLAS' own tiles are */
#define SLICES      2

struct gpu_prefill {
    struct gpu_prefill_sizes sizes;
    struct gpu_gemm gemm;
    uint16_t *acts;            /* [max_tokens][k_max] */
    float *gate, *up;          /* [max_tokens][ffn] */
    uint16_t *slices[SLICES];  /* slice_bytes each */
    uint32_t next;             /* the slice to fill next */
    cudaStream_t side;         /* widens */
    cudaEvent_t ready[SLICES]; /* the slice is filled */
    cudaEvent_t used[SLICES];  /* the slice was multiplied; never recorded: it is free */
    char message[200];
};

/* --- opening ---------------------------------------------------------------------------------- */

static size_t aligned(size_t bytes)
{
    return (bytes + 255) / 256 * 256;
}

static size_t slice_bytes(const struct gpu_prefill_sizes *sizes)
{
    return sizes->slice_bytes != 0 ? aligned(sizes->slice_bytes) : SLICE_BYTES;
}

/* Parts of the workspace, one after the other. */
static void *take(uint8_t **at, size_t bytes)
{
    void *part = *at;
    *at += aligned(bytes);
    return part;
}

size_t gpu_prefill_bytes(const struct gpu_prefill_sizes *sizes)
{
    size_t acts = (size_t)sizes->max_tokens * sizes->k_max * sizeof(uint16_t);
    size_t gate = (size_t)sizes->max_tokens * sizes->ffn * sizeof(float);
    return GPU_GEMM_WORKSPACE + aligned(acts) + 2 * aligned(gate) + SLICES * slice_bytes(sizes);
}

static cudaError_t create_events(struct gpu_prefill *prefill)
{
    cudaError_t status = cudaStreamCreateWithFlags(&prefill->side, cudaStreamNonBlocking);
    for (uint32_t i = 0; i < SLICES && status == cudaSuccess; i++) {
        status = cudaEventCreateWithFlags(&prefill->ready[i], cudaEventDisableTiming);
        if (status == cudaSuccess)
            status = cudaEventCreateWithFlags(&prefill->used[i], cudaEventDisableTiming);
    }
    return status;
}

int gpu_prefill_open(struct gpu_prefill **out, const struct gpu_prefill_sizes *sizes,
                     void *workspace, cudaStream_t stream, char message[200])
{
    struct gpu_prefill *prefill = calloc(1, sizeof *prefill);
    uint8_t *at = workspace;
    if (prefill == NULL) {
        snprintf(message, 200, "out of memory");
        return -1;
    }
    prefill->sizes = *sizes;
    int result = gpu_gemm_open(&prefill->gemm, take(&at, GPU_GEMM_WORKSPACE), stream);
    if (result != 0)
        snprintf(message, 200, "%s", prefill->gemm.message);
    prefill->acts = take(&at, (size_t)sizes->max_tokens * sizes->k_max * sizeof(uint16_t));
    prefill->gate = take(&at, (size_t)sizes->max_tokens * sizes->ffn * sizeof(float));
    prefill->up = take(&at, (size_t)sizes->max_tokens * sizes->ffn * sizeof(float));
    for (uint32_t i = 0; i < SLICES; i++)
        prefill->slices[i] = take(&at, slice_bytes(sizes));
    cudaError_t status = result == 0 ? create_events(prefill) : cudaSuccess;
    if (status != cudaSuccess) {
        snprintf(message, 200, "cannot create a stream: %s", cudaGetErrorString(status));
        result = -1;
    }
    *out = result == 0 ? prefill : NULL;
    if (result != 0)
        gpu_prefill_close(prefill);
    return result;
}

void gpu_prefill_close(struct gpu_prefill *prefill)
{
    if (prefill == NULL)
        return;
    for (uint32_t i = 0; i < SLICES; i++) {
        if (prefill->ready[i] != NULL)
            cudaEventDestroy(prefill->ready[i]);
        if (prefill->used[i] != NULL)
            cudaEventDestroy(prefill->used[i]);
    }
    if (prefill->side != NULL)
        cudaStreamDestroy(prefill->side);
    gpu_gemm_close(&prefill->gemm);
    free(prefill);
}

const char *gpu_prefill_error(const struct gpu_prefill *prefill)
{
    return prefill->message;
}

/* --- products --------------------------------------------------------------------------------- */

static cudaError_t prefill_error(struct gpu_prefill *prefill, const char *what, cudaError_t status)
{
    snprintf(prefill->message, sizeof prefill->message, "%s: %s", what, cudaGetErrorString(status));
    return status;
}

/* acts x layer^T -> y. */
struct product {
    const struct gpu_linear *linear;
    const uint16_t *acts;
    size_t acts_stride;
    uint32_t n;
    float *y;
    size_t y_stride;
    bool add;
};

/* Outputs of tiles first .. end - 1, whose widened rows are `matrix`. */
static cudaError_t multiply(struct gpu_prefill *prefill, const struct product *p,
                            const uint16_t *matrix, uint32_t first, uint32_t end,
                            cudaStream_t stream)
{
    uint32_t begin = first * GPU_TILE_ROWS, stop = end * GPU_TILE_ROWS;
    struct gpu_gemm_call call = {
        .n = p->n,
        .out = (stop < p->linear->out ? stop : p->linear->out) - begin,
        .k = p->linear->k,
        .acts = p->acts,
        .matrix = matrix,
        .acts_stride = p->acts_stride,
        .y = p->y + begin,
        .y_stride = p->y_stride,
        .add = p->add,
    };
    if (gpu_gemm_run(&prefill->gemm, &call, stream) == 0)
        return cudaSuccess;
    snprintf(prefill->message, sizeof prefill->message, "%s", prefill->gemm.message);
    cudaError_t status = cudaPeekAtLastError();
    return status != cudaSuccess ? status : cudaErrorUnknown;
}

/* Widens tiles first .. end - 1 on the side, as soon as the slice's last product is through, and
 * multiplies when that is done. */
static cudaError_t multiply_slice(struct gpu_prefill *prefill, const struct product *p,
                                  uint32_t first, uint32_t end, cudaStream_t stream)
{
    uint32_t i = prefill->next;
    prefill->next = (i + 1) % SLICES;
    cudaError_t status = cudaStreamWaitEvent(prefill->side, prefill->used[i], 0);
    if (status == cudaSuccess)
        status = gpu_dequantise(prefill->slices[i], p->linear, first, end, prefill->side);
    if (status == cudaSuccess)
        status = cudaEventRecord(prefill->ready[i], prefill->side);
    if (status == cudaSuccess)
        status = cudaStreamWaitEvent(stream, prefill->ready[i], 0);
    if (status != cudaSuccess)
        return prefill_error(prefill, "widening weights", status);
    status = multiply(prefill, p, prefill->slices[i], first, end, stream);
    if (status != cudaSuccess)
        return status;
    status = cudaEventRecord(prefill->used[i], stream);
    return status == cudaSuccess ? status : prefill_error(prefill, "widening weights", status);
}

/* Tiles of one slice: as many as fit, but slices of a layer about equal. */
static uint32_t slice_tiles(const struct gpu_prefill *prefill, const struct gpu_linear *linear)
{
    size_t tile_bytes = (size_t)linear->k * GPU_TILE_ROWS * sizeof(uint16_t);
    size_t fits = slice_bytes(&prefill->sizes) / tile_bytes;
    if (fits >= linear->tiles)
        return linear->tiles;
    if (fits < SLICE_TILES)
        return (uint32_t)fits;
    uint32_t most = (uint32_t)fits / SLICE_TILES * SLICE_TILES;
    uint32_t slices = (linear->tiles + most - 1) / most;
    uint32_t each = (linear->tiles + slices - 1) / slices;
    return (each + SLICE_TILES - 1) / SLICE_TILES * SLICE_TILES;
}

static cudaError_t multiply_layer(struct gpu_prefill *prefill, const struct product *p,
                                  cudaStream_t stream)
{
    const struct gpu_linear *linear = p->linear;
    if (linear->resident != NULL)
        return multiply(prefill, p, linear->resident, 0, linear->tiles, stream);
    uint32_t step = slice_tiles(prefill, linear);
    if (step == 0)
        return prefill_error(prefill, "a slice holds no 16 outputs", cudaErrorInvalidValue);
    for (uint32_t first = 0; first < linear->tiles; first += step) {
        uint32_t end = linear->tiles - first < step ? linear->tiles : first + step;
        cudaError_t status = multiply_slice(prefill, p, first, end, stream);
        if (status != cudaSuccess)
            return status;
    }
    return cudaSuccess;
}

/* --- steps ------------------------------------------------------------------------------------ */

/* The call's input as packed halves: its own, or its rows of x normalised. */
static cudaError_t pack_input(struct gpu_prefill *prefill, const struct gpu_linear_call *call,
                              struct product *p, cudaStream_t stream)
{
    const struct gpu_linear *linear = call->linear[0];
    p->acts = call->acts;
    p->acts_stride = call->acts_stride;
    if (call->x == NULL)
        return cudaSuccess;
    if (linear->k > prefill->sizes.k_max)
        return prefill_error(prefill, "the layer is wider than k_max", cudaErrorInvalidValue);
    p->acts = prefill->acts;
    p->acts_stride = linear->k;
    cudaError_t status =
        gpu_norm_rows(prefill->acts, linear->k, linear->order, call->x, call->x_stride,
                      call->x_rows, call->norm, call->eps, linear->in, call->n, stream);
    return status == cudaSuccess ? status : prefill_error(prefill, "rmsnorm", status);
}

/* Each layer to its own rows, with bias. */
static cudaError_t store_layers(struct gpu_prefill *prefill, const struct gpu_linear_call *call,
                                struct product *p, cudaStream_t stream)
{
    p->add = call->finish == GPU_ADD;
    for (uint32_t i = 0; i < call->count; i++) {
        p->linear = call->linear[i];
        p->y = call->out[i];
        p->y_stride = call->out_stride[i];
        cudaError_t status = multiply_layer(prefill, p, stream);
        if (status != cudaSuccess)
            return status;
        if (p->linear->bias != NULL)
            status = gpu_add_bias(p->y, p->y_stride, p->linear->bias, p->linear->out, p->n, stream);
        if (status != cudaSuccess)
            return prefill_error(prefill, "bias", status);
    }
    return cudaSuccess;
}

static cudaError_t gate_and_up(struct gpu_prefill *prefill, const struct gpu_linear_call *call,
                               struct product *p, cudaStream_t stream)
{
    const struct gpu_linear *gate = call->linear[0], *up = call->linear[1];
    if (call->count != 2 || gate->out != up->out || gate->out > prefill->sizes.ffn)
        return prefill_error(prefill, "gate and up do not fit", cudaErrorInvalidValue);
    for (uint32_t i = 0; i < 2; i++) {
        p->linear = call->linear[i];
        p->y = i == 0 ? prefill->gate : prefill->up;
        p->y_stride = prefill->sizes.ffn;
        cudaError_t status = multiply_layer(prefill, p, stream);
        if (status != cudaSuccess)
            return status;
    }
    cudaError_t status =
        gpu_silu_mul(call->out[0], call->out_stride[0], call->out_index, prefill->gate, prefill->up,
                     prefill->sizes.ffn, gate->bias, up->bias, gate->out, call->n, stream);
    return status == cudaSuccess ? status : prefill_error(prefill, "silu", status);
}

cudaError_t gpu_prefill_linear(struct gpu_prefill *prefill, const struct gpu_linear_call *call,
                               cudaStream_t stream)
{
    struct product p = {.n = call->n};
    if (call->n == 0 || call->count == 0)
        return cudaSuccess;
    if (call->n > prefill->sizes.max_tokens)
        return prefill_error(prefill, "more tokens than max_tokens", cudaErrorInvalidValue);
    cudaError_t status = pack_input(prefill, call, &p, stream);
    if (status != cudaSuccess)
        return status;
    return call->finish == GPU_SILU_MUL ? gate_and_up(prefill, call, &p, stream)
                                        : store_layers(prefill, call, &p, stream);
}
