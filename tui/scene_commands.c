#include "tui/scene_commands.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/base/alloc.h"
#include "tui/overlay.h"
#include "tui/scene_shelf.h"
#include "tui/scene_talk.h"
#include "tui/suggest.h"
#include "tui/workspace.h"

/* --- choosing -------------------------------------------------------------------------------- */

static void free_shelf(void *user)
{
    scene_shelf_free(user);
    free(user);
}

static void choose(struct app *app, void *user, size_t index)
{
    const struct scene_shelf *shelf = user;
    scene_talk_play_name(workspace_chat(app_workspace(app)), shelf->items[index].name);
}

static void pick_scene(struct app *app)
{
    struct scene_shelf *shelf = xcalloc(1, sizeof *shelf);
    scene_shelf_read(shelf);
    struct picker_item *items = xcalloc(shelf->count + 1, sizeof *items);
    for (size_t i = 0; i < shelf->count; i++)
        items[i] =
            (struct picker_item){xstrdup(shelf->items[i].title), xstrdup(shelf->items[i].cast)};
    const struct picker picker = {.title = "Play a scene",
                                  .placeholder = "type to find one",
                                  .items = items,
                                  .count = shelf->count,
                                  .choose = choose,
                                  .free_user = free_shelf,
                                  .user = shelf};
    picker_open(app, &picker);
}

bool command_scene(struct app *app, struct pane *pane, const char *argument)
{
    if (argument[0] == '\0')
        pick_scene(app);
    else if (strcmp(argument, "none") == 0)
        scene_talk_play(pane_chat_of(pane), NULL);
    else
        scene_talk_play_name(pane_chat_of(pane), argument);
    return true;
}

/* --- going on -------------------------------------------------------------------------------- */

/* True when there is a scene and no reply runs; otherwise it has been told. */
static bool is_ready(struct pane_chat *pane)
{
    const struct chat *chat = pane->chat;
    if (chat->scene == NULL)
        pane_chat_say(pane, TRANSCRIPT_ERROR, "there is no scene here; /scene sets one");
    else if (chat_is_replying(chat))
        pane_chat_say(pane, TRANSCRIPT_ERROR, "a reply is running; Ctrl-C stops it");
    return chat->scene != NULL && !chat_is_replying(chat);
}

static bool choose_speaker(struct pane_chat *pane, const char *name)
{
    const struct scene *scene = pane->chat->scene;
    struct suggestion best = suggest_begin(name);
    for (size_t i = 0; i < scene->character_count; i++) {
        if (strcasecmp(scene->characters[i].name, name) == 0 ||
            strcasecmp(scene_speaker(scene, i), name) == 0) {
            pane->chat->speaker = (int)i;
            return true;
        }
        suggest_offer(&best, scene_speaker(scene, i));
    }
    pane_chat_say(pane, TRANSCRIPT_ERROR,
                  best.found != NULL ? "nobody is called %s; did you mean %s?"
                                     : "nobody is called %s",
                  name, best.found);
    return false;
}

bool command_next(struct app *app, struct pane *base, const char *argument)
{
    (void)app;
    struct pane_chat *pane = pane_chat_of(base);
    if (!is_ready(pane) || (argument[0] != '\0' && !choose_speaker(pane, argument)))
        return true;
    if (!scene_talk_go_on(pane))
        pane_chat_say(pane, TRANSCRIPT_NOTICE, "the scene has no opening: say something first");
    return true;
}

bool command_mine(struct app *app, struct pane *base, const char *argument)
{
    (void)app;
    (void)argument;
    struct pane_chat *pane = pane_chat_of(base);
    if (is_ready(pane))
        scene_talk_write_line(pane);
    return true;
}
