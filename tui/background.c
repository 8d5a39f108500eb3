#include "tui/background.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "engine/base/alloc.h"

struct background {
    pthread_t thread;
    bool threaded;
    background_run run;
    void *user;
    atomic_bool stopped, ended;
    atomic_size_t done, total;
};

static void *run(void *user)
{
    struct background *background = user;
    background->run(background, background->user);
    atomic_store(&background->ended, true);
    return NULL;
}

struct background *background_start(background_run function, void *user)
{
    struct background *background = xcalloc(1, sizeof *background);
    background->run = function;
    background->user = user;
    background->threaded = pthread_create(&background->thread, NULL, run, background) == 0;
    if (!background->threaded)
        run(background);
    return background;
}

bool background_ended(const struct background *background)
{
    return atomic_load(&background->ended);
}

void background_stop(struct background *background)
{
    atomic_store(&background->stopped, true);
}

void background_join(struct background *background)
{
    if (background != NULL && background->threaded)
        pthread_join(background->thread, NULL);
    free(background);
}

bool background_is_stopped(const struct background *background)
{
    return atomic_load(&background->stopped);
}

void background_progress(struct background *background, size_t done, size_t total)
{
    atomic_store(&background->total, total);
    atomic_store(&background->done, done);
}

void background_look(const struct background *background, size_t *done, size_t *total)
{
    *done = atomic_load(&background->done);
    *total = atomic_load(&background->total);
}
