/*
 * pane_documents.h - the documents of the chat: which are given to the model, what they cost, what
 * they say.
 *
 * The list is read from the chat each time; the pane owns what is only its own: where it looks,
 * counts, and what was removed, for undo.
 */
#ifndef AIRO_TUI_PANE_DOCUMENTS_H
#define AIRO_TUI_PANE_DOCUMENTS_H

#include "engine/chat/support_text.h"
#include "tui/document_counts.h"
#include "tui/documents.h"
#include "tui/list.h"
#include "tui/pane.h"
#include "tui/text_view.h"

enum documents_mode { DOCUMENTS_LIST, DOCUMENTS_TEXT, DOCUMENTS_PAIRS };

/* Open for actions_documents.c and documents_draw.c. */
struct pane_documents {
    struct pane base;
    struct app *app;
    enum documents_mode mode;
    struct list list; /* of documents */
    int top;          /* row of the list, headings included, that is first in view */
    /* Whose text or pairs are shown: a message's id (-1: attached) and an index. */
    int shown_message;
    size_t shown_index;
    struct text_view view;
    struct list pairs;
    struct document_counts *counts;
    const struct conversation *conversation; /* that all of this is of; compared, never read */
    struct document_list removed;            /* last is newest */
    size_t *removed_at;
};

struct pane *pane_documents_create(struct app *app);
/* NULL when it is none. */
struct pane_documents *pane_documents_of(struct pane *pane);
/* The chat that it shows. */
struct pane_chat *pane_documents_chat(const struct pane_documents *pane);
/* The selected document; false when there is none. */
bool pane_documents_selected(const struct pane_documents *pane, struct document_place *place);
/* The one whose text or pairs are shown; false when it has gone. */
bool pane_documents_shown(const struct pane_documents *pane, struct document_place *place);
/* Text or pairs of the selected one. */
void pane_documents_enter(struct pane_documents *pane, enum documents_mode mode);
/* Opens the pane at a document's text, a passage of it marked; `message` as in the struct. An empty
 * passage: the beginning. */
void pane_documents_show(struct pane_chat *chat, int message, size_t index,
                         struct text_range passage, const struct text_range *words, size_t count);

#endif
