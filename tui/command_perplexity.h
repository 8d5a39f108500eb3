/*
 * command_perplexity.h - what `airo perplexity` and `airo eval perplexity` share.
 */
#ifndef AIRO_TUI_COMMAND_PERPLEXITY_H
#define AIRO_TUI_COMMAND_PERPLEXITY_H

#include "tui/eval_options.h"

/* Operands [MODEL] FILE; returns the exit status. */
int perplexity_run(struct eval_options *options, int argc, char **argv);

#endif
