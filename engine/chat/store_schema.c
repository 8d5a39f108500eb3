#include <stdlib.h>

#include "engine/chat/store_sql.h"

/*
 * chats -> messages (a tree) -> documents -> contents (each text once), pairs
 *
 * texts and titles are the search index; triggers keep it.
 */
#define APPLICATION_ID 0x6169726F /* "airo" */

static const char version_1[] =
    "CREATE TABLE chats ("
    " id INTEGER PRIMARY KEY, title TEXT, template TEXT, system TEXT, scene TEXT, model TEXT,"
    " draft TEXT, created INTEGER NOT NULL, updated INTEGER NOT NULL,"
    " tip INTEGER NOT NULL DEFAULT 0, deleted_at INTEGER NOT NULL DEFAULT 0);"
    "CREATE TABLE messages ("
    " id INTEGER PRIMARY KEY,"
    " chat INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,"
    " parent INTEGER REFERENCES messages (id) ON DELETE CASCADE CHECK (parent < id),"
    " role INTEGER NOT NULL CHECK (role IN (0, 1)), text TEXT NOT NULL, tokens BLOB NOT NULL,"
    " partial INTEGER NOT NULL, made_with TEXT, created INTEGER NOT NULL,"
    " deleted INTEGER NOT NULL, chosen INTEGER);"
    "CREATE INDEX messages_chat ON messages (chat, id);"
    "CREATE INDEX messages_parent ON messages (parent);"
    "CREATE INDEX messages_deleted ON messages (id) WHERE deleted;"
    "CREATE TABLE contents (id INTEGER PRIMARY KEY, hash INTEGER NOT NULL, text TEXT NOT NULL);"
    "CREATE INDEX contents_hash ON contents (hash);"
    "CREATE TABLE documents ("
    " id INTEGER PRIMARY KEY,"
    " chat INTEGER NOT NULL REFERENCES chats (id) ON DELETE CASCADE,"
    " message INTEGER REFERENCES messages (id) ON DELETE CASCADE,"
    " place INTEGER NOT NULL, name TEXT NOT NULL,"
    " content INTEGER NOT NULL REFERENCES contents (id), enabled INTEGER NOT NULL);"
    "CREATE INDEX documents_chat ON documents (chat);"
    "CREATE INDEX documents_message ON documents (message);"
    "CREATE INDEX documents_content ON documents (content);"
    "CREATE TABLE pairs ("
    " document INTEGER NOT NULL REFERENCES documents (id) ON DELETE CASCADE,"
    " place INTEGER NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, guessed INTEGER NOT NULL,"
    " PRIMARY KEY (document, place)) WITHOUT ROWID;"
    "CREATE VIRTUAL TABLE texts USING fts5 (text, content = 'messages', content_rowid = 'id',"
    " tokenize = 'unicode61 remove_diacritics 2');"
    "CREATE TRIGGER texts_insert AFTER INSERT ON messages BEGIN"
    " INSERT INTO texts (rowid, text) VALUES (new.id, new.text); END;"
    "CREATE TRIGGER texts_delete AFTER DELETE ON messages BEGIN"
    " INSERT INTO texts (texts, rowid, text) VALUES ('delete', old.id, old.text); END;"
    "CREATE TRIGGER texts_update AFTER UPDATE OF text ON messages WHEN old.text IS NOT new.text"
    " BEGIN INSERT INTO texts (texts, rowid, text) VALUES ('delete', old.id, old.text);"
    " INSERT INTO texts (rowid, text) VALUES (new.id, new.text); END;"
    "CREATE VIRTUAL TABLE titles USING fts5 (title, content = 'chats', content_rowid = 'id',"
    " tokenize = 'unicode61 remove_diacritics 2');"
    "CREATE TRIGGER titles_insert AFTER INSERT ON chats BEGIN"
    " INSERT INTO titles (rowid, title) VALUES (new.id, new.title); END;"
    "CREATE TRIGGER titles_delete AFTER DELETE ON chats BEGIN"
    " INSERT INTO titles (titles, rowid, title) VALUES ('delete', old.id, old.title); END;"
    "CREATE TRIGGER titles_update AFTER UPDATE OF title ON chats WHEN old.title IS NOT new.title"
    " BEGIN INSERT INTO titles (titles, rowid, title) VALUES ('delete', old.id, old.title);"
    " INSERT INTO titles (rowid, title) VALUES (new.id, new.title); END;"
    "PRAGMA application_id = 1634300527;";

/* migrations[n] brings a file of version n to version n + 1. */
static const char *const migrations[] = {version_1};
#define VERSION ((int)(sizeof migrations / sizeof migrations[0]))

_Static_assert(APPLICATION_ID == 1634300527, "the number in the schema");

static int read_int(struct store *store, const char *text, int64_t *out, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(store->db, text, -1, &statement, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *out = sqlite3_column_int64(statement, 0);
    int result = code == SQLITE_ROW ? 0 : sql_error(store, "open", error);
    sqlite3_finalize(statement);
    return result;
}

static int check_owner(struct store *store, int64_t version, struct error *error)
{
    int64_t tables, application;
    if (read_int(store, "SELECT count(*) FROM sqlite_master", &tables, error) != 0 ||
        read_int(store, "PRAGMA application_id", &application, error) != 0)
        return -1;
    if ((tables > 0 || version != 0) && application != APPLICATION_ID)
        return error_set(error, ERROR_INPUT, "%s: not airo's: a database of another program",
                         store->path);
    return 0;
}

/* In a transaction, so that of two that open a new file at the same time one makes the tables. */
static int migrate(struct store *store, struct error *error)
{
    bool own;
    int64_t version = 0;
    if (sql_transaction(store, &own, error) != 0)
        return -1;
    int result = read_int(store, "PRAGMA user_version", &version, error);
    for (; result == 0 && version < VERSION; version++)
        result = sql_exec(store, migrations[version], error);
    if (result == 0) {
        char *text = sqlite3_mprintf("PRAGMA user_version = %d", VERSION);
        result = sql_exec(store, text, error);
        sqlite3_free(text);
    }
    return sql_finish(store, own, result, error);
}

int schema_open(struct store *store, struct error *error)
{
    int64_t version;
    if (read_int(store, "PRAGMA user_version", &version, error) != 0 ||
        check_owner(store, version, error) != 0)
        return -1;
    if (version > VERSION)
        return error_set(error, ERROR_UNSUPPORTED,
                         "%s: user_version %lld: written by a newer airo; this one knows up to %d",
                         store->path, (long long)version, VERSION);
    if (version < 0)
        return error_set(error, ERROR_INPUT, "%s: user_version %lld: no such version", store->path,
                         (long long)version);
    return version < VERSION ? migrate(store, error) : 0;
}
