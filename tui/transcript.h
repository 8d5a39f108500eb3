/*
 * transcript.h - the messages of a chat and what the program has to say, as scrolled rows.
 *
 * Role markers stand in a gutter that message text never reaches, so a reply cannot fake one. The
 * view follows the end only while it is there; otherwise new text leaves it where it is. Messages
 * are borrowed from the conversation and may grow; other texts are copied.
 */
#ifndef AIRO_TUI_TRANSCRIPT_H
#define AIRO_TUI_TRANSCRIPT_H

#include <stdbool.h>

#include "engine/chat/conversation.h"
#include "tui/terminal.h"

enum transcript_kind {
    TRANSCRIPT_USER,
    TRANSCRIPT_REPLY,
    TRANSCRIPT_NOTICE,
    TRANSCRIPT_TABLE, /* lines of "NAME  what it is", the name TRANSCRIPT_NAME_COLUMNS wide */
    TRANSCRIPT_ERROR,
    TRANSCRIPT_QUEUED, /* typed while a reply runs, not yet sent */
    TRANSCRIPT_KINDS,
};

#define TRANSCRIPT_NAME_COLUMNS 22

struct transcript;

struct transcript *transcript_create(void);
void transcript_free(struct transcript *transcript);
void transcript_clear(struct transcript *transcript);
bool transcript_is_empty(const struct transcript *transcript);

void transcript_add_message(struct transcript *transcript, const struct message *message);
void transcript_add_text(struct transcript *transcript, enum transcript_kind kind,
                         const char *text);
/* "with a.txt, b.txt", a new string; NULL: none is attached. */
char *transcript_attachments(const struct document_list *documents);
/* A line under the message, such as "stopped"; NULL or "" takes it away. */
void transcript_set_note(struct transcript *transcript, const struct message *message,
                         const char *note);
/* "‹ 2/3 ›" under the message when there are several; `index` from 0. */
void transcript_set_alternatives(struct transcript *transcript, const struct message *message,
                                 unsigned index, unsigned count);
/* Lines that begin with one of the names and a colon show it in a colour of its own; `user_name`
 * may be NULL. Copied. */
void transcript_set_speakers(struct transcript *transcript, const char *const *names, size_t count,
                             const char *user_name);
/* Bytes of a message's text that are drawn in another style, in order: STYLE_UNSUPPORTED for words
 * without a source, STYLE_ERROR for a source that is not known. Copied; replaces those before. */
struct transcript_mark {
    size_t start, end;
    enum style style;
};
void transcript_set_marks(struct transcript *transcript, const struct message *message,
                          const struct transcript_mark *marks, size_t count);
/* Takes away every item of one kind, or one message. */
void transcript_remove_kind(struct transcript *transcript, enum transcript_kind kind);
void transcript_remove_message(struct transcript *transcript, const struct message *message);
/* Text has come: shown at the end, or announced when the view is elsewhere. */
void transcript_grew(struct transcript *transcript);

/* Rows up (negative) or down; pages of the height last drawn. */
void transcript_scroll(struct transcript *transcript, int rows);
void transcript_scroll_pages(struct transcript *transcript, int pages);
void transcript_scroll_end(struct transcript *transcript, bool bottom);
/* The end, but of a last item that is taller than the view, its beginning. */
void transcript_show_last(struct transcript *transcript);
bool transcript_at_bottom(const struct transcript *transcript);

/* How often the rows of an item were computed: what is out of view costs none. */
unsigned long transcript_layouts(const struct transcript *transcript);

void transcript_draw(struct transcript *transcript, struct terminal *terminal,
                     const struct rect *area);

#endif
