/* What keys do in the prompt pane. */
#include "tui/actions.h"
#include "tui/pane_prompt.h"
#include "tui/workspace.h"

#define SIDEWAYS_COLUMNS 8

ACTION(do_down)
{
    pane_prompt_scroll(pane, 1);
    return true;
}

ACTION(do_up)
{
    pane_prompt_scroll(pane, -1);
    return true;
}

ACTION(do_page_on)
{
    pane_prompt_scroll_pages(pane, 1);
    return true;
}

ACTION(do_page_back)
{
    pane_prompt_scroll_pages(pane, -1);
    return true;
}

ACTION(do_first)
{
    pane_prompt_scroll_end(pane, false);
    return true;
}

ACTION(do_last)
{
    pane_prompt_scroll_end(pane, true);
    return true;
}

ACTION(do_left)
{
    pane_prompt_scroll_sideways(pane, -SIDEWAYS_COLUMNS);
    return true;
}

ACTION(do_right)
{
    pane_prompt_scroll_sideways(pane, SIDEWAYS_COLUMNS);
    return true;
}

ACTION(do_tokens)
{
    pane_prompt_toggle_tokens(pane);
    return true;
}

ACTION(do_ids)
{
    pane_prompt_toggle_ids(pane);
    return true;
}

ACTION(do_wrap)
{
    pane_prompt_toggle_wrap(pane);
    return true;
}

ACTION(do_notes)
{
    pane_prompt_toggle_notes(pane);
    return true;
}

ACTION(do_search)
{
    pane_prompt_search(pane);
    return true;
}

ACTION(do_next)
{
    pane_prompt_search_next(pane, false);
    return true;
}

ACTION(do_previous)
{
    pane_prompt_search_next(pane, true);
    return true;
}

ACTION(do_copy)
{
    pane_prompt_copy_text(pane);
    return true;
}

ACTION(do_copy_ids)
{
    pane_prompt_copy_ids(pane);
    return true;
}

ACTION(do_close)
{
    workspace_close(app_workspace(app), pane);
    return true;
}

const struct action actions_prompt[] = {
    {"boundaries", NULL, NULL, "t", "show where tokens begin, or not", do_tokens},
    {"ids", NULL, NULL, "#", "the ids of the tokens, or not", do_ids},
    {"wrap", NULL, NULL, "w", "wrap long lines, or not", do_wrap},
    {"all-notes", NULL, NULL, "o", "all that was left out, or its beginning", do_notes},
    {"search", NULL, NULL, "/", "search the prompt", do_search},
    {"search-next", NULL, NULL, "n", "to the next match", do_next},
    {"search-previous", NULL, NULL, "N", "to the match before", do_previous},
    {"copy", NULL, NULL, "y", "copy the text", do_copy},
    {"copy-ids", NULL, NULL, "Y", "copy the ids, as JSON", do_copy_ids},
    {"down", NULL, NULL, "j Down", "a row down", do_down},
    {"up", NULL, NULL, "k Up", "a row up", do_up},
    {"left", NULL, NULL, "h Left", "to the left, where lines are not wrapped", do_left},
    {"right", NULL, NULL, "l Right", "to the right, where lines are not wrapped", do_right},
    {"page-back", NULL, NULL, "PageUp", "a page up", do_page_back},
    {"page-on", NULL, NULL, "PageDown Space", "a page down", do_page_on},
    {"first", NULL, NULL, "g Home", "to the beginning", do_first},
    {"last", NULL, NULL, "G End", "to the end", do_last},
    {"close-prompt", NULL, NULL, "q Esc", "close the prompt", do_close},
    {0},
};
