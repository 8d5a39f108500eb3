#include "tui/app.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "engine/base/alloc.h"
#include "tui/input.h"
#include "tui/pane.h"
#include "tui/pane_chat.h"
#include "tui/pane_loading.h"
#include "tui/signals.h"

#define KEY_FRAME_MS  4   /* shortest time between two frames that keys ask for */
#define EVENTS_A_TURN 512 /* so that keys are looked at in between */
#define READ_BYTES    16384
#define LONGEST_WAIT  60000

struct app {
    const struct app_options *options;
    struct terminal *terminal;
    struct generator *generator;
    struct loader *loader;
    struct pane *root;
    struct input input;
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

void app_repaint(struct app *app)
{
    terminal_repaint(app->terminal);
    app_redraw(app, true);
}

struct settings *app_settings(struct app *app)
{
    return app->options->settings;
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

static void handle_tokens(struct app *app)
{
    struct input_token token;
    while (!app->quitting && input_next(&app->input, app_now_ms(), &token)) {
        if (token.kind == INPUT_REPORT)
            terminal_mode_report(app->terminal, token.mode, token.value);
        else
            app->root->ops->input(app->root, &token);
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
        app->root->ops->event(app->root, &event);
        event_free(&event);
    }
}

/* The model is there: the chat takes the loading pane's place. */
static int end_loading(struct app *app, struct error *error)
{
    char *about = NULL;
    struct loader *loader = app->loader;
    app->loader = NULL;
    if (loader_finish(loader, &app->generator, &about, error) != 0)
        return -1;
    app->root->ops->free(app->root);
    app->root = NULL;
    return pane_chat_create(&app->root, app, app->generator, about, app->options->history_path,
                            error);
}

static void poll_loader(struct app *app)
{
    uint64_t done, total;
    bool ended = loader_poll(app->loader, &done, &total);
    pane_loading_progress(app->root, done, total);
    if (ended && end_loading(app, app->error) != 0)
        fail(app);
    app_redraw(app, false);
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
    if (app->root == NULL || app->quitting || frame_wait(app, now) != 0)
        return;
    struct rect area = terminal_area(app->terminal);
    terminal_begin(app->terminal);
    app->root->ops->draw(app->root, app->terminal, &area);
    terminal_end(app->terminal);
    app->drawn_ms = app_now_ms();
    app->dirty = app->urgent = false;
}

static void turn(struct app *app)
{
    enum { TTY, SIGNALS, WORK };
    struct pollfd fds[3] = {{.fd = terminal_fd(app->terminal), .events = POLLIN},
                            {.fd = signals_fd(), .events = POLLIN},
                            {.fd = -1, .events = POLLIN}};
    if (app->loader != NULL)
        fds[WORK].fd = loader_fd(app->loader);
    else
        fds[WORK].fd = app->generator->ops->wake_fd(app->generator);
    uint64_t now = app_now_ms();
    int wait = sooner(LONGEST_WAIT, frame_wait(app, now));
    wait = sooner(wait, input_timeout(&app->input, now));
    wait = sooner(wait, app->root->ops->timeout(app->root, now));
    if (poll(fds, 3, wait) < 0)
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
    if (!app->quitting && app->root->ops->timeout(app->root, app_now_ms()) == 0)
        app->root->ops->tick(app->root, app_now_ms());
    draw_when_due(app);
}

/* --- life ------------------------------------------------------------------------------------ */

static int open_root(struct app *app, struct error *error)
{
    const struct app_options *options = app->options;
    app->generator = options->generator;
    app->loader = options->loader;
    if (app->loader != NULL) {
        app->root = pane_loading_create(app, app->loader);
        return 0;
    }
    char *about = options->about != NULL ? xstrdup(options->about) : NULL;
    return pane_chat_create(&app->root, app, app->generator, about, options->history_path, error);
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
        result = terminal_open(&app.terminal, settings->colour, settings->mouse, &theme, error);
    if (result == 0)
        result = open_root(&app, error);
    while (result == 0 && !app.quitting)
        turn(&app);
    if (app.root != NULL)
        app.root->ops->free(app.root);
    terminal_close(app.terminal);
    close_work(&app);
    input_free(&app.input);
    return result == 0 ? app.result : result;
}
