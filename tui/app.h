/*
 * app.h - the interface as a whole: one poll() over the terminal, signals, the generator and the
 * loader; frames at most every frame_ms, at once after a key.
 *
 * The app owns the terminal, the panes and the generator. Everything here runs on one thread.
 */
#ifndef AIRO_TUI_APP_H
#define AIRO_TUI_APP_H

#include "engine/base/error.h"
#include "engine/chat/document.h"
#include "engine/infer/generator.h"
#include "tui/loader.h"
#include "tui/settings.h"
#include "tui/terminal.h"

struct app;
struct bindings;
struct library;
struct workspace;

struct app_options {
    struct settings *settings; /* borrowed; /set changes it */
    /* One of the two; taken over. */
    struct generator *generator;
    struct loader *loader;
    struct document_list *attached; /* taken over for the first chat; may be NULL */
    const char *about;              /* with a generator: the line about the model */
    const char *history_path;       /* NULL: no history is kept */
    const char *chats_path;         /* NULL: no chats are kept */
    const char *config_path;        /* airo.ini, for the keys; NULL: none */
    const char *scene;              /* to play at once; NULL: none */
};

/* Runs until the user leaves: 0, or the number of the signal that ended it, or -1 and an error for
 * one line on stderr. The terminal is as it was. */
int app_run(const struct app_options *options, struct error *error);

/* For panes. */
void app_quit(struct app *app);
/* The screen has changed; `at_once`: because of a key. */
void app_redraw(struct app *app, bool at_once);
void app_suspend(struct app *app);
void app_repaint(struct app *app);
/* Gives the terminal to another program until app_repaint. */
void app_release(struct app *app);
/* Text to the clipboard of the terminal and to the user's clipboard file; says so. */
void app_copy(struct app *app, const char *text, size_t length);
int app_set_theme(struct app *app, const char *name, struct error *error);
struct settings *app_settings(struct app *app);
struct generator *app_generator(struct app *app);
/* The line about the model. */
const char *app_about(const struct app *app);
struct library *app_library(struct app *app);
struct bindings *app_bindings(struct app *app);
/* A number that no chat has had yet. */
uint32_t app_new_slot(struct app *app);
struct workspace *app_workspace(struct app *app);
uint64_t app_now_ms(void);

#endif
