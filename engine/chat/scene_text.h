/*
 * scene_text.h - a scene as the text that stands before the first message of a prompt.
 *
 *     Characters:
 *     - NAME, DESCRIPTION
 *     - USER/Jon - don't generate any speech or actions on behalf of Jon
 *
 *     Rules:
 *     - RULE
 *
 *     SETTING
 *
 * Lore, the long data of cards and their examples join as further paragraphs. Beside the macros of
 * cards, scenes know {{chars}}, "Yoda or Homer", and {{cast}}, "Yoda and Homer". Nothing is defused
 * here: that is prompt.c's, which knows the template's markers.
 */
#ifndef AIRO_CHAT_SCENE_TEXT_H
#define AIRO_CHAT_SCENE_TEXT_H

#include <stdbool.h>

#include "engine/base/strbuf.h"
#include "engine/chat/macro.h"
#include "engine/chat/scene.h"

/* What of the scene a prompt takes; zero is all of it. */
struct scene_form {
    const char *before, *after; /* lore around the characters, as it is; NULL: none */
    size_t skip_examples;       /* so many example blocks of the cards stay out, the last first */
    struct macro_context clock; /* seed and time for macros; its names are not looked at */
};

/* Appends the text of the scene, without a line break at its end. */
void scene_text(const struct scene *scene, const struct scene_form *form, struct strbuf *out);

/* Writes the usual rules out as the scene's own, where it has none. */
void scene_own_rules(struct scene *scene);

/* Usual rules that ask for a form of the reply's text. */
enum scene_usual_rule { SCENE_USUAL_ACTIONS = 1, SCENE_USUAL_QUOTES = 2, SCENE_USUAL_NAMES = 4 };
/* Whether it is among the scene's rules, in its usual words. */
bool scene_has_rule(const struct scene *scene, enum scene_usual_rule rule);

/* How many example blocks (parted by <START>) the cards have. */
size_t scene_example_count(const struct scene *scene);

/* Appends a text with its macros expanded, as `character` would have it; `original` is for
 * {{original}}. Line breaks come out as '\n'. */
void scene_expand(const struct scene *scene, size_t character, const char *text,
                  const char *original, const struct macro_context *clock, struct strbuf *out);

/* Appends one of the first messages (scene_greeting_count), macros expanded. */
void scene_greeting(const struct scene *scene, size_t index, const struct macro_context *clock,
                    struct strbuf *out);
/* Appends the opening instruction, macros expanded. */
void scene_opening(const struct scene *scene, const struct macro_context *clock,
                   struct strbuf *out);

#endif
