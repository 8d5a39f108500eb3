#include "tui/chat_draft.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/chat_keep.h"
#include "tui/composer.h"

bool chat_draft_is_blank(const char *text)
{
    return text[strspn(text, " \t\n")] == '\0';
}

/* --- what is typed
 * --------------------------------------------------------------------------------- */

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

/* --- edits
 * ----------------------------------------------------------------------------------------- */

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

void chat_draft_accept_edit(struct pane_chat *pane, const char *text)
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

/* --- on the disk
 * ----------------------------------------------------------------------------------- */

static void put_draft(const struct pane_chat *pane, struct strbuf *out)
{
    if (pane->editing >= 0) /* what is typed is an edit; the draft lies aside */
        put_text(&pane->aside, out);
    else
        pane_chat_draft(pane, out);
}

void chat_draft_keep(struct pane_chat *pane)
{
    struct strbuf text = {0};
    put_draft(pane, &text);
    chat_keep_draft(pane->chat, strbuf_text(&text));
    pane->draft_kept = text.length > 0;
    pane->kept_version = composer_version();
    strbuf_free(&text);
}

void chat_draft_leave(struct pane_chat *pane)
{
    struct strbuf text = {0};
    for (const struct queued *queued = pane->queue; queued != NULL; queued = queued->next)
        strbuf_printf(&text, "%s\n", queued->text);
    put_draft(pane, &text);
    const char *typed = strbuf_text(&text);
    bool blank = chat_draft_is_blank(typed);
    bool typed_by_hand = pane->starter < 0 && typed[0] != '/';
    if (pane->chat->row != 0 && (!blank || pane->draft_kept))
        chat_keep_draft(pane->chat, typed);
    else if (!blank && typed_by_hand && pane->chat->conversation->count == 0)
        chat_keep_new_draft(pane->chat, typed);
    if (blank)
        chat_drop_empty(pane->chat);
    strbuf_free(&text);
}

int chat_draft_wait(const struct pane_chat *pane, uint64_t now_ms)
{
    if (!pane->focused || pane->chat->row == 0 || composer_version() == pane->kept_version)
        return -1;
    return pane->draft_due_ms > now_ms ? (int)(pane->draft_due_ms - now_ms) : 0;
}
