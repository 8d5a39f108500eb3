#include "engine/infer/event_queue.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/base/alloc.h"

struct node {
    struct event event;
    struct node *next;
};

struct event_queue {
    pthread_mutex_t lock;
    struct node *first, **last;
    int fd;
};

int event_queue_open(struct event_queue **out, struct error *error)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        return error_set_errno(error, "event queue");
    struct event_queue *queue = xcalloc(1, sizeof *queue);
    pthread_mutex_init(&queue->lock, NULL);
    queue->last = &queue->first;
    queue->fd = fd;
    *out = queue;
    return 0;
}

void event_queue_close(struct event_queue *queue)
{
    if (queue == NULL)
        return;
    struct event event;
    while (event_queue_pop(queue, &event) == 1)
        event_free(&event);
    close(queue->fd);
    pthread_mutex_destroy(&queue->lock);
    free(queue);
}

/* A wake-up that is written while one is pending only adds to the counter; the fd cannot fill. */
static void wake(const struct event_queue *queue)
{
    uint64_t one = 1;
    ssize_t written = write(queue->fd, &one, sizeof one);
    (void)written;
}

static void unwake(const struct event_queue *queue)
{
    uint64_t count;
    ssize_t got = read(queue->fd, &count, sizeof count);
    (void)got;
}

static void append_text(struct event *to, const struct event *from)
{
    to->text = xrealloc(to->text, to->length + from->length + 1);
    if (from->length > 0)
        memcpy(to->text + to->length, from->text, from->length);
    to->length += from->length;
    to->text[to->length] = '\0';
    token_list_append(&to->tokens, from->tokens.ids, from->tokens.count);
}

/* Whether both say the same kind of thing about the same reply, or the same slot. */
static bool same_subject(const struct event *a, const struct event *b)
{
    if (a->kind != b->kind)
        return false;
    return a->kind == EVENT_COUNT ? a->slot == b->slot : a->generation == b->generation;
}

/* True when a waiting event has taken the new one in. */
static bool merge(struct event_queue *queue, const struct event *event)
{
    for (struct node *node = queue->first; node != NULL; node = node->next) {
        struct event *waiting = &node->event;
        if (!same_subject(waiting, event))
            continue;
        if (event->kind == EVENT_TEXT)
            append_text(waiting, event);
        else if (event->kind == EVENT_PROGRESS || event->kind == EVENT_USAGE)
            waiting->usage = event->usage;
        else if (event->kind == EVENT_COUNT)
            *waiting = *event;
        else
            return false;
        return true;
    }
    return false;
}

void event_queue_push(struct event_queue *queue, struct event *event)
{
    pthread_mutex_lock(&queue->lock);
    if (merge(queue, event)) {
        event_free(event);
    } else {
        struct node *node = xcalloc(1, sizeof *node);
        node->event = *event;
        if (queue->first == NULL)
            wake(queue);
        *queue->last = node;
        queue->last = &node->next;
    }
    pthread_mutex_unlock(&queue->lock);
}

int event_queue_pop(struct event_queue *queue, struct event *event)
{
    pthread_mutex_lock(&queue->lock);
    struct node *node = queue->first;
    if (node != NULL) {
        *event = node->event;
        queue->first = node->next;
        if (queue->first == NULL) {
            queue->last = &queue->first;
            unwake(queue);
        }
    }
    pthread_mutex_unlock(&queue->lock);
    free(node);
    return node != NULL;
}

int event_queue_fd(const struct event_queue *queue)
{
    return queue->fd;
}
