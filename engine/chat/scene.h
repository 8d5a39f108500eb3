/*
 * scene.h - several characters in one talk: who is there, the rules, the setting, the beginning.
 *
 * A scene becomes the text that stands before the first message of the prompt, in the form that
 * the airoboros models were trained on. The scene owns all its texts and cards; every text is never
 * NULL, "" when not set, and is replaced with scene_put. The text: scene_text.h; files:
 * scene_file.h; who speaks in a reply: scene_speech.h; as one text for the store: scene_json.h.
 */
#ifndef AIRO_CHAT_SCENE_H
#define AIRO_CHAT_SCENE_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"
#include "engine/chat/card.h"

#define SCENE_CHARACTERS_MAX 32
#define SCENE_RULES_MAX      64
#define SCENE_NAME_MAX       64         /* bytes of a name */
#define SCENE_LINE_MAX       4096       /* bytes of a description or rule */
#define SCENE_TEXT_MAX       (1u << 20) /* bytes of a longer text */

struct scene_character {
    char *name;        /* "Homer Simpson" */
    char *short_name;  /* "Homer": what lines begin with; "" for `name` */
    char *description; /* one line */
    struct card *card; /* long data, NULL: none */
};

struct scene {
    char *name;        /* of its file, without directory and suffix */
    char *title;       /* one line for people */
    char *description; /* one line for people */
    struct scene_character *characters;
    size_t character_count;
    char **rules; /* none: the usual six */
    size_t rule_count;
    char *setting;       /* "Conversation will revolve around ..." */
    char *user_name;     /* "": the user is only USER */
    char *user_persona;  /* who the user is, one line */
    char *opening;       /* an instruction that makes the model begin; "" for none */
    char *first_message; /* what stands there as the first reply; "" for none */
    char **greetings;    /* other first messages */
    size_t greeting_count;
};

struct scene *scene_create(void);
/* A scene of one character, from its card. Takes the card over, on errors too. */
struct scene *scene_from_card(struct card *card, struct error *error);
struct scene *scene_copy(const struct scene *scene);
void scene_free(struct scene *scene);

/* Replaces one of the scene's texts: scene_put(&scene->setting, "..."). */
void scene_put(char **field, const char *text);

/* A name is one line of at most SCENE_NAME_MAX bytes without ':', '*' and '"', and not a role. */
int scene_check_name(const char *name, struct error *error);

/* Takes the card over (NULL: none), on errors too. `short_name` may be "". */
int scene_add_character(struct scene *scene, const char *name, const char *short_name,
                        const char *description, struct card *card, struct error *error);
/* The same in the place of another. */
int scene_replace_character(struct scene *scene, size_t index, const char *name,
                            const char *short_name, const char *description, struct card *card,
                            struct error *error);
void scene_remove_character(struct scene *scene, size_t index);
/* Adds the character of a card under the card's name. Takes the card over, on errors too. */
int scene_add_card(struct scene *scene, struct card *card, struct error *error);
/* A card for a character, made from what the scene says when it has none. The caller owns it. */
struct card *scene_character_card(const struct scene *scene, size_t index);

/* "" makes the user USER again. */
int scene_set_user(struct scene *scene, const char *name, struct error *error);
int scene_add_rule(struct scene *scene, const char *rule, struct error *error);
int scene_add_greeting(struct scene *scene, const char *text, struct error *error);

/* What a character's lines begin with: "Homer". */
const char *scene_speaker(const struct scene *scene, size_t index);
/* What the user is called in the talk: the name, or "You". */
const char *scene_user(const struct scene *scene);
/* "Homer:", what a reply begins with that shall be this character's; to be freed. */
char *scene_prefix(const struct scene *scene, size_t index);
/* "Jon:", the same for a line that the model shall write for the user. */
char *scene_user_prefix(const struct scene *scene);

/* First messages in all: first_message, when there is one, and the greetings. */
size_t scene_greeting_count(const struct scene *scene);

#endif
