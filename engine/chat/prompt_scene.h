/*
 * prompt_scene.h - what a scene gives to a prompt: its text with the lore that fires, the system
 * text of its cards, what they want after the history.
 *
 * Plain text, not yet defused. For prompt.c.
 */
#ifndef AIRO_CHAT_PROMPT_SCENE_H
#define AIRO_CHAT_PROMPT_SCENE_H

#include "engine/chat/prompt.h"

/* What is scanned for lore: the messages path[0..count) of the conversation, then the draft (NULL:
 * none). Turns that are left out are scanned too, so that leaving them out changes no lore. */
struct prompt_talk {
    const struct conversation *conversation;
    const int *path;
    size_t count;
    const char *draft;
};

/* The text before the first message. `notes` may be NULL. */
void prompt_scene_text(const struct prompt_style *style, const struct prompt_talk *talk,
                       const struct tokenizer *tokenizer, struct prompt_notes *notes,
                       struct strbuf *out);
/* The system text: `own`, or what cards put in its place. */
void prompt_scene_system(const struct prompt_style *style, const char *own, struct strbuf *out);
/* The post_history_instructions of the cards; nothing when there are none. */
void prompt_scene_after(const struct prompt_style *style, struct strbuf *out);

#endif
