/*
 * scene_file.h - scenes and characters on disk: found by name, listed, saved.
 *
 * The formats are described in prompts/scenes/README.md: NAME.ini (head matter, with long text in
 * files beside it), NAME.json (a saved scene, or a character card), NAME.png (a card). The user's
 * own, in $XDG_CONFIG_HOME/airo/{scenes,characters}, go before those that came with the program.
 */
#ifndef AIRO_CHAT_SCENE_FILE_H
#define AIRO_CHAT_SCENE_FILE_H

#include "engine/chat/scene.h"

/* `name` is that of a scene, or a path (with a '/') to a scene or to a character card, which makes
 * a scene of its one character. NULL on error. */
struct scene *scene_open(const char *name, struct error *error);

/* Adds a character by name (of a character file) or by path. */
int scene_add_file(struct scene *scene, const char *name, struct error *error);

/* Writes the scene as NAME.json into the user's directory, `name` becoming the scene's. `replace`
 * false: refuses when there is one. */
int scene_save(struct scene *scene, const char *name, bool replace, struct error *error);

enum scene_kind { SCENE_SCENES, SCENE_CHARACTERS };

struct scene_entry {
    char *name, *path;
    char *title; /* of the file, or its name */
};

/* By name, each once; a file that cannot be read is left out. */
struct scene_list {
    struct scene_entry *items;
    size_t count;
};

void scene_list(enum scene_kind kind, struct scene_list *out);
void scene_list_free(struct scene_list *list);

#endif
