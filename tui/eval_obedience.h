/*
 * eval_obedience.h - `airo eval obedience`: do the documents go before what the model knows, and
 * does it say so when they do not say?
 */
#ifndef AIRO_TUI_EVAL_OBEDIENCE_H
#define AIRO_TUI_EVAL_OBEDIENCE_H

#include "tui/eval_options.h"

/* Returns the exit status. */
int eval_obedience(const struct eval_options *options);
/* Only prints the cases, as JSON lines; needs no model. */
int eval_obedience_print(const struct eval_options *options);

#endif
