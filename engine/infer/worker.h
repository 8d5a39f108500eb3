/*
 * worker.h - the engine thread. It owns the sequences, the key/value cache and the backend.
 *
 * Commands go down (start, cancel, quit), events come up through an event_queue. Each turn: take
 * commands, begin the next prompt, run one batch, sample, send. A cancel or quit also stops the
 * batch that is being computed; it is then made again without the cancelled reply, so the others
 * lose a moment and nothing else.
 *
 * When the backend's device is lost, replies under way end with what they have and one line; the
 * model is then loaded again on the device, or on the CPU where the device does not come back, and
 * what waits or comes later goes on there. Where neither works every reply is refused with a line
 * that names the CPU as the way out.
 */
#ifndef AIRO_INFER_WORKER_H
#define AIRO_INFER_WORKER_H

#include <stdint.h>

#include "engine/base/error.h"
#include "engine/infer/event_queue.h"
#include "engine/infer/generation.h"
#include "engine/model/model.h"

struct worker;

/* Makes the key/value pool and starts the thread. The model is borrowed until worker_close, and
 * its backend is the worker's alone. */
int worker_open(struct worker **out, struct model *model, const struct kv_disk_options *disk,
                struct error *error);
/* Stops everything, waits for the thread (well under a second), frees. */
void worker_close(struct worker *worker);

/* Takes the generation over; its id must be set. */
void worker_start(struct worker *worker, struct generation *generation);
void worker_cancel(struct worker *worker, uint64_t id);
/* Still to be written to disk. Any thread. */
uint64_t worker_unsaved_bytes(struct worker *worker);
struct event_queue *worker_events(struct worker *worker);

#endif
