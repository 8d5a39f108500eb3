#include "engine/chat/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/store_sql.h"

#define BUSY_MS       5000
#define BUSY_STEP_MS  5
#define CHECKED_BYTES (16 << 20) /* files up to this are checked whole when they are opened */

char *store_default_path(void)
{
    char *directory = xdg_directory("data");
    char *path = path_join(directory, "chats.sqlite3");
    free(directory);
    return path;
}

const char *store_field_name(enum store_field field)
{
    static const char *const names[STORE_FIELDS] = {
        [STORE_TITLE] = "title", [STORE_TEMPLATE] = "template", [STORE_SYSTEM] = "system",
        [STORE_SCENE] = "scene", [STORE_MODEL] = "model",       [STORE_DRAFT] = "draft",
    };
    return names[field];
}

/* --- opening ---------------------------------------------------------------------------------- */

static void sleep_ms(int ms)
{
    const struct timespec wait = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&wait, NULL);
}

static int wait_for_writer(void *user, int tries)
{
    const struct store *store = user;
    if (store->hurry != NULL && atomic_load(store->hurry))
        return 0;
    if (tries >= store->busy_ms / BUSY_STEP_MS)
        return 0;
    sleep_ms(BUSY_STEP_MS);
    return 1;
}

/* The file and its directory, where they are missing. A file that is there is looked at by name
 * only: closing a descriptor of it would drop the locks of this process's other connections. */
static int make_file(const char *path, struct error *error)
{
    struct stat status;
    const char *slash = strrchr(path, '/');
    char *directory =
        slash != NULL && slash != path ? xstrndup(path, (size_t)(slash - path)) : NULL;
    int made = directory != NULL ? directory_make(directory, error) : 0;
    free(directory);
    if (made != 0)
        return -1;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd >= 0)
        return close(fd);
    if (errno != EEXIST || stat(path, &status) != 0)
        return error_set_errno(error, "%s: cannot open", path);
    if (!S_ISREG(status.st_mode))
        return error_set(error, ERROR_INPUT, "%s: not a regular file", path);
    if ((status.st_mode & 077) != 0 && status.st_uid == geteuid() && chmod(path, 0600) != 0)
        return error_set_errno(error, "%s: cannot keep others out", path);
    return 0;
}

/* "ok" is the one row of a file without faults. */
static int run_check(struct store *store, const char *pragma, struct error *error)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(store->db, pragma, -1, &statement, NULL) != SQLITE_OK)
        return sql_error(store, "check", error);
    int result = 0;
    if (sqlite3_step(statement) != SQLITE_ROW) {
        result = sql_error(store, "check", error);
    } else {
        char *found = sql_text(statement, 0);
        if (found == NULL || strcmp(found, "ok") != 0) {
            if (found != NULL)
                found[strcspn(found, "\n")] = '\0';
            result = error_set(error, ERROR_INPUT,
                               "%s: the file is damaged (%.200s); it is kept as it is: move it "
                               "away to begin anew",
                               store->path, found != NULL ? found : "unreadable");
        }
        free(found);
    }
    sqlite3_finalize(statement);
    return result;
}

int store_check(struct store *store, struct error *error)
{
    if (run_check(store, "PRAGMA integrity_check(1)", error) != 0)
        return -1;
    return sql_exec(store,
                    "INSERT INTO texts (texts, rank) VALUES ('integrity-check', 1);"
                    "INSERT INTO titles (titles, rank) VALUES ('integrity-check', 1);",
                    error);
}

/* Two that do this at the same time on a new file may be told "busy" without any waiting. */
static int use_wal(struct store *store, struct error *error)
{
    int code, tries = 0;
    do
        code = sqlite3_exec(store->db, "PRAGMA journal_mode = WAL", NULL, NULL, NULL);
    while (code != SQLITE_OK && (code & 0xFF) == SQLITE_BUSY && wait_for_writer(store, tries++));
    return code == SQLITE_OK ? 0 : sql_error(store, "open", error);
}

static int set_up(struct store *store, struct error *error)
{
    struct stat status;
    sqlite3_busy_handler(store->db, wait_for_writer, store);
    sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    if (schema_open(store, error) != 0 || use_wal(store, error) != 0 ||
        sql_exec(store,
                 "PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                 "PRAGMA cell_size_check = ON; PRAGMA journal_size_limit = 16777216;",
                 error) != 0)
        return -1;
    if (stat(store->path, &status) == 0 && status.st_size <= CHECKED_BYTES)
        return run_check(store, "PRAGMA quick_check(1)", error);
    return 0;
}

int store_open(struct store **out, const char *path, struct error *error)
{
    *out = NULL;
    if (make_file(path, error) != 0)
        return -1;
    struct store *store = xcalloc(1, sizeof *store);
    store->path = xstrdup(path);
    store->busy_ms = BUSY_MS;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
    int result = 0;
    if (sqlite3_open_v2(path, &store->db, flags, NULL) != SQLITE_OK)
        result = sql_error(store, "open", error);
    if (result == 0)
        result = set_up(store, error);
    if (result == 0)
        *out = store;
    else
        store_close(store);
    return result;
}

void store_close(struct store *store)
{
    if (store == NULL)
        return;
    for (int i = 0; i < SQL_COUNT; i++)
        sqlite3_finalize(store->statements[i]);
    sqlite3_close_v2(store->db);
    free(store->path);
    free(store);
}

const char *store_path(const struct store *store)
{
    return store->path;
}

int64_t store_data_version(struct store *store)
{
    int64_t version = 0;
    sqlite3_stmt *row = sql_begin(store, SQL_DATA_VERSION, NULL, "");
    if (row == NULL)
        return 0;
    if (sql_step(store, row, NULL) > 0)
        version = sqlite3_column_int64(row, 0);
    sql_done(row);
    return version;
}

int64_t store_new_id(struct store *store, int64_t after)
{
    return id_next(&store->ids, after);
}

/* --- the list --------------------------------------------------------------------------------- */

static void list_add(struct store_list *list, sqlite3_stmt *row)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity ? 2 * list->capacity : 32;
        list->items = xreallocarray(list->items, list->capacity, sizeof *list->items);
    }
    struct store_entry *entry = &list->items[list->count++];
    entry->id = sqlite3_column_int64(row, 0);
    entry->title = sql_text(row, 1);
    entry->model = sql_text(row, 2);
    entry->created = sqlite3_column_int64(row, 3);
    entry->updated = sqlite3_column_int64(row, 4);
    entry->deleted_at = sqlite3_column_int64(row, 5);
    entry->messages = (size_t)sqlite3_column_int64(row, 6);
}

int store_list(struct store *store, bool deleted, struct store_list *out, struct error *error)
{
    *out = (struct store_list){0};
    sqlite3_stmt *row = sql_begin(store, SQL_LIST, error, "i", (int64_t)deleted);
    if (row == NULL)
        return -1;
    int more;
    while ((more = sql_step(store, row, error)) > 0)
        list_add(out, row);
    sql_done(row);
    if (more != 0)
        store_list_free(out);
    return more;
}

void store_list_free(struct store_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free(list->items[i].title);
        free(list->items[i].model);
    }
    free(list->items);
    *list = (struct store_list){0};
}

/* --- one chat --------------------------------------------------------------------------------- */

void store_chat_free(struct store_chat *chat)
{
    for (int i = 0; i < STORE_FIELDS; i++)
        free(chat->fields[i]);
    conversation_free(chat->conversation);
    document_list_free(&chat->documents);
    *chat = (struct store_chat){0};
}

/* After an UPDATE of one chat. */
static int must_exist(struct store *store, int64_t chat, struct error *error)
{
    if (sqlite3_changes64(store->db) == 1)
        return 0;
    store->code = SQLITE_CONSTRAINT;
    return error_set(error, ERROR_INPUT, "%s: chat %lld is not there", store->path,
                     (long long)chat);
}

int store_create(struct store *store, struct store_chat *chat, struct error *error)
{
    int64_t now = (int64_t)time(NULL);
    if (chat->id == 0)
        chat->id = store_new_id(store, 0);
    if (chat->created == 0)
        chat->created = now;
    if (chat->updated == 0)
        chat->updated = chat->created;
    char *const *fields = chat->fields;
    if (sql_run(store,
                sql_begin(store, SQL_CHAT_INSERT, error, "ittttttiii", chat->id,
                          fields[STORE_TITLE], fields[STORE_TEMPLATE], fields[STORE_SYSTEM],
                          fields[STORE_SCENE], fields[STORE_MODEL], fields[STORE_DRAFT],
                          chat->created, chat->updated, chat->deleted_at),
                error) != 0)
        return -1;
    return must_exist(store, chat->id, error);
}

int store_set(struct store *store, int64_t chat, enum store_field field, const char *value,
              struct error *error)
{
    enum sql which = (enum sql)((int)SQL_CHAT_SET_FIELD + (int)field);
    if (sql_run(store, sql_begin(store, which, error, "it", chat, value), error) != 0)
        return -1;
    return must_exist(store, chat, error);
}

int store_set_tip(struct store *store, int64_t chat, int64_t message, struct error *error)
{
    sqlite3_stmt *statement = sql_begin(store, SQL_CHAT_SET_TIP, error, "ii", chat, message);
    return sql_run(store, statement, error) != 0 ? -1 : must_exist(store, chat, error);
}

int store_set_deleted(struct store *store, int64_t chat, bool deleted, struct error *error)
{
    int64_t at = deleted ? (int64_t)time(NULL) : 0;
    sqlite3_stmt *statement = sql_begin(store, SQL_CHAT_SET_DELETED, error, "ii", chat, at);
    return sql_run(store, statement, error) != 0 ? -1 : must_exist(store, chat, error);
}

int store_set_documents(struct store *store, int64_t chat, const struct document_list *documents,
                        struct error *error)
{
    bool own;
    if (sql_transaction(store, &own, error) != 0)
        return -1;
    int result = sql_run(store, sql_begin(store, SQL_DOCUMENT_CLEAR, error, "i", chat), error);
    if (result == 0)
        result = documents_insert(store, chat, 0, documents, error);
    if (result == 0)
        result = sql_run(store, sql_begin(store, SQL_CONTENT_SWEEP, error, ""), error);
    return sql_finish(store, own, result, error);
}

int store_purge(struct store *store, int days, struct error *error)
{
    bool own;
    int64_t before = (int64_t)time(NULL) - (int64_t)days * 86400;
    if (sql_transaction(store, &own, error) != 0)
        return -1;
    int result = sql_run(store, sql_begin(store, SQL_CHAT_PURGE, error, "i", before), error);
    if (result == 0)
        result = sql_run(store, sql_begin(store, SQL_CONTENT_SWEEP, error, ""), error);
    return sql_finish(store, own, result, error);
}
