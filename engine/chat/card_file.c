#include "engine/chat/card_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/card_png.h"

/* --- reading ---------------------------------------------------------------------------------- */

static struct card *read_bytes(const struct strbuf *bytes, const char *path, struct error *error)
{
    struct strbuf json = {0};
    struct card *card = NULL;
    if (!card_png_is(strbuf_text(bytes), bytes->length))
        card = card_parse(strbuf_text(bytes), bytes->length, path, error);
    else if (card_png_read(bytes->data, bytes->length, path, &json, error) == 0)
        card = card_parse(strbuf_text(&json), json.length, path, error);
    strbuf_free(&json);
    return card;
}

struct card *card_open(const char *path, struct error *error)
{
    struct strbuf bytes = {0};
    struct card *card = NULL;
    if (file_read_regular(path, CARD_BYTES_MAX, &bytes, error) == 0)
        card = read_bytes(&bytes, path, error);
    strbuf_free(&bytes);
    return card;
}

/* --- writing ---------------------------------------------------------------------------------- */

static int write_all(int fd, const struct strbuf *bytes)
{
    for (size_t at = 0; at < bytes->length;) {
        ssize_t written = write(fd, bytes->data + at, bytes->length - at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return -1;
        at += (size_t)written;
    }
    return fsync(fd);
}

/* Into `path`, which must not exist. */
static int write_new(const char *path, const struct strbuf *bytes, struct error *error)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return error_set_errno(error, "%s", path);
    int result = write_all(fd, bytes) == 0 ? 0 : error_set_errno(error, "%s", path);
    if (close(fd) != 0 && result == 0)
        result = error_set_errno(error, "%s", path);
    if (result != 0)
        unlink(path);
    return result;
}

int card_write_file(const char *path, const struct strbuf *bytes, bool replace, struct error *error)
{
    if (!replace)
        return write_new(path, bytes, error);
    char *temporary = xasprintf("%s.%ld.part", path, (long)getpid());
    int result = write_new(temporary, bytes, error);
    if (result == 0 && rename(temporary, path) != 0) {
        result = error_set_errno(error, "%s", path);
        unlink(temporary);
    }
    free(temporary);
    return result;
}

int card_export_json(const struct card *card, const char *path, struct error *error)
{
    struct strbuf text = {0};
    card_write(card, 0, &text);
    int result = card_write_file(path, &text, false, error);
    strbuf_free(&text);
    return result;
}

static int read_picture(const struct card *card, const char *picture, struct strbuf *out,
                        struct error *error)
{
    if (picture != NULL)
        return file_read_regular(picture, CARD_BYTES_MAX, out, error);
    card_png_blank(card->fields[CARD_NAME], out);
    return 0;
}

int card_export_png(const struct card *card, const char *picture, const char *path,
                    struct error *error)
{
    struct strbuf image = {0}, v2 = {0}, v3 = {0}, out = {0};
    card_write(card, 2, &v2);
    card_write(card, 3, &v3);
    int result = read_picture(card, picture, &image, error);
    if (result == 0)
        result = card_png_write(strbuf_text(&image), image.length, picture != NULL ? picture : path,
                                &v2, &v3, &out, error);
    if (result == 0)
        result = card_write_file(path, &out, false, error);
    strbuf_free(&image);
    strbuf_free(&v2);
    strbuf_free(&v3);
    strbuf_free(&out);
    return result;
}
