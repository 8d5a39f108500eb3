#include "engine/chat/prompt.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/chat/defuse.h"

/*
 * conversation -> turns -> pieces of the template -> segments
 *
 * A user message opens a turn (the first form of the template, or the next one) and its pieces are
 * put down as far as the reply; a reply is put down where it comes. So a prompt always ends where
 * the model has to go on, after a reply too (to continue it).
 */
struct builder {
    struct segment_list *out;
    const struct chat_template *template;
    const struct tokenizer *tokenizer;
    const struct prompt_style *style;
    struct prompt_notes *notes;
    struct error *error;
    bool begun; /* the first turn is down */
};

/* Where a piece of content stands, for its segments and for notes. */
struct place {
    enum segment_part part;
    int owner;
    const char *name; /* "notes.txt", "your message" */
};

struct turn {
    const char *text;
    size_t length;
    const struct document_list *documents; /* NULL: none */
    enum segment_part part;
    int owner;
};

/* --- notes ------------------------------------------------------------------------------------ */

static void notes_add(struct prompt_notes *notes, char *line)
{
    if (notes->count == notes->capacity) {
        notes->capacity = notes->capacity ? 2 * notes->capacity : 8;
        notes->lines = xreallocarray(notes->lines, notes->capacity, sizeof *notes->lines);
    }
    notes->lines[notes->count++] = line;
}

void prompt_notes_free(struct prompt_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        free(notes->lines[i]);
    free(notes->lines);
    *notes = (struct prompt_notes){0};
}

struct note_target {
    struct prompt_notes *notes;
    const char *name;
};

static void note_marker(void *user, size_t line, const char *marker)
{
    const struct note_target *target = user;
    if (target->notes->count < PROMPT_NOTES_MAX - 1)
        notes_add(target->notes, xasprintf("%s line %zu: %s", target->name, line, marker));
    else if (target->notes->count == PROMPT_NOTES_MAX - 1)
        notes_add(target->notes,
                  xasprintf("%s line %zu: %s, and more", target->name, line, marker));
}

/* --- text ------------------------------------------------------------------------------------- */

static void put_template(struct builder *builder, const struct place *place, const char *text,
                         size_t length)
{
    segment_add_text(builder->out, SEGMENT_TEMPLATE, place->part, place->owner, false, text,
                     length);
}

static void put_content(struct builder *builder, const struct place *place, bool fresh,
                        const char *text, size_t length)
{
    struct strbuf safe = {0};
    struct note_target target = {builder->notes, place->name};
    defuse_text(&safe, text, length, chat_template_markers(builder->template),
                builder->notes != NULL ? note_marker : NULL, &target);
    segment_add_text(builder->out, SEGMENT_CONTENT, place->part, place->owner, fresh,
                     strbuf_text(&safe), safe.length);
    strbuf_free(&safe);
}

static size_t without_newlines(const char *text, size_t length)
{
    while (length > 0 && text[length - 1] == '\n')
        length--;
    return length;
}

/* --- closed context --------------------------------------------------------------------------- */

static void put_line(struct builder *builder, const struct place *place, const char *line)
{
    put_template(builder, place, line, strlen(line));
}

/* Key and value are checked as the one line that they make: a key USER must not give "USER:". */
static void put_pair(struct builder *builder, const struct place *place, const char *document,
                     const struct document_pair *pair)
{
    char *line = xasprintf("%s: %s", pair->key, pair->value);
    char *name = xasprintf("%s, metadata,", document);
    const struct place named = {place->part, place->owner, name};
    put_content(builder, &named, false, line, strlen(line));
    put_line(builder, place, "\n");
    free(name);
    free(line);
}

static void put_block(struct builder *builder, const struct document *document, int index)
{
    const struct place place = {PART_DOCUMENT, index, document->name};
    put_line(builder, &place, "BEGININPUT\nBEGINCONTEXT\n");
    for (size_t i = 0; i < document->pair_count; i++)
        put_pair(builder, &place, document->name, &document->pairs[i]);
    put_line(builder, &place, "ENDCONTEXT\n");
    put_content(builder, &place, false, document->text,
                without_newlines(document->text, document->length));
    put_line(builder, &place, "\nENDINPUT\n");
}

static bool has_documents(const struct turn *turn)
{
    for (size_t i = 0; turn->documents != NULL && i < turn->documents->count; i++)
        if (turn->documents->items[i].enabled)
            return true;
    return false;
}

static void put_instruction(struct builder *builder, const struct turn *turn)
{
    const struct place place = {turn->part, turn->owner, "your message"};
    const struct prompt_style *style = builder->style;
    size_t length = without_newlines(turn->text, turn->length);
    if (!has_documents(turn)) {
        put_content(builder, &place, false, turn->text, length);
        if (style->plain_format)
            put_line(builder, &place, " PLAINFORMAT");
        return;
    }
    for (size_t i = 0; i < turn->documents->count; i++)
        if (turn->documents->items[i].enabled)
            put_block(builder, &turn->documents->items[i], (int)i);
    put_line(builder, &place, "BEGININSTRUCTION\n");
    put_content(builder, &place, false, turn->text, length);
    if (style->ask_source)
        put_line(builder, &place, " Source?");
    if (style->no_making_up)
        put_line(builder, &place, " Don't make up answers if you don't know.");
    put_line(builder, &place, "\nENDINSTRUCTION");
}

/* --- turns ------------------------------------------------------------------------------------ */

static const char *system_line(const struct builder *builder)
{
    const char *set = builder->style->system;
    return set != NULL ? set : chat_template_system(builder->template);
}

static int put_special(struct builder *builder, const struct place *place,
                       const struct template_piece *piece)
{
    const char *spelling = piece->kind == PIECE_BOS   ? "<s>"
                           : piece->kind == PIECE_EOS ? "</s>"
                                                      : piece->text;
    int32_t id = -1;
    if (builder->tokenizer != NULL) {
        id = piece->kind == PIECE_BOS   ? tokenizer_bos(builder->tokenizer)
             : piece->kind == PIECE_EOS ? tokenizer_eos(builder->tokenizer)
                                        : tokenizer_special(builder->tokenizer, spelling);
        if (id < 0)
            return error_set(builder->error, ERROR_INPUT,
                             "template %s asks for the special token %s, which this model lacks",
                             chat_template_name(builder->template), spelling);
        if (piece->kind != PIECE_SPECIAL)
            spelling = tokenizer_piece(builder->tokenizer, id);
    }
    segment_add_special(builder->out, place->part, spelling, id);
    return 0;
}

static int put_piece(struct builder *builder, const struct template_piece *piece,
                     const struct place *place, const struct turn *turn)
{
    const char *line = system_line(builder);
    const struct place system = {PART_SYSTEM, -1, "system text"};
    switch (piece->kind) {
    case PIECE_TEXT:
        put_template(builder, place, piece->text, piece->length);
        return 0;
    case PIECE_SYSTEM:
        put_content(builder, &system, false, line, strlen(line));
        return 0;
    case PIECE_INSTRUCTION:
        put_instruction(builder, turn);
        return 0;
    case PIECE_REPLY:
        return 0;
    case PIECE_BOS:
    case PIECE_EOS:
    case PIECE_SPECIAL:
        return put_special(builder, place, piece);
    }
    return 0;
}

/* All of a turn but the reply. What stands before the system line, or is it, is the system part. */
static int put_turn(struct builder *builder, const struct turn *turn)
{
    enum template_turn form = builder->begun                    ? TURN_NEXT
                              : system_line(builder)[0] != '\0' ? TURN_FIRST
                                                                : TURN_FIRST_BARE;
    size_t count;
    const struct template_piece *pieces = chat_template_pieces(builder->template, form, &count);
    const struct place own = {turn->part, turn->owner, "your message"};
    const struct place system = {PART_SYSTEM, -1, "system text"};
    bool before_system = form == TURN_FIRST;
    builder->begun = true;
    for (size_t i = 0; i < count; i++) {
        bool in_system = before_system || pieces[i].kind == PIECE_BOS;
        if (put_piece(builder, &pieces[i], in_system ? &system : &own, turn) != 0)
            return -1;
        before_system = before_system && pieces[i].kind != PIECE_SYSTEM;
    }
    return 0;
}

static int put_reply(struct builder *builder, const struct message *message)
{
    const struct place place = {PART_HISTORY, message->id, "an earlier reply"};
    const struct turn empty = {"", 0, NULL, PART_HISTORY, message->id};
    if (!builder->begun && put_turn(builder, &empty) != 0)
        return -1;
    if (message->tokens.count > 0)
        segment_add_tokens(builder->out, place.part, place.owner, message->tokens.ids,
                           message->tokens.count);
    else
        put_content(builder, &place, chat_template_reply_fresh(builder->template),
                    strbuf_text(&message->text), message->text.length);
    return 0;
}

static int put_message(struct builder *builder, const struct message *message)
{
    if (message->role == ROLE_ASSISTANT)
        return put_reply(builder, message);
    const struct turn turn = {strbuf_text(&message->text), message->text.length,
                              &message->documents, PART_HISTORY, message->id};
    return put_turn(builder, &turn);
}

int prompt_build(struct segment_list *out, const struct chat_template *template,
                 const struct tokenizer *tokenizer, const struct conversation *conversation,
                 const char *draft, const struct document_list *documents,
                 const struct prompt_style *style, struct prompt_notes *notes, struct error *error)
{
    struct builder builder = {out, template, tokenizer, style, notes, error, false};
    size_t messages = conversation != NULL ? conversation->count : 0;
    int *path = xcalloc(messages, sizeof *path);
    size_t count = messages > 0 ? conversation_path(conversation, path) : 0;
    int result = 0;
    for (size_t i = 0; i < count && result == 0; i++)
        result = put_message(&builder, conversation->items[path[i]]);
    free(path);
    if (result != 0 || draft == NULL)
        return result;
    const struct turn turn = {draft, strlen(draft), documents, PART_DRAFT, -1};
    return put_turn(&builder, &turn);
}
