/*
 * starters.h - what the start page offers: three things that work at once.
 */
#ifndef AIRO_TUI_STARTERS_H
#define AIRO_TUI_STARTERS_H

struct starter {
    const char *key, *title, *text;
    const char *document; /* a file of prompts/samples, or NULL */
};

#define STARTERS 3
extern const struct starter starters_table[STARTERS];

/* The path of the starter's document, to be freed; NULL when it has none or it is not found. */
char *starter_document(unsigned index);

#endif
