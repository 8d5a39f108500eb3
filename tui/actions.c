#include "tui/actions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/commands.h"
#include "tui/composer.h"
#include "tui/suggest.h"
#include "tui/theme.h"

#define WHEEL_ROWS 3

/* --- leaving and stopping -------------------------------------------------------------------- */

static bool do_cancel(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    if (chat_is_replying(pane->chat)) {
        pane_chat_drop_queue(pane);
        chat_cancel(pane->chat);
    } else if (!composer_is_empty()) {
        composer_clear();
    } else if (pane->leave_armed) {
        app_quit(pane->app);
    } else {
        pane->leave_armed = true;
    }
    return true;
}

static bool do_escape(struct pane_chat *pane, const char *argument)
{
    return chat_is_replying(pane->chat) && do_cancel(pane, argument);
}

static bool do_leave_when_empty(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    if (!composer_is_empty())
        return false;
    app_quit(pane->app);
    return true;
}

static bool do_quit(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    app_quit(pane->app);
    return true;
}

static bool do_suspend(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    app_suspend(pane->app);
    return true;
}

static bool do_repaint(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    app_repaint(pane->app);
    return true;
}

static bool do_newline(struct pane_chat *pane, const char *argument)
{
    (void)pane;
    (void)argument;
    composer_paste("\n", 1);
    return true;
}

/* --- scrolling ------------------------------------------------------------------------------- */

static bool do_page_up(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    transcript_scroll_pages(pane->transcript, -1);
    return true;
}

static bool do_page_down(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    transcript_scroll_pages(pane->transcript, 1);
    return true;
}

static bool do_line_up(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    transcript_scroll(pane->transcript, -1);
    return true;
}

static bool do_line_down(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    transcript_scroll(pane->transcript, 1);
    return true;
}

static bool do_wheel_up(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    transcript_scroll(pane->transcript, -WHEEL_ROWS);
    return true;
}

static bool do_wheel_down(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    transcript_scroll(pane->transcript, WHEEL_ROWS);
    return true;
}

static bool do_top(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    transcript_scroll_end(pane->transcript, false);
    return true;
}

static bool do_bottom(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    transcript_scroll_end(pane->transcript, true);
    return true;
}

/* --- help and the table ----------------------------------------------------------------------- */

/* "/doc FILE" or "Ctrl-Up": what a person types. */
static void put_trigger(const struct action *action, char *out, size_t size)
{
    const char *argument = action->argument != NULL ? action->argument : "";
    if (action->command == NULL)
        snprintf(out, size, "%s", action->keys);
    else if (action->keys == NULL)
        snprintf(out, size, "%s %s", action->command, argument);
    else
        snprintf(out, size, "%s, %s", action->command, action->keys);
}

static bool do_help(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    struct strbuf text = {0};
    for (const struct action *action = actions_table; action->help != NULL; action++) {
        char trigger[64];
        put_trigger(action, trigger, sizeof trigger);
        strbuf_printf(&text, "%s%-*s%s", text.length > 0 ? "\n" : "", TRANSCRIPT_NAME_COLUMNS,
                      trigger, action->help);
    }
    transcript_add_text(pane->transcript, TRANSCRIPT_TABLE, strbuf_text(&text));
    strbuf_free(&text);
    return true;
}

const struct action actions_table[] = {
    {NULL, NULL, "Enter", "send; while a reply runs, queue", NULL},
    {NULL, NULL, "Alt-Enter", "new line (Shift-Enter where the terminal can)", do_newline},
    {NULL, NULL, "Tab", "complete a command or a file name", NULL},
    {NULL, NULL, "Ctrl-C", "stop the reply, or clear the line; twice: leave", do_cancel},
    {NULL, NULL, "Esc", "stop the reply and keep what came", do_escape},
    {"/doc", "FILE", NULL, "attach a document to the next message", command_doc},
    {"/docs", NULL, NULL, "list what is attached", command_docs},
    {"/undoc", "[FILE]", NULL, "detach one document, or all", command_undoc},
    {"/retry", NULL, NULL, "another reply to the last message", command_retry},
    {"/continue", NULL, NULL, "more of the last reply", command_continue},
    {"/new", NULL, NULL, "begin a new chat", command_new},
    {"/save", "FILE", NULL, "write the chat to a new file", command_save},
    {"/set", "[NAME VALUE]", NULL, "list or change how replies are made", command_set},
    {"/system", "[TEXT]", NULL, "show or change the system line", command_system},
    {"/theme", "[NAME]", NULL, "list or change themes", command_theme},
    {NULL, NULL, "PageUp", "scroll back, a page", do_page_up},
    {NULL, NULL, "PageDown", "scroll on, a page", do_page_down},
    {NULL, NULL, "Shift-Up Ctrl-Up", "scroll back, a line", do_line_up},
    {NULL, NULL, "Shift-Down Ctrl-Down", "scroll on, a line", do_line_down},
    {NULL, NULL, "WheelUp", "scroll back, with the mouse", do_wheel_up},
    {NULL, NULL, "WheelDown", "scroll on, with the mouse", do_wheel_down},
    {NULL, NULL, "Ctrl-Home", "to the beginning", do_top},
    {NULL, NULL, "Ctrl-End", "to the end, and follow it", do_bottom},
    {NULL, NULL, "F2", "start page: try a question", command_start_chat},
    {NULL, NULL, "F3", "start page: ask the sample document", command_start_document},
    {NULL, NULL, "F4", "start page: play a scene", command_start_scene},
    {NULL, NULL, "Ctrl-L", "draw the screen anew", do_repaint},
    {NULL, NULL, "Ctrl-Z", "suspend", do_suspend},
    {"/help", NULL, "F1", "this list", do_help},
    {"/quit", NULL, NULL, "leave", do_quit},
    {NULL, NULL, "Ctrl-D", "leave, when nothing is typed", do_leave_when_empty},
    {NULL, NULL, NULL, NULL, NULL},
};

const struct action *actions_find_key(const char *key)
{
    size_t length = strlen(key);
    for (const struct action *action = actions_table; action->help != NULL; action++) {
        for (const char *at = action->keys; at != NULL && *at != '\0';) {
            size_t word = strcspn(at, " ");
            if (word == length && memcmp(at, key, length) == 0)
                return action;
            at += word + strspn(at + word, " ");
        }
    }
    return NULL;
}

const struct action *actions_find_command(const char *name)
{
    for (const struct action *action = actions_table; action->help != NULL; action++)
        if (action->command != NULL && strcmp(action->command, name) == 0)
            return action;
    return NULL;
}

static void say_unknown(struct pane_chat *pane, const char *name)
{
    struct suggestion best = suggest_begin(name);
    for (const struct action *action = actions_table; action->help != NULL; action++)
        if (action->command != NULL)
            suggest_offer(&best, action->command);
    if (best.found != NULL)
        pane_chat_say(pane, TRANSCRIPT_ERROR, "no command %s; did you mean %s?", name, best.found);
    else
        pane_chat_say(pane, TRANSCRIPT_ERROR, "no command %s; /help lists them", name);
}

/* Only a word after the slash, alone or before a space: a path is a message. */
bool actions_parse_line(const char *line, char **name, char **argument)
{
    if (line[0] != '/')
        return false;
    size_t word = strspn(line + 1, "abcdefghijklmnopqrstuvwxyz");
    if (word == 0 || strchr(" \r", line[1 + word]) == NULL)
        return false;
    *name = xstrndup(line, 1 + word);
    *argument = xstrdup(line + 1 + word + strspn(line + 1 + word, " "));
    size_t length = strlen(*argument);
    while (length > 0 && strchr(" \r\n", (*argument)[length - 1]) != NULL)
        (*argument)[--length] = '\0';
    return true;
}

bool actions_run_line(struct pane_chat *pane, const char *line)
{
    char *name, *argument;
    if (!actions_parse_line(line, &name, &argument))
        return false;
    const struct action *action = actions_find_command(name);
    if (action != NULL)
        action->run(pane, argument);
    else
        say_unknown(pane, name);
    free(name);
    free(argument);
    return true;
}

/* --- completion ------------------------------------------------------------------------------ */

static char *command_at(unsigned index)
{
    for (const struct action *action = actions_table; action->help != NULL; action++)
        if (action->command != NULL && index-- == 0)
            return xstrdup(action->command);
    return NULL;
}

static char *setting_at(unsigned index)
{
    for (const struct option *option = options_table; option->name != NULL; option++)
        if (commands_is_changeable(option) && index-- == 0)
            return xstrdup(option->name);
    return NULL;
}

char *actions_complete(void *user, const char *line, int start, unsigned index, bool *files)
{
    (void)user;
    if (start == 0 && line[0] == '/')
        return command_at(index);
    if (strncmp(line, "/set ", 5) == 0)
        return start == 5 ? setting_at(index) : NULL;
    if (strncmp(line, "/theme ", 7) == 0)
        return theme_list(index);
    *files = true;
    return NULL;
}
