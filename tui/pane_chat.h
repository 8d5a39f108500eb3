/*
 * pane_chat.h - the pane that talks: title, transcript, composer, gauge, and the start page while
 * there is nothing to show.
 */
#ifndef AIRO_TUI_PANE_CHAT_H
#define AIRO_TUI_PANE_CHAT_H

#include "tui/app.h"
#include "tui/chat.h"
#include "tui/pane.h"
#include "tui/transcript.h"

struct queued {
    char *text;
    struct queued *next;
};

/* Open for actions.c, which does what keys and commands ask. */
struct pane_chat {
    struct pane base;
    struct app *app;
    struct chat *chat;
    struct transcript *transcript;
    char *about;          /* the line about the model */
    struct queued *queue; /* typed while a reply runs */
    bool leave_armed;     /* Ctrl-C once at an empty prompt */
    /* The draft's count: which version it is of, when the next is due, how long one takes. */
    unsigned long counted_version;
    uint64_t count_due_ms;
    double count_cost_ms;
};

/* Takes `about` (may be NULL) over; the generator stays the app's. */
int pane_chat_create(struct pane **out, struct app *app, struct generator *generator, char *about,
                     const char *history_path, struct error *error);

/* What actions need. */
void pane_chat_send(struct pane_chat *pane, const char *text);
void pane_chat_begin_reply(struct pane_chat *pane, const struct prompt_notes *notes);
void pane_chat_say(struct pane_chat *pane, enum transcript_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void pane_chat_drop_queue(struct pane_chat *pane);
/* The numbers have changed by other means than typing. */
void pane_chat_recount(struct pane_chat *pane);

#endif
