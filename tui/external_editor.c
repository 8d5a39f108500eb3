#include "tui/external_editor.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"

#define EDITED_BYTES_MAX (64u << 20)

static const char *editor(void)
{
    const char *names[] = {getenv("VISUAL"), getenv("EDITOR")};
    for (size_t i = 0; i < 2; i++)
        if (names[i] != NULL && names[i][0] != '\0')
            return names[i];
    return "vi";
}

static int write_text(int fd, const char *text, size_t length, const char *path,
                      struct error *error)
{
    for (size_t at = 0; at < length;) {
        ssize_t written = write(fd, text + at, length - at);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return error_set_errno(error, "%s", path);
        at += (size_t)written;
    }
    return 0;
}

/* The variable may hold a command with arguments ("code --wait"), so a shell reads it; the path is
 * its argument, never part of the command. */
static void become_editor(const char *path)
{
    sigset_t none;
    char *command = xasprintf("%s \"$1\"", editor());
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    for (int number = 1; number < 32; number++)
        signal(number, SIG_DFL);
    execl("/bin/sh", "sh", "-c", command, "sh", path, (char *)NULL);
    _exit(127);
}

static int run_editor(const char *path, struct error *error)
{
    int status;
    pid_t child = fork();
    if (child < 0)
        return error_set_errno(error, "the editor cannot be started");
    if (child == 0)
        become_editor(path);
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return error_set_errno(error, "%s", editor());
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return 0;
    return error_set(error, ERROR_INPUT, "%s failed; the text is as it was", editor());
}

int external_editor_run(const char *text, size_t length, struct strbuf *edited, struct error *error)
{
    const char *directory = getenv("TMPDIR");
    char *path = xasprintf("%s/airo-XXXXXX.md", directory != NULL ? directory : "/tmp");
    int fd = mkstemps(path, 3);
    if (fd < 0) {
        error_set_errno(error, "%s", path);
        free(path);
        return -1;
    }
    int result = write_text(fd, text, length, path, error);
    close(fd);
    if (result == 0)
        result = run_editor(path, error);
    if (result == 0)
        result = file_read_regular(path, EDITED_BYTES_MAX, edited, error);
    while (result == 0 && edited->length > 0 && edited->data[edited->length - 1] == '\n')
        strbuf_remove(edited, edited->length - 1, 1);
    unlink(path);
    free(path);
    return result;
}
