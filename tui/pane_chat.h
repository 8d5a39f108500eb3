/*
 * pane_chat.h - the pane that talks: transcript, composer, and the start page while there is
 * nothing to show.
 *
 * It has two states: writing (the line editor has the keys) and reading (single keys act on the
 * transcript).
 */
#ifndef AIRO_TUI_PANE_CHAT_H
#define AIRO_TUI_PANE_CHAT_H

#include "tui/app.h"
#include "tui/chat.h"
#include "tui/composer.h"
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
    struct composer_draft draft; /* while another pane has the line editor */
    bool focused, reading;
    struct queued *queue; /* typed while a reply runs */
    unsigned long armed;  /* the key that was a Ctrl-C at an empty line: another one leaves */
    int starter;          /* of the start page, that is typed; -1: none */
    int editing;          /* the message that the typed text is to stand beside; -1: none */
    struct composer_draft aside; /* what was typed before an edit began */
    struct rect body;            /* of the transcript, from the pane's corner, as last drawn */
    int deleted;                 /* the message deleted last; -1: none */
    int marked;                  /* the reply with marks on words that no document has; -1: none */
    char *speakers;              /* that the transcript was told of; scene_talk.c */
    /* The draft's count: which version it is of, when the next is due. */
    unsigned long counted_version;
    uint64_t count_due_ms;
    uint64_t typed_ms; /* when the last key came */
    bool count_waits;  /* counts take long: not while one types */
    /* The draft on disk: which version it is, when a newer one is due, whether there is one. */
    unsigned long kept_version;
    uint64_t draft_due_ms;
    bool draft_kept;
    /* What goes on with documents; each module's own, NULL until it is needed. */
    struct documents *documents;
    struct answer_check *check;
    struct fit_passages *passages;
    uint64_t work_due_ms;
    unsigned long changes; /* rises when the prompt may have changed by other means than typing */
};

/* A chat of its own on the app's generator. */
int pane_chat_create(struct pane **out, struct app *app, struct error *error);
/* A chat of the library in place of the one that is there (which is kept). */
int pane_chat_show(struct pane_chat *pane, int64_t row, struct error *error);
/* A new chat in its place; what is typed stays with the old one. No reply may run. */
void pane_chat_begin_new(struct pane_chat *pane);
/* The transcript anew from the path: after a change of it. */
void pane_chat_refill(struct pane_chat *pane);
/* The same with the view on one message, and the cursor. */
void pane_chat_refill_at(struct pane_chat *pane, int id);
/* A reply has begun elsewhere in the tree: the transcript anew, and its end. */
void pane_chat_show_reply(struct pane_chat *pane, const struct prompt_notes *notes);
/* The message's text is in the line editor; sending it puts it beside the message. */
void pane_chat_edit(struct pane_chat *pane, const struct message *message);
/* Leaves an edit; false when there is none. */
bool pane_chat_leave_edit(struct pane_chat *pane);
/* The pane as a chat; NULL when it is none, or NULL. */
struct pane_chat *pane_chat_of(const struct pane *pane);
const struct gauge *pane_chat_gauge(const struct pane_chat *pane);

/* What actions need. */
void pane_chat_send(struct pane_chat *pane, const char *text);
void pane_chat_begin_reply(struct pane_chat *pane, const struct prompt_notes *notes);
void pane_chat_say(struct pane_chat *pane, enum transcript_kind kind, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void pane_chat_drop_queue(struct pane_chat *pane);
/* Into the composer, as if it were typed, whether the pane has the focus or not. */
void pane_chat_type(struct pane_chat *pane, const char *text);
/* Text that could not be sent: before what has been typed since. */
void pane_chat_give_back(struct pane_chat *pane, const char *text);
/* Reading or writing. */
void pane_chat_read(struct pane_chat *pane, bool reading);
/* Ctrl-C at an empty line: true when the key before was one too. */
bool pane_chat_arm(struct pane_chat *pane);
/* Appends what is typed here, pastes unfolded, whether the pane has the focus or not. */
void pane_chat_draft(const struct pane_chat *pane, struct strbuf *out);
/* The numbers have changed by other means than typing. */
void pane_chat_recount(struct pane_chat *pane);

#endif
