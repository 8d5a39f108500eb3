/* What keys do in the token pane. */
#include "tui/actions.h"
#include "tui/pane_token.h"
#include "tui/workspace.h"

ACTION(do_next)
{
    pane_token_move(pane, 1);
    return true;
}

ACTION(do_previous)
{
    pane_token_move(pane, -1);
    return true;
}

ACTION(do_down)
{
    pane_token_move_rows(pane, 1);
    return true;
}

ACTION(do_up)
{
    pane_token_move_rows(pane, -1);
    return true;
}

ACTION(do_next_word)
{
    pane_token_move_words(pane, 1);
    return true;
}

ACTION(do_previous_word)
{
    pane_token_move_words(pane, -1);
    return true;
}

ACTION(do_first)
{
    pane_token_move_end(pane, false);
    return true;
}

ACTION(do_last)
{
    pane_token_move_end(pane, true);
    return true;
}

ACTION(do_enter)
{
    pane_token_enter(pane);
    return true;
}

ACTION(do_all)
{
    pane_token_ask_all(pane);
    return true;
}

ACTION(do_leave)
{
    pane_token_leave(pane);
    return true;
}

ACTION(do_close)
{
    workspace_close(app_workspace(app), pane);
    return true;
}

const struct action actions_token[] = {
    {"next-token", NULL, NULL, "l Right", "to the next token", do_next},
    {"previous-token", NULL, NULL, "h Left", "to the token before", do_previous},
    {"down", NULL, NULL, "j Down", "a row down; the next alternative", do_down},
    {"up", NULL, NULL, "k Up", "a row up; the alternative before", do_up},
    {"next-word", NULL, NULL, "w", "to the next word", do_next_word},
    {"previous-word", NULL, NULL, "b", "to the word before", do_previous_word},
    {"first", NULL, NULL, "g 0 Home", "to the first token", do_first},
    {"last", NULL, NULL, "G $ End", "to the last token", do_last},
    {"branch", NULL, NULL, "Enter Tab", "to the alternatives; go on from the one chosen", do_enter},
    {"ask-all", NULL, NULL, "a", "how likely all tokens were", do_all},
    {"leave", NULL, NULL, "Esc", "stop asking; back from the alternatives; close", do_leave},
    {"close-tokens", NULL, NULL, "q p", "close the tokens", do_close},
    {0},
};
