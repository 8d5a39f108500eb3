#include "tui/progress.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define INTERVAL_MS  80
#define ESTIMATE_MS  1500 /* before that, a guess at the rest is worth nothing */
#define SHOW_FROM_MS 150  /* what is done sooner needs no line */

uint64_t progress_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

struct progress progress_begin(void)
{
    const char *term = getenv("TERM");
    bool able = term != NULL && term[0] != '\0' && strcmp(term, "dumb") != 0;
    return (struct progress){.enabled = able && isatty(STDERR_FILENO) == 1,
                             .begun_ms = progress_now_ms()};
}

void progress_show(struct progress *progress, const char *what, uint64_t done, uint64_t total,
                   const char *unit)
{
    uint64_t now = progress_now_ms(), passed = now - progress->begun_ms;
    if (!progress->enabled || total == 0 || passed < SHOW_FROM_MS ||
        (progress->shown && now - progress->last_ms < INTERVAL_MS))
        return;
    fprintf(stderr, "\r\033[K%s  %3.0f%%", what, 100.0 * (double)done / (double)total);
    if (unit != NULL)
        fprintf(stderr, "  %llu of %llu %s", (unsigned long long)done, (unsigned long long)total,
                unit);
    if (passed > ESTIMATE_MS && done > 0 && done < total)
        fprintf(stderr, "  %.0f s left",
                (double)passed / 1000 * (double)(total - done) / (double)done);
    fflush(stderr);
    progress->shown = true;
    progress->last_ms = now;
}

void progress_clear(struct progress *progress)
{
    if (progress->shown)
        fputs("\r\033[K", stderr);
    fflush(stderr);
    *progress = (struct progress){.enabled = progress->enabled, .begun_ms = progress_now_ms()};
}
