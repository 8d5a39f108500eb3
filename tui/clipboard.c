#include "tui/clipboard.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"

static void add_base64(struct strbuf *out, const unsigned char *bytes, size_t length)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t at = 0; at < length; at += 3) {
        size_t left = length - at;
        unsigned group = (unsigned)bytes[at] << 16;
        group |= left > 1 ? (unsigned)bytes[at + 1] << 8 : 0;
        group |= left > 2 ? bytes[at + 2] : 0;
        strbuf_putc(out, digits[group >> 18]);
        strbuf_putc(out, digits[group >> 12 & 63]);
        strbuf_putc(out, left > 1 ? digits[group >> 6 & 63] : '=');
        strbuf_putc(out, left > 2 ? digits[group & 63] : '=');
    }
}

size_t clipboard_encode(struct strbuf *out, const char *text, size_t length)
{
    size_t most = CLIPBOARD_BASE64_BYTES / 4 * 3;
    size_t taken = length < most ? length : most;
    while (taken < length && taken > most - 4 && ((unsigned char)text[taken] & 0xC0) == 0x80)
        taken--;
    add_base64(out, (const unsigned char *)text, taken);
    return taken;
}

static bool write_all(int fd, const char *bytes, size_t length)
{
    for (size_t at = 0; at < length;) {
        ssize_t written = write(fd, bytes + at, length - at);
        if (written > 0) {
            at += (size_t)written;
        } else if (errno != EINTR) {
            return false;
        }
    }
    return true;
}

/* --- the file -------------------------------------------------------------------------------- */

static int write_file(const char *path, const char *text, size_t length, struct error *error)
{
    char *draft = xasprintf("%s.%ld", path, (long)getpid());
    int result = 0, fd;
    unlink(draft);
    fd = open(draft, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0) {
        result = error_set_errno(error, "%s", draft);
    } else {
        if (!write_all(fd, text, length) || fsync(fd) != 0)
            result = error_set_errno(error, "%s", draft);
        close(fd);
        if (result == 0 && rename(draft, path) != 0)
            result = error_set_errno(error, "%s", path);
        if (result != 0)
            unlink(draft);
    }
    free(draft);
    return result;
}

int clipboard_save(const char *text, size_t length, char **path, struct error *error)
{
    char *directory = xdg_directory("state");
    int result = directory_make(directory, error);
    *path = path_join(directory, "clipboard");
    if (result == 0)
        result = write_file(*path, text, length, error);
    if (result != 0) {
        free(*path);
        *path = NULL;
    }
    free(directory);
    return result;
}
