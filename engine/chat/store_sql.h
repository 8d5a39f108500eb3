/*
 * store_sql.h - private to engine/chat/store*.c: the connection, its statements, transactions.
 *
 * A statement is prepared at its first use and kept. sql_begin takes one off the table with its
 * parameters bound; sql_done and sql_run put it back.
 */
#ifndef AIRO_CHAT_STORE_SQL_H
#define AIRO_CHAT_STORE_SQL_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/chat/store.h"

/* Every statement with parameters; the text is in store_sql.c. */
enum sql {
    SQL_LIST,
    SQL_CHAT,
    SQL_CHAT_TIP,
    SQL_CHAT_MESSAGES,
    SQL_CHAT_DOCUMENTS,
    SQL_CHAT_PAIRS,
    SQL_CHAT_INSERT,
    SQL_CHAT_TOUCH,
    SQL_CHAT_SET_FIELD, /* + enum store_field */
    SQL_CHAT_SET_TIP = SQL_CHAT_SET_FIELD + STORE_FIELDS,
    SQL_CHAT_SET_DELETED,
    SQL_CHAT_PURGE,
    SQL_MESSAGE_SAVE,
    SQL_CONTENT_FIND,
    SQL_CONTENT_INSERT,
    SQL_CONTENT_SWEEP,
    SQL_DOCUMENT_INSERT,
    SQL_DOCUMENT_REPLACE,
    SQL_DOCUMENT_CLEAR,
    SQL_PAIR_INSERT,
    SQL_SEARCH,
    SQL_DATA_VERSION,
    SQL_COUNT
};

struct id_source {
    int64_t last;
};

struct store {
    sqlite3 *db;
    char *path;
    sqlite3_stmt *statements[SQL_COUNT];
    struct id_source ids;
    int busy_ms;              /* how long to wait for another writer */
    const atomic_bool *hurry; /* NULL, or: when true, wait for nobody */
    int code;                 /* SQLite's extended code of the last failure */
};

int64_t id_next(struct id_source *source, int64_t after);

/* The statement with its parameters bound, one letter of `format` for each: i int64_t, t const char
 * * (NULL: NULL), b const void * and size_t as a blob, s the same as text. NULL on error. The bytes
 * must stay until it is put back. */
sqlite3_stmt *sql_begin(struct store *store, enum sql which, struct error *error,
                        const char *format, ...);
/* 1: a row is there, 0: no more, -1: error. */
int sql_step(struct store *store, sqlite3_stmt *statement, struct error *error);
void sql_done(sqlite3_stmt *statement);
/* Steps to the end and puts it back; takes a NULL statement as the error that it is. */
int sql_run(struct store *store, sqlite3_stmt *statement, struct error *error);
/* Runs text without parameters. */
int sql_exec(struct store *store, const char *text, struct error *error);
/* The error line for what SQLite said last: "PATH: cannot WHAT: reason". Returns -1. */
int sql_error(struct store *store, const char *what, struct error *error);

/* A writing transaction; inside another one only the outer one counts (*own is false). */
int sql_transaction(struct store *store, bool *own, struct error *error);
/* Commits where `result` is 0, else rolls back; does nothing unless `own`. Returns the outcome. */
int sql_finish(struct store *store, bool own, int result, struct error *error);

/* Columns. Text is a copy (NULL stays NULL). */
char *sql_text(sqlite3_stmt *statement, int column);

/* Schema: creates, migrates, refuses (store_schema.c). */
int schema_open(struct store *store, struct error *error);

/* One row of the tree, stored != 0; `parent` and `chosen` are rows, 0: none (store_message.c). */
int message_write(struct store *store, int64_t chat, int64_t parent, int64_t chosen,
                  const struct message *message, struct error *error);
/* The chat was updated now. */
int chat_touch(struct store *store, int64_t chat, struct error *error);
/* The documents of a message (those it had go: a change may be written twice), or with message 0
 * the chat's pending ones (store_documents.c). */
int documents_insert(struct store *store, int64_t chat, int64_t message,
                     const struct document_list *documents, struct error *error);

#endif
