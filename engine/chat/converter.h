/*
 * converter.h - runs the program that turns a file into text.
 *
 * The program gets no shell, no terminal, an empty standard input and its own session; what it
 * writes is taken up to a limit, and it is killed with all that it started when it takes too long,
 * writes too much or is cancelled. A job never waits: an interface polls converter_fd and calls
 * converter_step. The job owns the process and the descriptors.
 */
#ifndef AIRO_CHAT_CONVERTER_H
#define AIRO_CHAT_CONVERTER_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"
#include "engine/base/strbuf.h"
#include "engine/chat/converter_table.h"

struct converter_limits {
    unsigned time_ms;    /* 0: 30 seconds */
    size_t output_bytes; /* 0: DOCUMENT_BYTES_MAX */
};

struct converter_job;

/* Starts the program for a file of this kind. `limits` may be NULL. NULL on error; errors name the
 * file. */
struct converter_job *converter_start(const struct converter_table *table, const char *kind,
                                      const char *path, const struct converter_limits *limits,
                                      struct error *error);
/* Readable whenever converter_step has something to do, the end of the time included. */
int converter_fd(const struct converter_job *job);
/* Takes what is there, without waiting. True: the job has ended, call converter_finish. */
bool converter_step(struct converter_job *job);
/* Waits for the end if it must, appends the text to `out` and frees the job. Errors name the file,
 * the program and what it said. */
int converter_finish(struct converter_job *job, struct strbuf *out, struct error *error);
/* Kills the program and frees the job; NULL is fine. Does not wait for more than the kill. */
void converter_cancel(struct converter_job *job);

/* All of it at once. `stop` (may be NULL) is asked ten times a second whether to give up. */
int converter_run(const struct converter_table *table, const char *kind, const char *path,
                  const struct converter_limits *limits, bool (*stop)(void *user), void *user,
                  struct strbuf *out, struct error *error);

#endif
