/*
 * manual.h - the man page, airo(1), made from the tables of commands, options and actions.
 */
#ifndef AIRO_TUI_MANUAL_H
#define AIRO_TUI_MANUAL_H

#include <stddef.h>

#include "engine/base/strbuf.h"
#include "tui/command.h"

/* Something to do in the chat: what is typed or pressed, and what it does. */
struct manual_row {
    char trigger[64];
    const char *help;
};

/* Appends the page in man(7) macros. */
void manual_write(const struct command *const *commands, size_t command_count,
                  const struct manual_row *rows, size_t row_count, struct strbuf *out);

#endif
