#include "tui/scene_shelf.h"

#include <stdlib.h>

#include "engine/base/alloc.h"
#include "engine/chat/scene_file.h"

static char *cast_of(const struct scene *scene)
{
    struct strbuf cast = {0};
    for (size_t i = 0; i < scene->character_count; i++)
        strbuf_printf(&cast, "%s%s", i > 0 ? ", " : "", scene->characters[i].name);
    strbuf_puts(&cast, "");
    char *text = xstrdup(strbuf_text(&cast));
    strbuf_free(&cast);
    return text;
}

static void add(struct scene_shelf *shelf, const struct scene_entry *entry)
{
    struct scene *scene = scene_open(entry->path, NULL);
    if (scene == NULL)
        return;
    shelf->items = xreallocarray(shelf->items, shelf->count + 1, sizeof *shelf->items);
    shelf->items[shelf->count++] = (struct scene_shelf_item){
        xstrdup(entry->name), xstrdup(scene->title), xstrdup(scene->description), cast_of(scene)};
    scene_free(scene);
}

void scene_shelf_read(struct scene_shelf *shelf)
{
    struct scene_list list;
    *shelf = (struct scene_shelf){0};
    scene_list(SCENE_SCENES, &list);
    for (size_t i = 0; i < list.count; i++)
        add(shelf, &list.items[i]);
    scene_list_free(&list);
}

void scene_shelf_free(struct scene_shelf *shelf)
{
    for (size_t i = 0; i < shelf->count; i++) {
        free(shelf->items[i].name);
        free(shelf->items[i].title);
        free(shelf->items[i].description);
        free(shelf->items[i].cast);
    }
    free(shelf->items);
    *shelf = (struct scene_shelf){0};
}

char *scene_shelf_name(unsigned index)
{
    struct scene_list list;
    scene_list(SCENE_SCENES, &list);
    char *name = index < list.count ? xstrdup(list.items[index].name) : NULL;
    scene_list_free(&list);
    return name;
}
