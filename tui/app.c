#include "tui/app.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "tui/actions.h"
#include "tui/bindings.h"
#include "tui/chats.h"
#include "tui/clipboard.h"
#include "tui/composer.h"
#include "tui/documents.h"
#include "tui/input.h"
#include "tui/library.h"
#include "tui/overlay.h"
#include "tui/pane.h"
#include "tui/pane_chat.h"
#include "tui/pane_kinds.h"
#include "tui/pane_loading.h"
#include "tui/scene_talk.h"
#include "tui/signals.h"
#include "tui/workspace.h"

#define KEY_FRAME_MS  4   /* shortest time between two frames that keys ask for */
#define EVENTS_A_TURN 512 /* so that keys are looked at in between */
#define READ_BYTES    16384
#define AHEAD_BYTES   65536 /* more typed while the model loads is dropped */
#define LONGEST_WAIT  60000
#define WIDE_COLUMNS  100 /* where a scene is opened with its pane */

struct app {
    const struct app_options *options;
    struct terminal *terminal;
    struct generator *generator;
    struct loader *loader;
    struct pane *loading; /* until the model is there */
    struct workspace *workspace;
    char *about;
    struct library library;
    struct bindings *bindings;
    uint32_t slots;
    struct input input;
    struct strbuf ahead; /* what was typed while the model was loading, as a terminal sends it */
    bool released;       /* another program has the terminal */
    bool composing;      /* the line editor is open */
    bool quitting, dirty, urgent;
    uint64_t drawn_ms;
    int result; /* as app_run gives it */
    struct error *error;
};

uint64_t app_now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* --- for panes ------------------------------------------------------------------------------- */

void app_quit(struct app *app)
{
    app->quitting = true;
}

void app_redraw(struct app *app, bool at_once)
{
    app->dirty = true;
    app->urgent = app->urgent || at_once;
}

void app_suspend(struct app *app)
{
    terminal_suspend(app->terminal);
    app_redraw(app, true);
}

void app_release(struct app *app)
{
    terminal_release(app->terminal);
    app->released = true;
}

void app_repaint(struct app *app)
{
    if (app->released)
        terminal_resume(app->terminal);
    app->released = false;
    terminal_repaint(app->terminal);
    app_redraw(app, true);
}

void app_copy(struct app *app, const char *text, size_t length)
{
    struct strbuf base64 = {0};
    struct error error;
    char *path = NULL, size[32];
    size_t sent = clipboard_encode(&base64, text, length);
    bool terminal =
        terminal_send_clipboard(app->terminal, strbuf_text(&base64), base64.length, &error) == 0;
    if (clipboard_save(text, length, &path, &error) != 0)
        workspace_flash(app->workspace, STYLE_ERROR, "%s", error.message);
    else if (terminal && sent == length)
        workspace_flash(app->workspace, STYLE_GOOD, "copied %s; also in %s",
                        format_bytes(length, size), path);
    else
        workspace_flash(app->workspace, STYLE_WARN, "%s is in %s; %s", format_bytes(length, size),
                        path,
                        terminal ? "too much for the terminal's clipboard, which has its beginning"
                                 : "this terminal has no clipboard");
    free(path);
    strbuf_free(&base64);
}

struct settings *app_settings(struct app *app)
{
    return app->options->settings;
}

struct generator *app_generator(struct app *app)
{
    return app->generator;
}

const char *app_about(const struct app *app)
{
    return app->about != NULL ? app->about : "";
}

struct library *app_library(struct app *app)
{
    return &app->library;
}

struct bindings *app_bindings(struct app *app)
{
    return app->bindings;
}

uint32_t app_new_slot(struct app *app)
{
    return ++app->slots;
}

struct workspace *app_workspace(struct app *app)
{
    return app->workspace;
}

int app_set_theme(struct app *app, const char *name, struct error *error)
{
    struct theme theme;
    if (theme_open(&theme, name, error) != 0)
        return -1;
    terminal_set_theme(app->terminal, &theme);
    app_redraw(app, true);
    return 0;
}

/* --- what comes in --------------------------------------------------------------------------- */

static void fail(struct app *app)
{
    app->result = -1;
    app->quitting = true;
}

static void end_by_signal(struct app *app, int number)
{
    app->result = number;
    app->quitting = true;
}

/* All but what acts at once, also while it loads. */
static void keep_typed(struct app *app, const struct input_token *token)
{
    bool suspends = token->kind == INPUT_KEY && strcmp(token->name, "Ctrl-Z") == 0;
    if (token->kind == INPUT_MOUSE || suspends || app->ahead.length > AHEAD_BYTES)
        return;
    if (token->kind == INPUT_PASTE)
        strbuf_puts(&app->ahead, "\033[200~");
    strbuf_add(&app->ahead, token->bytes, token->length);
    if (token->kind == INPUT_PASTE)
        strbuf_puts(&app->ahead, "\033[201~");
}

static void route_key(struct app *app, const struct input_token *token)
{
    if (app->loading != NULL) {
        app->loading->ops->input(app->loading, token);
        keep_typed(app, token);
    } else {
        workspace_input(app->workspace, token);
    }
}

static void handle_tokens(struct app *app)
{
    struct input_token token;
    while (!app->quitting && input_next(&app->input, app_now_ms(), &token)) {
        if (token.kind == INPUT_REPORT)
            terminal_mode_report(app->terminal, token.mode, token.value);
        else
            route_key(app, &token);
        app_redraw(app, true);
    }
}

static void read_terminal(struct app *app)
{
    char bytes[READ_BYTES];
    ssize_t got = read(terminal_fd(app->terminal), bytes, sizeof bytes);
    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (got <= 0) { /* the terminal has vanished */
        end_by_signal(app, SIGHUP);
        return;
    }
    input_feed(&app->input, bytes, (size_t)got, app_now_ms());
    handle_tokens(app);
}

static void handle_signals(struct app *app)
{
    int number;
    while ((number = signals_next()) != 0) {
        if (number == SIGWINCH)
            terminal_resize(app->terminal);
        else if (number == SIGCONT)
            terminal_resume(app->terminal);
        else if (number == SIGTSTP)
            terminal_suspend(app->terminal);
        else
            end_by_signal(app, number);
        app_redraw(app, true);
    }
}

static void take_events(struct app *app)
{
    struct event event;
    for (int i = 0; app->generator != NULL && i < EVENTS_A_TURN; i++) {
        if (app->generator->ops->next(app->generator, &event) != 1)
            return;
        workspace_event(app->workspace, &event);
        event_free(&event);
    }
}

static char *complete(void *user, const char *line, int start, unsigned index, bool *files)
{
    struct app *app = user;
    struct pane *focus = workspace_focus(app->workspace);
    const struct pane *overlay = workspace_overlay(app->workspace);
    *files = question_takes_files(overlay);
    if (overlay != NULL || pane_chat_of(focus) == NULL)
        return NULL;
    return actions_complete(user, line, start, index, files);
}

/* What the command line named goes with the first message. */
static void attach(struct app *app)
{
    struct document_list *attached = app->options->attached;
    struct pane_chat *pane = workspace_chat(app->workspace);
    if (attached == NULL || attached->count == 0)
        return;
    document_list_free(&pane->chat->attached);
    pane->chat->attached = *attached;
    *attached = (struct document_list){0};
    documents_changed(pane, NULL);
}

/* The model is there: the chats begin. */
static int open_workspace(struct app *app, struct error *error)
{
    struct pane *chat;
    struct composer_options options = {.tty_fd = terminal_fd(app->terminal),
                                       .history_path = app->options->history_path,
                                       .complete = complete,
                                       .user = app};
    struct error notice = {0};
    int composer = composer_open(&options, &notice);
    app->composing = true;
    app->workspace = workspace_create(app);
    if (pane_chat_create(&chat, app, error) != 0)
        return -1;
    workspace_begin(app->workspace, chat);
    pane_kinds_begin(app);
    library_purge(&app->library, app->options->settings->purge_days);
    const char *scene = app->options->scene;
    if (scene == NULL && strcmp(app->options->settings->start, "last") == 0)
        chats_open_last(app);
    attach(app);
    if (scene != NULL && scene_talk_play_name(pane_chat_of(chat), scene) &&
        terminal_area(app->terminal).columns >= WIDE_COLUMNS)
        pane_kind_open_beside(app, "scene");
    if (composer != 0)
        workspace_flash(app->workspace, STYLE_WARN, "%s", notice.message);
    if (app->library.problem.code != ERROR_NONE)
        workspace_flash(app->workspace, STYLE_WARN, "chats are not kept: %s",
                        app->library.problem.message);
    return 0;
}

static int end_loading(struct app *app, struct error *error)
{
    struct loader *loader = app->loader;
    app->loader = NULL;
    if (loader_finish(loader, &app->generator, &app->about, error) != 0)
        return -1;
    app->loading->ops->free(app->loading);
    app->loading = NULL;
    return open_workspace(app, error);
}

/* What was typed while it loaded goes to the chat now. */
static void type_ahead(struct app *app)
{
    if (app->ahead.length == 0)
        return;
    input_feed(&app->input, strbuf_text(&app->ahead), app->ahead.length, app_now_ms());
    strbuf_free(&app->ahead);
    handle_tokens(app);
}

static void poll_loader(struct app *app)
{
    uint64_t done, total;
    bool ended = loader_poll(app->loader, &done, &total);
    pane_loading_progress(app->loading, done, total);
    if (ended && end_loading(app, app->error) != 0)
        fail(app);
    else if (ended)
        type_ahead(app);
    app_redraw(app, false);
}

/* The disk has something to say: what is saved, or why it is not. */
static void take_status(struct app *app)
{
    const struct error *problem = &app->library.status.problem;
    bool changed = library_poll(&app->library);
    app_redraw(app, false);
    if (!changed || app->workspace == NULL)
        return;
    if (problem->code != ERROR_NONE)
        workspace_flash(app->workspace, STYLE_ERROR, "not saved yet: %s", problem->message);
    else
        workspace_flash(app->workspace, STYLE_GOOD, "everything is saved");
}

/* --- the loop -------------------------------------------------------------------------------- */

static int sooner(int a, int b)
{
    return a < 0 ? b : b < 0 || a < b ? a : b;
}

static int frame_wait(const struct app *app, uint64_t now)
{
    if (!app->dirty)
        return -1;
    uint64_t pause = app->urgent ? KEY_FRAME_MS : app->options->settings->frame_ms;
    uint64_t due = app->drawn_ms + pause;
    return due > now ? (int)(due - now) : 0;
}

static void draw_when_due(struct app *app)
{
    uint64_t now = app_now_ms();
    if (app->quitting || frame_wait(app, now) != 0)
        return;
    struct rect area = terminal_area(app->terminal);
    terminal_begin(app->terminal);
    if (app->loading != NULL)
        app->loading->ops->draw(app->loading, app->terminal, &area, true);
    else
        workspace_draw(app->workspace, app->terminal, &area);
    terminal_end(app->terminal);
    app->drawn_ms = app_now_ms();
    app->dirty = app->urgent = false;
}

static void turn(struct app *app)
{
    enum { TTY, SIGNALS, WORK, LIBRARY, FDS };
    struct pollfd fds[FDS] = {{.fd = terminal_fd(app->terminal), .events = POLLIN},
                              {.fd = signals_fd(), .events = POLLIN},
                              {.fd = -1, .events = POLLIN},
                              {.fd = library_fd(&app->library), .events = POLLIN}};
    if (app->loader != NULL)
        fds[WORK].fd = loader_fd(app->loader);
    else
        fds[WORK].fd = app->generator->ops->wake_fd(app->generator);
    uint64_t now = app_now_ms();
    int wait = sooner(LONGEST_WAIT, frame_wait(app, now));
    wait = sooner(wait, input_timeout(&app->input, now));
    if (app->workspace != NULL)
        wait = sooner(wait, workspace_timeout(app->workspace, now));
    if (poll(fds, FDS, wait) < 0)
        memset(fds, 0, sizeof fds);
    handle_signals(app);
    if (fds[TTY].revents & (POLLIN | POLLHUP | POLLERR))
        read_terminal(app);
    else
        handle_tokens(app); /* a held escape may be due */
    if (app->loader != NULL && fds[WORK].revents != 0)
        poll_loader(app);
    else if (app->loader == NULL && fds[WORK].revents != 0)
        take_events(app);
    if (fds[LIBRARY].revents != 0)
        take_status(app);
    if (!app->quitting && app->workspace != NULL)
        workspace_tick(app->workspace, app_now_ms());
    draw_when_due(app);
}

/* --- life ------------------------------------------------------------------------------------ */

static int open_root(struct app *app, struct error *error)
{
    const struct app_options *options = app->options;
    app->generator = options->generator;
    app->loader = options->loader;
    if (app->loader != NULL) {
        app->loading = pane_loading_create(app, app->loader);
        return 0;
    }
    app->about = options->about != NULL ? xstrdup(options->about) : NULL;
    return open_workspace(app, error);
}

static void close_work(struct app *app)
{
    if (app->loader != NULL) {
        char *about = NULL;
        loader_cancel(app->loader);
        loader_finish(app->loader, &app->generator, &about, NULL);
        free(about);
    }
    if (app->generator != NULL)
        app->generator->ops->free(app->generator);
}

int app_run(const struct app_options *options, struct error *error)
{
    struct app app = {.options = options, .error = error, .dirty = true};
    struct theme theme;
    const struct settings *settings = options->settings;
    app.generator = options->generator;
    app.loader = options->loader;
    int result = 0;
    if (settings->theme == NULL)
        theme_plain(&theme);
    else
        result = theme_open(&theme, settings->theme, error);
    if (result == 0)
        result = bindings_open(&app.bindings, options->config_path, error);
    if (result == 0)
        result = terminal_open(&app.terminal, settings->colour, settings->mouse, &theme, error);
    const char *name = getenv("TERM");
    app.input.rxvt = name != NULL && strncmp(name, "rxvt", 4) == 0;
    library_open(&app.library, result == 0 ? options->chats_path : NULL);
    if (result == 0)
        result = open_root(&app, error);
    while (result == 0 && !app.quitting)
        turn(&app);
    if (app.loading != NULL)
        app.loading->ops->free(app.loading);
    strbuf_free(&app.ahead);
    workspace_free(app.workspace);
    if (app.composing)
        composer_close();
    bindings_close(app.bindings);
    /* First: while the terminal is ours, a Ctrl-C too many does not end the saving. */
    if (library_close(&app.library, error) != 0 && result == 0 && app.result == 0)
        result = -1;
    terminal_close(app.terminal);
    close_work(&app);
    input_free(&app.input);
    free(app.about);
    return result == 0 ? app.result : result;
}
