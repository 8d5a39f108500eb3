#include "tui/documents.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "engine/base/alloc.h"
#include "engine/base/utf8.h"
#include "engine/chat/document_path.h"
#include "tui/document_adder.h"
#include "tui/home_path.h"
#include "tui/workspace.h"

#define NOTE_BYTES (1u << 20) /* tokens are said at once of no larger documents */

struct waiting {
    char *spec;
    bool aloud;
    struct waiting *next;
};

struct documents {
    struct document_adder *adder;
    bool aloud;
    unsigned long number; /* of the chat that they are for */
    struct waiting *waiting;
};

/* --- the list -------------------------------------------------------------------------------- */

static void add_places(struct document_place **out, size_t *count, struct document_list *list,
                       struct message *message)
{
    if (list->count == 0)
        return;
    *out = xreallocarray(*out, *count + list->count, sizeof **out);
    for (size_t i = 0; i < list->count; i++)
        (*out)[(*count)++] = (struct document_place){&list->items[i], message, i};
}

size_t documents_list(const struct chat *chat, struct document_place **out)
{
    const struct conversation *conversation = chat->conversation;
    int *ids = xcalloc(conversation->count + 1, sizeof *ids);
    size_t count = 0, path = conversation_path(conversation, ids);
    *out = NULL;
    add_places(out, &count, (struct document_list *)(uintptr_t)&chat->attached, NULL);
    for (size_t i = 0; i < path; i++) {
        struct message *message = conversation->items[ids[i]];
        add_places(out, &count, &message->documents, message);
    }
    free(ids);
    return count;
}

/* --- changes --------------------------------------------------------------------------------- */

/* What goes with the next prompt: a command does not. To be freed. */
static char *draft_of(const struct pane_chat *pane)
{
    struct strbuf text = {0};
    pane_chat_draft(pane, &text);
    if (text.length > 0 && text.data[0] == '/')
        strbuf_clear(&text);
    return text.data != NULL ? strbuf_detach(&text) : xstrdup("");
}

void documents_settings_changed(struct pane_chat *pane)
{
    struct error error;
    pane_chat_recount(pane);
    char *draft = draft_of(pane);
    if (!pane->focused && chat_count(pane->chat, draft, &error) != 0)
        workspace_flash(app_workspace(pane->app), STYLE_ERROR, "%s", error.message);
    free(draft);
}

void documents_changed(struct pane_chat *pane, struct message *message)
{
    if (message == NULL)
        chat_keep_documents(pane->chat);
    else
        chat_keep_sent_documents(pane->chat, message);
    documents_settings_changed(pane);
}

void documents_toggle(struct pane_chat *pane, const struct document_place *place)
{
    place->document->enabled = !place->document->enabled;
    documents_changed(pane, place->message);
}

size_t documents_overflow(const struct pane_chat *pane)
{
    const struct gauge *gauge = &pane->chat->gauge;
    size_t total = 0;
    for (int i = 0; i < PARTS; i++)
        total += gauge->parts[i];
    return gauge->counted && gauge->context > 0 && total >= gauge->context ? total : 0;
}

/* --- telling --------------------------------------------------------------------------------- */

static void say(struct pane_chat *pane, bool aloud, bool problem, const char *line)
{
    if (aloud)
        pane_chat_say(pane, problem ? TRANSCRIPT_ERROR : TRANSCRIPT_NOTICE, "%s", line);
    else
        workspace_flash(app_workspace(pane->app), problem ? STYLE_ERROR : STYLE_NOTICE, "%s", line);
}

/* "notes.txt goes with the next message, 212 tokens": what is small is counted on the spot. */
static void say_one(struct pane_chat *pane, const char *spec, bool aloud)
{
    const struct document_list *list = &pane->chat->attached;
    const struct document *document = &list->items[list->count - 1];
    struct strbuf line = {0};
    size_t parts[PARTS] = {0}, before[PARTS] = {0}, total = 0, context = pane->chat->gauge.context;
    char size[32], all[32];
    strbuf_printf(&line, "%s goes with the next message, ", spec);
    struct document_list *last = &pane->chat->attached;
    bool counted = document->length <= NOTE_BYTES &&
                   chat_count_prompt(pane->chat, "", parts, &total, NULL) == 0;
    last->count--;
    counted = counted && chat_count_prompt(pane->chat, "", before, &(size_t){0}, NULL) == 0;
    last->count++;
    if (counted)
        strbuf_printf(&line, "%s tokens",
                      format_count(parts[PART_DOCUMENT] - before[PART_DOCUMENT], size));
    else
        strbuf_puts(&line, format_bytes(document->length, size));
    if (counted && total >= context)
        strbuf_printf(&line,
                      "; with it the prompt takes %s and the context holds %s: F3 turns documents "
                      "off, or choose when you send",
                      format_count(total, size), format_count(context, all));
    say(pane, aloud, false, strbuf_text(&line));
    strbuf_free(&line);
}

static void take_in(struct pane_chat *pane, struct document_added *added, const char *spec,
                    bool aloud)
{
    struct strbuf line = {0};
    size_t count = document_added_merge(added, &pane->chat->attached);
    if (count > 0)
        documents_changed(pane, NULL);
    if (count == 1 && added->skipped_count == 0) {
        say_one(pane, spec, aloud);
    } else {
        document_added_say(added, count, &line);
        say(pane, aloud, count == 0, strbuf_text(&line));
    }
    strbuf_free(&line);
    app_redraw(pane->app, true);
}

/* --- adding ---------------------------------------------------------------------------------- */

static struct documents *state_of(struct pane_chat *pane)
{
    if (pane->documents == NULL)
        pane->documents = xcalloc(1, sizeof *pane->documents);
    return pane->documents;
}

static void begin(struct pane_chat *pane, const char *spec, bool aloud)
{
    struct documents *state = state_of(pane);
    state->adder = document_adder_start(spec, &app_settings(pane->app)->converters);
    state->aloud = aloud;
    state->number = pane->chat->number;
    if (aloud)
        pane_chat_say(pane, TRANSCRIPT_NOTICE, "adding %s; F3 and Esc stop it", spec);
}

/* A short text file is read on the spot, so that what is typed next finds it attached. */
static bool is_short_text(struct pane_chat *pane, const char *path)
{
    const struct document_options options = {.converters = &app_settings(pane->app)->converters};
    struct stat status;
    return stat(path, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
           status.st_size <= (off_t)NOTE_BYTES && document_kind(path, &options) == NULL;
}

static void add_now(struct pane_chat *pane, const char *path, const char *spec, bool aloud)
{
    struct error error;
    if (document_check_new(&pane->chat->attached, path, &error) != 0 ||
        document_add_regular(&pane->chat->attached, path, &error) != 0) {
        say(pane, aloud, true, error.message);
        return;
    }
    documents_changed(pane, NULL);
    say_one(pane, spec, aloud);
}

void documents_add(struct pane_chat *pane, const char *spec, bool aloud)
{
    struct documents *state = state_of(pane);
    char *path = home_path(spec);
    if (state->adder != NULL) {
        struct waiting **link = &state->waiting;
        while (*link != NULL)
            link = &(*link)->next;
        *link = xcalloc(1, sizeof **link);
        (*link)->spec = xstrdup(spec);
        (*link)->aloud = aloud;
    } else if (is_short_text(pane, path)) {
        add_now(pane, path, spec, aloud);
    } else {
        begin(pane, spec, aloud);
    }
    free(path);
    app_redraw(pane->app, true);
}

void documents_add_text(struct pane_chat *pane, const char *name, const char *text, size_t length)
{
    struct error error;
    struct document_list *list = &pane->chat->attached;
    if (document_add_pasted(list, name, text, length, &error) != 0) {
        say(pane, false, true, error.message);
        return;
    }
    documents_changed(pane, NULL);
    char *as = xstrdup(list->items[list->count - 1].name);
    say_one(pane, as, false);
    free(as);
}

static void drop_waiting(struct documents *state)
{
    while (state->waiting != NULL) {
        struct waiting *next = state->waiting->next;
        free(state->waiting->spec);
        free(state->waiting);
        state->waiting = next;
    }
}

bool documents_are_coming(const struct pane_chat *pane)
{
    return pane->documents != NULL && pane->documents->adder != NULL;
}

void documents_say_coming(const struct pane_chat *pane, struct strbuf *out)
{
    document_adder_say(pane->documents->adder, out);
}

void documents_stop_coming(struct pane_chat *pane)
{
    drop_waiting(pane->documents);
    document_adder_stop(pane->documents->adder);
}

static void finish(struct pane_chat *pane)
{
    struct documents *state = pane->documents;
    struct document_added added = {0};
    char *spec = xstrdup(document_adder_spec(state->adder));
    document_adder_take(state->adder, &added);
    state->adder = NULL;
    if (state->number == pane->chat->number)
        take_in(pane, &added, spec, state->aloud);
    else
        say(pane, false, true, "another chat is here now: nothing was added");
    document_added_free(&added);
    free(spec);
}

void documents_tick(struct pane_chat *pane)
{
    struct documents *state = pane->documents;
    if (!documents_are_coming(pane))
        return;
    app_redraw(pane->app, false);
    if (!document_adder_ended(state->adder))
        return;
    finish(pane);
    while (state->waiting != NULL && state->adder == NULL) {
        struct waiting *next = state->waiting;
        state->waiting = next->next;
        documents_add(pane, next->spec, next->aloud);
        free(next->spec);
        free(next);
    }
}

void documents_free(struct documents *documents)
{
    if (documents == NULL)
        return;
    drop_waiting(documents);
    document_adder_take(documents->adder, NULL);
    free(documents);
}
