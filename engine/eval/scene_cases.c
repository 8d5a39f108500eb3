#include "engine/eval/scene_cases.h"

#include <stdlib.h>

#include "engine/base/alloc.h"
#include "engine/eval/words.h"

#define SCENE_STREAM (UINT64_C(8) << 60)
#define LINE_STREAM  (UINT64_C(9) << 60)

static const char *const manners[] = {
    "a cheerful ferryman who speaks in short bursts.",
    "a solemn clockmaker who measures everything.",
    "a nervous inspector who apologises all the time.",
    "a grumpy gardener who talks to the roses.",
    "a retired captain who remembers every storm.",
    "a polite machine that reports numbers.",
    "a poet who rhymes without noticing.",
    "a clever cook who compares everything with soup.",
    "a brave knight who is afraid of mice.",
    "a librarian who whispers even when angry.",
    "a young wizard whose spells go wrong.",
    "a fortune teller who sees signs everywhere.",
};
static const char *const topics[] = {"the fog",         "the old map",     "the broken clock",
                                     "the silver coin", "the lost letter", "the strange lamp",
                                     "the red boat",    "the festival",    "the storm",
                                     "the missing cat", "the new bridge",  "the soup"};
static const char *const rooms[] = {"a quiet library", "a harbour inn",  "a castle hall",
                                    "a night train",   "a warm kitchen", "the top of a tower",
                                    "a busy market",   "a small theatre"};
static const char *const lines[] = {
    "Hello! What about %s?",
    "I have heard about %s. What do you think?",
    "*comes in* Sorry I'm late. Has anyone seen %s?",
    "What do you think of %s?",
    "*points at the door* Look, %s!",
    "Tell me about %s.",
    "And what shall we do about %s?",
};
#define PICK(random, list) list[eval_random_below(random, sizeof list / sizeof *list)]

static void add_characters(struct scene *scene, struct eval_world *world)
{
    uint32_t count = eval_random_between(&world->random, 2, 3);
    uint32_t first = eval_random_below(&world->random, sizeof manners / sizeof *manners);
    for (uint32_t i = 0; i < count; i++) {
        struct strbuf name = {0};
        const char *manner = manners[(first + 5 * i) % (sizeof manners / sizeof *manners)];
        eval_world_value(world, eval_random_chance(&world->random, 50) ? 'p' : 'W', &name);
        scene_add_character(scene, strbuf_text(&name), "", manner, NULL, NULL);
        strbuf_free(&name);
    }
}

struct scene *eval_scene_make(uint64_t seed, uint64_t index)
{
    struct eval_world world = eval_world_begin(seed, SCENE_STREAM + index);
    struct scene *scene = scene_create();
    struct strbuf user = {0};
    char *name = xasprintf("generated-%llu", (unsigned long long)index + 1);
    char *setting = xasprintf("Conversation will revolve around %s, in %s.",
                              PICK(&world.random, topics), PICK(&world.random, rooms));
    scene_put(&scene->name, name);
    scene_put(&scene->setting, setting);
    eval_world_value(&world, 'W', &user);
    scene_set_user(scene, strbuf_text(&user), NULL);
    add_characters(scene, &world);
    if (eval_random_chance(&world.random, 50))
        scene_put(&scene->opening, "Generate a single interaction between {{cast}} to start, with "
                                   "one sentence each.");
    strbuf_free(&user);
    free(setting);
    free(name);
    eval_world_free(&world);
    return scene;
}

/* The forms are a fixed list with one %s each. */
char *eval_scene_line(uint64_t seed, uint64_t index, uint64_t turn)
{
    struct eval_random random = eval_random_begin(seed, LINE_STREAM + (index << 8) + turn);
    const char *line = PICK(&random, lines), *topic = PICK(&random, topics);
    struct strbuf out = {0};
    for (; *line != '\0'; line++) {
        if (line[0] == '%' && line[1] == 's') {
            strbuf_puts(&out, topic);
            line++;
        } else {
            strbuf_putc(&out, *line);
        }
    }
    return strbuf_detach(&out);
}
