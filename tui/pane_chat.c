#include "tui/pane_chat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/actions.h"
#include "tui/answer_check.h"
#include "tui/chat_draft.h"
#include "tui/chat_keep.h"
#include "tui/chat_work.h"
#include "tui/composer.h"
#include "tui/fit_picker.h"
#include "tui/pane_chat_draw.h"
#include "tui/scene_talk.h"
#include "tui/transcript_cursor.h"
#include "tui/workspace.h"

#define STOPPED_NOTE     "stopped · /continue goes on, /retry begins again"
#define UNANSWERED_NOTE  "not answered · /retry sends it again"
#define COUNT_PAUSE_MS   30
#define COUNT_COST_MS    8    /* a count that takes longer on this thread is put off ... */
#define COUNT_IDLE_MS    400  /* ... until nothing was typed for so long */
#define COUNT_COST_SHARE 8    /* counting takes at most one eighth of the time */
#define DRAFT_PAUSE_MS   2000 /* after the last key, until the draft is saved */

static const struct pane_ops chat_ops;

static struct pane_chat *self(const struct pane *pane)
{
    return (struct pane_chat *)(uintptr_t)pane;
}

struct pane_chat *pane_chat_of(const struct pane *pane)
{
    return pane != NULL && pane->ops == &chat_ops ? self(pane) : NULL;
}

const struct gauge *pane_chat_gauge(const struct pane_chat *pane)
{
    struct generator *generator = pane->chat->generator;
    pane->chat->gauge.backend = generator->ops->backend_name(generator); /* it may have changed */
    return &pane->chat->gauge;
}

/* --- saying and sending ---------------------------------------------------------------------- */

void pane_chat_say(struct pane_chat *pane, enum transcript_kind kind, const char *format, ...)
{
    char line[2048];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    transcript_add_text(pane->transcript, kind, line);
    app_redraw(pane->app, true);
}

static void show_alternatives(struct pane_chat *pane, const struct message *message)
{
    const struct conversation *conversation = pane->chat->conversation;
    size_t count = conversation_siblings(conversation, message->id, NULL), at = 0;
    if (count < 2)
        return;
    int *ids = xcalloc(count, sizeof *ids);
    conversation_siblings(conversation, message->id, ids);
    while (at < count && ids[at] != message->id)
        at++;
    transcript_set_alternatives(pane->transcript, message, (unsigned)at, (unsigned)count);
    free(ids);
}

static void add_message(struct pane_chat *pane, const struct message *message)
{
    transcript_add_message(pane->transcript, message);
    show_alternatives(pane, message);
    if (message->partial && message != pane->chat->reply)
        transcript_set_note(pane->transcript, message, STOPPED_NOTE);
}

/* Beside what was attached to it, which a retry sends again. */
static void note_unanswered(struct pane_chat *pane, const struct message *message, const char *note)
{
    char *attached = transcript_attachments(&message->documents);
    char *both = attached != NULL ? xasprintf("%s · %s", attached, note) : xstrdup(note);
    transcript_set_note(pane->transcript, message, both);
    free(both);
    free(attached);
}

static void say_notes(struct pane_chat *pane, const struct prompt_notes *notes)
{
    for (size_t i = 0; i < notes->count; i++)
        pane_chat_say(pane, TRANSCRIPT_NOTICE, "made harmless: %s", notes->lines[i]);
}

void pane_chat_begin_reply(struct pane_chat *pane, const struct prompt_notes *notes)
{
    say_notes(pane, notes);
    add_message(pane, pane->chat->reply);
    transcript_scroll_end(pane->transcript, true);
}

void pane_chat_refill(struct pane_chat *pane)
{
    const struct conversation *conversation = pane->chat->conversation;
    int *ids = xcalloc(conversation->count + 1, sizeof *ids);
    size_t count = conversation_path(conversation, ids);
    bool cursor = transcript_cursor_is_shown(pane->transcript);
    pane->marked = -1;
    transcript_clear(pane->transcript);
    for (size_t i = 0; i < count; i++)
        add_message(pane, conversation->items[ids[i]]);
    free(ids);
    if (pane->chat->unanswered != NULL) {
        add_message(pane, pane->chat->unanswered);
        note_unanswered(pane, pane->chat->unanswered, UNANSWERED_NOTE);
    }
    if (cursor)
        transcript_cursor_show(pane->transcript, count > 0);
    pane->reading = pane->reading && count > 0;
    pane_chat_recount(pane);
}

void pane_chat_refill_at(struct pane_chat *pane, int id)
{
    pane_chat_refill(pane);
    transcript_scroll_end(pane->transcript, true);
    if (!pane->reading)
        return;
    transcript_cursor_show(pane->transcript, true);
    transcript_cursor_to(pane->transcript, pane->chat->conversation->items[id]);
}

void pane_chat_show_reply(struct pane_chat *pane, const struct prompt_notes *notes)
{
    pane_chat_refill(pane);
    say_notes(pane, notes);
    transcript_scroll_end(pane->transcript, true);
    if (pane->reading) /* one goes on reading */
        transcript_cursor_end(pane->transcript, true);
}

void pane_chat_recount(struct pane_chat *pane)
{
    pane->counted_version = composer_version() - 1;
    pane->count_due_ms = 0;
    pane->changes++;
    pane->chat->gauge.counted = false;
    app_redraw(pane->app, true);
}

void pane_chat_send(struct pane_chat *pane, const char *text)
{
    struct error error;
    struct prompt_notes notes = {0};
    struct message *unanswered = pane->chat->unanswered;
    if (chat_work_holds(pane, text))
        return;
    if (chat_send(pane->chat, text, &notes, &error) != 0) {
        if (error.code == ERROR_INPUT && fit_picker_open(pane, text))
            return;
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
        pane_chat_give_back(pane, text);
    } else {
        const struct conversation *conversation = pane->chat->conversation;
        if (unanswered != NULL)
            note_unanswered(pane, unanswered, "not answered, left out");
        add_message(pane, conversation->items[pane->chat->reply->parent]);
        pane_chat_begin_reply(pane, &notes);
    }
    prompt_notes_free(&notes);
    pane_chat_recount(pane);
}

static void queue_text(struct pane_chat *pane, const char *text)
{
    struct queued **link = &pane->queue;
    while (*link != NULL)
        link = &(*link)->next;
    *link = xcalloc(1, sizeof **link);
    (*link)->text = xstrdup(text);
    transcript_add_text(pane->transcript, TRANSCRIPT_QUEUED, text);
}

/* The first goes out; the others are shown after it again. */
static void send_queued(struct pane_chat *pane)
{
    struct queued *first = pane->queue;
    if (first == NULL)
        return;
    pane->queue = first->next;
    transcript_remove_kind(pane->transcript, TRANSCRIPT_QUEUED);
    pane_chat_send(pane, first->text);
    for (struct queued *rest = pane->queue; rest != NULL; rest = rest->next)
        transcript_add_text(pane->transcript, TRANSCRIPT_QUEUED, rest->text);
    free(first->text);
    free(first);
}

/* Back into the composer, so that nothing typed is lost. */
void pane_chat_drop_queue(struct pane_chat *pane)
{
    struct strbuf text = {0};
    while (pane->queue != NULL) {
        struct queued *first = pane->queue;
        pane->queue = first->next;
        strbuf_printf(&text, "%s%s", text.length > 0 ? "\n" : "", first->text);
        free(first->text);
        free(first);
    }
    transcript_remove_kind(pane->transcript, TRANSCRIPT_QUEUED);
    if (text.length > 0)
        pane_chat_give_back(pane, strbuf_text(&text));
    strbuf_free(&text);
}

void pane_chat_read(struct pane_chat *pane, bool reading)
{
    pane->reading = reading && !transcript_is_empty(pane->transcript);
    transcript_cursor_show(pane->transcript, pane->reading);
    app_redraw(pane->app, true);
}

bool pane_chat_arm(struct pane_chat *pane)
{
    unsigned long key = workspace_keys(app_workspace(pane->app)), before = pane->armed;
    pane->armed = key;
    return before > 0 && before + 1 == key;
}

static void accept_line(struct pane_chat *pane, const char *text)
{
    if (chat_draft_is_blank(text)) {
        scene_talk_go_on(pane);
        return;
    }
    composer_add_history(text);
    pane->starter = -1;
    if (pane->draft_kept)
        chat_draft_keep(pane); /* it is a draft no longer */
    if (pane->editing >= 0) {
        chat_draft_accept_edit(pane, text);
        return;
    }
    if (actions_run_line(pane->app, pane, text))
        transcript_show_last(pane->transcript);
    else if (chat_is_replying(pane->chat))
        queue_text(pane, text);
    else
        pane_chat_send(pane, text);
}

/* --- input ----------------------------------------------------------------------------------- */

static void type(struct pane_chat *pane, const char *bytes, size_t length)
{
    struct strbuf line = {0};
    composer_feed(bytes, length);
    if (composer_take(&line))
        accept_line(pane, strbuf_text(&line));
    strbuf_free(&line);
}

static enum action_context pane_context(const struct pane *base)
{
    return self(base)->reading ? CONTEXT_TRANSCRIPT : CONTEXT_COMPOSER;
}

/* A press in the transcript reads there, a drag selects; below it writes. */
static void click(struct pane_chat *pane, const struct input_token *token)
{
    const struct rect *body = &pane->body;
    int row = token->mouse.row - body->row, column = token->mouse.column - body->column;
    bool inside = row >= 0 && row < body->rows && !transcript_is_empty(pane->transcript);
    if (token->mouse.kind == MOUSE_PRESS && token->mouse.button == 1)
        pane_chat_read(pane, inside);
    if (!inside || token->mouse.button != 1)
        return;
    if (token->mouse.kind == MOUSE_DRAG && !transcript_is_selecting(pane->transcript))
        transcript_select(pane->transcript);
    if (token->mouse.kind == MOUSE_PRESS || token->mouse.kind == MOUSE_DRAG)
        transcript_at(pane->transcript, row, column);
}

static void pane_input(struct pane *base, const struct input_token *token)
{
    struct pane_chat *pane = self(base);
    if (token->kind == INPUT_MOUSE) {
        click(pane, token);
        return;
    }
    if (token->kind == INPUT_PASTE) {
        pane_chat_read(pane, false);
        composer_paste(token->bytes, token->length);
        if (token->cut)
            pane_chat_say(pane, TRANSCRIPT_ERROR, "the paste was cut at %u MiB",
                          INPUT_PASTE_BYTES_MAX >> 20);
    } else if (!pane->reading) {
        type(pane, token->bytes, token->length);
    }
    pane->typed_ms = app_now_ms();
    if (composer_version() != pane->counted_version)
        pane->chat->gauge.counted = false;
    pane->draft_due_ms = app_now_ms() + DRAFT_PAUSE_MS;
}

static void pane_focus(struct pane *base, bool focused)
{
    struct pane_chat *pane = self(base);
    if (!focused && chat_draft_wait(pane, 0) >= 0)
        chat_draft_keep(pane);
    pane->focused = focused;
    if (focused)
        composer_load(&pane->draft);
    else
        composer_store(&pane->draft);
    /* What has been counted stays so; what is due is still due. */
    if (!focused)
        return;
    pane->counted_version = composer_version() - !pane->chat->gauge.counted;
    pane->kept_version = composer_version();
}

/* --- events ---------------------------------------------------------------------------------- */

static void end_reply(struct pane_chat *pane, const struct event *event,
                      const struct message *message)
{
    static const char *const notes[] = {
        [STOP_EOS] = NULL,
        [STOP_STRING] = NULL,
        [STOP_LENGTH] = "stopped at max-tokens · /continue goes on",
        [STOP_CONTEXT] = "the context is full · /new begins again",
        [STOP_CANCELLED] = STOPPED_NOTE,
    };
    bool empty = message->text.length == 0;
    if (pane->chat->unanswered != NULL && empty) {
        transcript_remove_message(pane->transcript, message);
        note_unanswered(pane, pane->chat->unanswered, UNANSWERED_NOTE);
    } else if (event->kind == EVENT_DONE) {
        answer_check_note(pane, message, notes[event->reason]);
    } else if (!empty) {
        transcript_set_note(pane->transcript, message, STOPPED_NOTE);
    }
    if (event->kind == EVENT_ERROR)
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", event->error.message);
}

static void pane_event(struct pane *base, const struct event *event)
{
    struct pane_chat *pane = self(base);
    struct message *message = NULL;
    if (event->kind == EVENT_BACKEND) {
        if (event->length > 0)
            pane_chat_say(pane, TRANSCRIPT_NOTICE, "the model is loaded again · %s", event->text);
        app_redraw(pane->app, false);
    }
    switch (chat_event(pane->chat, event, &message)) {
    case CHAT_SAME:
        return;
    case CHAT_PROGRESSED:
        break;
    case CHAT_GREW:
        transcript_grew(pane->transcript);
        break;
    case CHAT_ENDED:
    case CHAT_FAILED:
        end_reply(pane, event, message);
        scene_talk_ended(pane, message, event);
        pane_chat_recount(pane);
        if (event->kind == EVENT_DONE && event->reason != STOP_CANCELLED)
            send_queued(pane);
        else
            pane_chat_drop_queue(pane);
        break;
    }
    app_redraw(pane->app, false);
}

/* --- the draft's count ----------------------------------------------------------------------- */

static int count_wait(const struct pane_chat *pane, uint64_t now_ms)
{
    if (!pane->focused || composer_version() == pane->counted_version)
        return -1;
    uint64_t due = pane->count_due_ms;
    /* Where a count would be felt it waits for a pause in the typing. */
    if (pane->count_waits && pane->typed_ms + COUNT_IDLE_MS > due)
        due = pane->typed_ms + COUNT_IDLE_MS;
    return due > now_ms ? (int)(due - now_ms) : 0;
}

static int pane_timeout(const struct pane *base, uint64_t now_ms)
{
    int waits[] = {count_wait(self(base), now_ms), chat_draft_wait(self(base), now_ms),
                   chat_work_wait(self(base), now_ms)};
    int least = -1;
    for (size_t i = 0; i < sizeof waits / sizeof waits[0]; i++)
        if (waits[i] >= 0 && (least < 0 || waits[i] < least))
            least = waits[i];
    return least;
}

static void pane_tick(struct pane *base, uint64_t now_ms)
{
    struct pane_chat *pane = self(base);
    struct strbuf draft = {0};
    struct error error;
    chat_work_tick(pane, now_ms);
    if (chat_draft_wait(pane, now_ms) == 0)
        chat_draft_keep(pane);
    if (count_wait(pane, now_ms) != 0)
        return;
    pane->counted_version = composer_version();
    composer_text(&draft);
    bool command = draft.length > 0 && draft.data[0] == '/';
    chat_count(pane->chat, command ? "" : strbuf_text(&draft), &error);
    strbuf_free(&draft);
    uint64_t cost = app_now_ms() - now_ms;
    pane->count_due_ms = now_ms + COUNT_PAUSE_MS + cost * COUNT_COST_SHARE;
    pane->count_waits = cost >= COUNT_COST_MS;
    app_redraw(pane->app, false);
}

/* All that can be read in the pane is on the disk: the last words of a reply that still comes are
 * not. */
static bool is_saved(const struct chat *chat)
{
    bool grows = chat->reply != NULL && chat->reply->text.length > 0;
    return !grows && chat_is_saved(chat);
}

static void pane_title(const struct pane *base, struct strbuf *out)
{
    const struct pane_chat *pane = self(base);
    const struct chat *chat = pane->chat;
    size_t before = out->length;
    chat_title(chat, out);
    if (out->length == before)
        strbuf_printf(out, "airo · %s", app_about(pane->app));
    else if (chat->row != 0)
        strbuf_puts(out, is_saved(chat) ? " · saved" : " · saving");
}

static void pane_draw(struct pane *base, struct terminal *terminal, const struct rect *area,
                      bool focused)
{
    (void)focused;
    pane_chat_draw(self(base), terminal, area);
}

/* --- life ------------------------------------------------------------------------------------ */

static void pane_free(struct pane *base)
{
    struct pane_chat *pane = self(base);
    struct message *reply = pane->chat->reply;
    if (reply != NULL && reply->text.length > 0)
        chat_keep_message(pane->chat, reply); /* its last words are on the disk, too */
    chat_draft_leave(pane);
    chat_work_free(pane);
    transcript_free(pane->transcript);
    while (pane->queue != NULL) {
        struct queued *next = pane->queue->next;
        free(pane->queue->text);
        free(pane->queue);
        pane->queue = next;
    }
    chat_free(pane->chat);
    composer_draft_free(&pane->draft);
    composer_draft_free(&pane->aside);
    free(pane->speakers);
    free(pane);
}

static const struct pane_ops chat_ops = {
    .kind = "chat",
    .columns_min = 36,
    .rows_min = 7,
    .context = pane_context,
    .title = pane_title,
    .draw = pane_draw,
    .input = pane_input,
    .focus = pane_focus,
    .event = pane_event,
    .timeout = pane_timeout,
    .tick = pane_tick,
    .free = pane_free,
};

/* Another chat is in the pane: what referred to messages of the last one means nothing here. */
static void forget_chat(struct pane_chat *pane)
{
    composer_draft_free(&pane->aside);
    pane->editing = pane->deleted = pane->marked = pane->starter = -1;
    pane->reading = false;
}

int pane_chat_show(struct pane_chat *pane, int64_t row, struct error *error)
{
    char *draft;
    if (chat_is_replying(pane->chat))
        return error_set(error, ERROR_INPUT, "a reply is running here; Ctrl-C stops it");
    chat_draft_leave(pane);
    if (chat_load(pane->chat, row, &draft, error) != 0)
        return -1;
    forget_chat(pane);
    pane_chat_refill(pane);
    pane_chat_type(pane, draft != NULL ? draft : "");
    pane->draft_kept = draft != NULL;
    pane->kept_version = composer_version();
    pane->count_due_ms = app_now_ms() + COUNT_PAUSE_MS; /* it is to be seen first */
    free(draft);
    return 0;
}

void pane_chat_begin_new(struct pane_chat *pane)
{
    chat_draft_leave(pane);
    transcript_clear(pane->transcript);
    chat_reset(pane->chat);
    forget_chat(pane);
    pane->draft_kept = false;
    pane_chat_type(pane, "");
    pane->kept_version = composer_version();
    pane_chat_recount(pane);
}

int pane_chat_create(struct pane **out, struct app *app, struct error *error)
{
    struct chat *chat;
    if (chat_open(&chat, app_settings(app), app_generator(app), app_library(app), app_new_slot(app),
                  error) != 0)
        return -1;
    struct pane_chat *pane = xcalloc(1, sizeof *pane);
    pane->base.ops = &chat_ops;
    pane->app = app;
    pane->chat = chat;
    pane->starter = pane->editing = pane->deleted = pane->marked = -1;
    pane->transcript = transcript_create();
    pane_chat_recount(pane);
    *out = &pane->base;
    return 0;
}
