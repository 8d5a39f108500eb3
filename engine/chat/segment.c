#include "engine/chat/segment.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"

static struct segment *list_push(struct segment_list *list)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? list->capacity * 2 : 16;
        list->items = xreallocarray(list->items, list->capacity, sizeof *list->items);
    }
    struct segment *segment = &list->items[list->count++];
    *segment = (struct segment){.owner = -1, .id = -1};
    return segment;
}

void segment_add_text(struct segment_list *list, enum segment_kind kind, enum segment_part part,
                      int owner, bool fresh, const char *text, size_t length)
{
    struct strbuf copy = {0};
    strbuf_add(&copy, text, length);
    struct segment *segment = list_push(list);
    segment->kind = kind;
    segment->part = part;
    segment->owner = owner;
    segment->fresh = fresh;
    segment->text = strbuf_detach(&copy);
    segment->length = length;
}

void segment_add_special(struct segment_list *list, enum segment_part part, const char *text,
                         int32_t id)
{
    struct segment *segment = list_push(list);
    segment->kind = SEGMENT_SPECIAL;
    segment->part = part;
    segment->text = xstrdup(text);
    segment->length = strlen(text);
    segment->id = id;
}

void segment_add_tokens(struct segment_list *list, enum segment_part part, int owner,
                        const int32_t *ids, size_t count)
{
    struct segment *segment = list_push(list);
    segment->kind = SEGMENT_TOKENS;
    segment->part = part;
    segment->owner = owner;
    token_list_append(&segment->tokens, ids, count);
}

void segment_list_copy(struct segment_list *to, const struct segment_list *from)
{
    for (size_t i = 0; i < from->count; i++) {
        const struct segment *source = &from->items[i];
        struct segment *segment = list_push(to);
        *segment = *source;
        segment->tokens = (struct token_list){0};
        token_list_append(&segment->tokens, source->tokens.ids, source->tokens.count);
        if (source->text != NULL) {
            struct strbuf copy = {0};
            strbuf_add(&copy, source->text, source->length);
            segment->text = strbuf_detach(&copy);
        }
    }
}

void segment_list_free(struct segment_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].text);
        token_list_free(&list->items[i].tokens);
    }
    free(list->items);
    *list = (struct segment_list){0};
}

/* --- tokens ----------------------------------------------------------------------------------- */

/*
 * Walks the text of a run beside the tokens it became, to find where each token begins. A piece
 * spells a space as U+2581 and a byte of an unknown character as <0xNN>; the dummy space at the
 * front stands for no byte of the text, and the normaliser may have dropped further spaces.
 */
#define SPACE_MARK 0x2581u

struct walk {
    const char *text;
    size_t length, at;
    size_t bytes_left; /* of the character at `at`, still to come as byte pieces; 0: none begun */
};

static size_t walk_peek(const struct walk *walk, uint32_t *code)
{
    if (walk->at >= walk->length)
        return 0;
    return utf8_decode(walk->text + walk->at, walk->length - walk->at, code);
}

static bool walk_at_space(const struct walk *walk)
{
    return walk->at < walk->length && walk->text[walk->at] == ' ';
}

/* One character of a piece: passes the same character of the text, if it is there. */
static void walk_character(struct walk *walk, uint32_t wanted)
{
    uint32_t code = 0;
    size_t size = walk_peek(walk, &code);
    if (size > 0 && (code == wanted || (wanted == SPACE_MARK && code == ' '))) {
        walk->at += size;
        return;
    }
    if (wanted == SPACE_MARK)
        return; /* the dummy prefix */
    while (walk_at_space(walk))
        walk->at++;
    walk->at += walk_peek(walk, &code);
}

/* One byte piece: a character is passed with its last byte. */
static void walk_byte(struct walk *walk)
{
    uint32_t code = 0;
    char bytes[4];
    size_t size = walk_peek(walk, &code);
    if (size == 0)
        return;
    if (walk->bytes_left == 0)
        walk->bytes_left = utf8_encode(code, bytes);
    if (--walk->bytes_left == 0)
        walk->at += size;
}

static bool is_byte_piece(const char *piece, size_t length)
{
    return length == 6 && memcmp(piece, "<0x", 3) == 0 && piece[5] == '>';
}

/* A byte piece and the literal text "<0x41>" are spelled alike, but literal text never becomes one
 * token of that spelling: byte pieces cannot be reached by merging. */
static void walk_piece(struct walk *walk, const char *piece)
{
    size_t length = strlen(piece);
    if (is_byte_piece(piece, length)) {
        walk_byte(walk);
        return;
    }
    walk->bytes_left = 0;
    for (size_t i = 0; i < length;) {
        uint32_t code;
        i += utf8_decode(piece + i, length - i, &code);
        walk_character(walk, code);
    }
}

/* Text that is waiting to be tokenised as one: segments [first, end) of the list. */
struct run {
    const struct segment_list *list;
    size_t first, end;
    struct strbuf text;
};

/* What is found out about each token beside its id; either may be NULL. */
struct attribution {
    size_t *parts; /* [PARTS] */
    struct token_span_list *documents;
};

/* Tokens [begin, end) belong to this part. */
static void attribute(const struct attribution *to, enum segment_part part, size_t begin,
                      size_t end)
{
    struct token_span_list *spans = to->documents;
    if (to->parts != NULL)
        to->parts[part] += end - begin;
    if (spans == NULL || part != PART_DOCUMENT || begin == end)
        return;
    if (spans->count > 0 && spans->items[spans->count - 1].end == begin) {
        spans->items[spans->count - 1].end = end;
        return;
    }
    if (spans->count == spans->capacity) {
        spans->capacity = spans->capacity ? spans->capacity * 2 : 16;
        spans->items = xreallocarray(spans->items, spans->capacity, sizeof *spans->items);
    }
    spans->items[spans->count++] = (struct token_span){begin, end};
}

/* Attributes ids[from..) to the part of the segment in which each begins. */
static void run_attribute(const struct run *run, const struct tokenizer *tokenizer,
                          const struct token_list *out, size_t from, const struct attribution *to)
{
    struct walk walk = {run->text.data, run->text.length, 0, 0};
    size_t segment = run->first, segment_end = run->list->items[segment].length;
    for (size_t i = from; i < out->count; i++) {
        while (walk.at >= segment_end && segment + 1 < run->end)
            segment_end += run->list->items[++segment].length;
        attribute(to, run->list->items[segment].part, i, i + 1);
        walk_piece(&walk, tokenizer_piece(tokenizer, out->ids[i]));
    }
}

static void run_flush(struct run *run, const struct tokenizer *tokenizer, struct token_list *out,
                      const struct attribution *to)
{
    size_t from = out->count;
    if (run->text.length > 0)
        tokenizer_encode(tokenizer, run->text.data, run->text.length, true, out);
    if (out->count > from && (to->parts != NULL || to->documents != NULL))
        run_attribute(run, tokenizer, out, from, to);
    strbuf_clear(&run->text);
    run->first = run->end;
}

static bool segment_is_text(const struct segment *segment)
{
    return segment->kind == SEGMENT_TEMPLATE || segment->kind == SEGMENT_CONTENT;
}

static void tokenize(const struct segment_list *list, const struct tokenizer *tokenizer,
                     struct token_list *out, const struct attribution *to)
{
    struct run run = {.list = list};
    for (size_t i = 0; i < list->count; i++) {
        const struct segment *segment = &list->items[i];
        if (!segment_is_text(segment) || segment->fresh) {
            run_flush(&run, tokenizer, out, to);
            run.first = i;
        }
        run.end = i + 1;
        if (segment_is_text(segment)) {
            strbuf_add(&run.text, segment->text, segment->length);
            continue;
        }
        size_t before = out->count;
        if (segment->kind == SEGMENT_SPECIAL)
            token_list_add(out, segment->id);
        else
            token_list_append(out, segment->tokens.ids, segment->tokens.count);
        attribute(to, segment->part, before, out->count);
        run.first = run.end;
    }
    run_flush(&run, tokenizer, out, to);
    strbuf_free(&run.text);
}

void segment_tokenize(const struct segment_list *list, const struct tokenizer *tokenizer,
                      struct token_list *out, size_t *parts)
{
    segment_tokenize_documents(list, tokenizer, out, parts, NULL);
}

void segment_tokenize_documents(const struct segment_list *list, const struct tokenizer *tokenizer,
                                struct token_list *out, size_t *parts,
                                struct token_span_list *documents)
{
    const struct attribution to = {parts, documents};
    if (parts != NULL)
        memset(parts, 0, PARTS * sizeof *parts);
    tokenize(list, tokenizer, out, &to);
}

/* --- where they come from --------------------------------------------------------------------- */

struct trace {
    const struct segment_list *list;
    const struct tokenizer *tokenizer;
    struct segment_token *items;
    size_t count, capacity;
    size_t at; /* bytes of the text so far */
};

static void trace_add(struct trace *trace, int32_t id, size_t segment, size_t begin)
{
    if (trace->count == trace->capacity) {
        trace->capacity = trace->capacity ? trace->capacity * 2 : 256;
        trace->items = xreallocarray(trace->items, trace->capacity, sizeof *trace->items);
    }
    trace->items[trace->count++] = (struct segment_token){id, segment, begin};
}

/* Ids beside the text that they are, of the segments [first, end). */
static void trace_ids(struct trace *trace, size_t first, size_t end, const struct strbuf *text,
                      const struct token_list *ids)
{
    struct walk walk = {strbuf_text(text), text->length, 0, 0};
    size_t segment = first;
    size_t segment_end = end - first > 1 ? trace->list->items[first].length : text->length;
    for (size_t i = 0; i < ids->count; i++) {
        while (walk.at >= segment_end && segment + 1 < end)
            segment_end += trace->list->items[++segment].length;
        trace_add(trace, ids->ids[i], segment, trace->at + walk.at);
        walk_piece(&walk, tokenizer_piece(trace->tokenizer, ids->ids[i]));
    }
    trace->at += text->length;
}

/* The text that begins with segment `first` and is tokenised as one; returns where it ends. */
static size_t trace_run(struct trace *trace, size_t first)
{
    const struct segment_list *list = trace->list;
    struct strbuf text = {0};
    struct token_list ids = {0};
    size_t end = first;
    do {
        strbuf_add(&text, list->items[end].text, list->items[end].length);
    } while (++end < list->count && segment_is_text(&list->items[end]) && !list->items[end].fresh);
    if (text.length > 0)
        tokenizer_encode(trace->tokenizer, text.data, text.length, true, &ids);
    trace_ids(trace, first, end, &text, &ids);
    token_list_free(&ids);
    strbuf_free(&text);
    return end;
}

size_t segment_trace(const struct segment_list *list, const struct tokenizer *tokenizer,
                     struct segment_token **out)
{
    struct trace trace = {.list = list, .tokenizer = tokenizer};
    for (size_t i = 0; i < list->count;) {
        const struct segment *segment = &list->items[i];
        if (segment_is_text(segment)) {
            i = trace_run(&trace, i);
            continue;
        }
        struct strbuf text = {0};
        if (segment->kind == SEGMENT_SPECIAL) {
            trace_add(&trace, segment->id, i, trace.at);
            trace.at += segment->length;
        } else {
            tokenizer_decode(tokenizer, segment->tokens.ids, segment->tokens.count, &text);
            trace_ids(&trace, i, i + 1, &text, &segment->tokens);
        }
        strbuf_free(&text);
        i++;
    }
    *out = trace.items;
    return trace.count;
}

void segment_text(const struct segment_list *list, const struct tokenizer *tokenizer,
                  struct strbuf *out)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct segment *segment = &list->items[i];
        if (segment->kind != SEGMENT_TOKENS)
            strbuf_add(out, segment->text, segment->length);
        else if (tokenizer != NULL)
            tokenizer_decode(tokenizer, segment->tokens.ids, segment->tokens.count, out);
    }
}
