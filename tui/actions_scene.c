/* What single keys do in the scene pane. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/card_file.h"
#include "engine/chat/scene_file.h"
#include "tui/actions.h"
#include "tui/home_path.h"
#include "tui/overlay.h"
#include "tui/pane_scene.h"
#include "tui/scene_edit.h"
#include "tui/scene_talk.h"
#include "tui/workspace.h"

static struct scene *scene_of(const struct pane_scene *pane)
{
    return pane_scene_chat(pane)->chat->scene;
}

static void flash(struct app *app, enum style style, const char *text)
{
    workspace_flash(app_workspace(app), style, "%s", text);
}

/* --- who speaks ------------------------------------------------------------------------------ */

/* True when the cursor is on somebody who can speak next. */
static bool choose_speaker(struct pane_scene *pane, const struct scene_row *row)
{
    if (row->spot != SPOT_CHARACTER && row->spot != SPOT_ANYONE)
        return false;
    pane_scene_chat(pane)->chat->speaker = row->spot == SPOT_ANYONE ? CHAT_ANYONE : (int)row->index;
    app_redraw(pane->app, true);
    return true;
}

static void go_on(struct app *app, struct pane_scene *pane)
{
    struct pane_chat *chat = pane_scene_chat(pane);
    if (chat_is_replying(chat->chat))
        flash(app, STYLE_NOTICE, "a reply is running");
    else if (!scene_talk_go_on(chat))
        flash(app, STYLE_NOTICE, "the scene has no opening: say something in the chat first");
}

static void edit(struct pane_scene *pane, const struct scene_row *row);

static void begin_own(struct pane_scene *pane)
{
    struct scene *scene = scene_create();
    scene_put(&scene->title, "A scene of my own");
    if (scene_talk_play(pane_scene_chat(pane), scene))
        flash(pane->app, STYLE_NOTICE, "a adds characters, e edits the line with the cursor");
}

ACTION(do_enter)
{
    struct pane_scene *scene = pane_scene_of(pane);
    struct scene_row row = pane_scene_row(scene);
    if (row.spot == SPOT_SHELF)
        scene_talk_play_name(pane_scene_chat(scene), scene->shelf.items[row.index].name);
    else if (row.spot == SPOT_NEW)
        begin_own(scene);
    else if (choose_speaker(scene, &row))
        go_on(app, scene);
    else
        edit(scene, &row);
    return true;
}

ACTION(do_choose)
{
    struct pane_scene *scene = pane_scene_of(pane);
    struct scene_row row = pane_scene_row(scene);
    choose_speaker(scene, &row);
    return true;
}

ACTION(do_anyone)
{
    const struct scene_row row = {.spot = SPOT_ANYONE};
    if (scene_of(pane_scene_of(pane)) != NULL)
        choose_speaker(pane_scene_of(pane), &row);
    return true;
}

ACTION(do_my_line)
{
    struct pane_chat *chat = pane_scene_chat(pane_scene_of(pane));
    if (chat->chat->scene != NULL && scene_talk_write_line(chat))
        workspace_set_focus(app_workspace(app), &chat->base);
    return true;
}

ACTION(do_greet)
{
    if (!scene_talk_greet(pane_scene_chat(pane_scene_of(pane))))
        flash(app, STYLE_NOTICE, "there is no other first message, or the talk has begun");
    return true;
}

/* --- editing --------------------------------------------------------------------------------- */

static void edit_character(struct pane_scene *pane, size_t index)
{
    const struct scene_character *character = &scene_of(pane)->characters[index];
    scene_edit_ask(pane, character->name, "who it is, in one line; r renames",
                   character->description, scene_set_description, index, false);
}

static void edit_greeting(struct pane_scene *pane, size_t index)
{
    const struct scene *scene = scene_of(pane);
    size_t own = scene->first_message[0] != '\0';
    scene_edit_ask(pane, "First message", "empty removes it",
                   index < own ? scene->first_message : scene->greetings[index - own],
                   scene_set_greeting, index, true);
}

static void edit(struct pane_scene *pane, const struct scene_row *row)
{
    const struct scene *scene = scene_of(pane);
    if (scene == NULL || pane->lore)
        return;
    if (row->spot == SPOT_TITLE)
        scene_edit_ask(pane, "Title", NULL, scene->title, scene_set_title, 0, false);
    else if (row->spot == SPOT_CHARACTER)
        edit_character(pane, row->index);
    else if (row->spot == SPOT_USER)
        scene_edit_ask(pane, "Your name", "what the characters call you", scene->user_name,
                       scene_set_name, 0, false);
    else if (row->spot == SPOT_PERSONA)
        scene_edit_ask(pane, "Who you are", "one line", scene->user_persona, scene_set_persona, 0,
                       false);
    else if (row->spot == SPOT_SETTING)
        scene_edit_ask(pane, "Setting", NULL, scene->setting, scene_set_setting, 0, true);
    else if (row->spot == SPOT_OPENING)
        scene_edit_ask(pane, "Opening", "an instruction that makes the model begin", scene->opening,
                       scene_set_opening, 0, true);
    else if (row->spot == SPOT_GREETING)
        edit_greeting(pane, row->index);
    else if (row->spot == SPOT_RULE)
        scene_edit_ask(pane, "Rule", "empty removes it", scene->rules[row->index], scene_set_rule,
                       row->index, false);
    else if (row->spot == SPOT_RULES)
        scene_edit_apply(pane, scene_write_rules, 0, "");
}

ACTION(do_edit)
{
    struct scene_row row = pane_scene_row(pane_scene_of(pane));
    edit(pane_scene_of(pane), &row);
    return true;
}

ACTION(do_rename)
{
    struct pane_scene *scene = pane_scene_of(pane);
    struct scene_row row = pane_scene_row(scene);
    if (row.spot == SPOT_CHARACTER)
        scene_edit_ask(scene, "Name", "what its lines begin with",
                       scene_of(scene)->characters[row.index].name, scene_rename, row.index, false);
    return true;
}

static void ask_character(struct pane_scene *pane)
{
    scene_edit_ask(pane, "New character", "NAME, who it is in one line", NULL, scene_new_character,
                   0, false);
}

ACTION(do_new)
{
    struct pane_scene *scene = pane_scene_of(pane);
    enum scene_spot spot = pane_scene_row(scene).spot;
    if (scene_of(scene) == NULL)
        begin_own(scene);
    else if (spot == SPOT_RULE || spot == SPOT_RULES)
        scene_edit_ask(scene, "New rule", NULL, NULL, scene_new_rule, 0, false);
    else
        ask_character(scene);
    return true;
}

static bool remove_character(struct pane_scene *pane, size_t index)
{
    struct chat *chat = pane_scene_chat(pane)->chat;
    int speaker = chat->speaker;
    if (!scene_edit_apply(pane, scene_drop_character, index, ""))
        return false;
    if (speaker == (int)index)
        chat->speaker = CHAT_ANYONE;
    else if (speaker > (int)index)
        chat->speaker = speaker - 1;
    return true;
}

ACTION(do_remove)
{
    struct pane_scene *scene = pane_scene_of(pane);
    struct scene_row row = pane_scene_row(scene);
    bool removed = false;
    if (row.spot == SPOT_CHARACTER)
        removed = remove_character(scene, row.index);
    else if (row.spot == SPOT_RULE)
        removed = scene_edit_apply(scene, scene_drop_rule, row.index, "");
    else if (row.spot == SPOT_GREETING)
        removed = scene_edit_apply(scene, scene_drop_greeting, row.index, "");
    if (removed)
        flash(app, STYLE_NOTICE, "removed · u brings it back");
    return true;
}

ACTION(do_undo)
{
    scene_edit_undo(pane_scene_of(pane));
    return true;
}

/* --- characters from files ------------------------------------------------------------------- */

static void ask_file(struct pane_scene *pane)
{
    scene_edit_ask(pane, "Add a character from a file", "a card (.json, .png) or an .ini", NULL,
                   scene_new_character_file, 0, false);
}

static void add_listed(struct pane_scene *pane, const struct scene_entry *entry)
{
    char *path =
        strchr(entry->path, '/') != NULL ? xstrdup(entry->path) : xasprintf("./%s", entry->path);
    scene_edit_apply(pane, scene_new_character_file, 0, path);
    free(path);
}

static void choose_character(struct app *app, void *user, size_t index)
{
    const struct scene_list *list = user;
    struct pane_scene *pane = pane_scene_of(workspace_find(app_workspace(app), "scene"));
    if (pane == NULL)
        return;
    if (index < list->count)
        add_listed(pane, &list->items[index]);
    else if (index == list->count)
        ask_character(pane);
    else
        ask_file(pane);
}

static void free_list(void *user)
{
    scene_list_free(user);
    free(user);
}

ACTION(do_add)
{
    struct scene_list *list;
    if (scene_of(pane_scene_of(pane)) == NULL)
        return do_new(app, pane, argument);
    list = xcalloc(1, sizeof *list);
    scene_list(SCENE_CHARACTERS, list);
    struct picker_item *items = xcalloc(list->count + 2, sizeof *items);
    for (size_t i = 0; i < list->count; i++)
        items[i] =
            (struct picker_item){xstrdup(list->items[i].title), xstrdup(list->items[i].name)};
    items[list->count] = (struct picker_item){xstrdup("new…"), xstrdup("name and one line")};
    items[list->count + 1] =
        (struct picker_item){xstrdup("from a file…"), xstrdup("JSON, PNG, INI")};
    const struct picker picker = {.title = "Add a character",
                                  .placeholder = "type to find one",
                                  .items = items,
                                  .count = list->count + 2,
                                  .choose = choose_character,
                                  .free_user = free_list,
                                  .user = list};
    picker_open(app, &picker);
    return true;
}

static void import_scene(struct app *app, void *user, const char *text)
{
    (void)user;
    struct pane_scene *pane = pane_scene_of(workspace_find(app_workspace(app), "scene"));
    char *file = strpbrk(text, "/~") != NULL ? xstrdup(text) : xasprintf("./%s", text);
    if (pane != NULL)
        scene_talk_play_name(pane_scene_chat(pane), file);
    free(file);
}

ACTION(do_import)
{
    const struct question question = {.title = "Play a card or a scene from a file",
                                      .hint = "JSON, PNG or INI",
                                      .answer = import_scene};
    if (scene_of(pane_scene_of(pane)) != NULL)
        ask_file(pane_scene_of(pane));
    else
        question_open(app, &question);
    return true;
}

/* --- to files -------------------------------------------------------------------------------- */

static void export_card(struct app *app, void *user, const char *text)
{
    const size_t *index = user;
    struct pane_scene *pane = pane_scene_of(workspace_find(app_workspace(app), "scene"));
    const struct scene *scene = pane != NULL ? scene_of(pane) : NULL;
    struct error error;
    if (scene == NULL || *index >= scene->character_count || text[0] == '\0')
        return;
    struct card *card = scene_character_card(scene, *index);
    char *path = home_path(text);
    size_t length = strlen(path);
    bool json = length > 5 && strcmp(path + length - 5, ".json") == 0;
    int result =
        json ? card_export_json(card, path, &error) : card_export_png(card, NULL, path, &error);
    if (result == 0)
        workspace_flash(app_workspace(app), STYLE_GOOD, "written: %s", path);
    else
        flash(app, STYLE_ERROR, error.message);
    free(path);
    card_free(card);
}

/* "old-bram.png": letters and digits of the name. */
static char *file_name(const char *name)
{
    struct strbuf out = {0};
    for (; *name != '\0'; name++) {
        bool letter = (*name >= 'a' && *name <= 'z') || (*name >= '0' && *name <= '9');
        bool capital = *name >= 'A' && *name <= 'Z';
        if (letter || capital)
            strbuf_putc(&out, capital ? (char)(*name - 'A' + 'a') : *name);
        else if (out.length > 0 && out.data[out.length - 1] != '-')
            strbuf_putc(&out, '-');
    }
    while (out.length > 0 && out.data[out.length - 1] == '-')
        strbuf_remove(&out, out.length - 1, 1);
    return out.length > 0 ? strbuf_detach(&out) : xstrdup("character");
}

ACTION(do_export)
{
    struct pane_scene *scene = pane_scene_of(pane);
    struct scene_row row = pane_scene_row(scene);
    if (row.spot != SPOT_CHARACTER) {
        flash(app, STYLE_NOTICE, "x writes the character with the cursor as a card");
        return true;
    }
    size_t *index = xcalloc(1, sizeof *index);
    *index = row.index;
    char *name = file_name(scene_of(scene)->characters[row.index].name);
    char *path = xasprintf("%s.png", name);
    const struct question question = {.title = "Write the character as a card",
                                      .hint = "a new file, .png or .json",
                                      .initial = path,
                                      .answer = export_card,
                                      .free_user = free,
                                      .user = index};
    question_open(app, &question);
    free(path);
    free(name);
    return true;
}

static void save(struct app *app, const char *name, bool replace)
{
    struct pane_scene *pane = pane_scene_of(workspace_find(app_workspace(app), "scene"));
    struct error error;
    if (pane == NULL || scene_of(pane) == NULL)
        return;
    if (scene_save(scene_of(pane), name, replace, &error) != 0) {
        flash(app, STYLE_ERROR, error.message);
        return;
    }
    workspace_flash(app_workspace(app), STYLE_GOOD, "saved: /scene %s plays it", name);
    chat_scene_changed(pane_scene_chat(pane)->chat);
    pane->undo_version = pane_scene_chat(pane)->chat->scene_version;
}

static void choose_replace(struct app *app, void *user, size_t index)
{
    if (index == 1)
        save(app, user, true);
}

static void ask_replace(struct app *app, const char *name)
{
    struct picker_item *items = xcalloc(2, sizeof *items);
    items[0].label = xstrdup("leave it");
    items[1].label = xstrdup("replace it");
    char *title = xasprintf("There is a scene %s already", name);
    const struct picker picker = {.title = title,
                                  .placeholder = "",
                                  .items = items,
                                  .count = 2,
                                  .choose = choose_replace,
                                  .free_user = free,
                                  .user = xstrdup(name)};
    picker_open(app, &picker);
    free(title);
}

static void answer_save(struct app *app, void *user, const char *text)
{
    (void)user;
    char *config = xdg_directory("config");
    char *path = xasprintf("%s/scenes/%s.json", config, text);
    if (strchr(text, '/') == NULL && file_exists(path))
        ask_replace(app, text);
    else
        save(app, text, false);
    free(path);
    free(config);
}

ACTION(do_save)
{
    const struct scene *scene = scene_of(pane_scene_of(pane));
    if (scene == NULL)
        return true;
    char *name = file_name(scene->name[0] != '\0' ? scene->name : scene->title);
    const struct question question = {.title = "Save the scene as",
                                      .hint = "letters, digits, '_' and '-'",
                                      .initial = name,
                                      .answer = answer_save};
    question_open(app, &question);
    free(name);
    return true;
}

/* --- lore ------------------------------------------------------------------------------------ */

static bool show_lore(struct pane_scene *pane, bool lore)
{
    pane->lore = lore && scene_of(pane) != NULL;
    pane->chat = NULL; /* the rows are of something else now */
    list_select(&pane->list, 0);
    app_redraw(pane->app, true);
    return true;
}

ACTION(do_lore)
{
    return show_lore(pane_scene_of(pane), !pane_scene_of(pane)->lore);
}

ACTION(do_back)
{
    struct pane_scene *scene = pane_scene_of(pane);
    if (scene->lore)
        return show_lore(scene, false);
    workspace_set_focus(app_workspace(app), &pane_scene_chat(scene)->base);
    return true;
}

const struct action actions_scene[] = {
    {"speak", NULL, NULL, "Enter", "speaks next, at once; elsewhere: edit, play", do_enter},
    {"speak-next", NULL, NULL, "Space", "speaks next", do_choose},
    {"anyone", NULL, NULL, "*", "anyone may speak next", do_anyone},
    {"my-line", NULL, NULL, "w", "write my line for me, to be edited", do_my_line},
    {"add-character", NULL, NULL, "a", "add a character", do_add},
    {"edit-line", NULL, NULL, "e", "edit the line with the cursor", do_edit},
    {"rename", NULL, NULL, "r", "rename the character", do_rename},
    {"new-line-of-scene", NULL, NULL, "n", "a new rule or character", do_new},
    {"remove", NULL, NULL, "d Delete", "remove the character, rule or first message", do_remove},
    {"take-back", NULL, NULL, "u", "take the last change back", do_undo},
    {"greeting", NULL, NULL, "g", "another first message, before the talk begins", do_greet},
    {"save-scene", NULL, NULL, "S", "save the scene under a name", do_save},
    {"export-card", NULL, NULL, "x", "write the character as a card", do_export},
    {"import-card", NULL, NULL, "i", "take a character from a card", do_import},
    {"lore", NULL, NULL, "l", "what the last prompt took of lorebooks, and why", do_lore},
    {"back", NULL, NULL, "Esc", "back to the chat", do_back},
    {NULL, NULL, NULL, "Up Down j k PageUp PageDown", "move", NULL},
    {0},
};
