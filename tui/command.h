/*
 * command.h - one entry per subcommand. main.c looks the name up, parses the options that the
 * command admits into settings, and calls run with what is left. One command_*.c each.
 */
#ifndef AIRO_TUI_COMMAND_H
#define AIRO_TUI_COMMAND_H

#include "tui/settings.h"

/* Exit statuses, as people expect of a filter. */
enum {
    EXIT_OK = 0,
    EXIT_ERROR = 1,
    EXIT_USAGE = 2,
    EXIT_NOT_IN_DOCUMENTS = 3,
    EXIT_SIGNAL = 128 /* and the signal's number, as shells say it */
};

struct command {
    const char *name;
    const char *synopsis; /* "ask -d FILE [-d FILE ...] [-k key=value] QUESTION" */
    const char *summary;  /* one line */
    /* argv[0] is the command's name; options of the table are already taken out, the command's
     * own (such as -d) still stand there. Returns the exit status. */
    int (*run)(struct settings *settings, int argc, char **argv);
};

extern const struct command command_chat, command_play, command_ask, command_run, command_info,
    command_tokenize, command_score, command_bench, command_eval, command_perplexity,
    command_quantize;

#endif
