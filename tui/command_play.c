/* airo play: the interface with a scene, or the list of scenes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tui/arguments.h"
#include "tui/chat_plain.h"
#include "tui/command_chat.h"
#include "tui/model_session.h"
#include "tui/scene_shelf.h"
#include "tui/scene_talk.h"

/* The name as it is typed, and below it what the scene says of itself. */
static void print_item(const struct scene_shelf_item *item, size_t columns)
{
    struct strbuf line = {0};
    strbuf_printf(&line, "%-*s  %s\n", (int)columns, item->name, item->title);
    if (item->description[0] != '\0')
        strbuf_printf(&line, "%*s  %s\n", (int)columns, "", item->description);
    strbuf_printf(&line, "%*s  with %s\n", (int)columns, "", item->cast);
    command_print(strbuf_text(&line), line.length);
    strbuf_free(&line);
}

static int list_scenes(void)
{
    struct scene_shelf shelf;
    size_t columns = 0;
    scene_shelf_read(&shelf);
    for (size_t i = 0; i < shelf.count; i++)
        if (strlen(shelf.items[i].name) > columns)
            columns = strlen(shelf.items[i].name);
    for (size_t i = 0; i < shelf.count; i++)
        print_item(&shelf.items[i], columns);
    if (shelf.count == 0)
        command_note("there are no scenes; a character card plays too: airo play ./CARD.png");
    scene_shelf_free(&shelf);
    return EXIT_OK;
}

/* Complains before the model is loaded, not after. */
static int check_scene(const char *name)
{
    struct error error = {0};
    struct scene *scene = scene_talk_open(name, &error);
    scene_free(scene);
    return scene != NULL ? EXIT_OK : command_failed(&error);
}

static int run(struct settings *settings, int argc, char **argv)
{
    bool plain = false;
    const struct option *option;
    const char *value;
    int at = 1;
    while ((option = arguments_next(argc, argv, &at, &value)) != NULL)
        plain |= strcmp(option->name, "plain") == 0;
    if (at == argc)
        return list_scenes();
    if (at + 1 < argc)
        return command_usage("play", "one scene, not %d", argc - at);
    struct error error = {0};
    int status = check_scene(argv[at]);
    if (status != EXIT_OK)
        return status;
    if (settings_take_model(settings, &error) != 0)
        return command_failed(&error);
    return plain ? chat_plain_run(settings, NULL, argv[at])
                 : chat_screen_run(settings, NULL, argv[at]);
}

const struct command command_play = {
    .name = "play",
    .synopsis = "play [-m MODEL] [--plain] [SCENE]",
    .summary = "play a scene, by name or from a file or character card; alone: list the scenes",
    .run = run,
};
