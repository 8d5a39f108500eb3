#include "engine/chat/converter.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "engine/chat/document.h"

#define TIME_MS       30000u
#define MESSAGE_BYTES 4096u /* of what the program says on standard error */

extern char **environ;

enum end { RUNNING, EXITED, TOO_LONG, TOO_MUCH };

/* The descriptors that a job watches, in this order. */
enum { OUTPUT, MESSAGES, PROCESS, TIMER, FDS };

struct converter_job {
    char *path, *program;
    pid_t pid; /* 0: reaped */
    int poll_fd, fds[FDS];
    size_t output_bytes;
    unsigned time_ms;
    enum end end;
    int status; /* of waitpid, once EXITED */
    struct strbuf output, messages;
};

/* --- starting --------------------------------------------------------------------------------- */

static void close_fd(int *fd)
{
    if (*fd >= 0)
        close(*fd);
    *fd = -1;
}

static void job_free(struct converter_job *job)
{
    for (int i = 0; i < FDS; i++)
        close_fd(&job->fds[i]);
    close_fd(&job->poll_fd);
    strbuf_free(&job->output);
    strbuf_free(&job->messages);
    free(job->path);
    free(job->program);
    free(job);
}

/* No signal of ours is blocked or ignored there, nothing of ours is open. */
static int spawn(struct converter_job *job, char **words, int output, int messages)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions, messages, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes,
                             POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int result = posix_spawnp(&job->pid, words[0], &actions, &attributes, words, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    if (result != 0)
        job->pid = 0;
    errno = result;
    return result == 0 ? 0 : -1;
}

/* Above the standard descriptors, so that putting one in place cannot overwrite the other. */
static int high_pipe(int ends[2])
{
    int low[2];
    if (pipe2(low, O_CLOEXEC) != 0)
        return -1;
    for (int i = 0; i < 2; i++) {
        ends[i] = fcntl(low[i], F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
        close(low[i]);
    }
    if (ends[0] >= 0 && ends[1] >= 0 && fcntl(ends[0], F_SETFL, O_NONBLOCK) == 0)
        return 0;
    close_fd(&ends[0]);
    close_fd(&ends[1]);
    return -1;
}

static int start_process(struct converter_job *job, char **words)
{
    int output[2] = {-1, -1}, messages[2] = {-1, -1};
    int result = high_pipe(output) == 0 && high_pipe(messages) == 0
                     ? spawn(job, words, output[1], messages[1])
                     : -1;
    int saved = errno;
    close_fd(&output[1]);
    close_fd(&messages[1]);
    job->fds[OUTPUT] = output[0];
    job->fds[MESSAGES] = messages[0];
    errno = saved;
    return result;
}

static int watch(struct converter_job *job)
{
    struct itimerspec time = {.it_value = {job->time_ms / 1000, job->time_ms % 1000 * 1000000}};
    job->fds[PROCESS] = (int)syscall(SYS_pidfd_open, job->pid, 0);
    job->fds[TIMER] = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    job->poll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (job->fds[TIMER] < 0 || timerfd_settime(job->fds[TIMER], 0, &time, NULL) != 0)
        return -1;
    for (int i = 0; i < FDS; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data = {.fd = i}};
        if (epoll_ctl(job->poll_fd, EPOLL_CTL_ADD, job->fds[i], &event) != 0)
            return -1;
    }
    return 0;
}

/* Should this program be killed meanwhile, a converter that spins ends by itself all the same. */
static void limit_process(const struct converter_job *job)
{
    rlim_t seconds = job->time_ms / 1000 * 4 + 4;
    const struct rlimit processor = {seconds, seconds}, core = {0, 0};
    prlimit(job->pid, RLIMIT_CPU, &processor, NULL);
    prlimit(job->pid, RLIMIT_CORE, &core, NULL);
}

/* Ends the process and all that it started in its session's first group. */
static void kill_process(struct converter_job *job)
{
    if (job->pid == 0)
        return;
    kill(-job->pid, SIGKILL);
    kill(job->pid, SIGKILL);
    while (waitpid(job->pid, &job->status, 0) < 0 && errno == EINTR)
        continue;
    job->pid = 0;
}

struct converter_job *converter_start(const struct converter_table *table, const char *kind,
                                      const char *path, const struct converter_limits *limits,
                                      struct error *error)
{
    char *whole = realpath(path, NULL);
    if (whole == NULL) {
        error_set_errno(error, "%s", path);
        return NULL;
    }
    char **words = converter_words(table, kind, whole, error);
    free(whole);
    if (words == NULL) {
        error_prefix(error, "%s", path);
        return NULL;
    }
    struct converter_job *job = xcalloc(1, sizeof *job);
    *job = (struct converter_job){.path = xstrdup(path),
                                  .program = xstrdup(path_base(words[0])),
                                  .poll_fd = -1,
                                  .fds = {-1, -1, -1, -1}};
    job->time_ms = limits != NULL && limits->time_ms > 0 ? limits->time_ms : TIME_MS;
    job->output_bytes =
        limits != NULL && limits->output_bytes > 0 ? limits->output_bytes : DOCUMENT_BYTES_MAX;
    int result = start_process(job, words) == 0 ? watch(job) : -1;
    if (result == 0)
        limit_process(job);
    if (result != 0) {
        error_set_errno(error, "%s: cannot run %s", path, words[0]);
        converter_cancel(job);
        job = NULL;
    }
    converter_words_free(words);
    return job;
}

/* --- running ---------------------------------------------------------------------------------- */

int converter_fd(const struct converter_job *job)
{
    return job->poll_fd;
}

/* Takes what stands in a pipe, at most a few blocks; a pipe that has ended is closed. False: there
 * is nothing now. */
static bool drain(struct converter_job *job, int which, struct strbuf *to, size_t most)
{
    char block[65536];
    if (job->fds[which] < 0)
        return false;
    ssize_t got = read(job->fds[which], block, sizeof block);
    if (got < 0)
        return errno == EINTR;
    if (got == 0) {
        close_fd(&job->fds[which]); /* leaves the set of the poll descriptor by itself */
        return false;
    }
    size_t room = most > to->length ? most - to->length : 0;
    strbuf_add(to, block, (size_t)got < room ? (size_t)got : room);
    return true;
}

static void drain_both(struct converter_job *job, int blocks)
{
    for (int i = 0; i < blocks && job->end == RUNNING; i++) {
        bool more = drain(job, OUTPUT, &job->output, job->output_bytes + 1);
        more |= drain(job, MESSAGES, &job->messages, MESSAGE_BYTES);
        if (job->output.length > job->output_bytes)
            job->end = TOO_MUCH;
        if (!more)
            return;
    }
}

static bool is_readable(int fd)
{
    struct pollfd poll_one = {fd, POLLIN, 0};
    return poll(&poll_one, 1, 0) > 0;
}

bool converter_step(struct converter_job *job)
{
    if (job->end != RUNNING)
        return true;
    /* Asked before reading: what it wrote before it ended is then in the pipe. */
    bool exited = is_readable(job->fds[PROCESS]);
    bool late = is_readable(job->fds[TIMER]);
    drain_both(job, exited ? 1024 : 4);
    if (job->end == RUNNING && exited) {
        drain_both(job, (int)(job->output_bytes / 65536) + 16);
        job->end = job->end == RUNNING ? EXITED : job->end;
    } else if (job->end == RUNNING && late) {
        job->end = TOO_LONG;
    }
    if (job->end != RUNNING)
        kill_process(job);
    return job->end != RUNNING;
}

void converter_cancel(struct converter_job *job)
{
    if (job == NULL)
        return;
    kill_process(job);
    job_free(job);
}

/* --- the end ---------------------------------------------------------------------------------- */

/* The first line that the program said, NULL for none. To be freed. */
static char *first_message(const struct converter_job *job)
{
    const char *text = strbuf_text(&job->messages);
    text += strspn(text, " \t\r\n");
    size_t length = strcspn(text, "\r\n");
    return length > 0 ? xstrndup(text, length < 200 ? length : 200) : NULL;
}

static int outcome(const struct converter_job *job, struct error *error)
{
    char *message = first_message(job);
    const char *said = message != NULL ? message : "", *colon = message != NULL ? ": " : "";
    char limit[32];
    int result = 0;
    if (job->end == TOO_LONG)
        result = error_set(error, ERROR_INPUT, "%s: %s took more than %g s and was stopped%s%s",
                           job->path, job->program, (double)job->time_ms / 1000, colon, said);
    else if (job->end == TOO_MUCH)
        result = error_set(error, ERROR_INPUT, "%s: %s gave more than %s and was stopped",
                           job->path, job->program, format_bytes(job->output_bytes, limit));
    else if (WIFSIGNALED(job->status))
        result = error_set(error, ERROR_INPUT, "%s: %s was ended by signal %d%s%s", job->path,
                           job->program, WTERMSIG(job->status), colon, said);
    else if (WEXITSTATUS(job->status) != 0)
        result = error_set(error, ERROR_INPUT, "%s: %s failed with status %d%s%s", job->path,
                           job->program, WEXITSTATUS(job->status), colon, said);
    else if (strspn(strbuf_text(&job->output), " \t\r\n\f") == job->output.length)
        result = error_set(error, ERROR_INPUT, "%s: %s found no text in it%s%s", job->path,
                           job->program, colon, said);
    free(message);
    return result;
}

int converter_finish(struct converter_job *job, struct strbuf *out, struct error *error)
{
    while (!converter_step(job)) {
        struct pollfd wait = {job->poll_fd, POLLIN, 0};
        poll(&wait, 1, -1);
    }
    int result = outcome(job, error);
    if (result == 0)
        strbuf_add(out, strbuf_text(&job->output), job->output.length);
    job_free(job);
    return result;
}

int converter_run(const struct converter_table *table, const char *kind, const char *path,
                  const struct converter_limits *limits, bool (*stop)(void *user), void *user,
                  struct strbuf *out, struct error *error)
{
    struct converter_job *job = converter_start(table, kind, path, limits, error);
    if (job == NULL)
        return -1;
    while (!converter_step(job)) {
        struct pollfd wait = {job->poll_fd, POLLIN, 0};
        poll(&wait, 1, 100);
        if (stop != NULL && stop(user)) {
            converter_cancel(job);
            return error_set(error, ERROR_CANCELLED, "%s: stopped", path);
        }
    }
    return converter_finish(job, out, error);
}
