#include "tui/loader.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "engine/base/alloc.h"

struct loader {
    pthread_t thread;
    int fd;
    loader_job_fn *job;
    void *user;
    atomic_bool cancelled, ended;
    _Atomic uint64_t done, total;
    /* Written by the thread, read after it has been joined. */
    int result;
    struct generator *generator;
    char *about;
    struct error error;
};

static void wake(struct loader *loader)
{
    uint64_t one = 1;
    ssize_t ignored = write(loader->fd, &one, sizeof one);
    (void)ignored;
}

static bool on_progress(void *user, uint64_t done, uint64_t total)
{
    struct loader *loader = user;
    atomic_store(&loader->done, done);
    atomic_store(&loader->total, total);
    wake(loader);
    return !atomic_load(&loader->cancelled);
}

static void *run(void *user)
{
    struct loader *loader = user;
    loader->result = loader->job(loader->user, on_progress, loader, &loader->generator,
                                 &loader->about, &loader->error);
    atomic_store(&loader->ended, true);
    wake(loader);
    return NULL;
}

int loader_start(struct loader **out, loader_job_fn *job, void *user, struct error *error)
{
    struct loader *loader = xcalloc(1, sizeof *loader);
    loader->job = job;
    loader->user = user;
    loader->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (loader->fd < 0 || pthread_create(&loader->thread, NULL, run, loader) != 0) {
        if (loader->fd >= 0)
            close(loader->fd);
        free(loader);
        return error_set(error, ERROR_SYSTEM, "cannot start a thread to load the model");
    }
    *out = loader;
    return 0;
}

int loader_fd(const struct loader *loader)
{
    return loader->fd;
}

bool loader_poll(struct loader *loader, uint64_t *done, uint64_t *total)
{
    uint64_t count;
    ssize_t ignored = read(loader->fd, &count, sizeof count);
    (void)ignored;
    *done = atomic_load(&loader->done);
    *total = atomic_load(&loader->total);
    return atomic_load(&loader->ended);
}

void loader_cancel(struct loader *loader)
{
    atomic_store(&loader->cancelled, true);
}

int loader_finish(struct loader *loader, struct generator **generator, char **about,
                  struct error *error)
{
    pthread_join(loader->thread, NULL);
    int result = loader->result;
    *generator = loader->generator;
    *about = loader->about;
    if (result != 0 && error != NULL)
        *error = loader->error;
    close(loader->fd);
    free(loader);
    return result;
}
