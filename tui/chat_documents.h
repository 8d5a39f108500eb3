/*
 * chat_documents.h - the documents of a chat: attached to the next message, and checked against
 * the sources that a reply names.
 */
#ifndef AIRO_TUI_CHAT_DOCUMENTS_H
#define AIRO_TUI_CHAT_DOCUMENTS_H

#include "tui/chat.h"

/* Attaches a file to the next message; *note says so with its exact tokens, to be freed. A document
 * that the context cannot hold is refused with the numbers. */
int chat_attach(struct chat *chat, const char *path, char **note, struct error *error);
/* Detaches one by its name, or all for "". */
void chat_detach(struct chat *chat, const char *path);
/* The source lines of the path's last reply that name none of the documents on the path, as one
 * line for the user; NULL when there are none, or no documents. To be freed. */
char *chat_unknown_sources(const struct chat *chat);

#endif
