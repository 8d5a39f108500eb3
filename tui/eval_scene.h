/*
 * eval_scene.h - `airo eval scene`: do replies in scenes keep the scene's rules?
 */
#ifndef AIRO_TUI_EVAL_SCENE_H
#define AIRO_TUI_EVAL_SCENE_H

#include "tui/eval_options.h"

/* Returns the exit status. */
int eval_scene(const struct eval_options *options);
/* Only prints the cases, as JSON lines; needs no model. */
int eval_scene_print(const struct eval_options *options);

#endif
