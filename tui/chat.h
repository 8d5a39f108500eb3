/*
 * chat.h - one chat: its conversation, the reply that runs, documents for the next message, and
 * the numbers for the gauge. Knows no screen.
 *
 * The whole prompt is handed to the generator each time; what of it is already evaluated is the
 * engine's business.
 */
#ifndef AIRO_TUI_CHAT_H
#define AIRO_TUI_CHAT_H

#include <stdbool.h>

#include "engine/chat/conversation.h"
#include "engine/chat/prompt.h"
#include "engine/chat/template.h"
#include "engine/infer/generator.h"
#include "tui/gauge.h"
#include "tui/settings.h"

struct chat {
    struct settings *settings;   /* borrowed */
    struct generator *generator; /* borrowed */
    struct chat_template *template;
    struct conversation *conversation;
    struct document_list attached; /* go with the next message */
    struct message *reply;         /* runs now, or NULL */
    uint64_t generation;
    struct message *unanswered; /* got no reply at all; retry sends it again. Or NULL */
    struct gauge gauge;
};

enum chat_change { CHAT_SAME, CHAT_PROGRESSED, CHAT_GREW, CHAT_ENDED, CHAT_FAILED };

int chat_open(struct chat **out, struct settings *settings, struct generator *generator,
              struct error *error);
void chat_free(struct chat *chat);

/* Adds the message with the attached documents and starts its reply. On error nothing has changed:
 * text and documents are still the caller's to send. `notes` receives defused lines. */
int chat_send(struct chat *chat, const char *text, struct prompt_notes *notes, struct error *error);
/* Another reply to the last message, beside the one there is. */
int chat_retry(struct chat *chat, struct prompt_notes *notes, struct error *error);
/* More of the last reply. */
int chat_continue(struct chat *chat, struct error *error);
/* Stops the reply; what came is kept. DONE follows. */
void chat_cancel(struct chat *chat);
bool chat_is_replying(const struct chat *chat);

/* Takes an event in. CHAT_ENDED: the reply in *message is complete or stopped (see partial);
 * CHAT_FAILED: event->error says why. */
enum chat_change chat_event(struct chat *chat, const struct event *event, struct message **message);

/* Exact tokens, by part (parts [PARTS]) and in all, of what would be sent if `draft` were. */
int chat_count_prompt(const struct chat *chat, const char *draft, size_t *parts, size_t *total,
                      struct error *error);
/* The same into the gauge. */
int chat_count(struct chat *chat, const char *draft, struct error *error);

/* Changes the system line ("": does not; "default": the template's own); returns what it is. */
const char *chat_system(struct chat *chat, const char *text);

/* Forgets everything but the settings. */
void chat_reset(struct chat *chat);
/* The last message of the current path, NULL when there is none. */
struct message *chat_tip(const struct chat *chat);

/* The current path as text, into a new file that only the user can read. */
int chat_save(const struct chat *chat, const char *path, struct error *error);

#endif
