/*
 * library.h - the chats on disk, as the interface has them: a store to read from and a writer that
 * saves. One for the whole program.
 *
 * A library that could not be opened is still one: nothing is kept then, and `problem` says why.
 */
#ifndef AIRO_TUI_LIBRARY_H
#define AIRO_TUI_LIBRARY_H

#include <stdbool.h>

#include "engine/base/error.h"
#include "engine/chat/store.h"
#include "engine/chat/store_writer.h"

struct library {
    struct store *store;   /* NULL: nothing is kept */
    struct writer *writer; /* NULL with it */
    struct writer_status status;
    unsigned long version; /* rises when what is on disk may have changed */
    struct error problem;  /* of opening */
    int64_t deleted;       /* the chat that was deleted last here; 0: none, or it is back */
};

/* `path` NULL: nothing is to be kept (no problem). */
void library_open(struct library *library, const char *path);
/* Saves what waits; -1 with one line where something is lost. */
int library_close(struct library *library, struct error *error);

/* Removes for good what was deleted more than `days` ago; 0: nothing, ever. */
void library_purge(struct library *library, uint32_t days);
/* Writes through the store, not the writer, were made: lists are to be read anew. */
void library_changed(struct library *library);

/* Polls readable when the status has changed; -1: never. */
int library_fd(const struct library *library);
/* Reads the status; true when a problem has come or gone. */
bool library_poll(struct library *library);

#endif
