/*
 * kv_directory.h - the directory of kv_store.h: its lock, its cap, its temporary files.
 *
 * Everything that takes room is done under an exclusive lock on DIRECTORY/lock, which is held for a
 * scan, never while pages are written: a new file is given its full length there, under a name of
 * its own that its writer keeps locked, so other processes count it and can tell a dead one.
 */
#ifndef AIRO_INFER_KV_DIRECTORY_H
#define AIRO_INFER_KV_DIRECTORY_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/base/error.h"

#define KV_SUFFIX ".kv"

struct kv_directory {
    char *path;
    int fd;
    uint64_t cap_bytes;
};

/* Makes it (0700) where it is missing; refuses one that belongs to somebody else. */
int kv_directory_open(struct kv_directory *directory, const char *path, uint64_t cap_bytes,
                      struct error *error);
void kv_directory_close(struct kv_directory *directory);

struct kv_name {
    char name[64];
    uint64_t bytes, used_ns;
};
struct kv_names {
    struct kv_name *items;
    size_t count, capacity;
};

/* The block files whose names begin so, without sizes and times. */
void kv_directory_list(const struct kv_directory *directory, const char *begin,
                       struct kv_names *names);
void kv_names_free(struct kv_names *names);
void kv_directory_touch(const struct kv_directory *directory, const char *name, uint64_t used_ns);

struct kv_new_file {
    int fd;
    char name[64];
};

enum kv_room { KV_ROOM, KV_ROOM_NONE, KV_ROOM_STOPPED, KV_ROOM_FAILED };

/* A new temporary file of this length, after dropping what was used least recently, but nothing
 * that was used later than `used_ns`. */
enum kv_room kv_directory_create(const struct kv_directory *directory, uint64_t bytes,
                                 uint64_t used_ns, const atomic_bool *stop,
                                 struct kv_new_file *file, struct error *error);
/* Gives it its name; -1 and errno. Closes it when that worked. */
int kv_directory_finish(const struct kv_directory *directory, struct kv_new_file *file,
                        const char *name, uint64_t used_ns);
/* Removes and closes it. */
void kv_directory_discard(const struct kv_directory *directory, struct kv_new_file *file);

/* Down to the cap. */
void kv_directory_trim(const struct kv_directory *directory, const atomic_bool *stop);

#endif
