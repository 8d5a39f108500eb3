/*
 * pane.h - one region of the screen: an ops struct and private state. A new kind is one file.
 */
#ifndef AIRO_TUI_PANE_H
#define AIRO_TUI_PANE_H

#include <stdint.h>

#include "engine/infer/event.h"
#include "tui/input.h"
#include "tui/terminal.h"

struct pane;

struct pane_ops {
    void (*draw)(struct pane *pane, struct terminal *terminal, const struct rect *area);
    void (*input)(struct pane *pane, const struct input_token *token);
    /* An event of the generator; a pane ignores those of other panes' generations. Borrowed. */
    void (*event)(struct pane *pane, const struct event *event);
    /* Milliseconds until tick wants to be called, -1: never. */
    int (*timeout)(const struct pane *pane, uint64_t now_ms);
    void (*tick)(struct pane *pane, uint64_t now_ms);
    void (*free)(struct pane *pane);
};

/* Implementations begin with this. */
struct pane {
    const struct pane_ops *ops;
};

#endif
