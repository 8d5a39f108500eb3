/* What single keys do in the transcript of a chat. */
#include <stdlib.h>
#include <string.h>

#include "tui/actions.h"
#include "tui/commands.h"
#include "tui/pane_chat.h"
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

static bool scroll(struct pane *pane, int rows)
{
    transcript_scroll(pane_chat_of(pane)->transcript, rows);
    return true;
}

ACTION(do_down)
{
    return scroll(pane, 1);
}

ACTION(do_up)
{
    return scroll(pane, -1);
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

const struct action actions_transcript[] = {
    {"write", NULL, NULL, "i Esc", "back to the line", do_write},
    {"stop-reply", NULL, NULL, "Ctrl-C", "stop the reply", do_stop},
    {"down", NULL, NULL, "j Down", "a row down", do_down},
    {"up", NULL, NULL, "k Up", "a row up", do_up},
    {"page-back", NULL, NULL, "PageUp", "a page up", do_page_up},
    {"page-on", NULL, NULL, "PageDown", "a page down", do_page_down},
    {"first", NULL, NULL, "g Home Ctrl-Home", "to the beginning", do_top},
    {"last", NULL, NULL, "G End Ctrl-End", "to the end", do_bottom},
    {0},
};
