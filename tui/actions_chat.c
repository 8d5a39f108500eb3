/* What keys and commands do while a message is typed. */
#include <stdlib.h>
#include <string.h>

#include "tui/actions.h"
#include "tui/chat_starters.h"
#include "tui/chats.h"
#include "tui/commands.h"
#include "tui/composer.h"
#include "tui/pane_chat.h"
#include "tui/reading.h"
#include "tui/scene_commands.h"
#include "tui/workspace.h"

#define WHEEL_ROWS 3

/* --- leaving and stopping -------------------------------------------------------------------- */

ACTION(do_cancel)
{
    struct pane_chat *chat = pane_chat_of(pane);
    if (chat_is_replying(chat->chat)) {
        pane_chat_drop_queue(chat);
        chat_cancel(chat->chat);
    } else if (!composer_is_empty()) {
        composer_clear();
    } else if (pane_chat_arm(chat)) {
        app_quit(app);
    }
    return true;
}

ACTION(do_leave_when_empty)
{
    if (!composer_is_empty())
        return false;
    app_quit(app);
    return true;
}

ACTION(do_read)
{
    if (composer_takes_escape())
        return false;
    if (pane_chat_leave_edit(pane_chat_of(pane)))
        return true;
    pane_chat_read(pane_chat_of(pane), true);
    return true;
}

ACTION(do_newline)
{
    composer_paste("\n", 1);
    return true;
}

ACTION(do_editor)
{
    reading_open_editor(pane_chat_of(pane));
    return true;
}

ACTION(do_starter)
{
    return chat_starters_next(pane_chat_of(pane));
}

/* --- scrolling ------------------------------------------------------------------------------- */

static bool scroll(struct pane *pane, int rows)
{
    transcript_scroll(pane_chat_of(pane)->transcript, rows);
    return true;
}

ACTION(do_page_up)
{
    transcript_scroll_pages(pane_chat_of(pane)->transcript, -1);
    return true;
}

ACTION(do_page_down)
{
    transcript_scroll_pages(pane_chat_of(pane)->transcript, 1);
    return true;
}

ACTION(do_line_up)
{
    return scroll(pane, -1);
}

ACTION(do_line_down)
{
    return scroll(pane, 1);
}

ACTION(do_wheel_up)
{
    return scroll(pane, -WHEEL_ROWS);
}

ACTION(do_wheel_down)
{
    return scroll(pane, WHEEL_ROWS);
}

ACTION(do_top)
{
    transcript_scroll_end(pane_chat_of(pane)->transcript, false);
    return true;
}

ACTION(do_bottom)
{
    transcript_scroll_end(pane_chat_of(pane)->transcript, true);
    return true;
}

const struct action actions_composer[] = {
    {NULL, NULL, NULL, "Enter", "send; while a reply runs, queue; empty: a scene goes on", NULL},
    {"new-line", NULL, NULL, "Alt-Enter Shift-Enter", "new line", do_newline},
    {"starter", NULL, NULL, "Tab", "on the start page: try one of its offers", do_starter},
    {NULL, NULL, NULL, "Tab", "complete a command or a file name", NULL},
    {"stop", "/stop", NULL, "Ctrl-C", "stop the reply, or clear the line; twice: leave", do_cancel},
    {"read", NULL, NULL, "Esc", "to the transcript, where single keys act", do_read},
    {"editor", "/editor", NULL, "Alt-e", "write in your own editor ($EDITOR)", do_editor},
    {"attach", "/doc", "FILE", NULL, "attach a document to the next message", command_doc},
    {"attached", "/attached", NULL, NULL, "list what is attached", command_docs},
    {"detach", "/undoc", "[FILE]", NULL, "detach one document, or all", command_undoc},
    {"retry", "/retry", NULL, NULL, "another reply to the last message", command_retry},
    {"continue", "/continue", NULL, NULL, "more of the last reply", command_continue},
    {"new", "/new", NULL, NULL, "begin a new chat", command_new},
    {"find", "/find", "TEXT", NULL, "look for words in all chats", command_find},
    {"rename", "/rename", "[TITLE]", NULL, "give this chat another title", command_rename},
    {"duplicate", "/duplicate", NULL, NULL, "a copy of this chat", command_duplicate},
    {"delete", "/delete", NULL, NULL, "delete this chat; /undelete brings it back", command_delete},
    {"undelete", "/undelete", NULL, NULL, "bring back the chat that was deleted last",
     command_undelete},
    {"export", "/export", "[FILE]", NULL, "write this chat to a new .md or .json file",
     command_export},
    {"import", "/import", "[FILE]", NULL, "a chat from a .json file that was exported",
     command_import},
    {"save", "/save", "FILE", NULL, "write the chat to a new file", command_save},
    {"set", "/set", "[NAME VALUE]", NULL, "list or change how replies are made", command_set},
    {"system", "/system", "[TEXT]", NULL, "show or change the system line", command_system},
    {"play", "/scene", "[NAME]", NULL, "play a scene, or a card by its path; alone: a list",
     command_scene},
    {"next-line", "/next", "[NAME]", NULL, "let the scene go on, by NAME or anyone", command_next},
    {"mine", "/mine", NULL, NULL, "have my next line written, to be edited", command_mine},
    {"theme", "/theme", "[NAME]", NULL, "choose a theme", command_theme},
    {"page-up", NULL, NULL, "PageUp", "scroll back, a page", do_page_up},
    {"page-down", NULL, NULL, "PageDown", "scroll on, a page", do_page_down},
    {"line-up", NULL, NULL, "Shift-Up Ctrl-Up", "scroll back, a line", do_line_up},
    {"line-down", NULL, NULL, "Shift-Down Ctrl-Down", "scroll on, a line", do_line_down},
    {"wheel-up", NULL, NULL, "WheelUp", "scroll back, with the mouse", do_wheel_up},
    {"wheel-down", NULL, NULL, "WheelDown", "scroll on, with the mouse", do_wheel_down},
    {"top", NULL, NULL, "Ctrl-Home", "to the beginning", do_top},
    {"bottom", NULL, NULL, "Ctrl-End", "to the end, and follow it", do_bottom},
    {"leave", NULL, NULL, "Ctrl-D", "leave, when nothing is typed", do_leave_when_empty},
    {0},
};
