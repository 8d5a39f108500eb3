/*
 * eval_options.h - what `airo eval` and `airo perplexity` are asked for. Strings are borrowed from
 * argv.
 */
#ifndef AIRO_TUI_EVAL_OPTIONS_H
#define AIRO_TUI_EVAL_OPTIONS_H

#include "tui/settings.h"

#define EVAL_LENGTHS_MAX 32
#define EVAL_DEPTHS_MAX  32

struct eval_options {
    struct settings *settings;
    const char *command; /* for messages */
    const char *model;   /* NULL: the settings' */
    uint64_t seed;       /* of the cases; --seed, or 1 */
    uint32_t lengths[EVAL_LENGTHS_MAX];
    size_t length_count; /* 0: none were given */
    uint32_t depths[EVAL_DEPTHS_MAX];
    size_t depth_count; /* 0: none were given */
    uint32_t cases;     /* 0: not given */
    uint32_t tokens;    /* of the text, at most; 0: all */
    const char *rules, *svg;
    bool json, print_cases;
    int operand; /* argv[operand] is the first operand */
};

/* Returns EXIT_OK, or the status to leave with after a message. */
int eval_options_read(struct eval_options *options, struct settings *settings, int argc,
                      char **argv);

#endif
