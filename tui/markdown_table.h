/*
 * markdown_table.h - a table's cells -> box-drawn rows that fit the width, or a list of "name:
 * value" where there is no room for columns.
 */
#ifndef AIRO_TUI_MARKDOWN_TABLE_H
#define AIRO_TUI_MARKDOWN_TABLE_H

#include "tui/flow.h"

#define MARKDOWN_TABLE_COLUMNS_MAX 64
#define MARKDOWN_TABLE_CELLS_MAX   16384

enum table_align { TABLE_LEFT, TABLE_CENTRE, TABLE_RIGHT };

/* Pending spans of the flow that one cell shows. */
struct table_cell {
    size_t first, end;
    enum table_align align;
};

/* Zero-initialise; markdown_table_free. */
struct markdown_table {
    size_t columns, rows; /* the first row is the head */
    struct table_cell *cells;
    size_t count, capacity;
};

void markdown_table_add(struct markdown_table *table, size_t first, size_t end,
                        enum table_align align);
/* Adds the rows and takes the cells' pending spans away. */
void markdown_table_layout(const struct markdown_table *table, struct flow *flow);
void markdown_table_free(struct markdown_table *table);

#endif
