/*
 * chats_fixture.h - a library in a directory of its own, with chats in it, for the tests of what is
 * kept. A test owns the screens that it starts.
 */
#ifndef AIRO_TESTS_CHATS_FIXTURE_H
#define AIRO_TESTS_CHATS_FIXTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/chat/store.h"
#include "tests/screens/chat_child.h"

#define CTRL_C "\003"
#define F2     "\033OQ"
#define DOWN   "\033[B"
#define ESC    "\033"
#define WAIT_S 20

#define YEAR_2001 1000000000
#define YEAR_2009 1234567890
#define YEAR_2014 1400000000

/* What the fake generator replies with. */
extern const char chats_script[];

struct fixture {
    char directory[64];
    char *library;
    struct store *store; /* the test's own look at the file */
    struct error error;
};

/* For cmocka; *state is the fixture. */
int chats_set_up(void **state);
int chats_tear_down(void **state);

/* A chat of a question and a reply (NULL: none came); `updated` in seconds since 1970. Its row. */
int64_t chats_seed(struct fixture *fixture, const char *title, const char *question,
                   const char *reply, int64_t updated);
/* Alpha, Beta and Gamma, newest first. */
void seed_three(struct fixture *fixture, int64_t ids[3]);

struct pty_screen *chats_start(struct fixture *fixture, int rows, int columns);
/* Wide enough for the list, which has the keys. */
struct pty_screen *start_in_list(struct fixture *fixture);
void chats_leave(struct pty_screen *screen);

size_t chats_count(struct fixture *fixture, bool deleted);
bool chats_field_is(struct fixture *fixture, int64_t id, enum store_field field, const char *text);
/* The screen lives on while the disk is waited for. */
bool wait_count(struct fixture *fixture, struct pty_screen *screen, bool deleted, size_t count);
bool wait_field(struct fixture *fixture, struct pty_screen *screen, int64_t id,
                enum store_field field, const char *text);

#define TEST(function) cmocka_unit_test_setup_teardown(function, chats_set_up, chats_tear_down)

#endif
