#include "tests/screens/chats_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"

const char chats_script[] = "The first reply.\n---\nThe second reply.\n---\nThe third reply.";

int chats_set_up(void **state)
{
    struct fixture *fixture = xcalloc(1, sizeof *fixture);
    snprintf(fixture->directory, sizeof fixture->directory, "/tmp/airo-chats-XXXXXX");
    if (mkdtemp(fixture->directory) == NULL)
        return -1;
    fixture->library = path_join(fixture->directory, "chats.sqlite3");
    *state = fixture;
    return store_open(&fixture->store, fixture->library, &fixture->error);
}

int chats_tear_down(void **state)
{
    struct fixture *fixture = *state;
    store_close(fixture->store);
    char *command = xasprintf("rm -rf %s", fixture->directory);
    int result = system(command);
    free(command);
    free(fixture->library);
    free(fixture);
    return result;
}

/* A chat of a question and a reply; `updated` in seconds since 1970. */
int64_t chats_seed(struct fixture *fixture, const char *title, const char *question,
                   const char *reply, int64_t updated)
{
    struct store_chat chat = {
        .conversation = conversation_create(), .created = updated, .updated = updated};
    struct conversation *tree = chat.conversation;
    chat.fields[STORE_TITLE] = title != NULL ? xstrdup(title) : NULL;
    chat.fields[STORE_TEMPLATE] = xstrdup("airoboros");
    struct message *asked = conversation_add(tree, -1, ROLE_USER, question, strlen(question));
    asked->created = updated;
    if (reply != NULL)
        conversation_add(tree, asked->id, ROLE_ASSISTANT, reply, strlen(reply))->created = updated;
    if (store_save_copy(fixture->store, &chat, &fixture->error) != 0)
        fail_msg("%s", fixture->error.message);
    int64_t id = chat.id;
    store_chat_free(&chat);
    return id;
}

void seed_three(struct fixture *fixture, int64_t ids[3])
{
    ids[0] = chats_seed(fixture, "Alpha chat", "alpha question", "alpha has a walrus", YEAR_2014);
    ids[1] = chats_seed(fixture, "Beta chat", "beta question", "beta has a narwhal", YEAR_2009);
    ids[2] =
        chats_seed(fixture, "Gamma chat", "gamma question", "gamma has a walrus too", YEAR_2001);
}

struct pty_screen *chats_start(struct fixture *fixture, int rows, int columns)
{
    struct chat_child child = {.script = chats_script, .chats_path = fixture->library};
    const struct pty_variable variables[] = {{"HOME", fixture->directory}, {NULL, NULL}};
    return chat_child_start(rows, columns, variables, &child);
}

/* Wide enough for the list, which has the keys. */
struct pty_screen *start_in_list(struct fixture *fixture)
{
    struct pty_screen *screen = chats_start(fixture, 24, 120);
    pty_screen_type(screen, F2);
    assert_true(pty_screen_wait_text(screen, "Enter opens"));
    return screen;
}

void chats_leave(struct pty_screen *screen)
{
    assert_int_equal(kill(pty_screen_child(screen), SIGTERM), 0);
    assert_int_equal(pty_screen_wait_exit(screen), (128 + SIGTERM) << 8);
    pty_screen_free(screen);
}

size_t chats_count(struct fixture *fixture, bool deleted)
{
    struct store_list list;
    assert_int_equal(store_list(fixture->store, deleted, &list, &fixture->error), 0);
    size_t count = list.count;
    store_list_free(&list);
    return count;
}

/* The screen lives on while the disk is waited for. */
bool wait_count(struct fixture *fixture, struct pty_screen *screen, bool deleted, size_t count)
{
    time_t end = time(NULL) + WAIT_S;
    while (chats_count(fixture, deleted) != count && time(NULL) < end)
        pty_screen_pump(screen, 20);
    return chats_count(fixture, deleted) == count;
}

static char *field_of(struct fixture *fixture, int64_t id, enum store_field field)
{
    struct store_chat chat;
    assert_int_equal(store_load(fixture->store, id, &chat, &fixture->error), 0);
    char *text = xstrdup(chat.fields[field] != NULL ? chat.fields[field] : "");
    store_chat_free(&chat);
    return text;
}

bool chats_field_is(struct fixture *fixture, int64_t id, enum store_field field, const char *text)
{
    char *now = field_of(fixture, id, field);
    bool same = strcmp(now, text) == 0;
    free(now);
    return same;
}

bool wait_field(struct fixture *fixture, struct pty_screen *screen, int64_t id,
                enum store_field field, const char *text)
{
    time_t end = time(NULL) + WAIT_S;
    while (!chats_field_is(fixture, id, field, text) && time(NULL) < end)
        pty_screen_pump(screen, 20);
    return chats_field_is(fixture, id, field, text);
}
