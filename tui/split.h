/*
 * split.h - a tree of splits with panes as leaves: who stands where. Geometry only; the panes are
 * borrowed and never called but for the sizes in their ops.
 *
 * Side panes (columns_wanted in their ops) keep their width when the terminal grows. A layout first
 * tries every pane; where one would be smaller than its ops allow, side panes without the focus
 * are left out from the last opened on, and in the end only the pane with the focus is shown. A
 * pane whose screen_columns_min the area does not have is never beside another.
 */
#ifndef AIRO_TUI_SPLIT_H
#define AIRO_TUI_SPLIT_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/pane.h"

enum split_side { SPLIT_LEFT, SPLIT_RIGHT, SPLIT_ABOVE, SPLIT_BELOW };

struct split;

struct split_place {
    struct pane *pane;
    struct rect area; /* header row included, divider column not */
};

struct split *split_create(struct pane *first);
void split_free(struct split *split); /* not the panes */

/* Puts `pane` beside `at`, which must be in the tree; a side pane to the left or right of all that
 * are none, so that these share evenly. */
void split_add(struct split *split, struct pane *at, enum split_side side, struct pane *pane);
/* Takes a pane out; the last one stays. Returns the pane that stood beside it, or NULL. */
struct pane *split_remove(struct split *split, struct pane *pane);
void split_swap(struct split *split, struct pane *a, struct pane *b);
/* Puts another pane in a leaf. */
void split_replace(struct split *split, struct pane *old, struct pane *pane);
/* Moves the border on that side of the pane (or, without one, the opposite border) by so many
 * cells, so that the pane grows towards `side`. */
void split_grow(struct split *split, struct pane *pane, enum split_side side, int cells);
/* Every split in equal shares again. */
void split_even(struct split *split);

/* Panes in the order of the tree. */
size_t split_count(const struct split *split);
struct pane *split_pane(const struct split *split, size_t index);

/* The places in `area`; `places` has room for split_count. Returns how many are shown; `focus`
 * always is. `zoom`: only the focus. */
size_t split_layout(struct split *split, const struct rect *area, struct pane *focus, bool zoom,
                    struct split_place *places);
/* The pane that lies on that side, by the last layout; NULL at the edge. */
struct pane *split_neighbour(const struct split *split, const struct pane *pane,
                             enum split_side side);

#endif
