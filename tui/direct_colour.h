/*
 * direct_colour.h - 24-bit colour through curses where the terminal has it but its description
 * does not say so, as with most.
 */
#ifndef AIRO_TUI_DIRECT_COLOUR_H
#define AIRO_TUI_DIRECT_COLOUR_H

/* The name under which the description made here must be opened. */
#define DIRECT_COLOUR_TERM "airo-direct"

/* A copy of the description of $TERM with direct colour added, in the form that curses reads from
 * the TERMINFO variable ("hex:..."). To be freed; NULL when there is no description to copy. */
char *direct_colour_description(void);

#endif
