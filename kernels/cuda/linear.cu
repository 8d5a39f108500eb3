/*
 * linear.cu - the linear layers of decode: y = W x for 1 to 64 tokens, at the speed of the memory.
 *
 * A block is 8 warps. Each warp streams its run of the line (linear.cuh) through a ring of its own
 * in shared memory, by cp.async, over the borders of tiles without a pause, and no warp waits for
 * another but once for the inputs. All 8 columns of an mma cost what one costs, so 1 to 8 tokens
 * cost the same but for their inputs.
 *
 * Before grid_wait, while the kernel before still runs, the first stages of the ring are on their
 * way and the lines that follow are asked for into L2, about as much as the memory delivers while
 * the inputs are prepared. (Weights are complete before the first step: loading ends with a
 * synchronisation.)
 *
 * What bounds it, by arithmetic, not by measurement. A multiprocessor of an H200 gets 4.3 TB/s /
 * 132 = 32.6 bytes a ns, 17.8 a clock at 1.83 GHz; its four schedulers then have so many issue
 * slots a step of a warp, of which the inner loop (sm_90, 8 tokens) takes about
 *
 *   step                    bytes   slots   instructions
 *   4 bits                   1152     259        170
 *   4 bits with zeros        1184     266        195
 *   gate and up              2304     518        285
 *   gate and up with zeros   2368     532        325
 *   f16                      2048     460         70
 *
 * so the memory is the limit; on an RTX 4090 (3.1 bytes a clock) by a factor of five and more. 9 to
 * 16 tokens add 28 instructions and 4 reads of 512 bytes a step, 17 to 32 three times that.
 *
 * In flight per multiprocessor, one block on each: 36 KiB of 4-bit weights (4 stages of 1152 bytes
 * or 2 of 2304, 8 warps), 32 KiB of f16. Little's law asks for 26 KB on an H200 at 0.8 us of loaded
 * latency, 20 KB on an H100, 5.5 KB on an RTX 4090 at 0.7 us. Shared memory: rings of 45 to 64 KiB
 * and 5.1 KiB a token; with 8 tokens at most 98 KiB, so that an H100 (227 KiB, 128 registers a
 * thread) holds a block of this kernel and one of the next, and an RTX 4090 (99 KiB) one.
 */
#include "kernels/cuda/launch.cuh"
#include "kernels/cuda/linear_finish.cuh"

/* Stages of a warp's ring; one less is in flight. */
template <int FORM, int PARTS> struct ring_of {
    static constexpr uint32_t stages = FORM == WEIGHTS_F16 ? (PARTS == 1 ? 3 : 2)
                                       : PARTS == 1        ? 5
                                                           : 3;
    static constexpr uint32_t bytes = stages * stage_of<FORM, PARTS>::bytes;
};

/* Bytes of a run that are asked for into L2 ahead. */
#if defined __CUDA_ARCH__ && __CUDA_ARCH__ >= 800 && __CUDA_ARCH__ % 100 == 0
#define AHEAD_BYTES 8192u /* the large cards: over 1.5 TB/s, L2 of 40 MB and more */
#else
#define AHEAD_BYTES 4096u
#endif

/* --- the stream of a warp --------------------------------------------------------------------- */

/* The next step to be fetched. */
struct cursor {
    const unsigned char *at[2]; /* of each part */
    uint32_t tile, left;        /* steps of this tile that follow, this one counted */
};

template <int FORM, int PARTS>
DEVICE void cursor_set(struct cursor *c, const struct linear_arguments &a,
                       struct linear_slice slice, uint32_t tile, uint32_t step)
{
    const struct linear_layer &layer = PARTS == 1 ? layer_of_tile(a, tile) : a.layer[0];
    uint32_t own = PARTS == 1 ? tile - layer.first : tile;
    size_t offset = ((size_t)own * a.steps + slice.first + step) * stage_of<FORM, 1>::bytes;
    c->at[0] = layer.data + offset;
    c->at[1] = PARTS == 1 ? NULL : a.layer[1].data + offset;
    c->tile = tile;
    c->left = slice.steps - step;
}

template <int FORM, int PARTS>
DEVICE void cursor_next(struct cursor *c, const struct linear_arguments &a,
                        struct linear_slice slice)
{
    c->at[0] += stage_of<FORM, 1>::bytes;
    c->at[1] += PARTS == 1 ? 0 : stage_of<FORM, 1>::bytes;
    if (--c->left == 0)
        cursor_set<FORM, PARTS>(c, a, slice, c->tile + 1, 0);
}

template <int FORM, int PARTS> DEVICE void fetch(unsigned char *stage, const struct cursor &c)
{
    constexpr uint32_t bytes = stage_of<FORM, PARTS>::part_bytes;
#pragma unroll
    for (int p = 0; p < PARTS; p++)
#pragma unroll
        for (uint32_t first = 0; first < bytes; first += 512) {
            uint32_t at = first + 16 * lane_index();
            if (at < bytes)
                copy16_async(stage + p * bytes + at, c.at[p] + at);
        }
}

template <int FORM, int PARTS>
DEVICE void ask_ahead(struct cursor c, const struct linear_arguments &a, struct linear_slice slice,
                      uint32_t steps)
{
    constexpr uint32_t most = AHEAD_BYTES / stage_of<FORM, PARTS>::bytes;
    for (uint32_t i = 0; i < most && i < steps; i++) {
        for (int p = 0; p < PARTS; p++)
            if (128 * lane_index() < stage_of<FORM, 1>::bytes)
                prefetch_l2(c.at[p] + 128 * lane_index());
        cursor_next<FORM, PARTS>(&c, a, slice);
    }
}

/* --- a run ------------------------------------------------------------------------------------ */

/* A run of the line and where its warp keeps what. */
struct run {
    struct linear_slice slice;
    uint32_t number, begin, end; /* steps of the line; begin == end: nothing to do */
    unsigned char *ring;
    struct cursor next;
    uint32_t fetched; /* steps asked for so far, from begin */
};

template <int FORM, int PARTS>
DEVICE void run_fetch(struct run *r, const struct linear_arguments &a, uint32_t stage)
{
    if (r->fetched < r->end - r->begin) {
        fetch<FORM, PARTS>(r->ring + stage * stage_of<FORM, PARTS>::bytes, r->next);
        cursor_next<FORM, PARTS>(&r->next, a, r->slice);
        r->fetched++;
    }
    copy_commit();
}

template <int FORM, int PARTS>
DEVICE void run_begin(struct run *r, const struct linear_arguments &a, unsigned char *rings)
{
    r->slice = slice_at(a, blockIdx.x / a.blocks);
    r->number = blockIdx.x % a.blocks * LINEAR_WARPS + warp_index();
    r->ring = rings + warp_index() * ring_of<FORM, PARTS>::bytes;
    r->begin = r->end = r->fetched = 0;
    if (r->number < a.runs) {
        r->begin = run_start(a, r->slice.length, r->number);
        r->end = run_start(a, r->slice.length, r->number + 1);
        uint32_t tile = r->begin / r->slice.steps;
        cursor_set<FORM, PARTS>(&r->next, a, r->slice, tile, r->begin % r->slice.steps);
    }
    for (uint32_t stage = 0; stage + 1 < ring_of<FORM, PARTS>::stages; stage++)
        run_fetch<FORM, PARTS>(r, a, stage);
    if (r->fetched < r->end - r->begin)
        ask_ahead<FORM, PARTS>(r->next, a, r->slice, r->end - r->begin - r->fetched);
}

/* Outputs g + 8 of 4-bit layers come 16 times too large. */
template <int FORM, int PARTS, int NT>
DEVICE void piece_store(const struct linear_arguments &a, const struct run &r, uint32_t tile,
                        const float sum[PARTS][NT][4])
{
    uint32_t number = piece_number(a, r.slice.number, r.number, tile);
    float4 *piece = a.pieces + (size_t)number * (PARTS * NT * 32) + lane_index();
    const float part = FORM == WEIGHTS_F16 ? 1.0f : 0.0625f;
#pragma unroll
    for (int p = 0; p < PARTS; p++)
#pragma unroll
        for (int j = 0; j < NT; j++) {
            const float *c = sum[p][j];
            if (8 * j + 2 * (lane_index() % 4) < a.n)
                piece[32 * (p * NT + j)] = {c[0], c[1], c[2] * part, c[3] * part};
        }
}

template <int FORM, int PARTS, int NT>
DEVICE void run_steps(struct run *r, const struct linear_arguments &a, const unsigned char *rows)
{
    constexpr uint32_t stages = ring_of<FORM, PARTS>::stages;
    const unsigned char *x[NT];
#pragma unroll
    for (int j = 0; j < NT; j++) {
        uint32_t token = 8 * j + lane_index() / 4;
        x[j] = rows + (token < a.n ? token : a.n - 1) * a.row_bytes + lane_index() % 4 * 16;
    }
    uint32_t tile = r->begin / r->slice.steps, step = r->begin % r->slice.steps, stage = 0;
    for (uint32_t left = r->end - r->begin; left > 0; tile++, step = 0) {
        float sum[PARTS][NT][4] = {};
        struct q4_zero zero[PARTS];
#pragma unroll
        for (int p = 0; p < PARTS; p++)
            zero[p] =
                q4_zero_of(PARTS == 1 ? layer_of_tile(a, tile).zero_add : a.layer[p].zero_add);
        uint32_t end = step + left < r->slice.steps ? step + left : r->slice.steps;
        left -= end - step;
#pragma unroll 1
        for (; step < end; step++) {
            copy_wait<(int)stages - 2>();
            warp_sync(); /* the stage is whole, and the one before has been read by all lanes */
            run_fetch<FORM, PARTS>(r, a, stage == 0 ? stages - 1 : stage - 1);
            const unsigned char *weights = r->ring + stage * stage_of<FORM, PARTS>::bytes;
            uint32_t offset = step * stage_of<FORM, PARTS>::inputs * 2;
            if (FORM == WEIGHTS_F16)
                f16_step<PARTS, NT>(sum, weights, x, offset);
            else
                q4_step<FORM, PARTS, NT>(sum, weights, x, offset, zero);
            stage = stage + 1 == stages ? 0 : stage + 1;
        }
        piece_store<FORM, PARTS, NT>(a, *r, tile, sum);
    }
}

/* --- the kernel ------------------------------------------------------------------------------- */

template <int FORM, int PARTS, int NT>
__global__ void __launch_bounds__(LINEAR_THREADS, NT <= 2 ? 2 : 1)
    linear_kernel(const struct linear_arguments a)
{
    SHARED_BYTES(shared);
    struct run r = {};
    run_begin<FORM, PARTS>(&r, a, shared + a.rows_bytes);
    grid_launch();
    uint32_t tile = r.begin / r.slice.steps;
    uint32_t end = r.end > r.begin ? (r.end - 1) / r.slice.steps + 1 : tile;
    uint32_t pieces = lane_pieces(a, tile, end);
    rows_fill(a, shared, r.slice.first * stage_of<FORM, PARTS>::inputs,
              r.slice.steps * stage_of<FORM, PARTS>::inputs);
    run_steps<FORM, PARTS, NT>(&r, a, shared);
    warp_sync(); /* the pieces of all lanes, before any lane's ticket */
    fence();
    while (tile < end) {
        tiles_announce<PARTS, NT>(a, rows_sums(a, shared), tile, pieces);
        tile += 32;
        pieces = lane_pieces(a, tile, end);
    }
}

/* --- the cut ---------------------------------------------------------------------------------- */

#define RUN_STEPS_LEAST 4u /* shorter runs cost more in pieces than they gain */

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static enum weights weights_of(const struct gpu_linear *linear)
{
    return linear->form == GPU_F16 ? WEIGHTS_F16
           : linear->has_zeros     ? WEIGHTS_Q4_ZEROS
                                   : WEIGHTS_Q4;
}

static uint32_t parts_of(const struct gpu_linear_call *call)
{
    return call->finish == GPU_SILU_MUL ? 2 : 1;
}

/* Slices of 2560 inputs (2048 of dense layers) at most, whose rows of 8 tokens fit 99 KiB beside
 * the rings; of the next few numbers the one that leaves the fewest multiprocessors idle. */
static uint32_t slices_of(uint32_t steps, uint32_t most, uint32_t multiprocessors)
{
    uint32_t least = (steps + most - 1) / most, best = least, busy = 0;
    for (uint32_t slices = least; slices <= least + 2 && slices <= steps; slices++) {
        uint32_t used = multiprocessors / slices * slices;
        if (used > busy) {
            best = slices;
            busy = used;
        }
    }
    return best;
}

static void cut(struct linear_arguments *a, enum weights form, uint32_t k, uint32_t multiprocessors)
{
    a->steps = k / (form == WEIGHTS_F16 ? stage_of<WEIGHTS_F16, 1>::inputs
                                        : stage_of<WEIGHTS_Q4, 1>::inputs);
    a->slices = slices_of(a->steps, form == WEIGHTS_F16 ? 32 : 20, multiprocessors);
    uint32_t shortest = a->tiles * (a->steps / a->slices); /* line of a slice */
    uint32_t longest = a->tiles * ((a->steps + a->slices - 1) / a->slices);
    uint32_t blocks = multiprocessors / a->slices > 0 ? multiprocessors / a->slices : 1;
    uint32_t runs = smaller(blocks * LINEAR_WARPS, shortest / RUN_STEPS_LEAST);
    runs = smaller(runs, UINT32_MAX / (longest + 1) - 1);
    a->runs = runs > 0 ? runs : 1;
    a->blocks = (a->runs + LINEAR_WARPS - 1) / LINEAR_WARPS;
}

/* --- launching -------------------------------------------------------------------------------- */

typedef void (*linear_function)(const struct linear_arguments);

struct linear_variant {
    linear_function function[3]; /* for 8, 16, 32 tokens */
    uint32_t rings_bytes;
};

template <int FORM, int PARTS> static struct linear_variant variant_of()
{
    return {{linear_kernel<FORM, PARTS, 1>, linear_kernel<FORM, PARTS, 2>,
             linear_kernel<FORM, PARTS, 4>},
            LINEAR_WARPS * ring_of<FORM, PARTS>::bytes};
}

static struct linear_variant variant_for(enum weights form, uint32_t parts)
{
    switch (form) {
    case WEIGHTS_Q4:
        return parts == 1 ? variant_of<WEIGHTS_Q4, 1>() : variant_of<WEIGHTS_Q4, 2>();
    case WEIGHTS_Q4_ZEROS:
        return parts == 1 ? variant_of<WEIGHTS_Q4_ZEROS, 1>() : variant_of<WEIGHTS_Q4_ZEROS, 2>();
    default:
        return parts == 1 ? variant_of<WEIGHTS_F16, 1>() : variant_of<WEIGHTS_F16, 2>();
    }
}

static bool call_is_possible(const struct gpu_linear_call *call)
{
    const struct gpu_linear *first = call->linear[0];
    bool possible = call->n > 0 && call->n <= GPU_DECODE_TOKENS && call->count > 0 &&
                    call->count <= 3 && first->k > 0 && first->k % GPU_CHUNK_INPUTS == 0 &&
                    call->multiprocessors > 0 && (call->x == NULL || first->in % 4 == 0);
    if (call->finish == GPU_SILU_MUL)
        possible = possible && call->count == 2 && first->tiles == call->linear[1]->tiles;
    for (uint32_t i = 1; possible && i < call->count; i++)
        possible = call->linear[i]->k == first->k && call->linear[i]->form == first->form &&
                   call->linear[i]->has_zeros == first->has_zeros;
    return possible;
}

static struct linear_arguments arguments_of(const struct gpu_linear_call *call)
{
    struct linear_arguments a = {};
    for (uint32_t i = 0; i < call->count; i++) {
        const struct gpu_linear *linear = call->linear[i];
        a.layer[i] = {(const unsigned char *)linear->data,
                      linear->bias,
                      call->out[i],
                      call->out_stride[i],
                      a.tiles,
                      linear->out,
                      (uint32_t)linear->zero_add};
        a.tiles += linear->tiles;
    }
    a.tiles /= parts_of(call);
    a.count = parts_of(call) == 1 ? call->count : 1;
    a.finish = call->finish;
    a.out_index = call->out_index;
    a.tickets = (uint32_t *)call->scratch;
    a.pieces = (float4 *)((unsigned char *)call->scratch + 4 * LINEAR_TICKETS);
    a.x = call->x;
    a.norm = call->norm;
    a.x_stride = call->x_stride;
    a.inverse = call->linear[0]->inverse;
    a.eps = call->eps;
    a.in = call->linear[0]->in;
    a.acts_stride = call->acts_stride;
    cut(&a, weights_of(call->linear[0]), call->linear[0]->k, call->multiprocessors);
    uint32_t inputs = call->linear[0]->k / a.steps;
    a.row_bytes = (a.steps + a.slices - 1) / a.slices * inputs * 2 + ROWS_PADDING;
    return a;
}

/* The tokens of one launch, from `first` on. */
static void arguments_rows(struct linear_arguments *a, const struct gpu_linear_call *call,
                           uint32_t first, uint32_t n)
{
    a->n = n;
    a->rows_bytes = n * a->row_bytes + ROWS_SUMS_BYTES;
    a->x_rows = call->x_rows != NULL ? call->x_rows + first : NULL;
    if (call->x != NULL && call->x_rows == NULL)
        a->x = call->x + first * call->x_stride;
    if (call->x == NULL)
        a->acts = call->acts + first * call->acts_stride;
    size_t size = call->finish == GPU_SILU_MUL ? 2 : 4;
    for (uint32_t i = 0; i < call->count; i++)
        a->layer[i].out = (unsigned char *)call->out[i] + first * call->out_stride[i] * size;
}

/* Tokens of a launch: 32, 16, 8 or as many as the shared memory takes; 0: not one. */
static uint32_t tokens_of(const struct linear_arguments *a, uint32_t rings_bytes,
                          uint32_t shared_bytes)
{
    uint32_t fixed = rings_bytes + ROWS_SUMS_BYTES;
    uint32_t most = shared_bytes > fixed ? (shared_bytes - fixed) / a->row_bytes : 0;
    for (uint32_t tokens = LINEAR_TOKENS; tokens >= 8; tokens /= 2)
        if (most >= tokens)
            return tokens;
    return most;
}

cudaError_t gpu_linear_launch(const struct gpu_linear_call *call, cudaStream_t stream)
{
    if (!call_is_possible(call))
        return cudaErrorInvalidValue;
    struct linear_arguments a = arguments_of(call);
    struct linear_variant variant = variant_for(weights_of(call->linear[0]), parts_of(call));
    uint32_t most = tokens_of(&a, variant.rings_bytes, call->shared_bytes);
    if (most == 0 || a.slices > LINEAR_SLICES || a.tiles > LINEAR_TICKETS)
        return cudaErrorInvalidConfiguration;
    cudaError_t status = cudaSuccess;
    for (uint32_t first = 0; first < call->n && status == cudaSuccess; first += most) {
        arguments_rows(&a, call, first, smaller(most, call->n - first));
        linear_function function = variant.function[a.n <= 8 ? 0 : a.n <= 16 ? 1 : 2];
        status = launch(function, dim3(a.slices * a.blocks), dim3(LINEAR_THREADS),
                        (size_t)a.rows_bytes + variant.rings_bytes, stream, true, a);
    }
    return status;
}

size_t gpu_linear_scratch(const struct gpu_linear_call *call)
{
    struct linear_arguments a = arguments_of(call);
    size_t groups = call->n <= 8 ? 1 : call->n <= 16 ? 2 : 4;
    size_t pieces = (size_t)a.slices * (a.runs + a.tiles);
    return 4 * LINEAR_TICKETS + pieces * parts_of(call) * groups * 32 * sizeof(float4);
}
