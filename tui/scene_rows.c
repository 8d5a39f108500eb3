#include "tui/scene_rows.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"
#include "tui/scene_talk.h"
#include "tui/wrap.h"

#define SHOWN_BYTES   1200 /* of one text; the rest is in the editor */
#define COLUMNS_LEAST 16
#define COLUMNS_MOST  96

void scene_rows_clear(struct scene_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++)
        free(rows->items[i].text);
    free(rows->items);
    *rows = (struct scene_rows){0};
}

bool scene_row_selectable(const struct scene_row *row)
{
    return row->first && row->spot != SPOT_NONE;
}

/* --- adding ---------------------------------------------------------------------------------- */

/* What rows of one item share. */
struct item {
    enum scene_spot spot;
    size_t index;
    bool begun;
};

static void add_row(struct scene_rows *rows, struct item *item, int indent, enum style style,
                    const char *text, size_t length)
{
    if (rows->count == rows->capacity) {
        rows->capacity = rows->capacity > 0 ? rows->capacity * 2 : 32;
        rows->items = xreallocarray(rows->items, rows->capacity, sizeof *rows->items);
    }
    rows->items[rows->count++] = (struct scene_row){
        item->spot, item->index, !item->begun, indent, style, xstrndup(text, length), NULL};
    item->begun = true;
}

/* The text in one line, or wrapped; cut where it is long. */
static void add_text(struct scene_rows *rows, struct item *item, int indent, enum style style,
                     const char *text)
{
    struct wrap wrap = {0};
    struct strbuf cut = {0};
    size_t length = strnlen(text, SHOWN_BYTES + 1);
    int columns = rows->columns - indent;
    strbuf_add(&cut, text, length > SHOWN_BYTES ? utf8_whole(text, SHOWN_BYTES) : length);
    strbuf_puts(&cut, length > SHOWN_BYTES ? "…" : "");
    wrap_update(&wrap, strbuf_text(&cut), cut.length,
                columns < COLUMNS_LEAST  ? COLUMNS_LEAST
                : columns > COLUMNS_MOST ? COLUMNS_MOST
                                         : columns);
    for (size_t i = 0; i < wrap.count; i++)
        add_row(rows, item, indent, style, wrap.shown.data + wrap.lines[i].start,
                wrap.lines[i].end - wrap.lines[i].start);
    wrap_free(&wrap);
    strbuf_free(&cut);
}

static void add_item(struct scene_rows *rows, enum scene_spot spot, size_t index, int indent,
                     enum style style, const char *text)
{
    struct item item = {spot, index, false};
    add_text(rows, &item, indent, style, text);
}

static void add_heading(struct scene_rows *rows, const char *text)
{
    struct item item = {SPOT_NONE, 0, false};
    if (rows->count > 0)
        add_row(rows, &item, 0, STYLE_TEXT, "", 0);
    add_row(rows, &item, 0, STYLE_HEADING, text, strlen(text));
}

/* A text, or in dim what is not there. */
static void add_or(struct scene_rows *rows, enum scene_spot spot, const char *text,
                   const char *otherwise)
{
    add_item(rows, spot, 0, 1, text[0] != '\0' ? STYLE_TEXT : STYLE_DIM,
             text[0] != '\0' ? text : otherwise);
}

static void mark(struct scene_rows *rows, size_t at, const char *word)
{
    if (at < rows->count)
        rows->items[at].mark = word;
}

/* --- a scene --------------------------------------------------------------------------------- */

static void put_head(struct scene_rows *rows, const struct scene *scene)
{
    struct item item = {SPOT_TITLE, 0, false};
    add_text(rows, &item, 0, STYLE_TITLE, scene->title[0] != '\0' ? scene->title : "untitled");
    if (scene->description[0] != '\0')
        add_text(rows, &item, 0, STYLE_DIM, scene->description);
}

static void put_card(struct scene_rows *rows, struct item *item, const struct card *card)
{
    char line[128];
    int length = snprintf(line, sizeof line, "card V%d", card->version);
    if (card->book != NULL)
        length += snprintf(line + length, sizeof line - (size_t)length, " · lorebook, %zu entries",
                           card->book->count);
    if (card->greeting_count > 0)
        snprintf(line + length, sizeof line - (size_t)length, " · %zu greetings more",
                 card->greeting_count);
    add_text(rows, item, 3, STYLE_DIM, line);
}

static void put_character(struct scene_rows *rows, const struct scene *scene, size_t index,
                          bool next)
{
    const struct scene_character *character = &scene->characters[index];
    struct item item = {SPOT_CHARACTER, index, false};
    size_t at = rows->count;
    char *name = character->short_name[0] != '\0'
                     ? xasprintf("● %s (%s)", character->name, character->short_name)
                     : xasprintf("● %s", character->name);
    rows->columns -= 7; /* room for the mark */
    add_text(rows, &item, 1, scene_talk_style(index), name);
    rows->columns += 7;
    free(name);
    mark(rows, at, next ? "▸ next" : NULL);
    if (character->description[0] != '\0')
        add_text(rows, &item, 3, STYLE_DIM, character->description);
    if (character->card != NULL)
        put_card(rows, &item, character->card);
}

static void put_cast(struct scene_rows *rows, const struct chat *chat)
{
    const struct scene *scene = chat->scene;
    add_heading(rows, "Characters");
    for (size_t i = 0; i < scene->character_count; i++)
        put_character(rows, scene, i, chat->speaker == (int)i);
    if (scene->character_count == 0)
        add_item(rows, SPOT_NONE, 0, 1, STYLE_DIM, "nobody yet · a adds a character");
    if (scene->character_count > 1) {
        add_item(rows, SPOT_ANYONE, 0, 1, STYLE_TEXT, "* anyone");
        mark(rows, rows->count - 1, chat->speaker == CHAT_ANYONE ? "▸ next" : NULL);
    }
}

static void put_user(struct scene_rows *rows, const struct scene *scene)
{
    add_heading(rows, "You");
    add_or(rows, SPOT_USER, scene->user_name, "no name");
    add_or(rows, SPOT_PERSONA, scene->user_persona, "nothing about you");
}

static void put_rules(struct scene_rows *rows, const struct scene *scene)
{
    add_heading(rows, "Rules");
    if (scene->rule_count == 0)
        add_item(rows, SPOT_RULES, 0, 1, STYLE_DIM,
                 "the usual six: actions in asterisks, speech in quotes, a line each, nothing for "
                 "anyone else");
    for (size_t i = 0; i < scene->rule_count; i++) {
        char *rule = xasprintf("- %s", scene->rules[i]);
        add_item(rows, SPOT_RULE, i, 1, STYLE_TEXT, rule);
        free(rule);
    }
}

static void put_beginning(struct scene_rows *rows, const struct chat *chat)
{
    const struct scene *scene = chat->scene;
    size_t count = scene_greeting_count(scene);
    if (count > 0) {
        char heading[64];
        bool stands = chat_greets(chat);
        snprintf(heading, sizeof heading, stands ? "First message %zu of %zu" : "First messages",
                 chat->greeting + 1, count);
        add_heading(rows, heading);
        bool own = scene->first_message[0] != '\0';
        size_t shown = stands && chat->greeting < count ? chat->greeting : 0;
        add_item(rows, SPOT_GREETING, shown, 1, STYLE_TEXT,
                 own && shown == 0 ? scene->first_message : scene->greetings[shown - own]);
    }
    if (count == 0 || scene->opening[0] != '\0') {
        add_heading(rows, "Opening");
        add_or(rows, SPOT_OPENING, scene->opening, "none: the user begins");
    }
}

void scene_rows_of_scene(struct scene_rows *rows, const struct chat *chat, int columns)
{
    scene_rows_clear(rows);
    rows->columns = columns;
    put_head(rows, chat->scene);
    put_cast(rows, chat);
    put_user(rows, chat->scene);
    add_heading(rows, "Setting");
    add_or(rows, SPOT_SETTING, chat->scene->setting, "none");
    put_beginning(rows, chat);
    put_rules(rows, chat->scene);
}

/* --- the shelf ------------------------------------------------------------------------------- */

void scene_rows_of_shelf(struct scene_rows *rows, const struct scene_shelf *shelf, int columns)
{
    scene_rows_clear(rows);
    rows->columns = columns;
    add_item(rows, SPOT_NONE, 0, 0, STYLE_DIM, "No scene in this chat. Enter takes one of these:");
    for (size_t i = 0; i < shelf->count; i++) {
        struct item item = {SPOT_SHELF, i, false};
        add_row(rows, &(struct item){SPOT_NONE, 0, false}, 0, STYLE_TEXT, "", 0);
        add_text(rows, &item, 1, STYLE_TITLE, shelf->items[i].title);
        add_text(rows, &item, 1, STYLE_DIM, shelf->items[i].description);
    }
    add_row(rows, &(struct item){SPOT_NONE, 0, false}, 0, STYLE_TEXT, "", 0);
    add_item(rows, SPOT_NEW, 0, 1, STYLE_TITLE, "A scene of your own");
    add_item(rows, SPOT_NONE, 0, 1, STYLE_DIM, "i opens a character card: JSON or PNG");
}

/* --- lore ------------------------------------------------------------------------------------ */

static char *why(const struct prompt_lore *lore)
{
    if (lore->message == LORE_CONSTANT)
        return xstrdup("always there");
    if (lore->message == LORE_RECURSION)
        return xasprintf("\"%s\" in the entry \"%s\"", lore->key, lore->parent);
    if (lore->message < 0)
        return xasprintf("\"%s\" in what is typed", lore->key);
    return xasprintf("\"%s\" in message %d", lore->key, lore->message + 1);
}

static void put_lore(struct scene_rows *rows, const struct prompt_lore *lore, size_t index)
{
    static const char *const dropped[] = {
        [LORE_OVER_BUDGET] = "dropped: the book's budget is used up",
        [LORE_LOST_PARENT] = "dropped: the entry that called it had no room",
        [LORE_UNREADABLE] = "not read: its keys are regular expressions",
        [LORE_UNSCANNED] = "not looked for: too many keys",
    };
    bool fired = lore->state == LORE_FIRED;
    struct item item = {SPOT_LORE, index, false};
    char *reason = why(lore);
    char *name = xasprintf("%s %s", fired ? "●" : "○", lore->name);
    char *cost = xasprintf("%zu tokens · %s", lore->tokens, lore->character);
    add_text(rows, &item, 1, fired ? STYLE_TEXT : STYLE_WARN, name);
    if (fired || lore->state == LORE_OVER_BUDGET)
        add_text(rows, &item, 3, STYLE_DIM, reason);
    if (!fired)
        add_text(rows, &item, 3, STYLE_WARN, dropped[lore->state]);
    add_text(rows, &item, 3, STYLE_DIM, cost);
    free(reason);
    free(name);
    free(cost);
}

static void put_left_out(struct scene_rows *rows, const struct prompt_report *report)
{
    add_heading(rows, "Left out");
    if (report->left_out_count == 0)
        add_item(rows, SPOT_NONE, 0, 1, STYLE_DIM, "nothing");
    for (size_t i = 0; i < report->left_out_count; i++)
        add_item(rows, SPOT_LORE, report->lore_count + i, 1, STYLE_TEXT, report->left_out[i]);
}

/* Of the prompt that the reply at the tip was made from. */
static int report_of(const struct chat *chat, struct prompt_notes *notes, struct error *error)
{
    struct conversation *conversation = chat->conversation;
    struct segment_list segments = {0};
    const struct message *last = chat_tip(chat);
    int tip = conversation->tip;
    bool reply = last != NULL && last->role == ROLE_ASSISTANT && last->parent >= 0;
    conversation->tip = reply ? last->parent : tip;
    int result = chat_prompt(chat, last == NULL ? "" : NULL, &segments, notes, error);
    conversation->tip = tip;
    segment_list_free(&segments);
    return result;
}

void scene_rows_of_lore(struct scene_rows *rows, const struct chat *chat, int columns)
{
    struct prompt_notes notes = {0};
    struct error error;
    size_t tokens = 0;
    scene_rows_clear(rows);
    rows->columns = columns;
    add_item(rows, SPOT_NONE, 0, 0, STYLE_TITLE, "Lore in the last prompt");
    if (report_of(chat, &notes, &error) != 0) {
        add_item(rows, SPOT_NONE, 0, 1, STYLE_ERROR, error.message);
        prompt_notes_free(&notes);
        return;
    }
    const struct prompt_report *report = &notes.report;
    for (size_t i = 0; i < report->lore_count; i++)
        tokens += report->lore[i].state == LORE_FIRED ? report->lore[i].tokens : 0;
    char *head = xasprintf("%zu tokens of lore · %zu of %zu example talks · %zu of %zu messages",
                           tokens, report->examples - report->skipped_examples, report->examples,
                           report->turns - report->skipped_turns, report->turns);
    add_item(rows, SPOT_NONE, 0, 0, STYLE_DIM, head);
    free(head);
    add_heading(rows, "Entries");
    if (report->lore_count == 0)
        add_item(rows, SPOT_NONE, 0, 1, STYLE_DIM, "no entry of a lorebook fired");
    for (size_t i = 0; i < report->lore_count; i++)
        put_lore(rows, &report->lore[i], i);
    put_left_out(rows, report);
    prompt_notes_free(&notes);
}
