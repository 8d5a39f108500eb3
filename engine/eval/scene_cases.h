/*
 * scene_cases.h - scenes with invented characters, and what a user may say in any scene.
 */
#ifndef AIRO_EVAL_SCENE_CASES_H
#define AIRO_EVAL_SCENE_CASES_H

#include <stdint.h>

#include "engine/chat/scene.h"

/* The index-th generated scene of a seed: two or three characters, a user with a name, a setting,
 * an opening. The caller owns it. */
struct scene *eval_scene_make(uint64_t seed, uint64_t index);

/* What the user says in turn `turn` of case `index`; to be freed. */
char *eval_scene_line(uint64_t seed, uint64_t index, uint64_t turn);

#endif
