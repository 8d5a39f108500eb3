#include "tui/new_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "tui/home_path.h"

static int write_all(int fd, const char *text, size_t length)
{
    for (size_t at = 0; at < length;) {
        ssize_t written = write(fd, text + at, length - at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return -1;
        at += (size_t)written;
    }
    return fsync(fd);
}

int new_file_write(const char *path, const char *text, size_t length, struct error *error)
{
    char *file = home_path(path);
    int fd = open(file, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        error_set_errno(error, "%s", path);
    free(file);
    if (fd < 0)
        return -1;
    int result = 0;
    if (write_all(fd, text, length) != 0)
        result = error_set_errno(error, "%s: not saved", path);
    if (close(fd) != 0 && result == 0)
        result = error_set_errno(error, "%s: not saved", path);
    return result;
}
