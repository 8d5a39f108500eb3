/*
 * conversation.h - a tree of messages; the current chat is the path from the root to `tip`. Edit
 * and regenerate make branches; nothing is lost: what is deleted is hidden, with everything below
 * it, until it is undeleted. A message's id is its index and never changes.
 *
 * Whoever holds the struct owns the messages. `tip` may be set by hand; conversation_select also
 * remembers, for each message, which of its children was shown last.
 */
#ifndef AIRO_CHAT_CONVERSATION_H
#define AIRO_CHAT_CONVERSATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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
    char *made_with;                /* a reply's settings in one line; NULL: none. Owned */
    int64_t created;                /* seconds since 1970 */
    int64_t stored;                 /* its row in the store, 0: none yet */
    bool partial;                   /* a reply that was cancelled or is still coming */
    bool deleted;                   /* hidden, with everything below it */
    int chosen;                     /* the child shown last, -1: none yet */
    struct {
        int first, last;    /* children, oldest and newest, -1: none */
        int previous, next; /* among the parent's children (or the roots) */
    } link;                 /* kept by conversation_add */
};

struct conversation {
    struct message **items;
    size_t count, capacity;
    int tip;                   /* last message of the current path, -1: empty */
    int first_root, last_root; /* -1: none */
};

struct conversation *conversation_create(void);
void conversation_free(struct conversation *conversation);

/* Adds a message after `parent` (-1: a new root), makes it the tip and returns it; the pointer
 * stays valid. `created` is now. */
struct message *conversation_add(struct conversation *conversation, int parent, enum role role,
                                 const char *text, size_t length);
/* More of a reply: its text and the ids it came from. */
void message_append(struct message *message, const char *text, size_t length,
                    const struct token_list *tokens);
/* The ids from the root to the tip into `ids` (room for `count` entries); returns how many. The
 * path ends above the first deleted message. */
size_t conversation_path(const struct conversation *conversation, int *ids);

/* In the next two, `ids` (room for `count` entries; NULL: only count) gets ids in the order in
 * which they were added, and deleted messages are left out. */

/* The alternatives of a message, itself among them: the same parent and the same role. */
size_t conversation_siblings(const struct conversation *conversation, int id, int *ids);
/* What follows a message, of both roles; -1: the roots. */
size_t conversation_children(const struct conversation *conversation, int id, int *ids);

/* True when the message, or one above it, is deleted. */
bool conversation_hidden(const struct conversation *conversation, int id);

/* Makes the path go through the message, and on below it to what was shown last there (the newest
 * where nothing was). False, and nothing changes, for a hidden message or one that is not there. */
bool conversation_select(struct conversation *conversation, int id);

/* Hides the message and everything below it. Where the tip was among them it goes to the
 * alternative before it, else the one after it, else the parent (-1: the chat is empty). */
void conversation_delete(struct conversation *conversation, int id);
/* Shows it again and, where nothing above it is deleted, selects it: the undo of a delete. */
void conversation_undelete(struct conversation *conversation, int id);

#endif
