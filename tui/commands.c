#include "tui/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/chat_documents.h"
#include "tui/documents.h"
#include "tui/overlay.h"
#include "tui/suggest.h"
#include "tui/theme.h"
#include "tui/workspace.h"

/* The head of a command that may leave some of its parameters alone. */
#define COMMAND(function)                                                                          \
    bool function(struct app *app __attribute__((unused)), struct pane *base,                      \
                  const char *argument __attribute__((unused)))

/* --- the chat -------------------------------------------------------------------------------- */

static bool refuse_while_replying(struct pane_chat *pane)
{
    if (chat_is_replying(pane->chat))
        pane_chat_say(pane, TRANSCRIPT_ERROR, "a reply is running; Ctrl-C stops it");
    return chat_is_replying(pane->chat);
}

COMMAND(command_new)
{
    struct pane_chat *pane = pane_chat_of(base);
    if (refuse_while_replying(pane))
        return true;
    pane_chat_begin_new(pane);
    return true;
}

COMMAND(command_retry)
{
    struct pane_chat *pane = pane_chat_of(base);
    struct error error;
    struct prompt_notes notes = {0};
    if (refuse_while_replying(pane))
        return true;
    if (chat_retry(pane->chat, &notes, &error) != 0)
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
    else
        pane_chat_show_reply(pane, &notes);
    prompt_notes_free(&notes);
    return true;
}

COMMAND(command_continue)
{
    struct pane_chat *pane = pane_chat_of(base);
    struct error error;
    if (refuse_while_replying(pane))
        return true;
    if (chat_continue(pane->chat, &error) != 0)
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
    else
        transcript_set_note(pane->transcript, pane->chat->reply, NULL);
    return true;
}

COMMAND(command_save)
{
    struct pane_chat *pane = pane_chat_of(base);
    struct error error;
    if (argument[0] == '\0')
        pane_chat_say(pane, TRANSCRIPT_ERROR, "/save needs a file name");
    else if (chat_save(pane->chat, argument, &error) != 0)
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
    else
        pane_chat_say(pane, TRANSCRIPT_NOTICE, "saved as %s", argument);
    return true;
}

COMMAND(command_system)
{
    struct pane_chat *pane = pane_chat_of(base);
    const char *system = chat_system(pane->chat, argument);
    pane_chat_recount(pane);
    pane_chat_say(pane, TRANSCRIPT_NOTICE, "system: %s", system);
    return true;
}

/* --- documents ------------------------------------------------------------------------------- */

COMMAND(command_doc)
{
    struct pane_chat *pane = pane_chat_of(base);
    if (argument[0] == '\0')
        pane_chat_say(pane, TRANSCRIPT_ERROR, "/doc needs a file name");
    else
        documents_add(pane, argument, true);
    return true;
}

COMMAND(command_docs)
{
    struct pane_chat *pane = pane_chat_of(base);
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

COMMAND(command_undoc)
{
    struct pane_chat *pane = pane_chat_of(base);
    chat_detach(pane->chat, argument);
    documents_changed(pane, NULL);
    return command_docs(app, base, "");
}

/* --- settings -------------------------------------------------------------------------------- */

/* What may change while a model is loaded: the rows of the reply. */
bool commands_is_changeable(const struct option *option)
{
    return option->ini != NULL && strncmp(option->ini, "reply:", 6) == 0;
}

static void put_option(const struct settings *settings, const struct option *option,
                       struct strbuf *out)
{
    struct strbuf value = {0};
    bool set = option_text(option, settings, &value);
    strbuf_printf(out, "%s%-*s%-7s %s", out->length > 0 ? "\n" : "", TRANSCRIPT_NAME_COLUMNS,
                  option->name, set ? strbuf_text(&value) : "-", option->help);
    strbuf_free(&value);
}

/* By its name, or by a beginning that only one name has. */
static const struct option *find_changeable(const char *name, size_t length)
{
    const struct option *found = NULL;
    int matches = 0;
    for (const struct option *option = options_table; option->name != NULL; option++) {
        if (!commands_is_changeable(option) || strncmp(option->name, name, length) != 0)
            continue;
        if (option->name[length] == '\0')
            return option;
        found = option;
        matches++;
    }
    return matches == 1 ? found : NULL;
}

static int unknown_setting(const char *argument, size_t length, struct error *error)
{
    char name[64];
    snprintf(name, sizeof name, "%.*s", (int)(length < 60 ? length : 60), argument);
    struct suggestion best = suggest_begin(name);
    for (const struct option *option = options_table; option->name != NULL; option++)
        if (commands_is_changeable(option))
            suggest_offer(&best, option->name);
    if (best.found == NULL)
        return error_set(error, ERROR_INPUT, "no setting %s; /set lists them", name);
    return error_set(error, ERROR_INPUT, "no setting %s; did you mean %s?", name, best.found);
}

int commands_change_setting(struct settings *settings, const char *argument, struct strbuf *table,
                            struct error *error)
{
    size_t length = strcspn(argument, " =");
    const char *value = argument + length + strspn(argument + length, " =");
    if (length == 0) {
        for (const struct option *option = options_table; option->name != NULL; option++)
            if (commands_is_changeable(option))
                put_option(settings, option, table);
        return 0;
    }
    const struct option *option = find_changeable(argument, length);
    if (option == NULL)
        return unknown_setting(argument, length, error);
    if (value[0] != '\0' && option_set(option, settings, option->name, value, error) != 0)
        return -1;
    put_option(settings, option, table);
    return 0;
}

COMMAND(command_set)
{
    struct pane_chat *pane = pane_chat_of(base);
    struct error error;
    struct strbuf table = {0};
    if (commands_change_setting(app_settings(pane->app), argument, &table, &error) != 0)
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
    else
        transcript_add_text(pane->transcript, TRANSCRIPT_TABLE, strbuf_text(&table));
    strbuf_free(&table);
    pane_chat_recount(pane);
    return true;
}

/* --- themes ---------------------------------------------------------------------------------- */

static void set_theme(struct app *app, const char *name)
{
    struct error error;
    if (app_set_theme(app, name, &error) != 0)
        workspace_flash(app_workspace(app), STYLE_ERROR, "%s", error.message);
}

/* The names in the order of the list, for the picker's functions. */
struct themes {
    char **names;
    size_t count;
    char *before; /* the one to go back to */
};

static void free_themes(void *user)
{
    struct themes *themes = user;
    for (size_t i = 0; i < themes->count; i++)
        free(themes->names[i]);
    free(themes->names);
    free(themes->before);
    free(themes);
}

static void take_theme(struct app *app, void *user, size_t index)
{
    const struct themes *themes = user;
    set_theme(app, index < themes->count ? themes->names[index] : themes->before);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* By name, and the one in use before them all: a picker begins at its first row. */
static void sort_themes(struct themes *themes)
{
    qsort(themes->names, themes->count, sizeof *themes->names, compare_names);
    for (size_t i = 1; i < themes->count; i++) {
        if (strcmp(themes->names[i], themes->before) != 0)
            continue;
        char *name = themes->names[i];
        memmove(themes->names + 1, themes->names, i * sizeof *themes->names);
        themes->names[0] = name;
        break;
    }
}

static void pick_theme(struct app *app)
{
    struct themes *themes = xcalloc(1, sizeof *themes);
    char *name;
    themes->before = xstrdup(app_settings(app)->theme != NULL ? app_settings(app)->theme : "");
    for (unsigned i = 0; (name = theme_list(i)) != NULL; i++) {
        themes->names = xreallocarray(themes->names, i + 1, sizeof *themes->names);
        themes->names[i] = name;
        themes->count = i + 1;
    }
    sort_themes(themes);
    struct picker_item *items = xcalloc(themes->count + 1, sizeof *items);
    for (size_t i = 0; i < themes->count; i++)
        items[i] = (struct picker_item){
            xstrdup(themes->names[i]),
            strcmp(themes->names[i], themes->before) == 0 ? xstrdup("in use") : NULL};
    const struct picker picker = {.title = "Theme",
                                  .placeholder = "up and down show them",
                                  .items = items,
                                  .count = themes->count,
                                  .choose = take_theme,
                                  .preview = take_theme,
                                  .free_user = free_themes,
                                  .user = themes};
    picker_open(app, &picker);
}

bool command_theme(struct app *app, struct pane *pane, const char *argument)
{
    (void)pane;
    if (argument[0] != '\0')
        set_theme(app, argument);
    else
        pick_theme(app);
    return true;
}
