/*
 * scene_edit.h - changes of the scene that is shown, each with a step back, and the questions that
 * ask for them.
 *
 * A change that is refused leaves the scene as it was and says why. Nothing changes while a reply
 * runs, because the reply is watched by the scene's names.
 */
#ifndef AIRO_TUI_SCENE_EDIT_H
#define AIRO_TUI_SCENE_EDIT_H

#include "tui/pane_scene.h"

/* One change; `text` is valid UTF-8. Returns 0 or -1 and an error. */
typedef int scene_change(struct scene *scene, size_t index, const char *text, struct error *error);

/* Each changes one thing of the scene; the names say which. Lists grow at their end. */
scene_change scene_set_title, scene_set_description, scene_rename, scene_set_name,
    scene_set_persona, scene_set_setting, scene_set_opening, scene_set_greeting, scene_set_rule,
    scene_new_rule, scene_new_character, scene_new_character_file, scene_drop_character,
    scene_drop_rule, scene_drop_greeting, scene_write_rules;

/* False when there is no scene, a reply runs, or the change is refused. */
bool scene_edit_apply(struct pane_scene *pane, scene_change *change, size_t index,
                      const char *text);
/* Takes the last change back; false when there is none. */
bool scene_edit_undo(struct pane_scene *pane);
/* A question whose answer is applied: line breaks in it become spaces but for `long_text`. */
void scene_edit_ask(struct pane_scene *pane, const char *title, const char *hint,
                    const char *initial, scene_change *change, size_t index, bool long_text);

#endif
