#include "tui/pane_chat.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "tui/actions.h"
#include "tui/answer_check.h"
#include "tui/chat_documents.h"
#include "tui/chat_keep.h"
#include "tui/chat_work.h"
#include "tui/composer.h"
#include "tui/fit_picker.h"
#include "tui/scene_talk.h"
#include "tui/start_page.h"
#include "tui/starters.h"
#include "tui/transcript_cursor.h"
#include "tui/workspace.h"

#define COMPOSER_ROWS_MAX 12
#define PROMPT_COLUMNS    2
#define TEXT_COLUMNS_MAX  110 /* longer lines are hard to read */
#define STOPPED_NOTE      "stopped · /continue goes on, /retry begins again"
#define COUNT_PAUSE_MS    30
#define COUNT_COST_MS     8    /* a count that takes longer on this thread is put off ... */
#define COUNT_IDLE_MS     400  /* ... until nothing was typed for so long */
#define COUNT_COST_SHARE  8    /* counting takes at most one eighth of the time */
#define DRAFT_PAUSE_MS    2000 /* after the last key, until the draft is saved */

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

/* --- edits ----------------------------------------------------------------------------------- */

void pane_chat_edit(struct pane_chat *pane, const struct message *message)
{
    pane_chat_leave_edit(pane);
    pane_chat_read(pane, false);
    composer_store(&pane->aside);
    pane->editing = message->id;
    composer_set_text(strbuf_text(&message->text));
    pane_chat_recount(pane);
}

bool pane_chat_leave_edit(struct pane_chat *pane)
{
    if (pane->editing < 0)
        return false;
    pane->editing = -1;
    if (pane->focused) {
        composer_load(&pane->aside);
    } else {
        composer_draft_free(&pane->draft);
        pane->draft = pane->aside;
        pane->aside = (struct composer_draft){0};
    }
    pane_chat_recount(pane);
    return true;
}

static void accept_edit(struct pane_chat *pane, const char *text)
{
    struct error error;
    struct prompt_notes notes = {0};
    int id = pane->editing;
    const struct message *message = pane->chat->conversation->items[id];
    int result = chat_edit(pane->chat, message, text, &notes, &error);
    if (result != 0) {
        composer_set_text(text);
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
    } else {
        pane->editing = -1;
        composer_load(&pane->aside);
        pane_chat_show_reply(pane, &notes);
    }
    prompt_notes_free(&notes);
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
            transcript_set_note(pane->transcript, unanswered, "not answered, left out");
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

static void put_text(const struct composer_draft *draft, struct strbuf *out)
{
    if (draft->text != NULL)
        paste_unfold(&draft->pastes, draft->text, strlen(draft->text), false, out);
}

void pane_chat_draft(const struct pane_chat *pane, struct strbuf *out)
{
    if (pane->focused)
        composer_text(out);
    else
        put_text(&pane->draft, out);
}

static void set_draft(struct pane_chat *pane, const char *text)
{
    pane->changes++;
    if (pane->focused) {
        composer_set_text(text);
        return;
    }
    composer_draft_free(&pane->draft);
    pane->draft.text = xstrdup(text);
    pane->draft.point = (int)strlen(text);
}

void pane_chat_type(struct pane_chat *pane, const char *text)
{
    pane_chat_read(pane, false);
    set_draft(pane, text);
}

void pane_chat_give_back(struct pane_chat *pane, const char *text)
{
    struct strbuf all = {0}, typed = {0};
    pane_chat_draft(pane, &typed);
    strbuf_puts(&all, text);
    if (typed.length > 0)
        strbuf_printf(&all, "\n%s", strbuf_text(&typed));
    set_draft(pane, strbuf_text(&all));
    strbuf_free(&typed);
    strbuf_free(&all);
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

static bool is_armed(const struct pane_chat *pane)
{
    return pane->armed > 0 && pane->armed == workspace_keys(app_workspace(pane->app));
}

/* --- the start page -------------------------------------------------------------------------- */

static void attach_sample(struct pane_chat *pane, const char *name)
{
    struct error error;
    struct document_list *attached = &pane->chat->attached;
    char *path = starter_path(name);
    if (path == NULL)
        return;
    if (document_add_regular(attached, path, &error) != 0) {
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
    } else { /* the user need not know where it lies */
        free(attached->items[attached->count - 1].name);
        attached->items[attached->count - 1].name = xstrdup(name);
    }
    free(path);
}

static void set_sample_scene(struct pane_chat *pane, const char *name)
{
    struct error error;
    struct scene *scene = scene_talk_open(name, &error);
    if (scene != NULL)
        chat_set_scene(pane->chat, scene);
    else
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
}

static void take_sample_back(struct pane_chat *pane)
{
    const struct starter *starter =
        pane->starter >= 0 ? &starters_table[pane->starter] : &(const struct starter){0};
    if (starter->document != NULL)
        chat_detach(pane->chat, starter->document);
    if (starter->scene != NULL)
        chat_set_scene(pane->chat, NULL);
}

/* What the offer types; to be freed. */
static char *starter_text(const struct pane_chat *pane)
{
    const struct starter *starter = &starters_table[pane->starter];
    struct strbuf text = {0};
    if (starter->scene != NULL && pane->chat->scene != NULL)
        chat_opening(pane->chat, &text);
    else
        strbuf_puts(&text, starter->line);
    return strbuf_detach(&text);
}

/* What is typed is the offer that was typed last, unchanged. */
static bool starter_is_typed(const struct pane_chat *pane)
{
    struct strbuf typed = {0};
    if (pane->starter < 0)
        return false;
    char *text = starter_text(pane);
    composer_text(&typed);
    bool same = strcmp(strbuf_text(&typed), text) == 0;
    strbuf_free(&typed);
    free(text);
    return same;
}

bool pane_chat_next_starter(struct pane_chat *pane)
{
    if (!transcript_is_empty(pane->transcript) || (!composer_is_empty() && !starter_is_typed(pane)))
        return false;
    take_sample_back(pane);
    pane->starter = (pane->starter + 1) % STARTERS;
    const struct starter *starter = &starters_table[pane->starter];
    if (starter->document != NULL)
        attach_sample(pane, starter->document);
    if (starter->scene != NULL)
        set_sample_scene(pane, starter->scene);
    char *text = starter_text(pane);
    composer_set_text(text);
    free(text);
    pane_chat_recount(pane);
    return true;
}

static bool is_blank(const char *text)
{
    return text[strspn(text, " \t\n")] == '\0';
}

/* --- the draft on disk ----------------------------------------------------------------------- */

static void put_draft(const struct pane_chat *pane, struct strbuf *out)
{
    if (pane->editing >= 0) /* what is typed is an edit; the draft lies aside */
        put_text(&pane->aside, out);
    else
        pane_chat_draft(pane, out);
}

static void keep_draft(struct pane_chat *pane)
{
    struct strbuf text = {0};
    put_draft(pane, &text);
    chat_keep_draft(pane->chat, strbuf_text(&text));
    pane->draft_kept = text.length > 0;
    pane->kept_version = composer_version();
    strbuf_free(&text);
}

/* The pane leaves its chat. What is typed in a new one makes it one of the library. */
static void leave_chat(struct pane_chat *pane)
{
    struct strbuf text = {0};
    for (const struct queued *queued = pane->queue; queued != NULL; queued = queued->next)
        strbuf_printf(&text, "%s\n", queued->text);
    put_draft(pane, &text);
    const char *typed = strbuf_text(&text);
    bool blank = is_blank(typed);
    bool typed_by_hand = pane->starter < 0 && typed[0] != '/';
    if (pane->chat->row != 0 && (!blank || pane->draft_kept))
        chat_keep_draft(pane->chat, typed);
    else if (!blank && typed_by_hand && pane->chat->conversation->count == 0)
        chat_keep_new_draft(pane->chat, typed);
    if (blank)
        chat_drop_empty(pane->chat);
    strbuf_free(&text);
}

/* Another chat is in the pane: what referred to messages of the last one means nothing here. */
static void forget_chat(struct pane_chat *pane)
{
    composer_draft_free(&pane->aside);
    pane->editing = pane->deleted = pane->marked = pane->starter = -1;
    pane->reading = false;
}

static int draft_wait(const struct pane_chat *pane, uint64_t now_ms)
{
    if (!pane->focused || pane->chat->row == 0 || composer_version() == pane->kept_version)
        return -1;
    return pane->draft_due_ms > now_ms ? (int)(pane->draft_due_ms - now_ms) : 0;
}

static void accept_line(struct pane_chat *pane, const char *text)
{
    if (is_blank(text)) {
        scene_talk_go_on(pane);
        return;
    }
    composer_add_history(text);
    pane->starter = -1;
    if (pane->draft_kept)
        keep_draft(pane); /* it is a draft no longer */
    if (pane->editing >= 0) {
        accept_edit(pane, text);
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
    if (!focused && draft_wait(pane, 0) >= 0)
        keep_draft(pane);
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
        transcript_set_note(pane->transcript, pane->chat->unanswered,
                            "not answered · /retry sends it again");
    } else if (event->kind == EVENT_DONE) {
        answer_check_note(pane, message, notes[event->reason]);
    }
    if (event->kind == EVENT_ERROR)
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", event->error.message);
}

static void pane_event(struct pane *base, const struct event *event)
{
    struct pane_chat *pane = self(base);
    struct message *message = NULL;
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
    int waits[] = {count_wait(self(base), now_ms), draft_wait(self(base), now_ms),
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
    if (draft_wait(pane, now_ms) == 0)
        keep_draft(pane);
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

/* --- drawing --------------------------------------------------------------------------------- */

/* Where the regions stand; rows of 0 are left out. */
struct regions {
    struct rect body, rule, composer; /* all in one column */
};

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

static struct regions divide(const struct pane_chat *pane, const struct rect *area)
{
    struct regions regions;
    int margin = area->columns > TEXT_COLUMNS_MAX ? (area->columns - TEXT_COLUMNS_MAX) / 2 : 0;
    struct rect column = {area->row, area->column + margin, 0, area->columns - 2 * margin};
    int typed_rows = pane->focused ? composer_rows(column.columns - PROMPT_COLUMNS - 1) : 1;
    int above = area->rows >= 8 ? 1 : 0, rule = area->rows >= 6 ? 1 : 0;
    int space = area->rows >= 18 ? 1 : 0;
    int most = clamp(area->rows / 3, 1, COMPOSER_ROWS_MAX);
    int typed = clamp(typed_rows, 1, most);
    int body = area->rows - above - rule - typed - 2 * space;
    regions.body = column;
    regions.body.row += above;
    regions.body.rows = body > 0 ? body : 0;
    regions.rule = column;
    regions.rule.row = regions.body.row + regions.body.rows + space;
    regions.rule.rows = rule;
    regions.composer = column;
    regions.composer.row = regions.rule.row + rule;
    regions.composer.rows = typed;
    return regions;
}

/* What the keys do now: the longest words that fit the rule, of several. */
static const char *const *hints(const struct pane_chat *pane)
{
    static const char *const armed[] = {"Ctrl-C again leaves", NULL};
    static const char *const stops[] = {"Ctrl-C stops", NULL};
    static const char *const queued[] = {"Ctrl-C stops · queued", "Ctrl-C stops", NULL};
    static const char *const follows[] = {"Ctrl-C stops · i writes", "Ctrl-C stops", NULL};
    static const char *const selecting[] = {"selecting · y copies · Space ends",
                                            "selecting · y copies", "y copies", NULL};
    static const char *const reading[] = {
        "y copy · e edit · r again · / search · i writes · ? help",
        "y copy · e edit · r again · i writes · ? help",
        "y copy · e edit · i writes · ? help",
        "i writes · ? help",
        "? help",
        NULL};
    static const char *const editing[] = {"editing · Enter keeps both · Esc leaves it",
                                          "editing · Esc leaves it", "editing", NULL};
    static const char *const typing[] = {"Enter sends · Alt-Enter new line", "Enter sends", NULL};
    static const char *const scene[] = {"Enter: it goes on · F4 cast", "Enter: it goes on", NULL};
    static const char *const empty[] = {"F1 help · F9 all actions", "F1 help", NULL};
    static const char *const none[] = {NULL};
    if (is_armed(pane))
        return armed;
    if (pane->reading && transcript_is_selecting(pane->transcript))
        return selecting;
    if (chat_is_replying(pane->chat))
        return pane->reading ? follows : pane->queue != NULL ? queued : stops;
    if (pane->reading)
        return pane->focused ? reading : none;
    if (pane->editing >= 0)
        return editing;
    if (!pane->focused)
        return none;
    if (!composer_is_empty())
        return typing;
    return pane->chat->scene != NULL ? scene : empty;
}

static void draw_rule(const struct pane_chat *pane, struct terminal *terminal,
                      const struct rect *area)
{
    if (area->rows == 0)
        return;
    const char *const *words = hints(pane);
    while (*words != NULL && text_columns(*words, strlen(*words)) + 6 > area->columns)
        words++;
    int columns = *words != NULL ? text_columns(*words, strlen(*words)) : -1;
    int line = columns >= 0 ? area->columns - columns - 3 : area->columns;
    terminal_repeat(terminal, area, 0, 1, STYLE_RULE, "─", line - (columns >= 0 ? 1 : 2));
    if (columns >= 0)
        terminal_puts(terminal, area, 0, line + 1, is_armed(pane) ? STYLE_ACCENT : STYLE_DIM,
                      *words);
}

static void draw_composer(const struct pane_chat *pane, struct terminal *terminal,
                          const struct rect *area)
{
    struct rect text = *area;
    text.column += PROMPT_COLUMNS + 1;
    text.columns -= PROMPT_COLUMNS + 1;
    bool typing = pane->focused && !pane->reading;
    terminal_puts(terminal, area, 0, 1, typing ? STYLE_USER_MARK : STYLE_DIM, "›");
    if (pane->focused)
        composer_draw(terminal, &text, typing, typing ? "Type a message" : "");
    else
        composer_draw_draft(&pane->draft, terminal, &text, "");
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
    struct pane_chat *pane = self(base);
    struct regions regions = divide(pane, area);
    (void)focused;
    pane->body = regions.body;
    pane->body.row -= area->row;
    pane->body.column -= area->column;
    scene_talk_speakers(pane);
    if (transcript_is_empty(pane->transcript) && pane->chat->scene != NULL && pane->starter < 0)
        scene_talk_draw_page(pane->chat, terminal, &regions.body);
    else if (transcript_is_empty(pane->transcript))
        start_page_draw(terminal, &regions.body, pane->starter);
    else
        transcript_draw(pane->transcript, terminal, &regions.body);
    draw_rule(pane, terminal, &regions.rule);
    draw_composer(pane, terminal, &regions.composer);
}

/* --- life ------------------------------------------------------------------------------------ */

static void pane_free(struct pane *base)
{
    struct pane_chat *pane = self(base);
    struct message *reply = pane->chat->reply;
    if (reply != NULL && reply->text.length > 0)
        chat_keep_message(pane->chat, reply); /* its last words are on the disk, too */
    leave_chat(pane);
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

int pane_chat_show(struct pane_chat *pane, int64_t row, struct error *error)
{
    char *draft;
    if (chat_is_replying(pane->chat))
        return error_set(error, ERROR_INPUT, "a reply is running here; Ctrl-C stops it");
    leave_chat(pane);
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
    leave_chat(pane);
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
