/*
 * config_rope.h - the RoPE rule that config.json names, a user's override laid over it, and how
 * many positions the outcome supports. Three steps: read, override, resolve; between them a zero
 * in struct rope_config means "not stated".
 */
#ifndef AIRO_MODEL_CONFIG_ROPE_H
#define AIRO_MODEL_CONFIG_ROPE_H

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/model/config.h"
#include "engine/model/fields.h"

#define POSITIONS_MAX (1u << 24)

/* `max_positions` is the file's max_position_embeddings. */
int rope_config_read(struct rope_config *rope, const struct fields *file, uint32_t max_positions,
                     struct error *error);

/* Fills in what the file leaves open; a contradiction is refused with both values named. */
int rope_config_override(struct rope_config *rope, const struct rope_override *override,
                         const char *source, struct error *error);

/* Derives and checks what is still open, and sets *context to the most positions supported. */
int rope_config_resolve(struct rope_config *rope, uint32_t max_positions, uint32_t *context,
                        const char *source, struct error *error);

#endif
