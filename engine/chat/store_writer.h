/*
 * store_writer.h - a thread that saves, so that nobody waits for the disk.
 *
 * The interface thread calls writer_*; each call copies what it needs, puts it in the queue and
 * returns at once with the change's number (numbers rise). The thread owns a connection of its own
 * and commits all that waits in one transaction. A change is on the disk, for good, when
 * `committed` has reached its number; only then is a message shown as saved.
 *
 * A reply that still comes (message->partial) and a draft wait for up to WRITER_LAZY_MS for more of
 * the same, so saving after every token costs two commits a second; everything else goes at once.
 * Of several changes of the same thing the last one is written.
 *
 * When the disk is full or fails, or another program holds the file for too long, the changes stay
 * in the queue, in order, status.problem says why, and they are tried again: after a second, then
 * at growing intervals, at most WRITER_RETRY_MAX_MS, or when writer_retry is called. A change that
 * can never be written (its chat was purged) does not hold up the others; it stays, and is told.
 *
 * All functions are for one thread, which also is the only one to touch the conversations.
 */
#ifndef AIRO_CHAT_STORE_WRITER_H
#define AIRO_CHAT_STORE_WRITER_H

#include "engine/chat/store.h"

#define WRITER_LAZY_MS      500
#define WRITER_RETRY_MAX_MS 10000

struct writer;

struct writer_status {
    uint64_t committed;   /* every change up to this number is on the disk */
    uint64_t queued;      /* the last number given */
    size_t waiting;       /* changes that are not on the disk yet */
    struct error problem; /* why they are not; code ERROR_NONE: no problem */
};

/* Opens the file as store_open does, and starts the thread, in which every signal is blocked (so
 * writing over a file size limit is an error there, not SIGXFSZ). */
int writer_open(struct writer **out, const char *path, struct error *error);
/* Writes what waits, for at most `timeout_ms`, and ends. -1, with how many changes could not be
 * saved and why, where some are left; they are gone then. Frees the writer in any case. */
int writer_close(struct writer *writer, int timeout_ms, struct error *error);

/* Readable when the status has changed. writer_status makes it unreadable. */
int writer_fd(const struct writer *writer);
void writer_status(struct writer *writer, struct writer_status *status);
/* Tries again now. */
void writer_retry(struct writer *writer);

/* Gives the chat its id (chat->id, where it is 0) and times, and saves its fields. */
uint64_t writer_create_chat(struct writer *writer, struct store_chat *chat);
/* Saves the message, and gives it its row (message->stored) where it has none; those above it that
 * have none go first. A new message goes with its documents. Also for `deleted` and `chosen`. */
uint64_t writer_save_message(struct writer *writer, int64_t chat, struct conversation *conversation,
                             struct message *message);
/* The conversation's tip (a message without a row is left out: save it first). */
uint64_t writer_set_tip(struct writer *writer, int64_t chat,
                        const struct conversation *conversation);
uint64_t writer_set(struct writer *writer, int64_t chat, enum store_field field, const char *value);
/* The documents that are chosen but not sent yet. */
uint64_t writer_set_documents(struct writer *writer, int64_t chat,
                              const struct document_list *documents);
/* The documents of a message that is there already, after a change of their state. */
uint64_t writer_set_sent_documents(struct writer *writer, int64_t chat,
                                   const struct message *message);
/* Delete and its undo. */
uint64_t writer_set_deleted(struct writer *writer, int64_t chat, bool deleted);

#endif
