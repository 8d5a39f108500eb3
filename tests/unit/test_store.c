/* Tests of engine/chat/store, its search, its export and import, and its writer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <poll.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
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
    struct store *store;
    struct error error;
};

static int set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof *fixture);
    snprintf(fixture->directory, sizeof fixture->directory, "/tmp/airo-store-XXXXXX");
    if (mkdtemp(fixture->directory) == NULL)
        return -1;
    fixture->path = path_join(fixture->directory, "data/airo/chats.sqlite3");
    *state = fixture;
    return store_open(&fixture->store, fixture->path, &fixture->error);
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->store);
    char *command = xasprintf("rm -rf %s", fixture->directory);
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

static void put_field(struct store_chat *chat, enum store_field field, const char *text)
{
    free(chat->fields[field]);
    chat->fields[field] = text != NULL ? xstrdup(text) : NULL;
}

static void add_document(struct document_list *list, const char *name, const char *text)
{
    struct error error;
    document_add_text(list, name, text, strlen(text));
    struct document *document = &list->items[list->count - 1];
    assert_int_equal(document_set_pair(document, "url", name, &error), 0);
    assert_int_equal(document_set_pair(document, "date", "2021-01-01", &error), 0);
    document->pairs[1].guessed = true;
    document->enabled = list->count % 2 == 1;
}

/* A chat with everything in it: branches, deleted messages, ids, documents, odd bytes. */
static void make_chat(struct store_chat *chat)
{
    *chat = (struct store_chat){.conversation = conversation_create()};
    struct conversation *tree = chat->conversation;
    put_field(chat, STORE_TITLE,
              "Ferries and \xC3\x9C"
              "berfahrten");
    put_field(chat, STORE_SYSTEM, "");
    put_field(chat, STORE_DRAFT, "not sent\n");
    struct message *question = conversation_add(tree, -1, ROLE_USER, "When does it leave?", 19);
    add_document(&question->documents, "harbour.txt", "The ferry leaves at nine.\n");
    add_document(&question->documents, "copy.txt", "The ferry leaves at nine.\n");
    struct message *reply = conversation_add(tree, question->id, ROLE_ASSISTANT, "", 0);
    struct token_list tokens = {0};
    for (int i = 0; i < 300; i++)
        token_list_add(&tokens, i * 7919);
    message_append(reply, "At nine \xF0\x9F\x90\xAC.", 13, &tokens);
    token_list_free(&tokens);
    reply->made_with = xstrdup("vaquita t=0.7 top_p=0.9");
    struct message *other = conversation_add(tree, question->id, ROLE_ASSISTANT,
                                             "A\0\xFF"
                                             "b",
                                             4);
    other->partial = true;
    struct message *more = conversation_add(tree, other->id, ROLE_USER, "And back?", 9);
    conversation_add(tree, more->id, ROLE_ASSISTANT, "Secretly at ten.", 16);
    conversation_add(tree, -1, ROLE_USER, "A second root", 13);
    conversation_delete(tree, more->id);
    conversation_select(tree, reply->id);
    add_document(&chat->documents, "pending.txt", "Not sent.");
}

static void same_text(const char *a, const char *b)
{
    assert_int_equal(a == NULL, b == NULL);
    if (a != NULL)
        assert_string_equal(a, b);
}

static void same_documents(const struct document_list *a, const struct document_list *b)
{
    assert_int_equal(a->count, b->count);
    for (size_t i = 0; i < a->count; i++) {
        const struct document *x = &a->items[i], *y = &b->items[i];
        assert_string_equal(x->name, y->name);
        assert_int_equal(x->length, y->length);
        assert_memory_equal(x->text, y->text, x->length + 1);
        assert_int_equal(x->enabled, y->enabled);
        assert_int_equal(x->pair_count, y->pair_count);
        for (size_t k = 0; k < x->pair_count; k++) {
            assert_string_equal(x->pairs[k].key, y->pairs[k].key);
            assert_string_equal(x->pairs[k].value, y->pairs[k].value);
            assert_int_equal(x->pairs[k].guessed, y->pairs[k].guessed);
        }
    }
}

static void same_chat(const struct store_chat *a, const struct store_chat *b)
{
    for (int i = 0; i < STORE_FIELDS; i++)
        same_text(a->fields[i], b->fields[i]);
    assert_int_equal(a->created, b->created);
    assert_int_equal(a->conversation->tip, b->conversation->tip);
    assert_int_equal(a->conversation->count, b->conversation->count);
    same_documents(&a->documents, &b->documents);
    for (size_t i = 0; i < a->conversation->count; i++) {
        const struct message *x = a->conversation->items[i], *y = b->conversation->items[i];
        assert_int_equal(x->parent, y->parent);
        assert_int_equal(x->role, y->role);
        assert_int_equal(x->text.length, y->text.length);
        assert_memory_equal(strbuf_text(&x->text), strbuf_text(&y->text), x->text.length + 1);
        assert_int_equal(x->tokens.count, y->tokens.count);
        for (size_t k = 0; k < x->tokens.count; k++)
            assert_int_equal(x->tokens.ids[k], y->tokens.ids[k]);
        same_text(x->made_with, y->made_with);
        assert_int_equal(x->created, y->created);
        assert_int_equal(x->partial, y->partial);
        assert_int_equal(x->deleted, y->deleted);
        assert_int_equal(x->chosen, y->chosen);
        same_documents(&x->documents, &y->documents);
    }
}

static int64_t count_rows(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *statement;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
    int64_t count = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return count;
}

/* --- the store -------------------------------------------------------------------------------- */

static void the_file_is_for_its_owner_alone(void **state)
{
    struct fixture *fixture = *state;
    struct stat status;
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    char *directory = path_join(fixture->directory, "data/airo");
    assert_int_equal(stat(directory, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0700);
    free(directory);
    assert_int_equal(chmod(fixture->path, 0644), 0);
    struct store *again;
    OK(fixture, store_open(&again, fixture->path, &fixture->error));
    store_close(again);
    assert_int_equal(stat(fixture->path, &status), 0);
    assert_int_equal(status.st_mode & 07777, 0600);
    char *wal = xasprintf("%s-wal", fixture->path);
    assert_int_equal(stat(wal, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    free(wal);
}

static void everything_comes_back(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat, loaded;
    make_chat(&chat);
    OK(fixture, store_save_copy(fixture->store, &chat, &fixture->error));
    store_close(fixture->store);
    OK(fixture, store_open(&fixture->store, fixture->path, &fixture->error));
    OK(fixture, store_load(fixture->store, chat.id, &loaded, &fixture->error));
    same_chat(&chat, &loaded);
    for (size_t i = 0; i < chat.conversation->count; i++)
        assert_int_equal(chat.conversation->items[i]->stored,
                         loaded.conversation->items[i]->stored);
    /* Three documents, two texts. */
    assert_int_equal(count_rows(fixture->path, "SELECT count(*) FROM contents"), 2);
    OK(fixture, store_check(fixture->store, &fixture->error));
    store_chat_free(&loaded);
    store_chat_free(&chat);
}

static void messages_are_saved_and_saved_again(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat = {.conversation = conversation_create()}, loaded;
    OK(fixture, store_create(fixture->store, &chat, &fixture->error));
    struct conversation *tree = chat.conversation;
    struct message *a = conversation_add(tree, -1, ROLE_USER, "hello", 5);
    struct message *b = conversation_add(tree, a->id, ROLE_ASSISTANT, "par", 3);
    b->partial = true;
    assert_int_equal(store_save_message(fixture->store, chat.id, tree, b, &fixture->error), -1);
    assert_int_equal(b->stored, 0);
    OK(fixture, store_save_message(fixture->store, chat.id, tree, a, &fixture->error));
    OK(fixture, store_save_message(fixture->store, chat.id, tree, b, &fixture->error));
    message_append(b, "tial", 4, NULL);
    b->partial = false;
    OK(fixture, store_save_message(fixture->store, chat.id, tree, b, &fixture->error));
    OK(fixture, store_set_tip(fixture->store, chat.id, b->stored, &fixture->error));
    OK(fixture, store_load(fixture->store, chat.id, &loaded, &fixture->error));
    same_chat(&chat, &loaded);
    store_chat_free(&loaded);
    /* A row of another chat is not written over. */
    struct store_chat other = {0};
    OK(fixture, store_create(fixture->store, &other, &fixture->error));
    assert_int_equal(store_save_message(fixture->store, other.id, tree, a, &fixture->error), -1);
    assert_non_null(strstr(fixture->error.message, "another message has this id"));
    store_chat_free(&other);
    store_chat_free(&chat);
}

static void the_list_has_what_is_there(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat;
    struct store_list list;
    int64_t copy;
    make_chat(&chat);
    chat.created = 1000;
    OK(fixture, store_save_copy(fixture->store, &chat, &fixture->error));
    OK(fixture, store_duplicate(fixture->store, chat.id, &copy, &fixture->error));
    OK(fixture, store_set(fixture->store, copy, STORE_TITLE, "The copy", &fixture->error));
    OK(fixture, store_list(fixture->store, false, &list, &fixture->error));
    assert_int_equal(list.count, 2);
    assert_int_equal(list.items[0].id, copy);
    assert_string_equal(list.items[0].title, "The copy");
    assert_int_equal(list.items[0].messages, 4); /* of six, one is deleted, one below it */
    assert_int_equal(list.items[1].id, chat.id);
    assert_int_equal(list.items[1].updated, 1000);
    store_list_free(&list);

    OK(fixture, store_set_deleted(fixture->store, copy, true, &fixture->error));
    OK(fixture, store_list(fixture->store, false, &list, &fixture->error));
    assert_int_equal(list.count, 1);
    store_list_free(&list);
    OK(fixture, store_list(fixture->store, true, &list, &fixture->error));
    assert_int_equal(list.count, 1);
    assert_int_equal(list.items[0].id, copy);
    assert_true(list.items[0].deleted_at > 0);
    store_list_free(&list);
    OK(fixture, store_set_deleted(fixture->store, copy, false, &fixture->error));
    OK(fixture, store_list(fixture->store, false, &list, &fixture->error));
    assert_int_equal(list.count, 2);
    store_list_free(&list);
    assert_int_equal(store_set(fixture->store, 77, STORE_TITLE, "x", &fixture->error), -1);
    store_chat_free(&chat);
}

static void a_purge_takes_old_deletions_only(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat;
    int64_t copy;
    make_chat(&chat);
    OK(fixture, store_save_copy(fixture->store, &chat, &fixture->error));
    OK(fixture, store_duplicate(fixture->store, chat.id, &copy, &fixture->error));
    store_chat_free(&chat);
    OK(fixture, store_set_deleted(fixture->store, copy, true, &fixture->error));
    OK(fixture, store_purge(fixture->store, 1, &fixture->error));
    assert_int_equal(count_rows(fixture->path, "SELECT count(*) FROM chats"), 2);
    OK(fixture, store_purge(fixture->store, 0, &fixture->error));
    assert_int_equal(count_rows(fixture->path, "SELECT count(*) FROM chats"), 1);
    assert_int_equal(count_rows(fixture->path, "SELECT count(*) FROM messages"), 6);
    assert_int_equal(count_rows(fixture->path, "SELECT count(*) FROM contents"), 2);
    OK(fixture, store_check(fixture->store, &fixture->error));
}

static void pending_documents_replace_each_other(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat = {0}, loaded;
    struct document_list list = {0};
    OK(fixture, store_create(fixture->store, &chat, &fixture->error));
    add_document(&list, "a.txt", "first");
    add_document(&list, "b.txt", "second");
    OK(fixture, store_set_documents(fixture->store, chat.id, &list, &fixture->error));
    document_remove(&list, 0);
    OK(fixture, store_set_documents(fixture->store, chat.id, &list, &fixture->error));
    OK(fixture, store_load(fixture->store, chat.id, &loaded, &fixture->error));
    same_documents(&list, &loaded.documents);
    assert_int_equal(count_rows(fixture->path, "SELECT count(*) FROM contents"), 1);
    document_list_free(&list);
    store_chat_free(&loaded);
}

static double seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* The bound is ten times what it takes on a slow, busy machine; quadratic loops would miss it. */
static void ten_thousand_messages_load_at_once(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat = {.conversation = conversation_create()}, loaded;
    struct token_list tokens = {0};
    for (int i = 0; i < 50; i++)
        token_list_add(&tokens, i);
    for (int i = 0; i < 10000; i++) {
        struct message *message = conversation_add(chat.conversation, chat.conversation->tip,
                                                   i % 2 ? ROLE_ASSISTANT : ROLE_USER, "", 0);
        for (int k = 0; k < 10; k++)
            message_append(message, "some words of a message ", 24, i % 2 ? &tokens : NULL);
    }
    OK(fixture, store_save_copy(fixture->store, &chat, &fixture->error));
    double begin = seconds();
    OK(fixture, store_load(fixture->store, chat.id, &loaded, &fixture->error));
    double took = seconds() - begin;
    print_message("loading 10,000 messages took %.0f ms\n", 1e3 * took);
    assert_int_equal(loaded.conversation->count, 10000);
    assert_int_equal(loaded.conversation->tip, 9999);
    assert_true(took < 5);
    token_list_free(&tokens);
    store_chat_free(&loaded);
    store_chat_free(&chat);
}

/* --- search ----------------------------------------------------------------------------------- */

static size_t found(struct fixture *fixture, const char *query)
{
    struct store_hits hits;
    OK(fixture, store_search(fixture->store, query, 50, &hits, &fixture->error));
    size_t count = hits.count;
    store_hits_free(&hits);
    return count;
}

static void words_are_found(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat;
    struct store_hits hits;
    make_chat(&chat);
    OK(fixture, store_save_copy(fixture->store, &chat, &fixture->error));
    OK(fixture, store_search(fixture->store, "leave", 50, &hits, &fixture->error));
    assert_int_equal(hits.count, 1);
    assert_int_equal(hits.items[0].chat, chat.id);
    assert_int_equal(hits.items[0].message, chat.conversation->items[0]->stored);
    assert_string_equal(hits.items[0].snippet, "When does it leave?");
    assert_int_equal(hits.items[0].mark_count, 1);
    assert_int_equal(hits.items[0].marks[0].begin, 13);
    assert_int_equal(hits.items[0].marks[0].length, 5);
    store_hits_free(&hits);
    OK(fixture, store_search(fixture->store, "uberfahr", 50, &hits, &fixture->error));
    assert_int_equal(hits.count, 1);
    assert_int_equal(hits.items[0].message, 0);
    store_hits_free(&hits);
    assert_int_equal(found(fixture, "does lea"), 1);
    assert_int_equal(found(fixture, "lea "), 0);
    assert_int_equal(found(fixture, "lea does"), 0);
    assert_int_equal(found(fixture, "LEAVE  does"), 1);
    assert_int_equal(found(fixture, "secretly"), 0); /* below a deleted message */
    assert_int_equal(found(fixture, "back"), 0);
    /* A change of text and title is followed. */
    OK(fixture, store_set(fixture->store, chat.id, STORE_TITLE, "zebra", &fixture->error));
    assert_int_equal(found(fixture, "zebra"), 1);
    assert_int_equal(found(fixture, "uberfahr"), 0);
    struct message *first = chat.conversation->items[0];
    message_append(first, " giraffe", 8, NULL);
    OK(fixture,
       store_save_message(fixture->store, chat.id, chat.conversation, first, &fixture->error));
    assert_int_equal(found(fixture, "giraffe"), 1);
    assert_int_equal(found(fixture, "leave"), 1);
    OK(fixture, store_set_deleted(fixture->store, chat.id, true, &fixture->error));
    assert_int_equal(found(fixture, "giraffe"), 0);
    OK(fixture, store_check(fixture->store, &fixture->error));
    store_chat_free(&chat);
}

static void any_text_is_a_query(void **state)
{
    struct fixture *fixture = *state;
    static const char *const odd[] = {
        "",
        " ",
        "\"",
        "\"\"\"",
        "*",
        "a*",
        "NEAR(a b)",
        "a AND",
        "OR",
        "NOT x",
        "a:b",
        "text : x",
        "{a b}:c",
        "^a",
        "a + b",
        "(((",
        "-- ;",
        "' OR 1",
        "\\",
        "\xFF\xFE",
        "\xC3",
        "a\x01"
        "b",
        "%s%n",
        "col:\"x",
        "\xE2\x82\xAC",
        "\xF0\x9F\x90\xAC",
        "\xF0\x9F\x90\xAC leave",
        "NEAR",
        "AND AND AND",
        "when does it leave ?",
        "\xCC\x81",
        "\xCC\x81 x",
    };
    struct store_chat chat;
    make_chat(&chat);
    OK(fixture, store_save_copy(fixture->store, &chat, &fixture->error));
    for (size_t i = 0; i < sizeof odd / sizeof odd[0]; i++)
        found(fixture, odd[i]);
    assert_int_equal(found(fixture, "when does it leave ?"), 1);
    assert_int_equal(found(fixture, "\xF0\x9F\x90\xAC leave"), 1); /* a symbol asks for nothing */
    unsigned seed = 1;
    for (int i = 0; i < 3000; i++) {
        char text[40];
        int length = rand_r(&seed) % 39;
        for (int k = 0; k < length; k++)
            text[k] = (char)(rand_r(&seed) % 3 ? "\"*():^+-{} aANDORT"[rand_r(&seed) % 18]
                                               : 1 + rand_r(&seed) % 255);
        text[length] = '\0';
        found(fixture, text);
    }
    struct strbuf longest = {0};
    for (int i = 0; i < 5000; i++)
        strbuf_puts(&longest, i % 7 ? "leave " : "\xC3\xA4");
    found(fixture, strbuf_text(&longest));
    strbuf_free(&longest);
    store_chat_free(&chat);
}

/* --- export and import ------------------------------------------------------------------------ */

static void json_is_lossless(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat, loaded;
    struct strbuf first = {0}, second = {0};
    int64_t again;
    make_chat(&chat);
    OK(fixture, store_save_copy(fixture->store, &chat, &fixture->error));
    char *path = path_join(fixture->directory, "chat.json");
    OK(fixture, store_export_file(fixture->store, chat.id, EXPORT_JSON, path, &fixture->error));
    assert_int_equal(store_export_file(fixture->store, chat.id, EXPORT_JSON, path, &fixture->error),
                     -1);
    OK(fixture, store_import_file(fixture->store, path, &again, &fixture->error));
    assert_true(again != chat.id);
    OK(fixture, store_load(fixture->store, again, &loaded, &fixture->error));
    same_chat(&chat, &loaded);
    OK(fixture, store_export(fixture->store, chat.id, EXPORT_JSON, &first, &fixture->error));
    OK(fixture, store_export(fixture->store, again, EXPORT_JSON, &second, &fixture->error));
    assert_string_equal(strbuf_text(&first), strbuf_text(&second));
    strbuf_free(&first);
    strbuf_free(&second);
    store_chat_free(&loaded);
    store_chat_free(&chat);
    free(path);
}

static void markdown_is_the_path(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat;
    struct strbuf text = {0};
    make_chat(&chat);
    OK(fixture, store_save_copy(fixture->store, &chat, &fixture->error));
    OK(fixture, store_export(fixture->store, chat.id, EXPORT_MARKDOWN, &text, &fixture->error));
    assert_string_equal(strbuf_text(&text),
                        "# Ferries and \xC3\x9C"
                        "berfahrten\n\n"
                        "## You\n\n> Document: harbour.txt\n\nWhen does it leave?\n\n"
                        "## Reply\n\nAt nine \xF0\x9F\x90\xAC.\n\n"
                        "<!-- vaquita t=0.7 top_p=0.9 -->\n\n");
    strbuf_free(&text);
    store_chat_free(&chat);
}

#define HEAD "{\"airo_chat\":1,\"created\":1,\"updated\":1,"
#define DOCS "\"contents\":[],\"documents\":[],"
#define MESSAGE                                                                                    \
    "{\"role\":\"user\",\"text\":\"x\",\"tokens\":[],\"partial\":false,\"created\":1,"             \
    "\"deleted\":false,\"documents\":[]"

static void a_wrong_import_is_refused_by_name(void **state)
{
    (void)state;
    static const struct {
        const char *text, *expect;
    } rows[] = {
        {"", "x.json: line 1"},
        {"[]", "airo_chat: missing"},
        {"{}", "airo_chat: missing"},
        {"{\"airo_chat\":2}", "another version"},
        {HEAD DOCS "\"messages\":[],\"colour\":1}", "x.json: colour: no such field"},
        {HEAD "\"messages\":[]}", "x.json: contents: must be a list"},
        {HEAD DOCS "\"messages\":3}", "x.json: messages: must be a list"},
        {HEAD DOCS "\"messages\":[3]}", "x.json: messages[0]: must be an object"},
        {HEAD DOCS "\"messages\":[" MESSAGE ",\"parent\":0}]}", "messages[0]: parent: must be"},
        {HEAD DOCS "\"messages\":[" MESSAGE ",\"parent\":-1}]}", "messages[0]: parent: must be"},
        {HEAD DOCS "\"messages\":[" MESSAGE ",\"chosen\":0}]}", "messages[0]: chosen: must be"},
        {HEAD DOCS "\"messages\":[" MESSAGE ",\"tokens\":1}]}", "line 1: duplicate"},
        {HEAD DOCS "\"tip\":1,\"messages\":[" MESSAGE "}]}", "x.json: tip: must be"},
        {HEAD DOCS "\"messages\":[{\"role\":\"system\"}]}", "messages[0]: role: must be"},
        {HEAD DOCS "\"messages\":[{\"role\":\"user\",\"text\":{\"hex\":\"0g\"}}]}",
         "messages[0]: text: must be"},
        {HEAD DOCS "\"messages\":[{\"role\":\"user\",\"text\":\"\",\"tokens\":[-4]}]}",
         "messages[0]: tokens: must be"},
        {HEAD "\"contents\":[\"a\"],\"documents\":[{\"name\":\"d\",\"content\":1}]}",
         "documents[0]: content: must be"},
        {HEAD "\"contents\":[\"a\"],\"documents\":[{\"name\":\"d\",\"content\":0,"
              "\"enabled\":true,\"pairs\":[{\"key\":\"a:b\",\"value\":\"\",\"guessed\":false}]}]}",
         "documents[0]: pairs[0]: key: must be"},
        {HEAD "\"title\":{\"hex\":\"00\"}," DOCS "\"messages\":[]}", "title: must be without NUL"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct store_chat chat;
        struct error error = {0};
        if (chat_from_json(&chat, rows[i].text, strlen(rows[i].text), "x.json", &error) == 0 ||
            strstr(error.message, rows[i].expect) == NULL)
            fail_msg("%s: said \"%s\", not \"%s\"", rows[i].text, error.message, rows[i].expect);
        assert_null(strchr(error.message, '\n'));
    }
    struct store_chat chat;
    struct error error;
    struct strbuf many = {0};
    for (unsigned i = 0; i <= IMPORT_VALUES_MAX; i++)
        strbuf_puts(&many, "[,");
    assert_int_equal(chat_from_json(&chat, many.data, many.length, "x.json", &error), -1);
    assert_non_null(strstr(error.message, "values; at most"));
    strbuf_free(&many);
    const char *good = HEAD DOCS "\"messages\":[" MESSAGE "}]}";
    assert_int_equal(chat_from_json(&chat, good, strlen(good), "x.json", &error), 0);
    store_chat_free(&chat);
}

/* --- the writer ------------------------------------------------------------------------------- */

static void wait_committed(struct writer *writer, uint64_t number)
{
    struct writer_status status;
    for (int i = 0; i < 600; i++) {
        writer_status(writer, &status);
        if (status.committed >= number)
            return;
        struct pollfd poller = {.fd = writer_fd(writer), .events = POLLIN};
        poll(&poller, 1, 100);
    }
    fail_msg("not committed: %s", status.problem.message);
}

static void the_writer_saves_what_it_is_given(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat, loaded;
    struct writer *writer;
    make_chat(&chat);
    OK(fixture, writer_open(&writer, fixture->path, &fixture->error));
    writer_create_chat(writer, &chat);
    assert_true(chat.id > 0);
    /* The last message brings those above it. */
    struct conversation *tree = chat.conversation;
    for (size_t i = tree->count; i-- > 0;)
        writer_save_message(writer, chat.id, tree, tree->items[i]);
    for (size_t i = 0; i < tree->count; i++) /* now that `chosen` has a row */
        writer_save_message(writer, chat.id, tree, tree->items[i]);
    writer_set_documents(writer, chat.id, &chat.documents);
    writer_set(writer, chat.id, STORE_MODEL, "vaquita");
    put_field(&chat, STORE_MODEL, "vaquita");
    wait_committed(writer, writer_set_tip(writer, chat.id, tree));
    /* Another connection sees it before the writer is closed. */
    OK(fixture, store_load(fixture->store, chat.id, &loaded, &fixture->error));
    assert_int_equal(loaded.conversation->count, tree->count);
    store_chat_free(&loaded);
    /* What was sent is switched off afterwards. */
    size_t switched = 0;
    for (size_t i = 0; i < tree->count; i++) {
        struct document_list *sent = &tree->items[i]->documents;
        for (size_t k = 0; k < sent->count; k++, switched++)
            sent->items[k].enabled = !sent->items[k].enabled;
        if (sent->count > 0)
            wait_committed(writer, writer_set_sent_documents(writer, chat.id, tree->items[i]));
    }
    assert_true(switched > 0);
    OK(fixture, writer_close(writer, 10000, &fixture->error));
    OK(fixture, store_load(fixture->store, chat.id, &loaded, &fixture->error));
    /* Rows are in the order of the tree, which may differ from that of the ids. */
    assert_int_equal(loaded.conversation->count, tree->count);
    for (size_t i = 0; i < tree->count; i++) {
        const struct message *mine = tree->items[i], *other = NULL;
        for (size_t k = 0; k < tree->count; k++)
            if (loaded.conversation->items[k]->stored == mine->stored)
                other = loaded.conversation->items[k];
        assert_non_null(other);
        assert_int_equal(mine->text.length, other->text.length);
        assert_memory_equal(strbuf_text(&mine->text), strbuf_text(&other->text), mine->text.length);
        same_documents(&mine->documents, &other->documents);
    }
    same_documents(&chat.documents, &loaded.documents);
    same_text(loaded.fields[STORE_MODEL], "vaquita");
    store_chat_free(&loaded);
    store_chat_free(&chat);
}

static void streaming_is_coalesced(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat = {.conversation = conversation_create()}, loaded;
    struct writer *writer;
    struct writer_status status;
    OK(fixture, writer_open(&writer, fixture->path, &fixture->error));
    wait_committed(writer, writer_create_chat(writer, &chat));
    struct message *reply = conversation_add(chat.conversation, -1, ROLE_ASSISTANT, "", 0);
    reply->partial = true;
    uint64_t number = 0;
    for (int i = 0; i < 2000; i++) {
        message_append(reply, "word ", 5, NULL);
        number = writer_save_message(writer, chat.id, chat.conversation, reply);
        writer_status(writer, &status);
        assert_true(status.waiting <= 2); /* one that is written, one that waits */
    }
    wait_committed(writer, number); /* without a further change: by itself */
    OK(fixture, store_load(fixture->store, chat.id, &loaded, &fixture->error));
    assert_int_equal(loaded.conversation->items[0]->text.length, 10000);
    assert_true(loaded.conversation->items[0]->partial);
    store_chat_free(&loaded);
    message_append(reply, "end", 3, NULL);
    reply->partial = false;
    writer_save_message(writer, chat.id, chat.conversation, reply);
    OK(fixture, writer_close(writer, 10000, &fixture->error));
    OK(fixture, store_load(fixture->store, chat.id, &loaded, &fixture->error));
    assert_int_equal(loaded.conversation->items[0]->text.length, 10003);
    assert_false(loaded.conversation->items[0]->partial);
    store_chat_free(&loaded);
    store_chat_free(&chat);
}

static void one_bad_change_holds_up_nobody(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat = {0}, gone = {.id = 12345};
    struct writer *writer;
    struct writer_status status;
    OK(fixture, writer_open(&writer, fixture->path, &fixture->error));
    writer_create_chat(writer, &chat);
    uint64_t bad = writer_set(writer, gone.id, STORE_TITLE, "nowhere");
    writer_set(writer, chat.id, STORE_TITLE, "somewhere");
    for (int i = 0; i < 600; i++) {
        writer_status(writer, &status);
        if (status.waiting == 1 && status.problem.code != ERROR_NONE)
            break;
        struct pollfd poller = {.fd = writer_fd(writer), .events = POLLIN};
        poll(&poller, 1, 100);
    }
    assert_int_equal(status.waiting, 1);
    assert_true(status.committed < bad);
    assert_non_null(strstr(status.problem.message, "chat 12345 is not there"));
    struct store_list list;
    OK(fixture, store_list(fixture->store, false, &list, &fixture->error));
    assert_int_equal(list.count, 1);
    assert_string_equal(list.items[0].title, "somewhere");
    store_list_free(&list);
    /* When its chat is there after all, it is saved on request. */
    OK(fixture, store_create(fixture->store, &gone, &fixture->error));
    writer_retry(writer);
    wait_committed(writer, bad);
    assert_int_equal(writer_close(writer, 10000, &fixture->error), 0);
}

#define SHARED_MESSAGES 300

/* One of two programs: a chat of its own, and a message into the shared one each time. */
static int share(const char *path, int64_t shared, enum role role)
{
    struct writer *writer;
    struct error error;
    struct store_chat own = {.conversation = conversation_create()};
    struct conversation *other = conversation_create();
    if (writer_open(&writer, path, &error) != 0)
        return 1;
    writer_create_chat(writer, &own);
    for (int i = 0; i < SHARED_MESSAGES; i++) {
        struct message *message =
            conversation_add(own.conversation, own.conversation->tip, role, "words", 5);
        writer_save_message(writer, own.id, own.conversation, message);
        message = conversation_add(other, -1, role, "shared", 6);
        writer_save_message(writer, shared, other, message);
        struct pollfd poller = {.fd = writer_fd(writer), .events = POLLIN};
        struct writer_status status;
        poll(&poller, 1, 1);
        writer_status(writer, &status);
    }
    store_chat_free(&own);
    conversation_free(other);
    return writer_close(writer, 20000, &error) == 0 ? 0 : 2;
}

static void two_programs_share_the_file(void **state)
{
    struct fixture *fixture = *state;
    struct store_chat chat = {0}, loaded;
    struct store_list list;
    pid_t children[2];
    OK(fixture, store_create(fixture->store, &chat, &fixture->error));
    store_close(fixture->store); /* a connection does not go through a fork */
    fixture->store = NULL;
    fflush(NULL);
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            _exit(share(fixture->path, chat.id, i));
    }
    for (int i = 0; i < 2; i++) {
        int status;
        assert_int_equal(waitpid(children[i], &status, 0), children[i]);
        assert_int_equal(status, 0);
    }
    OK(fixture, store_open(&fixture->store, fixture->path, &fixture->error));
    OK(fixture, store_list(fixture->store, false, &list, &fixture->error));
    assert_int_equal(list.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(list.items[i].messages,
                         list.items[i].id == chat.id ? 2 * SHARED_MESSAGES : SHARED_MESSAGES);
    store_list_free(&list);
    OK(fixture, store_load(fixture->store, chat.id, &loaded, &fixture->error));
    size_t users = 0;
    for (size_t i = 0; i < loaded.conversation->count; i++)
        users += loaded.conversation->items[i]->role == ROLE_USER;
    assert_int_equal(users, SHARED_MESSAGES);
    store_chat_free(&loaded);
    OK(fixture, store_check(fixture->store, &fixture->error));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_file_is_for_its_owner_alone),
        TEST(everything_comes_back),
        TEST(messages_are_saved_and_saved_again),
        TEST(the_list_has_what_is_there),
        TEST(a_purge_takes_old_deletions_only),
        TEST(pending_documents_replace_each_other),
        TEST(ten_thousand_messages_load_at_once),
        TEST(words_are_found),
        TEST(any_text_is_a_query),
        TEST(json_is_lossless),
        TEST(markdown_is_the_path),
        TEST(a_wrong_import_is_refused_by_name),
        TEST(the_writer_saves_what_it_is_given),
        TEST(streaming_is_coalesced),
        TEST(one_bad_change_holds_up_nobody),
        TEST(two_programs_share_the_file),
    };
    return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
