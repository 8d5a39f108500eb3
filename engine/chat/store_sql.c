#include "engine/chat/store_sql.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "engine/base/alloc.h"

/* Messages that are deleted or lie below a deleted one; found from the few that are. */
#define HIDDEN                                                                                     \
    "WITH RECURSIVE hidden(id, chat) AS ("                                                         \
    " SELECT id, chat FROM messages WHERE deleted"                                                 \
    " UNION SELECT m.id, m.chat FROM messages m JOIN hidden h ON m.parent = h.id) "

#define SET(column) "UPDATE chats SET " column " = ?2 WHERE id = ?1"

static const char *const texts[SQL_COUNT] = {
    [SQL_LIST] = HIDDEN ", gone(chat, n) AS (SELECT chat, count(*) FROM hidden GROUP BY chat) "
                        "SELECT c.id, c.title, c.model, c.created, c.updated, c.deleted_at,"
                        " (SELECT count(*) FROM messages m WHERE m.chat = c.id) - coalesce(g.n, 0) "
                        "FROM chats c LEFT JOIN gone g ON g.chat = c.id "
                        "WHERE (c.deleted_at != 0) = ?1 ORDER BY c.updated DESC, c.id DESC",
    [SQL_CHAT] =
        "SELECT title, template, system, scene, model, draft, created, updated, deleted_at "
        "FROM chats WHERE id = ?1",
    [SQL_CHAT_TIP] = "SELECT tip FROM chats WHERE id = ?1",
    [SQL_CHAT_MESSAGES] = "SELECT id, parent, role, text, tokens, partial, made_with, created,"
                          " deleted, chosen FROM messages WHERE chat = ?1 ORDER BY id",
    [SQL_CHAT_DOCUMENTS] = "SELECT d.id, d.message, d.name, c.text, d.enabled FROM documents d "
                           "JOIN contents c ON c.id = d.content WHERE d.chat = ?1 "
                           "ORDER BY d.message, d.place",
    [SQL_CHAT_PAIRS] = "SELECT key, value, guessed FROM pairs WHERE document = ?1 ORDER BY place",
    [SQL_CHAT_INSERT] = "INSERT INTO chats (id, title, template, system, scene, model, draft,"
                        " created, updated, deleted_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
                        " ?10) ON CONFLICT (id) DO UPDATE SET title = excluded.title,"
                        " template = excluded.template, system = excluded.system,"
                        " scene = excluded.scene, model = excluded.model, draft = excluded.draft "
                        "WHERE created = excluded.created",
    [SQL_CHAT_TOUCH] = "UPDATE chats SET updated = max(updated, ?2) WHERE id = ?1",
    [SQL_CHAT_SET_FIELD + STORE_TITLE] = SET("title"),
    [SQL_CHAT_SET_FIELD + STORE_TEMPLATE] = SET("template"),
    [SQL_CHAT_SET_FIELD + STORE_SYSTEM] = SET("system"),
    [SQL_CHAT_SET_FIELD + STORE_SCENE] = SET("scene"),
    [SQL_CHAT_SET_FIELD + STORE_MODEL] = SET("model"),
    [SQL_CHAT_SET_FIELD + STORE_DRAFT] = SET("draft"),
    [SQL_CHAT_SET_TIP] = SET("tip"),
    [SQL_CHAT_SET_DELETED] = SET("deleted_at"),
    [SQL_CHAT_PURGE] = "DELETE FROM chats WHERE deleted_at != 0 AND deleted_at <= ?1",
    [SQL_MESSAGE_SAVE] =
        "INSERT INTO messages (id, chat, parent, role, text, tokens, partial, made_with, created,"
        " deleted, chosen) VALUES (?1, ?2, nullif(?3, 0), ?4, ?5, ?6, ?7, ?8, ?9, ?10,"
        " nullif(?11, 0)) "
        "ON CONFLICT (id) DO UPDATE SET text = excluded.text, tokens = excluded.tokens,"
        " partial = excluded.partial, made_with = excluded.made_with, deleted = excluded.deleted,"
        " chosen = excluded.chosen "
        "WHERE chat = excluded.chat AND parent IS excluded.parent AND role = excluded.role"
        " AND created = excluded.created",
    [SQL_CONTENT_FIND] = "SELECT id FROM contents WHERE hash = ?1 AND text = ?2",
    [SQL_CONTENT_INSERT] = "INSERT INTO contents (hash, text) VALUES (?1, ?2)",
    [SQL_CONTENT_SWEEP] = "DELETE FROM contents WHERE NOT EXISTS "
                          "(SELECT 1 FROM documents WHERE documents.content = contents.id)",
    [SQL_DOCUMENT_INSERT] = "INSERT INTO documents (chat, message, place, name, content, enabled) "
                            "VALUES (?1, nullif(?2, 0), ?3, ?4, ?5, ?6)",
    [SQL_DOCUMENT_REPLACE] = "DELETE FROM documents WHERE message = ?1",
    [SQL_DOCUMENT_CLEAR] = "DELETE FROM documents WHERE chat = ?1 AND message IS NULL",
    [SQL_PAIR_INSERT] = "INSERT INTO pairs (document, place, key, value, guessed) "
                        "VALUES (?1, ?2, ?3, ?4, ?5)",
    /* Snippets cost the most: each half ends at its limit, in the order in which FTS5 finds rows,
     * and what it gave is sorted. CROSS JOIN keeps that order. */
    [SQL_SEARCH] =
        HIDDEN "SELECT chat, message, title, found FROM ("
               "SELECT * FROM (SELECT c.id AS chat, 0 AS message, c.title AS title,"
               " snippet(titles, 0, x'02', x'03', '...', 24) AS found, c.updated AS at, 0 AS part "
               "FROM titles CROSS JOIN chats c ON c.id = titles.rowid "
               "WHERE titles MATCH ?1 AND c.deleted_at = 0 ORDER BY titles.rowid DESC LIMIT ?2) "
               "UNION ALL "
               "SELECT * FROM (SELECT c.id, m.id, c.title,"
               " snippet(texts, 0, x'02', x'03', '...', 24), m.created, 1 "
               "FROM texts CROSS JOIN messages m ON m.id = texts.rowid"
               " CROSS JOIN chats c ON c.id = m.chat "
               "WHERE texts MATCH ?1 AND c.deleted_at = 0 AND m.id NOT IN (SELECT id FROM hidden)"
               " ORDER BY texts.rowid DESC LIMIT ?2)"
               ") ORDER BY part, at DESC, message DESC LIMIT ?2",
    [SQL_DATA_VERSION] = "PRAGMA data_version",
};

/* --- ids -------------------------------------------------------------------------------------- */

#define ID_EPOCH       1577836800 /* 2020-01-01 */
#define ID_RANDOM_BITS 12

int64_t id_next(struct id_source *source, int64_t after)
{
    struct timespec now;
    uint16_t random = 0;
    clock_gettime(CLOCK_REALTIME, &now);
    if (getrandom(&random, sizeof random, GRND_NONBLOCK) < 0)
        random = (uint16_t)now.tv_nsec;
    int64_t since = ((int64_t)now.tv_sec - ID_EPOCH) * 1000000 + now.tv_nsec / 1000;
    since = since < 0 ? 0 : since & ((INT64_C(1) << 50) - 1);
    int64_t id = (since << ID_RANDOM_BITS) | (random & ((1 << ID_RANDOM_BITS) - 1));
    int64_t above = source->last > after ? source->last : after;
    if (id <= above)
        id = above < INT64_MAX ? above + 1 : above;
    source->last = id;
    return id;
}

/* --- errors ----------------------------------------------------------------------------------- */

int sql_error(struct store *store, const char *what, struct error *error)
{
    int code = sqlite3_extended_errcode(store->db), reason = sqlite3_system_errno(store->db);
    char detail[128];
    store->code = code;
    switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_set(error, ERROR_SYSTEM, "%s: cannot %s: another program is writing to it",
                         store->path, what);
    case SQLITE_FULL:
        return error_set(error, ERROR_SYSTEM, "%s: cannot %s: the disk is full", store->path, what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return error_set(error, ERROR_INPUT,
                         "%s: cannot %s: the file is damaged (%s); it is kept as it is: move it "
                         "away to begin anew",
                         store->path, what, sqlite3_errmsg(store->db));
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        if (reason != 0)
            return error_set(error, ERROR_SYSTEM, "%s: cannot %s: %s (%s)", store->path, what,
                             sqlite3_errmsg(store->db), strerror_r(reason, detail, sizeof detail));
        break;
    default:
        break;
    }
    return error_set(error, ERROR_SYSTEM, "%s: cannot %s: %s", store->path, what,
                     sqlite3_errmsg(store->db));
}

/* --- statements ------------------------------------------------------------------------------- */

static const char *verb(sqlite3_stmt *statement)
{
    return statement != NULL && sqlite3_stmt_readonly(statement) ? "read" : "save";
}

static int bind_all(sqlite3_stmt *statement, const char *format, va_list args)
{
    int code = SQLITE_OK;
    for (int at = 1; format[at - 1] != '\0' && code == SQLITE_OK; at++) {
        const char *text;
        const void *bytes;
        switch (format[at - 1]) {
        case 'i':
            code = sqlite3_bind_int64(statement, at, va_arg(args, int64_t));
            break;
        case 't':
            text = va_arg(args, const char *);
            code = text == NULL ? sqlite3_bind_null(statement, at)
                                : sqlite3_bind_text64(statement, at, text, strlen(text),
                                                      SQLITE_STATIC, SQLITE_UTF8);
            break;
        case 'b':
            bytes = va_arg(args, const void *);
            code = sqlite3_bind_blob64(statement, at, bytes, va_arg(args, size_t), SQLITE_STATIC);
            break;
        default:
            bytes = va_arg(args, const void *);
            code = sqlite3_bind_text64(statement, at, bytes, va_arg(args, size_t), SQLITE_STATIC,
                                       SQLITE_UTF8);
        }
    }
    return code;
}

sqlite3_stmt *sql_begin(struct store *store, enum sql which, struct error *error,
                        const char *format, ...)
{
    sqlite3_stmt **statement = &store->statements[which];
    if (*statement == NULL &&
        sqlite3_prepare_v3(store->db, texts[which], -1, SQLITE_PREPARE_PERSISTENT, statement,
                           NULL) != SQLITE_OK) {
        sql_error(store, "read", error);
        return NULL;
    }
    va_list args;
    va_start(args, format);
    int code = bind_all(*statement, format, args);
    va_end(args);
    if (code == SQLITE_OK)
        return *statement;
    sql_error(store, verb(*statement), error);
    sql_done(*statement);
    return NULL;
}

int sql_step(struct store *store, sqlite3_stmt *statement, struct error *error)
{
    int code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        return 1;
    return code == SQLITE_DONE ? 0 : sql_error(store, verb(statement), error);
}

void sql_done(sqlite3_stmt *statement)
{
    sqlite3_reset(statement);
    sqlite3_clear_bindings(statement);
}

int sql_run(struct store *store, sqlite3_stmt *statement, struct error *error)
{
    if (statement == NULL)
        return -1;
    int more;
    while ((more = sql_step(store, statement, error)) > 0)
        continue;
    sql_done(statement);
    return more;
}

int sql_exec(struct store *store, const char *text, struct error *error)
{
    if (sqlite3_exec(store->db, text, NULL, NULL, NULL) != SQLITE_OK)
        return sql_error(store, "save", error);
    return 0;
}

char *sql_text(sqlite3_stmt *statement, int column)
{
    const unsigned char *text = sqlite3_column_text(statement, column);
    return text != NULL ? xstrdup((const char *)text) : NULL;
}

/* --- transactions ----------------------------------------------------------------------------- */

int sql_transaction(struct store *store, bool *own, struct error *error)
{
    *own = sqlite3_get_autocommit(store->db) != 0;
    return *own ? sql_exec(store, "BEGIN IMMEDIATE", error) : 0;
}

int sql_finish(struct store *store, bool own, int result, struct error *error)
{
    if (!own)
        return result;
    if (result == 0)
        result = sql_exec(store, "COMMIT", error);
    if (result != 0 && sqlite3_get_autocommit(store->db) == 0) {
        int code = store->code;
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
        store->code = code;
    }
    return result;
}
