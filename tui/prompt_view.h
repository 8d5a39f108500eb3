/*
 * prompt_view.h - a prompt as it is shown: its text, where each token and each part begins, its
 * lines, and how many tokens the parts have.
 *
 * Made once from segments, by any thread, and only read after that.
 */
#ifndef AIRO_TUI_PROMPT_VIEW_H
#define AIRO_TUI_PROMPT_VIEW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/strbuf.h"
#include "engine/chat/segment.h"

/* Longer lines are shown as several, so that laying one out never takes long. */
#define PROMPT_LINE_BYTES 4096

/* What segments beside each other have in common. */
struct prompt_stretch {
    size_t begin; /* byte of the text; it ends where the next one begins */
    enum segment_part part;
    bool special; /* one special token */
};

struct prompt_view {
    struct strbuf text;           /* the bytes of all tokens in a row */
    struct segment_token *tokens; /* in order of `begin`; none without a tokenizer */
    size_t token_count;
    struct prompt_stretch *stretches;
    size_t stretch_count, stretch_capacity;
    size_t *lines; /* where each begins */
    size_t line_count, line_capacity;
    size_t parts[PARTS]; /* tokens; 0 without a tokenizer */
};

/* `tokenizer` NULL: text and parts only. */
struct prompt_view *prompt_view_create(const struct segment_list *segments,
                                       const struct tokenizer *tokenizer);
void prompt_view_free(struct prompt_view *view);

/* Where line, token or stretch `index` ends. */
size_t prompt_view_line_end(const struct prompt_view *view, size_t index);
size_t prompt_view_token_end(const struct prompt_view *view, size_t index);
size_t prompt_view_stretch_end(const struct prompt_view *view, size_t index);
/* The last one that begins at or before the byte. */
size_t prompt_view_line_at(const struct prompt_view *view, size_t offset);
size_t prompt_view_token_at(const struct prompt_view *view, size_t offset);
size_t prompt_view_stretch_at(const struct prompt_view *view, size_t offset);

/* Whether the words are at this byte; letters of ASCII match in both cases. */
bool prompt_view_matches(const struct prompt_view *view, size_t offset, const char *words,
                         size_t length);
/* The first place from `from` on (backwards: the last one before it), round the end. False: not
 * found. */
bool prompt_view_find(const struct prompt_view *view, const char *words, size_t from,
                      bool backwards, size_t *found);
/* How many there are, and how many of them begin before `offset`. */
size_t prompt_view_count_matches(const struct prompt_view *view, const char *words, size_t offset,
                                 size_t *before);

/* Appends the ids as a JSON array in one line. */
void prompt_view_ids(const struct prompt_view *view, struct strbuf *out);

#endif
