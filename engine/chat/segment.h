/*
 * segment.h - a prompt as pieces, each with its kind and the part of the prompt it belongs to.
 *
 * Only a SEGMENT_SPECIAL becomes a special token. Template and content are both tokenised with
 * special parsing off; they differ in who wrote them. Adjacent text segments are tokenised as one
 * run, so that a boundary between template and content cannot change the ids; `fresh` begins a new
 * run, as a special token does.
 */
#ifndef AIRO_CHAT_SEGMENT_H
#define AIRO_CHAT_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/model/tokenizer.h"

enum segment_kind {
    SEGMENT_TEMPLATE, /* text of the template */
    SEGMENT_CONTENT,  /* text of a person, a document, a card or a reply */
    SEGMENT_SPECIAL,  /* one special token; `text` is its spelling, for people */
    SEGMENT_TOKENS,   /* a reply's own ids, kept from when it was generated: no re-tokenising */
};

enum segment_part {
    PART_SYSTEM,
    PART_DOCUMENT,
    PART_SCENE,
    PART_HISTORY,
    PART_DRAFT,
    PARTS,
};

struct segment {
    enum segment_kind kind;
    enum segment_part part;
    int owner;  /* document or message number, -1: none */
    bool fresh; /* text: begin a new run of tokens here (with the tokenizer's dummy prefix) */
    char *text; /* owned by the list */
    size_t length;
    int32_t id;               /* SEGMENT_SPECIAL */
    struct token_list tokens; /* SEGMENT_TOKENS */
};

/* A growing list that owns its segments; zero-initialise, segment_list_free. */
struct segment_list {
    struct segment *items;
    size_t count, capacity;
};

void segment_add_text(struct segment_list *list, enum segment_kind kind, enum segment_part part,
                      int owner, bool fresh, const char *text, size_t length);
void segment_add_special(struct segment_list *list, enum segment_part part, const char *text,
                         int32_t id);
void segment_add_tokens(struct segment_list *list, enum segment_part part, int owner,
                        const int32_t *ids, size_t count);
void segment_list_copy(struct segment_list *to, const struct segment_list *from);
void segment_list_free(struct segment_list *list);

/* The ids of the whole list. `parts` [PARTS] receives the tokens of each part (may be NULL); a
 * token that spans two segments counts for the one where it begins. */
void segment_tokenize(const struct segment_list *list, const struct tokenizer *tokenizer,
                      struct token_list *out, size_t *parts);

/* Tokens [begin, end) of a prompt. */
struct token_span {
    size_t begin, end;
};

/* A growing list; zero-initialise, free(items). */
struct token_span_list {
    struct token_span *items;
    size_t count, capacity;
};

/* The same, and where the tokens of the documents stand, as spans in rising order. */
void segment_tokenize_documents(const struct segment_list *list, const struct tokenizer *tokenizer,
                                struct token_list *out, size_t *parts,
                                struct token_span_list *documents);

/* Where a token of a prompt comes from. */
struct segment_token {
    int32_t id;
    size_t segment; /* in which it begins */
    size_t begin;   /* byte of segment_text() at which it begins; never less than the one before */
};

/* The same ids as segment_tokenize, each with its place: the text of a token is what lies between
 * its beginning and the next one's, so that all of them are segment_text(). That is empty for a
 * space that only the tokenizer sees, and for all but the last of the bytes of a character that is
 * no token. *out is to be freed; returns how many. */
size_t segment_trace(const struct segment_list *list, const struct tokenizer *tokenizer,
                     struct segment_token **out);

/* The list as text, special tokens by their spelling: what --show-prompt prints. `tokenizer` may
 * be NULL when there is no SEGMENT_TOKENS. */
void segment_text(const struct segment_list *list, const struct tokenizer *tokenizer,
                  struct strbuf *out);

#endif
