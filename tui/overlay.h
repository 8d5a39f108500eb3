/*
 * overlay.h - what lies over the panes and has all keys: a list to pick from, or a question.
 *
 * Both are opened in one call and answer through a function, once or never; then they are gone.
 * What is typed goes through the line editor, with a draft of its own.
 */
#ifndef AIRO_TUI_OVERLAY_H
#define AIRO_TUI_OVERLAY_H

#include "tui/app.h"
#include "tui/pane.h"

/* --- a list to pick from --------------------------------------------------------------------- */

struct picker_item {
    char *label, *detail; /* detail stands at the right, may be NULL; owned by the picker */
};

struct picker {
    const char *title, *placeholder;
    struct picker_item *items; /* taken over, in the order that is shown while nothing is typed */
    size_t count;
    /* The one that was picked. The picker is no longer there when this runs. */
    void (*choose)(struct app *app, void *user, size_t index);
    /* The one that is looked at; may be NULL. Called with `count` when the picker is left. */
    void (*preview)(struct app *app, void *user, size_t index);
    void (*free_user)(void *user); /* may be NULL */
    void *user;
};

void picker_open(struct app *app, const struct picker *picker);

/* --- a question ------------------------------------------------------------------------------ */

struct question {
    const char *title, *hint; /* the hint stands below the line, may be NULL */
    const char *initial;      /* what the line begins with, may be NULL */
    bool files;               /* Tab completes file names */
    void (*answer)(struct app *app, void *user, const char *text);
    void (*free_user)(void *user); /* may be NULL */
    void *user;
};

void question_open(struct app *app, const struct question *question);

/* True for a question that completes file names. */
bool question_takes_files(const struct pane *pane);

/* --- for actions_overlay.c ------------------------------------------------------------------- */

void overlay_accept(struct pane *pane);
void overlay_cancel(struct pane *pane);

#endif
