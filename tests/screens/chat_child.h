/*
 * chat_child.h - the chat on the fake generator, as a child behind a pty_screen.
 */
#ifndef AIRO_TESTS_CHAT_CHILD_H
#define AIRO_TESTS_CHAT_CHILD_H

#include <stdbool.h>

#include "tests/screens/pty_screen.h"

struct chat_child {
    const char *script; /* replies, parted by "\n---\n" */
    unsigned piece_ms;
    unsigned context;       /* 0: 4096 */
    bool spelled;           /* with a vocabulary: see spelled_generator.h */
    const char *theme;      /* NULL: vaquita-dark */
    const char *colour;     /* NULL: auto */
    const char *chats_path; /* path of a store; NULL: no chats are kept */
    const char *config;     /* path of an airo.ini, for its keys; NULL: none */
    const char *converter;  /* command for files named *.slow; NULL: none */
    bool last;              /* begins with the chat that was last updated */
    const char *scene;      /* to play at once; NULL: none */
    const char *history;    /* a path, or NULL */
    const char *directory;  /* to run in, with links to themes/ and prompts/; NULL: where it is */
    /* In place of the fake, made in the child; NULL: the fake. */
    struct generator *(*generator)(void);
    unsigned load_steps;    /* more than 0: through the loader, in so many steps */
    const char *load_error; /* the load ends with it */
    bool load_forever;      /* until it is cancelled */
};

/* Starts it and waits until the composer is there, or the loading bar, or an error. */
struct pty_screen *chat_child_start(int rows, int columns, const struct pty_variable *variables,
                                    struct chat_child *child);

/* Waits until the screen is tests/screens/golden/NAME.txt; AIRO_REFRESH=1 writes the file. Prints
 * both when they stay different. */
bool screen_matches(struct pty_screen *screen, const char *name);

#endif
