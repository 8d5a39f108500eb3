/*
 * list.h - rows of which one is selected: the moving, scrolling and drawing that all lists share.
 *
 * The list knows indices only; its user draws a row and says how many there are.
 */
#ifndef AIRO_TUI_LIST_H
#define AIRO_TUI_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "tui/input.h"
#include "tui/terminal.h"

/* Zero-initialise. */
struct list {
    size_t count, selected, top;
    int rows; /* in view, as last drawn */
};

/* Draws entry `index` into a rectangle of one row. */
typedef void (*list_draw_row)(void *user, size_t index, bool selected, struct terminal *terminal,
                              const struct rect *row);

void list_set_count(struct list *list, size_t count);
void list_move(struct list *list, int by);
void list_select(struct list *list, size_t index);
/* The keys that every list has: arrows, pages, Home, End, and with `letters` j k g G. True when it
 * was one. */
bool list_key(struct list *list, const char *name, bool letters);
/* The entry in row `row` of the area last drawn; false when there is none. */
bool list_at(const struct list *list, int row, size_t *index);
void list_draw(struct list *list, struct terminal *terminal, const struct rect *area,
               list_draw_row draw, void *user);

#endif
