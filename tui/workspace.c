#include "tui/workspace.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/actions.h"
#include "tui/gauge.h"
#include "tui/pane_chat.h"
#include "tui/pane_frame.h"

#define PANES_MAX       32
#define HEADER_ROWS_MIN 8 /* on fewer rows a pane alone has none */

struct workspace {
    struct app *app;
    struct split *split;
    struct pane *focus, *overlay;
    struct pane *dead[PANES_MAX]; /* to be freed when no call of theirs can be under way */
    size_t dead_count;
    struct pane *chat; /* has or last had the focus */
    bool zoomed;
    unsigned long keys;
    char flash[512];
    enum style flash_style;
    struct split_place places[PANES_MAX]; /* as last drawn */
    size_t place_count;
    bool headers; /* as last drawn */
    struct rect overlay_area;
};

struct workspace *workspace_create(struct app *app)
{
    struct workspace *workspace = xcalloc(1, sizeof *workspace);
    workspace->app = app;
    return workspace;
}

static void bury(struct workspace *workspace)
{
    while (workspace->dead_count > 0) {
        struct pane *pane = workspace->dead[--workspace->dead_count];
        pane->ops->free(pane);
    }
}

static void kill_pane(struct workspace *workspace, struct pane *pane)
{
    if (workspace->dead_count == PANES_MAX)
        bury(workspace);
    workspace->dead[workspace->dead_count++] = pane;
    workspace->place_count = 0; /* until the next frame nobody knows where the others stand */
}

void workspace_free(struct workspace *workspace)
{
    if (workspace == NULL)
        return;
    bury(workspace);
    if (workspace->overlay != NULL)
        workspace->overlay->ops->free(workspace->overlay);
    for (size_t i = 0; workspace->split != NULL && i < split_count(workspace->split); i++) {
        struct pane *pane = split_pane(workspace->split, i);
        pane->ops->free(pane);
    }
    split_free(workspace->split);
    free(workspace);
}

/* --- panes ----------------------------------------------------------------------------------- */

size_t workspace_count(const struct workspace *workspace)
{
    return workspace->split != NULL ? split_count(workspace->split) : 0;
}

struct pane *workspace_pane(const struct workspace *workspace, size_t index)
{
    return split_pane(workspace->split, index);
}

struct split *workspace_split(struct workspace *workspace)
{
    return workspace->split;
}

struct pane *workspace_focus(const struct workspace *workspace)
{
    return workspace->focus;
}

struct pane *workspace_overlay(const struct workspace *workspace)
{
    return workspace->overlay;
}

struct pane_chat *workspace_chat(const struct workspace *workspace)
{
    return pane_chat_of(workspace->chat);
}

struct pane *workspace_find(const struct workspace *workspace, const char *kind)
{
    for (size_t i = 0; i < workspace_count(workspace); i++)
        if (strcmp(workspace_pane(workspace, i)->ops->kind, kind) == 0)
            return workspace_pane(workspace, i);
    return NULL;
}

static void tell_focus(struct pane *pane, bool focused)
{
    if (pane != NULL && pane->ops->focus != NULL)
        pane->ops->focus(pane, focused);
}

/* Who has the keys: the overlay, or the focus. */
static struct pane *holder(const struct workspace *workspace)
{
    return workspace->overlay != NULL ? workspace->overlay : workspace->focus;
}

void workspace_set_focus(struct workspace *workspace, struct pane *pane)
{
    if (pane == workspace->focus)
        return;
    if (workspace->overlay == NULL) {
        tell_focus(workspace->focus, false);
        tell_focus(pane, true);
    }
    workspace->focus = pane;
    if (pane_chat_of(pane) != NULL)
        workspace->chat = pane;
    app_redraw(workspace->app, true);
}

void workspace_begin(struct workspace *workspace, struct pane *chat)
{
    workspace->split = split_create(chat);
    workspace->focus = workspace->chat = chat;
    tell_focus(chat, true);
}

void workspace_open_beside(struct workspace *workspace, struct pane *at, enum split_side side,
                           struct pane *pane)
{
    if (workspace_count(workspace) == PANES_MAX) {
        kill_pane(workspace, pane);
        workspace_flash(workspace, STYLE_ERROR, "no more than %d panes", PANES_MAX);
        return;
    }
    split_add(workspace->split, at, side, pane);
    app_redraw(workspace->app, true);
}

void workspace_open(struct workspace *workspace, struct pane *at, enum split_side side,
                    struct pane *pane)
{
    size_t before = workspace_count(workspace);
    workspace_open_beside(workspace, at, side, pane);
    if (workspace_count(workspace) == before)
        return;
    workspace->zoomed = false;
    workspace_set_focus(workspace, pane);
}

void workspace_replace(struct workspace *workspace, struct pane *old, struct pane *pane)
{
    bool focused = workspace->focus == old;
    split_replace(workspace->split, old, pane);
    if (focused && workspace->overlay == NULL) {
        tell_focus(old, false);
        tell_focus(pane, true);
    }
    if (focused)
        workspace->focus = pane;
    if (workspace->chat == old)
        workspace->chat = pane;
    kill_pane(workspace, old);
    app_redraw(workspace->app, true);
}

static struct pane *other_chat(const struct workspace *workspace, const struct pane *but)
{
    for (size_t i = 0; i < workspace_count(workspace); i++) {
        struct pane *pane = workspace_pane(workspace, i);
        if (pane != but && pane_chat_of(pane) != NULL)
            return pane;
    }
    return NULL;
}

void workspace_close(struct workspace *workspace, struct pane *pane)
{
    struct pane *chat = other_chat(workspace, pane);
    if (pane_chat_of(pane) != NULL && chat == NULL) {
        workspace_flash(workspace, STYLE_NOTICE, "the last chat stays; /quit leaves");
        return;
    }
    if (pane->ops->may_close != NULL && !pane->ops->may_close(pane))
        return;
    if (pane == workspace->chat)
        workspace->chat = chat;
    if (pane == workspace->focus)
        workspace_set_focus(workspace, workspace->chat);
    split_remove(workspace->split, pane);
    kill_pane(workspace, pane);
    workspace->zoomed = false;
    app_redraw(workspace->app, true);
}

void workspace_zoom(struct workspace *workspace)
{
    workspace->zoomed = !workspace->zoomed;
    app_redraw(workspace->app, true);
}

bool workspace_is_zoomed(const struct workspace *workspace)
{
    return workspace->zoomed;
}

unsigned long workspace_keys(const struct workspace *workspace)
{
    return workspace->keys;
}

void workspace_set_overlay(struct workspace *workspace, struct pane *overlay)
{
    struct pane *old = workspace->overlay;
    tell_focus(holder(workspace), false);
    workspace->overlay = overlay;
    tell_focus(holder(workspace), true);
    if (old != NULL)
        kill_pane(workspace, old);
    app_redraw(workspace->app, true);
}

void workspace_flash(struct workspace *workspace, enum style style, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(workspace->flash, sizeof workspace->flash, format, args);
    va_end(args);
    workspace->flash_style = style;
    app_redraw(workspace->app, true);
}

/* --- keys ------------------------------------------------------------------------------------ */

static bool inside(const struct rect *area, int row, int column)
{
    return row >= area->row && row < area->row + area->rows && column >= area->column &&
           column < area->column + area->columns;
}

/* The part of a pane's place that the pane draws: without its header. */
static struct rect body_of(const struct workspace *workspace, const struct rect *place)
{
    struct rect body = *place;
    body.row += workspace->headers;
    body.rows -= workspace->headers;
    return body;
}

static void give(struct workspace *workspace, struct pane *pane, const struct input_token *token)
{
    if (!actions_run_key(workspace->app, pane, token))
        pane->ops->input(pane, token);
}

/* A press goes to the pane under it, which gets the focus. */
static void mouse(struct workspace *workspace, const struct input_token *token)
{
    struct input_token moved = *token;
    struct pane *overlay = workspace->overlay;
    if (overlay != NULL) {
        moved.mouse.row -= workspace->overlay_area.row;
        moved.mouse.column -= workspace->overlay_area.column;
        give(workspace, overlay, &moved);
        return;
    }
    for (size_t i = 0; i < workspace->place_count; i++) {
        const struct split_place *place = &workspace->places[i];
        if (!inside(&place->area, token->mouse.row, token->mouse.column))
            continue;
        struct rect body = body_of(workspace, &place->area);
        struct pane *pane = place->pane;
        moved.mouse.row -= body.row;
        moved.mouse.column -= body.column;
        if (token->mouse.kind == MOUSE_PRESS)
            workspace_set_focus(workspace, pane);
        if (moved.mouse.row >= 0)
            give(workspace, pane, &moved);
        return;
    }
}

/* Where letters are keys, each of a text is one; they may lead to where they are not. */
static void letters(struct workspace *workspace, const struct input_token *token)
{
    struct input_token part;
    for (size_t at = 0, from = 0; !actions_take_letters(holder(workspace)) || at < token->length;
         from = at) {
        if (!actions_take_letters(holder(workspace))) {
            part = *token;
            part.name = NULL;
            part.bytes += from;
            part.length -= from;
            if (part.length > 0)
                give(workspace, holder(workspace), &part);
            return;
        }
        if (!input_split(token, &at, &part))
            return;
        give(workspace, holder(workspace), &part);
    }
}

void workspace_input(struct workspace *workspace, const struct input_token *token)
{
    workspace->flash[0] = '\0';
    workspace->keys++;
    if (token->kind == INPUT_MOUSE)
        mouse(workspace, token);
    else if (token->kind == INPUT_TEXT)
        letters(workspace, token);
    else
        give(workspace, holder(workspace), token);
    bury(workspace);
}

/* --- events and time ------------------------------------------------------------------------- */

void workspace_event(struct workspace *workspace, const struct event *event)
{
    for (size_t i = 0; i < workspace_count(workspace); i++) {
        struct pane *pane = workspace_pane(workspace, i);
        if (pane->ops->event != NULL)
            pane->ops->event(pane, event);
    }
    bury(workspace);
}

static int sooner(int a, int b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

static int pane_timeout(const struct pane *pane, uint64_t now_ms)
{
    return pane->ops->timeout != NULL ? pane->ops->timeout(pane, now_ms) : -1;
}

int workspace_timeout(const struct workspace *workspace, uint64_t now_ms)
{
    int wait = workspace->overlay != NULL ? pane_timeout(workspace->overlay, now_ms) : -1;
    for (size_t i = 0; i < workspace_count(workspace); i++)
        wait = sooner(wait, pane_timeout(workspace_pane(workspace, i), now_ms));
    return wait;
}

void workspace_tick(struct workspace *workspace, uint64_t now_ms)
{
    if (workspace->overlay != NULL && pane_timeout(workspace->overlay, now_ms) == 0)
        workspace->overlay->ops->tick(workspace->overlay, now_ms);
    for (size_t i = 0; i < workspace_count(workspace); i++) {
        struct pane *pane = workspace_pane(workspace, i);
        if (pane_timeout(pane, now_ms) == 0)
            pane->ops->tick(pane, now_ms);
    }
    bury(workspace);
}

/* --- drawing --------------------------------------------------------------------------------- */

/* Why panes are not to be seen. */
static void put_note(const struct workspace *workspace, char *out, size_t size)
{
    size_t count = workspace_count(workspace), at = 0;
    while (at < count && workspace_pane(workspace, at) != workspace->focus)
        at++;
    out[0] = '\0';
    if (count > workspace->place_count)
        snprintf(out, size, "%spane %zu of %zu", workspace->zoomed ? "zoomed · " : "", at + 1,
                 count);
}

static void draw_frame(struct workspace *workspace, struct terminal *terminal,
                       const struct rect *area)
{
    char note[64];
    put_note(workspace, note, sizeof note);
    const struct pane_frame frame = {.places = workspace->places,
                                     .count = workspace->place_count,
                                     .focus = workspace->overlay == NULL ? workspace->focus : NULL,
                                     .note = note};
    pane_frame_draw(&frame, terminal, area);
}

static void draw_places(struct workspace *workspace, struct terminal *terminal,
                        const struct rect *area)
{
    workspace->place_count = split_layout(workspace->split, area, workspace->focus,
                                          workspace->zoomed, workspace->places);
    workspace->headers = area->rows >= HEADER_ROWS_MIN || workspace->place_count > 1;
    if (workspace->headers)
        draw_frame(workspace, terminal, area);
    for (size_t i = 0; i < workspace->place_count; i++) {
        struct pane *pane = workspace->places[i].pane;
        struct rect body = body_of(workspace, &workspace->places[i].area);
        pane->ops->draw(pane, terminal, &body,
                        pane == workspace->focus && workspace->overlay == NULL);
    }
}

static void draw_gauge(struct workspace *workspace, struct terminal *terminal,
                       const struct rect *area)
{
    if (workspace->flash[0] != '\0')
        terminal_puts(terminal, area, 0, 1, workspace->flash_style, workspace->flash);
    else
        gauge_draw(pane_chat_gauge(workspace_chat(workspace)), terminal, area);
}

static void set_title(const struct workspace *workspace, struct terminal *terminal)
{
    struct strbuf title = {0};
    chat_title(workspace_chat(workspace)->chat, &title);
    strbuf_puts(&title, title.length > 0 ? " · airo" : "airo");
    terminal_set_title(terminal, strbuf_text(&title));
    strbuf_free(&title);
}

void workspace_draw(struct workspace *workspace, struct terminal *terminal, const struct rect *area)
{
    struct rect panes = *area, gauge = {area->row + area->rows - 1, area->column, 1, area->columns};
    bool has_gauge = area->rows >= 3;
    panes.rows -= has_gauge;
    draw_places(workspace, terminal, &panes);
    if (has_gauge)
        draw_gauge(workspace, terminal, &gauge);
    workspace->overlay_area = *area;
    if (workspace->overlay != NULL)
        workspace->overlay->ops->draw(workspace->overlay, terminal, area, true);
    if (!actions_take_letters(holder(workspace))) /* what is typed is text */
        terminal_cursor_bar(terminal);
    set_title(workspace, terminal);
}
