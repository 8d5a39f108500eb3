/*
 * text_view.h - a text to read: scrolling, searching, and ranges of it that stand out.
 *
 * Only what is in view is broken into rows, so that a text of any length opens at once. The text is
 * borrowed and handed in with each call; positions are bytes of it.
 */
#ifndef AIRO_TUI_TEXT_VIEW_H
#define AIRO_TUI_TEXT_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/chat/support_text.h"
#include "tui/terminal.h"

/* Zero-initialise; text_view_free. */
struct text_view {
    size_t top;                /* where the piece of text begins whose row is the first in view */
    size_t row;                /* of that piece's rows */
    int rows, columns;         /* as last drawn */
    size_t length;             /* of the text as last drawn */
    struct text_range passage; /* has a bar beside it; empty: none */
    struct text_range *words;  /* drawn as matches, in order; owned */
    size_t word_count;
    char *wanted;            /* what was searched for; NULL: nothing */
    struct text_range found; /* the match that the search stands on; empty: none */
};

void text_view_free(struct text_view *view);
/* At the beginning, without marks. */
void text_view_reset(struct text_view *view);
/* The passage and its words, and the view so that it begins near the top. */
void text_view_show(struct text_view *view, const char *text, size_t length,
                    struct text_range passage, const struct text_range *words, size_t count);
/* Where the view stands, as last drawn: "all", "top", "end", or a share such as "42 %". */
void text_view_place(const struct text_view *view, const char *text, size_t length, char place[8]);
/* Rows up (negative) or down. */
void text_view_scroll(struct text_view *view, const char *text, size_t length, int rows);
/* Arrows, pages, ends, the wheel, j k g G; true when it was one. */
bool text_view_key(struct text_view *view, const char *text, size_t length, const char *name);
/* The next place of `wanted` (NULL: of what was searched for before), whatever its case, or the
 * one before; round the ends. False: there is none. */
bool text_view_search(struct text_view *view, const char *text, size_t length, const char *wanted,
                      bool backwards);
void text_view_draw(struct text_view *view, const char *text, size_t length,
                    struct terminal *terminal, const struct rect *area);

#endif
