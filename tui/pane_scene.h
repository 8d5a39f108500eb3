/*
 * pane_scene.h - the scene of the chat that has or last had the focus: who is there, who speaks
 * next, rules, setting, first messages; without one, the scenes to choose from; and what the last
 * prompt took of lorebooks.
 *
 * The pane shows chat->scene and keeps no copy of it but for undo.
 */
#ifndef AIRO_TUI_PANE_SCENE_H
#define AIRO_TUI_PANE_SCENE_H

#include "tui/app.h"
#include "tui/list.h"
#include "tui/pane.h"
#include "tui/pane_chat.h"
#include "tui/scene_rows.h"

#define SCENE_UNDO_MAX 32

/* Open for actions_scene.c and scene_edit.c. */
struct pane_scene {
    struct pane base;
    struct app *app;
    struct scene_shelf shelf;
    bool shelf_read;
    struct scene_rows rows;
    struct list list; /* over the rows; on the first of an item */
    int margin;       /* rows above the list, as last drawn */
    bool lore;        /* shows the lore in place of the scene */
    /* What the rows are of. */
    const struct chat *chat;
    unsigned long scene_version;
    int columns, speaker, tip;
    bool replying;
    /* Scenes before changes, while nobody else has changed the scene. */
    struct scene *undo[SCENE_UNDO_MAX];
    size_t undo_count;
    const struct chat *undo_chat;
    unsigned long undo_version;
};

struct pane *pane_scene_create(struct app *app);
/* The pane as this kind; NULL when it is none, or NULL. */
struct pane_scene *pane_scene_of(struct pane *pane);
/* The chat that is shown. */
struct pane_chat *pane_scene_chat(const struct pane_scene *pane);
/* The row under the cursor, of the scene as it is now, which may be of SPOT_NONE. */
struct scene_row pane_scene_row(struct pane_scene *pane);
/* Puts the cursor on an item, when it is drawn next. */
void pane_scene_goto(struct pane_scene *pane, enum scene_spot spot, size_t index);
/* Brings the rows up to date. */
void pane_scene_refresh(struct pane_scene *pane, int columns);

#endif
