/*
 * support_source.h - the "Source:" lines of a reply and the blocks that they name.
 *
 * A source is the metadata lines of one block, as the model repeats them. Lines are compared with
 * what the defusing of the prompt undone; ranges are in bytes of the reply. The lists are owned by
 * the struct: source_list_free.
 */
#ifndef AIRO_CHAT_SUPPORT_SOURCE_H
#define AIRO_CHAT_SUPPORT_SOURCE_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/chat/document.h"
#include "engine/chat/support_text.h"

struct source_line {
    struct text_range range; /* of the line, a "Source:" before it not included */
    char *text;              /* trimmed, the defusing undone */
    int document;            /* the first that has this pair; -1: none has it */
    bool matches;            /* a pair of its source's document */
};

/* Lines that belong together. */
struct source {
    size_t first, count; /* of the lines */
    int document;        /* the block that most of the lines name; -1: none of them names any */
    bool exact;          /* every line is a pair of that block */
};

struct source_list {
    struct source_line *lines;
    struct source *sources;
    size_t line_count, line_capacity, count, capacity;
    size_t answer_bytes; /* the reply up to its first "Source:" line */
};

/* The text after "Source:" or "Sources:" when the line begins so, or NULL. */
const char *source_after_header(const char *line);
/* Whether more text could still make `line` begin so. */
bool source_may_be_header(const char *line, size_t length);
/* The line as the documents have it: trimmed, the defusing undone; `markers` may be NULL. To be
 * freed. */
char *source_plain_line(const char *line, size_t length, const char *const *markers);
/* The first enabled document with this pair, as "key: value" or the value alone; -1: none. */
int source_document(const struct document_list *documents, const char *line);
/* Whether the line goes on with the sources: it names a document or has the form of a pair. */
bool source_goes_on(const char *line, int document);

/* All sources of a reply. */
void source_list_read(struct source_list *list, const char *reply, size_t length,
                      const struct document_list *documents, const char *const *markers);
void source_list_free(struct source_list *list);

/* What differs between an inexact source and its document, one line for the user: "the source says
 * date: 1990-01-01, notes.txt has date: 1993-04-13". NULL when nothing does. To be freed. */
char *source_difference(const struct source_list *list, size_t source,
                        const struct document_list *documents);

#endif
