/*
 * transcript_cursor.h - a cursor among the rows of a transcript, and what is selected with it.
 *
 * The cursor stands on rows of text only, not in gaps or footers. A selection is whole rows: the
 * bytes of the messages that they stand for, so soft-wrapped lines come joined; messages are parted
 * by an empty line.
 */
#ifndef AIRO_TUI_TRANSCRIPT_CURSOR_H
#define AIRO_TUI_TRANSCRIPT_CURSOR_H

#include "engine/base/strbuf.h"
#include "tui/transcript.h"

/* Shown, it begins at the last row in view; hidden, the selection ends too. */
void transcript_cursor_show(struct transcript *transcript, bool shown);
bool transcript_cursor_is_shown(const struct transcript *transcript);
void transcript_cursor_move(struct transcript *transcript, int rows);
/* To the beginning of the message before or after (or of its own, going back from its middle). */
void transcript_cursor_message(struct transcript *transcript, int messages);
/* To the beginning of this message, which comes into view; false when it is not there. */
bool transcript_cursor_to(struct transcript *transcript, const struct message *message);
void transcript_cursor_end(struct transcript *transcript, bool bottom);
/* To row and column of the area last drawn; false when no text is there. */
bool transcript_at(struct transcript *transcript, int row, int column);

/* Under the cursor; NULL when none is, or the text is not a message's. */
const struct message *transcript_cursor_on(const struct transcript *transcript);
/* The bytes of that message (or other text) that the cursor's row stands for; false: no row. */
bool transcript_line_at_cursor(struct transcript *transcript, size_t *start, size_t *end);

/* Begins a selection at the cursor, or ends it. */
void transcript_select(struct transcript *transcript);
bool transcript_is_selecting(const struct transcript *transcript);
/* Appends what is selected, or else all of the text under the cursor. False when nothing is. */
bool transcript_selection_text(struct transcript *transcript, struct strbuf *out);
/* Appends the code block under the cursor and its language ("" when it has none). */
bool transcript_code_at_cursor(struct transcript *transcript, struct strbuf *code,
                               struct strbuf *language);

#endif
