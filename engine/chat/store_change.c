#include "engine/chat/store_change.h"

#include <stdlib.h>

#include "engine/base/alloc.h"
#include "engine/chat/store_sql.h"

static void free_contents(struct change *change)
{
    if (change->message != NULL) {
        strbuf_free(&change->message->text);
        token_list_free(&change->message->tokens);
        free(change->message->made_with);
        free(change->message);
    }
    if (change->meta != NULL)
        store_chat_free(change->meta);
    free(change->meta);
    free(change->text);
    document_list_free(&change->documents);
}

void change_free(struct change *change)
{
    free_contents(change);
    free(change);
}

/* --- the queue -------------------------------------------------------------------------------- */

static bool same_thing(const struct change *a, const struct change *b)
{
    return a->kind == b->kind && a->chat == b->chat && (a->kind == CHANGE_TIP || a->row == b->row);
}

/* The newer change's content and number, in the older one's place. Frees the newer one. */
static void replace(struct change *older, struct change *newer)
{
    if (older->kind == CHANGE_MESSAGE && older->fresh) {
        document_list_free(&newer->documents);
        newer->documents = older->documents;
        older->documents = (struct document_list){0};
        newer->fresh = true;
    }
    if (older->due_ms < newer->due_ms)
        newer->due_ms = older->due_ms;
    newer->first = older->first;
    newer->previous = older->previous;
    newer->next = older->next;
    newer->busy = older->busy;
    free_contents(older);
    *older = *newer;
    free(newer);
}

static void append(struct change_queue *queue, struct change *change)
{
    change->previous = queue->last;
    change->next = NULL;
    if (queue->last != NULL)
        queue->last->next = change;
    else
        queue->first = change;
    queue->last = change;
    queue->count++;
}

static void unlink_change(struct change_queue *queue, struct change *change)
{
    *(change->previous != NULL ? &change->previous->next : &queue->first) = change->next;
    *(change->next != NULL ? &change->next->previous : &queue->last) = change->previous;
    queue->count--;
}

/* The last one that is not busy, looked for from `from` back to `end`. */
static struct change *find_waiting(struct change *from, const struct change *end,
                                   const struct change *like)
{
    for (; from != end; from = from->previous)
        if (!from->busy && same_thing(from, like))
            return from;
    return NULL;
}

void change_queue_add(struct change_queue *queue, struct change *change)
{
    struct change *waiting =
        change->kind != CHANGE_CREATE ? find_waiting(queue->last, NULL, change) : NULL;
    if (waiting != NULL)
        replace(waiting, change);
    else
        append(queue, change);
}

void change_queue_remove(struct change_queue *queue, struct change *change)
{
    unlink_change(queue, change);
    change_free(change);
}

void change_queue_put_back(struct change_queue *queue)
{
    for (struct change *change = queue->first; change != NULL; change = change->next) {
        if (!change->busy)
            continue;
        struct change *newer = find_waiting(queue->last, change, change);
        if (newer != NULL) {
            unlink_change(queue, newer);
            replace(change, newer);
        }
        change->busy = false;
    }
}

void change_queue_free(struct change_queue *queue)
{
    while (queue->first != NULL)
        change_queue_remove(queue, queue->first);
}

uint64_t change_queue_done(const struct change_queue *queue, uint64_t given)
{
    uint64_t done = given;
    for (const struct change *change = queue->first; change != NULL; change = change->next)
        if (change->first <= done)
            done = change->first - 1;
    return done;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int apply_message(struct store *store, struct change *change, struct error *error)
{
    if (message_write(store, change->chat, change->parent, change->chosen, change->message,
                      error) != 0)
        return -1;
    if (change->fresh &&
        documents_insert(store, change->chat, change->row, &change->documents, error) != 0)
        return -1;
    return chat_touch(store, change->chat, error);
}

int change_apply(struct store *store, struct change *change, struct error *error)
{
    switch (change->kind) {
    case CHANGE_CREATE:
        return store_create(store, change->meta, error);
    case CHANGE_MESSAGE:
        return apply_message(store, change, error);
    case CHANGE_TIP:
        return store_set_tip(store, change->chat, change->row, error);
    case CHANGE_FIELD:
        return store_set(store, change->chat, (enum store_field)change->row, change->text, error);
    case CHANGE_DOCUMENTS:
        if (change->row != 0)
            return documents_insert(store, change->chat, change->row, &change->documents, error);
        return store_set_documents(store, change->chat, &change->documents, error);
    case CHANGE_DELETED:
        return store_set_deleted(store, change->chat, change->deleted, error);
    }
    return 0;
}
