#include "tui/commands.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/base/alloc.h"
#include "tui/chat_documents.h"
#include "tui/composer.h"
#include "tui/starters.h"
#include "tui/suggest.h"
#include "tui/theme.h"

/* --- the chat -------------------------------------------------------------------------------- */

static bool refuse_while_replying(struct pane_chat *pane)
{
    if (chat_is_replying(pane->chat))
        pane_chat_say(pane, TRANSCRIPT_ERROR, "a reply is running; Ctrl-C stops it");
    return chat_is_replying(pane->chat);
}

bool command_new(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    if (refuse_while_replying(pane))
        return true;
    transcript_clear(pane->transcript);
    chat_reset(pane->chat);
    pane_chat_recount(pane);
    return true;
}

bool command_retry(struct pane_chat *pane, const char *argument)
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

bool command_continue(struct pane_chat *pane, const char *argument)
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

bool command_save(struct pane_chat *pane, const char *argument)
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

bool command_system(struct pane_chat *pane, const char *argument)
{
    const char *system = chat_system(pane->chat, argument);
    pane_chat_recount(pane);
    pane_chat_say(pane, TRANSCRIPT_NOTICE, "system: %s", system);
    return true;
}

/* --- documents ------------------------------------------------------------------------------- */

bool command_doc(struct pane_chat *pane, const char *argument)
{
    struct error error;
    char *note;
    if (chat_attach(pane->chat, argument, &note, &error) != 0) {
        pane_chat_say(pane, TRANSCRIPT_ERROR, "%s", error.message);
        return true;
    }
    pane_chat_recount(pane);
    pane_chat_say(pane, TRANSCRIPT_NOTICE, "%s", note);
    free(note);
    return true;
}

bool command_docs(struct pane_chat *pane, const char *argument)
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

bool command_undoc(struct pane_chat *pane, const char *argument)
{
    chat_detach(pane->chat, argument);
    pane_chat_recount(pane);
    return command_docs(pane, "");
}

static bool start_with(struct pane_chat *pane, unsigned index)
{
    struct error error;
    if (!composer_is_empty() || !transcript_is_empty(pane->transcript))
        return false;
    struct document_list *attached = &pane->chat->attached;
    char *path = starter_path(starters_table[index].document);
    if (path != NULL && attached->count == 0) {
        if (document_add_regular(attached, path, &error) != 0) {
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

bool command_start_chat(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    return start_with(pane, 0);
}

bool command_start_document(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    return start_with(pane, 1);
}

bool command_start_scene(struct pane_chat *pane, const char *argument)
{
    (void)argument;
    return start_with(pane, 2);
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

bool command_set(struct pane_chat *pane, const char *argument)
{
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

bool command_theme(struct pane_chat *pane, const char *argument)
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
