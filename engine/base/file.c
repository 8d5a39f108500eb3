#include "engine/base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "engine/base/alloc.h"

/*
 * The SIGBUS guard. A page of a mapping that lies beyond the end of a file that shrank raises
 * SIGBUS when touched. The handler puts a page of zeros there, marks the mapping as damaged and
 * returns: the reader goes on over zeros and finds out afterwards. The table is process-wide
 * because a signal handler is.
 */
#define GUARD_SLOTS 1024

struct guard {
    atomic_uintptr_t begin;
    atomic_uintptr_t end;
    atomic_bool damaged;
};

static struct guard guards[GUARD_SLOTS];
static pthread_mutex_t guard_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction guard_previous;
static uintptr_t guard_page_bytes;

static void guard_handle(int signal_number, siginfo_t *info, void *context)
{
    int saved = errno;
    uintptr_t address = (uintptr_t)info->si_addr & ~(guard_page_bytes - 1);
    for (int i = 0; i < GUARD_SLOTS; i++) {
        if (address < atomic_load(&guards[i].begin) || address >= atomic_load(&guards[i].end))
            continue;
        atomic_store(&guards[i].damaged, true);
        if (mmap((void *)address, guard_page_bytes, PROT_READ,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED) {
            errno = saved;
            return;
        }
    }
    (void)context;
    sigaction(SIGBUS, &guard_previous, NULL);
    raise(signal_number);
}

/* With the lock held. Puts our handler in front, also of one that was installed over it meanwhile
 * (an interface that restores its terminal): that one gets what is not ours. */
static void guard_install(void)
{
    struct sigaction action = {.sa_flags = SA_SIGINFO}, now;
    action.sa_sigaction = guard_handle;
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGBUS, NULL, &now) == 0 &&
        ((now.sa_flags & SA_SIGINFO) == 0 || now.sa_sigaction != guard_handle)) {
        guard_page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);
        guard_previous = now;
        sigaction(SIGBUS, &action, NULL);
    }
}

static int guard_add(const void *data, size_t size)
{
    int found = -1;
    pthread_mutex_lock(&guard_lock);
    guard_install();
    for (int i = 0; i < GUARD_SLOTS && found < 0; i++) {
        if (atomic_load(&guards[i].begin) != 0)
            continue;
        atomic_store(&guards[i].damaged, false);
        atomic_store(&guards[i].end, (uintptr_t)data + size);
        atomic_store(&guards[i].begin, (uintptr_t)data);
        found = i;
    }
    pthread_mutex_unlock(&guard_lock);
    return found;
}

static void guard_remove(int slot)
{
    atomic_store(&guards[slot].end, 0);
    atomic_store(&guards[slot].begin, 0);
}

static int open_regular(const char *path, struct stat *status, struct error *error)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return error_set_errno(error, "%s", path);
    if (fstat(fd, status) != 0) {
        error_set_errno(error, "%s", path);
        close(fd);
        return -1;
    }
    if (!S_ISREG(status->st_mode)) {
        close(fd);
        return error_set(error, ERROR_INPUT, "%s: not a regular file", path);
    }
    return fd;
}

int mapped_file_open(struct mapped_file *file, const char *path, struct error *error)
{
    *file = (struct mapped_file){.slot = -1};
    struct stat status;
    int fd = open_regular(path, &status, error);
    if (fd < 0)
        return -1;
    size_t size = (size_t)status.st_size;
    void *data = size ? mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0) : NULL;
    close(fd);
    if (data == MAP_FAILED)
        return error_set_errno(error, "%s: cannot map", path);
    file->data = data;
    file->size = size;
    if (size > 0 && (file->slot = guard_add(data, size)) < 0) {
        munmap(data, size);
        *file = (struct mapped_file){.slot = -1};
        return error_set(error, ERROR_SYSTEM, "%s: more than %d files mapped", path, GUARD_SLOTS);
    }
    return 0;
}

bool mapped_file_damaged(const struct mapped_file *file)
{
    pthread_mutex_lock(&guard_lock);
    guard_install();
    pthread_mutex_unlock(&guard_lock);
    return file->slot >= 0 && atomic_load(&guards[file->slot].damaged);
}

void mapped_file_drop(const struct mapped_file *file)
{
    if (file->data != NULL)
        madvise((void *)(uintptr_t)file->data, file->size, MADV_DONTNEED);
}

void mapped_file_close(struct mapped_file *file)
{
    if (file->data != NULL) {
        guard_remove(file->slot);
        munmap((void *)(uintptr_t)file->data, file->size);
    }
    *file = (struct mapped_file){.slot = -1};
}

static int open_readable(const char *path, struct error *error)
{
    if (strcmp(path, "-") == 0)
        return STDIN_FILENO;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (fd < 0)
        return error_set_errno(error, "%s", path);
    if (fstat(fd, &status) == 0 && S_ISDIR(status.st_mode)) {
        close(fd);
        return error_set(error, ERROR_INPUT, "%s: is a directory", path);
    }
    return fd;
}

/* `path` is for messages. */
static int read_all(int fd, const char *path, size_t max_bytes, struct strbuf *out,
                    struct error *error)
{
    char chunk[65536];
    size_t total = 0;
    int result = 0;
    char limit[32];
    for (;;) {
        ssize_t got = read(fd, chunk, sizeof chunk);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            result = error_set_errno(error, "%s", path);
        if (got <= 0)
            break;
        total += (size_t)got;
        if (total > max_bytes) {
            result = error_set(error, ERROR_INPUT, "%s: larger than %s", path,
                               format_bytes(max_bytes, limit));
            break;
        }
        strbuf_add(out, chunk, (size_t)got);
    }
    return result;
}

int file_read(const char *path, size_t max_bytes, struct strbuf *out, struct error *error)
{
    int fd = open_readable(path, error);
    if (fd < 0)
        return -1;
    int result = read_all(fd, path, max_bytes, out, error);
    if (fd != STDIN_FILENO)
        close(fd);
    return result;
}

int file_read_regular(const char *path, size_t max_bytes, struct strbuf *out, struct error *error)
{
    struct stat status;
    int fd = open_regular(path, &status, error);
    if (fd < 0)
        return -1;
    int result = read_all(fd, path, max_bytes, out, error);
    close(fd);
    return result;
}

bool file_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

bool directory_exists(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

char *path_join(const char *directory, const char *name)
{
    size_t length = strlen(directory);
    const char *slash = length > 0 && directory[length - 1] == '/' ? "" : "/";
    return xasprintf("%s%s%s", directory, slash, name);
}

const char *path_base(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash != NULL ? slash + 1 : path;
}

int directory_make(const char *path, struct error *error)
{
    char *copy = xstrdup(path);
    int result = 0;
    for (char *at = copy + 1; result == 0; at++) {
        if (*at != '/' && *at != '\0')
            continue;
        char kept = *at;
        *at = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST)
            result = error_set_errno(error, "%s: cannot create", copy);
        *at = kept;
        if (kept == '\0')
            break;
    }
    free(copy);
    return result;
}

char *program_directory(void)
{
    char path[PATH_MAX];
    ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
    if (length <= 0)
        return NULL;
    path[length] = '\0';
    char *slash = strrchr(path, '/');
    return slash == NULL ? NULL : xstrndup(path, (size_t)(slash - path));
}

char *xdg_directory(const char *kind)
{
    static const struct {
        const char *kind, *variable, *fallback;
    } table[] = {
        {"config", "XDG_CONFIG_HOME", ".config"},
        {"data", "XDG_DATA_HOME", ".local/share"},
        {"cache", "XDG_CACHE_HOME", ".cache"},
        {"state", "XDG_STATE_HOME", ".local/state"},
    };
    for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
        if (strcmp(table[i].kind, kind) != 0)
            continue;
        const char *set = getenv(table[i].variable);
        if (set != NULL && set[0] == '/')
            return path_join(set, "airo");
        const char *home = getenv("HOME");
        return xasprintf("%s/%s/airo", home != NULL ? home : "/tmp", table[i].fallback);
    }
    return NULL;
}
