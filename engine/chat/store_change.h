/*
 * store_change.h - private to the writer: one change that waits to be saved, with copies of all it
 * needs, and the queue of them.
 *
 * A newer change of the same thing replaces the waiting one where that stands, so the order is kept
 * (a message before its replies) and the queue is no longer than the things that changed. While the
 * thread writes a change it is busy, and a newer one stands behind it.
 */
#ifndef AIRO_CHAT_STORE_CHANGE_H
#define AIRO_CHAT_STORE_CHANGE_H

#include "engine/chat/store.h"

enum change_kind {
    CHANGE_CREATE,
    CHANGE_MESSAGE,
    CHANGE_TIP,
    CHANGE_FIELD,
    CHANGE_DOCUMENTS,
    CHANGE_DELETED,
};

struct change {
    enum change_kind kind;
    int64_t chat;
    int64_t row; /* message; the field; the tip */
    int64_t parent, chosen;
    struct message *message; /* its own copy; no links */
    bool fresh;              /* the message is new: documents are to be written */
    struct store_chat *meta; /* CHANGE_CREATE */
    char *text;              /* CHANGE_FIELD */
    struct document_list documents;
    bool deleted; /* CHANGE_DELETED */

    uint64_t first, last; /* numbers of the oldest and newest change in it */
    int64_t due_ms;       /* not before */
    bool busy;            /* the thread reads it */
    bool failed;          /* cannot be written, not even alone; skipped until a retry */
    struct change *previous, *next;
};

struct change_queue {
    struct change *first, *last;
    size_t count;
};

void change_free(struct change *change);
/* Takes the change in. */
void change_queue_add(struct change_queue *queue, struct change *change);
/* Takes it out and frees it. */
void change_queue_remove(struct change_queue *queue, struct change *change);
/* Busy changes wait again, and take in the newer ones of the same thing behind them. */
void change_queue_put_back(struct change_queue *queue);
void change_queue_free(struct change_queue *queue);
/* The number up to which no change waits, of `given` numbers given. */
uint64_t change_queue_done(const struct change_queue *queue, uint64_t given);

/* Writes it, inside a transaction or alone. */
int change_apply(struct store *store, struct change *change, struct error *error);

#endif
