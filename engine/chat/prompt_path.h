/*
 * prompt_path.h - the messages that a prompt is made of, and which of them it leaves out.
 */
#ifndef AIRO_CHAT_PROMPT_PATH_H
#define AIRO_CHAT_PROMPT_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "engine/chat/conversation.h"

/* The path to the tip of a conversation, which it borrows; prompt_path_close. */
struct prompt_path {
    const struct conversation *conversation;
    int *ids;
    size_t count, turns, skipped_turns;
    size_t first;     /* the first message that is put */
    size_t last_user; /* the last user message; `count` when there is none or a draft follows */
};

/* `conversation` may be NULL. Leaves out the `skip_turns` oldest turns, but not the last when no
 * draft follows. */
void prompt_path_open(struct prompt_path *path, const struct conversation *conversation,
                      size_t skip_turns, bool draft);
void prompt_path_close(struct prompt_path *path);
const struct message *prompt_path_message(const struct prompt_path *path, size_t i);

/* Whether a message from `from` on, left out or not, or the draft's `documents` (may be NULL) carry
 * the same document. */
bool prompt_path_has(const struct prompt_path *path, size_t from,
                     const struct document_list *documents, const struct document *document);

#endif
