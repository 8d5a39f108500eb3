/* Tests of the list that panes share: moving, scrolling, and what stands in which row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "tui/list.h"

struct drawn {
    size_t first, last, selected, count;
};

static void note_row(void *user, size_t index, bool selected, struct terminal *terminal,
                     const struct rect *row)
{
    struct drawn *drawn = user;
    assert_null(terminal);
    assert_int_equal(row->rows, 1);
    if (drawn->count++ == 0)
        drawn->first = index;
    drawn->last = index;
    if (selected)
        drawn->selected = index;
}

static struct drawn draw(struct list *list, int rows)
{
    struct drawn drawn = {.selected = (size_t)-1};
    list_draw(list, NULL, &(struct rect){3, 4, rows, 20}, note_row, &drawn);
    return drawn;
}

static void the_selection_is_always_in_view(void **state)
{
    (void)state;
    struct list list = {0};
    list_set_count(&list, 100);
    struct drawn drawn = draw(&list, 10);
    assert_int_equal(drawn.first, 0);
    assert_int_equal(drawn.last, 9);
    for (int i = 0; i < 200; i++) {
        assert_true(list_key(&list, i < 120 ? "Down" : "Up", false));
        drawn = draw(&list, i % 7 + 1);
        assert_int_equal(drawn.selected, list.selected);
        assert_int_equal(drawn.count, i % 7 + 1);
    }
    assert_int_equal(list.selected, 19);
}

static void keys_move_and_stop_at_the_ends(void **state)
{
    (void)state;
    struct list list = {0};
    list_set_count(&list, 30);
    draw(&list, 10);
    assert_true(list_key(&list, "Up", false));
    assert_int_equal(list.selected, 0);
    assert_true(list_key(&list, "PageDown", false)); /* one row stays in view */
    assert_int_equal(list.selected, 9);
    assert_true(list_key(&list, "End", false));
    assert_int_equal(list.selected, 29);
    assert_true(list_key(&list, "Down", false));
    assert_int_equal(list.selected, 29);
    assert_true(list_key(&list, "WheelUp", false));
    assert_int_equal(list.selected, 26);
    assert_true(list_key(&list, "Home", false));
    assert_int_equal(list.selected, 0);
    assert_false(list_key(&list, "j", false));
    assert_true(list_key(&list, "j", true));
    assert_true(list_key(&list, "G", true));
    assert_int_equal(list.selected, 29);
    assert_false(list_key(&list, "F5", true));
}

static void a_list_that_shrinks_keeps_a_selection(void **state)
{
    (void)state;
    struct list list = {0};
    list_set_count(&list, 50);
    list_select(&list, 49);
    draw(&list, 10);
    list_set_count(&list, 4);
    struct drawn drawn = draw(&list, 10);
    assert_int_equal(drawn.selected, 3);
    assert_int_equal(drawn.first, 0); /* no empty rows above */
    list_set_count(&list, 0);
    assert_int_equal(list.selected, 0);
    drawn = draw(&list, 10);
    assert_int_equal(drawn.count, 0);
    assert_true(list_key(&list, "Down", false));
    assert_int_equal(list.selected, 0);
}

static void a_row_says_which_entry_it_is(void **state)
{
    (void)state;
    struct list list = {0};
    size_t index = 77;
    list_set_count(&list, 15);
    list_select(&list, 14);
    draw(&list, 10);
    assert_true(list_at(&list, 0, &index));
    assert_int_equal(index, 5);
    assert_true(list_at(&list, 9, &index));
    assert_int_equal(index, 14);
    assert_false(list_at(&list, 10, &index));
    assert_false(list_at(&list, -1, &index));
    list_set_count(&list, 2);
    draw(&list, 10);
    assert_false(list_at(&list, 2, &index));
    draw(&list, 0);
    assert_false(list_at(&list, 0, &index));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_selection_is_always_in_view),
        cmocka_unit_test(keys_move_and_stop_at_the_ends),
        cmocka_unit_test(a_list_that_shrinks_keeps_a_selection),
        cmocka_unit_test(a_row_says_which_entry_it_is),
    };
    return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
