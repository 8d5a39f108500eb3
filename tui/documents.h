/*
 * documents.h - what a person does with the documents of a chat: adding without waiting, switching,
 * and the list of all of them. Pane, commands and keys go through here.
 *
 * What is under way belongs to the chat's pane (its field `documents`) and ends with it.
 */
#ifndef AIRO_TUI_DOCUMENTS_H
#define AIRO_TUI_DOCUMENTS_H

#include "tui/pane_chat.h"

struct documents;

/* A document where it stands. Valid until the chat changes. */
struct document_place {
    struct document *document;
    struct message *message; /* that it was sent with; NULL: it goes with the next one */
    size_t index;            /* in the message's list, or among the attached ones */
};

/* All of the chat's: those attached, then those sent on the current path, oldest first. *out is to
 * be freed; returns how many. */
size_t documents_list(const struct chat *chat, struct document_place **out);

/* Adds what `spec` names to the attached ones as soon as it is read. `aloud`: the transcript tells
 * of it, else the line below does. */
void documents_add(struct pane_chat *pane, const char *spec, bool aloud);
/* Pasted text under a name. */
void documents_add_text(struct pane_chat *pane, const char *name, const char *text, size_t length);
bool documents_are_coming(const struct pane_chat *pane);
/* "adding notes, 3 of 12"; appends. */
void documents_say_coming(const struct pane_chat *pane, struct strbuf *out);
void documents_stop_coming(struct pane_chat *pane);

/* After a change of the attached ones (message NULL), or of a message's: kept and counted. */
void documents_changed(struct pane_chat *pane, struct message *message);
void documents_toggle(struct pane_chat *pane, const struct document_place *place);
/* After a change of a setting that prompts depend on. */
void documents_settings_changed(struct pane_chat *pane);
/* What the prompt with the draft takes, where it is counted and does not fit; else 0. */
size_t documents_overflow(const struct pane_chat *pane);

/* For pane_chat.c. */
void documents_tick(struct pane_chat *pane);
void documents_free(struct documents *documents);

#endif
