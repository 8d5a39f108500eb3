/*
 * scene_shelf.h - the scenes that there are, with what they say of themselves, for lists to choose
 * from.
 *
 * The shelf owns its texts. They come from files: sanitise before showing.
 */
#ifndef AIRO_TUI_SCENE_SHELF_H
#define AIRO_TUI_SCENE_SHELF_H

#include <stddef.h>

#include "engine/base/strbuf.h"

struct scene_shelf_item {
    char *name; /* what opens it */
    char *title, *description;
    char *cast; /* "Old Bram, Pip" */
};

struct scene_shelf {
    struct scene_shelf_item *items;
    size_t count;
};

/* By name; a file that cannot be read is left out. Free first what was there. */
void scene_shelf_read(struct scene_shelf *shelf);
void scene_shelf_free(struct scene_shelf *shelf);

/* The index-th name of a scene, to be freed; NULL past the last. For completion. */
char *scene_shelf_name(unsigned index);

#endif
