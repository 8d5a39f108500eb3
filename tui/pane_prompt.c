#include "tui/pane_prompt.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/overlay.h"
#include "tui/pane_chat.h"
#include "tui/prompt_draw.h"
#include "tui/prompt_job.h"
#include "tui/prompt_stamp.h"
#include "tui/workspace.h"

#define POLL_MS    8 /* while the thread works */
#define PAUSE_MS   30
#define COST_SHARE 10 /* putting a prompt together takes at most a tenth of the time */

/* A prompt and what was said when it was put together. */
struct shown {
    struct prompt_view *view; /* NULL: not there yet, or failed */
    struct prompt_notes notes;
    struct error error;
    enum prompt_for what;
};

struct pane_prompt {
    struct pane base;
    struct app *app;
    struct shown shown, coming;
    struct prompt_job *job; /* makes `coming` ready, or NULL */
    uint64_t stamp;         /* of what was put together last */
    bool stamped;
    uint64_t due_ms;
    struct prompt_look look;
    bool all_notes;
    struct strbuf words;
    size_t top; /* byte at which the first row in view begins */
    int left;   /* columns out of view on the left */
    int rows;   /* of the text, as last drawn */
};

static struct pane_prompt *self(const struct pane *pane)
{
    return (struct pane_prompt *)(uintptr_t)pane;
}

static struct pane_chat *chat_of(const struct pane_prompt *pane)
{
    return workspace_chat(app_workspace(pane->app));
}

/* --- putting it together --------------------------------------------------------------------- */

static void free_shown(struct shown *shown)
{
    prompt_view_free(shown->view);
    prompt_notes_free(&shown->notes);
    *shown = (struct shown){0};
}

static const struct tokenizer *tokenizer_of(const struct pane_prompt *pane)
{
    struct generator *generator = app_generator(pane->app);
    return generator->ops->tokenizer(generator);
}

static void take_coming(struct pane_prompt *pane)
{
    pane->coming.view = prompt_job_finish(pane->job);
    pane->job = NULL;
    free_shown(&pane->shown);
    pane->shown = pane->coming;
    pane->coming = (struct shown){0};
    struct prompt_view *view = pane->shown.view;
    if (view != NULL && pane->top > 0)
        pane->top = prompt_row_of(view, &pane->look,
                                  pane->top < view->text.length ? pane->top : view->text.length);
    if (view != NULL &&
        !prompt_view_matches(view, pane->look.current, pane->look.words, strlen(pane->look.words)))
        pane->look.current = PROMPT_NO_ROW;
    app_redraw(pane->app, false);
}

static void build(struct pane_prompt *pane)
{
    struct segment_list segments = {0};
    struct strbuf draft = {0};
    struct shown *coming = &pane->coming;
    struct pane_chat *chat = chat_of(pane);
    pane_chat_draft(chat, &draft);
    int result = prompt_stamp_build(chat, strbuf_text(&draft), &segments, &coming->notes,
                                    &coming->what, &coming->error);
    strbuf_free(&draft);
    if (result == 0)
        pane->job = prompt_job_start(&segments, tokenizer_of(pane), &coming->error);
    if (pane->job == NULL)
        take_coming(pane);
    segment_list_free(&segments);
}

static int pane_timeout(const struct pane *base, uint64_t now_ms)
{
    struct pane_prompt *pane = self(base);
    if (pane->job != NULL)
        return prompt_job_is_done(pane->job) ? 0 : POLL_MS;
    if (pane->stamped && prompt_stamp(chat_of(pane)) == pane->stamp)
        return -1;
    return pane->due_ms > now_ms ? (int)(pane->due_ms - now_ms) : 0;
}

static void pane_tick(struct pane *base, uint64_t now_ms)
{
    struct pane_prompt *pane = self(base);
    if (pane->job != NULL) {
        if (prompt_job_is_done(pane->job))
            take_coming(pane);
        return;
    }
    pane->stamp = prompt_stamp(chat_of(pane));
    pane->stamped = true;
    build(pane);
    uint64_t cost = app_now_ms() - now_ms;
    pane->due_ms = now_ms + PAUSE_MS + cost * COST_SHARE;
}

/* --- what keys do ---------------------------------------------------------------------------- */

static void step(struct pane_prompt *pane, bool down)
{
    const struct prompt_view *view = pane->shown.view;
    size_t row = down ? prompt_row_next(view, &pane->look, pane->top)
                      : prompt_row_previous(view, &pane->look, pane->top);
    if (row != PROMPT_NO_ROW)
        pane->top = row;
}

void pane_prompt_scroll(struct pane *base, int rows)
{
    struct pane_prompt *pane = self(base);
    if (pane->shown.view == NULL)
        return;
    for (int i = 0; i < abs(rows); i++)
        step(pane, rows > 0);
    app_redraw(pane->app, true);
}

void pane_prompt_scroll_pages(struct pane *base, int pages)
{
    int rows = self(base)->rows;
    pane_prompt_scroll(base, pages * (rows > 2 ? rows - 1 : 1));
}

void pane_prompt_scroll_end(struct pane *base, bool bottom)
{
    struct pane_prompt *pane = self(base);
    if (pane->shown.view == NULL)
        return;
    /* As it is drawn, the view is moved up until it is full. */
    pane->top =
        bottom ? prompt_row_of(pane->shown.view, &pane->look, pane->shown.view->text.length) : 0;
    app_redraw(pane->app, true);
}

void pane_prompt_scroll_sideways(struct pane *base, int columns)
{
    struct pane_prompt *pane = self(base);
    int left = pane->left + columns;
    pane->left = pane->look.wrap || left < 0 ? 0 : left;
    app_redraw(pane->app, true);
}

/* Rows begin elsewhere now. */
static void look_changed(struct pane_prompt *pane)
{
    if (pane->shown.view != NULL)
        pane->top = prompt_row_of(pane->shown.view, &pane->look, pane->top);
    app_redraw(pane->app, true);
}

static bool refuse_without_tokens(struct pane_prompt *pane)
{
    bool none = tokenizer_of(pane) == NULL;
    if (none)
        workspace_flash(app_workspace(pane->app), STYLE_NOTICE,
                        "this model's tokens are not known here");
    return none;
}

void pane_prompt_toggle_tokens(struct pane *base)
{
    struct pane_prompt *pane = self(base);
    if (refuse_without_tokens(pane))
        return;
    pane->look.tokens = !pane->look.tokens;
    look_changed(pane);
}

void pane_prompt_toggle_ids(struct pane *base)
{
    struct pane_prompt *pane = self(base);
    if (refuse_without_tokens(pane))
        return;
    pane->look.ids = !pane->look.tokens || !pane->look.ids;
    pane->look.tokens = true;
    look_changed(pane);
}

void pane_prompt_toggle_wrap(struct pane *base)
{
    struct pane_prompt *pane = self(base);
    pane->look.wrap = !pane->look.wrap;
    pane->left = 0;
    look_changed(pane);
}

void pane_prompt_toggle_notes(struct pane *base)
{
    struct pane_prompt *pane = self(base);
    pane->all_notes = !pane->all_notes;
    app_redraw(pane->app, true);
}

/* --- searching and copying ------------------------------------------------------------------- */

static void go_to_match(struct pane_prompt *pane, size_t from, bool backwards)
{
    struct workspace *workspace = app_workspace(pane->app);
    const char *words = strbuf_text(&pane->words);
    size_t found, before;
    if (words[0] == '\0' || pane->shown.view == NULL) {
        workspace_flash(workspace, STYLE_NOTICE, "/ searches");
        return;
    }
    if (!prompt_view_find(pane->shown.view, words, from, backwards, &found)) {
        workspace_flash(workspace, STYLE_NOTICE, "not found");
        return;
    }
    size_t count = prompt_view_count_matches(pane->shown.view, words, found, &before);
    pane->look.current = found;
    pane->top = prompt_row_of(pane->shown.view, &pane->look, found);
    for (int i = 0; i < pane->rows / 3; i++)
        step(pane, false);
    workspace_flash(workspace, STYLE_NOTICE, "%zu of %zu · n next, N back", before + 1, count);
}

static void search(struct app *app, void *user, const char *text)
{
    struct pane *found = workspace_find(app_workspace(app), "prompt");
    (void)user;
    if (found == NULL)
        return;
    struct pane_prompt *pane = self(found);
    strbuf_clear(&pane->words);
    strbuf_puts(&pane->words, text);
    pane->look.words = strbuf_text(&pane->words);
    pane->look.current = PROMPT_NO_ROW;
    if (text[0] != '\0')
        go_to_match(pane, pane->top, false);
    app_redraw(app, true);
}

void pane_prompt_search(struct pane *base)
{
    const struct question question = {
        .title = "Search the prompt", .hint = "empty ends the search", .answer = search};
    question_open(self(base)->app, &question);
}

void pane_prompt_search_next(struct pane *base, bool backwards)
{
    struct pane_prompt *pane = self(base);
    size_t current = pane->look.current != PROMPT_NO_ROW ? pane->look.current : pane->top;
    go_to_match(pane, backwards ? current : current + 1, backwards);
}

void pane_prompt_copy_text(struct pane *base)
{
    const struct pane_prompt *pane = self(base);
    const struct prompt_view *view = pane->shown.view;
    if (view != NULL)
        app_copy(pane->app, strbuf_text(&view->text), view->text.length);
}

void pane_prompt_copy_ids(struct pane *base)
{
    struct pane_prompt *pane = self(base);
    struct strbuf ids = {0};
    if (pane->shown.view == NULL || refuse_without_tokens(pane))
        return;
    prompt_view_ids(pane->shown.view, &ids);
    app_copy(pane->app, strbuf_text(&ids), ids.length);
    strbuf_free(&ids);
}

/* --- the pane -------------------------------------------------------------------------------- */

static enum action_context pane_context(const struct pane *pane)
{
    (void)pane;
    return CONTEXT_PROMPT;
}

static void pane_title(const struct pane *base, struct strbuf *out)
{
    const struct pane_prompt *pane = self(base);
    strbuf_puts(out, "Prompt");
    if (pane->shown.view != NULL)
        strbuf_printf(out, " · %s", prompt_stamp_name(pane->shown.what));
}

static void pane_draw(struct pane *base, struct terminal *terminal, const struct rect *area,
                      bool focused)
{
    struct pane_prompt *pane = self(base);
    struct prompt_picture picture = {.view = pane->shown.view,
                                     .notes = &pane->shown.notes,
                                     .error = pane->shown.error.message,
                                     .context = chat_of(pane)->chat->gauge.context,
                                     .look = &pane->look,
                                     .top = pane->top,
                                     .left = pane->left,
                                     .all_notes = pane->all_notes,
                                     .busy = pane->job != NULL,
                                     .focused = focused};
    prompt_draw(&picture, terminal, area);
    pane->top = picture.top;
    pane->left = picture.left;
    pane->rows = picture.rows;
}

static void pane_input(struct pane *base, const struct input_token *token)
{
    if (token->kind == INPUT_MOUSE && token->mouse.kind == MOUSE_WHEEL_UP)
        pane_prompt_scroll(base, -3);
    else if (token->kind == INPUT_MOUSE && token->mouse.kind == MOUSE_WHEEL_DOWN)
        pane_prompt_scroll(base, 3);
}

static void pane_free(struct pane *base)
{
    struct pane_prompt *pane = self(base);
    prompt_view_free(prompt_job_finish(pane->job));
    free_shown(&pane->shown);
    free_shown(&pane->coming);
    strbuf_free(&pane->words);
    free(pane);
}

static const struct pane_ops prompt_ops = {
    .kind = "prompt",
    .columns_min = 28,
    .rows_min = 5,
    .columns_wanted = 52,
    .context = pane_context,
    .title = pane_title,
    .draw = pane_draw,
    .input = pane_input,
    .timeout = pane_timeout,
    .tick = pane_tick,
    .free = pane_free,
};

struct pane *pane_prompt_create(struct app *app)
{
    struct pane_prompt *pane = xcalloc(1, sizeof *pane);
    pane->base.ops = &prompt_ops;
    pane->app = app;
    pane->look = (struct prompt_look){.wrap = true, .words = "", .current = PROMPT_NO_ROW};
    return &pane->base;
}
