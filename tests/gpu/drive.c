#include "tests/gpu/drive.h"

#include <stdlib.h>

#include "engine/base/alloc.h"
#include "engine/infer/kv_cache.h"

void drive_close(struct drive *drive)
{
    forward_close(drive->forward);
    model_close(drive->model);
    free(drive->table);
    free(drive->tokens);
    free(drive->positions);
    free(drive->sequences);
    *drive = (struct drive){0};
}

static int open_parts(struct drive *drive, const struct setup *setup, struct error *error)
{
    struct backend_error reason;
    double started = check_seconds();
    if (setup_open(&drive->model, setup, error) != 0)
        return -1;
    const struct model *model = drive->model;
    drive->pages = kv_pages_for(model->context);
    if (model->ops->kv_create(model->backend, model->kv_type, drive->pages, &reason) != 0)
        return error_set(error, ERROR_MEMORY, "%s", reason.message);
    if (forward_open(&drive->forward, model, error) != 0)
        return -1;
    drive->open_seconds = check_seconds() - started;
    return 0;
}

int drive_open(struct drive *drive, const struct setup *setup, struct error *error)
{
    *drive = (struct drive){0};
    if (open_parts(drive, setup, error) != 0) {
        drive_close(drive);
        return -1;
    }
    size_t batch = drive->model->shape.max_tokens;
    drive->table = xcalloc(drive->pages, sizeof *drive->table);
    drive->tokens = xcalloc(drive->model->context, sizeof *drive->tokens);
    drive->positions = xcalloc(batch, sizeof *drive->positions);
    drive->sequences = xcalloc(batch, sizeof *drive->sequences);
    for (uint32_t i = 0; i < drive->pages; i++)
        drive->table[i] = i;
    setup_tokens(drive->model, false, drive->model->context, drive->tokens);
    return 0;
}

/* The head of the last `rows` rows: the best candidates where the backend chooses them itself, as
 * decoding does. Waits for the device. */
static int finish(struct drive *drive, uint32_t n, uint32_t rows, struct error *error)
{
    uint32_t which[DRIVE_SEQUENCES * 2];
    for (uint32_t i = 0; i < rows; i++)
        which[i] = n - rows + i;
    const struct backend_candidate *best;
    const uint32_t *counts;
    const float *logits;
    return forward_has_best(drive->forward)
               ? forward_head_best(drive->forward, which, rows, 64, &best, &counts, error)
               : forward_head(drive->forward, which, rows, &logits, error);
}

static int prefill_once(struct drive *drive, uint32_t count, struct error *error)
{
    const uint32_t *tables[1] = {drive->table};
    uint32_t most = drive->model->shape.max_tokens;
    for (uint32_t done = 0, n; done < count; done += n) {
        n = count - done < most ? count - done : most;
        for (uint32_t i = 0; i < n; i++) {
            drive->positions[i] = done + i;
            drive->sequences[i] = 0;
        }
        struct backend_batch batch = {
            n, drive->tokens + done, drive->positions, drive->sequences, tables, 1};
        if (forward_layers(drive->forward, &batch, NULL, error) != 0)
            return -1;
        if (done + n == count && finish(drive, n, 1, error) != 0)
            return -1;
    }
    return 0;
}

int drive_prefill(struct drive *drive, uint32_t count, int runs, double *seconds,
                  struct error *error)
{
    *seconds = 0;
    for (int run = 0; run < runs; run++) {
        double started = check_seconds();
        if (prefill_once(drive, count, error) != 0)
            return -1;
        double taken = check_seconds() - started;
        if (run == 0 || taken < *seconds)
            *seconds = taken;
    }
    return 0;
}

int drive_decode(struct drive *drive, const struct drive_step *step, double least, double *seconds,
                 struct error *error)
{
    const uint32_t *tables[DRIVE_SEQUENCES];
    uint32_t each = drive->pages / DRIVE_SEQUENCES, steps = 0;
    for (uint32_t i = 0; i < DRIVE_SEQUENCES; i++)
        tables[i] = drive->table + (step->apart ? i * each : 0);
    for (uint32_t i = 0; i < step->rows; i++) {
        drive->positions[i] = step->depth + (step->apart ? 0 : i);
        drive->sequences[i] = step->apart ? i : 0;
    }
    struct backend_batch batch = {step->rows,       drive->tokens, drive->positions,
                                  drive->sequences, tables,        step->apart ? step->rows : 1};
    double started = 0;
    do { /* the first three warm up: a graph is made */
        if (steps == 3)
            started = check_seconds();
        if (forward_layers(drive->forward, &batch, NULL, error) != 0 ||
            finish(drive, step->rows, step->rows, error) != 0)
            return -1;
        steps++;
    } while (steps < 5 || check_seconds() - started < least);
    *seconds = (check_seconds() - started) / (steps - 3);
    return 0;
}

double drive_step_bytes(const struct drive *drive, uint32_t depth)
{
    const struct model *model = drive->model;
    struct backend_memory memory;
    model->ops->memory(model->backend, &memory);
    double kv = (double)model->ops->kv_page_bytes(&model->shape, model->kv_type) / KV_PAGE_TOKENS;
    return (double)memory.step_bytes + kv * depth;
}

double drive_prefill_flops(const struct drive *drive, uint32_t count)
{
    const struct backend_shape *s = &drive->model->shape;
    double q = (double)s->heads * s->head_dim, kv = (double)s->kv_heads * s->head_dim;
    double layer = s->hidden * (2 * q + 2 * kv) + 3.0 * s->hidden * s->ffn;
    double attend = 4 * q * ((double)count - 1) / 2; /* a token, on average */
    return s->layers * (2 * layer + attend) * count + 2.0 * s->hidden * s->vocab;
}

int drive_restore(struct drive *drive, uint32_t count, double *seconds, struct error *error)
{
    const struct model *model = drive->model;
    size_t bytes = (size_t)model->ops->kv_page_bytes(&model->shape, model->kv_type);
    uint32_t pages = kv_pages_for(count);
    char *kept = xmalloc(bytes);
    int result = model->ops->kv_export_page(model->backend, 0, kept);
    double started = check_seconds();
    for (uint32_t i = 0; i < pages && result == 0; i++)
        result = model->ops->kv_import_page(model->backend, i, kept);
    if (result == 0)
        result = model->ops->kv_export_page(model->backend, pages - 1, kept); /* waits for it */
    *seconds = check_seconds() - started;
    free(kept);
    return result == 0
               ? 0
               : error_set(error, ERROR_DEVICE, "%s", model->ops->last_error(model->backend));
}
