/* What single keys do in the list of chats, and the /commands about them. */
#include <stdlib.h>
#include <string.h>

#include "tui/actions.h"
#include "tui/chats.h"
#include "tui/pane_chat.h"
#include "tui/pane_chats.h"
#include "tui/pane_kinds.h"
#include "tui/workspace.h"

/* While a search is typed, the keys below are characters of it: the action declines. */
static bool is_typing(const struct pane *base)
{
    return pane_chats_of(base)->typing;
}

static const char *title_of(const struct pane *base)
{
    const struct pane_chats *pane = pane_chats_of(base);
    return chats_list_title(&pane->chats, pane->list.selected);
}

/* True, and the selected chat in *row: there is one, and it is not deleted. */
static bool take_subject(struct app *app, const struct pane *base, int64_t *row)
{
    const struct pane_chats *pane = pane_chats_of(base);
    *row = pane_chats_selected(pane);
    if (*row != 0 && pane->chats.kind == CHATS_DELETED)
        workspace_flash(app_workspace(app), STYLE_NOTICE, "the chat is deleted; u brings it back");
    return *row != 0 && pane->chats.kind != CHATS_DELETED;
}

/* --- keys ------------------------------------------------------------------------------------ */

ACTION(do_open)
{
    int64_t row;
    pane_chats_end_typing(pane_chats_of(pane));
    if (take_subject(app, pane, &row))
        pane_chats_open_selected(pane_chats_of(pane));
    return true;
}

ACTION(do_open_beside)
{
    int64_t row;
    if (is_typing(pane))
        return false;
    if (take_subject(app, pane, &row))
        chats_open_beside(app, row);
    return true;
}

ACTION(do_find)
{
    if (is_typing(pane))
        return false;
    pane_chats_find(pane_chats_of(pane), "");
    return true;
}

ACTION(do_leave)
{
    struct pane_chats *chats = pane_chats_of(pane);
    if (chats->typing || chats->chats.kind != CHATS_KEPT)
        pane_chats_show(chats, CHATS_KEPT);
    else
        workspace_set_focus(app_workspace(app), &workspace_chat(app_workspace(app))->base);
    return true;
}

ACTION(do_new)
{
    if (is_typing(pane))
        return false;
    chats_begin_new(app);
    return true;
}

ACTION(do_rename)
{
    int64_t row;
    if (is_typing(pane))
        return false;
    if (take_subject(app, pane, &row))
        chats_ask_title(app, row, title_of(pane));
    return true;
}

ACTION(do_delete)
{
    struct pane_chats *chats = pane_chats_of(pane);
    int64_t row;
    if (is_typing(pane))
        return false;
    if (take_subject(app, pane, &row) && chats_delete(app, row))
        pane_chats_remove_selected(chats);
    return true;
}

ACTION(do_undelete)
{
    struct pane_chats *chats = pane_chats_of(pane);
    if (is_typing(pane))
        return false;
    int64_t row = pane_chats_selected(chats);
    if (chats->chats.kind != CHATS_DELETED) {
        chats_undelete_last(app);
    } else if (row != 0) {
        chats_undelete(app, row);
        pane_chats_remove_selected(chats);
    }
    return true;
}

ACTION(do_show_deleted)
{
    struct pane_chats *chats = pane_chats_of(pane);
    if (is_typing(pane))
        return false;
    pane_chats_show(chats, chats->chats.kind == CHATS_DELETED ? CHATS_KEPT : CHATS_DELETED);
    return true;
}

ACTION(do_duplicate)
{
    int64_t row;
    if (is_typing(pane))
        return false;
    if (take_subject(app, pane, &row) && (row = chats_duplicate(app, row)) != 0)
        pane_chats_select(pane_chats_of(pane), row);
    return true;
}

ACTION(do_export)
{
    int64_t row;
    if (is_typing(pane))
        return false;
    if (take_subject(app, pane, &row))
        chats_ask_export(app, row, title_of(pane));
    return true;
}

ACTION(do_import)
{
    if (is_typing(pane))
        return false;
    chats_ask_import(app);
    return true;
}

const struct action actions_chats[] = {
    {"open-chat", NULL, NULL, "Enter", "open the chat, or go to where it is open", do_open},
    {"open-chat-beside", NULL, NULL, "o", "open it in a pane of its own", do_open_beside},
    {"find-chats", NULL, NULL, "/", "look for words in all chats", do_find},
    {"leave-chats", NULL, NULL, "Esc Ctrl-C", "all chats again; then back to the chat", do_leave},
    {"new-chat", NULL, NULL, "n", "begin a new chat", do_new},
    {"rename-chat", NULL, NULL, "r", "give it another title", do_rename},
    {"delete-chat", NULL, NULL, "d Delete", "delete it", do_delete},
    {"undelete-chat", NULL, NULL, "u", "bring back what was deleted", do_undelete},
    {"deleted-chats", NULL, NULL, "D", "the deleted chats, or the others again", do_show_deleted},
    {"duplicate-chat", NULL, NULL, "y", "make a copy of it", do_duplicate},
    {"export-chat", NULL, NULL, "x", "write it to a new file", do_export},
    {"import-chat", NULL, NULL, "m", "a chat from an exported file", do_import},
    {NULL, NULL, NULL, "Up Down PageUp PageDown Home End j k g G", "move", NULL},
    {0},
};

/* --- commands -------------------------------------------------------------------------------- */

/* The row of the chat that a command was typed in; 0, with a line there: it has none yet. */
static int64_t own_row(struct pane *pane)
{
    int64_t row = pane_chat_of(pane)->chat->row;
    if (row == 0)
        pane_chat_say(pane_chat_of(pane), TRANSCRIPT_NOTICE, "nothing has been said here yet");
    return row;
}

bool command_find(struct app *app, struct pane *pane, const char *argument)
{
    (void)pane;
    struct pane_chats *chats = pane_chats_of(pane_kind_show(app, "chats"));
    if (chats != NULL)
        pane_chats_find(chats, argument);
    return true;
}

bool command_rename(struct app *app, struct pane *pane, const char *argument)
{
    struct strbuf title = {0};
    if (argument[0] != '\0') { /* a chat without a row takes it along when it gets one */
        chat_rename(pane_chat_of(pane)->chat, argument);
    } else if (own_row(pane) != 0) {
        chat_title(pane_chat_of(pane)->chat, &title);
        chats_ask_title(app, pane_chat_of(pane)->chat->row, strbuf_text(&title));
    }
    strbuf_free(&title);
    return true;
}

bool command_delete(struct app *app, struct pane *pane, const char *argument)
{
    (void)argument;
    int64_t row = own_row(pane);
    if (row != 0)
        chats_delete(app, row);
    return true;
}

bool command_undelete(struct app *app, struct pane *pane, const char *argument)
{
    (void)pane;
    (void)argument;
    chats_undelete_last(app);
    return true;
}

bool command_duplicate(struct app *app, struct pane *pane, const char *argument)
{
    (void)argument;
    int64_t row = own_row(pane);
    if (row != 0)
        chats_duplicate(app, row);
    return true;
}

bool command_export(struct app *app, struct pane *pane, const char *argument)
{
    struct strbuf title = {0};
    int64_t row = own_row(pane);
    if (row == 0)
        return true;
    chat_title(pane_chat_of(pane)->chat, &title);
    if (argument[0] != '\0')
        chats_export(app, row, argument);
    else
        chats_ask_export(app, row, strbuf_text(&title));
    strbuf_free(&title);
    return true;
}

bool command_import(struct app *app, struct pane *pane, const char *argument)
{
    (void)pane;
    int64_t imported = argument[0] != '\0' ? chats_import(app, argument) : 0;
    if (imported != 0)
        chats_open(app, imported, 0);
    if (argument[0] == '\0')
        chats_ask_import(app);
    return true;
}
