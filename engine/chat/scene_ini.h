/*
 * scene_ini.h - a scene or a character from an ini file; described in prompts/scenes/README.md.
 */
#ifndef AIRO_CHAT_SCENE_INI_H
#define AIRO_CHAT_SCENE_INI_H

#include "engine/chat/scene.h"

/* Adds a character that a scene's file names by `file`. */
typedef int (*scene_find_character)(struct scene *scene, const char *file, const char *beside,
                                    struct error *error);

/* Reads a scene file into an empty scene. */
int scene_read_ini(struct scene *scene, const char *path, scene_find_character find,
                   struct error *error);
/* Adds the character of a character file. */
int scene_read_character_ini(struct scene *scene, const char *path, struct error *error);
/* The one-line title in a scene's file, or the name in a character's; NULL when there is none. To
 * be freed. */
char *scene_ini_title(const char *path);

/* Whether a file may be named so: no directory, no leading '.' or '-'. */
bool scene_file_name_ok(const char *name);

#endif
