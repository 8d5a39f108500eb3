#include "tui/markdown_table.h"

#include <stdlib.h>

#include "engine/base/alloc.h"

#define LEAST_CELL_COLUMNS 4

/* One row of cells, broken: what each cell has to show and how far it has come. */
struct cell_rows {
    struct flow_slice *slices;
    size_t count, at;
};

void markdown_table_add(struct markdown_table *table, size_t first, size_t end,
                        enum table_align align)
{
    if (table->count == table->capacity) {
        table->capacity = table->capacity > 0 ? table->capacity * 2 : 32;
        table->cells = xreallocarray(table->cells, table->capacity, sizeof *table->cells);
    }
    table->cells[table->count++] = (struct table_cell){first, end, align};
}

void markdown_table_free(struct markdown_table *table)
{
    free(table->cells);
    *table = (struct markdown_table){0};
}

/* --- widths ---------------------------------------------------------------------------------- */

static void natural_widths(const struct markdown_table *table, const struct flow *flow, int *widths)
{
    for (size_t i = 0; i < table->columns; i++)
        widths[i] = 1;
    for (size_t i = 0; i < table->count; i++) {
        int columns = flow_columns(flow, table->cells[i].first, table->cells[i].end);
        int *width = &widths[i % table->columns];
        *width = columns > *width ? columns : *width;
    }
}

/* The widest columns give way until everything fits: a common limit, found by halving. */
static bool fit_widths(size_t columns, int *widths, int room)
{
    int low = LEAST_CELL_COLUMNS, high = room, total = 0;
    for (size_t i = 0; i < columns; i++)
        total += widths[i];
    if (total <= room)
        return true;
    while (low < high) {
        int middle = (low + high + 1) / 2;
        total = 0;
        for (size_t i = 0; i < columns; i++)
            total += widths[i] < middle ? widths[i] : middle;
        if (total <= room)
            low = middle;
        else
            high = middle - 1;
    }
    total = 0;
    for (size_t i = 0; i < columns; i++) {
        widths[i] = widths[i] < low ? widths[i] : low;
        total += widths[i];
    }
    return total <= room;
}

/* --- the box --------------------------------------------------------------------------------- */

static void draw_border(struct flow *flow, const int *widths, size_t columns, int which)
{
    static const char *const corners[3][3] = {{"┌", "┬", "┐"}, {"├", "┼", "┤"}, {"└", "┴", "┘"}};
    flow_line_begin(flow, FLOW_TABLE);
    for (size_t i = 0; i < columns; i++) {
        flow_line_literal(flow, corners[which][i > 0], STYLE_BORDER);
        flow_line_repeat(flow, "─", widths[i] + 2, STYLE_BORDER);
    }
    flow_line_literal(flow, corners[which][2], STYLE_BORDER);
}

static void draw_cell(struct flow *flow, const struct table_cell *cell,
                      const struct flow_slice *slice, int width)
{
    int spare = slice != NULL ? width - slice->columns : width;
    spare = spare > 0 ? spare : 0;
    int left = cell->align == TABLE_RIGHT ? spare : cell->align == TABLE_CENTRE ? spare / 2 : 0;
    flow_line_repeat(flow, " ", left, STYLE_REPLY);
    size_t at = cell->first;
    if (slice != NULL) {
        while (at < cell->end && flow->pending[at].end <= slice->start)
            at++;
        flow_line_slice(flow, &at, cell->end, slice);
    }
    flow_line_repeat(flow, " ", spare - left, STYLE_REPLY);
}

static void break_cells(struct flow *flow, const struct table_cell *cells, const int *widths,
                        size_t columns, struct cell_rows *broken)
{
    for (size_t i = 0; i < columns; i++) {
        flow_slice(flow, cells[i].first, cells[i].end, widths[i], false);
        broken[i] = (struct cell_rows){.count = flow->slice_count};
        broken[i].slices = xreallocarray(NULL, flow->slice_count + 1, sizeof *flow->slices);
        for (size_t j = 0; j < flow->slice_count; j++)
            broken[i].slices[j] = flow->slices[j];
    }
}

/* Every row of the screen stands for the whole row of the table. */
static void draw_row(struct flow *flow, const struct table_cell *cells, const int *widths,
                     size_t columns)
{
    struct cell_rows broken[MARKDOWN_TABLE_COLUMNS_MAX];
    size_t rows = 1, raw, raw_end;
    break_cells(flow, cells, widths, columns, broken);
    for (size_t i = 0; i < columns; i++)
        rows = broken[i].count > rows ? broken[i].count : rows;
    bool mapped = flow_pending_raw(flow, cells[0].first, cells[columns - 1].end, &raw, &raw_end);
    for (size_t row = 0; row < rows; row++) {
        flow_line_begin(flow, FLOW_TABLE);
        for (size_t i = 0; i < columns; i++) {
            flow_line_literal(flow, i == 0 ? "│ " : " │ ", STYLE_BORDER);
            draw_cell(flow, &cells[i], row < broken[i].count ? &broken[i].slices[row] : NULL,
                      widths[i]);
        }
        flow_line_literal(flow, " │", STYLE_BORDER);
        if (mapped)
            flow_line_raw(flow, raw, raw_end);
    }
    for (size_t i = 0; i < columns; i++)
        free(broken[i].slices);
}

/* True when some cell of the body takes more than one row: then lines part the rows. */
static bool is_tall(const struct markdown_table *table, const struct flow *flow, const int *widths)
{
    for (size_t i = table->columns; i < table->count; i++)
        if (flow_columns(flow, table->cells[i].first, table->cells[i].end) >
            widths[i % table->columns])
            return true;
    return false;
}

static void draw_box(const struct markdown_table *table, struct flow *flow, const int *widths)
{
    bool tall = is_tall(table, flow, widths);
    draw_border(flow, widths, table->columns, 0);
    for (size_t row = 0; row < table->rows; row++) {
        if (row == 1 || (row > 1 && tall))
            draw_border(flow, widths, table->columns, 1);
        draw_row(flow, &table->cells[row * table->columns], widths, table->columns);
    }
    draw_border(flow, widths, table->columns, 2);
}

/* --- without columns ------------------------------------------------------------------------- */

static void draw_field(const struct markdown_table *table, struct flow *flow, size_t column,
                       const struct table_cell *cell)
{
    const struct table_cell *name = &table->cells[column];
    size_t raw, raw_end;
    bool mapped = flow_pending_raw(flow, cell->first, cell->end, &raw, &raw_end);
    int room = flow_room(flow);
    int columns = flow_columns(flow, name->first, name->end);
    bool beside = columns > 0 && columns + 2 <= room / 2;
    if (beside || columns > 0) {
        flow_slice(flow, name->first, name->end, beside ? columns : room, false);
        struct flow_slice title = flow->slices[0];
        size_t at = name->first;
        struct flow_line *line = flow_line_begin(flow, FLOW_TABLE);
        size_t shown = line->first + line->count, kept = flow->last_raw;
        flow_line_slice(flow, &at, name->end, &title);
        for (size_t i = shown; i < flow->span_count; i++) /* a repetition stands for nothing */
            flow->spans[i].raw_end = flow->spans[i].raw;
        line = &flow->lines[flow->line_count - 1];
        line->raw = line->raw_end = FLOW_NO_RAW;
        flow->last_raw = kept;
        if (beside)
            flow_line_literal(flow, ": ", STYLE_DIM);
    }
    int indent = beside ? columns + 2 : room > 6 ? 2 : 0;
    flow_slice(flow, cell->first, cell->end, room - indent, false);
    size_t at = cell->first;
    for (size_t i = 0; i < flow->slice_count; i++) {
        if (i > 0 || !beside) {
            flow_line_begin(flow, FLOW_TABLE);
            flow_line_repeat(flow, " ", indent, STYLE_REPLY);
        }
        flow_line_slice(flow, &at, cell->end, &flow->slices[i]);
    }
    if (mapped)
        flow_line_raw(flow, raw, raw_end);
}

static void draw_fields(const struct markdown_table *table, struct flow *flow)
{
    int room = flow_room(flow);
    for (size_t row = table->rows > 1 ? 1 : 0; row < table->rows; row++) {
        if (row > 1) {
            flow_line_begin(flow, FLOW_RULE);
            flow_line_repeat(flow, "─", room < 8 ? room : 8, STYLE_BORDER);
        }
        for (size_t i = 0; i < table->columns; i++)
            draw_field(table, flow, i, &table->cells[row * table->columns + i]);
    }
}

void markdown_table_layout(const struct markdown_table *table, struct flow *flow)
{
    int widths[MARKDOWN_TABLE_COLUMNS_MAX];
    int room = flow_room(flow) - 3 * (int)table->columns - 1;
    natural_widths(table, flow, widths);
    if (room >= (int)table->columns && fit_widths(table->columns, widths, room))
        draw_box(table, flow, widths);
    else
        draw_fields(table, flow);
    flow_clear_pending(flow);
}
