#include "engine/chat/scene.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"
#include "engine/base/utf8.h"

/* --- life ------------------------------------------------------------------------------------- */

void scene_put(char **field, const char *text)
{
    char *copy = xstrdup(text);
    free(*field);
    *field = copy;
}

struct scene *scene_create(void)
{
    struct scene *scene = xcalloc(1, sizeof *scene);
    char **const texts[] = {&scene->name,    &scene->title,        &scene->description,
                            &scene->setting, &scene->user_name,    &scene->user_persona,
                            &scene->opening, &scene->first_message};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        scene_put(texts[i], "");
    return scene;
}

static void character_clear(struct scene_character *character)
{
    free(character->name);
    free(character->short_name);
    free(character->description);
    card_free(character->card);
}

static void list_free(char **list, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(list[i]);
    free(list);
}

void scene_free(struct scene *scene)
{
    if (scene == NULL)
        return;
    char *const texts[] = {scene->name,    scene->title,        scene->description,
                           scene->setting, scene->user_name,    scene->user_persona,
                           scene->opening, scene->first_message};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        free(texts[i]);
    for (size_t i = 0; i < scene->character_count; i++)
        character_clear(&scene->characters[i]);
    free(scene->characters);
    list_free(scene->rules, scene->rule_count);
    list_free(scene->greetings, scene->greeting_count);
    free(scene);
}

static char **list_copy(char *const *list, size_t count)
{
    char **copy = xcalloc(count, sizeof *copy);
    for (size_t i = 0; i < count; i++)
        copy[i] = xstrdup(list[i]);
    return copy;
}

struct scene *scene_copy(const struct scene *scene)
{
    struct scene *copy = xmalloc(sizeof *copy);
    *copy = *scene;
    char **const texts[] = {&copy->name,    &copy->title,        &copy->description,
                            &copy->setting, &copy->user_name,    &copy->user_persona,
                            &copy->opening, &copy->first_message};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        *texts[i] = xstrdup(*texts[i]);
    copy->rules = list_copy(scene->rules, scene->rule_count);
    copy->greetings = list_copy(scene->greetings, scene->greeting_count);
    copy->characters = xcalloc(scene->character_count, sizeof *copy->characters);
    for (size_t i = 0; i < scene->character_count; i++) {
        const struct scene_character *from = &scene->characters[i];
        copy->characters[i] = (struct scene_character){
            xstrdup(from->name), xstrdup(from->short_name), xstrdup(from->description),
            from->card != NULL ? card_copy(from->card) : NULL};
    }
    return copy;
}

/* --- names ------------------------------------------------------------------------------------ */

int scene_check_name(const char *name, struct error *error)
{
    static const char *const roles[] = {"USER", "ASSISTANT", "SYSTEM"};
    size_t length = strlen(name);
    if (length == 0 || length > SCENE_NAME_MAX || name[0] == ' ' || name[length - 1] == ' ')
        return error_set(error, ERROR_INPUT, "name: needs 1 to %d bytes and no space at its ends",
                         SCENE_NAME_MAX);
    for (size_t at = 0; at < length;) {
        uint32_t code;
        at += utf8_decode(name + at, length - at, &code);
        if (code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029 ||
            code == UTF8_REPLACEMENT || (code < 0x80 && strchr(":*\"", (int)code) != NULL))
            return error_set(error, ERROR_INPUT,
                             "name: is one line of text without ':', '*' and '\"'");
    }
    for (size_t i = 0; i < sizeof roles / sizeof roles[0]; i++)
        if (strcasecmp(name, roles[i]) == 0)
            return error_set(error, ERROR_INPUT, "name: %s is a role of the prompt", roles[i]);
    return 0;
}

static bool taken(const struct scene *scene, const char *name, size_t except)
{
    if (strcasecmp(name, scene->user_name) == 0)
        return true;
    for (size_t i = 0; i < scene->character_count; i++)
        if (i != except && (strcasecmp(name, scene->characters[i].name) == 0 ||
                            strcasecmp(name, scene_speaker(scene, i)) == 0))
            return true;
    return false;
}

int scene_set_user(struct scene *scene, const char *name, struct error *error)
{
    if (name[0] != '\0') {
        if (scene_check_name(name, error) != 0)
            return -1;
        for (size_t i = 0; i < scene->character_count; i++)
            if (strcasecmp(name, scene->characters[i].name) == 0 ||
                strcasecmp(name, scene_speaker(scene, i)) == 0)
                return error_set(error, ERROR_INPUT, "name: %s is a character of the scene", name);
    }
    scene_put(&scene->user_name, name);
    return 0;
}

const char *scene_speaker(const struct scene *scene, size_t index)
{
    const struct scene_character *character = &scene->characters[index];
    return character->short_name[0] != '\0' ? character->short_name : character->name;
}

const char *scene_user(const struct scene *scene)
{
    return scene->user_name[0] != '\0' ? scene->user_name : "You";
}

char *scene_prefix(const struct scene *scene, size_t index)
{
    return xasprintf("%s:", scene_speaker(scene, index));
}

char *scene_user_prefix(const struct scene *scene)
{
    return xasprintf("%s:", scene_user(scene));
}

/* --- characters ------------------------------------------------------------------------------- */

static int check_character(const struct scene *scene, size_t except, const char *name,
                           const char *short_name, const char *description, struct error *error)
{
    if (scene_check_name(name, error) != 0 ||
        (short_name[0] != '\0' && scene_check_name(short_name, error) != 0))
        return -1;
    if (strlen(description) > SCENE_LINE_MAX)
        return error_set(error, ERROR_INPUT, "%s: description: longer than %d bytes", name,
                         SCENE_LINE_MAX);
    if (taken(scene, name, except) || (short_name[0] != '\0' && taken(scene, short_name, except)))
        return error_set(error, ERROR_INPUT, "name: %s is taken in this scene", name);
    return 0;
}

int scene_add_character(struct scene *scene, const char *name, const char *short_name,
                        const char *description, struct card *card, struct error *error)
{
    int result = check_character(scene, SIZE_MAX, name, short_name, description, error);
    if (result == 0 && scene->character_count == SCENE_CHARACTERS_MAX)
        result = error_set(error, ERROR_INPUT, "more than %d characters", SCENE_CHARACTERS_MAX);
    if (result != 0) {
        card_free(card);
        return -1;
    }
    scene->characters =
        xreallocarray(scene->characters, scene->character_count + 1, sizeof *scene->characters);
    scene->characters[scene->character_count++] =
        (struct scene_character){xstrdup(name), xstrdup(short_name), xstrdup(description), card};
    return 0;
}

int scene_replace_character(struct scene *scene, size_t index, const char *name,
                            const char *short_name, const char *description, struct card *card,
                            struct error *error)
{
    if (index >= scene->character_count) {
        card_free(card);
        return error_set(error, ERROR_INPUT, "character %zu: there is none", index + 1);
    }
    if (check_character(scene, index, name, short_name, description, error) != 0) {
        card_free(card);
        return -1;
    }
    const struct scene_character old = scene->characters[index];
    scene->characters[index] =
        (struct scene_character){xstrdup(name), xstrdup(short_name), xstrdup(description), card};
    character_clear(&(struct scene_character){old.name, old.short_name, old.description, old.card});
    return 0;
}

void scene_remove_character(struct scene *scene, size_t index)
{
    if (index >= scene->character_count)
        return;
    character_clear(&scene->characters[index]);
    scene->character_count--;
    memmove(&scene->characters[index], &scene->characters[index + 1],
            (scene->character_count - index) * sizeof *scene->characters);
}

/* A card's name as a name of the scene: what is not allowed becomes a space. */
static char *clean_name(const char *name)
{
    struct strbuf out = {0};
    size_t length = strlen(name);
    for (size_t at = 0; at < length;) {
        uint32_t code;
        size_t bytes = utf8_decode(name + at, length - at, &code);
        bool bad = code < 0x21 || (code >= 0x7F && code < 0xA0) || code == 0x2028 ||
                   code == 0x2029 || code == UTF8_REPLACEMENT ||
                   (code < 0x80 && strchr(":*\"", (int)code) != NULL);
        if (!bad && out.length + bytes <= SCENE_NAME_MAX)
            strbuf_add(&out, name + at, bytes);
        else if (bad && out.length > 0 && out.data[out.length - 1] != ' ' &&
                 out.length < SCENE_NAME_MAX)
            strbuf_putc(&out, ' ');
        at += bytes;
    }
    if (out.length > 0 && out.data[out.length - 1] == ' ')
        strbuf_remove(&out, out.length - 1, 1);
    return out.length > 0 ? strbuf_detach(&out) : xstrdup("");
}

int scene_add_card(struct scene *scene, struct card *card, struct error *error)
{
    char *name = clean_name(card->fields[CARD_NAME]);
    int result = scene_add_character(scene, name, "", "", card, error);
    free(name);
    return result;
}

struct scene *scene_from_card(struct card *card, struct error *error)
{
    struct scene *scene = scene_create();
    if (scene_add_card(scene, card, error) != 0) {
        scene_free(scene);
        return NULL;
    }
    scene_put(&scene->title, scene->characters[0].name);
    scene_put(&scene->first_message, card->fields[CARD_FIRST_MES]);
    for (size_t i = 0; i < card->greeting_count; i++)
        scene_add_greeting(scene, card->greetings[i], NULL);
    return scene;
}

struct card *scene_character_card(const struct scene *scene, size_t index)
{
    const struct scene_character *character = &scene->characters[index];
    struct card *card =
        character->card != NULL ? card_copy(character->card) : card_create(character->name);
    if (card->fields[CARD_DESCRIPTION][0] == '\0')
        card_set(card, CARD_DESCRIPTION, character->description);
    return card;
}

/* --- rules and greetings ---------------------------------------------------------------------- */

static void list_add(char ***list, size_t *count, const char *text)
{
    *list = xreallocarray(*list, *count + 1, sizeof **list);
    (*list)[(*count)++] = xstrdup(text);
}

int scene_add_rule(struct scene *scene, const char *rule, struct error *error)
{
    if (scene->rule_count == SCENE_RULES_MAX || strlen(rule) > SCENE_LINE_MAX)
        return error_set(error, ERROR_INPUT, "rules: more than %d, or one over %d bytes",
                         SCENE_RULES_MAX, SCENE_LINE_MAX);
    list_add(&scene->rules, &scene->rule_count, rule);
    return 0;
}

int scene_add_greeting(struct scene *scene, const char *text, struct error *error)
{
    if (scene->greeting_count == CARD_GREETINGS_MAX || strlen(text) > SCENE_TEXT_MAX)
        return error_set(error, ERROR_INPUT, "greetings: more than %d, or one over 1 MiB",
                         CARD_GREETINGS_MAX);
    list_add(&scene->greetings, &scene->greeting_count, text);
    return 0;
}

size_t scene_greeting_count(const struct scene *scene)
{
    return scene->greeting_count + (scene->first_message[0] != '\0');
}
