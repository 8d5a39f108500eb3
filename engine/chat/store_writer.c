#include "engine/chat/store_writer.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/chat/store_change.h"
#include "engine/chat/store_sql.h"

#define WRITER_BUSY_MS 2000 /* for another program, before it is told */
#define RETRY_FIRST_MS 1000
#define RETRY_CLOSE_MS 50
#define INTERRUPTED_MS 1000 /* for the thread to notice that it must end */
#define NEVER          INT64_MAX

struct writer {
    pthread_t thread;
    struct store *store; /* the thread's */
    atomic_bool hurry;   /* do not wait for other programs any more */

    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t changed;
    struct change_queue queue;
    uint64_t given;
    struct error problem, failure; /* of everything; of the changes that cannot be written */
    int64_t retry_at_ms;
    int retry_ms;
    int64_t close_at_ms; /* NEVER: not closing */
    bool ended;
    struct id_source ids;
    int fd;
};

static int64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void wait_until(struct writer *writer, int64_t at_ms)
{
    if (at_ms == NEVER) {
        pthread_cond_wait(&writer->changed, &writer->lock);
        return;
    }
    const struct timespec until = {at_ms / 1000, (long)(at_ms % 1000) * 1000000};
    pthread_cond_timedwait(&writer->changed, &writer->lock, &until);
}

static void wake(const struct writer *writer)
{
    uint64_t one = 1;
    ssize_t written = write(writer->fd, &one, sizeof one);
    (void)written;
}

/* --- the thread ------------------------------------------------------------------------------- */

/* True for what is wrong with one change, not with the file, the disk or another program. */
static bool is_the_change(int code)
{
    static const int codes[] = {SQLITE_CONSTRAINT, SQLITE_MISMATCH, SQLITE_TOOBIG, SQLITE_RANGE,
                                SQLITE_ERROR};
    for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
        if ((code & 0xFF) == codes[i])
            return true;
    return false;
}

/* One transaction. No lock is held: the changes are busy. */
static int write_changes(struct store *store, struct change *const *changes, size_t count,
                         struct error *error)
{
    bool own;
    store->code = 0;
    int result = sql_transaction(store, &own, error);
    if (result != 0)
        return -1;
    for (size_t i = 0; i < count && result == 0; i++)
        result = change_apply(store, changes[i], error);
    return sql_finish(store, own, result, error);
}

/* When there is something to write: now or earlier, or the time to look again. */
static int64_t next_at(const struct writer *writer)
{
    int64_t at = NEVER;
    for (const struct change *change = writer->queue.first; change != NULL; change = change->next)
        if (!change->failed && change->due_ms < at)
            at = change->due_ms;
    if (at == NEVER)
        return at;
    if (writer->close_at_ms != NEVER)
        at = 0;
    return at > writer->retry_at_ms ? at : writer->retry_at_ms;
}

/* Marks what waits as busy, `max` at most, and returns it as an array to be freed. */
static struct change **take(struct writer *writer, size_t max, size_t *count)
{
    struct change **taken = xcalloc(writer->queue.count + 1, sizeof *taken);
    *count = 0;
    for (struct change *change = writer->queue.first; change != NULL && *count < max;
         change = change->next) {
        if (change->failed)
            continue;
        change->busy = true;
        taken[(*count)++] = change;
    }
    return taken;
}

/* With the lock held, as the next. Writes up to `max` changes; -1: none of them was written. */
static int write_some(struct writer *writer, size_t max, struct error *error)
{
    size_t count;
    struct change **taken = take(writer, max, &count);
    pthread_mutex_unlock(&writer->lock);
    int result = write_changes(writer->store, taken, count, error);
    pthread_mutex_lock(&writer->lock);
    for (size_t i = 0; i < count && result == 0; i++)
        change_queue_remove(&writer->queue, taken[i]);
    if (result != 0)
        change_queue_put_back(&writer->queue);
    free(taken);
    return result;
}

static struct change *first_waiting(const struct writer *writer)
{
    struct change *change = writer->queue.first;
    while (change != NULL && change->failed)
        change = change->next;
    return change;
}

/* One by one, so that one that cannot be written does not hold up the others. */
static int write_singly(struct writer *writer, struct error *error)
{
    struct change *change;
    while ((change = first_waiting(writer)) != NULL) {
        if (write_some(writer, 1, error) == 0)
            continue;
        if (!is_the_change(writer->store->code))
            return -1;
        change->failed = true;
        writer->failure = *error;
    }
    return 0;
}

static void write_all(struct writer *writer)
{
    struct error error = {0};
    int result = write_some(writer, SIZE_MAX, &error);
    if (result != 0 && is_the_change(writer->store->code))
        result = write_singly(writer, &error);
    if (result == 0) {
        writer->retry_at_ms = 0;
        writer->retry_ms = RETRY_FIRST_MS;
        writer->problem = (struct error){0};
    } else {
        writer->problem = error;
        bool closing = writer->close_at_ms != NEVER;
        writer->retry_at_ms = now_ms() + (closing ? RETRY_CLOSE_MS : writer->retry_ms);
        writer->retry_ms =
            2 * writer->retry_ms < WRITER_RETRY_MAX_MS ? 2 * writer->retry_ms : WRITER_RETRY_MAX_MS;
    }
    wake(writer);
}

static void *run(void *user)
{
    struct writer *writer = user;
    pthread_mutex_lock(&writer->lock);
    for (;;) {
        int64_t now = now_ms(), at = next_at(writer);
        if (writer->close_at_ms != NEVER && (at == NEVER || now >= writer->close_at_ms))
            break;
        if (at <= now)
            write_all(writer);
        else
            wait_until(writer, at < writer->close_at_ms ? at : writer->close_at_ms);
    }
    writer->ended = true;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    return NULL;
}

/* --- opening and closing ---------------------------------------------------------------------- */

static int start_thread(struct writer *writer, struct error *error)
{
    sigset_t all, kept;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &kept);
    int failed = pthread_create(&writer->thread, NULL, run, writer);
    pthread_sigmask(SIG_SETMASK, &kept, NULL);
    return failed == 0 ? 0 : error_set(error, ERROR_SYSTEM, "cannot start the saving thread");
}

static void free_writer(struct writer *writer)
{
    store_close(writer->store);
    change_queue_free(&writer->queue);
    pthread_cond_destroy(&writer->changed);
    pthread_mutex_destroy(&writer->lock);
    if (writer->fd >= 0)
        close(writer->fd);
    free(writer);
}

int writer_open(struct writer **out, const char *path, struct error *error)
{
    pthread_condattr_t monotonic;
    struct writer *writer = xcalloc(1, sizeof *writer);
    *out = NULL;
    atomic_init(&writer->hurry, false);
    writer->close_at_ms = NEVER;
    writer->retry_ms = RETRY_FIRST_MS;
    pthread_mutex_init(&writer->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&writer->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    writer->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    int result = writer->fd < 0 ? error_set_errno(error, "saving thread") : 0;
    if (result == 0)
        result = store_open(&writer->store, path, error);
    if (result == 0) {
        writer->store->busy_ms = WRITER_BUSY_MS;
        writer->store->hurry = &writer->hurry;
        result = start_thread(writer, error);
    }
    if (result == 0)
        *out = writer;
    else
        free_writer(writer);
    return result;
}

/* Waits for the thread's end; with the lock held. */
static bool wait_for_end(struct writer *writer, int64_t until_ms)
{
    while (!writer->ended && now_ms() < until_ms)
        wait_until(writer, until_ms);
    return writer->ended;
}

int writer_close(struct writer *writer, int timeout_ms, struct error *error)
{
    if (writer == NULL)
        return 0;
    pthread_mutex_lock(&writer->lock);
    writer->close_at_ms = now_ms() + timeout_ms;
    writer->retry_at_ms = 0;
    pthread_cond_broadcast(&writer->changed);
    bool ended = wait_for_end(writer, writer->close_at_ms);
    if (!ended) {
        atomic_store(&writer->hurry, true);
        sqlite3_interrupt(writer->store->db);
        ended = wait_for_end(writer, now_ms() + INTERRUPTED_MS);
    }
    size_t left = writer->queue.count;
    const struct error *why =
        writer->problem.code != ERROR_NONE ? &writer->problem : &writer->failure;
    int result = 0;
    if (left > 0)
        result = error_set(error, ERROR_SYSTEM, "%zu change%s could not be saved: %s", left,
                           left == 1 ? "" : "s",
                           why->code != ERROR_NONE ? why->message : "the disk does not answer");
    pthread_mutex_unlock(&writer->lock);
    if (!ended) { /* it hangs in the kernel, and owns what it uses */
        pthread_detach(writer->thread);
        return result;
    }
    pthread_join(writer->thread, NULL);
    free_writer(writer);
    return result;
}

/* --- the interface's side --------------------------------------------------------------------- */

int writer_fd(const struct writer *writer)
{
    return writer->fd;
}

void writer_status(struct writer *writer, struct writer_status *status)
{
    uint64_t count;
    ssize_t got = read(writer->fd, &count, sizeof count);
    (void)got;
    pthread_mutex_lock(&writer->lock);
    status->queued = writer->given;
    status->committed = change_queue_done(&writer->queue, writer->given);
    status->waiting = writer->queue.count;
    status->problem = writer->problem;
    bool failed = false;
    for (const struct change *change = writer->queue.first; change != NULL; change = change->next)
        failed = failed || change->failed;
    if (failed && status->problem.code == ERROR_NONE)
        status->problem = writer->failure;
    pthread_mutex_unlock(&writer->lock);
}

void writer_retry(struct writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    for (struct change *change = writer->queue.first; change != NULL; change = change->next)
        change->failed = false;
    writer->retry_at_ms = 0;
    writer->retry_ms = RETRY_FIRST_MS;
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
}

static struct change *make_change(enum change_kind kind, int64_t chat, int64_t row)
{
    struct change *change = xcalloc(1, sizeof *change);
    change->kind = kind;
    change->chat = chat;
    change->row = row;
    return change;
}

/* A lazy one waits for more of the same. Returns its number. */
static uint64_t enqueue(struct writer *writer, struct change *change, bool lazy)
{
    change->due_ms = lazy ? now_ms() + WRITER_LAZY_MS : 0;
    pthread_mutex_lock(&writer->lock);
    uint64_t number = change->first = change->last = ++writer->given;
    change_queue_add(&writer->queue, change);
    pthread_cond_broadcast(&writer->changed);
    pthread_mutex_unlock(&writer->lock);
    return number;
}

uint64_t writer_create_chat(struct writer *writer, struct store_chat *chat)
{
    if (chat->id == 0)
        chat->id = id_next(&writer->ids, 0);
    if (chat->created == 0)
        chat->created = (int64_t)time(NULL);
    if (chat->updated == 0)
        chat->updated = chat->created;
    struct change *change = make_change(CHANGE_CREATE, chat->id, 0);
    change->meta = xcalloc(1, sizeof *change->meta);
    change->meta->id = chat->id;
    change->meta->created = chat->created;
    change->meta->updated = chat->updated;
    change->meta->deleted_at = chat->deleted_at;
    for (int i = 0; i < STORE_FIELDS; i++)
        if (chat->fields[i] != NULL)
            change->meta->fields[i] = xstrdup(chat->fields[i]);
    return enqueue(writer, change, false);
}

static struct message *copy_message(const struct message *message)
{
    struct message *copy = xcalloc(1, sizeof *copy);
    copy->role = message->role;
    copy->created = message->created;
    copy->stored = message->stored;
    copy->partial = message->partial;
    copy->deleted = message->deleted;
    strbuf_add(&copy->text, strbuf_text(&message->text), message->text.length);
    token_list_append(&copy->tokens, message->tokens.ids, message->tokens.count);
    copy->made_with = message->made_with != NULL ? xstrdup(message->made_with) : NULL;
    return copy;
}

static uint64_t save_one(struct writer *writer, int64_t chat, struct conversation *conversation,
                         struct message *message)
{
    int64_t parent = message->parent >= 0 ? conversation->items[message->parent]->stored : 0;
    bool fresh = message->stored == 0;
    if (fresh)
        message->stored = id_next(&writer->ids, parent);
    struct change *change = make_change(CHANGE_MESSAGE, chat, message->stored);
    change->parent = parent;
    change->chosen = message->chosen >= 0 ? conversation->items[message->chosen]->stored : 0;
    change->fresh = fresh;
    change->message = copy_message(message);
    if (fresh)
        document_list_copy(&change->documents, &message->documents);
    return enqueue(writer, change, message->partial);
}

uint64_t writer_save_message(struct writer *writer, int64_t chat, struct conversation *conversation,
                             struct message *message)
{
    size_t count = 0;
    int *above = NULL;
    for (int id = message->parent; id >= 0 && conversation->items[id]->stored == 0;
         id = conversation->items[id]->parent) {
        above = xreallocarray(above, count + 1, sizeof *above);
        above[count++] = id;
    }
    while (count > 0) /* from the top: a parent's row is below its children's */
        save_one(writer, chat, conversation, conversation->items[above[--count]]);
    free(above);
    return save_one(writer, chat, conversation, message);
}

uint64_t writer_set_tip(struct writer *writer, int64_t chat,
                        const struct conversation *conversation)
{
    int tip = conversation->tip;
    while (tip >= 0 && conversation->items[tip]->stored == 0)
        tip = conversation->items[tip]->parent;
    int64_t row = tip >= 0 ? conversation->items[tip]->stored : 0;
    return enqueue(writer, make_change(CHANGE_TIP, chat, row), false);
}

uint64_t writer_set(struct writer *writer, int64_t chat, enum store_field field, const char *value)
{
    struct change *change = make_change(CHANGE_FIELD, chat, (int64_t)field);
    change->text = value != NULL ? xstrdup(value) : NULL;
    return enqueue(writer, change, field == STORE_DRAFT);
}

uint64_t writer_set_documents(struct writer *writer, int64_t chat,
                              const struct document_list *documents)
{
    struct change *change = make_change(CHANGE_DOCUMENTS, chat, 0);
    document_list_copy(&change->documents, documents);
    return enqueue(writer, change, false);
}

uint64_t writer_set_sent_documents(struct writer *writer, int64_t chat,
                                   const struct message *message)
{
    struct change *change = make_change(CHANGE_DOCUMENTS, chat, message->stored);
    document_list_copy(&change->documents, &message->documents);
    return enqueue(writer, change, false);
}

uint64_t writer_set_deleted(struct writer *writer, int64_t chat, bool deleted)
{
    struct change *change = make_change(CHANGE_DELETED, chat, 0);
    change->deleted = deleted;
    return enqueue(writer, change, false);
}
