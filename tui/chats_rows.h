/*
 * chats_rows.h - how one entry of the chats pane looks: a chat in a row, a search's find in two.
 */
#ifndef AIRO_TUI_CHATS_ROWS_H
#define AIRO_TUI_CHATS_ROWS_H

#include <stdbool.h>

#include "engine/chat/store_search.h"
#include "tui/terminal.h"

#define HIT_ROWS 2

struct chats_row_state {
    bool selected; /* and the pane has the keys */
    bool current;  /* the chat pane shows it that had the focus last */
    bool open;     /* some pane does */
    bool replying;
    int64_t now_s; /* for its age */
};

/* "● A title               12    2 h" */
void chats_row_draw(struct terminal *terminal, const struct rect *row,
                    const struct store_entry *entry, const struct chats_row_state *state);
/* The title, and below it the words that were found. `area` has HIT_ROWS rows. */
void chats_hit_draw(struct terminal *terminal, const struct rect *area, const struct store_hit *hit,
                    const struct chats_row_state *state);

#endif
