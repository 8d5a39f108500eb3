/*
 * starters.h - what the start page offers: three things that work at once.
 */
#ifndef AIRO_TUI_STARTERS_H
#define AIRO_TUI_STARTERS_H

struct starter {
    const char *title, *line; /* the line is shown, and typed where there is no scene */
    const char *document;     /* a file of prompts/samples to attach, or NULL */
    const char *scene;        /* one to set, whose opening is typed, or NULL */
};

#define STARTERS 3
extern const struct starter starters_table[STARTERS];

/* The path of a file of prompts/samples, to be freed; NULL when `name` is or it is not found. */
char *starter_path(const char *name);
#endif
