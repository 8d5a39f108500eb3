/*
 * background.h - one function on a thread of its own, for what would make the interface wait.
 *
 * Whoever started it polls background_ended and joins; what the function fills belongs to the
 * thread until then. Stopping is a wish that the function looks at.
 */
#ifndef AIRO_TUI_BACKGROUND_H
#define AIRO_TUI_BACKGROUND_H

#include <stdbool.h>
#include <stddef.h>

struct background;

typedef void (*background_run)(struct background *background, void *user);

/* Where no thread can be had, the function has run when this returns. */
struct background *background_start(background_run run, void *user);
bool background_ended(const struct background *background);
void background_stop(struct background *background);
/* Waits for the end and frees it; NULL is fine. */
void background_join(struct background *background);

/* --- on the thread --------------------------------------------------------------------------- */

bool background_is_stopped(const struct background *background);
void background_progress(struct background *background, size_t done, size_t total);

/* What the thread told last. */
void background_look(const struct background *background, size_t *done, size_t *total);

#endif
