/*
 * forward.h - the decoder, as a recipe over the backend's steps.
 *
 * It owns nothing but the names of the activation buffers, which belong to the backend and live as
 * long: open it once for a model, or a few times. One thread at a time.
 */
#ifndef AIRO_INFER_FORWARD_H
#define AIRO_INFER_FORWARD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/model/model.h"

struct forward;

int forward_open(struct forward **out, const struct model *model, struct error *error);
void forward_close(struct forward *forward);

/* Runs the batch through all layers. `cancel` (may be NULL) is looked at between steps:
 * ERROR_CANCELLED leaves the keys and values of the batch undefined, so that it can be run again.
 * ERROR_DEVICE when the backend fails. */
int forward_layers(struct forward *forward, const struct backend_batch *batch,
                   const atomic_bool *cancel, struct error *error);

/* Logits [count, vocab] of rows of the last batch; valid until the next call. count <=
 * shape.max_head_rows; may be called several times. */
int forward_head(struct forward *forward, const uint32_t *rows, uint32_t count,
                 const float **logits, struct error *error);
/* Of each row only its best candidates, as backend_ops.head_best says. */
bool forward_has_best(const struct forward *forward);
int forward_head_best(struct forward *forward, const uint32_t *rows, uint32_t count, uint32_t limit,
                      const struct backend_candidate **best, const uint32_t **counts,
                      struct error *error);

#endif
