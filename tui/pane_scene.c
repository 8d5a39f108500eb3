#include "tui/pane_scene.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "tui/workspace.h"

static const struct pane_ops scene_ops;

struct pane_scene *pane_scene_of(struct pane *pane)
{
    return pane != NULL && pane->ops == &scene_ops ? (struct pane_scene *)(uintptr_t)pane : NULL;
}

static const struct pane_scene *self(const struct pane *pane)
{
    return (const struct pane_scene *)(uintptr_t)pane;
}

struct pane_chat *pane_scene_chat(const struct pane_scene *pane)
{
    return workspace_chat(app_workspace(pane->app));
}

static struct scene_row drawn_row(const struct pane_scene *pane)
{
    if (pane->list.selected >= pane->rows.count)
        return (struct scene_row){.spot = SPOT_NONE};
    return pane->rows.items[pane->list.selected];
}

/* --- rows ------------------------------------------------------------------------------------ */

static bool is_current(const struct pane_scene *pane, const struct chat *chat, int columns)
{
    return pane->chat == chat && pane->scene_version == chat->scene_version &&
           pane->columns == columns && pane->speaker == chat->speaker &&
           pane->tip == chat->conversation->tip && pane->replying == chat_is_replying(chat);
}

/* The nearest row that can be selected, from `at` on in the direction, else the other way. */
static size_t selectable(const struct scene_rows *rows, size_t at, int direction)
{
    for (int pass = 0; pass < 2; pass++, direction = -direction)
        for (size_t i = at; i < rows->count; i += (size_t)direction)
            if (scene_row_selectable(&rows->items[i]))
                return i;
    return at;
}

void pane_scene_goto(struct pane_scene *pane, enum scene_spot spot, size_t index)
{
    for (size_t i = 0; i < pane->rows.count; i++) {
        const struct scene_row *row = &pane->rows.items[i];
        if (scene_row_selectable(row) && row->spot == spot && row->index == index)
            list_select(&pane->list, i);
    }
}

/* Which row would have the cursor after the scene came or went: the first thing to do there. */
static void land(struct pane_scene *pane, const struct scene_row *before)
{
    size_t old = pane->list.selected;
    list_set_count(&pane->list, pane->rows.count);
    list_select(&pane->list, old);
    struct scene_row row = pane_scene_row(pane);
    if (row.spot != before->spot || row.index != before->index)
        pane_scene_goto(pane, before->spot, before->index);
    list_select(&pane->list, selectable(&pane->rows, pane->list.selected, 1));
}

void pane_scene_refresh(struct pane_scene *pane, int columns)
{
    const struct chat *chat = pane_scene_chat(pane)->chat;
    if (is_current(pane, chat, columns))
        return;
    bool other = pane->chat != chat;
    struct scene_row before = drawn_row(pane);
    if (chat->scene == NULL)
        pane->lore = false;
    if (chat->scene == NULL && !pane->shelf_read) {
        scene_shelf_free(&pane->shelf);
        scene_shelf_read(&pane->shelf);
    }
    pane->shelf_read = chat->scene == NULL;
    if (pane->lore)
        scene_rows_of_lore(&pane->rows, chat, columns);
    else if (chat->scene != NULL)
        scene_rows_of_scene(&pane->rows, chat, columns);
    else
        scene_rows_of_shelf(&pane->rows, &pane->shelf, columns);
    pane->chat = chat;
    pane->scene_version = chat->scene_version;
    pane->columns = columns;
    pane->speaker = chat->speaker;
    pane->tip = chat->conversation->tip;
    pane->replying = chat_is_replying(chat);
    land(pane, &before);
    if (other || before.spot == SPOT_NONE || before.spot == SPOT_SHELF)
        pane_scene_goto(pane, SPOT_CHARACTER, 0);
}

/* Several keys may come between two frames, and the first may have changed the scene. */
struct scene_row pane_scene_row(struct pane_scene *pane)
{
    pane_scene_refresh(pane, pane->columns);
    return drawn_row(pane);
}

/* --- drawing --------------------------------------------------------------------------------- */

/* The item of the selection as a whole. */
static size_t item_end(const struct pane_scene *pane, size_t first)
{
    size_t end = first + 1;
    while (end < pane->rows.count && !pane->rows.items[end].first &&
           pane->rows.items[end].spot == pane->rows.items[first].spot)
        end++;
    return end;
}

static void show_item(struct pane_scene *pane, int rows)
{
    struct list *list = &pane->list;
    if (list->count == 0 || rows < 1)
        return;
    size_t end = item_end(pane, list->selected), room = (size_t)rows;
    bool top = true;
    for (size_t i = 0; i < list->selected; i++)
        top = top && !scene_row_selectable(&pane->rows.items[i]);
    if (top)
        list->top = 0; /* headings above the first item can be seen again */
    if (end > list->top + room)
        list->top = end - room < list->selected ? end - room : list->selected;
}

struct drawing {
    const struct pane_scene *pane;
    bool focused;
};

static void draw_row(void *user, size_t index, bool selected, struct terminal *terminal,
                     const struct rect *area)
{
    const struct drawing *drawing = user;
    const struct pane_scene *pane = drawing->pane;
    const struct scene_row *row = &pane->rows.items[index];
    size_t at = pane->list.selected;
    bool in_item = selected || (index > at && index < item_end(pane, at));
    bool lit = in_item && drawing->focused && at < pane->rows.count &&
               scene_row_selectable(&pane->rows.items[at]);
    if (lit)
        terminal_repeat(terminal, area, 0, 0, STYLE_LIST_SELECTED, " ", area->columns);
    if (lit && selected)
        terminal_puts(terminal, area, 0, 0, STYLE_LIST_SELECTED, "▸");
    struct rect text = *area;
    int mark = row->mark != NULL ? text_columns(row->mark, strlen(row->mark)) + 2 : 0;
    text.columns -= mark;
    terminal_puts(terminal, &text, 0, 1 + row->indent, lit ? STYLE_LIST_SELECTED : row->style,
                  row->text);
    if (mark > 0)
        terminal_puts(terminal, area, 0, area->columns - mark + 1,
                      lit ? STYLE_LIST_SELECTED : STYLE_ACCENT, row->mark);
}

/* A key and what it does, for the foot. */
struct hint {
    const char *key, *word;
};

static const struct hint *hints_for(const struct pane_scene *pane)
{
    static const struct hint shelf[] = {{"Enter", "plays"}, {"i", "card"}, {NULL, NULL}};
    static const struct hint lore[] = {{"l", "scene"}, {"Esc", "back"}, {NULL, NULL}};
    static const struct hint character[] = {
        {"Enter", "speaks"}, {"Space", "next"}, {"*", "anyone"}, {"w", "my line"}, {"a", "add"},
        {"e", "edit"},       {"d", "remove"},   {"x", "export"}, {"l", "lore"},    {NULL, NULL}};
    static const struct hint any[] = {{"e", "edit"}, {"d", "remove"},  {"u", "undo"}, {"n", "new"},
                                      {"S", "save"}, {"w", "my line"}, {"l", "lore"}, {NULL, NULL}};
    static const struct hint greeting[] = {{"g", "another"}, {"e", "edit"}, {"u", "undo"},
                                           {"S", "save"},    {"l", "lore"}, {NULL, NULL}};
    enum scene_spot spot = drawn_row(pane).spot;
    if (pane->lore)
        return lore;
    if (pane_scene_chat(pane)->chat->scene == NULL)
        return shelf;
    return spot == SPOT_CHARACTER || spot == SPOT_ANYONE ? character
           : spot == SPOT_GREETING                       ? greeting
                                                         : any;
}

/* As many as there is room for. */
static void draw_hints(const struct pane_scene *pane, struct terminal *terminal,
                       const struct rect *area)
{
    int row = 0, at = 1;
    for (const struct hint *hint = hints_for(pane); hint->key != NULL; hint++) {
        int columns = (int)(strlen(hint->key) + 1 + strlen(hint->word));
        if (at > 1 && at + columns > area->columns) {
            row++;
            at = 1;
        }
        if (row == area->rows)
            return;
        at += terminal_puts(terminal, area, row, at, STYLE_KEY, hint->key);
        at += 1 + terminal_puts(terminal, area, row, at + 1, STYLE_DIM, hint->word) + 2;
    }
}

static void pane_draw(struct pane *base, struct terminal *terminal, const struct rect *area,
                      bool focused)
{
    struct pane_scene *pane = pane_scene_of(base);
    struct rect list = *area, foot = *area;
    foot.rows = !focused ? 0 : area->rows >= 14 ? 2 : area->rows >= 7 ? 1 : 0;
    foot.row += area->rows - foot.rows;
    pane->margin = area->rows >= 14; /* a blank row above and below */
    list.row += pane->margin;
    list.rows -= 2 * pane->margin;
    list.rows -= foot.rows;
    if (list.rows < 1)
        return;
    pane_scene_refresh(pane, area->columns - 2);
    show_item(pane, list.rows);
    struct drawing drawing = {pane, focused};
    list_draw(&pane->list, terminal, &list, draw_row, &drawing);
    draw_hints(pane, terminal, &foot);
}

/* --- input ----------------------------------------------------------------------------------- */

static enum action_context pane_context(const struct pane *pane)
{
    (void)pane;
    return CONTEXT_SCENE;
}

static void pane_title(const struct pane *base, struct strbuf *out)
{
    strbuf_puts(out, self(base)->lore ? "Scene · lore" : "Scene");
}

/* By items, not by rows. */
static void move(struct pane_scene *pane, int by)
{
    size_t at = pane->list.selected, before;
    for (int step = by < 0 ? -1 : 1; by != 0; by -= step) {
        before = at;
        for (size_t i = at + (size_t)step; i < pane->rows.count && at == before; i += (size_t)step)
            if (scene_row_selectable(&pane->rows.items[i]))
                at = i;
        if (at == before)
            break;
    }
    list_select(&pane->list, at);
}

static void click(struct pane_scene *pane, const struct input_token *token)
{
    size_t index;
    int row = token->mouse.row - pane->margin;
    if (token->mouse.kind != MOUSE_PRESS || !list_at(&pane->list, row, &index))
        return;
    while (index > 0 && !pane->rows.items[index].first)
        index--;
    if (scene_row_selectable(&pane->rows.items[index]))
        list_select(&pane->list, index);
}

static void pane_input(struct pane *base, const struct input_token *token)
{
    static const struct {
        const char *name;
        int by;
    } moves[] = {{"Up", -1},      {"k", -1},       {"Down", 1},     {"j", 1},
                 {"PageUp", -6},  {"Home", -9999}, {"PageDown", 6}, {"End", 9999},
                 {"WheelUp", -1}, {"WheelDown", 1}};
    struct pane_scene *pane = pane_scene_of(base);
    char key[8] = "";
    if (token->kind == INPUT_MOUSE && token->mouse.kind == MOUSE_PRESS)
        click(pane, token);
    if (token->name == NULL && token->length < sizeof key)
        memcpy(key, token->bytes, token->length);
    const char *name = token->name != NULL ? token->name : key;
    for (size_t i = 0; i < sizeof moves / sizeof moves[0]; i++)
        if (strcmp(moves[i].name, name) == 0)
            move(pane, moves[i].by);
}

/* --- life ------------------------------------------------------------------------------------ */

static void pane_focus(struct pane *base, bool focused)
{
    struct pane_scene *pane = pane_scene_of(base);
    if (focused && pane->shelf_read) { /* files may have come */
        pane->shelf_read = false;
        pane->chat = NULL;
    }
}

static void pane_free(struct pane *base)
{
    struct pane_scene *pane = pane_scene_of(base);
    for (size_t i = 0; i < pane->undo_count; i++)
        scene_free(pane->undo[i]);
    scene_rows_clear(&pane->rows);
    scene_shelf_free(&pane->shelf);
    free(pane);
}

static const struct pane_ops scene_ops = {
    .kind = "scene",
    .columns_min = 24,
    .rows_min = 5,
    .columns_wanted = 38,
    .context = pane_context,
    .title = pane_title,
    .draw = pane_draw,
    .input = pane_input,
    .focus = pane_focus,
    .free = pane_free,
};

struct pane *pane_scene_create(struct app *app)
{
    struct pane_scene *pane = xcalloc(1, sizeof *pane);
    pane->base.ops = &scene_ops;
    pane->app = app;
    return &pane->base;
}
