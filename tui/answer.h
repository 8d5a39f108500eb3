/*
 * answer.h - reading a closed-context reply: which of its "Source:" lines name a document that was
 * given, and whether it says that the documents do not say.
 */
#ifndef AIRO_TUI_ANSWER_H
#define AIRO_TUI_ANSWER_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/strbuf.h"
#include "engine/chat/document.h"

/* What is said of a source line that names no document. */
#define ANSWER_NOT_GIVEN "not among the documents"

/* Told of each source line: `document` is its index, or -1 when it names none. */
typedef void (*answer_source)(void *user, const char *line, int document);

/*
 * A reply on its way to the screen. Text goes through at once; only a line that may be "Source:",
 * and those below it, wait until they are whole, because the mark for a line that names no document
 * follows it. Zero-initialise, set the first three fields, answer_free.
 */
struct answer {
    const struct document_list *documents;
    const char *const *markers; /* of the template: its defusing is undone before comparing */
    answer_source on_source;    /* may be NULL */
    void *user;
    struct strbuf line; /* held back */
    bool mid_line;      /* the line's beginning has gone out */
    enum { ANSWER_TEXT, ANSWER_FIRST_SOURCE, ANSWER_SOURCES } state;
};

/* Appends to `out` what may be shown now. */
void answer_push(struct answer *answer, const char *text, size_t length, struct strbuf *out);
/* At the end: what is still held back. */
void answer_finish(struct answer *answer, struct strbuf *out);
void answer_free(struct answer *answer);

/* True when the reply, sources aside, declines: "I don't know. The documents do not say." */
bool answer_declines(const char *reply);

#endif
