#include "engine/chat/source_grammar.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/strbuf.h"
#include "engine/chat/support_source.h"

#define HEAD_MAX 16 /* bytes of a line that may become "Sources:" */

enum place {
    PLACE_LINE,   /* a line begins, or may be a header so far */
    PLACE_TEXT,   /* any text until the line's end */
    PLACE_HEADER, /* right after "Source:" */
    PLACE_SOURCE, /* in the metadata of a block */
    PLACE_AFTER,  /* on the line after it */
};

/* What the reply so far leaves: plain data, so that judging works on a copy. */
struct position {
    enum place place;
    char head[HEAD_MAX + 1];
    size_t length;        /* of head */
    bool space;           /* a space stands after the header */
    size_t offset;        /* bytes of the metadata so far */
    size_t first, behind; /* the blocks whose metadata begins so */
};

struct source_grammar {
    struct grammar grammar;
    char **texts; /* each block's metadata, without a line break at its end; sorted, none twice */
    size_t count, capacity;
    struct position at;
};

/* --- byte by byte ----------------------------------------------------------------------------- */

static bool is_whole(const struct source_grammar *grammar, const struct position *at)
{
    return at->offset > 0 && grammar->texts[at->first][at->offset] == '\0';
}

/* One more byte of the metadata: the blocks that go on with it. The sorted texts that are left
 * begin alike, so they are neighbours. */
static bool step_source(const struct source_grammar *grammar, struct position *at, char byte)
{
    size_t first = at->first, behind;
    while (first < at->behind && grammar->texts[first][at->offset] != byte)
        first++;
    for (behind = first; behind < at->behind && grammar->texts[behind][at->offset] == byte;)
        behind++;
    if (first < behind) {
        at->place = PLACE_SOURCE;
        at->first = first;
        at->behind = behind;
        at->offset++;
        return true;
    }
    if (byte != '\n' || at->place != PLACE_SOURCE || !is_whole(grammar, at))
        return false;
    at->place = PLACE_AFTER;
    return true;
}

static void begin_line(struct position *at)
{
    *at = (struct position){.place = PLACE_LINE};
}

static void step_line(struct position *at, char byte)
{
    at->head[at->length++] = byte;
    at->head[at->length] = '\0';
    const char *after = source_after_header(at->head);
    if (after != NULL)
        at->place = PLACE_HEADER;
    else if (at->length == HEAD_MAX || !source_may_be_header(at->head, at->length))
        at->place = PLACE_TEXT;
}

static bool step_header(const struct source_grammar *grammar, struct position *at, char byte)
{
    if (byte == ' ' && !at->space)
        return at->space = true;
    at->first = at->offset = 0;
    at->behind = grammar->count;
    if (byte != '\n')
        return step_source(grammar, at, byte);
    at->place = PLACE_SOURCE;
    return true;
}

static bool step(const struct source_grammar *grammar, struct position *at, char byte)
{
    switch (at->place) {
    case PLACE_LINE:
    case PLACE_TEXT:
        if (byte == '\n')
            begin_line(at);
        else if (at->place == PLACE_LINE)
            step_line(at, byte);
        return true;
    case PLACE_HEADER:
        return step_header(grammar, at, byte);
    case PLACE_SOURCE:
        return step_source(grammar, at, byte);
    case PLACE_AFTER:
        if (byte == '\n')
            begin_line(at);
        return byte == '\n';
    }
    return true;
}

/* --- the interface ---------------------------------------------------------------------------- */

static enum grammar_verdict judge(const struct grammar *base, const char *text, size_t length)
{
    const struct source_grammar *grammar = (const struct source_grammar *)base;
    struct position at = grammar->at;
    for (size_t i = 0; i < length; i++)
        if (!step(grammar, &at, text[i]))
            return GRAMMAR_FORBIDS;
    return GRAMMAR_ALLOWS;
}

static bool may_end(const struct grammar *base)
{
    const struct source_grammar *grammar = (const struct source_grammar *)base;
    const struct position *at = &grammar->at;
    return at->place != PLACE_HEADER && (at->place != PLACE_SOURCE || is_whole(grammar, at));
}

/* After what does not fit, anything goes until the line ends. */
static void accept(struct grammar *base, const char *text, size_t length)
{
    struct source_grammar *grammar = (struct source_grammar *)base;
    for (size_t i = 0; i < length; i++)
        if (!step(grammar, &grammar->at, text[i])) {
            grammar->at.place = PLACE_TEXT;
            if (text[i] == '\n')
                begin_line(&grammar->at);
        }
}

static void free_grammar(struct grammar *base)
{
    struct source_grammar *grammar = (struct source_grammar *)base;
    for (size_t i = 0; i < grammar->count; i++)
        free(grammar->texts[i]);
    free(grammar->texts);
    free(grammar);
}

static struct grammar *copy(const struct grammar *base)
{
    const struct source_grammar *grammar = (const struct source_grammar *)base;
    struct source_grammar *copy = xcalloc(1, sizeof *copy);
    *copy = *grammar;
    copy->texts = xcalloc(grammar->count, sizeof *copy->texts);
    for (size_t i = 0; i < grammar->count; i++)
        copy->texts[i] = xstrdup(grammar->texts[i]);
    return &copy->grammar;
}

/* --- the blocks of a prompt ------------------------------------------------------------------- */

static void add_text(struct source_grammar *grammar, const struct strbuf *metadata)
{
    size_t length = metadata->length;
    while (length > 0 && metadata->data[length - 1] == '\n')
        length--;
    if (length == 0)
        return;
    if (grammar->count == grammar->capacity) {
        grammar->capacity = grammar->capacity > 0 ? 2 * grammar->capacity : 8;
        grammar->texts = xreallocarray(grammar->texts, grammar->capacity, sizeof *grammar->texts);
    }
    grammar->texts[grammar->count++] = xstrndup(metadata->data, length);
}

/* The delimiters are template text and what stands between them content, so no document can be
 * taken for a delimiter. */
static void read_blocks(struct source_grammar *grammar, const struct segment_list *prompt)
{
    static const char begin[] = "BEGINCONTEXT\n", end[] = "ENDCONTEXT\n";
    struct strbuf metadata = {0};
    bool inside = false;
    for (size_t i = 0; i < prompt->count; i++) {
        const struct segment *segment = &prompt->items[i];
        const char *at = segment->text, *stop = at + segment->length;
        if (segment->kind == SEGMENT_CONTENT && inside)
            strbuf_add(&metadata, at, segment->length);
        while (segment->kind == SEGMENT_TEMPLATE && at < stop) {
            const char *mark = inside ? end : begin;
            const char *found = memmem(at, (size_t)(stop - at), mark, strlen(mark));
            if (inside)
                strbuf_add(&metadata, at, (size_t)((found != NULL ? found : stop) - at));
            if (inside && found != NULL)
                add_text(grammar, &metadata);
            if (found != NULL) {
                inside = !inside;
                strbuf_clear(&metadata);
            }
            at = found != NULL ? found + strlen(mark) : stop;
        }
    }
    strbuf_free(&metadata);
}

static int compare(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void sort_texts(struct source_grammar *grammar)
{
    size_t kept = 0;
    if (grammar->count > 0)
        qsort(grammar->texts, grammar->count, sizeof *grammar->texts, compare);
    for (size_t i = 0; i < grammar->count; i++) {
        if (kept > 0 && strcmp(grammar->texts[kept - 1], grammar->texts[i]) == 0)
            free(grammar->texts[i]);
        else
            grammar->texts[kept++] = grammar->texts[i];
    }
    grammar->count = kept;
}

struct grammar *source_grammar_create(const struct segment_list *prompt)
{
    static const struct grammar_ops ops = {judge, may_end, accept, copy, free_grammar};
    struct source_grammar *grammar = xcalloc(1, sizeof *grammar);
    grammar->grammar.ops = &ops;
    read_blocks(grammar, prompt);
    sort_texts(grammar);
    if (grammar->count > 0)
        return &grammar->grammar;
    free_grammar(&grammar->grammar);
    return NULL;
}
