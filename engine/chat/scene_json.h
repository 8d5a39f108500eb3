/*
 * scene_json.h - a scene as one text, lossless: for the store of chats and for saved scenes.
 */
#ifndef AIRO_CHAT_SCENE_JSON_H
#define AIRO_CHAT_SCENE_JSON_H

#include "engine/base/strbuf.h"
#include "engine/chat/scene.h"

/* Appends the scene as JSON. */
void scene_write(const struct scene *scene, struct strbuf *out);

/* Reads what scene_write wrote; `source` is named in errors. NULL on error. */
struct scene *scene_parse(const char *text, size_t length, const char *source, struct error *error);

/* Whether the text is a saved scene rather than a character card. */
bool scene_json_is(const char *text, size_t length);

#endif
