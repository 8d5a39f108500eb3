#include "tui/pane_chats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "tui/actions.h"
#include "tui/chats.h"
#include "tui/chats_rows.h"
#include "tui/pane_chat.h"
#include "tui/workspace.h"
#include "tui/wrap.h"

#define SEARCH_PAUSE_MS 60  /* after a key, so that fast typing does not search at each */
#define SHORT_PAUSE_MS  250 /* when what is typed begins very many words */
#define SHORT_BYTES     2

static const struct pane_ops chats_ops;

static struct pane_chats *self(const struct pane *pane)
{
    return (struct pane_chats *)(uintptr_t)pane;
}

struct pane_chats *pane_chats_of(const struct pane *pane)
{
    return pane != NULL && pane->ops == &chats_ops ? self(pane) : NULL;
}

/* --- what is listed -------------------------------------------------------------------------- */

int64_t pane_chats_selected(const struct pane_chats *pane)
{
    return chats_list_row(&pane->chats, pane->list.selected);
}

static void remember(struct pane_chats *pane)
{
    pane->selected = pane_chats_selected(pane);
}

/* The list after its reading: the same chat is selected, wherever it is now. */
static void find_selected(struct pane_chats *pane)
{
    size_t count = chats_list_count(&pane->chats), i = 0;
    list_set_count(&pane->list, count);
    if (pane->selected == 0 || pane_chats_selected(pane) == pane->selected)
        return;
    while (i < count && chats_list_row(&pane->chats, i) != pane->selected)
        i++;
    if (i < count)
        list_select(&pane->list, i);
}

static void refresh(struct pane_chats *pane)
{
    if (chats_list_refresh(&pane->chats, app_now_ms()))
        find_selected(pane);
    list_set_count(&pane->list, chats_list_count(&pane->chats));
}

void pane_chats_select(struct pane_chats *pane, int64_t row)
{
    pane->selected = row;
    find_selected(pane);
    app_redraw(pane->app, true);
}

void pane_chats_show(struct pane_chats *pane, enum chats_kind kind)
{
    pane_chats_end_typing(pane);
    pane->selected = 0;
    chats_list_show(&pane->chats, kind, NULL, app_now_ms(), 0);
    pane->list = (struct list){.rows = pane->list.rows};
    list_set_count(&pane->list, chats_list_count(&pane->chats));
    pane_chats_select(pane, workspace_chat(app_workspace(pane->app))->chat->row);
}

/* --- searching ------------------------------------------------------------------------------- */

static void search(struct pane_chats *pane, bool at_once)
{
    struct strbuf text = {0};
    if (!pane->typing || composer_version() == pane->searched)
        return;
    pane->searched = composer_version();
    composer_text(&text);
    const char *typed = strbuf_text(&text);
    bool blank = typed[strspn(typed, " \t\n")] == '\0';
    const char *query = pane->chats.kind == CHATS_FOUND ? pane->chats.query : "";
    if (strcmp(typed, query) != 0 || blank != (pane->chats.kind == CHATS_KEPT)) {
        uint64_t pause_ms = text.length > SHORT_BYTES ? SEARCH_PAUSE_MS : SHORT_PAUSE_MS;
        chats_list_show(&pane->chats, blank ? CHATS_KEPT : CHATS_FOUND, typed, app_now_ms(),
                        at_once || blank ? 0 : pause_ms);
        pane->selected = 0;
        pane->list.top = pane->list.selected = 0;
        list_set_count(&pane->list, chats_list_count(&pane->chats));
    }
    strbuf_free(&text);
}

void pane_chats_find(struct pane_chats *pane, const char *text)
{
    if (!pane->typing) {
        pane->typing = true;
        if (pane->focused)
            composer_load(&pane->draft);
    }
    if (pane->focused) {
        composer_set_text(text);
        pane->searched = composer_version() - 1;
        search(pane, true);
    }
    app_redraw(pane->app, true);
}

void pane_chats_end_typing(struct pane_chats *pane)
{
    if (!pane->typing)
        return;
    search(pane, true);
    pane->chats.next_ms = 0;
    refresh(pane);
    pane->typing = false;
    if (pane->focused)
        composer_store(&pane->draft);
    composer_draft_free(&pane->draft);
    app_redraw(pane->app, true);
}

void pane_chats_open_selected(struct pane_chats *pane)
{
    pane_chats_end_typing(pane);
    int64_t row = pane_chats_selected(pane);
    bool found = pane->chats.kind == CHATS_FOUND;
    if (row != 0)
        chats_open(pane->app, row, found ? pane->chats.hits.items[pane->list.selected].message : 0);
}

void pane_chats_remove_selected(struct pane_chats *pane)
{
    chats_list_remove(&pane->chats, pane->list.selected);
    list_set_count(&pane->list, chats_list_count(&pane->chats));
    remember(pane);
    app_redraw(pane->app, true);
}

/* --- input ----------------------------------------------------------------------------------- */

static enum action_context pane_context(const struct pane *base)
{
    (void)base;
    return CONTEXT_CHATS;
}

static void click(struct pane_chats *pane, const struct input_mouse *mouse)
{
    size_t index;
    int rows = pane->chats.kind == CHATS_FOUND ? HIT_ROWS : 1;
    if (mouse->kind != MOUSE_PRESS || mouse->button != 1 || mouse->row < pane->top ||
        !list_at(&pane->list, (mouse->row - pane->top) / rows, &index))
        return;
    list_select(&pane->list, index);
    remember(pane);
    if (pane->chats.kind != CHATS_DELETED)
        pane_chats_open_selected(pane);
}

static void pane_input(struct pane *base, const struct input_token *token)
{
    struct pane_chats *pane = self(base);
    char letter[8] = "";
    if (token->name == NULL && token->length < sizeof letter)
        memcpy(letter, token->bytes, token->length);
    const char *name = token->name != NULL ? token->name : letter;
    if (strcmp(name, "Mouse") == 0)
        click(pane, &token->mouse);
    else if (list_key(&pane->list, name, !pane->typing))
        remember(pane);
    else if (pane->typing && token->kind == INPUT_PASTE)
        composer_paste(token->bytes, token->length);
    else if (pane->typing)
        composer_feed(token->bytes, token->length);
    search(pane, false);
}

static void pane_focus(struct pane *base, bool focused)
{
    struct pane_chats *pane = self(base);
    pane->focused = focused;
    if (pane->typing && focused)
        composer_load(&pane->draft);
    else if (pane->typing)
        composer_store(&pane->draft);
    if (focused && !pane->typing && pane->chats.kind == CHATS_KEPT) {
        struct pane_chat *chat = workspace_chat(app_workspace(pane->app));
        if (chat != NULL && chat->chat->row != 0)
            pane_chats_select(pane, chat->chat->row);
    }
}

static int pane_timeout(const struct pane *base, uint64_t now_ms)
{
    return chats_list_timeout(&self(base)->chats, now_ms);
}

static void pane_tick(struct pane *base, uint64_t now_ms)
{
    struct pane_chats *pane = self(base);
    chats_list_poll(&pane->chats, now_ms);
    if (!chats_list_refresh(&pane->chats, now_ms))
        return;
    find_selected(pane);
    app_redraw(pane->app, false);
}

/* --- drawing --------------------------------------------------------------------------------- */

static void pane_title(const struct pane *base, struct strbuf *out)
{
    static const char *const names[] = {
        [CHATS_KEPT] = "Chats", [CHATS_DELETED] = "Deleted chats", [CHATS_FOUND] = "Found"};
    const struct pane_chats *pane = self(base);
    strbuf_puts(out, names[pane->chats.kind]);
    size_t count = chats_list_count(&pane->chats);
    if (count > 0)
        strbuf_printf(out, " · %zu", count);
}

static struct chats_row_state state_of(const struct pane_chats *pane, int64_t row, bool selected)
{
    const struct pane_chat *chat = chats_find_pane(pane->app, row);
    const struct workspace *workspace = app_workspace(pane->app);
    bool chosen = selected && workspace_focus(workspace) == &pane->base;
    return (struct chats_row_state){.selected = chosen,
                                    .open = chat != NULL,
                                    .current = chat != NULL && chat == workspace_chat(workspace),
                                    .replying = chat != NULL && chat_is_replying(chat->chat),
                                    .now_s = (int64_t)time(NULL)};
}

static void draw_entry(void *user, size_t index, bool selected, struct terminal *terminal,
                       const struct rect *row)
{
    const struct pane_chats *pane = user;
    struct chats_row_state state = state_of(pane, chats_list_row(&pane->chats, index), selected);
    if (pane->chats.kind != CHATS_FOUND) {
        chats_row_draw(terminal, row, &pane->chats.entries.items[index], &state);
        return;
    }
    struct rect area = *row;
    area.row += (int)(index - pane->list.top) * (HIT_ROWS - 1);
    area.rows = HIT_ROWS;
    chats_hit_draw(terminal, &area, &pane->chats.hits.items[index], &state);
}

/* The first key of an action, as it is now. */
static void put_key(struct app *app, const char *name, struct strbuf *out)
{
    const struct action *action = actions_chats;
    while (action->help != NULL && (action->name == NULL || strcmp(action->name, name) != 0))
        action++;
    struct strbuf keys = {0};
    if (action->help != NULL)
        actions_keys(app, action, &keys);
    strbuf_add(out, strbuf_text(&keys), strcspn(strbuf_text(&keys), ","));
    strbuf_free(&keys);
}

static void draw_hints(const struct pane_chats *pane, struct terminal *terminal,
                       const struct rect *row)
{
    static const struct {
        const char *action, *words;
        bool kept, deleted, found, typing;
    } hints[] = {{"open-chat", "opens", true, false, true, true},
                 {"find-chats", "finds", true, false, true, false},
                 {"delete-chat", "deletes", true, false, false, false},
                 {"undelete-chat", "brings back", false, true, false, false},
                 {"leave-chats", "all chats", false, true, true, true},
                 {"new-chat", "new", true, false, false, false}};
    int at = 1;
    for (size_t i = 0; i < sizeof hints / sizeof hints[0]; i++) {
        enum chats_kind kind = pane->chats.kind;
        struct strbuf key = {0};
        bool wanted = pane->typing            ? hints[i].typing
                      : kind == CHATS_KEPT    ? hints[i].kept
                      : kind == CHATS_DELETED ? hints[i].deleted
                                              : hints[i].found;
        if (wanted)
            put_key(pane->app, hints[i].action, &key);
        int columns = text_columns(strbuf_text(&key), key.length) + (int)strlen(hints[i].words) + 1;
        if (key.length > 0 && at + columns < row->columns) {
            at += terminal_puts(terminal, row, 0, at, STYLE_KEY, strbuf_text(&key)) + 1;
            at += terminal_puts(terminal, row, 0, at, STYLE_DIM, hints[i].words) + 2;
        }
        strbuf_free(&key);
    }
}

static void draw_words(struct terminal *terminal, const struct rect *area, const char *words)
{
    struct wrap wrap = {0};
    struct rect text = *area;
    text.column += 1;
    text.columns -= 2;
    wrap_update(&wrap, words, strlen(words), text.columns > 0 ? text.columns : 1);
    for (size_t i = 0; i < wrap.count && (int)i < text.rows; i++)
        terminal_put(terminal, &text, (int)i, 0, STYLE_DIM, wrap.shown.data + wrap.lines[i].start,
                     wrap.lines[i].end - wrap.lines[i].start);
    wrap_free(&wrap);
}

/* What stands there in place of a list. */
static void draw_empty(const struct pane_chats *pane, struct terminal *terminal,
                       const struct rect *area)
{
    const struct library *library = pane->chats.library;
    if (library->store == NULL)
        draw_words(terminal, area,
                   library->problem.code != ERROR_NONE ? library->problem.message
                                                       : "Chats are not kept.");
    else if (pane->chats.problem.code != ERROR_NONE)
        draw_words(terminal, area, pane->chats.problem.message);
    else if (pane->chats.kind == CHATS_DELETED)
        draw_words(terminal, area, "No chat is deleted.");
    else if (pane->chats.kind == CHATS_FOUND && !pane->chats.stale)
        draw_words(terminal, area, "Nothing has all these words.");
    else if (pane->chats.kind == CHATS_KEPT)
        draw_words(terminal, area, "Chats appear here, from their first message on.");
}

/* "/ words", while one is typed and above what was found. */
static void draw_search(const struct pane_chats *pane, struct terminal *terminal,
                        const struct rect *row)
{
    struct rect line = {row->row, row->column + 3, 1, row->columns - 4};
    terminal_puts(terminal, row, 0, 1, pane->typing ? STYLE_USER_MARK : STYLE_DIM, "/");
    if (pane->typing && pane->focused)
        composer_draw(terminal, &line, true, "words in any chat");
    else if (pane->typing)
        composer_draw_draft(&pane->draft, terminal, &line, "");
    else
        terminal_puts(terminal, &line, 0, 0, STYLE_TEXT, pane->chats.query);
}

static void pane_draw(struct pane *base, struct terminal *terminal, const struct rect *area,
                      bool focused)
{
    struct pane_chats *pane = self(base);
    (void)focused;
    refresh(pane);
    bool roomy = area->rows >= 8, searching = pane->typing || pane->chats.kind == CHATS_FOUND;
    int above = (searching ? 1 : 0) + (roomy ? 1 : 0), foot = roomy ? 2 : 0;
    struct rect rows = *area, row = {area->row + area->rows - 1, area->column, 1, area->columns};
    rows.row += above;
    rows.rows -= above + foot;
    pane->top = above;
    if (searching)
        draw_search(pane, terminal, &(struct rect){area->row, area->column, 1, area->columns});
    if (roomy && pane->focused)
        draw_hints(pane, terminal, &row);
    if (pane->list.count == 0)
        draw_empty(pane, terminal, &rows);
    if (pane->chats.kind == CHATS_FOUND)
        rows.rows /= HIT_ROWS;
    list_draw(&pane->list, terminal, &rows, draw_entry, pane);
}

/* --- life ------------------------------------------------------------------------------------ */

static void pane_free(struct pane *base)
{
    struct pane_chats *pane = self(base);
    chats_list_free(&pane->chats);
    composer_draft_free(&pane->draft);
    free(pane);
}

static const struct pane_ops chats_ops = {
    .kind = "chats",
    .columns_min = 20,
    .rows_min = 4,
    .columns_wanted = 30,
    .screen_columns_min = 100,
    .context = pane_context,
    .title = pane_title,
    .draw = pane_draw,
    .input = pane_input,
    .focus = pane_focus,
    .timeout = pane_timeout,
    .tick = pane_tick,
    .free = pane_free,
};

struct pane *pane_chats_create(struct app *app)
{
    struct pane_chats *pane = xcalloc(1, sizeof *pane);
    pane->base.ops = &chats_ops;
    pane->app = app;
    chats_list_open(&pane->chats, app_library(app));
    return &pane->base;
}
