/*
 * The store when things go wrong: no room, no permission, another program, a damaged or foreign
 * file, hostile imports. Always one line, never an abort, and what was given is kept.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/store.h"
#include "engine/chat/store_export.h"
#include "engine/chat/store_search.h"
#include "engine/chat/store_writer.h"

struct fixture {
    char directory[64];
    char *path;
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof *fixture);
    snprintf(fixture->directory, sizeof fixture->directory, "/tmp/airo-faults-XXXXXX");
    if (mkdtemp(fixture->directory) == NULL)
        return -1;
    fixture->path = path_join(fixture->directory, "chats.sqlite3");
    *state = fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    char *command =
        xasprintf("chmod -R u+rwx %s; rm -rf %s", fixture->directory, fixture->directory);
    int result = system(command);
    free(command);
    free(fixture->path);
    free(fixture);
    return result;
}

#define OK(fixture, call)                                                                          \
    do {                                                                                           \
        if ((call) != 0)                                                                           \
            fail_msg("%s", (fixture)->error.message);                                              \
    } while (0)

static void one_line_with(const struct error *error, const char *path, const char *expect)
{
    if (error->code == ERROR_NONE || strstr(error->message, expect) == NULL ||
        strncmp(error->message, path, strlen(path)) != 0 || strchr(error->message, '\n') != NULL)
        fail_msg("said \"%s\", not \"%s: ...%s\"", error->message, path, expect);
}

static void wait_for(struct writer *writer, bool problem, struct writer_status *status)
{
    for (int i = 0; i < 600; i++) {
        writer_status(writer, status);
        if (problem ? status->problem.code != ERROR_NONE : status->waiting == 0)
            return;
        struct pollfd poller = {.fd = writer_fd(writer), .events = POLLIN};
        poll(&poller, 1, 100);
    }
    fail_msg("waited in vain; %zu wait, %s", status->waiting, status->problem.message);
}

static void expect_messages(struct fixture *fixture, int64_t id, size_t count)
{
    struct store *store;
    struct store_chat chat;
    OK(fixture, store_open(&store, fixture->path, &fixture->error));
    OK(fixture, store_check(store, &fixture->error));
    OK(fixture, store_load(store, id, &chat, &fixture->error));
    assert_int_equal(chat.conversation->count, count);
    store_chat_free(&chat);
    store_close(store);
}

/* --- no room ---------------------------------------------------------------------------------- */

/* Every file of this process may be `bytes` long at most. */
static void limit_files(rlim_t bytes)
{
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

/* SIGXFSZ keeps its default action, which ends the process, everywhere but in the writer. */
static void no_room_is_told_and_nothing_is_lost(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat = {.conversation = conversation_create()};
    struct writer *writer;
    struct writer_status status;
    char text[4096];
    memset(text, 'x', sizeof text);
    OK(fixture, writer_open(&writer, fixture->path, &fixture->error));
    writer_create_chat(writer, &chat);
    wait_for(writer, false, &status);
    limit_files(256 << 10);
    for (int i = 0; i < 200; i++) {
        struct message *message = conversation_add(chat.conversation, chat.conversation->tip,
                                                   ROLE_USER, text, sizeof text);
        writer_save_message(writer, chat.id, chat.conversation, message);
    }
    wait_for(writer, true, &status);
    one_line_with(&status.problem, fixture->path, "cannot save");
    assert_true(status.waiting > 0);
    assert_true(status.committed < status.queued);
    /* Still running: more is taken, and the same message waits once. */
    struct message *last = chat.conversation->items[199];
    size_t waiting = status.waiting;
    for (int i = 0; i < 50; i++)
        writer_save_message(writer, chat.id, chat.conversation, last);
    writer_retry(writer);
    writer_status(writer, &status);
    assert_true(status.waiting <= waiting + 1);
    limit_files(RLIM_INFINITY);
    writer_retry(writer);
    wait_for(writer, false, &status);
    assert_int_equal(status.problem.code, ERROR_NONE);
    assert_int_equal(status.committed, status.queued);
    OK(fixture, writer_close(writer, 10000, &fixture->error));
    expect_messages(fixture, chat.id, 200);
    store_chat_free(&chat);
}

static void what_cannot_be_saved_is_counted_at_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat = {.conversation = conversation_create()};
    struct writer *writer;
    struct writer_status status;
    char *text = xcalloc(1, 1 << 20);
    memset(text, 'y', 1 << 20);
    OK(fixture, writer_open(&writer, fixture->path, &fixture->error));
    writer_create_chat(writer, &chat);
    wait_for(writer, false, &status);
    limit_files(128 << 10);
    for (int i = 0; i < 3; i++) {
        struct message *message = conversation_add(chat.conversation, -1, ROLE_USER, text, 1 << 20);
        writer_save_message(writer, chat.id, chat.conversation, message);
    }
    assert_int_equal(writer_close(writer, 300, &fixture->error), -1);
    limit_files(RLIM_INFINITY);
    assert_non_null(strstr(fixture->error.message, "3 changes could not be saved: "));
    assert_non_null(strstr(fixture->error.message, fixture->path));
    expect_messages(fixture, chat.id, 0);
    store_chat_free(&chat);
    free(text);
}

/* --- no permission ---------------------------------------------------------------------------- */

/* In a child, which gives up root where the tests run as root: root may write anywhere. */
static int in_child(struct fixture *fixture, int (*call)(const char *path))
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
            _exit(100);
        _exit(call(fixture->path));
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static int open_must_fail(const char *path)
{
    struct store *store;
    struct error error = {0};
    if (store_open(&store, path, &error) == 0)
        return 1;
    if (strncmp(error.message, path, strlen(path)) != 0 || strchr(error.message, '\n') != NULL)
        return 2;
    return strstr(error.message, "denied") != NULL || strstr(error.message, "readonly") != NULL ? 0
                                                                                                : 3;
}

static void a_read_only_directory_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct store *store;
    if (geteuid() == 0)
        assert_int_equal(chown(fixture->directory, 65534, 65534), 0);
    assert_int_equal(chmod(fixture->directory, 0500), 0);
    assert_int_equal(in_child(fixture, open_must_fail), 0);
    /* The same with a store that is there: WAL needs files beside it. */
    assert_int_equal(chmod(fixture->directory, 0700), 0);
    OK(fixture, store_open(&store, fixture->path, &fixture->error));
    store_close(store);
    if (geteuid() == 0)
        assert_int_equal(chown(fixture->path, 65534, 65534), 0);
    assert_int_equal(chmod(fixture->path, 0400), 0);
    assert_int_equal(chmod(fixture->directory, 0500), 0);
    assert_int_equal(in_child(fixture, open_must_fail), 0);
}

static void what_is_no_file_is_refused(void **state)
{
    struct fixture *fixture = *state;
    struct store *store;
    assert_int_equal(mkfifo(fixture->path, 0600), 0);
    assert_int_equal(store_open(&store, fixture->path, &fixture->error), -1);
    one_line_with(&fixture->error, fixture->path, "not a regular file");
    assert_int_equal(store_open(&store, fixture->directory, &fixture->error), -1);
    one_line_with(&fixture->error, fixture->directory, "not a regular file");
}

/* --- another program -------------------------------------------------------------------------- */

static void a_second_instance_that_writes_is_waited_for(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat = {.conversation = conversation_create()};
    struct writer *writer;
    struct writer_status status;
    sqlite3 *other;
    OK(fixture, writer_open(&writer, fixture->path, &fixture->error));
    assert_int_equal(sqlite3_open(fixture->path, &other), SQLITE_OK);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    writer_create_chat(writer, &chat);
    struct message *message = conversation_add(chat.conversation, -1, ROLE_USER, "kept", 4);
    writer_save_message(writer, chat.id, chat.conversation, message);
    wait_for(writer, true, &status);
    one_line_with(&status.problem, fixture->path, "another program is writing to it");
    assert_int_equal(status.committed, 0);
    assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    wait_for(writer, false, &status); /* by itself, on its timer */
    assert_int_equal(status.problem.code, ERROR_NONE);
    /* And while it closes, it does not wait longer than it was told to. */
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    writer_set(writer, chat.id, STORE_TITLE, "late");
    assert_int_equal(writer_close(writer, 200, &fixture->error), -1);
    assert_non_null(strstr(fixture->error.message, "1 change could not be saved: "));
    sqlite3_close(other);
    expect_messages(fixture, chat.id, 1);
    store_chat_free(&chat);
}

/* --- the file --------------------------------------------------------------------------------- */

static void run_sql(const char *path, const char *sql)
{
    sqlite3 *db;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

/* A store with `messages` messages, closed and without a log. */
static int64_t fill(struct fixture *fixture, int messages)
{
    struct store *store;
    struct store_chat chat = {.conversation = conversation_create()};
    for (int i = 0; i < messages; i++)
        conversation_add(chat.conversation, chat.conversation->tip, ROLE_USER,
                         "words that take some room in the file", 37);
    OK(fixture, store_open(&store, fixture->path, &fixture->error));
    OK(fixture, store_save_copy(store, &chat, &fixture->error));
    store_close(store);
    int64_t id = chat.id;
    store_chat_free(&chat);
    return id;
}

static void a_newer_file_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct store *store;
    struct strbuf before = {0}, after = {0};
    fill(fixture, 3);
    run_sql(fixture->path, "PRAGMA user_version = 99");
    OK(fixture, file_read(fixture->path, 1 << 24, &before, &fixture->error));
    assert_int_equal(store_open(&store, fixture->path, &fixture->error), -1);
    one_line_with(&fixture->error, fixture->path, "user_version 99: written by a newer airo");
    OK(fixture, file_read(fixture->path, 1 << 24, &after, &fixture->error));
    assert_int_equal(before.length, after.length);
    assert_memory_equal(before.data, after.data, before.length);
    strbuf_free(&before);
    strbuf_free(&after);
}

static void a_foreign_file_is_left_alone(void **state)
{
    struct fixture *fixture = *state;
    struct store *store;
    run_sql(fixture->path, "CREATE TABLE bookmarks (url TEXT)");
    assert_int_equal(store_open(&store, fixture->path, &fixture->error), -1);
    one_line_with(&fixture->error, fixture->path, "database of another program");
    run_sql(fixture->path, "DROP TABLE bookmarks; PRAGMA user_version = 1");
    assert_int_equal(store_open(&store, fixture->path, &fixture->error), -1);
    one_line_with(&fixture->error, fixture->path, "database of another program");
}

static void write_bytes(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    assert_int_equal(fclose(file), 0);
}

static void a_text_file_is_no_store(void **state)
{
    struct fixture *fixture = *state;
    struct store *store;
    struct strbuf after = {0};
    char text[2000];
    memset(text, 'a', sizeof text);
    write_bytes(fixture->path, text, sizeof text);
    assert_int_equal(store_open(&store, fixture->path, &fixture->error), -1);
    one_line_with(&fixture->error, fixture->path, "it is kept as it is");
    OK(fixture, file_read(fixture->path, 1 << 24, &after, &fixture->error));
    assert_int_equal(after.length, sizeof text);
    strbuf_free(&after);
}

static void a_truncated_file_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct store *store;
    struct strbuf whole = {0};
    fill(fixture, 400);
    OK(fixture, file_read(fixture->path, 1 << 24, &whole, &fixture->error));
    for (size_t kept = 200; kept < whole.length; kept += whole.length / 13) {
        write_bytes(fixture->path, whole.data, kept);
        assert_int_equal(store_open(&store, fixture->path, &fixture->error), -1);
        one_line_with(&fixture->error, fixture->path, "it is kept as it is");
        struct stat status;
        assert_int_equal(stat(fixture->path, &status), 0);
        assert_int_equal(status.st_size, kept);
    }
    strbuf_free(&whole);
}

/* Bytes turned at random: an error, or answers; never a crash, and never a changed file without a
 * word. A page of zeros is always seen. */
static void a_damaged_file_is_told(void **state)
{
    struct fixture *fixture = *state;
    struct store *store;
    struct strbuf whole = {0};
    int64_t id = fill(fixture, 400);
    OK(fixture, file_read(fixture->path, 1 << 24, &whole, &fixture->error));
    char *bytes = xmalloc(whole.length);
    unsigned seed = 7;
    size_t seen = 0;
    for (int round = 0; round < 150; round++) {
        memcpy(bytes, whole.data, whole.length);
        for (int i = 0; i < 40; i++)
            bytes[(size_t)rand_r(&seed) * 31 % whole.length] = (char)rand_r(&seed);
        write_bytes(fixture->path, bytes, whole.length);
        struct store_chat chat;
        struct store_hits hits;
        struct error error = {0};
        if (store_open(&store, fixture->path, &error) != 0) {
            assert_null(strchr(error.message, '\n'));
            seen++;
            continue;
        }
        if (store_load(store, id, &chat, &error) == 0)
            store_chat_free(&chat);
        if (store_search(store, "words", 10, &hits, &error) == 0)
            store_hits_free(&hits);
        store_close(store);
    }
    assert_true(seen > 75);
    memcpy(bytes, whole.data, whole.length);
    memset(bytes + 4096 * 3, 0, 4096 * 4);
    write_bytes(fixture->path, bytes, whole.length);
    assert_int_equal(store_open(&store, fixture->path, &fixture->error), -1);
    one_line_with(&fixture->error, fixture->path, "damaged");
    free(bytes);
    strbuf_free(&whole);
}

/* --- hostile imports -------------------------------------------------------------------------- */

static void make_export(struct fixture *fixture, struct strbuf *out)
{
    struct store *store;
    struct store_chat chat = {.conversation = conversation_create()};
    struct message *question = conversation_add(chat.conversation, -1, ROLE_USER, "q\xFF", 2);
    document_add_text(&question->documents, "a.txt", "some text", 9);
    OK(fixture, document_set_pair(&question->documents.items[0], "url", "a", &fixture->error));
    struct message *reply =
        conversation_add(chat.conversation, question->id, ROLE_ASSISTANT, "answer", 6);
    token_list_add(&reply->tokens, 12);
    token_list_add(&reply->tokens, 345);
    reply->made_with = xstrdup("t=1");
    conversation_add(chat.conversation, question->id, ROLE_ASSISTANT, "other", 5);
    chat.fields[STORE_TITLE] = xstrdup("title");
    OK(fixture, store_open(&store, fixture->path, &fixture->error));
    OK(fixture, store_save_copy(store, &chat, &fixture->error));
    OK(fixture, store_export(store, chat.id, EXPORT_JSON, out, &fixture->error));
    store_chat_free(&chat);
    store_close(store);
}

static void mutate(struct strbuf *text, unsigned *seed)
{
    static const char *const pieces[] = {
        "-1", "1e99", "99999999999999999999", "null",        "true",           "{}",
        "[]", "\"\"", "\"\\u0000\"",          "\"\\ud800\"", "2147483648",     "0",
        "1",  "2",    "{\"hex\": \"f\"}",     ",",           "\"parent\": 1,",
    };
    size_t at = (size_t)rand_r(seed) % text->length;
    const char *piece = pieces[(size_t)rand_r(seed) % (sizeof pieces / sizeof pieces[0])];
    size_t end = at;
    switch (rand_r(seed) % 4) {
    case 0:
        text->data[at] = (char)rand_r(seed);
        break;
    case 1:
        strbuf_remove(text, at, 1 + (size_t)rand_r(seed) % 30);
        break;
    case 2: /* a number becomes something else */
        while (end < text->length && (text->data[end] < '0' || text->data[end] > '9'))
            end++;
        at = end;
        while (end < text->length && text->data[end] >= '0' && text->data[end] <= '9')
            end++;
        /* fall through */
    default: {
        struct strbuf joined = {0};
        strbuf_add(&joined, text->data, at);
        strbuf_puts(&joined, piece);
        strbuf_add(&joined, text->data + end, text->length - end);
        strbuf_free(text);
        *text = joined;
    }
    }
}

static void no_import_does_harm(void **state)
{
    struct fixture *fixture = *state;
    struct strbuf good = {0};
    struct store *store;
    make_export(fixture, &good);
    OK(fixture, store_open(&store, fixture->path, &fixture->error));
    const char *set = getenv("AIRO_IMPORTS");
    int rounds = set != NULL ? atoi(set) : 20000;
    unsigned seed = 3;
    size_t accepted = 0;
    for (int round = 0; round < rounds; round++) {
        struct strbuf text = {0};
        struct store_chat chat;
        struct error error = {0};
        strbuf_add(&text, good.data, good.length);
        for (int i = rand_r(&seed) % 4; i >= 0 && text.length > 0; i--)
            mutate(&text, &seed);
        if (chat_from_json(&chat, strbuf_text(&text), text.length, "x.json", &error) == 0) {
            /* What is taken can be stored. */
            if (accepted++ % 50 == 0)
                OK(fixture, store_save_copy(store, &chat, &fixture->error));
            store_chat_free(&chat);
        } else {
            one_line_with(&error, "x.json", "");
        }
        strbuf_free(&text);
    }
    print_message("%d mutated imports, %zu accepted\n", rounds, accepted);
    assert_true(accepted > 0);
    assert_true(accepted < (size_t)rounds / 2);
    OK(fixture, store_check(store, &fixture->error));
    store_close(store);
    strbuf_free(&good);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(no_room_is_told_and_nothing_is_lost),
        TEST(what_cannot_be_saved_is_counted_at_the_end),
        TEST(a_read_only_directory_is_told),
        TEST(what_is_no_file_is_refused),
        TEST(a_second_instance_that_writes_is_waited_for),
        TEST(a_newer_file_is_left_alone),
        TEST(a_foreign_file_is_left_alone),
        TEST(a_text_file_is_no_store),
        TEST(a_truncated_file_is_told),
        TEST(a_damaged_file_is_told),
        TEST(no_import_does_harm),
    };
    return cmocka_run_group_tests_name("store_faults", tests, NULL, NULL);
}
