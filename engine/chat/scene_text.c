#include "engine/chat/scene_text.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "engine/base/utf8.h"

/* As the training texts had them, spelling included; enum scene_usual_rule has places of it. */
static const char *const usual_rules[] = {
    "be sure to use the manerisms and speaking style of the characters correctly",
    "surround character actions with asterisks",
    "always put quotes around words spoken by the characters",
    "use a new line for each character's actions or speech",
    "always prefix actions/speech with the character's name and colon",
    "only generate text and actions on behalf of {{chars}}, and never anyone else",
};
#define USUAL_RULES (sizeof usual_rules / sizeof usual_rules[0])

void scene_own_rules(struct scene *scene)
{
    bool own = scene->rule_count > 0;
    for (size_t i = 0; !own && i < USUAL_RULES; i++)
        scene_add_rule(scene, usual_rules[i], NULL);
}

bool scene_has_rule(const struct scene *scene, enum scene_usual_rule rule)
{
    bool found = scene->rule_count == 0;
    for (size_t i = 0; i < scene->rule_count && !found; i++)
        found = strcasecmp(scene->rules[i], usual_rules[rule]) == 0;
    return found;
}

/* --- expanding -------------------------------------------------------------------------------- */

/* "Yoda, Homer or Pip" */
static void put_names(const struct scene *scene, const char *last, struct strbuf *out)
{
    for (size_t i = 0; i < scene->character_count; i++) {
        bool final = i + 1 == scene->character_count;
        if (i > 0)
            strbuf_printf(out, "%s ", final ? last : ",");
        strbuf_puts(out, scene_speaker(scene, i));
    }
}

/* {{chars}} and {{cast}}, and plain line breaks. */
static void put_scene_macros(const struct scene *scene, const char *text, struct strbuf *out)
{
    static const struct {
        const char *macro, *last;
    } lists[] = {{"{{chars}}", " or"}, {"{{cast}}", " and"}};
    while (*text != '\0' && out->length <= MACRO_BYTES_MAX) {
        size_t plain = strcspn(text, "{\r"), taken = 1;
        strbuf_add(out, text, plain);
        text += plain;
        if (*text == '\0')
            return;
        if (*text == '\r') {
            strbuf_puts(out, text[1] == '\n' ? "" : "\n");
            text++;
            continue;
        }
        bool found = false;
        for (size_t i = 0; i < 2 && !found; i++)
            if (strncasecmp(text, lists[i].macro, strlen(lists[i].macro)) == 0) {
                put_names(scene, lists[i].last, out);
                taken = strlen(lists[i].macro);
                found = true;
            }
        if (!found)
            strbuf_putc(out, '{');
        text += taken;
    }
}

void scene_expand(const struct scene *scene, size_t character, const char *text,
                  const char *original, const struct macro_context *clock, struct strbuf *out)
{
    struct macro_context context = *clock;
    struct strbuf plain = {0};
    context.character = character < scene->character_count ? scene_speaker(scene, character) : NULL;
    context.user = scene_user(scene);
    context.original = original;
    put_scene_macros(scene, text, &plain);
    macro_expand(out, strbuf_text(&plain), &context);
    strbuf_free(&plain);
}

void scene_greeting(const struct scene *scene, size_t index, const struct macro_context *clock,
                    struct strbuf *out)
{
    bool first = scene->first_message[0] != '\0';
    if (index >= scene_greeting_count(scene))
        return;
    const char *text =
        first && index == 0 ? scene->first_message : scene->greetings[first ? index - 1 : index];
    scene_expand(scene, 0, text, "", clock, out);
}

void scene_opening(const struct scene *scene, const struct macro_context *clock, struct strbuf *out)
{
    scene_expand(scene, 0, scene->opening, "", clock, out);
}

/* --- examples --------------------------------------------------------------------------------- */

/* The next block of an mes_example from *at: its length, *begin where it begins; *at moves on. */
static bool next_example(const char **at, const char **begin, size_t *length)
{
    static const char mark[] = "<START>";
    while (**at != '\0') {
        const char *end = strcasestr(*at, mark);
        *begin = *at;
        *length = end != NULL ? (size_t)(end - *at) : strlen(*at);
        *at = end != NULL ? end + sizeof mark - 1 : *at + *length;
        while (*length > 0 && strchr(" \r\n\t", (*begin)[*length - 1]) != NULL)
            (*length)--;
        for (; *length > 0 && strchr(" \r\n\t", **begin) != NULL; (*begin)++)
            (*length)--;
        if (*length > 0)
            return true;
    }
    return false;
}

size_t scene_example_count(const struct scene *scene)
{
    size_t count = 0, length;
    for (size_t i = 0; i < scene->character_count; i++) {
        const struct card *card = scene->characters[i].card;
        const char *at = card != NULL ? card->fields[CARD_MES_EXAMPLE] : "", *begin;
        while (next_example(&at, &begin, &length))
            count++;
    }
    return count;
}

/* --- paragraphs ------------------------------------------------------------------------------- */

struct writer {
    const struct scene *scene;
    const struct scene_form *form;
    struct strbuf *out;
    size_t begin;
};

static void trim_end(struct strbuf *out, size_t begin)
{
    size_t length = out->length;
    while (length > begin && (out->data[length - 1] == '\n' || out->data[length - 1] == ' '))
        length--;
    strbuf_remove(out, length, out->length - length);
}

static void new_paragraph(struct writer *writer)
{
    trim_end(writer->out, writer->begin);
    if (writer->out->length > writer->begin)
        strbuf_puts(writer->out, "\n\n");
}

static void put_expanded(struct writer *writer, size_t character, const char *text)
{
    scene_expand(writer->scene, character, text, "", &writer->form->clock, writer->out);
}

/* On one line: whatever breaks lines or is a control character becomes a space. */
static void put_line(struct writer *writer, size_t character, const char *text)
{
    struct strbuf whole = {0};
    scene_expand(writer->scene, character, text, "", &writer->form->clock, &whole);
    for (size_t at = 0; at < whole.length;) {
        uint32_t code;
        char bytes[4];
        at += utf8_decode(whole.data + at, whole.length - at, &code);
        bool control =
            code < 0x20 || (code >= 0x7F && code < 0xA0) || code == 0x2028 || code == 0x2029;
        strbuf_add(writer->out, bytes, utf8_encode(control ? ' ' : code, bytes));
    }
    strbuf_free(&whole);
    trim_end(writer->out, writer->begin);
}

static void put_user_line(struct writer *writer)
{
    const struct scene *scene = writer->scene;
    const char *name = scene->user_name;
    strbuf_puts(writer->out, name[0] != '\0' ? "- USER/" : "- USER");
    strbuf_puts(writer->out, name);
    if (scene->user_persona[0] != '\0') {
        strbuf_puts(writer->out, ", ");
        put_line(writer, 0, scene->user_persona);
    }
    strbuf_printf(writer->out, " - don't generate any speech or actions on behalf of %s",
                  name[0] != '\0' ? name : "USER");
}

static void put_characters(struct writer *writer)
{
    const struct scene *scene = writer->scene;
    new_paragraph(writer);
    strbuf_puts(writer->out, "Characters:\n");
    for (size_t i = 0; i < scene->character_count; i++) {
        const struct scene_character *character = &scene->characters[i];
        strbuf_printf(writer->out, "- %s", character->name);
        if (character->description[0] != '\0') {
            strbuf_puts(writer->out, ", ");
            put_line(writer, i, character->description);
        }
        strbuf_putc(writer->out, '\n');
    }
    put_user_line(writer);
}

static void put_about(struct writer *writer, size_t index)
{
    static const struct {
        enum card_field field;
        const char *label;
    } fields[] = {
        {CARD_DESCRIPTION, ""}, {CARD_PERSONALITY, "Personality: "}, {CARD_SCENARIO, "Scenario: "}};
    const struct card *card = writer->scene->characters[index].card;
    bool begun = false;
    for (size_t i = 0; card != NULL && i < sizeof fields / sizeof fields[0]; i++) {
        const char *text = card->fields[fields[i].field];
        if (text[0] == '\0')
            continue;
        if (!begun) {
            new_paragraph(writer);
            strbuf_printf(writer->out, "About %s:", writer->scene->characters[index].name);
            begun = true;
        }
        trim_end(writer->out, writer->begin);
        strbuf_printf(writer->out, "\n%s", fields[i].label);
        put_expanded(writer, index, text);
    }
}

static void put_rules(struct writer *writer)
{
    const struct scene *scene = writer->scene;
    size_t count = scene->rule_count > 0 ? scene->rule_count : USUAL_RULES;
    new_paragraph(writer);
    strbuf_puts(writer->out, "Rules:");
    for (size_t i = 0; i < count; i++) {
        strbuf_puts(writer->out, "\n- ");
        put_line(writer, 0, scene->rule_count > 0 ? scene->rules[i] : usual_rules[i]);
    }
}

static void put_examples(struct writer *writer)
{
    const struct scene *scene = writer->scene;
    size_t all = scene_example_count(scene), skip = writer->form->skip_examples, length;
    size_t left = skip < all ? all - skip : 0;
    for (size_t i = 0; i < scene->character_count && left > 0; i++) {
        const struct card *card = scene->characters[i].card;
        const char *at = card != NULL ? card->fields[CARD_MES_EXAMPLE] : "", *begin;
        for (; left > 0 && next_example(&at, &begin, &length); left--) {
            struct strbuf block = {0};
            new_paragraph(writer);
            strbuf_printf(writer->out, "An example of how %s talks:\n", scene_speaker(scene, i));
            strbuf_add(&block, begin, length);
            put_expanded(writer, i, strbuf_text(&block));
            strbuf_free(&block);
        }
    }
}

/* Expanded already. */
static void put_lore(struct writer *writer, const char *text)
{
    if (text == NULL || text[0] == '\0')
        return;
    new_paragraph(writer);
    strbuf_puts(writer->out, text);
}

static void put_setting(struct writer *writer)
{
    if (writer->scene->setting[0] == '\0')
        return;
    new_paragraph(writer);
    put_expanded(writer, 0, writer->scene->setting);
}

void scene_text(const struct scene *scene, const struct scene_form *form, struct strbuf *out)
{
    struct writer writer = {scene, form, out, out->length};
    put_lore(&writer, form->before);
    put_characters(&writer);
    for (size_t i = 0; i < scene->character_count; i++)
        put_about(&writer, i);
    put_lore(&writer, form->after);
    put_rules(&writer);
    put_setting(&writer);
    put_examples(&writer);
    trim_end(out, writer.begin);
}
