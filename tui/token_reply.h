/*
 * token_reply.h - a reply as the tokens it was generated in: their texts, the keys of their places
 * (token_probes.h), and where they stand in rows of a width.
 */
#ifndef AIRO_TUI_TOKEN_REPLY_H
#define AIRO_TUI_TOKEN_REPLY_H

#include "tui/chat.h"

struct reply_token {
    int32_t id;
    size_t begin, length; /* of what is shown, in `shown` */
    bool breaks;          /* ends a line */
    bool word;            /* a word begins with it */
    uint64_t key;         /* of its place; 0 while the prompt is not known */
    int row, column, columns;
    bool hangs; /* its space stands before the row, where nothing is drawn */
};

/* Zero-initialise; token_reply_free. */
struct token_reply {
    struct strbuf shown; /* sanitised */
    struct reply_token *tokens;
    size_t count;
    struct segment_list prompt; /* that the reply answers */
    int columns, rows;          /* as laid out last */
    size_t letter;              /* the token that is the letter of a choice; `count`: none */
};

/* `with_prompt`: also what the model had before the reply, without which nothing can be asked. */
int token_reply_build(struct token_reply *reply, struct chat *chat, const struct message *message,
                      bool with_prompt, struct error *error);
void token_reply_free(struct token_reply *reply);

/* Rows of at most so many columns; nothing is done when they are the same as last time. */
void token_reply_layout(struct token_reply *reply, int columns);
/* The token in a row that is nearest to the column. */
size_t token_reply_at(const struct token_reply *reply, int row, int column);

#endif
