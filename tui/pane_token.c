#include "tui/pane_token.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/pane_chat.h"
#include "tui/token_draw.h"
#include "tui/token_probes.h"
#include "tui/token_reply.h"
#include "tui/transcript_cursor.h"
#include "tui/workspace.h"

#define NO_GOAL ((size_t)-1)
#define ALL_MAX 300 /* tokens that are asked about at once */

struct pane_token {
    struct pane base;
    struct app *app;
    struct token_probes *probes;
    struct token_reply reply;
    /* What `reply` was made from. */
    uint32_t slot; /* of the chat */
    int message;   /* its id, -1: none */
    size_t seen_tokens;
    unsigned long seen_changes;
    bool running;
    struct error error; /* of the prompt or the last answer */
    size_t cursor, choice;
    size_t goal; /* where the cursor goes when the reply is that long; NO_GOAL: stays */
    bool choosing;
    size_t all; /* places from 0 on that are asked about; 0: only the cursor's */
    int top, flow_rows;
};

static struct pane_token *self(const struct pane *pane)
{
    return (struct pane_token *)(uintptr_t)pane;
}

/* --- which reply ----------------------------------------------------------------------------- */

static const struct message *last_reply(const struct chat *chat)
{
    const struct message *message = chat_tip(chat);
    while (message != NULL && message->role != ROLE_ASSISTANT)
        message = message->parent >= 0 ? chat->conversation->items[message->parent] : NULL;
    return message;
}

static const struct message *wanted_message(const struct pane_chat *chat)
{
    const struct message *message = chat->reading ? transcript_cursor_on(chat->transcript) : NULL;
    return message != NULL ? message : last_reply(chat->chat);
}

static void keep_cursor(struct pane_token *pane, uint64_t key)
{
    const struct token_reply *reply = &pane->reply;
    bool same = pane->cursor < reply->count && key != 0 && reply->tokens[pane->cursor].key == key;
    if (!same)
        pane->cursor = reply->letter < reply->count ? reply->letter : 0;
    pane->choosing = false;
    pane->choice = 0;
}

/* Makes the tokens anew when they are of something else now. */
static const struct message *look(struct pane_token *pane)
{
    struct pane_chat *chat = workspace_chat(app_workspace(pane->app));
    const struct message *message = wanted_message(chat);
    int id = message != NULL ? message->id : -1;
    size_t tokens = message != NULL ? message->tokens.count : 0;
    bool running = message != NULL && message == chat->chat->reply;
    bool other = pane->slot != chat->chat->slot || pane->message != id;
    if (!other && pane->seen_tokens == tokens && pane->seen_changes == chat->changes &&
        pane->running == running)
        return message;
    uint64_t key = pane->cursor < pane->reply.count ? pane->reply.tokens[pane->cursor].key : 0;
    pane->error.code = ERROR_NONE;
    if (message != NULL)
        token_reply_build(&pane->reply, chat->chat, message, !running, &pane->error);
    else
        token_reply_free(&pane->reply);
    pane->slot = chat->chat->slot;
    pane->message = id;
    pane->seen_tokens = tokens;
    pane->seen_changes = chat->changes;
    pane->running = running;
    if (other)
        pane->all = 0;
    if (other)
        keep_cursor(pane, key);
    if (pane->goal < pane->reply.count) {
        pane->cursor = pane->goal;
        pane->goal = NO_GOAL;
    }
    if (pane->cursor >= pane->reply.count)
        pane->cursor = 0;
    return message;
}

/* Why there is nothing to see, or nothing to ask; NULL: there is. */
static const char *notice(const struct pane_token *pane, const struct message *message)
{
    const struct generator *generator = app_generator(pane->app);
    if (message == NULL)
        return "No reply yet. When there is one, its tokens are here, with the probability of each "
               "and what else could have stood there.";
    if (generator->ops->tokenizer(app_generator(pane->app)) == NULL)
        return "This model's tokens are not known here.";
    if (message->role == ROLE_USER)
        return "This message was typed, not generated. Move to a reply.";
    if (message->tokens.count == 0 && pane->running)
        return "The reply is about to begin.";
    if (message->tokens.count == 0)
        return "The tokens of this reply are not known: it was edited, imported or cut.";
    if (pane->running)
        return "the reply still runs";
    return pane->error.code != ERROR_NONE ? pane->error.message : NULL;
}

/* --- asking ---------------------------------------------------------------------------------- */

static bool is_unknown(const struct pane_token *pane, size_t index)
{
    const struct token_reply *reply = &pane->reply;
    return index < reply->count && reply->tokens[index].key != 0 &&
           token_probes_find(pane->probes, reply->tokens[index].key) == NULL;
}

static size_t count_known(const struct pane_token *pane)
{
    size_t known = 0;
    for (size_t i = 0; i < pane->all; i++)
        known += !is_unknown(pane, i);
    return known;
}

/* The place to ask about next; the count of tokens: none. The cursor's comes first. */
static size_t next_place(const struct pane_token *pane)
{
    const struct token_reply *reply = &pane->reply;
    if (is_unknown(pane, pane->cursor))
        return pane->cursor;
    if (is_unknown(pane, reply->letter))
        return reply->letter;
    for (size_t i = 0; i < pane->all; i++)
        if (is_unknown(pane, i))
            return i;
    return reply->count;
}

static int pane_timeout(const struct pane *base, uint64_t now_ms)
{
    struct pane_token *pane = self(base);
    (void)now_ms;
    look(pane);
    if (token_probes_are_busy(pane->probes) || pane->error.code != ERROR_NONE)
        return -1;
    return next_place(pane) < pane->reply.count ? 0 : -1;
}

static void pane_tick(struct pane *base, uint64_t now_ms)
{
    struct pane_token *pane = self(base);
    const struct message *message = look(pane);
    size_t place = next_place(pane);
    (void)now_ms;
    if (message == NULL || place >= pane->reply.count || token_probes_are_busy(pane->probes))
        return;
    pane->error.code = ERROR_NONE;
    if (token_probes_ask(pane->probes, pane->reply.tokens[place].key, &pane->reply.prompt,
                         message->tokens.ids, place, &pane->error) != 0)
        pane->all = 0;
    app_redraw(pane->app, false);
}

static void pane_event(struct pane *base, const struct event *event)
{
    struct pane_token *pane = self(base);
    struct error error;
    if (!token_probes_event(pane->probes, event, &error))
        return;
    if (error.code != ERROR_NONE) {
        pane->error = error;
        pane->all = 0;
    }
    if (pane->all > 0 && count_known(pane) == pane->all)
        pane->all = 0;
    app_redraw(pane->app, false);
}

/* --- what keys do ---------------------------------------------------------------------------- */

static const struct token_probe *probe_here(const struct pane_token *pane)
{
    return pane->cursor < pane->reply.count
               ? token_probes_find(pane->probes, pane->reply.tokens[pane->cursor].key)
               : NULL;
}

static size_t moved(size_t at, int by, size_t count)
{
    if (count == 0)
        return 0;
    if (by < 0)
        return at > (size_t)-by ? at - (size_t)-by : 0;
    return at + (size_t)by < count ? at + (size_t)by : count - 1;
}

static void set_cursor(struct pane_token *pane, size_t cursor)
{
    if (cursor != pane->cursor && !token_probes_are_busy(pane->probes))
        pane->error.code = ERROR_NONE; /* another try */
    pane->cursor = cursor;
    app_redraw(pane->app, true);
}

void pane_token_move(struct pane *base, int by)
{
    struct pane_token *pane = self(base);
    look(pane);
    pane->choosing = false;
    set_cursor(pane, moved(pane->cursor, by, pane->reply.count));
}

void pane_token_move_rows(struct pane *base, int by)
{
    struct pane_token *pane = self(base);
    look(pane);
    const struct token_probe *probe = probe_here(pane);
    if (pane->choosing && probe != NULL) {
        pane->choice = moved(pane->choice, by, probe->count);
        app_redraw(pane->app, true);
        return;
    }
    if (pane->reply.count == 0)
        return;
    const struct reply_token *token = &pane->reply.tokens[pane->cursor];
    int row = token->row + by;
    if (row >= 0 && row < pane->reply.rows)
        set_cursor(pane, token_reply_at(&pane->reply, row, token->column));
}

void pane_token_move_words(struct pane *base, int by)
{
    struct pane_token *pane = self(base);
    look(pane);
    const struct token_reply *reply = &pane->reply;
    size_t at = pane->cursor;
    do {
        size_t next = moved(at, by, reply->count);
        if (next == at)
            break;
        at = next;
    } while (!reply->tokens[at].word);
    if (!pane->choosing)
        set_cursor(pane, at);
}

void pane_token_move_end(struct pane *base, bool last)
{
    struct pane_token *pane = self(base);
    look(pane);
    if (!pane->choosing)
        set_cursor(pane, last && pane->reply.count > 0 ? pane->reply.count - 1 : 0);
}

/* A branch that begins as this reply does and goes on with the alternative. */
static void branch(struct pane_token *pane, const struct message *message,
                   const struct token_choice *choice)
{
    struct workspace *workspace = app_workspace(pane->app);
    struct pane_chat *chat = workspace_chat(workspace);
    struct prompt_notes notes = {0};
    struct error error;
    if (choice->special) {
        workspace_flash(workspace, STYLE_NOTICE, "the reply would end here; choose another");
    } else if (choice->id == pane->reply.tokens[pane->cursor].id) {
        workspace_flash(workspace, STYLE_NOTICE, "this one was taken; choose another");
    } else if (chat_is_replying(chat->chat)) {
        workspace_flash(workspace, STYLE_ERROR, "a reply is running; Ctrl-C stops it");
    } else if (chat_branch_at(chat->chat, message, pane->cursor, choice->id, &error) != 0) {
        workspace_flash(workspace, STYLE_ERROR, "%s", error.message);
    } else {
        pane->choosing = false;
        pane->goal = pane->cursor;
        pane_chat_show_reply(chat, &notes);
        workspace_flash(workspace, STYLE_GOOD, "a new branch; the one before is kept beside it");
    }
}

void pane_token_enter(struct pane *base)
{
    struct pane_token *pane = self(base);
    const struct message *message = look(pane);
    const struct token_probe *probe = probe_here(pane);
    if (message == NULL || probe == NULL)
        return;
    if (pane->choosing) {
        branch(pane, message, &probe->choices[pane->choice]);
    } else {
        /* The likeliest that was not taken is what one comes for. */
        pane->choice =
            probe->count > 1 && token_probe_rank(probe, pane->reply.tokens[pane->cursor].id) == 0;
        pane->choosing = true;
    }
    app_redraw(pane->app, true);
}

void pane_token_ask_all(struct pane *base)
{
    struct pane_token *pane = self(base);
    look(pane);
    size_t count = pane->reply.count;
    if (count == 0 || pane->running)
        return;
    if (count > ALL_MAX)
        workspace_flash(app_workspace(pane->app), STYLE_NOTICE, "the first %d of %zu tokens",
                        ALL_MAX, count);
    pane->error.code = ERROR_NONE;
    pane->all = count < ALL_MAX ? count : ALL_MAX;
    if (count_known(pane) == pane->all)
        pane->all = 0;
    app_redraw(pane->app, true);
}

void pane_token_leave(struct pane *base)
{
    struct pane_token *pane = self(base);
    if (pane->all > 0) {
        pane->all = 0;
        token_probes_cancel(pane->probes);
    } else if (pane->choosing) {
        pane->choosing = false;
    } else {
        workspace_close(app_workspace(pane->app), base);
    }
    app_redraw(pane->app, true);
}

/* --- the pane -------------------------------------------------------------------------------- */

static enum action_context pane_context(const struct pane *pane)
{
    (void)pane;
    return CONTEXT_TOKEN;
}

static void pane_title(const struct pane *base, struct strbuf *out)
{
    const struct pane_token *pane = self(base);
    strbuf_puts(out, "Tokens");
    if (pane->reply.count > 0)
        strbuf_printf(out, " · %zu", pane->reply.count);
}

static void pane_draw(struct pane *base, struct terminal *terminal, const struct rect *area,
                      bool focused)
{
    struct pane_token *pane = self(base);
    const struct message *message = look(pane);
    struct token_picture picture = {.reply = &pane->reply,
                                    .probes = pane->probes,
                                    .notice = notice(pane, message),
                                    .cursor = pane->cursor,
                                    .choice = pane->choice,
                                    .choosing = pane->choosing,
                                    .focused = focused,
                                    .all_done = count_known(pane),
                                    .all_wanted = pane->all,
                                    .top = pane->top};
    token_draw(&picture, terminal, area);
    pane->top = picture.top;
    pane->flow_rows = picture.flow_rows;
}

static void pane_input(struct pane *base, const struct input_token *token)
{
    struct pane_token *pane = self(base);
    if (token->kind != INPUT_MOUSE)
        return;
    if (token->mouse.kind == MOUSE_WHEEL_UP || token->mouse.kind == MOUSE_WHEEL_DOWN)
        pane_token_move_rows(base, token->mouse.kind == MOUSE_WHEEL_UP ? -1 : 1);
    else if (token->mouse.kind == MOUSE_PRESS && token->mouse.row < pane->flow_rows &&
             pane->reply.count > 0)
        set_cursor(pane, token_reply_at(&pane->reply, pane->top + token->mouse.row,
                                        token->mouse.column - 1));
}

static void pane_free(struct pane *base)
{
    struct pane_token *pane = self(base);
    token_probes_free(pane->probes);
    token_reply_free(&pane->reply);
    free(pane);
}

static const struct pane_ops token_ops = {
    .kind = "token",
    .columns_min = 28,
    .rows_min = 5,
    .columns_wanted = 44,
    .context = pane_context,
    .title = pane_title,
    .draw = pane_draw,
    .input = pane_input,
    .event = pane_event,
    .timeout = pane_timeout,
    .tick = pane_tick,
    .free = pane_free,
};

struct pane *pane_token_create(struct app *app)
{
    struct pane_token *pane = xcalloc(1, sizeof *pane);
    pane->base.ops = &token_ops;
    pane->app = app;
    pane->message = -1;
    pane->goal = NO_GOAL;
    pane->probes = token_probes_create(app_generator(app));
    return &pane->base;
}
