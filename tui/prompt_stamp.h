/*
 * prompt_stamp.h - which prompt a chat stands before, and whether it is still the same.
 */
#ifndef AIRO_TUI_PROMPT_STAMP_H
#define AIRO_TUI_PROMPT_STAMP_H

#include "tui/pane_chat.h"

enum prompt_for {
    PROMPT_FOR_DRAFT,  /* what is typed, were it sent now */
    PROMPT_FOR_REPLY,  /* a reply to the last message */
    PROMPT_FOR_MORE,   /* the last message is a reply: it would be gone on with */
    PROMPT_RUNS,       /* what the reply that runs was asked for with */
    PROMPT_FOR_NOTHING /* nobody has said anything yet */
};

/* A number that changes when the prompt may have: of the chat, its draft and the settings. */
uint64_t prompt_stamp(const struct pane_chat *pane);
/* The prompt as it is now; a draft that is a /command is none. */
int prompt_stamp_build(const struct pane_chat *pane, const char *draft, struct segment_list *out,
                       struct prompt_notes *notes, enum prompt_for *what, struct error *error);
/* "for the draft" */
const char *prompt_stamp_name(enum prompt_for what);

#endif
