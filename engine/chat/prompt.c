#include "engine/chat/prompt.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/chat/defuse.h"
#include "engine/chat/prompt_path.h"
#include "engine/chat/prompt_scene.h"

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
    struct strbuf system, scene, after; /* see prompt_scene.h */
    struct pinned *pinned;
    size_t pinned_count;
    bool begun;     /* the first turn is down */
    bool in_reply;  /* the last thing put is a reply's text, of one or more bytes */
    bool line_open; /* ... which does not end in a line break */
};

/* A document of a turn that is left out. */
struct pinned {
    const struct document *document;
    int index; /* in its own list */
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
    bool last; /* no user turn follows */
};

/* --- notes ------------------------------------------------------------------------------------ */

struct note_target {
    struct prompt_notes *notes;
    const char *name;
};

static void note_marker(void *user, size_t line, const char *marker)
{
    const struct note_target *target = user;
    if (target->notes->count < PROMPT_NOTES_MAX - 1)
        prompt_note_line(target->notes, xasprintf("%s line %zu: %s", target->name, line, marker));
    else if (target->notes->count == PROMPT_NOTES_MAX - 1)
        prompt_note_line(target->notes,
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

static void put_own_documents(struct builder *builder, const struct turn *turn)
{
    for (size_t i = 0; turn->documents != NULL && i < turn->documents->count; i++)
        if (turn->documents->items[i].enabled)
            put_block(builder, &turn->documents->items[i], (int)i);
}

/* What the first turn has before its own: documents of turns that are left out. */
static bool put_documents(struct builder *builder, const struct turn *turn, bool first)
{
    size_t pinned = first ? builder->pinned_count : 0;
    if (pinned == 0 && !has_documents(turn))
        return false;
    for (size_t i = 0; i < pinned; i++)
        put_block(builder, builder->pinned[i].document, builder->pinned[i].index);
    put_own_documents(builder, turn);
    return true;
}

static void put_scene(struct builder *builder, const struct turn *turn)
{
    const struct place place = {PART_SCENE, -1, "scene"};
    put_content(builder, &place, false, strbuf_text(&builder->scene), builder->scene.length);
    if (turn->length > 0 || has_documents(turn) || builder->pinned_count > 0)
        put_line(builder, &place, "\n\n");
}

static void put_after(struct builder *builder, const struct turn *turn)
{
    const struct place place = {PART_SCENE, -1, "scene, after the history,"};
    if (!turn->last || builder->after.length == 0)
        return;
    put_line(builder, &place, "\n\n");
    put_content(builder, &place, false, builder->after.data, builder->after.length);
}

static void put_instruction(struct builder *builder, const struct turn *turn, bool first)
{
    const struct place place = {turn->part, turn->owner, "your message"};
    const struct prompt_style *style = builder->style;
    size_t length = without_newlines(turn->text, turn->length);
    if (first && style->scene != NULL)
        put_scene(builder, turn);
    bool closed = put_documents(builder, turn, first);
    if (closed)
        put_line(builder, &place, "BEGININSTRUCTION\n");
    put_content(builder, &place, false, turn->text, length);
    if (closed && style->ask_source)
        put_line(builder, &place, " Source?");
    if (closed && style->no_making_up)
        put_line(builder, &place, " Don't make up answers if you don't know.");
    if (!closed && style->plain_format)
        put_line(builder, &place, " PLAINFORMAT");
    put_after(builder, turn);
    if (closed)
        put_line(builder, &place, "\nENDINSTRUCTION");
}

/* --- turns ------------------------------------------------------------------------------------ */

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
                     const struct place *place, const struct turn *turn, bool first)
{
    const struct place system = {PART_SYSTEM, -1, "system text"};
    switch (piece->kind) {
    case PIECE_TEXT:
        put_template(builder, place, piece->text, piece->length);
        return 0;
    case PIECE_SYSTEM:
        put_content(builder, &system, false, strbuf_text(&builder->system), builder->system.length);
        return 0;
    case PIECE_INSTRUCTION:
        put_instruction(builder, turn, first);
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
    enum template_turn form = builder->begun               ? TURN_NEXT
                              : builder->system.length > 0 ? TURN_FIRST
                                                           : TURN_FIRST_BARE;
    size_t count;
    const struct template_piece *pieces = chat_template_pieces(builder->template, form, &count);
    const struct place own = {turn->part, turn->owner, "your message"};
    const struct place system = {PART_SYSTEM, -1, "system text"};
    bool before_system = form == TURN_FIRST;
    builder->begun = true;
    builder->in_reply = false;
    for (size_t i = 0; i < count; i++) {
        bool in_system = before_system || pieces[i].kind == PIECE_BOS;
        if (put_piece(builder, &pieces[i], in_system ? &system : &own, turn, form != TURN_NEXT) !=
            0)
            return -1;
        before_system = before_system && pieces[i].kind != PIECE_SYSTEM;
    }
    return 0;
}

static int put_reply(struct builder *builder, const struct message *message)
{
    const struct place place = {PART_HISTORY, message->id, "an earlier reply"};
    const struct turn empty = {"", 0, NULL, PART_HISTORY, message->id, false};
    if (!builder->begun && put_turn(builder, &empty) != 0)
        return -1;
    bool after = builder->in_reply; /* a reply: on a line of its own */
    if (after && builder->line_open && strbuf_text(&message->text)[0] != '\n')
        put_content(builder, &place, false, "\n", 1);
    if (message->tokens.count > 0)
        segment_add_tokens(builder->out, place.part, place.owner, message->tokens.ids,
                           message->tokens.count);
    else
        put_content(builder, &place, !after && chat_template_reply_fresh(builder->template),
                    strbuf_text(&message->text), message->text.length);
    builder->in_reply = message->text.length > 0;
    builder->line_open = builder->in_reply && message->text.data[message->text.length - 1] != '\n';
    return 0;
}

static int put_message(struct builder *builder, const struct message *message, bool last)
{
    if (message->role == ROLE_ASSISTANT)
        return put_reply(builder, message);
    const struct turn turn = {strbuf_text(&message->text),
                              message->text.length,
                              &message->documents,
                              PART_HISTORY,
                              message->id,
                              last};
    return put_turn(builder, &turn);
}

static void put_prefix(struct builder *builder)
{
    const struct place place = {PART_SCENE, -1, "the speaker"};
    const char *prefix = builder->style->prefix;
    struct strbuf text = {0};
    if (builder->in_reply && builder->line_open)
        strbuf_putc(&text, '\n');
    strbuf_puts(&text, prefix);
    put_content(builder, &place, !builder->in_reply && chat_template_reply_fresh(builder->template),
                text.data, text.length);
    strbuf_free(&text);
}

/* --- turns that are left out ------------------------------------------------------------------ */

static void pin_documents(struct builder *builder, const struct prompt_path *path,
                          const struct document_list *documents)
{
    for (size_t i = 0; i < path->first; i++) {
        const struct document_list *list = &prompt_path_message(path, i)->documents;
        for (size_t k = 0; k < list->count; k++) {
            if (!list->items[k].enabled || prompt_path_has(path, i + 1, documents, &list->items[k]))
                continue;
            builder->pinned =
                xreallocarray(builder->pinned, builder->pinned_count + 1, sizeof *builder->pinned);
            builder->pinned[builder->pinned_count++] = (struct pinned){&list->items[k], (int)k};
        }
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

static void note_path(struct builder *builder, const struct prompt_path *path)
{
    struct prompt_report *report = &builder->notes->report;
    report->turns = path->turns;
    report->skipped_turns = path->skipped_turns;
    report->pinned_documents = builder->pinned_count;
    if (path->skipped_turns > 0)
        prompt_note_left_out(builder->notes, xasprintf("%zu of %zu turns, the oldest: no room",
                                                       path->skipped_turns, path->turns));
}

static void gather(struct builder *builder, const struct prompt_path *path, const char *draft)
{
    const struct prompt_style *style = builder->style;
    const struct prompt_talk talk = {path->conversation, path->ids, path->count, draft};
    const char *own =
        style->system != NULL ? style->system : chat_template_system(builder->template);
    prompt_scene_system(style, own, &builder->system);
    prompt_scene_after(style, &builder->after);
    if (style->scene != NULL)
        prompt_scene_text(style, &talk, builder->tokenizer, builder->notes, &builder->scene);
}

static int put_all(struct builder *builder, const struct prompt_path *path, const char *draft,
                   const struct document_list *documents)
{
    const struct turn empty = {"", 0, NULL, PART_DRAFT, -1, true};
    int result = 0;
    for (size_t i = path->first; i < path->count && result == 0; i++)
        result = put_message(builder, prompt_path_message(path, i), i == path->last_user);
    if (result == 0 && draft != NULL) {
        const struct turn turn = {draft, strlen(draft), documents, PART_DRAFT, -1, true};
        result = put_turn(builder, &turn);
    }
    if (result == 0 && !builder->begun && builder->style->scene != NULL)
        result = put_turn(builder, &empty);
    if (result == 0 && builder->style->prefix != NULL)
        put_prefix(builder);
    return result;
}

int prompt_build(struct segment_list *out, const struct chat_template *template,
                 const struct tokenizer *tokenizer, const struct conversation *conversation,
                 const char *draft, const struct document_list *documents,
                 const struct prompt_style *style, struct prompt_notes *notes, struct error *error)
{
    struct builder builder = {.out = out,
                              .template = template,
                              .tokenizer = tokenizer,
                              .style = style,
                              .notes = notes,
                              .error = error};
    struct prompt_path path;
    prompt_path_open(&path, conversation, style->skip_turns, draft != NULL);
    pin_documents(&builder, &path, documents);
    gather(&builder, &path, draft);
    if (notes != NULL)
        note_path(&builder, &path);
    int result = put_all(&builder, &path, draft, documents);
    strbuf_free(&builder.system);
    strbuf_free(&builder.scene);
    strbuf_free(&builder.after);
    free(builder.pinned);
    prompt_path_close(&path);
    return result;
}
