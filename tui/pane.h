/*
 * pane.h - one region of the screen: an ops struct and private state. A new kind is one file.
 *
 * The workspace owns the panes, gives each its rectangle and its header row, and sends keys to the
 * one that has the focus. What keys mean is said by tables of actions (actions.h), not by panes:
 * a pane's input() gets what no table took. An overlay is a pane that lies over the others and gets
 * all input while it is there.
 */
#ifndef AIRO_TUI_PANE_H
#define AIRO_TUI_PANE_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/base/strbuf.h"
#include "engine/infer/event.h"
#include "tui/input.h"
#include "tui/terminal.h"

struct pane;

/* Which table of actions a key is looked up in first; see actions.c. */
enum action_context {
    CONTEXT_ANYWHERE, /* last, in every pane */
    CONTEXT_COMPOSER, /* a chat whose line editor has the keys */
    CONTEXT_TRANSCRIPT,
    CONTEXT_CHATS,
    CONTEXT_DOCUMENTS,
    CONTEXT_SCENE,
    CONTEXT_PROMPT,
    CONTEXT_TOKEN,
    CONTEXT_HELP,
    CONTEXT_OVERLAY, /* palette, questions: nothing else is looked up */
    CONTEXTS,
};

struct pane_ops {
    const char *kind;          /* "chat", "documents": as commands name it */
    int columns_min, rows_min; /* smaller, and the workspace hides the pane */
    int columns_wanted;        /* of a side pane; 0: shares evenly with others */
    /* On a narrower screen the pane has all of it while it has the focus, else nothing. 0: none. */
    int screen_columns_min;
    enum action_context (*context)(const struct pane *pane);
    /* What its header says; untrusted text is fine. */
    void (*title)(const struct pane *pane, struct strbuf *out);
    /* `focused`: keys come here, and the cursor may be set. */
    void (*draw)(struct pane *pane, struct terminal *terminal, const struct rect *area,
                 bool focused);
    /* What no action took; mouse events with row and column counted from the pane's corner. */
    void (*input)(struct pane *pane, const struct input_token *token);
    /* The focus comes or goes: the line editor is taken or given back. May be NULL. */
    void (*focus)(struct pane *pane, bool focused);
    /* An event of the generator; a pane ignores those of other panes' generations. Borrowed. May
     * be NULL. */
    void (*event)(struct pane *pane, const struct event *event);
    /* Milliseconds until tick wants to be called, -1: never. Both may be NULL. */
    int (*timeout)(const struct pane *pane, uint64_t now_ms);
    void (*tick)(struct pane *pane, uint64_t now_ms);
    /* False: the pane must not be closed now, and has said why. May be NULL. */
    bool (*may_close)(struct pane *pane);
    void (*free)(struct pane *pane);
};

/* Implementations begin with this. */
struct pane {
    const struct pane_ops *ops;
};

#endif
