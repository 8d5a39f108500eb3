#include "engine/quant/out_directory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"

static char *parent_of(const char *path)
{
    const char *base = path_base(path);
    if (base == path)
        return xstrdup(".");
    return base == path + 1 ? xstrdup("/") : xstrndup(path, (size_t)(base - path - 1));
}

static int taken(const char *path, struct error *error)
{
    return error_set(error, ERROR_INPUT, "%s: is there already; nothing is overwritten", path);
}

int out_directory_init(struct out_directory *out, const char *path, struct error *error)
{
    struct stat status;
    size_t length = strlen(path);
    while (length > 1 && path[length - 1] == '/')
        length--;
    *out = (struct out_directory){.path = xstrndup(path, length)};
    if (length == 0)
        return error_set(error, ERROR_INPUT, "the directory to write has no name");
    if (lstat(out->path, &status) == 0)
        return taken(out->path, error);
    char *parent = parent_of(out->path);
    int result = 0;
    if (!directory_exists(parent))
        result = error_set(error, ERROR_INPUT, "%s: there is no directory %s", out->path, parent);
    free(parent);
    return result;
}

static int check_room(const char *path, uint64_t bytes, struct error *error)
{
    struct statvfs system;
    char *parent = parent_of(path), needed[32], there[32];
    int result = 0;
    if (statvfs(parent, &system) == 0) {
        uint64_t room = (uint64_t)system.f_bavail * system.f_frsize;
        if (room < bytes)
            result = error_set(error, ERROR_SYSTEM, "%s: needs %s on disk, and %s has %s", path,
                               format_bytes(bytes, needed), parent, format_bytes(room, there));
    }
    free(parent);
    return result;
}

int out_directory_begin(struct out_directory *out, uint64_t bytes, struct error *error)
{
    if (check_room(out->path, bytes, error) != 0)
        return -1;
    char *temporary = xasprintf("%s.partial-XXXXXX", out->path);
    if (mkdtemp(temporary) == NULL) {
        free(temporary);
        return error_set_errno(error, "%s: cannot create", out->path);
    }
    out->temporary = temporary;
    return 0;
}

static void sync_directory(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
}

/* Some file systems cannot rename without replacing; there the name is looked at once more. */
static int rename_new(const char *from, const char *to)
{
    struct stat status;
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return 0;
    if (errno != EINVAL && errno != ENOSYS)
        return -1;
    if (lstat(to, &status) == 0) {
        errno = EEXIST;
        return -1;
    }
    return rename(from, to);
}

int out_directory_commit(struct out_directory *out, struct error *error)
{
    mode_t mask = umask(0);
    umask(mask);
    sync_directory(out->temporary);
    if (chmod(out->temporary, 0777 & ~mask) != 0 || rename_new(out->temporary, out->path) != 0)
        return errno == EEXIST ? taken(out->path, error)
                               : error_set_errno(error, "%s: cannot rename", out->temporary);
    free(out->temporary);
    out->temporary = NULL;
    char *parent = parent_of(out->path);
    sync_directory(parent);
    free(parent);
    return 0;
}

static void remove_flat(const char *path)
{
    DIR *directory = opendir(path);
    struct dirent *entry;
    while (directory != NULL && (entry = readdir(directory)) != NULL)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            unlinkat(dirfd(directory), entry->d_name, 0);
    if (directory != NULL)
        closedir(directory);
    rmdir(path);
}

void out_directory_free(struct out_directory *out)
{
    if (out->temporary != NULL)
        remove_flat(out->temporary);
    free(out->temporary);
    free(out->path);
    *out = (struct out_directory){0};
}
