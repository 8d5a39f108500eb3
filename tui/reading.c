#include "tui/reading.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "engine/base/alloc.h"
#include "engine/base/width.h"
#include "tui/answer_check.h"
#include "tui/external_editor.h"
#include "tui/new_file.h"
#include "tui/overlay.h"
#include "tui/transcript_cursor.h"
#include "tui/transcript_search.h"
#include "tui/workspace.h"

#define BRANCH_COLUMNS 56

#define FLASH(pane, style, ...) workspace_flash(app_workspace((pane)->app), style, __VA_ARGS__)

static const struct message *under_cursor(struct pane_chat *pane)
{
    const struct message *message = transcript_cursor_on(pane->transcript);
    if (message == NULL)
        FLASH(pane, STYLE_NOTICE, "no message here");
    return message;
}

static bool refuse_while_replying(struct pane_chat *pane)
{
    if (chat_is_replying(pane->chat))
        FLASH(pane, STYLE_ERROR, "a reply is running; Ctrl-C stops it");
    return chat_is_replying(pane->chat);
}

static void tell(struct pane_chat *pane, int result, const struct error *error)
{
    if (result != 0)
        FLASH(pane, STYLE_ERROR, "%s", error->message);
}

/* --- copying --------------------------------------------------------------------------------- */

void reading_copy(struct pane_chat *pane)
{
    struct strbuf text = {0};
    if (transcript_selection_text(pane->transcript, &text))
        app_copy(pane->app, strbuf_text(&text), text.length);
    else
        FLASH(pane, STYLE_NOTICE, "nothing to copy here");
    if (transcript_is_selecting(pane->transcript))
        transcript_select(pane->transcript);
    strbuf_free(&text);
}

void reading_copy_code(struct pane_chat *pane)
{
    struct strbuf code = {0}, language = {0};
    if (transcript_code_at_cursor(pane->transcript, &code, &language))
        app_copy(pane->app, strbuf_text(&code), code.length);
    else
        FLASH(pane, STYLE_NOTICE, "no code block under the cursor");
    strbuf_free(&code);
    strbuf_free(&language);
}

struct code_to_save {
    struct strbuf code;
};

static void free_code(void *user)
{
    struct code_to_save *save = user;
    strbuf_free(&save->code);
    free(save);
}

static void save_code(struct app *app, void *user, const char *path)
{
    struct code_to_save *save = user;
    struct error error;
    if (path[0] == '\0')
        return;
    if (new_file_write(path, strbuf_text(&save->code), save->code.length, &error) != 0)
        workspace_flash(app_workspace(app), STYLE_ERROR, "%s", error.message);
    else
        workspace_flash(app_workspace(app), STYLE_GOOD, "saved as %s", path);
}

void reading_save_code(struct pane_chat *pane)
{
    struct code_to_save *save = xcalloc(1, sizeof *save);
    struct strbuf language = {0};
    bool found = transcript_code_at_cursor(pane->transcript, &save->code, &language);
    if (found) {
        const struct question question = {.title = "Save this code block as",
                                          .hint = "a new file; ~ is your home",
                                          .answer = save_code,
                                          .free_user = free_code,
                                          .user = save};
        question_open(pane->app, &question);
    } else {
        FLASH(pane, STYLE_NOTICE, "no code block under the cursor");
        free_code(save);
    }
    strbuf_free(&language);
}

/* --- changing -------------------------------------------------------------------------------- */

void reading_edit(struct pane_chat *pane)
{
    const struct message *message = under_cursor(pane);
    if (message != NULL && !refuse_while_replying(pane))
        pane_chat_edit(pane, message);
}

void reading_regenerate(struct pane_chat *pane)
{
    struct error error;
    struct prompt_notes notes = {0};
    const struct message *message = under_cursor(pane);
    if (message == NULL || refuse_while_replying(pane))
        return;
    int result = chat_regenerate(pane->chat, message, &notes, &error);
    tell(pane, result, &error);
    if (result == 0)
        pane_chat_show_reply(pane, &notes);
    prompt_notes_free(&notes);
}

void reading_continue(struct pane_chat *pane)
{
    struct error error;
    const struct message *message = under_cursor(pane);
    if (message == NULL || refuse_while_replying(pane))
        return;
    if (message != chat_tip(pane->chat)) {
        FLASH(pane, STYLE_NOTICE, "only the last reply can be continued");
        return;
    }
    int result = chat_continue(pane->chat, &error);
    tell(pane, result, &error);
    if (result == 0)
        transcript_set_note(pane->transcript, message, NULL);
}

void reading_delete(struct pane_chat *pane)
{
    const struct message *message = under_cursor(pane);
    if (message == NULL || refuse_while_replying(pane))
        return;
    pane->deleted = message->id;
    chat_delete(pane->chat, message->id);
    pane_chat_refill(pane);
    FLASH(pane, STYLE_NOTICE, "deleted, with what came after it; u brings it back");
}

void reading_undelete(struct pane_chat *pane)
{
    if (pane->deleted < 0 || refuse_while_replying(pane))
        return;
    chat_undelete(pane->chat, pane->deleted);
    pane->deleted = -1;
    pane_chat_refill(pane);
}

/* --- alternatives ---------------------------------------------------------------------------- */

void reading_swipe(struct pane_chat *pane, int by)
{
    const struct message *message = under_cursor(pane);
    const struct conversation *conversation = pane->chat->conversation;
    if (message == NULL || refuse_while_replying(pane))
        return;
    int *ids = xcalloc(conversation->count + 1, sizeof *ids), at = 0;
    int count = (int)conversation_siblings(conversation, message->id, ids);
    while (at < count && ids[at] != message->id)
        at++;
    int to = at + by;
    if (to < 0 || to >= count) {
        FLASH(pane, STYLE_NOTICE,
              count > 1 ? "no further alternative; r makes one" : "no alternatives; r makes one");
    } else {
        chat_select(pane->chat, ids[to]);
        pane_chat_refill_at(pane, ids[to]);
    }
    free(ids);
}

/* The tree, one line for each message that has alternatives or begins or ends a branch. */
struct branches {
    struct pane_chat *pane;
    const struct conversation *conversation;
    struct picker_item *items;
    int *ids; /* of each item */
    size_t count;
    bool *on_path;
};

static void free_branches(void *user)
{
    struct branches *branches = user;
    free(branches->ids);
    free(branches->on_path);
    free(branches);
}

static void add_branch(struct branches *branches, const struct message *message, const char *lead,
                       const char *joint)
{
    struct strbuf label = {0};
    const char *text = strbuf_text(&message->text);
    size_t length = strcspn(text, "\n"), fits = text_fit(text, length, BRANCH_COLUMNS);
    strbuf_printf(&label, "%s%s%s ", lead, joint, branches->on_path[message->id] ? "●" : "○");
    strbuf_printf(&label, "%s", message->role == ROLE_USER ? "you: " : "");
    strbuf_add(&label, text, fits);
    strbuf_puts(&label, fits < message->text.length ? "…" : "");
    size_t room = branches->count + 1;
    branches->items = xreallocarray(branches->items, room, sizeof *branches->items);
    branches->ids = xreallocarray(branches->ids, room, sizeof *branches->ids);
    branches->items[branches->count] = (struct picker_item){strbuf_detach(&label), NULL};
    branches->ids[branches->count++] = message->id;
}

/* Straight runs stay at one depth; each fork goes one deeper. The stack is explicit: a chat of ten
 * thousand messages is as deep. */
struct step {
    int id;
    char *lead, *joint;
};

static size_t push_children(const struct branches *branches, struct step **stack, size_t depth,
                            int id, const char *lead)
{
    const struct conversation *conversation = branches->conversation;
    size_t count = conversation_children(conversation, id, NULL);
    int *ids = xcalloc(count + 1, sizeof *ids);
    conversation_children(conversation, id, ids);
    *stack = xreallocarray(*stack, depth + count + 1, sizeof **stack);
    for (size_t i = count; i-- > 0;) {
        bool last = i + 1 == count;
        const char *joint = count == 1 ? "" : last ? "└ " : "├ ";
        (*stack)[depth++] = (struct step){ids[i], xstrdup(lead), xstrdup(joint)};
    }
    free(ids);
    return depth;
}

static void walk(struct branches *branches)
{
    struct step *stack = NULL;
    size_t depth = push_children(branches, &stack, 0, -1, "");
    while (depth > 0) {
        struct step step = stack[--depth];
        add_branch(branches, branches->conversation->items[step.id], step.lead, step.joint);
        bool open = strncmp(step.joint, "├", strlen("├")) == 0;
        char *lead = xasprintf("%s%s", step.lead, step.joint[0] == '\0' ? "" : open ? "│ " : "  ");
        depth = push_children(branches, &stack, depth, step.id, lead);
        free(lead);
        free(step.lead);
        free(step.joint);
    }
    free(stack);
}

static void choose_branch(struct app *app, void *user, size_t index)
{
    struct branches *branches = user;
    (void)app;
    chat_select(branches->pane->chat, branches->ids[index]);
    pane_chat_refill_at(branches->pane, branches->ids[index]);
}

void reading_branches(struct pane_chat *pane)
{
    struct conversation *conversation = pane->chat->conversation;
    if (refuse_while_replying(pane))
        return;
    struct branches *branches = xcalloc(1, sizeof *branches);
    branches->pane = pane;
    branches->conversation = conversation;
    branches->on_path = xcalloc(conversation->count + 1, sizeof *branches->on_path);
    int *path = xcalloc(conversation->count + 1, sizeof *path);
    size_t length = conversation_path(conversation, path);
    for (size_t i = 0; i < length; i++)
        branches->on_path[path[i]] = true;
    free(path);
    walk(branches);
    const struct picker picker = {.title = "Branches",
                                  .placeholder = "● is on the path; Enter goes there",
                                  .items = branches->items,
                                  .count = branches->count,
                                  .choose = choose_branch,
                                  .free_user = free_branches,
                                  .user = branches};
    picker_open(pane->app, &picker);
}

void reading_about(struct pane_chat *pane)
{
    const struct message *message = under_cursor(pane);
    char when[32] = "";
    struct tm local;
    if (message == NULL)
        return;
    time_t created = (time_t)message->created;
    if (localtime_r(&created, &local) != NULL)
        strftime(when, sizeof when, "%Y-%m-%d %H:%M", &local);
    FLASH(pane, STYLE_NOTICE, "%s%s%s%s", when, message->made_with != NULL ? " · " : "",
          message->made_with != NULL ? message->made_with : "",
          message->partial ? " · stopped before its end" : "");
}

/* --- documents ------------------------------------------------------------------------------- */

void reading_open_source(struct pane_chat *pane)
{
    const struct message *message = under_cursor(pane);
    size_t start, end;
    if (message == NULL || !transcript_line_at_cursor(pane->transcript, &start, &end))
        return;
    if (message->role != ROLE_ASSISTANT || !documents_show_source(pane->app, pane, message, start))
        FLASH(pane, STYLE_NOTICE, "no document says this");
}

void reading_mark_unsupported(struct pane_chat *pane)
{
    const struct message *message = under_cursor(pane);
    struct text_range *ranges = NULL;
    if (message == NULL)
        return;
    bool off = pane->marked == message->id;
    size_t count = off ? 0 : documents_unsupported(pane, message, &ranges);
    struct transcript_mark *marks = xcalloc(count + 1, sizeof *marks);
    for (size_t i = 0; i < count; i++)
        marks[i] = (struct transcript_mark){ranges[i].begin, ranges[i].end, STYLE_UNSUPPORTED};
    transcript_set_marks(pane->transcript, message, marks, count);
    pane->marked = off || count == 0 ? -1 : message->id;
    if (off)
        FLASH(pane, STYLE_NOTICE, "marks taken away");
    else if (count == 0)
        FLASH(pane, STYLE_NOTICE, "nothing to mark: no documents, or every word is in them");
    else
        FLASH(pane, STYLE_NOTICE, "%zu %s in no document", count,
              count == 1 ? "word or number is" : "words or numbers are");
    free(marks);
    free(ranges);
}

/* --- searching ------------------------------------------------------------------------------- */

static void say_position(struct pane_chat *pane)
{
    size_t count, at = transcript_search_position(pane->transcript, &count);
    if (count == 0)
        FLASH(pane, STYLE_NOTICE, "not found");
    else
        FLASH(pane, STYLE_NOTICE, "%zu of %zu · n next, N back", at, count);
}

static void search(struct app *app, void *user, const char *text)
{
    struct pane_chat *pane = user;
    (void)app;
    transcript_search(pane->transcript, text);
    if (text[0] == '\0')
        return;
    transcript_search_next(pane->transcript, false);
    say_position(pane);
}

void reading_search(struct pane_chat *pane)
{
    const struct question question = {.title = "Search this chat",
                                      .hint = "empty ends the search; capitals are heeded",
                                      .answer = search,
                                      .user = pane};
    question_open(pane->app, &question);
}

void reading_search_next(struct pane_chat *pane, bool backwards)
{
    transcript_search_next(pane->transcript, backwards);
    say_position(pane);
}

/* --- the user's editor ----------------------------------------------------------------------- */

void reading_open_editor(struct pane_chat *pane)
{
    struct strbuf text = {0}, edited = {0};
    struct error error;
    composer_text(&text);
    app_release(pane->app);
    int result = external_editor_run(strbuf_text(&text), text.length, &edited, &error);
    app_repaint(pane->app);
    tell(pane, result, &error);
    if (result == 0)
        composer_set_text(strbuf_text(&edited));
    strbuf_free(&text);
    strbuf_free(&edited);
}
