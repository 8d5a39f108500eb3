/*
 * prompt_flow.h - a prompt's text as units to draw, one for each character, and as rows of them.
 *
 * A row is known by the byte at which it begins; nothing is kept about rows, so a change of width
 * costs nothing and no prompt is too long.
 */
#ifndef AIRO_TUI_PROMPT_FLOW_H
#define AIRO_TUI_PROMPT_FLOW_H

#include "tui/prompt_view.h"
#include "tui/style.h"

struct prompt_look {
    int columns;
    bool wrap;         /* false: a line is one row */
    bool tokens;       /* show where tokens begin */
    bool ids;          /* with `tokens`: and their ids */
    const char *words; /* to mark; "": none */
    size_t current;    /* byte at which the match that was gone to begins */
};

/* Zero-initialise; prompt_flow_begin, then prompt_flow_next for each unit; prompt_flow_free. */
struct prompt_flow {
    const struct prompt_view *view;
    const struct prompt_look *look;
    size_t at, end;
    size_t match_begin, match_end;
    /* The unit: a character, a special token, or the end of a line. */
    size_t begin;
    struct strbuf text, label; /* sanitised; label: ids of the tokens that end with it */
    int columns, label_columns;
    enum style style;
    bool special, may_break; /* may_break: a row may end after it */
};

/* Units of the bytes [begin, end), which begin a row. */
void prompt_flow_begin(struct prompt_flow *flow, const struct prompt_view *view,
                       const struct prompt_look *look, size_t begin, size_t end);
bool prompt_flow_next(struct prompt_flow *flow);
void prompt_flow_free(struct prompt_flow *flow);

#define PROMPT_NO_ROW ((size_t)-1)

/* Where the next row begins, PROMPT_NO_ROW after the last one. */
size_t prompt_row_next(const struct prompt_view *view, const struct prompt_look *look,
                       size_t begin);
/* The one before, PROMPT_NO_ROW before the first. */
size_t prompt_row_previous(const struct prompt_view *view, const struct prompt_look *look,
                           size_t begin);
/* The row that holds a byte. */
size_t prompt_row_of(const struct prompt_view *view, const struct prompt_look *look, size_t offset);

#endif
