/*
 * reading.h - what a person does with messages in the transcript: copy, edit, answer again, delete,
 * go from one alternative to another, see the tree, search.
 *
 * All act on the message under the transcript's cursor and say in a flash what they did.
 */
#ifndef AIRO_TUI_READING_H
#define AIRO_TUI_READING_H

#include "tui/pane_chat.h"

/* What is selected, or the message, to the clipboard. */
void reading_copy(struct pane_chat *pane);
/* The code block under the cursor to the clipboard, or asks for a file to write it to. */
void reading_copy_code(struct pane_chat *pane);
void reading_save_code(struct pane_chat *pane);

/* Its text into the line editor; Enter puts the edited one beside it. */
void reading_edit(struct pane_chat *pane);
void reading_regenerate(struct pane_chat *pane);
void reading_continue(struct pane_chat *pane);
void reading_delete(struct pane_chat *pane);
void reading_undelete(struct pane_chat *pane);
/* To the next (1) or previous (-1) alternative. */
void reading_swipe(struct pane_chat *pane, int by);
/* The branches as a tree to pick from. */
void reading_branches(struct pane_chat *pane);
/* How the reply was made, and when. */
void reading_about(struct pane_chat *pane);

/* The documents' pane at the passage that supports the sentence under the cursor, or at the source
 * that its line names. */
void reading_open_source(struct pane_chat *pane);
/* Marks the words and numbers of the reply that no document has, or takes the marks away. */
void reading_mark_unsupported(struct pane_chat *pane);

void reading_search(struct pane_chat *pane);
void reading_search_next(struct pane_chat *pane, bool backwards);

/* The text of the line editor through the user's $VISUAL or $EDITOR. */
void reading_open_editor(struct pane_chat *pane);

#endif
