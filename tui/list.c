#include "tui/list.h"

#include <string.h>

void list_set_count(struct list *list, size_t count)
{
    list->count = count;
    if (list->selected >= count)
        list->selected = count > 0 ? count - 1 : 0;
}

void list_select(struct list *list, size_t index)
{
    list->selected = index;
    list_set_count(list, list->count);
}

void list_move(struct list *list, int by)
{
    size_t step = (size_t)(by < 0 ? -by : by);
    if (by < 0)
        list_select(list, list->selected > step ? list->selected - step : 0);
    else
        list_select(list, list->selected + step);
}

bool list_key(struct list *list, const char *name, bool letters)
{
    static const struct {
        const char *name;
        int rows, pages, ends;
        bool letter;
    } keys[] = {
        {"Up", -1, 0, 0, false},      {"Down", 1, 0, 0, false},      {"PageUp", 0, -1, 0, false},
        {"PageDown", 0, 1, 0, false}, {"Home", 0, 0, -1, false},     {"End", 0, 0, 1, false},
        {"WheelUp", -3, 0, 0, false}, {"WheelDown", 3, 0, 0, false}, {"Ctrl-P", -1, 0, 0, false},
        {"Ctrl-N", 1, 0, 0, false},   {"k", -1, 0, 0, true},         {"j", 1, 0, 0, true},
        {"g", 0, 0, -1, true},        {"G", 0, 0, 1, true}};
    for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        if ((keys[i].letter && !letters) || strcmp(keys[i].name, name) != 0)
            continue;
        if (keys[i].ends != 0)
            list_select(list, keys[i].ends < 0 ? 0 : list->count);
        else
            list_move(list, keys[i].rows + keys[i].pages * (list->rows > 1 ? list->rows - 1 : 1));
        return true;
    }
    return false;
}

bool list_at(const struct list *list, int row, size_t *index)
{
    if (row < 0 || row >= list->rows || list->top + (size_t)row >= list->count)
        return false;
    *index = list->top + (size_t)row;
    return true;
}

void list_draw(struct list *list, struct terminal *terminal, const struct rect *area,
               list_draw_row draw, void *user)
{
    list->rows = area->rows;
    if (area->rows < 1)
        return;
    size_t rows = (size_t)area->rows;
    if (list->selected < list->top)
        list->top = list->selected;
    if (list->selected >= list->top + rows)
        list->top = list->selected - rows + 1;
    if (list->top + rows > list->count)
        list->top = list->count > rows ? list->count - rows : 0;
    for (size_t i = 0; i < rows && list->top + i < list->count; i++) {
        struct rect row = {area->row + (int)i, area->column, 1, area->columns};
        draw(user, list->top + i, list->top + i == list->selected, terminal, &row);
    }
}
