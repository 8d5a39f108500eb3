/* What single keys do in the help. Moving about is the page's own matter. */
#include "tui/actions.h"
#include "tui/workspace.h"

ACTION(do_close)
{
    workspace_close(app_workspace(app), pane);
    return true;
}

const struct action actions_help[] = {
    {NULL, NULL, NULL, "j k PageUp PageDown g G", "move about", NULL},
    {"close-help", NULL, NULL, "q Esc Ctrl-C", "close the help", do_close},
    {0},
};
