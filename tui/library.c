#include "tui/library.h"

#define CLOSE_MS 5000

void library_open(struct library *library, const char *path)
{
    *library = (struct library){0};
    if (path == NULL)
        return;
    if (store_open(&library->store, path, &library->problem) != 0)
        return;
    if (writer_open(&library->writer, path, &library->problem) == 0)
        return;
    store_close(library->store);
    library->store = NULL;
}

int library_close(struct library *library, struct error *error)
{
    int result = 0;
    if (library->writer != NULL)
        result = writer_close(library->writer, CLOSE_MS, error);
    if (library->store != NULL)
        store_close(library->store);
    *library = (struct library){0};
    return result;
}

void library_purge(struct library *library, uint32_t days)
{
    struct error error; /* the next start tries again */
    if (library->store != NULL && days > 0)
        store_purge(library->store, (int)days, &error);
}

void library_changed(struct library *library)
{
    library->version++;
}

int library_fd(const struct library *library)
{
    return library->writer != NULL ? writer_fd(library->writer) : -1;
}

bool library_poll(struct library *library)
{
    bool had = library->status.problem.code != ERROR_NONE;
    uint64_t committed = library->status.committed;
    writer_status(library->writer, &library->status);
    if (library->status.committed != committed)
        library->version++;
    return had != (library->status.problem.code != ERROR_NONE);
}
