/* What keys do in the documents' pane. A key that means nothing in what is shown goes on to it. */
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/chat/document_path.h"
#include "tui/actions.h"
#include "tui/overlay.h"
#include "tui/pane_documents.h"
#include "tui/workspace.h"

static void flash(struct app *app, enum style style, const char *text)
{
    workspace_flash(app_workspace(app), style, "%s", text);
}

/* The pane that a question was asked from may have gone. */
static struct pane_documents *still_there(struct app *app)
{
    return pane_documents_of(workspace_find(app_workspace(app), "documents"));
}

/* --- adding ---------------------------------------------------------------------------------- */

static void answer_add(struct app *app, void *user, const char *text)
{
    (void)user;
    size_t begin = strspn(text, " \t\n"), length = strlen(text);
    while (length > begin && strchr(" \t\n", text[length - 1]) != NULL)
        length--;
    char *spec = xstrndup(text + begin, length - begin);
    if (spec[0] != '\0')
        documents_add(workspace_chat(app_workspace(app)), spec, false);
    free(spec);
}

ACTION(do_add)
{
    if (pane_documents_of(pane)->mode != DOCUMENTS_LIST)
        return false;
    const struct question question = {.title = "Add documents",
                                      .hint = "a file, a directory or a pattern: notes/**/*.md",
                                      .files = true,
                                      .answer = answer_add};
    question_open(app, &question);
    return true;
}

/* The first line is taken for the name. */
static void answer_paste(struct app *app, void *user, const char *text)
{
    (void)user;
    documents_add_text(workspace_chat(app_workspace(app)), "", text, strlen(text));
}

static void answer_paste_named(struct app *app, void *user, const char *text)
{
    documents_add_text(workspace_chat(app_workspace(app)), user, text, strlen(text));
}

static void answer_name(struct app *app, void *user, const char *text)
{
    (void)user;
    bool named = text[strspn(text, " ")] != '\0';
    const struct question question = {.title = "Its text",
                                      .hint = "paste it here; Alt-Enter makes a new line",
                                      .answer = named ? answer_paste_named : answer_paste,
                                      .free_user = free,
                                      .user = xstrdup(text)};
    question_open(app, &question);
}

ACTION(do_paste)
{
    if (pane_documents_of(pane)->mode != DOCUMENTS_LIST)
        return false;
    const struct question question = {.title = "Name of the pasted text",
                                      .hint = "sources will name it so; empty: \"pasted text\"",
                                      .answer = answer_name};
    question_open(app, &question);
    return true;
}

/* --- the list -------------------------------------------------------------------------------- */

ACTION(do_toggle)
{
    struct document_place place;
    struct pane_documents *documents = pane_documents_of(pane);
    if (documents->mode != DOCUMENTS_LIST)
        return false;
    if (pane_documents_selected(documents, &place))
        documents_toggle(pane_documents_chat(documents), &place);
    return true;
}

/* The document goes to the end of those removed, as it is. */
static void remove_document(struct pane_documents *pane, size_t index)
{
    struct pane_chat *chat = pane_documents_chat(pane);
    struct document_list *from = &chat->chat->attached, *to = &pane->removed;
    document_add_exact(to, "", "", 0);
    struct document empty = to->items[to->count - 1];
    to->items[to->count - 1] = from->items[index];
    from->items[index] = empty;
    document_remove(from, index);
    pane->removed_at = xreallocarray(pane->removed_at, to->count, sizeof *pane->removed_at);
    pane->removed_at[to->count - 1] = index;
    documents_changed(chat, NULL);
}

static bool remove_pair(struct app *app, struct pane_documents *pane)
{
    struct document_place place;
    if (!pane_documents_shown(pane, &place) || pane->pairs.selected >= place.document->pair_count)
        return true;
    document_remove_pair(place.document, place.document->pairs[pane->pairs.selected].key);
    documents_changed(pane_documents_chat(pane), place.message);
    app_redraw(app, true);
    return true;
}

ACTION(do_remove)
{
    struct document_place place;
    struct pane_documents *documents = pane_documents_of(pane);
    if (documents->mode == DOCUMENTS_PAIRS)
        return remove_pair(app, documents);
    if (documents->mode != DOCUMENTS_LIST)
        return false;
    if (!pane_documents_selected(documents, &place))
        return true;
    if (place.message != NULL) {
        flash(app, STYLE_NOTICE, "it was sent with a message: Space turns it off");
        return true;
    }
    remove_document(documents, place.index);
    flash(app, STYLE_NOTICE, "removed; u brings it back");
    return true;
}

ACTION(do_undo)
{
    struct pane_documents *documents = pane_documents_of(pane);
    struct pane_chat *chat = pane_documents_chat(documents);
    struct document_list *from = &documents->removed, *to = &chat->chat->attached;
    if (documents->mode != DOCUMENTS_LIST)
        return false;
    if (from->count == 0) {
        flash(app, STYLE_NOTICE, "nothing was removed");
        return true;
    }
    size_t at = documents->removed_at[from->count - 1];
    document_add_exact(to, "", "", 0);
    struct document empty = to->items[to->count - 1];
    to->items[to->count - 1] = from->items[from->count - 1];
    from->items[from->count - 1] = empty;
    document_remove(from, from->count - 1);
    at = at < to->count ? at : to->count - 1;
    document_move(to, to->count - 1, at);
    list_set_count(&documents->list, documents->list.count + 1);
    list_select(&documents->list, at);
    documents_changed(chat, NULL);
    return true;
}

static bool move(struct pane_documents *pane, bool down)
{
    struct document_place place;
    struct pane_chat *chat = pane_documents_chat(pane);
    if (pane->mode != DOCUMENTS_LIST)
        return false;
    if (!pane_documents_selected(pane, &place))
        return true;
    struct document_list *list =
        place.message != NULL ? &place.message->documents : &chat->chat->attached;
    if (down ? place.index + 1 >= list->count : place.index == 0)
        return true;
    document_move(list, place.index, down ? place.index + 1 : place.index - 1);
    list_move(&pane->list, down ? 1 : -1);
    documents_changed(chat, place.message);
    return true;
}

ACTION(do_move_down)
{
    return move(pane_documents_of(pane), true);
}

ACTION(do_move_up)
{
    return move(pane_documents_of(pane), false);
}

/* --- metadata -------------------------------------------------------------------------------- */

static void set_pair(struct app *app, const char *key, const char *value)
{
    struct document_place place;
    struct error error;
    struct pane_documents *pane = still_there(app);
    if (pane == NULL || !pane_documents_shown(pane, &place))
        return;
    if (document_set_pair(place.document, key, value, &error) != 0) {
        flash(app, STYLE_ERROR, error.message);
        return;
    }
    for (size_t i = 0; i < place.document->pair_count; i++)
        if (strcmp(place.document->pairs[i].key, key) == 0)
            pane->pairs = (struct list){.count = place.document->pair_count, .selected = i};
    documents_changed(pane_documents_chat(pane), place.message);
}

static void answer_value(struct app *app, void *user, const char *text)
{
    set_pair(app, user, text);
}

static void answer_pair(struct app *app, void *user, const char *text)
{
    (void)user;
    const char *colon = strchr(text, ':');
    if (colon == NULL) {
        flash(app, STYLE_ERROR, "a pair is \"key: value\"");
        return;
    }
    char *key = xstrndup(text, (size_t)(colon - text));
    set_pair(app, key, colon + 1 + strspn(colon + 1, " "));
    free(key);
}

static bool edit_pair(struct app *app, struct pane_documents *pane)
{
    struct document_place place;
    if (!pane_documents_shown(pane, &place) || pane->pairs.selected >= place.document->pair_count)
        return true;
    const struct document_pair *pair = &place.document->pairs[pane->pairs.selected];
    const struct question question = {.title = pair->key,
                                      .hint = pair->guessed ? "guessed from the file" : NULL,
                                      .initial = pair->value,
                                      .answer = answer_value,
                                      .free_user = free,
                                      .user = xstrdup(pair->key)};
    question_open(app, &question);
    return true;
}

ACTION(do_metadata)
{
    struct document_place place;
    struct pane_documents *documents = pane_documents_of(pane);
    if (documents->mode != DOCUMENTS_LIST)
        return false;
    if (pane_documents_selected(documents, &place) && place.message != NULL)
        flash(app, STYLE_NOTICE, "it was sent: its metadata stays as it was");
    else
        pane_documents_enter(documents, DOCUMENTS_PAIRS);
    return true;
}

/* --- the text -------------------------------------------------------------------------------- */

static void find(struct app *app, struct pane_documents *pane, const char *wanted, bool backwards)
{
    struct document_place place;
    if (pane == NULL || !pane_documents_shown(pane, &place))
        return;
    if (!text_view_search(&pane->view, place.document->text, place.document->length, wanted,
                          backwards))
        flash(app, STYLE_NOTICE, pane->view.wanted != NULL ? "not found" : "/ searches");
    app_redraw(app, true);
}

static void answer_search(struct app *app, void *user, const char *text)
{
    (void)user;
    if (text[0] != '\0')
        find(app, still_there(app), text, false);
}

ACTION(do_search)
{
    if (pane_documents_of(pane)->mode != DOCUMENTS_TEXT)
        return false;
    const struct question question = {.title = "Search", .answer = answer_search};
    question_open(app, &question);
    return true;
}

ACTION(do_next)
{
    struct pane_documents *documents = pane_documents_of(pane);
    const struct question question = {
        .title = "New pair", .hint = "key: value, such as title: Notes", .answer = answer_pair};
    if (documents->mode == DOCUMENTS_TEXT)
        find(app, documents, NULL, false);
    else if (documents->mode == DOCUMENTS_PAIRS)
        question_open(app, &question);
    return documents->mode != DOCUMENTS_LIST;
}

ACTION(do_previous)
{
    struct pane_documents *documents = pane_documents_of(pane);
    if (documents->mode != DOCUMENTS_TEXT)
        return false;
    find(app, documents, NULL, true);
    return true;
}

ACTION(do_open)
{
    struct pane_documents *documents = pane_documents_of(pane);
    if (documents->mode == DOCUMENTS_PAIRS)
        return edit_pair(app, documents);
    if (documents->mode == DOCUMENTS_LIST)
        pane_documents_enter(documents, DOCUMENTS_TEXT);
    return true;
}

/* --- leaving, and switches ------------------------------------------------------------------- */

/* Stops what is being added, else goes back: from a text to the list, from there to the chat. */
ACTION(do_back)
{
    struct pane_documents *documents = pane_documents_of(pane);
    struct pane_chat *chat = pane_documents_chat(documents);
    if (documents->mode != DOCUMENTS_LIST)
        documents->mode = DOCUMENTS_LIST;
    else if (documents_are_coming(chat))
        documents_stop_coming(chat);
    else
        workspace_set_focus(app_workspace(app), &chat->base);
    app_redraw(app, true);
    return true;
}

static bool turn(struct app *app, struct pane *pane, bool *setting)
{
    *setting = !*setting;
    documents_settings_changed(pane_documents_chat(pane_documents_of(pane)));
    app_redraw(app, true);
    return true;
}

ACTION(do_no_making_up)
{
    return turn(app, pane, &app_settings(app)->no_making_up);
}

ACTION(do_ask_source)
{
    return turn(app, pane, &app_settings(app)->ask_source);
}

const struct action actions_documents[] = {
    {"document-add", NULL, NULL, "a", "add files, directories or patterns", do_add},
    {"document-paste", NULL, NULL, "p", "add pasted text under a name", do_paste},
    {"document-toggle", NULL, NULL, "Space", "give it to the model, or not", do_toggle},
    {"document-open", NULL, NULL, "Enter v", "read it; in the metadata: edit a value", do_open},
    {"document-metadata", NULL, NULL, "e", "its metadata", do_metadata},
    {"document-remove", NULL, NULL, "d", "remove it; in the metadata: a pair", do_remove},
    {"document-undo", NULL, NULL, "u", "bring back what was removed last", do_undo},
    {"document-down", NULL, NULL, "J", "move it down in the order", do_move_down},
    {"document-up", NULL, NULL, "K", "move it up in the order", do_move_up},
    {"document-search", NULL, NULL, "/", "search in a text", do_search},
    {"document-next", NULL, NULL, "n", "next match; in the metadata: a new pair", do_next},
    {"document-previous", NULL, NULL, "N", "match before", do_previous},
    {"document-honest", NULL, NULL, "!", "ask for no made-up answers, or not", do_no_making_up},
    {"document-source", NULL, NULL, "s", "ask for the source, or not", do_ask_source},
    {"document-back", NULL, NULL, "q Esc Ctrl-C", "stop adding; back", do_back},
    {0},
};
