#include "tui/pane_documents.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "tui/documents_draw.h"
#include "tui/pane_kinds.h"
#include "tui/workspace.h"

static const struct pane_ops documents_ops;

static struct pane_documents *self(const struct pane *pane)
{
    return (struct pane_documents *)(uintptr_t)pane;
}

struct pane_documents *pane_documents_of(struct pane *pane)
{
    return pane != NULL && pane->ops == &documents_ops ? self(pane) : NULL;
}

struct pane_chat *pane_documents_chat(const struct pane_documents *pane)
{
    return workspace_chat(app_workspace(pane->app));
}

/* --- which document -------------------------------------------------------------------------- */

bool pane_documents_selected(const struct pane_documents *pane, struct document_place *place)
{
    struct document_place *places;
    size_t count = documents_list(pane_documents_chat(pane)->chat, &places);
    bool found = pane->list.selected < count;
    if (found)
        *place = places[pane->list.selected];
    free(places);
    return found;
}

static bool stands_at(const struct document_place *place, int message, size_t index)
{
    return place->index == index && (place->message != NULL ? place->message->id : -1) == message;
}

bool pane_documents_shown(const struct pane_documents *pane, struct document_place *place)
{
    struct document_place *places;
    size_t count = documents_list(pane_documents_chat(pane)->chat, &places);
    bool found = false;
    for (size_t i = 0; i < count && !found; i++) {
        found = stands_at(&places[i], pane->shown_message, pane->shown_index);
        if (found)
            *place = places[i];
    }
    free(places);
    return found;
}

static void select_shown(struct pane_documents *pane)
{
    struct document_place *places;
    size_t count = documents_list(pane_documents_chat(pane)->chat, &places);
    list_set_count(&pane->list, count);
    for (size_t i = 0; i < count; i++)
        if (stands_at(&places[i], pane->shown_message, pane->shown_index))
            list_select(&pane->list, i);
    free(places);
}

void pane_documents_enter(struct pane_documents *pane, enum documents_mode mode)
{
    struct document_place place;
    if (!pane_documents_selected(pane, &place))
        return;
    pane->mode = mode;
    pane->shown_message = place.message != NULL ? place.message->id : -1;
    pane->shown_index = place.index;
    text_view_reset(&pane->view);
    pane->pairs = (struct list){0};
    app_redraw(pane->app, true);
}

static void forget_removed(struct pane_documents *pane)
{
    document_list_free(&pane->removed);
    free(pane->removed_at);
    pane->removed_at = NULL;
}

/* Another chat: nothing of what was shown holds. */
static void follow_chat(struct pane_documents *pane)
{
    const struct conversation *conversation = pane_documents_chat(pane)->chat->conversation;
    if (conversation == pane->conversation)
        return;
    pane->conversation = conversation;
    pane->mode = DOCUMENTS_LIST;
    pane->list = (struct list){0};
    pane->top = 0;
    forget_removed(pane);
}

void pane_documents_show(struct pane_chat *chat, int message, size_t index,
                         struct text_range passage, const struct text_range *words, size_t count)
{
    struct document_place place;
    workspace_set_focus(app_workspace(chat->app), &chat->base);
    struct pane_documents *pane = self(pane_kind_show(chat->app, "documents"));
    follow_chat(pane);
    pane->mode = DOCUMENTS_TEXT;
    pane->shown_message = message;
    pane->shown_index = index;
    select_shown(pane);
    if (pane_documents_shown(pane, &place))
        text_view_show(&pane->view, place.document->text, place.document->length, passage, words,
                       count);
    app_redraw(pane->app, true);
}

/* --- the pane -------------------------------------------------------------------------------- */

static enum action_context pane_context(const struct pane *pane)
{
    (void)pane;
    return CONTEXT_DOCUMENTS;
}

static void pane_title(const struct pane *base, struct strbuf *out)
{
    const struct pane_documents *pane = self(base);
    struct document_place place;
    if (pane->mode == DOCUMENTS_TEXT && pane_documents_shown(pane, &place))
        strbuf_puts(out, path_base(place.document->name));
    else
        strbuf_puts(out, pane->mode == DOCUMENTS_PAIRS ? "Metadata" : "Documents");
}

static void pane_draw(struct pane *base, struct terminal *terminal, const struct rect *area,
                      bool focused)
{
    struct pane_documents *pane = self(base);
    struct document_place place;
    follow_chat(pane);
    if (pane->mode != DOCUMENTS_LIST && !pane_documents_shown(pane, &place))
        pane->mode = DOCUMENTS_LIST;
    documents_draw(pane, terminal, area, focused);
}

static void pane_input(struct pane *base, const struct input_token *token)
{
    struct pane_documents *pane = self(base);
    struct document_place place;
    char key[8] = "";
    size_t index = 0;
    if (token->name == NULL && token->length < sizeof key)
        memcpy(key, token->bytes, token->length);
    const char *name = token->name != NULL ? token->name : key;
    if (token->kind == INPUT_PASTE) {
        documents_add_text(pane_documents_chat(pane), "", token->bytes, token->length);
    } else if (pane->mode == DOCUMENTS_TEXT && pane_documents_shown(pane, &place)) {
        text_view_key(&pane->view, place.document->text, place.document->length, name);
    } else if (pane->mode == DOCUMENTS_PAIRS) {
        list_key(&pane->pairs, name, true);
    } else if (token->kind == INPUT_MOUSE && token->mouse.kind == MOUSE_PRESS) {
        if (documents_draw_at(pane, token->mouse.row - 1, &index))
            list_select(&pane->list, index);
    } else {
        list_key(&pane->list, name, true);
    }
}

/* --- counting, in the background ------------------------------------------------------------- */

/* The next document without a count; false: all are counted, or one is being counted. */
static bool uncounted(const struct pane_documents *pane, struct document_place *place)
{
    struct document_place *places;
    size_t tokens;
    bool found = false;
    if (document_counts_busy(pane->counts))
        return false;
    size_t count = documents_list(pane_documents_chat(pane)->chat, &places);
    for (size_t i = 0; i < count && !found; i++) {
        found = !document_counts_find(pane->counts, places[i].document, &tokens);
        if (found)
            *place = places[i];
    }
    free(places);
    return found;
}

static int pane_timeout(const struct pane *base, uint64_t now_ms)
{
    struct document_place place;
    (void)now_ms;
    return uncounted(self(base), &place) ? 0 : -1;
}

static void pane_tick(struct pane *base, uint64_t now_ms)
{
    struct pane_documents *pane = self(base);
    struct document_place place;
    (void)now_ms;
    if (uncounted(pane, &place))
        document_counts_ask(pane->counts, pane_documents_chat(pane)->chat, place.document);
}

static void pane_event(struct pane *base, const struct event *event)
{
    struct pane_documents *pane = self(base);
    if (document_counts_event(pane->counts, event))
        app_redraw(pane->app, false);
}

static void pane_free(struct pane *base)
{
    struct pane_documents *pane = self(base);
    forget_removed(pane);
    text_view_free(&pane->view);
    document_counts_free(pane->counts);
    free(pane);
}

static const struct pane_ops documents_ops = {
    .kind = "documents",
    .columns_min = 28,
    .rows_min = 5,
    .columns_wanted = 34,
    .screen_columns_min = 100,
    .context = pane_context,
    .title = pane_title,
    .draw = pane_draw,
    .input = pane_input,
    .event = pane_event,
    .timeout = pane_timeout,
    .tick = pane_tick,
    .free = pane_free,
};

struct pane *pane_documents_create(struct app *app)
{
    struct pane_documents *pane = xcalloc(1, sizeof *pane);
    pane->base.ops = &documents_ops;
    pane->app = app;
    pane->counts = document_counts_create(app_new_slot(app));
    return &pane->base;
}
