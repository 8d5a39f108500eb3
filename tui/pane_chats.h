/*
 * pane_chats.h - the list of the chats, what is deleted, and the search through all of them.
 *
 * While a search is typed the line editor is the pane's; then characters are no keys.
 */
#ifndef AIRO_TUI_PANE_CHATS_H
#define AIRO_TUI_PANE_CHATS_H

#include "tui/app.h"
#include "tui/chats_list.h"
#include "tui/composer.h"
#include "tui/list.h"
#include "tui/pane.h"

/* Open for actions_chats.c. */
struct pane_chats {
    struct pane base;
    struct app *app;
    struct chats_list chats;
    struct list list;
    int64_t selected;            /* the row of the chat, to be found again after reading */
    bool focused, typing;        /* a search */
    struct composer_draft draft; /* of it, while another pane has the line editor */
    unsigned long searched;      /* the version of the line that is searched for */
    int top;                     /* the list's first row in the pane, as drawn */
};

struct pane *pane_chats_create(struct app *app);
/* The pane as one of chats; NULL when it is none. */
struct pane_chats *pane_chats_of(const struct pane *pane);

/* The chat that is selected; 0: none. */
int64_t pane_chats_selected(const struct pane_chats *pane);
/* Shows the chats again, or the deleted ones. */
void pane_chats_show(struct pane_chats *pane, enum chats_kind kind);
/* A search is typed from now on; `text` is its beginning. */
void pane_chats_find(struct pane_chats *pane, const char *text);
/* The search is typed to its end: its finds are the list. */
void pane_chats_end_typing(struct pane_chats *pane);
/* Opens it in a chat pane; of a search, at the message that was found. */
void pane_chats_open_selected(struct pane_chats *pane);
/* Takes it out of the list, whatever the disk says yet. */
void pane_chats_remove_selected(struct pane_chats *pane);
/* Selects this chat as soon as it is listed. */
void pane_chats_select(struct pane_chats *pane, int64_t row);

#endif
