#include "tui/scene_edit.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"
#include "engine/chat/scene_file.h"
#include "engine/chat/scene_text.h"
#include "tui/home_path.h"
#include "tui/overlay.h"
#include "tui/scene_talk.h"
#include "tui/workspace.h"

/* --- single changes -------------------------------------------------------------------------- */

#define CHANGE(function)                                                                           \
    int function(struct scene *scene, size_t index __attribute__((unused)),                        \
                 const char *text __attribute__((unused)),                                         \
                 struct error *error __attribute__((unused)))

/* The number of a thing that is not there (any more). */
static int gone(struct error *error)
{
    return error_set(error, ERROR_INPUT, "it is not there any more");
}

static int put(char **field, const char *what, const char *text, size_t most, struct error *error)
{
    if (strlen(text) > most)
        return error_set(error, ERROR_INPUT, "%s: longer than %zu bytes", what, most);
    scene_put(field, text);
    return 0;
}

CHANGE(scene_set_title)
{
    return put(&scene->title, "title", text, SCENE_LINE_MAX, error);
}

static int replace(struct scene *scene, size_t index, const char *name, const char *description,
                   struct error *error)
{
    const struct scene_character *old = &scene->characters[index];
    bool renamed = strcmp(name, old->name) != 0;
    char *short_name = xstrdup(renamed ? "" : old->short_name);
    char *old_name = xstrdup(name), *about = xstrdup(description);
    struct card *card = old->card != NULL ? card_copy(old->card) : NULL;
    int result = scene_replace_character(scene, index, old_name, short_name, about, card, error);
    free(short_name);
    free(old_name);
    free(about);
    return result;
}

CHANGE(scene_set_description)
{
    return index < scene->character_count
               ? replace(scene, index, scene->characters[index].name, text, error)
               : gone(error);
}

CHANGE(scene_rename)
{
    return index < scene->character_count
               ? replace(scene, index, text, scene->characters[index].description, error)
               : gone(error);
}

CHANGE(scene_set_name)
{
    return scene_set_user(scene, text, error);
}

CHANGE(scene_set_persona)
{
    return put(&scene->user_persona, "persona", text, SCENE_LINE_MAX, error);
}

CHANGE(scene_set_setting)
{
    return put(&scene->setting, "setting", text, SCENE_TEXT_MAX, error);
}

CHANGE(scene_set_opening)
{
    return put(&scene->opening, "opening", text, SCENE_TEXT_MAX, error);
}

/* Of all first messages, scene->first_message among them. */
static char **greeting_at(struct scene *scene, size_t index)
{
    size_t own = scene->first_message[0] != '\0';
    if (index < own)
        return &scene->first_message;
    return index - own < scene->greeting_count ? &scene->greetings[index - own] : NULL;
}

CHANGE(scene_drop_greeting)
{
    char **field = greeting_at(scene, index);
    if (field == NULL)
        return gone(error);
    if (field == &scene->first_message) {
        scene_put(field, "");
        return 0;
    }
    free(*field);
    size_t at = (size_t)(field - scene->greetings);
    scene->greeting_count--;
    memmove(field, field + 1, (scene->greeting_count - at) * sizeof *field);
    return 0;
}

CHANGE(scene_set_greeting)
{
    char **field = greeting_at(scene, index);
    if (text[0] == '\0')
        return scene_drop_greeting(scene, index, text, error);
    return field != NULL ? put(field, "first message", text, SCENE_TEXT_MAX, error) : gone(error);
}

CHANGE(scene_new_rule)
{
    if (text[0] == '\0')
        return error_set(error, ERROR_INPUT, "rule: it is empty");
    scene_own_rules(scene);
    return scene_add_rule(scene, text, error);
}

CHANGE(scene_drop_rule)
{
    if (index >= scene->rule_count)
        return gone(error);
    free(scene->rules[index]);
    scene->rule_count--;
    memmove(&scene->rules[index], &scene->rules[index + 1],
            (scene->rule_count - index) * sizeof *scene->rules);
    return 0;
}

CHANGE(scene_set_rule)
{
    if (index >= scene->rule_count)
        return gone(error);
    if (text[0] == '\0')
        return scene_drop_rule(scene, index, text, error);
    return put(&scene->rules[index], "rule", text, SCENE_LINE_MAX, error);
}

/* The usual rules as the scene's own, so that one of them can be changed. */
CHANGE(scene_write_rules)
{
    scene_own_rules(scene);
    return 0;
}

/* "NAME, who it is". */
CHANGE(scene_new_character)
{
    size_t length = strcspn(text, ",");
    const char *about = text + length + strspn(text + length, ", ");
    while (length > 0 && text[length - 1] == ' ')
        length--;
    char *name = xstrndup(text, length);
    int result = scene_add_character(scene, name, "", about, NULL, error);
    free(name);
    return result;
}

/* A name without a slash is a file here: the characters that are known by name are in the list. */
CHANGE(scene_new_character_file)
{
    char *path = home_path(text);
    char *file = strchr(path, '/') != NULL ? xstrdup(path) : xasprintf("./%s", path);
    int result = scene_add_file(scene, file, error);
    free(path);
    free(file);
    return result;
}

CHANGE(scene_drop_character)
{
    if (index >= scene->character_count)
        return gone(error);
    scene_remove_character(scene, index);
    return 0;
}

/* --- with a step back ------------------------------------------------------------------------ */

static void forget(struct pane_scene *pane)
{
    for (size_t i = 0; i < pane->undo_count; i++)
        scene_free(pane->undo[i]);
    pane->undo_count = 0;
}

static void keep(struct pane_scene *pane, struct scene *before, const struct chat *chat)
{
    if (pane->undo_chat != chat || pane->undo_version != chat->scene_version)
        forget(pane); /* of another scene, or changed by other means */
    if (pane->undo_count == SCENE_UNDO_MAX) {
        scene_free(pane->undo[0]);
        memmove(pane->undo, pane->undo + 1, (SCENE_UNDO_MAX - 1) * sizeof *pane->undo);
        pane->undo_count--;
    }
    pane->undo[pane->undo_count++] = before;
    pane->undo_chat = chat;
}

/* The first message that stands there says what the scene says now. */
static void show_changed(struct pane_chat *chat)
{
    struct chat *talk = chat->chat;
    size_t count = scene_greeting_count(talk->scene);
    if (talk->speaker >= (int)talk->scene->character_count)
        talk->speaker = CHAT_ANYONE;
    bool greets = chat_greets(talk);
    if (greets && count == 0)
        chat_take_back(talk, talk->conversation->tip);
    else if (greets || (talk->conversation->tip < 0 && count > 0))
        chat_greet(talk, talk->greeting < count ? talk->greeting : 0);
    chat_scene_changed(talk);
    if (greets || chat_greets(talk))
        scene_talk_show(chat);
    pane_chat_recount(chat);
}

static bool may_change(struct pane_scene *pane)
{
    const struct chat *chat = pane_scene_chat(pane)->chat;
    if (chat->scene != NULL && chat_is_replying(chat))
        workspace_flash(app_workspace(pane->app), STYLE_NOTICE,
                        "a reply is running; Ctrl-C in the chat stops it");
    return chat->scene != NULL && !chat_is_replying(chat);
}

bool scene_edit_apply(struct pane_scene *pane, scene_change *change, size_t index, const char *text)
{
    struct error error;
    if (!may_change(pane))
        return false;
    struct pane_chat *chat = pane_scene_chat(pane);
    struct scene *before = scene_copy(chat->chat->scene);
    if (change(chat->chat->scene, index, text, &error) != 0) {
        scene_free(before);
        workspace_flash(app_workspace(pane->app), STYLE_ERROR, "%s", error.message);
        return false;
    }
    keep(pane, before, chat->chat);
    show_changed(chat);
    pane->undo_version = chat->chat->scene_version;
    return true;
}

bool scene_edit_undo(struct pane_scene *pane)
{
    struct pane_chat *chat = pane_scene_chat(pane);
    if (!may_change(pane))
        return false;
    if (pane->undo_count == 0 || pane->undo_chat != chat->chat ||
        pane->undo_version != chat->chat->scene_version) {
        workspace_flash(app_workspace(pane->app), STYLE_NOTICE, "nothing to take back");
        return false;
    }
    scene_free(chat->chat->scene);
    chat->chat->scene = pane->undo[--pane->undo_count];
    show_changed(chat);
    pane->undo_version = chat->chat->scene_version;
    return true;
}

/* --- questions ------------------------------------------------------------------------------- */

struct asked {
    scene_change *change;
    size_t index;
    bool long_text;
};

/* Valid UTF-8, without spaces at the ends, and in one line where it must be. */
static char *clean(const char *text, bool long_text)
{
    struct strbuf out = {0};
    text += strspn(text, " ");
    size_t length = strlen(text);
    while (length > 0 && strchr(" \n", text[length - 1]) != NULL)
        length--;
    for (size_t at = 0; at < length;) {
        uint32_t code;
        char bytes[4];
        at += utf8_decode(text + at, length - at, &code);
        bool line_break = code == '\n' || code == '\r';
        if (line_break)
            code = long_text ? '\n' : ' ';
        strbuf_add(&out, bytes, utf8_encode(code, bytes));
    }
    return out.length > 0 ? strbuf_detach(&out) : xstrdup("");
}

static void answer(struct app *app, void *user, const char *text)
{
    const struct asked *asked = user;
    struct pane_scene *pane = pane_scene_of(workspace_find(app_workspace(app), "scene"));
    char *line = clean(text, asked->long_text);
    if (pane != NULL)
        scene_edit_apply(pane, asked->change, asked->index, line);
    free(line);
}

void scene_edit_ask(struct pane_scene *pane, const char *title, const char *hint,
                    const char *initial, scene_change *change, size_t index, bool long_text)
{
    struct asked *asked = xcalloc(1, sizeof *asked);
    *asked = (struct asked){change, index, long_text};
    const struct question question = {.title = title,
                                      .hint = hint,
                                      .initial = initial,
                                      .answer = answer,
                                      .free_user = free,
                                      .user = asked};
    question_open(pane->app, &question);
}
