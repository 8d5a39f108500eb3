/*
 * template.h - chat templates: files under prompts/templates that a user can edit and add to.
 *
 * The file format is described in prompts/templates/README.md. Text between special tokens is
 * template text; {system}, {instruction}, {reply} are the slots that content goes into.
 */
#ifndef AIRO_CHAT_TEMPLATE_H
#define AIRO_CHAT_TEMPLATE_H

#include <stdbool.h>

#include "engine/base/error.h"
#include "engine/chat/segment.h"

struct chat_template;

/* `name` is "airoboros", "vicuna-1.1", "alpaca", "llama-2-chat", "chatml", "plain", a file of the
 * user's ($XDG_CONFIG_HOME/airo/templates/NAME.ini) or a path. */
int chat_template_open(struct chat_template **out, const char *name, struct error *error);
void chat_template_close(struct chat_template *template);
const char *chat_template_name(const struct chat_template *template);
/* The system line that the template has when the user sets none. */
const char *chat_template_system(const struct chat_template *template);
/* Strings that end a reply (role markers); NULL-terminated. */
const char *const *chat_template_stops(const struct chat_template *template);
/* Strings that must not stand in content as they are: role markers and the block delimiters;
 * NULL-terminated. */
const char *const *chat_template_markers(const struct chat_template *template);

/* The forms of a turn. The reply slot is the last piece of each; what ends a reply begins the
 * next turn. */
enum template_turn { TURN_FIRST, TURN_FIRST_BARE /* no system line */, TURN_NEXT, TURN_FORMS };

enum piece_kind {
    PIECE_TEXT,
    PIECE_SPECIAL, /* `text` is its spelling */
    PIECE_BOS,
    PIECE_EOS,
    PIECE_SYSTEM,
    PIECE_INSTRUCTION,
    PIECE_REPLY,
};

struct template_piece {
    enum piece_kind kind;
    char *text; /* TEXT and SPECIAL, owned by the template */
    size_t length;
};

const struct template_piece *chat_template_pieces(const struct chat_template *template,
                                                  enum template_turn turn, size_t *count);
/* Whether a reply begins a fresh run of tokens, as answers did in the model's training. */
bool chat_template_reply_fresh(const struct chat_template *template);

#endif
