/*
 * loader.h - opens a generator on a thread of its own, so that the screen lives meanwhile.
 */
#ifndef AIRO_TUI_LOADER_H
#define AIRO_TUI_LOADER_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/error.h"
#include "engine/infer/generator.h"

struct loader;

/* Reports bytes done and in all; false asks the job to stop (ERROR_CANCELLED). */
typedef bool loader_progress_fn(void *loader, uint64_t done, uint64_t total);

/* The job: opens *generator and writes the line about it (*about, freed by the loader's user).
 * Runs on the loader's thread; `user` must live until loader_finish. */
typedef int loader_job_fn(void *user, loader_progress_fn *progress, void *loader,
                          struct generator **generator, char **about, struct error *error);

int loader_start(struct loader **out, loader_job_fn *job, void *user, struct error *error);
/* Polls readable when there is progress, or the end. */
int loader_fd(const struct loader *loader);
/* Clears the fd; true when the job has ended. */
bool loader_poll(struct loader *loader, uint64_t *done, uint64_t *total);
void loader_cancel(struct loader *loader);
/* Waits for the job, frees the loader and gives its result. */
int loader_finish(struct loader *loader, struct generator **generator, char **about,
                  struct error *error);

#endif
