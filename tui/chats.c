#include "tui/chats.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/home_path.h"
#include "tui/library.h"
#include "tui/overlay.h"
#include "tui/pane_chat.h"
#include "tui/transcript_cursor.h"
#include "tui/workspace.h"

#define FILE_NAME_BYTES 40

#define SAY(app, style, ...) workspace_flash(app_workspace(app), style, __VA_ARGS__)

/* False, said: nothing is kept. */
static bool is_kept(struct app *app)
{
    const struct library *library = app_library(app);
    if (library->store != NULL)
        return true;
    SAY(app, STYLE_NOTICE, "chats are not kept%s%s",
        library->problem.code != ERROR_NONE ? ": " : "", library->problem.message);
    return false;
}

/* --- opening --------------------------------------------------------------------------------- */

struct pane_chat *chats_find_pane(struct app *app, int64_t row)
{
    const struct workspace *workspace = app_workspace(app);
    for (size_t i = 0; row != 0 && i < workspace_count(workspace); i++) {
        struct pane_chat *pane = pane_chat_of(workspace_pane(workspace, i));
        if (pane != NULL && pane->chat->row == row)
            return pane;
    }
    return NULL;
}

static bool is_on_path(const struct conversation *conversation, int id)
{
    int at = conversation->tip;
    while (at >= 0 && at != id)
        at = conversation->items[at]->parent;
    return at == id;
}

/* The path goes through the message, where it does not yet, and the cursor stands on it. */
static void go_to_message(struct pane_chat *pane, int64_t message)
{
    const struct conversation *conversation = pane->chat->conversation;
    size_t i = 0;
    while (i < conversation->count && conversation->items[i]->stored != message)
        i++;
    if (i == conversation->count || conversation->items[i]->deleted)
        return;
    if (!is_on_path(conversation, (int)i) && !chat_is_replying(pane->chat)) {
        chat_select(pane->chat, (int)i);
        pane_chat_refill(pane);
    }
    pane_chat_read(pane, true);
    if (!transcript_cursor_to(pane->transcript, conversation->items[i]))
        pane_chat_read(pane, false);
}

bool chats_open(struct app *app, int64_t row, int64_t message)
{
    struct workspace *workspace = app_workspace(app);
    struct pane_chat *pane = chats_find_pane(app, row);
    struct error error;
    if (pane == NULL) {
        pane = workspace_chat(workspace);
        if (pane_chat_show(pane, row, &error) != 0) {
            SAY(app, STYLE_ERROR, "%s", error.message);
            return false;
        }
    }
    if (message != 0)
        go_to_message(pane, message);
    workspace_set_focus(workspace, &pane->base);
    return true;
}

bool chats_open_beside(struct app *app, int64_t row)
{
    struct workspace *workspace = app_workspace(app);
    struct pane *pane;
    struct error error;
    if (chats_find_pane(app, row) != NULL)
        return chats_open(app, row, 0);
    int result = pane_chat_create(&pane, app, &error);
    if (result == 0 && (result = pane_chat_show(pane_chat_of(pane), row, &error)) != 0)
        pane->ops->free(pane);
    if (result != 0)
        SAY(app, STYLE_ERROR, "%s", error.message);
    else
        workspace_open(workspace, &workspace_chat(workspace)->base, SPLIT_RIGHT, pane);
    return result == 0;
}

void chats_open_last(struct app *app)
{
    struct store_list list;
    struct error error;
    if (app_library(app)->store == NULL)
        return;
    if (store_list(app_library(app)->store, false, &list, &error) != 0) {
        SAY(app, STYLE_ERROR, "%s", error.message);
        return;
    }
    if (list.count > 0)
        chats_open(app, list.items[0].id, 0);
    store_list_free(&list);
}

void chats_begin_new(struct app *app)
{
    struct pane_chat *pane = workspace_chat(app_workspace(app));
    if (chat_is_replying(pane->chat)) {
        SAY(app, STYLE_NOTICE, "a reply is running there; F7 opens a pane for another chat");
        return;
    }
    pane_chat_begin_new(pane);
    workspace_set_focus(app_workspace(app), &pane->base);
}

/* --- questions ------------------------------------------------------------------------------- */

struct subject {
    int64_t row;
    void (*act)(struct app *app, int64_t row, const char *text);
};

static void answered(struct app *app, void *user, const char *text)
{
    const struct subject *subject = user;
    if (text[strspn(text, " \t\n")] != '\0')
        subject->act(app, subject->row, text);
}

static void ask(struct app *app, const char *title, const char *hint, const char *initial,
                struct subject about)
{
    struct subject *subject = xcalloc(1, sizeof *subject);
    *subject = about;
    const struct question question = {.title = title,
                                      .hint = hint,
                                      .initial = initial,
                                      .answer = answered,
                                      .free_user = free,
                                      .user = subject};
    question_open(app, &question);
}

/* --- naming and deleting --------------------------------------------------------------------- */

void chats_rename(struct app *app, int64_t row, const char *title)
{
    struct pane_chat *pane = chats_find_pane(app, row);
    if (pane != NULL)
        chat_rename(pane->chat, title);
    else if (is_kept(app))
        writer_set(app_library(app)->writer, row, STORE_TITLE, title);
}

void chats_ask_title(struct app *app, int64_t row, const char *title)
{
    ask(app, "Title of the chat", NULL, title, (struct subject){row, chats_rename});
}

bool chats_delete(struct app *app, int64_t row)
{
    struct pane_chat *pane = chats_find_pane(app, row);
    if (!is_kept(app))
        return false;
    if (pane != NULL && chat_is_replying(pane->chat)) {
        SAY(app, STYLE_NOTICE, "a reply is running there; Ctrl-C stops it");
        return false;
    }
    if (pane != NULL)
        pane_chat_begin_new(pane);
    writer_set_deleted(app_library(app)->writer, row, true);
    app_library(app)->deleted = row;
    SAY(app, STYLE_NOTICE, "deleted; u in the list of chats or /undelete brings it back");
    return true;
}

void chats_undelete(struct app *app, int64_t row)
{
    struct library *library = app_library(app);
    if (!is_kept(app))
        return;
    writer_set_deleted(library->writer, row, false);
    if (library->deleted == row)
        library->deleted = 0;
    SAY(app, STYLE_NOTICE, "the chat is back");
}

/* The one of the store that was deleted last; 0: none. */
static int64_t last_deleted(struct app *app)
{
    struct store_list list;
    struct error error;
    int64_t row = 0, at = 0;
    if (store_list(app_library(app)->store, true, &list, &error) != 0)
        return 0;
    for (size_t i = 0; i < list.count; i++) {
        if (list.items[i].deleted_at <= at)
            continue;
        row = list.items[i].id;
        at = list.items[i].deleted_at;
    }
    store_list_free(&list);
    return row;
}

void chats_undelete_last(struct app *app)
{
    if (!is_kept(app))
        return;
    int64_t row = app_library(app)->deleted;
    if (row == 0)
        row = last_deleted(app);
    if (row != 0)
        chats_undelete(app, row);
    else
        SAY(app, STYLE_NOTICE, "no chat is deleted");
}

/* --- copies and files ------------------------------------------------------------------------ */

/* What is read from the disk must be all of the chat. */
static bool is_saved(struct app *app, int64_t row)
{
    const struct pane_chat *pane = chats_find_pane(app, row);
    if (!is_kept(app))
        return false;
    if (pane == NULL || chat_is_saved(pane->chat))
        return true;
    const struct error *problem = &app_library(app)->status.problem;
    SAY(app, STYLE_NOTICE,
        problem->code != ERROR_NONE    ? "not saved yet: %s"
        : chat_is_replying(pane->chat) ? "a reply is running there%s"
                                       : "the chat is being saved; once more in a moment%s",
        problem->message);
    return false;
}

int64_t chats_duplicate(struct app *app, int64_t row)
{
    struct error error;
    int64_t copy = 0;
    if (!is_saved(app, row))
        return 0;
    if (store_duplicate(app_library(app)->store, row, &copy, &error) != 0) {
        SAY(app, STYLE_ERROR, "%s", error.message);
        return 0;
    }
    library_changed(app_library(app));
    SAY(app, STYLE_NOTICE, "a copy has been made");
    return copy;
}

enum export_format chats_format_of(const char *path)
{
    size_t length = strlen(path);
    bool json = length > 5 && strcasecmp(path + length - 5, ".json") == 0;
    return json ? EXPORT_JSON : EXPORT_MARKDOWN;
}

char *chats_file_name(const char *title)
{
    struct strbuf name = {0};
    for (; *title != '\0' && name.length < FILE_NAME_BYTES; title++) {
        if (isalnum((unsigned char)*title) && (unsigned char)*title < 0x80)
            strbuf_putc(&name, (char)tolower((unsigned char)*title));
        else if (name.length > 0 && name.data[name.length - 1] != '-')
            strbuf_putc(&name, '-');
    }
    while (name.length > 0 && name.data[name.length - 1] == '-')
        strbuf_remove(&name, name.length - 1, 1);
    if (name.length == 0)
        strbuf_puts(&name, "chat");
    strbuf_puts(&name, ".md");
    return strbuf_detach(&name);
}

void chats_export(struct app *app, int64_t row, const char *path)
{
    struct error error;
    if (!is_saved(app, row))
        return;
    char *file = home_path(path);
    if (store_export_file(app_library(app)->store, row, chats_format_of(file), file, &error) != 0)
        SAY(app, STYLE_ERROR, "%s", error.message);
    else
        SAY(app, STYLE_NOTICE, "exported as %s", path);
    free(file);
}

void chats_ask_export(struct app *app, int64_t row, const char *title)
{
    char *name = chats_file_name(title);
    if (is_saved(app, row))
        ask(app, "Export to a new file", ".md to read it, .json to import it again", name,
            (struct subject){row, chats_export});
    free(name);
}

int64_t chats_import(struct app *app, const char *path)
{
    struct error error;
    int64_t row = 0;
    if (!is_kept(app))
        return 0;
    char *file = home_path(path);
    int result = store_import_file(app_library(app)->store, file, &row, &error);
    free(file);
    if (result != 0) {
        SAY(app, STYLE_ERROR, "%s", error.message);
        return 0;
    }
    library_changed(app_library(app));
    SAY(app, STYLE_NOTICE, "imported %s", path);
    return row;
}

static void import_named(struct app *app, int64_t row, const char *path)
{
    (void)row;
    int64_t imported = chats_import(app, path);
    if (imported != 0)
        chats_open(app, imported, 0);
}

void chats_ask_import(struct app *app)
{
    if (is_kept(app))
        ask(app, "Import a chat", "a .json file that was exported", NULL,
            (struct subject){0, import_named});
}
