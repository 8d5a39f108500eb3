/*
 * scene_grammar.h - the form of a scene's replies as a grammar of the sampling, so that a model of
 * any quality keeps it:
 *
 *   reply = line { "\n" line }             one empty line may stand between two
 *   line  = name ":" { " " part } | action { " " action }
 *   part  = speech | action                speech in quotes of four kinds, closed on its line
 *
 * `name` is what a character's lines begin with, or the whole name. A line that would begin with
 * the user's name, USER or ASSISTANT ends the reply; so does a name that begins as a character's
 * and turns out to be the user's, of which scene_stops() hold back what came before. What is asked
 * for follows from the scene's rules: without the usual rule of names there is no grammar, without
 * that of quotes or that of asterisks any text may follow the colon.
 */
#ifndef AIRO_CHAT_SCENE_GRAMMAR_H
#define AIRO_CHAT_SCENE_GRAMMAR_H

#include "engine/base/grammar.h"
#include "engine/chat/scene.h"

/* Keeps nothing of the scene. NULL when the scene's rules do not ask for names. grammar->ops->free.
 */
struct grammar *scene_grammar_create(const struct scene *scene);
/* Whether this could be the whole rest of the reply, line breaks and spaces at its end aside. */
bool scene_grammar_fits(const struct grammar *grammar, const char *text, size_t length);

#endif
