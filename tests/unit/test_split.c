/* Tests of the tree of splits: places, borders, neighbours, and any series of operations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "tui/split.h"

#define PANES 12
#define ROWS  50
#define WIDE  170

/* A chat may be put anywhere, a side pane keeps its width. */
static const struct pane_ops chat = {.kind = "chat", .columns_min = 30, .rows_min = 6},
                             side = {.kind = "side",
                                     .columns_min = 20,
                                     .rows_min = 4,
                                     .columns_wanted = 32};

static const enum split_side opposites[] = {SPLIT_RIGHT, SPLIT_LEFT, SPLIT_BELOW, SPLIT_ABOVE};

static unsigned next(unsigned *seed, unsigned below)
{
    *seed = *seed * 1103515245u + 12345u;
    return (*seed >> 16) % below;
}

static const struct rect *place_of(const struct split_place *places, size_t count,
                                   const struct pane *pane)
{
    for (size_t i = 0; i < count; i++)
        if (places[i].pane == pane)
            return &places[i].area;
    return NULL;
}

static void assert_rect(const struct rect *area, int row, int column, int rows, int columns)
{
    assert_non_null(area);
    assert_int_equal(area->row, row);
    assert_int_equal(area->column, column);
    assert_int_equal(area->rows, rows);
    assert_int_equal(area->columns, columns);
}

/* --- one thing at a time --------------------------------------------------------------------- */

static void splits_share_and_leave_a_divider(void **state)
{
    (void)state;
    struct pane a = {&chat}, b = {&chat}, c = {&chat};
    struct rect area = {0, 0, 30, 101};
    struct split_place places[PANES];
    struct split *split = split_create(&a);
    split_add(split, &a, SPLIT_RIGHT, &b);
    split_add(split, &b, SPLIT_BELOW, &c);
    size_t count = split_layout(split, &area, &a, false, places);
    assert_int_equal(count, 3);
    assert_rect(place_of(places, count, &a), 0, 0, 30, 50);
    assert_rect(place_of(places, count, &b), 0, 51, 15, 50);
    assert_rect(place_of(places, count, &c), 15, 51, 15, 50);
    assert_ptr_equal(split_neighbour(split, &a, SPLIT_RIGHT), &b);
    assert_ptr_equal(split_neighbour(split, &c, SPLIT_LEFT), &a);
    assert_ptr_equal(split_neighbour(split, &c, SPLIT_ABOVE), &b);
    assert_null(split_neighbour(split, &a, SPLIT_LEFT));
    assert_null(split_neighbour(split, &b, SPLIT_ABOVE));
    count = split_layout(split, &area, &b, true, places);
    assert_int_equal(count, 1);
    assert_rect(place_of(places, count, &b), 0, 0, 30, 101);
    split_free(split);
}

static void a_side_pane_keeps_its_width(void **state)
{
    (void)state;
    struct pane a = {&chat}, list = {&side};
    struct split_place places[PANES];
    struct split *split = split_create(&a);
    split_add(split, &a, SPLIT_LEFT, &list);
    for (int columns = 100; columns < 200; columns += 20) {
        struct rect area = {0, 0, 30, columns};
        size_t count = split_layout(split, &area, &a, false, places);
        assert_rect(place_of(places, count, &list), 0, 0, 30, 32);
    }
    struct rect narrow = {0, 0, 30, 45};
    assert_int_equal(split_layout(split, &narrow, &a, false, places), 1);
    assert_ptr_equal(places[0].pane, &a);
    assert_int_equal(split_layout(split, &narrow, &list, false, places), 1);
    assert_ptr_equal(places[0].pane, &list);
    split_free(split);
}

static void a_side_pane_stands_beside_all_chats(void **state)
{
    (void)state;
    struct pane a = {&chat}, b = {&chat}, c = {&chat}, list = {&side}, help = {&side};
    struct rect area = {0, 0, 40, 32 + 1 + 50 + 1 + 50 + 1 + 32};
    struct split_place places[PANES];
    struct split *split = split_create(&a);
    split_add(split, &a, SPLIT_LEFT, &list);
    split_add(split, &a, SPLIT_RIGHT, &b);
    split_add(split, &b, SPLIT_BELOW, &c);
    split_add(split, &c, SPLIT_RIGHT, &help);
    size_t count = split_layout(split, &area, &a, false, places);
    assert_int_equal(count, 5);
    assert_rect(place_of(places, count, &list), 0, 0, 40, 32);
    assert_rect(place_of(places, count, &a), 0, 33, 40, 50);
    assert_rect(place_of(places, count, &b), 0, 84, 20, 50);
    assert_rect(place_of(places, count, &c), 20, 84, 20, 50);
    assert_rect(place_of(places, count, &help), 0, 135, 40, 32);
    split_free(split);
}

static void borders_move_by_as_much_as_was_said(void **state)
{
    (void)state;
    struct pane a = {&chat}, b = {&chat};
    struct split_place places[PANES];
    for (int columns = 90; columns < 300; columns += 7) {
        struct rect area = {0, 0, 30, columns};
        struct split *split = split_create(&a);
        split_add(split, &a, SPLIT_RIGHT, &b);
        split_layout(split, &area, &a, false, places);
        int before = places[0].area.columns;
        split_grow(split, &a, SPLIT_RIGHT, 3);
        split_layout(split, &area, &a, false, places);
        assert_int_equal(places[0].area.columns, before + 3);
        split_grow(split, &b, SPLIT_RIGHT, -4); /* at the edge: its other border */
        split_layout(split, &area, &a, false, places);
        assert_int_equal(places[0].area.columns, before - 1);
        split_even(split);
        split_layout(split, &area, &a, false, places);
        assert_int_equal(places[0].area.columns, before);
        split_free(split);
    }
}

static void panes_change_places_and_are_replaced(void **state)
{
    (void)state;
    struct pane a = {&chat}, b = {&chat}, c = {&chat};
    struct split *split = split_create(&a);
    split_add(split, &a, SPLIT_RIGHT, &b);
    split_swap(split, &a, &b);
    assert_ptr_equal(split_pane(split, 0), &b);
    assert_ptr_equal(split_pane(split, 1), &a);
    split_replace(split, &b, &c);
    assert_ptr_equal(split_pane(split, 0), &c);
    assert_null(split_pane(split, 2));
    assert_ptr_equal(split_remove(split, &c), &a);
    assert_null(split_remove(split, &a)); /* the last one stays */
    assert_int_equal(split_count(split), 1);
    split_free(split);
}

/* --- any series of operations ---------------------------------------------------------------- */

/* Every cell belongs to one place, or to the divider between two. */
static void assert_covered(const struct rect *area, const struct split_place *places, size_t count)
{
    static unsigned char cells[ROWS][WIDE];
    memset(cells, 0, sizeof cells);
    for (size_t i = 0; i < count; i++) {
        const struct rect *place = &places[i].area;
        assert_true(place->row >= 0 && place->column >= 0);
        assert_true(place->row + place->rows <= area->rows);
        assert_true(place->column + place->columns <= area->columns);
        for (int row = 0; row < place->rows; row++)
            for (int column = 0; column < place->columns; column++)
                assert_int_equal(cells[place->row + row][place->column + column]++, 0);
    }
    for (int row = 0; row < area->rows; row++)
        for (int column = 0; column < area->columns; column++)
            if (cells[row][column] == 0) {
                assert_true(column > 0 && column < area->columns - 1);
                assert_true(cells[row][column - 1] == 1 && cells[row][column + 1] == 1);
            }
}

static void assert_neighbours(const struct split *split, const struct split_place *places,
                              size_t count)
{
    for (size_t i = 0; i < count; i++)
        for (int at = SPLIT_LEFT; at <= SPLIT_BELOW; at++) {
            struct pane *other = split_neighbour(split, places[i].pane, (enum split_side)at);
            if (other == NULL)
                continue;
            assert_ptr_not_equal(other, places[i].pane);
            assert_non_null(place_of(places, count, other)); /* one that is shown */
            assert_non_null(split_neighbour(split, other, opposites[at]));
        }
}

static void assert_layout(struct split *split, const struct rect *area, struct pane *focus)
{
    struct split_place places[PANES];
    size_t count = split_layout(split, area, focus, false, places);
    assert_true(count >= 1 && count <= split_count(split));
    assert_non_null(place_of(places, count, focus));
    assert_covered(area, places, count);
    for (size_t i = 0; count > 1 && i < count; i++) {
        assert_true(places[i].area.columns >= places[i].pane->ops->columns_min);
        assert_true(places[i].area.rows >= places[i].pane->ops->rows_min);
    }
    assert_neighbours(split, places, count);
}

struct run {
    struct split *split;
    struct pane panes[PANES];
    bool used[PANES];
    unsigned seed;
};

static struct pane *any(struct run *run)
{
    return split_pane(run->split, next(&run->seed, (unsigned)split_count(run->split)));
}

static void add_or_remove(struct run *run)
{
    unsigned at = next(&run->seed, PANES);
    struct pane *pane = &run->panes[at];
    size_t count = split_count(run->split);
    if (!run->used[at]) {
        split_add(run->split, any(run), (enum split_side)next(&run->seed, 4), pane);
        assert_int_equal(split_count(run->split), count + 1);
        run->used[at] = true;
    } else if (count > 1) {
        assert_non_null(split_remove(run->split, pane));
        assert_int_equal(split_count(run->split), count - 1);
        run->used[at] = false;
    }
}

static void step(struct run *run)
{
    switch (next(&run->seed, 6)) {
    case 0:
    case 1:
        add_or_remove(run);
        break;
    case 2:
        split_swap(run->split, any(run), any(run));
        break;
    case 3:
        split_even(run->split);
        break;
    default:
        split_grow(run->split, any(run), (enum split_side)next(&run->seed, 4),
                   (int)next(&run->seed, 40) - 10);
        break;
    }
}

static void any_series_of_operations_keeps_the_rules(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= 60; seed++) {
        struct run run = {.seed = seed};
        for (int i = 0; i < PANES; i++)
            run.panes[i].ops = i % 3 == 2 ? &side : &chat;
        run.split = split_create(&run.panes[0]);
        run.used[0] = true;
        for (int i = 0; i < 60; i++) {
            struct rect area = {0, 0, 1 + (int)next(&run.seed, ROWS),
                                1 + (int)next(&run.seed, WIDE)};
            step(&run);
            assert_layout(run.split, &area, any(&run));
            area = (struct rect){0, 0, ROWS, WIDE};
            assert_layout(run.split, &area, any(&run));
        }
        split_free(run.split);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(splits_share_and_leave_a_divider),
        cmocka_unit_test(a_side_pane_keeps_its_width),
        cmocka_unit_test(a_side_pane_stands_beside_all_chats),
        cmocka_unit_test(borders_move_by_as_much_as_was_said),
        cmocka_unit_test(panes_change_places_and_are_replaced),
        cmocka_unit_test(any_series_of_operations_keeps_the_rules),
    };
    return cmocka_run_group_tests_name("split", tests, NULL, NULL);
}
