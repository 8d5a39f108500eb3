/*
 * message_rows.h - a message's text -> rows, kept while it grows.
 *
 * Only the last part of a growing text is read and broken again (see markdown_split.h); a new width
 * does everything anew.
 */
#ifndef AIRO_TUI_MESSAGE_ROWS_H
#define AIRO_TUI_MESSAGE_ROWS_H

#include "tui/flow.h"
#include "tui/markdown_split.h"

enum message_form {
    MESSAGE_PLAIN, /* as typed; the items of lists hang */
    MESSAGE_MARKDOWN,
    MESSAGE_TABLE, /* lines of "NAME  what it is", the name `name_columns` wide */
};

/* Zero-initialise, set form and style; message_rows_free. */
struct message_rows {
    enum message_form form;
    enum style style; /* of plain text */
    int name_columns;
    struct flow flow;
    bool laid_out, unfinished;
    size_t seen, done; /* bytes of the text: in rows; in parts that are closed */
    struct flow_point point;
    struct markdown_splitter splitter;
    unsigned long bytes_read; /* in all: how much work it was */
};

/* Brings the rows up to date with text[0..length), which may only have grown since the last call
 * (message_rows_reset otherwise). `unfinished`: a reply that goes on. True when something was done.
 */
bool message_rows_update(struct message_rows *rows, const char *text, size_t length, int columns,
                         bool unfinished);
void message_rows_reset(struct message_rows *rows);
void message_rows_free(struct message_rows *rows);

#endif
