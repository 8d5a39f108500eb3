/*
 * progress.h - one line on stderr that is written over while something takes time, and cleared when
 * there is something else to say. Silent when stderr is no terminal.
 */
#ifndef AIRO_TUI_PROGRESS_H
#define AIRO_TUI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
    bool enabled, shown;
    uint64_t begun_ms, last_ms;
};

struct progress progress_begin(void);
/* "reading the prompt  45%  120 of 266, 3 s left"; at most some ten times a second. `unit` NULL:
 * only the percentage. */
void progress_show(struct progress *progress, const char *what, uint64_t done, uint64_t total,
                   const char *unit);
void progress_clear(struct progress *progress);

/* Milliseconds of the monotonic clock. */
uint64_t progress_now_ms(void);

#endif
