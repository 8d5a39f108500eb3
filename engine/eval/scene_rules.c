#include "engine/eval/scene_rules.h"

#include <string.h>

#include "engine/chat/scene_speech.h"

const char *scene_rule_name(enum scene_rule rule)
{
    static const char *const names[SCENE_RULES] = {"says something", "names", "no strangers",
                                                   "not the user", "quotes"};
    return names[rule];
}

static bool is_blank(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (strchr(" \t\r\n", text[i]) == NULL)
            return false;
    return true;
}

/* Whether anything stands outside quotes and asterisks, from `begin` on; `speech` and `action` are
 * set by what is found. */
static bool has_plain(const char *line, size_t length, size_t begin, bool *speech, bool *action)
{
    struct scene_span span = {.end = begin};
    bool plain = false;
    while (scene_next_span(line, length, &span)) {
        *speech |= span.kind == SPAN_SPEECH;
        *action |= span.kind == SPAN_ACTION;
        plain |= span.kind == SPAN_PLAIN && !is_blank(line + span.begin, span.end - span.begin);
    }
    return plain;
}

static unsigned check_line(const struct scene *scene, const char *line, size_t length)
{
    struct scene_line parsed;
    bool speech = false, action = false;
    scene_parse_line(scene, line, length, &parsed);
    if (parsed.speaker == SCENE_USER)
        return 1u << SCENE_RULE_USER;
    if (parsed.speaker == SCENE_STRANGER)
        return 1u << SCENE_RULE_STRANGERS;
    bool named = parsed.speaker >= 0;
    bool plain = has_plain(line, length, named ? parsed.text_begin : 0, &speech, &action);
    unsigned broken = plain ? 1u << SCENE_RULE_QUOTES : 0;
    if (!named && (plain || speech))
        broken |= 1u << SCENE_RULE_NAMES;
    if (named && !speech && !action)
        broken |= 1u << SCENE_RULE_QUOTES;
    return broken;
}

/* The interface ends a reply where the watch says that a stranger or the user begins. */
static unsigned check_watch(const struct scene *scene, const char *reply, size_t length)
{
    struct scene_watch watch = {.scene = scene};
    size_t offset;
    bool found =
        scene_watch_push(&watch, reply, length, &offset) || scene_watch_finish(&watch, &offset);
    scene_watch_free(&watch);
    if (!found)
        return 0;
    struct scene_line parsed;
    const char *end = memchr(reply + offset, '\n', length - offset);
    size_t line = end != NULL ? (size_t)(end - reply) - offset : length - offset;
    scene_parse_line(scene, reply + offset, line, &parsed);
    return 1u << (parsed.speaker == SCENE_USER ? SCENE_RULE_USER : SCENE_RULE_STRANGERS);
}

unsigned scene_rules_broken(const struct scene *scene, const char *reply, size_t length)
{
    unsigned broken = check_watch(scene, reply, length);
    if (is_blank(reply, length))
        broken |= 1u << SCENE_RULE_WORDS;
    for (size_t at = 0; at < length;) {
        const char *end = memchr(reply + at, '\n', length - at);
        size_t line = end != NULL ? (size_t)(end - reply) - at : length - at;
        if (!is_blank(reply + at, line))
            broken |= check_line(scene, reply + at, line);
        at += line + 1;
    }
    return broken;
}
