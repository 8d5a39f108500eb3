/*
 * arguments.h - the command line -> the command's name, settings to apply, and what is left.
 *
 * Options stand before or after the command's name and its operands; -- ends them. What is left for
 * the command has one form: argv[0] its name, its own options spelled --name [VALUE] in the order
 * given, then the operands, after a -- where one of them begins with a dash.
 */
#ifndef AIRO_TUI_ARGUMENTS_H
#define AIRO_TUI_ARGUMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"
#include "tui/options.h"

struct argument {
    const struct option *option;
    const char *value;
};

struct arguments {
    char *command; /* NULL: none was named */
    bool help, version, print_config, print_man;
    const char *print_completion, *list; /* NULL: not asked for */
    struct argument *settings, *own;     /* in the order given; values are borrowed from argv */
    size_t setting_count, own_count;
    char **argv; /* NULL-terminated, strings owned */
    int argc;
};

/* `is_command` tells whether a word names a command; the first operand must, and when it does not,
 * `unknown` is set to it beside the error. */
int arguments_parse(struct arguments *arguments, int argc, char **argv,
                    bool (*is_command)(const char *name), const char **unknown,
                    struct error *error);
void arguments_free(struct arguments *arguments);

/* Puts the flags over what the ini file said. */
int arguments_apply(const struct arguments *arguments, struct settings *settings,
                    struct error *error);

/* Reads a command's argv: the next of its own options, or NULL when argv[*at] is the first operand
 * (a -- has been passed). Begin with *at = 1. */
const struct option *arguments_next(int argc, char **argv, int *at, const char **value);

#endif
