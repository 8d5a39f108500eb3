#include "tui/answer_check.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/chat/support.h"
#include "tui/answer.h"
#include "tui/background.h"
#include "tui/documents.h"
#include "tui/pane_documents.h"
#include "tui/workspace.h"

#define AT_ONCE_BYTES (512u << 10) /* of documents: some milliseconds */
#define UNKNOWN_SAID  2            /* source lines that are named in a note */
#define NO_BYTE       SIZE_MAX

/* One check: everything that the thread looks at is the check's own. */
struct answer_check {
    struct background *background; /* NULL: it is done */
    unsigned long number;          /* of the chat that it is for */
    int reply;
    char *question, *text, *reason;
    size_t length, byte; /* NO_BYTE: for the note */
    struct document_list documents;
    struct place {
        int message;
        size_t index;
    } * places; /* where each of the documents stands */
    const char *const *markers;
    struct support support;
    struct answer_check *abandoned; /* what still runs though nobody waits for it */
};

static void clear(struct answer_check *check)
{
    support_free(&check->support);
    document_list_free(&check->documents);
    free(check->places);
    free(check->question);
    free(check->text);
    free(check->reason);
    *check = (struct answer_check){.reply = -1, .abandoned = check->abandoned};
}

void answer_check_free(struct answer_check *check)
{
    while (check != NULL) {
        struct answer_check *next = check->abandoned;
        background_join(check->background);
        clear(check);
        free(check);
        check = next;
    }
}

/* --- what is checked ------------------------------------------------------------------------- */

static void gather_message(struct answer_check *check, const struct message *message)
{
    size_t *count = &check->documents.count;
    for (size_t i = 0; i < message->documents.count; i++) {
        const struct document *document = &message->documents.items[i];
        if (!document->enabled)
            continue;
        check->places = xreallocarray(check->places, *count + 1, sizeof *check->places);
        check->places[*count] = (struct place){message->id, i};
        document_add_copy(&check->documents, document, document->text, document->length);
    }
}

/* The documents on the way to the reply, oldest first. */
static void gather(struct answer_check *check, const struct conversation *conversation, int id)
{
    int *ids = xcalloc(conversation->count + 1, sizeof *ids);
    size_t count = 0;
    for (; id >= 0; id = conversation->items[id]->parent)
        ids[count++] = id;
    while (count > 0)
        gather_message(check, conversation->items[ids[--count]]);
    free(ids);
}

static size_t bytes_above(const struct conversation *conversation, int id)
{
    size_t bytes = 0;
    for (; id >= 0; id = conversation->items[id]->parent) {
        const struct document_list *list = &conversation->items[id]->documents;
        for (size_t i = 0; i < list->count; i++)
            bytes += list->items[i].enabled ? list->items[i].length : 0;
    }
    return bytes;
}

static void run(struct background *background, void *user)
{
    struct answer_check *check = user;
    (void)background;
    support_check(&check->support, check->question, check->text, check->length, &check->documents,
                  check->markers);
}

/* The pane's check, empty. One that is under way is left to end by itself. */
static struct answer_check *take_over(struct pane_chat *pane)
{
    struct answer_check *check = pane->check;
    if (check == NULL || check->background != NULL) {
        check = xcalloc(1, sizeof *check);
        check->abandoned = pane->check;
        pane->check = check;
    }
    clear(check);
    return check;
}

static void free_abandoned(struct answer_check *check)
{
    for (struct answer_check **link = &check->abandoned; *link != NULL;) {
        struct answer_check *old = *link;
        if (old->background != NULL && !background_ended(old->background)) {
            link = &old->abandoned;
            continue;
        }
        *link = old->abandoned;
        old->abandoned = NULL;
        answer_check_free(old);
    }
}

/* Looks through the documents of a reply; true when that is done already. */
static bool look(struct pane_chat *pane, const struct message *reply, const char *reason,
                 size_t byte)
{
    const struct conversation *conversation = pane->chat->conversation;
    struct answer_check *check = take_over(pane);
    size_t bytes = bytes_above(conversation, reply->parent);
    const struct message *asked = reply->parent >= 0 ? conversation->items[reply->parent] : NULL;
    check->number = pane->chat->number;
    check->reply = reply->id;
    check->question = asked != NULL ? xstrdup(strbuf_text(&asked->text)) : NULL;
    check->text = xstrndup(strbuf_text(&reply->text), reply->text.length);
    check->length = reply->text.length;
    check->reason = reason != NULL ? xstrdup(reason) : NULL;
    check->byte = byte;
    check->markers = chat_template_markers(pane->chat->template);
    gather(check, conversation, reply->parent);
    if (bytes > AT_ONCE_BYTES)
        check->background = background_start(run, check);
    else
        run(NULL, check);
    return check->background == NULL;
}

/* The check of this reply as it is now, where it has been made. */
static const struct answer_check *known(const struct pane_chat *pane, const struct message *reply)
{
    const struct answer_check *check = pane->check;
    bool is_it = check != NULL && check->background == NULL && check->reply == reply->id &&
                 check->number == pane->chat->number && check->length == reply->text.length;
    return is_it ? check : NULL;
}

/* --- the note -------------------------------------------------------------------------------- */

static void say_unknown(const struct answer_check *check, struct strbuf *out)
{
    const struct source_list *sources = &check->support.sources;
    size_t said = 0;
    for (size_t i = 0; i < sources->line_count; i++)
        if (sources->lines[i].document < 0 && said++ < UNKNOWN_SAID)
            strbuf_printf(out, "%s%.200s", said > 1 ? ", " : ANSWER_NOT_GIVEN ": ",
                          sources->lines[i].text);
    if (said > UNKNOWN_SAID)
        strbuf_printf(out, ", and %zu more", said - UNKNOWN_SAID);
}

/* One line; empty where there is nothing to say. */
static void say_support(const struct answer_check *check, struct strbuf *out)
{
    const struct support *support = &check->support;
    if (check->documents.count == 0)
        return;
    say_unknown(check, out);
    bool unknown = out->length > 0;
    if (answer_declines(check->text))
        return;
    if (unknown && support->verdict == SUPPORT_UNCITED) {
        strbuf_printf(out, "; the answer stands in %s",
                      check->documents.items[support->document].name);
    } else if (!unknown || support->verdict == SUPPORT_ELSEWHERE) {
        char *summary = support_summary(support, &check->documents);
        if (summary != NULL)
            strbuf_printf(out, "%s%s", unknown ? "; " : "", summary);
        else if (support->verdict == SUPPORT_CITED)
            strbuf_printf(out, "stands in %s, as its source says",
                          check->documents.items[support->cited].name);
        free(summary);
    }
}

static void set_note(struct pane_chat *pane, const struct answer_check *check)
{
    const struct message *reply = pane->chat->conversation->items[check->reply];
    struct strbuf said = {0};
    if (pane->chat->settings->check_answers)
        say_support(check, &said);
    char *note =
        xasprintf("%s%s%s", check->reason != NULL ? check->reason : "",
                  check->reason != NULL && said.length > 0 ? " · " : "", strbuf_text(&said));
    transcript_set_note(pane->transcript, reply, note);
    app_redraw(pane->app, false);
    free(note);
    strbuf_free(&said);
}

void answer_check_note(struct pane_chat *pane, const struct message *reply, const char *reason)
{
    transcript_set_note(pane->transcript, reply, reason);
    if (look(pane, reply, reason, NO_BYTE))
        set_note(pane, pane->check);
}

/* --- sources --------------------------------------------------------------------------------- */

static const struct source_line *source_at(const struct source_list *sources, size_t byte)
{
    for (size_t i = 0; i < sources->line_count; i++)
        if (byte >= sources->lines[i].range.begin && byte <= sources->lines[i].range.end)
            return &sources->lines[i];
    return NULL;
}

static const struct support_passage *sentence_passage(const struct support *support, size_t byte)
{
    for (size_t i = 0; i < support->sentence_count; i++) {
        const struct support_sentence *sentence = &support->sentences[i];
        if (byte >= sentence->range.begin && byte <= sentence->range.end)
            return sentence->passage_count > 0 ? &sentence->passages[0] : NULL;
    }
    return NULL;
}

/* On a source line the document it names, at its best passage; else the sentence's own. */
static bool show(struct pane_chat *pane, const struct answer_check *check, size_t byte)
{
    const struct support *support = &check->support;
    const struct source_line *line = source_at(&support->sources, byte);
    bool in_sources = byte >= support->sources.answer_bytes;
    int document = line != NULL ? line->document : -1;
    const struct support_passage *passage =
        in_sources ? support_best(support, document) : sentence_passage(support, byte);
    if (in_sources && passage == NULL && document < 0)
        return false;
    if (passage == NULL && !in_sources)
        return false;
    struct text_range range = passage != NULL ? passage->range : (struct text_range){0};
    const struct place *place = &check->places[passage != NULL ? passage->document : document];
    pane_documents_show(pane, place->message, place->index, range,
                        passage != NULL ? passage->words : NULL,
                        passage != NULL ? passage->word_count : 0);
    return true;
}

bool documents_show_source(struct app *app, struct pane_chat *pane, const struct message *reply,
                           size_t byte)
{
    (void)app;
    if (reply->role != ROLE_ASSISTANT || bytes_above(pane->chat->conversation, reply->parent) == 0)
        return false;
    const struct answer_check *check = known(pane, reply);
    if (check != NULL)
        return show(pane, check, byte);
    if (look(pane, reply, NULL, byte))
        return show(pane, pane->check, byte);
    workspace_flash(app_workspace(pane->app), STYLE_NOTICE, "looking through the documents");
    return true;
}

size_t documents_unsupported(struct pane_chat *pane, const struct message *reply,
                             struct text_range **ranges)
{
    *ranges = NULL;
    size_t bytes = bytes_above(pane->chat->conversation, reply->parent);
    const struct answer_check *check = known(pane, reply);
    if (reply->role != ROLE_ASSISTANT || bytes == 0)
        return 0;
    if (check == NULL && bytes <= AT_ONCE_BYTES && look(pane, reply, NULL, NO_BYTE))
        check = pane->check;
    if (check == NULL || check->support.unknown_count == 0)
        return 0;
    *ranges = xcalloc(check->support.unknown_count, sizeof **ranges);
    for (size_t i = 0; i < check->support.unknown_count; i++)
        (*ranges)[i] = check->support.unknown[i].range;
    return check->support.unknown_count;
}

/* --- time ------------------------------------------------------------------------------------ */

bool answer_check_runs(const struct pane_chat *pane)
{
    return pane->check != NULL && pane->check->background != NULL;
}

void answer_check_tick(struct pane_chat *pane)
{
    struct answer_check *check = pane->check;
    if (check == NULL || check->background == NULL || !background_ended(check->background))
        return;
    free_abandoned(check);
    background_join(check->background);
    check->background = NULL;
    if (check->number != pane->chat->number)
        return;
    if (check->byte == NO_BYTE)
        set_note(pane, check);
    else if (!show(pane, check, check->byte))
        workspace_flash(app_workspace(pane->app), STYLE_NOTICE, "no document has this");
}
