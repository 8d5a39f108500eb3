/*
 * passages.h - the paragraphs of documents that a question needs, when all of them do not fit.
 *
 * Documents are cut into paragraphs: short ones are put together, long ones cut at sentence ends,
 * to about 60 to 200 words. They are indexed in an SQLite FTS5 table in memory and ranked by bm25,
 * where a word that is everywhere weighs next to nothing. The index reads the documents and keeps
 * only places in them: they must stay as they are until passages_close.
 */
#ifndef AIRO_CHAT_PASSAGES_H
#define AIRO_CHAT_PASSAGES_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/chat/document.h"
#include "engine/chat/support_text.h"

/* What stands for left-out text. */
#define PASSAGES_GAP "[...]"

/* Told every now and then how many bytes have been indexed; false stops the work. */
typedef bool (*passages_progress)(void *user, size_t done_bytes, size_t total_bytes);
/* The tokens that this document takes in the prompt as a block, its metadata included. */
typedef size_t (*passages_count)(void *user, const struct document *document);

struct passages;

/* Cuts and indexes the enabled documents. `progress` may be NULL. NULL on error; stopping is
 * ERROR_CANCELLED. */
struct passages *passages_open(const struct document_list *documents, passages_progress progress,
                               void *user, struct error *error);
void passages_close(struct passages *passages);
/* How many paragraphs a document was cut into. */
size_t passages_paragraphs(const struct passages *passages, size_t document);

/* One chosen paragraph. */
struct passage {
    size_t document;         /* in the list that was given */
    size_t number;           /* among the document's paragraphs, from 1 */
    struct text_range range; /* in that document's text */
    size_t chosen_document;  /* in the list that was made, */
    size_t chosen_begin;     /* and where it begins in that document's text */
    double score;            /* higher is better; 0 where nothing matched */
};

struct passages_choice {
    struct document_list documents; /* only those with passages, in order, same names and pairs */
    struct passage *items;          /* in document order */
    size_t count;
    size_t tokens; /* that the blocks take, by the counting function; a little too many */
    bool matched;  /* false: nothing matched, these are the documents' beginnings */
    char **report; /* a line for each document: "notes.txt: paragraphs 3-4, 17 of 40" */
    size_t report_count;
};

/* Chooses the best paragraphs for the question that fit into `budget_tokens`; the beginnings of the
 * documents when no word of it is found. Any text is a question. An error when not one paragraph
 * fits. */
int passages_pick(struct passages *passages, const char *question, size_t budget_tokens,
                  passages_count count, void *user, struct passages_choice *choice,
                  struct error *error);
void passages_choice_free(struct passages_choice *choice);

/* Where a byte of a chosen document stands in the documents that were given; false inside a gap. */
bool passages_origin(const struct passages_choice *choice, size_t chosen_document, size_t byte,
                     size_t *document, size_t *origin);

#endif
