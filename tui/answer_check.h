/*
 * answer_check.h - whether replies stand in the documents of their chat: the note under them, the
 * passage behind a source line, and the words that no document has.
 *
 * Large documents are looked through on a thread; the interface does not wait for it. The state
 * belongs to the chat's pane (its field `check`).
 */
#ifndef AIRO_TUI_ANSWER_CHECK_H
#define AIRO_TUI_ANSWER_CHECK_H

#include "engine/chat/support_text.h"
#include "tui/pane_chat.h"

struct answer_check;

/* Notes under a reply that has ended why it ended (NULL: nothing) and how it stands to the
 * documents; at once, or when they have been looked through. */
void answer_check_note(struct pane_chat *pane, const struct message *reply, const char *reason);

/* Opens the documents' pane at the passage that supports the reply's sentence at `byte`, or, on a
 * source line, the document that it names. False: the byte has no such passage. */
bool documents_show_source(struct app *app, struct pane_chat *pane, const struct message *reply,
                           size_t byte);

/* The words and numbers of a reply that no document of its path has, in order; *ranges is to be
 * freed. 0 also where that is not known: no documents, or large ones not looked through yet. */
size_t documents_unsupported(struct pane_chat *pane, const struct message *reply,
                             struct text_range **ranges);

/* For pane_chat.c. */
bool answer_check_runs(const struct pane_chat *pane);
void answer_check_tick(struct pane_chat *pane);
void answer_check_free(struct answer_check *check);

#endif
