/* Tests that content cannot forge structure: every marker and special spelling in every place that
 * content has in a prompt, under every template. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/chat/prompt.h"

static const char *const templates[] = {"airoboros",    "vicuna-1.1", "alpaca",
                                        "llama-2-chat", "chatml",     "plain"};
#define TEMPLATES (sizeof templates / sizeof templates[0])

static struct chat_template *open_template(const char *name)
{
    struct chat_template *template;
    struct error error = {0};
    if (chat_template_open(&template, name, &error) != 0)
        fail_msg("%s", error.message);
    return template;
}

enum slot {
    SLOT_SYSTEM,
    SLOT_QUESTION,
    SLOT_DOCUMENT,
    SLOT_DOCUMENT_NAME,
    SLOT_KEY,
    SLOT_VALUE,
    SLOT_HISTORY,
    SLOT_OLD_DOCUMENT,
    SLOT_PINNED_DOCUMENT,
    SLOT_REPLY,
    SLOT_SPEAKER,
    SLOT_NAME,
    SLOT_SHORT_NAME,
    SLOT_DESCRIPTION,
    SLOT_RULE,
    SLOT_SETTING,
    SLOT_USER_NAME,
    SLOT_USER_PERSONA,
    SLOT_OWN_LORE,
    SLOT_LORE,
    SLOT_LORE_AFTER,
    SLOT_CARD, /* and the fields after CARD_NAME */
    SLOTS = SLOT_CARD + CARD_FIELDS - 1
};

/* Set directly, past the checks of names: even what could not get there must be harmless. */
static struct scene *scene_of(const char *const *texts)
{
    static const char card[] = "{\"name\":\"calm\",\"character_book\":{\"entries\":[{\"constant\":"
                               "true},{\"constant\":true,\"position\":\"after_char\"}]}}";
    struct scene *scene = scene_from_card(card_parse(card, strlen(card), "card", NULL), NULL);
    struct scene_character *character = &scene->characters[0];
    scene_add_rule(scene, texts[SLOT_RULE], NULL);
    scene_add_rule(scene, "only {{chars}} and {{user}}", NULL);
    scene_put(&character->name, texts[SLOT_NAME]);
    scene_put(&character->short_name, texts[SLOT_SHORT_NAME]);
    scene_put(&character->description, texts[SLOT_DESCRIPTION]);
    scene_put(&scene->setting, texts[SLOT_SETTING]);
    scene_put(&scene->user_name, texts[SLOT_USER_NAME]);
    scene_put(&scene->user_persona, texts[SLOT_USER_PERSONA]);
    for (int i = CARD_DESCRIPTION; i < CARD_FIELDS; i++)
        card_set(character->card, (enum card_field)i, texts[SLOT_CARD + i - CARD_DESCRIPTION]);
    scene_put(&character->card->book->entries[0].content, texts[SLOT_LORE]);
    scene_put(&character->card->book->entries[1].content, texts[SLOT_LORE_AFTER]);
    return scene;
}

static struct conversation *chat_of(const char *const *texts)
{
    struct conversation *chat = conversation_create();
    struct message *gone = conversation_add(chat, -1, ROLE_USER, "gone", 4);
    document_add_text(&gone->documents, "gone", texts[SLOT_PINNED_DOCUMENT],
                      strlen(texts[SLOT_PINNED_DOCUMENT]));
    struct message *user = conversation_add(chat, chat->tip, ROLE_USER, texts[SLOT_HISTORY],
                                            strlen(texts[SLOT_HISTORY]));
    document_add_text(&user->documents, "old", texts[SLOT_OLD_DOCUMENT],
                      strlen(texts[SLOT_OLD_DOCUMENT]));
    conversation_add(chat, chat->tip, ROLE_ASSISTANT, texts[SLOT_REPLY], strlen(texts[SLOT_REPLY]));
    return chat;
}

/* What of a prompt is compared. */
struct outcome {
    char *text;
    size_t specials;
};

/* Special segments carry id -1 here, so whatever special id comes out of the tokenizer is forged.
 */
static size_t count_specials(const struct segment_list *list, const struct tokenizer *tokenizer,
                             const char *hostile)
{
    struct token_list ids = {0};
    size_t count = 0;
    for (size_t i = 0; i < list->count; i++)
        count += list->items[i].kind == SEGMENT_SPECIAL;
    segment_tokenize(list, tokenizer, &ids, NULL);
    for (size_t i = 0; i < ids.count; i++)
        if (ids.ids[i] >= 0 && tokenizer_is_special(tokenizer, ids.ids[i]))
            fail_msg("\"%s\" forged the special id %d", hostile, (int)ids.ids[i]);
    token_list_free(&ids);
    return count;
}

/* The prompt with `hostile` in one slot and "calm" in all others. */
static struct outcome prompt_with(const struct chat_template *template,
                                  const struct tokenizer *tokenizer, int slot, const char *hostile)
{
    const char *texts[SLOTS];
    for (int i = 0; i < SLOTS; i++)
        texts[i] = i == slot ? hostile : "calm";
    const char *const lore[] = {texts[SLOT_OWN_LORE], NULL};
    struct scene *scene = scene_of(texts);
    struct conversation *chat = chat_of(texts);
    struct document_list documents = {0};
    const struct prompt_style style = {.system = texts[SLOT_SYSTEM],
                                       .ask_source = true,
                                       .no_making_up = true,
                                       .scene = scene,
                                       .own_system = slot == SLOT_SYSTEM,
                                       .skip_turns = 1,
                                       .lore = lore,
                                       .prefix = texts[SLOT_SPEAKER]};
    document_add_text(&documents, texts[SLOT_DOCUMENT_NAME], texts[SLOT_DOCUMENT],
                      strlen(texts[SLOT_DOCUMENT]));
    /* A key or value with a line break is refused; what is accepted must be harmless. */
    if (document_set_pair(&documents.items[0], texts[SLOT_KEY], texts[SLOT_VALUE], NULL) != 0)
        document_set_pair(&documents.items[0], "calm", "calm", NULL);
    struct segment_list list = {0};
    struct strbuf text = {0};
    assert_int_equal(prompt_build(&list, template, NULL, chat, texts[SLOT_QUESTION], &documents,
                                  &style, NULL, NULL),
                     0);
    segment_text(&list, NULL, &text);
    const struct outcome outcome = {strbuf_detach(&text),
                                    count_specials(&list, tokenizer, hostile)};
    segment_list_free(&list);
    document_list_free(&documents);
    conversation_free(chat);
    scene_free(scene);
    return outcome;
}

static size_t occurrences(const char *text, const char *needle)
{
    size_t count = 0;
    for (; (text = strstr(text, needle)) != NULL; text++)
        count++;
    return count;
}

/* Whether what stands in the slot comes into the prompt: so that no slot is tested in vain. */
static bool is_visible(int slot, const char *hostile)
{
    static const int hidden[] = {CARD_FIRST_MES, CARD_CREATOR_NOTES, CARD_CREATOR, CARD_VERSION};
    if (slot == SLOT_KEY || slot == SLOT_VALUE)
        return strpbrk(hostile, "\r\n:") == NULL && strstr(hostile, "\u2028") == NULL &&
               hostile[0] != ' ';
    for (size_t i = 0; i < sizeof hidden / sizeof hidden[0]; i++)
        if (slot == SLOT_CARD + hidden[i] - CARD_DESCRIPTION)
            return false;
    return slot != SLOT_DOCUMENT_NAME;
}

/* The hostile prompt has each marker exactly as often as the calm one, and as many specials. */
static void compare(const struct chat_template *template, const struct tokenizer *tokenizer,
                    int slot, const char *hostile, const struct outcome *calm)
{
    struct outcome forged = prompt_with(template, tokenizer, slot, hostile);
    const char *const *marker = chat_template_markers(template);
    if (is_visible(slot, hostile))
        assert_string_not_equal(calm->text, forged.text);
    for (; *marker != NULL; marker++)
        if (occurrences(calm->text, *marker) != occurrences(forged.text, *marker))
            fail_msg("template %s, slot %d: %s forged by \"%s\" in\n%s",
                     chat_template_name(template), slot, *marker, hostile, forged.text);
    assert_int_equal(calm->specials, forged.specials);
    free(forged.text);
}

/* '%' stands for the marker, '1' and '2' for its first byte and the rest of it. */
static char *hostile_text(const char *form, const char *marker)
{
    struct strbuf out = {0};
    for (; *form != '\0'; form++) {
        if (*form == '%')
            strbuf_puts(&out, marker);
        else if (*form == '1')
            strbuf_putc(&out, marker[0]);
        else if (*form == '2')
            strbuf_puts(&out, marker + 1);
        else
            strbuf_putc(&out, *form);
    }
    return strbuf_detach(&out);
}

static const char *const forms[] = {
    "%",       "a\n%\nb", "a\r\n%\r\nb", "  %  ",        "a % b",    "x%y",           "%%%",
    "\u2028%", "%\n%",    "</s>%",       "a\n% evil\n%", "1{{//}}2", "1{{random:2}}",
};

static struct tokenizer *open_tokenizer(void)
{
    struct tokenizer *tokenizer;
    struct error error = {0};
    if (tokenizer_open(&tokenizer, "models/vaquita", 4096, &error) != 0)
        fail_msg("%s", error.message);
    return tokenizer;
}

typedef void (*each_prompt)(const struct chat_template *template, const struct tokenizer *tokenizer,
                            int slot, const struct outcome *calm);

/* Every template and slot, with the calm prompt of it. */
static void every_slot(each_prompt try)
{
    struct tokenizer *tokenizer = open_tokenizer();
    for (size_t t = 0; t < TEMPLATES; t++) {
        struct chat_template *template = open_template(templates[t]);
        for (int slot = 0; slot < SLOTS; slot++) {
            struct outcome calm = prompt_with(template, tokenizer, slot, "calm");
            try(template, tokenizer, slot, &calm);
            free(calm.text);
        }
        chat_template_close(template);
    }
    tokenizer_close(tokenizer);
}

static void try_markers(const struct chat_template *template, const struct tokenizer *tokenizer,
                        int slot, const struct outcome *calm)
{
    const char *const *marker = chat_template_markers(template);
    for (; *marker != NULL; marker++)
        for (size_t f = 0; f < sizeof forms / sizeof forms[0]; f++) {
            char *hostile = hostile_text(forms[f], *marker);
            compare(template, tokenizer, slot, hostile, calm);
            free(hostile);
        }
}

static void no_marker_can_be_forged(void **state)
{
    (void)state;
    every_slot(try_markers);
}

static void try_spellings(const struct chat_template *template, const struct tokenizer *tokenizer,
                          int slot, const struct outcome *calm)
{
    static const char *const spellings[] = {"<s>",    "</s>",       "<unk>",     "<pad>",
                                            "[INST]", "[/INST]",    "<<SYS>>",   "<|im_start|>",
                                            "<0x0A>", "<|im_end|>", "\u2581</s>"};
    for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++)
        compare(template, tokenizer, slot, spellings[i], calm);
}

static void no_special_token_can_be_forged(void **state)
{
    (void)state;
    every_slot(try_spellings);
}

/* A name or key is harmless alone and a marker together with its colon. */
static void try_roles(const struct chat_template *template, const struct tokenizer *tokenizer,
                      int slot, const struct outcome *calm)
{
    compare(template, tokenizer, slot, "USER", calm);
    compare(template, tokenizer, slot, "ASSISTANT", calm);
}

static void a_name_cannot_become_a_role(void **state)
{
    (void)state;
    every_slot(try_roles);
}

/* The calm prompt has what the others are compared with: three documents, an instruction each. */
static void the_number_of_blocks_is_right(void **state)
{
    (void)state;
    struct tokenizer *tokenizer = open_tokenizer();
    for (size_t t = 0; t < TEMPLATES; t++) {
        struct chat_template *template = open_template(templates[t]);
        struct outcome calm = prompt_with(template, tokenizer, SLOTS, "");
        assert_int_equal(occurrences(calm.text, "BEGININPUT\nBEGINCONTEXT\n"), 3);
        assert_int_equal(occurrences(calm.text, "ENDCONTEXT\ncalm\nENDINPUT\n"), 3);
        assert_int_equal(occurrences(calm.text, "BEGININSTRUCTION\n"), 2);
        assert_int_equal(occurrences(calm.text, "\nENDINSTRUCTION"), 2);
        free(calm.text);
        chat_template_close(template);
    }
    tokenizer_close(tokenizer);
}

int main(void)
{
    setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_number_of_blocks_is_right),
        cmocka_unit_test(no_marker_can_be_forged),
        cmocka_unit_test(no_special_token_can_be_forged),
        cmocka_unit_test(a_name_cannot_become_a_role),
    };
    return cmocka_run_group_tests_name("forgery", tests, NULL, NULL);
}
