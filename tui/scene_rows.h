/*
 * scene_rows.h - what the scene pane shows, as rows of one line: a scene and who speaks next, the
 * scenes to choose from, or what the last prompt took of lorebooks.
 *
 * The rows own their texts, which are sanitised. An item may have several rows; its first one can
 * be selected.
 */
#ifndef AIRO_TUI_SCENE_ROWS_H
#define AIRO_TUI_SCENE_ROWS_H

#include <stdbool.h>

#include "tui/chat.h"
#include "tui/scene_shelf.h"
#include "tui/style.h"

/* What a row is about. */
enum scene_spot {
    SPOT_NONE, /* headings and spaces */
    SPOT_TITLE,
    SPOT_CHARACTER, /* `index` */
    SPOT_ANYONE,
    SPOT_USER,
    SPOT_PERSONA,
    SPOT_SETTING,
    SPOT_OPENING,
    SPOT_RULES, /* the usual ones */
    SPOT_RULE,  /* `index` */
    SPOT_GREETING,
    SPOT_SHELF, /* `index` of the shelf */
    SPOT_NEW,   /* a scene of the user's own */
    SPOT_LORE,
};

struct scene_row {
    enum scene_spot spot;
    size_t index;
    bool first; /* of its item */
    int indent;
    enum style style;
    char *text;
    const char *mark; /* at the right end, or NULL */
};

/* Zero-initialise; scene_rows_clear. */
struct scene_rows {
    struct scene_row *items;
    size_t count, capacity;
    int columns; /* to wrap for */
};

void scene_rows_clear(struct scene_rows *rows);
/* In place of what is there, for this width. */
void scene_rows_of_scene(struct scene_rows *rows, const struct chat *chat, int columns);
void scene_rows_of_shelf(struct scene_rows *rows, const struct scene_shelf *shelf, int columns);
/* The report of the last reply's prompt; of the next one, where nothing was sent. */
void scene_rows_of_lore(struct scene_rows *rows, const struct chat *chat, int columns);

bool scene_row_selectable(const struct scene_row *row);

#endif
