/*
 * prompt.h - conversation -> segments: the wrapper, the scene, the closed-context blocks, the
 * turns.
 *
 * The bytes are those that the airoboros models were trained on. Content is checked line by line
 * against every delimiter and role marker of the template; a match is defused visibly and
 * reported.
 *
 * A turn is a user message with the replies after it; replies that nobody asked for (the first
 * message of a scene) are a turn of their own. What fits into a context: prompt_fit.h.
 */
#ifndef AIRO_CHAT_PROMPT_H
#define AIRO_CHAT_PROMPT_H

#include <stdbool.h>

#include "engine/chat/conversation.h"
#include "engine/chat/prompt_report.h"
#include "engine/chat/scene_text.h"
#include "engine/chat/segment.h"
#include "engine/chat/template.h"
#include "engine/model/tokenizer.h"

/* Everything may be zero but what is said of `system`. */
struct prompt_style {
    const char *system; /* NULL: the template's own */
    bool ask_source;    /* append " Source?" to closed-context instructions */
    bool no_making_up;  /* append " Don't make up answers if you don't know." to them */
    bool plain_format;  /* append " PLAINFORMAT" to ordinary instructions */

    const struct scene *scene;  /* stands before the first turn's text; NULL: none */
    bool own_system;            /* `system` holds, whatever system text a card brings */
    size_t skip_examples;       /* so many example blocks of cards stay out, the last first */
    const char *const *lore;    /* further texts for the scene, NULL-terminated; NULL: none */
    struct macro_context clock; /* seed and time for the scene's macros */
    /* The oldest turns that are left out. Their documents stay: the first turn that is left gets
     * those that no other turn has. The last turn always stays. */
    size_t skip_turns;
    /* What the reply begins with ("Yoda:", scene_prefix): content at the end of the prompt, on a
     * line of its own when the conversation ends in a reply. The reply that comes is what follows
     * it. "": only the line of its own. NULL: nothing, so that a reply at the end is continued. */
    const char *prefix;
};

/* The prompt for the reply that comes after the conversation's tip. `draft` (NULL or the text
 * being typed) is put as a further user turn with `documents` attached (may be NULL). `notes` may
 * be NULL; it must have been zeroed or freed. Documents are owned by their index in the list that
 * they come from. Fails only when the template asks for a special token that the model does not
 * have. `tokenizer` NULL: special tokens get id -1 (enough for text and for the fake generator),
 * and the cost of lore is guessed at a token for four bytes. */
int prompt_build(struct segment_list *out, const struct chat_template *template,
                 const struct tokenizer *tokenizer, const struct conversation *conversation,
                 const char *draft, const struct document_list *documents,
                 const struct prompt_style *style, struct prompt_notes *notes, struct error *error);

/* The turns on the path to the tip. */
size_t prompt_turns(const struct conversation *conversation);

#endif
