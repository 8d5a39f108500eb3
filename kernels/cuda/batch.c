/*
 * batch.c - a batch of the seam -> one block at fixed addresses, copied in one piece before the
 * steps run, so that a graph that was recorded once reads the new batch:
 *
 *   rows       [max_head_rows]  which rows head() wants
 *   tokens, positions, tables   [rows of the batch at most]
 *   runs       [the same]       decode runs, then prefill runs
 *   pages      [sequences][pages of the sequence]
 *
 * A decode-sized batch has its own, smaller offsets, so that less is copied.
 */
#include <string.h>

#include "kernels/cuda/host.h"

#define ALIGN ((size_t)64)

/* Offsets in the block. */
struct parts {
    size_t rows, tokens, positions, tables, runs, pages;
};

static size_t aligned(size_t bytes)
{
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

static struct parts parts_of(const struct backend_shape *shape, uint32_t n)
{
    size_t rows = n <= GPU_DECODE_TOKENS ? GPU_DECODE_TOKENS : shape->max_tokens;
    size_t array = aligned(rows * sizeof(uint32_t));
    struct parts parts = {.rows = 0};
    parts.tokens = aligned(shape->max_head_rows * sizeof(uint32_t));
    parts.positions = parts.tokens + array;
    parts.tables = parts.positions + array;
    parts.runs = parts.tables + array;
    parts.pages = parts.runs + aligned(rows * sizeof(struct gpu_run));
    return parts;
}

static uint32_t pages_of(const struct backend_shape *shape, uint32_t position)
{
    return position / shape->page_tokens + 1;
}

size_t batch_bytes(const struct backend_shape *shape)
{
    uint32_t n = shape->max_tokens > GPU_DECODE_TOKENS ? shape->max_tokens : GPU_DECODE_TOKENS;
    size_t pages = (size_t)BATCH_SEQUENCES * pages_of(shape, shape->max_positions - 1);
    return parts_of(shape, n).pages + pages * sizeof(uint32_t);
}

static void *part(const void *block, size_t offset)
{
    return (uint8_t *)block + offset;
}

/* --- checks ----------------------------------------------------------------------------------- */

static const char *row_fault(const struct backend *backend, const struct backend_batch *from,
                             uint32_t row)
{
    const struct backend_shape *shape = &backend->shape;
    if (from->tokens[row] < 0 || (uint32_t)from->tokens[row] >= shape->vocab)
        return "a token is not in the vocabulary";
    if (from->positions[row] >= shape->max_positions)
        return "a position is beyond max_positions";
    if (from->sequences[row] >= from->sequence_count)
        return "a row is of no sequence";
    return NULL;
}

static const char *batch_fault(const struct backend *backend, const struct backend_batch *from)
{
    if (!backend->ready || backend->kv.pages == 0)
        return "the model is not loaded, or there are no pages";
    if (from->n == 0 || from->n > backend->shape.max_tokens)
        return "more tokens than max_tokens";
    for (uint32_t row = 0; row < from->n; row++) {
        const char *fault = row_fault(backend, from, row);
        if (fault != NULL)
            return fault;
    }
    return NULL;
}

/* --- page tables ------------------------------------------------------------------------------ */

/* Rows first .. end - 1 are one sequence. */
static uint32_t sequence_end(const struct backend_batch *from, uint32_t first)
{
    uint32_t end = first + 1;
    while (end < from->n && from->sequences[end] == from->sequences[first])
        end++;
    return end;
}

/* One sequence's page table behind those before it; NULL, or what is wrong. */
static const char *take_table(struct backend *backend, const struct backend_batch *from,
                              uint32_t first, uint32_t end, uint32_t *tables, uint32_t *pages,
                              uint32_t *used)
{
    const uint32_t *table = from->page_tables[from->sequences[first]];
    uint32_t last = 0;
    for (uint32_t row = first; row < end; row++) {
        last = from->positions[row] > last ? from->positions[row] : last;
        tables[row] = *used;
    }
    for (uint32_t i = 0; i < pages_of(&backend->shape, last); i++) {
        if (table[i] >= backend->kv.pages)
            return "a page table names no page";
        pages[(*used)++] = table[i];
    }
    return NULL;
}

/* --- runs ------------------------------------------------------------------------------------- */

struct run_list {
    struct gpu_run *runs;
    uint32_t count;
};

/* Rows that follow one another without a gap, in pieces of `most`. */
static void add_runs(struct run_list *list, const struct backend_batch *from,
                     const uint32_t *tables, uint32_t first, uint32_t end, uint32_t most)
{
    while (first < end) {
        uint32_t count = 1;
        while (count < most && first + count < end &&
               from->positions[first + count] == from->positions[first] + count)
            count++;
        list->runs[list->count++] =
            (struct gpu_run){first, count, from->positions[first], tables[first]};
        first += count;
    }
}

static bool decodes(const struct backend_batch *from, uint32_t first, uint32_t end)
{
    if (from->n > GPU_DECODE_TOKENS || end - first > GPU_ATTEND_ROWS)
        return false;
    for (uint32_t row = first + 1; row < end; row++)
        if (from->positions[row] != from->positions[row - 1] + 1)
            return false;
    return true;
}

/* Runs of one kind, over all sequences. */
static uint32_t make_runs(struct gpu_run *runs, const struct backend_batch *from,
                          const uint32_t *tables, bool decode)
{
    struct run_list list = {.runs = runs};
    for (uint32_t first = 0, end; first < from->n; first = end) {
        end = sequence_end(from, first);
        if (decodes(from, first, end) == decode)
            add_runs(&list, from, tables, first, end, decode ? GPU_ATTEND_ROWS : GPU_PREFILL_ROWS);
    }
    return list.count;
}

/* --- taking and giving ------------------------------------------------------------------------ */

/* The largest position, rounded up to a power of two of splits: a graph serves until the context
 * has doubled. */
static uint32_t rounded_position(const struct backend_shape *shape, uint32_t position)
{
    uint64_t splits = 1;
    while (splits * GPU_SPLIT_TOKENS <= position)
        splits *= 2;
    uint64_t last = splits * GPU_SPLIT_TOKENS - 1;
    return last < shape->max_positions ? (uint32_t)last : shape->max_positions - 1;
}

static const char *fill_block(struct backend *backend, const struct backend_batch *from)
{
    struct batch *batch = &backend->batch;
    void *block = backend->batch_pinned;
    struct parts parts = parts_of(&backend->shape, from->n);
    uint32_t *tables = part(block, parts.tables), *pages = part(block, parts.pages);
    struct gpu_run *runs = part(block, parts.runs);
    uint32_t used = 0, sequences = 0, largest = 0;
    memcpy(part(block, parts.tokens), from->tokens, from->n * sizeof *from->tokens);
    memcpy(part(block, parts.positions), from->positions, from->n * sizeof *from->positions);
    for (uint32_t first = 0, end; first < from->n; first = end) {
        end = sequence_end(from, first);
        if (++sequences > BATCH_SEQUENCES)
            return "more than 64 sequences in a batch";
        const char *fault = take_table(backend, from, first, end, tables, pages, &used);
        if (fault != NULL)
            return fault;
    }
    for (uint32_t row = 0; row < from->n; row++)
        largest = from->positions[row] > largest ? from->positions[row] : largest;
    batch->decode_runs = make_runs(runs, from, tables, true);
    batch->prefill_runs = make_runs(runs + batch->decode_runs, from, tables, false);
    batch->max_position = rounded_position(&backend->shape, largest);
    batch->bytes = parts.pages + used * sizeof *pages;
    return NULL;
}

int batch_take(struct backend *backend, const struct backend_batch *from)
{
    const char *fault = batch_fault(backend, from);
    backend->batch.n = 0;
    for (uint32_t i = 0; i < backend->device_count; i++)
        if (gpu_check(backend, &backend->devices[i],
                      cudaEventSynchronize(backend->devices[i].uploaded), "a step") != 0)
            return -1;
    if (fault == NULL)
        fault = fill_block(backend, from);
    if (fault != NULL)
        return gpu_misuse(backend, "embed", fault);
    backend->batch.n = from->n;
    backend->batch.uploaded = false;
    return 0;
}

void batch_rows(struct backend *backend, const uint32_t *rows, uint32_t count)
{
    memcpy(backend->batch_pinned, rows, count * sizeof *rows);
}

int batch_upload(struct backend *backend)
{
    size_t rows = backend->shape.max_head_rows * sizeof(uint32_t);
    size_t bytes = backend->batch.uploaded ? rows : backend->batch.bytes;
    for (uint32_t i = 0; i < backend->device_count; i++) {
        struct device *device = &backend->devices[i];
        if (gpu_check(backend, device, cudaSetDevice(device->id), "choosing the device") != 0 ||
            gpu_check(backend, device,
                      cudaMemcpyAsync(device->batch, backend->batch_pinned, bytes,
                                      cudaMemcpyHostToDevice, device->stream),
                      "sending the batch") != 0 ||
            gpu_check(backend, device, cudaEventRecord(device->uploaded, device->stream),
                      "sending the batch") != 0)
            return -1;
    }
    backend->batch.uploaded = true;
    return 0;
}

const uint32_t *batch_rows_on(const struct device *device)
{
    return device->batch;
}

struct gpu_batch batch_on(const struct backend *backend, const struct device *device, bool decode)
{
    const struct batch *batch = &backend->batch;
    const struct parts parts = parts_of(&backend->shape, batch->n);
    const struct gpu_run *runs = part(device->batch, parts.runs);
    return (struct gpu_batch){
        .n = batch->n,
        .runs = decode ? batch->decode_runs : batch->prefill_runs,
        .tokens = part(device->batch, parts.tokens),
        .positions = part(device->batch, parts.positions),
        .tables = part(device->batch, parts.tables),
        .pages = part(device->batch, parts.pages),
        .run = decode ? runs : runs + batch->decode_runs,
        .max_position = batch->max_position,
    };
}
