/*
 * spelled_generator.h - the scripted fake with Vaquita's vocabulary: its replies come as ids, its
 * choices have the ids that their texts have, a forced beginning reads as it should, and there are
 * numbers about keys and values.
 */
#ifndef AIRO_TESTS_SPELLED_GENERATOR_H
#define AIRO_TESTS_SPELLED_GENERATOR_H

#include "engine/infer/generator.h"

#define SPELLED_KV_USED   (12u << 20)
#define SPELLED_KV_SHARED (8u << 20)
#define SPELLED_KV_FREE   (100u << 20)

/* As generator_fake_open; NULL when the vocabulary cannot be read. */
struct generator *generator_spelled_open(const char *script, unsigned piece_ms, uint32_t context);

#endif
