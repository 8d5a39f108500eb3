/*
 * rope.h - inverse frequencies of the rotary embedding under every scaling rule we know.
 * Formulas and their sources stand at each rule in rope.c.
 */
#ifndef AIRO_MODEL_ROPE_H
#define AIRO_MODEL_ROPE_H

#include <stdint.h>

#include "engine/model/config.h"

/* Fills inv_freq [head_dim / 2], computed in fp32 as the published code does, and *scale, by which
 * cos and sin are multiplied. `context` is the number of positions that will be used (only the
 * dynamic rule asks). */
void rope_inv_freq(const struct rope_config *rope, uint32_t head_dim, uint32_t context,
                   float *inv_freq, float *scale);

/* One line for people: "NTK-by-parts x4 (4096 -> 16384)". `out` holds at least 96 bytes. */
char *rope_describe(const struct rope_config *rope, uint32_t context, char *out);

#endif
