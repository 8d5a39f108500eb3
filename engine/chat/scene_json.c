#include "engine/chat/scene_json.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/json.h"

#define FORM "airo_scene"

/* The plain texts of a scene, by their names in the file. */
static const struct {
    const char *name;
    size_t offset;
} texts[] = {
    {"name", offsetof(struct scene, name)},
    {"title", offsetof(struct scene, title)},
    {"description", offsetof(struct scene, description)},
    {"setting", offsetof(struct scene, setting)},
    {"user_name", offsetof(struct scene, user_name)},
    {"user_persona", offsetof(struct scene, user_persona)},
    {"opening", offsetof(struct scene, opening)},
    {"first_message", offsetof(struct scene, first_message)},
};
#define TEXTS (sizeof texts / sizeof texts[0])

static char **scene_field(const struct scene *scene, size_t i)
{
    return (char **)(uintptr_t)((const char *)scene + texts[i].offset);
}

/* --- writing ---------------------------------------------------------------------------------- */

/* What is not UTF-8 (nothing that was read from a file) is left empty. */
static json_t *json_text(const char *text)
{
    json_t *value = json_string(text);
    return value != NULL ? value : json_string("");
}

static json_t *json_list(char *const *list, size_t count)
{
    json_t *out = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(out, json_text(list[i]));
    return out;
}

static json_t *json_characters(const struct scene *scene)
{
    json_t *out = json_array();
    for (size_t i = 0; i < scene->character_count; i++) {
        const struct scene_character *from = &scene->characters[i];
        json_t *object = json_object();
        json_object_set_new(object, "name", json_text(from->name));
        json_object_set_new(object, "short_name", json_text(from->short_name));
        json_object_set_new(object, "description", json_text(from->description));
        if (from->card != NULL)
            json_object_set_new(object, "card", card_json(from->card, 0));
        json_array_append_new(out, object);
    }
    return out;
}

void scene_write(const struct scene *scene, struct strbuf *out)
{
    json_t *root = json_object();
    json_object_set_new(root, FORM, json_integer(1));
    for (size_t i = 0; i < TEXTS; i++)
        json_object_set_new(root, texts[i].name, json_text(*scene_field(scene, i)));
    json_object_set_new(root, "characters", json_characters(scene));
    json_object_set_new(root, "rules", json_list(scene->rules, scene->rule_count));
    json_object_set_new(root, "greetings", json_list(scene->greetings, scene->greeting_count));
    char *text = json_dumps(root, JSON_INDENT(2));
    if (text != NULL)
        strbuf_puts(out, text);
    strbuf_putc(out, '\n');
    free(text);
    json_decref(root);
}

/* --- reading ---------------------------------------------------------------------------------- */

struct reader {
    struct scene *scene;
    const char *source;
    struct error *error;
};

static int wrong(const struct reader *reader, const char *field)
{
    return error_set(reader->error, ERROR_INPUT, "%s: %s: missing, of the wrong type or too long",
                     reader->source, field);
}

static int read_texts(struct reader *reader, const json_t *root)
{
    for (size_t i = 0; i < TEXTS; i++) {
        const json_t *value = json_object_get(root, texts[i].name);
        if (!json_is_string(value) || json_string_length(value) > SCENE_TEXT_MAX)
            return wrong(reader, texts[i].name);
        scene_put(scene_field(reader->scene, i), json_string_value(value));
    }
    if (reader->scene->user_name[0] != '\0' &&
        scene_check_name(reader->scene->user_name, reader->error) != 0)
        return error_prefix(reader->error, "%s: user_name", reader->source);
    return 0;
}

static int read_character(struct reader *reader, const json_t *object)
{
    const char *name = json_string_value(json_object_get(object, "name"));
    const char *short_name = json_string_value(json_object_get(object, "short_name"));
    const char *description = json_string_value(json_object_get(object, "description"));
    json_t *root = json_object_get(object, "card");
    struct card *card = NULL;
    if (name == NULL || short_name == NULL || description == NULL)
        return wrong(reader, "characters");
    if (root != NULL &&
        (card = card_from_json(json_incref(root), reader->source, reader->error)) == NULL)
        return -1;
    if (scene_add_character(reader->scene, name, short_name, description, card, reader->error) == 0)
        return 0;
    return error_prefix(reader->error, "%s: characters", reader->source);
}

typedef int (*add_text)(struct scene *scene, const char *text, struct error *error);

static int read_list(struct reader *reader, const json_t *root, const char *field, add_text add)
{
    const json_t *list = json_object_get(root, field);
    if (!json_is_array(list))
        return wrong(reader, field);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *text = json_string_value(json_array_get(list, i));
        if (text == NULL)
            return wrong(reader, field);
        if (add(reader->scene, text, reader->error) != 0)
            return error_prefix(reader->error, "%s", reader->source);
    }
    return 0;
}

static int read_scene(struct reader *reader, const json_t *root)
{
    const json_t *list = json_object_get(root, "characters");
    const json_t *form = json_object_get(root, FORM);
    if (!json_is_integer(form) || json_integer_value(form) != 1)
        return wrong(reader, FORM);
    if (read_texts(reader, root) != 0)
        return -1;
    if (!json_is_array(list))
        return wrong(reader, "characters");
    for (size_t i = 0; i < json_array_size(list); i++)
        if (read_character(reader, json_array_get(list, i)) != 0)
            return -1;
    if (read_list(reader, root, "rules", scene_add_rule) != 0)
        return -1;
    return read_list(reader, root, "greetings", scene_add_greeting);
}

struct scene *scene_parse(const char *text, size_t length, const char *source, struct error *error)
{
    struct reader reader = {NULL, source, error};
    json_t *root = json_parse(text, length, source, error);
    if (root == NULL)
        return NULL;
    reader.scene = scene_create();
    int result = read_scene(&reader, root);
    json_decref(root);
    if (result == 0)
        return reader.scene;
    scene_free(reader.scene);
    return NULL;
}

bool scene_json_is(const char *text, size_t length)
{
    /* json_dumps keeps the order of insertion: the form stands first. */
    size_t head = length < 64 ? length : 64;
    return memmem(text, head, "\"" FORM "\"", sizeof FORM + 1) != NULL;
}
