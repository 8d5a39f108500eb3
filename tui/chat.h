/*
 * chat.h - one chat: its conversation, the reply that runs, documents for the next message, its
 * scene, its place in the library, and the numbers for the gauge. Knows no screen.
 *
 * The whole prompt is handed to the generator each time; what of it is already evaluated is the
 * engine's business. What changes is handed to the library's writer at once; chat_is_saved says
 * when all of it is on the disk.
 */
#ifndef AIRO_TUI_CHAT_H
#define AIRO_TUI_CHAT_H

#include <stdbool.h>

#include "engine/chat/conversation.h"
#include "engine/chat/prompt.h"
#include "engine/chat/scene.h"
#include "engine/chat/scene_speech.h"
#include "engine/chat/template.h"
#include "engine/infer/generator.h"
#include "tui/gauge.h"
#include "tui/library.h"
#include "tui/settings.h"

#define CHAT_ANYONE (-1) /* the model chooses who speaks */
#define CHAT_USER   (-2) /* the model writes the user's next line */

struct chat {
    struct settings *settings;   /* borrowed */
    struct generator *generator; /* borrowed */
    struct library *library;     /* borrowed; NULL: nothing is kept */
    struct chat_template *template;
    struct conversation *conversation;
    struct document_list attached; /* go with the next message */
    char *system;                  /* NULL: the settings' or the template's */
    char *title;                   /* NULL: made from the first message */
    struct scene *scene;           /* NULL: none */
    int speaker;                   /* of the next reply, in a scene: an index or one of the above */
    unsigned long scene_version;   /* rises with each change of the scene */
    size_t greeting;               /* the first message that stands there, of the scene's */
    /* What is left out of the prompt so that it fits: set by the user's choice. */
    size_t skip_turns, skip_examples;

    struct message *reply; /* runs now, or NULL */
    uint64_t generation;
    struct scene_watch watch;   /* over the reply */
    size_t watch_begin;         /* bytes the reply had when the watch began */
    bool cut;                   /* the watch has cut the reply: what still comes is dropped */
    struct message *unanswered; /* got no reply at all; retry sends it again. Or NULL */

    unsigned long number; /* rises when another chat takes this one's place */
    int64_t row;          /* in the store, 0: not there yet */
    uint64_t change;      /* the last one handed to the writer */
    uint64_t kept_ms;     /* when the reply that runs was last handed over */
    uint32_t slot;        /* for counting */
    uint64_t count_ticket;
    bool count_empty; /* nothing was typed when that count began */
    struct gauge gauge;
};

enum chat_change { CHAT_SAME, CHAT_PROGRESSED, CHAT_GREW, CHAT_ENDED, CHAT_FAILED };

/* `slot`: a number that no other open chat has. */
int chat_open(struct chat **out, struct settings *settings, struct generator *generator,
              struct library *library, uint32_t slot, struct error *error);
void chat_free(struct chat *chat);

/* Forgets everything but the settings: a new chat. The old one stays in the library. */
void chat_reset(struct chat *chat);
/* Becomes a chat of the library; the draft that was typed there is *draft (to be freed, may be
 * NULL). On error nothing has changed. */
int chat_load(struct chat *chat, int64_t row, char **draft, struct error *error);

/* --- replies --------------------------------------------------------------------------------- */

/* Adds the message with the attached documents and starts its reply. On error nothing has changed:
 * text and documents are still the caller's to send. `notes` receives defused lines. */
int chat_send(struct chat *chat, const char *text, struct prompt_notes *notes, struct error *error);
/* Another reply to the last message, beside the one there is. */
int chat_retry(struct chat *chat, struct prompt_notes *notes, struct error *error);
/* Another reply in the place of this one, which becomes an alternative. */
int chat_regenerate(struct chat *chat, const struct message *reply, struct prompt_notes *notes,
                    struct error *error);
/* More of the last reply. */
int chat_continue(struct chat *chat, struct error *error);
/* A further reply after the last one, by the chosen speaker: scenes go on without the user. */
int chat_next_line(struct chat *chat, struct prompt_notes *notes, struct error *error);
/* The message with another text, beside the one there is; a user's message gets a reply. */
int chat_edit(struct chat *chat, const struct message *message, const char *text,
              struct prompt_notes *notes, struct error *error);
/* A reply beside this one that begins with its first `kept` ids and then `id`, and goes on. */
int chat_branch_at(struct chat *chat, const struct message *reply, size_t kept, int32_t id,
                   struct error *error);
/* Stops the reply; what came is kept. DONE follows. */
void chat_cancel(struct chat *chat);
bool chat_is_replying(const struct chat *chat);

/* Takes an event in. CHAT_ENDED: the reply in *message is complete or stopped (see partial);
 * CHAT_FAILED: event->error says why. */
enum chat_change chat_event(struct chat *chat, const struct event *event, struct message **message);

/* --- the tree -------------------------------------------------------------------------------- */

/* The path goes through this message from now on. */
void chat_select(struct chat *chat, int id);
void chat_delete(struct chat *chat, int id);
void chat_undelete(struct chat *chat, int id);
/* The last message of the current path, NULL when there is none. */
struct message *chat_tip(const struct chat *chat);

/* --- scenes, system line, title -------------------------------------------------------------- */

/* Takes the scene over (NULL: none). An empty chat gets the scene's first message. */
void chat_set_scene(struct chat *chat, struct scene *scene);
/* After a change of chat->scene in place. */
void chat_scene_changed(struct chat *chat);
/* True while nothing but a first message of the scene stands there. */
bool chat_greets(const struct chat *chat);
/* Puts another first message of the scene (scene_greeting_count) in the place of that. */
void chat_greet(struct chat *chat, size_t index);
/* Appends the scene's opening instruction as it would be sent. */
void chat_opening(const struct chat *chat, struct strbuf *out);
/* Whose turn it would be if all of the scene spoke in order: after the one who spoke last. 0 where
 * nobody has. The scene has a character. */
int chat_turn(const struct chat *chat);
/* Takes the tip away again: the path ends before it. */
void chat_take_back(struct chat *chat, int id);
/* Changes the system line ("": does not; "default": the template's own); returns what it is. */
const char *chat_system(struct chat *chat, const char *text);
/* Appends the title, or the beginning of the first message. */
void chat_title(const struct chat *chat, struct strbuf *out);
void chat_rename(struct chat *chat, const char *title);

/* --- the prompt ------------------------------------------------------------------------------ */

/* What the model would get if `draft` were sent (NULL: for a reply to the tip). */
int chat_prompt(const struct chat *chat, const char *draft, struct segment_list *out,
                struct prompt_notes *notes, struct error *error);
/* Exact tokens, by part (parts [PARTS]) and in all, of what would be sent if `draft` were. */
int chat_count_prompt(const struct chat *chat, const char *draft, size_t *parts, size_t *total,
                      struct error *error);
/* The same into the gauge, without waiting: an event brings it. */
int chat_count(struct chat *chat, const char *draft, struct error *error);
/* Leaves the oldest turns and examples out until the prompt and `reserve` tokens of a reply fit. */
int chat_fit(struct chat *chat, const char *draft, size_t reserve, struct error *error);

/* --- keeping --------------------------------------------------------------------------------- */

/* All of the chat that was ever handed to the writer is on the disk. */
bool chat_is_saved(const struct chat *chat);
/* The attached documents or the draft have changed. */
void chat_keep_documents(struct chat *chat);
/* Documents that were sent have been switched on or off. */
void chat_keep_sent_documents(struct chat *chat, const struct message *message);
void chat_keep_draft(struct chat *chat, const char *draft);
/* The current path as text, into a new file that only the user can read. */
int chat_save(const struct chat *chat, const char *path, struct error *error);

#endif
