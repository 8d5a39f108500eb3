/*
 * prompt.h - conversation -> segments: the wrapper, the closed-context blocks, the turns.
 *
 * The bytes are those that the airoboros models were trained on. Content is checked line by line
 * against every delimiter and role marker of the template; a match is defused visibly and
 * reported.
 */
#ifndef AIRO_CHAT_PROMPT_H
#define AIRO_CHAT_PROMPT_H

#include <stdbool.h>

#include "engine/chat/conversation.h"
#include "engine/chat/segment.h"
#include "engine/chat/template.h"
#include "engine/model/tokenizer.h"

struct prompt_style {
    const char *system; /* NULL: the template's own */
    bool ask_source;    /* append " Source?" to closed-context instructions */
    bool no_making_up;  /* append " Don't make up answers if you don't know." to them */
    bool plain_format;  /* append " PLAINFORMAT" to ordinary instructions */
};

#define PROMPT_NOTES_MAX 100

/* The defused lines, for the user: "notes.txt line 12: ENDINPUT". No more than PROMPT_NOTES_MAX;
 * the last then ends in ", and more". */
struct prompt_notes {
    char **lines;
    size_t count, capacity;
};

void prompt_notes_free(struct prompt_notes *notes);

/* The prompt for the reply that comes after the conversation's tip. `draft` (NULL or the text
 * being typed) is put as a further user turn with `documents` attached (may be NULL). `notes` may
 * be NULL. Fails only when the template asks for a special token that the model does not have.
 * `tokenizer` NULL: special tokens get id -1 (enough for text and for the fake generator). */
int prompt_build(struct segment_list *out, const struct chat_template *template,
                 const struct tokenizer *tokenizer, const struct conversation *conversation,
                 const char *draft, const struct document_list *documents,
                 const struct prompt_style *style, struct prompt_notes *notes, struct error *error);

#endif
