#include <stdint.h>
#include <string.h>

#include "engine/chat/store_sql.h"

/* FNV-1a, 64 bits. It only finds candidates: texts are compared before one is taken for another. */
static int64_t content_hash(const char *text, size_t length)
{
    uint64_t hash = 0xCBF29CE484222325u;
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ (unsigned char)text[i]) * 0x100000001B3u;
    return (int64_t)(hash & INT64_MAX);
}

/* The row of the text, which is put down where it is new. */
static int content_id(struct store *store, const char *text, size_t length, int64_t *id,
                      struct error *error)
{
    int64_t hash = content_hash(text, length);
    sqlite3_stmt *found = sql_begin(store, SQL_CONTENT_FIND, error, "is", hash, text, length);
    if (found == NULL)
        return -1;
    int more = sql_step(store, found, error);
    if (more > 0)
        *id = sqlite3_column_int64(found, 0);
    sql_done(found);
    if (more != 0)
        return more > 0 ? 0 : -1;
    sqlite3_stmt *insert = sql_begin(store, SQL_CONTENT_INSERT, error, "is", hash, text, length);
    if (sql_run(store, insert, error) != 0)
        return -1;
    *id = sqlite3_last_insert_rowid(store->db);
    return 0;
}

static int document_insert(struct store *store, int64_t chat, int64_t message, size_t place,
                           const struct document *document, struct error *error)
{
    int64_t content = 0;
    const char *text = document->text != NULL ? document->text : "";
    if (content_id(store, text, document->length, &content, error) != 0 ||
        sql_run(store,
                sql_begin(store, SQL_DOCUMENT_INSERT, error, "iiitii", chat, message,
                          (int64_t)place, document->name, content, (int64_t)document->enabled),
                error) != 0)
        return -1;
    int64_t id = sqlite3_last_insert_rowid(store->db);
    for (size_t i = 0; i < document->pair_count; i++) {
        const struct document_pair *pair = &document->pairs[i];
        if (sql_run(store,
                    sql_begin(store, SQL_PAIR_INSERT, error, "iitti", id, (int64_t)i, pair->key,
                              pair->value, (int64_t)pair->guessed),
                    error) != 0)
            return -1;
    }
    return 0;
}

int documents_insert(struct store *store, int64_t chat, int64_t message,
                     const struct document_list *documents, struct error *error)
{
    sqlite3_stmt *clear;
    if (message != 0 && documents->count > 0) {
        clear = sql_begin(store, SQL_DOCUMENT_REPLACE, error, "i", message);
        if (sql_run(store, clear, error) != 0)
            return -1;
    }
    for (size_t i = 0; i < documents->count; i++)
        if (document_insert(store, chat, message, i, &documents->items[i], error) != 0)
            return -1;
    return 0;
}
