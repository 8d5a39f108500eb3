/*
 * document_walk.h - the files under a directory or behind a pattern, within limits.
 *
 * Links to directories are not followed, so no loop can be walked; names are in byte order.
 */
#ifndef AIRO_CHAT_DOCUMENT_WALK_H
#define AIRO_CHAT_DOCUMENT_WALK_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

#define WALK_ENTRIES_MAX 100000 /* looked at in one walk */

/* Told of each file and of what is passed over; false ends the walk. */
struct walk_handler {
    bool (*file)(void *user, const char *path, const struct stat *status);
    bool (*skip)(void *user, const char *path, const char *why);
    void *user;
    size_t depth_max; /* directories below the first */
    size_t entries;   /* looked at so far; begin with 0 */
};

/* Both: false when a handler or a limit ended the walk. */
bool walk_directory(struct walk_handler *handler, const char *path);
bool walk_pattern(struct walk_handler *handler, const char *pattern);
bool walk_is_pattern(const char *spec);

#endif
