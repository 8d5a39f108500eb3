/*
 * store.h - chats on disk: one SQLite file that every chat, message and document lives in.
 *
 * What the disk has said yes to stays: WAL mode with full sync, so a commit survives SIGKILL and
 * power loss. A struct store is one connection, used by one thread at a time; several (in one
 * process or in many) may be open on the same file. Searching is in store_search.h, export and
 * import in store_export.h.
 *
 * How an interface uses it:
 *
 *   at the start      store_open for the list, search and loading; writer_open (store_writer.h) for
 *                     every change, so that nothing waits for the disk
 *   a chat begins     at its first message, not before (no empty chats in the list): fill a struct
 *                     store_chat, writer_create_chat, which gives it its id at once
 *   a message         writer_save_message for the question, with its documents, then for the reply
 *                     as often as it grows; once more when it is complete. It is shown as saved
 * when writer_status says that the number it was given is committed the rest          writer_set
 * (title, draft, ...), writer_set_tip, writer_set_documents a chat is opened  store_load; messages
 * keep their row in message->stored the end           writer_close, which says what could not be
 * saved; store_close
 *
 * Row ids are chosen by whoever makes the row, not by the file, so they are known at once:
 * microseconds since 2020 in the upper 51 bits, 12 random bits below, and always above the parent's
 * and above the last one given. So the order of the ids is the order of the tree, rows of a chat
 * lie together, and two processes do not meet; should they, the later save is refused.
 *
 * A call that changes something waits up to five seconds for another program that writes. A program
 * that writes with a store of its own (import, duplicate) ignores SIGXFSZ, so that a file size
 * limit is an error as any other; the writer's thread sees to that itself.
 *
 * Functions return 0, or -1 with one line in `error` that names the file.
 */
#ifndef AIRO_CHAT_STORE_H
#define AIRO_CHAT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/chat/conversation.h"
#include "engine/chat/document.h"

struct store;

/* What a chat says about itself. NULL is "not set", which is not the same as "". */
enum store_field {
    STORE_TITLE,
    STORE_TEMPLATE,
    STORE_SYSTEM,
    STORE_SCENE,
    STORE_MODEL,
    STORE_DRAFT, /* typed, not sent */
    STORE_FIELDS
};

/* "title": its name in an export. */
const char *store_field_name(enum store_field field);

struct store_chat {
    int64_t id;
    char *fields[STORE_FIELDS]; /* owned */
    int64_t created, updated;   /* seconds since 1970; updated by messages */
    int64_t deleted_at;         /* 0: not deleted */
    struct conversation *conversation;
    struct document_list documents; /* chosen, but not sent yet */
};

/* A line of the list. */
struct store_entry {
    int64_t id;
    char *title; /* NULL: not set */
    char *model; /* NULL: not set */
    int64_t created, updated, deleted_at;
    size_t messages; /* that are not hidden */
};

struct store_list {
    struct store_entry *items;
    size_t count, capacity;
};

/* Where chats are kept when nothing else is said: chats.sqlite3 in airo's data directory. To be
 * freed. */
char *store_default_path(void);

/* Opens the file and makes it (0600) and its directory (0700) where they are missing. Refuses, and
 * leaves as it is, a file that another program or a newer airo has written, and one that is
 * damaged (found here when it is small or cut short; store_check looks at every page). */
int store_open(struct store **out, const char *path, struct error *error);
void store_close(struct store *store);
const char *store_path(const struct store *store);
/* Reads the whole file: every page, every index, the search index. Takes its time. */
int store_check(struct store *store, struct error *error);

/* A number that changes when another connection, of this program or another one, has changed the
 * file; 0 where it cannot be told. */
int64_t store_data_version(struct store *store);

/* An id for a new row, above `after` (the parent's row, or 0). */
int64_t store_new_id(struct store *store, int64_t after);

/* The chats, last updated first: the ones that are there, or the deleted ones. */
int store_list(struct store *store, bool deleted, struct store_list *out, struct error *error);
void store_list_free(struct store_list *list);

/* All of a chat. Deleted messages are loaded too (undo), and so is a deleted chat. */
int store_load(struct store *store, int64_t chat, struct store_chat *out, struct error *error);
void store_chat_free(struct store_chat *chat);

/* Writes id (0: a new one is chosen), fields and times (created 0: now) of a new chat; messages and
 * documents are not looked at. */
int store_create(struct store *store, struct store_chat *chat, struct error *error);
/* A new chat with all of the given one's fields, messages (they get rows of their own) and
 * documents. */
int store_save_copy(struct store *store, struct store_chat *chat, struct error *error);
/* Inserts the message (stored == 0: an id is chosen; those above it must be stored) or updates all
 * of it. Documents are written when it is new. */
int store_save_message(struct store *store, int64_t chat, const struct conversation *conversation,
                       struct message *message, struct error *error);
int store_set(struct store *store, int64_t chat, enum store_field field, const char *value,
              struct error *error);
/* `message` is the row of the path's last message, 0: none. */
int store_set_tip(struct store *store, int64_t chat, int64_t message, struct error *error);
/* The documents that are chosen but not sent yet replace those that were. */
int store_set_documents(struct store *store, int64_t chat, const struct document_list *documents,
                        struct error *error);

/* A rename is store_set(STORE_TITLE). */
int store_duplicate(struct store *store, int64_t chat, int64_t *copy, struct error *error);
/* Deleted chats leave the list and the search, and stay until they are purged. */
int store_set_deleted(struct store *store, int64_t chat, bool deleted, struct error *error);
/* Removes for good what was deleted more than `days` ago (0: at once). */
int store_purge(struct store *store, int days, struct error *error);

#endif
