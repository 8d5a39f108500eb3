/*
 * chat_keep.h - what of a chat goes to the library, and into files. For chat.c.
 */
#ifndef AIRO_TUI_CHAT_KEEP_H
#define AIRO_TUI_CHAT_KEEP_H

#include "tui/chat.h"

/* The message as it is, and the tip. The first one of a chat creates it in the library. */
void chat_keep_message(struct chat *chat, struct message *message);
/* The reply that runs, at most a few times a second: each time is a copy of all of it. */
void chat_keep_growing(struct chat *chat);
void chat_keep_tip(struct chat *chat);
/* NULL: not set. A chat that is not in the library yet takes it along when it is created. */
void chat_keep_field(struct chat *chat, enum store_field field, const char *value);

/* A new chat comes into the library because of what is typed in it, without a message. */
void chat_keep_new_draft(struct chat *chat, const char *draft);
/* A chat that was only a draft, and has none any more, leaves the list. */
void chat_drop_empty(struct chat *chat);

#endif
