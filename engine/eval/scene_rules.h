/*
 * scene_rules.h - whether a scene's reply keeps the rules that it was given.
 *
 * The rules are the scene's usual ones: each line begins with a character's name and a colon, what
 * is spoken stands in quotes, what is done between asterisks, nobody speaks who is not there, and
 * nothing is said or done for the user. A line that is nothing but an action may stand without a
 * name, as models trained on the card's form write it.
 */
#ifndef AIRO_EVAL_SCENE_RULES_H
#define AIRO_EVAL_SCENE_RULES_H

#include <stddef.h>

#include "engine/chat/scene.h"

enum scene_rule {
    SCENE_RULE_WORDS,     /* the reply says something */
    SCENE_RULE_NAMES,     /* lines begin with a name and a colon */
    SCENE_RULE_STRANGERS, /* nobody who is not there */
    SCENE_RULE_USER,      /* nothing for the user */
    SCENE_RULE_QUOTES,    /* speech in quotes */
    SCENE_RULES
};

/* "says something", "names", "no strangers", "not the user", "quotes". */
const char *scene_rule_name(enum scene_rule rule);

/* The rules that the reply breaks, as bits 1 << rule; 0: it keeps them all. */
unsigned scene_rules_broken(const struct scene *scene, const char *reply, size_t length);

#endif
