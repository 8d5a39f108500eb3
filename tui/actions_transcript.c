/* What single keys do in the transcript of a chat. */
#include <stdlib.h>
#include <string.h>

#include "tui/actions.h"
#include "tui/commands.h"
#include "tui/pane_chat.h"
#include "tui/pane_kinds.h"
#include "tui/reading.h"
#include "tui/transcript_cursor.h"
#include "tui/workspace.h"

ACTION(do_write)
{
    pane_chat_read(pane_chat_of(pane), false);
    return true;
}

ACTION(do_stop)
{
    struct pane_chat *chat = pane_chat_of(pane);
    if (!chat_is_replying(chat->chat))
        return do_write(app, pane, argument);
    pane_chat_drop_queue(chat);
    chat_cancel(chat->chat);
    return true;
}

/* --- moving ---------------------------------------------------------------------------------- */

static bool move(struct pane *pane, int rows)
{
    transcript_cursor_move(pane_chat_of(pane)->transcript, rows);
    return true;
}

static int page(struct pane *pane)
{
    int rows = pane_chat_of(pane)->body.rows;
    return rows > 3 ? rows - 2 : 1;
}

ACTION(do_down)
{
    return move(pane, 1);
}

ACTION(do_up)
{
    return move(pane, -1);
}

ACTION(do_page_up)
{
    return move(pane, -page(pane));
}

ACTION(do_page_down)
{
    return move(pane, page(pane));
}

ACTION(do_wheel_up)
{
    transcript_scroll(pane_chat_of(pane)->transcript, -3);
    return true;
}

ACTION(do_wheel_down)
{
    transcript_scroll(pane_chat_of(pane)->transcript, 3);
    return true;
}

ACTION(do_next_message)
{
    transcript_cursor_message(pane_chat_of(pane)->transcript, 1);
    return true;
}

ACTION(do_previous_message)
{
    transcript_cursor_message(pane_chat_of(pane)->transcript, -1);
    return true;
}

ACTION(do_top)
{
    transcript_cursor_end(pane_chat_of(pane)->transcript, false);
    return true;
}

ACTION(do_bottom)
{
    transcript_cursor_end(pane_chat_of(pane)->transcript, true);
    return true;
}

/* --- messages -------------------------------------------------------------------------------- */

ACTION(do_select)
{
    transcript_select(pane_chat_of(pane)->transcript);
    return true;
}

ACTION(do_copy)
{
    reading_copy(pane_chat_of(pane));
    return true;
}

ACTION(do_copy_code)
{
    reading_copy_code(pane_chat_of(pane));
    return true;
}

ACTION(do_save_code)
{
    reading_save_code(pane_chat_of(pane));
    return true;
}

ACTION(do_edit)
{
    reading_edit(pane_chat_of(pane));
    return true;
}

ACTION(do_regenerate)
{
    reading_regenerate(pane_chat_of(pane));
    return true;
}

ACTION(do_continue)
{
    reading_continue(pane_chat_of(pane));
    return true;
}

ACTION(do_delete)
{
    reading_delete(pane_chat_of(pane));
    return true;
}

ACTION(do_undelete)
{
    reading_undelete(pane_chat_of(pane));
    return true;
}

ACTION(do_swipe_left)
{
    reading_swipe(pane_chat_of(pane), -1);
    return true;
}

ACTION(do_swipe_right)
{
    reading_swipe(pane_chat_of(pane), 1);
    return true;
}

ACTION(do_branches)
{
    reading_branches(pane_chat_of(pane));
    return true;
}

ACTION(do_about)
{
    reading_about(pane_chat_of(pane));
    return true;
}

ACTION(do_source)
{
    reading_open_source(pane_chat_of(pane));
    return true;
}

ACTION(do_mark)
{
    reading_mark_unsupported(pane_chat_of(pane));
    return true;
}

ACTION(do_search)
{
    reading_search(pane_chat_of(pane));
    return true;
}

ACTION(do_search_next)
{
    reading_search_next(pane_chat_of(pane), false);
    return true;
}

ACTION(do_search_previous)
{
    reading_search_next(pane_chat_of(pane), true);
    return true;
}

ACTION(do_tokens)
{
    return pane_kind_toggle(app, "token");
}

ACTION(do_help)
{
    return pane_kind_toggle(app, "help");
}

const struct action actions_transcript[] = {
    {"write", NULL, NULL, "i Esc", "back to the line", do_write},
    {"stop-reply", NULL, NULL, "Ctrl-C", "stop the reply", do_stop},
    {"down", NULL, NULL, "j Down", "a row down", do_down},
    {"up", NULL, NULL, "k Up", "a row up", do_up},
    {"page-back", NULL, NULL, "PageUp Ctrl-B", "a page up", do_page_up},
    {"page-on", NULL, NULL, "PageDown Ctrl-F", "a page down", do_page_down},
    {"scroll-back", NULL, NULL, "WheelUp", "scroll back, with the mouse", do_wheel_up},
    {"scroll-on", NULL, NULL, "WheelDown", "scroll on, with the mouse", do_wheel_down},
    {"next-message", NULL, NULL, "J }", "to the next message", do_next_message},
    {"previous-message", NULL, NULL, "K {", "to the message before", do_previous_message},
    {"first", NULL, NULL, "g Home", "to the beginning", do_top},
    {"last", NULL, NULL, "G End", "to the end", do_bottom},
    {"select", NULL, NULL, "Space v", "begin or end a selection", do_select},
    {"copy", NULL, NULL, "y", "copy the selection, or the message", do_copy},
    {"copy-code", NULL, NULL, "Y", "copy the code block here", do_copy_code},
    {"save-code", NULL, NULL, "s", "write the code block here to a file", do_save_code},
    {"edit", NULL, NULL, "e", "edit the message; both are kept", do_edit},
    {"regenerate", NULL, NULL, "r", "another reply, beside this one", do_regenerate},
    {"continue-reply", NULL, NULL, "c", "more of the last reply", do_continue},
    {"older-alternative", NULL, NULL, "h Left", "the alternative before", do_swipe_left},
    {"newer-alternative", NULL, NULL, "l Right", "the alternative after", do_swipe_right},
    {"branches", NULL, NULL, "b", "the tree of branches", do_branches},
    {"delete-message", NULL, NULL, "d", "delete the message and what follows", do_delete},
    {"undelete-message", NULL, NULL, "u", "bring back what was deleted", do_undelete},
    {"about-message", NULL, NULL, "m", "how and when the reply was made", do_about},
    {"source", NULL, NULL, "Enter", "open the passage that the answer stands in", do_source},
    {"mark", NULL, NULL, "x", "mark words that no document has", do_mark},
    {"probabilities", NULL, NULL, "p", "how likely each token of the reply was", do_tokens},
    {"search", NULL, NULL, "/", "search this chat", do_search},
    {"search-next", NULL, NULL, "n", "to the next match", do_search_next},
    {"search-back", NULL, NULL, "N", "to the match before", do_search_previous},
    {"keys", NULL, NULL, "?", "help", do_help},
    {0},
};
