/*
 * output_checker.h - a terminal that knows little: looks at every byte that a program sends, and
 * tells the first that is neither a harmless character nor one of the sequences that the interface
 * uses. Remembers which modes are on.
 */
#ifndef AIRO_TESTS_OUTPUT_CHECKER_H
#define AIRO_TESTS_OUTPUT_CHECKER_H

#include <stdbool.h>
#include <stddef.h>

enum output_mode {
    OUTPUT_ALTERNATE = 1, /* the other screen */
    OUTPUT_PASTE = 2,
    OUTPUT_MOUSE = 4,
    OUTPUT_FRAME = 8,  /* a frame is open */
    OUTPUT_CURSOR = 16 /* shown; was switched on or off at all */
};

/* Zero-initialise. */
struct output_checker {
    char sequence[256];
    size_t length;        /* of the sequence that is open */
    bool string;          /* it is an OSC */
    size_t string_length; /* of which only the beginning is kept */
    unsigned long sequences, strings;
    unsigned modes;  /* bits of enum output_mode that are on */
    char wrong[256]; /* the first thing that may not be there */
};

/* Returns how many bytes were taken: an unfinished character stays for the next call, and nothing
 * is taken after the first wrong byte. */
size_t output_check(struct output_checker *checker, const char *bytes, size_t length);

#endif
