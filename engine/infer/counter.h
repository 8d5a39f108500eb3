/*
 * counter.h - a thread that counts the tokens of prompts, so that nobody waits for it.
 *
 * Results go to an event queue as EVENT_COUNT. Of each slot the newest request waits at most. The
 * counter borrows tokenizer and queue; close it before either.
 */
#ifndef AIRO_INFER_COUNTER_H
#define AIRO_INFER_COUNTER_H

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/chat/segment.h"
#include "engine/infer/event_queue.h"

struct counter;

int counter_open(struct counter **out, const struct tokenizer *tokenizer,
                 struct event_queue *events, struct error *error);
/* Waits for the request that is being counted, drops the others. */
void counter_close(struct counter *counter);
/* Takes the segments over. */
void counter_add(struct counter *counter, struct segment_list *segments, uint32_t slot,
                 uint64_t ticket);

#endif
