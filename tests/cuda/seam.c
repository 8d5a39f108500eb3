#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "tests/cuda/seam.h"

const struct kernel_options seam_base = {
    .layers = 2,
    .hidden = 128,
    .heads = 2,
    .kv_heads = 1,
    .head_dim = 64,
    .ffn = 192,
    .vocab = 100,
    .max_tokens = 96,
    .max_positions = 512,
    .page_tokens = 16,
    .group_size = 32,
};

struct kernel_run seam_open(const struct kernel_model *model, const char *device, enum kv_type type)
{
    const struct backend_options options = {.device = device};
    struct backend_error error = {0};
    struct kernel_run run;
    if (kernel_open_on(&run, model, airo_backend(), &options, type, SEAM_PAGES, &error) != 0)
        fail_msg("%s", error.message);
    return run;
}

int seam_try(const struct kernel_run *run, const struct kernel_model *model,
             const struct backend_batch *batch, uint32_t count, const float **logits)
{
    const struct backend_ops *ops = run->ops;
    struct backend *b = run->backend;
    uint32_t rows[8];
    int bad = ops->embed(b, batch, run->x);
    for (uint32_t layer = 0; layer < model->shape.layers; layer++) {
        bad |= ops->norm_qkv(b, layer, batch, run->x, run->q, run->k, run->v);
        bad |= ops->rope_append(b, layer, batch, run->q, run->k, run->v);
        bad |= ops->attend(b, layer, batch, run->q, run->a);
        bad |= ops->project_add(b, layer, LINEAR_O, batch, run->a, run->x);
        bad |= ops->norm_gate_up(b, layer, batch, run->x, run->h);
        bad |= ops->project_add(b, layer, LINEAR_DOWN, batch, run->h, run->x);
    }
    for (uint32_t i = 0; i < count; i++)
        rows[i] = batch->n - count + i;
    if (bad == 0 && count > 0)
        bad = ops->head(b, rows, count, run->x, logits);
    return bad;
}

const float *seam_forward(const struct kernel_run *run, const struct kernel_model *model,
                          const struct backend_batch *batch, uint32_t count)
{
    const float *logits = NULL;
    if (seam_try(run, model, batch, count, &logits) != 0)
        fail_msg("step: %s", run->ops->last_error(run->backend));
    return logits;
}

static int32_t token_at(uint32_t sequence, uint32_t position)
{
    return (int32_t)((position * 37 + sequence * 11 + 5) % 100);
}

void seam_add_rows(struct kernel_batch *batch, uint32_t sequence, uint32_t first, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++)
        kernel_batch_add(batch, sequence, first + i, token_at(sequence, first + i));
}
