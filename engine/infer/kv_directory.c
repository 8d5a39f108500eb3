#include "engine/infer/kv_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"

#define LOCK_NAME      "lock"
#define TEMP_SUFFIX    ".tmp"
#define LOCK_TRIES     200 /* of 10 ms: another process scans for much less */
#define NEW_FILE_TRIES 16

int kv_directory_open(struct kv_directory *directory, const char *path, uint64_t cap_bytes,
                      struct error *error)
{
    struct stat status;
    if (directory_make(path, error) != 0)
        return -1;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return error_set_errno(error, "%s", path);
    if (fstat(fd, &status) != 0 || status.st_uid != geteuid() ||
        ((status.st_mode & 077) != 0 && fchmod(fd, 0700) != 0)) {
        close(fd);
        return error_set(error, ERROR_SYSTEM, "%s: not a directory of this user's own", path);
    }
    *directory = (struct kv_directory){xstrdup(path), fd, cap_bytes};
    return 0;
}

void kv_directory_close(struct kv_directory *directory)
{
    close(directory->fd);
    free(directory->path);
}

/* --- listing ---------------------------------------------------------------------------------- */

static bool ends_with(const char *name, const char *suffix)
{
    size_t length = strlen(name), end = strlen(suffix);
    return length > end && strcmp(name + length - end, suffix) == 0;
}

/* Calls visit for every entry until it returns false. */
static void each_entry(const struct kv_directory *directory,
                       void (*visit)(void *user, const char *name), void *user)
{
    int fd = openat(directory->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *stream = fd >= 0 ? fdopendir(fd) : NULL;
    if (stream == NULL) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *entry; (entry = readdir(stream)) != NULL;)
        visit(user, entry->d_name);
    closedir(stream);
}

static struct kv_name *add_name(struct kv_names *names, const char *name)
{
    if (names->count == names->capacity) {
        names->capacity = names->capacity > 0 ? names->capacity * 2 : 16;
        names->items = xreallocarray(names->items, names->capacity, sizeof *names->items);
    }
    struct kv_name *item = &names->items[names->count++];
    *item = (struct kv_name){0};
    snprintf(item->name, sizeof item->name, "%s", name);
    return item;
}

struct listing {
    const char *begin;
    struct kv_names *names;
};

static void visit_listing(void *user, const char *name)
{
    const struct listing *listing = user;
    if (strncmp(name, listing->begin, strlen(listing->begin)) == 0 && ends_with(name, KV_SUFFIX) &&
        strlen(name) < sizeof listing->names->items->name)
        add_name(listing->names, name);
}

void kv_directory_list(const struct kv_directory *directory, const char *begin,
                       struct kv_names *names)
{
    struct listing listing = {begin, names};
    *names = (struct kv_names){0};
    each_entry(directory, visit_listing, &listing);
}

void kv_names_free(struct kv_names *names)
{
    free(names->items);
    *names = (struct kv_names){0};
}

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){(time_t)(ns / 1000000000u), (long)(ns % 1000000000u)};
}

void kv_directory_touch(const struct kv_directory *directory, const char *name, uint64_t used_ns)
{
    struct timespec times[2] = {timespec_of(used_ns), timespec_of(used_ns)};
    utimensat(directory->fd, name, times, AT_SYMLINK_NOFOLLOW);
}

/* --- room ------------------------------------------------------------------------------------- */

struct scan {
    const struct kv_directory *directory;
    struct kv_names names; /* blocks, which may go */
    uint64_t total;        /* bytes of blocks and of what is being written */
};

/* A temporary file that nobody holds the lock of was left by a process that died. */
static bool is_abandoned(const struct kv_directory *directory, const char *name)
{
    int fd = openat(directory->fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    bool abandoned = flock(fd, LOCK_EX | LOCK_NB) == 0;
    close(fd);
    return abandoned;
}

static void visit_scan(void *user, const char *name)
{
    struct scan *scan = user;
    struct stat status;
    bool block = ends_with(name, KV_SUFFIX), temporary = ends_with(name, TEMP_SUFFIX);
    if ((!block && !temporary) || strlen(name) >= sizeof scan->names.items->name ||
        fstatat(scan->directory->fd, name, &status, AT_SYMLINK_NOFOLLOW) != 0 ||
        !S_ISREG(status.st_mode))
        return;
    if (temporary && is_abandoned(scan->directory, name)) {
        unlinkat(scan->directory->fd, name, 0);
        return;
    }
    scan->total += (uint64_t)status.st_size;
    if (!block)
        return;
    struct kv_name *item = add_name(&scan->names, name);
    item->bytes = (uint64_t)status.st_size;
    item->used_ns =
        (uint64_t)status.st_mtim.tv_sec * 1000000000u + (uint64_t)status.st_mtim.tv_nsec;
}

static int oldest_first(const void *a, const void *b)
{
    const struct kv_name *x = a, *y = b;
    return (x->used_ns > y->used_ns) - (x->used_ns < y->used_ns);
}

/* Under the lock: makes room for `bytes`; false when there is none without dropping something used
 * later than `used_ns`, and then nothing is dropped but what is above the cap anyway. */
static bool make_room(const struct kv_directory *directory, uint64_t bytes, uint64_t used_ns)
{
    struct scan scan = {.directory = directory};
    uint64_t cap = directory->cap_bytes;
    each_entry(directory, visit_scan, &scan);
    if (scan.names.count > 0)
        qsort(scan.names.items, scan.names.count, sizeof *scan.names.items, oldest_first);
    uint64_t may_go = 0;
    for (size_t i = 0; i < scan.names.count && scan.names.items[i].used_ns < used_ns; i++)
        may_go += scan.names.items[i].bytes;
    bool possible = bytes <= cap && scan.total - may_go <= cap - bytes;
    uint64_t goal = possible ? cap - bytes : cap;
    for (size_t i = 0; i < scan.names.count && scan.total > goal; i++) {
        unlinkat(directory->fd, scan.names.items[i].name, 0);
        scan.total -= scan.names.items[i].bytes;
    }
    kv_names_free(&scan.names);
    return possible;
}

/* The lock's descriptor, to be closed; -1 and errno (ECANCELED, EWOULDBLOCK). */
static int take_lock(const struct kv_directory *directory, const atomic_bool *stop)
{
    int fd = openat(directory->fd, LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
    for (int i = 0; fd >= 0 && i < LOCK_TRIES; i++) {
        static const struct timespec pause = {0, 10000000};
        if (flock(fd, LOCK_EX | LOCK_NB) == 0)
            return fd;
        if (stop != NULL && atomic_load(stop)) {
            close(fd);
            errno = ECANCELED;
            return -1;
        }
        nanosleep(&pause, NULL);
    }
    if (fd >= 0) {
        close(fd);
        errno = EWOULDBLOCK;
    }
    return -1;
}

/* All of its blocks now, so that a full disk is found out before anything is written. */
static int set_length(int fd, uint64_t bytes)
{
    if (fallocate(fd, 0, 0, (off_t)bytes) == 0)
        return 0;
    if (errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL)
        return -1;
    return ftruncate(fd, (off_t)bytes);
}

static int create_temporary(const struct kv_directory *directory, struct kv_new_file *file)
{
    file->fd = -1;
    for (int i = 0; i < NEW_FILE_TRIES && file->fd < 0; i++) {
        uint64_t random = 0;
        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
            return -1;
        snprintf(file->name, sizeof file->name, "%016llx" TEMP_SUFFIX, (unsigned long long)random);
        file->fd = openat(directory->fd, file->name,
                          O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
        if (file->fd < 0 && errno != EEXIST)
            return -1;
    }
    return file->fd >= 0 ? flock(file->fd, LOCK_EX | LOCK_NB) : -1;
}

enum kv_room kv_directory_create(const struct kv_directory *directory, uint64_t bytes,
                                 uint64_t used_ns, const atomic_bool *stop,
                                 struct kv_new_file *file, struct error *error)
{
    int lock = take_lock(directory, stop);
    if (lock < 0 && errno == ECANCELED)
        return KV_ROOM_STOPPED;
    if (lock < 0 && errno == EWOULDBLOCK)
        return KV_ROOM_NONE;
    if (lock < 0) {
        error_set_errno(error, "%s/%s", directory->path, LOCK_NAME);
        return KV_ROOM_FAILED;
    }
    enum kv_room result = KV_ROOM_NONE;
    if (make_room(directory, bytes, used_ns)) {
        result = KV_ROOM;
        if (create_temporary(directory, file) != 0 || set_length(file->fd, bytes) != 0) {
            error_set_errno(error, "%s: cannot keep keys and values", directory->path);
            kv_directory_discard(directory, file);
            result = KV_ROOM_FAILED;
        }
    }
    close(lock);
    return result;
}

int kv_directory_finish(const struct kv_directory *directory, struct kv_new_file *file,
                        const char *name, uint64_t used_ns)
{
    struct timespec times[2] = {timespec_of(used_ns), timespec_of(used_ns)};
    futimens(file->fd, times);
    if (renameat(directory->fd, file->name, directory->fd, name) != 0 || fsync(directory->fd) != 0)
        return -1;
    close(file->fd);
    return 0;
}

void kv_directory_discard(const struct kv_directory *directory, struct kv_new_file *file)
{
    if (file->fd < 0)
        return;
    unlinkat(directory->fd, file->name, 0);
    close(file->fd);
    file->fd = -1;
}

void kv_directory_trim(const struct kv_directory *directory, const atomic_bool *stop)
{
    int lock = take_lock(directory, stop);
    if (lock < 0)
        return;
    make_room(directory, 0, UINT64_MAX);
    close(lock);
}
