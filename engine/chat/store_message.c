#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/alloc.h"
#include "engine/chat/store_sql.h"

/* --- saving ----------------------------------------------------------------------------------- */

/* Ids as 32-bit little-endian numbers. */
static void encode_tokens(const struct token_list *tokens, struct strbuf *out)
{
    for (size_t i = 0; i < tokens->count; i++) {
        uint32_t id = (uint32_t)tokens->ids[i];
        unsigned char bytes[4];
        for (int k = 0; k < 4; k++)
            bytes[k] = (unsigned char)(id >> (8 * k));
        strbuf_add(out, bytes, sizeof bytes);
    }
}

static int64_t row_of(const struct conversation *conversation, int id)
{
    return id >= 0 && (size_t)id < conversation->count ? conversation->items[id]->stored : 0;
}

int message_write(struct store *store, int64_t chat, int64_t parent, int64_t chosen,
                  const struct message *message, struct error *error)
{
    struct strbuf tokens = {0};
    encode_tokens(&message->tokens, &tokens);
    int result = sql_run(
        store,
        sql_begin(store, SQL_MESSAGE_SAVE, error, "iiiisbitiii", message->stored, chat, parent,
                  (int64_t)message->role, strbuf_text(&message->text), message->text.length,
                  strbuf_text(&tokens), tokens.length, (int64_t)message->partial,
                  message->made_with, message->created, (int64_t)message->deleted, chosen),
        error);
    strbuf_free(&tokens);
    if (result != 0)
        return -1;
    if (sqlite3_changes64(store->db) == 0) {
        store->code = SQLITE_CONSTRAINT;
        return error_set(error, ERROR_INPUT, "%s: message %lld: another message has this id",
                         store->path, (long long)message->stored);
    }
    return 0;
}

int chat_touch(struct store *store, int64_t chat, struct error *error)
{
    return sql_run(store, sql_begin(store, SQL_CHAT_TOUCH, error, "ii", chat, (int64_t)time(NULL)),
                   error);
}

int store_save_message(struct store *store, int64_t chat, const struct conversation *conversation,
                       struct message *message, struct error *error)
{
    bool own, fresh = message->stored == 0;
    int64_t parent = row_of(conversation, message->parent);
    if (message->parent >= 0 && parent == 0)
        return error_set(error, ERROR_INPUT, "%s: message %d: the one above it is not stored",
                         store->path, message->id);
    if (sql_transaction(store, &own, error) != 0)
        return -1;
    if (fresh)
        message->stored = store_new_id(store, parent);
    int result =
        message_write(store, chat, parent, row_of(conversation, message->chosen), message, error);
    if (result == 0 && fresh)
        result = documents_insert(store, chat, message->stored, &message->documents, error);
    if (result == 0)
        result = chat_touch(store, chat, error);
    result = sql_finish(store, own, result, error);
    if (result != 0 && fresh)
        message->stored = 0;
    return result;
}

static int save_all(struct store *store, struct store_chat *chat, struct error *error)
{
    const struct conversation *conversation = chat->conversation;
    size_t count = conversation != NULL ? conversation->count : 0;
    if (store_create(store, chat, error) != 0)
        return -1;
    for (size_t i = 0; i < count; i++) /* ids first: `chosen` points ahead */
        conversation->items[i]->stored =
            store_new_id(store, row_of(conversation, conversation->items[i]->parent));
    for (size_t i = 0; i < count; i++) {
        const struct message *message = conversation->items[i];
        if (message_write(store, chat->id, row_of(conversation, message->parent),
                          row_of(conversation, message->chosen), message, error) != 0 ||
            documents_insert(store, chat->id, message->stored, &message->documents, error) != 0)
            return -1;
    }
    if (count > 0 &&
        store_set_tip(store, chat->id, row_of(conversation, conversation->tip), error) != 0)
        return -1;
    return store_set_documents(store, chat->id, &chat->documents, error);
}

int store_save_copy(struct store *store, struct store_chat *chat, struct error *error)
{
    bool own;
    if (sql_transaction(store, &own, error) != 0)
        return -1;
    chat->id = 0;
    return sql_finish(store, own, save_all(store, chat, error), error);
}

int store_duplicate(struct store *store, int64_t chat, int64_t *copy, struct error *error)
{
    struct store_chat loaded;
    if (store_load(store, chat, &loaded, error) != 0)
        return -1;
    loaded.deleted_at = 0;
    loaded.updated = (int64_t)time(NULL);
    int result = store_save_copy(store, &loaded, error);
    if (result == 0)
        *copy = loaded.id;
    store_chat_free(&loaded);
    return result;
}

/* --- loading ---------------------------------------------------------------------------------- */

/* Messages come in the order of their rows, so a row is found by bisection. -1: not there. */
static int find_row(const struct conversation *conversation, int64_t row)
{
    size_t low = 0, high = conversation->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (conversation->items[middle]->stored < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < conversation->count && conversation->items[low]->stored == row ? (int)low : -1;
}

static int row_error(struct store *store, int64_t row, const char *what, struct error *error)
{
    return error_set(error, ERROR_INPUT, "%s: message %lld: %s", store->path, (long long)row, what);
}

static int decode_tokens(struct token_list *out, sqlite3_stmt *row, int column)
{
    const unsigned char *bytes = sqlite3_column_blob(row, column);
    int length = sqlite3_column_bytes(row, column);
    if (length % 4 != 0)
        return -1;
    for (int i = 0; i < length; i += 4) {
        uint32_t id = bytes[i] | (uint32_t)bytes[i + 1] << 8 | (uint32_t)bytes[i + 2] << 16 |
                      (uint32_t)bytes[i + 3] << 24;
        token_list_add(out, (int32_t)id);
    }
    return 0;
}

static int load_message(struct store *store, struct conversation *conversation, sqlite3_stmt *row,
                        struct error *error)
{
    int64_t id = sqlite3_column_int64(row, 0), parent_row = sqlite3_column_int64(row, 1);
    int parent = parent_row != 0 ? find_row(conversation, parent_row) : -1;
    if (parent_row != 0 && parent < 0)
        return row_error(store, id, "parent: no such message in this chat", error);
    const char *text = (const char *)sqlite3_column_text(row, 3);
    struct message *message =
        conversation_add(conversation, parent, sqlite3_column_int(row, 2) != 0, text,
                         text != NULL ? (size_t)sqlite3_column_bytes(row, 3) : 0);
    message->stored = id;
    if (decode_tokens(&message->tokens, row, 4) != 0)
        return row_error(store, id, "tokens: not a list of ids", error);
    message->partial = sqlite3_column_int(row, 5) != 0;
    message->made_with = sql_text(row, 6);
    message->created = sqlite3_column_int64(row, 7);
    message->deleted = sqlite3_column_int(row, 8) != 0;
    return 0;
}

/* `chosen` points ahead; the rows are kept aside until all messages are there. */
static int load_messages(struct store *store, int64_t chat, struct conversation *conversation,
                         struct error *error)
{
    sqlite3_stmt *row = sql_begin(store, SQL_CHAT_MESSAGES, error, "i", chat);
    if (row == NULL)
        return -1;
    int64_t *chosen = NULL;
    size_t room = 0;
    int more;
    while ((more = sql_step(store, row, error)) > 0) {
        if (load_message(store, conversation, row, error) != 0) {
            more = -1;
            break;
        }
        if (conversation->count > room) {
            room = 2 * conversation->count;
            chosen = xreallocarray(chosen, room, sizeof *chosen);
        }
        chosen[conversation->count - 1] = sqlite3_column_int64(row, 9);
    }
    sql_done(row);
    for (size_t i = 0; more == 0 && i < conversation->count; i++) {
        int child = chosen[i] != 0 ? find_row(conversation, chosen[i]) : -1;
        if (child >= 0 && conversation->items[child]->parent == (int)i)
            conversation->items[i]->chosen = child;
    }
    free(chosen);
    return more;
}

static int load_pairs(struct store *store, int64_t id, struct document *document,
                      struct error *error)
{
    sqlite3_stmt *row = sql_begin(store, SQL_CHAT_PAIRS, error, "i", id);
    if (row == NULL)
        return -1;
    int more;
    while ((more = sql_step(store, row, error)) > 0 && document->pair_count < DOCUMENT_PAIRS_MAX) {
        struct document_pair *pair = &document->pairs[document->pair_count++];
        pair->key = sql_text(row, 0);
        pair->value = sql_text(row, 1);
        pair->guessed = sqlite3_column_int(row, 2) != 0;
    }
    sql_done(row);
    return more < 0 ? -1 : 0;
}

static int load_documents(struct store *store, struct store_chat *chat, struct error *error)
{
    sqlite3_stmt *row = sql_begin(store, SQL_CHAT_DOCUMENTS, error, "i", chat->id);
    if (row == NULL)
        return -1;
    int more;
    while ((more = sql_step(store, row, error)) > 0) {
        int64_t message = sqlite3_column_int64(row, 1);
        int owner = message != 0 ? find_row(chat->conversation, message) : -1;
        if (message != 0 && owner < 0) {
            more = row_error(store, message, "documents of a message that is not there", error);
            break;
        }
        struct document_list *list =
            owner >= 0 ? &chat->conversation->items[owner]->documents : &chat->documents;
        const char *text = (const char *)sqlite3_column_text(row, 3);
        document_add_exact(list, (const char *)sqlite3_column_text(row, 2), text,
                           text != NULL ? (size_t)sqlite3_column_bytes(row, 3) : 0);
        struct document *document = &list->items[list->count - 1];
        document->enabled = sqlite3_column_int(row, 4) != 0;
        if (load_pairs(store, sqlite3_column_int64(row, 0), document, error) != 0) {
            more = -1;
            break;
        }
    }
    sql_done(row);
    return more;
}

static int load_chat(struct store *store, struct store_chat *chat, struct error *error)
{
    sqlite3_stmt *row = sql_begin(store, SQL_CHAT, error, "i", chat->id);
    if (row == NULL)
        return -1;
    int more = sql_step(store, row, error);
    for (int i = 0; more > 0 && i < STORE_FIELDS; i++)
        chat->fields[i] = sql_text(row, i);
    if (more > 0) {
        chat->created = sqlite3_column_int64(row, STORE_FIELDS);
        chat->updated = sqlite3_column_int64(row, STORE_FIELDS + 1);
        chat->deleted_at = sqlite3_column_int64(row, STORE_FIELDS + 2);
    }
    sql_done(row);
    if (more == 0)
        return error_set(error, ERROR_INPUT, "%s: chat %lld: no such chat", store->path,
                         (long long)chat->id);
    return more > 0 ? 0 : -1;
}

/* A tip that is not there (nothing was ever chosen): the newest path. */
static int load_tip(struct store *store, struct store_chat *chat, struct error *error)
{
    struct conversation *conversation = chat->conversation;
    sqlite3_stmt *row = sql_begin(store, SQL_CHAT_TIP, error, "i", chat->id);
    if (row == NULL)
        return -1;
    int more = sql_step(store, row, error);
    int64_t tip = more > 0 ? sqlite3_column_int64(row, 0) : 0;
    sql_done(row);
    if (more < 0)
        return -1;
    conversation->tip = tip != 0 ? find_row(conversation, tip) : -1;
    if (conversation->tip >= 0 && !conversation_hidden(conversation, conversation->tip))
        return 0;
    conversation->tip = -1;
    for (int root = conversation->last_root; root >= 0;
         root = conversation->items[root]->link.previous)
        if (conversation_select(conversation, root))
            break;
    return 0;
}

int store_load(struct store *store, int64_t chat, struct store_chat *out, struct error *error)
{
    *out = (struct store_chat){.id = chat, .conversation = conversation_create()};
    /* One view of the file, although another program may be writing. */
    bool own = sqlite3_get_autocommit(store->db) != 0;
    int result = own ? sql_exec(store, "BEGIN", error) : 0;
    if (result == 0)
        result = load_chat(store, out, error);
    if (result == 0)
        result = load_messages(store, chat, out->conversation, error);
    if (result == 0)
        result = load_documents(store, out, error);
    if (result == 0)
        result = load_tip(store, out, error);
    result = sql_finish(store, own, result, error);
    if (result != 0)
        store_chat_free(out);
    return result;
}
