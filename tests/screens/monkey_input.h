/*
 * monkey_input.h - what a monkey does at a keyboard: seeded steps of bytes and sizes. The same seed
 * gives the same steps.
 */
#ifndef AIRO_TESTS_MONKEY_INPUT_H
#define AIRO_TESTS_MONKEY_INPUT_H

#include "engine/base/strbuf.h"

/* A marker begins each message that is sent on purpose: "mk", digits, "x". */
#define MONKEY_MARKER "mk%05ux"

struct monkey {
    unsigned seed;
    const char *const *paths; /* that commands are given, ended by NULL */
    unsigned markers;         /* given so far */
};

struct monkey_step {
    const char *kind;    /* "key", "paste": for the log */
    struct strbuf bytes; /* to be typed; none: a resize */
    int rows, columns;
};

/* The bytes of *step are replaced. */
void monkey_step(struct monkey *monkey, struct monkey_step *step);
unsigned monkey_random(struct monkey *monkey, unsigned below);

#endif
