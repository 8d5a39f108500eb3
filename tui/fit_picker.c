#include "tui/fit_picker.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/chat/passages.h"
#include "tui/background.h"
#include "tui/documents.h"
#include "tui/overlay.h"
#include "tui/pane_kinds.h"
#include "tui/workspace.h"

#define TRIES       6
#define BLOCK_SLACK 8
#define REPLY_SHARE 4 /* a quarter of the context is kept for the reply */

/* --- numbers --------------------------------------------------------------------------------- */

/* Kept for the reply where the person has the choice. */
static size_t reserve_of(const struct chat *chat)
{
    size_t most = chat->settings->max_tokens, share = chat->gauge.context / REPLY_SHARE;
    return most > 0 && most < share ? most : share;
}

static bool documents_enabled(const struct chat *chat)
{
    struct document_place *places;
    size_t count = documents_list(chat, &places), enabled = 0;
    for (size_t i = 0; i < count; i++)
        enabled += places[i].document->enabled;
    free(places);
    return enabled > 0;
}

/* --- sending after all ----------------------------------------------------------------------- */

/* The text goes out of the composer, where it has waited before what was typed since, and is
 * sent. */
static void send_waiting(struct pane_chat *pane, const char *text)
{
    struct strbuf typed = {0};
    pane_chat_draft(pane, &typed);
    const char *rest = strbuf_text(&typed);
    size_t length = strlen(text);
    if (strncmp(rest, text, length) == 0 && (rest[length] == '\0' || rest[length] == '\n'))
        pane_chat_type(pane, rest + length + (rest[length] == '\n'));
    strbuf_free(&typed);
    pane_chat_send(pane, text);
}

/* --- passages -------------------------------------------------------------------------------- */

struct fit_passages {
    struct background *background;
    unsigned long number; /* of the chat that they are for */
    char *text;
    struct document_list documents; /* the thread's own */
    struct passages *index;
    struct error error;
};

void fit_passages_free(struct fit_passages *work)
{
    if (work == NULL)
        return;
    if (work->background != NULL)
        background_stop(work->background);
    background_join(work->background);
    passages_close(work->index);
    document_list_free(&work->documents);
    free(work->text);
    free(work);
}

static bool on_progress(void *user, size_t done, size_t total)
{
    background_progress(user, done, total);
    return !background_is_stopped(user);
}

static void index_documents(struct background *background, void *user)
{
    struct fit_passages *work = user;
    work->index = passages_open(&work->documents, on_progress, background, &work->error);
}

static void begin_passages(struct pane_chat *pane, const char *text)
{
    struct document_place *places;
    size_t count = documents_list(pane->chat, &places);
    fit_passages_free(pane->passages);
    struct fit_passages *work = xcalloc(1, sizeof *work);
    for (size_t i = 0; i < count; i++)
        if (places[i].document->enabled)
            document_add_copy(&work->documents, places[i].document, places[i].document->text,
                              places[i].document->length);
    free(places);
    work->text = xstrdup(text);
    work->number = pane->chat->number;
    work->background = background_start(index_documents, work);
    pane->passages = work;
    workspace_flash(app_workspace(pane->app), STYLE_NOTICE, "looking for the passages that fit");
}

static size_t count_block(void *user, const struct document *document)
{
    const struct chat *chat = user;
    struct generator *generator = chat->generator;
    struct segment_list segments = {0};
    const struct prompt_style style = {0};
    struct document one = *document;
    const struct document_list list = {&one, 1, 1};
    size_t parts[PARTS] = {0}, total = 0;
    if (prompt_build(&segments, chat->template, generator->ops->tokenizer(generator), NULL, "",
                     &list, &style, NULL, NULL) == 0)
        generator->ops->count(generator, &segments, parts, &total, NULL);
    segment_list_free(&segments);
    return parts[PART_DOCUMENT];
}

/* On or off, all at once; before[] (may be NULL) receives what they were. */
static void switch_all(struct pane_chat *pane, bool on, const bool *before, bool *out)
{
    struct document_place *places;
    size_t count = documents_list(pane->chat, &places);
    for (size_t i = 0; i < count; i++) {
        if (out != NULL)
            out[i] = places[i].document->enabled;
        places[i].document->enabled = before != NULL ? before[i] : on;
    }
    free(places);
}

static void add_choice(struct document_list *attached, const struct passages_choice *choice)
{
    for (size_t i = 0; i < choice->documents.count; i++) {
        const struct document *document = &choice->documents.items[i];
        document_add_copy(attached, document, document->text, document->length);
        attached->items[attached->count - 1].enabled = true;
    }
}

static void drop_last(struct document_list *list, size_t down_to)
{
    while (list->count > down_to)
        document_remove(list, list->count - 1);
}

/* Chooses until all of the prompt fits: the sum of single blocks is an estimate. The whole
 * documents are off, and the passages attached, when this returns 0. */
static int choose(struct pane_chat *pane, struct fit_passages *work, struct passages_choice *choice,
                  struct error *error)
{
    struct chat *chat = pane->chat;
    size_t whole = chat->attached.count, total = 0, parts[PARTS];
    size_t room = chat->gauge.context - reserve_of(chat);
    if (chat_count_prompt(chat, work->text, parts, &total, error) != 0)
        return -1;
    size_t budget = room > total ? room - total : 0;
    for (int i = 0; i < TRIES; i++) {
        if (passages_pick(work->index, work->text, budget, count_block, chat, choice, error) != 0)
            return -1;
        add_choice(&chat->attached, choice);
        if (chat_count_prompt(chat, work->text, parts, &total, error) == 0 && total <= room)
            return 0;
        drop_last(&chat->attached, whole);
        passages_choice_free(choice);
        size_t over = total > room ? total - room + BLOCK_SLACK : BLOCK_SLACK;
        budget = budget > over ? budget - over : 0;
    }
    return error_set(error, ERROR_INPUT, "no passages fit into %zu tokens", room);
}

static void keep_switched(struct pane_chat *pane)
{
    struct document_place *places;
    size_t count = documents_list(pane->chat, &places);
    for (size_t i = 0; i < count; i++)
        if (places[i].message != NULL && (i == 0 || places[i - 1].message != places[i].message))
            chat_keep_sent_documents(pane->chat, places[i].message);
    free(places);
}

static void say_choice(struct pane_chat *pane, const struct passages_choice *choice)
{
    if (!choice->matched)
        pane_chat_say(pane, TRANSCRIPT_NOTICE,
                      "no word of the question is in the documents: their beginnings were sent");
    for (size_t i = 0; i < choice->report_count; i++)
        pane_chat_say(pane, TRANSCRIPT_NOTICE, "only passages were sent: %s", choice->report[i]);
}

static void send_passages(struct pane_chat *pane, struct fit_passages *work)
{
    struct passages_choice choice = {0};
    struct document_place *places;
    size_t count = documents_list(pane->chat, &places);
    bool *before = xcalloc(count + 1, sizeof *before);
    free(places);
    switch_all(pane, false, NULL, before);
    if (choose(pane, work, &choice, &work->error) != 0) {
        switch_all(pane, true, before, NULL);
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", work->error.message);
    } else {
        keep_switched(pane);
        send_waiting(pane, work->text);
        say_choice(pane, &choice);
        passages_choice_free(&choice);
    }
    free(before);
    pane_chat_recount(pane);
}

bool fit_picker_runs(const struct pane_chat *pane)
{
    return pane->passages != NULL;
}

void fit_picker_tick(struct pane_chat *pane)
{
    struct fit_passages *work = pane->passages;
    if (work == NULL || !background_ended(work->background))
        return;
    pane->passages = NULL;
    background_join(work->background);
    work->background = NULL;
    if (work->number != pane->chat->number || chat_is_replying(pane->chat))
        workspace_flash(app_workspace(pane->app), STYLE_NOTICE,
                        "the chat has changed: nothing was sent");
    else if (work->index == NULL)
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", work->error.message);
    else
        send_passages(pane, work);
    fit_passages_free(work);
}

/* --- the choice ------------------------------------------------------------------------------ */

enum way { WAY_TURNS, WAY_PASSAGES, WAY_OFF, WAY_KEYS, WAY_CANCEL, WAYS };

struct fitting {
    struct pane_chat *pane;
    char *text;
    enum way ways[WAYS];
};

static void free_fitting(void *user)
{
    struct fitting *fitting = user;
    free(fitting->text);
    free(fitting);
}

static void leave_turns_out(struct pane_chat *pane, const char *text)
{
    struct error error = {0};
    size_t turns = pane->chat->skip_turns;
    if (chat_fit(pane->chat, text, reserve_of(pane->chat), &error) != 0 &&
        chat_fit(pane->chat, text, 1, &error) != 0) {
        pane->chat->skip_turns = turns;
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
        return;
    }
    size_t left_out = pane->chat->skip_turns;
    send_waiting(pane, text);
    pane_chat_say(pane, TRANSCRIPT_NOTICE, "the oldest %zu turn%s left out of the prompt", left_out,
                  left_out == 1 ? " is" : "s are");
}

/* The type that takes about half the room of the chat's; NULL: there is none. */
static const char *smaller_kv_type(const struct chat *chat)
{
    const char *type = chat->settings->kv_type != NULL ? chat->settings->kv_type : "";
    return strcmp(type, "q4") == 0 ? NULL : strcmp(type, "q8") == 0 ? "q4" : "q8";
}

static void choose_way(struct app *app, void *user, size_t index)
{
    const struct fitting *fitting = user;
    switch (fitting->ways[index]) {
    case WAY_TURNS:
        leave_turns_out(fitting->pane, fitting->text);
        break;
    case WAY_PASSAGES:
        begin_passages(fitting->pane, fitting->text);
        break;
    case WAY_OFF:
        pane_kind_show(app, "documents");
        break;
    case WAY_KEYS:
        pane_chat_say(fitting->pane, TRANSCRIPT_NOTICE,
                      "keys and values at half the size leave room for about twice the context: "
                      "leave and start with --kv-type %s --context %zu; this chat is kept",
                      smaller_kv_type(fitting->pane->chat), 2 * fitting->pane->chat->gauge.context);
        break;
    case WAY_CANCEL:
    case WAYS:
        break;
    }
}

static void add_way(struct fitting *fitting, struct picker *picker, enum way way, const char *label,
                    char *detail)
{
    picker->items = xreallocarray(picker->items, picker->count + 1, sizeof *picker->items);
    fitting->ways[picker->count] = way;
    picker->items[picker->count++] = (struct picker_item){xstrdup(label), detail};
}

/* What can be left out, with what it would bring. */
static void add_ways(struct fitting *fitting, struct picker *picker, const size_t *parts)
{
    const struct chat *chat = fitting->pane->chat;
    size_t turns = prompt_turns(chat->conversation);
    if (turns > chat->skip_turns && parts[PART_HISTORY] > 0)
        add_way(fitting, picker, WAY_TURNS, "Leave out the oldest turns",
                xasprintf("%zu turns, %zu tokens", turns - chat->skip_turns, parts[PART_HISTORY]));
    if (documents_enabled(chat)) {
        add_way(fitting, picker, WAY_PASSAGES, "Send only the passages that fit the question",
                xasprintf("of %zu tokens", parts[PART_DOCUMENT]));
        add_way(fitting, picker, WAY_OFF, "Turn documents off", xstrdup("goes to the list"));
    }
    if (smaller_kv_type(chat) != NULL)
        add_way(fitting, picker, WAY_KEYS, "A larger context", xstrdup("how to start with one"));
    add_way(fitting, picker, WAY_CANCEL, "Back to the text", NULL);
}

bool fit_picker_open(struct pane_chat *pane, const char *text)
{
    char wanted[32], room[32];
    size_t parts[PARTS] = {0}, total = 0, context = pane->chat->gauge.context;
    if (chat_count_prompt(pane->chat, text, parts, &total, NULL) != 0 || total < context)
        return false;
    struct fitting *fitting = xcalloc(1, sizeof *fitting);
    char *title = xasprintf("%s tokens do not fit into %s", format_count(total, wanted),
                            format_count(context, room));
    struct picker picker = {.title = title,
                            .placeholder = "what shall stay out?",
                            .choose = choose_way,
                            .free_user = free_fitting,
                            .user = fitting};
    fitting->pane = pane;
    fitting->text = xstrdup(text);
    add_ways(fitting, &picker, parts);
    pane_chat_give_back(pane, text);
    picker_open(pane->app, &picker);
    free(title);
    return true;
}
