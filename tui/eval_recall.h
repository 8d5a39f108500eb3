/*
 * eval_recall.h - `airo eval recall`: are facts found, wherever they stand in however long a
 * context?
 */
#ifndef AIRO_TUI_EVAL_RECALL_H
#define AIRO_TUI_EVAL_RECALL_H

#include "tui/eval_options.h"

/* Returns the exit status. */
int eval_recall(const struct eval_options *options);
/* Only prints the cases, as JSON lines; needs no weights. */
int eval_recall_print(const struct eval_options *options);

#endif
