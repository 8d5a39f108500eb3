#include "engine/chat/prompt_scene.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"

/* --- lore ------------------------------------------------------------------------------------- */

static size_t count_tokens(void *user, const char *text, size_t length)
{
    const struct tokenizer *tokenizer = user;
    struct token_list ids = {0};
    if (tokenizer == NULL)
        return (length + 3) / 4;
    tokenizer_encode(tokenizer, text, length, false, &ids);
    size_t count = ids.count;
    token_list_free(&ids);
    return count;
}

static void note_hit(struct prompt_notes *notes, const char *character, const struct lorebook *book,
                     const struct lore_hit *hit)
{
    static const char *const reasons[] = {
        [LORE_OVER_BUDGET] = "the book's token budget is used up",
        [LORE_LOST_PARENT] = "the entry that called it had no room",
        [LORE_UNREADABLE] = "its keys are regular expressions, which are not read",
        [LORE_UNSCANNED] = "the book has too many keys for messages of this length",
    };
    const struct lore_entry *entry = &book->entries[hit->entry];
    const char *parent = hit->message == LORE_RECURSION ? book->entries[hit->parent].name : "";
    prompt_note_lore(notes,
                     &(struct prompt_lore){xstrdup(character), xstrdup(entry->name),
                                           xstrdup(hit->key != NULL ? hit->key : ""), hit->message,
                                           xstrdup(parent), hit->state, hit->tokens});
    if (hit->state != LORE_FIRED)
        prompt_note_left_out(notes, xasprintf("lore \"%s\" of %s, %zu tokens: %s", entry->name,
                                              character, hit->tokens, reasons[hit->state]));
}

struct lore_texts {
    struct strbuf before, after;
};

static void put_lore(struct strbuf *out, const char *text, size_t length)
{
    while (length > 0 && (text[length - 1] == '\n' || text[length - 1] == ' '))
        length--;
    if (length > 0 && out->length > 0)
        strbuf_putc(out, '\n');
    strbuf_add(out, text, length);
}

static void scan_book(const struct prompt_style *style, size_t character,
                      const struct lore_hits *hits, struct lore_texts *out)
{
    const struct lorebook *book = style->scene->characters[character].card->book;
    for (size_t i = 0; i < hits->count; i++) {
        const struct lore_entry *entry = &book->entries[hits->items[i].entry];
        struct strbuf text = {0};
        if (hits->items[i].state != LORE_FIRED)
            continue;
        scene_expand(style->scene, character, lore_content(entry), "", &style->clock, &text);
        put_lore(entry->position == LORE_BEFORE ? &out->before : &out->after, strbuf_text(&text),
                 text.length);
        strbuf_free(&text);
    }
}

static struct lore_text *talk_texts(const struct prompt_talk *talk, size_t *count)
{
    struct lore_text *texts = xcalloc(talk->count + 1, sizeof *texts);
    *count = 0;
    for (size_t i = 0; i < talk->count; i++) {
        const struct message *message = talk->conversation->items[talk->path[i]];
        texts[(*count)++] =
            (struct lore_text){strbuf_text(&message->text), message->text.length, message->id};
    }
    if (talk->draft != NULL)
        texts[(*count)++] = (struct lore_text){talk->draft, strlen(talk->draft), -1};
    return texts;
}

static void gather_lore(const struct prompt_style *style, const struct prompt_talk *talk,
                        const struct tokenizer *tokenizer, struct prompt_notes *notes,
                        struct lore_texts *out)
{
    const struct scene *scene = style->scene;
    size_t count;
    struct lore_text *texts = talk_texts(talk, &count);
    for (size_t i = 0; i < scene->character_count; i++) {
        const struct card *card = scene->characters[i].card;
        struct lore_hits hits = {0};
        if (card == NULL || card->book == NULL)
            continue;
        lorebook_scan(card->book, texts, count, count_tokens, (void *)(uintptr_t)tokenizer, &hits);
        scan_book(style, i, &hits, out);
        for (size_t h = 0; notes != NULL && h < hits.count; h++)
            note_hit(notes, scene->characters[i].name, card->book, &hits.items[h]);
        lore_hits_free(&hits);
    }
    free(texts);
    for (const char *const *text = style->lore; text != NULL && *text != NULL; text++)
        put_lore(&out->after, *text, strlen(*text));
}

/* --- text ------------------------------------------------------------------------------------- */

static void note_examples(struct prompt_notes *notes, size_t all, size_t skipped)
{
    notes->report.examples = all;
    notes->report.skipped_examples = skipped;
    if (skipped > 0)
        prompt_note_left_out(
            notes, xasprintf("%zu of %zu example talks of the characters: no room", skipped, all));
}

void prompt_scene_text(const struct prompt_style *style, const struct prompt_talk *talk,
                       const struct tokenizer *tokenizer, struct prompt_notes *notes,
                       struct strbuf *out)
{
    struct lore_texts lore = {0};
    size_t examples = scene_example_count(style->scene);
    size_t skipped = style->skip_examples < examples ? style->skip_examples : examples;
    gather_lore(style, talk, tokenizer, notes, &lore);
    const struct scene_form form = {strbuf_text(&lore.before), strbuf_text(&lore.after), skipped,
                                    style->clock};
    scene_text(style->scene, &form, out);
    if (notes != NULL)
        note_examples(notes, examples, skipped);
    strbuf_free(&lore.before);
    strbuf_free(&lore.after);
}

/* The field of all cards, each on lines of its own; {{original}} is the first one's. */
static void join_field(const struct prompt_style *style, enum card_field field,
                       const char *original, struct strbuf *out)
{
    const struct scene *scene = style->scene;
    for (size_t i = 0; i < scene->character_count; i++) {
        const struct card *card = scene->characters[i].card;
        if (card == NULL || card->fields[field][0] == '\0')
            continue;
        struct strbuf text = {0};
        scene_expand(scene, i, card->fields[field], original, &style->clock, &text);
        put_lore(out, strbuf_text(&text), text.length);
        strbuf_free(&text);
        original = "";
    }
}

void prompt_scene_system(const struct prompt_style *style, const char *own, struct strbuf *out)
{
    if (style->scene != NULL && !style->own_system)
        join_field(style, CARD_SYSTEM_PROMPT, own, out);
    if (out->length == 0)
        strbuf_puts(out, own);
}

void prompt_scene_after(const struct prompt_style *style, struct strbuf *out)
{
    if (style->scene != NULL)
        join_field(style, CARD_POST_HISTORY, "", out);
}
