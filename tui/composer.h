/*
 * composer.h - the line editor: GNU readline through its callbacks, drawn by us.
 *
 * Readline is one per process, and so is the composer; composer.c is the only file that touches
 * readline or keeps its state. The user's ~/.inputrc applies; keys that move or delete work on
 * grapheme clusters; Enter accepts, a newline is inserted on request. A large paste is one
 * undoable edit and is shown folded.
 */
#ifndef AIRO_TUI_COMPOSER_H
#define AIRO_TUI_COMPOSER_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/base/error.h"
#include "engine/base/strbuf.h"
#include "tui/paste.h"
#include "tui/terminal.h"

struct composer_options {
    int tty_fd;               /* where more bytes come from when a key is incomplete */
    const char *history_path; /* NULL: no history kept */
    /* The index-th word that could stand at `start` of the line, NULL past the last; words are
     * freed by the composer. *files: complete file names instead. */
    char *(*complete)(void *user, const char *line, int start, unsigned index, bool *files);
    void *user;
};

/* An error is a notice ("history is not kept: ..."): the composer works all the same. */
int composer_open(const struct composer_options *options, struct error *error);
void composer_close(void);

/* What a pane has typed while another has the line editor: text, cursor, pastes and the steps that
 * undo takes back. Zero-initialise; composer_draft_free. */
struct composer_draft {
    char *text;
    int point;
    struct paste_list pastes;
    void *undo; /* readline's own list */
};

/* Takes what is typed out into `draft` (which was empty), leaving the editor empty. */
void composer_store(struct composer_draft *draft);
/* Puts it back, in place of what is there; the draft is empty after it. */
void composer_load(struct composer_draft *draft);
void composer_draft_free(struct composer_draft *draft);
/* As the composer draws it, when another pane has the editor. */
void composer_draw_draft(const struct composer_draft *draft, struct terminal *terminal,
                         const struct rect *area, const char *placeholder);
/* Escape means something to the editor now: vi keys, or a search. */
bool composer_takes_escape(void);

/* One key's bytes, or several characters. */
void composer_feed(const char *bytes, size_t length);
/* Text as one edit, whatever is in it. */
void composer_paste(const char *text, size_t length);
/* Replaces everything. */
void composer_set_text(const char *text);
/* Empties it; what was there can be yanked back. */
void composer_clear(void);
bool composer_is_empty(void);
/* Counts edits: a change of this number is a change of the text. */
unsigned long composer_version(void);
/* Appends the text, pastes unfolded. */
void composer_text(struct strbuf *out);
/* True once after Enter, with the accepted text in `out`. */
bool composer_take(struct strbuf *out);
void composer_add_history(const char *text);

/* Rows that the text (and a list of completions) takes at this width. */
int composer_rows(int columns);
/* Draws the last rows that hold the cursor. `typing`: keys come here, and the terminal's cursor is
 * set; otherwise the text is dim. `placeholder` is shown when it is empty. */
void composer_draw(struct terminal *terminal, const struct rect *area, bool typing,
                   const char *placeholder);

#endif
