#include "tui/model_session.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "tui/command.h"
#include "tui/options.h"
#include "tui/sanitize.h"

#define TEXT_BYTES_MAX (64u << 20)

/* --- signals ---------------------------------------------------------------------------------- */

/* Blocked before any thread is made, so that every thread inherits it and only the fd sees them. */
static void catch_signals(struct model_session *session)
{
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGINT);
    sigaddset(&stop, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &stop, &session->signals_before);
    session->signal_fd = signalfd(-1, &stop, SFD_NONBLOCK | SFD_CLOEXEC);
}

bool model_session_interrupted(struct model_session *session)
{
    struct signalfd_siginfo info;
    while (session->signal_fd >= 0 &&
           read(session->signal_fd, &info, sizeof info) == (ssize_t)sizeof info)
        session->interrupted = true;
    return session->interrupted;
}

/* --- open and close --------------------------------------------------------------------------- */

static bool show_load(void *user, uint64_t done, uint64_t total)
{
    struct model_session *session = user;
    progress_show(&session->progress, "loading the model", done, total, NULL);
    return !model_session_interrupted(session);
}

struct rope_override settings_rope(const struct settings *settings)
{
    return (struct rope_override){settings->rope, settings->rope_factor, settings->rope_original};
}

/* The one line that says which RoPE rule and factor are in use, and on what it runs. */
static void say_loaded(struct model_session *session)
{
    if (!session->settings->verbose && isatty(STDERR_FILENO) != 1)
        return;
    const struct model *model = session->model;
    char *line = model_describe(session->directory, &model->config);
    command_note("%s; context %u, %s; %s", line, model->context, kv_type_name(model->kv_type),
                 model->ops->describe(model->backend));
    if (model->notice != NULL)
        command_note("%s", model->notice);
    free(line);
}

void model_session_begin(struct model_session *session, const struct settings *settings)
{
    *session = (struct model_session){.settings = settings, .signal_fd = -1};
    catch_signals(session);
    session->progress = progress_begin();
}

int model_session_open(struct model_session *session, const struct settings *settings,
                       const char *name, struct error *error)
{
    *session = (struct model_session){.settings = settings, .signal_fd = -1};
    struct model_options options = {
        .context = settings->context,
        .chunk = settings->chunk,
        .threads = settings->threads,
        .kernels = settings->kernels,
        .device = settings->device,
        .rope = settings_rope(settings),
        .progress = show_load,
        .user = session,
    };
    if (kv_type_parse(settings->kv_type, &options.kv_type) != 0)
        return error_set(error, ERROR_INPUT, "--kv-type: unknown type %s", settings->kv_type);
    session->directory = model_find(name != NULL ? name : settings->model, error);
    if (session->directory == NULL)
        return -1;
    catch_signals(session);
    session->progress = progress_begin();
    int result = model_open(&session->model, session->directory, &options, error);
    progress_clear(&session->progress);
    if (result == 0)
        say_loaded(session);
    else
        model_session_close(session);
    return result;
}

char *kv_disk_directory(void)
{
    char *cache = xdg_directory("cache"), *kept = path_join(cache, "kv");
    free(cache);
    return kept;
}

uint64_t settings_kv_disk(const struct settings *settings)
{
    uint64_t bytes = 0;
    return size_parse(settings->kv_disk, &bytes) == 0 ? bytes : 0;
}

int model_session_start(struct model_session *session, bool use_kv_disk, struct error *error)
{
    char *kept = kv_disk_directory();
    const struct kv_disk_options disk = {.directory = kept,
                                         .cap_bytes = settings_kv_disk(session->settings)};
    int result = generator_local_open(&session->generator, session->model,
                                      use_kv_disk ? &disk : NULL, error);
    free(kept);
    return result;
}

/* What a reply has left to write is written, unless Ctrl-C comes. */
static void wait_until_saved(struct model_session *session)
{
    struct generator *generator = session->generator;
    struct pollfd wait = {.fd = session->signal_fd, .events = POLLIN};
    uint64_t left, most = 0;
    session->progress = progress_begin();
    while (!model_session_interrupted(session) &&
           (left = generator->ops->unsaved_bytes(generator)) > 0) {
        most = left > most ? left : most;
        progress_show(&session->progress, "keeping the prompt", most - left, most, NULL);
        poll(&wait, 1, 10);
    }
    progress_clear(&session->progress);
}

void model_session_close(struct model_session *session)
{
    if (session->generator != NULL)
        wait_until_saved(session);
    if (session->generator != NULL)
        session->generator->ops->free(session->generator);
    else if (session->model != NULL)
        model_close(session->model);
    session->generator = NULL;
    session->model = NULL;
    if (session->signal_fd >= 0) {
        model_session_interrupted(session); /* taken, so that unblocking does not end us */
        close(session->signal_fd);
        pthread_sigmask(SIG_SETMASK, &session->signals_before, NULL);
    }
    session->signal_fd = -1;
    free(session->directory);
    session->directory = NULL;
}

/* --- one reply -------------------------------------------------------------------------------- */

/* Exact numbers before anything runs: a prompt that leaves no room for a reply is refused. */
static int check_fit(struct generator *generator, const struct generation_request *request,
                     struct error *error)
{
    size_t parts[PARTS], total = 0, context = generator->ops->context(generator);
    if (generator->ops->count(generator, &request->segments, parts, &total, error) != 0)
        return -1;
    if (total < context)
        return 0;
    return error_set(error, ERROR_INPUT,
                     "the prompt takes %zu tokens (%zu of them documents) and the context holds "
                     "%zu: leave %zu or more out, or raise --context where the model allows",
                     total, parts[PART_DOCUMENT], context, total - context + 1);
}

/* Waits for an event or a signal. */
static void wait_for_news(struct model_session *session)
{
    struct pollfd wait[] = {
        {.fd = session->generator->ops->wake_fd(session->generator), .events = POLLIN},
        {.fd = session->signal_fd, .events = POLLIN},
    };
    poll(wait, 2, -1);
}

static void show_event(struct model_session *session, const struct event *event)
{
    if (event->kind == EVENT_PROGRESS)
        progress_show(&session->progress, "reading the prompt", event->usage.prompt_done,
                      event->usage.prompt, "tokens");
    else if (event->kind != EVENT_USAGE)
        progress_clear(&session->progress);
}

/* 1 while the reply goes on, 0 at its end, -1 when it failed. */
static int take_event(struct model_session *session, const struct event *event,
                      struct reply_end *end, struct error *error)
{
    if (event->kind == EVENT_ERROR) {
        *error = event->error;
        return -1;
    }
    if (event->kind == EVENT_BACKEND && event->length > 0)
        command_note("the model is loaded again: %s", event->text);
    if (event->kind != EVENT_DONE)
        return 1;
    *end = (struct reply_end){event->reason, event->usage};
    session->interrupted |= event->reason == STOP_CANCELLED;
    return 0;
}

int model_session_reply(struct model_session *session, const struct generation_request *request,
                        reply_handler handler, void *user, struct reply_end *end,
                        struct error *error)
{
    struct generator *generator = session->generator;
    uint64_t generation;
    if (check_fit(generator, request, error) != 0 ||
        generator->ops->start(generator, request, &generation, error) != 0)
        return -1;
    return model_session_follow(session, generation, handler, user, end, error);
}

int model_session_follow(struct model_session *session, uint64_t generation, reply_handler handler,
                         void *user, struct reply_end *end, struct error *error)
{
    struct generator *generator = session->generator;
    bool cancelled = false;
    int state = 1;
    session->progress = progress_begin();
    while (state == 1) {
        struct event event;
        if (!cancelled && model_session_interrupted(session)) {
            generator->ops->cancel(generator, generation);
            cancelled = true;
        }
        if (generator->ops->next(generator, &event) == 0) {
            wait_for_news(session);
            continue;
        }
        show_event(session, &event);
        if (handler != NULL)
            handler(user, &event);
        state = take_event(session, &event, end, error);
        event_free(&event);
    }
    progress_clear(&session->progress);
    return state;
}

/* --- shared by the commands ------------------------------------------------------------------- */

struct prompt_style settings_style(const struct settings *settings)
{
    return (struct prompt_style){.system = settings->system,
                                 .ask_source = settings->ask_source,
                                 .no_making_up = settings->no_making_up,
                                 .plain_format = settings->plain_format};
}

static void say(const char *text)
{
    struct strbuf safe = {0};
    sanitize_text(&safe, text, strlen(text), 0);
    fflush(stdout);
    fprintf(stderr, "airo: %s\n", strbuf_text(&safe));
    strbuf_free(&safe);
}

int command_failed(const struct error *error)
{
    if (error->code == ERROR_CANCELLED)
        return EXIT_INTERRUPTED;
    say(error->message);
    return EXIT_ERROR;
}

int command_usage(const char *command, const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) >= 0)
        say(text);
    va_end(args);
    free(text);
    fprintf(stderr, "Try 'airo %s --help'.\n", command);
    return EXIT_USAGE;
}

void command_note(const char *format, ...)
{
    char *text = NULL;
    va_list args;
    va_start(args, format);
    if (vasprintf(&text, format, args) >= 0)
        say(text);
    va_end(args);
    free(text);
}

void command_print(const char *text, size_t length)
{
    struct strbuf safe = {0};
    sanitize_text(&safe, text, length, SANITIZE_KEEP_NEWLINES | SANITIZE_KEEP_TABS);
    fwrite(strbuf_text(&safe), 1, safe.length, stdout);
    fflush(stdout);
    strbuf_free(&safe);
}

void command_print_exact(const struct strbuf *text)
{
    if (isatty(STDOUT_FILENO) != 1) {
        fwrite(strbuf_text(text), 1, text->length, stdout);
        return;
    }
    command_print(strbuf_text(text), text->length);
    command_print("\n", 1);
}

void command_note_end(const struct settings *settings, const struct reply_end *end)
{
    if (end->reason == STOP_LENGTH)
        command_note("the reply was cut at %u tokens (--max-tokens)", settings->max_tokens);
    else if (end->reason == STOP_CONTEXT)
        command_note("the reply was cut: the context of %zu tokens is full", end->usage.context);
    else if (end->reason == STOP_CANCELLED)
        command_note("stopped");
}

int command_text(int argc, char **argv, struct strbuf *out, struct error *error)
{
    if (argc == 0 || (argc == 1 && strcmp(argv[0], "-") == 0))
        return file_read("-", TEXT_BYTES_MAX, out, error);
    for (int i = 0; i < argc; i++) {
        strbuf_puts(out, i > 0 ? " " : "");
        strbuf_puts(out, argv[i]);
    }
    return 0;
}
