/*
 * event_queue.h - events from the engine's threads to the interface: a locked queue and a wake fd.
 *
 * It cannot flood: per generation there is at most one event of each kind. Text is added to the
 * text that still waits, a new counter replaces the old one, a new count the one of its slot. The
 * fd polls readable exactly while the queue is not empty. Any thread may push; one pops.
 */
#ifndef AIRO_INFER_EVENT_QUEUE_H
#define AIRO_INFER_EVENT_QUEUE_H

#include "engine/base/error.h"
#include "engine/infer/event.h"

struct event_queue;

int event_queue_open(struct event_queue **out, struct error *error);
/* Frees the events that were not taken. */
void event_queue_close(struct event_queue *queue);

/* Takes over the event's memory. */
void event_queue_push(struct event_queue *queue, struct event *event);
/* 1: *event filled, the caller's to free; 0: empty. */
int event_queue_pop(struct event_queue *queue, struct event *event);
int event_queue_fd(const struct event_queue *queue);

#endif
