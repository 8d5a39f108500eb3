#include "tui/actions.h"

#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/bindings.h"
#include "tui/commands.h"
#include "tui/pane_chat.h"
#include "tui/scene_shelf.h"
#include "tui/suggest.h"
#include "tui/theme.h"
#include "tui/workspace.h"

const struct action_table action_tables[CONTEXTS] = {
    [CONTEXT_ANYWHERE] = {"Everywhere", actions_anywhere},
    [CONTEXT_COMPOSER] = {"While typing", actions_composer},
    [CONTEXT_TRANSCRIPT] = {"In the transcript", actions_transcript},
    [CONTEXT_CHATS] = {"In the list of chats", actions_chats},
    [CONTEXT_DOCUMENTS] = {"In the documents", actions_documents},
    [CONTEXT_SCENE] = {"In the scene", actions_scene},
    [CONTEXT_PROMPT] = {"In the prompt", actions_prompt},
    [CONTEXT_TOKEN] = {"Among the tokens", actions_token},
    [CONTEXT_HELP] = {"In the help", actions_help},
    [CONTEXT_OVERLAY] = {"In a list or a question", actions_overlay},
};

static const struct action *rows_of(enum action_context context)
{
    static const struct action none[] = {{0}};
    return action_tables[context].rows != NULL ? action_tables[context].rows : none;
}

/* --- keys ------------------------------------------------------------------------------------ */

/* Runs what the key means in the context; an action may decline, then the next one is asked. */
static bool run_in(struct app *app, struct pane *pane, enum action_context context,
                   const struct input_token *token)
{
    const struct action *action = bindings_find(app_bindings(app), context, token);
    return action != NULL && action->run != NULL && action->run(app, pane, "");
}

bool actions_run_key(struct app *app, struct pane *pane, const struct input_token *token)
{
    enum action_context context = pane->ops->context(pane);
    bool typed = context == CONTEXT_COMPOSER || context == CONTEXT_OVERLAY;
    if (token->kind == INPUT_PASTE || (typed && token->kind == INPUT_TEXT))
        return false;
    if (run_in(app, pane, context, token))
        return true;
    return context != CONTEXT_OVERLAY && context != CONTEXT_ANYWHERE &&
           run_in(app, pane, CONTEXT_ANYWHERE, token);
}

bool actions_take_letters(const struct pane *pane)
{
    enum action_context context = pane->ops->context(pane);
    return context != CONTEXT_COMPOSER && context != CONTEXT_OVERLAY;
}

void actions_keys(struct app *app, const struct action *action, struct strbuf *out)
{
    if (action->name != NULL)
        bindings_keys(app_bindings(app), action, out);
    else
        strbuf_puts(out, action->keys != NULL ? action->keys : "");
}

/* --- commands -------------------------------------------------------------------------------- */

static const enum action_context command_contexts[] = {CONTEXT_COMPOSER, CONTEXT_ANYWHERE};
#define COMMAND_CONTEXTS (sizeof command_contexts / sizeof command_contexts[0])

const struct action *actions_find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_CONTEXTS; i++)
        for (const struct action *action = rows_of(command_contexts[i]); action->help != NULL;
             action++)
            if (action->command != NULL && strcmp(action->command, name) == 0)
                return action;
    return NULL;
}

static void say_unknown(struct pane_chat *pane, const char *name)
{
    struct suggestion best = suggest_begin(name);
    for (size_t i = 0; i < COMMAND_CONTEXTS; i++)
        for (const struct action *action = rows_of(command_contexts[i]); action->help != NULL;
             action++)
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
    size_t word = strspn(line + 1, "abcdefghijklmnopqrstuvwxyz-");
    if (word == 0 || strchr(" \r", line[1 + word]) == NULL)
        return false;
    *name = xstrndup(line, 1 + word);
    *argument = xstrdup(line + 1 + word + strspn(line + 1 + word, " "));
    size_t length = strlen(*argument);
    while (length > 0 && strchr(" \r\n", (*argument)[length - 1]) != NULL)
        (*argument)[--length] = '\0';
    return true;
}

bool actions_run_line(struct app *app, struct pane_chat *pane, const char *line)
{
    char *name, *argument;
    if (!actions_parse_line(line, &name, &argument))
        return false;
    const struct action *action = actions_find_command(name);
    if (action != NULL)
        action->run(app, &pane->base, argument);
    else
        say_unknown(pane, name);
    free(name);
    free(argument);
    return true;
}

/* --- completion ------------------------------------------------------------------------------ */

static char *command_at(unsigned index)
{
    for (size_t i = 0; i < COMMAND_CONTEXTS; i++)
        for (const struct action *action = rows_of(command_contexts[i]); action->help != NULL;
             action++)
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
    if (strncmp(line, "/scene ", 7) == 0 && strpbrk(line + 7, "/~") == NULL)
        return start == 7 ? scene_shelf_name(index) : NULL;
    *files = true;
    return NULL;
}
