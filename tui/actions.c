#include "tui/actions.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "engine/base/file.h"
#include "tui/composer.h"
#include "tui/options.h"
#include "tui/starters.h"
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

/* --- the chat -------------------------------------------------------------------------------- */

static bool refuse_while_replying(struct pane_chat *pane)
{
    if (chat_is_replying(pane->chat))
        pane_chat_say(pane, TRANSCRIPT_ERROR, "a reply is running; Ctrl-C stops it");
    return chat_is_replying(pane->chat);
}

static bool do_new(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    if (refuse_while_replying(pane))
        return true;
    transcript_clear(pane->transcript);
    chat_reset(pane->chat);
    pane_chat_recount(pane);
    return true;
}

static bool do_retry(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    struct error error;
    struct prompt_notes notes = {0};
    if (refuse_while_replying(pane))
        return true;
    struct message *tip = chat_tip(pane->chat), *unanswered = pane->chat->unanswered;
    if (chat_retry(pane->chat, &notes, &error) != 0) {
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
        return true;
    }
    if (unanswered != NULL)
        transcript_set_note(pane->transcript, unanswered, NULL);
    else if (tip != NULL && tip->role == ROLE_ASSISTANT)
        transcript_remove_message(pane->transcript, tip);
    pane_chat_begin_reply(pane, &notes);
    prompt_notes_free(&notes);
    return true;
}

static bool do_continue(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    struct error error;
    if (refuse_while_replying(pane))
        return true;
    if (chat_continue(pane->chat, &error) != 0)
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
    else
        transcript_set_note(pane->transcript, pane->chat->reply, NULL);
    return true;
}

static bool do_save(struct pane_chat *pane, const char *argument)
{
    struct error error;
    if (argument[0] == '\0')
        pane_chat_say(pane, TRANSCRIPT_ERROR, "/save needs a file name");
    else if (chat_save(pane->chat, argument, &error) != 0)
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
    else
        pane_chat_say(pane, TRANSCRIPT_NOTICE, "saved as %s", argument);
    return true;
}

static bool do_system(struct pane_chat *pane, const char *argument)
{
    struct settings *settings = app_settings(pane->app);
    if (argument[0] != '\0') { /* "default" is the template's own */
        free(settings->system);
        settings->system = strcmp(argument, "default") == 0 ? NULL : xstrdup(argument);
        pane_chat_recount(pane);
    }
    pane_chat_say(pane, TRANSCRIPT_NOTICE, "system: %s",
                  settings->system != NULL ? settings->system
                                           : chat_template_system(pane->chat->template));
    return true;
}

/* --- documents ------------------------------------------------------------------------------- */

/* Tokens of the documents that are attached, exactly. */
static size_t document_tokens(struct pane_chat *pane)
{
    struct error error;
    if (chat_is_replying(pane->chat) || chat_count(pane->chat, "", &error) != 0)
        return 0;
    return pane->chat->gauge.parts[PART_DOCUMENT];
}

static bool do_doc(struct pane_chat *pane, const char *argument)
{
    struct error error;
    if (argument[0] == '\0') {
        pane_chat_say(pane, TRANSCRIPT_ERROR, "/doc needs a file name");
        return true;
    }
    size_t before = document_tokens(pane);
    if (document_add_file(&pane->chat->attached, argument, &error) != 0) {
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
        return true;
    }
    size_t after = document_tokens(pane);
    pane_chat_recount(pane);
    if (after > before)
        pane_chat_say(pane, TRANSCRIPT_NOTICE, "%s goes with the next message, %zu tokens",
                      argument, after - before);
    else
        pane_chat_say(pane, TRANSCRIPT_NOTICE, "%s goes with the next message", argument);
    return true;
}

static bool do_docs(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    const struct document_list *list = &pane->chat->attached;
    if (list->count == 0)
        pane_chat_say(pane, TRANSCRIPT_NOTICE, "no documents attached; /doc FILE attaches one");
    for (size_t i = 0; i < list->count; i++) {
        const struct document *document = &list->items[i];
        struct strbuf pairs = {0};
        for (size_t j = 0; j < document->pair_count; j++)
            strbuf_printf(&pairs, "  %s: %s", document->pairs[j].key, document->pairs[j].value);
        pane_chat_say(pane, TRANSCRIPT_NOTICE, "%s%s", document->name, strbuf_text(&pairs));
        strbuf_free(&pairs);
    }
    return true;
}

static bool do_undoc(struct pane_chat *pane, const char *argument)
{
    struct document_list *list = &pane->chat->attached;
    for (size_t i = list->count; i-- > 0;)
        if (argument[0] == '\0' || strcmp(list->items[i].name, argument) == 0)
            document_remove(list, i);
    pane_chat_recount(pane);
    return do_docs(pane, "");
}

static bool start_with(struct pane_chat *pane, unsigned index)
{
    struct error error;
    if (!composer_is_empty() || !transcript_is_empty(pane->transcript))
        return false;
    struct document_list *attached = &pane->chat->attached;
    char *path = starter_path(starters_table[index].document);
    if (path != NULL && attached->count == 0) {
        if (document_add_file(attached, path, &error) != 0) {
            pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
        } else { /* the user need not know where it lies */
            free(attached->items[0].name);
            attached->items[0].name = xstrdup(starters_table[index].document);
        }
    }
    free(path);
    char *text = starter_text(index);
    composer_set_text(text);
    free(text);
    pane_chat_recount(pane);
    return true;
}

static bool do_start_chat(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    return start_with(pane, 0);
}

static bool do_start_document(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    return start_with(pane, 1);
}

static bool do_start_scene(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    return start_with(pane, 2);
}

/* --- settings -------------------------------------------------------------------------------- */

/* What may change while a model is loaded: the rows of the reply. */
static bool is_changeable(const struct option *option)
{
    return option->ini != NULL && strncmp(option->ini, "reply:", 6) == 0;
}

static void put_option(const struct pane_chat *pane, const struct option *option,
                       struct strbuf *out)
{
    struct strbuf value = {0};
    bool set = option_text(option, app_settings(pane->app), &value);
    strbuf_printf(out, "%s%-*s%s  · %s", out->length > 0 ? "\n" : "", TRANSCRIPT_NAME_COLUMNS,
                  option->name, set ? strbuf_text(&value) : "-", option->help);
    strbuf_free(&value);
}

/* One setting, or all that may change. */
static void say_options(struct pane_chat *pane, const struct option *only)
{
    struct strbuf text = {0};
    for (const struct option *option = options_table; option->name != NULL; option++)
        if (only != NULL ? option == only : is_changeable(option))
            put_option(pane, option, &text);
    transcript_add_text(pane->transcript, TRANSCRIPT_TABLE, strbuf_text(&text));
    strbuf_free(&text);
}

/* By its name, or by a beginning that only one name has. */
static const struct option *find_changeable(const char *name, size_t length)
{
    const struct option *found = NULL;
    int matches = 0;
    for (const struct option *option = options_table; option->name != NULL; option++) {
        if (!is_changeable(option) || strncmp(option->name, name, length) != 0)
            continue;
        if (option->name[length] == '\0')
            return option;
        found = option;
        matches++;
    }
    return matches == 1 ? found : NULL;
}

static void say_unknown(struct pane_chat *pane, const char *argument, size_t length)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), argument);
    struct suggestion best = suggest_begin(name);
    for (const struct option *option = options_table; option->name != NULL; option++)
        if (is_changeable(option))
            suggest_offer(&best, option->name);
    if (best.found != NULL)
        pane_chat_say(pane, TRANSCRIPT_ERROR, "no setting %s; did you mean %s?", name, best.found);
    else
        pane_chat_say(pane, TRANSCRIPT_ERROR, "no setting %s; /set lists them", name);
}

static bool do_set(struct pane_chat *pane, const char *argument)
{
    size_t length = strcspn(argument, " =");
    const char *value = argument + length + strspn(argument + length, " =");
    if (length == 0) {
        say_options(pane, NULL);
        return true;
    }
    const struct option *option = find_changeable(argument, length);
    struct error error;
    if (option == NULL)
        say_unknown(pane, argument, length);
    else if (value[0] != '\0' &&
             option_set(option, app_settings(pane->app), option->name, value, &error) != 0)
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
    else
        say_options(pane, option);
    pane_chat_recount(pane);
    return true;
}

static bool do_theme(struct pane_chat *pane, const char *argument)
{
    struct error error;
    struct strbuf names = {0};
    if (argument[0] != '\0') {
        if (app_set_theme(pane->app, argument, &error) != 0)
            pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
        return true;
    }
    char *name;
    for (unsigned i = 0; (name = theme_list(i)) != NULL; i++) {
        strbuf_printf(&names, "  %s", name);
        free(name);
    }
    pane_chat_say(pane, TRANSCRIPT_NOTICE, "themes:%s", strbuf_text(&names));
    strbuf_free(&names);
    return true;
}

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
        strbuf_printf(&text, "%s%-*s%s", text.length > 0 ? "\n" : "",
                      TRANSCRIPT_NAME_COLUMNS, trigger, action->help);
    }
    transcript_add_text(pane->transcript, TRANSCRIPT_TABLE, strbuf_text(&text));
    strbuf_free(&text);
    return true;
}

/* --- the table ------------------------------------------------------------------------------- */

const struct action actions_table[] = {
    {NULL, NULL, "Enter", "send; while a reply runs, queue", NULL},
    {NULL, NULL, "Alt-Enter", "new line (Shift-Enter where the terminal can)", do_newline},
    {NULL, NULL, "Tab", "complete a command or a file name", NULL},
    {NULL, NULL, "Ctrl-C", "stop the reply, or clear the line; twice: leave", do_cancel},
    {NULL, NULL, "Esc", "stop the reply and keep what came", do_escape},
    {"/doc", "FILE", NULL, "attach a document to the next message", do_doc},
    {"/docs", NULL, NULL, "list what is attached", do_docs},
    {"/undoc", "[FILE]", NULL, "detach one document, or all", do_undoc},
    {"/retry", NULL, NULL, "another reply to the last message", do_retry},
    {"/continue", NULL, NULL, "more of the last reply", do_continue},
    {"/new", NULL, NULL, "begin a new chat", do_new},
    {"/save", "FILE", NULL, "write the chat to a new file", do_save},
    {"/set", "[NAME VALUE]", NULL, "list or change how replies are made", do_set},
    {"/system", "[TEXT]", NULL, "show or change the system line", do_system},
    {"/theme", "[NAME]", NULL, "list or change themes", do_theme},
    {NULL, NULL, "PageUp", "scroll back, a page", do_page_up},
    {NULL, NULL, "PageDown", "scroll on, a page", do_page_down},
    {NULL, NULL, "Shift-Up Ctrl-Up", "scroll back, a line", do_line_up},
    {NULL, NULL, "Shift-Down Ctrl-Down", "scroll on, a line", do_line_down},
    {NULL, NULL, "WheelUp", "scroll back, with the mouse", do_wheel_up},
    {NULL, NULL, "WheelDown", "scroll on, with the mouse", do_wheel_down},
    {NULL, NULL, "Ctrl-Home", "to the beginning", do_top},
    {NULL, NULL, "Ctrl-End", "to the end, and follow it", do_bottom},
    {NULL, NULL, "F2", "start page: try a question", do_start_chat},
    {NULL, NULL, "F3", "start page: ask the sample document", do_start_document},
    {NULL, NULL, "F4", "start page: play a scene", do_start_scene},
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

static void run_command(struct pane_chat *pane, const char *name, const char *argument)
{
    struct suggestion best = suggest_begin(name);
    for (const struct action *action = actions_table; action->help != NULL; action++) {
        if (action->command == NULL)
            continue;
        if (strcmp(action->command, name) == 0) {
            action->run(pane, argument);
            return;
        }
        suggest_offer(&best, action->command);
    }
    pane_chat_say(pane, TRANSCRIPT_ERROR, "no command %s; %s", name,
                  best.found != NULL ? best.found : "/help lists them");
}

/* "/name argument", alone on its line, and only a word after the slash: a path is a message. */
bool actions_run_line(struct pane_chat *pane, const char *line)
{
    size_t word = strspn(line + 1, "abcdefghijklmnopqrstuvwxyz");
    if (line[0] != '/' || word == 0 || (line[1 + word] != '\0' && line[1 + word] != ' '))
        return false;
    char *name = xstrndup(line, 1 + word);
    char *argument = xstrdup(line + 1 + word + strspn(line + 1 + word, " "));
    size_t length = strlen(argument);
    while (length > 0 && (argument[length - 1] == ' ' || argument[length - 1] == '\n'))
        argument[--length] = '\0';
    run_command(pane, name, argument);
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
        if (is_changeable(option) && index-- == 0)
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
