/*
 * conversation.h - a tree of messages; the current chat is the path from the root to `tip`. Edit
 * and regenerate make branches; nothing is lost.
 */
#ifndef AIRO_CHAT_CONVERSATION_H
#define AIRO_CHAT_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/strbuf.h"
#include "engine/chat/document.h"
#include "engine/model/tokenizer.h"

enum role { ROLE_USER, ROLE_ASSISTANT };

struct message {
    int id;     /* index in the conversation, never reused */
    int parent; /* -1: a root */
    enum role role;
    struct strbuf text;
    struct token_list tokens;       /* a reply's own ids, so that its KV is found again */
    struct document_list documents; /* sent with this user message */
    bool partial;                   /* a reply that was cancelled or is still coming */
};

struct conversation {
    struct message **items;
    size_t count, capacity;
    int tip; /* last message of the current path, -1: empty */
};

struct conversation *conversation_create(void);
void conversation_free(struct conversation *conversation);

/* Adds a message after `parent` (-1: a new root), makes it the tip and returns it; the pointer
 * stays valid. */
struct message *conversation_add(struct conversation *conversation, int parent, enum role role,
                                 const char *text, size_t length);
/* More of a reply: its text and the ids it came from. */
void message_append(struct message *message, const char *text, size_t length,
                    const struct token_list *tokens);
/* The ids from the root to the tip into `ids` (room for `count` entries); returns how many. */
size_t conversation_path(const struct conversation *conversation, int *ids);

#endif
