/*
 * transcript_model.h - the inside of a transcript, for its own files: items, and rows of them.
 *
 * A place is an item and a row of it; rows count the gap before the item's lines. Items are laid
 * out when their rows are asked for, never before.
 */
#ifndef AIRO_TUI_TRANSCRIPT_MODEL_H
#define AIRO_TUI_TRANSCRIPT_MODEL_H

#include <stdint.h>

#include "tui/message_rows.h"
#include "tui/transcript.h"
#include "tui/transcript_search.h"

struct transcript_match {
    size_t start, end; /* bytes of the text */
};

struct transcript_item {
    enum transcript_kind kind;
    const struct message *message; /* NULL: `text` is shown */
    char *text;
    char *note;
    unsigned alternative, alternatives;
    struct message_rows rows;
    struct transcript_mark *marks;
    size_t mark_count;
    struct transcript_match *matches;
    size_t match_count, match_capacity;
    size_t searched; /* bytes of the text that were */
};

struct transcript_place {
    size_t item;
    int row;
};

struct transcript {
    struct transcript_item *items;
    size_t count, capacity;
    bool follow, unseen, show_last;
    struct transcript_place top; /* when not following: the first row in view */
    int rows, columns;           /* as last drawn; columns of text */
    unsigned long layouts;
    char **names;
    struct flow_speaker *speakers;
    size_t speaker_count;
    /* Cursor and selection. */
    bool cursor_shown, selecting;
    struct transcript_place cursor, mark;
    /* Search. */
    uint32_t *pattern; /* code points, folded when `fold` */
    size_t pattern_length;
    bool fold;
    size_t match_total;
    struct transcript_place current_match; /* `row`: index among the item's matches, -1: none */
};

const char *item_text(const struct transcript_item *item, size_t *length);
/* Only the beginning of its text is shown. */
bool item_is_folded(const struct transcript_item *item);
int item_gap(const struct transcript *transcript, size_t index);
/* Lines of an item's text, one at least. */
int item_lines(struct transcript *transcript, size_t index);
/* All its rows: gap, lines, what was folded away, the footer. */
int item_rows(struct transcript *transcript, size_t index);
void item_lay_out(struct transcript *transcript, size_t index);
/* Moves a place up by `rows`; stops at the first row of all. Returns the rows it could not go. */
int place_move_up(struct transcript *transcript, struct transcript_place *place, int rows);
bool place_is_before(struct transcript_place a, struct transcript_place b);
/* The first row in view when the last one of all is at the bottom. */
struct transcript_place place_bottom(struct transcript *transcript);
/* What is at the top of the view. */
struct transcript_place place_top(struct transcript *transcript);
/* Scrolls as little as it takes to have the place in view. */
void transcript_reveal(struct transcript *transcript, struct transcript_place place);
/* After items went away: places beyond the end, or at one of them, come back. */
void transcript_item_removed(struct transcript *transcript, size_t index);
/* The cursor follows a view that was scrolled away from it. */
void transcript_cursor_follow(struct transcript *transcript);

#endif
