/*
 * completion_script.h - completion of the command line in bash, zsh and fish, made from the tables
 * of commands and options. Names of themes and models are asked of the program when needed.
 */
#ifndef AIRO_TUI_COMPLETION_SCRIPT_H
#define AIRO_TUI_COMPLETION_SCRIPT_H

#include <stddef.h>

#include "engine/base/strbuf.h"
#include "tui/command.h"

#define COMPLETION_SHELLS "bash zsh fish"
#define COMPLETION_LISTS  "themes models"

/* `shell` is one of COMPLETION_SHELLS. */
void completion_script(const char *shell, const struct command *const *commands, size_t count,
                       struct strbuf *out);

/* Appends the names of one of COMPLETION_LISTS, a line each. */
void completion_list(const char *kind, struct strbuf *out);

#endif
