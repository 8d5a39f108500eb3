#include "engine/infer/counter.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

#include "engine/base/alloc.h"
#include "engine/infer/thread.h"

struct request {
    struct segment_list segments;
    uint32_t slot;
    uint64_t ticket;
    struct request *next;
};

struct counter {
    pthread_mutex_t lock; /* guards waiting and closing */
    pthread_cond_t wake;
    struct request *waiting; /* in order of arrival, one of each slot */
    bool closing;
    const struct tokenizer *tokenizer;
    struct event_queue *events;
    pthread_t thread;
};

static void free_request(struct request *request)
{
    segment_list_free(&request->segments);
    free(request);
}

static struct request *take(struct counter *counter)
{
    pthread_mutex_lock(&counter->lock);
    while (counter->waiting == NULL && !counter->closing)
        pthread_cond_wait(&counter->wake, &counter->lock);
    struct request *request = counter->closing ? NULL : counter->waiting;
    if (request != NULL)
        counter->waiting = request->next;
    pthread_mutex_unlock(&counter->lock);
    return request;
}

static void *run(void *argument)
{
    struct counter *counter = argument;
    struct request *request;
    while ((request = take(counter)) != NULL) {
        struct event event = {
            .kind = EVENT_COUNT, .generation = request->ticket, .slot = request->slot};
        struct token_list tokens = {0};
        segment_tokenize(&request->segments, counter->tokenizer, &tokens, event.usage.parts);
        event.usage.prompt = tokens.count;
        token_list_free(&tokens);
        free_request(request);
        event_queue_push(counter->events, &event);
    }
    return NULL;
}

int counter_open(struct counter **out, const struct tokenizer *tokenizer,
                 struct event_queue *events, struct error *error)
{
    struct counter *counter = xcalloc(1, sizeof *counter);
    pthread_mutex_init(&counter->lock, NULL);
    pthread_cond_init(&counter->wake, NULL);
    counter->tokenizer = tokenizer;
    counter->events = events;
    if (thread_start(&counter->thread, run, counter, "counting", error) != 0) {
        pthread_cond_destroy(&counter->wake);
        pthread_mutex_destroy(&counter->lock);
        free(counter);
        return -1;
    }
    *out = counter;
    return 0;
}

void counter_close(struct counter *counter)
{
    if (counter == NULL)
        return;
    pthread_mutex_lock(&counter->lock);
    counter->closing = true;
    pthread_cond_signal(&counter->wake);
    pthread_mutex_unlock(&counter->lock);
    pthread_join(counter->thread, NULL);
    while (counter->waiting != NULL) {
        struct request *request = counter->waiting;
        counter->waiting = request->next;
        free_request(request);
    }
    pthread_cond_destroy(&counter->wake);
    pthread_mutex_destroy(&counter->lock);
    free(counter);
}

void counter_add(struct counter *counter, struct segment_list *segments, uint32_t slot,
                 uint64_t ticket)
{
    struct request *request = xcalloc(1, sizeof *request), *replaced = NULL;
    *request = (struct request){*segments, slot, ticket, NULL};
    *segments = (struct segment_list){0};
    pthread_mutex_lock(&counter->lock);
    struct request **link = &counter->waiting;
    while (*link != NULL && (*link)->slot != slot)
        link = &(*link)->next;
    if (*link != NULL) { /* takes its place in the order */
        replaced = *link;
        request->next = replaced->next;
    }
    *link = request;
    pthread_cond_signal(&counter->wake);
    pthread_mutex_unlock(&counter->lock);
    if (replaced != NULL)
        free_request(replaced);
}
