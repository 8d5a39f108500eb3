/*
 * Killed while saving: a child saves and streams messages through the writer and tells its parent,
 * through a pipe, what has been committed; it is sent SIGKILL at a random moment. Everything that
 * it told must then be there, byte for byte, and the file must be whole.
 *
 * AIRO_KILLS=2000 makes that many rounds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/store.h"
#include "engine/chat/store_writer.h"

#define ROUNDS          40
#define ROUNDS_PER_FILE 50
#define CHILD_MESSAGES  400
#define FINAL_BYTES     700
#define STEP_BYTES      35

/* "This much of the message is on the disk." */
struct told {
    int64_t chat, message;
    uint32_t number; /* of the message; decides its bytes */
    uint32_t length;
};

static uint32_t mix(uint32_t x)
{
    x = (x ^ (x >> 16)) * 0x7FEB352Du;
    x = (x ^ (x >> 15)) * 0x846CA68Bu;
    return x ^ (x >> 16);
}

static char byte_at(int64_t chat, uint32_t number, size_t at)
{
    uint32_t value = mix((uint32_t)chat * 31 + number * 8191 + (uint32_t)at);
    return value % 6 == 0 ? ' ' : (char)('a' + value / 6 % 26);
}

static void grow(struct message *message, int64_t chat, uint32_t number, size_t bytes)
{
    struct token_list token = {0};
    char text[FINAL_BYTES];
    for (size_t i = 0; i < bytes; i++)
        text[i] = byte_at(chat, number, message->text.length + i);
    token_list_add(&token, (int32_t)(message->text.length + bytes));
    message_append(message, text, bytes, &token);
    token_list_free(&token);
}

/* --- the child -------------------------------------------------------------------------------- */

/* What was saved and not told yet, in the order of its numbers. */
struct pending {
    uint64_t sequence;
    struct told told;
};

struct child {
    struct writer *writer;
    struct pending *pending;
    size_t count, done;
    int pipe;
};

static void remember(struct child *child, uint64_t sequence, int64_t chat,
                     const struct message *message)
{
    child->pending = xreallocarray(child->pending, child->count + 1, sizeof *child->pending);
    child->pending[child->count++] = (struct pending){
        sequence, {chat, message->stored, (uint32_t)message->id, (uint32_t)message->text.length}};
}

static void tell(struct child *child)
{
    struct writer_status status;
    writer_status(child->writer, &status);
    while (child->done < child->count && child->pending[child->done].sequence <= status.committed) {
        const struct told *told = &child->pending[child->done++].told;
        if (write(child->pipe, told, sizeof *told) != sizeof *told)
            _exit(1);
    }
}

static void wait_a_little(struct child *child, int ms)
{
    struct pollfd poller = {.fd = writer_fd(child->writer), .events = POLLIN};
    if (poll(&poller, 1, ms) > 0)
        tell(child);
}

static void stream_reply(struct child *child, struct store_chat *chat, int parent)
{
    struct message *reply = conversation_add(chat->conversation, parent, ROLE_ASSISTANT, "", 0);
    reply->partial = true;
    while (reply->text.length < FINAL_BYTES) {
        grow(reply, chat->id, (uint32_t)reply->id, STEP_BYTES);
        reply->partial = reply->text.length < FINAL_BYTES;
        uint64_t sequence = writer_save_message(child->writer, chat->id, chat->conversation, reply);
        remember(child, sequence, chat->id, reply);
        wait_a_little(child, reply->id % 8 == 1 ? 1 : 0);
    }
}

static void child_main(const char *path, int pipe)
{
    struct child child = {.pipe = pipe};
    struct store_chat chat = {.conversation = conversation_create()};
    struct error error;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (writer_open(&child.writer, path, &error) != 0) {
        fprintf(stderr, "%s\n", error.message);
        _exit(1);
    }
    writer_create_chat(child.writer, &chat);
    for (int i = 0; i < CHILD_MESSAGES; i += 2) {
        struct message *question =
            conversation_add(chat.conversation, chat.conversation->tip, ROLE_USER, "", 0);
        grow(question, chat.id, (uint32_t)question->id, 40 + (size_t)i);
        if (i % 6 == 0)
            document_add_text(&question->documents, "shared.txt", "The same text.", 14);
        remember(&child, writer_save_message(child.writer, chat.id, chat.conversation, question),
                 chat.id, question);
        stream_reply(&child, &chat, question->id);
        writer_set_tip(child.writer, chat.id, chat.conversation);
        wait_a_little(&child, 0);
    }
    for (;;) /* until it is killed */
        wait_a_little(&child, 1000);
}

/* --- the parent ------------------------------------------------------------------------------- */

struct tally {
    size_t told, rounds_with_nothing;
};

static void sleep_us(long us)
{
    const struct timespec wait = {us / 1000000, us % 1000000 * 1000};
    nanosleep(&wait, NULL);
}

/* What the child told until it died. */
static struct told *run_and_kill(const char *path, long kill_after_us, size_t *count)
{
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        close(ends[0]);
        child_main(path, ends[1]);
        _exit(0);
    }
    close(ends[1]);
    /* Half of the rounds begin to count when the first message is on the disk. */
    struct told *told = NULL, one;
    size_t used = 0;
    if (kill_after_us % 2 == 0) {
        struct pollfd poller = {.fd = ends[0], .events = POLLIN};
        assert_int_equal(poll(&poller, 1, 60000), 1);
    }
    sleep_us(kill_after_us);
    assert_int_equal(kill(child, SIGKILL), 0);
    for (;;) {
        ssize_t got = read(ends[0], &one, sizeof one);
        if (got < 0 && errno == EINTR)
            continue;
        if (got != sizeof one)
            break;
        told = xreallocarray(told, used + 1, sizeof *told);
        told[used++] = one;
    }
    close(ends[0]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
    *count = used;
    return told;
}

static const struct message *find_message(const struct store_chat *chat, int64_t row)
{
    for (size_t i = 0; i < chat->conversation->count; i++)
        if (chat->conversation->items[i]->stored == row)
            return chat->conversation->items[i];
    return NULL;
}

static void check_message(const struct message *message, const struct told *told)
{
    if (message == NULL)
        fail_msg("message %u was told as saved and is not there", told->number);
    if (message->text.length < told->length)
        fail_msg("message %u: %u bytes were told, %zu are there", told->number, told->length,
                 message->text.length);
    for (size_t i = 0; i < message->text.length; i++)
        if (message->text.data[i] != byte_at(told->chat, told->number, i))
            fail_msg("message %u: byte %zu is wrong", told->number, i);
    assert_true(message->tokens.count > 0);
    assert_int_equal(message->tokens.ids[message->tokens.count - 1], message->text.length);
    if (message->role == ROLE_ASSISTANT)
        assert_int_equal(message->partial, message->text.length < FINAL_BYTES);
    else
        assert_int_equal(message->documents.count, told->number % 6 == 0);
}

/* All that was told for one file. */
struct round {
    struct told *told;
    size_t count;
};

static void check_told(struct store *store, const struct round *round)
{
    struct store_chat chat;
    struct error error;
    if (round->count == 0)
        return;
    if (store_load(store, round->told[0].chat, &chat, &error) != 0)
        fail_msg("%s", error.message);
    for (size_t i = 0; i < round->count; i++)
        check_message(find_message(&chat, round->told[i].message), &round->told[i]);
    store_chat_free(&chat);
}

/* The file is whole, and has what the rounds from `first` on were told. */
static void check_file(const char *path, const struct round *rounds, size_t first, size_t count)
{
    struct store *store;
    struct error error;
    if (store_open(&store, path, &error) != 0)
        fail_msg("does not open: %s", error.message);
    if (store_check(store, &error) != 0)
        fail_msg("not whole: %s", error.message);
    for (size_t i = first; i < count; i++)
        check_told(store, &rounds[i]);
    store_close(store);
}

static void remove_all(const char *directory)
{
    char *command = xasprintf("rm -rf %s", directory);
    assert_int_equal(system(command), 0);
    free(command);
}

/* Kills on one file; each round is checked, and all of them again at the end. */
static void run_file(int rounds, unsigned *seed, struct tally *tally)
{
    struct round done[ROUNDS_PER_FILE] = {0};
    char directory[] = "/tmp/airo-kill-XXXXXX";
    assert_non_null(mkdtemp(directory));
    char *path = path_join(directory, "chats.sqlite3");
    for (int i = 0; i < rounds; i++) {
        done[i].told = run_and_kill(path, rand_r(seed) % 60000, &done[i].count);
        check_file(path, done, (size_t)i, (size_t)i + 1);
        tally->told += done[i].count;
        tally->rounds_with_nothing += done[i].count == 0;
    }
    check_file(path, done, 0, (size_t)rounds);
    for (int i = 0; i < rounds; i++)
        free(done[i].told);
    remove_all(directory);
    free(path);
}

static void nothing_that_was_saved_is_lost(void **state)
{
    (void)state;
    const char *set = getenv("AIRO_KILLS");
    int rounds = set != NULL ? atoi(set) : ROUNDS;
    struct tally tally = {0};
    unsigned seed = (unsigned)time(NULL);
    print_message("%d rounds, seed %u\n", rounds, seed);
    for (int done = 0; done < rounds; done += ROUNDS_PER_FILE)
        run_file(rounds - done < ROUNDS_PER_FILE ? rounds - done : ROUNDS_PER_FILE, &seed, &tally);
    print_message("%d kills, %zu saves told, none lost; %zu rounds were killed before any\n",
                  rounds, tally.told, tally.rounds_with_nothing);
    assert_true(tally.told > (size_t)rounds);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(nothing_that_was_saved_is_lost)};
    return cmocka_run_group_tests_name("store_kill", tests, NULL, NULL);
}
